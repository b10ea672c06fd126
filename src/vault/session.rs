//! A session: a copy of the capabilities in a private file of the runtime directory, under a random key that only the
//! shell that asked for it holds, until a time.

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

/// Opens a session until a time; answers with its token, `<id>.<key>`.
///
/// # Errors
/// When the runtime directory cannot be written.
pub fn create(
    dir: &Path,
    caps: &Capabilities,
    until: Time,
    rng: &mut impl CryptoRng,
) -> Result<Zeroizing<String>, SessionError> {
    let id = random_base62(rng, ID_CHARS);
    let key = Zeroizing::new(random_base62(rng, KEY_CHARS));
    let path = file(dir, &id);
    let until = until.timestamp().to_le_bytes();
    let sealed = caps
        .bundle(caps.role())
        .and_then(|bundle| seal_key(&key).seal(rng, &bound(&caps.vault_id, &id, &until), &bundle))
        .map_err(|error| SessionError::Io(path.clone(), std::io::Error::other(error)))?;
    files::create_private_dir(dir)
        .and_then(|()| files::write_private_atomic(&path, &[until.as_slice(), &sealed].concat()))
        .map_err(|error| SessionError::Io(path, error))?;
    Ok(Zeroizing::new(format!("{id}.{}", *key)))
}

/// The capabilities of a session. One that is over is removed.
///
/// # Errors
/// When it is over, unknown, or its file was changed.
pub fn open(dir: &Path, token: &str, vault_id: &str, now: Time) -> Result<Capabilities, SessionError> {
    let (id, key) = split(token)?;
    let path = file(dir, id);
    let bytes = files::read_limited(&path, MAX_FILE).map_err(|_| SessionError::Unknown)?;
    let (until, sealed) = bytes.split_first_chunk::<TIME_BYTES>().ok_or(SessionError::Unknown)?;
    let bundle = seal_key(key).open(&bound(vault_id, id, until), sealed).map_err(|_| SessionError::Unknown)?;
    let ends = DateTime::from_timestamp(i64::from_le_bytes(*until), 0).ok_or(SessionError::Unknown)?;
    if ends <= now {
        std::fs::remove_file(&path).map_err(|error| SessionError::Io(path, error))?;
        return Err(SessionError::Expired);
    }
    Capabilities::from_bundle(vault_id, &bundle).map_err(|_| SessionError::Unknown)
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

fn bound(vault_id: &str, id: &str, until: &[u8]) -> Vec<u8> {
    framed(&[b"keyward/v1/unlocked-copy", vault_id.as_bytes(), id.as_bytes(), until])
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
        let token = create(dir.path(), &caps, now + TimeDelta::minutes(15), &mut rand::rng()).unwrap();
        assert!(open(dir.path(), &token, "vault_1", now).is_ok());
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
