//! What `/api/usage` and `/api/rules` say.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Admin;
use crate::rules::Api;
use crate::snapshot::Snapshot;
use crate::telemetry::usage::{Count, Version};

/// Clients that are told for each version: those with the most requests.
const TOLD: usize = 100;

/// Who calls which version, and which change has something to do.
pub(super) fn describe(admin: &Admin) -> String {
    let table = admin.usage.table();
    let snapshot = admin.published.load();
    let apis: Vec<Value> = apis(&snapshot)
        .map(|api| {
            let counted = table.get(&api.name);
            let of = |label: &str| counted.and_then(|versions| versions.get(label)).cloned().unwrap_or_default();
            let versions: BTreeMap<&str, Version> = api.versions.labels().map(|label| (label, of(label))).collect();
            json!({
                "name": api.name,
                "versions": api.versions.labels().map(|label| version(label, &versions[label])).collect::<Vec<_>>(),
                "changes": changes(api, &versions),
            })
        })
        .collect();
    json!({"since": admin.usage.since().to_string(), "apis": apis}).to_string()
}

fn apis(snapshot: &Snapshot) -> impl Iterator<Item = &Arc<Api>> {
    snapshot.routes.iter().filter_map(|route| Some(&route.rules.as_ref()?.api))
}

fn last_seen(count: &Count) -> Option<String> {
    (count.requests > 0).then(|| format!("{:.3}", count.last_seen))
}

fn version(label: &str, version: &Version) -> Value {
    let mut calls: BTreeMap<&str, Count> = BTreeMap::new();
    for (call, count) in version.calls.values().flatten() {
        let sum = calls.entry(call).or_default();
        sum.requests += count.requests;
        sum.last_seen = sum.last_seen.max(count.last_seen);
    }
    let calls = calls
        .iter()
        .map(|(call, count)| json!({"call": call, "requests": count.requests, "last_seen": last_seen(count)}));
    let mut top: Vec<_> = version.clients.iter().collect();
    top.sort_by_key(|(_, count)| std::cmp::Reverse((count.requests, count.last_seen)));
    let top = top.iter().take(TOLD).map(
        |(ip, count)| json!({"client": ip.to_string(), "requests": count.requests, "last_seen": last_seen(count)}),
    );
    json!({
        "version": label,
        "requests": version.count.requests,
        "failures": version.count.failures,
        "clients": version.clients.len(),
        "last_seen": last_seen(&version.count),
        "calls": calls.collect::<Vec<_>>(),
        "top_clients": top.collect::<Vec<_>>(),
    })
}

/// A change was hit by every request whose call it concerns on the way between client and backend.
fn changes(api: &Api, versions: &BTreeMap<&str, Version>) -> Vec<Value> {
    let mut hits: BTreeMap<Arc<str>, Count> = BTreeMap::new();
    for (client, version) in versions {
        for (backend, calls) in &version.calls {
            let (Some(client), Some(backend)) = (api.versions.find(client), api.versions.find(backend)) else {
                continue;
            };
            let pair = api.pair(client, backend);
            for (label, count) in calls {
                for change in pair.changes(label) {
                    let sum = hits.entry(Arc::clone(change)).or_default();
                    sum.requests += count.requests;
                    sum.failures += count.failures;
                    sum.last_seen = sum.last_seen.max(count.last_seen);
                }
            }
        }
    }
    let change = |(id, since, _): (&str, &str, &str)| {
        let count = hits.get(id).copied().unwrap_or_default();
        json!({
            "change": id,
            "since": since,
            "hits": count.requests,
            "failures": count.failures,
            "last_hit": last_seen(&count),
        })
    };
    api.changes().map(change).collect()
}

/// The rules in force: their hash, versions and changes.
pub(super) fn rules(admin: &Admin) -> String {
    let snapshot = admin.published.load();
    let api = |api: &Arc<Api>| {
        let versions = api.versions.0.iter().map(|version| {
            let time = |seconds: Option<i64>| {
                seconds.and_then(|s| jiff::Timestamp::from_second(s).ok()).map(|time| time.to_string())
            };
            json!({
                "id": &*version.label,
                "released": time(version.released),
                "deprecated": time(version.deprecated),
                "sunset": time(version.sunset),
                "guide": version.guide,
            })
        });
        let sources: Vec<String> = api.resolver.sources.iter().map(ToString::to_string).collect();
        let changes =
            api.changes().map(|(id, since, summary)| json!({"change": id, "since": since, "summary": summary}));
        json!({
            "name": api.name,
            "versions": versions.collect::<Vec<_>>(),
            "client_version": sources,
            "changes": changes.collect::<Vec<_>>(),
        })
    };
    let apis: Vec<Value> = apis(&snapshot).map(api).collect();
    json!({"generation": snapshot.generation, "hash": snapshot.hash, "apis": apis}).to_string()
}
