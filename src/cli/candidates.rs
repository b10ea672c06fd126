//! What the shell offers on a tab: names, ids and scopes, only where the vault opens without a question.
//!
//! Nothing is made, nothing is changed and nothing is said: where anything is in the way, there are no candidates.

use super::{args::Global, context::Ctx};
use crate::{
    config::Env,
    domain::KeyFilter,
    ops::{List, ListScopes},
    output::Streams,
};
use clap_complete::engine::CompletionCandidate;

/// Names of the keys that are not gone, or ids, where an id is begun.
pub(super) fn keys(typed: &str) -> Vec<CompletionCandidate> {
    let Some((cx, backend)) = open() else { return Vec::new() };
    let Ok(listed) = backend.list(&cx.operation(), &List { filter: KeyFilter::default() }) else { return Vec::new() };
    listed
        .items
        .into_iter()
        .filter_map(|key| {
            let (environment, status) = (key.environment, key.status);
            let by_id = typed.starts_with("key_");
            let help =
                format!("{}{environment}, {status}", if by_id { format!("{}, ", key.name) } else { String::new() });
            let word = if by_id { key.id } else { key.name };
            word.starts_with(typed).then(|| CompletionCandidate::new(word).help(Some(help.into())))
        })
        .collect()
}

/// The scopes of the catalogue.
pub(super) fn scopes() -> Vec<CompletionCandidate> {
    let Some((cx, backend)) = open() else { return Vec::new() };
    let Ok(listed) = backend.ask(&cx.operation(), &ListScopes {}) else { return Vec::new() };
    listed
        .items
        .into_iter()
        .map(|scope| CompletionCandidate::new(scope.name).help(scope.description.map(Into::into)))
        .collect()
}

fn open() -> Option<(Ctx, Box<dyn crate::backend::Backend>)> {
    let nowhere = || Streams::new(Box::new(std::io::empty()), Box::new(std::io::sink()), Box::new(std::io::sink()));
    let global = Global { no_input: true, read_only: true, ..Global::default() };
    let mut cx = Ctx::new(global, Vec::new(), Env::of_process(), nowhere(), true).ok()?;
    // A tab asks no server: nobody asked for a call over the network.
    if cx.is_remote() {
        return None;
    }
    let backend = cx.unlock(true).ok()?;
    Some((cx, backend))
}
