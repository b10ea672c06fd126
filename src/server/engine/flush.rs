//! Writes what verdicts left behind, in batches, on a thread of its own: no verdict waits for a disk.

use super::{Engine, usage::Batch};
use crate::{
    backend::UsageSink,
    ops::{Error, GONE, Kind, Result},
};
use chrono::Utc;
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// How many verdicts a transaction writes: other writers wait no longer than for these.
const IN_ONE: usize = 1_000;
/// How often the thread looks whether verdicts press.
const LOOK: Duration = Duration::from_millis(200);
/// How long the last flush is tried, when the keystore is busy or full.
const LAST_TRIES: Duration = Duration::from_secs(30);

/// The thread that writes; it writes everything when it is stopped.
pub(in crate::server) struct Flusher {
    flush: Flush,
    thread: JoinHandle<Result<()>>,
}

/// What the thread is told.
enum Order {
    /// To write everything now, and to say how that went.
    Flush(oneshot::Sender<Result<()>>),
    /// To write everything and end.
    End,
}

/// Has the uses that are known here written before their time.
#[derive(Clone)]
pub(in crate::server) struct Flush(Sender<Order>);

impl Flush {
    /// Returns once every use that was noted before this call is in the keystore.
    ///
    /// # Errors
    /// Those of the store; `Unavailable` when the server is stopping.
    pub(in crate::server) async fn now(&self) -> Result<()> {
        let gone = || Error::new(Kind::Unavailable, "stopping", "the server is stopping");
        let (told, heard) = oneshot::channel();
        self.0.send(Order::Flush(told)).map_err(|_| gone())?;
        heard.await.map_err(|_| gone())?
    }
}

struct Writer {
    engine: Arc<Engine>,
    sink: UsageSink,
    /// Taken out of the engine, and not written yet.
    batch: Batch,
}

impl Flusher {
    /// Starts to write every so often, and earlier when very many verdicts wait.
    ///
    /// # Errors
    /// `Unavailable` when there is no thread to be had.
    pub(in crate::server) fn start(engine: Arc<Engine>, sink: UsageSink, every: Duration) -> Result<Self> {
        let (orders, ordered) = channel();
        let mut writer = Writer { batch: engine.usage.take(), engine, sink };
        let thread = std::thread::Builder::new().name("keyward-usage".to_owned());
        let thread = thread.spawn(move || writer.run(&ordered, every)).map_err(|error| {
            Error::new(Kind::Unavailable, "thread", "cannot start a thread").cause(error.to_string())
        })?;
        Ok(Self { flush: Flush(orders), thread })
    }

    /// What has uses written before their time.
    pub(in crate::server) fn flush(&self) -> Flush {
        self.flush.clone()
    }

    /// Writes what is left and ends the thread.
    ///
    /// # Errors
    /// Those of the store: what could not be written is lost.
    pub(in crate::server) fn finish(self) -> Result<()> {
        // A thread that ended already is told by its own result.
        let _ = self.flush.0.send(Order::End);
        let lost = |_| Err(Error::new(Kind::Internal, "panic", "the thread that writes usage ran into a bug"));
        self.thread.join().unwrap_or_else(lost)
    }
}

impl Writer {
    fn run(&mut self, orders: &Receiver<Order>, every: Duration) -> Result<()> {
        let mut last = Instant::now();
        loop {
            let asks = match orders.recv_timeout(every.min(LOOK)) {
                Err(RecvTimeoutError::Timeout) => None,
                Ok(Order::Flush(asks)) => Some(asks),
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return self.finish(),
            };
            if asks.is_none() && last.elapsed() < every && !self.engine.usage.is_pressing() {
                continue;
            }
            let flushed = self.flush();
            if let Err(error) = &flushed {
                tracing::error!(%error, causes = ?error.causes, "usage cannot be written; it is tried again");
            }
            if let Some(asks) = asks {
                // Who asked may have gone away.
                let _ = asks.send(flushed);
            }
            last = Instant::now();
        }
    }

    /// What could not be written stays and comes first the next time.
    fn flush(&mut self) -> Result<()> {
        self.write()?;
        self.batch = self.engine.usage.take();
        self.write()
    }

    fn write(&mut self) -> Result<()> {
        while !self.batch.is_empty() {
            let (records, spent, requests) = self.batch.oldest(IN_ONE, self.engine.clock.ahead_ms());
            let asked = requests.len();
            let recorded = self.sink.record(&records, requests, &spent, Utc::now());
            self.engine.usage.tried(recorded.is_ok().then_some(records.len()));
            recorded?;
            self.batch.written(records.len(), asked);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let began = Instant::now();
        loop {
            match self.flush() {
                // A keystore that is gone does not come back because we wait.
                Err(error) if began.elapsed() < LAST_TRIES && error.reason != GONE => {
                    tracing::warn!(%error, "the last usage cannot be written; it is tried again");
                    std::thread::sleep(LOOK);
                }
                result => {
                    let dropped = self.engine.usage.told().dropped;
                    if dropped > 0 {
                        tracing::warn!(dropped, "verdicts came faster than they could be written and are not counted");
                    }
                    return result;
                }
            }
        }
    }
}
