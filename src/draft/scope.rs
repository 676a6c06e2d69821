//! Matching the places of one scope: a body, or the elements of a list.

use std::collections::BTreeSet;

use crate::json::Kind;
use crate::json::edit::{Path, Token};

use super::Context;
use super::columns::{Column, Keys, Row, columns, elements};
use super::emit::{self, Phases};
use super::fill;
use super::names::similarity;
use super::op::{Edit, Op, pointer};
use super::relation::{Evidence, Maps, Relation, number, relate, share};
use super::split;

/// Below this, two places are not taken for one.
const ACCEPT: f64 = 0.35;
/// A second choice this near is mentioned.
const MARGIN: f64 = 0.15;
/// Lists within lists that are looked into.
const MOST_LISTS: usize = 8;
/// Places that are compared each with each; more would take too long.
const MOST_PLACES: usize = 300;

/// What came of matching a scope.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// The ops.
    pub(super) phases: Phases,
    /// Places that no op explains.
    pub(super) unexplained: Vec<String>,
    /// The share of places that have a counterpart.
    pub(super) matched: f64,
}

/// Two places that are one, before and after.
#[derive(Debug, Clone)]
pub(super) struct Match {
    /// Where it was.
    pub(super) old: Keys,
    /// Where it is.
    pub(super) new: Keys,
    /// What happens to the values, at the old place.
    pub(super) values: Vec<Op>,
    /// How sure that is.
    pub(super) score: f64,
    /// What it rests on.
    pub(super) because: String,
    /// What somebody has to decide.
    pub(super) question: Option<String>,
}

/// Matches the scope that `rows` are the values of; `prefix` leads to it in the old version.
#[must_use]
pub(super) fn scope(rows: &[Row<'_>], prefix: &[Token], context: &Context) -> Found {
    let old = columns(&rows.iter().map(|row| row.old).collect::<Vec<_>>());
    let new = columns(&rows.iter().map(|row| row.new).collect::<Vec<_>>());
    if old.len().max(new.len()) > MOST_PLACES {
        let unexplained = vec![format!("{}: more than {MOST_PLACES} places", pointer(prefix))];
        return Found { unexplained, ..Found::default() };
    }
    let mut matcher = Matcher::new(&old, &new, prefix, context);
    matcher.anchors();
    matcher.splits();
    matcher.pool();
    matcher.leftovers();
    matcher.finish()
}

struct Matcher<'m, 'a> {
    old: &'m [Column<'a>],
    new: &'m [Column<'a>],
    prefix: &'m [Token],
    context: &'m Context,
    free_old: BTreeSet<usize>,
    free_new: BTreeSet<usize>,
    matches: Vec<(usize, usize, Match)>,
    splits: Vec<split::Split>,
    lists: Phases,
    unexplained: Vec<String>,
}

/// A possible match.
struct Candidate {
    old: usize,
    new: usize,
    how: How,
    score: f64,
}

/// What makes a new value of an old one.
enum How {
    Value(Evidence),
    /// The elements of a list, by themselves.
    Elements(Box<Found>, usize),
}

impl<'m, 'a> Matcher<'m, 'a> {
    fn new(old: &'m [Column<'a>], new: &'m [Column<'a>], prefix: &'m [Token], context: &'m Context) -> Self {
        Self {
            old,
            new,
            prefix,
            context,
            free_old: (0..old.len()).collect(),
            free_new: (0..new.len()).collect(),
            matches: Vec::new(),
            splits: Vec::new(),
            lists: Phases::default(),
            unexplained: Vec::new(),
        }
    }

    /// What has the same place and plainly the same values, or values that a pair of formats relates exactly.
    fn anchors(&mut self) {
        for old in 0..self.old.len() {
            let Ok(new) = self.new.binary_search_by(|column| column.keys.cmp(&self.old[old].keys)) else { continue };
            let candidate = self.candidate(old, new, Maps::Seen);
            let sure = |c: &Candidate| match &c.how {
                How::Value(evidence) => !matches!(evidence.relation, Relation::Map(_)),
                How::Elements(found, _) => found.matched >= 0.5,
            };
            if let Some(candidate) = candidate.filter(sure) {
                self.accept(candidate, None);
            }
        }
    }

    fn splits(&mut self) {
        for old in self.free_old.clone() {
            let Some(found) = split::find(old, self.old, self.new, &self.free_new) else { continue };
            self.free_old.remove(&old);
            found.parts.iter().for_each(|part| {
                self.free_new.remove(part);
            });
            self.splits.push(found);
        }
    }

    /// The best of all possible matches, then the best of those that remain.
    fn pool(&mut self) {
        let mut candidates: Vec<Candidate> = Vec::new();
        for &old in &self.free_old {
            for &new in &self.free_new {
                let maps = if self.old[old].keys == self.new[new].keys { Maps::Believed } else { Maps::Seen };
                candidates.extend(self.candidate(old, new, maps).filter(|c| c.score >= ACCEPT));
            }
        }
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| (a.old, a.new).cmp(&(b.old, b.new))));
        let scores: Vec<(usize, usize, f64)> = candidates.iter().map(|c| (c.old, c.new, c.score)).collect();
        let mut taken = Vec::new();
        for candidate in candidates {
            if self.free_old.contains(&candidate.old) && self.free_new.contains(&candidate.new) {
                taken.push((candidate.old, candidate.new, candidate.score));
                self.accept(candidate, None);
            }
        }
        for (old, new, score) in taken {
            let rival = self.rival(&scores, old, new, score);
            if let (Some(rival), Some((.., found))) =
                (rival, self.matches.iter_mut().find(|(o, n, _)| (*o, *n) == (old, new)))
            {
                found.question = Some(rival);
            }
        }
    }

    /// A second choice that nothing else was chosen for.
    fn rival(&self, scores: &[(usize, usize, f64)], old: usize, new: usize, score: f64) -> Option<String> {
        let near = scores.iter().filter(|(.., other)| *other > score - MARGIN);
        near.clone()
            .find(|(o, n, _)| *o == old && *n != new && self.free_new.contains(n))
            .map(|(_, n, _)| format!("or is it {}?", self.place(&self.new[*n].keys)))
            .or_else(|| {
                let other = near.clone().find(|(o, n, _)| *n == new && *o != old && self.free_old.contains(o));
                other.map(|(o, ..)| format!("or was it {}?", self.place(&self.old[*o].keys)))
            })
    }

    /// What is left over and has no other counterpart; then what kept its place and changed beyond explanation.
    fn leftovers(&mut self) {
        let mut pairs = Vec::new();
        for &old in &self.free_old {
            let of_old: Vec<Candidate> =
                self.free_new.iter().filter_map(|new| self.candidate(old, *new, Maps::Believed)).collect();
            pairs.extend(of_old.into_iter().filter(|c| self.is_telling(c)));
        }
        let count = |side: fn(&Candidate) -> usize, at: usize| pairs.iter().filter(|c| side(c) == at).count();
        let only: Vec<bool> =
            pairs.iter().map(|c| count(|c| c.old, c.old) == 1 && count(|c| c.new, c.new) == 1).collect();
        for (candidate, only) in pairs.into_iter().zip(only) {
            if only {
                self.accept(candidate, Some("nothing else fits; is it the same?".to_owned()));
            }
        }
        for old in self.free_old.clone() {
            let same = self.free_new.iter().copied().find(|new| self.new[*new].keys == self.old[old].keys);
            if let Some(new) = same {
                self.changed(old, new);
            }
        }
    }

    /// Whether a candidate says more than that two constants are equal.
    fn is_telling(&self, candidate: &Candidate) -> bool {
        let varies = self.old[candidate.old].constant().is_none() || self.old[candidate.old].cells.len() == 1;
        let nested = self.old[candidate.old].keys.is_empty() != self.new[candidate.new].keys.is_empty();
        match &candidate.how {
            How::Value(evidence) => varies && !nested && evidence.agree == evidence.both && candidate.score > 0.2,
            How::Elements(found, _) => found.matched >= 0.5,
        }
    }

    /// The same place with values that nothing relates.
    fn changed(&mut self, old: usize, new: usize) {
        let keys = self.old[old].keys.clone();
        let place = self.place(&keys);
        self.unexplained.push(format!("{place}: the values differ, and no format or map relates them"));
        self.take(
            old,
            new,
            Match {
                old: keys.clone(),
                new: keys,
                values: Vec::new(),
                score: 0.0,
                because: String::new(),
                question: None,
            },
        );
    }

    fn candidate(&self, old: usize, new: usize, maps: Maps) -> Option<Candidate> {
        let (before, after) = (&self.old[old], &self.new[new]);
        // The root of a body has no name that could change; an envelope is a hypothesis of its own.
        if before.keys.is_empty() != after.keys.is_empty() && self.prefix.is_empty() {
            return None;
        }
        let how = self.relation(before, after, maps)?;
        let weight = match &how {
            How::Value(evidence) => evidence.weight,
            How::Elements(found, rows) => found.matched * (1.0 - (-3.0 * number(*rows)).exp2()),
        };
        let score = 0.60 * weight + 0.25 * Self::likeness(before, after) + 0.15 * self.nearness(before, after);
        Some(Candidate { old, new, how, score })
    }

    fn relation(&self, old: &Column<'a>, new: &Column<'a>, maps: Maps) -> Option<How> {
        if self.context.volatile.contains(&self.place(&old.keys)) && old.keys == new.keys {
            let both = old.cells.len();
            let evidence = Evidence { relation: Relation::Equal, agree: both, both, weight: 1.0, repeated: true };
            return Some(How::Value(evidence));
        }
        if let Some(evidence) = relate(old, new, maps) {
            return Some(How::Value(evidence));
        }
        if !old.is_all(Kind::Array) || !new.is_all(Kind::Array) {
            return None;
        }
        let mut at: Path = self.prefix.to_vec();
        at.extend(old.keys.iter().cloned().map(Token::Key));
        at.push(Token::Any);
        if at.iter().filter(|token| **token == Token::Any).count() > MOST_LISTS {
            return None;
        }
        let rows = elements(old, new);
        if rows.is_empty() {
            return None;
        }
        Some(How::Elements(Box::new(scope(&rows, &at, self.context)), rows.len()))
    }

    fn likeness(old: &Column<'_>, new: &Column<'_>) -> f64 {
        match (old.keys.last(), new.keys.last()) {
            (Some(old), Some(new)) => similarity(old, new),
            (None, None) => 1.0,
            _ => 0.0,
        }
    }

    /// Whether both are members of what is one object.
    fn nearness(&self, old: &Column<'_>, new: &Column<'_>) -> f64 {
        let (before, after) = (old.parent(), new.parent());
        let together = self.matches.iter().any(|(_, _, m)| {
            let parent = |keys: &Keys| keys.split_last().map(|(_, parent)| parent.to_vec());
            parent(&m.old).as_deref() == Some(before) && parent(&m.new).as_deref() == Some(after)
        });
        if before == after || together { 1.0 } else { 0.0 }
    }

    fn accept(&mut self, candidate: Candidate, question: Option<String>) {
        let Candidate { old, new, how, score } = candidate;
        let (before, after) = (&self.old[old], &self.new[new]);
        let at: Path = before.keys.iter().cloned().map(Token::Key).collect();
        let mut found = Match {
            old: before.keys.clone(),
            new: after.keys.clone(),
            values: Vec::new(),
            score,
            because: String::new(),
            question,
        };
        match how {
            How::Value(evidence) => {
                found.because = format!("{} of {} values agree", evidence.agree, evidence.both);
                let keeps_null = matches!(evidence.relation, Relation::Equal | Relation::Convert(..));
                found.values = value_ops(&at, evidence, score);
                found.values.extend(fill::presence(&at, before, after, self.old).filter(|_| keeps_null));
            }
            How::Elements(inner, rows) => {
                found.because = format!("{rows} elements compared");
                let inside =
                    |keys: &Keys| -> Path { keys.iter().cloned().map(Token::Key).chain([Token::Any]).collect() };
                self.lists.extend(inner.phases.within(&inside(&before.keys), &inside(&after.keys)));
                self.unexplained.extend(inner.unexplained);
            }
        }
        self.take(old, new, found);
    }

    fn take(&mut self, old: usize, new: usize, found: Match) {
        self.free_old.remove(&old);
        self.free_new.remove(&new);
        self.matches.push((old, new, found));
    }

    fn finish(mut self) -> Found {
        let pairs = self.matches.len() + 2 * self.splits.len();
        let places = self.old.len().max(self.new.len());
        let mut matches: Vec<Match> = self.matches.iter().map(|(.., found)| found.clone()).collect();
        for split in &self.splits {
            matches.extend(split.matches(self.old, self.new));
        }
        // A body has no name that could be removed or added.
        if self.prefix.is_empty()
            && (self.free_old.iter().any(|at| self.old[*at].keys.is_empty())
                || self.free_new.iter().any(|at| self.new[*at].keys.is_empty()))
        {
            self.unexplained.push("body: it is another kind of value".to_owned());
            self.free_old.retain(|at| !self.old[*at].keys.is_empty());
            self.free_new.retain(|at| !self.new[*at].keys.is_empty());
        }
        let gone = self.free_old.iter().map(|at| fill::gone(&self.old[*at])).collect();
        let kept: Vec<(&Column<'_>, &Match)> =
            self.matches.iter().map(|(_, new, found)| (&self.new[*new], found)).collect();
        let come = self.free_new.iter().map(|at| fill::come(&self.new[*at], &kept, self.context)).collect();
        let mut phases = emit::phases(matches, gone, come);
        for split in &self.splits {
            phases.values.push(split.op(self.old, self.new));
        }
        self.lists.extend(phases);
        Found { phases: self.lists, unexplained: self.unexplained, matched: share(pairs, places) }
    }

    /// A place of this scope, as it is called in rules.
    fn place(&self, keys: &Keys) -> String {
        let mut at: Path = self.prefix.to_vec();
        at.extend(keys.iter().cloned().map(Token::Key));
        pointer(&at)
    }
}

/// The op that makes new values of old ones.
fn value_ops(at: &Path, evidence: Evidence, score: f64) -> Vec<Op> {
    let because = format!("{} of {} values agree", evidence.agree, evidence.both);
    let at = at.clone();
    let edit = match evidence.relation {
        Relation::Equal => return Vec::new(),
        Relation::Convert(conversion, way) => Edit::Convert { at, conversion, way },
        Relation::Map(pairs) => Edit::Map { at, pairs },
        Relation::Wrap { turned } => Edit::Wrap { at, into: None, turned },
    };
    let mut op = Op::new(edit, score, because);
    if !evidence.repeated {
        op.question = Some("are there other values? some were seen only once".to_owned());
    }
    vec![op]
}
