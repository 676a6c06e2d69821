//! Translating a body: in one go where it is held, while it comes where it is long.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};

use crate::backend::Body;
use crate::coding::Stack;
use crate::failure::{Failure, Side};
use crate::json::{self, Losses, Program, Translator, Values};
use crate::telemetry::metrics::Exchanges;

use super::coding::{Packer, Readable};
use super::messages::{Messages, Terms};
use super::validators;

/// A translation that has not begun.
#[derive(Debug, Clone)]
pub(crate) struct Translation {
    /// The edit.
    pub(crate) program: Arc<Program>,
    /// What its literals refer to.
    pub(crate) values: Values,
    /// Bounds on the document.
    pub(crate) limits: json::Limits,
    /// Who sends the document.
    pub(crate) side: Side,
    /// Where the body is a stream of documents: how they are translated.
    pub(crate) messages: Option<Terms>,
}

/// A body translated in one go.
pub(crate) struct Whole {
    /// Its bytes.
    pub(crate) chunks: Vec<Bytes>,
    /// Whether an op was skipped.
    pub(crate) is_partial: bool,
    /// What was lost.
    pub(crate) losses: Losses,
}

impl Translation {
    /// Translates a body that is held whole.
    pub(crate) fn whole(self, body: &[Bytes]) -> Result<Whole, Failure> {
        let mut work = Work::new(self);
        let mut out = VecDeque::new();
        for chunk in body {
            work.push(chunk.clone(), &mut out)?;
        }
        work.finish(&mut out)?;
        Ok(Whole { is_partial: work.is_partial(), losses: work.take_losses(), chunks: out.into() })
    }

    /// Translates a body while it comes, and puts codings on it. `counter` is told of what is lost.
    pub(crate) fn stream(
        self,
        beginning: Vec<Bytes>,
        rest: Readable,
        codings: Stack,
        counter: Option<Arc<Exchanges>>,
    ) -> Result<Body, Failure> {
        let packer = Packer::new(codings, self.messages.is_some())?;
        let stream = Stream {
            beginning: beginning.into(),
            rest,
            work: Work::new(self),
            made: VecDeque::new(),
            packer,
            ready: VecDeque::new(),
            counter,
            state: State::Reading,
        };
        Ok(stream.boxed_unsync())
    }
}

/// A translation that has begun.
enum Work {
    Document(Box<Translator>, Side),
    Messages(Box<Messages>),
}

impl Work {
    fn new(mut translation: Translation) -> Self {
        if let Some(terms) = translation.messages.take() {
            return Self::Messages(Box::new(Messages::new(terms, translation)));
        }
        let Translation { program, values, limits, side, .. } = translation;
        Self::Document(Box::new(Translator::new(program, values, limits)), side)
    }

    fn push(&mut self, chunk: Bytes, out: &mut VecDeque<Bytes>) -> Result<(), Failure> {
        match self {
            Self::Document(translator, side) => {
                translator.push(chunk).map_err(|e| Failure::translation(*side, &e))?;
                out.extend(translator.take());
            }
            Self::Messages(messages) => out.extend(Some(messages.push(&chunk)?).filter(|made| !made.is_empty())),
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut VecDeque<Bytes>) -> Result<(), Failure> {
        match self {
            Self::Document(translator, side) => {
                translator.finish().map_err(|e| Failure::translation(*side, &e))?;
                out.extend(translator.take());
            }
            Self::Messages(messages) => out.extend(Some(messages.finish()?).filter(|made| !made.is_empty())),
        }
        Ok(())
    }

    /// Takes what was lost in what has been translated to its end.
    fn take_losses(&mut self) -> Losses {
        match self {
            Self::Document(translator, _) => translator.losses(),
            Self::Messages(messages) => messages.take_losses(),
        }
    }

    fn is_partial(&self) -> bool {
        match self {
            Self::Document(translator, _) => translator.is_partial(),
            Self::Messages(messages) => messages.is_partial(),
        }
    }
}

/// A body that is translated while it comes. Reads from its sender only when its receiver asks for more and
/// nothing is ready, which is what carries back-pressure through.
struct Stream {
    beginning: VecDeque<Bytes>,
    rest: Readable,
    work: Work,
    /// What is translated and not encoded yet.
    made: VecDeque<Bytes>,
    packer: Option<Packer>,
    ready: VecDeque<Bytes>,
    counter: Option<Arc<Exchanges>>,
    state: State,
}

enum State {
    Reading,
    Ended(Option<HeaderMap>),
}

impl Stream {
    /// Takes the sender's next frame; says whether there may be more.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let chunk = match self.beginning.pop_front() {
            Some(chunk) => chunk,
            None => match ready!(Pin::new(&mut self.rest).poll_frame(cx)).transpose()?.map(Frame::into_data) {
                Some(Ok(chunk)) => chunk,
                Some(Err(trailers)) => return Poll::Ready(self.end(trailers.into_trailers().ok())),
                None => return Poll::Ready(self.end(None)),
            },
        };
        Poll::Ready(self.push(chunk))
    }

    fn push(&mut self, chunk: Bytes) -> Result<(), Failure> {
        self.work.push(chunk, &mut self.made)?;
        // A message is sent by itself; a document is not before its end.
        if let Work::Messages(_) = self.work {
            self.count_losses();
        }
        self.pack()
    }

    fn count_losses(&mut self) {
        let losses = self.work.take_losses();
        if let Some(counter) = &self.counter {
            counter.lost(&losses);
        }
    }

    fn pack(&mut self) -> Result<(), Failure> {
        let Some(packer) = &mut self.packer else {
            self.ready.append(&mut self.made);
            return Ok(());
        };
        for made in self.made.drain(..) {
            let coded = packer.pack(&made)?;
            self.ready.extend(Some(coded).filter(|coded| !coded.is_empty()));
        }
        Ok(())
    }

    fn end(&mut self, trailers: Option<HeaderMap>) -> Result<(), Failure> {
        self.work.finish(&mut self.made)?;
        self.count_losses();
        self.pack()?;
        if let Some(packer) = self.packer.take() {
            self.ready.push_back(packer.finish()?);
        }
        self.state = State::Ended(trailers.map(validators::own_trailers));
        Ok(())
    }
}

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(chunk))));
            }
            match &mut self.state {
                State::Ended(trailers) => {
                    return Poll::Ready(trailers.take().map(|t| Ok(Frame::trailers(t))));
                }
                State::Reading => {
                    if let Err(failure) = ready!(self.poll_read(cx)) {
                        // Whatever comes after the error, nothing of it leaves.
                        self.state = State::Ended(None);
                        self.ready.clear();
                        return Poll::Ready(Some(Err(failure)));
                    }
                }
            }
        }
    }
}
