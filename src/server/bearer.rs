//! A token of another issuer as the credential of an operator: that of a trust whose issuer signed it, whose audience it is for,
//! and whose every claim it says.
//!
//! Nothing in a token counts before its signature is genuine, and only issuers that are trusted are asked for keys. Which check
//! it did not pass stands in the log and the trail; whoever sent it is told no more than helps an honest job.

use super::{app::App, denials::RefusedToken, engine::Trusted, problem::unavailable};
use crate::{
    domain::{Jwt, Operator, PublicKey, Refusal, Time, Trust, trust},
    oidc::{KeyError, Place, is_genuine},
    ops::{Error, Kind, RefusedJob},
};
use std::{collections::HashMap, net::IpAddr, sync::Arc};

/// Who showed a token, and where its run can be looked at.
pub(super) struct Shown {
    pub(super) operator: Arc<Operator>,
    pub(super) run: Option<String>,
}

/// Why a token lets nobody in.
pub(super) enum Denied {
    /// It did not pass a check.
    Refused(RefusedToken),
    /// Its issuer cannot be asked, so nobody can say.
    Away,
    /// The keystore cannot be read.
    Unseen,
}

impl Denied {
    /// What whoever sent it is told.
    pub(super) fn told(&self) -> Error {
        match self {
            Self::Refused(refused) => Error::new(Kind::Auth, "credential", "this token lets nobody in")
                .cause(refused.check.said())
                .hint("keyward operators trust list  (where the vault is: whom it lets in; its log says which check failed)"),
            Self::Away => {
                Error::new(Kind::Unavailable, "issuer_away", "the issuer of this token cannot be asked for its keys")
                    .cause("they were read more than a day ago, or not yet, and nobody can say whether it is genuine")
            }
            Self::Unseen => unavailable(),
        }
    }
}

impl From<Refusal> for Denied {
    fn from(check: Refusal) -> Self {
        Self::Refused(check.into())
    }
}

/// How a token stands to the keys of one place.
#[derive(Clone, Copy)]
enum Signed {
    Genuine,
    Wrong(Refusal),
    Away,
}

/// The operator that a token stands for.
///
/// # Errors
/// When it stands for none, or nobody can say.
pub(super) async fn shown(app: &Arc<App>, text: &str, ip: Option<IpAddr>, now: Time) -> Result<Shown, Denied> {
    let token = Jwt::parse(text)?;
    let trusts = app.engine.trusts(now).map_err(|_| Denied::Unseen)?;
    let judged = judge(app, &token, &trusts, ip, now).await;
    if let Err(Denied::Refused(_)) = &judged {
        // A trust that was added a moment ago, by another process, is in the keystore already.
        app.wake.caught_up().await;
        let later = app.engine.trusts(now).map_err(|_| Denied::Unseen)?;
        if !Arc::ptr_eq(&trusts, &later) {
            return judge(app, &token, &later, ip, now).await;
        }
    }
    judged
}

async fn judge(app: &App, token: &Jwt<'_>, trusts: &[Trusted], ip: Option<IpAddr>, now: Time) -> Result<Shown, Denied> {
    let issuer = token.claims.issuer().ok_or(Refusal::Issuer)?;
    let (mut genuine, mut why, mut away) = (Vec::new(), Refusal::Issuer, false);
    let mut looked: HashMap<(Option<&str>, bool), Signed> = HashMap::new();
    for trusted in trusts.iter().filter(|trusted| trusted.trust.issuer == issuer) {
        // Many trusts have the same keys: a signature is looked at once.
        let place = (trusted.trust.keys.as_deref(), trusted.trust.public_only);
        let signed = match looked.get(&place) {
            Some(signed) => *signed,
            None => {
                let signed = signed(app, token, trusted, now).await;
                looked.insert(place, signed);
                signed
            }
        };
        match signed {
            Signed::Genuine => genuine.push(&trusted.trust),
            // A wrong signature says more than a key that is not there.
            Signed::Wrong(check) => why = if why == Refusal::Signature { why } else { check },
            Signed::Away => away = true,
        }
    }
    if genuine.is_empty() {
        return Err(if away { Denied::Away } else { why.into() });
    }
    let job = RefusedJob { issuer: trust::shown(issuer), job: trust::actor(&token.claims) };
    granted(token, genuine, ip, now).map_err(|check| match away {
        // What is granted by keys that cannot be read might have fitted.
        true => Denied::Away,
        false => Denied::Refused(RefusedToken { check, job: Some(job) }),
    })
}

async fn signed(app: &App, token: &Jwt<'_>, trusted: &Trusted, now: Time) -> Signed {
    let Trusted { trust, keys } = trusted;
    let key: Result<PublicKey, KeyError> = match keys {
        Some(keys) => keys.get(&token.key_id).cloned().ok_or(KeyError::Unknown),
        None => {
            let place = Place { issuer: trust.issuer.clone(), public_only: trust.public_only };
            app.issuers.key(&place, &token.key_id, now).await
        }
    };
    match key {
        Ok(key) if is_genuine(token, &key) => Signed::Genuine,
        Ok(_) => Signed::Wrong(Refusal::Signature),
        Err(KeyError::Unknown) => Signed::Wrong(Refusal::Key),
        Err(KeyError::Away) => Signed::Away,
    }
}

/// What a genuine token is granted by trusts in its issuer.
fn granted(token: &Jwt<'_>, trusts: Vec<&Trust>, ip: Option<IpAddr>, now: Time) -> Result<Shown, Refusal> {
    let claims = &token.claims;
    claims.timely(now)?;
    let audience = claims.audience().ok_or(Refusal::Audience)?;
    let mut for_us = trusts.into_iter().filter(|trust| trust.audience == audience).peekable();
    for_us.peek().ok_or(Refusal::Audience)?;
    claims.subject().ok_or(Refusal::Claims)?;
    // No two trusts fit one token: that is looked at when they are added.
    let trust = for_us.find(|trust| trust.fits(claims)).ok_or(Refusal::Claims)?;
    if !trust.holds_at(now) {
        return Err(Refusal::Ended);
    }
    if claims.life().is_none_or(|life| life > trust.token_life) {
        return Err(Refusal::Life);
    }
    // Bound to addresses, and the address unknown: closed.
    if !trust.allow_ips.is_empty() && !ip.is_some_and(|ip| trust.allow_ips.permits(ip)) {
        return Err(Refusal::Address);
    }
    Ok(Shown { operator: Arc::new(trust.operator(claims)), run: trust.run(claims) })
}
