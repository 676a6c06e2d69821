//! `legato serve`.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::{self, App};
use crate::listen::sockets::Inherited;
use crate::reload::{Handle, Setup};

/// Run the proxy.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: legato serve --config /etc/legato/legato.yaml\n\n\
    SIGHUP reloads the configuration and the rules, SIGTERM and SIGINT drain and end.")]
pub(super) struct Args {
    /// The configuration file.
    #[arg(long, default_value = "legato.yaml", value_name = "FILE")]
    config: PathBuf,
    /// Only check the configuration, the rules with their tests, and the certificates; nothing is bound.
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, String> {
    // While there is no other thread.
    let inherited = Inherited::take().map_err(|e| format!("LISTEN_FDS: {e}"))?;
    let setup = Setup::from_file(&args.config)?;
    if args.check {
        app::check(&setup)?;
        super::print("the configuration, the rules and the certificates are in order")?;
        return Ok(ExitCode::SUCCESS);
    }
    // The control plane's; each worker has its own.
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| format!("cannot start: {e}"))?.block_on(async {
        let app = App::bind_with(setup, inherited)?;
        let mut signals = Signals::new().map_err(|e| format!("cannot listen for signals: {e}"))?;
        announce(&app)?;
        let reload = app.reload_handle();
        app.run(signals.until_end(&reload)).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// One line for each bound address.
fn announce(app: &App) -> Result<(), String> {
    for url in app.urls() {
        super::print(&format!("listening on {url}"))?;
    }
    match app.admin_address() {
        Some(address) => super::print(&format!("admin on http://{address}")),
        None => Ok(()),
    }
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Reloads at every SIGHUP; returns at SIGTERM or SIGINT.
    async fn until_end(&mut self, reload: &Handle) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    // What becomes of it is in the log.
                    let _ = reload.reload().await;
                }
            }
        }
    }
}
