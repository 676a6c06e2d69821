//! A resumable tokenizer for RFC 8259 text that arrives in chunks.
//!
//! Each token function takes a buffer and a position in it and either finds the token's end or keeps its own
//! state and asks for more. A token is thus never read twice, whatever the chunks are, and an untouched one
//! need not be held. [`Skipper`] runs over a whole value that nobody looks into.

use super::blocks::plain_end;
use super::elements::{Elements, Passed};
use super::error::{Code, Error};

/// The end of a token, if the buffer holds it.
pub(super) type Found = Result<Option<usize>, Syntax>;

/// A violation of the grammar: where in the buffer, and what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Syntax {
    pub(super) at: usize,
    pub(super) expected: Expected,
}

/// What the grammar allows at the place of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Value,
    Key,
    Colon,
    CommaOrEnd,
    Digit,
    Literal,
    Escape,
    NoControlCharacter,
    Nothing,
    Utf8,
    Shallower,
}

impl Syntax {
    #[cold]
    pub(super) fn into_error(self, base: u64) -> Error {
        let (code, detail) = match self.expected {
            Expected::Value => (Code::MalformedJson, "expected a value"),
            Expected::Key => (Code::MalformedJson, "expected a member name"),
            Expected::Colon => (Code::MalformedJson, "expected a colon"),
            Expected::CommaOrEnd => (Code::MalformedJson, "expected a comma or the end of the array or object"),
            Expected::Digit => (Code::MalformedJson, "expected a digit"),
            Expected::Literal => (Code::MalformedJson, "expected `true`, `false` or `null`"),
            Expected::Escape => (Code::MalformedJson, "expected one of the escapes of RFC 8259"),
            Expected::NoControlCharacter => (Code::MalformedJson, "found an unescaped control character in a string"),
            Expected::Nothing => (Code::MalformedJson, "expected nothing after the document"),
            Expected::Utf8 => (Code::MalformedJson, "found bytes that are not UTF-8"),
            Expected::Shallower => (Code::TooDeep, "found arrays and objects nested deeper than the limit"),
        };
        Error::new(code, base + self.at as u64, detail)
    }
}

#[inline]
fn fail<T>(at: usize, expected: Expected) -> Result<T, Syntax> {
    Err(Syntax { at, expected })
}

/// The first position from `pos` that is not white space.
#[inline]
pub(super) fn skip_space(buf: &[u8], mut pos: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = buf.get(pos) {
        pos += 1;
    }
    pos
}

/// A scalar or name in the middle of which a chunk may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Token {
    /// Not inside a token.
    #[default]
    None,
    Text(Text),
    Number(Number),
    /// The bytes of `true`, `false` or `null` still to come.
    Literal(&'static [u8]),
}

/// Where in a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    Plain,
    /// After a backslash.
    Escape,
    /// Hexadecimal digits still to come of `\uXXXX`.
    Hex(u8),
}

/// Where in a number: after a minus, a leading zero, integer digits, ...
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    E,
    ESign,
    Exponent,
}

impl Number {
    /// Whether a number may end here.
    pub(super) fn complete(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::Exponent)
    }
}

impl Token {
    /// Reads a scalar, from its first byte or from where the last chunk ended.
    #[inline]
    pub(super) fn scalar(&mut self, buf: &[u8], pos: usize) -> Found {
        match *self {
            Self::None => self.start(buf, pos),
            Self::Text(state) => self.text(buf, pos, state),
            Self::Number(state) => self.number(buf, pos, state),
            Self::Literal(rest) => self.literal(buf, pos, rest),
        }
    }

    #[inline]
    fn start(&mut self, buf: &[u8], pos: usize) -> Found {
        match buf.get(pos) {
            None => Ok(None),
            Some(b'"') => self.string(buf, pos),
            Some(b'-') => self.number(buf, pos + 1, Number::Minus),
            Some(b'0') => self.number(buf, pos + 1, Number::Zero),
            Some(b'1'..=b'9') => self.integer(buf, pos + 1),
            Some(b't') => self.literal(buf, pos + 1, b"rue"),
            Some(b'f') => self.literal(buf, pos + 1, b"alse"),
            Some(b'n') => self.literal(buf, pos + 1, b"ull"),
            Some(_) => fail(pos, Expected::Value),
        }
    }

    /// Reads a member name, which must be a string.
    #[inline]
    pub(super) fn name(&mut self, buf: &[u8], pos: usize) -> Found {
        match *self {
            Self::None => match buf.get(pos) {
                None => Ok(None),
                Some(b'"') => self.string(buf, pos),
                Some(_) => fail(pos, Expected::Key),
            },
            Self::Text(state) => self.text(buf, pos, state),
            Self::Number(_) | Self::Literal(_) => fail(pos, Expected::Key),
        }
    }

    /// A string from its first quote. Most have no escape and end in the buffer.
    #[inline]
    fn string(&mut self, buf: &[u8], pos: usize) -> Found {
        let end = plain_end(buf, pos + 1);
        if buf.get(end) == Some(&b'"') {
            return Ok(Some(end + 1));
        }
        self.text(buf, end, Text::Plain)
    }

    /// A number after its first digit. Most are integers that end in the buffer.
    #[inline]
    fn integer(&mut self, buf: &[u8], mut pos: usize) -> Found {
        while let Some(b'0'..=b'9') = buf.get(pos) {
            pos += 1;
        }
        match buf.get(pos) {
            Some(b',' | b'}' | b']') => Ok(Some(pos)),
            _ => self.number(buf, pos, Number::Integer),
        }
    }

    #[inline(never)]
    fn text(&mut self, buf: &[u8], mut pos: usize, mut state: Text) -> Found {
        loop {
            match state {
                Text::Plain => {
                    pos = plain_end(buf, pos);
                    match buf.get(pos) {
                        None => break,
                        Some(b'"') => {
                            *self = Self::None;
                            return Ok(Some(pos + 1));
                        }
                        Some(b'\\') => state = Text::Escape,
                        Some(_) => return fail(pos, Expected::NoControlCharacter),
                    }
                }
                Text::Escape => match buf.get(pos) {
                    None => break,
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => state = Text::Plain,
                    Some(b'u') => state = Text::Hex(4),
                    Some(_) => return fail(pos, Expected::Escape),
                },
                Text::Hex(left) => match buf.get(pos) {
                    None => break,
                    Some(b) if b.is_ascii_hexdigit() => {
                        state = if left == 1 { Text::Plain } else { Text::Hex(left - 1) }
                    }
                    Some(_) => return fail(pos, Expected::Escape),
                },
            }
            pos += 1;
        }
        *self = Self::Text(state);
        Ok(None)
    }

    #[inline(never)]
    fn number(&mut self, buf: &[u8], mut pos: usize, mut state: Number) -> Found {
        while let Some(&byte) = buf.get(pos) {
            state = match (state, byte) {
                (Number::Integer, b'0'..=b'9') | (Number::Minus, b'1'..=b'9') => Number::Integer,
                (Number::Fraction | Number::Point, b'0'..=b'9') => Number::Fraction,
                (Number::Zero | Number::Integer, b'.') => Number::Point,
                (Number::Zero | Number::Integer | Number::Fraction, b'e' | b'E') => Number::E,
                (Number::Exponent | Number::E | Number::ESign, b'0'..=b'9') => Number::Exponent,
                (Number::Minus, b'0') => Number::Zero,
                (Number::E, b'+' | b'-') => Number::ESign,
                _ if state.complete() => {
                    *self = Self::None;
                    return Ok(Some(pos));
                }
                _ => return fail(pos, Expected::Digit),
            };
            pos += 1;
        }
        *self = Self::Number(state);
        Ok(None)
    }

    #[inline(never)]
    fn literal(&mut self, buf: &[u8], mut pos: usize, mut rest: &'static [u8]) -> Found {
        while let Some((&want, left)) = rest.split_first() {
            match buf.get(pos) {
                None => {
                    *self = Self::Literal(rest);
                    return Ok(None);
                }
                Some(&byte) if byte == want => {
                    pos += 1;
                    rest = left;
                }
                Some(_) => return fail(pos, Expected::Literal),
            }
        }
        *self = Self::None;
        Ok(Some(pos))
    }
}

/// Which kind of container each open level is; one bit a level.
#[derive(Debug, Clone, Default)]
struct Levels {
    words: Vec<u64>,
    depth: usize,
}

impl Levels {
    #[inline]
    fn push(&mut self, object: bool) {
        let (word, bit) = (self.depth / 64, self.depth % 64);
        if word == self.words.len() {
            self.words.push(0);
        }
        self.words[word] = self.words[word] & !(1 << bit) | u64::from(object) << bit;
        self.depth += 1;
    }

    /// Closes a level; says whether the one now innermost is an object.
    #[inline]
    fn pop(&mut self) -> bool {
        self.depth -= 1;
        self.depth > 0 && self.words[(self.depth - 1) / 64] >> ((self.depth - 1) % 64) & 1 == 1
    }
}

/// Runs over one value, checking the grammar and looking at nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Skipper {
    token: Token,
    levels: Levels,
    in_object: bool,
    expect: Expect,
    elements: Option<Box<Elements>>,
    /// Whether it reads an element that did not fit once more. Its end is in no buffer yet, so that nothing in it is
    /// passed by an outline: an element inside that is cut there too would be one cut element too many.
    reads_again: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Expect {
    #[default]
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

impl Skipper {
    /// Continues over the value; `room` is how many levels deeper it may nest. The value's end, once found,
    /// leaves the skipper ready for the next one.
    #[inline]
    pub(super) fn run(&mut self, buf: &[u8], pos: usize, room: usize) -> Result<Skip, Syntax> {
        if self.levels.depth == 0 && self.expect == Expect::Value {
            let at = if self.token == Token::None { skip_space(buf, pos) } else { pos };
            match buf.get(at) {
                None => return Ok(Skip::More),
                // In the middle of a string they are characters like any other.
                Some(b'{' | b'[') if self.token == Token::None => {}
                Some(_) => return Ok(self.token.scalar(buf, at)?.map_or(Skip::More, Skip::End)),
            }
        }
        self.container(buf, pos, room)
    }

    /// Whether the value could end where the input ends: a number at the top.
    pub(super) fn at_number_end(&self) -> bool {
        self.levels.depth == 0 && matches!(self.token, Token::Number(state) if state.complete())
    }

    /// Forgets the value at hand.
    pub(super) fn reset(&mut self) {
        let (mut elements, mut levels) = (self.elements.take(), std::mem::take(&mut self.levels));
        if let Some(elements) = &mut elements {
            elements.reset();
        }
        levels.depth = 0;
        *self = Self { levels, elements, ..Self::default() };
    }

    /// Positions in the buffer mean nothing any more.
    fn forget_places(&mut self) {
        if let Some(elements) = &mut self.elements {
            elements.forget_places();
        }
    }

    fn container(&mut self, buf: &[u8], mut pos: usize, room: usize) -> Result<Skip, Syntax> {
        if self.elements.as_ref().is_some_and(|elements| elements.is_cut()) {
            match self.resume(buf, pos, room)? {
                Some(end) => pos = end,
                None => return Ok(Skip::More),
            }
        }
        loop {
            if self.token == Token::None {
                pos = skip_space(buf, pos);
            }
            let Some(&byte) = buf.get(pos) else {
                self.forget_places();
                return Ok(Skip::More);
            };
            match self.expect {
                Expect::CommaOrEnd => {
                    pos += 1;
                    match byte {
                        b',' => self.expect = if self.in_object { Expect::Key } else { Expect::Value },
                        b'}' if self.in_object => {
                            if self.close_object(buf, pos) {
                                return Ok(Skip::End(pos));
                            }
                        }
                        b']' if !self.in_object => {
                            if self.close() {
                                return Ok(Skip::End(pos));
                            }
                        }
                        _ => return fail(pos - 1, Expected::CommaOrEnd),
                    }
                }
                Expect::KeyOrEnd | Expect::ValueOrEnd if self.token == Token::None && byte == self.closing() => {
                    pos += 1;
                    let done = if self.in_object { self.close_object(buf, pos) } else { self.close() };
                    if done {
                        return Ok(Skip::End(pos));
                    }
                }
                Expect::Key | Expect::KeyOrEnd => {
                    let Some(end) = self.token.name(buf, pos)? else {
                        self.forget_places();
                        return Ok(Skip::More);
                    };
                    pos = end;
                    self.expect = Expect::Colon;
                }
                Expect::Colon => {
                    if byte != b':' {
                        return fail(pos, Expected::Colon);
                    }
                    pos += 1;
                    self.expect = Expect::Value;
                }
                Expect::Value | Expect::ValueOrEnd if self.token == Token::None && (byte == b'{' || byte == b'[') => {
                    if self.levels.depth >= room {
                        return fail(pos, Expected::Shallower);
                    }
                    if byte == b'{' && !self.in_object && self.levels.depth > 0 && !self.reads_again {
                        let depth = self.levels.depth;
                        let elements = self.elements.get_or_insert_default();
                        match elements.pass(buf, pos, depth, room - depth) {
                            Passed::End(end) => {
                                pos = end;
                                self.expect = Expect::CommaOrEnd;
                                continue;
                            }
                            Passed::Cut => {
                                self.forget_places();
                                return Ok(Skip::More);
                            }
                            Passed::Nothing => {}
                        }
                    }
                    self.in_object = byte == b'{';
                    self.levels.push(self.in_object);
                    self.expect = if self.in_object { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
                    pos += 1;
                }
                Expect::Value | Expect::ValueOrEnd => {
                    let Some(end) = self.token.scalar(buf, pos)? else {
                        self.forget_places();
                        return Ok(Skip::More);
                    };
                    pos = end;
                    self.expect = Expect::CommaOrEnd;
                }
            }
        }
    }

    /// Goes on with an element that the last buffer cut; where the grammar goes on, if it does in this buffer.
    fn resume(&mut self, buf: &[u8], pos: usize, room: usize) -> Result<Option<usize>, Syntax> {
        let Some(mut elements) = self.elements.take() else { return Ok(Some(pos)) };
        let depth = self.levels.depth;
        let passed = elements.resume(buf, pos, depth, room - depth);
        if passed == Passed::Nothing {
            // The grammar has to read the element from its start.
            let text = elements.take_cut();
            self.reads_again = true;
            let read = self.container(&text, 0, room);
            self.reads_again = false;
            read?;
        }
        self.elements = Some(elements);
        Ok(match passed {
            Passed::End(end) => {
                self.expect = Expect::CommaOrEnd;
                Some(end)
            }
            Passed::Cut => None,
            Passed::Nothing => Some(pos),
        })
    }

    fn closing(&self) -> u8 {
        if self.in_object { b'}' } else { b']' }
    }

    /// Closes an object that ends at `pos`; says whether it was the value itself.
    fn close_object(&mut self, buf: &[u8], pos: usize) -> bool {
        let done = self.close();
        if let Some(elements) = &mut self.elements {
            elements.learn(buf, self.levels.depth, pos);
        }
        done
    }

    /// Closes a container; says whether it was the value itself.
    #[inline]
    fn close(&mut self) -> bool {
        self.in_object = self.levels.pop();
        let done = self.levels.depth == 0;
        self.expect = if done { Expect::Value } else { Expect::CommaOrEnd };
        done
    }
}

/// How far a skip got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skip {
    /// One past the value's last byte.
    End(usize),
    /// The buffer ended first.
    More,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a value ends, or where it is wrong and what was expected.
    type Skipped = Result<Option<usize>, (usize, Expected)>;

    /// One past the value at the start of `text`, fed in chunks of `size`.
    fn skip(text: &str, size: usize) -> Skipped {
        skip_with(&mut Skipper::default(), text, size)
    }

    fn skip_with(skipper: &mut Skipper, text: &str, size: usize) -> Skipped {
        for (n, chunk) in text.as_bytes().chunks(size).enumerate() {
            match skipper.run(chunk, 0, 8) {
                Ok(Skip::End(end)) => return Ok(Some(n * size + end)),
                Ok(Skip::More) => {}
                Err(e) => return Err((n * size + e.at, e.expected)),
            }
        }
        Ok(skipper.at_number_end().then_some(text.len()))
    }

    #[test]
    fn values_end_at_the_same_byte_at_every_chunk_size() {
        let long = format!("\"{}\\n{}\" ,", "x".repeat(100), "é".repeat(70));
        let cases: &[(&str, Skipped)] = &[
            ("1", Ok(Some(1))),
            ("-0.5e+10,", Ok(Some(8))),
            (" [1, {\"a\\\"\": [true,null ]} ,\"\\u00e9\"] x", Ok(Some(37))),
            ("{}", Ok(Some(2))),
            ("[[[[[[[[]]]]]]]]", Ok(Some(16))),
            ("[[[[[[[[[", Err((8, Expected::Shallower))),
            ("[1,]", Err((3, Expected::Value))),
            ("{\"a\":1,}", Err((7, Expected::Key))),
            ("{1:1}", Err((1, Expected::Key))),
            ("{\"a\" 1}", Err((5, Expected::Colon))),
            ("[1}", Err((2, Expected::CommaOrEnd))),
            ("01", Ok(Some(1))),
            ("[01]", Err((2, Expected::CommaOrEnd))),
            ("[1.]", Err((3, Expected::Digit))),
            ("[-]", Err((2, Expected::Digit))),
            ("[1e]", Err((3, Expected::Digit))),
            ("[tru]", Err((4, Expected::Literal))),
            ("[\"\\x\"]", Err((3, Expected::Escape))),
            ("[\"\\u12g4\"]", Err((6, Expected::Escape))),
            ("[\"a\tb\"]", Err((3, Expected::NoControlCharacter))),
            ("[\"0123456789\u{1f}\"]", Err((12, Expected::NoControlCharacter))),
            ("[1", Ok(None)),
            ("-", Ok(None)),
            ("\"abc", Ok(None)),
            ("\"a{[b\" ", Ok(Some(6))),
            (&long, Ok(Some(long.len() - 2))),
        ];
        for (text, want) in cases {
            for size in 1..=text.len() {
                assert_eq!(&skip(text, size), want, "{text:?} in chunks of {size}");
            }
        }
    }

    #[test]
    fn what_was_learned_changes_no_end_wherever_a_text_is_cut() {
        let text =
            r#"[{"a":{"b":{"b":1}},"b":{"b":""},"c":[[]]},{"b":{}},{"a":[{"b":400, "a":""}, {"b":1}]},{"a":[],"b":1}]"#;
        for size in 1..=text.len() {
            let mut skipper = Skipper::default();
            assert_eq!(skipper.run(text.as_bytes(), 0, 8).ok(), Some(Skip::End(text.len())));
            assert_eq!(skip_with(&mut skipper, text, size), Ok(Some(text.len())), "in chunks of {size}");
        }
    }
}
