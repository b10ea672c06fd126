//! `keyward serve`: the use cases and the verdicts over HTTP.
//!
//! [`run`] owns the only async runtime. Verdicts come from the engine in memory; everything else goes through
//! [`crate::backend::Backend`], on connections that requests take turns with. A stop lets every request finish.

mod app;
mod assertion;
mod bearer;
mod body;
mod caller;
mod connection;
mod denials;
mod descriptors;
mod door;
mod engine;
mod exposition;
mod extras;
mod limits;
mod listen;
mod listings;
mod log;
mod metrics;
mod openapi;
mod path;
mod possession;
mod postman;
mod probe;
mod problem;
mod progress;
mod reference;
mod reload;
mod rest;
mod routes;
mod serves;
mod service_manager;
mod shown;
mod table;
mod tls;
mod trail;

pub use listen::Address;
pub use probe::probe;
pub use serves::Serves;
pub use table::RouteTable;
pub use tls::TlsFiles;
pub use trail::{Outgoing, StreamPlace};

use crate::{
    backend::{Presence, Serving},
    domain::RateLimit,
    oidc::Issuers,
    ops::{Context, Error, Kind, Result},
};
use app::{App, Gate, Vaults};
use arc_swap::ArcSwap;
use caller::Intruded;
use connection::{Doors, Watching};
use denials::Denials;
use engine::{Engine, flush::Flusher, refresh};
use ipnet::IpNet;
use listen::Listener;
use listings::Listings;
use metrics::Metrics;
use postman::Postman;
use reload::Reload;
use service_manager::{ServiceManager, Word};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Semaphore, watch},
};
use trail::Leaving;

/// Where to listen when nothing else is said: on this machine.
pub const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787);
/// How many keystore connections requests take turns with: one writes, others read beside it.
const CONNECTIONS: usize = 4;
/// How long a stop waits for requests that are still answered.
const GRACE: Duration = Duration::from_secs(30);
const TLS_CHECK: Duration = Duration::from_secs(30);

/// How to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where to listen, besides the sockets that systemd hands over; when there are none, [`DEFAULT_ADDRESS`].
    pub listen: Vec<Address>,
    /// Who may open the Unix sockets among them, as the mode of a file; the umask decides about the group when it is not said.
    pub socket_mode: Option<u32>,
    /// The certificate for TCP addresses.
    pub tls: Option<TlsFiles>,
    /// Plain HTTP beyond this machine was spelled out.
    pub insecure_http: bool,
    /// Requests an address may make, whichever key it presents.
    pub address_limit: Option<RateLimit>,
    /// The proxies that may name the client's address.
    pub trusted: Vec<IpNet>,
    /// The query parameter that may carry a key.
    pub query_parameter: Option<String>,
    /// Which environments the services behind this server belong to.
    pub serves: Serves,
    /// Services may leave out what a key is bound to: the verdict then only lists it.
    pub lenient: bool,
    /// Whether upstreams get a signed assertion of who calls.
    pub assert: bool,
    /// What `/v1/authz` asks of which request; nothing but a good key without it.
    pub routes: Option<RouteTable>,
    /// How many connections at once.
    pub max_connections: usize,
    /// How often facts of use are written: what a kill loses at most.
    pub usage_interval: Duration,
    /// What of the trail goes where.
    pub outgoing: Outgoing,
}

/// Serves until SIGTERM or SIGINT; `listening` hears the addresses once requests are answered.
///
/// # Errors
/// `Forbidden` for plain HTTP beyond this machine; `Unavailable` when an address cannot be had; those of the store.
pub fn run(serving: &Serving, cx: &Context, options: &Options, listening: &mut dyn FnMut(&[String])) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Error::new(Kind::Unavailable, "runtime", "cannot start the server's threads").cause(error.to_string())
    })?;
    runtime.block_on(serve(serving, cx, options, listening))
}

async fn serve(serving: &Serving, cx: &Context, options: &Options, listening: &mut dyn FnMut(&[String])) -> Result<()> {
    if let (Some(routes), Some(environment)) = (&options.routes, options.serves.only()) {
        routes.must_be_of(environment)?;
    }
    let tls = options.tls.as_ref().map(tls::Tls::open).transpose()?;
    let listeners = bind(options, tls.is_some()).await?;
    let presence = announce(serving);
    let engine = Arc::new(Engine::new(serving.hasher(), options.address_limit));
    let (wake, refresher) = refresh::start(Arc::clone(&engine), serving.facts()?)?;
    tracing::info!(secrets = engine.size(), "the keys are in memory");
    let flusher = Flusher::start(Arc::clone(&engine), serving.usage()?, options.usage_interval)?;
    let metrics = Metrics::new(&engine);
    let leaving = Leaving::start(serving, cx, &options.outgoing, &metrics)?;
    let postman = Postman::start(serving.outbox()?)?;
    let backends = (0..CONNECTIONS).map(|_| serving.backend()).collect::<Result<_>>()?;
    let app = Arc::new(App {
        metrics,
        engine,
        vaults: Vaults::new(backends),
        listings: Listings::default(),
        assertions: serving.assertions(),
        issuers: Issuers::new()?,
        intruded: Intruded::default(),
        denials: Denials::default(),
        wake,
        uses: flusher.flush(),
        stop: watch::Sender::new(false),
        doors: Gate {
            trusted: options.trusted.clone(),
            query_parameter: options.query_parameter.clone(),
            serves: options.serves,
            lenient: options.lenient,
            asserts: options.assert,
            routes: options.routes.clone().map(ArcSwap::from_pointee),
        },
    });
    let mut signals = Signals::listen()?;
    let doors = Doors {
        app: Arc::clone(&app),
        router: routes::router(&app),
        tls: tls.clone(),
        places: Arc::new(Semaphore::new(descriptors::connections(options.max_connections))),
        watching: Arc::new(Watching::new()),
    };
    let urls: Vec<String> = listeners.iter().map(|listener| listener.url(tls.is_some())).collect();
    let denials = tokio::spawn(denials::report(Arc::clone(&app), cx.clone()));
    let accepting: Vec<_> =
        listeners.into_iter().map(|listener| tokio::spawn(listener.accept(doors.clone()))).collect();
    listening(&urls);
    tell_of_others(serving);
    let manager = ServiceManager::meet();
    manager.tell(Word::Ready);
    let reload = Reload { app: Arc::clone(&app), tls };
    signals.until_stop(&reload, &manager).await;
    drop(reload);
    manager.tell(Word::Stopping);
    tracing::info!("stopping: requests that are being answered are finished");
    app.stop.send_replace(true);
    postman.stop();
    for task in accepting {
        // A task that panicked has stopped too.
        let _ = task.await;
    }
    if tokio::time::timeout(GRACE, doors.watching.finish()).await.is_err() {
        tracing::warn!("some requests did not finish in time and were cut off");
    }
    // A task that panicked has ended too.
    let _ = denials.await;
    drop((doors, app));
    // The last sender is gone with the application: the thread ends after what it is doing.
    let ended = tokio::task::spawn_blocking(move || {
        // First what is ours: a place outside may keep whoever sends to it waiting, until the service manager kills us.
        let flushed = flusher.finish();
        postman.finish();
        leaving.finish();
        manager.finish();
        drop(presence);
        (refresher.join(), flushed)
    });
    ended.await.map_or_else(|_| Ok(()), |(_, flushed)| flushed)
}

/// Says to others that a server runs on this vault.
fn announce(serving: &Serving) -> Option<Presence> {
    let presence = Presence::announce(serving.data());
    if let Err(error) = &presence {
        tracing::warn!(%error, "another server on this vault would not be noticed");
    }
    presence.ok()
}

/// Says so where other servers run on this vault, which do not know of what this one allows.
fn tell_of_others(serving: &Serving) {
    let servers = Presence::count(serving.data());
    if servers > 1 {
        tracing::warn!(
            servers,
            "several servers run on this vault: each lets through the whole limit of a key and of an address; one of them sends to webhooks"
        );
    }
}

async fn bind(options: &Options, tls: bool) -> Result<Vec<Listener>> {
    let mut listeners = Listener::inherited()?;
    for address in &options.listen {
        listeners.push(Listener::bind(address, options.socket_mode).await?);
    }
    if listeners.is_empty() {
        listeners.push(Listener::bind(&Address::Tcp(DEFAULT_ADDRESS), None).await?);
    }
    if !tls && !options.insecure_http && listeners.iter().any(Listener::reaches_beyond) {
        return Err(Error::forbidden("plain_http", "plain HTTP beyond this machine would show every key on the way")
            .hint("--tls-cert FILE --tls-key FILE")
            .hint("--insecure-http, where something else encrypts the way"));
    }
    Ok(listeners)
}

/// The signals that a server heeds.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Error::new(Kind::Unavailable, "signal", "cannot listen for signals").cause(error.to_string())
            })
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Returns when the server is to stop; reads again meanwhile what is to be read again, and tells systemd's watchdog that
    /// it is alive.
    async fn until_stop(&mut self, reload: &Reload, manager: &ServiceManager) {
        let mut look = tokio::time::interval(TLS_CHECK);
        let often = |every: Duration| tokio::time::interval((every / 2).max(Duration::from_millis(1)));
        let mut watchdog = sd_notify::watchdog_enabled().map(often);
        loop {
            tokio::select! {
                () = tick(&mut watchdog) => manager.tell(Word::Watchdog),
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => reload.all(manager).await,
                _ = look.tick() => reload.look(),
            }
        }
    }
}

/// The next tick; never, without a clock.
async fn tick(clock: &mut Option<tokio::time::Interval>) {
    match clock {
        Some(clock) => drop(clock.tick().await),
        None => std::future::pending().await,
    }
}
