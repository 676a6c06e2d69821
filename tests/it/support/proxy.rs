//! Proxies.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use legato_proxy::app::App;
use legato_proxy::config::{
    AccessLog, Admin, ApiConfig, ApiLimits, BackendConfig, Balance, ClientTls, Config, Endpoint, Host, ListenLimits,
    Listener, LogTarget, Protocol, ProxyProtocol, Retries, Scheme, Timeouts,
};
use legato_proxy::reload::{Handle, Setup};
use legato_proxy::store::RuleStore;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::wire::Wire;
use super::within;

/// Two versions, told apart by a header, of which version 2 has a change.
pub(crate) const API: &str = r#"legato: 1
api: chat
versions:
  - {id: "1"}
  - {id: "2"}
client_version:
  - header: api-version
  - subprotocol: chat.v{version}
  - default: "1"
"#;

/// What version 2 changes: `text` became `body`, and events have other names.
pub(crate) const CHANGE: &str = r#"change: text_to_body
since: "2"
summary: A message's text is its body
apply:
  - http: "* /m"
    request: [{rename: {/text: body}}]
    response: {2xx: [{rename: {/text: body}}]}
  - http: ["GET /hold", "POST /hold"]
    response: {2xx: [{move: {from: /text, to: /in/body, conflict: fail}}]}
  - ws: /ws
    server:
      discriminator: /type
      frames:
        msg:
          as: message
          ops:
            - rename: {/text: body}
            - map: {at: /state, pairs: [[on, online], [off, offline]], else: fail}
    client:
      discriminator: /type
      frames:
        say: {as: message.send, ops: [{rename: {/text: body}}]}
"#;

/// A proxy in this process, for the API `chat`.
pub(crate) struct TestProxy {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) reload: Handle,
    pub(crate) rules: TempDir,
    shutdown: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl TestProxy {
    /// A proxy before one backend that speaks version 1.
    pub(crate) async fn before(backend: SocketAddr) -> Self {
        Self::start(&[backend], |_| {}).await
    }

    /// A proxy before some endpoints, with another configuration than the usual one.
    pub(crate) async fn start(endpoints: &[SocketAddr], adjust: impl FnOnce(&mut Config)) -> Self {
        let rules = tempfile::tempdir().unwrap();
        write_rule(rules.path(), "chat/api.yaml", API);
        write_rule(rules.path(), "chat/changes/2/20250101000000_text_to_body.yaml", CHANGE);
        Self::with_rules(rules, endpoints, adjust).await
    }

    /// A proxy with rules of its own.
    pub(crate) async fn with_rules(rules: TempDir, endpoints: &[SocketAddr], adjust: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(rules.path(), endpoints);
        adjust(&mut config);
        let setup = Setup { rules: RuleStore::Directory(config.rules.clone()), config, config_file: None };
        let app = App::bind(setup).await.unwrap();
        let (address, admin, reload) = (app.addresses()[0], app.admin_address().unwrap(), app.reload_handle());
        let (shutdown, told) = oneshot::channel::<()>();
        let running = tokio::spawn(async {
            let ended = app.run(async {
                let _ = told.await;
            });
            ended.await.unwrap();
        });
        Self { address, admin, reload, rules, shutdown: Some(shutdown), running }
    }

    /// A connection to it.
    pub(crate) async fn client(&self) -> Wire {
        Wire::connect(self.address).await
    }

    /// A connection to its admin endpoints.
    pub(crate) async fn admin(&self) -> Wire {
        Wire::connect(self.admin).await
    }

    /// Puts a rule file there.
    pub(crate) fn write_rule(&self, path: &str, text: &str) {
        write_rule(self.rules.path(), path, text);
    }

    /// Tells it to drain, without waiting.
    pub(crate) fn drain(&mut self) {
        self.shutdown.take();
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) {
        within("the proxy's end", &mut self.running).await.unwrap();
    }
}

impl Drop for TestProxy {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Writes a rule file as a careful editor does.
pub(crate) fn write_rule(directory: &Path, path: &str, text: &str) {
    let path = directory.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, text).unwrap();
    fs::rename(temporary, path).unwrap();
}

fn config(rules: &Path, endpoints: &[SocketAddr]) -> Config {
    let endpoints = endpoints
        .iter()
        .map(|a| Endpoint { scheme: Scheme::Http, authority: a.to_string().parse().unwrap() })
        .collect();
    let legacy = BackendConfig {
        name: "legacy".to_owned(),
        speaks: "1".into(),
        endpoints,
        balance: Balance::RoundRobin,
        protocol: Protocol::H1,
        host: Host::Client,
        checks: None,
        retries: Retries::default(),
        tls: ClientTls::default(),
    };
    Config {
        listen: vec![Listener {
            address: localhost(),
            tls: Vec::new(),
            proxy_protocol: ProxyProtocol::Never,
            limits: listen_limits(),
        }],
        admin: Some(Admin { address: localhost(), token: None }),
        rules: rules.to_owned(),
        apis: vec![ApiConfig {
            name: "chat".to_owned(),
            hosts: Vec::new(),
            prefix: "/".to_owned(),
            backends: vec![legacy],
            timeouts: Timeouts {
                connect: Duration::from_secs(2),
                response_head: Duration::from_secs(30),
                idle: Duration::from_secs(60),
                request: None,
                websocket_idle: None,
                websocket_ping: Some(Duration::from_secs(30)),
                first_message: Duration::from_secs(10),
            },
            limits: ApiLimits::default(),
            trust: Vec::new(),
            socketio: None,
        }],
        workers: None,
        access_log: AccessLog::all(LogTarget::Off),
        tracing: None,
        drain: Duration::from_secs(10),
    }
}

fn listen_limits() -> ListenLimits {
    ListenLimits {
        connections: 1000,
        head: 64 * 1024,
        headers: 100,
        head_timeout: Duration::from_secs(10),
        keep_alive: Duration::from_secs(75),
        streams: 200,
        body_rate: 240,
    }
}

fn localhost() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}
