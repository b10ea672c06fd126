//! Where the local vault is looked for, who said so, and what may make one there.
//!
//! A vault that is made by accident is worse than none: whatever reads it finds everything in order. So only what brings
//! something into being makes one (and a first `serve`), and where nobody sits at a terminal only in a place that somebody
//! has chosen.

use super::context::Ctx;
use crate::{
    backend::{CREDENTIAL, InitOptions, LocalVault},
    ops::{Context, Error, Kind, Result},
};
use std::path::Path;

impl Ctx {
    /// The local vault, which may not exist yet.
    ///
    /// # Errors
    /// `Failure` when the user has no home directory.
    pub(super) fn vault(&self) -> Result<LocalVault> {
        Ok(LocalVault::locate(self.dirs()?))
    }

    /// Whether there is something to ask already: a server that is chosen, or the local vault.
    ///
    /// # Errors
    /// `Failure` when the user has no home directory; `Unavailable` when its directory cannot be read.
    pub(super) fn has_vault(&self) -> Result<bool> {
        Ok(self.is_remote() || self.vault()?.exists()?)
    }

    /// The local vault, which is there.
    ///
    /// # Errors
    /// `NotFound`, with where it was looked for and why there; `Unavailable` where one was and is gone.
    pub(super) fn existing_vault(&self) -> Result<LocalVault> {
        let vault = self.vault()?;
        if vault.exists()? {
            return Ok(vault);
        }
        vault.refuse_if_gone()?;
        Err(self.no_vault(&vault))
    }

    /// Where this machine has to remember the vault and does not: it sees it first, or the memory is lost. Also with `-q`.
    pub(super) fn warn_if_seen_first(&mut self, vault: &LocalVault) -> Result<()> {
        if self.require_state && vault.is_seen_first()? {
            self.out.warn(&format!(
                "nothing in {} remembers this vault: an older copy of it would not be noticed until the next change is \
                 remembered; where it was used before, that memory is lost",
                vault.dirs().state.display()
            ));
            self.note("hint: keyward audit verify --checkpoint FILE   (compares it with one that was kept elsewhere)");
        }
        Ok(())
    }

    /// Makes the vault with a device slot where there is none, unless that would be an accident.
    ///
    /// # Errors
    /// Those of [`Ctx::existing_vault`] where none may be made.
    pub(super) fn make_vault_if_none(&mut self) -> Result<()> {
        let vault = self.vault()?;
        if vault.exists()? {
            return Ok(());
        }
        self.may_make(&vault)?;
        if self.global.dry_run {
            self.out.tell(&format!("would make a vault: {}", vault.dirs().keystore().display()));
            return self.rehearse();
        }
        match vault.init(&self.operation(), InitOptions::default()) {
            Ok(made) => {
                made.iter().for_each(|made| self.announce(made));
                Ok(())
            }
            // Two first commands at once: one of them makes the vault, and both use it.
            Err(_) if vault.exists()? => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Begins a rehearsal where there is no vault and the command would make one; whether it did.
    ///
    /// # Errors
    /// Those of [`Ctx::make_vault_if_none`].
    pub(super) fn rehearse_if_new(&mut self) -> Result<bool> {
        if self.is_remote() || self.global.dry_run || self.rehearsal.is_some() {
            return Ok(self.rehearsal.is_some() && !self.global.dry_run);
        }
        let vault = self.vault()?;
        if vault.exists()? {
            return Ok(false);
        }
        self.may_make(&vault)?;
        // Where nothing can be written beside the vault's own place, the vault itself has to do.
        Ok(self.rehearse().is_ok())
    }

    fn may_make(&self, vault: &LocalVault) -> Result<()> {
        vault.refuse_if_gone()?;
        if self.global.read_only {
            return Err(self.no_vault(vault));
        }
        self.refuse_accident(vault)?;
        self.refuse_other_key(vault)
    }

    /// A dry run changes nothing, and what would be made is judged all the same: against a vault that goes with the process.
    fn rehearse(&mut self) -> Result<()> {
        let place = tempfile::tempdir().map_err(|error| {
            Error::new(Kind::Unavailable, "rehearsal", "the directory for temporary files cannot be written")
                .cause(error.to_string())
        })?;
        self.rehearsal = Some(place);
        let real = Context { dry_run: false, ..self.operation() };
        let made = self.vault().and_then(|vault| vault.init(&real, InitOptions::default()));
        made.map(drop).inspect_err(|_| self.rehearsal = None)
    }

    /// A place with a slip in it, or one that nobody chose, is where the keys of a job would be lost.
    fn refuse_accident(&self, vault: &LocalVault) -> Result<()> {
        if let Some(named) = &self.global.vault {
            let parent = named.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if !parent.is_dir() {
                return Err(self.no_vault(vault).cause(format!("there is no directory {}", parent.display())));
            }
            return Ok(());
        }
        // The system's list of users knows a home, and whoever wrote the job did not think of it.
        if !self.can_prompt() && self.env.path("HOME").is_none() && !self.under_xdg(vault) {
            return Err(self.no_vault(vault));
        }
        Ok(())
    }

    /// Whoever names what opens a vault, or a server, means one that is there: a new vault would open by something else.
    fn refuse_other_key(&self, vault: &LocalVault) -> Result<()> {
        let global = &self.global;
        let absent = || Error::not_found(format!("there is no vault at {}", vault.dirs().keystore().display()));
        #[cfg(feature = "server")]
        if !self.has_other_side
            && global.vault.is_none()
            && (global.token_file.is_some()
                || ["KEYWARD_TOKEN", "KEYWARD_OIDC"].iter().any(|one| self.env.text(one).is_some()))
        {
            return Err(absent()
                .cause("a credential for a server is given, and no server")
                .hint("name it: --server URL or KEYWARD_SERVER"));
        }
        let named = global.key_file.is_some() || global.passphrase_file.is_some() || global.passphrase_fd.is_some();
        let handed = self.env.path("CREDENTIALS_DIRECTORY").is_some_and(|dir| dir.join(CREDENTIAL).exists());
        if !named && !handed {
            return Ok(());
        }
        Err(absent()
            .cause("the key or passphrase that is given would not open a new one")
            .hint("correct --vault or KEYWARD_VAULT, or mount its volume")
            .hint("keyward init --passphrase   makes one that a passphrase opens"))
    }

    /// There is none: where it was looked for, why there, and the ways on.
    fn no_vault(&self, vault: &LocalVault) -> Error {
        let place = vault.dirs().keystore();
        let error = Error::not_found(format!("there is no vault at {}", place.display()));
        let sudo = self.env.text("SUDO_USER").filter(|_| self.global.vault.is_none());
        let home = self.env.path("HOME");
        let (why, hint) = match &self.global.vault {
            Some(_) if self.given.vault.is_some() => {
                ("--vault names that directory".to_owned(), "correct --vault, or mount its volume".to_owned())
            }
            Some(_) => (
                "KEYWARD_VAULT names that directory".to_owned(),
                "correct KEYWARD_VAULT, or mount its volume".to_owned(),
            ),
            None => {
                let why = match &home {
                    _ if self.under_xdg(vault) => "XDG_DATA_HOME names the directory of its data".to_owned(),
                    Some(home) => format!("HOME is {}, and neither --vault nor KEYWARD_VAULT is given", home.display()),
                    None => {
                        "HOME is not set, so that it is the home of whom the system's list of users names".to_owned()
                    }
                };
                let hint = match (&sudo, home) {
                    (Some(user), _) => format!("run it as {user}, without sudo, or name the vault: --vault DIR"),
                    (None, None) => "set HOME, or name the vault: --vault DIR or KEYWARD_VAULT".to_owned(),
                    (None, Some(_)) => "name the vault where it is: --vault DIR or KEYWARD_VAULT".to_owned(),
                };
                (why, hint)
            }
        };
        let error = error.cause(why);
        let error = match sudo {
            Some(user) => error.cause(format!("sudo runs this for {user}, whose vault is another")),
            None => error,
        };
        error
            .hint(hint)
            .hint(match &self.given.vault {
                Some(dir) => {
                    let dir = dir.to_string_lossy().into_owned();
                    format!("{}  (makes one there)", shell_words::join(["keyward", "--vault", &dir, "init"]))
                }
                None => "keyward init  (makes one there)".to_owned(),
            })
            .hint("keyward vault restore FILE  (puts a backup there)")
    }

    /// Whether the environment says where data lives.
    fn under_xdg(&self, vault: &LocalVault) -> bool {
        self.env.path("XDG_DATA_HOME").is_some_and(|dir| dir.is_absolute() && vault.dirs().data.starts_with(dir))
    }
}

/// Refuses an address where a directory is meant: it would become the name of one.
///
/// # Errors
/// `Usage`; the address is not repeated, for it may hold a password.
pub(super) fn refuse_address(vault: &Path, option: &str) -> Result<()> {
    const SCHEMES: [&str; 9] = ["postgres", "postgresql", "mysql", "sqlite", "file", "http", "https", "unix", "redis"];
    let text = vault.to_string_lossy();
    let Some((scheme, rest)) = text.split_once(':') else { return Ok(()) };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|one| one.is_ascii_alphanumeric() || "+-.".contains(one));
    if !is_scheme || !(rest.starts_with("//") || SCHEMES.contains(&scheme.to_ascii_lowercase().as_str())) {
        return Ok(());
    }
    let error = Error::usage(format!("{option} takes a directory, and {scheme}: begins an address"));
    Err(match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" | "unix" => error.hint("a server is named with --server URL or KEYWARD_SERVER"),
        _ => error.hint("name the directory of the vault: --vault DIR; one of that name: --vault ./NAME"),
    })
}
