//! What verdicts leave behind until it is written, in a bounded amount of memory.
//!
//! So many requests between two writes are kept one by one, with what was asked: refused ones and others each have their
//! number, so that a flood of the one leaves room for the other. Whatever comes beyond that is added up with its equals.
//!
//! Verdicts are equal that have the same secret, code and address within the same hour. When very many different ones
//! wait, further ones are counted without their address; when even those are too many, they are dropped, and it is
//! counted how many were.

use super::{Asked, Judged, KeyRecord, index::LookupBytes};
use crate::domain::{Code, KeyId, OperatorRequest, RequestFacts, SecretState, Spent, UsageRecord, decide};
use chrono::DateTime;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

const SHARDS: usize = 64;
/// How many different verdicts wait in a shard, with their addresses.
const MAX_IN_SHARD: usize = 2_048;
/// How many more, without.
const MORE_IN_SHARD: usize = 1_024;
/// When so many wait, they are to be written before their time.
const PRESSING: usize = SHARDS * MAX_IN_SHARD / 2;
/// How many requests that were let in are kept one by one between two writes, and how many that were refused; of verdicts
/// and of operators' requests each.
pub(super) const ONE_BY_ONE: u32 = 1_000;
/// The longest user agent that is kept, in bytes: it comes from strangers.
const LONGEST_AGENT: usize = 256;

/// The verdicts that wait.
pub(super) struct Buffer {
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
    /// How many were kept one by one since the last write: refused ones, and others.
    kept: [AtomicU32; 2],
    requests: Mutex<[Vec<OperatorRequest>; 2]>,
    waiting: AtomicUsize,
    dropped: AtomicU64,
    written: AtomicU64,
    failures: AtomicU64,
}

/// A part of those that wait.
#[derive(Default)]
struct Shard {
    noted: HashMap<Which, Noted>,
    /// Those that are kept one by one.
    single: Vec<(Which, Noted)>,
    /// The user agent seen last: mostly it is the same one again, and need not be copied.
    user_agent: Option<Arc<str>>,
}

/// How verdicts are getting to the keystore.
pub(in crate::server) struct Told {
    /// How many different ones wait.
    pub(in crate::server) waiting: usize,
    /// How many verdicts could not even wait.
    pub(in crate::server) dropped: u64,
    /// How many different ones were written.
    pub(in crate::server) written: u64,
    /// How often writing failed.
    pub(in crate::server) failures: u64,
}

/// What makes verdicts equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Which {
    /// `None` for a credential that no key has.
    secret: Option<LookupBytes>,
    code: Code,
    address: Option<IpAddr>,
    hour: i64,
}

struct Noted {
    key: Option<Arc<KeyRecord>>,
    count: u64,
    /// In microseconds: which of two was the last is not told by seconds.
    at_us: i64,
    user_agent: Option<Arc<str>>,
    detail: Option<Box<str>>,
    /// Of one that is kept by itself: what was asked, and by which operator.
    request: Option<Box<(RequestFacts, Option<String>)>>,
}

/// What is to be written: verdicts, those of a key together and in their order, and requests of operators.
pub(super) struct Batch {
    verdicts: Vec<(UsageRecord, Option<Arc<KeyRecord>>)>,
    requests: Vec<OperatorRequest>,
}

impl Default for Buffer {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            kept: Default::default(),
            requests: Mutex::default(),
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            written: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }
}

impl Buffer {
    /// Notes a verdict.
    pub(super) fn note(&self, judged: &Judged, asked: &Asked<'_>) {
        let at_us = asked.now.timestamp_micros();
        let mut which = Which {
            secret: judged.secret.map(|(lookup, _)| lookup),
            code: judged.code,
            address: asked.request.ip,
            hour: at_us.div_euclid(3_600_000_000),
        };
        let user_agent = asked.user_agent.map(cut);
        let by_itself = self.has_room(judged.code == Code::Valid);
        let mut shard = self.shard(&which);
        let Shard { noted, single, user_agent: last } = &mut *shard;
        if last.as_deref() != user_agent {
            *last = user_agent.map(Arc::from);
        }
        if by_itself {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let facts = (asked.facts)(judged.code);
            let noted = Noted {
                key: judged.key.clone(),
                count: 1,
                at_us,
                user_agent: last.clone(),
                detail: why(judged, asked).map(String::into_boxed_str),
                request: Some(Box::new((facts, asked.operator.map(str::to_owned)))),
            };
            return single.push((which, noted));
        }
        if noted.len() >= MAX_IN_SHARD && !noted.contains_key(&which) {
            which.address = None;
            if noted.len() >= MAX_IN_SHARD + MORE_IN_SHARD && !noted.contains_key(&which) {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        let noted = noted.entry(which).or_insert_with(|| {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            Noted {
                key: judged.key.clone(),
                count: 0,
                at_us,
                user_agent: None,
                detail: why(judged, asked).map(String::into_boxed_str),
                request: None,
            }
        });
        noted.count += 1;
        noted.at_us = noted.at_us.max(at_us);
        if noted.user_agent.as_deref() != user_agent {
            noted.user_agent.clone_from(last);
        }
    }

    /// Whether one more may be kept by itself until the next write.
    fn has_room(&self, allowed: bool) -> bool {
        let kept = &self.kept[usize::from(allowed)];
        // Looked at first: under load nobody writes to it.
        kept.load(Ordering::Relaxed) < ONE_BY_ONE && kept.fetch_add(1, Ordering::Relaxed) < ONE_BY_ONE
    }

    /// Notes a request of an operator, while there is room.
    pub(super) fn note_request(&self, request: OperatorRequest) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind = &mut requests[usize::from(request.is_ok())];
        if of_kind.len() < ONE_BY_ONE as usize {
            of_kind.push(request);
        }
    }

    fn shard(&self, which: &Which) -> MutexGuard<'_, Shard> {
        // Public ids are random, and nobody but us draws them; what strangers can choose is hashed with a key.
        let place = match which.secret {
            Some(lookup) => usize::from(lookup[0]) * 62 + usize::from(lookup[1]),
            None => self.hasher.hash_one(which) as usize,
        };
        let place = place % SHARDS;
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many different verdicts wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether they are to be written before their time.
    pub(super) fn is_pressing(&self) -> bool {
        self.waiting() >= PRESSING
    }

    /// Counts what was written, or that writing failed.
    pub(super) fn tried(&self, written: Option<usize>) {
        match written {
            Some(count) => self.written.fetch_add(count as u64, Ordering::Relaxed),
            None => self.failures.fetch_add(1, Ordering::Relaxed),
        };
    }

    pub(super) fn told(&self) -> Told {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let [dropped, written, failures] = [&self.dropped, &self.written, &self.failures].map(read);
        Told { waiting: self.waiting(), dropped, written, failures }
    }

    /// Takes everything out.
    pub(super) fn take(&self) -> Batch {
        let mut batch = Vec::with_capacity(self.waiting());
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let (noted, single) = (std::mem::take(&mut shard.noted), std::mem::take(&mut shard.single));
            drop(shard);
            self.waiting.fetch_sub(noted.len() + single.len(), Ordering::Relaxed);
            batch.extend(noted);
            batch.extend(single);
        }
        for kept in &self.kept {
            kept.store(0, Ordering::Relaxed);
        }
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let [refused, answered] = std::mem::take(&mut *requests);
        drop(requests);
        // The newest first, for the oldest are written first, and taken off the end.
        let mut requests = [refused, answered].concat();
        requests.sort_by_key(|request| Reverse(request.at));
        batch.sort_by_key(|(_, noted)| Reverse(noted.at_us));
        Batch { verdicts: batch.into_iter().filter_map(|(which, noted)| noted.record(&which)).collect(), requests }
    }
}

impl Noted {
    fn record(self, which: &Which) -> Option<(UsageRecord, Option<Arc<KeyRecord>>)> {
        let lookup = which.secret.and_then(|lookup| std::str::from_utf8(&lookup).ok()?.parse().ok());
        let (request, operator) = self.request.map(|known| *known).unzip();
        let record = UsageRecord {
            request,
            operator: operator.flatten(),
            at: DateTime::from_timestamp_micros(self.at_us)?,
            count: self.count,
            key: self.key.as_ref().map(|key| key.id.clone()),
            lookup,
            code: which.code,
            address: which.address,
            user_agent: self.user_agent.as_deref().map(str::to_owned),
            detail: self.detail.map(String::from),
        };
        Some((record, self.key))
    }
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.verdicts.is_empty() && self.requests.is_empty()
    }

    /// The oldest so many verdicts, what their keys have spent of their limits by now, and the oldest requests of operators;
    /// limits are ahead of the clock by so much.
    pub(super) fn oldest(&self, count: usize, ahead_ms: i64) -> (Vec<UsageRecord>, Vec<Spent>, &[OperatorRequest]) {
        let oldest = &self.verdicts[self.verdicts.len().saturating_sub(count)..];
        let mut spending: BTreeMap<&KeyId, &KeyRecord> = BTreeMap::new();
        for (record, key) in oldest.iter().filter(|(record, _)| record.code == Code::Valid) {
            spending.extend(record.key.as_ref().zip(key.as_deref()));
        }
        let spent = spending.into_values().filter_map(|key| key.spent(ahead_ms)).collect();
        let requests = &self.requests[self.requests.len().saturating_sub(count)..];
        (oldest.iter().map(|(record, _)| record.clone()).collect(), spent, requests)
    }

    /// Drops the oldest so many verdicts and requests: they are written.
    pub(super) fn written(&mut self, verdicts: usize, requests: usize) {
        self.verdicts.truncate(self.verdicts.len().saturating_sub(verdicts));
        self.requests.truncate(self.requests.len().saturating_sub(requests));
    }
}

/// Why a request was denied, in the words of `verify`; worked out for the first of several equal ones alone.
fn why(judged: &Judged, asked: &Asked<'_>) -> Option<String> {
    match (judged.code, &judged.key) {
        (Code::Valid, _) => None,
        (Code::RateLimited, _) => judged.standing.map(|standing| format!("the limit of {} is used up", standing.limit)),
        (Code::Malformed, _) => Some("no token, or a damaged one".to_owned()),
        (_, None) => Some("no key has this secret".to_owned()),
        (_, Some(key)) => {
            let workspace = key.workspace();
            let state = judged.secret.map_or(SecretState::Current { until: None }, |(_, state)| state);
            let verdict = decide(&key.presented(&workspace, "", state), asked.request, &workspace.catalogue, asked.now);
            verdict.checks.into_iter().find(|check| check.ok == Some(false)).map(|check| check.detail)
        }
    }
}

fn cut(text: &str) -> &str {
    let end = (0..=text.len().min(LONGEST_AGENT)).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
#[path = "usage_tests.rs"]
mod tests;
