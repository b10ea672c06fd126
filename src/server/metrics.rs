//! What the server tells of itself at `/metrics`, in the text format of OpenMetrics; [`super::exposition`] has the other
//! one.
//!
//! Most of it is read when it is asked for, so that verdicts pay for one counter each. Labels are codes, routes, methods
//! and statuses: a bounded number, none of which names a key or a customer.

use super::engine::Engine;
use crate::domain::Code;
use axum::http::{Method, StatusCode};
use chrono::Utc;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric, text},
    metrics::{
        TypedMetric,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::{Registry, Unit},
};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The media type of what [`Metrics::text`] returns.
pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PATCH, Method::DELETE, Method::PUT];

/// Method, route and status of a request.
type Answered = [(&'static str, String); 3];

/// Where something of the trail goes, without credentials.
pub(super) type Place = [(&'static str, String); 1];

/// Everything that is told.
pub(super) struct Metrics {
    registry: Registry,
    /// The last event that each place has confirmed.
    pub(super) streamed: Family<Place, Gauge>,
    pub(super) stream_failures: Family<Place, Counter>,
    /// The size of the last checkpoint that each place has.
    pub(super) anchored: Family<Place, Gauge>,
    pub(super) anchor_failures: Family<Place, Counter>,
    requests: Family<Answered, Counter>,
    /// By method alone: each series of a histogram is many samples.
    took: Family<[(&'static str, &'static str); 1], Histogram>,
    pub(super) connections: Gauge,
    /// Credentials of operators that were no good.
    pub(super) credentials_refused: Counter,
    /// Requests that were refused because an address asked too often.
    pub(super) limited: Counter,
}

/// What the engine knows, read when it is asked for.
struct OfEngine(Arc<Engine>);

/// What the system knows of this process.
#[derive(Debug)]
struct OfProcess {
    started: f64,
}

impl Metrics {
    pub(super) fn new(engine: &Arc<Engine>) -> Self {
        let mut registry = Registry::default();
        let requests = Family::<Answered, Counter>::default();
        let took = Family::new_with_constructor(buckets as fn() -> Histogram);
        let connections = Gauge::default();
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("keyward_build", "The keyward that runs", version);
        registry.register("keyward_requests", "Requests answered, the hot routes and health aside", requests.clone());
        let told = "How long requests took, the hot routes and health aside";
        registry.register_with_unit("keyward_request_duration", told, Unit::Seconds, took.clone());
        registry.register("keyward_connections", "Connections that are open", connections.clone());
        let (streamed, anchored) = (Family::<Place, Gauge>::default(), Family::<Place, Gauge>::default());
        let (stream_failures, anchor_failures) =
            (Family::<Place, Counter>::default(), Family::<Place, Counter>::default());
        registry.register("keyward_stream_confirmed", "The last event that a place has confirmed", streamed.clone());
        registry.register(
            "keyward_stream_failures",
            "Batches of events that a place did not take",
            stream_failures.clone(),
        );
        registry.register(
            "keyward_checkpoint_size",
            "The events under the last checkpoint of a place",
            anchored.clone(),
        );
        registry.register(
            "keyward_checkpoint_failures",
            "Checkpoints that a place did not take",
            anchor_failures.clone(),
        );
        let (credentials_refused, limited) = (Counter::default(), Counter::default());
        registry.register(
            "keyward_operator_credentials_refused",
            "Credentials of operators that were no good",
            credentials_refused.clone(),
        );
        registry.register(
            "keyward_requests_limited",
            "Requests beside verdicts that came too often from one address",
            limited.clone(),
        );
        registry.register_collector(Box::new(OfEngine(Arc::clone(engine))));
        registry.register_collector(Box::new(OfProcess::starting_now()));
        Self {
            registry,
            streamed,
            stream_failures,
            anchored,
            anchor_failures,
            requests,
            took,
            connections,
            credentials_refused,
            limited,
        }
    }

    /// Counts a request that was answered; `route` is the pattern of its path.
    pub(super) fn answered(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        // A client may make up methods; each would be a series of its own.
        let method = METHODS.iter().find(|known| *known == method).map_or("other", Method::as_str);
        let labels =
            [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.as_str().to_owned())];
        self.requests.get_or_create(&labels).inc();
        self.took.get_or_create(&[("method", method)]).observe(took.as_secs_f64());
    }

    /// All of it.
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut told = String::with_capacity(8 * 1024);
        text::encode(&mut told, &self.registry)?;
        Ok(told)
    }
}

/// From a tenth of a millisecond to ten seconds.
fn buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 3.0, 11))
}

impl fmt::Debug for OfEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfEngine")
    }
}

impl Collector for OfEngine {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let (engine, usage) = (&self.0, self.0.usage_told());
        let counts = engine.verdicts();
        let labelled = "Verdicts given, by code";
        let mut family = encoder.encode_descriptor("keyward_verdicts", labelled, None, ConstCounter::<u64>::TYPE)?;
        for (code, count) in Code::ALL.into_iter().zip(counts) {
            ConstCounter::new(count).encode(family.encode_family(&[("code", code.as_str())])?)?;
        }
        for (name, help, value) in [
            ("keyward_usage_written", "Facts of use that were written to the keystore", usage.written),
            ("keyward_usage_failures", "Writes of facts of use that failed and were tried again", usage.failures),
            ("keyward_usage_dropped", "Verdicts that came faster than they could be written", usage.dropped),
        ] {
            counter(&mut encoder, name, help, value)?;
        }
        let up = engine.available(Utc::now()).is_ok();
        for (name, help, value) in [
            ("keyward_secrets", "Versions of secrets in memory", gauged(engine.size())),
            ("keyward_limited_addresses", "Addresses whose limit is remembered", gauged(engine.addresses_held())),
            ("keyward_usage_waiting", "Facts of use that wait to be written", gauged(usage.waiting)),
            ("keyward_keystore_up", "Whether the keystore can be read, and verdicts are given", i64::from(up)),
        ] {
            gauge(&mut encoder, name, help, value)?;
        }
        Ok(())
    }
}

impl OfProcess {
    fn starting_now() -> Self {
        Self { started: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() }
    }
}

/// The names that every Prometheus client uses.
impl Collector for OfProcess {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        gauge(&mut encoder, "process_start_time_seconds", "When it started, in seconds since 1970", self.started)?;
        if let Ok(used) = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF) {
            let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
            let cpu = seconds(used.user_time()) + seconds(used.system_time());
            counter(&mut encoder, "process_cpu_seconds", "CPU time, user and system", cpu)?;
        }
        if let Some(resident) = resident_bytes() {
            gauge(&mut encoder, "process_resident_memory_bytes", "Resident memory", resident)?;
        }
        Ok(())
    }
}

/// Resident memory, where the system says so.
fn resident_bytes() -> Option<i64> {
    let pages: i64 = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
    Some(pages * page)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: impl EncodeCounterValue) -> fmt::Result {
    let metric = ConstCounter::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: impl EncodeGaugeValue) -> fmt::Result {
    let metric = ConstGauge::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn gauged(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
