//! The verdict on a presented token, from the store; the rule itself is [`crate::domain::decide`].

use super::{context::Context, entitlement, error::Result, import};
use crate::{
    domain::{Code, Key, KeyId, Lookup, PlainToken, Presented, Request, Time, UsageRecord, Verdict, decide},
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
    /// Judges as of this time instead of now.
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
/// Those of the store: a store that cannot be asked is never a verdict. `Forbidden` for a support slot, which holds
/// no verifier key.
pub fn verify(tx: &View<'_>, caps: &Capabilities, cx: &Context, request: &Verify) -> Result<Verdict> {
    let now = request.at.unwrap_or(cx.now);
    let token = match PlainToken::parse(&request.token) {
        Ok(token) => token,
        Err(error) => {
            if let Some((key, lookup)) = import::find(tx, caps, &request.token)? {
                return known(tx, &key, &lookup, &request.request, now);
            }
            let catalogue = tx.catalogue(&cx.workspace)?;
            return Ok(decide(&Presented::Malformed(error), &request.request, &catalogue, now));
        }
    };
    let presented = caps.verifier_of(&token).ok_or_else(super::support_refused)?;
    let key = tx.key_by_lookup(&token.lookup())?;
    let workspace = key.as_ref().map_or(cx.workspace.as_str(), |key| key.workspace.as_str());
    let catalogue = tx.catalogue(workspace)?;
    let plan = entitlement::plan_of(tx, workspace)?;
    let secret = key.as_ref().and_then(|key| key.secrets.iter().find(|secret| secret.lookup == token.lookup()));
    let presented = match (&key, secret) {
        (Some(key), Some(secret)) if secret.verifier.matches(&presented) => Presented::known(key, secret, &plan),
        _ => Presented::Unknown,
    };
    Ok(decide(&presented, &request.request, &catalogue, now))
}

/// The verdict on a secret that is one of a key's own.
fn known(tx: &View<'_>, key: &Key, lookup: &Lookup, request: &Request, now: Time) -> Result<Verdict> {
    let plan = entitlement::plan_of(tx, &key.workspace)?;
    let secret = key.secrets.iter().find(|secret| secret.lookup == *lookup);
    let presented = secret.map_or(Presented::Unknown, |secret| Presented::known(key, secret, &plan));
    Ok(decide(&presented, request, &tx.catalogue(&key.workspace)?, now))
}
