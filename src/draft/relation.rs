//! How the values of an old place and of a new one are related, and how much that says.

use crate::json::{Conversion, Items, Kind, Way, same};

use super::columns::{Column, Text};

/// What turns old values into new ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Relation {
    /// Nothing: they are equal.
    Equal,
    /// A pair of formats.
    Convert(Conversion, Way),
    /// Values correspond: old and new.
    Map(Vec<(String, String)>),
    /// The new value is a list with the old one, or the other way round if turned.
    Wrap { turned: bool },
}

/// A relation and what speaks for it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Evidence {
    /// What it is.
    pub(super) relation: Relation,
    /// In how many rows it holds.
    pub(super) agree: usize,
    /// How many rows have both values.
    pub(super) both: usize,
    /// From 0 to 1: agreement, coverage and how unlikely a coincidence is.
    pub(super) weight: f64,
    /// For a map, whether every pair was seen more than once.
    pub(super) repeated: bool,
}

/// How a map is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maps {
    /// Only where values come again and agree.
    Seen,
    /// Also where each pair was seen once: something else says that the places belong together.
    Believed,
}

/// Values of an enumeration are few.
const MOST_PAIRS: usize = 8;
/// The share of rows in which equal values must be equal; the rest is noise.
const EQUAL_ENOUGH: f64 = 0.95;

/// The simplest relation between two columns; `None` if there is none.
#[must_use]
pub(super) fn relate(old: &Column<'_>, new: &Column<'_>, maps: Maps) -> Option<Evidence> {
    let rows = Rows::new(old, new);
    if rows.values.is_empty() {
        return None;
    }
    if let Some(equal) = nearly_all_equal(&rows.values) {
        return Some(rows.evidence(Relation::Equal, equal));
    }
    let exact = |relation| rows.evidence(relation, rows.values.len());
    convert(&rows).or_else(|| wrap(&rows)).map(exact).or_else(|| map(&rows, maps))
}

/// How many rows are equal, if the others can be noise.
fn nearly_all_equal(rows: &[(Text<'_>, Text<'_>)]) -> Option<usize> {
    let enough = |differ: usize| share(rows.len() - differ, rows.len()) >= EQUAL_ENOUGH;
    let mut differ = 0;
    for (old, new) in rows {
        differ += usize::from(!same(old, new));
        if !enough(differ) {
            return None;
        }
    }
    Some(rows.len() - differ)
}

/// The rows that have both values, and how many have one at all.
struct Rows<'a> {
    values: Vec<(Text<'a>, Text<'a>)>,
    /// How many have one at least.
    either: usize,
    /// All rows.
    all: usize,
}

impl<'a> Rows<'a> {
    fn new(old: &Column<'a>, new: &Column<'a>) -> Self {
        let cells = || old.cells.iter().zip(&new.cells);
        let values = cells().filter_map(|(old, new)| Some(((*old)?, (*new)?))).collect();
        // Null on one side and nothing on the other is one absence in two spellings.
        let absent = |cell: &Option<Text<'_>>| cell.is_none_or(|text| Kind::of(text) == Kind::Null);
        let either = cells().filter(|(old, new)| !(absent(old) && absent(new)) || old.is_some() && new.is_some());
        Self { either: either.count(), values, all: old.cells.len() }
    }

    fn evidence(&self, relation: Relation, agree: usize) -> Evidence {
        let bits = self.bits(!matches!(relation, Relation::Map(_)));
        let weight =
            share(agree, self.values.len()) * share(self.values.len(), self.either) * (1.0 - (-bits / 3.0).exp2());
        Evidence { relation, agree, both: self.values.len(), weight, repeated: true }
    }

    /// How surprising it would be for all rows to agree by chance, in bits: what a value has in itself the first time,
    /// and how rare it is among the rows each time that it comes again.
    fn bits(&self, content: bool) -> f64 {
        let mut seen: Vec<(Text<'_>, usize)> = Vec::new();
        for (_, new) in &self.values {
            match seen.iter_mut().find(|(value, _)| value == new) {
                Some((_, count)) => *count += 1,
                None => seen.push((new, 1)),
            }
        }
        let of = |(value, count): &(Text<'_>, usize)| {
            let rarity = -share(*count, self.values.len()).log2();
            let first = if content { content_bits(value) } else { 0.0 };
            first + number(count - 1) * rarity
        };
        seen.iter().map(of).sum::<f64>() + self.pattern_bits()
    }

    /// The same for optional values that are missing in the same rows.
    fn pattern_bits(&self) -> f64 {
        let aligned = self.either == self.values.len();
        if aligned { number(self.all) * entropy(share(self.either, self.all)) } else { 0.0 }
    }

    /// The pairs that are no null on both sides, which every value op lets pass.
    fn telling(&self) -> impl Iterator<Item = &(Text<'a>, Text<'a>)> + Clone {
        self.values.iter().filter(|(old, new)| !(Kind::of(old) == Kind::Null && Kind::of(new) == Kind::Null))
    }
}

/// The information of one choice with these odds.
fn entropy(odds: f64) -> f64 {
    if odds <= 0.0 || odds >= 1.0 { 0.0 } else { -odds * odds.log2() - (1.0 - odds) * (1.0 - odds).log2() }
}

/// How unlikely a value is by itself: `true` says nothing, a long number or word says much.
fn content_bits(text: Text<'_>) -> f64 {
    match Kind::of(text) {
        Kind::Null | Kind::Boolean => 0.5,
        _ if matches!(text, b"0" | b"1" | b"\"\"") => 0.5,
        Kind::Array | Kind::Object => {
            if text.len() < 4 {
                0.5
            } else {
                16.0
            }
        }
        Kind::Number => (2.5 * number(text.len())).min(16.0),
        Kind::String => (2.5 * number(text.len() - 2)).clamp(3.0, 16.0),
    }
}

/// A count to reckon with.
#[expect(clippy::cast_precision_loss, reason = "counts of rows and letters are small")]
pub(super) fn number(count: usize) -> f64 {
    count as f64
}

/// `part` of `whole`, from 0 to 1.
#[must_use]
pub(super) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { number(part) / number(whole) }
}

/// The pair of formats that is exact both ways in every row, or at least reads every new value back.
fn convert(rows: &Rows<'_>) -> Option<Relation> {
    let (old, new) = rows.telling().next()?;
    // Every pair of formats is of two kinds.
    if Kind::of(old) == Kind::of(new) {
        return None;
    }
    let holds = |conversion: &Conversion, way: Way, strict: bool| {
        rows.telling().all(|(old, new)| {
            let there = conversion.run(way, old).is_some_and(|found| same(&found, new));
            let back = conversion.run(way.turned(), new).is_some_and(|found| same(&found, old));
            if strict { there && back } else { (there || back) && is_time(conversion) }
        })
    };
    let all = || catalogue().into_iter().flat_map(|c| [(c.clone(), Way::There), (c, Way::Back)]);
    let found = all().find(|(c, way)| holds(c, *way, true)).or_else(|| all().find(|(c, way)| holds(c, *way, false)));
    found.map(|(conversion, way)| Relation::Convert(conversion, way))
}

/// Times have several spellings, so that one direction may be right and not equal to the letter.
fn is_time(conversion: &Conversion) -> bool {
    matches!(conversion, Conversion::UnixSecondsRfc3339 | Conversion::UnixMillisRfc3339)
}

/// Every pair of formats, the commoner first.
fn catalogue() -> Vec<Conversion> {
    let mut all = vec![
        Conversion::IntegerString,
        Conversion::NumberString,
        Conversion::BooleanString,
        Conversion::BooleanInteger,
        Conversion::UnixSecondsRfc3339,
        Conversion::UnixMillisRfc3339,
    ];
    all.extend([2, 3, 1, 4].map(Conversion::MinorUnitsDecimal));
    all.extend([", ", ",", ";", "|", " "].map(|separator| Conversion::CsvArray(separator.to_owned())));
    all
}

fn wrap(rows: &Rows<'_>) -> Option<Relation> {
    let is_list_of = |list: Text<'_>, value: Text<'_>| {
        let mut items = Items::new(list, 0);
        Kind::of(list) == Kind::Array
            && match (items.next(), items.next()) {
                (Some(item), None) => same(&list[item.value], value),
                (None, _) => Kind::of(value) == Kind::Null,
                _ => false,
            }
    };
    let tells = |list: usize| list > 0;
    let lists = |side: fn(&(Text<'_>, Text<'_>)) -> bool| rows.values.iter().filter(|row| side(row)).count();
    if tells(lists(|(_, new)| new.len() > 2)) && rows.values.iter().all(|(old, new)| is_list_of(new, old)) {
        return Some(Relation::Wrap { turned: false });
    }
    let turned = tells(lists(|(old, _)| old.len() > 2)) && rows.values.iter().all(|(old, new)| is_list_of(old, new));
    turned.then_some(Relation::Wrap { turned: true })
}

/// Every old value has one new value, and there are few.
fn map(rows: &Rows<'_>, maps: Maps) -> Option<Evidence> {
    let mut pairs: Vec<(Text<'_>, Text<'_>, usize)> = Vec::new();
    for (old, new) in rows.telling() {
        match pairs.iter_mut().find(|(value, ..)| same(value, old)) {
            Some((_, partner, count)) if same(partner, new) => *count += 1,
            Some(_) => return None,
            None => pairs.push((old, new, 1)),
        }
    }
    let few = pairs.len() <= MOST_PAIRS && pairs.iter().all(|(old, new, _)| is_word(old) && is_word(new));
    let total: usize = pairs.iter().map(|(.., count)| count).sum();
    // A constant on one side would be "explained" by anything.
    let constant = pairs.len() > 1 && pairs.iter().all(|(_, new, _)| same(new, pairs[0].1));
    let seen = total > pairs.len() && pairs.len() > 1;
    if !few || pairs.is_empty() || constant || (maps == Maps::Seen && !seen) {
        return None;
    }
    let repeated = pairs.iter().all(|(.., count)| *count > 1);
    // Where several share a new value the first pair decides on the way down: the commonest comes first.
    pairs.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(b.0)));
    let text = |text: Text<'_>| String::from_utf8_lossy(text).into_owned();
    let pairs = pairs.iter().map(|(old, new, _)| (text(old), text(new))).collect();
    Some(Evidence { repeated, ..rows.evidence(Relation::Map(pairs), rows.values.len()) })
}

/// Whether a value could be one of an enumeration.
fn is_word(text: Text<'_>) -> bool {
    match Kind::of(text) {
        Kind::String => text.len() <= 34 && !text.contains(&b' '),
        Kind::Number => text.len() <= 3,
        Kind::Boolean | Kind::Null => true,
        Kind::Array | Kind::Object => false,
    }
}
