//! Which codings a client takes (RFC 9110, section 12.5.3).

use super::Coding;

/// A weight in thousandths.
type Weight = u16;

const FULL: Weight = 1000;

/// What a client's `accept-encoding` says of the codings that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accepted {
    /// In the order of [`Coding::ALL`]; zero: not at all.
    weights: [Weight; 4],
    /// Zero where nothing is said: plain is always taken, and liked least.
    plain: Weight,
}

impl Accepted {
    /// What the elements of `accept-encoding` say. A client that has no such header gets everything plain.
    pub fn parse<'a>(elements: impl Iterator<Item = &'a str>) -> Self {
        let mut named = [None; 4];
        let (mut plain, mut any) = (None, None);
        for (name, weight) in elements.filter_map(element) {
            match (Coding::parse(name), name) {
                (Some(coding), _) => named[place(coding)] = Some(weight),
                (None, "*") => any = Some(weight),
                (None, _) if name.eq_ignore_ascii_case("identity") => plain = Some(weight),
                (None, _) => {}
            }
        }
        let other = any.unwrap_or_default();
        Self { weights: named.map(|weight| weight.unwrap_or(other)), plain: plain.unwrap_or(other) }
    }

    /// The coding that a client gets a body in whose sender coded it; `None`: plain. Of several that it likes equally
    /// well, the sender's own.
    #[must_use]
    pub fn best(self, own: Option<Coding>) -> Option<Coding> {
        let most = self.weights.into_iter().max().unwrap_or_default();
        if most == 0 || self.plain > most {
            return None;
        }
        let liked = |coding: &Coding| self.weights[place(*coding)] == most;
        own.filter(liked).or_else(|| Coding::ALL.into_iter().find(liked))
    }

    /// The `accept-encoding` with which the same is asked for without what is not known.
    pub fn narrowed<'a>(elements: impl Iterator<Item = &'a str>) -> String {
        let parsed: Vec<(&str, Weight)> = elements.filter_map(element).collect();
        let is_named = |coding: &Coding| parsed.iter().any(|(name, _)| Coding::parse(name) == Some(*coding));
        let mut all: Vec<String> = Vec::new();
        for (name, weight) in &parsed {
            if let Some(coding) = Coding::parse(name) {
                all.push(written(coding.name(), *weight));
            } else if name.eq_ignore_ascii_case("identity") || *name == "*" && *weight == 0 {
                all.push(written(name, *weight));
            } else if *name == "*" {
                let others = Coding::ALL.into_iter().filter(|coding| !is_named(coding));
                all.extend(others.map(|coding| written(coding.name(), *weight)));
            }
        }
        if all.is_empty() { "identity".to_owned() } else { all.join(", ") }
    }
}

fn place(coding: Coding) -> usize {
    match coding {
        Coding::Zstd => 0,
        Coding::Brotli => 1,
        Coding::Gzip => 2,
        Coding::Deflate => 3,
    }
}

/// An element's name and weight. One whose weight is none says nothing.
fn element(text: &str) -> Option<(&str, Weight)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let weight = parts.filter_map(|part| part.split_once('=')).find(|(key, _)| key.trim().eq_ignore_ascii_case("q"));
    match weight {
        None => Some((name, FULL)),
        Some((_, text)) => Some((name, parse_weight(text.trim())?)),
    }
}

/// A weight of at most three decimals, from 0 to 1.
fn parse_weight(text: &str) -> Option<Weight> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_decimal = decimals.len() <= 3 && decimals.bytes().all(|b| b.is_ascii_digit());
    let whole: Weight = if matches!(whole, "0" | "1") && is_decimal { whole.parse().ok()? } else { return None };
    let thousandths: Weight = format!("{decimals:0<3}").parse().ok()?;
    Some(whole * FULL + thousandths).filter(|weight| *weight <= FULL)
}

fn written(name: &str, weight: Weight) -> String {
    match weight {
        FULL => name.to_owned(),
        0 => format!("{name};q=0"),
        _ => format!("{name};q=0.{}", format!("{weight:03}").trim_end_matches('0')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(line: &str) -> impl Iterator<Item = &str> + Clone {
        line.split(',').map(str::trim).filter(|element| !element.is_empty())
    }

    #[test]
    fn the_client_gets_what_it_likes_best() {
        use Coding::{Brotli, Deflate, Gzip, Zstd};
        let cases = [
            ("", Some(Gzip), None),
            ("gzip", Some(Gzip), Some(Gzip)),
            ("GZIP", Some(Brotli), Some(Gzip)),
            ("x-gzip", Some(Gzip), Some(Gzip)),
            ("gzip, deflate, br, zstd", Some(Deflate), Some(Deflate)),
            ("gzip, deflate, br, zstd", None, Some(Zstd)),
            ("gzip;q=0.5, br;q=1.0", Some(Gzip), Some(Brotli)),
            ("gzip ; Q=0.501 , br; q=0.5", Some(Brotli), Some(Gzip)),
            ("gzip;q=0", Some(Gzip), None),
            ("*", Some(Gzip), Some(Gzip)),
            ("*;q=0.5, gzip;q=0", Some(Gzip), Some(Zstd)),
            ("identity, gzip;q=0.5", Some(Gzip), None),
            ("identity;q=0.1, gzip;q=0.5", Some(Gzip), Some(Gzip)),
            ("identity;q=0, deflate;q=0.001", Some(Gzip), Some(Deflate)),
            ("compress, dcb", Some(Gzip), None),
            ("gzip;q=1.5, br;q=x, zstd;q=0.1234, deflate", Some(Gzip), Some(Deflate)),
        ];
        for (line, own, want) in cases {
            assert_eq!(Accepted::parse(elements(line)).best(own), want, "{line} of {own:?}");
        }
    }

    #[test]
    fn the_backend_is_asked_for_what_is_known() {
        let cases = [
            ("", "identity"),
            ("gzip, deflate, br, zstd", "gzip, deflate, br, zstd"),
            ("gzip;q=0.50, compress, br; q=0.125", "gzip;q=0.5, br;q=0.125"),
            ("compress", "identity"),
            ("identity;q=0, dcz", "identity;q=0"),
            ("gzip, *;q=0.1", "gzip, zstd;q=0.1, br;q=0.1, deflate;q=0.1"),
            ("gzip, *;q=0", "gzip, *;q=0"),
            ("gzip;q=nonsense", "identity"),
        ];
        for (line, want) in cases {
            assert_eq!(Accepted::narrowed(elements(line)), want, "{line}");
        }
    }
}
