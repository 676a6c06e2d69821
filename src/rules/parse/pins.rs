//! A file with a version for each of a list of clients: `identity: "version"`.
//!
//! Identities may be credentials. What is said about the file shows places and never text, whoever prints it.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Source, Span};
use crate::rules::ast::{ApiFiles, PinsFile};
use crate::rules::diagnostics as code;
use crate::version::{Pins, Source as VersionSource, Versions};
use crate::yaml::{self, Node, Reader, code as yaml_code};

/// Reads the files that `client_version` names into its sources. `api_file` is the API's own.
pub(super) fn read(
    api: &mut ApiFiles,
    api_file: &Source,
    files: &[(&str, &Source)],
    diagnostics: &mut Vec<Diagnostic>,
) {
    for PinsFile { source, name, span } in &api.pins {
        let Some((_, file)) = files.iter().find(|(other, _)| other == name) else {
            diagnostics.push(not_found(api_file, name, *span));
            continue;
        };
        let Some(VersionSource::Pinned { header, pins }) = api.resolver.sources.get_mut(*source) else { continue };
        *pins = Arc::new(self::pins(file, header, &api.versions, diagnostics));
    }
}

fn not_found(api_file: &Source, name: &str, span: Span) -> Diagnostic {
    let message = format!("there is no file `{}`", name.escape_debug());
    let mut diagnostic = Diagnostic::error(code::LAYOUT, &api_file.file.as_str().into(), span, message);
    diagnostic.help("the name is relative to the folder of `api.yaml`, and ends in `.yaml`");
    diagnostic
}

fn pins(file: &Source, header: &http::HeaderName, versions: &Versions, diagnostics: &mut Vec<Diagnostic>) -> Pins {
    let (node, found) = yaml::parse_partial(&file.text, &file.file, yaml::Limits::default());
    let mut reader = Reader::new(&file.file);
    let mut pins = Pins::default();
    let entries = match &node {
        // An empty file pins nobody.
        Some(node) if node.is_null() => &[],
        Some(node) => node.as_mapping().unwrap_or_else(|| {
            reader.error(yaml_code::WRONG_TYPE, node.span, "expected a client's identity and its version on each line");
            &[]
        }),
        None => &[],
    };
    for (identity, label) in entries {
        pin(&mut reader, &mut pins, header, (identity, label), versions);
    }
    let found = found.into_iter().map(without_text);
    diagnostics.extend(found.chain(reader.into_diagnostics()).map(|found| Diagnostic { is_secret: true, ..found }));
    pins
}

fn pin(
    reader: &mut Reader,
    pins: &mut Pins,
    header: &http::HeaderName,
    (identity, label): (&Node, &Node),
    versions: &Versions,
) {
    let Some(version) = label.as_str().and_then(|text| versions.find(text)) else {
        let known: Vec<String> = versions.labels().map(|label| format!("\"{label}\"")).collect();
        reader
            .error(code::VERSION, label.span, "expected one of the API's versions, as a string")
            .help(format!("the versions of `api.yaml` are {}", known.join(", ")));
        return;
    };
    match pins.insert(header, identity.text().unwrap_or_default(), version) {
        Ok(None) => {}
        Ok(Some(_)) => {
            reader.error(yaml_code::DUPLICATE_KEY, identity.span, "this client stands here already");
        }
        Err(message) => {
            reader.bad_value(identity, message);
        }
    }
}

/// What is wrong with the file as YAML, without what stands there.
fn without_text(found: Diagnostic) -> Diagnostic {
    let message = match found.code {
        yaml_code::DUPLICATE_KEY => "this key stands here already",
        yaml_code::LIMIT => "the file is too large, too deep, or repeats too much by aliases",
        _ => "malformed YAML",
    };
    Diagnostic { message: message.to_owned(), label: None, help: None, secondary: Vec::new(), ..found }
}
