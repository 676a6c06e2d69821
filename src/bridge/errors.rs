//! What is said about a namespace that is not joined, in the words of each generation.
//!
//! | protocol 4 | protocol 5 |
//! |---|---|
//! | `"access denied"` | `{"message":"access denied"}` |
//! | `{"code":"E_AUTH","message":"no"}` (what the application gave as `data`) | `{"message":"no","data":{"code":"E_AUTH","message":"no"}}` |

use bytes::Bytes;

use crate::framing::socketio::quoted;
use crate::json::{Items, Kind, unescape};

/// What stands for a message where there is none.
const NO_MESSAGE: &[u8] = b"\"error\"";

/// The data of an error of protocol 5, as protocol 4 says it: of message and data it has one, and data says more.
pub(super) fn for_older(data: &Bytes) -> Bytes {
    let member = |name| member(data, name);
    member("data").or_else(|| member("message")).unwrap_or_else(|| data.clone())
}

/// The data of an error of protocol 4, as protocol 5 says it.
pub(super) fn for_newer(data: &Bytes) -> Bytes {
    let value = data.trim_ascii();
    let text = if value.is_empty() { NO_MESSAGE } else { value };
    if Kind::of(text) == Kind::String {
        return [b"{\"message\":", text, b"}"].concat().into();
    }
    let message = member(data, "message").filter(|message| Kind::of(message) == Kind::String);
    let message = message.as_deref().unwrap_or(NO_MESSAGE);
    [b"{\"message\":", message, b",\"data\":", text, b"}"].concat().into()
}

/// An error that this proxy makes, in protocol 5.
pub(super) fn message(text: &str) -> Bytes {
    [b"{\"message\":", &*quoted(text), b"}"].concat().into()
}

/// A member of an object, in valid JSON.
pub(super) fn member(object: &Bytes, name: &str) -> Option<Bytes> {
    let start = object.len() - object.trim_ascii_start().len();
    if object.len() == start || Kind::of(&object[start..]) != Kind::Object {
        return None;
    }
    let found = Items::new(object, start).find(|item| *unescape(&object[item.name.clone()]) == *name.as_bytes())?;
    Some(object.slice(found.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_said_in_the_words_of_the_other_generation() {
        let older = [
            (r#"{"message":"Invalid namespace"}"#, r#""Invalid namespace""#),
            (r#"{"message":"no","data":{"code":1}}"#, r#"{"code":1}"#),
            (r#"{"x":1}"#, r#"{"x":1}"#),
            (r#""text""#, r#""text""#),
        ];
        for (newer, want) in older {
            assert_eq!(for_older(&newer.into()), want, "{newer}");
        }
        let newer = [
            (r#""Invalid namespace""#, r#"{"message":"Invalid namespace"}"#),
            (r#"{"code":1,"message":"no"}"#, r#"{"message":"no","data":{"code":1,"message":"no"}}"#),
            (r#"{"message":7}"#, r#"{"message":"error","data":{"message":7}}"#),
            ("[1]", r#"{"message":"error","data":[1]}"#),
            ("", r#"{"message":"error"}"#),
        ];
        for (older, want) in newer {
            assert_eq!(for_newer(&older.into()), want, "{older}");
        }
        assert_eq!(message("a\"b"), r#"{"message":"a\"b"}"#);
    }
}
