//! Questions to a person: only where one is there to answer, never in a script.
//!
//! A question goes to stderr through the terminal, never to stdout. Where no question can be asked the command fails
//! at once and names the option that answers it. A cancelled question is a failure.

use super::context::Ctx;
use crate::ops::{Error, Kind, Result};
use dialoguer::{Confirm, Input, Password};
use zeroize::Zeroizing;

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
    let answer = Confirm::new().with_prompt(question).default(false).interact().map_err(cancelled)?;
    if answer { Ok(()) } else { Err(refused()) }
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
        None if cx.can_prompt() => Input::<String>::new()
            .with_prompt(format!("{what}. Type its name to confirm"))
            .allow_empty(true)
            .interact_text()
            .map_err(cancelled)?,
        None => {
            return Err(Error::usage(format!("{what}: this needs a confirmation that names it"))
                .hint(format!("add --confirm {name}")));
        }
    };
    if typed == name {
        return Ok(());
    }
    let error = Error::new(Kind::Usage, "not_confirmed", "the confirmation does not name it; nothing was done");
    Err(error.hint(format!("its name is '{name}'")))
}

/// Asks for a passphrase that opens something; `None` where nobody can be asked.
///
/// # Errors
/// `Failure` when cancelled.
pub(super) fn passphrase(can_prompt: bool, prompt: &str) -> Result<Option<Zeroizing<String>>> {
    if !can_prompt {
        return Ok(None);
    }
    let typed = Password::new().with_prompt(prompt).report(false).interact().map_err(cancelled)?;
    Ok(Some(Zeroizing::new(typed)))
}

/// Asks twice for a new passphrase.
///
/// # Errors
/// `Usage` where nobody can be asked, `Failure` when cancelled.
pub(super) fn new_passphrase(cx: &Ctx, option: &str) -> Result<Zeroizing<String>> {
    if !cx.can_prompt() {
        return Err(Error::usage("a new passphrase is needed, and there is no terminal to ask on")
            .hint(format!("add {option} FILE")));
    }
    Password::new()
        .with_prompt("New passphrase")
        .with_confirmation("Again", "the two differ; once more")
        .report(false)
        .interact()
        .map(Zeroizing::new)
        .map_err(cancelled)
}

/// Asks for a token without showing it.
///
/// # Errors
/// `Usage` where nobody can be asked, `Failure` when cancelled.
pub(super) fn secret(cx: &Ctx, prompt: &str) -> Result<Zeroizing<String>> {
    passphrase(cx.can_prompt(), prompt)?.ok_or_else(|| {
        Error::usage("no secret was given, and there is no terminal to ask on")
            .hint("pipe it in and say '-', or add --secret-file FILE")
    })
}

fn cancelled(error: dialoguer::Error) -> Error {
    let dialoguer::Error::IO(error) = error;
    if error.kind() == std::io::ErrorKind::NotConnected {
        return Error::usage("there is no terminal to ask on");
    }
    refused().cause(error.to_string())
}

fn refused() -> Error {
    Error::new(Kind::Failure, "cancelled", "cancelled; nothing was done")
}
