//! Durations, sizes and shares as people write them.

use std::time::Duration;

/// More than a year is a mistake, and some clocks overflow not far beyond.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A duration: a whole number and `ms`, `s`, `m` or `h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let expected = || format!("expected a duration such as `250ms`, `5s`, `10m` or `1h`, found `{text}`");
    let number: u64 = number.parse().map_err(|_| expected())?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(expected()),
    };
    let duration = number.checked_mul(milliseconds).map(Duration::from_millis);
    duration.filter(|duration| *duration <= LONGEST).ok_or_else(|| format!("expected at most `8784h`, found `{text}`"))
}

/// A size in bytes: a whole number and nothing, `B`, `KiB`, `MiB` or `GiB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let expected = || format!("expected a size such as `64KiB`, `16MiB` or `1GiB`, found `{text}`");
    let number: u64 = number.parse().map_err(|_| expected())?;
    let bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(expected()),
    };
    number.checked_mul(bytes).ok_or_else(|| format!("size `{text}` is out of range"))
}

/// A part of a whole, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// Millionths of the whole.
    pub const WHOLE: u32 = 1_000_000;
    /// The whole.
    pub const ALL: Self = Self(Self::WHOLE);

    /// A share of so many hundredths.
    #[must_use]
    pub const fn percent(percent: u8) -> Self {
        Self(Self::WHOLE / 100 * percent as u32)
    }

    /// In millionths.
    #[must_use]
    pub fn millionths(self) -> u32 {
        self.0
    }
}

/// A share: a number from 0 to 100, of up to four decimals, and `%`.
pub(super) fn share(text: &str) -> Result<Share, String> {
    let expected = || format!("expected a share from `0%` to `100%` such as `1%` or `0.25%`, found `{text}`");
    let number = text.strip_suffix('%').ok_or_else(expected)?;
    let (whole, decimals) = number.split_once('.').map_or((number, ""), |(whole, decimals)| (whole, decimals));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_decimal = decimals.len() <= 4 && (is_number(decimals) || whole.len() == number.len());
    if !is_number(whole) || whole.len() > 3 || !is_decimal {
        return Err(expected());
    }
    let digits = format!("{whole}{decimals:0<4}");
    digits.parse().ok().filter(|share| *share <= Share::WHOLE).map(Share).ok_or_else(expected)
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        let cases =
            [("250ms", 250), ("0s", 0), ("5s", 5_000), ("10m", 600_000), ("1h", 3_600_000), ("8784h", 31_622_400_000)];
        for (text, milliseconds) in cases {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "5", "s", "5 s", "-5s", "+5s", "1.5s", "5S", "5d", "1h30m", "5µs"] {
            let want = format!("expected a duration such as `250ms`, `5s`, `10m` or `1h`, found `{text}`");
            assert_eq!(duration(text), Err(want));
        }
        for text in ["8785h", "18446744073709551615h"] {
            assert_eq!(duration(text), Err(format!("expected at most `8784h`, found `{text}`")));
        }
    }

    #[test]
    fn reads_sizes() {
        let cases =
            [("0", 0), ("1500", 1500), ("7B", 7), ("64KiB", 65_536), ("16MiB", 16_777_216), ("1GiB", 1_073_741_824)];
        for (text, bytes) in cases {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "KiB", "64KB", "64k", "64 KiB", "1.5MiB", "-1", "1TiB"] {
            assert_eq!(size(text), Err(format!("expected a size such as `64KiB`, `16MiB` or `1GiB`, found `{text}`")));
        }
        assert_eq!(size("17179869184GiB"), Err("size `17179869184GiB` is out of range".into()));
    }

    #[test]
    fn reads_shares() {
        let cases = [
            ("0%", 0),
            ("1%", 10_000),
            ("0.25%", 2_500),
            ("0.0001%", 1),
            ("12.5%", 125_000),
            ("100%", 1_000_000),
            ("100.0000%", 1_000_000),
        ];
        for (text, millionths) in cases {
            assert_eq!(share(text).map(Share::millionths), Ok(millionths), "{text}");
        }
        assert_eq!(share("1%"), Ok(Share::percent(1)));
        for text in ["", "%", "1", "-1%", "+1%", "1 %", "1.%", ".5%", "1e1%", "101%", "100.1%", "0.00001%", "1000%"] {
            let want = format!("expected a share from `0%` to `100%` such as `1%` or `0.25%`, found `{text}`");
            assert_eq!(share(text), Err(want));
        }
    }
}
