//! Finding, making and opening the local vault: the one resolver that every command goes through.
//!
//! The order is: session, key file, credentials directory, device key, passphrase. The first source that is named must
//! work; the sources that are merely found are tried in turn. What was tried is said when nothing opens the vault.

use super::{Backend, Dirs, Presence, journal::Journal, local::Local, rekey::open_again, slots::way_in};
use crate::{
    domain::{Action, Brand, SlotRole},
    files,
    ops::{Context, Error, GONE, Kind, Result},
    store::{self, LockedStore, Store},
    vault::{
        Capabilities, KdfError, Pins, SessionError, Slot, SlotError, SlotKind, SlotPlan, SlotSecret, device,
        recovery::{NotARecoveryCode, RecoveryCode},
        session,
    },
};
use serde_json::json;
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Refuses core dumps and tracing for this process, as far as the system lets it.
pub fn harden() {
    crate::vault::process::harden();
}

/// The local vault of some directories; there may be none yet.
pub struct LocalVault {
    dirs: Dirs,
}

/// How a new vault is to be opened.
#[derive(Default)]
pub struct InitOptions {
    /// What tokens start with.
    pub brand: Brand,
    /// The passphrase of the first slot; a device key when not given.
    pub passphrase: Option<Zeroizing<String>>,
}

/// What came of making a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initialised {
    /// The keystore file.
    pub keystore: PathBuf,
    /// The device key file, unless the vault has a passphrase.
    pub device_key: Option<PathBuf>,
    /// The vault's random id.
    pub vault_id: String,
    /// Why it could not be remembered outside the keystore; `None` when it was.
    pub unremembered: Option<String>,
}

/// Asks for a passphrase or a recovery code with these words; `None` when nobody can be asked.
pub type AskPassphrase<'a> = dyn FnMut(&str) -> Result<Option<Zeroizing<String>>> + 'a;

/// The sources that may open the vault.
pub struct Unlock<'a> {
    /// The token of an earlier `unlock`.
    pub session: Option<Zeroizing<String>>,
    /// A device key or recovery code somewhere else.
    pub key_file: Option<PathBuf>,
    /// A directory of credentials, as systemd's `LoadCredential` makes it.
    pub credentials_dir: Option<PathBuf>,
    /// A passphrase was named by the caller: it is used before anything that is merely found.
    pub passphrase_named: bool,
    /// Asks for a passphrase, when everything else fails.
    pub passphrase: &'a mut AskPassphrase<'a>,
}

/// What opened the vault; a slot's secret is kept so that a re-keying can keep the slot.
pub(super) enum OpenedBy {
    Session,
    Slot { id: String, secret: SlotSecret },
}

/// The name of the file looked for in a credentials directory.
pub const CREDENTIAL: &str = "keyward.key";
/// No key file or recovery code is longer.
const MAX_KEY_FILE: u64 = 4096;

impl LocalVault {
    /// The vault of these directories.
    #[must_use]
    pub fn locate(dirs: Dirs) -> Self {
        Self { dirs }
    }

    /// Where its files are.
    #[must_use]
    pub fn dirs(&self) -> &Dirs {
        &self.dirs
    }

    /// Whether there is a keystore.
    ///
    /// # Errors
    /// `Forbidden` where this user may not look: what cannot be seen is not gone.
    pub fn exists(&self) -> Result<bool> {
        let keystore = self.dirs.keystore();
        match keystore.symlink_metadata() {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
            Err(error) => Err(Dirs::cannot_look(&keystore, &error)),
        }
    }

    /// Refuses where a keystore is remembered and none is: a new one in its place would pass for it, without a key in it.
    ///
    /// # Errors
    /// `Unavailable`, with the ways out.
    pub fn refuse_if_gone(&self) -> Result<()> {
        let place = self.dirs.keystore();
        let remembered = self.pins().remember_this_place().map_err(|error| {
            Error::new(Kind::Unavailable, "state", format!("cannot read {}", self.dirs.state.display()))
                .cause(error.to_string())
        })?;
        if !remembered || self.exists()? {
            return Ok(());
        }
        Err(Error::new(Kind::Unavailable, GONE, format!("the keystore that was here is gone: {}", place.display()))
            .hint("mount its volume, or put the file back")
            .hint("keyward vault restore FILE  (from a backup)")
            .hint("keyward init  (a new vault, with none of its keys)"))
    }

    /// How many servers run on the vault.
    #[must_use]
    pub fn servers(&self) -> usize {
        Presence::count(&self.dirs.data)
    }

    pub(super) fn pins(&self) -> Pins {
        Pins::new(&self.dirs.state).at(&self.dirs.keystore()).required(self.dirs.require_state)
    }

    /// Whether changes of the vault could be remembered outside its keystore; why not, else.
    #[must_use]
    pub fn forgets(&self) -> Option<String> {
        self.pins().check().err().map(|error| error.to_string())
    }

    /// Whether this machine remembers nothing of the vault, so that an older copy of it would not be noticed.
    ///
    /// # Errors
    /// `Integrity` for a damaged or foreign file; `Unavailable` when what is remembered cannot be read.
    pub fn is_seen_first(&self) -> Result<bool> {
        let id = Store::open(&self.dirs.keystore())?.meta().vault_id.clone();
        let seen = self.pins().load(&id).map_err(|error| Dirs::cannot_look(&self.dirs.state, &error))?;
        Ok(seen.is_none())
    }

    /// What its tokens begin with; that stands in the clear and needs no unlocking.
    ///
    /// # Errors
    /// `Integrity` for a damaged or foreign file.
    pub fn brand(&self) -> Result<Brand> {
        Ok(Store::open(&self.dirs.keystore())?.meta().brand.clone())
    }

    /// Makes the vault with one admin slot; `None` in a dry run, in which it would.
    ///
    /// # Errors
    /// `Conflict` when there is one already, `Unavailable` when the directories cannot be written.
    pub fn init(&self, cx: &Context, options: InitOptions) -> Result<Option<Initialised>> {
        cx.writable()?;
        let keystore = self.dirs.keystore();
        if self.exists()? {
            return Err(exists(&keystore));
        }
        if cx.dry_run {
            return Ok(None);
        }
        for dir in [&self.dirs.data, &self.dirs.config, &self.dirs.state] {
            Dirs::make(dir)?;
        }
        let rng = &mut rand::rng();
        let vault_id = format!("vault_{}", crate::domain::ids::random_base62(rng, 16));
        let caps = Capabilities::generate(rng, &vault_id);
        let (slot, device_key) = match &options.passphrase {
            Some(passphrase) => {
                let secret = SlotSecret::from_passphrase(passphrase);
                let plan = SlotPlan { kind: SlotKind::Passphrase, role: SlotRole::Admin, label: None };
                (Slot::create(rng, &caps, plan, &secret, cx.now)?, None)
            }
            None => {
                let path = device::path(&self.dirs.config, &vault_id);
                let secret = device::create(&path, rng).map_err(|error| Error::cannot_write(&path, &error))?;
                let plan = SlotPlan { kind: SlotKind::Device, role: SlotRole::Admin, label: None };
                (Slot::create(rng, &caps, plan, &secret, cx.now)?, Some(path))
            }
        };
        let event = cx.event(Action::VaultInit, vault_id.clone(), json!({ "slot": slot.kind.as_str() }));
        let pins = self.pins();
        match Store::create(&keystore, caps, &[slot], &options.brand, event, &pins, cx.now) {
            Ok(()) => Ok(Some(Initialised { keystore, device_key, vault_id, unremembered: pins.missed() })),
            Err(error) => {
                if let Some(path) = device_key {
                    std::fs::remove_file(&path).map_err(|error| Error::cannot_write(&path, &error))?;
                }
                Err(error.into())
            }
        }
    }

    /// Opens the vault with the first source that works.
    ///
    /// # Errors
    /// `NotFound` without a vault, `Unavailable` when it is gone, `Locked` when nothing opens it, `Integrity` for a damaged
    /// or foreign file.
    pub fn unlock(&self, cx: &Context, unlock: Unlock<'_>) -> Result<Box<dyn Backend>> {
        Ok(Box::new(self.open(cx, unlock)?))
    }

    pub(super) fn open(&self, cx: &Context, unlock: Unlock<'_>) -> Result<Local> {
        if !self.exists()? {
            self.refuse_if_gone()?;
            return Err(Error::not_found(format!("there is no vault at {}", self.dirs.keystore().display()))
                .hint("keyward init"));
        }
        let locked = Store::open(&self.dirs.keystore())?;
        let vault_id = locked.meta().vault_id.clone();
        let session = unlock.session.as_ref().map(|token| session::id(token).to_owned());
        let (caps, opened_by) = match self.resolve(cx, &locked, &vault_id, unlock) {
            Ok(opened) => opened,
            Err(error) => {
                if error.kind == Kind::Locked && !cx.read_only {
                    Journal::of(&self.dirs, &vault_id).failed_unlock(cx, &error.reason)?;
                }
                return Err(error);
            }
        };
        let store = match (locked.unlock(caps, self.pins(), cx.now), &opened_by) {
            // It got new keys since its slots were read.
            (Err(store::Error::Rekeyed), OpenedBy::Slot { id, secret }) => {
                open_again(&self.dirs.keystore(), id, secret, self.pins(), cx.now)?.ok_or(store::Error::Rekeyed)?
            }
            (opened, _) => opened?,
        };
        if let (Some(id), OpenedBy::Session) = (session, &opened_by)
            && store.read(cx.now)?.is_session_ended(&id)?
        {
            return Err(SessionError::Unknown.into());
        }
        let local = Local::new(self.dirs.clone(), store, opened_by);
        local.absorb_journal(cx)?;
        Ok(local)
    }

    pub(super) fn resolve(
        &self,
        cx: &Context,
        locked: &LockedStore,
        vault_id: &str,
        unlock: Unlock<'_>,
    ) -> Result<(Capabilities, OpenedBy)> {
        let slots = locked.slots()?;
        let named = unlock.key_file.is_some() || unlock.passphrase_named;
        // What is said on the command line stands before what the environment holds, which may be stale.
        if let Some(token) = unlock.session.as_ref().filter(|_| !named) {
            let session = session::open(&self.dirs.runtime, token, vault_id, cx.now)?;
            if self.is_marked_ended(&session.id) {
                return Err(SessionError::Unknown.into());
            }
            if !slots.iter().any(|slot| slot.id == session.slot) {
                return Err(Error::new(Kind::Locked, "session_slot_gone", "the slot that opened this session is gone")
                    .cause(format!("{} was removed or replaced", session.slot))
                    .hint("open the vault with another slot: eval \"$(keyward unlock --for 15m)\""));
            }
            return Ok((session.caps, OpenedBy::Session));
        }
        if let Some(path) = &unlock.key_file {
            return open_with_file(&slots, path, vault_id, Kind::Usage);
        }
        if unlock.passphrase_named
            && let Some(passphrase) = (unlock.passphrase)("Passphrase of the vault")?
        {
            return open_with_text(&slots, &passphrase, vault_id);
        }
        let mut tried = Vec::new();
        if let Some(dir) = &unlock.credentials_dir {
            let path = dir.join(CREDENTIAL);
            if path.exists() {
                return open_with_file(&slots, &path, vault_id, Kind::Unavailable);
            }
            tried.push(format!("{} (no such file)", path.display()));
        }
        let path = device::path(&self.dirs.config, vault_id);
        if path.exists() {
            match open_with_file(&slots, &path, vault_id, Kind::Unavailable) {
                Ok(opened) => return Ok(opened),
                Err(error) if error.kind == Kind::Locked => tried.push(format!("{} ({error})", path.display())),
                Err(error) => return Err(error),
            }
        } else {
            tried.push(format!("{} (no such file)", path.display()));
        }
        let has = |kind| slots.iter().any(|slot| slot.kind == kind);
        let (typed, options) = match (has(SlotKind::Passphrase), has(SlotKind::Recovery)) {
            (true, true) => ("passphrase or recovery code", "--passphrase-file, --passphrase-fd or --key-file FILE"),
            (true, false) => ("passphrase", "--passphrase-file, --passphrase-fd or --key-file FILE"),
            (false, true) => ("recovery code", "--key-file FILE, a file with it and mode 600"),
            (false, false) => ("", ""),
        };
        let error = |tried: &[String]| {
            Error::new(Kind::Locked, "no_slot", "the vault is locked").cause(format!("tried {}", tried.join(", ")))
        };
        if typed.is_empty() {
            return Err(error(&tried)
                .hint(way_in(SlotKind::Device))
                .hint("keyward doctor  (says which slots there are, and what opens each)"));
        }
        let capital = format!("{}{}", typed[..1].to_uppercase(), &typed[1..]);
        if let Some(text) = (unlock.passphrase)(&format!("{capital} of the vault"))? {
            return open_with_text(&slots, &text, vault_id);
        }
        tried.push(format!("a {typed} (none was given, and there is no terminal to ask on)"));
        Err(error(&tried).hint(format!("keyward unlock --for 15m  (on a terminal), or {options}")))
    }
}

/// What somebody typed: a recovery code where it is one and a slot takes it, else a passphrase.
fn open_with_text(slots: &[Slot], text: &str, vault_id: &str) -> Result<(Capabilities, OpenedBy)> {
    let has = |kind| slots.iter().any(|slot| slot.kind == kind);
    match RecoveryCode::parse(text) {
        Ok(code) if has(SlotKind::Recovery) => match open_any(slots, SlotKind::Recovery, code.secret(), vault_id) {
            Err(SlotError::WrongSecret) if has(SlotKind::Passphrase) => {}
            Err(SlotError::WrongSecret) => {
                return Err(Error::new(Kind::Locked, "wrong_code", "that recovery code opens no slot of this vault")
                    .hint("keyward doctor  says which vault this is"));
            }
            opened => return Ok(opened?),
        },
        Err(NotARecoveryCode::Mistyped) if !has(SlotKind::Passphrase) => {
            return Err(Error::new(Kind::Locked, "mistyped", NotARecoveryCode::Mistyped.to_string())
                .hint("type it again; dashes, spaces and case do not matter"));
        }
        _ => {}
    }
    open_with_passphrase(slots, text, vault_id)
}

/// What opens a vault with such slots, where what is at hand does not.
fn ways_in(slots: &[Slot]) -> Vec<&'static str> {
    let has = |kind: &SlotKind| slots.iter().any(|slot| slot.kind == *kind);
    [SlotKind::Passphrase, SlotKind::Recovery, SlotKind::Device].into_iter().filter(has).map(way_in).collect()
}

/// Opens the first slot of a kind that the secret fits, and one of the role admin before any other.
fn open_any(
    slots: &[Slot],
    kind: SlotKind,
    secret: SlotSecret,
    vault_id: &str,
) -> std::result::Result<(Capabilities, OpenedBy), SlotError> {
    let mut last = SlotError::WrongSecret;
    let of_role = |admin: bool| slots.iter().filter(move |slot| (slot.role == SlotRole::Admin) == admin);
    for slot in of_role(true).chain(of_role(false)).filter(|slot| slot.kind == kind) {
        match slot.open(&secret, vault_id) {
            Ok(caps) => return Ok((caps, OpenedBy::Slot { id: slot.id.clone(), secret })),
            Err(SlotError::WrongSecret) => {}
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn open_with_passphrase(slots: &[Slot], passphrase: &str, vault_id: &str) -> Result<(Capabilities, OpenedBy)> {
    if !slots.iter().any(|slot| slot.kind == SlotKind::Passphrase) {
        return Err(Error::new(Kind::Locked, "no_passphrase", "this vault has no passphrase slot")
            .cause("a device key or a recovery code opens it")
            .hint("leave the passphrase out, or name another file with --key-file"));
    }
    let open = |secret| open_any(slots, SlotKind::Passphrase, secret, vault_id);
    let mut opened = open(SlotSecret::from_passphrase(passphrase));
    for secret in SlotSecret::from_passphrase_as_typed(passphrase) {
        if let Err(SlotError::WrongSecret) = opened {
            opened = open(secret);
        }
    }
    opened.map_err(|error| passphrase_error(slots, error))
}

/// A key file holds a device key or a recovery code; which of them shows in its text. One that cannot be read is an error
/// of this kind.
fn open_with_file(slots: &[Slot], path: &Path, vault_id: &str, unread: Kind) -> Result<(Capabilities, OpenedBy)> {
    if files::shared_secret(path) {
        return Err(Error::forbidden("permissions", format!("{} can be read by others", path.display()))
            .hint(format!("chmod 600 {}", path.display())));
    }
    let bytes = files::read_limited(path, MAX_KEY_FILE).map_err(|error| {
        Error::new(unread, "key_file", format!("cannot read {}", path.display())).cause(error.to_string())
    })?;
    let bytes = Zeroizing::new(bytes);
    let opened = match device::parse(&bytes) {
        Some(secret) => open_any(slots, SlotKind::Device, secret, vault_id),
        None => {
            let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
            let code = RecoveryCode::parse(text.trim_end()).map_err(|why| {
                let what = match why {
                    NotARecoveryCode::Mistyped => "holds a recovery code with a character that is wrong or missing",
                    NotARecoveryCode::Other => "holds neither a device key nor a recovery code",
                };
                Error::new(Kind::Locked, "key_file", format!("{} {what}", path.display()))
            })?;
            open_any(slots, SlotKind::Recovery, code.secret(), vault_id)
        }
    };
    opened.map_err(|error| match error {
        SlotError::WrongSecret => {
            let error =
                Error::new(Kind::Locked, "wrong_key", format!("{} opens no slot of this vault", path.display()))
                    .hint("keyward doctor  (says which files are looked at)");
            ways_in(slots).into_iter().fold(error, Error::hint)
        }
        other => other.into(),
    })
}

fn passphrase_error(slots: &[Slot], error: SlotError) -> Error {
    match error {
        SlotError::WrongSecret => {
            let others: Vec<Slot> = slots.iter().filter(|slot| slot.kind != SlotKind::Passphrase).cloned().collect();
            let error = Error::new(Kind::Locked, "wrong_passphrase", "wrong passphrase").hint("try it again");
            ways_in(&others).into_iter().fold(error, Error::hint)
        }
        other => other.into(),
    }
}

fn exists(path: &Path) -> Error {
    Error::conflict("exists", format!("there is a vault at {}", path.display()))
        .hint("keyward doctor  (says what it is, and what opens it)")
}

impl From<SlotError> for Error {
    fn from(error: SlotError) -> Self {
        match error {
            SlotError::WrongSecret => Self::new(Kind::Locked, "wrong_secret", error.to_string()),
            SlotError::Damaged => Self::new(Kind::Integrity, "damaged_slot", error.to_string())
                .hint("open the vault with another slot, or keyward vault restore FILE"),
            SlotError::Kdf(KdfError::TooCostly | KdfError::Refused) => {
                Self::new(Kind::Integrity, "hostile_slot", error.to_string())
                    .hint("open the vault with another slot, or keyward vault restore FILE")
            }
            SlotError::Kdf(KdfError::NoMemory(_)) => Self::new(Kind::Unavailable, "no_memory", error.to_string())
                .hint("give the process more memory, or open the vault with a device key"),
            SlotError::Kdf(KdfError::TooWeak) | SlotError::NotAdmin => {
                Self::new(Kind::Usage, "kdf_parameters", error.to_string())
            }
        }
    }
}

impl From<SessionError> for Error {
    fn from(error: SessionError) -> Self {
        let (kind, reason) = match error {
            SessionError::Expired => (Kind::Locked, "session_expired"),
            SessionError::Unknown => (Kind::Locked, "session_unknown"),
            SessionError::Io(path, why) => {
                return Self::cannot_write(&path, &why)
                    .hint("a session is kept under XDG_RUNTIME_DIR: name a directory there that can be written");
            }
        };
        Self::new(kind, reason, error.to_string())
            .hint("eval \"$(keyward unlock --for 15m)\", or unset KEYWARD_SESSION")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::parse_time;

    #[test]
    fn a_secret_of_both_roles_opens_the_admin_slot_wherever_it_stands() {
        let rng = &mut rand::rng();
        let caps = Capabilities::generate(rng, "vault_1");
        let secret = || SlotSecret::from_random(&[9; 32]);
        let mut slot = |role| {
            let plan = SlotPlan { kind: SlotKind::Device, role, label: None };
            Slot::create(rng, &caps, plan, &secret(), parse_time("2026-01-01").unwrap()).unwrap()
        };
        let (support, admin) = (slot(SlotRole::Support), slot(SlotRole::Admin));
        for slots in [[support.clone(), admin.clone()], [admin, support]] {
            let (opened, _) = open_any(&slots, SlotKind::Device, secret(), "vault_1").unwrap();
            assert!(opened.admin.is_some());
        }
    }
}
