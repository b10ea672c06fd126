//! Whether a rotation was asked for before: by its idempotency key, which names the same rotation for 24 hours.

use super::{
    context::Context,
    error::{Error, Result},
    existing,
    stage::Stage,
};
use crate::{
    domain::{Key, KeyRef, Phase, time::format_time},
    store::View,
};

/// What an idempotency key says of a request.
pub(super) enum Repetition {
    /// It names no rotation yet.
    None,
    /// It names the rotation that runs.
    Running,
    /// It names a rotation that has ended; in words.
    Over(String),
}

/// What the idempotency key of a request names.
///
/// # Errors
/// `Conflict` when it was used for another rotation.
pub(super) fn of(tx: &View<'_>, cx: &Context, key: &Key, request: &Stage) -> Result<Repetition> {
    let Some(idempotency_key) = &request.idempotency_key else { return Ok(Repetition::None) };
    let remembered = tx.idempotent(&named(&key.workspace, idempotency_key))?;
    let Some((id, digest)) = remembered else { return Ok(Repetition::None) };
    if id != key.id {
        return Err(Error::conflict(
            "idempotency_mismatch",
            format!("the idempotency key was used within 24 hours to rotate another key, {id}"),
        )
        .hint("use a new --idempotency-key for a new rotation"));
    }
    if digest != digest_of(key, request)? {
        return Err(Error::conflict(
            "idempotency_mismatch",
            "the idempotency key was used within 24 hours to rotate this key in another way",
        )
        .hint("use a new --idempotency-key for a new rotation"));
    }
    let run = key.run.as_ref().filter(|run| run.idempotency_key.as_ref() == Some(idempotency_key));
    Ok(match run {
        Some(run) if run.is_running() => Repetition::Running,
        Some(run) if run.phase == Phase::Aborted => Repetition::None,
        Some(run) => Repetition::Over(format!(
            "the idempotency key names {}, which was done at {}; its secret is not shown again",
            run.id,
            format_time(run.finished_at.unwrap_or(cx.now))
        )),
        None => Repetition::Over("the idempotency key names an earlier rotation, which has ended".to_owned()),
    })
}

/// Rotations and creations may use one idempotency key without meaning each other, and so may workspaces.
pub(super) fn named(workspace: &str, idempotency_key: &str) -> String {
    format!("rotate\0{workspace}\0{idempotency_key}")
}

/// What tells a repeated request from another one under the same idempotency key; not by which name the key was called,
/// where its secret goes, and whose turn it is.
pub(super) fn digest_of(key: &Key, request: &Stage) -> Result<String> {
    let same = Stage {
        resume: None,
        sinks: Vec::new(),
        intend: false,
        ask_back: Vec::new(),
        held: Vec::new(),
        lease: None,
        probe: false,
        idempotency_key: None,
        ..request.clone()
    };
    // Which key is not in the JSON of the request, where a path names it.
    existing::digest(&(key.id.as_str(), &same), &("", &Stage::of(KeyRef::Id(key.id.clone()))))
}
