use std::fmt::Write as _;

use super::*;
use crate::diagnostic::{Diagnostic, Source, render};

fn draw(text: &str, diagnostics: &[Diagnostic]) -> String {
    let source = Source { file: "f.yaml".into(), text: text.into() };
    render(diagnostics, &[source], false).trim_end().to_owned()
}

fn errors(text: &str) -> String {
    let Err(diagnostics) = parse(text, "f.yaml", Limits::default()) else { panic!("{text:?} is accepted") };
    draw(text, &diagnostics)
}

fn tree(text: &str) -> Node {
    parse(text, "f.yaml", Limits::default()).unwrap_or_else(|errors| panic!("{}", draw(text, &errors)))
}

#[test]
fn reads_values() {
    let cases = [
        ("", "null"),
        ("# nothing\n", "null"),
        ("---\n...\n", "null"),
        ("\u{feff}a: b\n", r#"{"a":"b"}"#),
        ("a: 1\nb:\n  - x\n  - {y: z}\nd:\n", r#"{"a":1,"b":["x",{"y":"z"}],"d":null}"#),
        ("no: yes\non: off\ny: n\n", r#"{"no":"yes","on":"off","y":"n"}"#),
        ("[1.10, 1e400, -0, 123456789012345678901234567890]", "[1.10,1e400,-0,123456789012345678901234567890]"),
        ("['1', \"true\", !!str 12, ! x]", r#"["1","true","12","x"]"#),
        ("a: |\n  x\n  y\nb: >\n  x\n  y\n", r#"{"a":"x\ny\n","b":"x y\n"}"#),
        (r#"["\u0001\t\"\\/é"]"#, r#"["\u0001\t\"\\/é"]"#),
        (
            "a: &x [1, {b: 2}]\nc: *x\nd: [*x, *x]\n",
            r#"{"a":[1,{"b":2}],"c":[1,{"b":2}],"d":[[1,{"b":2}],[1,{"b":2}]]}"#,
        ),
        ("/path: {~1: 2}\n404: x\n", r#"{"/path":{"~1":2},"404":"x"}"#),
        ("\"<<\": 1\n", r#"{"<<":1}"#),
    ];
    for (text, want) in cases {
        assert_eq!(tree(text).to_json().as_deref(), Ok(want), "{text:?}");
    }
}

#[test]
fn numbers_that_are_not_json_stay_yaml() {
    for text in ["0x1f", "0o17", ".5", "1.", "1.e3", "+1", "007", "-.inf", ".nan"] {
        let node = tree(&format!("a: {text}"));
        let not_json = node.to_json().unwrap_err();
        assert_eq!((not_json.text.as_str(), not_json.span.start), (text, 3));
    }
}

#[test]
fn knows_where_everything_stands() {
    let text = "é:\n  - über\n  - {k: 'v'}\n\n# why\nlist: [1,\n  2]\r\nblock: |\n  text\n\nlast: x\n";
    let mut found = Vec::new();
    slices(text, &tree(text), &mut found);
    let want = [
        text.trim_end(),
        "é",
        "- über\n  - {k: 'v'}",
        "über",
        "{k: 'v'}",
        "k",
        "'v'",
        "list",
        "[1,\n  2]",
        "1",
        "2",
        "block",
        "text",
        "last",
        "x",
    ];
    assert_eq!(found, want);
}

#[test]
fn an_alias_has_its_own_place() {
    let text = "- &x [1]\n- [*x]\n- k: *x\n";
    let mut found = Vec::new();
    slices(text, &tree(text), &mut found);
    let want = [text.trim_end(), "&x [1]", "1", "[*x]", "*x", "1", "k: *x", "k", "*x", "1"];
    assert_eq!(found, want);
}

#[test]
fn places_hold_far_into_a_text_of_wide_characters() {
    let text = format!("# {}\nkey: value\n", "é😀".repeat(500));
    let mut found = Vec::new();
    slices(&text, &tree(&text), &mut found);
    assert_eq!(found, ["key: value", "key", "value"]);
}

fn slices<'t>(text: &'t str, node: &Node, out: &mut Vec<&'t str>) {
    out.push(&text[node.span.start..node.span.end]);
    match &node.kind {
        Kind::Scalar(_) => {}
        Kind::Sequence(nodes) => nodes.iter().for_each(|node| slices(text, node, out)),
        Kind::Mapping(entries) => entries.iter().for_each(|(key, value)| {
            slices(text, key, out);
            slices(text, value, out);
        }),
    }
}

#[test]
fn refuses_what_is_not_accepted_here() {
    let cases = [
        ("a:\n\tb: 1", "2:2", "malformed YAML: tabs disallowed within this context (block indentation)"),
        ("a: 1\n b: 2", "2:3", "malformed YAML: mapping values are not allowed in this context"),
        ("a: [1, 2", "1:9", "malformed YAML: while parsing a flow sequence, expected ',' or ']'"),
        ("- a\nb: c", "2:1", "malformed YAML: while parsing a block collection, did not find expected '-' indicator"),
        ("a: *x", "1:4", "malformed YAML: while parsing node, found unknown anchor"),
        ("a: &x [*x]", "1:8", "malformed YAML: an alias inside of the value that it stands for"),
        ("a: 1\0\nb: 2", "1:5", "malformed YAML: control character U+0000 in the text"),
        ("? [a]\n: b", "1:3", "a key must be a single value, found a list"),
        ("a: {<<: x}", "1:5", "merge keys are not supported"),
        ("a: !!int 1", "1:4", "tag `tag:yaml.org,2002:!int` is not supported"),
        ("a: !env x", "1:4", "tag `!env` is not supported"),
        ("a: 1\n---\nb: 2\n", "2:1", "a second document in one file"),
    ];
    for (text, place, message) in cases {
        let drawn = errors(text);
        let mut lines = drawn.lines();
        assert_eq!(lines.next(), Some(format!("error[YM001]: {message}").as_str()), "{text:?}");
        assert!(lines.next().is_some_and(|line| line.ends_with(&format!("--> f.yaml:{place}"))), "{drawn}");
    }
}

#[test]
fn reports_duplicates_and_then_where_the_text_breaks() {
    assert_eq!(
        errors("a: 1\nb: {c: 1, c: 2}\na: 3\nd: [\n"),
        "\
error[YM002]: duplicate key `c`
 --> f.yaml:2:11
  |
2 | b: {c: 1, c: 2}
  |     -     ^
  |     |
  |     first here

error[YM002]: duplicate key `a`
 --> f.yaml:3:1
  |
1 | a: 1
  | - first here
2 | b: {c: 1, c: 2}
3 | a: 3
  | ^

error[YM001]: malformed YAML: while parsing a node, did not find expected node content
 --> f.yaml:5:1
  |
5 |
  | ^"
    );
}

#[test]
fn bounds_size_depth_and_copies() {
    let large = "a".repeat((8 << 20) + 1);
    let deep = format!("a: {}1{}", "[".repeat(128), "]".repeat(128));
    let deep_block = (0..129).fold(String::new(), |text, i| text + &" ".repeat(i) + "a:\n");
    let half = format!("a: &x {}1{}\nb: {}*x{}", "[".repeat(64), "]".repeat(64), "[".repeat(64), "]".repeat(64));
    let long_text = format!("a: &x {}\nb: [{}]", "t".repeat(1 << 20), "*x, ".repeat(100));
    let cases = [
        (large, "the file has 8388609 bytes, at most 8388608 are read"),
        (deep, "lists and mappings are nested deeper than 128"),
        (deep_block, "lists and mappings are nested deeper than 128"),
        (half, "lists and mappings are nested deeper than 128"),
        (laughs(), "anchors and aliases copy more than 100000 nodes"),
        (long_text, "anchors and aliases copy more than 100000 nodes"),
    ];
    for (text, message) in cases {
        let diagnostics = parse(&text, "f.yaml", Limits::default()).unwrap_err();
        assert_eq!(
            diagnostics.iter().map(|d| (d.code, d.message.as_str())).collect::<Vec<_>>(),
            [(code::LIMIT, message)]
        );
    }
    tree(&format!("{}1{}", "[".repeat(128), "]".repeat(128)));
}

/// Nine aliases of nine aliases of nine aliases: a file of 500 bytes and three thousand million nodes.
fn laughs() -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..10 {
        let aliases = vec![format!("*a{}", i - 1); 9].join(", ");
        let _ = writeln!(text, "a{i}: &a{i} [{aliases}]");
    }
    text
}

#[test]
fn draws_limits() {
    let limits = Limits { depth: 2, ..Limits::default() };
    let text = "a:\n  b: [1]\n";
    assert_eq!(
        draw(text, &parse(text, "f.yaml", limits).unwrap_err()),
        "\
error[YM007]: lists and mappings are nested deeper than 2
 --> f.yaml:2:6
  |
2 |   b: [1]
  |      ^"
    );
}

/// A shape with one key of every type.
fn read(text: &str) -> String {
    let node = tree(text);
    let mut reader = Reader::new("f.yaml");
    if let Some(mut fields) = reader.fields(&node, "a thing") {
        let name = fields.require(&mut reader, "name");
        name.and_then(|node| reader.string(node, "`name`"));
        let count = fields.get("count");
        count.and_then(|node| reader.integer(node, "`count`"));
        let flag = fields.get("enabled");
        flag.and_then(|node| reader.boolean(node, "`enabled`"));
        let tags = fields.get("tags");
        tags.and_then(|node| reader.list(node, "`tags`"));
        let color = fields.get("color");
        color.and_then(|node| reader.one_of(node, "`color`", &[("red", 1), ("green", 2)]));
        fields.finish(&mut reader);
    }
    draw(text, reader.diagnostics())
}

#[test]
fn reads_a_shape() {
    assert_eq!(read("name: x\ncount: 0x10\nenabled: true\ntags: [a]\ncolor: red\n"), "");
}

#[test]
fn reports_everything_wrong_with_a_shape() {
    assert_eq!(
        read("nam: x\ncount: -1\nenabled: yes\ntags: {}\ncolor: gren\nzzzzzz: 1\n"),
        "\
error[YM005]: missing key `name` in a thing
 --> f.yaml:1:1
  |
1 | nam: x
  | ^^^^^^

error[YM004]: `count` must be a whole number that is not negative, found an integer (-1)
 --> f.yaml:2:8
  |
2 | count: -1
  |        ^^

error[YM004]: `enabled` must be `true` or `false`, found a string
 --> f.yaml:3:10
  |
3 | enabled: yes
  |          ^^^

error[YM004]: `tags` must be a list, found a mapping
 --> f.yaml:4:7
  |
4 | tags: {}
  |       ^^

error[YM006]: unknown value `gren` for `color`
 --> f.yaml:5:8
  |
5 | color: gren
  |        ^^^^
  |
  = help: did you mean `green`?

error[YM003]: unknown key `nam` in a thing
 --> f.yaml:1:1
  |
1 | nam: x
  | ^^^
  |
  = help: did you mean `name`?

error[YM003]: unknown key `zzzzzz` in a thing
 --> f.yaml:6:1
  |
6 | zzzzzz: 1
  | ^^^^^^
  |
  = help: expected one of `name`, `count`, `enabled`, `tags`, `color`"
    );
}

#[test]
fn says_how_a_string_is_written() {
    assert_eq!(
        read("name: 1.10\n"),
        "\
error[YM004]: `name` must be a string, found a number (1.10)
 --> f.yaml:1:7
  |
1 | name: 1.10
  |       ^^^^
  |
  = help: write \"1.10\""
    );
    assert_eq!(
        read("[]"),
        "\
error[YM004]: a thing must be a mapping, found a list
 --> f.yaml:1:1
  |
1 | []
  | ^^"
    );
    assert!(read("name:\n").starts_with("error[YM004]: `name` must be a string, found null\n"));
}

/// What each node but the root stands on, in order.
#[test]
fn spans_hold_the_value_and_nothing_more() {
    fn collect<'t>(text: &'t str, node: &Node, found: &mut Vec<&'t str>) {
        let mut add = |node: &Node| {
            found.push(&text[node.span.start..node.span.end]);
            collect(text, node, found);
        };
        match &node.kind {
            Kind::Scalar(_) => {}
            Kind::Sequence(elements) => elements.iter().for_each(add),
            Kind::Mapping(entries) => entries.iter().for_each(|(key, value)| {
                add(key);
                add(value);
            }),
        }
    }
    let cases: [(&str, &[&str]); 7] = [
        ("a:\n- [x]\n- y\nb: 1\n", &["a", "- [x]\n- y", "[x]", "x", "y", "b", "1"]),
        ("a:\n  - [x]\n", &["a", "- [x]", "[x]", "x"]),
        ("- - a\n  - b\n", &["- a\n  - b", "a", "b"]),
        ("- -\n   k: 1\n", &["-\n   k: 1", "k: 1", "k", "1"]),
        ("a: \"x\\\"\"   # c\n\nb: 'it''s' # d\n", &["a", "\"x\\\"\"", "b", "'it''s'"]),
        ("a: [1] # e\nb: {c: d}   # f\n", &["a", "[1]", "1", "b", "{c: d}", "c", "d"]),
        ("a: x # c\n\n", &["a", "x"]),
    ];
    for (text, want) in cases {
        let mut found = Vec::new();
        collect(text, &parse(text, "", Limits::default()).unwrap(), &mut found);
        assert_eq!(found, want, "{text}");
    }
}
