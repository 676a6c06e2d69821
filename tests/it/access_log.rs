//! Access records: what they say, where they go, and what happens where they cannot.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use legato_proxy::config::{AccessLog, LogTarget, Share};

use crate::support::backend::Backend;
use crate::support::eventually;
use crate::support::program::Program;
use crate::support::proxy::{API, TestProxy, write_rule};
use crate::support::wire::Wire;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn records(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn file(path: &Path) -> AccessLog {
    AccessLog::all(LogTarget::File(path.to_owned()))
}

async fn get(client: &mut Wire, target: &str) -> u16 {
    client.ask(&format!("GET {target} HTTP/1.1\r\nhost: h\r\n\r\n")).await.status()
}

#[tokio::test]
async fn every_request_has_one_record() {
    let backend = Backend::answering(OK).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let mut proxy = TestProxy::start(&[backend.address], |c| c.access_log = file(&path)).await;
    let mut client = proxy.client().await;
    assert_eq!(get(&mut client, "/a%22%5C?secret=1").await, 200);
    client.ask("GET /b HTTP/1.1\r\nhost: h\r\napi-version: 9\r\n\r\n").await;
    drop(client);
    proxy.drain();
    proxy.ended().await;
    let records = records(&path);
    assert_eq!(records.len(), 2, "{records:?}");
    let want = serde_json::json!({
        "api": "chat", "client_version": "1", "backend": "legacy", "backend_version": "1", "protocol": "HTTP/1.1",
        "method": "GET", "target": "/a%22%5C", "call": "*", "status": 200, "bytes": 2,
    });
    for (name, value) in want.as_object().unwrap() {
        assert_eq!(&records[0][name], value, "{name}");
    }
    assert!(records[0]["duration_ms"].is_number() && records[0]["time"].is_string(), "{}", records[0]);
    // A refusal is the API's as well.
    let found = (&records[1]["api"], &records[1]["status"], &records[1]["failure"]);
    assert_eq!(found, (&"chat".into(), &400.into(), &"unknown_version".into()));
}

#[tokio::test]
async fn of_what_went_well_a_share_is_kept_and_of_the_rest_all() {
    let backend = Backend::scripted(|mut wire| async move {
        while let Some(request) = wire.try_message().await {
            let status = if request.start.starts_with("GET /gone") { "410 Gone" } else { "200 OK" };
            wire.send(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")).await;
        }
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let mut proxy = TestProxy::start(&[backend.address], |c| {
        c.access_log = AccessLog { sample: Share::percent(10), ..file(&path) };
    })
    .await;
    let mut client = proxy.client().await;
    for n in 0..100 {
        assert_eq!(get(&mut client, &format!("/{n}")).await, 200);
        assert_eq!(
            get(&mut client, if n % 25 == 0 { "/gone" } else { "/x" }).await,
            if n % 25 == 0 { 410 } else { 200 }
        );
    }
    drop(client);
    proxy.drain();
    proxy.ended().await;
    let records = records(&path);
    let count = |status: u16| records.iter().filter(|record| record["status"] == status).count();
    // One connection is one worker's, which takes every tenth of its own: of 196.
    assert_eq!((count(200), count(410)), (20, 4));
}

/// What the counter of lost records says. It is the process's, which all tests share: it only grows.
async fn lost(proxy: &TestProxy) -> u64 {
    let metrics = proxy.admin().await.ask("GET /metrics HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let line = metrics.text().lines().find_map(|line| line.strip_prefix("legato_access_records_dropped_total "));
    line.map_or(0, |count| count.parse().unwrap())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_costs_records_and_nothing_else() {
    let backend = Backend::answering(OK).await;
    let mut proxy = TestProxy::start(&[backend.address], |c| c.access_log = file(Path::new("/dev/full"))).await;
    let before = lost(&proxy).await;
    let mut client = proxy.client().await;
    for _ in 0..50 {
        assert_eq!(get(&mut client, "/").await, 200);
    }
    eventually("50 lost records", || async { lost(&proxy).await >= before + 50 }).await;
    drop(client);
    proxy.drain();
    proxy.ended().await;
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_opened_again() {
    let backend = Backend::answering(OK).await;
    let directory = tempfile::tempdir().unwrap();
    let (path, old) = (directory.path().join("access.log"), directory.path().join("access.log.1"));
    let proxy = TestProxy::start(&[backend.address], |c| c.access_log = file(&path)).await;
    let mut client = proxy.client().await;
    get(&mut client, "/old").await;
    eventually("the first record", || async { records(&path).len() == 1 }).await;
    fs::rename(&path, &old).unwrap();
    // Rules that do not load are no reason to write on into the old file.
    proxy.write_rule("chat/api.yaml", "broken: [\n");
    assert_eq!(proxy.reload.reload().await.unwrap().outcome.name(), "failed");
    get(&mut client, "/new").await;
    eventually("the second record", || async { records(&path).len() == 1 }).await;
    assert_eq!((&records(&old)[0]["target"], &records(&path)[0]["target"]), (&"/old".into(), &"/new".into()));
    // Where it cannot be opened, records go on to where they went.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    proxy.reload.reload().await.unwrap();
    assert_eq!(get(&mut client, "/").await, 200);
}

fn configuration(directory: &Path, backend: &Backend, access_log: &str) {
    let text = format!(
        "legato: 1\nlisten: [{{address: 127.0.0.1:0}}]\nadmin: {{address: 127.0.0.1:0}}\nrules: rules\n\
         apis: {{chat: {{backends: {{legacy: {{speaks: \"1\", endpoints: [\"http://{}\"]}}}}}}}}\n\
         access_log: {access_log}\n",
        backend.address
    );
    write_rule(directory, "legato.yaml", &text);
    write_rule(directory, "rules/chat/api.yaml", API);
}

#[tokio::test]
async fn where_records_go_is_reloaded() {
    let backend = Backend::answering(OK).await;
    let directory = tempfile::tempdir().unwrap();
    configuration(directory.path(), &backend, "off");
    let program = Program::start(directory);
    let mut client = Wire::connect(program.address).await;
    get(&mut client, "/off").await;
    configuration(program.directory.path(), &backend, "{path: access.log, sample: 100%}");
    program.signal("-HUP");
    let path = program.directory.path().join("access.log");
    eventually("the file", || async { path.exists() }).await;
    // The file is there a moment before records go to it.
    eventually("a record", || async {
        get(&mut Wire::connect(program.address).await, "/on").await;
        records(&path).iter().any(|record| record["target"] == "/on")
    })
    .await;
    assert!(!records(&path).iter().any(|record| record["target"] == "/off"));
    // One that cannot be opened is no configuration to publish.
    configuration(program.directory.path(), &backend, "none/access.log");
    let status = "POST /api/reload HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n";
    let refused = Wire::connect(program.admin).await.ask(status).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.text().contains("none/access.log"), "{}", refused.text());
}

#[tokio::test]
async fn nobody_waits_for_a_reader_of_the_log() {
    let backend = Backend::answering(OK).await;
    let directory = tempfile::tempdir().unwrap();
    configuration(directory.path(), &backend, "stderr");
    // A pipe that is never read holds about 250 records.
    let mut program = Program::start_with(directory, Stdio::piped());
    let mut client = Wire::connect(program.address).await;
    for _ in 0..1000 {
        assert_eq!(get(&mut client, "/").await, 200);
    }
    drop(client);
    program.signal("-TERM");
    eventually("the end", || {
        let ended = program.child.try_wait().unwrap().is_some();
        async move { ended }
    })
    .await;
}
