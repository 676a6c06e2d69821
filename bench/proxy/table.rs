//! What was measured, as tables.

use std::fmt::Write as _;
use std::time::Duration;

use super::Failure;
use super::contenders::{Contender, Work};
use super::load::Seen;
use super::process::Cpu;

/// The head of the table of turns.
pub(crate) const HEAD: &str = "| body | proxy | µs CPU/request | user | system | to nginx | to our pass through | \
                               requests/s | p50 ms | p99 ms | errors |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|";

/// What one turn gave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    /// Processor time for each request.
    cpu: Cpu,
    per_second: f64,
    p50_micros: u32,
    p99_micros: u32,
    errors: usize,
}

impl Turn {
    pub(crate) fn new(cpu: Cpu, seen: &Seen, length: Duration) -> Self {
        let requests = count(seen.micros.len().max(1));
        Self {
            cpu: Cpu { user: cpu.user / requests, system: cpu.system / requests },
            per_second: requests / length.as_secs_f64(),
            p50_micros: percentile(&seen.micros, 50),
            p99_micros: percentile(&seen.micros, 99),
            errors: seen.errors,
        }
    }

    /// The cheaper of two turns, with the errors of both.
    pub(crate) fn or_cheaper(self, other: Self) -> Self {
        let cheaper = if other.micros() < self.micros() { other } else { self };
        Self { errors: self.errors + other.errors, ..cheaper }
    }

    /// Processor time for each request, in microseconds.
    fn micros(&self) -> f64 {
        self.cpu.user + self.cpu.system
    }
}

/// The rows of one size.
pub(crate) fn rows(size: &str, contenders: &[Contender], turns: &[Turn]) -> String {
    let of = |name: &str| {
        let mut both = contenders.iter().zip(turns);
        both.find(|(contender, _)| contender.name == name && contender.work == Work::PassThrough)
            .map(|(_, turn)| turn.micros())
    };
    let ratio = |turn: &Turn, to: Option<f64>| to.map_or("-".to_owned(), |to| format!("{:.2}", turn.micros() / to));
    let mut rows = String::new();
    for (contender, turn) in contenders.iter().zip(turns) {
        let work = match contender.work {
            Work::PassThrough => "pass through",
            Work::Translate => "translate",
        };
        let _infallible = writeln!(
            rows,
            "| {size} | {}, {work} | {:.1} | {:.1} | {:.1} | {} | {} | {:.0} | {:.2} | {:.2} | {} |",
            contender.name,
            turn.micros(),
            turn.cpu.user,
            turn.cpu.system,
            ratio(turn, of("nginx")),
            ratio(turn, of("Legato")),
            turn.per_second,
            f64::from(turn.p50_micros) / 1000.0,
            f64::from(turn.p99_micros) / 1000.0,
            turn.errors
        );
    }
    rows
}

/// The peak memory of each process.
pub(crate) fn memory(contenders: &[Contender]) -> Result<String, Failure> {
    let mut table = String::from("| process, after all turns | peak memory, MB |\n|---|---:|\n");
    let mut seen = Vec::new();
    for contender in contenders {
        if !seen.contains(&contender.name) {
            seen.push(contender.name);
            let _infallible = writeln!(table, "| {} | {:.1} |", contender.name, contender.process.peak_megabytes()?);
        }
    }
    Ok(table)
}

/// A percentile of sorted numbers.
pub(crate) fn percentile(sorted: &[u32], percent: usize) -> u32 {
    sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
}

/// A number as a factor.
#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^53")]
pub(crate) fn count(number: usize) -> f64 {
    number as f64
}
