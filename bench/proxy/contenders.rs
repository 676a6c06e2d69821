//! The proxies, each with one worker, kept-alive connections to the backend and no access log.

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

/// What a proxy does with an answer's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    PassThrough,
    Translate,
}

/// A proxy and the version that its clients speak.
#[derive(Debug, Clone)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) work: Work,
    pub(crate) version: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) process: Rc<Process>,
}

/// What can be started.
pub(crate) const PROGRAMS: [(&str, Program); 6] = [
    ("nginx", Program::Nginx),
    ("HAProxy", Program::Haproxy),
    ("Envoy", Program::Envoy),
    ("Legato", Program::Legato),
    ("nginx, Lua and cjson", Program::NginxLua),
    ("Node, express", Program::Node),
];

/// How a proxy is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Nginx,
    NginxLua,
    Haproxy,
    Envoy,
    Node,
    Legato,
}

/// Starts all that are installed, in the order of the tables: those that pass through, then those that translate.
pub(crate) async fn start(work: &Path, backend: SocketAddr) -> Result<Vec<Contender>, Failure> {
    let only = std::env::var("BENCH_ONLY").unwrap_or_default();
    let mut contenders = Vec::new();
    for (name, program) in PROGRAMS.into_iter().filter(|(name, _)| name.contains(&only)) {
        let Some((address, process)) = program.start(work, backend).await? else {
            eprintln!("bench: {name} is not installed and left out");
            continue;
        };
        let process = Rc::new(process);
        for &(work, version) in program.works() {
            contenders.push(Contender { name, work, version, address, process: Rc::clone(&process) });
        }
    }
    contenders.sort_by_key(|contender| contender.work == Work::Translate);
    Ok(contenders)
}

impl Program {
    fn works(self) -> &'static [(Work, &'static str)] {
        match self {
            Self::Nginx | Self::Haproxy | Self::Envoy => &[(Work::PassThrough, "1")],
            Self::NginxLua | Self::Node => &[(Work::Translate, "2")],
            Self::Legato => &[(Work::PassThrough, "1"), (Work::Translate, "2")],
        }
    }

    /// Starts it and waits until it takes connections; `None` where it is not installed.
    pub(crate) async fn start(
        self,
        work: &Path,
        backend: SocketAddr,
    ) -> Result<Option<(SocketAddr, Process)>, Failure> {
        let directory = work.join(format!("{self:?}"));
        std::fs::create_dir_all(&directory)?;
        if self == Self::Legato {
            return legato(&directory, backend).map(Some);
        }
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let Some(mut command) = self.command(&directory, address, backend)? else {
            return Ok(None);
        };
        let Some(mut process) = Process::start(command.stdout(Stdio::null()).stderr(Stdio::null()))? else {
            return Ok(None);
        };
        while TcpStream::connect(address).await.is_err() {
            process.expect_running(&format!("{self:?}"))?;
            sleep(Duration::from_millis(20)).await;
        }
        Ok(Some((address, process)))
    }

    fn command(self, directory: &Path, address: SocketAddr, backend: SocketAddr) -> Result<Option<Command>, Failure> {
        let configured = |text: &str| {
            let path = directory.join("config");
            let text = text
                .replace("WORK", &directory.display().to_string())
                .replace("SCRIPTS", &here("conf").display().to_string())
                .replace("BACKEND_PORT", &backend.port().to_string())
                .replace("PORT", &address.port().to_string())
                .replace("BACKEND", &backend.to_string())
                .replace("HOST", &backend.ip().to_string());
            std::fs::write(&path, text).map(|()| path)
        };
        Ok(Some(match self {
            Self::Nginx | Self::NginxLua => {
                let lua = include_str!("conf/nginx-lua.conf");
                let file = configured(if self == Self::NginxLua { lua } else { include_str!("conf/nginx.conf") })?;
                command("nginx", &["-p", &directory.display().to_string(), "-c", &file.display().to_string()])
            }
            Self::Haproxy => {
                let file = configured(include_str!("conf/haproxy.cfg"))?;
                command("haproxy", &["-f", &file.display().to_string()])
            }
            Self::Envoy => {
                let file = configured(include_str!("conf/envoy.yaml"))?.with_extension("yaml");
                std::fs::rename(directory.join("config"), &file)?;
                let program = std::env::var("BENCH_ENVOY").unwrap_or_else(|_| "envoy".to_owned());
                let file = file.display().to_string();
                command(&program, &["-c", &file, "--concurrency", "1", "-l", "off", "--disable-hot-restart"])
            }
            Self::Node => {
                let Ok(packages) = std::env::var("BENCH_NODE") else { return Ok(None) };
                let script = Path::new(&packages).join("proxy.js");
                std::fs::copy(here("node/proxy.js"), &script)?;
                let script = script.display().to_string();
                command("node", &[&script, &address.port().to_string(), &backend.to_string()])
            }
            Self::Legato => return Ok(None),
        }))
    }
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/proxy").join(path)
}

fn legato(directory: &Path, backend: SocketAddr) -> Result<(SocketAddr, Process), Failure> {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    serve(directory, &rules, backend, "").map(|(address, _, process)| (address, process))
}

/// Starts Legato with these rules and more lines of configuration: where it listens, its admin endpoints, itself.
pub(crate) fn serve(
    directory: &Path,
    rules: &Path,
    backend: SocketAddr,
    more: &str,
) -> Result<(SocketAddr, Option<SocketAddr>, Process), Failure> {
    let text = format!(
        "legato: 1\nlisten: [{{address: \"127.0.0.1:0\", limits: {{connections: 12000}}}}]\nrules: \"{}\"\n\
         access_log: \"off\"\nworkers: 1\n\
         apis: {{chat: {{backends: {{legacy: {{speaks: \"1\", endpoints: [\"http://{backend}\"]}}}}}}}}\n{more}",
        rules.display()
    );
    std::fs::create_dir_all(directory)?;
    let file = directory.join("legato.yaml");
    std::fs::write(&file, text)?;
    // What Cargo has built, or another build to compare it with.
    let program = std::env::var("BENCH_LEGATO").unwrap_or_else(|_| env!("CARGO_BIN_EXE_legato").to_owned());
    let mut command = command(&program, &["serve", "--config", &file.display().to_string()]);
    let started = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::null()))?;
    let mut process = started.ok_or("legato is not there")?;
    let output = process.output().ok_or("legato has no output")?;
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let mut address = |prefix| lines.next().and_then(|line| line.strip_prefix(prefix).map(str::to_owned));
    let listening = address("listening on http://").ok_or("legato did not say where it listens")?.parse()?;
    let admin = if more.contains("admin:") { address("admin on http://") } else { None };
    Ok((listening, admin.map(|admin| admin.parse()).transpose()?, process))
}
