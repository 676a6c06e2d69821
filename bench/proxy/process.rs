//! A proxy's process, and what `/proc` says of it and its children.

use std::ops::Sub;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::Failure;

/// The kernel's unit of processor time in `/proc`, in microseconds.
const TICK_MICROS: f64 = 10_000.0;

/// Processor time in microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cpu {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { user: self.user - before.user, system: self.system - before.system }
    }
}

/// A proxy's process; ended when dropped.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Starts a program; `None` where it is not installed.
    pub(crate) fn start(command: &mut Command) -> Result<Option<Self>, Failure> {
        match command.stdin(Stdio::null()).spawn() {
            Ok(child) => Ok(Some(Self(child))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// What it prints, where that is piped.
    pub(crate) fn output(&mut self) -> Option<std::process::ChildStdout> {
        self.0.stdout.take()
    }

    /// Fails if it has ended.
    pub(crate) fn expect_running(&mut self, name: &str) -> Result<(), Failure> {
        match self.0.try_wait()? {
            Some(status) => Err(format!("{name} ended with {status}").into()),
            None => Ok(()),
        }
    }

    /// Processor time so far, of the process and its children.
    pub(crate) fn cpu(&self) -> Result<Cpu, Failure> {
        let mut all = Cpu::default();
        for pid in self.pids()? {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
            all.user += ticks(&stat, 11)?;
            all.system += ticks(&stat, 12)?;
        }
        Ok(all)
    }

    /// The most memory that the process and its children ever had resident, added up.
    pub(crate) fn peak_megabytes(&self) -> Result<f64, Failure> {
        self.megabytes("VmHWM:")
    }

    /// The memory that the process and its children have resident, added up.
    pub(crate) fn resident_megabytes(&self) -> Result<f64, Failure> {
        self.megabytes("VmRSS:")
    }

    fn megabytes(&self, line: &str) -> Result<f64, Failure> {
        let mut kilobytes = 0.0;
        for pid in self.pids()? {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
            let found = status.lines().find_map(|text| text.strip_prefix(line)).ok_or("a process without memory")?;
            kilobytes += found.trim().trim_end_matches(" kB").parse::<f64>()?;
        }
        Ok(kilobytes / 1024.0)
    }

    fn pids(&self) -> Result<Vec<u32>, Failure> {
        let own = self.0.id();
        let mut pids = vec![own];
        for entry in std::fs::read_dir("/proc")? {
            let name: PathBuf = entry?.file_name().into();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // A process may end while the directory is read.
            let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
                continue;
            };
            if field(&stat, 1)?.parse() == Ok(own) {
                pids.push(pid);
            }
        }
        Ok(pids)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGTERM, so that a master ends its workers too; the process may have ended already.
        let _sent = Command::new("kill").arg(self.0.id().to_string()).stderr(Stdio::null()).status();
        let _status = self.0.wait();
    }
}

fn ticks(stat: &str, index: usize) -> Result<f64, Failure> {
    Ok(field(stat, index)?.parse::<f64>()? * TICK_MICROS)
}

/// A field of `/proc/PID/stat`, counted from the one after the name, which may hold spaces.
fn field(stat: &str, index: usize) -> Result<&str, Failure> {
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    Ok(fields.split_whitespace().nth(index).ok_or("a short stat line")?)
}
