//! Rules and configuration that change while requests run.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use crate::support::backend::Backend;
use crate::support::eventually;
use crate::support::program::Program;
use crate::support::proxy::{API, TestProxy, write_rule};
use crate::support::socket;
use crate::support::wire::Wire;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
const BROKEN: &str = "legato: 1\nbroken: [\n";

async fn status(admin: SocketAddr) -> serde_json::Value {
    Wire::connect(admin).await.ask("GET /api/status HTTP/1.1\r\nhost: h\r\n\r\n").await.json()
}

async fn generation(admin: SocketAddr) -> u64 {
    status(admin).await["generation"].as_u64().unwrap()
}

async fn last_reload(admin: SocketAddr) -> serde_json::Value {
    status(admin).await["last_reload"].take()
}

#[tokio::test]
async fn changed_files_are_published_and_bad_ones_change_nothing() {
    let backend = Backend::answering(OK).await;
    let proxy = TestProxy::before(backend.address).await;
    assert_eq!(generation(proxy.admin).await, 1);
    proxy.write_rule("chat/api.yaml", &format!("{API}# changed\n"));
    eventually("generation 2", || async { generation(proxy.admin).await == 2 }).await;

    proxy.write_rule("chat/api.yaml", BROKEN);
    eventually("a failed reload", || async { proxy.reload.last().outcome.name() == "failed" }).await;
    assert_eq!(proxy.reload.last().generation, 2);
    assert_eq!(proxy.client().await.ask(GET).await.text(), "ok");

    proxy.write_rule("chat/api.yaml", API);
    eventually("generation 3", || async { generation(proxy.admin).await == 3 }).await;
}

#[tokio::test]
async fn rules_that_vanish_change_nothing() {
    let backend = Backend::answering(OK).await;
    let proxy = TestProxy::before(backend.address).await;
    fs::remove_dir_all(proxy.rules.path().join("chat")).unwrap();
    let report = proxy.reload.reload().await.unwrap();
    assert_eq!((report.outcome.name(), report.generation), ("failed", 1));
    assert_eq!(proxy.client().await.ask(GET).await.text(), "ok");
}

#[tokio::test]
async fn a_mounted_volume_is_followed() {
    use std::os::unix::fs::symlink;
    let mount = tempfile::tempdir().unwrap();
    let at = |name: &str| mount.path().join(name);
    write_rule(mount.path(), "..1/api.yaml", API);
    symlink("..1", at("..data")).unwrap();
    fs::create_dir(at("chat")).unwrap();
    symlink("../..data/api.yaml", at("chat/api.yaml")).unwrap();
    let backend = Backend::answering(OK).await;
    let proxy = TestProxy::with_rules(mount, &[backend.address], |_| {}).await;
    let at = |name: &str| proxy.rules.path().join(name);
    // As the kubelet does: a new directory, then a new link over the old one.
    write_rule(proxy.rules.path(), "..2/api.yaml", &format!("{API}# changed\n"));
    symlink("..2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    eventually("generation 2", || async { generation(proxy.admin).await == 2 }).await;
}

#[tokio::test]
async fn a_reload_keeps_sockets_and_pooled_connections() {
    let accepted = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&accepted);
    let backend = Backend::scripted(move |mut wire| {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            while wire.try_message().await.is_some() {
                wire.send(OK).await;
            }
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client = proxy.client().await;
    for i in 0..5 {
        assert_eq!(client.ask(GET).await.text(), "ok");
        proxy.write_rule("chat/api.yaml", &format!("{API}# change {i}\n"));
        assert_eq!(proxy.reload.reload().await.unwrap().generation, i + 2);
    }
    assert_eq!(accepted.load(std::sync::atomic::Ordering::Relaxed), 1);

    let echo = socket::echo().await;
    let proxy = TestProxy::before(echo.address).await;
    let mut socket = socket::open(&proxy, &[("api-version", "2")]).await;
    proxy.write_rule("chat/api.yaml", &format!("{API}# changed\n"));
    assert_eq!(proxy.reload.reload().await.unwrap().generation, 2);
    socket::send(&mut socket, "still here").await;
    assert_eq!(socket::text(&mut socket).await, "still here");
}

#[tokio::test]
async fn many_files_at_once_are_one_reload() {
    let backend = Backend::answering(OK).await;
    let proxy = TestProxy::before(backend.address).await;
    for i in 0..50 {
        let text = format!("change: more_{i}\nsince: \"2\"\nsummary: More\napply: []\n");
        proxy.write_rule(&format!("chat/changes/2/20250102000000_more_{i}.yaml"), &text);
    }
    eventually("generation 2", || async { generation(proxy.admin).await == 2 }).await;
    let report = proxy.reload.reload().await.unwrap();
    assert_eq!((report.outcome.name(), report.generation), ("unchanged", 2));
}

#[tokio::test]
async fn a_directory_may_go_and_come_back() {
    let backend = Backend::answering(OK).await;
    let proxy = TestProxy::before(backend.address).await;
    let away = tempfile::tempdir_in(proxy.rules.path().parent().unwrap()).unwrap();
    let rules = away.path().join("rules");
    fs::rename(proxy.rules.path(), &rules).unwrap();
    eventually("a failed reload", || async { proxy.reload.last().outcome.name() == "failed" }).await;
    assert_eq!(proxy.client().await.ask(GET).await.text(), "ok");
    write_rule(&rules, "chat/api.yaml", &format!("{API}# changed\n"));
    fs::rename(&rules, proxy.rules.path()).unwrap();
    eventually("generation 2", || async { generation(proxy.admin).await == 2 }).await;
}

/// The real program before a backend, with rules of its own.
fn start(backend: SocketAddr) -> Program {
    let directory = tempfile::tempdir().unwrap();
    write_rule(directory.path(), "rules/chat/api.yaml", API);
    write_config(&directory, backend, "");
    Program::start(directory)
}

fn write_config(directory: &tempfile::TempDir, backend: SocketAddr, more: &str) {
    let text = format!(
        "legato: 1\nlisten: [{{address: 127.0.0.1:0}}]\nadmin: {{address: 127.0.0.1:0}}\nrules: rules\n\
         access_log: off\napis:\n  chat:\n    backends:\n      \
         legacy: {{speaks: \"1\", endpoints: [\"http://{backend}\"]}}\n{more}"
    );
    write_rule(directory.path(), "legato.yaml", &text);
}

#[tokio::test]
async fn the_program_reloads_its_configuration_and_drains() {
    let (first, second) = (Backend::answering(OK).await, Backend::answering(OK.replace("ok", "no")).await);
    let mut program = start(first.address);
    let mut client = Wire::connect(program.address).await;
    assert_eq!(client.ask(GET).await.text(), "ok");
    let health = || {
        let address = program.admin.to_string();
        Command::new(env!("CARGO_BIN_EXE_legato")).args(["health", "--address", &address]).output().unwrap()
    };
    assert!(health().status.success());

    write_config(&program.directory, second.address, "");
    eventually("generation 2", || async { generation(program.admin).await == 2 }).await;
    assert_eq!(client.ask(GET).await.text(), "no");

    program.signal("-HUP");
    eventually("a reload of unchanged files", || async { last_reload(program.admin).await["result"] == "unchanged" })
        .await;

    // One that is not valid changes nothing, also when a signal asks for it.
    write_config(&program.directory, first.address, "nonsense: 1\n");
    program.signal("-HUP");
    eventually("a failed reload", || async {
        last_reload(program.admin).await["diagnostics"].as_str().is_some_and(|d| d.contains("nonsense"))
    })
    .await;
    // What names a file that is none is drawn as any other line.
    write_config(&program.directory, first.address, "tracing: {otlp: \"https://c\", tls: {ca: none.pem}}\n");
    eventually("a reload that names the file", || async {
        let last = last_reload(program.admin).await;
        let said = last["diagnostics"].as_str().unwrap_or_default();
        said.contains("none.pem: No such file") && said.contains("legato.yaml:10:40")
    })
    .await;
    assert_eq!(client.ask(GET).await.text(), "no");

    program.signal("-TERM");
    assert!(client.is_closed().await);
    let ended = tokio::task::spawn_blocking(move || program.child.wait().unwrap().code()).await.unwrap();
    assert_eq!(ended, Some(0));
}

#[test]
fn a_start_with_bad_files_says_everything_and_ends() {
    let directory = tempfile::tempdir().unwrap();
    write_rule(directory.path(), "rules/chat/api.yaml", BROKEN);
    let serve = || {
        let config = directory.path().join("legato.yaml");
        Command::new(env!("CARGO_BIN_EXE_legato")).args(["serve", "--config"]).arg(config).output().unwrap()
    };
    let missing = serve();
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("legato.yaml"));

    write_rule(directory.path(), "legato.yaml", "legato: 1\nlisten: 3\nwhat: 4\n");
    let wrong = serve();
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(said.contains("listen") && said.contains("what") && said.contains("apis"), "{said}");

    write_config(&directory, ([127, 0, 0, 1], 1).into(), "");
    let bad_rules = serve();
    assert_eq!(bad_rules.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&bad_rules.stderr).contains("api.yaml"));

    write_rule(directory.path(), "rules/chat/api.yaml", API);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    let listen = format!("listen: [{{address: {taken}}}]\n");
    let good = fs::read_to_string(directory.path().join("legato.yaml")).unwrap();
    let cases = [
        (good.replace("listen: [{address: 127.0.0.1:0}]\n", &listen), taken.to_string()),
        (good.replace("access_log: off", "access_log: nowhere/access.log"), "nowhere/access.log".to_owned()),
        (good.replace("rules: rules", "rules: elsewhere"), "elsewhere".to_owned()),
        (good.replace("speaks: \"1\"", "speaks: \"7\""), "apis.chat.backends.legacy.speaks".to_owned()),
        (
            good.replace("speaks: \"1\"", "speaks: {default: \"1\", nonsense: \"1\"}"),
            "`nonsense` is not a call".to_owned(),
        ),
    ];
    for (text, named) in cases {
        write_rule(directory.path(), "legato.yaml", &text);
        let refused = serve();
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{text}");
        assert!(said.contains(&named), "{named} is not named in {said}");
    }
}
