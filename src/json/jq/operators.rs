//! What `+`, `-`, `*`, `/` and `%` do, as in jq.

use std::rc::Rc;

use jaq_core::ValR;
use jaq_core::ops::Math;
use jaq_json::Num;

use super::budget::{spend, spend_bytes};
use super::text;
use super::value::{DIGITS, Error, Object, Value};

impl Value {
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

/// About how many bytes a number has.
pub(super) fn size(number: &Num) -> usize {
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
