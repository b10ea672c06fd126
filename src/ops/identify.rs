//! Which keys are these? By the public id in a secret, or by its last characters; nothing is sent anywhere. Credentials of
//! operators and recovery codes are named as well: they open more than any key.
//!
//! A secret with a right checksum and a known id may still be forged: ids stand in logs. An opening that holds the
//! verifier key, which support slots of an earlier version do not, says whether it is the real one, and only a real one is
//! worth a revocation.

use super::{
    Done,
    context::Context,
    error::{Error, Result},
    import,
    view::secret_view,
};
use crate::{
    domain::{Action, Event, Key, Lookup, OPERATOR_BRAND, Operator, PlainToken, Secret, Status, time::format_time},
    store::View,
    vault::{Capabilities, SlotKind, recovery::RecoveryCode},
};
use serde::Serialize;
use serde_json::json;
use std::{borrow::Cow, collections::BTreeMap};
use zeroize::Zeroizing;

/// So many words of a text are tried: each costs a hash for every form that was ever imported.
const WORDS: usize = 1_000;

/// A whole secret that was found.
pub enum Leaked {
    /// A key, or the credential of an operator.
    Token(PlainToken),
    /// What opens a vault.
    Recovery(RecoveryCode),
}

/// What is to be named.
#[derive(Default)]
pub struct Identify {
    /// Whole secrets.
    pub secrets: Vec<Leaked>,
    /// What is left of a text without its tokens: all of it, or a word, may be a secret that was issued elsewhere.
    pub other: Option<Zeroizing<String>>,
    /// The hint of a secret: its last four characters before the checksum.
    pub hint: Option<String>,
}

/// A key, by one of its secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Identified {
    /// The id of the key.
    pub key_id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Its workspace.
    pub workspace: Option<String>,
    /// Its environment.
    pub environment: Option<String>,
    /// What has become of it; `unknown` where no key has such a secret.
    pub status: &'static str,
    /// The public part of the secret.
    pub lookup: Option<String>,
    /// What has become of this version of the secret.
    pub secret_state: Option<Cow<'static, str>>,
    /// Whether the secret is the key's own: null where this slot cannot tell, or only a hint was given.
    pub genuine: Option<bool>,
    /// Whether it still opens anything.
    pub works: bool,
    /// The one project that the key reaches.
    pub project: Option<String>,
    /// The customers that it is narrowed to.
    pub customers: Vec<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was last used.
    pub last_used_at: Option<String>,
    /// When it ends.
    pub expires_at: Option<String>,
    /// The command that stops the key; null when neither the key nor this version of its secret works ever again.
    pub revoke: Option<String>,
    /// `key`, `operator` or `recovery`.
    pub kind: &'static str,
}

/// Names each secret, in the order given; with a hint, every key that has or had such a secret.
///
/// # Errors
/// Those of the store.
pub fn identify(tx: &View<'_>, caps: &Capabilities, cx: &Context, request: &Identify) -> Result<Done<Vec<Identified>>> {
    let mut found = Vec::new();
    let mut seen: BTreeMap<Lookup, Option<Key>> = BTreeMap::new();
    for secret in &request.secrets {
        let token = match secret {
            Leaked::Token(token) if is_of_operator(token) => {
                found.push(of_operator(tx, caps, cx, token)?);
                continue;
            }
            Leaked::Token(token) => token,
            Leaked::Recovery(code) => {
                found.push(of_slot(tx, code)?);
                continue;
            }
        };
        let lookup = token.lookup();
        if !seen.contains_key(&lookup) {
            seen.insert(lookup.clone(), tx.key_by_lookup(&lookup)?);
        }
        let known = seen.get(&lookup).and_then(Option::as_ref);
        let secret = known.and_then(|key| Some((key, key.secrets.iter().find(|secret| secret.lookup == lookup)?)));
        found.push(match secret {
            None => unknown(token),
            Some((key, secret)) => {
                let genuine = caps.verifier_of(token).map(|verifier| secret.verifier.matches(&verifier));
                described(tx, cx, key, secret, genuine)?
            }
        });
    }
    if let Some(text) = &request.other {
        let mut others = Vec::new();
        for word in std::iter::once(text.as_str()).chain(text.split_whitespace().take(WORDS)) {
            let Some((key, lookup)) = import::find(tx, caps, word)? else { continue };
            if let Some(secret) = key.secrets.iter().find(|secret| secret.lookup == lookup) {
                others.push(described(tx, cx, &key, secret, Some(true))?);
            }
        }
        // A text of one word is tried as a text and as a word.
        others.dedup();
        found.append(&mut others);
    }
    if let Some(hint) = &request.hint {
        for key in tx.all_keys(&cx.workspace)? {
            for secret in key.secrets.iter().filter(|secret| secret.hint == *hint) {
                found.push(described(tx, cx, &key, secret, None)?);
            }
        }
    }
    let events = events(cx, &found);
    Ok(Done { outcome: found, events })
}

/// How many words of a text are not tried.
#[must_use]
pub fn left_out(text: &str) -> usize {
    text.split_whitespace().count().saturating_sub(WORDS)
}

/// The operator or slot that a secret is of; a name is none of an event's targets.
fn of_whom(found: &Identified) -> Option<&str> {
    found.name.as_deref().filter(|_| found.kind == "recovery")
}

/// One event a key, however often it was found.
fn events(cx: &Context, found: &[Identified]) -> Vec<Event> {
    let mut by_key: BTreeMap<&str, (usize, Vec<&str>)> = BTreeMap::new();
    for one in found {
        let (times, lookups) = by_key.entry(one.key_id.as_deref().or(of_whom(one)).unwrap_or("unknown")).or_default();
        *times += 1;
        if let Some(lookup) = one.lookup.as_deref().filter(|lookup| !lookups.contains(lookup) && lookups.len() < 20) {
            lookups.push(lookup);
        }
    }
    if by_key.is_empty() {
        by_key.insert("unknown", (0, Vec::new()));
    }
    by_key
        .into_iter()
        .map(|(target, (times, lookups))| {
            cx.event(Action::KeyIdentify, target, json!({ "found": times, "secrets": lookups }))
        })
        .collect()
}

fn described(tx: &View<'_>, cx: &Context, key: &Key, secret: &Secret, genuine: Option<bool>) -> Result<Identified> {
    let (status, view) = (key.status_at(cx.now), secret_view(secret, cx.now));
    let workspace =
        if key.workspace == cx.workspace { String::new() } else { format!(" --workspace {}", key.workspace) };
    // A secret that is dead opens nothing, and never will: whoever has it is no reason to stop the key.
    let stoppable = matches!(status, Status::Active | Status::Inactive) && secret.works_at(cx.now);
    Ok(Identified {
        key_id: Some(key.id.to_string()),
        name: Some(key.name.clone()),
        owner: key.owner.clone(),
        workspace: Some(key.workspace.clone()),
        environment: Some(key.environment.to_string()),
        status: status.as_str(),
        lookup: Some(secret.lookup.to_string()),
        secret_state: Some(view.state),
        genuine,
        works: status == Status::Active && secret.works_at(cx.now) && genuine != Some(false),
        project: key.project.clone(),
        customers: key.customers.clone(),
        scopes: key.scopes.iter().map(ToString::to_string).collect(),
        last_used_at: tx.usage(&key.id)?.last_used_at.map(format_time),
        expires_at: key.expires_at.map(format_time),
        revoke: stoppable.then(|| format!("keyward revoke {}{workspace} --reason leaked", key.id)),
        kind: "key",
    })
}

fn is_of_operator(token: &PlainToken) -> bool {
    token.expose_plaintext().split('_').next() == Some(OPERATOR_BRAND)
}

/// The operator that a credential is, or was, of.
fn of_operator(tx: &View<'_>, caps: &Capabilities, cx: &Context, token: &PlainToken) -> Result<Identified> {
    let (all, lookup) = (tx.operators()?, token.lookup());
    let held = |operator: &Operator| operator.secrets.iter().find(|secret| secret.lookup == lookup).cloned();
    let unknown = Identified { kind: "operator", ..unknown(token) };
    let Some((secret, operator)) = all.into_iter().find_map(|operator| Some((held(&operator)?, operator))) else {
        return Ok(unknown);
    };
    let genuine = caps.verifier_of(token).map(|verifier| secret.verifier.matches(&verifier));
    let works = operator.active_at(cx.now) && secret.works_at(cx.now) && genuine != Some(false);
    let command = format!("keyward operators rotate {} --reason leaked", shell_words::quote(&operator.name));
    Ok(Identified {
        status: operator.status_at(cx.now),
        workspace: operator.workspace,
        secret_state: Some(secret_view(&secret, cx.now).state),
        genuine,
        works,
        expires_at: operator.expires_at.map(format_time),
        revoke: works.then_some(command),
        name: Some(operator.name),
        ..unknown
    })
}

/// The slot that a recovery code opens.
fn of_slot(tx: &View<'_>, code: &RecoveryCode) -> Result<Identified> {
    let slots = tx.slots()?;
    let opened = slots.iter().filter(|slot| slot.kind == SlotKind::Recovery);
    let opened = opened.into_iter().find(|slot| slot.open(&code.secret(), &tx.meta().vault_id).is_ok());
    Ok(Identified {
        name: opened.map(|slot| slot.id.clone()),
        status: if opened.is_some() { "active" } else { "unknown" },
        genuine: opened.map(|_| true),
        works: opened.is_some(),
        revoke: opened.map(|slot| format!("keyward vault slots remove {} --reason leaked", slot.id)),
        kind: "recovery",
        ..Identified::default()
    })
}

/// A whole token that this vault never gave out, or of a key that was deleted.
fn unknown(token: &PlainToken) -> Identified {
    Identified {
        environment: Some(token.environment().to_string()),
        status: "unknown",
        lookup: Some(token.lookup().to_string()),
        kind: "key",
        ..Identified::default()
    }
}

/// The hint in what somebody typed: four characters, or the end of a secret with its six characters of checksum.
///
/// # Errors
/// `Usage` for anything else.
pub fn hint_of(typed: &str) -> Result<String> {
    let characters: Vec<char> = typed.chars().collect();
    if !characters.iter().all(char::is_ascii_alphanumeric) || !matches!(characters.len(), 4 | 10..) {
        return Err(Error::usage(
            "a hint is the four characters that `list` shows, or the last ten or more of a secret",
        ));
    }
    let end = if characters.len() == 4 { 4 } else { characters.len() - 6 };
    Ok(characters[end - 4..end].iter().collect())
}
