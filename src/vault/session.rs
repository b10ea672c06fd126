//! A session: a copy of the capabilities in a private file of the runtime directory, under a random key that only the
//! shell that asked for it holds, until a time. It is bound to the slot that opened the vault: whoever opens one compares
//! it with the slots that there are.
//!
//! The file is the time in seconds (eight bytes, little-endian), the length of the slot's id (one byte), the id, and what
//! is sealed with all of them as associated data.

use super::{
    keys::Capabilities,
    seal::{SealKey, framed},
};
use crate::{
    domain::{Time, ids::random_base62},
    files,
};
use chrono::DateTime;
use rand::CryptoRng;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const ID_CHARS: usize = 12;
const KEY_CHARS: usize = 43;
const TIME_BYTES: usize = 8;
const MAX_FILE: u64 = 4096;

/// Why a session does not open the vault.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// It is over.
    #[error("the session has expired")]
    Expired,
    /// It was ended, or never was, or is another vault's.
    #[error("there is no such session")]
    Unknown,
    /// Its file cannot be written or read.
    #[error("the session file {0}: {1}")]
    Io(PathBuf, #[source] std::io::Error),
}

/// An open session.
pub struct Session {
    /// What it opens the vault with.
    pub caps: Capabilities,
    /// The slot that it was opened with.
    pub slot: String,
    /// Its id, which is no secret.
    pub id: String,
    /// When it ends by itself.
    pub until: Time,
}

/// Opens a session of a slot until a time; answers with its token, `<id>.<key>`.
///
/// # Errors
/// When the runtime directory cannot be written.
pub fn create(
    dir: &Path,
    caps: &Capabilities,
    slot: &str,
    until: Time,
    rng: &mut impl CryptoRng,
) -> Result<Zeroizing<String>, SessionError> {
    let id = random_base62(rng, ID_CHARS);
    let key = Zeroizing::new(random_base62(rng, KEY_CHARS));
    let path = file(dir, &id);
    let unusable =
        |error: &dyn std::fmt::Display| SessionError::Io(path.clone(), std::io::Error::other(error.to_string()));
    let until = until.timestamp().to_le_bytes();
    let slot_length = u8::try_from(slot.len()).map_err(|error| unusable(&error))?;
    let sealed = caps
        .bundle(caps.role())
        .and_then(|bundle| seal_key(&key).seal(rng, &bound(&caps.vault_id, &id, &until, slot.as_bytes()), &bundle))
        .map_err(|error| unusable(&error))?;
    let bytes = [until.as_slice(), &[slot_length], slot.as_bytes(), &sealed].concat();
    files::create_private_dir(dir)
        .and_then(|()| files::write_private_atomic(&path, &bytes))
        .map_err(|error| SessionError::Io(path, error))?;
    Ok(Zeroizing::new(format!("{id}.{}", *key)))
}

/// An earlier session. One that is over is removed.
///
/// # Errors
/// When it is over, unknown, or its file was changed.
pub fn open(dir: &Path, token: &str, vault_id: &str, now: Time) -> Result<Session, SessionError> {
    let (id, key) = split(token)?;
    let path = file(dir, id);
    let bytes = files::read_limited(&path, MAX_FILE).map_err(|_| SessionError::Unknown)?;
    let (until, rest) = bytes.split_first_chunk::<TIME_BYTES>().ok_or(SessionError::Unknown)?;
    let (length, rest) = rest.split_first().ok_or(SessionError::Unknown)?;
    let (slot, sealed) = rest.split_at_checked(usize::from(*length)).ok_or(SessionError::Unknown)?;
    let bundle = seal_key(key).open(&bound(vault_id, id, until, slot), sealed).map_err(|_| SessionError::Unknown)?;
    let ends = DateTime::from_timestamp(i64::from_le_bytes(*until), 0).ok_or(SessionError::Unknown)?;
    if ends <= now {
        std::fs::remove_file(&path).map_err(|error| SessionError::Io(path, error))?;
        return Err(SessionError::Expired);
    }
    let caps = Capabilities::from_bundle(vault_id, &bundle).map_err(|_| SessionError::Unknown)?;
    Ok(Session { caps, slot: String::from_utf8_lossy(slot).into_owned(), id: id.to_owned(), until: ends })
}

/// Ends a session; ending one that is gone is no error.
///
/// # Errors
/// When its file cannot be removed.
pub fn end(dir: &Path, token: &str) -> Result<(), SessionError> {
    let (id, _) = split(token)?;
    let path = file(dir, id);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(SessionError::Io(path, error)),
        _ => Ok(()),
    }
}

/// The id in a token, which is no secret; nothing for what is no token.
#[must_use]
pub fn id(token: &str) -> &str {
    split(token).map_or("", |(id, _)| id)
}

fn split(token: &str) -> Result<(&str, &str), SessionError> {
    let (id, key) = token.split_once('.').ok_or(SessionError::Unknown)?;
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if id.len() == ID_CHARS && plain(id) && key.len() == KEY_CHARS { Ok((id, key)) } else { Err(SessionError::Unknown) }
}

fn file(dir: &Path, id: &str) -> PathBuf {
    dir.join(format!("{id}.session"))
}

fn seal_key(key: &str) -> SealKey {
    SealKey::new(*super::keys::derive(key.as_bytes(), b"", b"keyward/v1/unlocked-copy"))
}

fn bound(vault_id: &str, id: &str, until: &[u8], slot: &[u8]) -> Vec<u8> {
    framed(&[b"keyward/v1/unlocked-copy", vault_id.as_bytes(), id.as_bytes(), until, slot])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::parse_time;
    use chrono::TimeDelta;

    #[test]
    fn a_session_opens_until_its_time_and_not_for_another_key_or_vault() {
        let dir = tempfile::tempdir().unwrap();
        let now = parse_time("2026-01-01").unwrap();
        let caps = Capabilities::generate(&mut rand::rng(), "vault_1");
        let token = create(dir.path(), &caps, "slot_1", now + TimeDelta::minutes(15), &mut rand::rng()).unwrap();
        assert!(open(dir.path(), &token, "vault_1", now).is_ok_and(|session| session.slot == "slot_1"));
        let path = file(dir.path(), token.split('.').next().unwrap());
        let bytes = std::fs::read(&path).unwrap();
        let mut of_another = bytes.clone();
        of_another[TIME_BYTES + "slot_1".len()] = b'2';
        std::fs::write(&path, of_another).unwrap();
        assert!(matches!(open(dir.path(), &token, "vault_1", now), Err(SessionError::Unknown)), "bound to its slot");
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(open(dir.path(), &token, "vault_2", now), Err(SessionError::Unknown)));
        let mut other = token.to_string();
        other.pop();
        other.push('!');
        assert!(matches!(open(dir.path(), &other, "vault_1", now), Err(SessionError::Unknown)));
        assert!(matches!(
            open(dir.path(), &token, "vault_1", now + TimeDelta::minutes(15)),
            Err(SessionError::Expired)
        ));
        assert!(matches!(open(dir.path(), &token, "vault_1", now), Err(SessionError::Unknown)));
        end(dir.path(), &token).unwrap();
    }
}
