//! The message rules of a WebSocket path: events told apart by a discriminator, each with one fused program.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::json::edit::{Edit, Entry, Keys, Otherwise, Token, ValueEdit};
use crate::json::{
    Code, Error, Item, Items, Kind, Limits, Losses, OnError, Program, Translator, Values, quote, translate, unescape,
};
use crate::route::{Index, Router, Template};
use crate::version::VersionId;

use super::Direction;
use super::ast::{Change, Frame, Frames, Origin, WsBlock};
use super::chain::MOST_OPS;
use super::lens::{Lowered, Mode, lower_ops};
use super::path::Part;
use super::problem::ProblemShape;
use super::stage::{Cause, Stage, bodies};
use super::step::Step;
use super::threads::{Thread, far_name, near_name, threads};

/// Longer messages are large.
const LARGE: usize = 64 * 1024;

/// Which side a message comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client sends it.
    Client,
    /// The backend sends it.
    Server,
}

impl Side {
    /// Who reads what this side sends.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

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
    /// What a client is sent for a message that cannot be translated, in the order in which its messages pass the changes.
    errors: Vec<Reply>,
}

/// What a change has a client be sent for a message that cannot be translated.
#[derive(Debug)]
pub struct Reply {
    change: Arc<str>,
    /// The version that the message is of, as one of its server's.
    pub version: VersionId,
    /// The message.
    pub shape: ProblemShape,
}

/// The events of one side, by their names as the sender spells them.
#[derive(Debug, Default)]
struct Events {
    /// Where the sender's messages may say what they are.
    discriminators: Vec<Keys>,
    by_name: BTreeMap<String, Event>,
}

#[derive(Debug)]
struct Event {
    /// Which of the discriminators says its name.
    discriminator: usize,
    plan: Plan,
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
    /// It leaves changed; what was lost.
    Translated(Vec<u8>, Losses),
    /// It is large and leaves changed: what it says, in pieces, most of which are parts of what has come; what was lost.
    Pieces(Vec<Bytes>, Losses),
    /// The receiver must not see it; what is lost.
    Dropped(Losses),
}

impl Outcome {
    /// The message as it leaves, as one text, where it leaves changed.
    #[must_use]
    pub fn into_text(self) -> Option<Vec<u8>> {
        match self {
            Self::Translated(text, _) => Some(text),
            Self::Pieces(pieces, _) => Some(pieces.concat()),
            Self::Pass | Self::Dropped(_) => None,
        }
    }
}

impl Socket {
    /// Whether no message of either side has rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.client.by_name.is_empty() && self.server.by_name.is_empty()
    }

    /// What a client is sent for its message that failed in this change, if it is sent anything: what that change says,
    /// or the first that says something.
    #[must_use]
    pub fn reply(&self, change: Option<&str>) -> Option<&Reply> {
        let own = self.errors.iter().find(|reply| Some(&*reply.change) == change);
        own.or(self.errors.first())
    }

    /// Translates one text message. The event's name as the sender spells it comes back too where a rule knows it.
    /// What is not JSON passes: rules are about JSON messages, and a socket may carry others beside them.
    ///
    /// # Errors
    /// [`Code::DuplicateKey`] if the discriminator stands twice, [`Code::TooDeep`], or as an op fails.
    pub fn translate(
        &self,
        side: Side,
        message: &Bytes,
        values: &Values,
        limits: Limits,
    ) -> (Option<&str>, Result<Outcome, Error>) {
        let events = match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        };
        // A message that is well-formed says what it is where it seems to, and its program finds out whether it is. All
        // else is looked at closely, and for a second time.
        let mut guessed = None;
        if let Some((name, program)) = events.guess(message, values) {
            match translated(program, values, limits, message) {
                Ok(done) => return (Some(name), Ok(done)),
                Err(error) => guessed = Some((name, error)),
            }
        }
        let (name, event) = match events.find(message, limits) {
            Ok(Some(found)) => found,
            Ok(None) => return (None, Ok(Outcome::Pass)),
            Err(error) => return (None, Err(error)),
        };
        let outcome = match &event.plan {
            Plan::Drop => Ok(Outcome::Dropped(Losses::default())),
            Plan::Translate(program) if program.is_identity() => Ok(Outcome::Pass),
            Plan::Translate(program) => {
                let done = match guessed {
                    Some((guess, error)) if guess == name => Err(error),
                    _ => translated(program, values, limits, message),
                };
                match done {
                    Err(error) if error.code == Code::Dropped => Ok(Outcome::Dropped(error.losses)),
                    done => done,
                }
            }
        };
        (Some(name), outcome)
    }
}

/// Translates a message, of which a large one is not copied.
fn translated(program: &Arc<Program>, values: &Values, limits: Limits, message: &Bytes) -> Result<Outcome, Error> {
    if message.len() <= LARGE {
        let done = translate(program, values, limits, message.clone())?;
        return Ok(Outcome::Translated(done.body, done.losses));
    }
    let mut translator = Translator::new(Arc::clone(program), values.clone(), limits);
    translator.push(message.clone())?;
    translator.finish()?;
    let losses = translator.losses();
    Ok(Outcome::Pieces(translator.take().collect(), losses))
}

impl Events {
    /// The event that a message seems to be, and its program, which refuses messages that are not well-formed or say
    /// twice what they are.
    fn guess(&self, message: &[u8], values: &Values) -> Option<(&str, &Arc<Program>)> {
        let [discriminator] = self.discriminators.as_slice() else { return None };
        if discriminator.is_empty() || values.on_error != OnError::Reject {
            return None;
        }
        let name = guess_at(discriminator, message)?;
        let (name, event) = self.by_name.get_key_value(name)?;
        match &event.plan {
            Plan::Translate(program) if !program.is_identity() => Some((name, program)),
            Plan::Translate(_) | Plan::Drop => None,
        }
    }

    /// The event with rules that a message says it is.
    fn find(&self, message: &[u8], limits: Limits) -> Result<Option<(&str, &Event)>, Error> {
        if self.by_name.is_empty() || Kind::of(message.trim_ascii_start()) != Kind::Object {
            return Ok(None);
        }
        match crate::json::validate(message, limits) {
            Ok(()) => {}
            Err(error) if error.code == Code::TooDeep => return Err(error),
            Err(_) => return Ok(None),
        }
        for (at, discriminator) in self.discriminators.iter().enumerate() {
            let name = name_at(discriminator, message.trim_ascii())?;
            let found = name.and_then(|name| self.by_name.get_key_value(name.as_ref()));
            if let Some((name, event)) = found.filter(|(_, event)| event.discriminator == at) {
                return Ok(Some((name, event)));
            }
        }
        Ok(None)
    }
}

/// The string that seems to be at a discriminator, in text that may be anything.
fn guess_at<'m>(discriminator: &Keys, message: &'m [u8]) -> Option<&'m str> {
    let mut at = message;
    for key in discriminator {
        let mut items = Items::new(at, 0);
        let hit = items.find(|item| at.get(item.name.clone()).and_then(unquoted) == Some(key.as_bytes()))?;
        at = at.get(hit.value)?;
    }
    std::str::from_utf8(unquoted(at)?).ok()
}

/// What is between the quotes of a string without escapes.
fn unquoted(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    (!text.contains(&b'\\')).then_some(text)
}

/// The string at a discriminator, if there is one.
fn name_at<'m>(discriminator: &Keys, message: &'m [u8]) -> Result<Option<Cow<'m, str>>, Error> {
    let mut at = message;
    for (depth, key) in discriminator.iter().enumerate() {
        if Kind::of(at) != Kind::Object {
            return Ok(None);
        }
        let Some(hit) = only_member(at, key, &discriminator[..=depth])? else { return Ok(None) };
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

/// The member of an object that has this name; `path` leads to it.
///
/// # Errors
/// [`Code::DuplicateKey`] if it stands twice.
pub(super) fn only_member(object: &[u8], name: &str, path: &[String]) -> Result<Option<Item>, Error> {
    let mut hits = Items::new(object, 0).filter(|item| *unescape(&object[item.name.clone()]) == *name.as_bytes());
    let Some(hit) = hits.next() else { return Ok(None) };
    if hits.next().is_none() {
        return Ok(Some(hit));
    }
    Err(Error {
        code: Code::DuplicateKey,
        offset: 0,
        pointer: Some(format!("/{}", path.join("/"))),
        change: None,
        detail: format!("`{name}`, which says what the message is, stands twice in its object"),
        losses: Losses::default(),
    })
}

/// What changes say of sockets, in the order in which a request passes them.
struct Blocks<'a> {
    all: Vec<(Step<'a>, &'a WsBlock)>,
    /// The positions of the blocks by their paths.
    by_path: Index<usize>,
}

impl<'a> Blocks<'a> {
    fn new(steps: &[Step<'a>]) -> Self {
        let of_step = |step: &Step<'a>| {
            let step = *step;
            step.change.ws.iter().map(move |block| (step, block))
        };
        let all: Vec<_> = steps.iter().flat_map(of_step).collect();
        let mut by_path = Index::default();
        all.iter().enumerate().for_each(|(at, (_, block))| by_path.insert(&block.path, at));
        Self { all, by_path }
    }

    /// Every path that some block names.
    fn paths(&self) -> impl Iterator<Item = &'a Template> {
        let mut seen = HashSet::new();
        self.all.iter().map(|(_, block)| &block.path).filter(move |path| seen.insert(path.shape()))
    }

    /// The blocks about a path.
    fn about(&self, path: &Template) -> Vec<(Step<'a>, &'a WsBlock)> {
        let covering = self.by_path.covering(path).into_iter().map(|at| self.all[at]);
        covering.filter(|(_, block)| is_about(block, path)).collect()
    }
}

fn is_about(block: &WsBlock, path: &Template) -> bool {
    match block.origin {
        Origin::File => block.path.covers(path),
        // What is said of a shape was said of every path by itself.
        Origin::Shape => block.path.same_shape(path),
    }
}

/// Compiles the sockets of the changes between a client's version and a backend's, in the order in which a request
/// passes them.
pub(super) fn compile(steps: &[Step<'_>]) -> Router<Socket> {
    let mut router = Router::new();
    let blocks = Blocks::new(steps);
    for path in blocks.paths() {
        let about = blocks.about(path);
        let client = side(&about, Side::Client);
        let socket = Socket {
            client: Events::compile(&client),
            server: Events::compile(&side(&about, Side::Server)),
            errors: replies(&client),
        };
        router.insert(path, socket);
    }
    router
}

/// Whether the messages of all sockets together meet few enough ops to look further.
pub(super) fn is_bearable(steps: &[Step<'_>]) -> bool {
    let blocks = Blocks::new(steps);
    let mut ops = 0;
    for path in blocks.paths() {
        let about = blocks.about(path);
        for from in [Side::Client, Side::Server] {
            let steps = side(&about, from);
            let Some(threads) = threads_of(&steps) else { return false };
            ops += about.len() + threads.iter().map(|thread| ops_of(&steps, thread)).sum::<usize>();
            if ops > MOST_OPS {
                return false;
            }
        }
    }
    true
}

fn ops_of(steps: &Steps<'_>, thread: &Thread<'_>) -> usize {
    thread.met.iter().map(|(step, at)| 1 + steps[*step].1.frames[*at].ops.len()).sum()
}

fn replies(steps: &Steps<'_>) -> Vec<Reply> {
    let said = steps.iter().filter_map(|(change, frames, _)| {
        let shape = frames.error.clone()?;
        Some(Reply { change: Arc::clone(&change.id), version: change.since, shape })
    });
    said.collect()
}

/// What the messages of one side pass, in their order; the blocks are in that of a request.
fn side<'a>(blocks: &[(Step<'a>, &'a WsBlock)], side: Side) -> Vec<(&'a Change, &'a Frames, Direction)> {
    let of_block = |(step, block): &(Step<'a>, &'a WsBlock)| {
        let direction = if side == Side::Client { step.direction } else { step.direction.turned() };
        Some((step.change, block.side(side)?, direction))
    };
    let mut all: Vec<_> = blocks.iter().filter_map(of_block).collect();
    if side == Side::Server {
        all.reverse();
    }
    all
}

/// What the messages of one side of a socket at this path pass, in their order.
fn side_at<'a>(steps: &[Step<'a>], from: Side, path: &str) -> Vec<(&'a Change, &'a Frames, Direction)> {
    let blocks = Blocks::new(steps).all.into_iter().filter(|(_, block)| block.path.match_path(path).is_some());
    side(&blocks.collect::<Vec<_>>(), from)
}

/// What the messages of this name meet on their way, by their name as the sender spells it; `None`: they are dropped.
pub(super) fn stages<'a>(steps: &[Step<'a>], from: Side, path: &str, name: &str) -> Option<Vec<Stage<'a>>> {
    let steps = side_at(steps, from, path);
    let thread = threads_of(&steps).unwrap_or_default().into_iter().find(|thread| thread.name == Some(name));
    thread.map_or(Some(Vec::new()), |thread| stages_of(&steps, &thread))
}

/// The names, as the sender spells them, of the messages of one side that have rules.
pub(super) fn names(steps: &[Step<'_>], from: Side, path: &str) -> Vec<String> {
    let threads = threads_of(&side_at(steps, from, path)).unwrap_or_default();
    threads.iter().filter_map(|thread| thread.name).map(str::to_owned).collect()
}

type Steps<'a> = [(&'a Change, &'a Frames, Direction)];

fn threads_of<'a>(steps: &Steps<'a>) -> Option<Vec<Thread<'a>>> {
    threads(steps.iter().map(|(_, frames, direction)| (frames.frames.iter(), *direction)))
}

impl Events {
    /// Of the steps in the order in which messages pass them.
    fn compile(steps: &Steps<'_>) -> Self {
        let mut events = Self::default();
        let mut known: HashMap<Keys, usize> = HashMap::new();
        for thread in threads_of(steps).unwrap_or_default() {
            let Some(name) = thread.name else { continue };
            let keys = discriminator(steps, &thread);
            let discriminator = *known.entry(keys.clone()).or_insert(events.discriminators.len());
            if discriminator == events.discriminators.len() {
                events.discriminators.push(keys.clone());
            }
            events.by_name.insert(name.to_owned(), Event { discriminator, plan: plan(steps, &thread, name, &keys) });
        }
        events
    }
}

/// Where the sender has what a message says its name with. Rules say where the older version has it; where the newer
/// does, an op may have put it elsewhere.
fn discriminator(steps: &Steps<'_>, thread: &Thread<'_>) -> Keys {
    let Some((frames, direction, at)) = thread.met.first().map(|(step, at)| (steps[*step].1, steps[*step].2, *at))
    else {
        return Keys::new();
    };
    match direction {
        Direction::Up => frames.discriminator.clone(),
        Direction::Down => {
            moved(&frames.discriminator, &frames.frames[at]).unwrap_or_else(|| frames.discriminator.clone())
        }
    }
}

/// Where a frame's ops put the discriminator, found out by putting a message through them that has nothing else.
fn moved(discriminator: &Keys, frame: &Frame) -> Option<Keys> {
    let mut probe = Vec::new();
    quote(frame.name.as_bytes(), &mut probe);
    for key in discriminator.iter().rev() {
        let mut object = vec![b'{'];
        quote(key.as_bytes(), &mut object);
        object.push(b':');
        object.append(&mut probe);
        object.push(b'}');
        probe = object;
    }
    let entries = lower_ops(&frame.ops, Direction::Up, Mode::Full).into_iter().map(|lowered| lowered.entry).collect();
    let values = Values { on_error: OnError::BestEffort, ..Values::default() };
    let done = translate(&Arc::new(Program::fuse(entries)), &values, Limits::default(), probe.into()).ok()?;
    path_of(&done.body, frame.name.as_bytes())
}

/// The names that lead to a string in nested objects.
fn path_of(value: &[u8], wanted: &[u8]) -> Option<Keys> {
    match Kind::of(value) {
        Kind::String => (*unescape(value) == *wanted).then(Keys::new),
        Kind::Object => Items::new(value, 0).find_map(|item| {
            let mut path = path_of(&value[item.value], wanted)?;
            path.insert(0, String::from_utf8_lossy(&unescape(&value[item.name])).into_owned());
            Some(path)
        }),
        _ => None,
    }
}

fn plan(steps: &Steps<'_>, thread: &Thread<'_>, name: &str, keys: &Keys) -> Plan {
    let Some(stages) = stages_of(steps, thread) else { return Plan::Drop };
    let mut entries = bodies(&stages);
    let is_read =
        |entry: &Entry| entry.guard.is_empty() && matches!(&entry.edit, Edit::Change { at, .. } if is_at(at, keys));
    if entries.first().is_some_and(|first| !is_read(first)) {
        // A program sees what it reads, and so whether it stands there twice.
        entries.insert(0, Entry { guard: Vec::new(), edit: named(keys, name, name), change: None, losses: Vec::new() });
    }
    Plan::Translate(Arc::new(Program::fuse(entries)))
}

fn is_at(at: &[Token], keys: &Keys) -> bool {
    at.len() == keys.len() && at.iter().zip(keys).all(|(token, key)| matches!(token, Token::Key(name) if name == key))
}

fn stages_of<'a>(steps: &Steps<'a>, thread: &Thread<'a>) -> Option<Vec<Stage<'a>>> {
    thread.end?;
    let mut stages = Vec::new();
    for (step, at) in &thread.met {
        let (change, frames, direction) = steps[*step];
        let frame = &frames.frames[*at];
        let names = near_name(frame, direction).zip(far_name(frame, direction)).filter(|(near, far)| near != far);
        let rename = names.map(|(near, far)| rename(change, &frames.discriminator, near, far));
        let ops = Stage::all(change, &frame.ops, direction, Mode::Full);
        // The discriminator is where the older version has it: it changes before the ops going up, after them
        // going down.
        match direction {
            Direction::Up => stages.extend(rename.into_iter().chain(ops)),
            Direction::Down => stages.extend(ops.into_iter().chain(rename)),
        }
    }
    Some(stages)
}

fn rename<'a>(change: &'a Change, discriminator: &Keys, from: &str, to: &str) -> Stage<'a> {
    let edit = named(discriminator, from, to);
    let entry = Entry { guard: Vec::new(), edit, change: Some(Arc::clone(&change.id)), losses: Vec::new() };
    Stage { cause: Cause::Name { change }, edits: vec![Lowered { part: Part::Body, entry }] }
}

/// Messages of one name get another.
fn named(discriminator: &Keys, from: &str, to: &str) -> Edit {
    let json = |text: &str| {
        let mut out = Vec::new();
        quote(text.as_bytes(), &mut out);
        out
    };
    let how = ValueEdit::Map { pairs: vec![(json(from), json(to))], otherwise: Otherwise::Keep };
    Edit::Change { at: discriminator.iter().cloned().map(Token::Key).collect(), how }
}
