//! What clients notice of reloads.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval};

use super::load::{Load, Pace, Protocol, Seen};
use super::{Failure, contenders, table};

/// Connections, and how often each asks: 2000 requests a second.
const CONNECTIONS: usize = 16;
const EVERY: Duration = Duration::from_millis(8);
/// How often the rules change.
const RELOAD: Duration = Duration::from_millis(100);
/// How long one turn lasts, and how many there are; the median counts.
const LENGTH: Duration = Duration::from_secs(4);
const TURNS: usize = 3;

/// Latency of translated answers at a steady pace, without and with reloads that each publish new rules, as a table.
pub(crate) async fn measure(work: &Path, backend: SocketAddr) -> Result<String, Failure> {
    let directory = work.join("reloads");
    let rules = directory.join("rules");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"), &rules)?;
    let more = "admin: {address: \"127.0.0.1:0\"}\n";
    let (address, admin, _process) = contenders::serve(&directory, &rules, backend, more)?;
    let admin = admin.ok_or("legato has no admin endpoints")?;
    let load = Load { address, version: "2", size: 1_000, pace: Pace::Every(EVERY), protocol: Protocol::Http1 };
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let mut published = 0;
    for _ in 0..TURNS {
        without.push(load.run(CONNECTIONS, LENGTH).await);
        let reloading = tokio::spawn(reload(admin, rules.join("chat/api.yaml")));
        with.push(load.run(CONNECTIONS, LENGTH).await);
        reloading.abort();
        published = generation(admin).await?;
    }
    let mut text = String::from("| 2000 requests/s | p50 ms | p99 ms | errors |\n|---|---:|---:|---:|\n");
    let rows = [("without reloads".to_owned(), &mut without), (format!("with {published} reloads"), &mut with)];
    for (label, turns) in rows {
        turns.sort_by_key(|seen| table::percentile(&seen.micros, 99));
        let errors: usize = turns.iter().map(|seen| seen.errors).sum();
        let Seen { micros, .. } = &turns[TURNS / 2];
        let millis = |percent| f64::from(table::percentile(micros, percent)) / 1000.0;
        let _infallible = writeln!(text, "| {label} | {:.2} | {:.2} | {errors} |", millis(50), millis(99));
    }
    Ok(text)
}

/// Changes the rules' text and asks for a reload, again and again.
async fn reload(admin: SocketAddr, file: std::path::PathBuf) -> Result<(), Failure> {
    let text = std::fs::read_to_string(&file)?;
    let mut tick = interval(RELOAD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for turn in 0_u64.. {
        tick.tick().await;
        std::fs::write(&file, format!("{text}# {turn}\n"))?;
        ask(admin, "POST /api/reload").await?;
    }
    Ok(())
}

async fn generation(admin: SocketAddr) -> Result<u64, Failure> {
    let status: serde_json::Value = serde_json::from_str(&ask(admin, "GET /api/status").await?)?;
    Ok(status["generation"].as_u64().ok_or("a status without a generation")?)
}

async fn ask(admin: SocketAddr, line: &str) -> Result<String, Failure> {
    let mut stream = TcpStream::connect(admin).await?;
    let request = format!("{line} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer without a head")?;
    if head.starts_with("HTTP/1.1 200") { Ok(body.to_owned()) } else { Err(head.into()) }
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
