//! Another keystore than the one a command works on: a vault in another directory, or a server.

use super::{args::Global, context::Ctx};
use crate::{
    backend::{Agreements, Backend},
    ops::{Error, Result},
};
use std::{path::PathBuf, rc::Rc};

/// Where another keystore is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// A server, by its address.
    #[cfg(feature = "server")]
    Server(String),
    /// A server that somebody has logged in to.
    #[cfg(feature = "server")]
    Profile(String),
    /// A vault, by its directory.
    Vault(PathBuf),
}

impl Elsewhere {
    /// What an operand means: the address of a server, a directory, or the name of a login.
    fn of(text: &str) -> Self {
        #[cfg(feature = "server")]
        if ["https://", "http://", "unix:"].iter().any(|scheme| text.starts_with(scheme)) {
            return Self::Server(text.to_owned());
        }
        #[cfg(feature = "server")]
        if !text.contains('/') && !PathBuf::from(text).is_dir() {
            return Self::Profile(text.to_owned());
        }
        Self::Vault(PathBuf::from(text))
    }

    /// The options that make another command work there, beside what else was given.
    pub(super) fn given(&self, given: &Global) -> Global {
        let mut there = Global { vault: None, ..given.clone() };
        #[cfg(feature = "server")]
        {
            (there.server, there.profile) = (None, None);
        }
        match self {
            #[cfg(feature = "server")]
            Self::Server(address) => there.server = Some(address.clone()),
            #[cfg(feature = "server")]
            Self::Profile(name) => there.profile = Some(name.clone()),
            Self::Vault(directory) => there.vault = Some(directory.clone()),
        }
        there
    }
}

impl Ctx {
    /// The other side: what the operand names, else the server that is chosen. From then on the command's own keystore is the
    /// local vault.
    ///
    /// # Errors
    /// `Usage` when nothing names one, or two things do.
    pub(super) fn other_side(&mut self, named: Option<&str>, option: &str) -> Result<Elsewhere> {
        self.has_other_side = true;
        #[cfg(feature = "server")]
        {
            let said = self.given.server.is_some() || self.given.profile.is_some();
            if let (Some(named), true) = (named, said) {
                return Err(Error::usage(format!("{option} {named} and a server are two other sides"))
                    .hint("leave one of them out: the local vault is this side (--vault DIR)"));
            }
            let server = self.global.server.clone().map(Elsewhere::Server);
            let chosen = server.or_else(|| self.profile_chosen().map(Elsewhere::Profile));
            self.global.server = None;
            self.global.profile = None;
            if let Some(chosen) = chosen.filter(|_| named.is_none()) {
                return Ok(chosen);
            }
        }
        let named = named.ok_or_else(|| {
            Error::usage("nothing says which server or vault is the other side")
                .hint(format!("{option} URL, {option} PROFILE or {option} DIR; or choose a server with --server"))
        })?;
        Ok(Elsewhere::of(named))
    }

    /// Opens the other side.
    ///
    /// # Errors
    /// Those of [`Ctx::backend`].
    pub(super) fn open_elsewhere(&mut self, place: &Elsewhere) -> Result<Rc<dyn Backend>> {
        let own = self.global.clone();
        match place.clone() {
            #[cfg(feature = "server")]
            Elsewhere::Server(address) => self.global.server = Some(address),
            #[cfg(feature = "server")]
            Elsewhere::Profile(name) => self.global.profile = Some(name),
            Elsewhere::Vault(directory) => self.global.vault = Some(directory),
        }
        let opened = self.open();
        self.global = own;
        opened
    }

    /// What the local vault remembers of others.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Locked` when nothing opens it.
    pub(super) fn agreements(&mut self) -> Result<Agreements> {
        let vault = self.existing_vault()?;
        self.with_sources(true, |operation, unlock| vault.agreements(operation, unlock))
    }
}
