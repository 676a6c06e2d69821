//! What `/api/status` says.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Admin;
use crate::config::Speaks;
use crate::listen::Certificates;
use crate::reload::{Outcome, Report};
use crate::snapshot::Route;

/// The status as JSON text.
pub(super) fn describe(admin: &Admin) -> String {
    let snapshot = admin.published.load();
    let now = jiff::Timestamp::now();
    let listening: Vec<String> = admin.listening.iter().map(ToString::to_string).collect();
    let apis: Vec<Value> = snapshot.routes.iter().map(|route| api(route)).collect();
    let status = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "generation": snapshot.generation,
        "hash": snapshot.hash,
        "started": admin.started.to_string(),
        "uptime_seconds": now.as_second() - admin.started.as_second(),
        "draining": admin.draining.is_cancelled(),
        "listening": listening,
        "listeners": listeners(admin),
        "apis": apis,
        "last_reload": report(&admin.reload.last()),
    });
    status.to_string()
}

/// Each listener, and whether its certificates are those of its files.
fn listeners(admin: &Admin) -> Vec<Value> {
    let tls = |certificates: &Certificates| {
        let files: Vec<String> = certificates.files().map(|file| file.display().to_string()).collect();
        json!({"files": files, "loaded": certificates.loaded_at().to_string(), "error": certificates.error()})
    };
    let listener = |(address, certificates): (&SocketAddr, &Option<Arc<Certificates>>)| json!({"address": address.to_string(), "tls": certificates.as_deref().map(tls)});
    admin.listening.iter().zip(&admin.certificates).map(listener).collect()
}

fn api(route: &Route) -> Value {
    let versions: Vec<&str> = route.rules.iter().flat_map(|rules| rules.api.versions.labels()).collect();
    let backends: Vec<Value> = route
        .backends
        .iter()
        .map(|backend| {
            let endpoints: Vec<Value> = backend
                .endpoints()
                .map(|endpoint| {
                    json!({
                        "address": endpoint.address,
                        "state": endpoint.state.name(),
                        "in_flight": endpoint.in_flight,
                        "connections": endpoint.connections,
                        "idle": endpoint.idle,
                        "ejections": endpoint.ejections,
                        "last_resorts": endpoint.last_resorts,
                        "last_failure": endpoint.last_failure.map(|last| {
                            json!({"at": last.at.to_string(), "code": last.code, "reason": last.reason})
                        }),
                    })
                })
                .collect();
            json!({"name": &**backend.name(), "speaks": speaks(backend.speaks()), "endpoints": endpoints})
        })
        .collect();
    json!({
        "name": route.config.name,
        "hosts": route.config.hosts,
        "prefix": route.config.prefix,
        "has_rules": route.rules.is_some(),
        "versions": versions,
        "backends": backends,
    })
}

/// A label, or labels by call as they are configured.
fn speaks(speaks: &Speaks) -> Value {
    if speaks.calls.is_empty() {
        return json!(speaks.default);
    }
    let calls = speaks.calls.iter().map(|(call, label)| (call.clone(), json!(label)));
    std::iter::once(("default".to_owned(), json!(speaks.default))).chain(calls).collect()
}

/// A reload as JSON.
pub(super) fn report(report: &Report) -> Value {
    let diagnostics = match &report.outcome {
        Outcome::Failed(reason) => Some(reason),
        Outcome::Published | Outcome::Unchanged => None,
    };
    json!({
        "result": report.outcome.name(),
        "at": report.at.to_string(),
        "generation": report.generation,
        "hash": report.hash,
        "diagnostics": diagnostics,
    })
}
