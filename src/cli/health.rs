//! `legato health`: whether a running proxy is ready, for container health checks.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::EXIT_FINDINGS;
use crate::reload::Setup;

/// How long each step may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Ask a running proxy whether it is ready.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: legato health --address 127.0.0.1:9900\n\n\
    Exit status 0: ready; 1: not ready or not reachable; 2: usage, or the configuration names no admin address.")]
pub(super) struct Args {
    /// The configuration file that names the admin address.
    #[arg(long, default_value = "legato.yaml", value_name = "FILE")]
    config: PathBuf,
    /// The admin address, instead of the one in the configuration file.
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<SocketAddr>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let address = match args.address {
        Some(address) => address,
        None => configured(args)?,
    };
    match status(address) {
        Ok(200) => {
            super::print("ready")?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(status) => {
            super::print(&format!("not ready: {address} answers {status}"))?;
            Ok(ExitCode::from(EXIT_FINDINGS))
        }
        Err(e) => {
            super::print(&format!("not ready: {address}: {e}"))?;
            Ok(ExitCode::from(EXIT_FINDINGS))
        }
    }
}

fn configured(args: &Args) -> Result<SocketAddr, String> {
    let admin = Setup::from_file(&args.config)?.config.admin;
    let mut address = admin
        .ok_or_else(|| {
            format!("{}: `admin` is not configured: expected its address there, or `--address`", args.config.display())
        })?
        .address;
    if address.ip().is_unspecified() {
        // Bound to every address: this machine's own is one of them.
        address.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    Ok(address)
}

/// The status of `GET /readyz`.
fn status(address: SocketAddr) -> io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    line.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| io::Error::other("the answer is not HTTP"))
}
