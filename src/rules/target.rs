//! A request's method, path and query on their way from the client's version to the backend's.

use http::{HeaderMap, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::json::{Error, Limits, Values, quote};
use crate::route::Template;

use super::ast::QueryArrays;
use super::cookie;
use super::document::{Document, decode, scalar, wrong};
use super::head::{HeadPlan, Ran};
use super::query::Query;

/// What a request becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The method the backend is asked with.
    pub method: Method,
    /// Path and query, percent-encoded.
    pub path_and_query: String,
}

/// A call that was found for a request.
pub(super) struct Asked<'a> {
    /// The edits of its head, or of the whole message.
    pub(super) plan: Option<&'a HeadPlan>,
    /// The call as the client and as the backend spell it.
    pub(super) route: Option<&'a (Template, Template)>,
    /// The values of the client's parameters, percent-encoded.
    pub(super) params: &'a [&'a str],
    /// How the client and the backend write several values of one name.
    pub(super) arrays: (QueryArrays, QueryArrays),
}

/// What must be encoded in a path segment (RFC 3986, section 3.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

impl Asked<'_> {
    /// Translates the head of a request, or all of it.
    pub(super) fn translate(
        &self,
        method: &Method,
        path_and_query: &str,
        headers: &mut HeaderMap,
        body: Option<&[u8]>,
        values: &Values,
        limits: Limits,
    ) -> Result<(Target, Option<Ran>), Error> {
        let (path, query) =
            path_and_query.split_once('?').map_or((path_and_query, None), |(path, query)| (path, Some(query)));
        let method = self.method(method);
        let new_path = self.route.filter(|(near, far)| near != far).map(|(_, far)| far.expand(self.params));
        let keeps_query = query.is_none() || self.arrays.0 == self.arrays.1;
        if self.plan.is_none() && new_path.is_none() && keeps_query {
            return Ok((Target { method, path_and_query: path_and_query.to_owned() }, None));
        }
        let parsed = Query::parse(query.unwrap_or_default(), self.arrays.0, self.arrays.1);
        let Some(plan) = self.plan else {
            let path = new_path.unwrap_or_else(|| path.to_owned());
            let query = query.map(|query| if keeps_query { query.to_owned() } else { parsed.respelled() });
            return Ok((Target { method, path_and_query: join(&path, query) }, None));
        };
        let mut document = b"{\"path\":{".to_vec();
        let near: Vec<&str> = self.route.map(|(near, _)| near.params().collect()).unwrap_or_default();
        write_params(&near, self.params, &mut document);
        document.extend_from_slice(b"},");
        parsed.write(&plan.query, &mut document)?;
        document.push(b',');
        plan.write_headers(cookie::Side::Request, headers, &mut document)?;
        let ran = plan.run(document, body, values, limits)?;
        let done = ran.document();
        plan.read_headers(cookie::Side::Request, &done, headers)?;
        let path = match self.route {
            Some((_, far)) => self.far_path(far, &done)?,
            None => path.to_owned(),
        };
        // A query that an edit emptied goes with its mark; one that was empty keeps it.
        let new_query = Some(parsed.read(&plan.query, &done)?);
        let new_query = new_query.filter(|new| !new.is_empty() || query == Some(""));
        Ok((Target { method, path_and_query: join(&path, new_query) }, Some(ran)))
    }

    fn method(&self, asked: &Method) -> Method {
        let routed =
            self.route.and_then(|(near, far)| if near.method == far.method { None } else { far.method.clone() });
        routed.unwrap_or_else(|| asked.clone())
    }

    /// The backend's path. A parameter whose value has not changed is written as the client wrote it.
    fn far_path(&self, far: &Template, done: &Document<'_>) -> Result<String, Error> {
        // Where the backend's path has other parameters, none of them stands for one of the client's by its position.
        let pair_up = self.params.len() == far.params().count();
        let written = |at: usize| self.params.get(at).filter(|_| pair_up);
        let members = done.members("path");
        let mut values = Vec::new();
        for (at, name) in far.params().enumerate() {
            let pointer = format!("path:/{name}");
            if let Some(raw) = written(at).filter(|raw| std::str::from_utf8(&decode(raw)).is_err()) {
                values.push((*raw).to_owned());
                continue;
            }
            let (_, value) = members
                .iter()
                .find(|(n, _)| n == name)
                .ok_or_else(|| wrong(&pointer, "the path needs this parameter"))?;
            let text = scalar(value, &pointer)?;
            if text.is_empty() && written(at).is_none_or(|raw| !raw.is_empty()) {
                return Err(wrong(&pointer, "a path parameter cannot be empty"));
            }
            let spellings = written(at).into_iter().chain(self.params);
            let unchanged = spellings.copied().find(|raw| decode(raw) == text.as_bytes());
            values.push(match unchanged {
                Some(raw) => raw.to_owned(),
                // No encoding keeps these from leading elsewhere (RFC 3986, section 5.2.4).
                None if matches!(text.as_str(), "." | "..") => {
                    return Err(wrong(&pointer, "a path parameter cannot be a dot segment"));
                }
                None => utf8_percent_encode(&text, SEGMENT).to_string(),
            });
        }
        Ok(far.expand(&values.iter().map(String::as_str).collect::<Vec<_>>()))
    }
}

fn join(path: &str, query: Option<String>) -> String {
    query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

fn write_params(names: &[&str], params: &[&str], out: &mut Vec<u8>) {
    let values = params.iter().map(|raw| decode(raw));
    let mut is_first = true;
    // What is no text cannot be looked at, and passes as it is.
    for (name, value) in names.iter().zip(values).filter(|(_, value)| std::str::from_utf8(value).is_ok()) {
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        quote(name.as_bytes(), out);
        out.push(b':');
        quote(&value, out);
    }
}
