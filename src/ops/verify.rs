//! The verdict on a presented token, from the store; the rule itself is [`crate::domain::decide`].

use super::{
    context::Context,
    entitlement,
    error::{Error, Result},
    import,
};
use crate::{
    domain::{
        Code, Key, KeyId, Lookup, Named, PlainToken, Presented, Request, Secret, SecretState, Time, UsageRecord,
        Verdict, decide, time::format_time,
    },
    store::View,
    vault::Capabilities,
};
use zeroize::Zeroizing;

/// A token to be judged, and what is asked of it.
pub struct Verify {
    /// What was presented, as it came.
    pub token: Zeroizing<String>,
    /// The environment, scopes, project, customer and address of the request.
    pub request: Request,
    /// Judges as of this time instead of now: what has ended since then had not; everything else is as it is now.
    pub at: Option<Time>,
    /// Also notes the verdict as a use.
    pub record: Option<Recording>,
}

/// What a verdict that is noted as a use says of the client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recording {
    /// What it calls itself.
    pub user_agent: Option<String>,
}

impl Verify {
    /// What a verdict leaves behind; nothing unless that was asked for.
    #[must_use]
    pub fn use_of(&self, cx: &Context, verdict: &Verdict) -> Option<UsageRecord> {
        let recording = self.record.as_ref()?;
        let failed = verdict.checks.iter().find(|check| check.ok == Some(false));
        let key: Option<KeyId> = verdict.key_id.as_deref().and_then(|id| id.parse().ok());
        Some(UsageRecord {
            request: None,
            operator: None,
            at: cx.now,
            count: 1,
            // The id in a secret that is not the key's own is whatever a stranger typed.
            lookup: PlainToken::parse(&self.token).ok().filter(|_| key.is_some()).map(|token| token.lookup()),
            key,
            code: verdict.code,
            address: self.request.ip,
            user_agent: recording.user_agent.clone(),
            detail: failed.filter(|_| verdict.code != Code::Valid).map(|check| check.detail.clone()),
        })
    }
}

/// Judges a token. Changes nothing: no quota, no last-used.
///
/// # Errors
/// Those of the store: a store that cannot be asked is never a verdict. `Forbidden` for a support slot of an
/// earlier version, which holds no verifier key. `Usage` for a time before there was the key, or this version of its secret.
pub fn verify(tx: &View<'_>, caps: &Capabilities, cx: &Context, request: &Verify) -> Result<Verdict> {
    let unknown = |presented: &Presented<'_>| {
        let catalogue = tx.catalogue(&cx.workspace)?;
        Ok(decide(presented, &request.request, &catalogue, request.at.unwrap_or(cx.now)))
    };
    // Keys of other workspaces are as unknown to whoever is bound to one as keys that do not exist.
    let within = |key: &Key| cx.authority.bound_to().is_none_or(|own| own == key.workspace);
    let token = match PlainToken::parse(&request.token) {
        Ok(token) => token,
        Err(error) => {
            return match import::find(tx, caps, &request.token)?.filter(|(key, _)| within(key)) {
                Some((key, lookup)) => known(tx, cx, key, &lookup, request),
                None => unknown(&Presented::Malformed(error, &request.token)),
            };
        }
    };
    let (presented, lookup) = (caps.verifier_of(&token).ok_or_else(super::support_of_before)?, token.lookup());
    let is_it = |secret: &Secret| secret.lookup == lookup && secret.verifier.matches(&presented);
    match tx.key_by_lookup(&lookup)?.filter(|key| within(key) && key.secrets.iter().any(is_it)) {
        Some(key) => known(tx, cx, key, &lookup, request),
        None => {
            entitlement::workspace(tx, &cx.workspace)?;
            unknown(&Presented::Unknown)
        }
    }
}

/// The verdict on a secret that is one of a key's own.
fn known(tx: &View<'_>, cx: &Context, key: Key, lookup: &Lookup, request: &Verify) -> Result<Verdict> {
    let then = match request.at {
        Some(at) => Some((at, existing_at(&key, lookup, at)?)),
        None => None,
    };
    let (now, judged) = then.as_ref().map_or((cx.now, &key), |(at, then)| (*at, then));
    let plan = entitlement::plan_of(tx, &key.workspace)?;
    let secret = judged.secrets.iter().find(|secret| secret.lookup == *lookup);
    let (projects, customers) = (project_names(tx, &key.workspace)?, customer_names(tx, &key.workspace)?);
    let known = Named { projects: &projects, customers: &customers };
    let presented = secret.map_or(Presented::Unknown, |secret| Presented::known(judged, secret, &plan, known));
    let mut verdict = decide(&presented, &request.request, &tx.catalogue(&key.workspace)?, now);
    if then.is_some() {
        tell_since(&mut verdict, &key, lookup, now);
    }
    if customers.is_empty() {
        doubt(&key, &request.request, &mut verdict);
    }
    Ok(verdict)
}

/// The key as it was at a time.
///
/// # Errors
/// `Usage` when it, or the version of its secret, did not exist yet.
fn existing_at(key: &Key, lookup: &Lookup, at: Time) -> Result<Key> {
    let made = key.secrets.iter().find(|secret| secret.lookup == *lookup).map(|secret| secret.created_at);
    let (what, since) = match made {
        Some(made) if made > key.created_at => ("this secret of the key", made),
        _ => ("the key", key.created_at),
    };
    if at < since {
        return Err(Error::usage(format!("{what} {} did not exist at {}", key.id, format_time(at)))
            .cause(format!("it was made at {}", format_time(since)))
            .hint("judge as of a later time"));
    }
    Ok(key.clone().as_of(at))
}

/// Adds what came about after the time that is judged, and which fact has no history.
fn tell_since(verdict: &mut Verdict, key: &Key, lookup: &Lookup, at: Time) {
    let stopped = key.secrets.iter().find(|secret| secret.lookup == *lookup).and_then(|secret| match secret.state {
        SecretState::Dead { since } if at < since => Some(since),
        _ => None,
    });
    for check in &mut verdict.checks {
        match (&*check.check, key.revoked_at.filter(|since| at < *since), stopped) {
            ("active", ..) => check.detail.push_str(" now; the switch has no history"),
            ("revocation", Some(since), _) => check.detail = format!("not revoked before {}", format_time(since)),
            ("secret", _, Some(since)) => check.detail = format!("worked until {}", format_time(since)),
            _ => {}
        }
    }
}

/// The names of the projects of a workspace, sorted.
pub(super) fn project_names(tx: &View<'_>, workspace: &str) -> Result<Vec<String>> {
    let mut names: Vec<String> = tx.projects(workspace)?.into_iter().map(|project| project.name).collect();
    names.sort();
    Ok(names)
}

/// The names of the customers of a workspace, sorted.
pub(super) fn customer_names(tx: &View<'_>, workspace: &str) -> Result<Vec<String>> {
    let mut names: Vec<String> = tx.customers(workspace)?.into_iter().map(|customer| customer.name).collect();
    names.sort();
    Ok(names)
}

/// Says that nobody knows the customer which the request is about, where the workspace declares none: a key that is not
/// narrowed reaches all of them, and a slip would look like a yes.
fn doubt(key: &Key, request: &Request, verdict: &mut Verdict) {
    let Some(wanted) = request.customer.as_ref().filter(|_| key.customers.is_empty()) else { return };
    let note = format!("no customer '{wanted}' is known in workspace '{}'", key.workspace);
    for check in verdict.checks.iter_mut().filter(|check| check.check == "customer") {
        check.detail = format!("{}; {note}", check.detail);
    }
    verdict.notes.push(note);
}
