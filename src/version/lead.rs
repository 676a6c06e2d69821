//! Where a URL of the backend leads, as a client of another version writes it.

use super::{ApiVersion, Prefix, Resolver, Source, TellBackend, VersionId, Versions, read, write};

/// A path and query that a backend says, without the version that stands in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    prefix: Option<Prefix>,
    /// The path and query that rules see.
    pub path_and_query: String,
}

impl Resolver {
    /// Takes the version off a path and query that a backend says; `None` where they are of another version than the
    /// backend's. `asked` is what the client's own path began with.
    #[must_use]
    pub fn lead(
        &self,
        versions: &Versions,
        backend: VersionId,
        asked: Option<&Prefix>,
        path_and_query: &str,
    ) -> Option<Lead> {
        let (path, query) = path_and_query.split_at(path_and_query.find('?').unwrap_or(path_and_query.len()));
        let taken = self.sources.iter().find_map(|source| match source {
            Source::Path(pattern) => {
                Some((read::path_version(pattern, versions, path)?, read::take_prefix(pattern, versions, path)?))
            }
            _ => None,
        });
        match (taken, asked) {
            // The backend repeats what it was told, or says its own.
            (Some((version, (prefix, rest))), _) => {
                let is_repeated =
                    self.tell_backend == TellBackend::Keep && asked.is_some_and(|a| a.text == prefix.text);
                (version == backend || is_repeated)
                    .then(|| Lead { prefix: Some(prefix), path_and_query: format!("{rest}{query}") })
            }
            // It was told no version, so that it says none.
            (None, Some(asked)) if self.tell_backend == TellBackend::Strip => {
                let prefix = Some(Prefix { whole: false, ..asked.clone() });
                Some(Lead { prefix, path_and_query: path_and_query.to_owned() })
            }
            (None, Some(_)) => None,
            (None, None) => Some(Lead { prefix: None, path_and_query: path_and_query.to_owned() }),
        }
    }

    /// What rules made of a lead's path and query, with the client's version where the backend's stood.
    #[must_use]
    pub fn follow(&self, lead: &Lead, client: &ApiVersion, backend: &ApiVersion, path_and_query: &str) -> String {
        let names = self.sources.iter().filter_map(|source| match source {
            Source::Query(name) => Some(name.as_str()),
            _ => None,
        });
        let target = names.fold(path_and_query.to_owned(), |target, name| {
            write::relabel_query(&target, name, &backend.label, &client.label)
        });
        match &lead.prefix {
            None => target,
            Some(prefix) => write::prefixed(&target, prefix, &client.label),
        }
    }
}
