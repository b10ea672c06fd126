//! The same change of many keys, a slice at a time: others may write in between, and a run that is ended leaves the rest to
//! the next one.

use super::{context::Ctx, operand::outcome, selection::Chosen};
use crate::{
    domain::{KeyRef, counted},
    ops::{
        Error, Result,
        many::{ChangeKeys, KeyChange, KeyChanged, MOST},
    },
};
use serde_json::{Value, json};

/// What came of it: the keys, where a reply was asked for, and the exit code.
pub(super) type Done = (Vec<Value>, u8);

/// Changes every key, and tells of each.
///
/// # Errors
/// What keeps a whole slice from being changed.
pub(super) fn change(
    cx: &mut Ctx,
    chosen: &Chosen,
    doing: &'static str,
    change: impl Fn(&KeyRef) -> KeyChange,
    tell: impl Fn(&mut Ctx, &KeyChanged),
) -> Result<Done> {
    let (backend, replies) = (cx.backend()?, cx.reply_asked());
    let mut progress = cx.out.progress(chosen.keys.len() as u64, doing);
    let (mut keys, mut failures, mut done) = (Vec::new(), Vec::new(), 0);
    for slice in chosen.keys.chunks(MOST) {
        let request = ChangeKeys { changes: slice.iter().map(&change).collect() };
        let changed = backend.change(&cx.operation(), request).map_err(|error| unfinished(cx, error, done, chosen))?;
        progress.aside(|| {
            for one in changed.items {
                match one {
                    Ok(one) => {
                        tell(cx, &one);
                        done += 1;
                        keys.extend(replies.then(|| json!(one.key)));
                    }
                    Err(error) => {
                        cx.error(&error);
                        failures.push(error);
                    }
                }
            }
        });
        progress.inc(slice.len() as u64);
    }
    Ok((keys, outcome(done > 0, &failures)))
}

/// Slices before this one are done: whoever repeats the command goes on behind them.
fn unfinished(cx: &Ctx, error: Error, done: usize, chosen: &Chosen) -> Error {
    if done == 0 {
        return error;
    }
    error
        .cause(format!("{done} of {} are done; the others are as they were", counted(chosen.keys.len(), "key")))
        .hint(format!("{}   (does the rest)", cx.invocation()))
}
