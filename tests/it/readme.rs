//! Runs the tour of `README.md` against the real `legato demo`.
//!
//! A `console` block holds `$ curl …` lines, each followed by what it prints. In what is printed, `...` stands for any
//! text, and alone on a line for any lines. The few flags of curl that the tour uses are carried out here, so that the
//! test needs the Rust toolchain alone.
#![expect(clippy::panic, reason = "what the test cannot read is a failure of the page")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Where the tour assumes the proxy to be.
const ASSUMED: &str = "127.0.0.1:8080";

#[test]
fn the_tour_is_true() {
    let demo = Demo::start();
    let text = include_str!("../../README.md");
    let steps: Vec<Step<'_>> = console_blocks(text).iter().flat_map(|block| steps(block)).collect();
    assert!(steps.len() >= 5, "found {} commands only", steps.len());
    for step in steps {
        let found = Curl::parse(&step.command).run(&demo.address);
        let lines: Vec<&str> = found.lines().collect();
        assert!(
            lines_match(&step.expected, &lines),
            "$ {}\nexpected:\n{}\nfound:\n{found}",
            step.command,
            step.expected.join("\n")
        );
    }
}

#[test]
fn three_dots_stand_for_text_and_for_lines() {
    let cases = [
        ("a", "a", true),
        ("a", "ab", false),
        ("a...b", "a-b", true),
        ("a...b", "a-b-", false),
        ("...x...", "axb", true),
        ("a\n...\nc", "a\nc", true),
        ("a\n...\nc", "a\nb\nb\nc", true),
        ("a\n...\nc", "a\nb", false),
        ("a...a", "a", false),
    ];
    for (pattern, text, want) in cases {
        let (pattern, text): (Vec<&str>, Vec<&str>) = (pattern.lines().collect(), text.lines().collect());
        assert_eq!(lines_match(&pattern, &text), want, "{pattern:?} on {text:?}");
    }
}

/// The running demo; killed when dropped.
struct Demo {
    process: Child,
    /// Kept open, since the demo goes on to print what to try.
    _output: BufReader<ChildStdout>,
    /// The proxy's, as `host:port`.
    address: String,
}

impl Demo {
    fn start() -> Demo {
        let mut process = Command::new(env!("CARGO_BIN_EXE_legato"))
            .args(["demo", "--port", "0", "--exit-after", "60s"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("legato starts");
        let mut output = BufReader::new(process.stdout.take().expect("the output is piped"));
        let address = listening_address(&mut output);
        let demo = Demo { process, _output: output, address: address.unwrap_or_default() };
        assert!(!demo.address.is_empty(), "legato demo ended without saying where it listens");
        demo
    }
}

/// The first `listening on` of a program's output, as `host:port`.
fn listening_address(output: &mut impl BufRead) -> Option<String> {
    let mut lines = output.lines().map(|line| line.expect("the output is UTF-8"));
    lines.find_map(|line| line.strip_prefix("listening on http://").map(str::to_owned))
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It fails only where the demo has already ended.
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}

/// A command of the tour and what it prints.
struct Step<'a> {
    command: String,
    expected: Vec<&'a str>,
}

fn console_blocks(markdown: &str) -> Vec<Vec<&str>> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines();
    while lines.by_ref().any(|line| line == "```console") {
        blocks.push(lines.by_ref().take_while(|line| *line != "```").collect());
    }
    blocks
}

fn steps<'a>(block: &[&'a str]) -> Vec<Step<'a>> {
    let mut steps: Vec<Step<'a>> = Vec::new();
    for line in block {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command: command.to_owned(), expected: Vec::new() }),
            (None, Some(step)) => step.expected.push(line),
            (None, None) => panic!("expected a command before {line:?}"),
        }
    }
    steps
}

/// A curl command, as far as the tour uses it.
#[derive(Default)]
struct Curl {
    include: bool,
    method: Option<String>,
    headers: Vec<String>,
    body: Option<String>,
    url: String,
}

impl Curl {
    fn parse(command: &str) -> Curl {
        let mut words = shell_words(command).into_iter();
        assert_eq!(words.next().as_deref(), Some("curl"), "expected a curl command, found {command}");
        let mut curl = Curl::default();
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} has no value in {command}"));
            match word.as_str() {
                "-s" => {}
                "-i" => curl.include = true,
                "-X" => curl.method = Some(value()),
                "-H" => curl.headers.push(value()),
                "--json" => {
                    curl.headers.push("content-type: application/json".to_owned());
                    curl.body = Some(value());
                }
                _ if word.starts_with('-') => panic!("{word} is not carried out here: {command}"),
                _ => curl.url = word,
            }
        }
        curl
    }

    /// What curl would print.
    fn run(&self, address: &str) -> String {
        let target = self.url.strip_prefix("http://").and_then(|url| url.strip_prefix(ASSUMED));
        let target = target.unwrap_or_else(|| panic!("expected http://{ASSUMED}/…, found {}", self.url));
        let (head, body) = exchange(address, &self.request(target));
        if self.include { format!("{head}\n\n{body}") } else { body }
    }

    fn request(&self, target: &str) -> String {
        let body = self.body.as_deref().unwrap_or_default();
        let method = self.method.as_deref().unwrap_or(if self.body.is_some() { "POST" } else { "GET" });
        let mut lines =
            vec![format!("{method} {target} HTTP/1.1"), format!("host: {ASSUMED}"), "connection: close".to_owned()];
        if self.body.is_some() {
            lines.push(format!("content-length: {}", body.len()));
        }
        lines.extend_from_slice(&self.headers);
        format!("{}\r\n\r\n{body}", lines.join("\r\n"))
    }
}

/// Splits at white space outside quotes.
fn shell_words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in command.chars() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, ' ') => words.push(String::new()),
            _ => words.last_mut().expect("there is always a last word").push(character),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Sends a request and reads to the end; head and body of the response with plain line ends.
fn exchange(address: &str, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("the proxy listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout that is not zero");
    stream.write_all(request.as_bytes()).expect("the proxy reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("the proxy answers in UTF-8");
    let (head, body) = response.split_once("\r\n\r\n").expect("a whole head");
    let chunked = head.to_ascii_lowercase().contains("\r\ntransfer-encoding: chunked");
    (head.replace("\r\n", "\n"), if chunked { dechunk(body) } else { body.to_owned() })
}

/// Takes the chunked coding off (RFC 9112, section 7.1).
fn dechunk(mut coded: &str) -> String {
    let mut body = String::new();
    loop {
        let (size, rest) = coded.split_once("\r\n").expect("a chunk size");
        let size = usize::from_str_radix(size, 16).expect("a hexadecimal chunk size");
        if size == 0 {
            return body;
        }
        body += &rest[..size];
        coded = &rest[size + 2..];
    }
}

fn lines_match(pattern: &[&str], lines: &[&str]) -> bool {
    match pattern {
        [] => lines.is_empty(),
        ["...", rest @ ..] => (0..=lines.len()).any(|skipped| lines_match(rest, &lines[skipped..])),
        [first, rest @ ..] => {
            lines.split_first().is_some_and(|(line, lines)| line_matches(first, line) && lines_match(rest, lines))
        }
    }
}

fn line_matches(pattern: &str, line: &str) -> bool {
    let Some((start, rest)) = pattern.split_once("...") else {
        return pattern == line;
    };
    let Some(line) = line.strip_prefix(start) else {
        return false;
    };
    let ends = line.char_indices().map(|(i, _)| i).chain([line.len()]);
    ends.into_iter().any(|skipped| line_matches(rest, &line[skipped..]))
}
