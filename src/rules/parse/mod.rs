//! Rule files to [`ApiFiles`]: every error of every file is reported.

mod api_file;
mod blocks;
mod change;
mod tests;

use crate::diagnostic::{Diagnostic, Severity, Source};
use crate::version::Versions;
use crate::yaml::{self, Node, Reader};

use super::ast::ApiFiles;
use super::diagnostics as code;

/// Parses the files of one API; each comes with its name inside the API's folder. `None`: the API's own file is
/// missing or wrong.
pub(super) fn api(folder: &str, files: &[(&str, &Source)], diagnostics: &mut Vec<Diagnostic>) -> Option<ApiFiles> {
    let Some((_, source)) = files.iter().find(|(name, _)| *name == "api.yaml") else {
        let (_, first) = files.first()?;
        let mut diagnostic = Diagnostic::error(code::LAYOUT, &first.file.as_str().into(), crate::diagnostic::Span::default(), format!("`{folder}` has no `api.yaml`"));
        diagnostic.help("every folder of the rules directory is one API, and its `api.yaml` names its versions");
        diagnostics.push(diagnostic);
        return None;
    };
    let mut api = with_reader(source, diagnostics, |reader, node| api_file::parse(reader, node, folder))?;
    for (name, source) in files {
        file(&mut api, name, source, diagnostics);
    }
    Some(api)
}

fn file(api: &mut ApiFiles, name: &str, source: &Source, diagnostics: &mut Vec<Diagnostic>) {
    let is_yaml = [".yaml", ".yml"].iter().any(|ending| name.ends_with(ending));
    match name.split('/').collect::<Vec<_>>().as_slice() {
        ["changes", version, file] if is_yaml => {
            let change = with_reader(source, diagnostics, |reader, node| change::parse(reader, node, version, file, &api.versions));
            api.changes.extend(change);
        }
        ["tests", _] if is_yaml => {
            let tests = with_reader(source, diagnostics, |reader, node| Some(tests::chain(reader, node, &api.versions)));
            api.tests.extend(tests.into_iter().flatten());
        }
        ["api.yaml"] => {}
        ["shapes.yaml"] => not_yet(source, "shapes", diagnostics),
        ["changes", ..] if is_yaml => {
            let mut diagnostic = Diagnostic::error(code::LAYOUT, &source.file.as_str().into(), crate::diagnostic::Span::default(), "a change stands in `changes/<version>/<date>_<slug>.yaml`");
            diagnostic.help("move the file into the folder of the version it leads to");
            diagnostics.push(diagnostic);
        }
        // OpenAPI documents, the lock file and whatever else lies beside the rules.
        _ => {}
    }
}

fn not_yet(source: &Source, what: &str, diagnostics: &mut Vec<Diagnostic>) {
    let message = format!("{what} are not supported yet");
    diagnostics.push(Diagnostic::error(super::lens::code::NOT_YET, &source.file.as_str().into(), crate::diagnostic::Span::default(), message));
}

/// Parses a file and takes it apart.
fn with_reader<T>(source: &Source, diagnostics: &mut Vec<Diagnostic>, read: impl FnOnce(&mut Reader, &Node) -> Option<T>) -> Option<T> {
    let node = match yaml::parse(&source.text, &source.file, yaml::Limits::default()) {
        Ok(node) => node,
        Err(found) => {
            diagnostics.extend(found);
            return None;
        }
    };
    let mut reader = Reader::new(&source.file);
    let read = read(&mut reader, &node);
    let found = reader.into_diagnostics();
    let failed = found.iter().any(|d| d.severity == Severity::Error);
    diagnostics.extend(found);
    read.filter(|_| !failed)
}

/// Reports something of the rule language that this release does not carry out.
fn unsupported(reader: &mut Reader, node: &Node, what: &str) {
    reader.error(super::lens::code::NOT_YET, node.span, format!("{what} is not supported yet"));
}

/// A version's label, which must be a string: unquoted, `1.10` is the number 1.1.
fn label<'n>(reader: &mut Reader, node: &'n Node) -> Option<&'n str> {
    if let Some(text) = node.as_str() {
        return Some(text);
    }
    let Some(text) = node.text().filter(|text| !text.is_empty()) else {
        reader.wrong_type(node, "a version", "a string");
        return None;
    };
    reader.error(code::UNQUOTED_VERSION, node.span, format!("the version `{text}` is {} to YAML", node.type_name())).help(format!("write \"{text}\""));
    None
}

/// A version that `api.yaml` names.
fn version(reader: &mut Reader, node: &Node, versions: &Versions) -> Option<crate::version::VersionId> {
    let text = label(reader, node)?;
    let found = versions.find(text);
    if found.is_none() {
        let known: Vec<&str> = versions.labels().collect();
        reader.error(code::VERSION, node.span, format!("unknown version `{}`", text.escape_debug())).help(yaml::reader::suggestion(text, &known));
    }
    found
}
