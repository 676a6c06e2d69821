//! A session with a backend that takes no WebSocket: by long polling, and told as if it came on one.
//!
//! Engine.IO's own servers answer a WebSocket that they do not allow with 400 and [one of these words](REFUSALS); then the
//! session is opened by a poll. One request waits for what the backend sends, another brings it what waits here, and all of
//! them go to the endpoint that has the session.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::backend::{Again, Body, Lease};
use crate::failure::{Failure, Kind, Side};
use crate::framing::engineio::payload::{Decoder, Dialect, Form};
use crate::framing::engineio::{Binary, Frame, Open, Packet};
use crate::framing::{self, Generation};
use crate::http::Plane;
use crate::http::body::{self, Chunks};
use crate::http::exchange::Exchange;
use crate::http::send::{self, Outgoing};

use super::leg::Event;

/// What servers of Engine.IO say to a transport that they do not allow, and to a request to upgrade that did not arrive as one.
const REFUSALS: [&str; 2] = ["Transport unknown", "Bad request"];
/// Bytes of a refusal that is looked at, or of an answer to packets.
const REFUSAL: usize = 4096;
/// Frames on the way in each direction, and packets of one body at most; python-engineio takes no more.
const WAITING: usize = 16;
/// Bytes of a body to a backend that says nothing of its own.
const PAYLOAD: usize = 1_000_000;
/// How long the last requests of a session may take in all.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// What a backend answered, again, unless it refuses the WebSocket alone.
///
/// # Errors
/// A refusal that breaks off.
pub(super) async fn refusal_of_all(refusal: Response<Body>) -> Result<Option<Response<Body>>, Failure> {
    if refusal.status().as_u16() != 400 {
        return Ok(Some(refusal));
    }
    let (head, mut rest) = refusal.into_parts();
    let (mut chunks, mut trailers) = (Chunks::default(), None);
    while chunks.held() <= REFUSAL
        && let Some(frame) = rest.frame().await.transpose()?
    {
        match frame.into_data() {
            Ok(chunk) => chunks.push(chunk),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    let is_short = chunks.held() <= REFUSAL;
    let beginning = chunks.into_vec();
    let text = if is_short { beginning.concat() } else { Vec::new() };
    if REFUSALS.iter().any(|words| memchr::memmem::find(&text, words.as_bytes()).is_some()) {
        return Ok(None);
    }
    Ok(Some(Response::from_parts(head, body::resumed(beginning, rest, trailers))))
}

/// An open session, as the driver sees it.
pub(super) struct Polling {
    frames: mpsc::Receiver<Frame>,
    posts: mpsc::Sender<Frame>,
}

/// What the session's requests have in common.
struct Line {
    exchange: Arc<Exchange>,
    generation: Generation,
    /// The endpoint.
    index: usize,
    target: String,
    headers: HeaderMap,
    /// Bytes of a body from the backend, and of one to it.
    limit: usize,
    payload: usize,
}

impl Polling {
    /// Opens a session as a request for a WebSocket would have; what else the backend said.
    ///
    /// # Errors
    /// As the backend does not answer with a session.
    pub(super) async fn open(
        plane: &Plane,
        exchange: Arc<Exchange>,
        generation: Generation,
        outgoing: Outgoing,
    ) -> Result<(Self, HeaderMap), Failure> {
        let picked = exchange.backend.pick(exchange.worker)?;
        let index = picked.index();
        let limit = exchange.route.config.limits.message.saturating_mul(2);
        let target = outgoing.target.as_str().replace("transport=websocket", "transport=polling");
        let mut headers = outgoing.headers;
        for name in [header::SEC_WEBSOCKET_EXTENSIONS, header::SEC_WEBSOCKET_PROTOCOL] {
            headers.remove(name);
        }
        let mut line = Line { exchange, generation, index, target, headers, limit, payload: PAYLOAD };
        let patience = line.exchange.route.config.timeouts.response_head;
        let late = || late("the backend did not answer a poll in time");
        let asked = async {
            let lease = line.exchange.backend.lease(picked, line.exchange.worker).await?;
            line.ask_on(lease, Method::GET, Bytes::new()).await
        };
        let (response, lease) = timeout(patience, asked).await.map_err(|_| late())??;
        let answer = response.headers().clone();
        let packets = timeout(patience, line.packets(response, lease)).await.map_err(|_| late())??;
        let Some(Packet::Open(data)) = packets.first() else { return Err(broken("the first packet opens no session")) };
        let open = Open::parse(data).map_err(|error| broken(&error.to_string()))?;
        line.target = format!("{}&sid={}", line.target, open.sid);
        line.payload = open.max_payload.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(PAYLOAD);
        line.keep_cookies(&answer);
        let (told, frames) = mpsc::channel(WAITING);
        let (posts, waiting) = mpsc::channel(WAITING);
        plane.tasks.spawn(line.run(packets, told, waiting));
        Ok((Self { frames, posts }, answer))
    }

    /// Whether it takes another frame.
    pub(super) fn has_room(&self) -> bool {
        self.posts.capacity() > 0
    }

    pub(super) fn send(&self, frame: Frame) {
        // There is room, or the session is over.
        let _ = self.posts.try_send(frame);
    }

    /// What happens next. Nothing is lost where the future is dropped.
    pub(super) async fn event(&mut self, reads: bool) -> Event {
        let is_full = !self.has_room() && !self.posts.is_closed();
        tokio::select! {
            frame = self.frames.recv(), if reads => frame.map_or(Event::Gone, Event::Frame),
            _ = self.posts.reserve(), if is_full => Event::Room,
            else => pending().await,
        }
    }
}

impl Line {
    /// Carries frames until the session is over on one side, and what was sent last for a while.
    async fn run(self, first: Vec<Packet>, told: mpsc::Sender<Frame>, waiting: mpsc::Receiver<Frame>) {
        let session = told.clone();
        let given_up = async {
            session.closed().await;
            sleep(CLOSE_GRACE).await;
        };
        tokio::select! {
            () = given_up => {}
            () = self.poll(first, told) => {}
            () = self.post(waiting) => {}
        }
    }

    /// Polls for as long as somebody wants to know.
    async fn poll(&self, first: Vec<Packet>, told: mpsc::Sender<Frame>) {
        let mut packets = first;
        loop {
            for packet in packets {
                if told.send(packet.to_frame(self.generation, Binary::Raw)).await.is_err() {
                    // What was sent last is still to be posted.
                    return pending().await;
                }
            }
            let polled = async {
                let (response, lease) = self.ask(Method::GET, Bytes::new()).await?;
                self.packets(response, lease).await
            };
            match polled.await {
                Ok(more) => packets = more,
                Err(_) => return,
            }
        }
    }

    /// Posts what is sent, and that the session is over once nothing more can come.
    async fn post(&self, mut waiting: mpsc::Receiver<Frame>) {
        while let Some(first) = waiting.recv().await {
            let mut batch = VecDeque::from([first]);
            while batch.len() < WAITING
                && let Ok(next) = waiting.try_recv()
            {
                batch.push_back(next);
            }
            while !batch.is_empty() {
                if self.send(self.body(&mut batch)).await.is_err() {
                    return;
                }
            }
        }
        let close = self.form().write(&[Packet::Close]);
        // A backend that does not take it notices by itself.
        let _ = self.send(close).await;
    }

    fn form(&self) -> Form {
        Form::Text(self.generation, Dialect::Once)
    }

    /// As many packets as one body may have, at least one.
    fn body(&self, batch: &mut VecDeque<Frame>) -> Bytes {
        let (mut packets, mut bytes) = (Vec::new(), 0);
        while let Some(frame) = batch.pop_front() {
            // What the session sends is of its own generation.
            let Ok(packet) = Packet::from_frame(self.generation, frame) else { continue };
            // As base64, and with what stands around it.
            let size = packet.len() / 3 * 4 + 16;
            if !packets.is_empty() && bytes + size > self.payload {
                batch.push_front(packet.to_frame(self.generation, Binary::Raw));
                break;
            }
            bytes += size;
            packets.push(packet);
        }
        self.form().write(&packets)
    }

    /// Brings the backend a body, for which it has as long as for any answer.
    async fn send(&self, payload: Bytes) -> Result<(), Failure> {
        let patience = self.exchange.route.config.timeouts.response_head;
        let sent = timeout(patience, self.send_patiently(payload)).await;
        sent.unwrap_or_else(|_| Err(late("the backend did not take packets in time")))
    }

    async fn send_patiently(&self, payload: Bytes) -> Result<(), Failure> {
        let (response, lease) = self.ask(Method::POST, payload).await?;
        if response.status() != StatusCode::OK {
            return Err(broken("it takes no packets"));
        }
        let answer = body::from_backend(response.into_body(), self.exchange.bounds(), lease)?;
        Limited::new(answer, REFUSAL).collect().await.map(drop).map_err(|_| broken("its answer to packets breaks off"))
    }

    /// Sends a request; once more over a new connection where the old one had ended.
    async fn ask(&self, method: Method, payload: Bytes) -> Result<(Response<Incoming>, Lease), Failure> {
        let backend = &self.exchange.backend;
        let lease = backend.lease(backend.pick_again(self.index), self.exchange.worker).await?;
        self.ask_on(lease, method, payload).await
    }

    async fn ask_on(
        &self,
        mut lease: Lease,
        method: Method,
        payload: Bytes,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let backend = &self.exchange.backend;
        let request = self.request(method, payload)?;
        let unanswered = match lease.send(request.map(body::full)).await {
            Ok(response) => return Ok((response, lease)),
            Err(unanswered) => unanswered,
        };
        let Again::Unsent(request) = unanswered.again else { return Err(unanswered.failure) };
        let mut lease = backend.lease_new(backend.pick_again(self.index), self.exchange.worker).await?;
        match lease.send(*request).await {
            Ok(response) => Ok((response, lease)),
            Err(unanswered) => Err(unanswered.failure),
        }
    }

    fn request(&self, method: Method, payload: Bytes) -> Result<Request<Bytes>, Failure> {
        let target = PathAndQuery::try_from(self.target.as_str()).map_err(|e| send::bad_target(&e.into()))?;
        let has_body = method == Method::POST;
        let mut request = Request::new(payload);
        *request.method_mut() = method;
        *request.uri_mut() = target.into();
        *request.headers_mut() = self.headers.clone();
        if has_body {
            let kind = HeaderValue::from_static("text/plain;charset=UTF-8");
            request.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        Ok(request)
    }

    /// The packets of an answer to a poll.
    async fn packets(&self, response: Response<Incoming>, lease: Lease) -> Result<Vec<Packet>, Failure> {
        if response.status() != StatusCode::OK {
            return Err(broken(&format!("a poll is answered with {}", response.status().as_u16())));
        }
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_bytes = self.generation == Generation::Eio3 && kind.starts_with("application/octet-stream");
        let form = if is_bytes { Form::Bytes } else { self.form() };
        let bounds = body::Bounds { deadline: None, ..self.exchange.bounds() };
        let body = Limited::new(body::from_backend(response.into_body(), bounds, lease)?, self.limit);
        let payload =
            body.collect().await.map_err(|_| broken("a poll's answer breaks off, or is too large"))?.to_bytes();
        read(form, payload, self.limit).map_err(|error| broken(&error.to_string()))
    }

    /// Sends the backend's cookies back to it, as a balancer before it may want.
    fn keep_cookies(&mut self, answer: &HeaderMap) {
        let set = answer.get_all(header::SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
        let mut pairs: Vec<&str> = set.map(|cookie| cookie.split(';').next().unwrap_or_default().trim()).collect();
        if pairs.is_empty() {
            return;
        }
        let own: Vec<HeaderValue> = self.headers.get_all(header::COOKIE).iter().cloned().collect();
        pairs.splice(0..0, own.iter().filter_map(|cookie| cookie.to_str().ok()));
        if let Ok(cookies) = HeaderValue::try_from(pairs.join("; ")) {
            self.headers.insert(header::COOKIE, cookies);
        }
    }
}

fn read(form: Form, payload: Bytes, limit: usize) -> Result<Vec<Packet>, framing::Error> {
    let mut decoder = Decoder::new(form, limit);
    decoder.push(payload)?;
    let mut packets = Vec::new();
    while let Some(packet) = decoder.packet()? {
        packets.push(packet);
    }
    packets.extend(decoder.finish()?);
    Ok(packets)
}

fn broken(detail: &str) -> Failure {
    Failure::new(Side::Backend, Kind::BadResponse, format!("the backend's Engine.IO is not valid: {detail}"))
}

fn late(detail: &'static str) -> Failure {
    Failure::new(Side::Backend, Kind::ResponseHeadTimeout, detail)
}
