//! Values that fit a schema, made from a seed.

use serde_json::{Map, Value, json};

use super::conform::{Root, additional};
use super::document::{Document, Part};
use super::schema::{array, is_nullable, is_unknown, types};

/// Deeper than this, only what is required is made.
const MOST_DEPTH: usize = 4;
/// Deeper than this, nothing is made of what can never end.
const DEEPEST: usize = 24;

/// Values inside one value.
const MOST: u32 = 20_000;

/// Makes values. The same seed makes the same values.
#[derive(Debug, Clone)]
pub struct Generator {
    state: u64,
    /// How many more values may be made for this one.
    left: u32,
}

impl Generator {
    /// A generator that starts with a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed, left: 0 }
    }

    /// A number below `n`, which is not 0 (`SplitMix64`).
    fn below(&mut self, n: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n.max(1)
    }

    fn pick<'t, T>(&mut self, list: &'t [T]) -> Option<&'t T> {
        let at = self.below(list.len() as u64);
        usize::try_from(at).ok().and_then(|at| list.get(at))
    }

    /// A value that fits a schema of a document, as a part of a call; patterns are not looked at. `None` where nothing
    /// is known to fit: schemas that contradict themselves or never end.
    pub fn generate(&mut self, document: &Document, schema: &Value, part: Part) -> Option<Value> {
        let root = Root::without(document, part.uncarried());
        self.left = MOST;
        let value = self.value(&root, schema, 0)?;
        super::conform::conforms_to(&root, schema, &value).is_ok().then_some(value)
    }

    fn value(&mut self, root: &Root<'_>, schema: &Value, depth: usize) -> Option<Value> {
        self.left = self.left.checked_sub(1)?;
        let whole = root.whole(schema);
        if depth > DEEPEST || whole == Value::Bool(false) {
            return None;
        }
        let schema = &whole;
        if is_nullable(schema) && (self.below(8) == 0 || depth > MOST_DEPTH) {
            return Some(Value::Null);
        }
        if let Some(values) = schema["enum"].as_array() {
            let values: Vec<&Value> = values.iter().filter(|value| !value.is_null()).collect();
            return self.pick(&values).map_or(Some(Value::Null), |value| Some((*value).clone()));
        }
        if let Some(value) = schema.get("const") {
            return Some(value.clone());
        }
        for name in ["oneOf", "anyOf"] {
            let parts: Vec<&Value> = array(schema, name).collect();
            if let Some(part) = self.pick(&parts) {
                let chosen = self.value(root, part, depth + 1)?;
                return Some(self.with_own_members(root, schema, chosen, depth));
            }
        }
        if is_unknown(schema) && schema.get("properties").is_none() {
            return Some(self.anything(depth));
        }
        let types: Vec<&str> = types(schema).into_iter().filter(|name| *name != "null").collect();
        let name = match self.pick(&types) {
            Some(name) => *name,
            None if schema.get("items").is_some() || schema.get("prefixItems").is_some() => "array",
            None => "object",
        };
        match name {
            "boolean" => Some((self.below(2) == 0).into()),
            "integer" => Some(self.integer(schema)),
            "number" => Some(self.number(schema)),
            "string" => Some(self.string(schema).into()),
            "array" => self.array(root, schema, depth),
            _ => self.object(root, schema, depth),
        }
    }

    /// The members that stand beside a choice.
    fn with_own_members(&mut self, root: &Root<'_>, schema: &Value, chosen: Value, depth: usize) -> Value {
        let mut chosen = chosen;
        if schema.get("properties").is_some()
            && let (Some(members), Some(Value::Object(own))) =
                (chosen.as_object_mut(), self.object(root, schema, depth + 1))
        {
            for (name, value) in own {
                members.entry(name).or_insert(value);
            }
        }
        chosen
    }

    fn anything(&mut self, depth: usize) -> Value {
        match self.below(if depth > MOST_DEPTH { 4 } else { 6 }) {
            0 => Value::Null,
            1 => (self.below(2) == 0).into(),
            2 => self.below(1000).into(),
            3 => self.word().into(),
            4 => json!([self.below(10)]),
            _ => json!({ self.word(): self.word() }),
        }
    }

    fn word(&mut self) -> String {
        const WORDS: [&str; 10] =
            ["", "a", "Ada", "Ada Lovelace", "ünïcode ☃", "a/b~c", "10", "true", "tab\tquote\"", "Grace Hopper"];
        self.pick(&WORDS).copied().unwrap_or_default().to_owned()
    }

    fn bounds(schema: &Value) -> (f64, f64) {
        let bound = |name: &str, exclusive: &str, step: f64| {
            let inclusive =
                schema[name].as_f64().map(|bound| if schema[exclusive] == true { bound + step } else { bound });
            inclusive.or_else(|| schema[exclusive].as_f64().map(|bound| bound + step))
        };
        let least = bound("minimum", "exclusiveMinimum", 1.0);
        let most = bound("maximum", "exclusiveMaximum", -1.0);
        match (least, most) {
            (Some(least), Some(most)) => (least, most),
            (Some(least), None) => (least, least + 1000.0),
            (None, Some(most)) => (most - 1000.0, most),
            (None, None) => (-1000.0, 100_000.0),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a bound beyond 64 bits is cut to them, which still is a number"
    )]
    fn integer(&mut self, schema: &Value) -> Value {
        let (least, most) = Self::bounds(schema);
        let (least, most) = (least.ceil() as i64, most.floor() as i64);
        let step = schema["multipleOf"].as_i64().filter(|step| *step > 0).unwrap_or(1);
        let first = least.saturating_add(step - 1).div_euclid(step);
        let end = most.div_euclid(step);
        let count = end.saturating_sub(first).saturating_add(1).max(1);
        let offset = i64::try_from(self.below(count.unsigned_abs())).unwrap_or(0);
        first.saturating_add(offset).saturating_mul(step).into()
    }

    fn number(&mut self, schema: &Value) -> Value {
        if schema.get("multipleOf").is_some() || self.below(2) == 0 {
            return self.integer(schema);
        }
        let (least, most) = Self::bounds(schema);
        let part = f64::from(u16::try_from(self.below(101)).unwrap_or(0)) / 100.0;
        json!(least + (most - least) * part)
    }

    fn string(&mut self, schema: &Value) -> String {
        let n = self.below(1000);
        let text = match schema["format"].as_str().unwrap_or_default() {
            "date-time" => return format!("2026-03-{:02}T{:02}:00:00Z", n % 28 + 1, n % 24),
            "date" => return format!("2026-03-{:02}", n % 28 + 1),
            "time" => return format!("{:02}:00:00Z", n % 24),
            "email" => return format!("u{n}@example.test"),
            "uuid" => return format!("00000000-0000-4000-8000-{n:012}"),
            "uri" | "url" => return format!("https://example.test/{n}"),
            "hostname" => return format!("h{n}.example.test"),
            "ipv4" => return format!("192.0.2.{}", n % 256),
            "ipv6" => return format!("2001:db8::{n}"),
            "decimal" => return format!("{n}.{:02}", n % 100),
            "byte" => return "AAAA".to_owned(),
            _ => self.word(),
        };
        let size = |name: &str| schema[name].as_u64().and_then(|bound| usize::try_from(bound).ok());
        let mut text: String = text.chars().take(size("maxLength").unwrap_or(usize::MAX)).collect();
        let missing = size("minLength").unwrap_or(0).min(1 << 16).saturating_sub(text.chars().count());
        text.extend(std::iter::repeat_n('x', missing));
        text
    }

    fn array(&mut self, root: &Root<'_>, schema: &Value, depth: usize) -> Option<Value> {
        let prefix: Vec<&Value> = array(schema, "prefixItems").collect();
        let least = schema["minItems"].as_u64().unwrap_or(0).min(1000);
        let wanted = if prefix.is_empty() { least + 2 } else { least.max(prefix.len() as u64) };
        let most = schema["maxItems"].as_u64().unwrap_or(wanted).min(wanted).max(least);
        let length = if depth > MOST_DEPTH { least } else { least + self.below(most - least + 1) };
        let anything = json!({});
        let mut items = Vec::new();
        for at in 0..usize::try_from(length).unwrap_or(0) {
            let element = prefix.get(at).copied().or_else(|| schema.get("items")).unwrap_or(&anything);
            items.push(self.value(root, element, depth + 1)?);
        }
        Some(items.into())
    }

    fn object(&mut self, root: &Root<'_>, schema: &Value, depth: usize) -> Option<Value> {
        let mut members = Map::new();
        let is_carried = |name: &str| !root.is_uncarried(schema, name);
        let required = array(schema, "required").filter_map(Value::as_str);
        let required: Vec<&str> = required.filter(|name| is_carried(name)).collect();
        let properties = schema["properties"].as_object().into_iter().flatten();
        for (name, property) in properties.filter(|(name, _)| is_carried(name)) {
            let is_required = required.contains(&name.as_str());
            if !is_required && (depth > MOST_DEPTH || self.below(4) == 0) {
                continue;
            }
            match self.value(root, property, depth + 1) {
                Some(value) => drop(members.insert(name.clone(), value)),
                None if is_required => return None,
                None => {}
            }
        }
        for name in required {
            if !members.contains_key(name) {
                let more = additional(schema).cloned().unwrap_or_else(|| json!({}));
                members.insert(name.to_owned(), self.value(root, &more, depth + 1)?);
            }
        }
        if let Some(more) = additional(schema).filter(|more| more.is_object() && depth <= MOST_DEPTH) {
            for _ in 0..self.below(3) {
                let name = format!("key{}", self.below(100));
                if let Some(value) = self.value(root, more, depth + 1) {
                    members.entry(name).or_insert(value);
                }
            }
        }
        Some(members.into())
    }
}
