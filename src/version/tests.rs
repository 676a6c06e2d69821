use http::HeaderValue;

use super::*;

fn versions() -> Versions {
    let version =
        |label: &str| ApiVersion { label: label.into(), released: None, deprecated: None, sunset: None, guide: None };
    Versions(["1", "2", "3"].map(version).into())
}

fn resolver(sources: &[(&str, &str)]) -> Resolver {
    let sources = sources.iter().map(|(kind, value)| Source::parse(kind, value).unwrap()).collect();
    Resolver { sources, default: None, unknown: Unknown::Reject, tell_backend: TellBackend::Rewrite }
}

/// A request head in one line: `/path?query | name: value | name: value`.
struct Head {
    target: String,
    headers: HeaderMap,
}

impl Head {
    fn parse(line: &str) -> Self {
        let mut parts = line.split(" | ");
        let target = parts.next().unwrap().to_owned();
        let headers = parts.map(|part| {
            let (name, value) = part.split_once(": ").unwrap();
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        Self { target, headers: map }
    }

    fn view(&self) -> RequestView<'_> {
        let (path, query) = self.target.split_once('?').map_or((self.target.as_str(), None), |(p, q)| (p, Some(q)));
        let host = self.headers.get("host").map(|host| host.to_str().unwrap());
        RequestView { headers: &self.headers, host, path, query }
    }

    fn draw(&self) -> String {
        let headers = self.headers.iter().map(|(n, v)| format!(" | {n}: {}", String::from_utf8_lossy(v.as_bytes())));
        self.target.clone() + &headers.collect::<String>()
    }
}

/// The label, or the error.
fn resolve(resolver: &Resolver, line: &str) -> String {
    match resolver.resolve(&versions(), &Head::parse(line).view()) {
        Ok(found) => versions().get(found.version).label.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_source_reads_what_its_cases_say() {
    let mut source = None;
    let mut count = 0;
    for line in include_str!("cases.txt").lines() {
        if let Some((kind, value)) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')?.split_once(' ')) {
            source = Some((kind, value));
        } else if let (Some(source), Some((request, want))) = (source, line.rsplit_once(" => ")) {
            let resolver = resolver(&[source]);
            let name = resolver.sources[0].to_string();
            let want = match want {
                "-" => format!("no version is named in {name}"),
                want if want.starts_with("names") => format!("{name} {want}"),
                want => want.to_owned(),
            };
            assert_eq!(resolve(&resolver, request), want, "{line}");
            count += 1;
        }
    }
    assert_eq!(count, 56);
}

#[test]
fn a_client_may_have_a_version_of_its_own() {
    let mut pins = Pins::default();
    for (at, identity) in (0..).zip(["alice", "bob"]) {
        pins.insert(&HeaderName::from_static("x-user"), identity, VersionId(at)).unwrap();
    }
    let pinned = Source::Pinned { header: HeaderName::from_static("x-user"), pins: Arc::new(pins) };
    let resolver = Resolver { sources: vec![pinned], ..resolver(&[]) };
    let cases = [
        ("/ | x-user: bob", "2"),
        ("/ | x-user: bob | x-user: bob", "2"),
        ("/ | x-user: bob | x-user: alice", "the client's `x-user` names two versions, `2` and `1`"),
        ("/ | x-user: carol", "no version is named in the client's `x-user`"),
    ];
    for (line, want) in cases {
        assert_eq!(resolve(&resolver, line), want, "{line}");
    }
    assert_eq!(resolver.vary(), ["x-user"]);
    let mut head = Head::parse("/x | x-user: bob");
    let found = resolver.resolve(&versions(), &head.view()).unwrap();
    let target = resolver.tell_backend(versions().get(VersionId(0)), &mut head.headers, "/x".to_owned(), &found);
    assert_eq!((target.as_str(), head.headers["x-user"].to_str().unwrap()), ("/x", "bob"));
}

#[test]
fn the_first_source_that_names_a_version_decides() {
    let resolver = Resolver {
        default: Some(VersionId(0)),
        ..resolver(&[("header", "v"), ("query", "v"), ("path", "/v{version}")])
    };
    let cases =
        [("/v1/x?v=2 | v: 3", "3", Some(0)), ("/v1/x?v=2", "2", Some(1)), ("/v3/x", "3", Some(2)), ("/x", "1", None)];
    for (line, label, source) in cases {
        let found = resolver.resolve(&versions(), &Head::parse(line).view()).unwrap();
        assert_eq!((&*versions().get(found.version).label, found.source), (label, source), "{line}");
    }
}

#[test]
fn unknown_versions_do_as_configured() {
    let with = |unknown, default| Resolver { default, unknown, ..resolver(&[("header", "v")]) };
    let refused = "header `v` names version `9`, which does not exist";
    let cases = [
        (with(Unknown::Reject, Some(VersionId(0))), refused),
        (with(Unknown::Default, Some(VersionId(0))), "1"),
        (with(Unknown::Default, None), refused),
        (with(Unknown::Latest, None), "3"),
    ];
    for (resolver, want) in cases {
        assert_eq!(resolve(&resolver, "/ | v: 9"), want);
    }
}

#[test]
fn places_without_case_find_labels_that_have_it() {
    let version =
        |label: &str| ApiVersion { label: label.into(), released: None, deprecated: None, sunset: None, guide: None };
    let versions = Versions(["V1", "V2-Beta"].map(version).into());
    let resolver =
        resolver(&[("host", "{version}.example"), ("media_type_suffix", "application/vnd.chat.{version}+json")]);
    for line in ["/ | host: v2-beta.example", "/ | accept: application/vnd.chat.V2-BETA+json"] {
        let found = resolver.resolve(&versions, &Head::parse(line).view()).unwrap();
        assert_eq!(found.version, VersionId(1), "{line}");
    }
}

#[test]
fn labels_can_stand_everywhere() {
    for text in ["1", "v2", "2024-06-01", "1.10", "a_b"] {
        assert!(ApiVersion::is_label(text), "{text}");
    }
    for text in ["", "a b", "1/2", "\u{e9}", "a,b", &"9".repeat(65)] {
        assert!(!ApiVersion::is_label(text), "{text}");
    }
}

#[test]
fn long_labels_are_cut_in_messages() {
    let message = resolve(&resolver(&[("query", "v")]), &format!("/?v={}", "9".repeat(5000)));
    assert_eq!(message, format!("query parameter `v` names version `{}…`, which does not exist", "9".repeat(64)));
}

#[test]
fn a_path_prefix_is_taken_off_whoever_decides() {
    let resolver = resolver(&[("header", "v"), ("path", "/api/v{version}"), ("path", "/{version}")]);
    let cases = [
        ("/api/v2/users/1 | v: 1", Some("/users/1"), Some("/api/v2")),
        ("/api/v2 | v: 1", Some("/"), Some("/api/v2")),
        ("/api/v2/ | v: 1", Some("/"), Some("/api/v2")),
        ("/3/x | v: 1", Some("/x"), Some("/3")),
        ("/users | v: 1", None, None),
    ];
    for (line, path, prefix) in cases {
        let found = resolver.resolve(&versions(), &Head::parse(line).view()).unwrap();
        let taken = found.prefix.as_ref().map(|prefix| prefix.text.as_str());
        assert_eq!((found.path.as_deref(), taken), (path, prefix), "{line}");
    }
}

/// What a backend that speaks version 1 is asked.
fn tell(how: TellBackend, sources: &[(&str, &str)], line: &str) -> String {
    let resolver = Resolver { tell_backend: how, default: Some(VersionId(1)), ..resolver(sources) };
    let mut head = Head::parse(line);
    let found = resolver.resolve(&versions(), &head.view()).unwrap();
    let (path, query) = head.target.split_once('?').map_or((head.target.as_str(), None), |(p, q)| (p, Some(q)));
    let path = found.path.as_deref().unwrap_or(path);
    let target = query.map_or(path.to_owned(), |query| format!("{path}?{query}"));
    head.target = resolver.tell_backend(versions().get(VersionId(0)), &mut head.headers, target, &found);
    head.draw()
}

#[test]
fn tells_the_backend_its_version_where_the_client_named_one() {
    let all = [
        ("header", "v"),
        ("query", "v"),
        ("path", "/v{version}"),
        ("media_type", "version"),
        ("media_type_suffix", "application/vnd.chat.v{version}+json"),
        ("subprotocol", "chat.v{version}"),
        ("host", "v{version}.example"),
        ("cookie", "v"),
    ];
    // The request; what becomes of it with `rewrite`; with `strip`.
    let cases = [
        ("/a?b=c | x: y", "/a?b=c | x: y", "/a?b=c | x: y"),
        ("/ | v: 2", "/ | v: 1", "/"),
        ("/ | v: 2 | v: 2", "/ | v: 1", "/"),
        ("/a?x=%7e&v=2&y=+&%76=2", "/a?x=%7e&v=1&y=+&%76=1", "/a?x=%7e&y=+"),
        ("/a?v=2", "/a?v=1", "/a"),
        ("/v2/a?b", "/v1/a?b", "/a?b"),
        ("/v2", "/v1", "/"),
        ("/v2/", "/v1/", "/"),
        ("/v2?b", "/v1?b", "/?b"),
        (
            "/ | accept: a/b ;q=0.5; version=\"2\", c/d;version=3;q=0.1, */*",
            "/ | accept: a/b ;q=0.5; version=1, c/d;version=1;q=0.1, */*",
            "/ | accept: a/b ;q=0.5, c/d;q=0.1, */*",
        ),
        (
            "/ | content-type: application/vnd.chat.v2+json;charset=utf-8",
            "/ | content-type: application/vnd.chat.v1+json;charset=utf-8",
            "/ | content-type: application/json;charset=utf-8",
        ),
        (
            "/ | sec-websocket-protocol: mqtt, chat.v3, chat.v2, x",
            "/ | sec-websocket-protocol: mqtt, chat.v1, x",
            "/ | sec-websocket-protocol: mqtt, x",
        ),
        ("/ | sec-websocket-protocol: chat.v2", "/ | sec-websocket-protocol: chat.v1", "/"),
        ("/ | cookie: a=1; v=2; b=3", "/ | cookie: a=1; v=1; b=3", "/ | cookie: a=1; b=3"),
        ("/ | cookie: v=2; b=3", "/ | cookie: v=1; b=3", "/ | cookie: b=3"),
        ("/ | cookie: v=2", "/ | cookie: v=1", "/"),
        ("/ | host: v2.example:81", "/ | host: v1.example:81", "/"),
        // Another source decides.
        ("/v2 | host: v2.example", "/v1 | host: v2.example", "/ | host: v2.example"),
    ];
    for (line, rewritten, stripped) in cases {
        assert_eq!(tell(TellBackend::Rewrite, &all, line), rewritten);
        assert_eq!(tell(TellBackend::Strip, &all, line), stripped);
        assert_eq!(tell(TellBackend::Keep, &all, line), line);
    }
}

#[test]
fn tells_the_client_the_version_it_is_served() {
    let resolver = resolver(&[
        ("media_type", "v"),
        ("media_type_suffix", "application/vnd.chat.v{version}+json"),
        ("header", "v"),
    ]);
    let cases = [
        (
            "/ | content-type: application/vnd.chat.v1+json; charset=utf-8",
            "/ | content-type: application/vnd.chat.v2+json; charset=utf-8",
        ),
        ("/ | content-type: application/json; v=1", "/ | content-type: application/json; v=2"),
        (
            "/ | content-type: application/json | accept: a/b;v=1 | v: 1",
            "/ | content-type: application/json | accept: a/b;v=1 | v: 1",
        ),
    ];
    for (line, want) in cases {
        let mut head = Head::parse(line);
        resolver.tell_client(versions().get(VersionId(1)), &mut head.headers);
        assert_eq!(head.draw(), want);
    }
}

#[test]
fn a_client_is_answered_with_the_subprotocol_it_offered() {
    let line = "/ | sec-websocket-protocol: mqtt, chat.v2";
    // How the backend is told; what it chose; what the client reads.
    let cases = [
        (TellBackend::Rewrite, Some("chat.v1"), Some("chat.v2")),
        (TellBackend::Rewrite, Some("mqtt"), Some("mqtt")),
        (TellBackend::Rewrite, None, None),
        (TellBackend::Strip, None, Some("chat.v2")),
        (TellBackend::Strip, Some("mqtt"), Some("mqtt")),
        (TellBackend::Keep, Some("chat.v2"), Some("chat.v2")),
    ];
    for (tell_backend, chosen, want) in cases {
        let resolver = Resolver { tell_backend, ..resolver(&[("subprotocol", "chat.v{version}")]) };
        let found = resolver.resolve(&versions(), &Head::parse(line).view()).unwrap();
        assert_eq!(resolver.answer_subprotocol(&found, chosen).as_deref(), want, "{tell_backend:?} {chosen:?}");
    }
}

#[test]
fn the_answered_subprotocol_is_the_one_of_the_version_served() {
    let resolver = resolver(&[("header", "v"), ("subprotocol", "chat.v{version}")]);
    let head = Head::parse("/ | v: 3 | sec-websocket-protocol: chat.v2, chat.v3");
    assert_eq!(resolver.resolve(&versions(), &head.view()).unwrap().subprotocol.as_deref(), Some("chat.v3"));
}

#[test]
fn caches_and_clients_are_told() {
    let all = [
        ("cookie", "c"),
        ("media_type", "v"),
        ("header", "X-V"),
        ("header", "y"),
        ("media_type_suffix", "a/{version}"),
        ("query", "q"),
    ];
    assert_eq!(resolver(&all).vary(), ["cookie", "accept", "content-type", "x-v", "y"]);
    assert_eq!(resolver(&all).echo_header(), "x-v");
    assert_eq!(resolver(&[("query", "v")]).echo_header(), "api-version");
}

#[test]
fn sources_are_checked() {
    let cases = [
        ("header", "a b", "`a b` is not a header name"),
        ("query", "", "expected the name of a query parameter"),
        ("path", "v{version}", "expected a path that starts with `/`, found `v{version}`"),
        ("path", "/v{version}/x", "expected {version} in the last segment, found `/v{version}/x`"),
        ("path", "/v", "expected {version} somewhere in `/v`"),
        ("path", "/{version}/{version}", "expected {version} once and no other braces in `/{version}/{version}`"),
        ("media_type", "a/b", "expected letters, digits or any of !#$%&'*+-.^_`|~, found `a/b`"),
        ("media_type_suffix", "v{version}", "expected a type and a subtype with {version}, found `v{version}`"),
        ("host", "{v}.x", "expected {version} somewhere in `{v}.x`"),
        ("cookie", "", "expected letters, digits or any of !#$%&'*+-.^_`|~, found ``"),
        ("message", "version", "expected a pointer to one value of a message, such as `/version`, found `version`"),
        ("message", "/a/*", "expected a pointer to one value of a message, such as `/version`, found `/a/*`"),
        ("message", "/a~2b", "expected a pointer to one value of a message, such as `/version`, found `/a~2b`"),
        ("message", "/a~", "expected a pointer to one value of a message, such as `/version`, found `/a~`"),
        ("pin", "x", "unknown version source `pin`"),
    ];
    for (kind, value, want) in cases {
        assert_eq!(Source::parse(kind, value).unwrap_err(), want);
    }
}
