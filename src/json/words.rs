//! Edits in words: one line each, for the listing of a program and for `legato explain`.

use std::fmt;

use super::edit::{
    Bound, Boundary, Case, Collapse, Condition, Edit, Empty, Entry, Many, Occupied, Otherwise, Over, Source, Test,
    Token, ValueEdit,
};
use super::{Conversion, Way};

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.edit)?;
        write_conditions(f, "; only where ", &self.guard)
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rename { at, pairs } => {
                for (number, (old, new)) in pairs.iter().enumerate() {
                    let before = if number == 0 { "rename" } else { "," };
                    write!(f, "{before} {} to `{new}`", Pointer(at, std::slice::from_ref(old)))?;
                }
                Ok(())
            }
            Self::Move { scope, from, to, conflict, .. } => {
                write!(f, "move {} to {}", Pointer(scope, from), Pointer(scope, to))?;
                write_occupied(f, *conflict, Occupied::Replace)
            }
            Self::Put { scope, at, value, create, if_present } => {
                write!(f, "add {}: {value}", Pointer(scope, at))?;
                f.write_str(if *create { ", making its parents" } else { "" })?;
                write_occupied(f, *if_present, Occupied::Keep)
            }
            Self::Take { scope, at, refuse: true, .. } => write!(f, "fail where {} is there", Pointer(scope, at)),
            Self::Take { scope, at, prune, refuse: false } => {
                write!(f, "take away {}", Pointer(scope, at))?;
                f.write_str(if *prune { ", and parents that this empties" } else { "" })
            }
            Self::Change { at, how } => write!(f, "{}", Change(at, how)),
            Self::Envelope { key, with } => {
                write!(f, "put the whole into `{key}`")?;
                write_with(f, with)
            }
            Self::Open { key, otherwise } => {
                write!(f, "take the whole out of `{key}`")?;
                write_otherwise(f, otherwise)
            }
            Self::Presence { scope, at, null, missing } => {
                write_presence(f, &Pointer(scope, at), null.as_ref(), missing.as_ref())
            }
            Self::Split { scope, key, into: [first, second], how, otherwise } => {
                let from = Pointer(scope, std::slice::from_ref(key));
                write!(f, "split {from} into `{first}` and `{second}` at {how}")?;
                write_otherwise(f, otherwise)
            }
            Self::Join { scope, from: [first, second], key, how } => {
                let (first, to) = (Pointer(scope, std::slice::from_ref(first)), std::slice::from_ref(key));
                write!(f, "join {first} and `{second}` with {:?} into {}", how.separator, Pointer(scope, to))
            }
            Self::Spread { from, to, key, refuse_empty } => {
                write!(f, "copy {} into each {} as `{key}`", Pointer(&[], from), Pointer(to, &[]))?;
                f.write_str(if *refuse_empty { "; fail where there is none" } else { "" })
            }
            Self::Collapse { from, key, to, how } => {
                let each = Pointer(from, std::slice::from_ref(key));
                write!(f, "make one {} of {each}, {}", Pointer(&[], to), which(*how))
            }
            Self::DropElements { at, when } => {
                write!(f, "drop elements of {}", Pointer(at, &[]))?;
                write_conditions(f, " with ", when)
            }
            Self::DropMessage { when } => {
                f.write_str("drop the message")?;
                write_conditions(f, ", where ", when)
            }
            Self::Each { at, entries } => {
                write!(f, "in {}: ", Pointer(at, &[]))?;
                write_list(f, "; ", entries)
            }
            Self::Recurse { at, entries, .. } => {
                write!(f, "in {} and what is of its form inside: ", Pointer(at, &[]))?;
                write_list(f, "; ", entries)
            }
        }
    }
}

/// A value's edit at its path.
struct Change<'a>(&'a [Token], &'a ValueEdit);

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Pointer(self.0, &[]);
        match self.1 {
            ValueEdit::Map { pairs, otherwise } => {
                write!(f, "map {at}:")?;
                for (number, (from, to)) in pairs.iter().enumerate() {
                    let comma = if number == 0 { "" } else { "," };
                    write!(f, "{comma} {} to {}", Text(from), Text(to))?;
                }
                write_otherwise(f, otherwise)
            }
            ValueEdit::Convert { conversion, way, otherwise } => {
                write!(f, "convert {at} {}", Formats(conversion, *way))?;
                write_otherwise(f, otherwise)
            }
            ValueEdit::ToArray { keep_null } => {
                write!(f, "wrap {at} into an array{}", if *keep_null { ", unless it is null" } else { "" })
            }
            ValueEdit::FromArray { many, empty, otherwise } => {
                write!(f, "take {at} out of its array, {}, {}", of_many(*many), of_none(*empty))?;
                write_otherwise(f, otherwise)
            }
            ValueEdit::ToMember { key, with, keep_null } => {
                write!(f, "wrap {at} into an object as `{key}`")?;
                f.write_str(if *keep_null { ", unless it is null" } else { "" })?;
                write_with(f, with)
            }
            ValueEdit::FromMember { key, otherwise } => {
                write!(f, "take `{key}` out of the object {at}")?;
                write_otherwise(f, otherwise)
            }
            ValueEdit::ToEntries { key, value, otherwise } => {
                write!(f, "make the object {at} an array of entries, {}", Entries(key, value.as_deref()))?;
                write_otherwise(f, otherwise)
            }
            ValueEdit::FromEntries { key, value, otherwise } => {
                write!(f, "make the entries {at} an object, {}", Entries(key, value.as_deref()))?;
                write_otherwise(f, otherwise)
            }
            ValueEdit::ToObject { keys, drop_extra, otherwise } => {
                write!(f, "make the array {at} an object of `{}`{}", keys.join("`, `"), extras(*drop_extra))?;
                write_otherwise(f, otherwise)
            }
            ValueEdit::ToTuple { keys, drop_extra, otherwise } => {
                write!(f, "make the object {at} an array of `{}`{}", keys.join("`, `"), extras(*drop_extra))?;
                write_otherwise(f, otherwise)
            }
            ValueEdit::Recase { to, except } => {
                let case = match to {
                    Case::Snake => "snake_case",
                    Case::Camel => "camelCase",
                };
                write!(f, "write every name in {at} in {case}")?;
                if except.is_empty() { Ok(()) } else { write!(f, ", except `{}`", except.join("`, `")) }
            }
            ValueEdit::Limit { bound, over } => {
                match bound {
                    Bound::Characters(most) => write!(f, "allow {at} {most} characters")?,
                    Bound::Elements(most) => write!(f, "allow {at} {most} elements")?,
                    Bound::Number(most) => write!(f, "allow {at} up to {}", Text(most))?,
                }
                match over {
                    Over::Cut => f.write_str(", and cut the rest"),
                    Over::Otherwise(otherwise) => write_otherwise(f, otherwise),
                }
            }
            ValueEdit::Jq { program } => write!(f, "run {at} through `{}`", program.source()),
        }
    }
}

/// A path, and names after it, as rules write it.
struct Pointer<'a>(&'a [Token], &'a [String]);

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |f: &mut fmt::Formatter<'_>, name: &str| match name {
            "*" => f.write_str("/~*"),
            name => write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")),
        };
        if self.0.is_empty() && self.1.is_empty() {
            return f.write_str("the value");
        }
        f.write_str("`")?;
        self.0.iter().try_for_each(|token| match token {
            Token::Any => f.write_str("/*"),
            Token::Key(key) => name(f, key),
        })?;
        self.1.iter().try_for_each(|key| name(f, key))?;
        f.write_str("`")
    }
}

/// JSON text of a rule.
struct Text<'a>(&'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", String::from_utf8_lossy(self.0))
    }
}

struct Formats<'a>(&'a Conversion, Way);

impl fmt::Display for Formats<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.names();
        let (from, to) = if self.1 == Way::There { (first, second) } else { (second, first) };
        write!(f, "from `{from}` to `{to}`")?;
        match self.0 {
            Conversion::MinorUnitsDecimal(scale) => write!(f, " with {scale} decimals"),
            Conversion::CsvArray(separator) => write!(f, " at {separator:?}"),
            _ => Ok(()),
        }
    }
}

struct Entries<'a>(&'a str, Option<&'a str>);

impl fmt::Display for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name in `{}`", self.0)?;
        self.1.map_or(Ok(()), |value| write!(f, ", the value in `{value}`"))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(literal) => write!(f, "`{literal}`"),
            Self::Copy(from) => write!(f, "a copy of {}", Pointer(&[], from)),
            Self::Absent => f.write_str("nothing"),
            Self::Refuse => f.write_str("a failure"),
        }
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} {:?}", if self.last { "last" } else { "first" }, self.separator)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = |list: &[Vec<u8>]| list.iter().map(|text| Text(text).to_string()).collect::<Vec<_>>().join(" or ");
        let at = Pointer(&[], &self.path);
        match &self.test {
            Test::In(list) => write!(f, "{at} is {}", texts(list)),
            Test::NotIn(list) => write!(f, "{at} is not {}", texts(list)),
            Test::Exists(true) => write!(f, "{at} is there"),
            Test::Exists(false) => write!(f, "{at} is missing"),
        }
    }
}

fn write_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, between: &str, list: &[T]) -> fmt::Result {
    list.iter().enumerate().try_for_each(|(at, item)| write!(f, "{}{item}", if at == 0 { "" } else { between }))
}

fn write_conditions(f: &mut fmt::Formatter<'_>, before: &str, conditions: &[Condition]) -> fmt::Result {
    if conditions.is_empty() {
        return Ok(());
    }
    f.write_str(before)?;
    write_list(f, " and ", conditions)
}

fn write_presence(
    f: &mut fmt::Formatter<'_>,
    at: &Pointer<'_>,
    null: Option<&Source>,
    missing: Option<&Source>,
) -> fmt::Result {
    let of_null = null.map(|source| format!("where {at} is null, {source} instead"));
    let of_missing = missing.map(|source| format!("where {at} is missing, add {source}"));
    write_list(f, "; ", &of_null.into_iter().chain(of_missing).collect::<Vec<_>>())
}

fn write_with(f: &mut fmt::Formatter<'_>, with: &[(String, super::edit::Literal)]) -> fmt::Result {
    let members: Vec<String> = with.iter().map(|(name, value)| format!("`{name}`: `{value}`")).collect();
    f.write_str(if members.is_empty() { "" } else { ", beside " })?;
    write_list(f, ", ", &members)
}

fn write_otherwise(f: &mut fmt::Formatter<'_>, otherwise: &Otherwise) -> fmt::Result {
    match otherwise {
        Otherwise::Fail => Ok(()),
        Otherwise::Keep => f.write_str("; anything else stays"),
        Otherwise::Drop => f.write_str("; anything else goes"),
        Otherwise::Value(text) => write!(f, "; anything else becomes {}", Text(text)),
    }
}

/// What becomes of an occupant, unless it is what the edit does by itself.
fn write_occupied(f: &mut fmt::Formatter<'_>, occupied: Occupied, usual: Occupied) -> fmt::Result {
    f.write_str(match occupied {
        same if same == usual => "",
        Occupied::Replace => "; what is there already goes",
        Occupied::Keep => "; what is there already stays",
        Occupied::Fail => "; fail where it is there already",
    })
}

fn extras(dropped: bool) -> &'static str {
    if dropped { "; more of them go" } else { "" }
}

fn which(how: Collapse) -> &'static str {
    match how {
        Collapse::Same => "which all must share",
        Collapse::First => "the first",
        Collapse::Last => "the last",
        Collapse::Min => "the least",
        Collapse::Max => "the greatest",
    }
}

fn of_many(many: Many) -> &'static str {
    match many {
        Many::Fail => "of which there is one at most",
        Many::First => "the first of several",
        Many::Last => "the last of several",
    }
}

fn of_none(empty: Empty) -> &'static str {
    match empty {
        Empty::Null => "null where it is empty",
        Empty::Absent => "nothing where it is empty",
        Empty::Fail => "never empty",
    }
}
