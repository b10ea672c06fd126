//! What is left of a request's body when the request is answered.
//!
//! The next request of a connection begins after it. A little is read and thrown away; where that would take long, the
//! answer says that the connection ends, so that the client sends its next request on another one.

use axum::body::{Bytes, HttpBody};
use hyper::{
    HeaderMap, Request,
    body::{Frame, Incoming, SizeHint},
    header::EXPECT,
};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

/// So much is read for the sake of the connection.
const MOST: u64 = 64 * 1024;
const TIME: Duration = Duration::from_secs(2);

/// The body of a request: shared with whoever answers, if there is one.
#[derive(Clone)]
pub(super) struct Sending(Option<Arc<Mutex<Incoming>>>);

/// Splits a request, so that what nobody reads of its body can be read afterwards.
pub(super) fn split(request: Request<Incoming>) -> (Request<Sending>, Rest) {
    let (parts, body) = request.into_parts();
    let sending = Sending((!body.is_end_stream()).then(|| Arc::new(Mutex::new(body))));
    let rest = Rest { body: sending.clone(), held_back: sending.0.is_some() && expects(&parts.headers) };
    (Request::from_parts(parts, sending), rest)
}

/// Whether the client sends its body only when it is asked to.
fn expects(headers: &HeaderMap) -> bool {
    headers.contains_key(EXPECT)
}

/// What is left.
pub(super) struct Rest {
    body: Sending,
    held_back: bool,
}

impl Rest {
    /// Reads what is left; whether the connection is good for another request.
    pub(super) async fn read(mut self) -> bool {
        if self.body.is_end_stream() {
            return true;
        }
        if self.held_back || self.body.size_hint().lower() > MOST {
            return false;
        }
        let all = async {
            let mut read = 0;
            while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await {
                let Ok(frame) = frame else { return false };
                read += frame.data_ref().map_or(0, |data| data.len() as u64);
                if read > MOST {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(TIME, all).await.unwrap_or(false)
    }
}

impl Sending {
    fn with<T>(&self, none: T, ask: impl FnOnce(Pin<&mut Incoming>) -> T) -> T {
        match &self.0 {
            // One after the other: who answers, and then who reads the rest.
            Some(body) => ask(Pin::new(&mut *body.lock().unwrap_or_else(PoisonError::into_inner))),
            None => none,
        }
    }
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.with(Poll::Ready(None), |body| body.poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.with(true, |body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(SizeHint::with_exact(0), |body| body.size_hint())
    }
}
