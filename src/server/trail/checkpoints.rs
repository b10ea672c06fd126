//! Checkpoints on a schedule: one at the start, then one each time the trail has grown by more than its own checkpoints.

use super::{Stop, pause};
use crate::{
    anchor::Anchor,
    backend::ServedBackend,
    ops::{
        Context, Result,
        audit_checkpoint::{MakeCheckpoint, SignedCheckpoint},
    },
    server::metrics::Metrics,
};
use chrono::{SubsecRound, Utc};
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use std::time::{Duration, Instant};

pub(super) struct Maker {
    backend: ServedBackend,
    cx: Context,
    places: Vec<(Anchor, Gauge, Counter)>,
    /// How many events there were after the last one was made.
    size: Option<u64>,
}

impl Maker {
    pub(super) fn new(backend: ServedBackend, cx: &Context, places: Vec<Anchor>, metrics: &Metrics) -> Self {
        let places = places
            .into_iter()
            .map(|place| {
                let label = [("place", place.to_string())];
                let size = metrics.anchored.get_or_create(&label).clone();
                let failures = metrics.anchor_failures.get_or_create(&label).clone();
                (place, size, failures)
            })
            .collect();
        Self { backend, cx: cx.clone(), places, size: None }
    }

    pub(super) fn run(mut self, stop: &Stop, every: Duration) {
        let mut wait = Duration::ZERO;
        loop {
            if stop.within(wait) {
                return;
            }
            let began = Instant::now();
            match self.make() {
                Ok(Some(signed)) => self.send(&signed, stop),
                Ok(None) => {}
                Err(error) => tracing::error!(%error, causes = ?error.causes, "no checkpoint could be made"),
            }
            wait = every.saturating_sub(began.elapsed());
        }
    }

    /// A checkpoint, unless nothing has happened since the last one.
    fn make(&mut self) -> Result<Option<SignedCheckpoint>> {
        self.cx.now = Utc::now().trunc_subsecs(0);
        let backend = self.backend.current(self.cx.now)?;
        if self.size == Some(backend.audit_size(&self.cx)?) {
            return Ok(None);
        }
        let places = self.places.iter().map(|(place, ..)| place.to_string()).collect();
        let signed = backend.run(&self.cx, MakeCheckpoint { places })?;
        self.size = Some(signed.checkpoint.size);
        Ok(Some(signed))
    }

    /// Sends it everywhere; a place that is away is tried again a few times, and is sent the next one in any case.
    fn send(&self, signed: &SignedCheckpoint, stop: &Stop) {
        let name = format!("{}.checkpoints", signed.checkpoint.origin.replace('/', "-"));
        let note = signed.note.to_string();
        let size = signed.checkpoint.size;
        let mut left: Vec<_> = self.places.iter().collect();
        for failed in 0..TRIES {
            left.retain(|(place, sent, failures)| match place.send(&name, &note) {
                Ok(()) => {
                    sent.set(i64::try_from(size).unwrap_or(i64::MAX));
                    tracing::info!(%place, size, "a checkpoint was sent");
                    false
                }
                Err(error) => {
                    failures.inc();
                    tracing::error!(%place, %error, causes = ?error.causes, "a checkpoint could not be sent");
                    true
                }
            });
            if left.is_empty() || stop.within(pause(failed + 2)) {
                return;
            }
        }
    }
}

/// How often a checkpoint is tried to be sent: for some four minutes.
const TRIES: u32 = 10;
