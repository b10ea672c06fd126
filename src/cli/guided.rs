//! What a person is asked who says at a terminal only what is to be done. Each answer stands for an option that was not given.

use super::{context::Ctx, prompt, values};
use crate::{
    deliver::SinkSpec,
    domain::{Environment, KeyFilter, KeyRef, Scope},
    ops::{Error, List, ListScopes, Result},
};
use chrono::TimeDelta;

/// So many keys or scopes can be chosen from; more are named.
const CHOICES: usize = 100;

/// The name of a new key.
///
/// # Errors
/// `Failure` when cancelled, as with every question here.
pub(super) fn name(cx: &Ctx) -> Result<String> {
    prompt::text(cx, "Name of the one system that will use the key", |name| values::name(name).map(drop))
}

/// Where it works.
pub(super) fn environment(cx: &Ctx) -> Result<Environment> {
    let all = [Environment::Development, Environment::Staging, Environment::Production];
    Ok(all[prompt::one_of(cx, "Environment", &all)?])
}

/// How long it lives; `None` for ever.
pub(super) fn life(cx: &Ctx) -> Result<Option<TimeDelta>> {
    const LIVES: [&str; 5] = ["90d", "30d", "365d", "7d", "without an end"];
    let life = LIVES[prompt::one_of(cx, "How long it works", &LIVES)?];
    Ok(values::duration(life).ok())
}

/// How often it may be used.
pub(super) fn limit(cx: &Ctx) -> Result<values::RateLimitArg> {
    const LIMITS: [&str; 4] = ["100/h", "1000/h", "10000/h", "none"];
    values::rate_limit(LIMITS[prompt::one_of(cx, "How often it may be used", &LIMITS)?]).map_err(Error::usage)
}

/// What it may do: of the catalogue where there is one, else as it is typed.
pub(super) fn scopes(cx: &mut Ctx) -> Result<Vec<Scope>> {
    let catalogue = cx.backend_or_new()?.ask(&cx.operation(), &ListScopes {})?.items;
    let known: Vec<String> = catalogue.into_iter().map(|scope| scope.name).take(CHOICES).collect();
    let chosen: Vec<String> = if known.is_empty() {
        let fits = |typed: &str| typed.split_whitespace().try_for_each(|one| one.parse::<Scope>().map(drop));
        let typed = prompt::text(cx, "What it may do, such as invoices:read; nothing for none", fits)?;
        typed.split_whitespace().map(str::to_owned).collect()
    } else {
        let places = prompt::any_of(cx, "What it may do (space chooses, return ends)", &known)?;
        places.into_iter().filter_map(|place| known.get(place).cloned()).collect()
    };
    chosen.iter().map(|scope| scope.parse().map_err(|why: String| Error::usage(why))).collect()
}

/// What was answered about a rotation.
pub(super) struct Turn {
    /// The key.
    pub(super) key: KeyRef,
    /// Whether its old secret stops at once.
    pub(super) now: bool,
    /// Where the new one goes; `None` for standard output.
    pub(super) sink: Option<SinkSpec>,
    /// The command that tries it there.
    pub(super) probe: Option<String>,
}

/// Asks which key is to be rotated and, unless that is said, when its old secret ends, where the new one goes and how it is
/// tried.
///
/// # Errors
/// `NotFound` without keys; those of the vault.
pub(super) fn rotate(cx: &mut Ctx, end_said: bool, place_said: bool) -> Result<Turn> {
    let mut words = vec![which(cx)?];
    let key = values::key_ref(&words[0]).map_err(Error::usage)?;
    let ends = ["after its overlap: whoever still has it is not cut off", "at once"];
    let now = !end_said && prompt::one_of(cx, "When the old secret ends", &ends)? == 1;
    if now {
        words.push("--now".to_owned());
    }
    let sink = if place_said { None } else { place(cx)? };
    let mut probe = None;
    if let Some(sink) = &sink {
        words.extend(["--deliver".to_owned(), sink.to_string()]);
        let typed =
            prompt::text(cx, "A command that tries it, given the secret on standard input; nothing for none", |_| {
                Ok(())
            })?;
        probe = Some(typed).filter(|command| !command.is_empty());
        words.extend(probe.iter().flat_map(|command| ["--probe".to_owned(), command.clone()]));
    }
    let all = ["keyward", "rotate"].into_iter().chain(words.iter().map(String::as_str));
    cx.note(&format!("the same without these questions: {}", shell_words::join(all)));
    Ok(Turn { key, now, sink, probe })
}

/// The id of a key.
fn which(cx: &mut Ctx) -> Result<String> {
    let listed = cx.backend()?.list(&cx.operation(), &List { filter: KeyFilter::default() })?.items;
    if listed.is_empty() {
        return Err(Error::not_found("there is no key to rotate").hint("keyward create NAME"));
    }
    if listed.len() > CHOICES {
        return prompt::text(cx, "Which key, by name or id", |typed| values::key_ref(typed).map(drop));
    }
    let names: Vec<String> = listed.iter().map(|key| format!("{} ({})", key.name, key.environment)).collect();
    Ok(listed[prompt::one_of(cx, "Which key", &names)?].id.clone())
}

/// Where its new secret goes.
fn place(cx: &Ctx) -> Result<Option<SinkSpec>> {
    let places = ["printed here, once", "into a file", "into a .env file", "to another sink"];
    let (question, begins) = match prompt::one_of(cx, "Where the new secret goes", &places)? {
        0 => return Ok(None),
        1 => ("The file", "file:"),
        2 => ("The .env file and the variable, as PATH#NAME", "dotenv:"),
        _ => ("The sink, such as k8s-secret:NS/NAME#KEY or exec:COMMAND", ""),
    };
    let sink = |typed: &str| format!("{begins}{typed}").parse::<SinkSpec>();
    let typed = prompt::text(cx, question, |typed| sink(typed).map(drop))?;
    sink(&typed).map(Some).map_err(Error::usage)
}
