//! What leaves the machine of the trail while the server runs: streams of events, and checkpoints on a schedule. Each has a
//! thread of its own, so that a place that is away holds up nothing else.

mod checkpoints;
mod place;
mod stream;

pub use place::StreamPlace;

use super::metrics::Metrics;
use crate::{
    anchor::Anchor,
    backend::Serving,
    ops::{Context, Error, Kind, Result, audit_stream::StreamFormat},
};
use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The longest pause before a place that failed is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long a stop waits for places that are being sent something.
const LONGEST_END: Duration = Duration::from_secs(10);

/// What goes where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where events are streamed to.
    pub streams: Vec<StreamPlace>,
    /// What they are written as; for syslog always its own.
    pub format: StreamFormat,
    /// Where checkpoints go.
    pub checkpoints: Vec<Anchor>,
    /// How often.
    pub every: Duration,
}

/// The threads; they end when this is dropped, after what they are at.
pub(super) struct Leaving {
    stop: Vec<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

/// Tells a thread when to end.
struct Stop(Receiver<()>);

impl Stop {
    /// Waits, and says whether it is over.
    fn within(&self, time: Duration) -> bool {
        !matches!(self.0.recv_timeout(time), Err(RecvTimeoutError::Timeout))
    }
}

impl Leaving {
    /// Proves the places that can be proven, records that streams begin, and starts.
    ///
    /// # Errors
    /// `Usage` for a checkpoint beside the keystore; `Forbidden` when the plan has no audit export.
    pub(super) fn start(serving: &Serving, cx: &Context, outgoing: &Outgoing, metrics: &Metrics) -> Result<Self> {
        let mut leaving = Self { stop: Vec::new(), threads: Vec::new() };
        outgoing.checkpoints.iter().try_for_each(|anchor| anchor.check(serving.data()))?;
        for place in &outgoing.streams {
            let format = if place.is_syslog() { StreamFormat::Syslog } else { outgoing.format };
            let stream = stream::Stream::begin(serving.trail()?, cx, place.clone(), format, metrics)?;
            leaving.spawn("keyward-stream", move |stop| stream.run(&stop))?;
        }
        if !outgoing.checkpoints.is_empty() {
            let every = outgoing.every;
            let maker = checkpoints::Maker::new(serving.backend()?, cx, outgoing.checkpoints.clone(), metrics);
            leaving.spawn("keyward-checkpoints", move |stop| maker.run(&stop, every))?;
        }
        Ok(leaving)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce(Stop) + Send + 'static) -> Result<()> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(Stop(stopped)));
        self.threads.push(thread.map_err(|error| {
            Error::new(Kind::Unavailable, "thread", "cannot start a thread").cause(error.to_string())
        })?);
        self.stop.push(stop);
        Ok(())
    }

    /// Ends the threads; one that waits for a place outside is left behind with the process.
    pub(super) fn finish(self) {
        drop(self.stop);
        let until = Instant::now() + LONGEST_END;
        for thread in self.threads {
            while !thread.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(20));
            }
            if !thread.is_finished() {
                tracing::warn!("a place did not answer before the stop; what it has not confirmed is sent again");
            } else if thread.join().is_err() {
                tracing::error!("a thread that sends the trail ran into a bug");
            }
        }
    }
}

/// Twice as long after each failure in a row.
fn pause(failures: u32) -> Duration {
    Duration::from_millis(250).saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE)
}
