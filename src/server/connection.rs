//! What happens on a connection: requests one after the other, within the limits of time and size.
//!
//! A client has so long to send the headers of a request, and may be idle no longer. hyper would set and drop a clock for
//! every request; here each connection has one, which looks at when the last answer was given.

use super::{app::App, listen::Peer, routes, tls::Tls};
use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
};
use hyper::{
    Request, Response,
    body::{Frame, Incoming, SizeHint},
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
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{self, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    time::Instant,
};

/// For the headers of a request, and the longest that a connection may be idle.
const HEADER_TIME: Duration = Duration::from_secs(20);
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
        let mut http = http1::Builder::new();
        // Of headers, hyper takes 100 at most.
        http.max_buf_size(MAX_HEADER_BYTES).keep_alive(true).half_close(false);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let served = tokio::select! {
            served = watcher.watch(connection) => served,
            () = open.kept_waiting() => return tracing::debug!("a client sent nothing for too long"),
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
    since: Instant,
    /// Since when the client has been waited for, in milliseconds after `since`; [`AT_WORK`] while it waits for us.
    waiting: AtomicU64,
}

/// A request is being answered.
const AT_WORK: u64 = u64::MAX;

impl Open {
    fn counted(app: Arc<App>, router: Router, peer: Peer) -> Self {
        app.metrics.connections.inc();
        Self { app, router, peer, since: Instant::now(), waiting: AtomicU64::new(0) }
    }

    fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Answering>, Infallible>> + use<> {
        let turn = Turn::begun(Arc::clone(self));
        async move {
            let open = &turn.0;
            let response = routes::answer(&open.app, &open.router, open.peer, request).await;
            Ok(response.map(|body| Answering { body, _turn: turn }))
        }
    }

    /// Returns once a client has sent no request for too long.
    async fn kept_waiting(&self) {
        let mut look = self.since + HEADER_TIME;
        loop {
            tokio::time::sleep_until(look).await;
            let now = Instant::now();
            look = match self.waiting.load(Ordering::Relaxed) {
                AT_WORK => now + HEADER_TIME,
                waiting => self.since + Duration::from_millis(waiting) + HEADER_TIME,
            };
            if look <= now {
                return;
            }
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.app.metrics.connections.dec();
    }
}

/// From the headers of a request to the last byte of its answer.
struct Turn(Arc<Open>);

impl Turn {
    fn begun(open: Arc<Open>) -> Self {
        open.waiting.store(AT_WORK, Ordering::Relaxed);
        Self(open)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let waiting = u64::try_from(self.0.since.elapsed().as_millis()).unwrap_or(AT_WORK - 1);
        self.0.waiting.store(waiting, Ordering::Relaxed);
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
