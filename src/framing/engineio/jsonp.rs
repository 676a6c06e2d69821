//! Bodies for browsers that can only load scripts: a poll's answer is a call, what is sent is a form.

use bytes::Bytes;
use memchr::memmem;
use percent_encoding::percent_decode;

use crate::framing::{Code, Error};
use crate::json::quote;

/// What U+2028 and U+2029 begin with in UTF-8.
const SEPARATOR: &[u8] = b"\xe2\x80";

/// Puts a payload into a call of the function that the client's `j` parameter names.
#[must_use]
pub fn wrap(index: &str, payload: &[u8]) -> Bytes {
    let mut script = b"___eio[".to_vec();
    script.extend(index.bytes().filter(u8::is_ascii_digit));
    script.extend_from_slice(b"](");
    let mut string = Vec::with_capacity(payload.len() + 2);
    quote(payload, &mut string);
    // JSON may hold these separators as they are, scripts of old may not.
    let mut rest = string.as_slice();
    while let Some(at) = memmem::find(rest, SEPARATOR) {
        let after = at + SEPARATOR.len();
        script.extend_from_slice(&rest[..at]);
        script.extend_from_slice(match rest.get(after) {
            Some(0xa8) => b"\\u2028",
            Some(0xa9) => b"\\u2029",
            _ => SEPARATOR,
        });
        rest = rest.get(after + usize::from(matches!(rest.get(after), Some(0xa8 | 0xa9)))..).unwrap_or_default();
    }
    script.extend_from_slice(rest);
    script.extend_from_slice(b");");
    script.into()
}

/// Takes a payload out of a form.
///
/// # Errors
/// [`Code::NotAForm`].
pub fn unwrap(form: &[u8]) -> Result<Bytes, Error> {
    let field = form.split(|byte| *byte == b'&').find_map(|field| field.strip_prefix(b"d="));
    let field = field.ok_or(Error::new(Code::NotAForm, 0))?;
    let spaced: Vec<u8> = field.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Ok(unescape_lines(&percent_decode(&spaced).collect::<Vec<u8>>()).into())
}

/// Clients write a line end as `\n` in two characters, and `\n` in two characters as `\\n` in three.
fn unescape_lines(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(b"\\\\n") {
            out.extend_from_slice(b"\\n");
            rest = after;
        } else if let Some(after) = rest.strip_prefix(b"\\n") {
            out.push(b'\n');
            rest = after;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}
