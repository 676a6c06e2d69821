//! The values that programs work on. Everything that copies, makes or compares one spends steps of the budget.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use jaq_core::ops::Math;
use jaq_core::path::Opt;
use jaq_core::{Exn, ValR, ValT, ValX};
use jaq_json::{Map, Num};

use super::budget::{DEPTH, Exhausted, end, spend, spend_bytes};
use super::text;

type Error = jaq_core::Error<Value>;

/// A JSON value. Strings are bytes, as a lone surrogate is no UTF-8.
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Num),
    String(Rc<[u8]>),
    Array(Rc<Array>),
    Object(Rc<Object>),
}

#[derive(Clone)]
pub(super) struct Array {
    depth: u32,
    items: Vec<Value>,
}

#[derive(Clone)]
pub(super) struct Object {
    depth: u32,
    members: Map<Rc<[u8]>, Value>,
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
    fn whole(&self) -> Option<isize> {
        match self {
            Self::Number(number) => number.as_isize(),
            _ => None,
        }
    }

    fn no_iterable(self) -> Error {
        Error::typ(self, "iterable (array or object)")
    }

    /// What `.[index]` is.
    pub(super) fn find(&self, index: &Self) -> Result<Option<Self>, Error> {
        spend(1);
        match (self, index) {
            (Self::Null, _) => Ok(None),
            (Self::Array(array), Self::Number(Num::Int(_) | Num::BigInt(_))) => {
                let at = index.whole().and_then(|index| position(index, array.items.len()));
                Ok(at.and_then(|at| array.items.get(at)).cloned())
            }
            (Self::Object(object), Self::String(name)) => Ok(object.members.get(&**name).cloned()),
            (Self::Array(_) | Self::String(_), Self::Object(range)) => {
                let bound = |name: &str| range.members.get(name.as_bytes());
                self.clone().range(bound("start")..bound("end")).map(Some)
            }
            _ => Err(Error::index(self.clone(), index.clone())),
        }
    }

    /// Where a range begins and ends, of elements or characters.
    fn bounds(&self, range: &Range<Option<&Self>>) -> Result<Range<usize>, Error> {
        let length = match self {
            Self::Array(array) => array.items.len(),
            Self::String(text) => text::characters(text),
            _ => return Err(Error::typ(self.clone(), "rangeable (array or string)")),
        };
        let bound = |bound: Option<&Self>, default: usize| match bound {
            None | Some(Self::Null) => Ok(default),
            Some(value) => {
                let whole = value.whole().ok_or_else(|| Error::typ(value.clone(), "integer"))?;
                let from_end =
                    if whole < 0 { length.saturating_sub(whole.unsigned_abs()) } else { whole.unsigned_abs() };
                Ok(from_end.min(length))
            }
        };
        let start = bound(range.start, 0)?;
        Ok(start..bound(range.end, length)?.max(start))
    }

    fn numbers(self, op: Math, other: Self, run: impl FnOnce(Num, Num) -> Num) -> ValR<Self> {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => {
                spend_bytes(size(&a) + size(&b));
                bounded(run(a, b))
            }
            (a, b) => Err(Error::math(a, op, b)),
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

/// An index from the start, where that is within a length.
fn position(index: isize, length: usize) -> Option<usize> {
    let at = if index < 0 { length.checked_sub(index.unsigned_abs())? } else { index.unsigned_abs() };
    (at < length).then_some(at)
}

/// About how many bytes a number has.
fn size(number: &Num) -> usize {
    match number {
        Num::Int(_) | Num::Float(_) => 8,
        Num::BigInt(big) => usize::try_from(big.bits()).unwrap_or(usize::MAX),
        Num::Dec(text) => text.len(),
    }
}

fn bounded(number: Num) -> ValR<Value> {
    // A digit is a bit more than three bits.
    match &number {
        Num::BigInt(big) if big.bits() > 3 * DIGITS as u64 => Err(Error::str("the integer has too many digits")),
        _ => Ok(Value::Number(number)),
    }
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

impl std::ops::Add for Value {
    type Output = ValR<Self>;

    fn add(self, other: Self) -> ValR<Self> {
        match (self, other) {
            (Self::Null, value) | (value, Self::Null) => Ok(value),
            (Self::String(a), Self::String(b)) => Ok(Self::string(&[&a[..], &b].concat())),
            (Self::Array(a), Self::Array(b)) => Ok(a.items.iter().chain(&b.items).cloned().collect()),
            (Self::Object(a), Self::Object(b)) => {
                let mut members = a.members.clone();
                members.extend(b.members.iter().map(|(name, value)| (Rc::clone(name), value.clone())));
                Ok(Self::object(members))
            }
            (a, b) => a.numbers(Math::Add, b, |a, b| a + b),
        }
    }
}

impl std::ops::Sub for Value {
    type Output = ValR<Self>;

    fn sub(self, other: Self) -> ValR<Self> {
        match (self, other) {
            (Self::Array(a), Self::Array(b)) => {
                Ok(a.items.iter().filter(|item| !b.items.contains(item)).cloned().collect())
            }
            (a, b) => a.numbers(Math::Sub, b, |a, b| a - b),
        }
    }
}

impl std::ops::Mul for Value {
    type Output = ValR<Self>;

    fn mul(self, other: Self) -> ValR<Self> {
        match (self, other) {
            (Self::String(text), Self::Number(times @ (Num::Int(_) | Num::BigInt(_))))
            | (Self::Number(times @ (Num::Int(_) | Num::BigInt(_))), Self::String(text)) => Ok(repeated(&text, &times)),
            (Self::Object(a), Self::Object(b)) => merged(&a, &b),
            (a, b) => a.numbers(Math::Mul, b, |a, b| a * b),
        }
    }
}

/// A text several times; null where that is not even once.
fn repeated(text: &[u8], times: &Num) -> Value {
    let times = match times {
        Num::Int(times) => usize::try_from(*times).unwrap_or(0),
        more if *more > Num::Int(0) => usize::MAX,
        _ => 0,
    };
    spend_bytes(text.len().saturating_mul(times));
    if times == 0 { Value::Null } else { Value::String(text.repeat(times).into()) }
}

/// Two objects as one; where both have an object under one name, those are merged too.
fn merged(a: &Object, b: &Object) -> ValR<Value> {
    spend(a.members.len() + b.members.len());
    let mut members = a.members.clone();
    for (name, value) in &b.members {
        let value = match (members.get(name), value) {
            (Some(Value::Object(left)), Value::Object(right)) => merged(left, right)?,
            _ => value.clone(),
        };
        members.insert(Rc::clone(name), value);
    }
    Ok(Value::object(members))
}

impl std::ops::Div for Value {
    type Output = ValR<Self>;

    fn div(self, other: Self) -> ValR<Self> {
        match (self, other) {
            (Self::String(text), Self::String(separator)) => {
                spend_bytes(text.len());
                Ok(text::split(&text, &separator).into_iter().map(Self::string).collect())
            }
            (a, b) => a.numbers(Math::Div, b, |a, b| a / b),
        }
    }
}

impl std::ops::Rem for Value {
    type Output = ValR<Self>;

    fn rem(self, other: Self) -> ValR<Self> {
        match (self, other) {
            (a, Self::Number(zero)) if zero == Num::Int(0) => Err(Error::math(a, Math::Rem, Self::Number(zero))),
            (a, b) => a.numbers(Math::Rem, b, |a, b| a % b),
        }
    }
}

impl std::ops::Neg for Value {
    type Output = ValR<Self>;

    fn neg(self) -> ValR<Self> {
        match self {
            Self::Number(number) => {
                spend_bytes(size(&number));
                Ok(Self::Number(-number))
            }
            other => Err(Error::typ(other, "number")),
        }
    }
}

impl ValT for Value {
    fn from_num(text: &str) -> ValR<Self> {
        spend_bytes(text.len());
        Ok(Self::Number(text::number(text)))
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(members: I) -> ValR<Self> {
        let named = members.into_iter().inspect(|_| spend(1)).map(|(name, value)| match name {
            Self::String(name) => Ok((name, value)),
            other => Err(Error::typ(other, "a member's name")),
        });
        named.collect::<Result<_, _>>().map(Self::object)
    }

    fn key_values(self) -> Box<dyn Iterator<Item = ValR<(Self, Self), Self>>> {
        match self {
            Self::Array(array) => {
                Box::new((0..array.items.len()).map(move |at| Ok((at.into(), array.items[at].clone()))))
            }
            Self::Object(object) => Box::new((0..object.members.len()).filter_map(move |at| {
                let (name, value) = object.members.get_index(at)?;
                Some(Ok((Self::String(Rc::clone(name)), value.clone())))
            })),
            other => Box::new(std::iter::once(Err(other.no_iterable()))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR<Self>>> {
        Box::new(self.key_values().map(|pair| pair.map(|(_, value)| value)))
    }

    fn index(self, index: &Self) -> ValR<Self> {
        self.find(index).map(|found| found.unwrap_or(Self::Null))
    }

    fn range(self, range: Range<Option<&Self>>) -> ValR<Self> {
        let bounds = self.bounds(&range)?;
        match self {
            Self::Array(array) => Ok(array.items[bounds].iter().cloned().collect()),
            Self::String(text) => Ok(Self::string(&text[text::bytes_of(&text, bounds)])),
            other => Ok(other),
        }
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(self, opt: Opt, f: impl Fn(Self) -> I) -> ValX<'a, Self> {
        match self {
            Self::Array(array) => Ok(Self::array(array.items.iter().cloned().flat_map(f).collect::<Result<_, _>>()?)),
            Self::Object(object) => {
                let changed = object.members.iter().filter_map(|(name, value)| {
                    f(value.clone()).next().map(|value| value.map(|value| (Rc::clone(name), value)))
                });
                Ok(Self::object(changed.collect::<Result<_, Exn<'a, Self>>>()?))
            }
            other => opt.fail(other, |other| other.no_iterable().into()),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match (self, index) {
            (value @ (Self::Array(_) | Self::String(_)), Self::Object(range)) => {
                let bound = |name: &str| range.members.get(name.as_bytes());
                value.map_range(bound("start")..bound("end"), opt, f)
            }
            (Self::Object(object), Self::String(name)) => {
                let changed = f(object.members.get(&**name).cloned().unwrap_or(Self::Null)).next().transpose()?;
                let mut members = object.members.clone();
                match changed {
                    Some(value) => members.insert(Rc::clone(name), value),
                    None => members.shift_remove(&**name),
                };
                Ok(Self::object(members))
            }
            (Self::Array(array), index) => {
                let Some(at) = index.whole().and_then(|index| position(index, array.items.len())) else {
                    return opt.fail(Self::Array(array), |_| Error::str("the index is out of bounds").into());
                };
                let changed = f(array.items[at].clone()).next().transpose()?;
                let mut items = array.items.clone();
                items.splice(at..=at, changed);
                Ok(Self::array(items))
            }
            (other, _) => opt.fail(other, |other| Error::index(other, index.clone()).into()),
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: Range<Option<&Self>>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        let bounds = match self.bounds(&range) {
            Ok(bounds) => bounds,
            Err(error) => return opt.fail(self, |_| error.into()),
        };
        let changed = f(self.clone().range(range)?).next().transpose()?;
        match (self, changed) {
            (Self::Array(array), None) => {
                Ok([&array.items[..bounds.start], &array.items[bounds.end..]].concat().into_iter().collect())
            }
            (Self::Array(array), Some(Self::Array(part))) => {
                let parts = [&array.items[..bounds.start], &part.items, &array.items[bounds.end..]];
                Ok(parts.concat().into_iter().collect())
            }
            (Self::String(text), Some(Self::String(part))) => {
                let bytes = text::bytes_of(&text, bounds);
                Ok(Self::string(&[&text[..bytes.start], &part, &text[bytes.end..]].concat()))
            }
            (_, part) => Err(Error::typ(part.unwrap_or(Self::Null), "a part of the same type").into()),
        }
    }

    fn as_bool(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    fn into_string(self) -> Self {
        match self {
            Self::String(_) => self,
            other => Self::string(other.to_string().as_bytes()),
        }
    }
}

impl jaq_std::ValT for Value {
    fn into_seq<S: FromIterator<Self>>(self) -> Result<S, Self> {
        match self {
            Self::Array(array) => Ok(array.items.iter().cloned().collect()),
            other => Err(other),
        }
    }

    fn is_int(&self) -> bool {
        matches!(self, Self::Number(Num::Int(_) | Num::BigInt(_)))
    }

    fn as_isize(&self) -> Option<isize> {
        self.whole()
    }

    fn as_f64(&self) -> Option<f64> {
        let Self::Number(number) = self else { return None };
        spend_bytes(size(number));
        match number {
            Num::Float(value) => Some(*value),
            other => other.to_string().parse().ok(),
        }
    }

    fn is_utf8_str(&self) -> bool {
        matches!(self, Self::String(_))
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        let Self::String(text) = self else { return None };
        spend_bytes(text.len());
        Some(text)
    }

    fn as_sub_str(&self, part: &[u8]) -> Self {
        Self::string(part)
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Self::string(bytes.as_ref())
    }
}
