//! A contract as it was read: the whole document, where everything in it stands, and its calls.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Number, Value, json};

use crate::diagnostic::{Diagnostic, Source, Span};
use crate::route::Template;
use crate::yaml::{self, Kind, Node, ScalarKind};

use super::code;
use super::schema::{Dialect, READ_ONLY, WRITE_ONLY};

/// The keys of a path item that are calls.
pub(super) const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// References that lead to references, and so on, end somewhere.
const MOST_HOPS: usize = 32;

/// An OpenAPI 3.0 or 3.1 document.
#[derive(Debug, Clone)]
pub struct Document {
    /// The file, as diagnostics name it.
    pub file: Arc<str>,
    /// All that it says.
    pub value: Value,
    /// How it says null.
    pub dialect: Dialect,
    node: Option<Node>,
}

/// One call of a document.
#[derive(Debug, Clone, Copy)]
pub struct Call<'d> {
    /// The path as it is written.
    pub path: &'d str,
    /// The method's key, in lower case.
    pub method: &'d str,
    /// What stands below the path: parameters of all its calls, for instance.
    pub item: &'d Value,
    /// What stands below the method.
    pub operation: &'d Value,
}

/// What may be said of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Its request.
    Request,
    /// Its response with this status.
    Response(u16),
}

impl Part {
    /// What marks the members that it does not carry.
    pub(super) fn uncarried(self) -> &'static str {
        match self {
            Self::Request => READ_ONLY,
            Self::Response(_) => WRITE_ONLY,
        }
    }
}

/// What a contract says of a parameter or header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'d> {
    pub(super) location: &'d str,
    pub(super) name: &'d str,
    pub(super) schema: &'d Value,
    pub(super) is_required: bool,
}

impl Call<'_> {
    /// The call as rules name it; `None` where rules cannot.
    #[must_use]
    pub fn template(&self) -> Option<Template> {
        Template::parse(&format!("{} {}", self.method.to_ascii_uppercase(), self.path)).ok()
    }
}

impl std::fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method.to_ascii_uppercase(), self.path)
    }
}

impl Document {
    /// Reads a document, JSON or YAML. What is wrong with it is reported; `None` where it is no OpenAPI document.
    #[must_use]
    pub fn parse(source: &Source) -> (Option<Self>, Vec<Diagnostic>) {
        let file: Arc<str> = source.file.as_str().into();
        let (value, node, mut diagnostics) = read(source, &file);
        let Some(value) = value else { return (None, diagnostics) };
        let mut document = Self { file, value, dialect: Dialect::V30, node };
        match document.find_dialect() {
            Ok(dialect) => document.dialect = dialect,
            Err(diagnostic) => {
                diagnostics.push(*diagnostic);
                return (None, diagnostics);
            }
        }
        diagnostics.extend(document.dangling());
        (Some(document), diagnostics)
    }

    /// A document that was made, not read.
    pub(super) fn made(file: Arc<str>, value: Value, dialect: Dialect) -> Self {
        Self { file, value, dialect, node: None }
    }

    /// Whether it was read, and not made.
    pub(super) fn is_written(&self) -> bool {
        self.node.is_some()
    }

    fn find_dialect(&self) -> Result<Dialect, Box<Diagnostic>> {
        let found = match &self.value["openapi"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match found.split('.').take(2).collect::<Vec<_>>().as_slice() {
            ["3", "0"] => return Ok(Dialect::V30),
            ["3", "1"] => return Ok(Dialect::V31),
            _ => {}
        }
        let (span, message) = if self.value.get("openapi").is_some() {
            (self.span(&["openapi"]), format!("expected OpenAPI 3.0 or 3.1, found `openapi: {}`", found.escape_debug()))
        } else {
            (self.span(&[]), "expected an OpenAPI document: there is no `openapi`".to_owned())
        };
        let mut diagnostic = Diagnostic::error(code::DOCUMENT, &self.file, span, message);
        diagnostic.help("write `openapi: 3.1.0`; a Swagger 2.0 document has to be converted first");
        Err(Box::new(diagnostic))
    }

    /// Where a part of the document stands: the key of the last step that is there.
    #[must_use]
    pub fn span(&self, steps: &[&str]) -> Span {
        let Some(mut node) = self.node.as_ref() else { return Span::default() };
        let mut span = Span { start: node.span.start, end: node.span.start };
        for step in steps {
            let next = match &node.kind {
                Kind::Mapping(entries) => {
                    entries.iter().find(|(key, _)| key.text() == Some(step)).map(|(key, value)| (key.span, value))
                }
                Kind::Sequence(items) => {
                    step.parse().ok().and_then(|at: usize| items.get(at)).map(|item| (item.span, item))
                }
                Kind::Scalar(_) => None,
            };
            let Some((at, value)) = next else { break };
            (span, node) = (at, value);
        }
        span
    }

    /// What a value's reference leads to; itself where it is none. What leads nowhere, or in circles, says nothing.
    #[must_use]
    pub fn resolve<'d>(&'d self, value: &'d Value) -> &'d Value {
        let mut at = value;
        for _ in 0..MOST_HOPS {
            match reference(at) {
                Some(target) => at = self.find(target).unwrap_or(&Value::Null),
                None => return at,
            }
        }
        &Value::Null
    }

    /// What a local reference leads to.
    pub(super) fn find(&self, target: &str) -> Option<&Value> {
        find(&self.value, target)
    }

    fn dangling(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        references(&self.value, &mut Vec::new(), &mut |path, target| {
            if self.find(target).is_some() {
                return;
            }
            let why = if target.starts_with('#') { "leads nowhere" } else { "leads out of the document" };
            let steps: Vec<&str> = path.iter().map(String::as_str).collect();
            let message = format!("the reference `{}` {why}", target.escape_debug());
            let mut diagnostic = Diagnostic::warning(code::REFERENCE, &self.file, self.span(&steps), message);
            diagnostic.help("nothing is known of what it stands for: put it below `components` of this document");
            found.push(diagnostic);
        });
        found
    }

    /// Every call, in the order of the document.
    pub fn calls(&self) -> impl Iterator<Item = Call<'_>> {
        let paths = self.value["paths"].as_object().into_iter().flatten();
        paths.flat_map(|(path, item)| {
            let item = self.resolve(item);
            METHODS.iter().filter_map(move |method| {
                let operation = item.get(*method).filter(|operation| operation.is_object())?;
                Some(Call { path, method, item, operation })
            })
        })
    }

    /// The call that a template names: parameters may have other names.
    #[must_use]
    pub fn call(&self, template: &Template) -> Option<Call<'_>> {
        self.calls().find(|call| call.template().is_some_and(|own| own.same_shape(template)))
    }

    /// The schema of a call's JSON body; `None` where nothing is said of one.
    #[must_use]
    pub fn body<'d>(&'d self, call: &Call<'d>, part: Part) -> Option<&'d Value> {
        let message = match part {
            Part::Request => self.resolve(call.operation.get("requestBody")?),
            Part::Response(status) => self.response(call, status)?,
        };
        json_media(message).next()?.1.get("schema")
    }

    /// The schemas of a call's parameters, or of a response's headers: where each is, its name, and whether it has to be
    /// there.
    pub(super) fn head<'d>(&'d self, call: &Call<'d>, part: Part) -> Vec<Entry<'d>> {
        let schema = |found: &'d Value| found.get("schema").or_else(|| json_media(found).next()?.1.get("schema"));
        let mut entries: Vec<Entry<'d>> = Vec::new();
        let mut add = |location: &'d str, name: &'d str, found: &'d Value| {
            let known = entries.iter().any(|other| other.location == location && other.name == name);
            if let Some(schema) = schema(found).filter(|_| !known) {
                entries.push(Entry { location, name, schema, is_required: found["required"] == true });
            }
        };
        match part {
            Part::Request => {
                let list = |of: &'d Value| of["parameters"].as_array().into_iter().flatten();
                for parameter in list(call.operation).chain(list(call.item)) {
                    let parameter = self.resolve(parameter);
                    if let (Some(name), Some(location)) = (parameter["name"].as_str(), parameter["in"].as_str()) {
                        add(location, name, parameter);
                    }
                }
            }
            Part::Response(status) => {
                let headers = self.response(call, status).and_then(|response| response["headers"].as_object());
                for (name, header) in headers.into_iter().flatten() {
                    add("header", name, self.resolve(header));
                }
            }
        }
        entries
    }

    fn response<'d>(&'d self, call: &Call<'d>, status: u16) -> Option<&'d Value> {
        let responses = call.operation.get("responses")?;
        let key = status_keys(status).into_iter().find(|key| responses.get(key).is_some())?;
        Some(self.resolve(responses.get(&key)?))
    }
}

/// The keys under which a response may stand, the most specific first.
fn status_keys(status: u16) -> [String; 4] {
    [status.to_string(), format!("{}XX", status / 100), format!("{}xx", status / 100), "default".to_owned()]
}

/// The status that stands for all of a response's key. A range is looked at where no single status of it is likely to
/// stand for itself.
pub(super) fn status_of(key: &str) -> Option<u16> {
    match key.as_bytes() {
        b"default" => Some(599),
        [class @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] => Some(u16::from(class - b'0') * 100 + 98),
        _ => key.parse().ok().filter(|status| StatusCode::from_u16(*status).is_ok()),
    }
}

/// The JSON media types of a request body or response, with what they say.
pub(super) fn json_media(message: &Value) -> impl Iterator<Item = (&String, &Value)> {
    message["content"].as_object().into_iter().flatten().filter(|(name, _)| is_json(name))
}

pub(super) fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json") || essence == "*/*" || essence == "application/*"
}

/// The target of a value that is a reference.
pub(super) fn reference(value: &Value) -> Option<&str> {
    value.get("$ref")?.as_str()
}

/// What a local reference leads to.
pub(super) fn find<'v>(root: &'v Value, target: &str) -> Option<&'v Value> {
    let pointer = percent_encoding::percent_decode_str(target.strip_prefix('#')?).decode_utf8().ok()?;
    root.pointer(&pointer)
}

/// Calls `found` for every reference below a value. Examples and constants are data, whatever they look like.
pub(super) fn references(value: &Value, path: &mut Vec<String>, found: &mut dyn FnMut(&[String], &str)) {
    const DATA: [&str; 5] = ["example", "examples", "default", "enum", "const"];
    match value {
        Value::Object(members) => {
            // Below these, names are anyone's choice, and `default` is a response.
            let is_free =
                path.last().is_some_and(|last| matches!(last.as_str(), "properties" | "schemas" | "responses"));
            for (name, value) in members.iter().filter(|(name, _)| is_free || !DATA.contains(&name.as_str())) {
                path.push(name.clone());
                match value {
                    Value::String(target) if name == "$ref" => found(path, target),
                    other => references(other, path, found),
                }
                path.pop();
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                path.push(at.to_string());
                references(value, path, found);
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A file's value, and its tree where there is one.
fn read(source: &Source, file: &Arc<str>) -> (Option<Value>, Option<Node>, Vec<Diagnostic>) {
    let parsed = yaml::parse(&source.text, &source.file, yaml::Limits::default());
    if !std::path::Path::new(&source.file).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json")) {
        return match parsed {
            Ok(node) => (Some(to_value(&node)), Some(node), Vec::new()),
            Err(diagnostics) => (None, None, diagnostics),
        };
    }
    match serde_json::from_str(&source.text) {
        Ok(value) => (Some(value), parsed.ok(), Vec::new()),
        Err(error) => {
            let line: usize = source.text.split_inclusive('\n').take(error.line().max(1) - 1).map(str::len).sum();
            let start = (line + error.column().max(1) - 1).min(source.text.len());
            let text = error.to_string();
            let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
            let message = format!("the file is not JSON: {what}");
            let span = Span { start, end: (start + 1).min(source.text.len()) };
            (None, None, vec![Diagnostic::error(code::DOCUMENT, file, span, message)])
        }
    }
}

/// A tree's value. Numbers that JSON cannot say are strings.
fn to_value(node: &Node) -> Value {
    match &node.kind {
        Kind::Sequence(items) => items.iter().map(to_value).collect(),
        Kind::Mapping(entries) => {
            let members =
                entries.iter().map(|(key, value)| (key.text().unwrap_or_default().to_owned(), to_value(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Kind::Scalar(scalar) => match scalar.value {
            ScalarKind::Null => Value::Null,
            ScalarKind::Bool(value) => value.into(),
            ScalarKind::String => scalar.text.as_str().into(),
            ScalarKind::Integer | ScalarKind::Float => number(&scalar.text),
        },
    }
}

fn number(text: &str) -> Value {
    let whole = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from)).ok();
    let number = whole.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64));
    number.map_or_else(|| json!(text), Value::Number)
}
