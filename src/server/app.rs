//! What every request has at hand, and the keystore connections that requests take turns with.

use super::{
    caller::Intruded,
    denials::Denials,
    engine::{Engine, flush::Flush, refresh::Wake},
    listings::Listings,
    metrics::Metrics,
    serves::Serves,
    table::RouteTable,
};
use crate::{
    backend::{AssertionSigner, Backend, ServedBackend},
    oidc::Issuers,
    ops::{Error, Kind, Result},
    wire::problem::SERVER_BUSY,
};
use arc_swap::ArcSwap;
use chrono::Utc;
use ipnet::IpNet;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// How long a request waits for its turn with the keystore.
const TURN_TIME: Duration = Duration::from_secs(10);
/// How many of the connections may be taken by what takes long.
const LONG: usize = 2;

/// The state of the server.
pub(super) struct App {
    pub(super) engine: Arc<Engine>,
    pub(super) metrics: Metrics,
    pub(super) vaults: Vaults,
    /// The lists that are being read page by page.
    pub(super) listings: Listings,
    /// Signs what upstreams are told of whoever calls.
    pub(super) assertions: AssertionSigner,
    /// The keys of issuers whose tokens let somebody in.
    pub(super) issuers: Issuers,
    /// Whose credentials were refused lately.
    pub(super) intruded: Intruded,
    /// The credentials that were refused since it was last told.
    pub(super) denials: Denials,
    pub(super) wake: Wake,
    /// Has the uses that are known here written before their time.
    pub(super) uses: Flush,
    /// How requests from outside are read.
    pub(super) doors: Gate,
    /// Becomes true once, when the server is to stop.
    pub(super) stop: watch::Sender<bool>,
}

/// How requests from outside are read.
pub(super) struct Gate {
    /// The proxies that may name the client's address.
    pub(super) trusted: Vec<IpNet>,
    /// The query parameter that may carry a key.
    pub(super) query_parameter: Option<String>,
    /// Which environments the services behind this server belong to.
    pub(super) serves: Serves,
    /// Services may leave out what a key is bound to.
    pub(super) lenient: bool,
    /// Whether upstreams get an assertion.
    pub(super) asserts: bool,
    /// What `/v1/authz` asks of which request.
    pub(super) routes: Option<ArcSwap<RouteTable>>,
}

/// Back ends, each with a connection of its own.
pub(super) struct Vaults {
    idle: Mutex<Vec<ServedBackend>>,
    turns: Arc<Semaphore>,
    /// Of the turns, those for what reads the whole trail, or waits for a reader: the others stay for changes.
    long: Arc<Semaphore>,
}

/// The server is stopping, or a task was lost.
fn lost() -> Error {
    Error::new(Kind::Unavailable, "stopping", "the server is stopping")
}

/// Every connection to the keystore is at work.
fn busy() -> Error {
    Error::new(Kind::Busy, SERVER_BUSY, "the server has more to do than it can answer at the moment")
}

/// A turn, for as long as it is held: by the work, not by whoever asked for it, who may go away.
async fn turn(of: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
    let turn = tokio::time::timeout(TURN_TIME, Arc::clone(of).acquire_owned()).await;
    turn.map_err(|_| busy())?.map_err(|_| lost())
}

impl Vaults {
    pub(super) fn new(backends: Vec<ServedBackend>) -> Self {
        let turns = Arc::new(Semaphore::new(backends.len()));
        Self { turns, long: Arc::new(Semaphore::new(LONG)), idle: Mutex::new(backends) }
    }
}

impl App {
    /// Runs a use case on a thread that may block.
    ///
    /// # Errors
    /// `Busy` when there was no turn for too long; those of the use case.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&dyn Backend) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = turn(&self.vaults.turns).await?;
        self.run(turn, work).await
    }

    /// Runs what takes long, of which there is less at once than there are connections.
    ///
    /// # Errors
    /// As [`App::ask`].
    pub(super) async fn ask_at_length<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&dyn Backend) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let long = turn(&self.vaults.long).await?;
        let turn = turn(&self.vaults.turns).await?;
        self.run((long, turn), work).await
    }

    async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        turn: impl Send + 'static,
        work: impl FnOnce(&dyn Backend) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let app = Arc::clone(self);
        let asked = tokio::task::spawn_blocking(move || {
            let idle = || app.vaults.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let mut backend = idle().pop().ok_or_else(lost)?;
            // A panic in a use case must not take the connection with it.
            let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(backend.current(Utc::now())?)));
            idle().push(backend);
            drop(turn);
            asked.unwrap_or_else(|_| Err(Error::new(Kind::Internal, "panic", "the request ran into a bug")))
        });
        asked.await.map_err(|_| lost())?
    }

    /// Runs a change, and answers once verdicts heed it; they do so too when nobody waits for the answer any more.
    ///
    /// # Errors
    /// Those of the use case.
    pub(super) async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&dyn Backend) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let app = Arc::clone(self);
        let changed = tokio::spawn(async move {
            let done = app.ask(work).await?;
            app.wake.caught_up().await;
            Ok(done)
        });
        changed.await.map_err(|_| lost())?
    }
}
