//! Durations and sizes as people write them.

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
}
