//! JSON text to values and back, and work on the bytes of strings.

use std::ops::Range;
use std::rc::Rc;

use jaq_json::{Map, Num};

use super::super::error::{Code, Error};
use super::super::scanner::skip_space;
use super::super::text::{quote, unescape};
use super::super::valid::{Kind, value_end};
use super::budget::{spend, spend_bytes};
use super::value::{DIGITS, Value};

/// Reads valid JSON text.
pub(super) fn read(text: &[u8]) -> Result<Value, Error> {
    let mut at = skip_space(text, 0);
    read_value(text, &mut at)
}

fn read_value(text: &[u8], at: &mut usize) -> Result<Value, Error> {
    spend(1);
    match Kind::of(&text[*at..]) {
        Kind::Array => read_array(text, at),
        Kind::Object => read_object(text, at),
        kind => Ok(scalar(kind, take(text, at))),
    }
}

/// A scalar's text.
fn take<'t>(text: &'t [u8], at: &mut usize) -> &'t [u8] {
    let start = *at;
    *at = value_end(text, start);
    &text[start..*at]
}

fn scalar(kind: Kind, text: &[u8]) -> Value {
    match kind {
        Kind::String => Value::string(&unescape(text)),
        Kind::Number => Value::Number(number(&String::from_utf8_lossy(text))),
        Kind::Boolean => Value::Bool(text == b"true"),
        Kind::Null | Kind::Array | Kind::Object => Value::Null,
    }
}

/// Steps over a bracket, or the comma or bracket after an item; whether another item follows.
fn more(text: &[u8], at: &mut usize) -> bool {
    let before = skip_space(text, *at);
    *at = skip_space(text, before + 1);
    match text.get(before) {
        Some(b',') => true,
        Some(b'[' | b'{') if !matches!(text.get(*at), Some(b']' | b'}')) => true,
        Some(b'[' | b'{') => {
            *at += 1;
            false
        }
        _ => false,
    }
}

fn read_array(text: &[u8], at: &mut usize) -> Result<Value, Error> {
    let mut items = Vec::new();
    while more(text, at) {
        items.push(read_value(text, at)?);
    }
    Ok(Value::array(items))
}

fn read_object(text: &[u8], at: &mut usize) -> Result<Value, Error> {
    let mut members = Map::default();
    while more(text, at) {
        let name = take(text, at);
        spend_bytes(name.len());
        *at = skip_space(text, skip_space(text, *at) + 1);
        if members.insert(Rc::from(unescape(name)), read_value(text, at)?).is_some() {
            let detail = format!("the name {} stands twice", String::from_utf8_lossy(name));
            return Err(Error::new(Code::DuplicateKey, 0, detail));
        }
    }
    Ok(Value::object(members))
}

/// A number that keeps its spelling until arithmetic touches it.
pub(super) fn number(text: &str) -> Num {
    let digits = text.strip_prefix('-').unwrap_or(text);
    // As an integer, `-0` would lose its sign.
    let is_integer = text != "-0" && digits.len() <= DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    let integer = is_integer.then(|| Num::from_str_radix(text, 10)).flatten();
    integer.unwrap_or_else(|| Num::Dec(text.to_owned().into()))
}

/// Writes a value as JSON.
///
/// # Errors
/// The number that JSON cannot express.
pub(super) fn write(value: &Value) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::new();
    write_to(value, &mut out)?;
    Ok(out)
}

fn write_to(value: &Value, out: &mut Vec<u8>) -> Result<(), &'static str> {
    spend(1);
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Number(Num::Float(value)) if value.is_nan() => return Err("not a number"),
        Value::Number(Num::Float(value)) if value.is_infinite() => return Err("infinite"),
        Value::Number(number) => {
            let start = out.len();
            out.extend_from_slice(number.to_string().as_bytes());
            spend_bytes(out.len() - start);
        }
        Value::String(text) => write_string(text, out),
        Value::Array(_) => {
            out.push(b'[');
            for (at, item) in value.items().unwrap_or_default().iter().enumerate() {
                separate(at, out);
                write_to(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(_) => {
            out.push(b'{');
            for (at, (name, value)) in value.members().into_iter().flatten().enumerate() {
                separate(at, out);
                write_string(name, out);
                out.push(b':');
                write_to(value, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn separate(at: usize, out: &mut Vec<u8>) {
    if at > 0 {
        out.push(b',');
    }
}

fn write_string(text: &[u8], out: &mut Vec<u8>) {
    spend_bytes(text.len());
    quote(text, out);
}

/// Whether a byte begins a character.
fn begins(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

/// How many characters a text has.
pub(super) fn characters(text: &[u8]) -> usize {
    spend_bytes(text.len());
    text.iter().filter(|byte| begins(**byte)).count()
}

/// The bytes of a range of characters.
pub(super) fn bytes_of(text: &[u8], characters: Range<usize>) -> Range<usize> {
    spend_bytes(text.len());
    let mut starts = text.iter().enumerate().filter(|(_, byte)| begins(**byte)).map(|(at, _)| at);
    let start = starts.nth(characters.start).unwrap_or(text.len());
    let end = match characters.len() {
        0 => start,
        more => starts.nth(more - 1).unwrap_or(text.len()),
    };
    start..end
}

/// The parts of a text; without a separator, its characters.
pub(super) fn split<'t>(text: &'t [u8], separator: &[u8]) -> Vec<&'t [u8]> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && separator.is_empty() {
        let end = 1 + rest[1..].iter().take_while(|byte| !begins(**byte)).count();
        parts.push(&rest[..end]);
        rest = &rest[end..];
    }
    if text.is_empty() || separator.is_empty() {
        return parts;
    }
    while let Some(at) = memchr::memmem::find(rest, separator) {
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest);
    parts
}
