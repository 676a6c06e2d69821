//! Lists of media types with parameters (RFC 9110, sections 8.3.1 and 12.5.1), by the places of their parts, so that
//! one part can be replaced and every other byte stays.

use std::ops::Range;

/// One media type or range of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MediaType {
    /// Where type and subtype stand.
    pub(super) essence: Range<usize>,
    /// In order.
    pub(super) parameters: Vec<Parameter>,
}

/// One parameter of a media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameter {
    /// Where it stands, with the `;` and white space before it.
    pub(super) whole: Range<usize>,
    /// Where the name stands.
    pub(super) name: Range<usize>,
    /// Where the value stands, with its quotes.
    pub(super) value: Range<usize>,
}

impl MediaType {
    /// The parameter with a name, in whatever case.
    pub(super) fn parameter(&self, text: &str, name: &str) -> Option<&Parameter> {
        let is_named = |p: &&Parameter| text[p.name.clone()].eq_ignore_ascii_case(name);
        self.parameters.iter().find(is_named)
    }

    /// The weight in thousandths; 1000 where none is given, 0 where it is malformed.
    pub(super) fn weight(&self, text: &str) -> u16 {
        let Some(q) = self.parameter(text, "q") else {
            return 1000;
        };
        let value = &text[q.value.clone()];
        match value.parse::<f32>() {
            Ok(weight) if (0.0..=1.0).contains(&weight) => thousandths(value),
            _ => 0,
        }
    }
}

/// `0.85` as 850, from the digits.
fn thousandths(value: &str) -> u16 {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    let whole: u16 = whole.parse().unwrap_or(0);
    (whole * 1000 + fraction.parse::<u16>().unwrap_or(0)).min(1000)
}

/// The media types of a list that is separated by commas.
pub(super) fn parse_list(text: &str) -> Vec<MediaType> {
    split(text, 0..text.len(), b',').into_iter().filter_map(|element| parse(text, element)).collect()
}

fn parse(text: &str, element: Range<usize>) -> Option<MediaType> {
    let mut parts = split(text, element, b';').into_iter();
    let essence = trim(text, parts.next()?);
    if essence.is_empty() {
        return None;
    }
    let mut end = essence.end;
    let mut parameters = Vec::new();
    for part in parts {
        let part = trim(text, part);
        let whole = end..part.end;
        end = part.end;
        if let Some(equals) = text[part.clone()].find('=').map(|i| part.start + i) {
            let name = trim(text, part.start..equals);
            let value = trim(text, equals + 1..part.end);
            parameters.push(Parameter { whole, name, value });
        }
    }
    Some(MediaType { essence, parameters })
}

/// The parts between separators that do not stand in quotes.
fn split(text: &str, range: Range<usize>, separator: u8) -> Vec<Range<usize>> {
    let (mut parts, mut start) = (Vec::new(), range.start);
    let (mut quoted, mut escaped) = (false, false);
    for (i, byte) in text.bytes().enumerate().take(range.end).skip(range.start) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == separator && !quoted => {
                parts.push(start..i);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(start..range.end);
    parts
}

fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

/// A parameter's value without quotes and escapes.
pub(super) fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

/// A value as a token where it is one, else in quotes.
pub(super) fn quote(value: &str) -> String {
    if !value.is_empty() && value.bytes().all(super::source::is_token_byte) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_parts() {
        let text = r#" application/json ; Version = "2,;\"x" ;q=0.5, text/* , ;x=y, a/b;flag;c=d"#;
        let list = parse_list(text);
        let essences: Vec<&str> = list.iter().map(|m| &text[m.essence.clone()]).collect();
        assert_eq!(essences, ["application/json", "text/*", "a/b"]);

        let version = list[0].parameter(text, "version").unwrap();
        assert_eq!(unquote(&text[version.value.clone()]), "2,;\"x");
        assert_eq!(&text[version.whole.clone()], r#" ; Version = "2,;\"x""#);
        assert_eq!(list[0].weight(text), 500);
        assert_eq!(&text[list[2].parameters[0].whole.clone()], ";c=d");
    }

    #[test]
    fn reads_weights() {
        let cases = [
            ("1", 1000),
            ("0", 0),
            ("0.85", 850),
            ("0.1234", 123),
            ("1.000", 1000),
            ("2", 0),
            ("x", 0),
            ("-1", 0),
            ("", 0),
        ];
        for (q, want) in cases {
            let text = format!("a/b;q={q}");
            assert_eq!(parse_list(&text)[0].weight(&text), want, "{q}");
        }
    }

    #[test]
    fn quotes_where_it_must() {
        assert_eq!(quote("2024-06-01"), "2024-06-01");
        assert_eq!(quote("a b\"c"), r#""a b\"c""#);
    }
}
