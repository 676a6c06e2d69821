//! `legato demo`: a legacy chat backend, the shipped rules and the proxy, in one process on loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::app::App;
use crate::reload::Setup;
use crate::store::RuleStore;
use crate::{config, demo};

/// Where the admin endpoints are unless every port is to be free.
const ADMIN_PORT: u16 = 9900;

/// Run a legacy chat backend and the proxy before it, and say what to try.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: legato demo --port 8080 --exit-after 10s")]
pub(super) struct Args {
    /// The proxy's port; 0 takes free ones for everything.
    #[arg(long, default_value_t = 8080, value_name = "PORT")]
    port: u16,
    /// End after this time, such as `10s` or `5m`.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    exit_after: Option<Duration>,
}

fn duration(text: &str) -> Result<Duration, String> {
    config::units::duration(text)
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|e| format!("cannot start: {e}"))?;
    runtime.block_on(serve(args))
}

async fn serve(args: &Args) -> Result<ExitCode, String> {
    let loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let listener = TcpListener::bind(loopback(0)).await.map_err(|e| format!("cannot bind the backend: {e}"))?;
    let backend = listener.local_addr().map_err(|e| format!("the backend has no address: {e}"))?;
    let admin = if args.port == 0 { 0 } else { ADMIN_PORT };
    let text = demo::config(loopback(args.port), loopback(admin), backend);
    let config = config::parse(&text, "legato.yaml", Path::new("."), &|_| None)
        .map_err(|errors| errors.iter().map(|e| e.message.clone()).collect::<Vec<_>>().join("; "))?;
    let setup = Setup { config, config_file: None, rules: RuleStore::Fixed(demo::RULES) };
    let app = App::bind(setup).await.map_err(|e| format!("{e}\nhelp: `--port 0` takes free ports"))?;
    let proxy = app.addresses().first().copied().ok_or("the proxy has no address")?;
    let admin = app.admin_address().ok_or("the admin endpoints have no address")?;
    let service = tokio::spawn(demo::serve(listener));
    super::print(&demo::welcome(proxy, admin, backend))?;
    let ended = app.run(until_end(args.exit_after)).await;
    service.abort();
    ended?;
    Ok(ExitCode::SUCCESS)
}

/// Ctrl-C, SIGTERM, or the end of the time.
async fn until_end(after: Option<Duration>) {
    let time = async {
        match after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
    };
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = time => {}
        () = terminate => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
