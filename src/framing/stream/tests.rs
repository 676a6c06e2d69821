use super::{Framing, Message, Splitter, TooLong};

/// The messages of a stream that comes in chunks of a size, and what was left at its end.
fn split(framing: Framing, stream: &[u8], chunk: usize) -> (Vec<Message>, Option<Message>) {
    let mut splitter = Splitter::new(framing, 1000);
    let mut messages = Vec::new();
    for chunk in stream.chunks(chunk) {
        splitter.push(chunk);
        while let Some(message) = splitter.next_message().unwrap() {
            messages.push(message);
        }
    }
    (messages, splitter.last_message())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn documents(messages: &[Message]) -> Vec<Option<String>> {
    messages.iter().map(|message| message.document().map(|document| text(&document))).collect()
}

/// Checks the documents of a stream, and that nothing of it is lost, in chunks of every size.
fn check(framing: Framing, stream: &str, want: &[Option<&str>], left: Option<&str>) {
    for chunk in 1..=stream.len() {
        let (messages, last) = split(framing, stream.as_bytes(), chunk);
        let found = documents(&messages);
        assert_eq!(found.iter().map(Option::as_deref).collect::<Vec<_>>(), want, "{stream:?} by {chunk}");
        // The second half of a CRLF that ended an event belongs to what comes next.
        let rest = last.as_ref().map(|last| text(last.raw())).filter(|rest| rest != "\n");
        assert_eq!(rest.as_deref(), left, "{stream:?} by {chunk}");
        let all = messages.iter().chain(&last).map(|message| text(message.raw()));
        assert_eq!(all.collect::<String>(), stream);
    }
}

#[test]
fn events_end_at_an_empty_line_however_lines_end() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = "id: 7\ndata: {\"a\":\ndata:1}\n\n: ping\n\nretry: 10\nevent: x\ndata\n\n".replace('\n', end);
        check(Framing::Events, &stream, &[Some("{\"a\":\n1}"), None, Some("")], None);
    }
    check(Framing::Events, "data: 1\r\n\rdata: 2\n\r\n\r", &[Some("1"), Some("2"), None], None);
    check(Framing::Events, "data: 1\r\r\n\ndata: 2\r\r", &[Some("1"), None, Some("2")], None);
    check(Framing::Events, "\n\n", &[None, None], None);
}

#[test]
fn an_lf_behind_a_cr_is_waited_for_by_nobody() {
    let mut splitter = Splitter::new(Framing::Events, 100);
    splitter.push(b"data: 1\r\r");
    assert_eq!(splitter.next_message().unwrap().unwrap().raw(), &b"data: 1\r\r"[..]);
    splitter.push(b"\ndata: 2\r\n\r");
    assert_eq!(splitter.next_message().unwrap().unwrap().raw(), &b"\ndata: 2\r\n\r"[..]);
    splitter.push(b"\n");
    assert_eq!(splitter.next_message(), Ok(None));
    assert_eq!(splitter.last_message().unwrap().document(), None);
}

#[test]
fn a_byte_order_mark_may_stand_before_the_first_line_only() {
    check(Framing::Events, "\u{feff}data: 1\n\n\u{feff}data: 2\n\n", &[Some("1"), None], None);
    check(Framing::Events, "\u{feff}\ndata: 1\n\n", &[None, Some("1")], None);
}

#[test]
fn only_data_is_data() {
    let stream = "data: x\ndatax: 1\n data: 2\nDATA: 3\n:data: 4\ndata:  5\n\n";
    check(Framing::Events, stream, &[Some("x\n 5")], None);
}

#[test]
fn what_is_not_ended_is_left() {
    check(Framing::Events, "data: 1\n\ndata: 2\n", &[Some("1")], Some("data: 2\n"));
    check(Framing::Lines, "{}\n{\"a\":1}", &[Some("{}")], Some("{\"a\":1}"));
}

#[test]
fn lines_are_documents() {
    check(
        Framing::Lines,
        "{\"a\":1}\n\r\n \n[2]\r\n\n3\n",
        &[Some("{\"a\":1}"), None, None, Some("[2]"), None, Some("3")],
        None,
    );
}

/// The first message of a stream with another document.
fn rewritten(framing: Framing, stream: &str, document: &str) -> String {
    let (messages, last) = split(framing, stream.as_bytes(), stream.len());
    let mut out = Vec::new();
    messages.iter().chain(&last).next().unwrap().write_with(document.as_bytes(), &mut out);
    text(&out)
}

#[test]
fn the_rest_of_an_event_stays_as_it_is() {
    let cases = [
        ("data: 1\n\n", "2", "data: 2\n\n"),
        ("data:1\n\n", "2", "data:2\n\n"),
        ("data\n\n", "2", "data: 2\n\n"),
        ("id:a\r\ndata: 1\r\nevent: x\r\ndata: 2\r\n:c\r\n\r\n", "3", "id:a\r\ndata: 3\r\nevent: x\r\n:c\r\n\r\n"),
        ("data: 1\r\r", "{\n\"a\":\r\n2\r}", "data: {\rdata: \"a\":\rdata: 2\rdata: }\r\r"),
        ("\u{feff}data: 1\n\n", "2", "\u{feff}data: 2\n\n"),
        ("id: 1\ndata: 1", "2\n3", "id: 1\ndata: 2\ndata: 3"),
        ("data: 1\n\n", "", "data: \n\n"),
    ];
    for (stream, document, want) in cases {
        assert_eq!(rewritten(Framing::Events, stream, document), want, "{stream:?}");
    }
}

#[test]
fn an_event_that_is_dropped_still_says_where_the_stream_is() {
    let cases = [
        ("id: 7\nevent: x\ndata: 1\n: c\nretry: 5\n\n", "id: 7\n: c\nretry: 5\n\n"),
        ("event: x\ndata: 1\ndata: 2\n\n", ""),
        ("\u{feff}data: 1\n\n", ""),
        ("id\ndata: 1", "id\n"),
    ];
    for (stream, want) in cases {
        let (messages, last) = split(Framing::Events, stream.as_bytes(), stream.len());
        let mut out = Vec::new();
        messages.iter().chain(&last).next().unwrap().write_dropped(&mut out);
        assert_eq!(text(&out), want, "{stream:?}");
    }
}

#[test]
fn a_line_keeps_its_end() {
    for (stream, want) in [("1\n", "22\n"), ("1\r\n", "22\r\n"), ("1", "22"), ("1\r", "22\r")] {
        assert_eq!(rewritten(Framing::Lines, stream, "22"), want, "{stream:?}");
    }
}

#[test]
fn a_message_is_bounded() {
    for (framing, end) in [(Framing::Events, "\n\n"), (Framing::Lines, "\n")] {
        let mut splitter = Splitter::new(framing, 20);
        splitter.push(format!("{}{end}", "x".repeat(20 - end.len())).as_bytes());
        assert!(splitter.next_message().unwrap().is_some());
        splitter.push(&[b'x'; 20]);
        assert_eq!(splitter.next_message(), Ok(None));
        splitter.push(b"x");
        assert_eq!(splitter.next_message(), Err(TooLong(20)));
        let mut splitter = Splitter::new(framing, 20);
        splitter.push(format!("{}{end}", "x".repeat(20)).as_bytes());
        assert_eq!(splitter.next_message(), Err(TooLong(20)));
    }
}

#[test]
fn random_streams_are_split_the_same_way_in_every_chunking() {
    let mut seed = 3_u64;
    let pieces = ["data: {}", "data:", "\n", "\r", "\r\n", "id: 1", ": c", "\u{feff}", "x", "data"];
    for _ in 0..400 {
        let stream: String = (0..12)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                pieces[(seed >> 40) as usize % pieces.len()]
            })
            .collect();
        for framing in [Framing::Events, Framing::Lines] {
            let whole = split(framing, stream.as_bytes(), stream.len());
            for chunk in 1..stream.len() {
                let parts = split(framing, stream.as_bytes(), chunk);
                let data = |(messages, last): &(Vec<Message>, Option<Message>)| {
                    let all = messages.iter().chain(last).filter_map(Message::document);
                    all.map(|document| text(&document)).collect::<Vec<_>>()
                };
                assert_eq!(data(&whole), data(&parts), "{stream:?} by {chunk}");
            }
        }
    }
}
