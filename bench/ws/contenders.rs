//! The proxies, each with one worker and no access log.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::sleep;

use super::Failure;
use super::process::Process;

/// A proxy and the version that its clients speak.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) process: Rc<Process>,
}

/// Starts all that are installed.
pub(crate) async fn start(work: &Path, backend: SocketAddr) -> Result<Vec<Contender>, Failure> {
    std::fs::create_dir_all(work)?;
    let mut contenders = Vec::new();
    let nginx = nginx(work, backend)?;
    let node = node(backend);
    for (name, version, started) in [("nginx, tunnel", "1", nginx), ("Node and ws, translating", "2", node)] {
        match started {
            Some((address, mut command)) => {
                match Process::start(command.stdout(Stdio::null()).stderr(Stdio::null()))? {
                    Some(mut process) => {
                        while TcpStream::connect(address).await.is_err() {
                            process.expect_running(name)?;
                            sleep(Duration::from_millis(20)).await;
                        }
                        contenders.push(Contender { name, version, address, process: Rc::new(process) });
                    }
                    None => eprintln!("bench: {name} is not installed and left out"),
                }
            }
            None => eprintln!("bench: {name} is not installed and left out"),
        }
    }
    let (address, process) = legato(work, backend)?;
    let process = Rc::new(process);
    for (name, version) in [("Legato, passing", "1"), ("Legato, translating", "2")] {
        contenders.push(Contender { name, version, address, process: Rc::clone(&process) });
    }
    Ok(contenders)
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/ws").join(path)
}

/// An address at which nobody listens yet.
fn free() -> Result<SocketAddr, Failure> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn nginx(work: &Path, backend: SocketAddr) -> Result<Option<(SocketAddr, Command)>, Failure> {
    let address = free()?;
    let text = std::fs::read_to_string(here("nginx.conf"))?
        .replace("WORK", &work.display().to_string())
        .replace("PORT", &address.port().to_string())
        .replace("BACKEND", &backend.to_string());
    let file = work.join("nginx.conf");
    std::fs::write(&file, text)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(work).arg("-c").arg(file);
    Ok(Some((address, command)))
}

fn node(backend: SocketAddr) -> Option<(SocketAddr, Command)> {
    let packages = std::env::var("BENCH_NODE").ok()?;
    let address = free().ok()?;
    let mut command = Command::new("node");
    command.env("NODE_PATH", Path::new(&packages).join("node_modules"));
    command.arg(here("node/bridge.js")).arg(address.port().to_string()).arg(backend.to_string());
    Some((address, command))
}

fn legato(work: &Path, backend: SocketAddr) -> Result<(SocketAddr, Process), Failure> {
    let rules = here("rules");
    let text = format!(
        "legato: 1\nlisten: [{{address: \"127.0.0.1:0\", limits: {{connections: 12000}}}}]\nrules: \"{}\"\n\
         access_log: \"off\"\nworkers: 1\n\
         apis: {{chat: {{backends: {{legacy: {{speaks: \"1\", endpoints: [\"http://{backend}\"]}}}}}}}}\n",
        rules.display()
    );
    let file = work.join("legato.yaml");
    std::fs::write(&file, text)?;
    let program = std::env::var("BENCH_LEGATO").unwrap_or_else(|_| env!("CARGO_BIN_EXE_legato").to_owned());
    let mut command = Command::new(program);
    command.args(["serve", "--config"]).arg(file);
    let started = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::null()))?;
    let mut process = started.ok_or("legato is not there")?;
    let output = process.output().ok_or("legato has no output")?;
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let line = lines.find_map(|line| line.strip_prefix("listening on http://").map(str::to_owned));
    Ok((line.ok_or("legato did not say where it listens")?.parse()?, process))
}
