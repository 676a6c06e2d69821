//! The header `sec-websocket-extensions` (RFC 6455 section 9.1).

/// One extension: its name and parameters, in their order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extension {
    pub(super) name: String,
    pub(super) parameters: Vec<(String, Option<String>)>,
}

/// The extensions that a header names; `None` if it cannot be read.
pub(super) fn parse(value: &str) -> Option<Vec<Extension>> {
    let mut rest = Rest(value);
    let mut extensions = Vec::new();
    loop {
        // Lists may have empty elements (RFC 9110 section 5.6.1).
        while rest.take(',') {}
        if rest.is_empty() {
            return Some(extensions);
        }
        extensions.push(rest.extension()?);
        if !rest.is_empty() && !rest.0.starts_with(',') {
            return None;
        }
    }
}

/// What is still to be read; it begins with no white space.
struct Rest<'v>(&'v str);

impl<'v> Rest<'v> {
    fn is_empty(&mut self) -> bool {
        self.0 = self.0.trim_start_matches([' ', '\t']);
        self.0.is_empty()
    }

    /// Whether this comes next; it is passed then.
    fn take(&mut self, wanted: char) -> bool {
        self.0 = self.0.trim_start_matches([' ', '\t']);
        let rest = self.0.strip_prefix(wanted);
        self.0 = rest.unwrap_or(self.0).trim_start_matches([' ', '\t']);
        rest.is_some()
    }

    fn extension(&mut self) -> Option<Extension> {
        let name = self.token()?.to_owned();
        let mut parameters = Vec::new();
        while self.take(';') {
            let name = self.token()?.to_ascii_lowercase();
            let value = if self.take('=') { Some(self.value()?) } else { None };
            parameters.push((name, value));
        }
        Some(Extension { name, parameters })
    }

    fn token(&mut self) -> Option<&'v str> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.0.find(|c| !is_token(c)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    /// A token, which may be quoted.
    fn value(&mut self) -> Option<String> {
        if !self.take('"') {
            return self.token().map(str::to_owned);
        }
        let token = self.token()?.to_owned();
        let rest = self.0.strip_prefix('"')?;
        self.0 = rest;
        Some(token)
    }
}
