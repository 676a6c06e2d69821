//! What a project says of findings: another severity in `api.yaml`, or one line that is right as it is, with the
//! reason in a comment.

use crate::diagnostic::{Diagnostic, Severity, Source, Span, line_column};
use crate::rules::ast::Checks;
use crate::rules::diagnostics as code;
use crate::yaml::reader::suggestion;
use crate::yaml::{self, comments};

/// What a comment that ignores a finding begins with.
const IGNORE: &str = "legato-ignore";

/// How findings of one API are to be taken.
pub(in crate::rules) struct Policy<'a> {
    checks: &'a Checks,
    files: &'a [(&'a str, &'a Source)],
    ignores: Vec<Ignore>,
}

/// A comment that says why a finding is none.
struct Ignore {
    /// Which file: a position among the files.
    file: usize,
    /// The line that it is about, from 1.
    line: usize,
    code: String,
    span: Span,
    is_used: bool,
}

impl<'a> Policy<'a> {
    /// Reads the comments of an API's files; malformed ones are reported.
    pub(in crate::rules) fn new(
        checks: &'a Checks,
        files: &'a [(&'a str, &'a Source)],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut ignores = Vec::new();
        for (file, (_, source)) in files.iter().enumerate().filter(|(_, (_, source))| source.text.contains(IGNORE)) {
            let (Some(tree), _) = yaml::parse_partial(&source.text, &source.file, yaml::Limits::default()) else {
                continue;
            };
            for comment in comments(&source.text, &tree) {
                let Some(rest) = comment.text.strip_prefix(IGNORE) else { continue };
                match read(rest) {
                    Ok(code) => {
                        let line = target(&source.text, &comment);
                        let (code, span) = (code.to_owned(), comment.span);
                        ignores.push(Ignore { file, line, code, span, is_used: false });
                    }
                    Err((message, help)) => {
                        let name = source.file.as_str().into();
                        let mut diagnostic = Diagnostic::error(code::IGNORE, &name, comment.span, message);
                        diagnostic.help(help);
                        diagnostics.push(diagnostic);
                    }
                }
            }
        }
        Self { checks, files, ignores }
    }

    /// Gives findings the severity that the project wants, and takes out those that it does not want.
    pub(in crate::rules) fn settle(&mut self, diagnostics: &mut Vec<Diagnostic>) {
        diagnostics.retain_mut(|diagnostic| {
            if !code::ADJUSTABLE.contains(&diagnostic.code) || !self.is_about(diagnostic) {
                return true;
            }
            if self.ignores(diagnostic) {
                return false;
            }
            match self.checks.severity(diagnostic.code) {
                None => true,
                Some(None) => false,
                Some(Some(severity)) => {
                    diagnostic.severity = severity;
                    true
                }
            }
        });
    }

    fn is_about(&self, diagnostic: &Diagnostic) -> bool {
        self.files.iter().any(|(_, source)| source.file == *diagnostic.file)
    }

    fn ignores(&mut self, diagnostic: &Diagnostic) -> bool {
        let files = self.files;
        let mut ignored = false;
        for ignore in self.ignores.iter_mut().filter(|ignore| ignore.code == diagnostic.code) {
            let source = files[ignore.file].1;
            if source.file == *diagnostic.file && line_column(&source.text, diagnostic.span.start).0 == ignore.line {
                ignore.is_used = true;
                ignored = true;
            }
        }
        ignored
    }

    /// Reports comments that no finding was about, once everything was looked at; `has_contracts`: contracts too.
    pub(in crate::rules) fn finish(self, has_contracts: bool, diagnostics: &mut Vec<Diagnostic>) {
        if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
            return;
        }
        // The laws are tried later, each time on other documents.
        let may_come = |ignore: &Ignore| match ignore.code.as_str() {
            code::CONFORMANCE => true,
            other => !has_contracts && code::OF_CONTRACTS.contains(&other),
        };
        for ignore in self.ignores.iter().filter(|ignore| !ignore.is_used && !may_come(ignore)) {
            let file = self.files[ignore.file].1.file.as_str().into();
            let message = format!("there is no {} on line {} to ignore", ignore.code, ignore.line);
            let mut diagnostic = Diagnostic::warning(code::IGNORE, &file, ignore.span, message);
            diagnostic.help("remove the comment, or put it on the line before the one that the finding marks");
            diagnostics.push(diagnostic);
        }
    }
}

/// The code that a comment ignores, given what follows its first word.
fn read(rest: &str) -> Result<&str, (String, String)> {
    let example = || format!("write `# {IGNORE} CF203: why it is right here`");
    let Some((code, reason)) = rest.split_once(':') else {
        return Err((format!("`{IGNORE}` has no reason"), example()));
    };
    let code = code.trim();
    if !code::ADJUSTABLE.contains(&code) {
        let message = format!("`{}` is no finding that can be ignored", code.escape_debug());
        return Err((message, suggestion(code, &code::ADJUSTABLE)));
    }
    if reason.trim().is_empty() {
        return Err((format!("`{IGNORE}` has no reason"), example()));
    }
    Ok(code)
}

/// The line that a comment is about: its own, or the next that is more than a comment.
fn target(text: &str, comment: &yaml::Comment<'_>) -> usize {
    let (line, _) = line_column(text, comment.span.start);
    if !comment.is_alone {
        return line;
    }
    let following = text.lines().enumerate().skip(line);
    let is_content = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    following.filter(|(_, text)| is_content(text)).map(|(at, _)| at + 1).next().unwrap_or(line)
}
