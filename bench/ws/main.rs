//! What a WebSocket message costs in Legato beside what it costs in other proxies, before the same backend.
//!
//! The contenders take turns. Load and backend run on one thread of this process; what is compared is the processor time
//! of the proxies' own processes. A contender whose program is not installed is left out. Environment: `BENCH_SECONDS` is
//! how long one turn lasts, `BENCH_NODE` where the packages of `bench/ws/node` are installed, `BENCH_LEGATO` another build,
//! `BENCH_IDLE` how many idle sockets are opened.
#![expect(clippy::print_stdout, reason = "the tables are what the program is for")]
#![expect(clippy::print_stderr, reason = "what is left out is told beside the tables")]

mod contenders;
mod load;
#[path = "../proxy/process.rs"]
mod process;

use std::error::Error;
use std::time::Duration;

use contenders::Contender;

type Failure = Box<dyn Error + Send + Sync>;

/// Open sockets, and messages on the way on each.
const SOCKETS: usize = 32;
const IN_FLIGHT: usize = 8;
/// Turns of each contender; the cheapest one counts.
const TURNS: usize = 6;
/// Bytes of the large message.
const LARGE: usize = 16_000_000;

/// What one turn gave.
#[derive(Debug, Clone, Copy)]
struct Turn {
    micros: f64,
    per_second: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let seconds = variable("BENCH_SECONDS").unwrap_or(2.0);
    let idle = variable("BENCH_IDLE").unwrap_or(10_000);
    let work = tempfile::tempdir()?;
    let backend = load::backend().await?;
    let contenders = contenders::start(work.path(), backend).await?;
    for contender in &contenders {
        load::check(contender).await?;
    }
    println!(
        "{SOCKETS} sockets, {IN_FLIGHT} messages in flight on each, {TURNS} turns of {seconds} s, the cheapest counts\n"
    );
    println!("| proxy | µs CPU/round trip | to nginx | round trips/s |\n|---|---:|---:|---:|");
    let turns = take_turns(&contenders, Duration::from_secs_f64(seconds)).await?;
    let nginx = contenders.iter().zip(&turns).find(|(contender, _)| contender.name.starts_with("nginx"));
    let nginx = nginx.map(|(_, turn)| turn.micros);
    for (contender, turn) in contenders.iter().zip(&turns) {
        let ratio = nginx.map_or("-".to_owned(), |nginx| format!("{:.2}", turn.micros / nginx));
        println!("| {} | {:.2} | {ratio} | {:.0} |", contender.name, turn.micros, turn.per_second);
    }
    println!("\n| {idle} idle sockets | MB | before, MB | KB each |\n|---|---:|---:|---:|");
    for name in ["nginx", "Legato, passing", "Legato, translating"] {
        println!("{}", idle_sockets(name, idle, &work.path().join("idle"), backend).await?);
    }
    println!("\n{}", large(&work.path().join("large"), backend).await?);
    Ok(())
}

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// The cheapest turn of each contender.
async fn take_turns(contenders: &[Contender], length: Duration) -> Result<Vec<Turn>, Failure> {
    let mut best: Vec<Option<Turn>> = vec![None; contenders.len()];
    for _ in 0..TURNS {
        for (contender, best) in contenders.iter().zip(&mut best) {
            let before = contender.process.cpu()?;
            let trips = count(load::run(contender, SOCKETS, IN_FLIGHT, length).await?);
            let cpu = contender.process.cpu()? - before;
            let turn = Turn { micros: (cpu.user + cpu.system) / trips, per_second: trips / length.as_secs_f64() };
            *best = Some(best.filter(|best| best.micros <= turn.micros).unwrap_or(turn));
        }
    }
    Ok(best.into_iter().flatten().collect())
}

/// The resident memory of a fresh proxy with idle sockets that each had one round trip.
async fn idle_sockets(
    name: &str,
    sockets: usize,
    work: &std::path::Path,
    backend: std::net::SocketAddr,
) -> Result<String, Failure> {
    let contenders = contenders::start(work, backend).await?;
    let Some(contender) = contenders.iter().find(|contender| contender.name.starts_with(name)) else {
        return Ok(format!("| {name} | - | - | - |"));
    };
    let before = contender.process.resident_megabytes()?;
    let mut open = Vec::new();
    for _ in 0..sockets {
        open.push(load::once(contender).await?);
    }
    let after = contender.process.resident_megabytes()?;
    let each = (after - before) * 1024.0 / count(sockets.max(1));
    Ok(format!("| {} | {after:.1} | {before:.1} | {each:.1} |", contender.name))
}

/// What one large message takes at most.
async fn large(work: &std::path::Path, backend: std::net::SocketAddr) -> Result<String, Failure> {
    let contenders = contenders::start(work, backend).await?;
    let name = "Legato, translating";
    let contender = contenders.iter().find(|contender| contender.name == name).ok_or("legato is not there")?;
    drop(load::once(contender).await?);
    let before = contender.process.resident_megabytes()?;
    load::large(contender, LARGE).await?;
    let peak = contender.process.peak_megabytes()? - before;
    let megabytes = count(LARGE) / 1_048_576.0;
    let times = peak / megabytes;
    Ok(format!(
        "A message of {megabytes:.1} MB translated up and, as it is echoed, down: {peak:.1} MB more at most, {times:.2} times its size."
    ))
}

/// A number as a factor.
#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^53")]
fn count(number: usize) -> f64 {
    number as f64
}
