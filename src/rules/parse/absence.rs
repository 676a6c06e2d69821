//! `gone` and `added` of a block: calls that only one of the two versions has.

use crate::rules::ast::{Absence, HttpBlock, Lifetime};
use crate::rules::diagnostics as code;
use crate::yaml::{Fields, Node, Reader};

/// What a call that is gone is answered.
const GONE: u16 = 410;

/// Parses `gone: {since, status, detail}` or `added: status`. `since`: the version that the change leads to.
pub(super) fn parse(reader: &mut Reader, fields: &mut Fields<'_>, since: Option<&str>) -> Option<Absence> {
    match (fields.entry("gone"), fields.entry("added")) {
        (Some((key, _)), Some(_)) => {
            reader
                .error(code::BLOCK, key.span, "a call is either `gone` or `added`")
                .help("write `gone` for what only the older version has, `added` for what only the newer has");
            None
        }
        (Some((_, node)), None) => gone(reader, node, since),
        (None, Some((_, node))) => {
            let status = status(reader, node)?;
            Some(Absence { lifetime: Lifetime::Added, status, detail: None })
        }
        (None, None) => None,
    }
}

fn gone(reader: &mut Reader, node: &Node, since: Option<&str>) -> Option<Absence> {
    let mut fields = reader.fields(node, "`gone`")?;
    if let Some(node) = fields.get("since")
        && let (Some(said), Some(since)) = (super::label(reader, node), since)
        && said != since
    {
        reader
            .error(code::VERSION, node.span, format!("the call is gone since `{said}`, and the change since `{since}`"))
            .help("leave `since` out: a call is gone since the version of its change");
    }
    let status = fields.get("status").and_then(|node| status(reader, node)).unwrap_or(GONE);
    let detail = fields.get("detail").and_then(|node| reader.string(node, "`detail`")).map(str::to_owned);
    fields.finish(reader);
    Some(Absence { lifetime: Lifetime::Removed, status, detail })
}

fn status(reader: &mut Reader, node: &Node) -> Option<u16> {
    let status = reader.integer(node, "a status")?;
    let fits = u16::try_from(status).ok().filter(|status| (400..600).contains(status));
    if fits.is_none() {
        reader
            .bad_value(node, format!("expected the status of an error, from 400 to 599, found {status}"))
            .help("write `410` for what is gone, `404` for what does not exist");
    }
    fits
}

/// What one version lacks cannot be translated.
pub(super) fn check(reader: &mut Reader, block: &HttpBlock) {
    if block.absence.is_none() {
        return;
    }
    if block.calls.is_empty() {
        reader
            .error(code::BLOCK, block.span, "`\"*\"` is every call, and cannot be `gone` or `added`")
            .help("name the calls");
    }
    if block.route.is_some() || !block.request.is_empty() || !block.response.is_empty() {
        reader
            .error(code::BLOCK, block.span, "a call that only one version has has no `route`, `request` or `response`")
            .help("remove them, or `gone` and `added`");
    }
}
