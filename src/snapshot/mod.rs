//! The state that one request sees, and the only place where the data plane and the control plane meet.
//!
//! A request loads it once; a socket keeps the one of its handshake. Only `reload` publishes.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderName;

mod speaks;

use crate::backend::{Backend, State};
use crate::config::{ApiConfig, BackendConfig, Config};
use crate::diagnostic;
use crate::rules::{Api, RuleSet};
use crate::telemetry::metrics::Exchanges;
use crate::telemetry::trace::Tracer;
use crate::version::{Notices, VersionId};

pub use speaks::Speaks;

/// Everything that decides what happens to a request; immutable.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts publications, from 1.
    pub generation: u64,
    /// The rules' hash.
    pub hash: String,
    /// The configuration.
    pub config: Config,
    /// Who makes spans; `None`: nobody.
    pub tracer: Option<Tracer>,
    /// In the order in which they are tried: by longest prefix, those with hosts first.
    pub routes: Vec<Arc<Route>>,
}

/// One API as configured, with its rules and backends.
#[derive(Debug)]
pub struct Route {
    /// Its name.
    pub name: Arc<str>,
    /// Its configuration.
    pub config: ApiConfig,
    /// Its rules and what its backends speak; `None` where there is no rule set for it.
    pub rules: Option<RoutedRules>,
    /// Its backends, in the configuration's order; never empty.
    pub backends: Vec<Arc<Backend>>,
}

/// An API's rules, with the versions of its backends looked up in them.
#[derive(Debug)]
pub struct RoutedRules {
    /// The rules.
    pub api: Arc<Api>,
    /// What each backend speaks, in the order of [`Route::backends`].
    pub speaks: Vec<Speaks>,
    /// The request headers that can decide the version, for `vary`.
    pub vary: Vec<HeaderName>,
    /// The response header that says the version.
    pub echo: HeaderName,
    /// What clients are told about their version, for each version.
    notices: Vec<Notices>,
    /// For each backend, for each version.
    exchanges: Vec<Vec<Arc<Exchanges>>>,
}

impl RoutedRules {
    /// What clients of a version of this API are told about it.
    #[must_use]
    pub fn notices(&self, version: VersionId) -> &Notices {
        &self.notices[usize::from(version.0)]
    }

    /// What counts the exchanges of clients of a version with a backend, which is named by its place.
    #[must_use]
    pub fn exchanges(&self, backend: usize, version: VersionId) -> &Arc<Exchanges> {
        &self.exchanges[backend][usize::from(version.0)]
    }
}

impl Route {
    fn try_new(
        config: &ApiConfig,
        rules: &RuleSet,
        workers: usize,
        previous: Option<&Snapshot>,
    ) -> Result<Self, String> {
        let rules = match routed_rules(config, rules) {
            Ok(None) if previous.is_some_and(|p| p.has_rules(&config.name)) => {
                Err(format!("rules/{}: expected the rules of this api, found none", config.name))
            }
            found => found,
        };
        let (rules, backends) = diagnostic::both(rules, backends(config, workers, previous))?;
        Ok(Self { name: config.name.as_str().into(), config: config.clone(), rules, backends })
    }

    fn answers(&self, host: Option<&str>, path: &str) -> bool {
        let hosts = &self.config.hosts;
        let host_matches = hosts.is_empty() || host.is_some_and(|h| hosts.iter().any(|x| x.eq_ignore_ascii_case(h)));
        host_matches && has_prefix(path, &self.config.prefix)
    }
}

/// Whether `path` is below `prefix`: `/chat` holds `/chat` and `/chat/x`, not `/chatty`.
fn has_prefix(path: &str, prefix: &str) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

impl Snapshot {
    /// Puts rules before backends, for this many workers. Backends of `previous` whose configuration is the same are kept with their
    /// connections.
    ///
    /// # Errors
    /// All that is wrong, for a person: backends that speak a version which their API does not have or whose `tls` names
    /// files that cannot be used, and APIs that had rules in `previous` and have lost them: files that are gone for a
    /// moment must not stop traffic.
    pub fn try_new(
        generation: u64,
        config: &Config,
        rules: &RuleSet,
        workers: usize,
        previous: Option<&Snapshot>,
    ) -> Result<Self, String> {
        let routes = config.apis.iter().map(|api| Route::try_new(api, rules, workers, previous).map(Arc::new));
        let mut routes = diagnostic::all(routes)?;
        // A stable sort: equal ones stay in the file's order.
        routes.sort_by_key(|r| (r.config.hosts.is_empty(), std::cmp::Reverse(r.config.prefix.len())));
        Ok(Self { generation, hash: rules.hash.clone(), config: config.clone(), tracer: None, routes })
    }

    /// All backends.
    pub fn backends(&self) -> impl Iterator<Item = &Arc<Backend>> {
        self.routes.iter().flat_map(|route| &route.backends)
    }

    /// How many endpoints are in each state.
    #[must_use]
    pub fn endpoints_by_state(&self) -> [(&'static str, usize); 4] {
        let states: Vec<State> = self.backends().flat_map(|b| b.endpoints().map(|e| e.state)).collect();
        State::ALL.map(|state| (state.name(), states.iter().filter(|s| **s == state).count()))
    }

    fn has_rules(&self, api: &str) -> bool {
        self.routes.iter().any(|r| r.config.name == api && r.rules.is_some())
    }

    /// The API that answers for a host (without its port) and a path.
    #[must_use]
    pub fn find(&self, host: Option<&str>, path: &str) -> Option<&Arc<Route>> {
        self.routes.iter().find(|r| r.answers(host, path))
    }
}

fn routed_rules(config: &ApiConfig, rules: &RuleSet) -> Result<Option<RoutedRules>, String> {
    let Some(api) = rules.apis.get(&config.name) else {
        return Ok(None);
    };
    let mut errors = Vec::new();
    let mut speaks = Vec::new();
    for backend in &config.backends {
        match Speaks::new(api, &backend.speaks) {
            Ok(spoken) => speaks.push(spoken),
            Err(more) => {
                let place = format!("apis.{}.backends.{}.speaks", config.name, backend.name);
                errors.extend(more.into_iter().map(|error| format!("{place}: {error}")));
            }
        }
    }
    if !errors.is_empty() {
        return Err(diagnostic::join(errors));
    }
    let name: Arc<str> = config.name.as_str().into();
    let counted = |backend: &BackendConfig| {
        let backend: Arc<str> = backend.name.as_str().into();
        let labels = api.versions.0.iter().map(|version| Arc::clone(&version.label));
        labels.map(|label| Arc::new(Exchanges::new(Arc::clone(&name), label, Arc::clone(&backend)))).collect()
    };
    Ok(Some(RoutedRules {
        api: Arc::clone(api),
        speaks,
        vary: api.resolver.vary(),
        echo: api.resolver.echo_header(),
        notices: api.versions.0.iter().map(Notices::new).collect(),
        exchanges: config.backends.iter().map(counted).collect(),
    }))
}

fn backends(config: &ApiConfig, workers: usize, previous: Option<&Snapshot>) -> Result<Vec<Arc<Backend>>, String> {
    let old = previous.and_then(|s| s.routes.iter().find(|r| r.config.name == config.name));
    let connect = config.timeouts.connect;
    let kept = |b| old.and_then(|r| r.backends.iter().find(|o| o.is(b, connect)).cloned());
    let new = |b: &BackendConfig| Backend::try_new(&config.name, b.clone(), connect, workers).map(Arc::new);
    diagnostic::all(config.backends.iter().map(|b| kept(b).map_or_else(|| new(b), Ok)))
}

/// Where the snapshot is loaded and published.
#[derive(Debug, Clone)]
pub struct Published(Arc<ArcSwap<Snapshot>>);

impl Published {
    /// Starts with a first snapshot.
    #[must_use]
    pub fn new(first: Snapshot) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(first)))
    }

    /// The current snapshot.
    #[must_use]
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// Replaces the snapshot for all later requests; for `reload` alone.
    pub fn publish(&self, next: Snapshot) {
        self.0.store(Arc::new(next));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_a_segment() {
        let cases = [
            ("/chat", "/chat", true),
            ("/chat/x", "/chat", true),
            ("/chatty", "/chat", false),
            ("/", "/", true),
            ("/x", "/", true),
            ("/x", "/x/", false),
            ("*", "/", false),
        ];
        for (path, prefix, want) in cases {
            assert_eq!(has_prefix(path, prefix), want, "{path} below {prefix}");
        }
    }
}
