//! Two changes of one version for which no order is asked (`CF201`) come to the same in both orders.

use legato_proxy::diagnostic::Source;
use legato_proxy::json::{Limits, OnError, Uuids, Values, translate};
use legato_proxy::rules::{Direction, Mode, Ops, compile};
use serde_json::{Value, json};

use crate::support::random::Random;

const API: &str = "legato: 1\napi: chat\nversions: [{id: \"1\"}, {id: \"2\"}]\nclient_version: [{default: \"1\"}]\n";
const LITERALS: [&str; 4] = ["a", "b", "c", "d"];

/// An op on one of few places, so that two of them often meet.
fn random_op(random: &mut Random) -> Value {
    let place = |random: &mut Random| *random.pick(&["/s", "/t", "/*/s"]);
    let mut op = match random.below(6) {
        0 => json!({"rename": {*random.pick(&["/s", "/t"]): random.pick(&["s", "u", "v"])}}),
        1 => json!({"add": {"at": "/u", "default": {"value": random.pick(&LITERALS)}}}),
        2 => json!({"each": {"at": "/*", "ops": [{"map": map(random, "/s")}]}}),
        _ => {
            let at = place(random);
            json!({"map": map(random, at)})
        }
    };
    let guard = |random: &mut Random| {
        let listed = [random.pick(&LITERALS), random.pick(&LITERALS)];
        match random.below(3) {
            0 => json!({"/s": {"exists": random.below(2) == 0}}),
            1 => json!({"/s": {"in": listed}}),
            _ => json!({"/t": {"not_in": listed}}),
        }
    };
    if random.below(3) == 0 {
        op["where"] = guard(random);
        op["where_down"] = guard(random);
    }
    op
}

fn map(random: &mut Random, at: &str) -> Value {
    let pairs: Vec<Value> =
        (0..=random.below(2)).map(|_| json!([random.pick(&LITERALS), random.pick(&LITERALS)])).collect();
    let otherwise = [json!("keep"), json!("keep"), json!("keep"), json!("fail"), json!("drop"), json!({"value": "a"})];
    json!({"at": at, "pairs": pairs, "else": random.pick(&otherwise)})
}

fn random_document(random: &mut Random) -> String {
    let value = |random: &mut Random| match random.below(6) {
        0 => json!(null),
        1 => json!("other"),
        _ => json!(random.pick(&LITERALS)),
    };
    let mut document = json!({});
    for name in ["s", "t", "u"] {
        if random.below(4) > 0 {
            document[name] = value(random);
        }
    }
    document["deep"] = json!({"s": value(random)});
    document.to_string()
}

/// Whether an order is asked for.
fn asks(one: &Value, other: &Value) -> bool {
    let change = |name: &str, ops: &Value| Source {
        file: format!("chat/changes/2/20250101_{name}.yaml"),
        text: format!(
            "change: {name}\nsince: \"2\"\nsummary: s\napply: [{{http: GET /m, response: {{2xx: {ops}}}}}]\n"
        ),
    };
    let api = Source { file: "chat/api.yaml".into(), text: API.into() };
    let found = compile(&[api, change("one", one), change("other", other)]).diagnostics;
    let unexpected = found.iter().find(|d| d.code.starts_with("RL") || d.code.starts_with("YM"));
    assert!(unexpected.is_none(), "{unexpected:?} of {one} and {other}");
    found.iter().any(|d| d.code == "CF201")
}

#[test]
fn where_no_order_is_asked_for_there_is_none() {
    let mut settled = 0;
    for seed in 0..400 {
        let mut random = Random(seed);
        let mut list = || (0..=random.below(4) / 3).map(|_| random_op(&mut random)).collect::<Value>();
        let (one, other) = (list(), list());
        if asks(&one, &other) {
            continue;
        }
        settled += 1;
        let joined = |first: &Value, second: &Value| {
            let all: Vec<&Value> = [first, second].into_iter().filter_map(Value::as_array).flatten().collect();
            Ops::parse(&json!(all).to_string(), "ops.yaml").expect("ops")
        };
        let orders = [joined(&one, &other), joined(&other, &one)];
        for direction in [Direction::Up, Direction::Down] {
            let programs = orders.each_ref().map(|ops| ops.program(direction, Mode::Full));
            for _ in 0..12 {
                let document = random_document(&mut random);
                for on_error in [OnError::Reject, OnError::BestEffort] {
                    let values = Values { on_error, uuids: Uuids::default(), ..Values::default() };
                    let run = |at: usize| {
                        let done = translate(&programs[at], &values, Limits::default(), document.clone().into());
                        done.ok().map(|done| serde_json::from_slice::<Value>(&done.body).expect("JSON"))
                    };
                    let told = || format!("seed {seed}, {direction:?} {on_error:?}: {one} and {other} of {document}");
                    assert_eq!(run(0), run(1), "{}", told());
                }
            }
        }
    }
    assert!(settled > 50, "{settled} pairs only");
}
