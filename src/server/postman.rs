//! The messages to webhooks: looked for, sent and tried again, on a thread of their own.

use crate::{
    backend::Outbox,
    ops::{Error, Kind, Result},
};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

/// How often what is due is looked for.
const ROUND: Duration = Duration::from_secs(1);
/// How often what time tells is looked for.
const LOOK: TimeDelta = TimeDelta::minutes(1);

/// The thread; it ends when this is finished.
pub(super) struct Postman {
    stop: Sender<()>,
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Postman {
    /// Starts to send.
    ///
    /// # Errors
    /// `Unavailable` when there is no thread to be had.
    pub(super) fn start(mut outbox: Outbox) -> Result<Self> {
        let ((stop, stopped), stopping) = (channel(), outbox.stop());
        let thread = std::thread::Builder::new().name("keyward-webhooks".to_owned());
        let thread = thread.spawn(move || run(&mut outbox, &stopped)).map_err(|error| {
            Error::new(Kind::Unavailable, "thread", "cannot start a thread").cause(error.to_string())
        })?;
        Ok(Self { stop, stopping, thread })
    }

    /// No message is begun any more; those that are left are sent at the next start.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Ends the thread after the messages that it is sending.
    pub(super) fn finish(self) {
        self.stop();
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread that sends to webhooks ran into a bug");
        }
    }
}

fn run(outbox: &mut Outbox, stopped: &Receiver<()>) {
    let mut looked: Option<DateTime<Utc>> = None;
    loop {
        let now = Utc::now().trunc_subsecs(0);
        if outbox.is_ours() {
            round(outbox, &mut looked, now);
        }
        match stopped.recv_timeout(ROUND) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if let Err(error) = outbox.finish(Utc::now().trunc_subsecs(0)) {
        tracing::error!(%error, causes = ?error.causes, "what became of the last messages is not known; they are sent again");
    }
}

fn round(outbox: &mut Outbox, looked: &mut Option<DateTime<Utc>>, now: DateTime<Utc>) {
    if looked.is_none_or(|at| now - at >= LOOK || now < at) {
        *looked = Some(now);
        if let Err(error) = outbox.tell(now) {
            tracing::error!(%error, causes = ?error.causes, "what time tells cannot be found; it is tried again");
        }
    }
    if let Err(error) = outbox.send_due(now) {
        tracing::error!(%error, causes = ?error.causes, "messages to webhooks cannot be read; it is tried again");
    }
}
