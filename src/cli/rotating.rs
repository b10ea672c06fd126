//! Rotations whose secret is printed: standard output is a sink like any other, whose receipt is that it was written.
//!
//! The secret is staged, printed, and only then made the current one: whoever is killed in between has lost nothing, for
//! the old secret still works and the next run goes on with the same rotation.

use super::{context::Ctx, render::MINTED};
use crate::{
    backend::Backend,
    domain::{Lookup, RotationId, Time, time::format_time},
    ops::{Commit, Context, Error, KeyView, Kind, Progress, Result, RotationView, Stage, Staged, Step},
    output::{Format, Report},
};
use serde_json::json;

/// What a printed secret's sink is called.
pub(super) const STDOUT: &str = crate::ops::rotation_view::STDOUT;

/// A reply that waits for the others of one document, and the rotation that ends once it is printed.
pub(super) type Gathered = (Report, Option<Unprinted>);

/// A staged rotation whose secret waits to be printed with others in one document.
pub(super) struct Unprinted {
    key: KeyView,
    rotation: Option<RotationId>,
    lookup: Option<Lookup>,
    old_valid_until: Option<Time>,
    parked: bool,
}

/// Rotates one key and prints its secret as soon as it exists, so that a later failure loses none. JSON must be one
/// document: with `gather` the reply comes back instead.
///
/// # Errors
/// See [`crate::ops::stage::stage`]; `Undelivered` when the secret cannot be printed.
pub(super) fn rotate(cx: &mut Ctx, request: Stage, gather: bool) -> Result<Option<Gathered>> {
    let staged = cx.backend()?.stage(&cx.operation(), &request)?;
    if let Some(note) = &staged.note {
        // A script that waits for a secret must hear that there is none, also with -q.
        cx.out.warn(note);
    }
    if staged.lookup.is_none() || staged.ready {
        let key = settled(cx, staged)?;
        if cx.secret_asked() {
            // Of several keys whoever goes through them leaves the line empty.
            if !gather {
                cx.missing_secret()?;
            }
            let KeyView { id, name, .. } = &key;
            let what = format!("no secret was minted for {name} ({id}): the one before is not shown again");
            return Err(Error::exists(what).hint(format!("keyward rotate {id} -q --supersede   (a fresh secret)")));
        }
        if gather && cx.format() == Format::Json {
            return Ok(Some((cx.minted(json!(key), None), None)));
        }
        return cx.item_without_secret(json!(key)).map(|()| None);
    }
    let report = cx.minted(json!(staged.key), staged.secret.as_ref());
    let unprinted = Unprinted {
        parked: staged.rotation.as_ref().is_some_and(|rotation| rotation.parked),
        rotation: staged.rotation.map(|rotation| parsed(&rotation.id)).transpose()?,
        key: staged.key,
        lookup: staged.lookup,
        old_valid_until: staged.old_valid_until,
    };
    if gather && cx.format() == Format::Json {
        return Ok(Some((report, Some(unprinted))));
    }
    cx.emit(&report).map_err(|error| unprinted.lost(cx, error))?;
    unprinted.finish(cx).map(|()| None)
}

/// Prints what was gathered, in one document.
///
/// # Errors
/// `Undelivered` when the secrets cannot be printed.
pub(super) fn print_gathered(cx: &mut Ctx, gathered: Vec<Gathered>) -> Result<()> {
    let (reports, gathered): (Vec<Report>, Vec<Option<Unprinted>>) = gathered.into_iter().unzip();
    let gathered: Vec<Unprinted> = gathered.into_iter().flatten().collect();
    if reports.is_empty() {
        return Ok(());
    }
    cx.emit_batch(MINTED, &reports).map_err(|error| {
        let why = error.message.clone();
        gathered.iter().skip(1).for_each(|unprinted| unprinted.leave(cx, &why));
        match gathered.first() {
            Some(first) => first.lost(cx, error),
            None => error,
        }
    })?;
    gathered.iter().try_for_each(|unprinted| unprinted.finish(cx))
}

/// Goes on with a rotation whose secret was to be printed.
///
/// # Errors
/// See [`rotate`].
pub(super) fn resume(cx: &mut Ctx, rotation: &RotationView) -> Result<()> {
    let request = Stage::resume(rotation, vec![STDOUT.to_owned()])?;
    rotate(cx, Stage { intend: true, park: rotation.parked, ..request }, false).map(drop)
}

/// Makes a staged secret the current one, with the receipts that come with it.
///
/// # Errors
/// See [`crate::ops::rotation::commit`].
pub(super) fn commit(cx: &mut Ctx, rotation: &RotationView, receipts: Vec<String>) -> Result<KeyView> {
    Ok(cx.backend()?.change(&cx.operation(), Commit::of(parsed(&rotation.id)?, receipts))?.key)
}

/// Records that a sink may hold a secret with which this run goes on no further. Where even that cannot be recorded, the
/// next run waits for the lease; what is told is why the delivery failed.
pub(super) fn leave(cx: &mut Ctx, rotation: &RotationId, secret: &Lookup, sink: &str, why: &str) {
    match cx.backend() {
        Ok(backend) => leave_in(&*backend, &cx.operation(), rotation, secret, sink, why),
        Err(error) => unrecorded(&error),
    }
}

/// The same, for whoever has a backend at hand.
pub(super) fn leave_in(
    backend: &dyn Backend,
    operation: &Context,
    rotation: &RotationId,
    secret: &Lookup,
    sink: &str,
    why: &str,
) {
    let (rotation, secret) = (rotation.clone(), secret.clone());
    let step = Step { rotation, secret, sink: sink.to_owned(), progress: Progress::Unproven(why.to_owned()) };
    if let Err(error) = backend.rotation_step(operation, step) {
        unrecorded(&error);
    }
}

fn unrecorded(error: &Error) {
    tracing::warn!(%error, "the end of the delivery could not be recorded");
}

/// Nothing was minted: the secret had arrived before, or the rotation was done.
fn settled(cx: &mut Ctx, staged: Staged) -> Result<KeyView> {
    let mut key = staged.key;
    match staged.rotation.as_ref().filter(|_| staged.ready) {
        Some(rotation) if rotation.parked => {
            cx.note(&format!("{} of {} ({}) waits for a decision", rotation.id, key.name, key.id));
            cx.note(&decision(&rotation.id));
        }
        Some(_) if cx.global.dry_run => {
            cx.note(&format!("would finish the rotation of {} ({}), whose secret has arrived", key.name, key.id));
        }
        Some(rotation) => {
            key = commit(cx, rotation, Vec::new())?;
            // With -q, too: what was asked for was a secret, and none is printed.
            let named = format!("{} ({})", key.name, key.id);
            cx.out.warn(&format!("finished the rotation of {named}, whose secret had arrived; no other was minted"));
        }
        None => {}
    }
    Ok(key)
}

/// What may be done with a staged rotation.
pub(super) fn decision(rotation: &str) -> String {
    format!("hint: keyward rotation commit {rotation}   or: keyward rotation abort {rotation}")
}

impl Unprinted {
    /// The secret is out: makes it the current one, unless it waits for somebody.
    fn finish(&self, cx: &mut Ctx) -> Result<()> {
        let named = format!("{} ({})", self.key.name, self.key.id);
        let old = match self.old_valid_until {
            Some(until) => format!("the old secret works until {}", format_time(until)),
            None => "the old secret stops at once".to_owned(),
        };
        let (Some(rotation), Some(secret)) = (self.rotation.clone(), self.lookup.clone()) else { return Ok(()) };
        if cx.global.dry_run {
            cx.note(&format!("would rotate {named}: {old}"));
        } else if self.parked {
            let hint = decision(rotation.as_str());
            let progress = Progress::Delivered("printed".to_owned());
            let step = Step { rotation, secret, sink: STDOUT.to_owned(), progress };
            cx.backend()?.rotation_step(&cx.operation(), step)?;
            cx.note(&format!("staged {named}: both secrets work"));
            cx.note(&hint);
        } else {
            let commit = format!("keyward rotation commit {rotation} --force  (the new secret was printed, and works)");
            let request = Commit::of(rotation, vec![STDOUT.to_owned()]);
            cx.backend()?.change(&cx.operation(), request).map_err(|error| error.hint(commit))?;
            cx.note(&format!("rotated {named}: {old}"));
        }
        Ok(())
    }

    /// The secret exists and could not be printed: the old one still works, and the next run goes on.
    fn lost(&self, cx: &mut Ctx, error: Error) -> Error {
        self.leave(cx, &error.message);
        let (id, name) = (&self.key.id, &self.key.name);
        let what = format!("the new secret of {id} ({name}) was minted, and could not be printed; the old one works");
        error.undelivered(what).hint(format!("keyward rotate {id}  (goes on with the same rotation)"))
    }

    fn leave(&self, cx: &mut Ctx, why: &str) {
        if let (Some(rotation), Some(lookup)) = (&self.rotation, &self.lookup) {
            leave(cx, rotation, lookup, STDOUT, why);
        }
    }
}

/// The id of a rotation, out of its view.
///
/// # Errors
/// `Internal` when it is none.
pub(super) fn parsed(id: &str) -> Result<RotationId> {
    id.parse().map_err(|why: String| Error::new(Kind::Internal, "rotation", why))
}
