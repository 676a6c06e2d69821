//! What is said of the ops is what they do: the reference in `docs/rules.md` and the table in `README.md` are written
//! from their definitions (`LEGATO_BLESS=1` writes them anew), and the definitions name what the parsers take.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use legato_proxy::diagnostic::Diagnostic;
use legato_proxy::rules::Ops;
use legato_proxy::rules::lens::{Arguments, Definition, Documents, Need, Op, Parameter, Takes};

const BEGIN: &str = "<!-- Written from the definitions in src/rules/lens. -->\n";
const END: &str = "<!-- Up to here. -->\n";

/// Columns of a line.
const WIDTH: usize = 120;

/// Compares what stands between the marks of a page with what should, or writes it there.
fn hold(page: &str, want: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = fs::read_to_string(&path).expect("the page");
    let (before, rest) = text.split_once(BEGIN).unwrap_or_else(|| panic!("{page} has no line {BEGIN}"));
    let (found, after) = rest.split_once(END).unwrap_or_else(|| panic!("{page} has no line {END}"));
    if found == want {
        return;
    }
    assert!(
        std::env::var_os("LEGATO_BLESS").is_some(),
        "{page} is not what the ops' definitions say: write it with LEGATO_BLESS=1"
    );
    fs::write(&path, format!("{before}{BEGIN}{want}{END}{after}")).expect("written");
}

#[test]
fn the_reference_is_what_the_definitions_say() {
    let sections: Vec<String> = Op::DEFINITIONS.iter().map(|definition| section(definition)).collect();
    hold("docs/rules.md", &format!("\n{}\n", sections.join("\n")));
}

#[test]
fn the_table_in_the_readme_is_what_the_definitions_say() {
    let mut table = String::from("| op | says | inverse | what may be lost |\n|---|---|---|---|\n");
    for Definition { name, summary, inverse, lost, .. } in Op::DEFINITIONS {
        let _ = writeln!(table, "| `{name}` | {summary} | {inverse} | {lost} |");
    }
    hold("README.md", &table);
}

fn section(definition: &Definition) -> String {
    let mut text = format!("### `{}`\n\n", definition.name);
    text.push_str(&wrapped(&format!("{} {}", sentence(definition.summary), definition.does)));
    match definition.arguments {
        Arguments::Renames => text.push_str("It takes the paths of members, each with its new name.\n"),
        Arguments::Forms(forms) => {
            text.push_str(&forms.iter().map(|form| table(form)).collect::<Vec<_>>().join("\n"));
        }
    }
    for example in definition.examples {
        let _ = write!(text, "\n```yaml\n{}```\n", example.ops);
        for documents in example.documents {
            let _ = write!(text, "\n```json\n{}```\n", lines(documents));
        }
    }
    text.push('\n');
    text.push_str(&wrapped(&format!("*Inverse:* {}. *Lost:* {}.", definition.inverse, definition.lost)));
    text.trim_end().to_owned() + "\n"
}

/// A phrase as a sentence.
fn sentence(phrase: &str) -> String {
    let mut chars = phrase.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect::<String>() + ".").unwrap_or_default()
}

/// Paragraphs in lines of [`WIDTH`], each with an empty line behind; tables as they are.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    for paragraph in text.split("\n\n") {
        let mut column = 0;
        for word in if paragraph.starts_with('|') { vec![paragraph] } else { paragraph.split(' ').collect() } {
            let gap = match column {
                0 => "",
                column if column + 1 + word.chars().count() > WIDTH => "\n",
                _ => " ",
            };
            column = if gap == "\n" { 0 } else { column + gap.len() } + word.chars().count();
            out.push_str(gap);
            out.push_str(word);
        }
        out.push_str("\n\n");
    }
    out
}

fn table(parameters: &[Parameter]) -> String {
    let mut table = String::from("| key | takes | default | |\n|---|---|---|---|\n");
    for Parameter { name, takes, need, about } in parameters {
        let default = match need {
            Need::Required => "required".to_owned(),
            Need::Default(value) => format!("`{value}`"),
            Need::Optional => String::new(),
        };
        let _ = writeln!(table, "| `{name}` | {} | {default} | {about} |", words(takes));
    }
    table
}

fn words(takes: &Takes) -> String {
    let mut all = alternatives(takes);
    all.dedup();
    match all.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => all.concat(),
    }
}

fn alternatives(takes: &Takes) -> Vec<String> {
    let one = |text: &str| vec![text.to_owned()];
    match takes {
        Takes::Literal => one("a value"),
        Takes::Null => one("`null`"),
        Takes::Boolean => one("`true` or `false`"),
        Takes::Number => one("a number"),
        Takes::Count => one("a whole number"),
        Takes::Integer(most) => vec![format!("a whole number up to {most}")],
        Takes::String | Takes::Text => one("a string"),
        Takes::Word(names) => names.iter().map(|name| format!("`{name}`")).collect(),
        Takes::Path => one("a path"),
        Takes::Member => one("the path of a member"),
        Takes::TwoMembers => one("the paths of two members"),
        Takes::Names => one("a list of names"),
        Takes::Pairs => one("a list of `[old, new]`"),
        Takes::Members => one("names and values"),
        Takes::Guards => one("paths and tests"),
        Takes::Ops => one("a list of ops"),
        Takes::Mapping([Parameter { name, takes: Takes::Path, .. }]) => vec![format!("`{{{name}: path}}`")],
        Takes::Mapping([Parameter { name, takes: Takes::Literal, .. }]) => vec![format!("`{{{name}: literal}}`")],
        Takes::Mapping(parameters) => vec![mapping(parameters)],
        Takes::Either(all) => all.iter().flat_map(alternatives).collect(),
    }
}

/// The keys of a mapping, with what they take where that is the same for all.
fn mapping(parameters: &[Parameter]) -> String {
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
    let keys = format!("`{{{}}}`", names.join(", "));
    match parameters {
        [first, rest @ ..] if rest.iter().all(|parameter| parameter.takes == first.takes) => {
            format!("{keys}, each {}", words(&first.takes))
        }
        _ => keys,
    }
}

/// The older document, the newer, and what comes back where that is another.
fn lines(documents: &Documents) -> String {
    let Documents { old, new, back } = documents;
    if back == old { format!("{old}\n{new}\n") } else { format!("{old}\n{new}\n{back}\n") }
}

/// What is wrong with an op of these arguments.
fn findings(name: &str, arguments: &str) -> Vec<Diagnostic> {
    Ops::parse(&format!("[{{{name}: {{{arguments}}}}}]"), "ops.yaml").expect_err("something is wrong")
}

/// The names in backquotes that a help lists.
fn listed(finding: &Diagnostic) -> BTreeSet<&str> {
    let help = finding.help.as_deref().unwrap_or_default();
    help.strip_prefix("expected one of ").unwrap_or_else(|| panic!("{help}")).split('`').skip(1).step_by(2).collect()
}

/// A name that is near no other.
const FAR: &str = "something_else";

#[test]
fn parameters_are_those_that_are_read() {
    for Definition { name, arguments, .. } in Op::DEFINITIONS {
        let Arguments::Forms(forms) = arguments else { continue };
        for form in *forms {
            // Forms differ in `into`, or in which of several keys is there.
            let into = match form.iter().find(|parameter| parameter.name == "into").map(|parameter| parameter.takes) {
                Some(Takes::Word(words)) => format!(", into: {}", words[0]),
                Some(Takes::Mapping(_)) => ", into: {key: a}".to_owned(),
                _ => String::new(),
            };
            let found = findings(name, &format!("{FAR}: 1{into}"));
            let unknown = found.iter().find(|finding| finding.code == "YM003").expect("an unknown key");
            // Without `into`, the parser does not know yet which form it reads.
            let known: BTreeSet<&str> = if into.is_empty() {
                arguments.parameters().map(|parameter| parameter.name).collect()
            } else {
                form.iter().map(|parameter| parameter.name).collect()
            };
            assert_eq!(listed(unknown), known, "{name}");
        }
        let is_required = |form: &[Parameter], name| form.iter().any(|p| p.name == name && p.need == Need::Required);
        let names = arguments.parameters().map(|parameter| parameter.name);
        let required = names.filter(|name| forms.iter().all(|form| is_required(form, *name)));
        let missing = findings(name, &format!("{FAR}: 1"));
        let missing = missing.iter().filter(|finding| finding.code == "YM005");
        let missing: BTreeSet<&str> = missing.filter_map(|finding| finding.message.split('`').nth(1)).collect();
        assert_eq!(missing, required.collect(), "{name}");
    }
}

#[test]
fn words_are_those_that_are_read() {
    for Definition { name, arguments, .. } in Op::DEFINITIONS {
        for parameter in arguments.parameters() {
            let Takes::Word(words) = parameter.takes else { continue };
            // These are in pairs, or make the form that others belong to.
            if matches!((*name, parameter.name), ("convert", "from" | "to") | ("wrap" | "unwrap", _)) {
                continue;
            }
            let found = findings(name, &format!("{}: {FAR}", parameter.name));
            let is_about = |finding: &&Diagnostic| finding.code == "YM006" && finding.message.contains(FAR);
            let unknown = found.iter().find(is_about).expect("an unknown word");
            let unknown = if words.len() == 1 { [words[0]].into() } else { listed(unknown) };
            assert_eq!(unknown, words.iter().copied().collect(), "{name}: {}", parameter.name);
        }
    }
}
