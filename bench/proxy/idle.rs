//! What connections cost that do nothing.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use super::Failure;
use super::contenders::{PROGRAMS, Program};
use super::load::Client;

/// Open connections that have each had one answer.
const CONNECTIONS: usize = 10_000;

/// The resident memory of fresh proxies with idle connections, as a table.
pub(crate) async fn measure(work: &Path, backend: SocketAddr) -> Result<String, Failure> {
    let mut table = format!("| {CONNECTIONS} idle connections | MB | before, MB | KB each |\n|---|---:|---:|---:|\n");
    let passing = |program| matches!(program, Program::Nginx | Program::Haproxy | Program::Envoy | Program::Legato);
    let only = std::env::var("BENCH_ONLY").unwrap_or_default();
    for (name, program) in PROGRAMS.into_iter().filter(|&(name, p)| passing(p) && name.contains(&only)) {
        let Some((address, process)) = program.start(&work.join("idle"), backend).await? else {
            continue;
        };
        let before = process.resident_megabytes()?;
        let mut clients = Vec::with_capacity(CONNECTIONS);
        let mut failed = 0;
        while clients.len() < CONNECTIONS && failed < CONNECTIONS / 10 {
            match client(address).await {
                Ok(client) => clients.push(client),
                Err(_) => failed += 1,
            }
        }
        let after = process.resident_megabytes()?;
        let each = (after - before) * 1024.0 / super::table::count(clients.len());
        let note = if clients.len() < CONNECTIONS { format!(" ({} only)", clients.len()) } else { String::new() };
        let _infallible = writeln!(table, "| {name}{note} | {after:.1} | {before:.1} | {each:.1} |");
    }
    Ok(table)
}

async fn client(address: SocketAddr) -> Result<Client, Failure> {
    let mut client = Client::connect(address, "1", super::SIZES[0].1).await?;
    client.ask().await?;
    client.release();
    Ok(client)
}
