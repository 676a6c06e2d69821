//! Ranges of response statuses: `2xx`, `404`, `4xx-5xx`.

use std::fmt;

/// An inclusive range of statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatusRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl StatusRange {
    /// Parses `404`, `2xx`, `4xx-5xx` or `400-404`.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a status such as `404`, `2xx` or `4xx-5xx`, found `{}`", text.escape_debug());
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = Self { first: bounds(first).ok_or_else(wrong)?.0, last: bounds(last).ok_or_else(wrong)?.1 };
        if range.first > range.last {
            return Err(wrong());
        }
        Ok(range)
    }

    /// Whether a status is in the range.
    #[must_use]
    pub fn contains(self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }

    /// Whether both fit a status and neither is the narrower.
    #[must_use]
    pub fn rivals(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last && self.width() == other.width()
    }

    /// How many statuses it has: the narrowest range that fits decides.
    #[must_use]
    pub fn width(self) -> u16 {
        self.last - self.first
    }
}

fn bounds(text: &str) -> Option<(u16, u16)> {
    let class = text.chars().next()?.to_digit(10).filter(|d| (1..=5).contains(d))?;
    let base = u16::try_from(class).ok()? * 100;
    if text.len() == 3 && text[1..].eq_ignore_ascii_case("xx") {
        return Some((base, base + 99));
    }
    let status = (text.len() == 3).then(|| text.parse::<u16>().ok()).flatten()?;
    Some((status, status))
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = |status: u16| status / 100;
        match (self.first % 100, self.last % 100) {
            (0, 99) if class(self.first) == class(self.last) => write!(f, "{}xx", class(self.first)),
            (0, 99) => write!(f, "{}xx-{}xx", class(self.first), class(self.last)),
            _ if self.first == self.last => write!(f, "{}", self.first),
            _ => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (text, first, last) in [("2xx", 200, 299), ("404", 404, 404), ("4xx-5xx", 400, 599), ("400-404", 400, 404)]
        {
            let range = StatusRange { first, last };
            assert_eq!(StatusRange::parse(text), Ok(range));
            assert_eq!(range.to_string(), text);
        }
        for text in ["", "6xx", "20", "2x", "5xx-4xx", "0xx", "2000", "héé"] {
            assert!(StatusRange::parse(text).is_err(), "{text}");
        }
    }
}
