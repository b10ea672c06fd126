//! Many keys in one transaction, all or none. Keys are made and sealed by all threads, a batch at a time; they are judged
//! and written by one, in the order of the file.

use super::{
    Done,
    context::Context,
    create::{Create, Created},
    error::{Error, Kind, Result},
    existing::existing,
    free_text,
    new_key::{Accepted, Made, Standing, accept, keep, make},
};
use crate::{domain::Event, store::Tx, vault::Capabilities};
use rand::{CryptoRng, SeedableRng, rngs::StdRng};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use zeroize::Zeroizing;

/// Keys made at once.
const BATCH: usize = 2_048;
/// So many errors are told; more would only hide the first.
const REPORTED: usize = 100;

/// Many keys to be created, all or none.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct CreateMany {
    /// The keys, 50,000 at most through a server.
    #[cfg_attr(test, schema(max_items = 50_000))]
    pub keys: Vec<Create>,
    /// So many more are created before these, by other requests: what a plan allows is judged as if they were there.
    #[serde(default)]
    pub before: usize,
}

impl From<Vec<Create>> for CreateMany {
    fn from(keys: Vec<Create>) -> Self {
        Self { keys, before: 0 }
    }
}

/// An error of one entry of a bulk file, by the entry's position from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryError {
    /// The entry's position in the request, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub error: Error,
}

/// What is wrong with a bulk file: the first errors, and where the others are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntryErrors {
    /// The first of them, in the order of the file.
    pub told: Vec<EntryError>,
    /// The positions of the other entries that are wrong.
    pub others: Vec<usize>,
}

impl EntryErrors {
    /// An error that is not one of any entry alone.
    #[must_use]
    pub fn of_all(error: Error) -> Self {
        Self { told: vec![EntryError { index: 0, error }], others: Vec::new() }
    }

    /// Adds one. A million errors are not held: of those beyond what is told, the position is kept.
    pub(super) fn push(&mut self, index: usize, error: Error) {
        self.told.push(EntryError { index, error });
        if self.told.len() > 2 * BATCH {
            self.cut();
        }
    }

    /// Puts them in the order of the file, and keeps the first.
    pub(super) fn cut(&mut self) {
        self.told.sort_by_key(|entry| entry.index);
        self.others.extend(self.told.drain(REPORTED.min(self.told.len())..).map(|entry| entry.index));
        self.others.sort_unstable();
    }

    /// Adds those of another request of the same file, whose first entry is the entry of that position.
    pub fn extend(&mut self, first: usize, later: Self) {
        let told = later.told.into_iter();
        self.told.extend(told.map(|entry| EntryError { index: entry.index + first, ..entry }));
        self.others.extend(later.others.into_iter().map(|index| index + first));
        self.cut();
    }

    /// All of them as one, for the trail: the first that a rule or a state speaks against, else the first.
    #[must_use]
    pub fn as_one(&self) -> Error {
        let refusal = self.told.iter().find(|entry| entry.error.is_refusal());
        let one = refusal.or_else(|| self.told.first()).map(|entry| entry.error.clone());
        one.unwrap_or_else(|| Error::usage("the keys cannot be made"))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }
}

/// An entry that waits for its batch, with the seed of its randomness.
struct Waiting {
    index: usize,
    seed: Zeroizing<[u8; 32]>,
    accepted: Accepted,
}

/// What has come of a file so far.
struct Bulk<'b> {
    caps: &'b Capabilities,
    cx: &'b Context,
    workspace: Standing,
    waiting: Vec<Waiting>,
    /// Keys that other requests create before these.
    before: usize,
    /// Names, idempotency keys and imported secrets of what waits.
    names: HashSet<String>,
    created: Vec<Created>,
    events: Vec<Event>,
    errors: EntryErrors,
}

/// Creates many keys in one transaction: all or none. `progress` hears how many are done.
///
/// # Errors
/// Every entry that cannot be created; the caller must then drop the transaction.
pub fn create_many(
    tx: &mut Tx<'_>,
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    cx: &Context,
    CreateMany { keys, before }: CreateMany,
    progress: &mut dyn FnMut(usize),
) -> Result<Done<Vec<Created>>, EntryErrors> {
    let workspace = Standing::of(tx, cx).map_err(EntryErrors::of_all)?;
    if !keys.is_empty() {
        // Not once a line: it is said once for all of them.
        super::policy::demanded_of_call(&workspace.policy, cx, "a new key").map_err(EntryErrors::of_all)?;
    }
    let (waiting, names, errors) = (Vec::new(), HashSet::new(), EntryErrors::default());
    let (created, events) = (Vec::with_capacity(keys.len()), Vec::with_capacity(keys.len()));
    let mut bulk = Bulk { caps, cx, workspace, waiting, before, names, created, events, errors };
    for (index, mut request) in keys.into_iter().enumerate() {
        if let Err(error) = free_text::of_key(&mut request) {
            bulk.errors.push(index, error);
            continue;
        }
        if bulk.waiting.len() == BATCH || bulk.may_meet_itself(&request) {
            bulk.write(tx);
            progress(index);
        }
        bulk.judge(tx, rng, index, request);
        if bulk.is_hopeless() {
            break;
        }
    }
    bulk.write(tx);
    progress(bulk.created.len());
    bulk.errors.cut();
    if bulk.errors.is_empty() { Ok(Done { outcome: bulk.created, events: bulk.events }) } else { Err(bulk.errors) }
}

fn name_of(request: &Create) -> String {
    format!("{}\0{}", request.environment, request.name)
}

fn secret_of(request: &Create) -> Option<String> {
    request.imported.as_ref().map(|imported| format!("\0secret\0{}", imported.lookup))
}

fn idempotency_of(request: &Create) -> Option<String> {
    request.idempotency_key.as_ref().map(|key| format!("\0{key}"))
}

impl Bulk<'_> {
    /// Whether an entry may be about a key that still waits: then that one must be written before it is judged.
    fn may_meet_itself(&self, request: &Create) -> bool {
        let others = [idempotency_of(request), secret_of(request)];
        self.names.contains(&name_of(request)) || others.iter().flatten().any(|other| self.names.contains(other))
    }

    fn judge(&mut self, tx: &mut Tx<'_>, rng: &mut impl CryptoRng, index: usize, request: Create) {
        let names = [Some(name_of(&request)), idempotency_of(&request), secret_of(&request)];
        let judged = existing(tx, self.cx, &request).and_then(|there| match there {
            Some(there) => Ok(Err(there)),
            None => {
                let waiting = self.waiting.len().saturating_add(self.before);
                accept(tx, self.cx, &mut self.workspace, request, waiting).map(Ok)
            }
        });
        match judged {
            Ok(Ok(accepted)) => {
                let mut seed = Zeroizing::new([0; 32]);
                rng.fill_bytes(seed.as_mut());
                self.names.extend(names.into_iter().flatten());
                self.waiting.push(Waiting { index, seed, accepted });
            }
            Ok(Err(there)) => {
                // In the order of the file.
                self.write(tx);
                self.created.push(there);
            }
            Err(error) => self.errors.push(index, error),
        }
    }

    fn write(&mut self, tx: &mut Tx<'_>) {
        self.names.clear();
        let (caps, cx, workspace, sealer) = (self.caps, self.cx, &self.workspace, tx.sealer());
        let made: Vec<(usize, Result<Made>)> = std::mem::take(&mut self.waiting)
            .into_par_iter()
            .map(|Waiting { index, seed, accepted }| {
                let mut rng = StdRng::from_seed(*seed);
                (index, make(caps, &mut rng, cx, workspace, &sealer, accepted))
            })
            .collect();
        for (index, made) in made {
            match made.and_then(|made| keep(tx, made)) {
                Ok(done) => {
                    self.created.push(done.outcome);
                    self.events.extend(done.events);
                }
                Err(error) => self.errors.push(index, error),
            }
        }
    }

    /// Whether going on tells the caller nothing more.
    fn is_hopeless(&self) -> bool {
        let fatal = |entry: &EntryError| entry.error.kind.retryable() || entry.error.kind == Kind::Integrity;
        self.errors.told.last().is_some_and(fatal)
    }
}
