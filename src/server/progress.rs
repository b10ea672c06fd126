//! How long a client may let us wait: for the headers of a request, and until it takes some of an answer.
//!
//! hyper takes the whole of an answer long before its last byte is on its way, so that the end of the work says nothing of
//! the end of the answer. Each write that the client made room for counts: one that reads slowly is waited for, one that
//! reads nothing is not.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// For the headers of a request, for some progress of an answer, and the longest that a connection may be idle.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// We are at work: nothing is wanted of the client.
const AT_WORK: u64 = u64::MAX;

/// Since when a client has been waited for. One clock a connection: hyper would set and drop one for every request.
pub(super) struct Patience {
    since: Instant,
    /// In milliseconds after `since`; [`AT_WORK`] while the client waits for us.
    waiting: AtomicU64,
}

impl Patience {
    /// Since this time nothing was heard.
    pub(super) fn since(since: Instant) -> Self {
        Self { since, waiting: AtomicU64::new(0) }
    }

    /// The client waits for us.
    pub(super) fn work(&self) {
        self.waiting.store(AT_WORK, Ordering::Relaxed);
    }

    /// We wait for the client.
    pub(super) fn wait(&self) {
        let waiting = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(AT_WORK - 1);
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    fn progress(&self) {
        if self.waiting.load(Ordering::Relaxed) != AT_WORK {
            self.wait();
        }
    }

    /// When to look again; `None` once the client has let us wait for too long.
    fn next_look(&self, now: Instant) -> Option<Instant> {
        let look = match self.waiting.load(Ordering::Relaxed) {
            AT_WORK => now + PATIENCE,
            waiting => self.since + Duration::from_millis(waiting) + PATIENCE,
        };
        (look > now).then_some(look)
    }

    /// Returns once a client has let us wait for too long.
    pub(super) async fn ends(&self) {
        let mut look = self.since + PATIENCE;
        loop {
            tokio::time::sleep_until(look).await;
            match self.next_look(Instant::now()) {
                Some(next) => look = next,
                None => return,
            }
        }
    }
}

/// A stream whose writes are progress.
pub(super) struct Watched<S> {
    stream: S,
    patience: Arc<Patience>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, patience: Arc<Patience>) -> Self {
        Self { stream, patience }
    }

    fn told(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.patience.progress();
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.told(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.told(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    /// A reader that takes an answer slowly, but takes it, is not cut off; one that takes nothing is.
    #[test]
    fn each_byte_that_is_taken_begins_the_wait_anew() {
        let began = Instant::now().checked_sub(Duration::from_secs(15)).unwrap();
        let patience = Arc::new(Patience::since(began));
        let at = |seconds| began + Duration::from_secs(seconds);
        let (ours, theirs) = tokio::io::duplex(8);
        let mut watched = Watched::new(ours, Arc::clone(&patience));
        let mut write = || Pin::new(&mut watched).poll_write(&mut Context::from_waker(Waker::noop()), b"12345678");
        assert_eq!((patience.next_look(at(19)), patience.next_look(at(21))), (Some(at(20)), None));
        assert!(matches!(write(), Poll::Ready(Ok(8))));
        assert!(patience.next_look(at(34)).is_some(), "15 seconds had passed when 8 bytes were taken");
        assert!(patience.next_look(at(60)).is_none());
        let last = patience.next_look(at(34));
        assert!(write().is_pending(), "nobody has read");
        assert_eq!(patience.next_look(at(34)), last, "a reader that takes nothing gets no more time");
        patience.work();
        assert!(patience.next_look(at(1_000)).is_some(), "no client waits too long for us");
        drop(theirs);
    }
}
