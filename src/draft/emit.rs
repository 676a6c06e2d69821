//! From matched places to ops in an order that works: values at old places, then moves, removes, adds.

use crate::json::edit::{Path, Token};

use super::columns::Keys;
use super::fill::Rest;
use super::op::{Edit, Fill, Op, Shell};
use super::scope::Match;

/// The ops of a scope, by what they may rely on.
#[derive(Debug, Clone, Default)]
pub(super) struct Phases {
    /// Edits of values, at old places.
    pub(super) values: Vec<Op>,
    /// Renames and moves, from old places to new ones.
    pub(super) moves: Vec<Op>,
    /// Removes, after the moves.
    pub(super) removes: Vec<Op>,
    /// Adds, at new places.
    pub(super) adds: Vec<Op>,
}

impl Phases {
    /// The ops within each value of what is at `old` before the moves around them, and at `new` after these.
    #[must_use]
    pub(super) fn within(self, old: &[Token], new: &[Token]) -> Self {
        let under = |ops: Vec<Op>, prefix: &[Token]| ops.into_iter().map(|op| op.within(prefix)).collect();
        Self {
            values: under(self.values, old),
            moves: under(self.moves, old),
            removes: under(self.removes, new),
            adds: under(self.adds, new),
        }
    }

    /// Appends another scope's ops to each phase.
    pub(super) fn extend(&mut self, other: Self) {
        self.values.extend(other.values);
        self.moves.extend(other.moves);
        self.removes.extend(other.removes);
        self.adds.extend(other.adds);
    }

    /// The ops in order.
    #[must_use]
    pub(super) fn into_ops(self) -> Vec<Op> {
        [self.values, self.moves, self.removes, self.adds].concat()
    }
}

/// The ops that take every place to where it belongs.
#[must_use]
pub(super) fn phases(mut matches: Vec<Match>, gone: Vec<Rest>, come: Vec<Rest>) -> Phases {
    let values = matches.iter_mut().flat_map(|found| std::mem::take(&mut found.values)).collect();
    let kept: Vec<Keys> = matches.iter().map(|found| found.new.clone()).collect();
    let mut mover = Mover::new(matches, gone);
    mover.run();
    let left: Vec<Keys> = mover.items.iter().filter(|item| item.gone.is_none()).map(|item| item.at.clone()).collect();
    let gone: Vec<Rest> =
        mover.items.into_iter().filter_map(|item| Some(Rest { keys: item.at, ..item.gone? })).collect();
    let removes = lift(gone, &left).into_iter().map(|(rest, create)| remove(rest, create)).collect();
    let adds = lift(come, &kept).into_iter().map(|(rest, create)| add(rest, create)).collect();
    Phases { values, moves: mover.ops, removes, adds }
}

fn tokens(keys: &[String]) -> Path {
    keys.iter().cloned().map(Token::Key).collect()
}

fn remove(rest: Rest, create: bool) -> Op {
    let edit = Edit::Remove { at: tokens(&rest.keys), restore: rest.fill, create };
    Op { question: rest.question, ..Op::new(edit, 0.8, rest.because) }
}

fn add(rest: Rest, create: bool) -> Op {
    let edit = Edit::Add { at: tokens(&rest.keys), default: rest.fill, create };
    Op { question: rest.question, ..Op::new(edit, 0.8, rest.because) }
}

/// Joins the literals below an object in which nothing else is to one literal, and says of each place whether its
/// parents have to be made: nothing else is in them.
fn lift(mut rests: Vec<Rest>, others: &[Keys]) -> Vec<(Rest, bool)> {
    let is_alone = |keys: &[String]| !others.iter().any(|other| other.starts_with(keys));
    let mut lifted: Vec<(Rest, bool)> = Vec::new();
    while let Some(first) = rests.first() {
        let keys = first.keys.clone();
        let Some(top) = (1..keys.len()).map(|len| &keys[..len]).find(|prefix| is_alone(prefix)) else {
            lifted.push((rests.remove(0), false));
            continue;
        };
        let (inside, outside): (Vec<Rest>, Vec<Rest>) = rests.into_iter().partition(|rest| rest.keys.starts_with(top));
        rests = outside;
        if inside.len() > 1 && inside.iter().all(|rest| matches!(rest.fill, Fill::Value(_))) {
            let below: Vec<(&[String], &Rest)> = inside.iter().map(|rest| (&rest.keys[top.len()..], rest)).collect();
            let fill = Fill::Value(object(&below));
            let because = inside.first().map(|rest| rest.because.clone()).unwrap_or_default();
            lifted.push((Rest { keys: top.to_vec(), fill, because, question: None }, top.len() > 1));
        } else {
            lifted.extend(inside.into_iter().map(|rest| (rest, true)));
        }
    }
    lifted
}

/// Literals as the members of one object, each a JSON text. They come sorted by place, so that members of one object
/// stand together.
#[must_use]
pub(super) fn members(rests: &[Rest]) -> Vec<(String, String)> {
    let below: Vec<(&[String], &Rest)> = rests.iter().map(|rest| (rest.keys.as_slice(), rest)).collect();
    members_below(&below)
}

fn members_below(below: &[(&[String], &Rest)]) -> Vec<(String, String)> {
    let mut members = Vec::new();
    for group in below.chunk_by(|(a, _), (b, _)| a.first() == b.first()) {
        let Some((Some((name, keys)), rest)) = group.first().map(|(keys, rest)| (keys.split_first(), *rest)) else {
            continue;
        };
        let inner: Vec<(&[String], &Rest)> = group.iter().map(|(keys, rest)| (&keys[1..], *rest)).collect();
        members.push((name.clone(), if keys.is_empty() { literal(rest) } else { object(&inner) }));
    }
    members
}

fn object(below: &[(&[String], &Rest)]) -> String {
    let member = |(name, value): (String, String)| {
        let mut text = Vec::new();
        crate::json::quote(name.as_bytes(), &mut text);
        format!("{}:{value}", String::from_utf8_lossy(&text))
    };
    let members: Vec<String> = members_below(below).into_iter().map(member).collect();
    format!("{{{}}}", members.join(","))
}

fn literal(rest: &Rest) -> String {
    match &rest.fill {
        Fill::Value(text) => text.clone(),
        Fill::Copy(_) | Fill::Absent | Fill::Unknown => "null".to_owned(),
    }
}

/// A value on its way.
#[derive(Debug, Clone)]
struct Item {
    at: Keys,
    to: Keys,
    /// It goes nowhere: what to restore.
    gone: Option<Rest>,
    score: f64,
    because: String,
    question: Option<String>,
}

impl Item {
    fn is_home(&self) -> bool {
        self.gone.is_some() || self.at == self.to
    }
}

/// Something that can be done next: everything below `from` goes to below `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    from: Keys,
    to: Keys,
    /// How many values it brings home, less those that it takes away from there.
    gain: isize,
}

/// Takes values from old places to new ones.
struct Mover {
    items: Vec<Item>,
    ops: Vec<Op>,
}

impl Mover {
    fn new(matches: Vec<Match>, gone: Vec<Rest>) -> Self {
        let kept = matches.into_iter().map(|m| Item {
            at: m.old,
            to: m.new,
            gone: None,
            score: m.score,
            because: m.because,
            question: m.question,
        });
        let gone = gone.into_iter().map(|rest| Item {
            at: rest.keys.clone(),
            to: Keys::new(),
            gone: Some(rest),
            score: 1.0,
            because: String::new(),
            question: None,
        });
        Self { items: kept.chain(gone).collect(), ops: Vec::new() }
    }

    fn run(&mut self) {
        // Each step brings at least one value home, or makes room for one.
        for _ in 0..4 * self.items.len() {
            if let Some(step) = self.best() {
                self.carry_out(&step);
            } else if self.items.iter().all(Item::is_home) || !(self.clear() || self.swap() || self.step_aside()) {
                return;
            }
        }
    }

    /// The step with the greatest gain that nothing stands in the way of; a rename before a move, deeper before higher.
    fn best(&self) -> Option<Step> {
        let mut best: Option<Step> = None;
        for item in self.items.iter().filter(|item| !item.is_home()) {
            let shared = item.at.iter().rev().zip(item.to.iter().rev()).take_while(|(a, b)| a == b).count();
            for cut in 0..=shared {
                let (from, to) = (&item.at[..item.at.len() - cut], &item.to[..item.to.len() - cut]);
                let Some(step) = self.step(from, to, cut == 0) else { continue };
                let rank = |step: &Step| (step.gain, is_rename(&step.from, &step.to), step.from.len());
                if step.gain > 0 && best.as_ref().is_none_or(|best| rank(&step) > rank(best)) {
                    best = Some(step);
                }
            }
        }
        best
    }

    fn step(&self, from: &[String], to: &[String], whole: bool) -> Option<Step> {
        let nested = from.starts_with(to) || to.starts_with(from);
        let is_root = from.is_empty() || to.is_empty();
        if from == to || (nested && !whole) || (is_root && !nested) || self.is_blocked(from, to) {
            return None;
        }
        let mut gain = 0;
        for item in self.items.iter().filter(|item| item.gone.is_none() && item.at.starts_with(from)) {
            let then: Keys = to.iter().chain(&item.at[from.len()..]).cloned().collect();
            gain += isize::from(then == item.to) - isize::from(item.is_home());
        }
        Some(Step { from: from.to_vec(), to: to.to_vec(), gain })
    }

    /// Whether something else is at `to`, below it, or where one of its parents has to be an object.
    fn is_blocked(&self, from: &[String], to: &[String]) -> bool {
        let in_the_way = |item: &Item| to.starts_with(&item.at) || item.at.starts_with(to);
        self.items.iter().any(|item| !item.at.starts_with(from) && in_the_way(item))
    }

    fn carry_out(&mut self, step: &Step) {
        let moved: Vec<&Item> =
            self.items.iter().filter(|i| i.at.starts_with(&step.from) && i.gone.is_none()).collect();
        let score = moved.iter().map(|item| item.score).fold(1.0, f64::min);
        let because = match moved.as_slice() {
            [one] => one.because.clone(),
            several => format!("{} values move together", several.len()),
        };
        let question = moved.iter().find_map(|item| item.question.clone());
        self.say(step, score, &because, question.as_ref());
        for item in self.items.iter_mut().filter(|item| item.at.starts_with(&step.from)) {
            item.at.splice(..step.from.len(), step.to.iter().cloned());
        }
    }

    fn say(&mut self, step: &Step, score: f64, because: &str, question: Option<&String>) {
        let (from, to) = (&step.from, &step.to);
        let shells = |longer: &Keys, shorter: &Keys| longer[shorter.len()..].to_vec();
        let wrap = |key: String, turned: bool, at: &Keys| Edit::Wrap {
            at: tokens(at),
            into: Some(Shell { key, with: Vec::new() }),
            turned,
        };
        let edits: Vec<Edit> = if to.starts_with(from) {
            // Inside out: what is wrapped last is outside.
            shells(to, from).into_iter().rev().map(|key| wrap(key, false, from)).collect()
        } else if from.starts_with(to) {
            shells(from, to).into_iter().map(|key| wrap(key, true, to)).collect()
        } else if let (true, Some(name)) = (is_rename(from, to), to.last()) {
            vec![Edit::Rename(vec![(tokens(from), name.clone())])]
        } else {
            vec![Edit::Move { from: tokens(from), to: tokens(to) }]
        };
        let ops = edits.into_iter().map(|edit| Op { question: question.cloned(), ..Op::new(edit, score, because) });
        self.ops.extend(ops);
    }

    /// Removes what goes anyway, if it stands in the way of something.
    fn clear(&mut self) -> bool {
        let blocks = |gone: &Item| {
            let in_the_way = |item: &Item| item.to.starts_with(&gone.at) || gone.at.starts_with(&item.to);
            self.items.iter().any(|item| !item.is_home() && in_the_way(item))
        };
        let Some(at) = self.items.iter().position(|item| item.gone.is_some() && blocks(item)) else { return false };
        let item = self.items.remove(at);
        let Some(rest) = item.gone else { return false };
        let parent = &item.at[..item.at.len().saturating_sub(1)];
        let create = !parent.is_empty() && !self.items.iter().any(|other| other.at.starts_with(parent));
        self.ops.push(remove(Rest { keys: item.at, ..rest }, create));
        true
    }

    /// Renames that are in each other's way happen at once.
    fn swap(&mut self) -> bool {
        let mut pending: Vec<usize> = (0..self.items.len())
            .filter(|at| !self.items[*at].is_home() && is_rename(&self.items[*at].at, &self.items[*at].to))
            .collect();
        pending.sort_by(|a, b| self.items[*a].at.cmp(&self.items[*b].at));
        let is_free = |to: &Keys| {
            let others = (0..self.items.len()).filter(|at| !pending.contains(at));
            others.map(|at| &self.items[at].at).all(|other| !other.starts_with(to) && !to.starts_with(other))
        };
        if pending.is_empty() || !pending.iter().all(|at| is_free(&self.items[*at].to)) {
            return false;
        }
        let entries = pending.iter().map(|at| {
            let item = &self.items[*at];
            (tokens(&item.at), item.to.last().cloned().unwrap_or_default())
        });
        let score = pending.iter().map(|at| self.items[*at].score).fold(1.0, f64::min);
        self.ops.push(Op::new(Edit::Rename(entries.collect()), score, "places are exchanged"));
        for at in pending {
            let to = self.items[at].to.clone();
            self.items[at].at = to;
        }
        true
    }

    /// A value goes to a name that nothing has, so that others can pass.
    fn step_aside(&mut self) -> bool {
        let Some(item) = self.items.iter().find(|item| !item.is_home() && !item.at.is_empty()) else { return false };
        let (from, mut to) = (item.at.clone(), item.at.clone());
        if let Some(name) = to.last_mut() {
            name.push_str("__aside");
        }
        if from.last().is_some_and(|name| name.ends_with("__aside")) || self.is_blocked(&from, &to) {
            return false;
        }
        self.carry_out(&Step { from, to, gain: 0 });
        true
    }
}

fn is_rename(from: &[String], to: &[String]) -> bool {
    match (from.split_last(), to.split_last()) {
        (Some((_, parent)), Some((_, other))) => parent == other,
        _ => false,
    }
}

/// Joins renames that follow each other and are independent.
#[must_use]
pub(super) fn join_renames(ops: Vec<Op>) -> Vec<Op> {
    let mut joined: Vec<Op> = Vec::new();
    for op in ops {
        if let (Some(last), Edit::Rename(more)) = (joined.last_mut(), &op.edit)
            && let Edit::Rename(entries) = &mut last.edit
            && last.question.is_none()
            && op.question.is_none()
            && more.iter().all(|(at, to)| entries.iter().all(|(other, name)| is_independent(at, to, other, name)))
        {
            entries.extend(more.iter().cloned());
            last.confidence = last.confidence.min(op.confidence);
            last.because = format!("{} names", entries.len());
            continue;
        }
        joined.push(op);
    }
    joined
}

/// Whether two renames do the same at once as one after the other.
fn is_independent(at: &Path, to: &str, other: &Path, name: &str) -> bool {
    let renamed = |path: &Path, name: &str| -> Path {
        let mut path = path.clone();
        path.pop();
        path.push(Token::Key(name.to_owned()));
        path
    };
    let (after, others) = (renamed(at, to), renamed(other, name));
    let apart = |a: &Path, b: &Path| !a.starts_with(b) && !b.starts_with(a);
    apart(at, other) && apart(at, &others) && apart(&after, other) && apart(&after, &others)
}
