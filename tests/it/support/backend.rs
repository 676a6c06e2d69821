//! Backends.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::wire::Wire;

/// A backend; it ends with the test.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Backend {
    /// Runs `script` for every connection.
    pub(crate) async fn scripted<F>(script: impl Fn(Wire) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::scripted_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), script)
    }

    fn scripted_on<F>(listener: TcpListener, script: impl Fn(Wire) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(script(Wire::new(stream)));
            }
        });
        Self { address, _tasks: tasks }
    }

    /// Answers every request on every connection with these bytes.
    pub(crate) async fn answering(response: impl Into<String>) -> Self {
        Self::answering_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), response)
    }

    /// The same at an address that another one had.
    pub(crate) async fn answering_at(address: SocketAddr, response: impl Into<String>) -> Self {
        Self::answering_on(TcpListener::bind(address).await.unwrap(), response)
    }

    fn answering_on(listener: TcpListener, response: impl Into<String>) -> Self {
        let response: Arc<str> = response.into().into();
        Self::scripted_on(listener, move |mut wire| {
            let response = Arc::clone(&response);
            async move {
                while wire.try_message().await.is_some() {
                    if wire.try_send(&*response).await.is_err() {
                        return;
                    }
                }
            }
        })
    }

    /// Hands each whole request to the test.
    pub(crate) async fn recording() -> (Self, Recorded) {
        Self::recording_and("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await
    }

    /// The same, with another answer.
    pub(crate) async fn recording_and(response: impl Into<String>) -> (Self, Recorded) {
        let recorded = Recorded::default();
        let (seen, response) = (recorded.clone(), Arc::<str>::from(response.into()));
        let backend = Self::scripted(move |mut wire| {
            let (seen, response) = (seen.clone(), Arc::clone(&response));
            async move {
                while let Some(request) = wire.try_message().await {
                    if !request.is_complete {
                        return;
                    }
                    seen.0.lock().unwrap().push(request);
                    if wire.try_send(&*response).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await;
        (backend, recorded)
    }

    /// Sends every request's body back with its content type; speaks HTTP/1.1 and HTTP/2.
    pub(crate) async fn echo() -> Self {
        Self::serving(echo).await
    }

    /// Sends back which host was asked for; speaks HTTP/1.1 and HTTP/2.
    pub(crate) async fn echo_of_host() -> Self {
        Self::serving(|request: Request<Incoming>| async move {
            let host = request.headers().get("host").map(|host| host.to_str().unwrap().to_owned());
            let authority = request.uri().authority().map(ToString::to_string);
            Ok(Response::new(Full::from(host.or(authority).unwrap_or_default())))
        })
        .await
    }

    /// Answers every request by a function; speaks HTTP/1.1 and HTTP/2.
    pub(crate) async fn serving<F>(answer: impl Fn(Request<Incoming>) -> F + Copy + Send + 'static) -> Self
    where
        F: Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
                });
            }
        });
        Self { address, _tasks: tasks }
    }

    /// An address at which nobody listens.
    pub(crate) async fn nobody() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut response = Response::new(Full::new(bytes));
    if let Some(kind) = head.headers.get("content-type") {
        response.headers_mut().insert("content-type", kind.clone());
    }
    response.headers_mut().insert("x-version", format!("{:?}", head.version).parse().unwrap());
    Ok(response)
}

/// Requests as a backend got them.
#[derive(Clone, Default)]
pub(crate) struct Recorded(Arc<Mutex<Vec<super::wire::Message>>>);

impl Recorded {
    /// The only request so far.
    pub(crate) fn only(&self) -> super::wire::Message {
        let mut all = self.0.lock().unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// The requests since the last time.
    pub(crate) fn take(&self) -> Vec<super::wire::Message> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}
