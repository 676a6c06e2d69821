//! The message rules of a WebSocket path: events told apart by a discriminator, each with one fused program.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::json::edit::{Edit, Entry, Keys, Otherwise, Token, ValueEdit};
use crate::json::{Code, Error, Items, Kind, Limits, Program, Values, quote, translate, unescape};
use crate::route::{Router, Template};

use super::Direction;
use super::ast::{Change, Frame, Frames, WsBlock};
use super::lens::{Mode, lower_ops};

/// Which side a message comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client sends it.
    Client,
    /// The backend sends it.
    Server,
}

impl Side {
    /// As in rule files and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// The message rules of one WebSocket path.
#[derive(Debug, Default)]
pub struct Socket {
    client: Events,
    server: Events,
}

/// The events of one side, by their names as the sender spells them.
#[derive(Debug, Default)]
struct Events {
    discriminator: Keys,
    by_name: BTreeMap<String, Plan>,
}

#[derive(Debug)]
enum Plan {
    Translate(Arc<Program>),
    Drop,
}

/// What becomes of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It leaves as it came: not JSON, no discriminator, or an event without rules.
    Pass,
    /// It leaves changed.
    Translated(Vec<u8>),
    /// The receiver must not see it.
    Dropped,
}

impl Socket {
    /// Whether no message of either side has rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.client.by_name.is_empty() && self.server.by_name.is_empty()
    }

    /// Translates one text message. The event's name as the sender spells it comes back too where a rule knows it.
    /// What is not JSON passes: rules are about JSON messages, and a socket may carry others beside them.
    ///
    /// # Errors
    /// [`Code::DuplicateKey`] if the discriminator stands twice, [`Code::TooDeep`], or as an op fails.
    pub fn translate(&self, side: Side, message: &[u8], values: &Values, limits: Limits) -> (Option<&str>, Result<Outcome, Error>) {
        let events = match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        };
        let name = match events.name_of(message, limits) {
            Ok(Some(name)) => name,
            Ok(None) => return (None, Ok(Outcome::Pass)),
            Err(error) => return (None, Err(error)),
        };
        let Some((name, plan)) = events.by_name.get_key_value(name.as_ref()) else { return (None, Ok(Outcome::Pass)) };
        let outcome = match plan {
            Plan::Drop => Ok(Outcome::Dropped),
            Plan::Translate(program) if program.is_identity() => Ok(Outcome::Pass),
            Plan::Translate(program) => translate(program, values, limits, Bytes::copy_from_slice(message)).map(|done| Outcome::Translated(done.body)),
        };
        (Some(name), outcome)
    }
}

impl Events {
    /// The event that a message says it is.
    fn name_of<'m>(&self, message: &'m [u8], limits: Limits) -> Result<Option<Cow<'m, str>>, Error> {
        if self.by_name.is_empty() || Kind::of(message.trim_ascii_start()) != Kind::Object {
            return Ok(None);
        }
        match crate::json::validate(message, limits) {
            Ok(()) => {}
            Err(error) if error.code == Code::TooDeep => return Err(error),
            Err(_) => return Ok(None),
        }
        let mut at = message.trim_ascii();
        for key in &self.discriminator {
            if Kind::of(at) != Kind::Object {
                return Ok(None);
            }
            let mut hits = Items::new(at, 0).filter(|item| *unescape(&at[item.name.clone()]) == *key.as_bytes());
            let Some(hit) = hits.next() else { return Ok(None) };
            if hits.next().is_some() {
                let detail = format!("the discriminator `{key}` stands twice in its object");
                return Err(Error { code: Code::DuplicateKey, offset: 0, pointer: Some(format!("/{}", self.discriminator.join("/"))), change: None, detail });
            }
            at = &at[hit.value];
        }
        if Kind::of(at) != Kind::String {
            return Ok(None);
        }
        Ok(match unescape(at) {
            Cow::Borrowed(name) => std::str::from_utf8(name).ok().map(Cow::Borrowed),
            Cow::Owned(name) => String::from_utf8(name).ok().map(Cow::Owned),
        })
    }
}

/// Compiles the sockets of the changes between a client's version and a backend's, in the order in which a request
/// passes them.
pub(super) fn compile(steps: &[(&Change, Direction)]) -> Router<Socket> {
    let mut router = Router::new();
    let blocks: Vec<(&Arc<str>, &WsBlock, Direction)> = steps.iter().flat_map(|(change, direction)| change.ws.iter().map(|block| (&change.id, block, *direction))).collect();
    let mut paths: Vec<&Template> = Vec::new();
    for (_, block, _) in &blocks {
        if !paths.iter().any(|path| path.same_shape(&block.path)) {
            paths.push(&block.path);
        }
    }
    for path in paths {
        let about: Vec<_> = blocks.iter().filter(|(_, block, _)| block.path.covers(path)).copied().collect();
        let client = about.iter().filter_map(|(id, block, direction)| Some((*id, block.side(Side::Client)?, *direction)));
        let server = about.iter().rev().filter_map(|(id, block, direction)| Some((*id, block.side(Side::Server)?, direction.turned())));
        router.insert(path, Socket { client: Events::compile(&client.collect::<Vec<_>>()), server: Events::compile(&server.collect::<Vec<_>>()) });
    }
    router
}

type Steps<'a> = [(&'a Arc<str>, &'a Frames, Direction)];

impl Events {
    /// Of the steps in the order in which messages pass them.
    fn compile(steps: &Steps<'_>) -> Self {
        let Some((_, first, _)) = steps.first() else { return Self::default() };
        let by_name = sender_names(steps).into_iter().map(|name| (name.clone(), plan(steps, &name))).collect();
        Self { discriminator: first.discriminator.clone(), by_name }
    }
}

/// The names, as the sender spells them, of all events that have rules.
fn sender_names(steps: &Steps<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (at, (_, frames, direction)) in steps.iter().enumerate() {
        for frame in &frames.frames {
            let mut name = near_name(frame, *direction).map(str::to_owned);
            for (_, earlier, direction) in steps[..at].iter().rev() {
                name = name.and_then(|name| name_before(earlier, &name, *direction));
            }
            names.extend(name.filter(|name| !names.contains(name)));
        }
    }
    names
}

/// A frame's name on the side that its messages come from, if that side has it.
fn near_name(frame: &Frame, direction: Direction) -> Option<&str> {
    match direction {
        Direction::Up => frame.older_name(),
        Direction::Down => frame.newer_name(),
    }
}

fn far_name(frame: &Frame, direction: Direction) -> Option<&str> {
    near_name(frame, direction.turned())
}

/// What an event was called before a step, if anything was.
fn name_before(frames: &Frames, name: &str, direction: Direction) -> Option<String> {
    if let Some(frame) = frames.frames.iter().find(|frame| far_name(frame, direction) == Some(name)) {
        return near_name(frame, direction).map(str::to_owned);
    }
    // A name that the step gives away does not come through as it is.
    let taken = frames.frames.iter().any(|frame| near_name(frame, direction) == Some(name));
    (!taken).then(|| name.to_owned())
}

fn plan(steps: &Steps<'_>, name: &str) -> Plan {
    let mut entries = Vec::new();
    let mut name = name.to_owned();
    for (id, frames, direction) in steps {
        let Some(frame) = frames.frames.iter().find(|frame| near_name(frame, *direction) == Some(&name)) else { continue };
        let Some(renamed) = far_name(frame, *direction).map(str::to_owned) else { return Plan::Drop };
        let rename = (renamed != name).then(|| rename(&frames.discriminator, &name, &renamed));
        let ops = lower_ops(&frame.ops, *direction, Mode::Full).into_iter().map(|lowered| lowered.entry);
        // The discriminator is where the older version has it: it changes before the ops going up, after them
        // going down.
        let all: Vec<Entry> = match direction {
            Direction::Up => rename.into_iter().chain(ops).collect(),
            Direction::Down => ops.chain(rename).collect(),
        };
        entries.extend(all.into_iter().map(|entry| Entry { change: Some(Arc::clone(id)), ..entry }));
        name = renamed;
    }
    Plan::Translate(Arc::new(Program::fuse(entries)))
}

fn rename(discriminator: &Keys, from: &str, to: &str) -> Entry {
    let json = |text: &str| {
        let mut out = Vec::new();
        quote(text.as_bytes(), &mut out);
        out
    };
    let how = ValueEdit::Map { pairs: vec![(json(from), json(to))], otherwise: Otherwise::Keep };
    Entry { guard: Vec::new(), edit: Edit::Change { at: discriminator.iter().cloned().map(Token::Key).collect(), how }, change: None }
}
