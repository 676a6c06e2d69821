//! `legato explain`: what happens to a call or a message between two versions, in words.

use std::path::PathBuf;
use std::process::ExitCode;

use similar::TextDiff;

use crate::rules::ast::ArgumentList;
use crate::rules::explain::{About, Explained, event_names, explain, names};
use crate::rules::{Api, Side};
use crate::version::VersionId;

use super::EXIT_FINDINGS;
use super::rules::{Place, call, find_api, version};

/// Say what happens to a call or message between two versions.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    legato explain 'GET /api/messages' rules --from 2 --to 1\n  \
    legato explain 'POST /api/messages' --from 2 --to 1 --part request --trace body.json\n  \
    legato explain 'ws /ws' --from 2 --to 1 --side server --frame msg\n  \
    legato explain 'socketio /' --from 2 --to 1 --side server --frame msg\n\n\
    Exit status 0: done; 1: the traced document has no translation; 2: usage, or the rules have errors.")]
pub(super) struct Args {
    /// The call as the client spells it, `ws` and a path, or `socketio` and a namespace.
    #[arg(value_name = "CALL")]
    call: String,
    /// The version that the client speaks.
    #[arg(long, value_name = "VERSION")]
    from: String,
    /// The version that the backend speaks.
    #[arg(long, value_name = "VERSION")]
    to: String,
    #[command(flatten)]
    rules: Place,
    /// The API, if there are several.
    #[arg(long, value_name = "NAME")]
    api: Option<String>,
    /// One part of the call only; both by default.
    #[arg(long, value_enum)]
    part: Option<Part>,
    /// The response's status, as the backend gives it; 200 by default.
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(100..600))]
    status: Option<u16>,
    /// A socket's message, as its sender calls it; all that have rules by default.
    #[arg(long, value_name = "NAME")]
    frame: Option<String>,
    /// Who sends the socket's message; both by default.
    #[arg(long, value_enum)]
    side: Option<Sender>,
    /// The acknowledgements of Socket.IO events alone.
    #[arg(long)]
    ack: bool,
    /// A JSON document: what each op makes of it.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Request,
    Response,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Sender {
    Client,
    Server,
}

/// What messages that are no calls pass through.
#[derive(Debug, Clone, Copy)]
enum Socket {
    Ws,
    SocketIo,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let (rules, files) = args.rules.compile()?;
    let api = find_api(&rules, args.api.as_deref())?;
    let (client, backend) = (version(api, "--from", &args.from)?, version(api, "--to", &args.to)?);
    let explained: Vec<_> =
        about(args, api, client, backend)?.into_iter().map(|about| explain(api, client, backend, about)).collect();
    if let Some(file) = &args.trace {
        let [one] = explained.as_slice() else {
            return Err("`--trace` follows one document: add `--part`, or `--side` and `--frame`".to_owned());
        };
        return trace(one, file);
    }
    let texts: Vec<String> = explained.iter().map(|one| one.to_text(&files.files)).collect();
    super::print(texts.join("\n").trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// The messages that the arguments name.
fn about(args: &Args, api: &Api, client: VersionId, backend: VersionId) -> Result<Vec<About>, String> {
    let socket = args.call.split_once(' ').filter(|(_, path)| path.starts_with('/')).and_then(|(word, path)| {
        let known = [("ws", Socket::Ws), ("socketio", Socket::SocketIo)];
        let (_, socket) = known.into_iter().find(|(known, _)| word.eq_ignore_ascii_case(known))?;
        Some((socket, path))
    });
    if args.ack && !matches!(socket, Some((Socket::SocketIo, _))) {
        return Err("`--ack` is of Socket.IO events: `socketio /namespace`".to_owned());
    }
    if let Some((socket, path)) = socket {
        if args.part.is_some() || args.status.is_some() {
            return Err(
                "`--part` and `--status` are of calls: a socket's messages have `--side` and `--frame`".to_owned()
            );
        }
        let path = path.split('?').next().unwrap_or(path);
        return messages(args, api, (client, backend), (socket, path));
    }
    let (method, path) =
        call(&args.call).map_err(|e| format!("{e}; a socket is `ws /path` or `socketio /namespace`"))?;
    if args.frame.is_some() || args.side.is_some() {
        return Err("`--frame` and `--side` are of sockets: a call has `--part` and `--status`".to_owned());
    }
    let path = path.to_owned();
    let request = About::Request { method: method.clone(), path: path.clone() };
    let response = About::Response { method, path, status: args.status.unwrap_or(200) };
    Ok(match args.part {
        Some(Part::Request) => vec![request],
        Some(Part::Response) => vec![response],
        None => vec![request, response],
    })
}

fn messages(
    args: &Args,
    api: &Api,
    (client, backend): (VersionId, VersionId),
    (socket, path): (Socket, &str),
) -> Result<Vec<About>, String> {
    let sides = match args.side {
        Some(Sender::Client) => vec![Side::Client],
        Some(Sender::Server) => vec![Side::Server],
        None => vec![Side::Client, Side::Server],
    };
    let mut all = Vec::new();
    for side in sides {
        let mut known = match socket {
            Socket::Ws => names(api, client, backend, path, side),
            Socket::SocketIo => event_names(api, client, backend, path, side),
        };
        known.retain(|name| args.frame.as_ref().is_none_or(|frame| frame == name));
        for name in known {
            match socket {
                Socket::Ws => all.push(About::Message { path: path.to_owned(), side, name }),
                Socket::SocketIo => {
                    let events = api.pair(client, backend).socketio(path);
                    let has_ack = events.is_some_and(|events| events.translates_ack(side, &name));
                    let event = |&list| About::Event { namespace: path.to_owned(), side, name: name.clone(), list };
                    all.extend(lists(args, has_ack).iter().map(event));
                }
            }
        }
    }
    match (&args.frame, all.is_empty()) {
        (Some(frame), true) => {
            Err(format!("no rule knows a message `{frame}` on {path}; without `--frame`, all are listed"))
        }
        (None, true) => Err(format!("no change between these versions is about the socket {path}")),
        (_, false) => Ok(all),
    }
}

/// The lists of arguments that are explained of an event; one alone can be followed.
fn lists(args: &Args, has_ack: bool) -> &'static [ArgumentList] {
    match (args.ack, has_ack && args.trace.is_none()) {
        (true, _) => &[ArgumentList::Ack],
        (false, false) => &[ArgumentList::Event],
        (false, true) => &[ArgumentList::Event, ArgumentList::Ack],
    }
}

/// Prints what each op does to the document.
fn trace(explained: &Explained<'_>, file: &PathBuf) -> Result<ExitCode, String> {
    let name = file.display().to_string();
    let body = std::fs::read(file).map_err(|e| format!("{name}: expected a JSON document: {e}"))?;
    let now = format!("{:.3}", jiff::Timestamp::now());
    let steps = explained.trace(&body, &now).map_err(|e| format!("{name}: {e}"))?;
    if let Some(why) = explained.ends() {
        super::print(why)?;
        return Ok(ExitCode::from(EXIT_FINDINGS));
    }
    if steps.is_empty() {
        super::print("no op touches the body: it leaves as it came")?;
    }
    for step in steps {
        super::print(&step.words)?;
        match step.after {
            Ok(after) if after == step.before => super::print("  nothing changes\n")?,
            Ok(after) => {
                let diff = TextDiff::from_lines(&step.before, &after);
                super::print(&format!("{}", diff.unified_diff().context_radius(2)))?;
            }
            Err(error) => {
                super::print(&format!("  fails: {error}"))?;
                return Ok(ExitCode::from(EXIT_FINDINGS));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
