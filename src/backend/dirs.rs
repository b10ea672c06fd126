//! Where the files of a vault live.

use crate::{
    files,
    ops::{Error, Kind, Result},
    store,
    vault::device,
};
use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The directories of one user and one vault, resolved by the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirs {
    /// Holds the keystore.
    pub data: PathBuf,
    /// Holds device keys, never beside the keystore.
    pub config: PathBuf,
    /// Holds what was last seen of the keystore.
    pub state: PathBuf,
    /// Holds unlocked copies; gone after a reboot where the system provides such a place.
    pub runtime: PathBuf,
    /// Nothing may be changed that `state` cannot remember.
    pub require_state: bool,
}

impl Dirs {
    /// The keystore file.
    #[must_use]
    pub fn keystore(&self) -> PathBuf {
        self.data.join("keystore.db")
    }

    /// The locks of rotations that are being worked on.
    #[must_use]
    pub fn leases(&self) -> PathBuf {
        self.state.join("leases")
    }

    /// The sessions that ended here before their time, and that the vault could not be told of.
    #[must_use]
    pub fn ended_sessions(&self) -> PathBuf {
        self.state.join("ended")
    }

    /// What runs of a bulk creation through a server still have to do.
    #[must_use]
    pub fn bulk_runs(&self) -> PathBuf {
        self.state.join("bulk")
    }

    /// What runs of a rotation still have to tell their hooks.
    #[must_use]
    pub fn owed(&self) -> PathBuf {
        self.state.join("owed")
    }

    /// The journal of what happened to a vault while no signing key was at hand.
    #[must_use]
    pub fn journal(&self, vault_id: &str) -> PathBuf {
        self.state.join("journals").join(format!("{vault_id}.jsonl"))
    }

    /// Makes a directory of a vault, private, unless it is there.
    pub(super) fn make(dir: &Path) -> Result<()> {
        files::create_private_dir(dir).map_err(|error| Self::cannot_write(dir, &error))
    }

    /// Refuses to write a file without which a vault does not open, or is not what it was.
    ///
    /// # Errors
    /// `Usage`.
    pub fn refuse_own(&self, path: &Path) -> Result<()> {
        match self.own(path) {
            Some(what) => Err(Error::usage(format!("{} is {what}, and would be lost", path.display()))
                .cause("nothing was done")
                .hint("name another file")),
            None => Ok(()),
        }
    }

    /// What of keyward's own a path leads to, if it does: whatever is written there would take it away. Links are followed,
    /// and the keystores and device keys of other vaults are known by what they hold.
    #[must_use]
    pub fn own(&self, path: &Path) -> Option<&'static str> {
        const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];
        let real = files::real(path);
        let is = |own: &Path| files::real(own) == real;
        let inside = |dir: &Path| real.starts_with(files::real(dir));
        let keystore = self.keystore();
        if BESIDE.iter().any(|suffix| is(&files::with_suffix(&keystore, suffix))) {
            return Some("the keystore of the vault");
        }
        let base = BESIDE.iter().find_map(|suffix| real.to_str()?.strip_suffix(suffix).filter(|_| !suffix.is_empty()));
        if store::is_keystore(&real) || base.is_some_and(|base| store::is_keystore(Path::new(base))) {
            return Some("a keystore");
        }
        if inside(&self.config.join("devices")) || device::is_one(&real) {
            return Some("a key that opens a vault");
        }
        if ["config.toml", "profile", "check.toml"].iter().any(|name| is(&self.config.join(name))) {
            return Some("a file of settings");
        }
        if ["pins", "journals", "leases", "run", "bulk", "ended", "owed"]
            .iter()
            .any(|name| inside(&self.state.join(name)))
        {
            return Some("what this machine remembers of the vault");
        }
        let session = real.extension().is_some_and(|extension| extension == "session");
        (session && real.parent() == Some(&files::real(&self.runtime))).then_some("an unlocked copy of a vault")
    }

    /// The error of a file of a vault that may be there and cannot be looked at.
    pub(super) fn cannot_look(path: &Path, error: &io::Error) -> Error {
        let shown = path.display();
        let message = format!("cannot look whether there is a vault at {shown}");
        if error.kind() != io::ErrorKind::PermissionDenied {
            return Error::new(Kind::Unavailable, "io", message).cause(error.to_string()).hint("keyward doctor");
        }
        // The directory that shuts us out is the last one on the way that can be looked at.
        let shut = path.ancestors().skip(1).find_map(|dir| Some((dir, dir.symlink_metadata().ok()?)));
        let (dir, whose) = shut.map_or((path, None), |(dir, found)| (dir, Some(found.uid())));
        let mine = whose == Some(nix::unistd::geteuid().as_raw());
        let error = Error::forbidden("permissions", message).cause(format!("{}: {error}", dir.display()));
        if mine {
            return error.hint(format!("chmod u+rwx {}", dir.display()));
        }
        let user = whose.and_then(|uid| nix::unistd::User::from_uid(uid.into()).ok().flatten());
        error.hint(match user {
            Some(user) => format!("run it as {}, to whom {} belongs", user.name, dir.display()),
            None => format!("run it as the user to whom {} belongs", dir.display()),
        })
    }

    /// The error of a directory of a vault that cannot be made or written.
    pub(super) fn cannot_write(dir: &Path, error: &io::Error) -> Error {
        let error = match error.kind() {
            // Another file stands where the directory should.
            io::ErrorKind::AlreadyExists => &io::ErrorKind::NotADirectory.into(),
            _ => error,
        };
        Error::cannot_write(dir, error).hint("another place for the vault: --vault DIR")
    }
}
