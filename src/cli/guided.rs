//! What a person is asked who says at a terminal only what is to be done. Each answer stands for an option that was not given.

use super::{context::Ctx, prompt, values};
use crate::{
    deliver::SinkSpec,
    domain::{DEFAULT_OVERLAP, Demand, Environment, Expiry, KeyFilter, KeyRef, Scope, time::format_duration},
    ops::{Error, KeyView, Kind, List, ListScopes, Result, Show, ShowDemands},
};
use chrono::TimeDelta;

/// So many keys or scopes can be chosen from; more are named.
pub(super) const CHOICES: usize = 100;
/// How long a new key works: what is usual, the presets, and for ever.
pub(super) const LIVES: [&str; 9] =
    ["as usual: 90d, less where the workspace says so", "1h", "1d", "7d", "30d", "90d", "180d", "360d", "never ends"];
/// How often a new key may be used.
pub(super) const LIMITS: [&str; 5] =
    ["as usual: 100/h, less where the plan says so", "100/h", "1000/h", "10000/h", "none"];
/// When the old secret ends.
pub(super) const OLD_SECRET_ENDS: [&str; 2] = ["after its overlap: whoever still has it is not cut off", "at once"];
/// An overlap of this one rotation.
const ANOTHER_OVERLAP: &str = "after another time …";
/// What is none of the presets.
const ANOTHER: &str = "another …";

/// The end that one of [`LIVES`], or a duration, stands for; `None` leaves it to the workspace.
///
/// # Errors
/// `Usage` for what is neither.
pub(super) fn life_of(word: &str) -> Result<Option<Expiry>> {
    match word {
        _ if word == LIVES[0] => Ok(None),
        _ if Some(&word) == LIVES.last() => Ok(Some(Expiry::Never)),
        _ => values::days(word).map(|life| Some(Expiry::In(life))).map_err(Error::usage),
    }
}

/// The limit that one of [`LIMITS`], or a limit, stands for; `None` leaves it to the plan.
///
/// # Errors
/// `Usage` for what is neither.
pub(super) fn limit_of(word: &str) -> Result<Option<values::RateLimitArg>> {
    if word == LIMITS[0] { Ok(None) } else { values::key_rate_limit(word).map(Some).map_err(Error::usage) }
}

/// The name of a new key.
///
/// # Errors
/// `Failure` when cancelled, as with every question here.
pub(super) fn name(cx: &Ctx) -> Result<String> {
    prompt::text(cx, "Name of the one system that will use the key", |name| values::name(name).map(drop))
}

/// What its workspace demands of a new key. Where there is no vault yet it demands nothing, and a server of an earlier version
/// says so only of the key that is refused.
///
/// # Errors
/// Those of the vault.
pub(super) fn demands(cx: &mut Ctx) -> Result<Vec<Demand>> {
    if !cx.has_vault()? {
        return Ok(Vec::new());
    }
    match cx.backend()?.ask(&cx.operation(), &ShowDemands {}) {
        Ok(demanded) => Ok(demanded.required),
        Err(error) if matches!(error.kind, Kind::Forbidden | Kind::NotFound | Kind::Usage) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// A fact that the workspace demands.
///
/// # Errors
/// `Failure` when cancelled.
pub(super) fn demanded(cx: &Ctx, demand: Demand) -> Result<String> {
    let question = match demand {
        Demand::Owner => "Who answers for the key",
        Demand::Description => "What it is for",
        Demand::Reason => "Why it is made, for the audit trail",
        Demand::Ticket => "The ticket that asks for it",
    };
    prompt::text(cx, question, |typed| {
        if typed.is_empty() { Err(format!("the workspace demands it: {}", demand.as_str())) } else { Ok(()) }
    })
}

/// Where it works.
pub(super) fn environment(cx: &Ctx) -> Result<Environment> {
    let all = [Environment::Development, Environment::Staging, Environment::Production];
    Ok(all[prompt::one_of(cx, "Environment", &all)?])
}

/// How long it lives; `None` as the workspace says.
pub(super) fn life(cx: &Ctx) -> Result<Option<Expiry>> {
    life_of(&preset(cx, "How long it works", &LIVES, "For how long, such as 45d", |typed| {
        values::days(typed).map(drop)
    })?)
}

/// How often it may be used; `None` as the plan says.
pub(super) fn limit(cx: &Ctx) -> Result<Option<values::RateLimitArg>> {
    let fits = |typed: &str| values::key_rate_limit(typed).map(drop);
    limit_of(&preset(cx, "How often it may be used", &LIMITS, "How often, such as 250/h or 10/30m", fits)?)
}

/// One of several words, or another that is typed.
fn preset(
    cx: &Ctx,
    question: &str,
    words: &[&str],
    another: &str,
    fits: impl Fn(&str) -> std::result::Result<(), String>,
) -> Result<String> {
    let all: Vec<&str> = words.iter().copied().chain([ANOTHER]).collect();
    match words.get(prompt::one_of(cx, question, &all)?) {
        Some(word) => Ok((*word).to_owned()),
        None => prompt::text(cx, another, fits),
    }
}

/// What it may do: of the catalogue where there is one, else as it is typed.
pub(super) fn scopes(cx: &mut Ctx) -> Result<Vec<Scope>> {
    let known = catalogue(cx)?;
    let chosen: Vec<String> = if known.is_empty() || known.len() > CHOICES {
        let fits = |typed: &str| typed.split_whitespace().try_for_each(|one| one.parse::<Scope>().map(drop));
        let typed = prompt::text(cx, "What it may do, such as invoices:read; nothing for none", fits)?;
        typed.split_whitespace().map(str::to_owned).collect()
    } else {
        let places = prompt::any_of(cx, "What it may do (arrows move, space chooses, return ends)", &known)?;
        places.into_iter().filter_map(|place| known.get(place).cloned()).collect()
    };
    chosen.iter().map(|scope| scope.parse().map_err(|why: String| Error::usage(why))).collect()
}

/// The scopes that are known. Where there is no vault yet there are none, and none is made for a question that may be cancelled.
fn catalogue(cx: &mut Ctx) -> Result<Vec<String>> {
    if !cx.has_vault()? {
        return Ok(Vec::new());
    }
    match cx.backend()?.ask(&cx.operation(), &ListScopes {}) {
        Ok(listed) => Ok(listed.items.into_iter().map(|scope| scope.name).collect()),
        // Whoever may create need not be allowed to read the catalogue.
        Err(error) if error.kind == Kind::Forbidden => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Says how the same is done by a script: what was typed, and what was answered.
pub(super) fn note_the_same(cx: &mut Ctx, words: &[String]) {
    let typed = cx.invocation();
    // Where nothing is to be added, it is the confirmation that asks nothing.
    let words = if words.is_empty() { "-y".to_owned() } else { shell_words::join(words) };
    cx.note(&format!("the same without these questions: {typed} {words}"));
}

/// What was answered about a rotation.
pub(super) struct Turn {
    /// The key.
    pub(super) key: KeyRef,
    /// Whether its old secret stops at once.
    pub(super) now: bool,
    /// Whether the oldest secret ends although an earlier overlap still runs.
    pub(super) supersede: bool,
    /// How long it goes on working, where that is not as usual.
    pub(super) overlap: Option<TimeDelta>,
    /// Where the new one goes; `None` for standard output.
    pub(super) sink: Option<SinkSpec>,
    /// The command that tries it there.
    pub(super) probe: Option<String>,
}

/// What of a rotation was said already.
pub(super) struct Said {
    /// Which key, and what decides between keys of one name.
    pub(super) key: Option<(KeyRef, Option<Environment>)>,
    /// When its old secret ends.
    pub(super) end: bool,
    /// What becomes of secrets that are older still.
    pub(super) older: bool,
    /// Where the new one goes.
    pub(super) place: bool,
}

/// Asks, unless it is said, which key is to be rotated, when its old secret ends, where the new one goes and how it is tried.
///
/// # Errors
/// `NotFound` without keys, and for a key that is none; those of the vault.
pub(super) fn rotate(cx: &mut Ctx, said: Said) -> Result<Turn> {
    let mut words = Vec::new();
    let (key, environment) = match said.key {
        Some(said) => said,
        None => {
            let id = which(cx)?;
            let key = values::key_ref(&id).map_err(Error::usage)?;
            words.push(id);
            (key, None)
        }
    };
    // Before anybody answers questions about it.
    let shown = cx.backend()?.ask(&cx.operation(), &Show { key: key.clone(), environment })?;
    let (now, overlap) = if said.end { (false, None) } else { end(cx, &shown)? };
    if now {
        words.push("--now".to_owned());
    }
    let supersede = shown.rotation.state == "overlap" && !now && !said.older;
    if supersede {
        // What would be refused at the end is asked before.
        let until =
            shown.secrets.iter().find(|secret| secret.state == "retiring").and_then(|old| old.valid_until.clone());
        let until = until.map(|until| format!(", until {until}")).unwrap_or_default();
        let question = "End its oldest secret once the new one has arrived?";
        prompt::confirm(cx, &format!("An earlier overlap of {} still runs{until}. {question}", shown.name))?;
        words.push("--supersede".to_owned());
    }
    words.extend(overlap.iter().flat_map(|overlap| ["--overlap".to_owned(), format_duration(*overlap)]));
    let sink = if said.place { None } else { place(cx)? };
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
    note_the_same(cx, &words);
    Ok(Turn { key, now, supersede, overlap, sink, probe })
}

/// Whether the old secret of a key stops at once, and after how long otherwise; `None` as usual.
fn end(cx: &Ctx, key: &KeyView) -> Result<(bool, Option<TimeDelta>)> {
    let [usual, now] = OLD_SECRET_ENDS;
    let usual = match key.rotation.overlap_seconds.map(TimeDelta::seconds) {
        Some(own) => usual.replacen("overlap", &format!("overlap of {}", format_duration(own)), 1),
        // What the workspace says is not for everybody to read who may rotate.
        None => format!("after its overlap of {}, or as the workspace says", format_duration(DEFAULT_OVERLAP)),
    };
    let question = format!("When the old secret of {} ends", key.name);
    match prompt::one_of(cx, &question, &[&usual, now, ANOTHER_OVERLAP])? {
        0 => Ok((false, None)),
        1 => Ok((true, None)),
        _ => {
            let fits = |typed: &str| values::duration(typed).map(drop);
            let typed = prompt::text(cx, "After how long, such as 2h or 3d", fits)?;
            Ok((false, Some(values::duration(&typed).map_err(Error::usage)?)))
        }
    }
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
