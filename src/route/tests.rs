use super::*;

fn template(text: &str) -> Template {
    Template::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn templates_are_written_as_they_are_read() {
    for text in
        ["*", "* /a", "GET /", "GET /*", "POST /users/{id}/rooms/{room-id}", "DELETE /a/b/*", "PUT /a/", "TRACE //"]
    {
        assert_eq!(template(text).to_string(), text);
    }
    assert_eq!(template("GET /caf\u{e9}/%7ea/%2f").to_string(), "GET /caf%C3%A9/~a/%2F");
    assert_eq!(Template::parse_path("/a/{b}").unwrap().to_string(), "* /a/{b}");
}

#[test]
fn templates_are_checked() {
    let cases = [
        ("", "expected a method and a path such as `GET /users/{id}`, found ``"),
        ("/a", "expected a method and a path such as `GET /users/{id}`, found `/a`"),
        ("get /a", "methods are in upper case: write `GET`, not `get`"),
        (
            "FETCH /a",
            "unknown method `FETCH`, expected one of `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE`, `OPTIONS`, `TRACE` or `*`",
        ),
        ("GET a", "expected a path that starts with `/`, found `a`"),
        ("GET  /a", "expected a path that starts with `/`, found ` /a`"),
        ("GET /a?b", "a path template has no '?', found `/a?b`"),
        ("GET /a b", "a path template has no ' ', found `/a b`"),
        ("GET /a/../b", "`..` is not a segment of a template"),
        ("GET /a%4%44", "expected two hexadecimal digits after every `%`, found `a%4%44`; `%25` is a `%`"),
        ("GET /a/%2e", "`%2e` is not a segment of a template"),
        ("GET /*/a", "`*` must be the whole last segment, found `*`"),
        ("GET /a*", "`*` must be the whole last segment, found `a*`"),
        ("GET /{id}.json", "a parameter must fill its whole segment, found `{id}.json`"),
        ("GET /{a}{b}", "a parameter must fill its whole segment, found `{a}{b}`"),
        ("GET /{}", "expected letters, digits, `_` or `-` as a parameter's name, found ``"),
        ("GET /{*x}", "`*` must be the whole last segment, found `{*x}`"),
        ("GET /{a}/{b}/{a}", "two parameters are called `a` in `/{a}/{b}/{a}`"),
    ];
    for (text, want) in cases {
        assert_eq!(Template::parse(text).unwrap_err(), want);
    }
    assert_eq!(
        Template::parse(&format!("GET {}", "/a".repeat(65))).unwrap_err(),
        "expected at most 64 segments, found 65"
    );
}

#[test]
fn paths_fit_or_not() {
    let cases: [(&str, &str, Option<&[&str]>); 26] = [
        ("GET /users", "/users", Some(&[])),
        ("GET /users", "/%75sers", Some(&[])),
        ("GET /caf\u{e9}", "/caf%c3%a9", Some(&[])),
        ("GET /users", "/users/", None),
        ("GET /users", "/Users", None),
        ("GET /users", "/users/1", None),
        ("GET /users", "/x/../users", None),
        ("GET /users", "/./users", None),
        ("GET /users", "users", None),
        ("GET /users/", "/users/", Some(&[])),
        ("GET /users/{id}", "/users/42", Some(&["42"])),
        ("GET /users/{id}", "/users/a%2Fb%20", Some(&["a%2Fb%20"])),
        ("GET /users/{id}", "/users/", None),
        ("GET /users/{id}", "/users", None),
        ("GET /a%2Fb", "/a%2fb", Some(&[])),
        ("GET /a/b", "/a%2Fb", None),
        ("GET /{a}/x/{b}", "/1/x/2", Some(&["1", "2"])),
        ("GET /", "/", Some(&[])),
        ("GET /", "//", None),
        ("*", "/", Some(&[""])),
        ("*", "/a//b/", Some(&["a//b/"])),
        ("GET /a/*", "/a/b/c", Some(&["b/c"])),
        ("GET /a/*", "/a/", Some(&[""])),
        ("GET /a/*", "/a", None),
        ("GET /a/*", "/ab", None),
        ("GET /{a}/*", "/x/y", Some(&["x", "y"])),
    ];
    for (text, path, want) in cases {
        assert_eq!(template(text).match_path(path).as_deref(), want, "{text} {path}");
    }
}

#[test]
fn values_go_by_position() {
    let cases: [(&str, &[&str], &str); 5] = [
        ("GET /sales/{sale_id}", &["7"], "/sales/7"),
        ("GET /{a}/x/{b}", &["a%2Fb", "2"], "/a%2Fb/x/2"),
        ("GET /b/*", &["c/d"], "/b/c/d"),
        ("GET /", &[], "/"),
        ("GET /a/", &[], "/a/"),
    ];
    for (text, params, want) in cases {
        assert_eq!(template(text).expand(params), want);
    }
    assert_eq!(template("GET /{a}/{b}/*").params().collect::<Vec<_>>(), ["a", "b", "*"]);
}

/// How two templates stand to each other, read from the first to the second.
fn relation(a: &Template, b: &Template) -> &'static str {
    match (a.covers(b), b.covers(a), a.ambiguous_with(b)) {
        (true, true, false) => "same",
        (true, false, false) => "covers",
        (false, true, false) => "covered",
        (false, false, true) => "ambiguous",
        (false, false, false) => "apart",
        _ => "contradictory",
    }
}

#[test]
fn templates_stand_to_each_other() {
    let cases = [
        ("GET /a/{x}", "GET /a/{y}", "same", false),
        ("GET /a/b", "GET /a/{x}", "covered", true),
        ("GET /a/{x}", "GET /a/*", "covered", true),
        ("GET /a/{x}/c", "GET /a/*", "covered", true),
        ("GET /a/*", "*", "covered", true),
        ("GET /", "*", "covered", true),
        ("GET /a", "* /a", "covered", true),
        ("GET /a/{x}", "GET /{y}/b", "ambiguous", false),
        ("GET /a/{x}", "* /{y}/b", "ambiguous", false),
        ("GET /a/{x}/*", "GET /{y}/b/*", "ambiguous", false),
        ("GET /{x}/b", "GET /a/*", "ambiguous", false),
        ("GET /a/{x}", "POST /{y}/b", "apart", false),
        ("GET /a", "GET /a/*", "apart", false),
        ("GET /a/", "GET /a/{x}", "apart", false),
        ("GET /a/", "GET /a/*", "covered", true),
        ("GET /a", "GET /b", "apart", false),
        // Neither covers the other, and still there is no doubt: the path decides before the method does.
        ("* /a/b", "GET /a/{x}", "apart", true),
    ];
    for (a, b, want, more_specific) in cases {
        let (a, b) = (template(a), template(b));
        let back = match want {
            "covered" => "covers",
            other => other,
        };
        assert_eq!((relation(&a, &b), relation(&b, &a)), (want, back), "{a} | {b}");
        assert_eq!((a.more_specific(&b), b.more_specific(&a)), (more_specific, false), "{a} | {b}");
        assert_eq!(a.same_shape(&b), want == "same", "{a} | {b}");
    }
}

#[test]
fn finds_the_most_specific_template() {
    let templates = [
        "*",
        "GET /users",
        "GET /users/{id}",
        "DELETE /users/{user}",
        "GET /users/me",
        "* /users/{x}/rooms",
        "HEAD /users/{id}/rooms",
        "GET /users/{id}/rooms/{room}",
        "GET /users/me/*",
        "GET /files/{name}",
        "GET /files/*",
        "POST /",
    ];
    let mut router = Router::new();
    for text in templates {
        assert_eq!(router.insert(&template(text), text), None);
    }
    let cases: [(&str, &str, &[&str]); 16] = [
        ("GET /users", "GET /users", &[]),
        ("GET /u%73ers/42", "GET /users/{id}", &["42"]),
        ("GET /users/me", "GET /users/me", &[]),
        ("HEAD /users/me", "GET /users/me", &[]),
        ("DELETE /users/me", "DELETE /users/{user}", &["me"]),
        ("PUT /users/me", "*", &["users/me"]),
        ("GET /users/7/rooms", "* /users/{x}/rooms", &["7"]),
        ("HEAD /users/7/rooms", "HEAD /users/{id}/rooms", &["7"]),
        ("GET /users/7/rooms/a%2Fb", "GET /users/{id}/rooms/{room}", &["7", "a%2Fb"]),
        ("GET /users/me/rooms/1", "GET /users/me/*", &["rooms/1"]),
        ("GET /users/7/desks", "*", &["users/7/desks"]),
        ("GET /users/", "*", &["users/"]),
        ("GET /files/a", "GET /files/{name}", &["a"]),
        ("GET /files/a/b", "GET /files/*", &["a/b"]),
        ("POST /", "POST /", &[]),
        ("GET /", "*", &[""]),
    ];
    for (call, want, params) in cases {
        let (method, path) = call.split_once(' ').unwrap();
        let found = router.find(&method.parse().unwrap(), path).unwrap();
        assert_eq!((*found.value, found.params.as_slice()), (want, params), "{call}");
    }
    assert_eq!(router.find(&Method::OPTIONS, "*"), None);
    assert_eq!(router.insert(&template("GET /users/{other}"), "new"), Some("GET /users/{id}"));
}

/// Of any two templates without a doubt between them, the router finds the more specific one for every path of both.
#[test]
fn the_router_and_the_relations_agree() {
    let texts = [
        "GET /a",
        "GET /{x}",
        "* /a",
        "GET /a/b",
        "GET /a/{x}",
        "GET /{x}/b",
        "GET /*",
        "GET /a/*",
        "* /{x}/*",
        "GET /",
        "*",
    ];
    let paths = ["/", "/a", "/b", "/a/b", "/a/c", "/c/b", "/a/b/c", "/a/", "//b"];
    for (a, b) in texts.iter().flat_map(|a| texts.iter().map(move |b| (template(a), template(b)))) {
        if a.same_shape(&b) || a.ambiguous_with(&b) {
            continue;
        }
        let mut router = Router::new();
        router.insert(&a, &a);
        router.insert(&b, &b);
        for path in paths {
            let want = match (a.match_path(path), b.match_path(path)) {
                (Some(_), Some(_)) => Some(if a.more_specific(&b) { &a } else { &b }),
                (Some(_), None) => Some(&a),
                (None, found) => found.map(|_| &b),
            };
            assert_eq!(router.find(&Method::GET, path).map(|found| *found.value), want, "{a} | {b}: {path}");
        }
    }
}
