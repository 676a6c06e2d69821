//! The schema of an op, from the ops' definitions.

use serde_json::{Map, Value, json};

use crate::rules::lens::{Arguments, Definition, Need, Op, Parameter, Takes};

/// What `#/$defs/op` and `#/$defs/ops_...` are.
pub(super) fn definitions() -> Value {
    let mut properties: Map<String, Value> =
        Op::DEFINITIONS.iter().map(|definition| (definition.name.to_owned(), arguments(definition))).collect();
    properties.insert("where".into(), json!({"$ref": "#/$defs/guards"}));
    properties.insert(
        "where_down".into(),
        json!({"$ref": "#/$defs/guards", "description": "Going down, this is asked instead of `where`."}),
    );
    properties.insert("note".into(), json!({"description": "A remark."}));
    let one: Vec<Value> = Op::NAMES.iter().map(|name| json!({"required": [name]})).collect();
    json!({"op": {
        "title": "an op",
        "description": "One op, and beside it when it runs.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "oneOf": one,
    }})
}

fn arguments(definition: &Definition) -> Value {
    let mut schema = match definition.arguments {
        Arguments::Renames => json!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"$ref": "#/$defs/member"},
            "additionalProperties": {"type": "string", "pattern": "^(?!/)"},
        }),
        Arguments::Forms([form]) => mapping(form),
        Arguments::Forms(forms) => json!({"oneOf": forms.iter().map(|form| mapping(form)).collect::<Vec<_>>()}),
    };
    schema["title"] = json!(definition.summary);
    schema["description"] =
        json!(format!("{}\n\nInverse: {}. Lost: {}.", definition.does, definition.inverse, definition.lost));
    schema["examples"] = examples(definition);
    schema
}

/// The op's arguments in its examples.
fn examples(definition: &Definition) -> Value {
    let written = definition.examples.iter().map(|example| super::written(example.ops));
    let ops = written.flat_map(|ops| ops.as_array().cloned().unwrap_or_default());
    ops.filter_map(|mut op| op.get_mut(definition.name).map(Value::take)).collect()
}

fn mapping(parameters: &[Parameter]) -> Value {
    let properties: Map<String, Value> =
        parameters.iter().map(|parameter| (parameter.name.to_owned(), property(parameter))).collect();
    let required: Vec<&str> = parameters.iter().filter(|p| p.need == Need::Required).map(|p| p.name).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn property(parameter: &Parameter) -> Value {
    let mut schema = values(&parameter.takes);
    schema["description"] = json!(parameter.about);
    if let Need::Default(text) = parameter.need {
        schema["default"] = super::written(text);
    }
    schema
}

fn values(takes: &Takes) -> Value {
    match takes {
        Takes::Literal => json!({}),
        Takes::Null => json!({"type": "null"}),
        Takes::Boolean => json!({"type": "boolean"}),
        Takes::Number => json!({"type": "number"}),
        Takes::Count => json!({"type": "integer", "minimum": 0}),
        Takes::Integer(most) => json!({"type": "integer", "minimum": 0, "maximum": most}),
        Takes::String => json!({"type": "string"}),
        Takes::Text => json!({"type": "string", "minLength": 1}),
        Takes::Word(words) => json!({"enum": words}),
        Takes::Path => json!({"$ref": "#/$defs/path"}),
        Takes::Member => json!({"$ref": "#/$defs/member"}),
        Takes::TwoMembers => {
            json!({"type": "array", "items": {"$ref": "#/$defs/member"}, "minItems": 2, "maxItems": 2})
        }
        Takes::Names => json!({"type": "array", "items": {"type": "string"}}),
        Takes::Pairs => json!({"type": "array", "items": {"type": "array", "minItems": 2, "maxItems": 2}}),
        Takes::Members => json!({"type": "object"}),
        Takes::Guards => json!({"$ref": "#/$defs/guards"}),
        Takes::Ops => json!({"$ref": "#/$defs/ops"}),
        Takes::Mapping(parameters) => mapping(parameters),
        Takes::Either(all) => json!({"anyOf": all.iter().map(values).collect::<Vec<_>>()}),
    }
}
