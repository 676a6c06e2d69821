//! Requests per second and processor time per request of Legato beside nginx, before the same backend.
//!
//! Three contenders take turns on every size of body: nginx passing through, Legato passing through (a version 1
//! client) and Legato translating (a version 2 client). Load and backend run in this process; what is measured is the
//! processor time of the proxies' own processes. `BENCH_SECONDS` sets how long one turn lasts.
#![expect(clippy::print_stdout, reason = "the table is what the program is for")]

use std::convert::Infallible;
use std::error::Error;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

type Failure = Box<dyn Error + Send + Sync>;

/// Bytes of a body, about.
const SIZES: [(&str, usize); 4] = [("1 KB", 1_000), ("10 KB", 10_000), ("100 KB", 100_000), ("1 MB", 1_000_000)];
/// Bytes of the body whose memory is measured, about.
const LONG: usize = 10_000_000;
/// Kept-alive connections.
const CONNECTIONS: usize = 32;
/// Turns of each contender on each size; the best one counts.
const TURNS: usize = 3;
/// The kernel's unit of processor time in `/proc`, in microseconds.
const TICK_MICROS: f64 = 10_000.0;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let seconds = std::env::var("BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let work = tempfile::tempdir()?;
    let backend = start_backend().await?;
    let nginx = Proxy::nginx(work.path(), backend).await?;
    let legato = Proxy::legato(work.path(), backend)?;
    let contenders = [
        Contender { name: "nginx, pass through", proxy: &nginx, version: "1" },
        Contender { name: "Legato, pass through", proxy: &legato, version: "1" },
        Contender { name: "Legato, translate", proxy: &legato, version: "2" },
    ];
    let mut grown = Vec::new();
    for contender in &contenders {
        grown.push(growth(contender).await?);
    }
    println!("{CONNECTIONS} connections, {TURNS} turns of {seconds} s each, the best counts\n");
    println!("| body | proxy | requests/s | to nginx | µs CPU/request | to nginx | p50 ms | p99 ms | errors |");
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|");
    for (label, size) in SIZES {
        let turns = take_turns(&contenders, size, Duration::from_secs(seconds)).await?;
        print!("{}", rows(label, &contenders, &turns));
    }
    println!("\n| process | peak memory, MB |\n|---|---:|");
    println!("| nginx | {:.1} |\n| Legato | {:.1} |", nginx.peak_megabytes()?, legato.peak_megabytes()?);
    println!("\n| one body of 10 MB, before all else | raises peak memory by, MB |\n|---|---:|");
    for (contender, grown) in contenders.iter().zip(grown) {
        println!("| {} | {grown:.1} |", contender.name);
    }
    Ok(())
}

/// A proxy and the version its clients speak.
struct Contender<'a> {
    name: &'static str,
    proxy: &'a Proxy,
    version: &'static str,
}

/// What one turn gave.
#[derive(Debug, Clone, Copy, Default)]
struct Turn {
    per_second: f64,
    cpu_micros: f64,
    p50_millis: f64,
    p99_millis: f64,
    errors: usize,
}

/// The best turn of each contender; errors are those of all its turns.
async fn take_turns(contenders: &[Contender<'_>], size: usize, length: Duration) -> Result<Vec<Turn>, Failure> {
    let mut best = vec![Turn::default(); contenders.len()];
    for _ in 0..TURNS {
        for (contender, best) in contenders.iter().zip(&mut best) {
            let turn = take_turn(contender, size, length).await?;
            let errors = best.errors + turn.errors;
            let faster = if turn.per_second > best.per_second { turn } else { *best };
            *best = Turn { errors, ..faster };
        }
    }
    Ok(best)
}

/// By how many megabytes one long body raises the peak memory of a proxy that has served a short one.
async fn growth(contender: &Contender<'_>) -> Result<f64, Failure> {
    ask_once(contender, SIZES[0].1).await?;
    let before = contender.proxy.peak_megabytes()?;
    ask_once(contender, LONG).await?;
    Ok(contender.proxy.peak_megabytes()? - before)
}

async fn ask_once(contender: &Contender<'_>, size: usize) -> Result<(), Failure> {
    let mut sender = connect(contender.proxy.address).await?;
    ask(&mut sender, contender.version, size).await
}

async fn take_turn(contender: &Contender<'_>, size: usize, length: Duration) -> Result<Turn, Failure> {
    let before = contender.proxy.cpu_micros()?;
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        clients.spawn(client(contender.proxy.address, contender.version, size, start + length));
    }
    let (mut micros, mut errors) = (Vec::new(), 0);
    while let Some(done) = clients.join_next().await {
        let (taken, failed) = done?;
        micros.extend(taken);
        errors += failed;
    }
    let elapsed = start.elapsed().as_secs_f64();
    let cpu = contender.proxy.cpu_micros()? - before;
    micros.sort_unstable();
    let requests = count(micros.len().max(1));
    Ok(Turn {
        per_second: count(micros.len()) / elapsed,
        cpu_micros: cpu / requests,
        p50_millis: percentile(&micros, 50) / 1000.0,
        p99_millis: percentile(&micros, 99) / 1000.0,
        errors,
    })
}

/// One connection's requests until the deadline: the microseconds of each that succeeded, and how many failed.
async fn client(address: SocketAddr, version: &str, size: usize, deadline: Instant) -> (Vec<u32>, usize) {
    let (mut taken, mut failed) = (Vec::new(), 0);
    while Instant::now() < deadline {
        // A connection that failed is opened again; all others last to the deadline.
        failed += usize::from(requests(address, version, size, deadline, &mut taken).await.is_err());
    }
    (taken, failed)
}

async fn requests(
    address: SocketAddr,
    version: &str,
    size: usize,
    deadline: Instant,
    taken: &mut Vec<u32>,
) -> Result<(), Failure> {
    let mut sender = connect(address).await?;
    while Instant::now() < deadline {
        let start = Instant::now();
        ask(&mut sender, version, size).await?;
        taken.push(u32::try_from(start.elapsed().as_micros())?);
    }
    Ok(())
}

/// A connection, which ends with its sender.
async fn connect(address: SocketAddr) -> Result<SendRequest<Empty<Bytes>>, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Asks for a list of messages and reads all of it.
async fn ask(sender: &mut SendRequest<Empty<Bytes>>, version: &str, size: usize) -> Result<(), Failure> {
    let request = Request::get(format!("/api/messages?size={size}"))
        .header("host", "bench")
        .header("api-version", version)
        .body(Empty::<Bytes>::new())?;
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let length = discard(response.into_body()).await?;
    if !status.is_success() || length < size {
        return Err(format!("{status} with {length} bytes").into());
    }
    Ok(())
}

/// Reads a body to its end; its length in bytes.
async fn discard(mut body: Incoming) -> Result<usize, hyper::Error> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(length)
}

/// A proxy's process; killed when dropped.
struct Proxy {
    process: Child,
    address: SocketAddr,
}

impl Proxy {
    async fn nginx(work: &Path, backend: SocketAddr) -> Result<Proxy, Failure> {
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let text = include_str!("nginx.conf")
            .replace("PORT", &address.port().to_string())
            .replace("BACKEND", &backend.to_string())
            .replace("WORK", &work.display().to_string());
        let file = work.join("nginx.conf");
        std::fs::write(&file, text)?;
        let process = Command::new("nginx").arg("-p").arg(work).arg("-c").arg(file).stderr(Stdio::null()).spawn()?;
        let mut proxy = Proxy { process, address };
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = proxy.process.try_wait()? {
                return Err(format!("nginx ended with {status}").into());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(proxy)
    }

    fn legato(work: &Path, backend: SocketAddr) -> Result<Proxy, Failure> {
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
        let text = format!(
            "legato: 1\nlisten: [{{address: \"127.0.0.1:0\"}}]\nrules: \"{}\"\naccess_log: \"off\"\nworkers: 1\n\
             apis: {{chat: {{backends: {{legacy: {{speaks: \"1\", endpoints: [\"http://{backend}\"]}}}}}}}}\n",
            rules.display()
        );
        let file = work.join("legato.yaml");
        std::fs::write(&file, text)?;
        let mut process = Command::new(env!("CARGO_BIN_EXE_legato"))
            .args(["serve", "--config"])
            .arg(file)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("legato has no output")?;
        let address = BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on http://").map(str::to_owned));
        Ok(Proxy { process, address: address.ok_or("legato did not say where it listens")?.parse()? })
    }

    /// Processor time so far, user and system, of the process and its children.
    fn cpu_micros(&self) -> Result<f64, Failure> {
        let mut ticks = 0;
        for pid in self.pids()? {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
            ticks += after_name(&stat, 11)? + after_name(&stat, 12)?;
        }
        Ok(count(usize::try_from(ticks)?) * TICK_MICROS)
    }

    /// The most memory that the process and its children ever had resident, added up.
    fn peak_megabytes(&self) -> Result<f64, Failure> {
        let mut kilobytes = 0;
        for pid in self.pids()? {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
            kilobytes += line.trim().trim_end_matches(" kB").parse::<usize>()?;
        }
        Ok(count(kilobytes) / 1024.0)
    }

    fn pids(&self) -> Result<Vec<u64>, Failure> {
        let own = u64::from(self.process.id());
        let mut pids = vec![own];
        for entry in std::fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // A process may end while the directory is read.
            let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
                continue;
            };
            if after_name(&stat, 1)? == own {
                pids.push(pid);
            }
        }
        Ok(pids)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // SIGTERM, so that nginx ends its worker too; the process may have ended already.
        let _sent = Command::new("kill").arg(self.process.id().to_string()).status();
        let _status = self.process.wait();
    }
}

/// A number of `/proc/PID/stat`, counted from the one after the name, which may hold spaces.
fn after_name(stat: &str, index: usize) -> Result<u64, Failure> {
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    Ok(fields.split_whitespace().nth(index).ok_or("a short stat line")?.parse()?)
}

/// A backend that answers `?size=N` with that many bytes of messages, or a few more.
async fn start_backend() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let sizes = SIZES.iter().map(|&(_, size)| size).chain([LONG]);
    let bodies: Vec<_> = sizes.map(|size| (format!("size={size}"), Bytes::from(messages(size)))).collect();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let bodies = bodies.clone();
            tokio::spawn(async move {
                let service = service_fn(|request: Request<Incoming>| {
                    let wanted = request.uri().query().unwrap_or_default();
                    let body = bodies.iter().find(|(query, _)| query == wanted).map(|(_, body)| body.clone());
                    let response = Response::builder().header("content-type", "application/json");
                    let response = response.body(Full::new(body.unwrap_or_default()));
                    async { Ok::<_, Infallible>(response.expect("the header is valid")) }
                });
                let io = TokioIo::new(stream);
                let _ended = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
            });
        }
    });
    Ok(address)
}

fn messages(size: usize) -> String {
    let mut text = String::from("[");
    for id in 9_007_199_254_740_993_u64.. {
        let _infallible = write!(
            text,
            r#"{{"id":{id},"text":"A message of the usual length, more or less.","user":"ada","ts":1735689600000,"tags":[]}}"#
        );
        if text.len() >= size {
            break;
        }
        text.push(',');
    }
    text + "]"
}

fn rows(label: &str, contenders: &[Contender<'_>], turns: &[Turn]) -> String {
    let Some(nginx) = turns.first() else {
        return String::new();
    };
    let mut rows = String::new();
    for (contender, turn) in contenders.iter().zip(turns) {
        let _infallible = writeln!(
            rows,
            "| {label} | {} | {:.0} | {:.2} | {:.1} | {:.2} | {:.2} | {:.2} | {} |",
            contender.name,
            turn.per_second,
            turn.per_second / nginx.per_second,
            turn.cpu_micros,
            turn.cpu_micros / nginx.cpu_micros,
            turn.p50_millis,
            turn.p99_millis,
            turn.errors
        );
    }
    rows
}

fn percentile(sorted: &[u32], percent: usize) -> f64 {
    sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().map_or(0.0, f64::from)
}

/// Counts here are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^53")]
fn count(number: usize) -> f64 {
    number as f64
}
