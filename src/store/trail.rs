//! Walking the whole trail: every hash computed again, every link, seal and stored subtree hash compared.
//!
//! Events are read in batches and examined on all cores; what depends on the one before is checked in order, so that
//! the first bad sequence number is named whatever else is wrong behind it.

use super::{
    audit::{Body, StoredEvent, hex, is_of_key, leaf, open_detail, recorded},
    error::{Error, Result},
    tree::is_stored,
    view::View,
};
use crate::{
    domain::{
        Action, Outcome,
        merkle::{CompactRange, Hash, Node},
    },
    vault::Capabilities,
};
use rayon::prelude::*;
use std::collections::HashMap;

/// Enough events a batch that the cores are busy, and few enough that memory stays small.
const BATCH: usize = 4096;

/// How thoroughly to walk, and what else to answer.
pub struct Walk<'a> {
    /// Read every detail as the event that it is, too.
    pub full: bool,
    /// Answer with the roots at these sizes.
    pub roots_at: &'a [u64],
    /// Hears how many events are checked.
    pub progress: Option<&'a mut dyn FnMut(u64)>,
}

impl Walk<'_> {
    /// A walk that nobody watches.
    pub(super) fn quick() -> Self {
        Self { full: false, roots_at: &[], progress: None }
    }
}

/// What a walk found out.
pub(super) struct Walked {
    /// The epoch of the last commit on each target.
    pub(super) last_epochs: HashMap<String, i64>,
    /// The roots that were asked for.
    pub(super) roots: Vec<(u64, Hash)>,
}

/// What of an event can be examined without the one before it.
struct Examined {
    seq: u64,
    epoch: u64,
    prev: String,
    leaf: Hash,
}

fn examine(caps: &Capabilities, stored: &StoredEvent, full: bool) -> Result<Examined> {
    let seq = u64::try_from(stored.seq).unwrap_or_default();
    let bad = |what| Error::Trail { seq, what };
    let body: Body<'_> = serde_json::from_slice(&stored.body).map_err(|_| bad("its body does not parse"))?;
    let leaf = leaf(&stored.body);
    if leaf.as_slice() != stored.hash {
        return Err(bad("its body does not have its hash"));
    }
    if body.seq != seq || body.chain != caps.vault_id {
        return Err(bad("it does not follow the one before it"));
    }
    let columns_agree = i64::try_from(body.epoch) == Ok(stored.epoch)
        && body.target == stored.target
        && wrote_target(&body) == stored.done;
    if !columns_agree {
        return Err(bad("its columns are not those of its body"));
    }
    if caps.admin.is_some() || (caps.serves_desk() && is_of_key(&body)) {
        let detail = open_detail(caps, stored, &body)?;
        if full {
            recorded(&body, &detail)?;
        }
    }
    Ok(Examined { seq, epoch: body.epoch, prev: body.prev.into_owned(), leaf })
}

/// The tree and the chain as far as they were walked.
struct Walker<'v, 's, 'w> {
    view: &'v View<'s>,
    walk: Walk<'w>,
    tree: CompactRange,
    last: Hash,
    epoch: u64,
    out: Walked,
}

impl Walker<'_, '_, '_> {
    fn grow(&mut self, leaf: Hash) -> Result<()> {
        let mut completed: Vec<(Node, Hash)> = Vec::new();
        self.tree.push(leaf, |node, hash| {
            if is_stored(node) {
                completed.push((node, *hash));
            }
        });
        for (node, hash) in completed {
            if self.view.stored_node(node)? != Some(hash) {
                return Err(Error::TreeDamaged);
            }
        }
        self.last = leaf;
        if self.walk.roots_at.contains(&self.tree.size()) {
            self.out.roots.push((self.tree.size(), self.tree.root()));
        }
        Ok(())
    }

    /// Takes the leaves of archived events, up to before `seq`.
    fn skip_to(&mut self, seq: u64) -> Result<()> {
        while self.tree.size() + 1 < seq {
            let next = self.tree.size() + 1;
            if next > self.view.head.archived {
                return Err(Error::Trail { seq: next, what: "it is missing, or another one stands in its place" });
            }
            let until = seq.min(self.view.head.archived + 1).min(next + BATCH as u64);
            for leaf in self.view.leaves(next - 1, until - next)? {
                self.grow(leaf)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, examined: &Examined) -> Result<()> {
        self.skip_to(examined.seq)?;
        let seq = self.tree.size() + 1;
        let bad = |what| Error::Trail { seq, what };
        if examined.seq != seq {
            return Err(bad("it is missing, or another one stands in its place"));
        }
        if examined.prev != hex(&self.last) {
            return Err(bad("it does not follow the one before it"));
        }
        if examined.epoch < self.epoch {
            return Err(bad("its columns are not those of its body"));
        }
        self.epoch = examined.epoch;
        self.grow(examined.leaf)
    }
}

impl View<'_> {
    /// Walks the trail from its first event to the signed head.
    pub(super) fn walk_trail(&self, walk: Walk<'_>) -> Result<Walked> {
        let out = Walked { last_epochs: HashMap::new(), roots: Vec::new() };
        let (caps, full) = (self.caps, walk.full);
        let mut walker = Walker { view: self, walk, tree: CompactRange::default(), last: [0; 32], epoch: 0, out };
        self.each_batch(BATCH, |batch| {
            let examined: Vec<Result<Examined>> = batch.par_iter().map(|stored| examine(caps, stored, full)).collect();
            for (stored, examined) in batch.into_iter().zip(examined) {
                walker.step(&examined?)?;
                if stored.done {
                    walker.out.last_epochs.insert(stored.target, stored.epoch);
                }
            }
            if let Some(progress) = &mut walker.walk.progress {
                progress(walker.tree.size());
            }
            Ok(())
        })?;
        walker.skip_to(self.head.archived + 1)?;
        let size = walker.tree.size();
        if size != self.head.size || walker.last != self.head.last_hash || walker.tree != self.head.tree {
            return Err(Error::TrailCut { signed: self.head.size, found: size });
        }
        if self.stored_nodes()? != stored_below(size) {
            return Err(Error::TreeDamaged);
        }
        Ok(walker.out)
    }
}

/// How many inner nodes a tree of a size has stored.
fn stored_below(size: u64) -> u64 {
    (1..64).filter(|level| is_stored(Node { level: *level, index: 0 })).map(|level| size >> level).sum()
}

/// Whether an event wrote the row of its target: looking a key up leaves it as it is, and so does a refusal. An action that
/// a later version wrote is taken for one that changes something.
fn wrote_target(body: &Body<'_>) -> bool {
    let Ok(outcome) = body.outcome.parse::<Outcome>() else { return false };
    body.action.parse::<Action>().map_or(outcome == Outcome::Ok, |action| action.wrote_target(outcome))
}
