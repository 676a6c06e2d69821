//! JSON documents as trees, made like those that were seen.

use std::collections::BTreeMap;

use crate::json::edit::Token;
use crate::json::{Items, Kind, quote, same, unescape};

use super::random::Random;

/// A document. Scalars are JSON texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Document {
    Scalar(Vec<u8>),
    Array(Vec<Document>),
    Object(Vec<(String, Document)>),
}

/// A path with every index a wildcard.
type General = Vec<Token>;

impl Document {
    /// Of valid JSON text.
    pub(super) fn new(text: &[u8]) -> Self {
        match Kind::of(text) {
            Kind::Array => Self::Array(Items::new(text, 0).map(|item| Self::new(&text[item.value])).collect()),
            Kind::Object => {
                let name = |raw: &[u8]| String::from_utf8_lossy(&unescape(raw)).into_owned();
                let items = Items::new(text, 0);
                Self::Object(items.map(|item| (name(&text[item.name]), Self::new(&text[item.value]))).collect())
            }
            _ => Self::Scalar(text.to_vec()),
        }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        let comma = |number: usize, out: &mut Vec<u8>| out.extend_from_slice(if number == 0 { b"" } else { b"," });
        match self {
            Self::Scalar(text) => out.extend_from_slice(text),
            Self::Array(elements) => {
                out.push(b'[');
                for (number, element) in elements.iter().enumerate() {
                    comma(number, out);
                    element.write(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (number, (name, value)) in members.iter().enumerate() {
                    comma(number, out);
                    quote(name.as_bytes(), out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }

    /// Where two documents differ, as paths with `*` for every index; an element or member that only one has is a
    /// difference. Of two scalars that differ, `alike` says whether they are the same value in another spelling.
    pub(super) fn differences(&self, other: &Self, alike: &dyn Fn(&[u8], &[u8]) -> bool) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        self.differ(other, alike, &mut Vec::new(), &mut found);
        found
    }

    fn differ(
        &self,
        other: &Self,
        spelled: &dyn Fn(&[u8], &[u8]) -> bool,
        at: &mut Vec<String>,
        found: &mut Vec<Vec<String>>,
    ) {
        let (mine, theirs) = (self.children(), other.children());
        let alike = match (self, other) {
            (Self::Scalar(a), Self::Scalar(b)) => same(a, b) || spelled(a, b),
            (Self::Array(_), Self::Array(_)) | (Self::Object(_), Self::Object(_)) => true,
            _ => false,
        };
        if !alike {
            found.push(at.clone());
            return;
        }
        let names: Vec<&String> = mine.iter().chain(&theirs).map(|(name, _)| name).collect();
        let mut seen: Vec<&String> = Vec::new();
        for name in names {
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            let value = |list: &[(String, &'_ Self)]| list.iter().find(|(n, _)| n == name).map(|(_, v)| (*v).clone());
            at.push(if matches!(self, Self::Array(_)) { ELEMENT.to_owned() } else { name.clone() });
            match (value(&mine), value(&theirs)) {
                (Some(a), Some(b)) => a.differ(&b, spelled, at, found),
                _ => found.push(at.clone()),
            }
            at.pop();
        }
    }

    /// Whether there is something at a path with `*` for every index.
    pub(super) fn has(&self, place: &[String]) -> bool {
        let Some((first, rest)) = place.split_first() else { return true };
        match self {
            Self::Scalar(_) => false,
            Self::Array(elements) => elements.iter().any(|element| element.has(rest)),
            Self::Object(members) => members.iter().any(|(name, value)| name == first && value.has(rest)),
        }
    }

    /// The parts by name or index.
    fn children(&self) -> Vec<(String, &Self)> {
        match self {
            Self::Scalar(_) => Vec::new(),
            Self::Array(elements) => elements.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
            Self::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        }
    }

    /// One of its members.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// The same, if it is an object, with this member.
    pub(super) fn with(mut self, name: &str, value: Self) -> Self {
        if let Self::Object(members) = &mut self {
            match members.iter_mut().find(|(other, _)| other == name) {
                Some(member) => member.1 = value,
                None => members.push((name.to_owned(), value)),
            }
        }
        self
    }

    /// Documents that have one part less.
    pub(super) fn simpler(&self) -> Vec<Self> {
        match self {
            Self::Scalar(_) => Vec::new(),
            Self::Array(elements) => without_one(elements, Self::simpler).into_iter().map(Self::Array).collect(),
            Self::Object(members) => {
                let inner = |(name, value): &(String, Self)| {
                    value.simpler().into_iter().map(|value| (name.clone(), value)).collect()
                };
                without_one(members, inner).into_iter().map(Self::Object).collect()
            }
        }
    }

    /// Some places changed without regard to what the place is for.
    pub(super) fn mangled(&self, names: &[String], random: &mut Random) -> Self {
        let strange: [&[u8]; 12] = [
            b"null",
            b"true",
            b"0",
            b"-0",
            b"1.0",
            b"1e3",
            b"12345678901234567890",
            b"\"\"",
            b"\" a  b \"",
            b"[]",
            b"{}",
            b"[null]",
        ];
        if random.one_in(6) {
            return random.pick(&strange).map_or_else(|| self.clone(), |text| Self::new(text));
        }
        match self {
            Self::Scalar(_) => self.clone(),
            Self::Array(elements) => {
                Self::Array(elements.iter().map(|element| element.mangled(names, random)).collect())
            }
            Self::Object(members) => {
                let mut mangled: Vec<(String, Self)> = Vec::new();
                for (name, value) in members {
                    let other = random.pick(names).filter(|_| random.one_in(8)).unwrap_or(name).clone();
                    if !random.one_in(8) && !mangled.iter().any(|(name, _)| *name == other) {
                        mangled.push((other, value.mangled(names, random)));
                    }
                }
                Self::Object(mangled)
            }
        }
    }
}

/// The list without each of its items in turn, and with each of them made simpler.
fn without_one<T: Clone>(list: &[T], simpler: impl Fn(&T) -> Vec<T>) -> Vec<Vec<T>> {
    let mut all = Vec::new();
    for at in 0..list.len() {
        let mut less = list.to_vec();
        less.remove(at);
        all.push(less);
    }
    for (at, item) in list.iter().enumerate() {
        for item in simpler(item) {
            let mut other = list.to_vec();
            other[at] = item;
            all.push(other);
        }
    }
    all
}

/// What was seen of one kind of document: at each place, which values, and which members may be missing.
#[derive(Debug, Default)]
pub(super) struct Seen {
    places: BTreeMap<Vec<String>, Place>,
}

#[derive(Debug, Default)]
struct Place {
    values: Vec<Document>,
    /// How often the object around it was there, and how often the member.
    objects: usize,
    present: usize,
}

const ELEMENT: &str = "*";

impl Seen {
    pub(super) fn add(&mut self, document: &Document) {
        self.look(document, &mut Vec::new());
    }

    fn look(&mut self, document: &Document, at: &mut Vec<String>) {
        let values = &mut self.places.entry(at.clone()).or_default().values;
        if !values.contains(document) {
            values.push(document.clone());
        }
        match document {
            Document::Scalar(_) => {}
            Document::Array(elements) => {
                at.push(ELEMENT.to_owned());
                for element in elements {
                    self.look(element, at);
                }
                at.pop();
            }
            Document::Object(members) => {
                self.places.entry(at.clone()).or_default().objects += 1;
                for (name, value) in members {
                    at.push(name.clone());
                    self.places.entry(at.clone()).or_default().present += 1;
                    self.look(value, at);
                    at.pop();
                }
            }
        }
    }

    /// Every name that was seen.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.places.keys().filter_map(|path| path.last().cloned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// A document like those that were seen: each value is one that was seen there, numbers are any, lists have any
    /// length, and a member is missing only where one was.
    pub(super) fn alike(&self, document: &Document, random: &mut Random) -> Document {
        self.make(document, &mut Vec::new(), random)
    }

    fn make(&self, document: &Document, at: &mut Vec<String>, random: &mut Random) -> Document {
        let values = self.places.get(at).map_or(&[][..], |place| place.values.as_slice());
        let document = if random.one_in(3) { random.pick(values).unwrap_or(document) } else { document };
        match document {
            Document::Scalar(text) if Kind::of(text) == Kind::Number && text.iter().all(u8::is_ascii_digit) => {
                let digits = 10_usize.pow(u32::try_from(random.below(10)).unwrap_or(1));
                let number = random.below(digits).to_string();
                Document::Scalar(if random.one_in(2) { text.clone() } else { number.into_bytes() })
            }
            Document::Scalar(text) => Document::Scalar(text.clone()),
            Document::Array(elements) => {
                at.push(ELEMENT.to_owned());
                let more = if elements.is_empty() { 0 } else { random.below(3) };
                let seen = self.places.get(at).map_or(&[][..], |place| place.values.as_slice());
                let extra: Vec<&Document> = (0..more).filter_map(|_| random.pick(seen)).collect();
                let made = elements.iter().chain(extra).map(|element| self.make(element, at, random)).collect();
                at.pop();
                Document::Array(made)
            }
            Document::Object(members) => {
                let mut made = Vec::new();
                for (name, value) in members {
                    at.push(name.clone());
                    if !(self.may_miss(at) && random.one_in(3)) {
                        made.push((name.clone(), self.make(value, at, random)));
                    }
                    at.pop();
                }
                Document::Object(made)
            }
        }
    }

    fn may_miss(&self, at: &[String]) -> bool {
        let objects = at.split_last().and_then(|(_, parent)| self.places.get(parent)).map_or(0, |place| place.objects);
        self.places.get(at).is_some_and(|place| place.present < objects)
    }
}

/// Whether a place is at or below a path, wherever in the document that begins: losses of a shape are told from it.
pub(super) fn is_within(place: &[String], path: &General) -> bool {
    let fits = |(name, token): (&String, &Token)| match token {
        Token::Any => true,
        Token::Key(key) => key == name || name == ELEMENT,
    };
    (0..place.len()).any(|from| place.len() - from >= path.len() && place[from..].iter().zip(path).all(fits))
        || path.is_empty()
}
