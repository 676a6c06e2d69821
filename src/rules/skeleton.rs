//! What a new change's file begins as.

use crate::version::VersionId;

use super::Api;

/// Where editors look for the schema of a change's file, as seen from it: beside the rules directory.
const SCHEMA: &str = "../../../../schemas/change.schema.json";

/// Longer names make file names that no listing shows whole.
const LONGEST: usize = 64;

/// A new change's file, named within its API's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skeleton {
    /// `changes/<version>/<date>_<name>.yaml`.
    pub file: String,
    /// What stands in it.
    pub text: String,
}

/// The file of a new change; `date` is its date and time in 14 digits.
///
/// # Errors
/// A name that is no name for a change, or one that a change has already; the oldest version, which no change leads to.
pub fn skeleton(api: &Api, since: VersionId, name: &str, date: &str) -> Result<Skeleton, String> {
    check_name(name)?;
    if let Some(change) = api.changes.iter().find(|change| *change.id == *name) {
        return Err(format!("there is a change `{name}` already: {}", change.file));
    }
    let newer = &api.versions.get(since).label;
    let Some(older) = since.0.checked_sub(1).map(|older| &api.versions.get(VersionId(older)).label) else {
        return Err(format!("no change leads to `{newer}`: it is the oldest version"));
    };
    let text = TEXT.replace("{schema}", SCHEMA).replace("{name}", name).replace("{old}", older).replace("{new}", newer);
    Ok(Skeleton { file: format!("changes/{newer}/{date}_{name}.yaml"), text })
}

fn check_name(name: &str) -> Result<(), String> {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.len() <= LONGEST && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_word) {
        return Ok(());
    }
    let word: String = name.to_ascii_lowercase().chars().map(|c| if is_word(c) { c } else { '_' }).collect();
    let word = word.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let end = word.len().min(LONGEST);
    let help = if end == 0 { String::new() } else { format!("; write `{}`", &word[..end]) };
    Err(format!(
        "expected a name of lower-case letters, digits and `_`, at most {LONGEST} of them, found `{}`{help}",
        name.escape_debug()
    ))
}

const TEXT: &str = r#"# yaml-language-server: $schema={schema}
change: {name}
since: "{new}"
summary: What is different for clients of "{new}", in one sentence.
# after: [other_change]                  # changes of "{new}" that come first
apply: []                               # blocks such as these; ops read from "{old}" to "{new}"
#  - http: GET /users/{id}              # a call, a list of them, or "*"
#    request:
#      - rename: {"query:/per_page": limit}
#    response:
#      2xx:
#        - rename: {/text: body}
#        - move: {from: /user, to: /author/name}
#        - add: {at: /country, default: {value: US}}
#  - ws: /stream                        # a socket's messages
#    server:
#      discriminator: /type
#      frames:
#        msg: {as: message.created, ops: [{rename: {/text: body}}]}
# accept_loss:                          # what cannot be carried each way
#   down: [/country]
tests: []                               # documents of both versions; both ways run
#  - http: GET /users/42
#    response:
#      old: {id: 42, text: hi, user: ada}
#      new: {id: 42, body: hi, author: {name: ada}, country: US}
"#;
