//! Keeps the index at what the keystore says, whoever changes it.
//!
//! One thread with a connection of its own looks every quarter of a second whether anybody has committed, which costs
//! microseconds, and reads what the trail says has changed. A change made through this server wakes it at once and waits
//! for it, so that a revocation is in force when it is answered. While the keystore cannot be read, the engine judges
//! nothing.
//!
//! What happened to keys that there were comes first and at once. Keys that were made are taken up after it, a slice at a
//! time, with another look after each: however many were made, a revocation beside them is as quick as ever. A key that is
//! still to be taken up is unknown, which allows nothing.

use super::{Engine, STALE_AFTER_MS, clock::Watch};
use crate::{
    backend::{FactSource, REKEYED, SeenFile},
    domain::{Key, KeyId, Time},
    ops::{Error, Result, facts::Facts},
};
use chrono::Utc;
use std::{
    collections::{HashSet, VecDeque},
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
/// How many new keys are taken up between two looks.
const SLICE: usize = 2_048;
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

pub(super) struct Refresher {
    engine: Arc<Engine>,
    pub(super) source: FactSource,
    seq: u64,
    version: Option<SeenFile>,
    /// Which file everything was read from.
    file: u32,
    /// Keys that were made and are still to be taken up.
    made: VecDeque<KeyId>,
    /// How many there ever were to be taken up: who waits for those that there are is told once so many were.
    asked: u64,
}

/// Reads everything, then keeps it up to date on a thread that ends when the last [`Wake`] is dropped.
///
/// # Errors
/// Those of the store.
pub(in crate::server) fn start(engine: Arc<Engine>, source: FactSource) -> Result<(Wake, JoinHandle<()>)> {
    let mut refresher = Refresher::new(engine, source);
    let now = Utc::now();
    refresher.look(now)?;
    refresher.engine.index.restore(refresher.source.spent(now)?, now);
    // Very many keys take longer to read than a look is believed: without another one the first requests would be refused.
    refresher.look(Utc::now())?;
    let (sender, receiver) = sync_channel(WAITING);
    let thread = std::thread::Builder::new().name("keyward-refresh".to_owned());
    let thread = thread.spawn(move || refresher.run(&receiver)).map_err(|error| {
        crate::ops::Error::new(crate::ops::Kind::Unavailable, "thread", "cannot start a thread")
            .cause(error.to_string())
    })?;
    Ok((Wake(sender), thread))
}

impl Refresher {
    pub(super) fn new(engine: Arc<Engine>, source: FactSource) -> Self {
        Self { engine, source, seq: 0, version: None, file: 0, made: VecDeque::new(), asked: 0 }
    }

    fn run(mut self, wakes: &Receiver<oneshot::Sender<()>>) {
        let mut looks = 0u32;
        let mut waiting: VecDeque<(u64, oneshot::Sender<()>)> = VecDeque::new();
        let mut watch = Watch::begin(&self.engine.clock);
        loop {
            let first = match wakes.recv_timeout(self.pause(Utc::now())) {
                Ok(waiting) => Some(waiting),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            watch.look(&self.engine.clock);
            // All who called before this look are served by it.
            let came: Vec<_> = first.into_iter().chain(wakes.try_iter()).collect();
            let looked = self.look_again();
            waiting.extend(came.into_iter().map(|told| (self.asked, told)));
            let failed = looked.is_err();
            if let Err(error) = looked {
                self.engine.seen_ms.store(0, Ordering::Relaxed);
                let Error { causes, hints, .. } = &error;
                tracing::error!(%error, ?causes, ?hints, "the keystore cannot be read; nothing is judged");
            }
            let taken_up = self.asked - self.made.len() as u64;
            let ready = waiting.iter().take_while(|(mark, _)| failed || *mark <= taken_up).count();
            for (_, told) in waiting.drain(..ready) {
                // Whoever has gone away needs no answer.
                let _ = told.send(());
            }
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(SWEEP_EVERY) {
                self.engine.sweep(Utc::now());
            }
        }
    }

    /// How long until the next look: none while keys are to be taken up, or while nothing is judged because the last look
    /// took too long to be believed.
    pub(super) fn pause(&self, now: Time) -> Duration {
        if self.made.is_empty() && self.engine.available(now).is_ok() { POLL } else { Duration::ZERO }
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

    /// Takes up what has changed, and a slice of the keys that were made. What it says of when the keystore was seen holds
    /// for every key that was in memory before.
    pub(super) fn look(&mut self, now: Time) -> Result<()> {
        let version = self.source.version(now)?;
        if self.version != Some(version) {
            if self.file != version.file {
                (self.seq, self.file) = (0, version.file);
            }
            self.refresh(now)?;
            self.version = Some(version);
        }
        let before = self.engine.seen_ms.swap(now.timestamp_millis(), Ordering::Relaxed);
        tell_if_late(before, Utc::now());
        self.take_up(now)
    }

    fn refresh(&mut self, now: Time) -> Result<()> {
        let changed = if self.seq == 0 { None } else { self.source.since(self.seq, now)? };
        match changed {
            Some(changed) => {
                if let Some(rest) = changed.rest {
                    self.engine.index.put_rest(rest);
                }
                self.put(changed.keys);
                self.asked += changed.made.len() as u64;
                self.made.extend(changed.made);
                self.seq = changed.seq;
            }
            None => self.read_all(now)?,
        }
        self.engine.index.sweep();
        Ok(())
    }

    /// Takes up the next keys that were made, as they are by now.
    fn take_up(&mut self, now: Time) -> Result<()> {
        let slice = self.made.len().min(SLICE);
        if slice > 0 {
            let ids: Vec<KeyId> = self.made.iter().take(slice).cloned().collect();
            let keys = self.source.keys(&ids, now)?;
            self.put(keys);
            self.made.drain(..slice);
        }
        Ok(())
    }

    fn put(&self, keys: Vec<(KeyId, Option<Key>)>) {
        let mut gone = HashSet::new();
        for (id, key) in keys {
            match key {
                Some(key) => self.engine.index.put_key(key),
                None => drop(gone.insert(id)),
            }
        }
        self.engine.index.remove_keys(&gone);
    }

    #[cfg(test)]
    pub(super) fn to_take_up(&self) -> usize {
        self.made.len()
    }

    /// Reads everything. Nothing is judged by it until all of it is found to be what the head signs, and whatever fails
    /// half way is read whole again.
    fn read_all(&mut self, now: Time) -> Result<()> {
        let index = &self.engine.index;
        self.engine.seen_ms.store(0, Ordering::Relaxed);
        self.seq = 0;
        self.made.clear();
        // By look-up, not by key: a keystore that was put back may know fewer secrets of a key than were in memory.
        let lookups = (index.len() > 0).then(|| Mutex::new(HashSet::new()));
        let begin = |facts: Facts| {
            index.put_rest(facts.rest);
            index.reserve(facts.keys);
        };
        let seq = self.source.all(now, begin, &|key| {
            if let Some(lookups) = &lookups {
                let own = key.secrets.iter().map(|secret| *secret.lookup.as_bytes());
                lookups.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
            }
            index.put_key(key);
        })?;
        if let Some(lookups) = lookups {
            index.keep_only(&lookups.into_inner().unwrap_or_else(PoisonError::into_inner));
        }
        self.seq = seq;
        Ok(())
    }
}

/// Says so when the keystore had not been seen for so long that requests were refused.
fn tell_if_late(seen_ms: i64, now: Time) {
    let milliseconds = now.timestamp_millis() - seen_ms;
    if seen_ms > 0 && milliseconds > STALE_AFTER_MS {
        tracing::warn!(milliseconds, "the keystore was not seen for too long: nothing was judged meanwhile");
    }
}
