//! What a request costs in Legato beside what it costs in other proxies, before the same backend.
//!
//! The contenders take turns on every size of body. Load and backend run on one thread of this process; what is
//! compared is the processor time of the proxies' own processes. A contender whose program is not installed is left
//! out. Environment: `BENCH_SECONDS` is how long one turn lasts, `BENCH_ENVOY` where Envoy's binary is, `BENCH_NODE`
//! where the packages of `bench/proxy/node` are installed, `BENCH_ONLY` takes the contenders whose names hold this text.
#![expect(clippy::print_stdout, reason = "the tables are what the program is for")]
#![expect(clippy::print_stderr, reason = "what is left out is told beside the tables")]

mod backend;
mod contenders;
mod equal;
mod http2;
mod idle;
mod load;
mod process;
mod reloads;
mod table;

use std::error::Error;
use std::time::Duration;

use contenders::Contender;
use load::{Load, Pace, Protocol};
use table::Turn;

type Failure = Box<dyn Error + Send + Sync>;

/// Bytes of a body, about.
const SIZES: [(&str, usize); 4] = [("1 KB", 1_000), ("10 KB", 10_000), ("100 KB", 100_000), ("1 MB", 1_000_000)];
/// Kept-alive connections, or requests under way over HTTP/2.
const CONNECTIONS: usize = 32;
/// Turns of each contender on each size; the cheapest one counts.
const TURNS: usize = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let seconds = std::env::var("BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2.0);
    let length = Duration::from_secs_f64(seconds);
    let work = tempfile::tempdir()?;
    let backend = backend::start(&SIZES.map(|(_, size)| size)).await?;
    let contenders = contenders::start(work.path(), backend).await?;
    equal::check(&contenders, &SIZES.map(|(_, size)| size)).await?;
    println!("{CONNECTIONS} connections, {TURNS} turns of {seconds} s each, the cheapest counts\n");
    println!("{}", table::HEAD);
    for (label, size) in SIZES {
        let turns = take_turns(&contenders, size, length, Protocol::Http1).await?;
        print!("{}", table::rows(label, &contenders, &turns));
    }
    let ours: Vec<Contender> = contenders.iter().filter(|contender| contender.name == "Legato").cloned().collect();
    for (label, size) in &SIZES[..2] {
        let turns = take_turns(&ours, *size, length, Protocol::Http2).await?;
        print!("{}", table::rows(&format!("{label}, HTTP/2"), &ours, &turns));
    }
    println!("\n{}", table::memory(&contenders)?);
    println!("{}", idle::measure(work.path(), backend).await?);
    println!("{}", reloads::measure(work.path(), backend).await?);
    Ok(())
}

/// The cheapest turn of each contender; errors are those of all its turns.
async fn take_turns(
    contenders: &[Contender],
    size: usize,
    length: Duration,
    protocol: Protocol,
) -> Result<Vec<Turn>, Failure> {
    let mut best: Vec<Option<Turn>> = vec![None; contenders.len()];
    for _ in 0..TURNS {
        for (contender, best) in contenders.iter().zip(&mut best) {
            let turn = take_turn(contender, size, length, protocol).await?;
            *best = Some(best.map_or(turn, |best| best.or_cheaper(turn)));
        }
    }
    Ok(best.into_iter().flatten().collect())
}

async fn take_turn(contender: &Contender, size: usize, length: Duration, protocol: Protocol) -> Result<Turn, Failure> {
    let load = Load { address: contender.address, version: contender.version, size, pace: Pace::Closed, protocol };
    let before = contender.process.cpu()?;
    let seen = load.run(CONNECTIONS, length).await;
    Ok(Turn::new(contender.process.cpu()? - before, &seen, length))
}
