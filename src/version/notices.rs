//! What clients are told about the version that serves them, written once for all their responses.

use http::HeaderValue;

use super::ApiVersion;

/// The values of a version's headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notices {
    /// The label; `None` never happens, since a label is letters, digits and marks.
    pub label: Option<HeaderValue>,
    /// Since when it is deprecated (RFC 9745).
    pub deprecation: Option<HeaderValue>,
    /// Until when it is served (RFC 8594).
    pub sunset: Option<HeaderValue>,
    /// Where to read how to leave it.
    pub links: Vec<HeaderValue>,
}

impl Notices {
    /// What a version's declaration says. A version that neither is deprecated nor ends has no more than its label.
    #[must_use]
    pub fn new(version: &ApiVersion) -> Self {
        Self {
            label: HeaderValue::from_str(&version.label).ok(),
            deprecation: version.deprecated.and_then(|since| HeaderValue::try_from(format!("@{since}")).ok()),
            sunset: version.sunset.and_then(http_date).and_then(|date| HeaderValue::try_from(date).ok()),
            links: links(version),
        }
    }
}

fn links(version: &ApiVersion) -> Vec<HeaderValue> {
    let declared = [(version.deprecated, "deprecation"), (version.sunset, "sunset")];
    let mut relations: Vec<&str> = declared.iter().filter_map(|(time, relation)| time.map(|_| *relation)).collect();
    let (Some(guide), false) = (&version.guide, relations.is_empty()) else {
        return Vec::new();
    };
    relations.push("successor-version");
    relations
        .into_iter()
        .filter_map(|relation| HeaderValue::try_from(format!("<{guide}>; rel=\"{relation}\"")).ok())
        .collect()
}

/// A time as RFC 9110 section 5.6.7 writes it.
fn http_date(seconds: i64) -> Option<String> {
    let time = jiff::Timestamp::from_second(seconds).ok()?;
    Some(time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

#[cfg(test)]
mod tests {
    use super::http_date;

    #[test]
    fn dates_are_those_of_http() {
        assert_eq!(http_date(784_111_777).as_deref(), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    }
}
