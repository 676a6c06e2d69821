//! What programs may do, and that none runs without end.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::json::{Translator, Values};
use crate::rules::{Direction, Mode, Ops};

/// What a program makes of a document, or the code of its failure.
fn gives(program: &str, json: &str) -> String {
    let filter = Filter::compile(program).unwrap_or_else(|mistakes| panic!("{program}: {mistakes:?}"));
    match filter.run(json.as_bytes(), &mut Spent::default(), &mut Ended::default()) {
        Ok(text) => String::from_utf8(text).expect("UTF-8"),
        Err(error) => error.code.name().to_owned(),
    }
}

#[test]
fn programs_do_what_jq_does() {
    for (program, json, want) in [
        (".", "{\"b\":1,\"a\":[2]}", "{\"b\":1,\"a\":[2]}"),
        ("map({label: .})", "[\"a\",\"b\"]", "[{\"label\":\"a\"},{\"label\":\"b\"}]"),
        (".a.b[1:]", "{\"a\":{\"b\":[1,2,3]}}", "[2,3]"),
        (".[-1]", "[1,2,3]", "3"),
        (".[1:3]", "\"a\u{e9}\u{1f600}b\"", "\"\u{e9}\u{1f600}\""),
        (".[1:-1] = \"x\"", "\"abcd\"", "\"axd\""),
        (".[:2] |= map(. + 1)", "[1,2,3]", "[2,3,3]"),
        ("with_entries(.value += 1)", "{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":3}"),
        ("del(.a)", "{\"c\":1,\"a\":2,\"b\":3}", "{\"c\":1,\"b\":3}"),
        ("del(.[0])", "[1,2]", "[2]"),
        (".a.b = 5", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":5}}"),
        (".a |= . + 1", "{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":2}"),
        ("[.[] | select(. > 1)]", "[1,2,3]", "[2,3]"),
        ("reduce .[] as $x (0; . + $x)", "[1,2,3]", "6"),
        ("[foreach .[] as $x (0; . + $x)]", "[1,2,3]", "[1,3,6]"),
        ("if type == \"object\" then keys else length end", "{\"b\":1,\"a\":2}", "[\"a\",\"b\"]"),
        ("sort_by(.n) | map(.n)", "[{\"n\":2},{\"n\":1}]", "[1,2]"),
        ("group_by(.) | map(length)", "[1,2,1]", "[2,1]"),
        ("unique", "[2,1,2]", "[1,2]"),
        ("flatten", "[1,[2,[3]]]", "[1,2,3]"),
        ("[..]", "[[1]]", "[[[1]],[1],1]"),
        ("walk(if type == \"number\" then . + 1 end)", "{\"a\":[1]}", "{\"a\":[2]}"),
        ("[limit(3; repeat(1))]", "null", "[1,1,1]"),
        ("[range(3)]", "null", "[0,1,2]"),
        ("until(. > 100; . * 2)", "3", "192"),
        ("[recurse(if . < 3 then . + 1 else empty end)]", "1", "[1,2,3]"),
        ("def double: . * 2; def four: double | double; map(four)", "[1,2]", "[4,8]"),
        ("join(\"-\")", "[\"a\",\"b\"]", "\"a-b\""),
        ("split(\",\")", "\"a,b,,c\"", "[\"a\",\"b\",\"\",\"c\"]"),
        ("\"\" as $none | . / $none", "\"a\u{e9}b\"", "[\"a\",\"\u{e9}\",\"b\"]"),
        ("\"<\\(.a)>\"", "{\"a\":[1,\"x\"]}", "\"<[1,\\\"x\\\"]>\""),
        (". * 3", "\"ab\"", "\"ababab\""),
        (".a * .b", "{\"a\":{\"x\":1,\"y\":{\"z\":1}},\"b\":{\"y\":{\"w\":2}}}", "{\"x\":1,\"y\":{\"z\":1,\"w\":2}}"),
        ("has(\"a\"), 1 | select(. == true)", "{\"a\":null}", "true"),
        ("contains({a: [\"ar\"]})", "{\"a\":[\"bar\"]}", "true"),
        ("indices(\"b\")", "\"\u{e9}bab\"", "[1,3]"),
        ("indices([1,2])", "[1,2,3,1,2]", "[0,3]"),
        ("indices(2)", "[1,2,2]", "[1,2]"),
        ("[length, (\"\u{e9}\u{1f600}\" | length), (-3 | length), (null | length)]", "[1]", "[1,2,3,0]"),
        ("to_entries | from_entries", "{\"a\":1}", "{\"a\":1}"),
        ("tostring | fromjson", "{\"a\":[1,null]}", "{\"a\":[1,null]}"),
        ("[.[] | tonumber]", "[\"1\",2]", "[1,2]"),
        ("@base64", "\"hi\"", "\"aGk=\""),
        ("@base64d", "\"aGk=\"", "\"hi\""),
        ("ascii_downcase | ltrimstr(\"a\") | explode | implode", "\"AB\"", "\"b\""),
        ("min_by(.a).a, max_by(.a).a | select(. == 2)", "[{\"a\":1},{\"a\":2}]", "2"),
        ("try error(\"x\") catch .", "1", "\"x\""),
        (".a // \"none\"", "{}", "\"none\""),
        ("[.[]?]", "1", "[]"),
        ("transpose", "[[1,2],[3,4]]", "[[1,3],[2,4]]"),
        ("[combinations]", "[[1,2],[3]]", "[[1,3],[2,3]]"),
        ("getpath([\"a\",0])", "{\"a\":[7]}", "7"),
        ("todate", "0", "\"1970-01-01T00:00:00Z\""),
        ("first(.[] | select(. > 1))", "[1,2,3]", "2"),
        ("{a, b: .c}", "{\"a\":1,\"c\":2}", "{\"a\":1,\"b\":2}"),
        (". as [$a, {b: $b}] | [$b, $a]", "[1,{\"b\":2}]", "[2,1]"),
        ("label $out | foreach .[] as $x (0; $x; if . > 1 then ., break $out else empty end)", "[1,2,3]", "2"),
    ] {
        assert_eq!(gives(program, json), want, "{program} of {json}");
    }
}

#[test]
fn what_no_arithmetic_touches_keeps_its_spelling() {
    let numbers = "[123456789012345678901234567890,1.10,1e400,-1E-400,0.1000,-0,1E2]";
    assert_eq!(gives(".", numbers), numbers);
    assert_eq!(gives("{v: .} | .v", numbers), numbers);
    assert_eq!(gives(".[0] + 1", numbers), "123456789012345678901234567891");
    let long = format!("[{}]", "7".repeat(100_000));
    assert_eq!(gives(".", &long), long);
    assert_eq!(gives(".", "\"\\ud800x\""), "\"\\ud800x\"");
    assert_eq!(gives(".", "{\"z\":1,\"\":2,\"a\":3}"), "{\"z\":1,\"\":2,\"a\":3}");
}

#[test]
fn exactly_one_json_value_comes_out() {
    for (program, json) in [
        ("empty", "1"),
        (".[]", "[1,2]"),
        ("1, 2", "1"),
        ("error(\"no\")", "1"),
        (".a", "1"),
        ("1 / 0", "1"),
        ("nan", "1"),
        (". * 1", "1e400"),
        ("[infinite]", "1"),
        ("{(1 | tostring): 1, (.): 2}", "1"),
        ("[-255] | implode", "1"),
        ("reduce range(20) as $i (10; . * .)", "1"),
        ("[.[0] % 0]", "[1]"),
        ("break_out", "1"),
    ] {
        if let Ok(filter) = Filter::compile(program) {
            assert_eq!(
                filter.run(json.as_bytes(), &mut Spent::default(), &mut Ended::default()).expect_err(program).code,
                Code::JqFailed,
                "{program} of {json}"
            );
        }
    }
    assert_eq!(gives(".", "{\"a\":1,\"\\u0061\":2}"), "duplicate_key");
}

#[test]
fn the_world_is_not_there() {
    for program in [
        "input",
        "inputs",
        "env",
        "$ENV",
        "now",
        "input_filename",
        "debug",
        "debug(1)",
        "stderr",
        "halt",
        "halt(1)",
        "halt_error",
        "$__loc__",
        "get_search_list",
        "localtime",
        "test(\"a\")",
        "sub(\"a\"; \"b\")",
        "split(\"a\"; \"g\")",
        "path(..)",
        "paths",
        "pick(.a)",
        "import \"a\" as a; .",
        "include \"a\"; .",
        "input_line_number",
        "getpath",
        "unknown",
        "$unknown",
        "@csv",
        "repeat",
        "tobytes",
    ] {
        assert!(Filter::compile(program).is_err(), "{program}");
    }
}

#[test]
fn no_program_runs_without_end() {
    let many = format!("[{}1]", "1,".repeat(20_000));
    for program in [
        "[range(1e18)]",
        "[range(0; 1; 0)]",
        "last(range(1e18))",
        "repeat(.)",
        "last(repeat(.))",
        "[repeat(1)]",
        "first(repeat(empty))",
        "until(false; .)",
        "[while(true; .)]",
        "[recurse(.)]",
        "[recurse([.])]",
        "recurse(.) |= .",
        "repeat(.) |= 1",
        "\"x\" * 1e9",
        "\"x\" * 1000000000000",
        "reduce range(100) as $i (\"x\"; . + .)",
        "reduce range(100) as $i ([1]; . + .)",
        "reduce range(1e9) as $i (null; [.])",
        "reduce range(60) as $i (1; [., .])",
        "reduce range(60) as $i (1; [., .]) | tojson",
        "reduce range(60) as $i (1; [., .]) | . == (. | map(.))",
        "[.[] as $a | .[] as $b | .[] as $c | 1]",
        "last(.[] as $a | .[] as $b | $a)",
        "[(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)|(.,.)] | length",
        "try [range(1e18)] catch 1",
        "[range(1e18)]? // 1",
        "combinations(1000)",
        "[combinations(100)]",
        "def a: .|.; def b: a|a|a|a|a|a|a|a|a|a; def c: b|b|b|b|b|b|b|b|b|b; def d: c|c|c|c|c|c|c|c|c|c; def e: d|d|d|d|d|d|d|d|d|d; def f: e|e|e|e|e|e|e|e|e|e; f|f|f|f|f|f|f|f|f|f|f",
        "map(. as $x | [range(1000000)])",
        "sort_by(range(1000000))",
        "reduce .[] as $x (.; .[0:]) | [.[] as $a | .[] | . + $a]",
        "(reduce range(100000) as $i (.; .[0:])) |= .",
    ] {
        let given = gives(program, &many);
        assert!(
            matches!(given.as_str(), "jq_exhausted" | "jq_failed"),
            "{program} gave {}",
            &given[..given.len().min(80)]
        );
    }
}

#[test]
fn recursive_definitions_are_refused() {
    for program in [
        "def f: f; f",
        "def f(g): f(g | .); f(.)",
        "def a: def b: a; b; a",
        "def f: if . > 3 then . else . + 1 | f end; f",
        "[def f: {x: [f]}; f]",
        "\"\\(def f: f; f)\"",
        "def f: \"\\(f)\"; f",
    ] {
        let mistakes = Filter::compile(program).expect_err(program);
        assert!(mistakes[0].message.contains("recursion is not allowed"), "{program}: {mistakes:?}");
    }
    assert_eq!(gives("def f: def g: 1; g; def g: f; g", "null"), "1");
}

/// Neither deep programs nor deep values overflow the stack.
#[test]
fn nesting_is_bounded() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{a:", "}"),
        ("-", ""),
        ("try ", ""),
        (".|", "."),
        ("1+", "1"),
        ("if . then ", "end"),
        ("reduce . as $x (.; ", ")"),
        ("def f: ", ";"),
        ("\"\\(", ")\""),
        (".[", "]"),
        ("label $a|", "."),
        (". as $x|", "."),
    ] {
        let times = LONGEST / (open.len() + close.len()) - 1;
        for program in [format!("{}.{}", open.repeat(times), close.repeat(times)), open.repeat(times)] {
            if let Ok(filter) = Filter::compile(&program) {
                let _either_way = filter.run(b"1", &mut Spent::default(), &mut Ended::default());
            }
        }
    }
    assert!(Filter::compile(&" ".repeat(LONGEST + 1)).is_err());
    for depth in [100, 500, 100_000] {
        let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        for program in [".", "[..] | length", "walk(.)", "flatten", "tojson", ". == [.]", "[.[]]"] {
            let given = gives(program, &deep);
            assert!(depth == 100 && !given.starts_with("jq") || depth > 100, "{program} of {depth}: {given}");
        }
    }
}

/// However often the rest of a document is done again, what ended a program is told without running it again.
#[test]
fn what_ends_a_program_runs_once() {
    let program = |ops: &str| Ops::parse(ops, "ops.yaml").expect("ops").program(Direction::Up, Mode::Full);
    let endless = r#"{"jq": {"at": "/a", "up": "if . == 1 then . else [range(.)] | length end", "down": "."}}"#;
    let moved = r#", {"move": {"from": "/a", "to": "/c"}}, {"rename": {"/d": "e"}}"#;
    for (ops, is_list) in [
        (format!("[{endless}]"), false),
        (format!("[{endless}{moved}]"), false),
        (format!("[{endless}, {{\"envelope\": {{\"key\": \"data\"}}}}]"), false),
        (format!("[{}]", endless.replace("/a", "/*/a")), true),
    ] {
        let program = program(&ops);
        for (padding, chunk) in [(0, usize::MAX), (0, 5), (10_000, usize::MAX), (10_000, 1000)] {
            let document = |a: &str| {
                let object = format!("{{\"b\":\"{}\",\"a\":{a},\"d\":3}}", "x".repeat(padding));
                if is_list { format!("[{},{object}]", object.replace(a, "1")) } else { object }
            };
            let translate = |text: &str| {
                let mut translator = Translator::new(Arc::clone(&program), Values::default(), Limits::default());
                text.as_bytes().chunks(chunk.min(text.len())).try_for_each(|part| {
                    translator.push(Bytes::copy_from_slice(part))?;
                    translator.take().for_each(drop);
                    Ok(())
                })?;
                translator.finish()
            };
            // The outline of those that go well is known then.
            for _ in 0..3 {
                translate(&document("1")).expect("few steps");
            }
            budget::ENDED.set(0);
            let error = translate(&document("1e9")).expect_err("too many steps");
            let told = (error.code, error.pointer.as_deref());
            assert_eq!(told, (Code::JqExhausted, Some(if is_list { "/1/a" } else { "/a" })), "{ops}");
            assert_eq!(budget::ENDED.get(), 1, "{ops}, {padding} bytes in chunks of {chunk}");
        }
    }
}

#[test]
fn mistakes_have_their_place() {
    for (program, span, told) in [
        (".a | unknown", 5..12, "there is no filter `unknown` here"),
        ("[.a", 3..3, "expected closing bracket, found the end"),
        (".a |", 4..4, "expected term, found the end"),
        ("$x", 0..2, "there is no variable `$x` here"),
        ("def f: f; f", 4..5, "recursion"),
    ] {
        let mistakes = Filter::compile(program).expect_err(program);
        assert!(mistakes[0].message.contains(told), "{program}: {mistakes:?}");
        assert_eq!(mistakes[0].span, span, "{program}: {mistakes:?}");
    }
}
