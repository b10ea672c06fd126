//! Keeps the index at what the keystore says, whoever changes it.
//!
//! One thread with a connection of its own looks every quarter of a second whether anybody has committed, which costs
//! microseconds, and reads what the trail says has changed. A change made through this server wakes it at once and waits
//! for it, so that a revocation is in force when it is answered. While the keystore cannot be read, the engine judges
//! nothing.

use super::Engine;
use crate::{
    backend::{FactSource, REKEYED},
    domain::Time,
    ops::{Error, Result, facts::Facts},
};
use chrono::Utc;
use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::oneshot;

const POLL: Duration = Duration::from_millis(250);
/// How long until a look that failed is repeated; together less than a second with a look in turn.
const AGAIN: [Duration; 3] = [Duration::from_millis(10), Duration::from_millis(50), Duration::from_millis(200)];
/// Every so many looks, what no limit needs any more is forgotten.
const SWEEP_EVERY: u32 = 240;
/// How many callers may wait to be told.
const WAITING: usize = 1_024;

/// Wakes the refresher.
#[derive(Clone)]
pub(in crate::server) struct Wake(SyncSender<oneshot::Sender<()>>);

impl Wake {
    /// Returns once every change committed before this call is in force.
    pub(in crate::server) async fn caught_up(&self) {
        let (told, heard) = oneshot::channel();
        if self.0.try_send(told).is_ok() {
            // A refresher that ended tells nobody; then nothing is judged either.
            let _ = heard.await;
        }
    }
}

struct Refresher {
    engine: Arc<Engine>,
    source: FactSource,
    seq: u64,
    version: Option<i64>,
}

/// Reads everything, then keeps it up to date on a thread that ends when the last [`Wake`] is dropped.
///
/// # Errors
/// Those of the store.
pub(in crate::server) fn start(engine: Arc<Engine>, source: FactSource) -> Result<(Wake, JoinHandle<()>)> {
    let mut refresher = Refresher { engine, source, seq: 0, version: None };
    let now = Utc::now();
    refresher.look(now)?;
    refresher.engine.index.restore(refresher.source.spent(now)?, now);
    let (sender, receiver) = sync_channel(WAITING);
    let thread = std::thread::Builder::new().name("keyward-refresh".to_owned());
    let thread = thread.spawn(move || refresher.run(&receiver)).map_err(|error| {
        crate::ops::Error::new(crate::ops::Kind::Unavailable, "thread", "cannot start a thread")
            .cause(error.to_string())
    })?;
    Ok((Wake(sender), thread))
}

impl Refresher {
    fn run(mut self, wakes: &Receiver<oneshot::Sender<()>>) {
        let mut looks = 0u32;
        loop {
            let first = match wakes.recv_timeout(POLL) {
                Ok(waiting) => Some(waiting),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // All who called before this look are served by it.
            let waiting: Vec<_> = first.into_iter().chain(wakes.try_iter()).collect();
            if let Err(error) = self.look_again() {
                self.engine.seen_ms.store(0, Ordering::Relaxed);
                let Error { causes, hints, .. } = &error;
                tracing::error!(%error, ?causes, ?hints, "the keystore cannot be read; nothing is judged");
            }
            for told in waiting {
                // Whoever has gone away needs no answer.
                let _ = told.send(());
            }
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(SWEEP_EVERY) {
                self.engine.sweep(Utc::now());
            }
        }
    }

    /// A look, and others soon after one that failed: a keystore that another process is just repairing after a kill is
    /// there again in a moment, and every request would be refused until the next look in turn.
    fn look_again(&mut self) -> Result<()> {
        for pause in AGAIN {
            match self.look(Utc::now()) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    self.version = None;
                    if error.reason == REKEYED {
                        self.source.renew(Utc::now())?;
                    }
                    tracing::warn!(%error, causes = ?error.causes, "the keystore could not be read; it is tried again");
                    std::thread::sleep(pause);
                }
            }
        }
        let looked = self.look(Utc::now());
        if looked.is_err() {
            self.version = None;
        }
        looked
    }

    fn look(&mut self, now: Time) -> Result<()> {
        let version = self.source.version()?;
        if self.version != Some(version) {
            self.refresh(now)?;
            self.version = Some(version);
        }
        self.engine.seen_ms.store(now.timestamp_millis(), Ordering::Relaxed);
        Ok(())
    }

    fn refresh(&mut self, now: Time) -> Result<()> {
        let engine = Arc::clone(&self.engine);
        let index = &engine.index;
        let changed = if self.seq == 0 { None } else { self.source.since(self.seq, now)? };
        match changed {
            Some(changed) => {
                if let Some(rest) = changed.rest {
                    index.put_rest(rest);
                }
                let mut gone = HashSet::new();
                for (id, key) in changed.keys {
                    match key {
                        Some(key) => index.put_key(key),
                        None => drop(gone.insert(id)),
                    }
                }
                index.remove_keys(&gone);
                self.seq = changed.seq;
            }
            None => self.read_all(now)?,
        }
        index.sweep();
        Ok(())
    }

    /// Reads everything. Nothing is judged by it until all of it is found to be what the head signs, and whatever fails
    /// half way is read whole again.
    fn read_all(&mut self, now: Time) -> Result<()> {
        let index = &self.engine.index;
        self.engine.seen_ms.store(0, Ordering::Relaxed);
        self.seq = 0;
        let ids = (index.len() > 0).then(|| Mutex::new(HashSet::new()));
        let begin = |facts: Facts| {
            index.put_rest(facts.rest);
            index.reserve(facts.keys);
        };
        let seq = self.source.all(now, begin, &|key| {
            if let Some(ids) = &ids {
                ids.lock().unwrap_or_else(PoisonError::into_inner).insert(key.id.clone());
            }
            index.put_key(key);
        })?;
        if let Some(ids) = ids {
            index.keep_only(&ids.into_inner().unwrap_or_else(PoisonError::into_inner));
        }
        self.seq = seq;
        Ok(())
    }
}
