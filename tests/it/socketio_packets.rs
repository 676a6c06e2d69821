//! Socket.IO's packets: against what real peers sent, and back again.

use bytes::Bytes;
use legato_proxy::framing::engineio::{Frame, Packet as Carried};
use legato_proxy::framing::socketio::{self, Decoder, Kind, Limits, Packet};
use legato_proxy::framing::{Code, Generation};

use crate::engineio::{recorded, trace};
use crate::support::random::Random;

const LIMITS: Limits = Limits { bytes: 1 << 16, attachments: 10, depth: 32 };

/// Puts one packet together from its text and attachments.
fn packet(generation: Generation, text: &str, attachments: &[&'static [u8]]) -> Result<Option<Packet>, Code> {
    let mut decoder = Decoder::new(generation, LIMITS);
    let mut done = decoder.text(&Bytes::copy_from_slice(text.as_bytes())).map_err(|error| error.code)?;
    for attachment in attachments {
        assert_eq!(done, None, "{text}: complete too early");
        done = decoder.binary(Bytes::from_static(attachment)).map_err(|error| error.code)?;
    }
    Ok(done)
}

#[test]
fn recorded_packets_are_read_and_written_as_they_were() {
    let mut packets = 0;
    for (name, generation) in [("c2-s2-websocket.txt", Generation::Eio3), ("c4-s4-websocket.txt", Generation::Eio4)] {
        for direction in ["C>S", "S>C"] {
            let trace = trace(name);
            let lines: Vec<&str> = trace.lines().filter(|line| line.contains(direction)).collect();
            let (mut decoder, mut text) = (Decoder::new(generation, LIMITS), Bytes::new());
            for line in lines {
                let frames = recorded(line, " frame text ").map(|text| Frame::Text(text.into()));
                let frame = frames.chain(recorded(line, " frame binary ").map(|b| Frame::Binary(b.into()))).next();
                let Some(frame) = frame else { continue };
                let done = match Carried::from_frame(generation, frame).unwrap() {
                    Carried::Message(message) => {
                        text = message;
                        decoder.text(&text).unwrap()
                    }
                    Carried::Binary(bytes) => decoder.binary(bytes).unwrap(),
                    _ => None,
                };
                if let Some(packet) = done {
                    assert_eq!(packet.to_text(), text, "{name}");
                    packets += 1;
                }
            }
        }
    }
    assert!(packets > 80, "{packets}");
}

#[test]
fn packets_say_what_they_are() {
    use Generation::{Eio3, Eio4};
    let get = |generation, text| packet(generation, text, &[]).unwrap().unwrap();

    let root = get(Eio3, "0");
    assert_eq!((root.kind, root.namespace(), &root.query, root.id), (Kind::Connect, "/", &None, None));
    let asked = get(Eio3, "0/admin?token=a%2Cb&x=1,");
    assert_eq!((asked.namespace(), asked.query.as_deref()), ("/admin", Some(&b"token=a%2Cb&x=1"[..])));
    // Packages 1.x leave the comma out.
    assert_eq!(get(Eio3, "0/admin?token=s").query.as_deref(), Some(&b"token=s"[..]));
    assert_eq!(get(Eio3, "1/orders").to_text(), "1/orders,");
    let joined = get(Eio4, r#"0/admin,{"sid":"x"}"#);
    assert_eq!((joined.namespace(), &*joined.data), ("/admin", &br#"{"sid":"x"}"#[..]));

    let event = get(Eio4, r#"2/a?b,12["say",1, 2]"#);
    assert_eq!((event.kind, event.namespace(), event.id), (Kind::Event, "/a?b", Some(12)));
    assert_eq!(socketio::event(&event.data).as_deref(), Some("say"));
    assert_eq!(socketio::split_event(&event.data), b"[1, 2]");
    let ack = get(Eio3, "30[]");
    assert_eq!((ack.kind, ack.id, &*ack.data), (Kind::Ack, Some(0), &b"[]"[..]));
    assert_eq!(get(Eio3, "2[\"a\"]").to_text(), "2[\"a\"]");
    assert_eq!(get(Eio3, r#"4"access denied""#).data, r#""access denied""#);
}

#[test]
fn attachments_belong_to_their_packet() {
    let text = r#"52-/chat,7["f",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let whole = packet(Generation::Eio4, text, &[b"one", b""]).unwrap().unwrap();
    assert_eq!((whole.kind, whole.id, whole.attachments.len()), (Kind::Event, Some(7), 2));
    assert_eq!(whole.to_text(), text);
    let ack = packet(Generation::Eio3, r#"61-0[{"_placeholder":true,"num":0}]"#, &[b"x"]).unwrap().unwrap();
    assert_eq!((ack.kind, ack.id), (Kind::Ack, Some(0)));

    let mut decoder = Decoder::new(Generation::Eio4, LIMITS);
    assert_eq!(decoder.binary("x".into()).unwrap_err().code, Code::AttachmentUnexpected);
    assert_eq!(decoder.text(&Bytes::from_static(br#"51-["f"]"#)), Ok(None));
    assert_eq!(decoder.text(&Bytes::from_static(br#"2["f"]"#)).unwrap_err().code, Code::AttachmentMissing);
    let long = Bytes::from(vec![0; LIMITS.bytes]);
    assert_eq!(decoder.binary(long).unwrap_err().code, Code::TooLarge);
}

#[test]
fn packets_that_are_none_are_refused() {
    use Generation::{Eio3, Eio4};
    let both: [(&str, Code); 17] = [
        ("", Code::EmptyPacket),
        ("7", Code::UnknownType),
        ("x", Code::UnknownType),
        ("2", Code::BadData),
        ("2[]", Code::BadData),
        ("2{}", Code::BadData),
        ("2[{}]", Code::BadData),
        ("2[\"a\"", Code::BadJson),
        ("2[\"a\"]x", Code::BadJson),
        ("3[]", Code::BadId),
        ("31", Code::BadData),
        ("31{}", Code::BadData),
        ("299999999999999999999[\"a\"]", Code::BadId),
        ("5[\"a\"]", Code::BadAttachments),
        ("50-[\"a\"]", Code::BadAttachments),
        ("51[\"a\"]", Code::BadAttachments),
        ("511-[\"a\"]", Code::TooManyAttachments),
    ];
    for generation in [Eio3, Eio4] {
        for (text, code) in both {
            assert_eq!(packet(generation, text, &[]), Err(code), "{text}");
        }
    }
    // Protocol 5 says what each type carries, protocol 4 lets some of it pass.
    for text in ["0[]", "0\"x\"", "1{}", "4", "4[]", "41"] {
        assert_eq!(packet(Eio4, text, &[]), Err(Code::BadData), "{text}");
    }
    let deep = format!("2[\"a\",{}{}]", "[".repeat(40), "]".repeat(40));
    assert_eq!(packet(Eio4, &deep, &[]), Err(Code::BadJson));
    let long = format!("2[\"{}\"]", "a".repeat(LIMITS.bytes));
    assert_eq!(packet(Eio4, &long, &[]), Err(Code::TooLarge));
}

#[test]
fn errors_say_where() {
    let error = Decoder::new(Generation::Eio4, LIMITS).text(&Bytes::from_static(b"2/a,1[\"x\",}")).unwrap_err();
    assert_eq!((error.code, error.offset), (Code::BadJson, 10));
}

#[test]
fn an_event_is_a_name_and_a_list() {
    let cases = [
        (r#"["a"]"#, "a", "[]"),
        (r#" [ "a" , 1 , [2] ] "#, "a", "[ 1 , [2] ] "),
        (r#"["a\u0062\"",{"x":1}]"#, "ab\"", r#"[{"x":1}]"#),
        (r#"["é",null]"#, "é", "[null]"),
    ];
    for (list, name, arguments) in cases {
        assert_eq!(socketio::event(list.as_bytes()).as_deref(), Some(name));
        assert_eq!(socketio::split_event(list.as_bytes()), arguments.as_bytes());
    }
    assert_eq!(socketio::event(b"[7,1]"), None);
    assert_eq!(socketio::join_event("b\"", b"[]"), r#"["b\""]"#);
    assert_eq!(socketio::join_event("b", b" [ 1,2]"), r#"["b", 1,2]"#);
}

#[test]
fn placeholders_get_the_numbers_of_what_is_left() {
    let p = |n: usize| format!(r#"{{"_placeholder":true,"num":{n}}}"#);
    let renumber = |text: &str, count| {
        let (kept, text) = socketio::renumber(text.as_bytes(), count).map_err(|error| error.code)?;
        Ok((kept, text.map(|text| String::from_utf8(text).unwrap())))
    };
    // As they were, in any order and place, and twice.
    assert_eq!(renumber(&format!("[{},{{\"x\":[{}]}},{}]", p(1), p(0), p(1)), 2), Ok((vec![0, 1], None)));
    assert_eq!(renumber(&format!("[{},{}]", p(3), p(1)), 4), Ok((vec![1, 3], Some(format!("[{},{}]", p(1), p(0))))));
    assert_eq!(renumber("[1]", 2), Ok((vec![], Some("[1]".to_owned()))));
    assert_eq!(renumber("[]", 0), Ok((vec![], None)));
    // What only looks like one.
    let like =
        r#"["_placeholder",{"_placeholder":false,"num":9},{"num":9},{"_placeholder":true},{"a":"_placeholder"}]"#;
    assert_eq!(renumber(like, 0), Ok((vec![], None)));
    let escaped = r#"[{ "\u005fplaceholder" : true , "num" : 1 , "x":{"num":5}}]"#;
    assert_eq!(renumber(escaped, 2).unwrap().1.unwrap(), escaped.replace("\"num\" : 1", "\"num\" : 0"));
    assert_eq!(renumber(&format!("[{}]", p(2)), 2), Err(Code::BadPlaceholder));
    assert_eq!(renumber(r#"[{"_placeholder":true,"num":-1}]"#, 2), Err(Code::BadPlaceholder));
    assert_eq!(renumber(r#"[{"_placeholder":true,"num":"0"}]"#, 2), Err(Code::BadPlaceholder));
}

#[test]
fn random_packets_come_back() {
    for seed in 0..3000 {
        let mut random = Random(seed);
        let generation = *random.pick(&[Generation::Eio3, Generation::Eio4]);
        let kind = *random.pick(&[Kind::Connect, Kind::Disconnect, Kind::Event, Kind::Ack, Kind::Error]);
        let data = match kind {
            Kind::Connect => *random.pick(&["", r#"{"sid":"1"}"#]),
            Kind::Disconnect => "",
            Kind::Event => *random.pick(&[r#"["a"]"#, r#"["é🙂",1,{"b":[]}]"#, "[7]"]),
            Kind::Ack => *random.pick(&["[]", "[1,null]"]),
            Kind::Error => *random.pick(&[r#""no""#, r#"{"message":"no"}"#]),
        };
        let namespace = random.pick::<&str>(&["/", "/a", "/é?x=1"]);
        let mut sent = Packet::new(kind, namespace, data);
        if matches!(kind, Kind::Event | Kind::Ack) {
            let id = u64::try_from(random.below(1 << 40)).unwrap();
            sent.id = Some(id).filter(|_| kind == Kind::Ack || id.is_multiple_of(2));
            sent.attachments = (0..random.below(3)).map(|i| Bytes::from(vec![4; i])).collect();
        }
        if kind == Kind::Connect && sent.namespace() == "/é?x=1" {
            sent = Packet::new(kind, "/é", data);
            sent.query = Some("x=1".into());
        }
        let mut decoder = Decoder::new(generation, LIMITS);
        let mut came = decoder.text(&sent.to_text()).unwrap();
        for attachment in &sent.attachments {
            assert_eq!(came, None, "seed {seed}");
            came = decoder.binary(attachment.clone()).unwrap();
        }
        assert_eq!(came, Some(sent), "seed {seed}");
    }
}
