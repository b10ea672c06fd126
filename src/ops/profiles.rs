//! Profiles: the servers that somebody has logged in to from this vault.

use super::{
    Done,
    context::Context,
    error::{Error, Result},
};
use crate::{
    domain::{Action, LOCAL_PROFILE, Login, Profile, closest, text::same},
    store::{Tx, View},
};
use serde_json::json;

/// All profiles, by name.
///
/// # Errors
/// Those of the store.
pub fn list(tx: &View<'_>) -> Result<Vec<Profile>> {
    let mut all = tx.profiles()?;
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// A profile with its credential.
///
/// # Errors
/// `NotFound`; `Forbidden` for a support slot.
pub fn login(tx: &View<'_>, name: &str) -> Result<Login> {
    match tx.login(&stored(tx, name)?)? {
        Some(login) => Ok(login),
        None => Err(not_found(tx, name)?),
    }
}

/// Keeps a login, in the place of an earlier one of that name.
///
/// # Errors
/// `Usage` for the name of the local vault.
pub fn put(tx: &mut Tx<'_>, cx: &Context, login: &Login) -> Result<Done<()>> {
    let profile = &login.profile;
    if profile.name == LOCAL_PROFILE {
        return Err(
            Error::usage(format!("the profile '{LOCAL_PROFILE}' is the local vault")).hint("choose another --name")
        );
    }
    tx.put_login(login)?;
    let changes = json!({ "server": profile.server, "operator": profile.operator, "role": profile.role });
    Ok(Done { outcome: (), events: vec![cx.event(Action::ProfileLogin, profile.name.clone(), changes)] })
}

/// Forgets a login and its credential.
///
/// # Errors
/// `NotFound`.
pub fn remove(tx: &mut Tx<'_>, cx: &Context, name: &str) -> Result<Done<Profile>> {
    let Some(profile) = tx.profiles()?.into_iter().find(|profile| same(&profile.name, name)) else {
        return Err(not_found(tx, name)?);
    };
    let name = profile.name.as_str();
    tx.delete_profile(name)?;
    let changes = json!({ "server": profile.server, "operator": profile.operator });
    let events = vec![cx.event(Action::ProfileLogout, name, changes)];
    Ok(Done { outcome: profile, events })
}

/// The name of a profile as it is kept.
fn stored(tx: &View<'_>, name: &str) -> Result<String> {
    let kept = tx.profiles()?.into_iter().find(|profile| same(&profile.name, name));
    Ok(kept.map_or_else(|| name.to_owned(), |profile| profile.name))
}

fn not_found(tx: &View<'_>, name: &str) -> Result<Error> {
    let all = tx.profiles()?;
    let mut names: Vec<&str> = all.iter().map(|profile| profile.name.as_str()).collect();
    names.push(LOCAL_PROFILE);
    Ok(Error::not_found(format!("no profile '{name}'")).suggest(&closest(name, &names)).hint("keyward login URL"))
}
