//! Streams of documents (server-sent events, lines of JSON), translated one by one as they come.

use bytes::Bytes;

use crate::failure::{Failure, Side};
use crate::framing::stream::{Framing, Message, Splitter, TooLong};
use crate::json::{self, Code, Losses};
use crate::telemetry::metrics;

use super::body;
use super::exchange::renewed;
use super::translate::Translation;

/// What becomes of a message whose document has no translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// The stream fails.
    Fail,
    /// It is left out and counted.
    Drop,
    /// It stays as it came and is counted.
    Keep,
}

/// How the messages of a stream are translated.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// How they are told apart.
    pub(crate) framing: Framing,
    /// Most bytes of one.
    pub(crate) most: usize,
    /// What becomes of one that has no translation.
    pub(crate) unfit: Unfit,
    /// The API, for counting.
    pub(crate) api: String,
}

/// A stream that is being translated.
pub(crate) struct Messages {
    splitter: Splitter,
    terms: Terms,
    translation: Translation,
    is_partial: bool,
    losses: Losses,
}

impl Messages {
    pub(crate) fn new(terms: Terms, translation: Translation) -> Self {
        let splitter = Splitter::new(terms.framing, terms.most);
        Self { splitter, terms, translation, is_partial: false, losses: Losses::default() }
    }

    /// Translates the messages that a chunk completes; what comes out may be empty.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<Bytes, Failure> {
        self.splitter.push(chunk);
        let mut out = Vec::new();
        while let Some(message) = self.splitter.next_message().map_err(|TooLong(most)| self.too_long(most))? {
            self.translate(&message, &mut out)?;
        }
        Ok(out.into())
    }

    /// Translates what is left where the stream has ended. An event without the line that ends it is none: a client
    /// does not look at it, so that one that has no translation goes without a word.
    pub(crate) fn finish(&mut self) -> Result<Bytes, Failure> {
        let mut out = Vec::new();
        if let Some(message) = self.splitter.last_message() {
            if self.terms.framing == Framing::Events {
                self.terms.unfit = Unfit::Drop;
            }
            self.translate(&message, &mut out)?;
        }
        Ok(out.into())
    }

    /// Whether a message was not, or not whole, translated.
    pub(crate) fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// Takes what was lost since it was last taken.
    pub(crate) fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }

    fn translate(&mut self, message: &Message, out: &mut Vec<u8>) -> Result<(), Failure> {
        let Some(document) = message.document().filter(|document| self.is_for_rules(document)) else {
            out.extend_from_slice(message.raw());
            return Ok(());
        };
        let Translation { program, values, limits, .. } = &self.translation;
        match json::translate(program, &renewed(values), *limits, Bytes::copy_from_slice(&document)) {
            Ok(done) if *done.body == *document => out.extend_from_slice(message.raw()),
            Ok(done) => {
                self.is_partial |= done.partial;
                self.losses.add(done.losses);
                message.write_with(&done.body, out);
            }
            Err(error) if error.code == Code::Dropped => {
                self.losses.add(error.losses);
                message.write_dropped(out);
            }
            Err(error) => self.unfit(message, &error, out)?,
        }
        Ok(())
    }

    /// Whether rules are about a document. Every line is one; among events there are others, such as the `[DONE]` with
    /// which some streams end.
    fn is_for_rules(&self, document: &[u8]) -> bool {
        match self.terms.framing {
            Framing::Lines => true,
            Framing::Events => {
                document.trim_ascii_start().starts_with(b"{")
                    || !matches!(json::validate(document, self.translation.limits), Err(e) if e.code == Code::MalformedJson)
            }
        }
    }

    fn unfit(&mut self, message: &Message, error: &json::Error, out: &mut Vec<u8>) -> Result<(), Failure> {
        if self.terms.unfit == Unfit::Fail {
            return Err(Failure::translation(self.side(), error));
        }
        metrics::translate_failure(&self.terms.api, error.change.as_deref(), error.code.name());
        self.is_partial = true;
        if self.terms.unfit == Unfit::Keep {
            out.extend_from_slice(message.raw());
        } else {
            message.write_dropped(out);
        }
        Ok(())
    }

    fn side(&self) -> Side {
        self.translation.side
    }

    fn too_long(&self, most: usize) -> Failure {
        body::too_large(self.side(), most as u64)
    }
}
