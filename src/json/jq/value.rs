//! The values that programs work on. Everything that copies, makes or compares one spends steps of the budget.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use jaq_json::{Map, Num};

use super::budget::{DEPTH, Exhausted, end, spend, spend_bytes};
use super::operators::size;
use super::text;

pub(super) type Error = jaq_core::Error<Value>;

/// A JSON value. Strings are bytes, as a lone surrogate is no UTF-8.
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Num),
    String(Rc<[u8]>),
    Array(Rc<Array>),
    Object(Rc<Object>),
}

pub(super) struct Array {
    depth: u32,
    pub(super) items: Vec<Value>,
}

pub(super) struct Object {
    depth: u32,
    pub(super) members: Map<Rc<[u8]>, Value>,
}

/// Digits that an integer may have; further ones are kept as text that no arithmetic is exact on.
pub(super) const DIGITS: usize = 4000;

impl Value {
    pub(super) fn array(items: Vec<Self>) -> Self {
        spend(items.len() + 1);
        Self::Array(Rc::new(Array { depth: above(items.iter()), items }))
    }

    pub(super) fn object(members: Map<Rc<[u8]>, Self>) -> Self {
        spend(members.len() + 1);
        Self::Object(Rc::new(Object { depth: above(members.values()), members }))
    }

    pub(super) fn string(bytes: &[u8]) -> Self {
        spend_bytes(bytes.len());
        Self::String(bytes.into())
    }

    fn depth(&self) -> u32 {
        match self {
            Self::Array(array) => array.depth,
            Self::Object(object) => object.depth,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => 0,
        }
    }

    pub(super) fn items(&self) -> Option<&[Self]> {
        match self {
            Self::Array(array) => Some(&array.items),
            _ => None,
        }
    }

    pub(super) fn members(&self) -> Option<&Map<Rc<[u8]>, Self>> {
        match self {
            Self::Object(object) => Some(&object.members),
            _ => None,
        }
    }

    /// An index; `None` for everything else.
    pub(super) fn whole(&self) -> Option<isize> {
        match self {
            Self::Number(number) => number.as_isize(),
            _ => None,
        }
    }
}

/// One more than the deepest of some values.
fn above<'v>(values: impl Iterator<Item = &'v Value>) -> u32 {
    let depth = 1 + values.map(Value::depth).max().unwrap_or(0);
    if depth > DEPTH {
        end(Exhausted::Nesting);
    }
    depth
}

impl Clone for Value {
    fn clone(&self) -> Self {
        spend(1);
        match self {
            Self::Null => Self::Null,
            Self::Bool(value) => Self::Bool(*value),
            Self::Number(number) => Self::Number(number.clone()),
            Self::String(text) => Self::String(Rc::clone(text)),
            Self::Array(array) => Self::Array(Rc::clone(array)),
            Self::Object(object) => Self::Object(Rc::clone(object)),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&text::write(self).unwrap_or_else(|_| b"a number".to_vec())))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        spend(1);
        Self::Bool(value)
    }
}

impl From<isize> for Value {
    fn from(value: isize) -> Self {
        spend(1);
        Self::Number(Num::Int(value))
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        spend(1);
        Self::Number(Num::from_integral(value))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        spend(1);
        Self::Number(Num::Float(value))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::string(text.as_bytes())
    }
}

impl From<Range<Option<Self>>> for Value {
    fn from(range: Range<Option<Self>>) -> Self {
        let bounds = [("start", range.start), ("end", range.end)];
        Self::object(bounds.into_iter().filter_map(|(name, bound)| Some((name.as_bytes().into(), bound?))).collect())
    }
}

impl FromIterator<Self> for Value {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        Self::array(items.into_iter().inspect(|_| spend(1)).collect())
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    /// The order of jq: null, booleans, numbers, strings, arrays, objects.
    fn cmp(&self, other: &Self) -> Ordering {
        spend(1);
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => {
                spend_bytes(size(a) + size(b));
                a.cmp(b)
            }
            (Self::String(a), Self::String(b)) => {
                spend_bytes(a.len().min(b.len()));
                a.cmp(b)
            }
            (Self::Array(a), Self::Array(b)) => a.items.cmp(&b.items),
            (Self::Object(a), Self::Object(b)) => sorted(a).cmp(&sorted(b)),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl Value {
    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Number(_) => 2,
            Self::String(_) => 3,
            Self::Array(_) => 4,
            Self::Object(_) => 5,
        }
    }
}

/// Objects compare by their names first, then by their values.
fn sorted(object: &Object) -> (Vec<&[u8]>, Vec<&Value>) {
    spend(object.members.len());
    let mut members: Vec<(&[u8], &Value)> = object.members.iter().map(|(name, value)| (&**name, value)).collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    members.into_iter().unzip()
}
