//! The proxy's own log: one line for each thing it does that no client asked for.

use std::io::Write as _;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something changed as it should.
    Info,
    /// Something is wrong; traffic goes on.
    Warn,
}

/// Writes a line to standard error. A closed standard error is no reason to stop serving.
pub fn line(level: Level, text: &str) {
    let level = match level {
        Level::Info => "info",
        Level::Warn => "warn",
    };
    let now = jiff::Timestamp::now();
    let _ = writeln!(std::io::stderr().lock(), "{now:.3} {level} {text}");
}
