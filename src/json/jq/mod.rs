//! Programs in jq, run by jaq: the way out where no other edit can say it.
//!
//! A program gets one value and makes one of it. It is bounded whatever it says: it knows nothing of the world
//! ([`library`]), and every step it takes is counted ([`budget`]), since the values that jaq works on are ours
//! ([`value`]). Compiling takes a thread for its stack; running takes none.

mod access;
mod budget;
mod library;
mod operators;
mod text;
mod value;

use std::fmt;
use std::ops::Range;

use jaq_core::data::HasLut;
use jaq_core::load::lex::{Lexer, Tok, Token};
use jaq_core::load::{self, Arena, File, Loader, span};
use jaq_core::{Compiler, Ctx, DataT, Lut, Vars};
use xxhash_rust::xxh3::xxh3_64;

use super::error::{Code, Error};
use super::{Limits, validate};
use budget::Exhausted;
use value::Value;

/// The longest program, in bytes.
const LONGEST: usize = 4096;

/// How deep a program may nest.
const DEEPEST: usize = 100;

/// Stack for compiling, which nests as deep as the program: enough for the longest one.
const COMPILER_STACK: usize = 64 << 20;

/// Steps that programs have in all for any document, for each byte of the values that they get, and at most.
const STEPS: usize = 100_000;
const STEPS_PER_BYTE: usize = 50;
const MOST_STEPS: usize = 5_000_000;

/// A compiled program.
pub struct Filter {
    source: String,
    compiled: jaq_core::Filter<Bounded>,
}

/// What programs have taken of one document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spent {
    /// The bytes of the values that they got.
    bytes: usize,
    steps: usize,
}

/// The run that has ended a document's translation, which is told as often as the document is begun again, and done once.
#[derive(Debug, Default)]
pub(super) struct Ended(Option<Box<End>>);

#[derive(Debug)]
struct End {
    program: String,
    /// Of the value.
    hash: u64,
    /// Before.
    spent: Spent,
    error: Error,
}

/// What is wrong with a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where: bytes of the program.
    pub span: Range<usize>,
    /// What was expected and what was found.
    pub message: String,
}

impl Filter {
    /// The program's text.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Compiles a program.
    ///
    /// # Errors
    /// What is wrong with it; at least one mistake.
    pub fn compile(source: &str) -> Result<Self, Vec<Mistake>> {
        let whole = |message: String| vec![Mistake { span: 0..source.len(), message }];
        if source.len() > LONGEST {
            return Err(whole(format!("a program may have {LONGEST} bytes, and this one has {}", source.len())));
        }
        let compiled = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(COMPILER_STACK);
            thread.spawn_scoped(scope, || compile(source)).map(std::thread::ScopedJoinHandle::join)
        });
        match compiled {
            Ok(Ok(compiled)) => Ok(Self { source: source.to_owned(), compiled: compiled? }),
            Ok(Err(_)) => Err(whole("the compiler failed".to_owned())),
            Err(error) => Err(whole(format!("no thread to compile it: {error}"))),
        }
    }

    /// What the program makes of valid JSON text. `spent`: what was before of the same document, however many its
    /// values are. `ended`: that of the same document.
    ///
    /// # Errors
    /// [`Code::JqFailed`], [`Code::JqExhausted`] or [`Code::DuplicateKey`].
    pub(super) fn run(&self, json: &[u8], spent: &mut Spent, ended: &mut Ended) -> Result<Vec<u8>, Error> {
        if let Some(end) = &ended.0
            && (end.spent, end.program.as_str(), end.hash) == (*spent, self.source.as_str(), xxh3_64(json))
        {
            return Err(end.error.clone());
        }
        let before = *spent;
        self.run_within(json, spent).inspect_err(|error| {
            if error.code == Code::JqExhausted {
                let (program, hash, error) = (self.source.clone(), xxh3_64(json), error.clone());
                ended.0 = Some(Box::new(End { program, hash, spent: before, error }));
            }
        })
    }

    fn run_within(&self, json: &[u8], spent: &mut Spent) -> Result<Vec<u8>, Error> {
        spent.bytes = spent.bytes.saturating_add(json.len());
        let most = MOST_STEPS.min(STEPS.saturating_add(STEPS_PER_BYTE.saturating_mul(spent.bytes)));
        let ran = budget::within(most.saturating_sub(spent.steps), || self.run_unbounded(json));
        spent.steps = most.saturating_sub(budget::left());
        let made = ran.map_err(|why| match why {
            Exhausted::Steps => {
                Error::new(Code::JqExhausted, 0, format!("programs take more than {most} steps on this document"))
            }
            Exhausted::Nesting => Error::new(Code::JqExhausted, 0, "the program nests too deeply"),
            Exhausted::Broken => failed("the interpreter gave up"),
        })??;
        validate(&made, Limits::default())
            .map_err(|error| failed(format!("the program's value is no JSON: {error}")))?;
        Ok(made)
    }

    fn run_unbounded(&self, json: &[u8]) -> Result<Vec<u8>, Error> {
        let context = Ctx::<Bounded>::new(Steps(&self.compiled.lut), Vars::new([]));
        let mut values = self.compiled.id.run((context, text::read(json)?));
        let value = match values.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => {
                let told = error.get_err().map_or_else(|_| "it broke off".to_owned(), |error| error.to_string());
                return Err(failed(format!("the program failed: {}", told.chars().take(200).collect::<String>())));
            }
            None => return Err(failed("the program made no value, and one is needed")),
        };
        if values.next().is_some() {
            return Err(failed("the program made more than one value"));
        }
        text::write(&value).map_err(|what| failed(format!("the program made a number that is {what}")))
    }
}

#[cold]
fn failed(detail: impl Into<String>) -> Error {
    Error::new(Code::JqFailed, 0, detail)
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.source).finish()
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Filter {}

/// What jaq is told about its values and its context.
struct Bounded;

impl DataT for Bounded {
    type V<'a> = Value;
    type Data<'a> = Steps<'a>;
}

/// The context of a run. jaq copies it at every call of a filter, which makes calls count.
struct Steps<'a>(&'a Lut<Bounded>);

impl Clone for Steps<'_> {
    fn clone(&self) -> Self {
        budget::spend(1);
        Self(self.0)
    }
}

impl<'a> HasLut<'a, Bounded> for Steps<'a> {
    fn lut(&self) -> &'a Lut<Bounded> {
        self.0
    }
}

fn compile(source: &str) -> Result<jaq_core::Filter<Bounded>, Vec<Mistake>> {
    if let Ok(tokens) = Lexer::new(source).lex() {
        let mut names = Vec::new();
        recursive(&tokens, &mut names);
        if let Some(name) = names.first() {
            let message = format!("`{name}` uses its own name, and recursion is not allowed");
            return Err(vec![Mistake { span: span(source, name), message }]);
        }
        if nesting(&tokens) > DEEPEST {
            let message = format!("a program may nest {DEEPEST} deep");
            return Err(vec![Mistake { span: 0..source.len(), message }]);
        }
    }
    let arena = Arena::default();
    let program = File { code: source, path: () };
    let modules = Loader::new(library::definitions())
        .load(&arena, program)
        .map_err(|errors| errors.into_iter().flat_map(|(_, error)| syntax(source, error)).collect::<Vec<_>>())?;
    Compiler::default().with_funs(library::natives()).compile(modules).map_err(|errors| {
        let all = errors.into_iter().flat_map(|(_, errors)| errors);
        all.map(|(name, what)| {
            let message = format!("there is no {} `{name}` here", what.as_str());
            Mistake { span: span(source, name), message }
        })
        .collect()
    })
}

fn syntax(source: &str, error: load::Error<&str>) -> Vec<Mistake> {
    let expected = |expected: &str, found: &str| {
        let shown: String = found.chars().take(20).collect();
        let found_what = if found.is_empty() { "the end".to_owned() } else { format!("`{shown}`") };
        Mistake { span: span(source, found), message: format!("expected {expected}, found {found_what}") }
    };
    match error {
        load::Error::Io(names) => {
            let no = |(name, _)| Mistake { span: span(source, name), message: "there are no modules here".to_owned() };
            names.into_iter().map(no).collect()
        }
        load::Error::Lex(errors) => errors.into_iter().map(|(what, found)| expected(what.as_str(), found)).collect(),
        load::Error::Parse(errors) => errors.into_iter().map(|(what, found)| expected(what.as_str(), found)).collect(),
    }
}

/// Finds definitions whose name stands in their own body. A recursive definition can nest what it is given without
/// end, and dropping that takes stack that no budget counts.
fn recursive<'s>(tokens: &[Token<&'s str>], found: &mut Vec<&'s str>) {
    for (at, token) in tokens.iter().enumerate() {
        if let ("def", Some(Token(name, Tok::Word))) = (token.0, tokens.get(at + 1)) {
            let rest = &tokens[at + 2..];
            let body = &rest[..end_of_definition(rest)];
            if body.iter().any(|token| names(token, name)) {
                found.push(name);
            }
        }
        each_block(token, &mut |inner| recursive(inner, found));
    }
}

/// How deep a program nests at most, where jaq goes deeper without taking a step that counts.
fn nesting(tokens: &[Token<&str>]) -> usize {
    let mut deepest = 0;
    for token in tokens {
        each_block(token, &mut |inner| deepest = deepest.max(1 + nesting(inner)));
    }
    deepest + tokens.iter().filter(|token| matches!(token.0, "-" | "label")).count()
}

/// The place of the `;` that ends a definition, past those of the definitions in it.
fn end_of_definition(tokens: &[Token<&str>]) -> usize {
    let mut open = 1;
    let end = tokens.iter().position(|token| {
        match token.0 {
            "def" => open += 1,
            ";" => open -= 1,
            _ => {}
        }
        open == 0
    });
    end.unwrap_or(tokens.len())
}

fn names(token: &Token<&str>, name: &str) -> bool {
    let mut found = matches!(token.1, Tok::Word) && token.0 == name;
    each_block(token, &mut |inner| found |= inner.iter().any(|token| names(token, name)));
    found
}

/// The tokens between brackets, and those of interpolations in a string.
fn each_block<'t, 's>(token: &'t Token<&'s str>, each: &mut dyn FnMut(&'t [Token<&'s str>])) {
    match &token.1 {
        Tok::Block(inner) => each(inner),
        Tok::Str(parts) => {
            for part in parts {
                if let load::lex::StrPart::Term(term) = part {
                    each(std::slice::from_ref(term));
                }
            }
        }
        Tok::Word | Tok::Var | Tok::Fmt | Tok::Num | Tok::Sym => {}
    }
}

#[cfg(test)]
mod tests;
