//! Argon2id (RFC 9106) for passphrases, between a floor for what is made and a ceiling for what is opened.

use argon2::{Algorithm, Argon2, Params, Version};
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

/// The cost of deriving a key from a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct KdfParams {
    /// Memory in KiB.
    #[n(0)]
    pub m_kib: u32,
    /// Passes over the memory.
    #[n(1)]
    pub t: u32,
    /// Lanes.
    #[n(2)]
    pub p: u32,
}

/// Parameters that are too weak to make a slot with, or too costly to open one with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KdfError {
    /// Below the floor: 19 MiB, 2 passes, 1 lane (OWASP's minimum for Argon2id).
    #[error("the Argon2id parameters are too weak: at least 19456 KiB, 2 passes and 1 lane")]
    TooWeak,
    /// Above the ceiling: a damaged or hostile file must not take all memory.
    #[error("the Argon2id parameters are above 4 GiB, 16 passes or 16 lanes: the slot is damaged or hostile")]
    TooCostly,
    /// Argon2 itself refused them.
    #[error("Argon2id refused the parameters: the slot is damaged or hostile")]
    Refused,
    /// There is not enough memory for them; nothing is wrong with the slot.
    #[error("there is not enough memory for Argon2id: it takes {0} MiB")]
    NoMemory(u32),
}

/// 64 MiB, three passes, four lanes: the second recommendation of RFC 9106, section 4.
impl Default for KdfParams {
    fn default() -> Self {
        Self { m_kib: 64 * 1024, t: 3, p: 4 }
    }
}

impl KdfParams {
    /// Whether a new slot may be made with them.
    ///
    /// # Errors
    /// When they are too weak or too costly.
    pub fn check_new(&self) -> Result<(), KdfError> {
        if self.m_kib < 19_456 || self.t < 2 || self.p < 1 {
            return Err(KdfError::TooWeak);
        }
        self.check_ceiling()
    }

    fn check_ceiling(&self) -> Result<(), KdfError> {
        if self.m_kib > 4 * 1024 * 1024 || self.t > 16 || self.p > 16 { Err(KdfError::TooCostly) } else { Ok(()) }
    }

    /// Derives 32 bytes from a passphrase. Checked against the ceiling before anything is allocated.
    ///
    /// # Errors
    /// When the parameters are too costly or not those of Argon2.
    pub fn derive(&self, passphrase: &[u8], salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, KdfError> {
        self.check_ceiling()?;
        let params = Params::new(self.m_kib, self.t, self.p, Some(32)).map_err(|_| KdfError::Refused)?;
        let mut out = Zeroizing::new([0u8; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase, salt, out.as_mut())
            .map_err(|error| match error {
                argon2::Error::OutOfMemory => KdfError::NoMemory(self.m_kib / 1024),
                _ => KdfError::Refused,
            })?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_parameters_make_no_slot_and_hostile_ones_open_none() {
        assert_eq!(KdfParams { m_kib: 8, t: 1, p: 1 }.check_new(), Err(KdfError::TooWeak));
        assert_eq!(KdfParams::default().check_new(), Ok(()));
        for hostile in [
            KdfParams { m_kib: u32::MAX, t: 3, p: 4 },
            KdfParams { m_kib: 65_536, t: 17, p: 4 },
            KdfParams { m_kib: 65_536, t: 3, p: 17 },
        ] {
            assert_eq!(hostile.derive(b"x", &[0; 16]).err(), Some(KdfError::TooCostly));
        }
    }
}
