//! The verdict on a presented token, from the store; the rule itself is [`crate::domain::decide`].

use super::{context::Context, entitlement, error::Result, import};
use crate::{
    domain::{Key, Lookup, PlainToken, Presented, Request, Time, Verdict, decide},
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
