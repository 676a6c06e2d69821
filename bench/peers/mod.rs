//! What else can edit JSON: trees, and a transcoder without one.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value, json};
use simd_json::prelude::{ValueAsMutArray, ValueAsMutObject, ValueAsScalar, Writable};
use sonic_rs::{JsonValueMutTrait, JsonValueTrait};

/// Another way to do an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// `serde_json::Value`: parse, edit, serialise.
    Value,
    /// `serde_json` from a deserialiser to a serialiser, without a tree.
    Transcode,
    /// `sonic_rs::Value`.
    Sonic,
    /// `simd_json::BorrowedValue`.
    SimdJson,
    /// jaq: parse, filter, print.
    Jaq,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edit {
    Nothing,
    Envelope,
    RenameInEach,
    Chat,
}

const TIMESTAMP: &str = "2026-03-01T00:00:00.000Z";

impl Peer {
    pub(crate) const ALL: [Self; 5] = [Self::Value, Self::Transcode, Self::Sonic, Self::SimdJson, Self::Jaq];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Value => "`Value`",
            Self::Transcode => "serde_json transcoding",
            Self::Sonic => "sonic-rs",
            Self::SimdJson => "simd-json",
            Self::Jaq => "jaq",
        }
    }
}

impl Edit {
    /// The edited document; `None` where the peer is not made for the edit.
    pub(crate) fn run(self, peer: Peer, text: &[u8]) -> Option<Vec<u8>> {
        match peer {
            Peer::Value => {
                let value = self.tree(serde_json::from_slice(text).expect("JSON"));
                Some(serde_json::to_vec(&value).expect("JSON"))
            }
            Peer::Transcode => self.transcode(text),
            Peer::Sonic => Some(self.sonic(text)),
            Peer::SimdJson => Some(self.simd_json(text)),
            Peer::Jaq => self.jaq(text),
        }
    }

    fn tree(self, v: Value) -> Value {
        match self {
            Self::Nothing => v,
            Self::Envelope => envelope(v),
            Self::RenameInEach => each(v, |o| rename_key(o, "text", "body")),
            Self::Chat => envelope(each(v, chat)),
        }
    }

    fn transcode(self, text: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(text.len() * 5 / 4);
        let rename = match self {
            Self::Nothing | Self::Envelope => None,
            Self::RenameInEach => Some(("text", "body")),
            Self::Chat => return None,
        };
        if self == Self::Envelope {
            out.extend_from_slice(b"{\"data\":");
        }
        let mut from = serde_json::Deserializer::from_slice(text);
        let mut to = serde_json::Serializer::new(&mut out);
        Transcode { to: &mut to, rename }.deserialize(&mut from).expect("JSON");
        from.end().expect("JSON");
        if self == Self::Envelope {
            out.extend_from_slice(b",\"meta\":{\"version\":\"2\",\"timestamp\":\"");
            out.extend_from_slice(TIMESTAMP.as_bytes());
            out.extend_from_slice(b"\"}}");
        }
        Some(out)
    }

    fn sonic(self, text: &[u8]) -> Vec<u8> {
        let mut value: sonic_rs::Value = sonic_rs::from_slice(text).expect("JSON");
        if matches!(self, Self::RenameInEach | Self::Chat) {
            for item in value.as_array_mut().expect("a list").iter_mut() {
                let object = item.as_object_mut().expect("an object");
                let text = object.remove(&"text").expect("a text");
                object.insert("body", text);
                if self == Self::Chat {
                    let mut author = sonic_rs::Object::new();
                    author.insert("name", object.remove(&"user").expect("a user"));
                    object.insert("author", author);
                    let ts = object.remove(&"ts").expect("a time").as_i64().expect("milliseconds");
                    object.insert("sent_at", time(ts).as_str());
                }
            }
        }
        if matches!(self, Self::Envelope | Self::Chat) {
            let mut outer = sonic_rs::Object::new();
            outer.insert("data", value);
            outer.insert("meta", sonic_rs::json!({"version": "2", "timestamp": TIMESTAMP}));
            return sonic_rs::to_vec(&outer).expect("JSON");
        }
        sonic_rs::to_vec(&value).expect("JSON")
    }

    fn simd_json(self, text: &[u8]) -> Vec<u8> {
        let mut text = text.to_vec();
        let mut value = simd_json::to_borrowed_value(&mut text).expect("JSON");
        if matches!(self, Self::RenameInEach | Self::Chat) {
            for item in value.as_array_mut().expect("a list").iter_mut() {
                let object = item.as_object_mut().expect("an object");
                let text = object.remove("text").expect("a text");
                object.insert("body".into(), text);
                if self == Self::Chat {
                    let mut author = simd_json::borrowed::Object::default();
                    author.insert("name".into(), object.remove("user").expect("a user"));
                    object.insert("author".into(), author.into());
                    let ts = object.remove("ts").expect("a time").as_i64().expect("milliseconds");
                    object.insert("sent_at".into(), time(ts).into());
                }
            }
        }
        if matches!(self, Self::Envelope | Self::Chat) {
            let meta = simd_json::json!({"version": "2", "timestamp": TIMESTAMP});
            let mut outer = simd_json::borrowed::Object::default();
            outer.insert("data".into(), value);
            outer.insert("meta".into(), meta.into());
            return simd_json::BorrowedValue::from(outer).encode().into_bytes();
        }
        value.encode().into_bytes()
    }
}

fn time(millis: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(millis).expect("a time");
    if millis % 1000 == 0 { format!("{time:.0}") } else { format!("{time:.3}") }
}

fn envelope(v: Value) -> Value {
    json!({"data": v, "meta": {"version": "2", "timestamp": TIMESTAMP}})
}

fn rename_key(object: Map<String, Value>, old: &str, new: &str) -> Map<String, Value> {
    object.into_iter().map(|(k, v)| if k == old { (new.to_owned(), v) } else { (k, v) }).collect()
}

fn each(v: Value, edit: impl Fn(Map<String, Value>) -> Map<String, Value>) -> Value {
    match v {
        Value::Array(items) => items
            .into_iter()
            .map(|item| if let Value::Object(o) = item { Value::Object(edit(o)) } else { item })
            .collect(),
        other => other,
    }
}

fn chat(o: Map<String, Value>) -> Map<String, Value> {
    let mut o = rename_key(o, "text", "body");
    if let Some(user) = o.shift_remove("user") {
        o.insert("author".to_owned(), json!({"name": user}));
    }
    if let Some(ts) = o.get_mut("ts") {
        *ts = json!(time(ts.as_i64().expect("milliseconds")));
    }
    rename_key(o, "ts", "sent_at")
}

/// Sends one value from a deserialiser to a serialiser; a member may change its name on the way.
struct Transcode<S> {
    to: S,
    rename: Option<(&'static str, &'static str)>,
}

struct SeqSeed<'a, S> {
    seq: &'a mut S,
    rename: Option<(&'static str, &'static str)>,
}

impl<'de, S: SerializeSeq> DeserializeSeed<'de> for SeqSeed<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        self.seq.serialize_element(&Lazy::new(from, self.rename)).map_err(serde::de::Error::custom)
    }
}

struct MapSeed<'a, S> {
    map: &'a mut S,
    rename: Option<(&'static str, &'static str)>,
}

impl<'de, S: SerializeMap> DeserializeSeed<'de> for MapSeed<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        self.map.serialize_value(&Lazy::new(from, self.rename)).map_err(serde::de::Error::custom)
    }
}

/// A value that is read when it is written.
struct Lazy<D>(std::cell::Cell<Option<D>>, Option<(&'static str, &'static str)>);

impl<D> Lazy<D> {
    fn new(from: D, rename: Option<(&'static str, &'static str)>) -> Self {
        Self(std::cell::Cell::new(Some(from)), rename)
    }
}

impl<'de, D: Deserializer<'de>> serde::Serialize for Lazy<D> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let from = self.0.take().expect("written once");
        from.deserialize_any(Transcode { to, rename: self.1 }).map_err(serde::ser::Error::custom)
    }
}

impl<'de, S: Serializer> DeserializeSeed<'de> for Transcode<S> {
    type Value = S::Ok;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<S::Ok, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, S: Serializer> Visitor<'de> for Transcode<S> {
    type Value = S::Ok;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: serde::de::Error>(self, v: bool) -> Result<S::Ok, E> {
        self.to.serialize_bool(v).map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<S::Ok, E> {
        self.to.serialize_i64(v).map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, v: u64) -> Result<S::Ok, E> {
        self.to.serialize_u64(v).map_err(E::custom)
    }

    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<S::Ok, E> {
        self.to.serialize_f64(v).map_err(E::custom)
    }

    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<S::Ok, E> {
        self.to.serialize_str(v).map_err(E::custom)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<S::Ok, E> {
        self.to.serialize_unit().map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<S::Ok, A::Error> {
        let mut seq = self.to.serialize_seq(None).map_err(serde::de::Error::custom)?;
        while from.next_element_seed(SeqSeed { seq: &mut seq, rename: self.rename })?.is_some() {}
        seq.end().map_err(serde::de::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<S::Ok, A::Error> {
        let mut map = self.to.serialize_map(None).map_err(serde::de::Error::custom)?;
        while let Some(name) = from.next_key::<std::borrow::Cow<'de, str>>()? {
            let name = self.rename.filter(|(old, _)| *old == name).map_or(&*name, |(_, new)| new);
            map.serialize_key(name).map_err(serde::de::Error::custom)?;
            from.next_value_seed(MapSeed { map: &mut map, rename: self.rename })?;
        }
        map.end().map_err(serde::de::Error::custom)
    }
}

impl Edit {
    /// jaq takes long, so that it gets the two edits that the others have in common.
    fn jaq(self, text: &[u8]) -> Option<Vec<u8>> {
        let filter = match self {
            Self::Envelope => r#"{data: ., meta: {version: "2", timestamp: "2026-03-01T00:00:00.000Z"}}"#,
            Self::RenameInEach => "map(.body = .text | del(.text))",
            Self::Nothing | Self::Chat => return None,
        };
        thread_local! {
            static COMPILED: std::cell::RefCell<Option<(&'static str, Jaq)>> = const { std::cell::RefCell::new(None) };
        }
        COMPILED.with_borrow_mut(|compiled| {
            if compiled.as_ref().is_none_or(|(for_filter, _)| *for_filter != filter) {
                *compiled = Some((filter, compile(filter)));
            }
            compiled.as_ref().map(|(_, jaq)| run(jaq, text))
        })
    }
}

type Jaq = jaq_core::Filter<jaq_core::data::JustLut<jaq_json::Val>>;

fn compile(filter: &str) -> Jaq {
    use jaq_core::load::{Arena, File, Loader};
    let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let arena = Arena::default();
    let modules = Loader::new(definitions).load(&arena, File { code: filter, path: () }).expect("a filter");
    jaq_core::Compiler::default().with_funs(functions).compile(modules).expect("a filter")
}

fn run(filter: &Jaq, text: &[u8]) -> Vec<u8> {
    let input = jaq_json::read::parse_single(text).expect("JSON");
    let context = jaq_core::Ctx::<jaq_core::data::JustLut<jaq_json::Val>>::new(&filter.lut, jaq_core::Vars::new([]));
    let value = filter.id.run((context, input)).next().map(jaq_core::unwrap_valr).expect("a value").expect("no error");
    let mut out = Vec::new();
    jaq_json::write::write(&mut out, &jaq_json::write::Pp::default(), 0, &value).expect("written");
    out
}
