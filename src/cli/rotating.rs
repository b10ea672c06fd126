//! Rotations whose secret is printed, alone or with others in one document, and what is said of them.

use super::{context::Ctx, render::MINTED};
use crate::{
    domain::{Time, time::format_time},
    ops::{Error, KeyView, Result, RotationView, Stage, Staged},
    output::{Format, Report},
    rotate::{ByHand, finish},
};
use serde_json::json;

/// What a printed secret's sink is called.
pub(super) const STDOUT: &str = crate::ops::rotation_view::STDOUT;

/// A reply that waits for the others of one document, and the rotation that ends once it is printed.
pub(super) type Gathered = (Report, Option<Unprinted>);

/// A staged rotation whose secret waits to be printed with others in one document.
pub(super) struct Unprinted {
    key: KeyView,
    staged: Option<ByHand>,
    old_valid_until: Option<Time>,
}

/// Rotates one key and prints its secret as soon as it exists, so that a later failure loses none. JSON must be one
/// document: with `gather` the reply comes back instead.
///
/// # Errors
/// See [`crate::ops::stage::stage`]; `Undelivered` when the secret cannot be printed.
pub(super) fn rotate(cx: &mut Ctx, request: Stage, gather: bool) -> Result<Option<Gathered>> {
    let staged = cx.backend()?.run(&cx.operation(), request)?;
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
        staged: staged.rotation.map(|rotation| ByHand::of(&rotation, STDOUT)).transpose()?,
        key: staged.key,
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
    rotate(cx, ByHand::resume(rotation, STDOUT)?, false).map(drop)
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
            key = finish(&*cx.backend()?, &cx.operation(), rotation)?.key;
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

/// What becomes of the old secret, after its subject.
pub(super) fn old_secret(until: Option<Time>) -> String {
    match until {
        Some(until) => format!("works until {}", format_time(until)),
        None => "stops at once".to_owned(),
    }
}

impl Unprinted {
    /// The secret is out: makes it the current one, unless it waits for somebody.
    fn finish(&self, cx: &mut Ctx) -> Result<()> {
        let named = format!("{} ({})", self.key.name, self.key.id);
        let old = format!("the old secret {}", old_secret(self.old_valid_until));
        let Some(staged) = &self.staged else { return Ok(()) };
        let rotation = &staged.rotation;
        if cx.global.dry_run {
            cx.note(&format!("would rotate {named}: {old}"));
            return Ok(());
        }
        let arrived = staged.arrived(&*cx.backend()?, &cx.operation());
        if staged.parked {
            arrived?;
            cx.note(&format!("staged {named}: both secrets work"));
            cx.note(&decision(rotation.as_str()));
        } else {
            let commit = format!("keyward rotation commit {rotation} --force  (the new secret was printed, and works)");
            arrived.map_err(|error| error.hint(commit))?;
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
        // The backend that staged it is open.
        if let (Some(staged), Ok(backend)) = (&self.staged, cx.backend()) {
            staged.lost(&*backend, &cx.operation(), why);
        }
    }
}
