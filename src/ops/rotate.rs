//! A rotation in one call, for whoever is answered with the secret: staged and committed in one transaction.

use super::{
    Done,
    context::Context,
    error::{Error, Kind, Result},
    rotation::{self, Commit},
    stage::{self, Stage, Staged},
};
use crate::{store::Tx, vault::Capabilities};
use rand::CryptoRng;

/// What the answer of such a call is named among the sinks of its rotation.
const ANSWER: &str = "answer";

/// Rotates a key; its secret is in the outcome, the only time it is seen. Where the answer is lost, the secret is: another
/// call mints another, and the old one works for its overlap.
///
/// # Errors
/// Those of [`stage::stage`] and [`rotation::commit`].
pub fn rotate(
    tx: &mut Tx<'_>,
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    cx: &Context,
    request: &Stage,
    alone: bool,
) -> Result<Done<Staged>> {
    let request = Stage { sinks: vec![ANSWER.to_owned()], intend: true, park: false, ..request.clone() };
    let mut done = stage::stage(tx, caps, rng, cx, &request, alone)?;
    let staged = &mut done.outcome;
    let Some(rotation) = staged.rotation.as_ref().filter(|_| staged.lookup.is_some()) else { return Ok(done) };
    let id = rotation.id.parse().map_err(|why: String| Error::new(Kind::Internal, "rotation", why))?;
    let receipts = if staged.ready { Vec::new() } else { request.sinks };
    let commit = Commit::of(id, receipts);
    let committed = rotation::commit(tx, cx, &commit)?;
    staged.key = committed.outcome.key;
    staged.rotation = Some(committed.outcome.rotation);
    staged.old_valid_until = committed.outcome.old_valid_until;
    done.events.extend(committed.events);
    Ok(done)
}
