//! Drafting is measured on APIs that it has not seen: random schemas, and random changes that the engine carries out.
//!
//! A draft counts only if it does to documents that it was not made from exactly what the true change does to them,
//! in both directions.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use legato_proxy::draft::{self, Context, Pair};
use legato_proxy::json::{Limits, OnError, Program, Values, translate};
use legato_proxy::rules::{Direction, Mode, Ops};
use serde_json::{Map, Value, json};

use crate::support::random::Random;

/// How many changes of each kind.
const SEEDS: u64 = 20;
/// How many documents a draft has to reproduce.
const HELD_OUT: usize = 20;
/// From how many pairs, and the share of drafts that must be exact, in percent.
const BARS: [(usize, usize); 3] = [(3, 80), (10, 95), (20, 99)];

/// What a member holds.
#[derive(Debug, Clone, PartialEq)]
enum Type {
    Id,
    Money,
    Seconds,
    Millis,
    Flag,
    Text,
    Person,
    Enum(Vec<&'static str>),
    Constant(Value),
    Tags,
    Object(Vec<Member>),
    List(Vec<Member>),
}

#[derive(Debug, Clone, PartialEq)]
struct Member {
    name: String,
    holds: Type,
    optional: bool,
}

/// An API's only document type, and names that it does not use yet.
struct Schema {
    members: Vec<Member>,
    fresh: Vec<String>,
}

const NOUNS: [&str; 40] = [
    "account", "batch", "carrier", "depot", "engine", "folder", "garden", "harbor", "island", "jacket", "kernel",
    "ledger", "market", "needle", "office", "parcel", "quarry", "ribbon", "signal", "ticket", "urn", "valley",
    "window", "yard", "zone", "anchor", "bridge", "canyon", "desk", "fabric", "glacier", "hammer", "insect", "jungle",
    "kettle", "lantern", "mirror", "notebook", "orchard", "pillow",
];
const WORDS: [&str; 12] =
    ["amber", "slow", "river", "north", "quiet", "paper", "stone", "cloud", "green", "early", "noisy", "plain"];
const GIVEN: [&str; 10] = ["Ada", "Grace", "Alan", "Edsger", "Barbara", "Tony", "Zoë", "Ken", "Radia", "Niklaus"];
const FAMILY: [&str; 10] =
    ["Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Hoare", "Kay", "Thompson", "Perlman", "Wirth"];
const STATES: [[&str; 4]; 4] = [
    ["open", "paid", "closed", "void"],
    ["low", "normal", "high", "urgent"],
    ["web", "phone", "shop", "agent"],
    ["new", "used", "broken", "refurbished"],
];
const OTHER_STATES: [&str; 8] = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel"];

impl Schema {
    fn random(random: &mut Random) -> Self {
        let mut fresh: Vec<String> = NOUNS.iter().map(|name| (*name).to_owned()).collect();
        for at in (1..fresh.len()).rev() {
            fresh.swap(at, random.below(at + 1));
        }
        let mut schema = Self { members: Vec::new(), fresh };
        for holds in [Type::Id, Type::Money, Type::Seconds, Type::Flag, Type::Person, Type::Text] {
            schema.push(holds, random);
        }
        let state = schema.state(random);
        schema.push(state, random);
        for _ in 0..random.below(3) {
            let holds = schema.scalar(random);
            schema.push(holds, random);
        }
        schema.push(Type::Tags, random);
        let inner = [Type::Text, Type::Millis, Type::Id, schema.scalar(random)];
        let object = Type::Object(inner.map(|holds| schema.member(holds, random)).to_vec());
        schema.push(object, random);
        let state = schema.state(random);
        let inner = [Type::Id, Type::Text, Type::Money, Type::Flag, state];
        let list = Type::List(inner.map(|holds| schema.member(holds, random)).to_vec());
        schema.push(list, random);
        schema
    }

    fn scalar(&self, random: &mut Random) -> Type {
        match random.below(6) {
            0 => Type::Id,
            1 => Type::Money,
            2 => Type::Millis,
            3 => Type::Flag,
            4 => self.state(random),
            _ => Type::Text,
        }
    }

    #[expect(clippy::unused_self, reason = "an enumeration belongs to its schema")]
    fn state(&self, random: &mut Random) -> Type {
        let count = 2 + random.below(3);
        Type::Enum(random.pick(&STATES)[..count].to_vec())
    }

    fn name(&mut self) -> String {
        self.fresh.pop().expect("names enough")
    }

    fn member(&mut self, holds: Type, random: &mut Random) -> Member {
        let optional = !matches!(holds, Type::Object(_) | Type::List(_)) && random.below(8) == 0;
        Member { name: self.name(), holds, optional }
    }

    fn push(&mut self, holds: Type, random: &mut Random) {
        let member = self.member(holds, random);
        self.members.push(member);
    }

    /// A member of the root that holds this.
    fn find(&self, random: &mut Random, holds: impl Fn(&Type) -> bool) -> String {
        let names: Vec<&String> = self.members.iter().filter(|m| holds(&m.holds)).map(|m| &m.name).collect();
        (*random.pick(&names)).clone()
    }

    /// The object or list of the root, and its members.
    fn nested(&self, list: bool) -> (&str, &[Member]) {
        let found = self.members.iter().find_map(|member| match &member.holds {
            Type::Object(inner) if !list => Some((member.name.as_str(), inner.as_slice())),
            Type::List(inner) if list => Some((member.name.as_str(), inner.as_slice())),
            _ => None,
        });
        found.expect("every schema has both")
    }

    /// Where a value of this type is: in the root or in the list.
    fn place(&self, random: &mut Random, holds: impl Fn(&Type) -> bool) -> String {
        let (list, inner) = self.nested(true);
        let inside = inner.iter().find(|member| holds(&member.holds));
        match inside {
            Some(member) if random.below(3) == 0 => format!("/{list}/*/{}", member.name),
            _ => format!("/{}", self.find(random, holds)),
        }
    }
}

fn object(members: &[Member], random: &mut Random) -> Value {
    let mut object = Map::new();
    for member in members {
        if !member.optional || random.below(5) > 0 {
            let null = member.optional && random.below(10) == 0;
            object.insert(member.name.clone(), if null { Value::Null } else { value(&member.holds, random) });
        }
    }
    Value::Object(object)
}

fn value(holds: &Type, random: &mut Random) -> Value {
    match holds {
        Type::Id => json!(10_000 + random.below(9_000_000)),
        Type::Money => json!(50 + random.below(200_000)),
        Type::Seconds => json!(1_600_000_000 + random.below(160_000_000)),
        Type::Millis => json!(1_600_000_000_000_u64 + random.below(160_000_000_000) as u64),
        Type::Flag => json!(random.below(2) == 0),
        Type::Text => {
            let words: Vec<&str> = (0..2 + random.below(4)).map(|_| *random.pick(&WORDS)).collect();
            json!(words.join(" "))
        }
        Type::Person => {
            let middle = if random.below(3) == 0 { format!(" {}", random.pick(&GIVEN)) } else { String::new() };
            json!(format!("{}{middle} {}", random.pick(&GIVEN), random.pick(&FAMILY)))
        }
        Type::Enum(values) => json!(random.pick(values)),
        Type::Constant(value) => value.clone(),
        Type::Tags => (0..random.below(4)).map(|_| json!(random.pick(&WORDS))).collect(),
        Type::Object(members) => object(members, random),
        Type::List(members) => (0..random.below(4)).map(|_| object(members, random)).collect(),
    }
}

type Recipe = fn(&mut Schema, &mut Random) -> String;

/// The kinds of change, each of which writes its ops.
const KINDS: [(&str, Recipe); 19] = [
    ("rename", rename),
    ("rename in a list", rename_in_list),
    ("rename a list", |s, _| format!("- rename: {{/{}: {}}}\n", s.nested(true).0.to_owned(), s.name())),
    ("move", move_leaf),
    ("move a subtree", |s, _| {
        format!("- move: {{from: /{}, to: /{}/{}}}\n", s.nested(false).0.to_owned(), s.name(), s.name())
    }),
    ("hoist", hoist),
    ("plunge", |s, r| {
        format!("- move: {{from: /{}, to: /{}/{}}}\n", s.find(r, scalar), s.nested(false).0.to_owned(), s.name())
    }),
    ("change list elements", change_elements),
    ("split", split),
    ("enum", enumeration),
    ("flag to enum", |s, r| {
        format!("- map: {{at: {}, pairs: [[true, alpha], [false, bravo]]}}\n", s.place(r, |t| *t == Type::Flag))
    }),
    ("money", |s, r| {
        format!(
            "- convert: {{at: {}, from: minor_units, to: decimal_string, scale: 2}}\n",
            s.place(r, |t| *t == Type::Money)
        )
    }),
    ("timestamp", timestamp),
    ("id to string", |s, r| {
        format!("- convert: {{at: {}, from: integer, to: string}}\n", s.place(r, |t| *t == Type::Id))
    }),
    ("wrap", wrap),
    ("add", add),
    ("remove", remove),
    ("envelope", |s, _| {
        format!("- envelope: {{key: {}, with: {{meta: {{version: $version, timestamp: $now}}}}}}\n", s.name())
    }),
    ("six at once", six),
];

fn scalar(holds: &Type) -> bool {
    !matches!(holds, Type::Object(_) | Type::List(_) | Type::Tags)
}

fn rename(schema: &mut Schema, random: &mut Random) -> String {
    let (first, second) = (schema.find(random, scalar), schema.find(random, |t| !scalar(t)));
    format!("- rename: {{/{first}: {}, /{second}: {}}}\n", schema.name(), schema.name())
}

fn rename_in_list(schema: &mut Schema, random: &mut Random) -> String {
    let (list, inner) = schema.nested(true);
    let at = format!("/{list}/*/{}", random.pick(inner).name);
    format!("- rename: {{{at}: {}}}\n", schema.name())
}

fn move_leaf(schema: &mut Schema, random: &mut Random) -> String {
    format!("- move: {{from: /{}, to: /{}/{}}}\n", schema.find(random, scalar), schema.name(), schema.name())
}

fn hoist(schema: &mut Schema, random: &mut Random) -> String {
    let (parent, inner) = schema.nested(false);
    let from = format!("/{parent}/{}", random.pick(inner).name);
    format!("- move: {{from: {from}, to: /{}}}\n", schema.name())
}

fn change_elements(schema: &mut Schema, _: &mut Random) -> String {
    let (list, inner) = schema.nested(true);
    let at = |member: usize| format!("/{list}/*/{}", inner[member].name);
    let (id, text, money) = (at(0), at(1), at(2));
    let list = list.to_owned();
    let (name, parent, leaf) = (schema.name(), schema.name(), schema.name());
    format!(
        "- convert: {{at: {money}, from: minor_units, to: decimal_string, scale: 2}}\n- rename: {{{id}: {name}}}\n- move: {{from: {text}, to: /{list}/*/{parent}/{leaf}}}\n"
    )
}

fn enumeration(schema: &mut Schema, random: &mut Random) -> String {
    let (place, values) = {
        let members = schema.members.iter().map(|m| (format!("/{}", m.name), &m.holds));
        let (list, inner) = schema.nested(true);
        let all: Vec<_> = members.chain(inner.iter().map(|m| (format!("/{list}/*/{}", m.name), &m.holds))).collect();
        let enums: Vec<_> = all
            .into_iter()
            .filter_map(|(at, holds)| if let Type::Enum(values) = holds { Some((at, values.clone())) } else { None })
            .collect();
        random.pick(&enums).clone()
    };
    let first = random.below(4);
    let pairs: Vec<String> =
        values.iter().zip(&OTHER_STATES[first..]).map(|(old, new)| format!("[{old}, {new}]")).collect();
    format!("- map: {{at: {place}, pairs: [{}]}}\n", pairs.join(", "))
}

fn timestamp(schema: &mut Schema, random: &mut Random) -> String {
    let (parent, inner) = schema.nested(false);
    let millis = inner.iter().find(|m| m.holds == Type::Millis).expect("a time");
    match random.below(2) {
        0 => format!("- convert: {{at: /{parent}/{}, from: unix_millis, to: rfc3339}}\n", millis.name),
        _ => {
            format!(
                "- convert: {{at: /{}, from: unix_seconds, to: rfc3339}}\n",
                schema.find(random, |t| *t == Type::Seconds)
            )
        }
    }
}

fn split(schema: &mut Schema, random: &mut Random) -> String {
    let at = schema.find(random, |holds| *holds == Type::Person);
    let take = *random.pick(&["last", "last", "last", "first"]);
    format!("- split: {{at: /{at}, into: [/{}, /{}], sep: \" \", take: {take}}}\n", schema.name(), schema.name())
}

fn wrap(schema: &mut Schema, random: &mut Random) -> String {
    // Null and `[]` are one value of a list of one, so that a member that is always there is wrapped.
    let names: Vec<String> =
        schema.members.iter().filter(|m| scalar(&m.holds) && !m.optional).map(|m| m.name.clone()).collect();
    let at = random.pick(&names);
    match random.below(2) {
        0 => format!("- wrap: {{at: /{at}, into: array}}\n"),
        _ => format!("- wrap: {{at: /{at}, into: {{key: {}}}}}\n", schema.name()),
    }
}

fn add(schema: &mut Schema, random: &mut Random) -> String {
    let (name, parent) = (schema.name(), schema.name());
    let list = schema.nested(true).0;
    match random.below(4) {
        0 => format!("- add: {{at: /{name}, default: {{value: {}}}}}\n", 100 + random.below(900)),
        1 => format!("- add: {{at: /{list}/*/{name}, default: {{value: false}}}}\n"),
        2 => format!("- add: {{at: /{parent}/{name}, default: {{value: standard}}, create: true}}\n"),
        _ => format!("- add: {{at: /{parent}/timestamp, default: {{value: $now}}, create: true}}\n"),
    }
}

fn remove(schema: &mut Schema, random: &mut Random) -> String {
    let constant = random.pick(&[json!(false), json!("legacy"), json!(3), json!(null), json!({})]).clone();
    let name = schema.name();
    schema.members.push(Member { name: name.clone(), holds: Type::Constant(constant.clone()), optional: false });
    format!("- remove: {{at: /{name}, restore: {{value: {constant}}}}}\n")
}

fn six(schema: &mut Schema, random: &mut Random) -> String {
    let (list, inner) = schema.nested(true);
    let (list, id) = (list.to_owned(), inner[0].name.clone());
    let subtree = schema.nested(false).0.to_owned();
    let of = |schema: &Schema, random: &mut Random, holds: Type| schema.find(random, move |t| *t == holds);
    let (money, time, person) =
        (of(schema, random, Type::Money), of(schema, random, Type::Seconds), of(schema, random, Type::Person));
    let mut ops = String::new();
    let mut say = |op: String| writeln!(ops, "- {op}").expect("a string");
    say(format!("convert: {{at: /{money}, from: minor_units, to: decimal_string, scale: 2}}"));
    say(format!("convert: {{at: /{time}, from: unix_seconds, to: rfc3339}}"));
    say(format!("rename: {{/{list}/*/{id}: {}, /{person}: {}}}", schema.name(), schema.name()));
    say(format!("move: {{from: /{subtree}, to: /{}/{}}}", schema.name(), schema.name()));
    say(format!("add: {{at: /{}, default: {{value: standard}}}}", schema.name()));
    say(format!("envelope: {{key: {}, with: {{meta: {{version: $version}}}}}}", schema.name()));
    ops
}

/// Ops, both ways.
struct Change {
    up: Arc<Program>,
    down: Arc<Program>,
}

impl Change {
    fn new(ops: &str) -> Self {
        let ops = Ops::parse(ops, "change").unwrap_or_else(|found| panic!("{found:?}\n{ops}"));
        Self { up: ops.program(Direction::Up, Mode::Full), down: ops.program(Direction::Down, Mode::Full) }
    }

    fn run(program: &Arc<Program>, document: &[u8], now: usize) -> Option<Vec<u8>> {
        let now = format!("2026-03-01T00:{:02}:{:02}Z", now / 60 % 60, now % 60);
        let values = Values {
            now,
            version: "v2".into(),
            uuids: legato_proxy::json::Uuids::default(),
            on_error: OnError::Reject,
        };
        translate(program, &values, Limits::default(), Bytes::copy_from_slice(document)).ok().map(|done| done.body)
    }
}

fn same(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    let value = |text: Option<&[u8]>| text.map(|text| serde_json::from_slice::<Value>(text).expect("JSON"));
    value(a).is_some() && value(a) == value(b)
}

/// Whether a draft from some pairs does the same as the truth to other documents; what it was, if it does not.
fn measure(schema: &Schema, truth: &Change, pairs: usize, random: &mut Random) -> Result<(), String> {
    let document = |random: &mut Random| object(&schema.members, random).to_string().into_bytes();
    let samples: Vec<Pair> = (0..pairs)
        .map(|at| {
            let old = document(random);
            let new = Change::run(&truth.up, &old, at).expect("the truth holds for its documents");
            Pair { old, new }
        })
        .collect();
    let context = Context { newer: "v2".to_owned(), older: "v1".to_owned(), ..Context::default() };
    let text = draft::draft(&samples, &context).bare_ops();
    let drafted = Change::new(&text);
    for at in 0..HELD_OUT {
        let old = document(random);
        let new = Change::run(&truth.up, &old, at).expect("the truth holds for its documents");
        let back = Change::run(&truth.down, &new, at);
        let up = Change::run(&drafted.up, &old, at);
        let down = Change::run(&drafted.down, &new, at);
        if !same(up.as_deref(), Some(&new)) || !same(down.as_deref(), back.as_deref()) {
            return Err(text);
        }
    }
    Ok(())
}

/// How many drafts of a kind are exact, for each number of pairs, and those that are not.
fn measure_kind(kind: &str, recipe: Recipe) -> ([usize; BARS.len()], String) {
    let (mut exact, mut failures) = ([0; BARS.len()], String::new());
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let mut schema = Schema::random(&mut random);
        let ops = recipe(&mut schema, &mut random);
        let truth = Change::new(&ops);
        for (at, (pairs, _)) in BARS.iter().enumerate() {
            match measure(&schema, &truth, *pairs, &mut random) {
                Ok(()) => exact[at] += 1,
                Err(text) => {
                    writeln!(failures, "{kind}, seed {seed}, {pairs} pairs\n{ops}drafted\n{text}").expect("a string");
                }
            }
        }
    }
    (exact, failures)
}

/// All kinds, on a few threads.
fn measure_all() -> Vec<([usize; BARS.len()], String)> {
    const THREADS: usize = 4;
    let work = |thread: usize| {
        let own = KINDS.iter().enumerate().filter(move |(at, _)| at % THREADS == thread);
        own.map(|(at, (kind, recipe))| (at, measure_kind(kind, *recipe))).collect::<Vec<_>>()
    };
    let mut found: Vec<(usize, _)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no thread fails")).collect()
    });
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, measured)| measured).collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are what the test is for")]
fn drafts_reproduce_documents_that_they_were_not_made_from() {
    let measured = measure_all();
    let all = KINDS.len() * usize::try_from(SEEDS).expect("few");
    let mut exact = [0_usize; BARS.len()];
    println!("| kind of change | {} |", BARS.map(|(pairs, _)| format!("{pairs} pairs")).join(" | "));
    println!("|---|{}", "---|".repeat(BARS.len()));
    for ((kind, _), (of_kind, _)) in KINDS.iter().zip(&measured) {
        println!("| {kind} | {} |", of_kind.map(|count| format!("{count}/{SEEDS}")).join(" | "));
        exact.iter_mut().zip(of_kind).for_each(|(sum, count)| *sum += count);
    }
    println!("| all | {} |", exact.map(|count| format!("{} %", 100 * count / all)).join(" | "));
    for (_, failures) in &measured {
        print!("{failures}");
    }
    for ((pairs, bar), count) in BARS.iter().zip(exact) {
        assert!(100 * count >= bar * all, "{count} of {all} from {pairs} pairs, below {bar} %");
    }
}
