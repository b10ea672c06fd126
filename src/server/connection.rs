//! What happens on a connection: requests one after the other, within the limits of time and size.
//!
//! A client has so long to send the headers of a request or to take some of an answer ([`super::progress`]), and may be idle
//! no longer.

use super::{
    app::App,
    listen::Peer,
    problem::Failed,
    progress::{Patience, Watched},
    rest, routes,
    tls::Tls,
};
use crate::ops::Error;
use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    response::IntoResponse,
};
use hyper::{
    Request, Response, Version,
    body::{Frame, Incoming, SizeHint},
    header::{CONNECTION, HOST, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    rt::TokioIo,
    server::graceful::{GracefulShutdown, Watcher},
};
use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{self, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    time::Instant,
};

/// The request line and all headers.
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// What every connection needs.
#[derive(Clone)]
pub(super) struct Doors {
    pub(super) app: Arc<App>,
    pub(super) router: Router,
    pub(super) tls: Option<Tls>,
    pub(super) places: Arc<Semaphore>,
    pub(super) watching: Arc<Watching>,
}

/// The connections that a graceful stop waits for.
pub(super) struct Watching(Mutex<Option<GracefulShutdown>>);

impl Watching {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Some(GracefulShutdown::new())))
    }

    fn watcher(&self) -> Option<Watcher> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(GracefulShutdown::watcher)
    }

    /// Ends every connection once it has answered what it was asked.
    pub(super) async fn finish(&self) {
        let graceful = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(graceful) = graceful {
            graceful.shutdown().await;
        }
    }
}

impl Doors {
    /// Answers the requests of a connection until it ends.
    pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&self, stream: S, peer: Peer) {
        let Some(watcher) = self.watching.watcher() else { return };
        let open = Arc::new(Open::counted(Arc::clone(&self.app), self.router.clone(), peer));
        let service = service_fn(|request| open.answer(request));
        let stream = Watched::new(stream, Arc::clone(&open.patience));
        let mut http = http1::Builder::new();
        // Of headers, hyper takes 100 at most.
        http.max_buf_size(MAX_HEADER_BYTES).keep_alive(true).half_close(false);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let served = tokio::select! {
            served = watcher.watch(connection) => served,
            () = open.patience.ends() => return tracing::debug!("a client neither sent nor took anything for too long"),
        };
        if let Err(error) = served {
            // A client that goes away or does not speak HTTP is nothing to wake anybody for.
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// A connection that is open, as long as it lives.
struct Open {
    app: Arc<App>,
    router: Router,
    peer: Peer,
    patience: Arc<Patience>,
}

impl Open {
    fn counted(app: Arc<App>, router: Router, peer: Peer) -> Self {
        app.metrics.connections.inc();
        Self { app, router, peer, patience: Arc::new(Patience::since(Instant::now())) }
    }

    fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Answering>, Infallible>> + use<> {
        let turn = Turn::begun(Arc::clone(self));
        async move {
            let open = &turn.0;
            let names_one_host = names_one_host(&request);
            let (request, rest) = rest::split(request);
            let mut response = match names_one_host {
                true => routes::answer(&open.app, &open.router, open.peer, request).await,
                false => Failed::from(Error::usage("the request needs one Host header")).into_response(),
            };
            if !rest.read().await || !names_one_host {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response.map(|body| Answering { body, _turn: turn }))
        }
    }
}

/// RFC 9112, section 3.2: programs on the way could pick another host of several, or make one up for none.
fn names_one_host(request: &Request<Incoming>) -> bool {
    match request.headers().get_all(HOST).iter().count() {
        0 => request.version() < Version::HTTP_11,
        count => count == 1,
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.app.metrics.connections.dec();
    }
}

/// From the headers of a request until its answer is in the hands of hyper, which writes it.
struct Turn(Arc<Open>);

impl Turn {
    fn begun(open: Arc<Open>) -> Self {
        open.patience.work();
        Self(open)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.patience.wait();
    }
}

/// The body of an answer, which ends the turn.
struct Answering {
    body: Body,
    _turn: Turn,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
