//! The keys a command is told to act on, and the loop over several of them.

use super::{context::Ctx, exit::Exit, values};
use crate::{
    domain::{Environment, KeyRef},
    ops::{KeyView, Result, Show},
};
use std::collections::HashSet;

/// One or several keys.
#[derive(Debug, clap::Args)]
pub(super) struct KeyOperands {
    /// An id, an exact name, or the first 8 or more characters of an id
    #[arg(value_name = "KEY", required = true, value_parser = values::key_ref, add = values::keys())]
    pub(super) keys: Vec<KeyRef>,
    /// Decides between keys of one name
    #[arg(long, value_name = "ENV", add = values::environments())]
    pub(super) env: Option<Environment>,
}

/// Keys, where something else may say which.
#[derive(Debug, clap::Args)]
pub(super) struct MaybeKeys {
    /// An id, an exact name, or the first 8 or more characters of an id
    #[arg(value_name = "KEY", value_parser = values::key_ref, add = values::keys())]
    pub(super) keys: Vec<KeyRef>,
    /// Decides between keys of one name
    #[arg(long, value_name = "ENV", add = values::environments())]
    pub(super) env: Option<Environment>,
}

/// The keys of somebody or something.
#[derive(Debug, clap::Args)]
pub(super) struct KeysOf {
    /// Keys of this environment
    #[arg(long, value_name = "ENV", add = values::environments())]
    pub(super) env: Option<Environment>,
    /// Keys of this owner
    #[arg(long)]
    pub(super) owner: Option<String>,
    /// Keys of this project
    #[arg(long, value_name = "P")]
    pub(super) project: Option<String>,
}

/// One key.
#[derive(Debug, clap::Args)]
pub(super) struct KeyOperand {
    /// An id, an exact name, or the first 8 or more characters of an id
    #[arg(value_name = "KEY", value_parser = values::key_ref, add = values::keys())]
    pub(super) key: KeyRef,
    /// Decides between keys of one name
    #[arg(long, value_name = "ENV", add = values::environments())]
    pub(super) env: Option<Environment>,
}

/// The keys that operands mean, each once. One that means none keeps its place, to fail there.
pub(super) fn distinct(cx: &mut Ctx, operands: &MaybeKeys) -> Result<Vec<(KeyRef, Result<KeyView>)>> {
    let backend = cx.backend()?;
    let (mut seen, mut meant) = (HashSet::new(), Vec::with_capacity(operands.keys.len()));
    for key in &operands.keys {
        let view = backend.show(&cx.operation(), &Show { key: key.clone(), environment: operands.env });
        if let Ok(view) = &view
            && !seen.insert(view.id.clone())
        {
            cx.note(&format!("named more than once, and taken once: {} ({})", view.name, view.id));
            continue;
        }
        meant.push((key.clone(), view));
    }
    Ok(meant)
}

/// Acts on every key in turn. A single failure is the command's own; among several, each is told in its place, and the
/// rest goes on.
pub(super) fn each<K, T>(
    cx: &mut Ctx,
    keys: &[K],
    mut act: impl FnMut(&mut Ctx, &K) -> Result<T>,
) -> Result<(Vec<T>, u8)> {
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    for key in keys {
        match act(cx, key) {
            Ok(value) => done.push(value),
            Err(error) if keys.len() == 1 => return Err(error),
            Err(error) => {
                cx.error(&error);
                failures.push(error);
            }
        }
    }
    // Nothing at all worked, and always for the same kind of reason: then that is the reason.
    let code = match failures.first() {
        None => Exit::Ok,
        Some(first) if done.is_empty() && failures.iter().all(|error| error.kind == first.kind) => first.kind.into(),
        Some(_) => Exit::Partial,
    };
    Ok((done, code.code()))
}
