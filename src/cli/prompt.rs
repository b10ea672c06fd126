//! Questions to a person: only where one is there to answer, never in a script.
//!
//! A question goes to stderr through the terminal, never to stdout. Where no question can be asked the command fails
//! at once and names the option that answers it. A cancelled question is a failure.

use super::context::Ctx;
use crate::{
    domain::text::same,
    ops::{Error, Kind, Result},
};
use dialoguer::{Confirm, Input, MultiSelect, Password, Select};
use std::io::ErrorKind;
use zeroize::Zeroizing;

/// So often a new passphrase may be mistyped.
const ATTEMPTS: usize = 3;

/// Asks before something that cannot be undone.
///
/// # Errors
/// `Usage` where nobody can be asked, `Failure` when the answer is no.
pub(super) fn confirm(cx: &Ctx, question: &str) -> Result<()> {
    if cx.global.yes || cx.global.dry_run {
        return Ok(());
    }
    if !cx.can_prompt() {
        return Err(Error::usage(format!("this needs a confirmation: {question}")).hint("add --yes"));
    }
    let answer = ask(cx, || Confirm::new().with_prompt(question).default(false).interact())?;
    if answer { Ok(()) } else { Err(refused()) }
}

/// Asks for the number of what is meant to be typed.
///
/// # Errors
/// `Failure` when another is typed, or cancelled.
pub(super) fn confirm_count(cx: &Ctx, count: usize, what: &str) -> Result<()> {
    let question = format!("{what} Type {count} to confirm");
    let typed = ask(cx, || Input::<String>::new().with_prompt(question).allow_empty(true).interact_text())?;
    if typed.trim() == count.to_string() { Ok(()) } else { Err(refused()) }
}

/// Asks for a name to be typed, or accepts it from `--confirm`.
///
/// # Errors
/// `Usage` where nobody can be asked or the name differs, `Failure` when cancelled.
pub(super) fn confirm_name(cx: &Ctx, name: &str, given: Option<&str>, what: &str) -> Result<()> {
    if cx.global.dry_run && given.is_none() {
        return Ok(());
    }
    let typed = match given {
        Some(given) => given.to_owned(),
        None if cx.can_prompt() => ask(cx, || {
            let question = format!("{what}. Type its name to confirm");
            Input::<String>::new().with_prompt(question).allow_empty(true).interact_text()
        })?,
        None => {
            return Err(Error::usage(format!("{what}: this needs a confirmation that names it"))
                .hint(format!("add --confirm {}", shell_words::quote(name))));
        }
    };
    if same(&typed, name) {
        return Ok(());
    }
    let error = Error::new(Kind::Usage, "not_confirmed", "the confirmation does not name it; nothing was done");
    Err(error.hint(format!("its name is '{name}'")))
}

/// Asks for a passphrase that opens something; `None` where nobody can be asked.
///
/// # Errors
/// `Failure` when cancelled.
pub(super) fn passphrase(cx: &Ctx, prompt: &str) -> Result<Option<Zeroizing<String>>> {
    if cx.can_prompt() { hidden(cx, prompt).map(Some) } else { Ok(None) }
}

/// Asks twice for a new passphrase.
///
/// # Errors
/// `Usage` where nobody can be asked, `Failure` when cancelled or when the two differ again and again.
pub(super) fn new_passphrase(cx: &mut Ctx, option: &str) -> Result<Zeroizing<String>> {
    if !cx.can_prompt() {
        return Err(Error::usage("a new passphrase is needed, and there is no terminal to ask on")
            .hint(format!("add {option} FILE")));
    }
    for _ in 0..ATTEMPTS {
        let first = hidden(cx, "New passphrase")?;
        if hidden(cx, "Again")? == first {
            return Ok(first);
        }
        cx.out.warn("the two differ");
    }
    Err(Error::new(Kind::Failure, "not_confirmed", "the passphrase was not typed twice the same; nothing was done"))
}

/// Asks for a value, with one that an empty line stands for; `None` where nobody can be asked.
///
/// # Errors
/// `Failure` when cancelled.
#[cfg(feature = "server")]
pub(super) fn value<T>(cx: &Ctx, question: &str, default: T) -> Result<Option<T>>
where
    T: Clone + ToString + std::str::FromStr<Err = String>,
{
    if !cx.can_prompt() {
        return Ok(None);
    }
    ask(cx, || Input::new().with_prompt(question).default(default).interact_text()).map(Some)
}

/// Asks for a token without showing it.
///
/// # Errors
/// `Usage` where nobody can be asked, `Failure` when cancelled.
pub(super) fn secret(cx: &Ctx, prompt: &str) -> Result<Zeroizing<String>> {
    passphrase(cx, prompt)?.ok_or_else(|| {
        Error::usage("no secret was given, and there is no terminal to ask on")
            .hint("pipe it in and say '-', or add --secret-file FILE")
    })
}

/// Asks for a text until it fits; an empty one is an answer where `fits` takes it.
///
/// # Errors
/// `Failure` when cancelled.
pub(super) fn text(cx: &Ctx, question: &str, fits: impl Fn(&str) -> std::result::Result<(), String>) -> Result<String> {
    let fits = |typed: &String| fits(typed.trim());
    let input = Input::<String>::new().with_prompt(question).allow_empty(true).validate_with(fits);
    Ok(ask(cx, || input.interact_text())?.trim().to_owned())
}

/// Asks for one of several, the first unless another is chosen; answers with its place.
///
/// # Errors
/// `Failure` when cancelled.
pub(super) fn one_of(cx: &Ctx, question: &str, words: &[impl std::fmt::Display]) -> Result<usize> {
    // A list takes no letters: whoever types one must be told what it takes.
    let question = format!("{question} (arrows move, return chooses)");
    let chosen = ask(cx, || Select::new().with_prompt(question).items(words).default(0).interact_opt())?;
    chosen.ok_or_else(refused)
}

/// Asks for any of several; answers with their places.
///
/// # Errors
/// `Failure` when cancelled.
pub(super) fn any_of(cx: &Ctx, question: &str, words: &[impl std::fmt::Display]) -> Result<Vec<usize>> {
    let chosen = ask(cx, || MultiSelect::new().with_prompt(question).items(words).interact_opt())?;
    chosen.ok_or_else(refused)
}

/// One hidden line. An empty one is what Ctrl-D gives too, also at the end of a terminal that was hung up: asking
/// again would never end.
fn hidden(cx: &Ctx, prompt: &str) -> Result<Zeroizing<String>> {
    let question = Password::new().with_prompt(prompt).allow_empty_password(true).report(false);
    let typed = Zeroizing::new(ask(cx, || question.interact())?);
    if typed.is_empty() { Err(refused().cause("nothing was typed")) } else { Ok(typed) }
}

/// Asks under the watch that puts the terminal back.
fn ask<T>(cx: &Ctx, question: impl FnOnce() -> dialoguer::Result<T>) -> Result<T> {
    cx.terminal.watch().map_err(|error| refused().cause(error.to_string()))?;
    question().map_err(|dialoguer::Error::IO(error)| {
        if error.kind() == ErrorKind::Interrupted {
            cx.terminal.interrupted();
        }
        cx.terminal.restore();
        if error.kind() == ErrorKind::NotConnected {
            return Error::usage("there is no terminal to ask on");
        }
        refused().cause(error.to_string())
    })
}

fn refused() -> Error {
    Error::new(Kind::Failure, "cancelled", "cancelled; nothing was done")
}
