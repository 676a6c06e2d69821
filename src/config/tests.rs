use super::*;
use crate::diagnostic::{Source, render};

fn environment(name: &str) -> Option<String> {
    match name {
        "HOST" => Some("chat.example.com".into()),
        "WORKERS" => Some("4".into()),
        "TOKEN" => Some("123456".into()),
        _ => None,
    }
}

fn read(text: &str) -> Result<Config, Vec<Diagnostic>> {
    parse(text, "legato.yaml", Path::new("/etc/legato"), &environment)
}

fn good(text: &str) -> Config {
    read(text).unwrap_or_else(|diagnostics| panic!("{}", draw(text, &diagnostics)))
}

fn draw(text: &str, diagnostics: &[Diagnostic]) -> String {
    let source = Source { file: "legato.yaml".into(), text: text.into() };
    render(diagnostics, &[source], false).trim_end().to_owned()
}

const SMALLEST: &str = r#"
legato: 1
listen: [{address: 127.0.0.1:8080}]
rules: rules
apis: {chat: {backends: {legacy: {speaks: "1", endpoints: ["http://127.0.0.1:4000"]}}}}
"#;

#[test]
fn what_is_not_said_has_its_documented_default() {
    let milliseconds = Duration::from_millis;
    let want = Config {
        listen: vec![Listener {
            address: "127.0.0.1:8080".parse().unwrap(),
            tls: vec![],
            proxy_protocol: ProxyProtocol::Never,
            limits: ListenLimits {
                connections: 10_000,
                head: 65_536,
                headers: 100,
                head_timeout: milliseconds(10_000),
                keep_alive: milliseconds(75_000),
                streams: 200,
                body_rate: 240,
            },
        }],
        admin: None,
        rules: "/etc/legato/rules".into(),
        apis: vec![ApiConfig {
            name: "chat".into(),
            hosts: vec![],
            prefix: "/".into(),
            backends: vec![BackendConfig {
                name: "legacy".into(),
                speaks: "1".into(),
                endpoints: vec![Endpoint { scheme: Scheme::Http, authority: "127.0.0.1:4000".parse().unwrap() }],
                balance: Balance::LeastLoaded,
                protocol: Protocol::Auto,
                host: Host::Client,
                checks: None,
                retries: Retries { attempts: 1, on_connect: true, on_reset: true },
                tls: ClientTls::default(),
            }],
            timeouts: Timeouts {
                connect: milliseconds(2_000),
                response_head: milliseconds(30_000),
                idle: milliseconds(60_000),
                request: None,
                websocket_idle: None,
                websocket_ping: Some(milliseconds(30_000)),
                first_message: milliseconds(10_000),
            },
            limits: ApiLimits {
                body: 1_073_741_824,
                buffer: 4_194_304,
                depth: 512,
                message: 16_777_216,
                contexts: 67_108_864,
                decompressed: 268_435_456,
                ratio: 200,
            },
            trust: vec![],
            socketio: None,
        }],
        workers: None,
        access_log: AccessLog { to: LogTarget::Stderr, sample: Share::ALL },
        tracing: None,
        drain: milliseconds(30_000),
    };
    assert_eq!(good(SMALLEST), want);
}

#[test]
fn every_key_is_read() {
    let config = good(
        r#"
legato: 1
listen:
  - address: "[::1]:0"
    limits: {connections: 5, head: 8KiB, headers: 7, head_timeout: 250ms, keep_alive: 5s, streams: 3, body_rate: 1KiB}
  - address: 0.0.0.0:80
    tls: {certificate: tls/cert.pem, key: /tls/key.pem}
    proxy_protocol: true
  - {address: 0.0.0.0:81, tls: [{certificate: a, key: b}, {certificate: c, key: d}], proxy_protocol: {trust: [10.9.0.0/8, 127.0.0.1]}}
admin: {address: 0.0.0.0:9900, token: "${TOKEN}"}
rules: /srv/rules
apis:
  chat:
    match: {hosts: ["${HOST}", OTHER.example], prefix: /chat/}
    backends:
      legacy: {speaks: v1, endpoints: ["http://a:1", "http://b"], balance: round_robin, protocol: h2, host: backend}
    timeouts: {connect: 1ms, response_head: 2s, idle: 3m, request: 1h, websocket_idle: 5s, websocket_ping: 7s, first_message: 6s}
    limits: {body: 10, buffer: 1KiB, depth: 4, message: 2MiB, contexts: 0B, decompressed: 3MiB, ratio: 9}
  rest:
    backends:
      only: {speaks: {default: "2", "GET /a/{id}": "3"}, endpoints: ["https://c"], tls: {ca: ca.pem, certificate: c.pem, key: k.pem, server_name: d}, protocol: auto, balance: least_loaded,
        health: {path: "/up?x", every: 1s, timeout: 2s, healthy: 3, unhealthy: 4}, retries: {attempts: 2, on: [connect]}}
    timeouts: {request: none, websocket_idle: none, websocket_ping: none}
    forwarded: {trust: ["2001:db8::/32"]}
workers: ${WORKERS}
access_log: {path: logs/access.log, sample: 12.5%}
tracing: {otlp: "http://collector/otel/", sample: 0.1%}
drain: 0s
"#,
    );
    let limits = &config.listen[0].limits;
    let read = (limits.connections, limits.head, limits.headers, limits.streams, limits.body_rate);
    assert_eq!(read, (5, 8192, 7, 3, 1024));
    assert_eq!((limits.head_timeout, limits.keep_alive), (Duration::from_millis(250), Duration::from_secs(5)));
    let [_, first, second] = config.listen.as_slice() else { panic!("three listeners") };
    let pair = |certificate: &str, key: &str| CertificatePair { certificate: certificate.into(), key: key.into() };
    assert_eq!(first.tls, [pair("/etc/legato/tls/cert.pem", "/tls/key.pem")]);
    assert_eq!(second.tls, [pair("/etc/legato/a", "/etc/legato/b"), pair("/etc/legato/c", "/etc/legato/d")]);
    let spoken = |listener: &Listener, by: &str| listener.proxy_protocol.is_spoken_by(by.parse().unwrap());
    assert!(spoken(first, "192.0.2.1") && spoken(second, "10.1.2.3") && spoken(second, "::ffff:127.0.0.1"));
    assert!(!spoken(second, "127.0.0.2") && !spoken(&config.listen[0], "127.0.0.1"));
    assert!(is_in(&config.apis[1].trust, "2001:db8::1".parse().unwrap()));
    assert_eq!(config.admin.as_ref().and_then(|admin| admin.token.as_deref()), Some("123456"));
    assert_eq!(config.rules, Path::new("/srv/rules"));
    assert_eq!(config.workers, Some(4));
    assert_eq!(config.access_log.to, LogTarget::File("/etc/legato/logs/access.log".into()));
    assert_eq!(config.access_log.sample.millionths(), 125_000);
    let tracing = config.tracing.as_ref().unwrap();
    assert_eq!((tracing.collector.as_str(), tracing.path.as_str()), ("collector:80", "/otel/v1/traces"));
    assert_eq!(tracing.sample.millionths(), 1_000);
    assert_eq!(config.drain, Duration::ZERO);

    let [chat, rest] = config.apis.as_slice() else { panic!("two APIs") };
    assert_eq!((chat.hosts.join(" ").as_str(), chat.prefix.as_str()), ("chat.example.com other.example", "/chat"));
    let backend = &chat.backends[0];
    let authorities: Vec<&str> = backend.endpoints.iter().map(|endpoint| endpoint.authority.as_str()).collect();
    assert_eq!(authorities, ["a:1", "b:80"]);
    assert_eq!(
        (backend.balance, backend.protocol, backend.speaks.default.as_str()),
        (Balance::RoundRobin, Protocol::H2, "v1")
    );
    let want = Timeouts {
        connect: Duration::from_millis(1),
        response_head: Duration::from_secs(2),
        idle: Duration::from_secs(180),
        request: Some(Duration::from_secs(3600)),
        websocket_idle: Some(Duration::from_secs(5)),
        websocket_ping: Some(Duration::from_secs(7)),
        first_message: Duration::from_secs(6),
    };
    assert_eq!(chat.timeouts, want);
    assert_eq!(
        chat.limits,
        ApiLimits { body: 10, buffer: 1024, depth: 4, message: 2 << 20, contexts: 0, decompressed: 3 << 20, ratio: 9 }
    );
    let only = &rest.backends[0];
    let by_call = Speaks { default: "2".into(), calls: vec![("GET /a/{id}".into(), "3".into())] };
    assert_eq!((&only.speaks, only.host, backend.host), (&by_call, Host::Client, Host::Backend));
    let second = Duration::from_secs(1);
    let checks = Checks { path: "/up?x".into(), every: second, timeout: second * 2, healthy: 3, unhealthy: 4 };
    assert_eq!((only.checks.clone(), only.protocol), (Some(checks), Protocol::Auto));
    assert_eq!(only.retries, Retries { attempts: 2, on_connect: true, on_reset: false });
    assert_eq!((only.endpoints[0].scheme, only.endpoints[0].authority.as_str()), (Scheme::Https, "c:443"));
    let tls = ClientTls {
        ca: Some("/etc/legato/ca.pem".into()),
        identity: Some(("/etc/legato/c.pem".into(), "/etc/legato/k.pem".into())),
        server_name: Some("d".into()),
    };
    assert_eq!(only.tls, tls);
    let never = Timeouts { websocket_ping: None, ..Timeouts::default() };
    assert_eq!((rest.timeouts.clone(), rest.name.as_str()), (never, "rest"));
}

#[test]
fn documented_defaults_may_be_written_out() {
    let text = format!("{SMALLEST}tracing: off\naccess_log: off\n").replace(
        "backends: {legacy: {",
        "forwarded: {trust: []}, limits: {decompressed: 256MiB, ratio: 200}, \
         backends: {legacy: {retries: {attempts: 1, on: [connect, reset_before_response]}, ",
    );
    assert_eq!((good(&text).access_log, good(&text).tracing), (AccessLog::all(LogTarget::Off), None));
}

#[test]
fn a_token_stays_out_of_logs() {
    let config = good(&format!("{SMALLEST}admin: {{address: 127.0.0.1:1, token: hush}}\n"));
    assert!(format!("{config:?}").contains(r#"token: Some("***")"#));
}

#[test]
fn every_wrong_value_is_reported() {
    let mut replaced = "";
    let mut count = 0;
    for line in include_str!("cases.txt").lines().skip(2) {
        if let Some(text) =
            line.strip_prefix('[').and_then(|line| line.strip_suffix(']')).filter(|_| !line.contains(" => "))
        {
            replaced = text;
        } else if let Some((new, want)) = line.split_once("=> ") {
            let text = SMALLEST.replace(replaced, &new.trim_end().replace("\\n", "\n"));
            assert_ne!(text, SMALLEST, "{replaced}");
            let found = read(&text).unwrap_err();
            let found: Vec<String> = found.iter().map(|d| format!("{} {}", d.code, d.message)).collect();
            assert_eq!(found, [want], "{line}");
            count += 1;
        }
    }
    assert_eq!(count, 105);
}

#[test]
fn help_names_what_may_be_written() {
    let texts = "expected one of `once`, `twice`";
    for (replaced, new, want) in [
        ("{backends:", "{timeouts: {websocket_ping: text}, backends:", "write a duration, or `none` for no bound"),
        ("{backends:", "{timeouts: {request: 0s}, backends:", "write a duration, or `none` for no bound"),
        ("{backends:", "{socketio: {backend: eio3, polling_text: true}, backends:", texts),
        ("{backends:", "{socketio: {backend: eio3, polling_text: null}, backends:", texts),
        (
            "rules: rules",
            "rules: r\ntracing: {otlp: \"ftp://x\"}",
            "write `http://127.0.0.1:4318` or `https://collector.example:4318`",
        ),
    ] {
        let text = SMALLEST.replace(replaced, new);
        assert_ne!(text, SMALLEST, "{replaced}");
        let found = read(&text).unwrap_err();
        let help: Vec<_> = found.iter().map(|diagnostic| diagnostic.help.as_deref()).collect();
        assert_eq!(help, [Some(want)], "{new}");
    }
}

#[test]
fn apis_that_hide_each_other_are_reported() {
    let api =
        |matched: &str| format!("{{match: {matched}, backends: {{b: {{speaks: x, endpoints: [\"http://a\"]}}}}}}");
    let file = |a: &str, b: &str| {
        format!("legato: 1\nlisten: [{{address: 127.0.0.1:0}}]\nrules: r\napis:\n  a: {}\n  b: {}\n", api(a), api(b))
    };
    let apart = [
        ("{prefix: /a}", "{prefix: /b}"),
        ("{hosts: [x]}", "{}"),
        ("{hosts: [x]}", "{hosts: [y]}"),
        ("{}", "{prefix: /a}"),
    ];
    for (a, b) in apart {
        good(&file(a, b));
    }
    for (a, b) in [("{}", "{prefix: /}"), ("{prefix: /a}", "{prefix: /a/}"), ("{hosts: [x, y]}", "{hosts: [Y]}")] {
        let found = read(&file(a, b)).unwrap_err();
        let codes: Vec<_> = found.iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, [code::SAME_MATCH], "{a} {b}");
    }
}

const BROKEN: &str = r#"legato: 1
listen:
  - address: localhost:8080
  - {address: 127.0.0.1:8443, tls: {certificate: c, key: k}}
admin: {address: 0.0.0.0:9900}
rule: rules
apis:
  chat:
    backends:
      legacy: {speaks: 1, endpoints: ["http://${BACKEND}:4000"]}
    timeouts: {connect: 2, idel: 60s}
    split: {backends: {legacy: 95}}
  chat2:
    backends: {b: {speaks: "1", endpoints: ["http://a"]}}
  chat2: {}
drain: 30s
"#;

#[test]
fn all_errors_of_a_file_are_drawn_in_its_order() {
    let want = include_str!("broken.txt");
    assert_eq!(draw(BROKEN, &read(BROKEN).unwrap_err()), want.trim_end());
}

#[test]
fn a_text_that_breaks_off_has_one_error() {
    let text = "legato: 1\nlisten: [\n";
    assert_eq!(
        draw(text, &read(text).unwrap_err()),
        "\
error[YM001]: malformed YAML: while parsing a node, did not find expected node content
 --> legato.yaml:3:1
  |
3 |
  | ^"
    );
}
