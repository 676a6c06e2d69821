//! Writing every name inside a value another way.

use super::super::edit::Case;
use super::super::error::{Code, Error};
use super::super::text::{quote, unescape};
use super::super::tree::NodeId;
use super::super::valid::{Kind, value_end};
use super::{Became, Done, Editor};

impl Editor<'_> {
    pub(super) fn recase(&mut self, node: NodeId, to: Case, except: &[String]) -> Done<Became> {
        if !matches!(self.tree.kind(node), Kind::Object | Kind::Array) {
            return Ok(Became::Same);
        }
        let recased = recase(&self.tree.text(node), to, except)?;
        Ok(match recased {
            Some(text) => Became::Other(self.tree.make(|out| out.extend_from_slice(&text))),
            None => Became::Same,
        })
    }
}

/// The text with other names; `None` if none of them changes. It goes over the text once, without recursion, with
/// one entry for each open container.
fn recase(text: &[u8], to: Case, except: &[String]) -> Done<Option<Vec<u8>>> {
    let mut out = Vec::with_capacity(text.len() + 16);
    // For an object, the names that it has so far.
    let mut open: Vec<Option<std::collections::HashSet<Vec<u8>>>> = Vec::new();
    let (mut pos, mut copied, mut changed, mut name_next) = (0, 0, false, false);
    while let Some(&byte) = text.get(pos) {
        match byte {
            b'{' => {
                open.push(Some(std::collections::HashSet::new()));
                name_next = true;
            }
            b'[' => open.push(None),
            b'}' | b']' => {
                open.pop();
                name_next = false;
            }
            b',' => name_next = matches!(open.last(), Some(Some(_))),
            b'"' => {
                let end = value_end(text, pos);
                if std::mem::take(&mut name_next) {
                    let old = unescape(&text[pos..end]).into_owned();
                    let kept = except.iter().any(|name| name.as_bytes() == old);
                    let new = if kept { old.clone() } else { written(&old, to) };
                    let stays = kept || except.iter().any(|name| name.as_bytes() == new);
                    if new != old {
                        out.extend_from_slice(&text[copied..pos]);
                        quote(&new, &mut out);
                        (copied, changed) = (end, true);
                    }
                    if let Some(Some(names)) = open.last_mut()
                        && !names.insert(new)
                    {
                        return Err(Error::new(Code::Conflict, 0, "two names of an object become one"));
                    }
                    pos = if stays { after_value(text, end) } else { end };
                } else {
                    pos = end;
                }
                continue;
            }
            _ => {}
        }
        pos += 1;
    }
    out.extend_from_slice(&text[copied..]);
    Ok(changed.then_some(out))
}

/// The end of the value of the member whose name ends at `pos`.
fn after_value(text: &[u8], pos: usize) -> usize {
    let rest = &text[pos..];
    let start = rest.iter().position(|b| !matches!(b, b' ' | b'\n' | b'\r' | b'\t' | b':'));
    start.map_or(text.len(), |start| value_end(text, pos + start))
}

/// A name written another way. What is written like that already, and acronyms, do not come back as they were.
pub(crate) fn written(name: &[u8], to: Case) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + 4);
    let mut at = 0;
    while let Some(&byte) = name.get(at) {
        let follows = at > 0 && (name[at - 1].is_ascii_lowercase() || name[at - 1].is_ascii_digit());
        match to {
            Case::Camel if byte == b'_' && follows && name.get(at + 1).is_some_and(u8::is_ascii_lowercase) => {
                out.push(name[at + 1].to_ascii_uppercase());
                at += 1;
            }
            Case::Snake if byte.is_ascii_uppercase() && follows => out.extend([b'_', byte.to_ascii_lowercase()]),
            _ => out.push(byte),
        }
        at += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_another_way() {
        for (snake, camel) in [
            ("created_at", "createdAt"),
            ("a_b_c", "aBC"),
            ("id", "id"),
            ("v2_x", "v2X"),
            ("_private", "_private"),
            ("a__b", "a__b"),
        ] {
            assert_eq!(written(snake.as_bytes(), Case::Camel), camel.as_bytes());
        }
        for (camel, snake) in [("createdAt", "created_at"), ("imageURL", "image_uRL"), ("Id", "Id"), ("v2X", "v2_x")] {
            assert_eq!(written(camel.as_bytes(), Case::Snake), snake.as_bytes());
        }
    }
}
