//! Messages about rule and configuration files: a code, a place, what is wrong, and how to mend it.
//!
//! A [`Diagnostic`] is data. [`render`] draws it for a person in the manner of rustc, [`to_json`] writes it for a
//! program. Neither reads files: the texts come in as [`Source`]s.

use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// A range of bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, and probably does not do what its author wants.
    Warning,
    /// Something to know.
    Hint,
}

impl Severity {
    /// `error`, `warning` or `hint`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Hint => "hint",
        }
    }
}

/// One message about one place of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable code such as `YM002`.
    pub code: &'static str,
    /// The file, as its [`Source`] names it.
    pub file: Arc<str>,
    /// The place.
    pub span: Span,
    /// What is wrong: lower case, no final full stop.
    pub message: String,
    /// What to say under the marked place.
    pub label: Option<String>,
    /// Other places of the same file, each with what to say under it.
    pub secondary: Vec<(Span, String)>,
    /// How to mend it.
    pub help: Option<String>,
    /// Whether the file holds secrets, so that none of its lines may be drawn.
    pub is_secret: bool,
}

impl Diagnostic {
    /// An error without label and help.
    #[must_use]
    pub fn error(code: &'static str, file: &Arc<str>, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, file, span, message.into())
    }

    /// A warning without label and help.
    #[must_use]
    pub fn warning(code: &'static str, file: &Arc<str>, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, file, span, message.into())
    }

    /// A hint without label and help.
    #[must_use]
    pub fn hint(code: &'static str, file: &Arc<str>, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Hint, code, file, span, message.into())
    }

    fn new(severity: Severity, code: &'static str, file: &Arc<str>, span: Span, message: String) -> Self {
        Self {
            severity,
            code,
            file: file.clone(),
            span,
            message,
            label: None,
            secondary: Vec::new(),
            help: None,
            is_secret: false,
        }
    }

    /// Says something under the marked place.
    pub fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = Some(label.into());
        self
    }

    /// Marks another place of the same file.
    pub fn secondary(&mut self, span: Span, label: impl Into<String>) -> &mut Self {
        self.secondary.push((span, label.into()));
        self
    }

    /// Says how to mend it.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }
}

/// A file's name and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The name that diagnostics refer to.
    pub file: String,
    /// The text that spans refer to.
    pub text: String,
}

/// More than this nobody reads, and drawing thousands takes long.
const MOST_DRAWN: usize = 100;

/// The diagnostics as text for a terminal or a log, in the given order, each followed by an empty line; after the first
/// hundred, how many more there are.
///
/// A diagnostic whose file is not among the sources is drawn without the line it is about.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], sources: &[Source], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for diagnostic in diagnostics.iter().take(MOST_DRAWN) {
        let group = group(diagnostic, find(sources, diagnostic));
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    match diagnostics.len().saturating_sub(MOST_DRAWN) {
        0 => out,
        more => out + &format!("and {more} more\n\n"),
    }
}

fn find<'s>(sources: &'s [Source], diagnostic: &Diagnostic) -> Option<&'s Source> {
    sources.iter().find(|source| *source.file == *diagnostic.file)
}

fn group<'d>(diagnostic: &'d Diagnostic, source: Option<&'d Source>) -> Group<'d> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Hint => Level::INFO.with_name("hint"),
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
    let group = match source {
        Some(source) if diagnostic.is_secret => {
            let (line, column) = line_column(&source.text, diagnostic.span.start);
            title.element(Origin::path(&*diagnostic.file).line(line).char_column(column))
        }
        Some(source) => title.element(snippet(diagnostic, source)),
        None => title.element(Origin::path(&*diagnostic.file)),
    };
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}

/// The lines that the diagnostic marks, and nothing else of the file, so that a long file costs no more than a
/// short one.
fn snippet<'d>(diagnostic: &'d Diagnostic, source: &'d Source) -> Snippet<'d, annotate_snippets::Annotation<'d>> {
    let text = source.text.as_str();
    let primary = clamp(text, diagnostic.span);
    let others = || diagnostic.secondary.iter().map(|(span, label)| (clamp(text, *span), label));
    let first = others().map(|(span, _)| span.start).fold(primary.start, usize::min);
    let last = others().map(|(span, _)| span.end).fold(primary.end, usize::max);
    let start = line_start(text, first);
    let end = text[last..].find('\n').map_or(text.len(), |i| last + i);
    let shift = |span: Range<usize>| span.start - start..span.end - start;

    Snippet::source(&text[start..end])
        .line_start(line_column(text, start).0)
        .path(&*diagnostic.file)
        .annotation(AnnotationKind::Primary.span(shift(primary)).label(diagnostic.label.as_deref()))
        .annotations(others().map(|(span, label)| AnnotationKind::Context.span(shift(span)).label(label.as_str())))
}

/// The span cut to its first line: a mark over a whole mapping hides more than it shows.
fn clamp(text: &str, span: Span) -> Range<usize> {
    let start = floor(text, span.start);
    let end = floor(text, span.end).max(start);
    let line = text[start..end].find('\n').map_or(end, |i| start + i);
    start..line
}

/// The offset, or the start of the character that it falls into.
fn floor(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    (0..=offset).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind('\n').map_or(0, |i| i + 1)
}

/// Line and column of a byte offset, both from 1, columns in characters. An offset past the end is the end.
#[must_use]
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let offset = floor(text, offset);
    let start = line_start(text, offset);
    let line = memchr::memchr_iter(b'\n', &text.as_bytes()[..start]).count() + 1;
    (line, text[start..offset].chars().count() + 1)
}

/// Texts for a person about one thing after the other.
#[must_use]
pub fn join(texts: impl IntoIterator<Item = String>) -> String {
    let mut out = String::new();
    for text in texts {
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(&text);
    }
    out
}

/// The values, or all that is wrong with any of them, as one text for a person.
///
/// # Errors
/// Those of the values.
pub fn all<T>(values: impl IntoIterator<Item = Result<T, String>>) -> Result<Vec<T>, String> {
    let mut errors = Vec::new();
    let values = values.into_iter().filter_map(|value| value.map_err(|error| errors.push(error)).ok()).collect();
    if errors.is_empty() { Ok(values) } else { Err(join(errors)) }
}

/// As [`all`], for two values of different types.
///
/// # Errors
/// Those of the values.
pub fn both<A, B>(a: Result<A, String>, b: Result<B, String>) -> Result<(A, B), String> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (a, b) => Err(join(a.err().into_iter().chain(b.err()))),
    }
}

/// One diagnostic as a JSON object on one line: `file`, `line`, `column`, `end_line`, `end_column`, `severity`,
/// `code`, `message`, and `help` where there is one. Places are `null` where the file is not among the sources.
/// `path` is what the reader calls the file.
#[must_use]
pub fn to_json(diagnostic: &Diagnostic, sources: &[Source], path: &str) -> String {
    let place = |offset| find(sources, diagnostic).map(|source| line_column(&source.text, offset));
    let (start, end) = (place(diagnostic.span.start), place(diagnostic.span.end));
    let mut object = serde_json::json!({
        "file": path,
        "line": start.map(|(line, _)| line),
        "column": start.map(|(_, column)| column),
        "end_line": end.map(|(line, _)| line),
        "end_column": end.map(|(_, column)| column),
        "severity": diagnostic.severity.name(),
        "code": diagnostic.code,
        "message": diagnostic.message,
    });
    if let Some(help) = &diagnostic.help {
        object["help"] = help.as_str().into();
    }
    object.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Diagnostic, Vec<Source>) {
        let text = "name: Änne\nname: Bo\n".to_owned();
        let mut diagnostic =
            Diagnostic::error("YM002", &"a.yaml".into(), Span { start: 12, end: 16 }, "duplicate key `name`");
        diagnostic.label("again here").secondary(Span { start: 0, end: 4 }, "first here").help("remove one");
        (diagnostic, vec![Source { file: "a.yaml".into(), text }])
    }

    #[test]
    fn draws_places_labels_and_help() {
        let (diagnostic, sources) = sample();
        assert_eq!(
            render(&[diagnostic], &sources, false),
            "\
error[YM002]: duplicate key `name`
 --> a.yaml:2:1
  |
1 | name: Änne
  | ---- first here
2 | name: Bo
  | ^^^^ again here
  |
  = help: remove one

"
        );
    }

    #[test]
    fn draws_no_line_of_a_file_with_secrets() {
        let (mut diagnostic, sources) = sample();
        diagnostic.is_secret = true;
        let want = "error[YM002]: duplicate key `name`\n--> a.yaml:2:1\n = help: remove one\n\n";
        assert_eq!(render(&[diagnostic], &sources, false), want);
    }

    #[test]
    fn draws_without_the_source() {
        let (diagnostic, _) = sample();
        assert_eq!(
            render(&[diagnostic], &[], false),
            "error[YM002]: duplicate key `name`\n--> a.yaml\n = help: remove one\n\n"
        );
    }

    #[test]
    fn numbers_lines_as_in_the_file_and_marks_one_line_of_a_long_span() {
        let source = Source { file: "b".into(), text: "one\ntwo\nthree\nfour\n".into() };
        let hint = Diagnostic::hint("X", &"b".into(), Span { start: 8, end: 18 }, "look");
        assert_eq!(render(&[hint], &[source], false), "hint[X]: look\n --> b:3:1\n  |\n3 | three\n  | ^^^^^\n\n");
    }

    #[test]
    fn colours_only_when_asked() {
        let (diagnostic, sources) = sample();
        assert!(render(std::slice::from_ref(&diagnostic), &sources, true).contains('\u{1b}'));
        assert!(!render(&[diagnostic], &sources, false).contains('\u{1b}'));
    }

    #[test]
    fn spans_outside_the_text_are_brought_inside() {
        let source = Source { file: "c".into(), text: "é".into() };
        for span in [Span { start: 1, end: 1 }, Span { start: 9, end: 3 }, Span { start: 0, end: 99 }] {
            let drawn =
                render(&[Diagnostic::warning("X", &"c".into(), span, "m")], std::slice::from_ref(&source), false);
            assert!(drawn.starts_with("warning[X]: m\n --> c:1:"), "{drawn}");
        }
    }

    #[test]
    fn says_how_many_are_not_drawn() {
        let (diagnostic, sources) = sample();
        let drawn = render(&vec![diagnostic; 1000], &sources, false);
        assert_eq!(drawn.matches("error[YM002]").count(), 100);
        assert!(drawn.ends_with("\n\nand 900 more\n\n"), "{drawn}");
    }

    #[test]
    fn writes_json() {
        let (diagnostic, sources) = sample();
        assert_eq!(
            to_json(&diagnostic, &sources, "a.yaml"),
            r#"{"file":"a.yaml","line":2,"column":1,"end_line":2,"end_column":5,"severity":"error","code":"YM002","message":"duplicate key `name`","help":"remove one"}"#
        );
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(line_column("aé\nbü!", 7), (2, 3));
        assert_eq!(line_column("aé\nbü!", 99), (2, 4));
        assert_eq!(line_column("", 0), (1, 1));
    }
}
