//! Content codings of bodies that rules change, over real sockets.

use std::io::{Read as _, Write as _};

use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::GzEncoder;
use legato_proxy::config::Config;

use crate::support::backend::Backend;
use crate::support::coding::{decode, encode};
use crate::support::proxy::TestProxy;
use crate::support::wire::{Message, Wire};

/// A backend that answers every request with these bytes.
async fn answering(head: &str, body: &[u8]) -> Backend {
    let head = format!("HTTP/1.1 {head}content-length: {}\r\n\r\n", body.len());
    let response = [head.as_bytes(), body].concat();
    Backend::scripted(move |mut wire| {
        let response = response.clone();
        async move {
            while wire.try_message().await.is_some() {
                if wire.try_send(&response).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

/// What a client of version 2 gets from a backend that answers this.
async fn ask(head: &str, body: &[u8], request: &str, adjust: impl FnOnce(&mut Config)) -> Message {
    let backend = answering(head, body).await;
    let proxy = TestProxy::start(&[backend.address], adjust).await;
    proxy.client().await.ask(request).await
}

fn get(accepted: &str) -> String {
    let accepted = if accepted.is_empty() { String::new() } else { format!("accept-encoding: {accepted}\r\n") };
    format!("GET /m HTTP/1.1\r\nhost: h\r\napi-version: 2\r\n{accepted}\r\n")
}

fn head(codings: &str) -> String {
    format!("200 OK\r\ncontent-type: application/json\r\ncontent-encoding: {codings}\r\n")
}

const OLD: &[u8] = br#"{"text": "a", "n":1.0}"#;
const NEW: &[u8] = br#"{"body": "a", "n":1.0}"#;

#[tokio::test]
async fn a_coded_response_is_translated_and_coded_as_the_client_likes() {
    let cases = [
        ("gzip", "gzip", "gzip"),
        ("gzip", "gzip, deflate, br, zstd", "gzip"),
        ("deflate", "gzip, deflate, br, zstd", "deflate"),
        ("br", "gzip, deflate, br, zstd", "br"),
        ("zstd", "gzip, deflate, br, zstd", "zstd"),
        ("x-gzip", "gzip", "gzip"),
        ("GZIP", "gzip", "gzip"),
        ("gzip", "br;q=1.0, gzip;q=0.5", "br"),
        ("gzip", "deflate", "deflate"),
        ("br", "*", "br"),
        ("gzip", "identity", ""),
        ("gzip", "gzip;q=0", ""),
        ("gzip", "", ""),
        ("gzip, br", "br", "br"),
        ("zstd, deflate, gzip", "zstd;q=0.5, identity;q=0.1", "zstd"),
        ("identity", "gzip", "identity"),
    ];
    for (sent, accepted, got) in cases {
        let coded = encode(&sent.to_ascii_lowercase(), OLD);
        let answer = ask(&format!("{}etag: \"a\"\r\n", head(sent)), &coded, &get(accepted), |_| {}).await;
        assert_eq!(answer.status(), 200, "{sent} for {accepted}: {answer:?}");
        assert_eq!(answer.header("content-encoding").unwrap_or_default(), got, "{sent} for {accepted}");
        assert_eq!(decode(got, &answer.body), NEW, "{sent} for {accepted}");
        assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
        let varies = answer.headers.iter().any(|(name, value)| name == "vary" && value == "accept-encoding");
        assert_eq!(varies, sent != "identity");
        // Bytes of another coding than the backend's have no strong validator.
        let is_same = sent.to_ascii_lowercase().replace("x-", "") == got;
        assert_eq!(answer.header("etag").unwrap().starts_with("W/"), !is_same, "{sent} for {accepted}");
    }
}

#[tokio::test]
async fn deflate_without_zlib_and_gzip_of_several_members_are_read() {
    let members = [encode("gzip", &OLD[..7]), encode("gzip", &OLD[7..])].concat();
    for (sent, coded) in [("deflate", encode("raw", OLD)), ("gzip", members)] {
        let answer = ask(&head(sent), &coded, &get("gzip, deflate"), |_| {}).await;
        assert_eq!((answer.status(), decode(sent, &answer.body).as_slice()), (200, NEW), "{sent}");
    }
}

#[tokio::test]
async fn a_coded_request_is_translated_and_coded_as_it_came() {
    for coding in ["gzip", "deflate", "br", "zstd", "gzip, br"] {
        let (backend, recorded) = Backend::recording().await;
        let proxy = TestProxy::before(backend.address).await;
        let coded = encode(coding, NEW);
        let head = format!(
            "POST /m HTTP/1.1\r\nhost: h\r\napi-version: 2\r\ncontent-type: application/json\r\ncontent-encoding: \
             {coding}\r\ncontent-digest: sha-256=:x:\r\ncontent-length: {}\r\n\r\n",
            coded.len()
        );
        let mut client = proxy.client().await;
        client.send([head.as_bytes(), &coded].concat()).await;
        assert_eq!(client.message().await.status(), 200);
        let seen = recorded.only();
        let names: Vec<&str> = coding.rsplit(", ").collect();
        assert_eq!(
            (seen.header("content-encoding"), decode(&names.join(", "), &seen.body).as_slice()),
            (Some(coding), OLD)
        );
        assert_eq!(seen.header("content-length"), Some(seen.body.len().to_string().as_str()));
        assert_eq!(seen.header("content-digest"), None);
    }
}

#[tokio::test]
async fn the_backend_is_asked_for_codings_that_are_known() {
    let cases = [
        ("/m", "gzip;q=0.5, compress, br", "gzip;q=0.5, br"),
        ("/m", "*", "zstd, br, gzip, deflate"),
        ("/m", "compress", "identity"),
        ("/other", "gzip;q=0.5, compress, br", "gzip;q=0.5, compress, br"),
    ];
    for (path, accepted, want) in cases {
        let (backend, recorded) = Backend::recording().await;
        let proxy = TestProxy::before(backend.address).await;
        proxy.client().await.ask(&get(accepted).replace("/m", path)).await;
        assert_eq!(recorded.only().header("accept-encoding"), Some(want), "{path} {accepted}");
    }
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::before(backend.address).await;
    proxy.client().await.ask(&get("")).await;
    assert_eq!(recorded.only().header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn what_cannot_be_decoded_is_refused() {
    let coded = encode("gzip", OLD);
    let cases = [
        ("compress", OLD.to_vec(), "unknown_coding"),
        ("gzip, dcb", coded.clone(), "unknown_coding"),
        ("gzip, gzip, gzip, gzip, gzip", encode("gzip, gzip, gzip, gzip, gzip", OLD), "unknown_coding"),
        ("gzip", OLD.to_vec(), "malformed_coding"),
        ("gzip", [&coded[..], b"behind"].concat(), "malformed_coding"),
        ("gzip", coded[..coded.len() - 1].to_vec(), "incomplete"),
        ("br", encode("br", OLD)[..5].to_vec(), "incomplete"),
    ];
    for (codings, body, code) in cases {
        let got = ask(&head(codings), &body, &get("gzip"), |_| {}).await;
        assert_eq!((got.status(), got.problem().as_str()), (502, code), "{codings}");

        let backend = Backend::nobody().await;
        let proxy = TestProxy::before(backend).await;
        let request = format!(
            "POST /m HTTP/1.1\r\nhost: h\r\napi-version: 2\r\ncontent-type: application/json\r\ncontent-encoding: \
             {codings}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut client = proxy.client().await;
        client.send([request.as_bytes(), &body].concat()).await;
        let got = client.message().await;
        let status = if code == "unknown_coding" { 415 } else { 400 };
        assert_eq!((got.status(), got.problem().as_str()), (status, code), "{codings}");
        let told = got.header("accept-encoding").is_some();
        assert_eq!(told, status == 415, "{codings}");
    }
}

#[tokio::test]
async fn the_answer_to_a_write_passes_as_it_came_where_it_cannot_be_decoded() {
    let post = "POST /m HTTP/1.1\r\nhost: h\r\napi-version: 2\r\ncontent-length: 0\r\naccept-encoding: br\r\n\r\n";
    let coded = encode("gzip", OLD);
    let cases = [
        ("compress", b"whatever".to_vec()),
        ("gzip", b"not gzip at all".to_vec()),
        ("gzip", coded[..coded.len() - 3].to_vec()),
        ("gzip", encode("gzip", b"{\"text\":")),
    ];
    for (codings, body) in cases {
        let got = ask(&format!("{}etag: \"a\"\r\n", head(codings)), &body, post, |_| {}).await;
        assert_eq!((got.status(), &got.body), (200, &body), "{codings}");
        let of = |name| got.header(name);
        assert_eq!(of("legato-translation"), Some("partial"));
        assert_eq!((of("content-encoding"), of("etag")), (Some(codings), Some("\"a\"")));
    }
    // What is too large to be held passes as well, after it has been read.
    let body = encode("gzip", format!(r#"{{"text":"{}"}}"#, noise(300_000)).as_bytes());
    let request = post.replace("POST /m", "POST /hold");
    let got = ask(&head("gzip"), &body, &request, |config| config.apis[0].limits.buffer = 250_000).await;
    assert_eq!((got.status(), got.body == body, got.header("legato-translation")), (200, true, Some("partial")));
}

#[tokio::test]
async fn bombs_are_refused() {
    let bomb = encode("gzip", format!(r#"{{"fill":"{}"}}"#, " ".repeat(5 << 20)).as_bytes());
    let request = |path: &str| {
        let head = "HTTP/1.1\r\nhost: h\r\napi-version: 2\r\ncontent-type: application/json\r\ncontent-encoding: gzip";
        let head = format!("POST {path} {head}\r\ncontent-length: {}\r\n\r\n", bomb.len());
        [head.as_bytes(), &bomb].concat()
    };
    let limits = |total: u64, ratio: u64| {
        move |config: &mut Config| {
            (config.apis[0].limits.decompressed, config.apis[0].limits.ratio) = (total, ratio);
        }
    };
    for (total, ratio) in [(256 << 20, 200), (2 << 20, 100_000)] {
        let answer = ask(&head("gzip"), &bomb, &get(""), limits(total, ratio)).await;
        if ratio == 200 {
            assert_eq!((answer.status(), answer.problem().as_str()), (502, "too_large"));
        } else {
            assert!(!answer.is_complete, "a bomb leaves as if it were whole");
        }
        let (backend, recorded) = Backend::recording().await;
        let proxy = TestProxy::start(&[backend.address], limits(total, ratio)).await;
        let mut client = proxy.client().await;
        client.send(request("/m")).await;
        let got = client.message().await;
        assert_eq!((got.status(), got.problem().as_str()), (413, "too_large"), "{total} {ratio}");
        assert_eq!(recorded.count(), 0);
    }
    // Within the limits it is a document like others.
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::start(&[backend.address], limits(256 << 20, 10_000)).await;
    let mut client = proxy.client().await;
    client.send(request("/m")).await;
    assert_eq!(client.message().await.status(), 200);
    assert_eq!(decode("gzip", &recorded.only().body).len(), 11 + (5 << 20));
}

/// Text that no coding makes much shorter.
fn noise(length: usize) -> String {
    let mut seed = 5_u64;
    let letter = |_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[(seed >> 58) as usize])
    };
    (0..length).map(letter).collect()
}

#[tokio::test]
async fn long_coded_bodies_stream_in_both_directions() {
    let document = format!(r#"{{"fill":"{}","text":"a"}}"#, noise(1_000_000));
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let answer = ask(&head(coding), &encode(coding, document.as_bytes()), &get(coding), |_| {}).await;
        assert_eq!((answer.status(), answer.is_complete), (200, true), "{coding}");
        assert_eq!((answer.header("content-encoding"), answer.header("content-length")), (Some(coding), None));
        assert!(decode(coding, &answer.body) == document.replace("\"text\"", "\"body\"").as_bytes(), "{coding}");
    }
    let (backend, recorded) = Backend::recording().await;
    let proxy = TestProxy::before(backend.address).await;
    let coded = encode("gzip", document.replace("\"text\"", "\"body\"").as_bytes());
    let head =
        "POST /m HTTP/1.1\r\nhost: h\r\napi-version: 2\r\ncontent-type: application/json\r\ncontent-encoding: gzip";
    let mut client = proxy.client().await;
    client.send(format!("{head}\r\ncontent-length: {}\r\n\r\n", coded.len())).await;
    client.send(&coded).await;
    assert_eq!(client.message().await.status(), 200);
    assert!(decode("gzip", &recorded.only().body) == document.as_bytes());
}

#[tokio::test]
async fn a_long_coded_body_that_is_cut_off_is_never_whole() {
    let document = format!(r#"{{"fill":"{}","text":"a"}}"#, noise(300_000));
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let coded = encode(coding, document.as_bytes());
        let answer = ask(&head(coding), &coded[..coded.len() - 2], &get(coding), |_| {}).await;
        assert_eq!((answer.status(), answer.is_complete), (200, false), "{coding}");
    }
}

#[tokio::test]
async fn answers_without_a_body_say_how_it_would_be_coded() {
    let backend = Backend::scripted(|mut wire| async move {
        while let Some(request) = wire.try_message().await {
            let status = if request.header("if-none-match").is_some() { "304 Not Modified" } else { "200 OK" };
            let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n");
            wire.send(head + "content-length: 99\r\netag: \"a\"\r\n\r\n").await;
        }
    })
    .await;
    let proxy = TestProxy::before(backend.address).await;
    let mut client: Wire = proxy.client().await;
    let answer = client.ask(&get("gzip").replace("GET", "HEAD")).await;
    let of = |name| answer.header(name);
    assert_eq!(
        (of("content-encoding"), of("content-length"), of("vary")),
        (Some("gzip"), None, Some("accept-encoding"))
    );
    let tag = of("etag").unwrap().to_owned();
    let plain = client.ask(&get("").replace("GET", "HEAD")).await;
    assert_eq!(plain.header("content-encoding"), None);
    let again = get("gzip").replace("host: h", &format!("host: h\r\nif-none-match: {tag}"));
    let answer = client.ask(&again).await;
    assert_eq!((answer.status(), answer.header("etag")), (304, Some(tag.as_str())));
}

#[tokio::test]
async fn a_call_without_a_body_rule_keeps_its_bytes() {
    let coded = [encode("gzip", OLD), b"trailing".to_vec()].concat();
    let answer = ask(&head("gzip, nonsense"), &coded, &get("br").replace("/m", "/other"), |_| {}).await;
    assert_eq!((answer.status(), answer.body), (200, coded));
    assert_eq!(answer.headers.iter().find(|(name, _)| name == "content-encoding").unwrap().1, "gzip, nonsense");
}

#[tokio::test]
async fn each_event_leaves_its_coding_as_it_comes() {
    for coding in ["gzip", "br", "zstd", "deflate"] {
        let (go, gone) = tokio::sync::watch::channel(0);
        let backend = Backend::scripted(move |mut wire| {
            let mut gone = gone.clone();
            async move {
                wire.try_message().await;
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n";
                wire.send(format!("{head}content-encoding: gzip\r\n\r\n")).await;
                let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
                for i in 1..=3 {
                    gone.wait_for(|allowed| *allowed >= i).await.unwrap();
                    encoder.write_all(format!("data: {{\"text\":{i}}}\n\n").as_bytes()).unwrap();
                    encoder.flush().unwrap();
                    let bytes = std::mem::take(encoder.get_mut());
                    wire.send([format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat()).await;
                }
                let bytes = encoder.finish().unwrap();
                wire.send([format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n0\r\n\r\n"].concat()).await;
            }
        })
        .await;
        let proxy = TestProxy::before(backend.address).await;
        let mut client = proxy.client().await;
        client.send(get(coding)).await;
        let head = client.head().await.unwrap();
        assert_eq!(head.header("content-encoding"), Some(coding));
        let mut coded = Vec::new();
        for i in 1..=3 {
            go.send(i).unwrap();
            let want = format!("data: {{\"body\":{i}}}\n\n");
            while !readable(coding, &coded).ends_with(&want) {
                coded.extend(client.chunk().await.unwrap());
            }
        }
    }
}

/// What can be read of a coded text that has not ended.
fn readable(coding: &str, coded: &[u8]) -> String {
    let mut out = Vec::new();
    let mut reader: Box<dyn std::io::Read> = match coding {
        "gzip" => Box::new(GzDecoder::new(coded)),
        "deflate" => Box::new(ZlibDecoder::new(coded)),
        "br" => Box::new(brotli::Decompressor::new(coded, 4096)),
        _ => Box::new(zstd::Decoder::new(coded).unwrap()),
    };
    let mut piece = [0; 64];
    while let Ok(read @ 1..) = reader.read(&mut piece) {
        out.extend_from_slice(&piece[..read]);
    }
    String::from_utf8(out).unwrap()
}
