//! The real program.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// `legato serve` in a process of its own; killed when dropped.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// Holds `legato.yaml`, with one listener and the admin endpoints.
    pub(crate) directory: TempDir,
}

impl Program {
    /// Starts it with `legato.yaml` of a directory and reads where it listens.
    pub(crate) fn start(directory: TempDir) -> Self {
        Self::start_with(directory, Stdio::null())
    }

    /// The same with somewhere for its log.
    pub(crate) fn start_with(directory: TempDir, log: Stdio) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_legato"))
            .args(["serve", "--config"])
            .arg(directory.path().join("legato.yaml"))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = |prefix: &str| {
            let line = lines.next().unwrap().unwrap();
            line.strip_prefix(prefix).unwrap_or_else(|| panic!("{line}")).parse().unwrap()
        };
        let (address, admin) = (address("listening on http://"), address("admin on http://"));
        Self { child, address, admin, directory }
    }

    /// Sends a signal, such as `-HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// The most memory that it ever had resident, in bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
