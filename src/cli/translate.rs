//! `legato translate`: one document, or one a line, from standard input to standard output.

use std::io::{self, BufRead as _, Read as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use crate::diagnostic::{self, Source};
use crate::json::{
    Code, Error, Limits, Losses, OnError, Program, Translated, Translator, Uuids, Values, is_instant, translate,
};
use crate::rules::{self, Direction, Mode, Ops};

use super::EXIT_FINDINGS;
use super::rules::{Place, call, find_api, version};

/// Output is kept back until this much of it is certain, so that a small document that fails prints nothing.
const KEPT_BACK: usize = 1 << 20;

/// Translate a document from standard input to standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    legato translate --rules rules --api chat --from 1 --to 2 --on 'GET /api/messages' --part response < v1.json\n  \
    legato translate --ops ops.yaml --direction up < old.json\n\n\
    Exit status 0: done; 1: the document has no translation, with a problem document on standard error; 2: usage.")]
pub(super) struct Args {
    #[command(flatten)]
    rules: Place,
    /// The API.
    #[arg(long, required_unless_present = "ops", value_name = "NAME")]
    api: Option<String>,
    /// The version that the document has.
    #[arg(long, required_unless_present = "ops", value_name = "VERSION")]
    from: Option<String>,
    /// The version that it shall have.
    #[arg(long, required_unless_present = "ops", value_name = "VERSION")]
    to: Option<String>,
    /// The call, as the client spells it.
    #[arg(long, required_unless_present = "ops", value_name = "CALL")]
    on: Option<String>,
    /// What the document is.
    #[arg(long, value_enum, required_unless_present = "ops")]
    part: Option<Part>,
    /// The response's status.
    #[arg(long, default_value_t = 200, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(100..600))]
    status: u16,
    /// A file with a bare list of ops, instead of rules.
    #[arg(long, value_name = "FILE", requires = "direction", conflicts_with_all = ["api", "from", "to", "on", "part"])]
    ops: Option<PathBuf>,
    /// Which way the ops run.
    #[arg(long, value_enum, requires = "ops")]
    direction: Option<Way>,
    /// The document is a partial update (RFC 7396).
    #[arg(long, requires = "ops")]
    patch: bool,
    /// Translate each line by itself.
    #[arg(long)]
    ndjson: bool,
    /// What `$now` is, such as `2026-03-01T00:00:00Z`; the time by default.
    #[arg(long, value_name = "TIME", value_parser = time)]
    now: Option<String>,
    /// What `$version` is; the receiver's version by default.
    #[arg(long, value_name = "LABEL")]
    version_label: Option<String>,
    /// What the UUIDs for `$uuid` are made from, so that they are the same again; random by default.
    #[arg(long, value_name = "NUMBER")]
    uuid_seed: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Request,
    Response,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Way {
    Up,
    Down,
}

/// What to run, and who receives the result.
struct Job {
    program: Arc<Program>,
    values: Values,
    limits: Limits,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let found = match &args.ops {
        Some(file) => from_ops(args, file)?,
        None => Ok(from_rules(args)?),
    };
    let job = match found {
        Ok((program, receiver)) => Job { program, values: values(args, &receiver), limits: Limits::default() },
        // An op that cannot be carried out by its nature is a failure of the translation, not of the command.
        Err(problem) => {
            let _ = writeln!(io::stderr().lock(), "{problem}");
            return Ok(ExitCode::from(EXIT_FINDINGS));
        }
    };
    let done = if args.ndjson { job.lines() } else { job.document() };
    done.map_err(|e| format!("cannot copy from standard input to standard output: {e}"))
}

/// A time that the proxy could have said.
fn time(text: &str) -> Result<String, String> {
    if is_instant(text) {
        return Ok(text.to_owned());
    }
    Err("expected a time of RFC 3339 such as `2026-03-01T00:00:00Z`".to_owned())
}

fn values(args: &Args, receiver: &str) -> Values {
    let now = args.now.clone().unwrap_or_else(|| format!("{:.3}", jiff::Timestamp::now()));
    let version = args.version_label.as_deref().unwrap_or(receiver).into();
    let uuids = Uuids::new(args.uuid_seed.map_or_else(crate::http::exchange::random, u128::from));
    Values { now: now.into(), version, uuids, on_error: OnError::Reject }
}

type Program1 = (Arc<Program>, String);

fn from_ops(args: &Args, file: &PathBuf) -> Result<Result<Program1, String>, String> {
    let name = file.display().to_string();
    let text =
        std::fs::read_to_string(file).map_err(|e| format!("{name}: expected a YAML file with a list of ops: {e}"))?;
    let mode = if args.patch { Mode::MergePatch } else { Mode::Full };
    let direction = match args.direction {
        Some(Way::Down) => Direction::Down,
        Some(Way::Up) | None => Direction::Up,
    };
    match Ops::parse(&text, &name) {
        Ok(ops) => Ok(Ok((ops.program(direction, mode), String::new()))),
        Err(errors) => match errors.iter().find(|e| e.code == rules::lens::code::WILDCARDS) {
            Some(error) => Ok(Err(problem("wildcards_do_not_align", &error.message, None, None))),
            None => Err(diagnostic::render(&errors, &[Source { file: name, text }], false)),
        },
    }
}

fn from_rules(args: &Args) -> Result<Program1, String> {
    let (rules, _) = args.rules.compile()?;
    let api = find_api(&rules, args.api.as_deref())?;
    let labelled = |flag, label: &Option<String>| version(api, flag, label.as_deref().unwrap_or_default());
    let (from, to) = (labelled("--from", &args.from)?, labelled("--to", &args.to)?);
    let on = args.on.as_deref().unwrap_or_default();
    let (method, path) = call(on).map_err(|e| format!("--on: {e}"))?;
    let status = StatusCode::from_u16(args.status).map_err(|e| format!("--status: {e}"))?;
    let pair = if args.part == Some(Part::Response) { api.pair(to, from) } else { api.pair(from, to) };
    let found = pair.find(&method, path);
    if let Some(absent) = found.absent() {
        return Err(format!("`{on}` is answered {}: {}", absent.status, absent.detail));
    }
    let plan = if args.part == Some(Part::Response) { found.response(status) } else { found.request() };
    if plan.is_united() {
        return Err(format!("the ops of `{on}` move values between the head and the body, and a document has no head"));
    }
    Ok((Arc::clone(&plan.body), api.versions.get(to).label.to_string()))
}

impl Job {
    /// One document, streamed.
    fn document(&self) -> io::Result<ExitCode> {
        let mut translator = Translator::new(Arc::clone(&self.program), self.values.clone(), self.limits);
        let mut input = io::stdin().lock();
        let mut output = KeptBack { sure: false, bytes: Vec::new(), out: io::stdout().lock() };
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = input.read(&mut buffer)?;
            let pushed =
                if read == 0 { translator.finish() } else { translator.push(Bytes::copy_from_slice(&buffer[..read])) };
            if let Err(error) = pushed {
                writeln!(io::stderr().lock(), "{}", problem_of(&error))?;
                return Ok(ExitCode::from(EXIT_FINDINGS));
            }
            translator.take().try_for_each(|piece| output.write(&piece))?;
            if read == 0 {
                output.end()?;
                return Ok(ExitCode::SUCCESS);
            }
        }
    }

    fn line(&self, line: &[u8]) -> Result<Translated, Error> {
        if line.len() > self.limits.buffer {
            let detail = format!("expected a line of at most {} bytes", self.limits.buffer);
            return Err(Error {
                code: Code::TooLarge,
                offset: self.limits.buffer as u64,
                pointer: None,
                change: None,
                detail,
                losses: Losses::default(),
            });
        }
        translate(&self.program, &self.values, self.limits, Bytes::copy_from_slice(line.trim_ascii_end()))
    }

    /// One document a line; an empty line and a record on standard error for each that fails.
    fn lines(&self) -> io::Result<ExitCode> {
        let mut input = io::stdin().lock();
        let mut output = io::BufWriter::new(io::stdout().lock());
        let (mut line, mut number, mut failed) = (Vec::new(), 0_u64, false);
        while read_line(&mut input, &mut line, self.limits.buffer)? {
            number += 1;
            match self.line(&line) {
                Ok(done) => output.write_all(&done.body)?,
                Err(error) => {
                    failed = true;
                    let record = json!({"line": number, "code": error.code.name(), "detail": error.detail, "pointer": error.pointer, "change": error.change.as_deref()});
                    writeln!(io::stderr().lock(), "{record}")?;
                }
            }
            output.write_all(b"\n")?;
        }
        output.flush()?;
        Ok(if failed { ExitCode::from(EXIT_FINDINGS) } else { ExitCode::SUCCESS })
    }
}

/// Reads a line, of which at most one byte more than `most` is kept; false at the end.
fn read_line(input: &mut impl io::BufRead, line: &mut Vec<u8>, most: usize) -> io::Result<bool> {
    line.clear();
    input.by_ref().take(most as u64 + 1).read_until(b'\n', line)?;
    if line.len() > most && !line.ends_with(b"\n") {
        input.skip_until(b'\n')?;
    }
    Ok(!line.is_empty())
}

/// Output of which the first part leaves only once there is much of it, or the end.
struct KeptBack<W> {
    sure: bool,
    bytes: Vec<u8>,
    out: W,
}

impl<W: Write> KeptBack<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.sure {
            return self.out.write_all(piece);
        }
        self.bytes.extend_from_slice(piece);
        if self.bytes.len() > KEPT_BACK {
            self.sure = true;
            return self.out.write_all(&std::mem::take(&mut self.bytes));
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.write_all(&std::mem::take(&mut self.bytes))?;
        self.out.flush()
    }
}

fn problem_of(error: &Error) -> String {
    problem(error.code.name(), &error.to_string(), error.pointer.as_deref(), error.change.as_deref())
}

/// A problem document (RFC 9457).
fn problem(code: &str, detail: &str, pointer: Option<&str>, change: Option<&str>) -> String {
    let mut problem = json!({"type": format!("urn:legato:problem:{code}"), "title": "the document has no translation", "detail": detail});
    for (name, value) in [("pointer", pointer), ("change", change)] {
        if let Some(value) = value {
            problem[name] = json!(value);
        }
    }
    problem.to_string()
}
