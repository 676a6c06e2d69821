//! Streams of messages: where each begins and ends, and where in it the document is.
//!
//! Bytes in, messages out, whatever the chunks: nothing here knows of transports or of what the documents say. A
//! [`Splitter`] finds the messages of a stream one after the other; each [`Message`] gives its document and can be
//! written anew with another one. What a stream holds is bounded by the longest message that may be in it.

mod ndjson;
mod sse;

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

/// How a stream tells its messages apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `text/event-stream`: the documents are the events' data.
    Events,
    /// `application/x-ndjson`, `application/jsonl`: each line is a document.
    Lines,
}

/// A message above the limit; it comes with the limit, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong(pub usize);

/// Finds the messages of a stream.
#[derive(Debug)]
pub struct Splitter {
    framing: Scanner,
    /// What has come and is not part of a whole message yet.
    buffer: BytesMut,
    most: usize,
}

#[derive(Debug)]
enum Scanner {
    Events(sse::Scanner),
    Lines(ndjson::Scanner),
}

impl Splitter {
    /// A stream of messages of at most `most` bytes.
    #[must_use]
    pub fn new(framing: Framing, most: usize) -> Self {
        let framing = match framing {
            Framing::Events => Scanner::Events(sse::Scanner::new()),
            Framing::Lines => Scanner::Lines(ndjson::Scanner::new()),
        };
        Self { framing, buffer: BytesMut::new(), most }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole message, if all of it has come.
    ///
    /// # Errors
    /// What has come of it is above the limit.
    pub fn next_message(&mut self) -> Result<Option<Message>, TooLong> {
        let found = match &mut self.framing {
            Scanner::Events(scanner) => scanner.find(&self.buffer),
            Scanner::Lines(scanner) => scanner.find(&self.buffer),
        };
        if found.unwrap_or(self.buffer.len()) > self.most {
            return Err(TooLong(self.most));
        }
        Ok(found.map(|end| self.take(end)))
    }

    /// What is left where the stream has ended.
    pub fn last_message(&mut self) -> Option<Message> {
        (!self.buffer.is_empty()).then(|| self.take(self.buffer.len()))
    }

    fn take(&mut self, end: usize) -> Message {
        let raw = self.buffer.split_to(end).freeze();
        match &mut self.framing {
            Scanner::Events(scanner) => Message::Event(scanner.take(raw)),
            Scanner::Lines(scanner) => Message::Line(scanner.take(raw)),
        }
    }
}

/// One message of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// An event, or what stands between events.
    Event(sse::Event),
    /// A line.
    Line(ndjson::Line),
}

impl Message {
    /// The document in it, if there is one.
    #[must_use]
    pub fn document(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Event(event) => event.data(),
            Self::Line(line) => line.document().map(Cow::Borrowed),
        }
    }

    /// The message as it came.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        match self {
            Self::Event(event) => event.raw(),
            Self::Line(line) => line.raw(),
        }
    }

    /// Appends the message with another document.
    pub fn write_with(&self, document: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Event(event) => event.write_with(document, out),
            Self::Line(line) => line.write_with(document, out),
        }
    }

    /// Appends what is left of the message where its receiver must not see it: an event's `id`, so that a client that
    /// connects again is not sent it again, its `retry` and comments.
    pub fn write_dropped(&self, out: &mut Vec<u8>) {
        match self {
            Self::Event(event) => event.write_dropped(out),
            Self::Line(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
