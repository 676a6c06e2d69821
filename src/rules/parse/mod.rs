//! Rule files to [`ApiFiles`]: every error of every file is reported.

mod absence;
mod api_file;
mod blocks;
mod change;
mod pins;
mod route;
mod shapes;
mod socketio;
mod tests;

use crate::diagnostic::{Diagnostic, Source, Span};
use crate::version::Versions;
use crate::yaml::{self, Node, Reader};

use super::ast::ApiFiles;
use super::diagnostics as code;

/// Parses the files of one API; each comes with its name inside the API's folder. `None`: the API's own file is
/// missing or wrong.
pub(super) fn api(folder: &str, files: &[(&str, &Source)], diagnostics: &mut Vec<Diagnostic>) -> Option<ApiFiles> {
    let Some((_, source)) = files.iter().find(|(name, _)| *name == "api.yaml") else {
        let (_, first) = files.first()?;
        let mut diagnostic = Diagnostic::error(
            code::LAYOUT,
            &first.file.as_str().into(),
            Span::default(),
            format!("`{folder}` has no `api.yaml`"),
        );
        diagnostic.help("every folder of the rules directory is one API, and its `api.yaml` names its versions");
        diagnostics.push(diagnostic);
        return None;
    };
    let mut api = with_reader(source, diagnostics, |reader, node| api_file::parse(reader, node, folder))?;
    let shapes = shapes_file(&api, source, files, diagnostics);
    pins::read(&mut api, source, files, diagnostics);
    for (name, source) in files {
        if api.pins.iter().any(|pins| pins.name == **name) {
            continue;
        }
        if Some(*name) == shapes {
            api.shapes =
                with_reader(source, diagnostics, |reader, node| Some(shapes::file(reader, node))).unwrap_or_default();
        } else {
            file(&mut api, name, source, diagnostics);
        }
    }
    Some(api)
}

/// The name of the file with the shapes, if there is one: the one that `api.yaml` names has to be there.
fn shapes_file<'f>(
    api: &ApiFiles,
    source: &Source,
    files: &[(&'f str, &Source)],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<&'f str> {
    let wanted = api.shapes_file.as_ref().map_or("shapes.yaml", |(name, _)| name.as_str());
    let found = files.iter().map(|(name, _)| *name).find(|name| *name == wanted);
    if let (None, Some((name, span))) = (found, &api.shapes_file) {
        let message = format!("there is no file `{}`", name.escape_debug());
        let mut diagnostic = Diagnostic::error(code::LAYOUT, &source.file.as_str().into(), *span, message);
        diagnostic.help("the name is relative to the folder of `api.yaml`, and ends in `.yaml`");
        diagnostics.push(diagnostic);
    }
    found
}

fn file(api: &mut ApiFiles, name: &str, source: &Source, diagnostics: &mut Vec<Diagnostic>) {
    let is_yaml = [".yaml", ".yml"].iter().any(|ending| name.ends_with(ending));
    match name.split('/').collect::<Vec<_>>().as_slice() {
        ["changes", version, file] if is_yaml => {
            let change = with_reader(source, diagnostics, |reader, node| {
                change::parse(reader, node, version, file, &api.versions)
            });
            api.changes.extend(change);
        }
        ["tests", _] if is_yaml => {
            let tests =
                with_reader(source, diagnostics, |reader, node| Some(tests::chain(reader, node, &api.versions)));
            api.tests.extend(tests.into_iter().flatten());
        }
        ["changes", ..] if is_yaml => {
            let message = "a change stands in `changes/<version>/<date>_<slug>.yaml`";
            let mut diagnostic =
                Diagnostic::error(code::LAYOUT, &source.file.as_str().into(), Span::default(), message);
            diagnostic.help("move the file into the folder of the version it leads to");
            diagnostics.push(diagnostic);
        }
        // The API's own file was read, OpenAPI documents are for other commands, and what is not YAML is no rule.
        ["api.yaml"] | ["openapi", ..] => {}
        _ if is_yaml => diagnostics.push(not_read(source, name)),
        _ => {}
    }
}

/// A rule file in a misspelt folder would be a rule that is ignored in silence.
fn not_read(source: &Source, name: &str) -> Diagnostic {
    let (folder, rest) = name.split_once('/').unwrap_or((name, ""));
    let mut diagnostic =
        Diagnostic::warning(code::LAYOUT, &source.file.as_str().into(), Span::default(), "the file is not read");
    let help = yaml::reader::suggestion(folder, &["changes", "tests"]);
    diagnostic.help(match help {
        help if help.starts_with("did you mean") && !rest.is_empty() && folder != "tests" => help,
        _ => "rules stand in `api.yaml`, `shapes.yaml`, `changes/<version>/` and `tests/`".to_owned(),
    });
    diagnostic
}

/// Parses a file and takes it apart. What can be read of a file that has errors comes back too, so that other files
/// are not told that it is missing.
fn with_reader<T>(
    source: &Source,
    diagnostics: &mut Vec<Diagnostic>,
    read: impl FnOnce(&mut Reader, &Node) -> Option<T>,
) -> Option<T> {
    let (node, found) = yaml::parse_partial(&source.text, &source.file, yaml::Limits::default());
    let mut reader = Reader::new(&source.file);
    for diagnostic in found {
        reader.report(diagnostic);
    }
    let read = match &node {
        Some(node) if node.is_null() => {
            reader.error(yaml::code::WRONG_TYPE, node.span, "the file is empty").help("write it, or remove it");
            None
        }
        Some(node) => read(&mut reader, node),
        None => None,
    };
    diagnostics.extend(reader.into_diagnostics());
    read
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
    reader
        .error(code::UNQUOTED_VERSION, node.span, format!("the version `{text}` is {} to YAML", node.type_name()))
        .help(format!("write \"{text}\""));
    None
}

/// A version that `api.yaml` names.
fn version(reader: &mut Reader, node: &Node, versions: &Versions) -> Option<crate::version::VersionId> {
    let text = label(reader, node)?;
    let found = versions.find(text);
    if found.is_none() {
        unknown_version(reader, node, versions);
    }
    found
}

/// Reports a version that `api.yaml` does not name. Labels are short, so that a near one is no better a guess than
/// any other: all are listed.
fn unknown_version(reader: &mut Reader, node: &Node, versions: &Versions) {
    let known: Vec<String> = versions.labels().map(|label| format!("`{label}`")).collect();
    let message = format!("unknown version `{}`", node.text().unwrap_or_default().escape_debug());
    reader
        .error(code::VERSION, node.span, message)
        .help(format!("the versions of `api.yaml` are {}", known.join(", ")));
}
