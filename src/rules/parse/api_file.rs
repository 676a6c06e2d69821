//! `api.yaml`: versions, how a client's version is found, what happens on errors.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderName;

use crate::diagnostic::{Severity, Span};
use crate::route::Template;
use crate::rules::ast::{
    AfterSunset, ApiFiles, Checks, OnError, OnErrorPolicy, OnFrame, OnMalformed, PatchMode, PinsFile, QueryArrays,
};
use crate::rules::diagnostics as code;
use crate::rules::problem::{Part, ProblemShape, Unusable};
use crate::version::{ApiVersion, Resolver, Source, TellBackend, Unknown, VersionId, Versions};
use crate::yaml::{Fields, Node, Reader, code as yaml_code};

use super::{label, unknown_version, version};

/// The version of the rule files' own format.
const FORMAT: u64 = 1;

/// There is a plan for every two versions.
const MOST_VERSIONS: usize = 500;

pub(super) fn parse(reader: &mut Reader, node: &Node, folder: &str) -> Option<ApiFiles> {
    let mut fields = reader.fields(node, "`api.yaml`")?;
    format(reader, &mut fields);
    let name = fields.require(reader, "api").and_then(|node| reader.string(node, "`api`").map(|name| (node, name)));
    if let Some((node, name)) = name.filter(|(_, name)| *name != folder) {
        reader
            .bad_value(node, format!("the API `{name}` stands in the folder `{folder}`"))
            .help("the folder and `api` must have one name");
    }
    let versions = fields.require(reader, "versions").and_then(|node| versions(reader, node));
    let sources = fields.require(reader, "client_version");
    let (unknown, tell_backend) = (on_unknown(reader, &mut fields), tell_backend(reader, &mut fields));
    let on_error = fields.get("on_error").and_then(|node| on_error(reader, node)).unwrap_or_else(default_policy);
    let after_sunset = fields.get("after_sunset").and_then(|node| {
        reader.one_of(node, "`after_sunset`", &[("serve", AfterSunset::Serve), ("gone", AfterSunset::Gone)]).copied()
    });
    let patch = fields.get("patch").and_then(|node| {
        reader.one_of(node, "`patch`", &[("merge", PatchMode::Merge), ("full", PatchMode::Full)]).copied()
    });
    let problem_shapes = fields.get("problems");
    let checks = Checks {
        severities: fields.get("check").map(|node| severities(reader, node)).unwrap_or_default(),
        hot: fields.get("hot").map(|node| hot(reader, node)).unwrap_or_default(),
        file: reader.file().clone(),
    };
    let arrays = fields.get("query_arrays");
    let shapes_file =
        fields.get("shapes").and_then(|node| Some((reader.string(node, "`shapes`")?.to_owned(), node.span)));
    fields.finish(reader);
    let versions = versions?;
    let problems = problem_shapes.map(|node| problems(reader, node, &versions)).unwrap_or_default();
    let query_arrays = query_arrays(reader, arrays, &versions);
    let ClientVersion { sources, pins, default } = sources.map(|node| client_version(reader, node, &versions))?;
    let resolver = Resolver { sources, default, unknown, tell_backend };
    Some(ApiFiles {
        name: name?.1.to_owned(),
        versions,
        resolver,
        on_error,
        after_sunset: after_sunset.unwrap_or_default(),
        problems,
        pins,
        patch: patch.unwrap_or_default(),
        checks,
        shapes_file,
        shapes: Vec::new(),
        query_arrays,
        changes: Vec::new(),
        tests: Vec::new(),
    })
}

fn format(reader: &mut Reader, fields: &mut Fields<'_>) {
    if let Some(node) = fields.require(reader, "legato")
        && reader.integer(node, "`legato`").is_some_and(|format| format != FORMAT)
    {
        reader
            .bad_value(node, "unknown format")
            .help(format!("this release reads `legato: {FORMAT}`; it is the format of these files, not of your API"));
    }
}

fn versions(reader: &mut Reader, node: &Node) -> Option<Versions> {
    let nodes = reader.list(node, "`versions`")?;
    if nodes.is_empty() {
        reader.bad_value(node, "an API has at least one version").help("write `- {id: \"1\"}`");
        return None;
    }
    if nodes.len() > MOST_VERSIONS {
        reader
            .bad_value(node, format!("an API has at most {MOST_VERSIONS} versions, found {}", nodes.len()))
            .help("retire those that no client speaks any more");
        return None;
    }
    let mut seen: Vec<(&str, &Node)> = Vec::new();
    let parsed: Vec<Option<ApiVersion>> = nodes
        .iter()
        .map(|node| {
            let parsed = one_version(reader, node)?;
            let id = node.as_mapping()?.iter().find(|(key, _)| key.text() == Some("id"))?.1.as_str()?;
            if let Some((_, first)) = seen.iter().find(|(other, _)| *other == id) {
                reader
                    .error(code::VERSION, node.span, format!("the version `{id}` stands twice"))
                    .secondary(first.span, "the first is here");
                return None;
            }
            seen.push((id, node));
            Some(parsed)
        })
        .collect();
    parsed.into_iter().collect::<Option<Vec<_>>>().map(Versions)
}

fn one_version(reader: &mut Reader, node: &Node) -> Option<ApiVersion> {
    let mut fields = reader.fields(node, "a version")?;
    let id = fields.require(reader, "id").and_then(|node| version_label(reader, node));
    let mut date = |reader: &mut Reader, key| fields.get(key).and_then(|node| date(reader, node));
    let (released, deprecated, sunset) = (date(reader, "released"), date(reader, "deprecated"), date(reader, "sunset"));
    let guide = fields.get("guide").and_then(|node| guide(reader, node));
    fields.finish(reader);
    if let (Some(deprecated), Some(sunset)) = (deprecated, sunset)
        && sunset < deprecated
    {
        reader
            .bad_value(node, "`sunset` is earlier than `deprecated`")
            .help("RFC 8594 asks for a sunset that is not earlier than the deprecation");
    }
    Some(ApiVersion { label: id?.into(), released, deprecated, sunset, guide })
}

/// A label goes into headers, paths and file names.
fn version_label<'n>(reader: &mut Reader, node: &'n Node) -> Option<&'n str> {
    let text = label(reader, node)?;
    let fits = !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_graphic() && !b"/\\?#%\"'`,;:{}<>".contains(&b))
        && text != "."
        && text != "..";
    if !fits {
        reader
            .bad_value(node, format!("`{}` cannot be a version's label", text.escape_debug()))
            .help("use up to 64 letters, digits and `.`, `-`, `_`");
    }
    fits.then_some(text)
}

/// A guide goes into a `link` header.
fn guide(reader: &mut Reader, node: &Node) -> Option<String> {
    let text = reader.string(node, "`guide`")?;
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'>' && b != b'"') {
        reader.bad_value(node, "`guide` must be a URL").help("percent-encode what a URL cannot hold");
        return None;
    }
    Some(text.to_owned())
}

/// A date (midnight UTC) or an RFC 3339 time, as Unix seconds.
fn date(reader: &mut Reader, node: &Node) -> Option<i64> {
    let text = reader.string(node, "a date")?;
    let midnight = text
        .parse::<jiff::civil::Date>()
        .ok()
        .filter(|_| text.len() == 10)
        .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let seconds = midnight
        .map(|zoned| zoned.timestamp())
        .or_else(|| text.parse::<jiff::Timestamp>().ok())
        .map(jiff::Timestamp::as_second);
    if seconds.is_none() {
        reader.bad_value(node, format!("expected a date such as `2026-01-31`, found `{}`", text.escape_debug()));
    }
    seconds
}

/// What `client_version` says.
#[derive(Default)]
struct ClientVersion {
    sources: Vec<Source>,
    pins: Vec<PinsFile>,
    default: Option<VersionId>,
}

fn client_version(reader: &mut Reader, node: &Node, versions: &Versions) -> ClientVersion {
    let mut found = ClientVersion::default();
    for node in reader.list(node, "`client_version`").unwrap_or_default() {
        let Some([(kind, value)]) = node.as_mapping() else {
            reader.wrong_type(node, "a version source", "one key and its value, such as `header: api-version`");
            continue;
        };
        match kind.text().unwrap_or_default() {
            "default" => found.default = version(reader, value, versions),
            "pinned" => {
                let at = found.sources.len();
                if let Some((source, name, span)) = pinned(reader, value) {
                    found.sources.push(source);
                    found.pins.push(PinsFile { source: at, name, span });
                }
            }
            kind_text => found.sources.extend(source(reader, kind, kind_text, value)),
        }
    }
    found
}

/// `pinned: {header: authorization, file: pins.yaml}`; the file is read with the API's others.
fn pinned(reader: &mut Reader, node: &Node) -> Option<(Source, String, Span)> {
    let mut fields = reader.fields(node, "`pinned`")?;
    let header = fields.require(reader, "header").and_then(|node| {
        let text = reader.string(node, "`header`")?;
        let name = text.parse::<HeaderName>().ok();
        if name.is_none() {
            reader.bad_value(node, format!("`{}` is not a header name", text.escape_debug()));
        }
        name
    });
    let file = fields.require(reader, "file").and_then(|node| Some((reader.string(node, "`file`")?, node.span)));
    fields.finish(reader);
    let (name, span) = file?;
    Some((Source::Pinned { header: header?, pins: Arc::default() }, name.to_owned(), span))
}

fn source(reader: &mut Reader, kind: &Node, kind_text: &str, value: &Node) -> Option<Source> {
    if !Source::KINDS.contains(&kind_text) {
        let known: Vec<&str> = Source::KINDS.into_iter().chain(["pinned", "default"]).collect();
        reader
            .error(yaml_code::UNKNOWN_KEY, kind.span, format!("unknown version source `{}`", kind_text.escape_debug()))
            .help(crate::yaml::reader::suggestion(kind_text, &known));
        return None;
    }
    let text = reader.string(value, "a version source")?;
    match Source::parse(kind_text, text) {
        Ok(source) => Some(source),
        Err(message) => {
            reader.bad_value(value, message);
            None
        }
    }
}

fn on_unknown(reader: &mut Reader, fields: &mut Fields<'_>) -> Unknown {
    let choices = [("reject", Unknown::Reject), ("default", Unknown::Default), ("latest", Unknown::Latest)];
    fields
        .get("unknown_version")
        .and_then(|node| reader.one_of(node, "`unknown_version`", &choices).copied())
        .unwrap_or_default()
}

fn tell_backend(reader: &mut Reader, fields: &mut Fields<'_>) -> TellBackend {
    let choices = [("rewrite", TellBackend::Rewrite), ("strip", TellBackend::Strip), ("keep", TellBackend::Keep)];
    fields
        .get("tell_backend")
        .and_then(|node| reader.one_of(node, "`tell_backend`", &choices).copied())
        .unwrap_or_default()
}

/// The write has happened when the response to one cannot be translated; refusing it would invite a second.
fn default_policy() -> OnErrorPolicy {
    OnErrorPolicy { response_to_unsafe: OnError::BestEffort, ..OnErrorPolicy::default() }
}

fn on_error(reader: &mut Reader, node: &Node) -> Option<OnErrorPolicy> {
    let mut fields = reader.fields(node, "`on_error`")?;
    let mut policy = default_policy();
    let choices = [("reject", OnError::Reject), ("best_effort", OnError::BestEffort)];
    for (key, part) in [
        ("request", &mut policy.request),
        ("response", &mut policy.response),
        ("response_to_unsafe", &mut policy.response_to_unsafe),
    ] {
        if let Some(found) =
            fields.get(key).and_then(|node| reader.one_of(node, "an `on_error` of HTTP", &choices).copied())
        {
            *part = found;
        }
    }
    let frames = [("drop", OnFrame::Drop), ("close", OnFrame::Close)];
    if let Some(found) = fields.get("frame").and_then(|node| reader.one_of(node, "`frame`", &frames).copied()) {
        policy.frame = found;
    }
    let malformed = [("reject", OnMalformed::Reject), ("pass", OnMalformed::Pass)];
    if let Some(found) =
        fields.get("malformed").and_then(|node| reader.one_of(node, "`malformed`", &malformed).copied())
    {
        policy.malformed = found;
    }
    fields.finish(reader);
    Some(policy)
}

/// `check: {CV304: off}`: findings that this project takes otherwise.
fn severities(reader: &mut Reader, node: &Node) -> Vec<(String, Option<Severity>)> {
    let choices = [
        ("off", None),
        ("hint", Some(Severity::Hint)),
        ("warn", Some(Severity::Warning)),
        ("error", Some(Severity::Error)),
    ];
    let mut severities = Vec::new();
    for (key, value) in reader.mapping(node, "`check`").unwrap_or_default() {
        let name = key.text().unwrap_or_default();
        if !code::ADJUSTABLE.contains(&name) {
            let message = format!("`{}` is no finding that can have another severity", name.escape_debug());
            reader.bad_value(key, message).help(crate::yaml::reader::suggestion(name, &code::ADJUSTABLE));
        } else if let Some(severity) = reader.one_of(value, "a severity", &choices) {
            severities.push((name.to_owned(), *severity));
        }
    }
    severities
}

/// `hot: [GET /messages]`: calls that are to be cheap.
fn hot(reader: &mut Reader, node: &Node) -> Vec<(Template, Span)> {
    let nodes = reader.list(node, "`hot`").unwrap_or_default();
    nodes.iter().filter_map(|node| Some((super::blocks::template(reader, node)?, node.span))).collect()
}

/// One way for all versions, or one for each; a version that is not named repeats the name.
fn query_arrays(reader: &mut Reader, node: Option<&Node>, versions: &Versions) -> Vec<QueryArrays> {
    const WAYS: [(&str, QueryArrays); 3] =
        [("repeat", QueryArrays::Repeat), ("comma", QueryArrays::Comma), ("brackets", QueryArrays::Brackets)];
    let mut all = vec![QueryArrays::default(); versions.0.len()];
    let Some(node) = node else { return all };
    let Some(entries) = node.as_mapping() else {
        all.fill(reader.one_of(node, "`query_arrays`", &WAYS).copied().unwrap_or_default());
        return all;
    };
    for (label, way) in entries {
        match label.text().and_then(|text| versions.find(text)) {
            Some(version) => {
                let way = reader.one_of(way, "a version's `query_arrays`", &WAYS).copied();
                all[usize::from(version.0)] = way.unwrap_or_default();
            }
            None => unknown_version(reader, label, versions),
        }
    }
    all
}

fn problems(reader: &mut Reader, node: &Node, versions: &Versions) -> BTreeMap<VersionId, ProblemShape> {
    let mut shapes = BTreeMap::new();
    for (label, shape) in reader.mapping(node, "`problems`").unwrap_or_default() {
        // A mapping's key is text whatever YAML makes of it.
        let Some(id) = label.text().and_then(|text| versions.find(text)) else {
            unknown_version(reader, label, versions);
            continue;
        };
        shapes.extend(problem_shape(reader, shape).map(|shape| (id, shape)));
    }
    shapes
}

/// How an error looks.
pub(super) fn problem_shape(reader: &mut Reader, shape: &Node) -> Option<ProblemShape> {
    match ProblemShape::parse(shape) {
        Ok(shape) => return Some(shape),
        Err(Unusable::Number(error)) => {
            reader
                .error(yaml_code::BAD_VALUE, error.span, "this number has no JSON form")
                .help("write it as JSON does: decimal digits, no leading `+` or `.`");
        }
        Err(Unusable::Part(node)) => {
            let text = node.text().unwrap_or_default();
            let names = Part::ALL.map(|(name, _)| name);
            reader
                .bad_value(node, format!("an error has no part `{}`", text.escape_debug()))
                .help(crate::yaml::reader::suggestion(text, &names));
        }
    }
    None
}
