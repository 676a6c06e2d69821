//! Who still calls which version: counted on each worker, without a lock that another worker holds, and put together
//! when somebody asks. Every table is bounded.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::access_log::Record;

/// Clients that are kept for each version of an API, on each worker; then the one seen longest ago goes.
const CLIENTS: usize = 1000;
/// Names that are kept at each level, on each worker. There are as many as all configurations ever had.
const NAMES: usize = 10_000;

/// How often something came, and when last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// How often.
    pub requests: u64,
    /// Of these, how many did not go well.
    pub failures: u64,
    /// When last.
    pub last_seen: Timestamp,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.last_seen = self.last_seen.max(other.last_seen);
    }
}

/// What clients of one version did.
#[derive(Debug, Clone, Default)]
pub struct Version {
    /// All of it.
    pub count: Count,
    /// By the backend's version and the call.
    pub calls: BTreeMap<String, BTreeMap<String, Count>>,
    /// By client.
    pub clients: BTreeMap<IpAddr, Count>,
}

/// What clients did, by API and version.
pub type Table = BTreeMap<String, BTreeMap<String, Version>>;

/// What a proxy's clients did since it started.
#[derive(Debug, Clone)]
pub struct Usage {
    since: Timestamp,
    workers: Arc<[Mutex<Table>]>,
}

impl Usage {
    /// Nothing yet, on this many workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self { since: Timestamp::now(), workers: (0..workers).map(|_| Mutex::default()).collect() }
    }

    /// Since when it is counted.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// Counts an exchange that has ended on a worker. What has no version is nobody's.
    pub fn add(&self, worker: usize, record: &Record) {
        let (Some(api), Some(version)) = (&record.api, &record.client_version) else { return };
        let Some(table) = self.workers.get(worker) else { return };
        let failures = u64::from(record.failure.is_some());
        let count = Count { requests: 1, failures, last_seen: Timestamp::now() };
        let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(version) = entry(&mut table, api).and_then(|versions| entry(versions, version)) else { return };
        version.count.add(count);
        version.client(record.peer.ip().to_canonical(), count);
        if let (Some(backend), Some(call)) = (&record.backend_version, &record.call)
            && let Some(call) = entry(&mut version.calls, backend).and_then(|calls| entry(calls, call))
        {
            call.add(count);
        }
    }

    /// What all workers have counted.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut all = Table::new();
        for worker in &*self.workers {
            let table = worker.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for (api, versions) in table {
                let to = all.entry(api).or_default();
                for (label, version) in versions {
                    to.entry(label).or_default().merge(version);
                }
            }
        }
        all
    }
}

impl Version {
    fn client(&mut self, ip: IpAddr, count: Count) {
        if self.clients.len() >= CLIENTS && !self.clients.contains_key(&ip) {
            let oldest = self.clients.iter().min_by_key(|(_, count)| count.last_seen).map(|(ip, _)| *ip);
            oldest.and_then(|ip| self.clients.remove(&ip));
        }
        self.clients.entry(ip).or_default().add(count);
    }

    fn merge(&mut self, other: Self) {
        self.count.add(other.count);
        for (ip, count) in other.clients {
            self.clients.entry(ip).or_default().add(count);
        }
        for (backend, calls) in other.calls {
            let to = self.calls.entry(backend).or_default();
            for (call, count) in calls {
                to.entry(call).or_default().add(count);
            }
        }
    }
}

/// A name's entry; a new one only where there is room.
fn entry<'t, T: Default>(table: &'t mut BTreeMap<String, T>, name: &str) -> Option<&'t mut T> {
    // Most often it is there, and no name is copied.
    if !table.contains_key(name) {
        if table.len() >= NAMES {
            return None;
        }
        table.insert(name.to_owned(), T::default());
    }
    table.get_mut(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_number_of_clients_is_bounded_and_workers_are_added_up() {
        let usage = Usage::new(2);
        let peer = |n: u32| (IpAddr::from(n.to_be_bytes()), 1).into();
        for n in 0..1500 {
            let mut record = Record::new(peer(n), http::Version::HTTP_11, http::Method::GET, "/".to_owned());
            (record.api, record.client_version) = (Some("chat".into()), Some("1".into()));
            (record.backend_version, record.call) = (Some("1".into()), Some("*".into()));
            usage.add(0, &record);
            usage.add(usize::from(n == 0), &record);
        }
        let table = usage.table();
        let version = &table["chat"]["1"];
        assert_eq!((version.count.requests, version.calls["1"]["*"].requests), (3000, 3000));
        // The one client of the other worker, and those that came last.
        assert_eq!(version.clients.len(), 1001);
        assert_eq!(version.clients[&IpAddr::from(1499u32.to_be_bytes())].requests, 2);
    }
}
