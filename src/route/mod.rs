//! Path templates and the calls they name.
//!
//! A [`Template`] is `METHOD /path/{param}`, `* /path` for any method, or `*` for every call; a path may end in `/*`,
//! any rest. [`Router`] finds the most specific one for a request. Paths stay percent-encoded throughout: `%2F` never
//! splits a segment, parameters are handed on as they were written, and literals are compared in the one spelling
//! that RFC 3986, section 6.2.2, makes equal to all others. Dot segments are not resolved.

mod index;
mod normal;
mod parse;
mod router;

use std::fmt;

use http::Method;

pub use index::Index;
pub use router::{Found, Router};

/// A set of calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Template {
    /// `None`: any.
    pub method: Option<Method>,
    /// What stands between the slashes; never empty. `/` is one empty literal.
    pub segments: Vec<Segment>,
}

/// What may stand between two slashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// This text, normalized; may be empty.
    Literal(String),
    /// Any text but an empty one, under a name.
    Param(String),
    /// One or more segments, empty ones too; only as the last.
    Rest,
}

impl Segment {
    /// Whether everything that fits the other fits this.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rest, _) | (Self::Param(_), Self::Param(_)) => true,
            (Self::Param(_), Self::Literal(text)) => !text.is_empty(),
            (Self::Literal(a), Self::Literal(b)) => a == b,
            (Self::Param(_) | Self::Literal(_), Self::Rest) | (Self::Literal(_), Self::Param(_)) => false,
        }
    }
}

impl Template {
    /// Whether both name the same calls: equal but for the names of parameters.
    #[must_use]
    pub fn same_shape(&self, other: &Self) -> bool {
        self.covers(other) && other.covers(self)
    }

    /// The template without the names of its parameters: the same for all of the [same shape](Self::same_shape).
    #[must_use]
    pub fn shape(&self) -> Self {
        let nameless = self.segments.iter().map(|segment| match segment {
            Segment::Param(_) => Segment::Param(String::new()),
            Segment::Literal(_) | Segment::Rest => segment.clone(),
        });
        Self { method: self.method.clone(), segments: nameless.collect() }
    }

    /// Whether every call of the other is one of this.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        (self.method.is_none() || self.method == other.method) && self.covers_path(other)
    }

    fn covers_path(&self, other: &Self) -> bool {
        let is_longer = other.segments.len() > self.segments.len();
        let same_length = other.segments.len() == self.segments.len();
        (same_length || is_longer && self.has_rest())
            && self.segments.iter().zip(&other.segments).all(|(a, b)| a.covers(b))
    }

    /// Whether the template ends in `/*`.
    #[must_use]
    pub fn has_rest(&self) -> bool {
        self.segments.last() == Some(&Segment::Rest)
    }

    /// Whether a call exists that both name while neither path is the more specific one: `/a/{x}` and `/{y}/b`.
    /// A router could only choose by accident, so a set of templates must not have such a pair.
    #[must_use]
    pub fn ambiguous_with(&self, other: &Self) -> bool {
        let methods_meet = self.method.is_none() || other.method.is_none() || self.method == other.method;
        methods_meet && self.path_meets(other) && !self.covers_path(other) && !other.covers_path(self)
    }

    fn path_meets(&self, other: &Self) -> bool {
        let (a, b) = (self.segments.len(), other.segments.len());
        (a == b || a < b && self.has_rest() || b < a && other.has_rest())
            && self.segments.iter().zip(&other.segments).all(|(a, b)| a.covers(b) || b.covers(a))
    }

    /// Whether this is preferred to the other for calls that both name: its path says more, or its path says the
    /// same and it names the method.
    #[must_use]
    pub fn more_specific(&self, other: &Self) -> bool {
        match (other.covers_path(self), self.covers_path(other)) {
            (true, true) => self.method.is_some() && other.method.is_none(),
            (covered, covers) => covered && !covers,
        }
    }

    /// The names of the parameters, in order; that of the rest is `*`.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Param(name) => Some(name.as_str()),
            Segment::Rest => Some("*"),
        })
    }

    /// The values of the parameters in a path that fits, as they are written there; that of the rest, without the
    /// slash before it, comes last. The path is percent-encoded and has no query.
    #[must_use]
    pub fn match_path<'p>(&self, path: &'p str) -> Option<Vec<&'p str>> {
        let mut params = Vec::new();
        let mut rest = Some(path.strip_prefix('/')?);
        for segment in &self.segments {
            let (text, after) = split_segment(rest?);
            match segment {
                Segment::Literal(literal) if *literal == normal::segment(text) => {}
                Segment::Param(_) if !text.is_empty() => params.push(text),
                Segment::Rest => {
                    params.push(rest?);
                    return Some(params);
                }
                Segment::Literal(_) | Segment::Param(_) => return None,
            }
            rest = after;
        }
        rest.is_none().then_some(params)
    }

    /// The path with values in the place of its parameters, in the order of [`params`](Self::params). There must be
    /// as many as there are parameters; they are percent-encoded already.
    #[must_use]
    pub fn expand(&self, params: &[&str]) -> String {
        let mut params = params.iter().copied();
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            path.push_str(match segment {
                Segment::Literal(text) => text,
                Segment::Param(_) | Segment::Rest => params.next().unwrap_or_default(),
            });
        }
        path
    }
}

/// The first segment of a path without its leading slash, and what follows the next slash.
fn split_segment(path: &str) -> (&str, Option<&str>) {
    path.split_once('/').map_or((path, None), |(segment, rest)| (segment, Some(rest)))
}

/// As it is written in rule files.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.method.is_none() && self.segments == [Segment::Rest] {
            return f.write_str("*");
        }
        f.write_str(self.method.as_ref().map_or("*", Method::as_str))?;
        f.write_str(" ")?;
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::Param(name) => write!(f, "/{{{name}}}")?,
                Segment::Rest => f.write_str("/*")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
