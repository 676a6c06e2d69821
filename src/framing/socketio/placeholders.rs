//! Placeholders of attachments in JSON: `{"_placeholder":true,"num":0}`.

use std::ops::Range;

use super::{Code, Error};
use crate::json::{unescape, value_end};

/// Where a placeholder's number stands, and which attachment it names.
struct Placeholder {
    at: Range<usize>,
    attachment: usize,
}

/// Gives the placeholders that are in a text the numbers of the attachments that are left for it: which of `count`
/// attachments it still needs, in their order, and the text, where that changes it. The text is valid JSON.
///
/// # Errors
/// [`Code::BadPlaceholder`] for a number that no attachment has.
pub fn renumber(text: &[u8], count: usize) -> Result<(Vec<usize>, Option<Vec<u8>>), Error> {
    let found = collect(text)?;
    if let Some(bad) = found.iter().find(|placeholder| placeholder.attachment >= count) {
        return Err(Error::new(Code::BadPlaceholder, bad.at.start));
    }
    let mut kept: Vec<usize> = found.iter().map(|placeholder| placeholder.attachment).collect();
    kept.sort_unstable();
    kept.dedup();
    if kept.len() == count {
        return Ok((kept, None));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut copied = 0;
    for placeholder in &found {
        out.extend_from_slice(&text[copied..placeholder.at.start]);
        let number = kept.partition_point(|attachment| *attachment < placeholder.attachment);
        out.extend_from_slice(number.to_string().as_bytes());
        copied = placeholder.at.end;
    }
    out.extend_from_slice(&text[copied..]);
    Ok((kept, Some(out)))
}

/// An object that is being read.
#[derive(Default)]
struct Open {
    /// The member whose value comes next.
    member: Option<Member>,
    is_marked: bool,
    number: Option<Range<usize>>,
}

/// A member, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Member {
    Mark,
    Number,
    Other,
}

impl Open {
    fn name(&mut self, raw: &[u8]) {
        self.member = Some(match &*unescape(raw) {
            b"_placeholder" => Member::Mark,
            b"num" => Member::Number,
            _ => Member::Other,
        });
    }

    fn value(&mut self, text: &[u8], at: Range<usize>) {
        match self.member {
            Some(Member::Mark) => self.is_marked = text[at] == *b"true",
            Some(Member::Number) => self.number = Some(at),
            Some(Member::Other) | None => {}
        }
    }

    fn placeholder(self, text: &[u8]) -> Result<Option<Placeholder>, Error> {
        let Some(at) = self.number.filter(|_| self.is_marked) else { return Ok(None) };
        let attachment = std::str::from_utf8(&text[at.clone()]).ok().and_then(|number| number.parse().ok());
        let attachment = attachment.ok_or(Error::new(Code::BadPlaceholder, at.start))?;
        Ok(Some(Placeholder { at, attachment }))
    }
}

/// Finds the placeholders of a text, in its order and in one pass.
fn collect(text: &[u8]) -> Result<Vec<Placeholder>, Error> {
    let mut found = Vec::new();
    // `None`: an array.
    let mut open: Vec<Option<Open>> = Vec::new();
    let mut pos = 0;
    while let Some(&byte) = text.get(pos) {
        let start = pos;
        pos += 1;
        match byte {
            b'{' => open.push(Some(Open::default())),
            b'[' => open.push(None),
            b'}' | b']' => {
                let closed = open.pop().flatten();
                found.extend(closed.map_or(Ok(None), |object| object.placeholder(text))?);
            }
            b',' => {
                if let Some(Some(object)) = open.last_mut() {
                    object.member = None;
                }
            }
            b':' | b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => {
                pos = value_end(text, start).max(pos);
                match open.last_mut() {
                    Some(Some(object)) if object.member.is_none() => object.name(&text[start..pos]),
                    Some(Some(object)) => object.value(text, start..pos),
                    Some(None) | None => {}
                }
            }
        }
    }
    // An object ends after those in it.
    found.sort_by_key(|placeholder: &Placeholder| placeholder.at.start);
    Ok(found)
}
