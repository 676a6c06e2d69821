//! Random ops and documents.

use serde_json::{Value, json};

use super::oracle;
use super::random::Random;

/// Few, so that ops and documents meet often.
pub(crate) const NAMES: &[&str] = &["a", "b", "c", "d", "e", "a", "b", "c", "x_y", "xY", "0"];

fn random_path(random: &mut Random, most: usize) -> String {
    (0..=random.below(most))
        .map(|_| if random.below(4) == 0 { "/*".to_owned() } else { format!("/{}", random.pick(NAMES)) })
        .collect()
}

fn random_member(random: &mut Random) -> String {
    let above = if random.below(2) == 0 { String::new() } else { random_path(random, 2) };
    format!("{above}/{}", random.pick(NAMES))
}

/// An op; `depth`: how many others it is in.
pub(crate) fn random_op(random: &mut Random, depth: usize) -> Value {
    let mut op = match random.below(if depth > 1 { 20 } else { 22 }) {
        0 | 1 => {
            let above = if random.below(2) == 0 { String::new() } else { random_path(random, 1) };
            let mut entries = serde_json::Map::new();
            let mut targets = NAMES.to_vec();
            for _ in 0..=random.below(2) {
                let target = targets.remove(random.below(targets.len()));
                targets.retain(|other| *other != target);
                entries.insert(format!("{above}/{}", random.pick(NAMES)), json!(target));
            }
            json!({ "rename": entries })
        }
        2 | 9 | 10 => {
            let above = if random.below(3) == 0 { "/*" } else { "" };
            let path = |random: &mut Random| {
                format!(
                    "{above}{}",
                    (0..=random.below(2)).map(|_| ["/", *random.pick(NAMES)].concat()).collect::<String>()
                )
            };
            json!({"move": {"from": path(random), "to": path(random), "conflict": random.pick(&["shadow", "keep", "fail"])}})
        }
        3 | 4 => {
            let (name, default) = *random.pick(&[("add", "default"), ("remove", "restore")]);
            let mut op = json!({name: {"at": random_member(random), "create": random.below(3) == 0}});
            op[name][default] = random_default(random);
            if random.below(4) == 0 {
                op[name]["lose"] = json!("fail");
            }
            op
        }
        5 => {
            json!({"map": {"at": random_path(random, 2), "pairs": [[1, "x"], ["x", true], [null, 2]], "else": random.pick(&["keep", "fail", "drop"])}})
        }
        6 => {
            json!({"convert": {"at": random_path(random, 2), "from": "integer", "to": "string", "else": random.pick(&["keep", "fail"])}})
        }
        7 => {
            let into =
                if random.below(2) == 0 { json!("array") } else { json!({"key": "a", "with": {"b": "$version"}}) };
            json!({*random.pick(&["wrap", "unwrap"]): {"at": random_path(random, 1), "into": into, "many": "first", "else": "keep"}})
        }
        8 => {
            json!({"envelope": {"key": random.pick(NAMES), "with": {"e": {"v": "$version", "t": "$now"}}, "else": random.pick(&["fail", "keep"])}})
        }
        11 => {
            let above = if random.below(2) == 0 { String::new() } else { random_path(random, 1) };
            json!({"split": {"at": format!("{above}/{}", random.pick(NAMES)), "into": [format!("{above}/b"), format!("{above}/c")], "sep": random.pick(&["c", "x", "\n"]), "take": random.pick(&["first", "last"]), "missing": random.pick(&[json!("absent"), json!({"value": "y"})]), "else": random.pick(&[json!("keep"), json!("fail"), json!("drop"), json!({"value": "axb"}), json!({"value": 1})])}})
        }
        12 => {
            let mut op =
                json!({"entries": {"at": random_path(random, 1), "key": "a", "else": random.pick(&["keep", "fail"])}});
            if random.below(2) == 0 {
                op["entries"]["value"] = json!("b");
            }
            op
        }
        13 => {
            json!({"tuple": {"at": random_path(random, 1), "keys": ["a", "b"], "extra": random.pick(&["drop", "fail"]), "else": "keep"}})
        }
        14 if depth == 0 => {
            json!({"spread": {"from": format!("/{}", random.pick(NAMES)), "to": format!("{}/*/{}", random_path(random, 1), random.pick(NAMES)), "collapse": random.pick(&["same", "first", "last", "max"]), "empty": random.pick(&["lose", "fail"])}})
        }
        15 => {
            let fill = |random: &mut Random| {
                random
                    .pick(&[
                        json!("keep"),
                        json!("absent"),
                        json!("null"),
                        json!("fail"),
                        json!({"value": 7}),
                        json!({"from": "/a"}),
                    ])
                    .clone()
            };
            let side = |random: &mut Random| json!({"null": fill(random), "missing": fill(random)});
            json!({"presence": {"at": random_member(random), "up": side(random), "down": side(random)}})
        }
        16 => json!({"recase": {"from": "snake", "to": "camel", "except": [random.pick(NAMES)]}}),
        17 => {
            json!({"drop": {"at": format!("{}/*", random_path(random, 1)), "when": {"/a": random.pick(&[json!(1), json!({"exists": true})])}, "on": random.pick(&["up", "down"])}})
        }
        14 => json!({"drop": {"at": "/*", "when": {"/a": 1}}}),
        // Compiling a program takes longer than all else here.
        19 if random.below(3) == 0 => {
            let [up, down] = random.pick(oracle::JQ);
            json!({"jq": {"at": random_path(random, 1), "up": up, "down": down}})
        }
        18 | 19 => {
            let (bound, cut) = *random.pick(&[("max_length", "truncate"), ("max_items", "truncate"), ("max", "clamp")]);
            let over =
                random.pick(&[json!(cut), json!(cut), json!("drop"), json!("fail"), json!({"value": 3})]).clone();
            json!({"limit": {"at": random_path(random, 1), bound: random.pick(&[0, 0, 1, 2, 8]), "over": over, "on": random.pick(&["up", "down"])}})
        }
        _ => {
            json!({"each": {"at": random_path(random, 1), "ops": (0..=random.below(1)).map(|_| random_op(random, depth + 1)).collect::<Vec<_>>()}})
        }
    };
    if random.below(6) == 0 {
        let guard = match random.below(3) {
            0 => json!({"exists": random.below(2) == 0}),
            1 => json!({"in": [1, "x", null]}),
            _ => json!({"not_in": [1, "x"]}),
        };
        op["where"] = json!({format!("/{}", random.pick(NAMES)): guard});
    }
    op
}

fn random_default(random: &mut Random) -> Value {
    match random.below(4) {
        0 => json!("absent"),
        1 => json!({"from": format!("/{}", random.pick(NAMES))}),
        _ => json!({"value": random.pick(&["x", "$now", "y", "$uuid"])}),
    }
}

/// A document, or a value `depth` levels inside one.
pub(crate) fn random_value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth > 3 { 5 } else { 9 }) {
        0 => json!(1),
        1 => json!("x"),
        2 => json!(null),
        3 => json!(true),
        4 => json!("Ünï\n\"c\u{1F600}de"),
        5 => (0..random.below(4)).map(|_| random_value(random, depth + 1)).collect(),
        _ => Value::Object(
            (0..random.below(5)).map(|_| ((*random.pick(NAMES)).to_owned(), random_value(random, depth + 1))).collect(),
        ),
    }
}
