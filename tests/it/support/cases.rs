//! Case files of several named sections, and what is counted in the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A file's sections, each below a line `=== name`; what stands before the first is for the reader.
pub(crate) fn sections(text: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        match (line.trim_end().strip_prefix("=== "), sections.last_mut()) {
            (Some(name), _) => sections.push((name.to_owned(), String::new())),
            (None, Some((_, body))) => body.push_str(line),
            (None, None) => {}
        }
    }
    sections
}

/// Every code such as `YM001` that stands in quotes in the sources below these directories.
pub(crate) fn diagnostic_codes(directories: &[&str]) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for directory in directories {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(directory), &mut codes);
    }
    codes
}

fn collect(directory: &Path, codes: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).expect("a source directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, codes);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).expect("UTF-8");
            // Only declarations: tests make codes up.
            let declared = text.lines().filter(|line| line.trim_start().starts_with("pub const"));
            codes.extend(
                declared.filter_map(|line| line.split('"').nth(1)).filter(|text| is_code(text)).map(str::to_owned),
            );
        }
    }
}

fn is_code(text: &str) -> bool {
    text.len() == 5
        && text[..2].bytes().all(|b| b.is_ascii_uppercase())
        && text[2..].bytes().all(|b| b.is_ascii_digit())
}
