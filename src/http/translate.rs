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
use crate::failure::{Failure, Side};
use crate::json::{self, Program, Translator, Values};

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
}

/// A document translated in one go.
pub(crate) struct Whole {
    /// Its bytes.
    pub(crate) chunks: Vec<Bytes>,
    /// Whether an op was skipped.
    pub(crate) is_partial: bool,
}

impl Translation {
    fn translator(self) -> Translator {
        Translator::new(self.program, self.values, self.limits)
    }

    /// Translates a document that is held whole.
    pub(crate) fn whole(self, document: &[Bytes]) -> Result<Whole, json::Error> {
        let mut translator = self.translator();
        let mut chunks = Vec::new();
        for chunk in document {
            translator.push(chunk.clone())?;
            chunks.extend(translator.take());
        }
        translator.finish()?;
        chunks.extend(translator.take());
        Ok(Whole { chunks, is_partial: translator.is_partial() })
    }

    /// Translates a document while it comes.
    pub(crate) fn stream(self, beginning: Vec<Bytes>, rest: Body) -> Body {
        let side = self.side;
        let stream = Stream {
            beginning: beginning.into(),
            rest,
            side,
            translator: self.translator(),
            ready: VecDeque::new(),
            state: State::Reading,
        };
        stream.boxed_unsync()
    }
}

/// A body that is translated while it comes. Reads from its sender only when its receiver asks for more and
/// nothing is ready, which is what carries back-pressure through.
struct Stream {
    beginning: VecDeque<Bytes>,
    rest: Body,
    side: Side,
    translator: Translator,
    ready: VecDeque<Bytes>,
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
        self.translator.push(chunk).map_err(|e| Failure::translation(self.side, &e))?;
        self.ready.extend(self.translator.take());
        Ok(())
    }

    fn end(&mut self, trailers: Option<HeaderMap>) -> Result<(), Failure> {
        self.translator.finish().map_err(|e| Failure::translation(self.side, &e))?;
        self.ready.extend(self.translator.take());
        self.state = State::Ended(trailers);
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
