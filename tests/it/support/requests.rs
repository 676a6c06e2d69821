//! The cases of `tests/data/http/requests.txt`, whose head says how they are written.

/// A request, or several, as raw bytes, and what becomes of them.
pub(crate) struct Case {
    /// As it stands in the file.
    pub(crate) line: &'static str,
    pub(crate) raw: Vec<u8>,
    /// Of each answer.
    pub(crate) statuses: Vec<u16>,
    /// Of the problem that the last answer is.
    pub(crate) code: Option<&'static str>,
    flags: Vec<&'static str>,
}

impl Case {
    /// Whether `open`, `shut` or `closed` is said.
    pub(crate) fn is(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    fn new(line: &'static str, raw: &str, want: &'static str) -> Self {
        let (mut statuses, mut flags, mut code) = (Vec::new(), Vec::new(), None);
        for word in want.split(' ') {
            match (word.parse(), word) {
                (Ok(status), _) => statuses.push(status),
                (_, "open" | "shut" | "closed") => flags.push(word),
                (_, word) => code = Some(word),
            }
        }
        Self { line, raw: unescape(raw), statuses, code, flags }
    }
}

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    let lines = include_str!("../../data/http/requests.txt").lines();
    let cases = lines.filter_map(|line| line.split_once(" => ").map(|(raw, want)| Case::new(line, raw, want)));
    cases.collect()
}

/// The bytes that a text stands for.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((repeated, after)) = rest.strip_prefix('{').and_then(repetition) {
            bytes.extend(repeated);
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let (escaped, after) = rest.split_at(1);
        rest = after;
        bytes.push(match escaped {
            "r" => b'\r',
            "n" => b'\n',
            "t" => b'\t',
            "0" => 0,
            "x" => {
                rest = &after[2..];
                u8::from_str_radix(&after[..2], 16).unwrap()
            }
            _ => b'\\',
        });
    }
    bytes
}

/// What `text*count}` stands for, and what comes behind it.
fn repetition(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut depth = 0;
    let end = text.find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth < 0
    })?;
    let (repeated, count) = text[..end].rsplit_once('*')?;
    Some((unescape(repeated).repeat(count.parse().ok()?), &text[end + 1..]))
}
