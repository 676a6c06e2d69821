//! How jaq gets at what is in a value, and puts something else there.

use std::ops::Range;
use std::rc::Rc;

use jaq_core::path::Opt;
use jaq_core::{Exn, ValR, ValT, ValX};
use jaq_json::Num;

use super::budget::{spend, spend_bytes};
use super::operators::size;
use super::text;
use super::value::{Error, Value};

impl Value {
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
}

/// An index from the start, where that is within a length.
fn position(index: isize, length: usize) -> Option<usize> {
    let at = if index < 0 { length.checked_sub(index.unsigned_abs())? } else { index.unsigned_abs() };
    (at < length).then_some(at)
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
