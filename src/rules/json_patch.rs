//! JSON Patch (RFC 6902) between versions: each operation's pointers go where the values that they name go, and its
//! value is translated as what stands there.
//!
//! An operation says of one place what is to happen there, and nothing of the rest of the resource. So an edit must
//! keep that place one place (`rename`, `move`, `envelope`), or be about its value alone (`map`, `convert`), or lie
//! wholly inside the value. Of all others the operation has no counterpart, and the request is refused.

use std::sync::Arc;

use crate::json::edit::{Edit, Entry, Path, Token, ValueEdit};
use crate::json::{Code, Error, Item, Items, Kind, Limits, Losses, Program, Values, quote, unescape, validate};

use super::head::{edited, guards};
use super::lens::{Carried, Fit, carry, fit};

/// Each operation runs through all edits by itself, so that their number is what a patch costs, not its length.
const MOST_OPERATIONS: usize = 10_000;

/// Translates a patch. `edits` are those of the whole document. What is lost comes too.
pub(super) fn translate(
    edits: &[Entry],
    patch: &[u8],
    values: &Values,
    limits: Limits,
) -> Result<(Vec<u8>, Losses), Error> {
    validate(patch, limits)?;
    let text = patch.trim_ascii();
    if Kind::of(text) != Kind::Array {
        return Err(refused("", "expected a list of operations (RFC 6902)"));
    }
    let mut out = Vec::with_capacity(text.len());
    let (mut copied, mut losses) = (0, Losses::default());
    for (at, item) in Items::new(text, 0).enumerate() {
        if at == MOST_OPERATIONS {
            return Err(Error::new(Code::TooLarge, 0, format!("expected at most {MOST_OPERATIONS} operations")));
        }
        let operation = &text[item.value.clone()];
        let pointer = format!("/{at}");
        out.extend_from_slice(&text[copied..item.value.start]);
        losses.add(Translation { edits, values, limits, pointer: &pointer }.operation(operation, &mut out)?);
        copied = item.value.end;
    }
    out.extend_from_slice(&text[copied..]);
    Ok((out, losses))
}

struct Translation<'a> {
    edits: &'a [Entry],
    values: &'a Values,
    limits: Limits,
    /// The operation's, in the patch.
    pointer: &'a str,
}

/// The members of an operation that are translated, as JSON text.
#[derive(Default)]
struct Members<'t> {
    op: Option<&'t [u8]>,
    path: Option<&'t [u8]>,
    from: Option<&'t [u8]>,
    value: Option<&'t [u8]>,
}

/// Where a place is after the edits, what its value is then, and which edits had a part in the value.
struct Moved {
    path: Path,
    value: Option<Vec<u8>>,
    edits: Vec<usize>,
    losses: Losses,
}

impl Translation<'_> {
    /// Appends the translated operation; what was lost.
    fn operation(&self, text: &[u8], out: &mut Vec<u8>) -> Result<Losses, Error> {
        if Kind::of(text) != Kind::Object {
            return Err(refused(
                self.pointer,
                "expected an operation such as `{\"op\": \"remove\", \"path\": \"/a\"}`",
            ));
        }
        let members = self.members(text)?;
        let op = members.op.map(unescape).unwrap_or_default();
        let path = self.path(members.path, "path")?;
        let mut losses = Losses::default();
        let (new_path, new_from, new_value) = match &*op {
            b"add" | b"replace" | b"test" => {
                let value = members.value.ok_or_else(|| refused(self.pointer, "expected a `value`"))?;
                let moved = self.carry(path, Some(value))?;
                losses = moved.losses;
                (moved.path, None, moved.value)
            }
            b"remove" => (self.carry(path, None)?.path, None, None),
            b"move" | b"copy" => {
                let (to, from) = (self.carry(path, None)?, self.carry(self.path(members.from, "from")?, None)?);
                // The value is not in the patch: it has to have the same form at both places.
                if to.edits != from.edits {
                    return Err(refused(self.pointer, "the two places have another form in the other version"));
                }
                (to.path, Some(from.path), None)
            }
            _ => return Err(refused(self.pointer, "expected `add`, `remove`, `replace`, `move`, `copy` or `test`")),
        };
        let (new_path, new_from) = (pointer(&new_path), new_from.map(|from: Path| pointer(&from)));
        rewrite(text, out, |name| match name {
            b"path" => Some(&new_path),
            b"from" => new_from.as_ref(),
            b"value" => new_value.as_ref(),
            _ => None,
        });
        Ok(losses)
    }

    fn members<'t>(&self, text: &'t [u8]) -> Result<Members<'t>, Error> {
        let mut members = Members::default();
        for item in Items::new(text, 0) {
            let place = match &*unescape(&text[item.name]) {
                b"op" => &mut members.op,
                b"path" => &mut members.path,
                b"from" => &mut members.from,
                b"value" => &mut members.value,
                _ => continue,
            };
            if place.replace(&text[item.value]).is_some() {
                let detail = "a member of an operation stands twice";
                return Err(Error::new(Code::DuplicateKey, 0, detail).at(self.pointer.to_owned()));
            }
        }
        Ok(members)
    }

    /// An RFC 6901 pointer.
    fn path(&self, text: Option<&[u8]>, member: &str) -> Result<Path, Error> {
        let wrong = || refused(self.pointer, format!("expected a JSON pointer as `{member}`"));
        let text = text.filter(|text| Kind::of(text) == Kind::String).ok_or_else(wrong)?;
        let text = String::from_utf8(unescape(text).into_owned()).map_err(|_| wrong())?;
        if !text.is_empty() && !text.starts_with('/') {
            return Err(wrong());
        }
        let tokens = text.split('/').skip(1);
        Ok(tokens.map(|token| Token::Key(token.replace("~1", "/").replace("~0", "~"))).collect())
    }

    /// Carries a place, and the value that an operation gives it, through all edits.
    fn carry(&self, path: Path, value: Option<&[u8]>) -> Result<Moved, Error> {
        let mut moved = Moved { path, value: value.map(<[u8]>::to_vec), edits: Vec::new(), losses: Losses::default() };
        for (at, entry) in self.edits.iter().enumerate() {
            if self.through(entry, entry.change.as_ref(), &mut moved)? {
                moved.edits.push(at);
            }
        }
        Ok(moved)
    }

    /// Carries a place and its value through an edit; whether the edit is about the value.
    fn through(&self, entry: &Entry, change: Option<&Arc<str>>, moved: &mut Moved) -> Result<bool, Error> {
        if let Edit::Each { at, entries } = &entry.edit
            && let Fit::Inside(rest) = fit(at, &moved.path)
        {
            if !entry.guard.is_empty() {
                return Err(self.untranslatable(entry));
            }
            let scope = moved.path[..moved.path.len() - rest.len()].to_vec();
            let (value, losses) = (moved.value.take(), std::mem::take(&mut moved.losses));
            let mut inner = Moved { path: rest.to_vec(), value, edits: Vec::new(), losses };
            let mut is_edited = false;
            for entry in entries {
                is_edited |= self.through(entry, change, &mut inner)?;
            }
            (moved.path, moved.value) = ([scope, inner.path].concat(), inner.value);
            moved.losses = inner.losses;
            return Ok(is_edited);
        }
        let reach = reach(entry, &moved.path);
        let to = match reach {
            Reach::Across => return Err(self.untranslatable(entry)),
            // A place keeps its name when what stands there gets another form.
            Reach::Inside => moved.path.clone(),
            Reach::Outside | Reach::Through => match carry(entry, &moved.path) {
                Carried::Same => moved.path.clone(),
                // The only element that an op makes is the first.
                Carried::To(to) => to.into_iter().map(first).collect(),
                Carried::Gone | Carried::Unknown => return Err(self.untranslatable(entry)),
            },
        };
        let is_edited = matches!(reach, Reach::Inside | Reach::Through);
        if let (Some(value), true) = (moved.value.take_if(|_| is_edited), is_edited) {
            let entry = Entry { change: change.cloned(), ..entry.clone() };
            let (value, losses) = self.edit(&entry, &moved.path, &to, &value)?;
            moved.value = Some(value);
            moved.losses.add(losses);
        }
        moved.path = to;
        Ok(is_edited)
    }

    fn untranslatable(&self, entry: &Entry) -> Error {
        let detail = "what this operation is about has no single place in the other version";
        Error { change: entry.change.clone(), ..refused(self.pointer, detail) }
    }

    /// Runs an edit on the value at a path, in a document that holds nothing else. Its containers are objects: a `*`
    /// of an edit stands for their members too.
    fn edit(&self, entry: &Entry, path: &[Token], to: &[Token], value: &[u8]) -> Result<(Vec<u8>, Losses), Error> {
        let mut document = Vec::with_capacity(value.len() + 64);
        for token in path {
            document.push(b'{');
            quote(key(token).as_bytes(), &mut document);
            document.push(b':');
        }
        document.extend_from_slice(value);
        document.extend(std::iter::repeat_n(b'}', path.len()));
        let depth = u32::try_from(path.len()).unwrap_or(u32::MAX).saturating_add(self.limits.depth);
        let limits = Limits { depth, buffer: self.limits.buffer.max(document.len()) };
        let program = Arc::new(Program::fuse(vec![entry.clone()]));
        let located = |error: Error| Error { pointer: Some(format!("{}/value", self.pointer)), ..error };
        let done = crate::json::translate(&program, self.values, limits, document.into()).map_err(located)?;
        let mut found = done.body.as_slice();
        for token in to {
            let is_it = |item: &Item| *unescape(&found[item.name.clone()]) == *key(token).as_bytes();
            let member = Items::new(found, 0).find(is_it).ok_or_else(|| self.untranslatable(entry))?;
            found = &found[member.value];
        }
        Ok((found.to_vec(), done.losses))
    }
}

/// What an edit has to do with the value at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Nothing, or it moves the value as a whole.
    Outside,
    /// It is about this value, or what is inside it, and nothing else.
    Inside,
    /// It is about all that it finds on the way to the value, and in it.
    Through,
    /// It is about this value or what is inside it, and about something else too.
    Across,
}

fn reach(entry: &Entry, path: &[Token]) -> Reach {
    // What moves values as a whole is not about what is in them.
    let moves = matches!(entry.edit, Edit::Rename { .. } | Edit::Move { .. } | Edit::Take { .. });
    let least = path.len() + usize::from(moves);
    let places = if matches!(entry.edit, Edit::Envelope { .. } | Edit::Open { .. }) {
        vec![Path::new()]
    } else {
        edited(&entry.edit)
    };
    let conditions = guards(entry);
    let is_inside = |place: &Path| place.len() >= least && overlap(place, path);
    let inside = places.iter().filter(|place| is_inside(place)).count();
    if inside > 0 {
        let all = inside == places.len() && conditions.iter().all(is_inside);
        return if all { Reach::Inside } else { Reach::Across };
    }
    // The operation may change what decides whether the edit runs elsewhere.
    if conditions.iter().any(|place| overlap(place, path)) {
        return Reach::Across;
    }
    let recases = matches!(&entry.edit, Edit::Change { how: ValueEdit::Recase { .. }, .. });
    if !recases || !places.iter().any(|place| overlap(place, path)) {
        return Reach::Outside;
    }
    if conditions.is_empty() { Reach::Through } else { Reach::Across }
}

/// Whether one of two paths leads to the other, or to a part of it.
fn overlap(pattern: &[Token], path: &[Token]) -> bool {
    pattern.iter().zip(path).all(|(a, b)| *a == Token::Any || a == b)
}

fn key(token: &Token) -> &str {
    match token {
        Token::Key(key) => key,
        Token::Any => "0",
    }
}

fn first(token: Token) -> Token {
    match token {
        Token::Any => Token::Key("0".to_owned()),
        key @ Token::Key(_) => key,
    }
}

/// A path as an RFC 6901 pointer, in JSON.
fn pointer(path: &[Token]) -> Vec<u8> {
    let mut pointer = String::new();
    for token in path {
        pointer.push('/');
        pointer.push_str(&key(token).replace('~', "~0").replace('/', "~1"));
    }
    let mut text = Vec::new();
    quote(pointer.as_bytes(), &mut text);
    text
}

/// Copies an object with other values for some of its members.
fn rewrite<'n>(text: &[u8], out: &mut Vec<u8>, new: impl Fn(&[u8]) -> Option<&'n Vec<u8>>) {
    let mut copied = 0;
    for item in Items::new(text, 0) {
        if let Some(value) = new(&unescape(&text[item.name])) {
            out.extend_from_slice(&text[copied..item.value.start]);
            out.extend_from_slice(value);
            copied = item.value.end;
        }
    }
    out.extend_from_slice(&text[copied..]);
}

fn refused(pointer: &str, detail: impl Into<String>) -> Error {
    Error::new(Code::UntranslatablePatch, 0, detail).at(pointer.to_owned())
}
