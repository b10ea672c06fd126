//! The same change of many keys, a slice at a time: others may write in between, and a run that is ended leaves the rest to
//! the next one.

use super::{context::Ctx, operand::outcome, selection::Chosen};
use crate::{
    domain::{KeyRef, counted},
    ops::{
        Error, Result,
        many::{ChangeKeys, FOUND_NO_MORE, KeyChange, KeyChanged, MOST},
    },
};
use serde_json::{Value, json};

/// So many keys that are refused for the same reason are named.
const NAMED: usize = 10;

/// What came of it: the keys, where a reply was asked for, and the exit code.
pub(super) type Done = (Vec<Value>, u8);

/// Changes every key, and tells of each. One that is no more what the filter looked for is left alone, which is no failure.
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
    for (slice, names) in chosen.keys.chunks(MOST).zip(chosen.names.chunks(MOST)) {
        let request = ChangeKeys { changes: slice.iter().map(&change).collect(), found_by: chosen.found_by.clone() };
        let changed = backend.change(&cx.operation(), request).map_err(|error| unfinished(cx, error, done, chosen))?;
        progress.aside(|| {
            let mut refused = Refused::default();
            for (one, name) in changed.items.into_iter().zip(names) {
                match one {
                    Ok(one) => {
                        tell(cx, &one);
                        done += 1;
                        keys.extend(replies.then(|| json!(one.key)));
                    }
                    Err(error) if error.reason == FOUND_NO_MORE => cx.note(&format!("left alone: {error}")),
                    Err(error) => refused.add(error, name),
                }
            }
            for error in refused.told() {
                cx.error(&error);
                failures.push(error);
            }
        });
        progress.inc(slice.len() as u64);
    }
    Ok((keys, outcome(done > 0, &failures)))
}

/// Why keys stay as they were: what is the same of many is said once, with their names.
#[derive(Default)]
struct Refused(Vec<(Error, Vec<String>)>);

impl Refused {
    fn add(&mut self, error: Error, name: &str) {
        let same = |one: &Error| one.message == error.message && one.causes == error.causes && one.hints == error.hints;
        match self.0.iter_mut().find(|(other, _)| same(other)) {
            Some((_, names)) => names.push(name.to_owned()),
            None => self.0.push((error, vec![name.to_owned()])),
        }
    }

    fn told(self) -> impl Iterator<Item = Error> {
        self.0.into_iter().map(|(error, mut names)| {
            let count = names.len();
            if count == 1 && is_named(&error.message, &names[0]) {
                return error;
            }
            if count == 1 {
                return Error { message: format!("{}: {}", names.remove(0), error.message), ..error };
            }
            if count > NAMED {
                names.truncate(NAMED);
                names.push(format!("and {} more", count - NAMED));
            }
            let message = format!("{}: {}", counted(count, "key"), error.message);
            Error { message, ..error }.cause(names.join(", "))
        })
    }
}

/// Whether a message says which key it is about: by its id, or as it was typed.
fn is_named(message: &str, name: &str) -> bool {
    match name.rsplit_once(" (").and_then(|(_, id)| id.strip_suffix(')')) {
        Some(id) => message.contains(id),
        None => message.contains(&format!("'{name}'")) || message.starts_with(&format!("{name} ")),
    }
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
