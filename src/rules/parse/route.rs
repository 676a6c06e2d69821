//! `route` of a block: the call as the newer version spells it.

use crate::json::edit::Token;
use crate::route::{Segment, Template};
use crate::rules::diagnostics as code;
use crate::rules::lens::Op;
use crate::rules::path::{Location, Place};
use crate::yaml::{Node, Reader};

use super::blocks::template;

/// A route has one call on its older side. Parameters pair up by position where there are as many; where not, by name,
/// and ops say what becomes of the others.
pub(super) fn parse(reader: &mut Reader, node: &Node, calls: &[Template], request: &[Op]) -> Option<Template> {
    let route = template(reader, node)?;
    let [call] = calls else {
        reader
            .error(code::BLOCK, node.span, "a block with a `route` is about one call")
            .help("write one block for each call");
        return None;
    };
    let rest = |t: &Template| t.segments.last() == Some(&Segment::Rest);
    if call.method.is_none() != route.method.is_none() || rest(call) != rest(&route) {
        reader
            .error(
                code::TEMPLATE,
                node.span,
                format!("`{route}` and `{call}` must both name a method or both not, and both end in `/*` or both not"),
            )
            .help(format!("write a route such as `{call}` with other words"));
        return None;
    }
    check_params(reader, node, call, &route, request)?;
    Some(route)
}

/// Every parameter that only one of the two has comes from somewhere and goes somewhere.
fn check_params(reader: &mut Reader, node: &Node, call: &Template, route: &Template, request: &[Op]) -> Option<()> {
    if call.params().count() == route.params().count() {
        return Some(());
    }
    let is_named = |param: &str| request.iter().flat_map(Op::places).any(|place| is_param(place, param));
    let lost = call.params().find(|param| !route.params().any(|other| other == *param) && !is_named(param));
    let new = route.params().find(|param| !call.params().any(|other| other == *param) && !is_named(param));
    let (message, help) = match (lost, new) {
        (None, None) => return Some(()),
        (Some(lost), _) => (
            format!("`{route}` has no parameter `{lost}`, and no op of `request` says where its value goes"),
            format!("write `request: [move: {{from: \"path:/{lost}\", to: \"query:/{lost}\"}}]`"),
        ),
        (None, Some(new)) => (
            format!("`{call}` has no parameter `{new}`, and no op of `request` says where its value comes from"),
            format!("write `request: [move: {{from: \"query:/{new}\", to: \"path:/{new}\"}}]`"),
        ),
    };
    reader.error(code::TEMPLATE, node.span, message).help(help);
    None
}

fn is_param(place: &Place, param: &str) -> bool {
    place.location == Location::Path && matches!(place.tokens.as_slice(), [Token::Key(name)] if name == param)
}

/// Whether a parameter is one that only the newer spelling has, so that an op has to make it.
pub(super) fn gains(calls: &[Template], route: &Template, param: &str) -> bool {
    let has_another_count = |call: &Template| call.params().count() != route.params().count();
    calls.iter().all(has_another_count) && route.params().any(|other| other == param)
}
