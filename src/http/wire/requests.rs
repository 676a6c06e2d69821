//! One request after the other: where each head and body ends.

use crate::failure::Failure;

use super::Limits;
use super::chunks::Chunks;
use super::head::{Framing, Reading};

/// What a client has sent on one connection, as far as it has been read.
#[derive(Debug)]
pub(crate) struct Requests {
    limits: Limits,
    part: Part,
    heads: usize,
}

/// What the next bytes are part of.
#[derive(Debug)]
enum Part {
    Head(Reading),
    Length(u64),
    Chunked(Box<Chunks>),
    /// What is behind a request for another protocol; the answer decides what it is.
    Asked,
}

/// Why a byte may not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The head that begins there is none.
    Head(Failure),
    /// The body is broken there.
    Body(Failure),
}

impl Requests {
    /// A connection on which nothing has come.
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, part: Part::Head(Reading::default()), heads: 0 }
    }

    /// How many heads have been whole.
    pub(crate) fn heads(&self) -> usize {
        self.heads
    }

    /// Whether the next byte begins a head, or is in one.
    pub(crate) fn is_in_head(&self) -> bool {
        matches!(self.part, Part::Head(_))
    }

    /// Whether what comes next depends on the answer to a request for another protocol.
    pub(crate) fn is_asked(&self) -> bool {
        matches!(self.part, Part::Asked)
    }

    /// The answer to a request for another protocol was an ordinary one: what comes next is a request.
    pub(crate) fn go_on(&mut self) {
        if self.is_asked() {
            self.part = Part::Head(Reading::default());
        }
    }

    /// Reads on; how many of the bytes may pass. Those that may not are to be handed in again, with more behind
    /// them: a head passes as a whole.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> (usize, Result<(), Stop>) {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match &mut self.part {
                Part::Asked => break,
                Part::Head(reading) => match reading.read(rest, &self.limits) {
                    Err(failure) => return (at, Err(Stop::Head(failure))),
                    Ok(None) => break,
                    Ok(Some(head)) => {
                        at += head.length;
                        self.heads += 1;
                        self.part = match head.framing {
                            Framing::Length(0) if head.asks_for_upgrade => Part::Asked,
                            Framing::Length(length) => Part::after(length),
                            Framing::Chunked => Part::Chunked(Box::default()),
                        };
                    }
                },
                Part::Length(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    at += here;
                    self.part = Part::after(*left - here as u64);
                }
                Part::Chunked(chunks) => {
                    let (here, read) = chunks.read(rest, &self.limits);
                    at += here;
                    match read {
                        Err(failure) => return (at, Err(Stop::Body(failure))),
                        Ok(true) => self.part = Part::after(0),
                        Ok(false) => {}
                    }
                }
            }
        }
        (at, Ok(()))
    }
}

impl Part {
    /// What comes next where this many bytes of a body do.
    fn after(left: u64) -> Self {
        if left == 0 { Self::Head(Reading::default()) } else { Self::Length(left) }
    }
}
