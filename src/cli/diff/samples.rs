//! Pairs of samples from two directories with files of the same names.
//!
//! `GET/users/{id}/response-200/ada.json` is a response to `GET /users/{id}`, `POST/users/request/1.json` a request.
//! Files that stand otherwise are samples of one message, which the command's arguments name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::draft::{self, Pair, Part};

use super::{Gathered, Message};

/// More files or deeper directories are not samples.
const MOST_FILES: usize = 100_000;
const DEEPEST: usize = 32;
/// A sample's size, in bytes.
const LARGEST: u64 = 16 << 20;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Call and part that a message is of.
type Key = (Option<String>, Part);

pub(super) fn gather(
    old: &Path,
    new: &Path,
    again: Option<&Path>,
    named: (Option<&String>, &Part),
) -> Result<Gathered, String> {
    let (before, after) = (files(old)?, files(new)?);
    let second = again.map(files).transpose()?.unwrap_or_default();
    let mut messages: BTreeMap<Key, Message> = BTreeMap::new();
    let mut notes = Vec::new();
    for (name, path) in &before {
        let Some(other) = after.get(name) else {
            notes.push(format!("{}: no sample of the newer version has this name", path.display()));
            continue;
        };
        let key = key(name).unwrap_or_else(|| (named.0.cloned(), named.1.clone()));
        let message = messages.entry(key.clone()).or_insert_with(|| Message {
            call: key.0,
            part: key.1,
            pairs: Vec::new(),
            volatile: BTreeSet::new(),
        });
        let pair = Pair { old: read(path)?, new: read(other)? };
        if let Some(path) = second.get(name) {
            message.volatile.extend(draft::volatile(&pair.old, &read(path)?));
        }
        message.pairs.push(pair);
    }
    let lonely = after.iter().filter(|(name, _)| !before.contains_key(*name));
    notes.extend(lonely.map(|(_, path)| format!("{}: no sample of the older version has this name", path.display())));
    Ok(Gathered { messages: widen(messages.into_values().collect()), notes })
}

/// The one successful status that a call was sampled with stands for all of them.
fn widen(mut messages: Vec<Message>) -> Vec<Message> {
    let successes: Vec<Option<String>> =
        messages.iter().filter(|message| is_success(&message.part)).map(|message| message.call.clone()).collect();
    for message in &mut messages {
        let only = successes.iter().filter(|call| **call == message.call).count() == 1;
        if only && is_success(&message.part) {
            message.part = Part::Response("2xx".to_owned());
        }
    }
    messages
}

fn is_success(part: &Part) -> bool {
    matches!(part, Part::Response(status) if status.starts_with('2'))
}

/// What a place below the directory says of a sample.
fn key(name: &str) -> Option<Key> {
    let parts: Vec<&str> = name.split('/').collect();
    let (method, rest) = parts.split_first().filter(|(method, _)| METHODS.contains(*method))?;
    let (_, rest) = rest.split_last()?;
    let (part, path) = rest.split_last()?;
    let part = match part.strip_prefix("response-") {
        Some(status) if status.len() == 3 => Part::Response(status.to_owned()),
        None if *part == "request" => Part::Request,
        _ => return None,
    };
    Some((Some(format!("{method} /{}", path.join("/"))), part))
}

/// JSON files by their name below `root`, with `/`; a file is the only one, whatever its name.
fn files(root: &Path) -> Result<BTreeMap<String, PathBuf>, String> {
    if root.is_file() {
        return Ok(BTreeMap::from([(String::new(), root.to_owned())]));
    }
    if !root.is_dir() {
        return Err(format!("{}: expected a sample, or a directory of samples", root.display()));
    }
    let mut found = BTreeMap::new();
    walk(root, "", 0, &mut found)?;
    Ok(found)
}

fn walk(directory: &Path, name: &str, depth: usize, found: &mut BTreeMap<String, PathBuf>) -> Result<(), String> {
    let failed = |e| format!("{}: {e}", directory.display());
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(last) = path.file_name().and_then(|last| last.to_str()) else { continue };
        let name = if name.is_empty() { last.to_owned() } else { format!("{name}/{last}") };
        if path.is_dir() && depth < DEEPEST {
            walk(&path, &name, depth + 1, found)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            if found.len() == MOST_FILES {
                return Err(format!("{}: more than {MOST_FILES} samples", directory.display()));
            }
            found.insert(name, path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    if fs::metadata(path).map_err(failed)?.len() > LARGEST {
        return Err(format!("{}: expected a sample of at most {LARGEST} bytes", path.display()));
    }
    let text = fs::read(path).map_err(failed)?;
    draft::check(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(draft::trimmed(&text))
}
