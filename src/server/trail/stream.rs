//! One stream: events in order, each at least once. The cursor moves when the place has confirmed, and not before: a kill
//! in between repeats the batch.

use super::{Stop, pause, place::StreamPlace};
use crate::{
    backend::{SeenFile, TrailSource},
    ops::{Context, Result, audit_stream::StreamFormat},
    server::metrics::{Metrics, Place},
};
use chrono::Utc;
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use std::time::Duration;

const POLL: Duration = Duration::from_millis(250);
/// How many events are sent at once.
const BATCH: u64 = 500;

pub(super) struct Stream {
    source: TrailSource,
    cx: Context,
    place: StreamPlace,
    format: StreamFormat,
    cursor: u64,
    version: Option<SeenFile>,
    reached: Gauge,
    failures: Counter,
}

impl Stream {
    pub(super) fn begin(
        source: TrailSource,
        cx: &Context,
        place: StreamPlace,
        format: StreamFormat,
        metrics: &Metrics,
    ) -> Result<Self> {
        let told = place.to_string();
        let cursor = source.begin(cx, &place.spec(), &told, format)?;
        let label: Place = [("place", told)];
        let reached = metrics.streamed.get_or_create(&label).clone();
        reached.set(i64::try_from(cursor).unwrap_or(i64::MAX));
        let failures = metrics.stream_failures.get_or_create(&label).clone();
        Ok(Self { source, cx: cx.clone(), place, format, cursor, version: None, reached, failures })
    }

    /// Sends what comes until it is told to stop; then what there is by then, if the place takes it at once.
    pub(super) fn run(mut self, stop: &Stop) {
        let mut failed = 0;
        loop {
            let over = stop.within(if failed == 0 { POLL } else { pause(failed) });
            match self.catch_up() {
                Ok(()) => failed = 0,
                Err(error) => {
                    failed += 1;
                    self.version = None;
                    self.failures.inc();
                    tracing::error!(place = %self.place, %error, "events could not be sent; they are sent again");
                }
            }
            if over {
                return;
            }
        }
    }

    fn catch_up(&mut self) -> Result<(), String> {
        let told = |error: crate::ops::Error| error.to_string();
        let version = self.source.version(Utc::now()).map_err(told)?;
        if self.version == Some(version) {
            return Ok(());
        }
        loop {
            self.cx.now = Utc::now();
            let events = self.source.after(&self.cx, self.cursor, BATCH).map_err(told)?;
            let (Some(first), Some(last)) = (events.first(), events.last()) else { break };
            let (first, last) = (first.recorded.seq, last.recorded.seq);
            if first > self.cursor + 1 {
                tracing::error!(
                    place = %self.place, from = self.cursor + 1, upto = first - 1,
                    "events were archived before they were sent; the archive has them"
                );
            }
            let lines: Vec<String> =
                events.iter().map(|event| self.format.line(event, self.source.vault_id())).collect();
            self.place.send(&format!("{}:{first}-{last}", self.source.vault_id()), self.media_type(), &lines)?;
            self.source.confirmed(&self.place.spec(), last).map_err(told)?;
            self.cursor = last;
            self.reached.set(i64::try_from(last).unwrap_or(i64::MAX));
        }
        self.version = Some(version);
        Ok(())
    }

    fn media_type(&self) -> &'static str {
        match self.format {
            StreamFormat::Jsonl | StreamFormat::Ocsf => "application/x-ndjson",
            StreamFormat::Cef | StreamFormat::Syslog => "text/plain; charset=utf-8",
        }
    }
}
