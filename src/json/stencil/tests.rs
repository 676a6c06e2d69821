//! Outlines by themselves.

use super::*;

/// The outline of an object all of whose values were copied.
fn outline(text: &str) -> Stencil {
    Stencil::of(text.as_bytes(), 0, text.len(), &|_| Read::Either).expect("an outline").0
}

/// Lays it on a text, with and without a window after that.
fn lay(stencil: &Stencil, text: &str, room: usize) -> Option<usize> {
    let [end, windowed] = [text.to_owned(), format!("{text:<0$}", text.len() + 2 * WINDOW)]
        .map(|text| stencil.lay(text.as_bytes(), 0, room, &mut Laid::default(), |_, _| {}));
    assert_eq!(end, windowed, "{text}");
    end
}

#[test]
fn an_outline_fits_what_has_its_names_in_its_order() {
    let stencil = outline(r#"{"id":1,"text":"a","tags":[],"room":{"name":"b"}}"#);
    for text in [
        r#"{"id":1,"text":"a","tags":[],"room":{"name":"b"}}"#,
        r#"{"id":-1.5e9,"text":null,"tags":[{"a":[1]},2],"room":{"name":false}}"#,
        r#"{"id":{"a":1},"text":"long enough for more than one word, with an \u00e9scape","tags":"","room":{"name":0}}"#,
        r#"{"id":12345678901234567890123,"text":"","tags":{},"room":{"name":[]}} and more"#,
    ] {
        let end = text.find(" and").unwrap_or(text.len());
        assert_eq!(lay(&stencil, text, 9), Some(end), "{text}");
    }
}

#[test]
fn an_outline_fits_nothing_else() {
    let stencil = outline(r#"{"id":1,"text":"a","room":{"name":"b"}}"#);
    for text in [
        r#"{"id":1,"text":"a","room":{"name":"b"}"#,
        r#"{"id":1,"text":"a"}"#,
        r#"{"text":"a","id":1,"room":{"name":"b"}}"#,
        r#"{"id": 1,"text":"a","room":{"name":"b"}}"#,
        r#"{"id":01,"text":"a","room":{"name":"b"}}"#,
        r#"{"id":1.,"text":"a","room":{"name":"b"}}"#,
        r#"{"id":1,"text":"a,"room":{"name":"b"}}"#,
        r#"{"id":1,"text":"\x","room":{"name":"b"}}"#,
        "{\"id\":1,\"text\":\"a\nb\",\"room\":{\"name\":\"b\"}}",
        r#"{"id":tru,"text":"a","room":{"name":"b"}}"#,
        r#"{"id":[1,],"text":"a","room":{"name":"b"}}"#,
        r#"{"id":1,"text":"a","room":{"name":"b"}]"#,
        "",
    ] {
        assert_eq!(lay(&stencil, text, 9), None, "{text}");
    }
}

#[test]
fn an_outline_fits_whatever_the_lengths_of_names_and_values() {
    for len in 0..=2 * WINDOW {
        let (name, long) = ("n".repeat(len % 50), "x".repeat(len));
        let stencil = outline(&format!(r#"{{"{name}":1,"b":2,"c":3}}"#));
        let digits = format!("1{}", "7".repeat(len % 30));
        let list = format!("[{}{digits}]", format!("\"{}\",", "y".repeat(len % 9)).repeat(len % 12));
        let text = format!("\"{long}\"");
        for value in [&text, &digits, &list, "0", "-17", "-1.5e3", "0.5", "true", "false", "null", "[]", "{}"] {
            let object = format!(r#"{{"{name}":{value},"b":{value},"c":{value}}}"#);
            assert_eq!(lay(&stencil, &object, 9), Some(object.len()), "{object}");
            let wrong = object.replacen(r#","b""#, r#" "b""#, 1);
            assert_eq!(lay(&stencil, &wrong, 9), None, "{wrong}");
        }
        for value in [format!("\"{long}\\n\""), format!("\"{long}\\\\\""), format!("\"{long}\\\"\"")] {
            let object = format!(r#"{{"{name}":{value},"b":{value},"c":{value}}}"#);
            assert_eq!(lay(&stencil, &object, 9), Some(object.len()), "{object}");
        }
        for value in [format!("\"{long}"), format!("\"{long}\n\""), format!("\"{long}\\x\""), format!("0{digits}")] {
            let object = format!(r#"{{"{name}":{value},"b":{value},"c":{value}}}"#);
            assert_eq!(lay(&stencil, &object, 9), None, "{object}");
        }
    }
}

#[test]
fn an_outline_nests_no_deeper_than_there_is_room() {
    let stencil = outline(r#"{"a":{"b":1},"c":2}"#);
    let text = r#"{"a":{"b":1},"c":[[3]]}"#;
    assert_eq!((lay(&stencil, text, 3), lay(&stencil, text, 2)), (Some(text.len()), None));
    assert_eq!(lay(&stencil, r#"{"a":{"b":1},"c":2}"#, 1), None);
}

#[test]
fn what_was_looked_into_is_part_of_the_outline() {
    let text = r#"{"a":{"b":1},"c":null,"d":[]}"#;
    let inside = |_| Read::Inside;
    let (stencil, gaps) =
        Stencil::of(text.as_bytes(), 0, text.len(), &|at| if at == 10 { Read::Either } else { inside(at) })
            .expect("an outline");
    assert_eq!((gaps.len(), &gaps[0]), (1, &(10..11)));
    assert_eq!(lay(&stencil, r#"{"a":{"b":22},"c":null,"d":[]}"#, 3), Some(30));
    for text in [r#"{"a":{"b":1},"c":{},"d":[]}"#, r#"{"a":{"b":1},"c":null,"d":[1]}"#, r#"{"a":1,"c":null,"d":[]}"#] {
        assert_eq!(lay(&stencil, text, 3), None, "{text}");
    }
    let number = r#"{"a":1}"#;
    assert!(Stencil::of(number.as_bytes(), 0, number.len(), &inside).is_none(), "an object might stand there");
}

/// Lays an outline on a text that comes in these parts: where it ends, and the ends of its values.
fn lay_parts(stencil: &Stencil, parts: &[&str]) -> Option<(usize, Vec<usize>)> {
    let mut laid = Laid::default();
    let mut end = stencil.lay(parts[0].as_bytes(), 0, 9, &mut laid, |_, _| {});
    let mut before = parts[0].len();
    for part in &parts[1..] {
        if end.is_some() || laid.cut.is_none() {
            break;
        }
        end = stencil.resume(part.as_bytes(), before, 9, &mut laid).map(|end| before + end);
        before += part.len();
    }
    Some((end?, (0..=stencil.gaps.len() + 1).map(|entry| laid.ends.0[entry]).collect()))
}

#[test]
fn an_outline_fits_alike_however_a_text_is_cut() {
    let stencil = outline(r#"{"id":1,"a name that is longer than a word":"a","tags":[],"room":{"name":"b"}}"#);
    for (text, fits) in [
        (
            r#"{"id":-12.5e+3,"a name that is longer than a word":"x\u00e9\"y","tags":[{"a":[1]},2],"room":{"name":true}}"#,
            true,
        ),
        (r#"{"id":{"a":[{"b":1}]},"a name that is longer than a word":"","tags":null,"room":{"name":0}}"#, true),
        (r#"{"id":1,"a name that is longer than a word":"x","tags":[],"room":{"name":01}}"#, false),
        (r#"{"id":1,"a name that is longer than b word":"x","tags":[],"room":{"name":1}}"#, false),
        (r#"{"id":1,"a name that is longer than a word":"x","tags":[,],"room":{"name":1}}"#, false),
        (r#"{"id":1,"a name that is longer than a word":"x","tags":[],"room":{"name":1}]"#, false),
    ] {
        let whole = lay_parts(&stencil, &[text]);
        assert_eq!(whole.is_some(), fits, "{text}");
        for first in 1..text.len() {
            for second in first..text.len() {
                let parts = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(lay_parts(&stencil, &parts), whole, "{parts:?}");
            }
        }
    }
}
