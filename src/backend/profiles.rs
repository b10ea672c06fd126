//! Logins to servers, kept in the local vault.

use super::{
    local::Local,
    unlock::{LocalVault, Unlock},
};
use crate::{
    domain::{Action, Login, Profile},
    ops::{self, Context, Result},
};

/// The profiles of an opened vault.
pub struct Profiles(Local);

impl LocalVault {
    /// Opens the vault for its profiles.
    ///
    /// # Errors
    /// As [`LocalVault::unlock`].
    pub fn profiles(&self, cx: &Context, unlock: Unlock<'_>) -> Result<Profiles> {
        Ok(Profiles(self.open(cx, unlock)?))
    }
}

impl Profiles {
    /// All of them, by name.
    ///
    /// # Errors
    /// Those of the store.
    pub fn list(&self, cx: &Context) -> Result<Vec<Profile>> {
        self.0.read(cx, ops::profiles::list)
    }

    /// One, with its credential.
    ///
    /// # Errors
    /// See [`ops::profiles::login`].
    pub fn login(&self, cx: &Context, name: &str) -> Result<Login> {
        self.0.read(cx, |view| ops::profiles::login(view, name))
    }

    /// Keeps one.
    ///
    /// # Errors
    /// See [`ops::profiles::put`].
    pub fn put(&self, cx: &Context, login: &Login) -> Result<()> {
        self.0.change(cx, Action::ProfileLogin, &login.profile.name, |tx| ops::profiles::put(tx, cx, login))
    }

    /// Forgets one.
    ///
    /// # Errors
    /// See [`ops::profiles::remove`].
    pub fn remove(&self, cx: &Context, name: &str) -> Result<Profile> {
        self.0.change(cx, Action::ProfileLogout, name, |tx| ops::profiles::remove(tx, cx, name))
    }
}
