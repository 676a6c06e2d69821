//! Which version a backend speaks, call by call.

use http::Method;

use crate::config;
use crate::route::{Router, Template};
use crate::rules::Api;
use crate::version::VersionId;

/// The version that a backend speaks.
#[derive(Debug)]
pub struct Speaks {
    default: VersionId,
    by_call: Option<Box<ByCall>>,
}

#[derive(Debug)]
struct ByCall {
    /// For clients of each version, as they ask for the calls.
    asked: Vec<Router<VersionId>>,
    /// As the backend has them.
    own: Router<VersionId>,
}

impl Speaks {
    /// What the configuration says, with the versions and calls of the rules. Everything between clients and the
    /// backend is compiled, so that no request waits for it.
    ///
    /// # Errors
    /// Versions and calls that are none.
    pub(super) fn new(api: &Api, config: &config::Speaks) -> Result<Self, Vec<String>> {
        let mut errors = Vec::new();
        let default = version(api, &config.default).map_err(|error| errors.push(error)).ok();
        let mut calls = Vec::new();
        for (call, label) in &config.calls {
            match (Template::parse(call), version(api, label)) {
                (Ok(call), Ok(version)) => calls.push((call, version)),
                (parsed, version) => {
                    errors.extend(parsed.err().map(|error| format!("`{call}` is not a call: {error}")));
                    errors.extend(version.err());
                }
            }
        }
        let (Some(default), true) = (default, errors.is_empty()) else { return Err(errors) };
        calls.iter().map(|(_, version)| *version).chain([default]).for_each(|version| api.prepare(version));
        let by_call = (!calls.is_empty()).then(|| Box::new(ByCall::new(api, &calls)));
        Ok(Self { default, by_call })
    }

    /// For a call as a client of a version asks for it.
    #[must_use]
    pub fn asked(&self, client: VersionId, method: &Method, path: &str) -> VersionId {
        let routers = self.by_call.as_ref().map(|by_call| &by_call.asked);
        let found = routers.and_then(|routers| routers.get(usize::from(client.0))?.find(method, path));
        found.map_or(self.default, |found| *found.value)
    }

    /// For a call as the backend has it.
    #[must_use]
    pub fn own(&self, method: &Method, path: &str) -> VersionId {
        let found = self.by_call.as_ref().and_then(|by_call| by_call.own.find(method, path));
        found.map_or(self.default, |found| *found.value)
    }
}

impl ByCall {
    fn new(api: &Api, calls: &[(Template, VersionId)]) -> Self {
        let clients = (0..api.versions.0.len()).map(|client| VersionId(u16::try_from(client).unwrap_or(u16::MAX)));
        let router = |spelled: &dyn Fn(&Template, VersionId) -> Template| {
            let mut router = Router::new();
            for (call, version) in calls {
                router.insert(&spelled(call, *version), *version);
            }
            router
        };
        Self {
            asked: clients.map(|client| router(&|call, version| api.spelled(call, version, client))).collect(),
            own: router(&|call, _| call.clone()),
        }
    }
}

fn version(api: &Api, label: &str) -> Result<VersionId, String> {
    let unknown = || {
        let known = api.versions.labels().collect::<Vec<_>>().join(", ");
        format!("`{label}` is not a version of this api, expected one of {known}")
    };
    api.versions.find(label).ok_or_else(unknown)
}
