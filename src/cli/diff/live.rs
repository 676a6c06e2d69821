//! Pairs of answers from two live versions. Only GET is ever sent; the older side is asked twice, and what differs
//! between its answers is noise.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::draft::{self, Pair, Part};

use super::{Gathered, Message};

/// How long one answer may take, and how large it may be, in bytes.
const TIMEOUT: Duration = Duration::from_secs(10);
const LARGEST: usize = 16 << 20;

/// One thing to ask.
struct Question {
    /// `GET /users/{id}`
    call: String,
    /// `/users/7?full=1`
    target: String,
}

pub(super) fn gather(old: &str, new: &str, calls: Option<&Path>) -> Result<Gathered, String> {
    let (old, new) = (base(old)?, base(new)?);
    let questions = match calls {
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .map_err(|e| format!("{}: expected a file of targets: {e}", file.display()))?;
            questions(&text).map_err(|e| format!("{}: {e}", file.display()))?
        }
        None => vec![Question { call: format!("GET {}", path(&old)), target: String::new() }],
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("cannot start the client: {e}"))?;
    runtime.block_on(ask_all(&old, &new, questions))
}

/// An address without a slash at its end.
fn base(text: &str) -> Result<String, String> {
    if text.starts_with("https://") {
        return Err(format!(
            "`{text}`: only http:// is supported: save the answers as samples, or ask through a tunnel"
        ));
    }
    let uri: Uri = text.parse().map_err(|e| format!("`{text}` is no URL: {e}"))?;
    if uri.authority().is_none() || uri.query().is_some() {
        return Err(format!("expected a URL such as `http://127.0.0.1:4001/v1`, found `{text}`"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// The path of an address that was parsed before.
fn path(url: &str) -> String {
    url.parse::<Uri>().map(|uri| uri.path().to_owned()).unwrap_or_default()
}

/// A line is a target, or a template and a target; `#` begins a remark.
fn questions(text: &str) -> Result<Vec<Question>, String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
        let (template, target) = match words.as_slice() {
            [] => continue,
            [target] => (target.split('?').next().unwrap_or_default(), *target),
            [template, target] => (*template, *target),
            _ => ("", ""),
        };
        if !template.starts_with('/') || !target.starts_with('/') {
            return Err(format!(
                "line {}: expected `/users/7` or `/users/{{id}} /users/7`, found `{line}`",
                number + 1
            ));
        }
        found.push(Question { call: format!("GET {template}"), target: target.to_owned() });
    }
    Ok(found)
}

async fn ask_all(old: &str, new: &str, questions: Vec<Question>) -> Result<Gathered, String> {
    let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let mut messages: BTreeMap<String, Message> = BTreeMap::new();
    let mut notes = Vec::new();
    for Question { call, target } in questions {
        let message = messages.entry(call.clone()).or_insert_with(|| Message {
            call: Some(call),
            part: Part::Response("2xx".to_owned()),
            pairs: Vec::new(),
            volatile: BTreeSet::new(),
        });
        match ask(&client, old, new, &target).await {
            Ok([first, second, newer]) => {
                message.volatile.extend(draft::volatile(&first, &second));
                message.pairs.push(Pair { old: first, new: newer });
            }
            Err(error) => notes.push(error),
        }
    }
    let messages = messages.into_values().filter(|message| !message.pairs.is_empty()).collect();
    Ok(Gathered { messages, notes })
}

type HttpClient = Client<HttpConnector, Empty<Bytes>>;

/// Two answers of the older version and one of the newer.
async fn ask(client: &HttpClient, old: &str, new: &str, target: &str) -> Result<[Vec<u8>; 3], String> {
    let mut answers = [Vec::new(), Vec::new(), Vec::new()];
    for (answer, base) in answers.iter_mut().zip([old, old, new]) {
        let url = format!("{base}{target}");
        *answer = match tokio::time::timeout(TIMEOUT, get(client, &url)).await {
            Ok(answer) => answer.map_err(|e| format!("{url}: {e}"))?,
            Err(_) => return Err(format!("{url}: no answer within {} s", TIMEOUT.as_secs())),
        };
    }
    Ok(answers)
}

async fn get(client: &HttpClient, url: &str) -> Result<Vec<u8>, String> {
    let request = Request::get(url).header(header::ACCEPT, "application/json").body(Empty::new());
    let request = request.map_err(|e| format!("no such URL: {e}"))?;
    let response = client.request(request).await.map_err(|e| format!("{e}: {}", source(&e)))?;
    let status = response.status();
    if !status.is_success() {
        return Err(format!("expected a successful answer, found {status}"));
    }
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    let text = body.map_err(|e| format!("the answer cannot be read: {e}"))?.to_bytes();
    draft::check(&text).map_err(|e| e.to_string())?;
    Ok(draft::trimmed(&text))
}

fn source(error: &dyn std::error::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}
