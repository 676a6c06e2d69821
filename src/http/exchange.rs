//! What is known of a request before anything is done with it: its API, its version, its backend.

use std::borrow::Cow;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use http::Method;
use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;
use http::uri::{PathAndQuery, Uri};
use tokio::time::Instant;

use crate::backend::Backend;
use crate::coding;
use crate::failure::{Failure, Kind, Side};
use crate::json::{self, Losses, Uuids, Values};
use crate::rules::{AfterSunset, Api, MessagePlan, OnError, Pair};
use crate::snapshot::{Route, Snapshot};
use crate::telemetry::metrics::Exchanges;
use crate::version::{ApiVersion, RequestView, ResolveError, Resolved, VersionId};
use crate::worker::{Timers, Worker};

use super::Plane;
use super::body::Bounds;
use super::form::Form;
use super::pace::Pace;
use super::respond::Audience;
use super::server::Client;
use super::validators::Mark;
use super::{forwarded, headers};

/// One backend until splits exist: the configuration allows no more.
const BACKEND: usize = 0;

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// A request whose API, versions and backend are known.
pub(crate) struct Exchange {
    /// Who serves it.
    pub(crate) worker: Worker,
    /// What it waits with.
    pub(crate) timers: Timers,
    /// Whose connection it came on.
    pub(crate) client: Client,
    /// Who asks: the connection's other end, or whom one that is trusted forwards for.
    pub(crate) client_ip: IpAddr,
    /// The authority that is asked.
    pub(crate) authority: Option<String>,
    /// The API as configured.
    pub(crate) route: Arc<Route>,
    /// Its rules.
    pub(crate) api: Arc<Api>,
    /// How the client's version was found.
    pub(crate) resolved: Resolved,
    /// Who answers.
    pub(crate) backend: Arc<Backend>,
    /// What it speaks.
    pub(crate) speaks: VersionId,
    /// When all has to be over.
    pub(crate) deadline: Option<Instant>,
    /// Where a socket's first message names the version, if nothing else did; [`resolved`](Self::resolved) is what is
    /// served where it names none.
    pub(crate) awaits: Option<Awaits>,
    snapshot: Arc<Snapshot>,
}

/// What is to be found out from a socket's first message.
#[derive(Debug)]
pub(crate) struct Awaits {
    /// The names that lead to the version.
    pub(crate) names: Vec<String>,
    /// Why a message that names none ends the socket; `None` where there is a version for such clients.
    pub(crate) missing: Option<ResolveError>,
}

impl Exchange {
    /// Finds out what a request is for; `is_socket`: to become one.
    ///
    /// # Errors
    /// Those that concern the request's target and version, with what was found out before.
    pub(crate) fn open(
        plane: &Plane,
        snapshot: Arc<Snapshot>,
        client: Client,
        head: &Parts,
        is_socket: bool,
    ) -> Result<Self, Box<Refused>> {
        let authority = headers::authority(head)?;
        let host = authority.as_deref().map(headers::host_of);
        let route = Arc::clone(snapshot.find(host, head.uri.path()).ok_or_else(no_route)?);
        let refused = |failure, version| Box::new(Refused { failure, route: Some(Arc::clone(&route)), version });
        let rules = route.rules.as_ref().ok_or_else(|| refused(no_rules(&route.config.name), None))?;
        let (path, query) = (head.uri.path(), head.uri.query());
        let view = RequestView { headers: &head.headers, host: authority.as_deref(), path, query };
        let api = &rules.api;
        let reads_messages = is_socket && route.config.socketio.as_ref().is_none_or(|config| config.path != path);
        let names = reads_messages.then(|| api.resolver.awaited(&api.versions, &view)).flatten();
        let resolved = api.resolver.resolve(&api.versions, &view);
        let (resolved, awaits) = match (resolved, names) {
            (Ok(resolved), None) => {
                check_sunset(api, resolved.version).map_err(|failure| refused(failure, Some(resolved.version)))?;
                (resolved, None)
            }
            (Ok(resolved), Some(names)) => (resolved, Some(Awaits { names: names.to_vec(), missing: None })),
            (Err(missing @ ResolveError::Missing { .. }), Some(names)) => {
                let awaits = Awaits { names: names.to_vec(), missing: Some(missing) };
                (Resolved::nothing(api.versions.latest()), Some(awaits))
            }
            (Err(error), _) => return Err(refused(unresolved(api, &error), None)),
        };
        let asked = resolved.path.as_deref().unwrap_or(path);
        let speaks = rules.speaks[BACKEND].asked(resolved.version, &head.method, asked);
        Ok(Self {
            worker: plane.worker,
            timers: plane.timers.clone(),
            client,
            client_ip: forwarded::client_ip(&head.headers, client.peer.ip(), &route.config.trust),
            authority,
            resolved,
            backend: Arc::clone(&route.backends[BACKEND]),
            speaks,
            deadline: route.config.timeouts.request.map(|t| Instant::now() + t),
            api: Arc::clone(api),
            route,
            awaits,
            snapshot,
        })
    }

    /// Takes the version that a socket's first message names.
    ///
    /// # Errors
    /// It does not exist or is gone, or none is named and there is none for such clients.
    pub(crate) fn settle(&mut self, path: &str, label: Option<&str>) -> Result<(), Failure> {
        let missing = self.awaits.take().and_then(|awaits| awaits.missing);
        let named = label.map(|label| self.api.resolver.named_in_message(&self.api.versions, label));
        let version = match (named, missing) {
            (Some(named), _) => named.map_err(|error| unresolved(&self.api, &error))?,
            (None, Some(missing)) => return Err(unresolved(&self.api, &missing)),
            (None, None) => self.resolved.version,
        };
        self.resolved.version = version;
        if let Some(rules) = &self.route.rules {
            let asked = self.resolved.path.as_deref().unwrap_or(path);
            self.speaks = rules.speaks[BACKEND].asked(version, &Method::GET, asked);
        }
        check_sunset(&self.api, version)
    }

    /// The client's version.
    pub(crate) fn client_version(&self) -> &ApiVersion {
        self.api.versions.get(self.resolved.version)
    }

    /// The backend's version.
    pub(crate) fn backend_version(&self) -> &ApiVersion {
        self.api.versions.get(self.speaks)
    }

    /// What the backend speaks at a path of its own.
    pub(crate) fn speaks_at(&self, path: &str) -> VersionId {
        self.route.rules.as_ref().map_or(self.speaks, |rules| rules.speaks[BACKEND].own(&Method::GET, path))
    }

    /// The plans between the two.
    pub(crate) fn pair(&self) -> &Pair {
        self.api.pair(self.resolved.version, self.speaks)
    }

    /// The path and query that the rules see: without the version's prefix.
    pub(crate) fn rule_path<'u>(&self, uri: &'u Uri) -> Cow<'u, str> {
        let whole = uri.path_and_query().map_or(uri.path(), PathAndQuery::as_str);
        match (&self.resolved.path, uri.query()) {
            (None, _) => Cow::Borrowed(whole),
            (Some(path), Some(query)) => Cow::Owned(format!("{path}?{query}")),
            (Some(path), None) => Cow::Owned(path.clone()),
        }
    }

    /// What counts this exchange.
    pub(crate) fn exchanges(&self) -> Option<&Arc<Exchanges>> {
        let rules = self.route.rules.as_ref()?;
        Some(rules.exchanges(BACKEND, self.resolved.version))
    }

    /// Counts what was lost in what is sent.
    pub(crate) fn count_losses(&self, losses: &Losses) {
        if let Some(exchanges) = self.exchanges().filter(|_| !losses.is_empty()) {
            exchanges.lost(losses);
        }
    }

    /// What literals refer to in a request, for its plan. A plan that changes nothing has none.
    pub(crate) fn request_values(&self, plan: &MessagePlan) -> Values {
        if plan.is_identity() {
            return Values::default();
        }
        let on_error = self.api.on_error.request;
        values(jiff::Timestamp::now(), self.backend_version(), on_error)
    }

    /// What literals refer to in a response, for its plan. A plan that changes nothing has none.
    pub(crate) fn response_values(&self, plan: &MessagePlan, on_error: OnError) -> Values {
        if plan.is_identity() {
            return Values::default();
        }
        values(jiff::Timestamp::now(), self.client_version(), on_error)
    }

    /// Bounds on reading a backend's body.
    pub(crate) fn bounds(&self) -> Bounds {
        let config = &self.route.config;
        Bounds { idle: config.timeouts.idle, deadline: self.deadline, size: config.limits.body, pace: None }
    }

    /// Bounds on reading the client's body. One that is a stream of messages is not slow, however few there are.
    pub(crate) fn client_bounds(&self, form: Form) -> Bounds {
        let bounds = self.bounds();
        let pace = Pace::new(self.client.body_rate, bounds.idle).filter(|_| !form.is_stream());
        Bounds { pace, ..bounds }
    }

    /// Bounds on one document.
    pub(crate) fn json_limits(&self) -> json::Limits {
        json::Limits { depth: self.route.config.limits.depth, buffer: self.route.config.limits.buffer }
    }

    /// Bounds on taking codings off.
    pub(crate) fn coding_limits(&self) -> coding::Limits {
        coding::Limits { total: self.route.config.limits.decompressed, ratio: self.route.config.limits.ratio }
    }

    /// Bounds on one message of a socket.
    pub(crate) fn message_limits(&self) -> json::Limits {
        json::Limits { depth: self.route.config.limits.depth, buffer: self.route.config.limits.message }
    }

    /// The mark of translated representations.
    pub(crate) fn mark(&self) -> Mark {
        Mark::new(&self.snapshot.hash, &self.client_version().label, &self.backend_version().label)
    }

    /// How errors look to this client.
    pub(crate) fn audience(&self) -> Audience<'_> {
        audience(&self.api, Some(self.resolved.version))
    }

    /// Says in a response which version was served, what decided it, and until when it is.
    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        // What is not known yet is not said.
        let version = self.awaits.is_none().then_some(self.resolved.version);
        stamp(&self.route, version, headers);
    }
}

/// A request that goes no further than to its API, and what was found out about it.
pub(crate) struct Refused {
    /// Why.
    pub(crate) failure: Failure,
    /// The API as configured.
    pub(crate) route: Option<Arc<Route>>,
    /// The client's version.
    pub(crate) version: Option<VersionId>,
}

impl From<Failure> for Box<Refused> {
    fn from(failure: Failure) -> Self {
        Self::new(Refused { failure, route: None, version: None })
    }
}

impl Refused {
    fn api(&self) -> Option<&Api> {
        self.route.as_ref().and_then(|route| route.rules.as_ref()).map(|rules| &*rules.api)
    }

    /// The label of the client's version.
    pub(crate) fn client_version(&self) -> Option<&Arc<str>> {
        Some(&self.api()?.versions.get(self.version?).label)
    }

    /// How errors look to this client.
    pub(crate) fn audience(&self) -> Audience<'_> {
        self.api().map_or_else(Audience::default, |api| audience(api, self.version))
    }

    /// Says in the answer what is known of the version.
    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        if let Some(route) = &self.route {
            stamp(route, self.version, headers);
        }
    }
}

fn audience(api: &Api, version: Option<VersionId>) -> Audience<'_> {
    Audience {
        version: version.map(|version| &*api.versions.get(version).label),
        shape: version.and_then(|version| api.problems.get(&version)),
    }
}

fn stamp(route: &Route, version: Option<VersionId>, headers: &mut HeaderMap) {
    let Some(rules) = &route.rules else { return };
    for name in &rules.vary {
        headers::vary(headers, name);
    }
    let Some(notices) = version.map(|version| rules.notices(version)) else { return };
    let values = [(&rules.echo, &notices.label), (&DEPRECATION, &notices.deprecation), (&SUNSET, &notices.sunset)];
    for (name, value) in values {
        if let Some(value) = value {
            headers.insert(name.clone(), value.clone());
        }
    }
    for link in &notices.links {
        headers.append(header::LINK, link.clone());
    }
}

/// What literals refer to in a document for a receiver of `version`, now.
pub(crate) fn values(now: jiff::Timestamp, version: &ApiVersion, on_error: OnError) -> Values {
    let on_error = match on_error {
        OnError::Reject => json::OnError::Reject,
        OnError::BestEffort => json::OnError::BestEffort,
    };
    Values {
        now: json::Now::Millis(now.as_millisecond()),
        version: Arc::clone(&version.label),
        uuids: Uuids::new(random()),
        on_error,
    }
}

/// The same for the next document of a stream.
pub(crate) fn renewed(values: &Values) -> Values {
    let now = json::Now::Millis(jiff::Timestamp::now().as_millisecond());
    Values { now, uuids: Uuids::new(random()), ..values.clone() }
}

/// 128 random bits: the standard library keeps a key from the operating system for hashing, and another hasher each
/// time.
pub(crate) fn random() -> u128 {
    let half = || u128::from(RandomState::new().build_hasher().finish());
    half() << 64 | half()
}

fn no_route() -> Failure {
    Failure::new(Side::Client, Kind::NoRoute, "no api answers for this host and path")
}

fn no_rules(api: &str) -> Failure {
    Failure::new(Side::Legato, Kind::NoRules, format!("the api `{api}` has no rule set"))
}

fn unresolved(api: &Api, error: &ResolveError) -> Failure {
    let kind = match error {
        ResolveError::Unknown { .. } | ResolveError::Missing { .. } => Kind::UnknownVersion,
        ResolveError::Contradiction { .. } => Kind::AmbiguousVersion,
    };
    Failure::new(Side::Client, kind, error.to_string()).supporting(api.versions.labels())
}

fn check_sunset(api: &Api, version: VersionId) -> Result<(), Failure> {
    let declared = api.versions.get(version);
    let gone = match api.after_sunset {
        AfterSunset::Serve => false,
        AfterSunset::Gone => declared.sunset.is_some_and(|sunset| sunset <= jiff::Timestamp::now().as_second()),
    };
    if gone {
        let detail = format!("version `{}` of this api is past its sunset", declared.label);
        return Err(Failure::new(Side::Client, Kind::VersionGone, detail).supporting(api.versions.labels()));
    }
    Ok(())
}
