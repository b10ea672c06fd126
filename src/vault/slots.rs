//! Keyslots, as in LUKS and restic: each wraps a bundle of capabilities under a secret of its own.
//!
//! A slot's secret yields a wrapping key and a commitment. The commitment, compared in constant time, tells a wrong
//! secret from a damaged slot. Passphrases pay for Argon2id; random secrets need no slow derivation.

use super::{
    kdf::{KdfError, KdfParams},
    keys::{Capabilities, derive},
    seal::{SealKey, framed},
};
use crate::domain::{SlotRole, Time, ids::random_base62, time::format_time};
use rand::CryptoRng;
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// What kind of secret opens a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotKind {
    /// A random key in a private file.
    Device,
    /// A passphrase.
    Passphrase,
    /// A printed code.
    Recovery,
}

impl SlotKind {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Passphrase => "passphrase",
            Self::Recovery => "recovery",
        }
    }
}

impl std::str::FromStr for SlotKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Device, Self::Passphrase, Self::Recovery]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| "expected device, passphrase or recovery".to_owned())
    }
}

/// The secret of a slot, wiped when dropped.
pub struct SlotSecret(Zeroizing<Vec<u8>>);

impl SlotSecret {
    /// The secret of a passphrase slot: the passphrase in NFC, for another keyboard may type its accents otherwise.
    #[must_use]
    pub fn from_passphrase(passphrase: &str) -> Self {
        Self::of_characters(passphrase.nfc(), passphrase.len())
    }

    /// The other secrets that an older version may have made of a passphrase, which it took as it was typed.
    #[must_use]
    pub fn from_passphrase_as_typed(passphrase: &str) -> Vec<Self> {
        let usual = Self::from_passphrase(passphrase);
        let typed = Self(Zeroizing::new(passphrase.as_bytes().to_vec()));
        let mut others = vec![typed, Self::of_characters(passphrase.nfd(), passphrase.len())];
        others.retain(|other| other.0 != usual.0);
        others.dedup_by(|a, b| a.0 == b.0);
        others
    }

    fn of_characters(characters: impl Iterator<Item = char>, length: usize) -> Self {
        // Memory that grew would leave a part of the passphrase behind: no form is more than three times as long.
        let mut bytes = Zeroizing::new(Vec::with_capacity(3 * length));
        characters.for_each(|c| bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()));
        Self(bytes)
    }

    /// The same secret once more, for wrapping other capabilities under it; never for keeping.
    #[must_use]
    pub fn again(&self) -> Self {
        Self(self.0.clone())
    }

    /// The secret of a device or recovery slot: random bytes.
    #[must_use]
    pub fn from_random(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }
}

/// Why a slot could not be made or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// The secret is not this slot's.
    #[error("the secret opens no slot")]
    WrongSecret,
    /// The secret is right, and the slot was changed.
    #[error("the slot is damaged: its secret is right, and what it wraps does not open")]
    Damaged,
    /// The derivation's parameters are out of bounds.
    #[error(transparent)]
    Kdf(#[from] KdfError),
    /// A support slot cannot make an admin slot.
    #[error("only an admin can make this slot")]
    NotAdmin,
}

/// A slot as stored; nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its id, `slot_…`.
    pub id: String,
    /// What opens it.
    pub kind: SlotKind,
    /// What it opens.
    pub role: SlotRole,
    /// A label for people.
    pub label: Option<String>,
    /// When it was made.
    pub created_at: Time,
    /// The cost of a passphrase.
    pub kdf: Option<KdfParams>,
    /// A random salt.
    pub salt: [u8; 16],
    /// Says whether a secret is the right one.
    pub commitment: [u8; 32],
    /// The generation of the keys it wraps.
    pub generation: u32,
    /// The wrapped bundle.
    pub wrapped: Vec<u8>,
}

/// What a slot is to be, before it has its salt and id.
pub struct SlotPlan {
    /// What opens it.
    pub kind: SlotKind,
    /// What it opens.
    pub role: SlotRole,
    /// A label for people.
    pub label: Option<String>,
}

struct Derived {
    wrapping: SealKey,
    commitment: Zeroizing<[u8; 32]>,
}

impl Slot {
    /// Makes a slot and proves that it opens.
    ///
    /// # Errors
    /// For weak parameters, and when support capabilities are to make an admin slot.
    pub fn create(
        rng: &mut impl CryptoRng,
        caps: &Capabilities,
        plan: SlotPlan,
        secret: &SlotSecret,
        now: Time,
    ) -> Result<Self, SlotError> {
        if caps.admin.is_none() {
            return Err(SlotError::NotAdmin);
        }
        let kdf = (plan.kind == SlotKind::Passphrase).then(KdfParams::default);
        if let Some(kdf) = kdf {
            kdf.check_new()?;
        }
        let mut slot = Self {
            id: format!("slot_{}", random_base62(rng, 12)),
            kind: plan.kind,
            role: plan.role,
            label: plan.label,
            created_at: now,
            kdf,
            salt: [0; 16],
            commitment: [0; 32],
            generation: caps.generation,
            wrapped: Vec::new(),
        };
        slot.rewrap(rng, secret, caps)?;
        Ok(slot)
    }

    /// Wraps other capabilities under the same secret with a new salt, and proves that the slot opens.
    ///
    /// # Errors
    /// When the derivation refuses, or the proof fails.
    pub fn rewrap(
        &mut self,
        rng: &mut impl CryptoRng,
        secret: &SlotSecret,
        caps: &Capabilities,
    ) -> Result<(), SlotError> {
        rng.fill_bytes(&mut self.salt);
        self.generation = caps.generation;
        let derived = self.derive(secret)?;
        self.commitment = *derived.commitment;
        let bundle = caps.bundle(self.role).map_err(|_| SlotError::Damaged)?;
        self.wrapped =
            derived.wrapping.seal(rng, &self.bound(&caps.vault_id), &bundle).map_err(|_| SlotError::Damaged)?;
        self.open(secret, &caps.vault_id).map(drop)
    }

    /// Opens the slot.
    ///
    /// # Errors
    /// `WrongSecret` and `Damaged` are told apart; parameters above the ceiling are refused before they cost anything.
    pub fn open(&self, secret: &SlotSecret, vault_id: &str) -> Result<Capabilities, SlotError> {
        let derived = self.derive(secret)?;
        if !bool::from(derived.commitment.ct_eq(&self.commitment)) {
            return Err(SlotError::WrongSecret);
        }
        let bundle = derived.wrapping.open(&self.bound(vault_id), &self.wrapped).map_err(|_| SlotError::Damaged)?;
        Capabilities::from_bundle(vault_id, &bundle).map_err(|_| SlotError::Damaged)
    }

    /// All that a slot is, apart from what it wraps: bound to it as associated data.
    #[must_use]
    pub fn bound(&self, vault_id: &str) -> Vec<u8> {
        let kdf = self.kdf.map(|kdf| format!("{},{},{}", kdf.m_kib, kdf.t, kdf.p)).unwrap_or_default();
        framed(&[
            b"keyward/v1/slot",
            vault_id.as_bytes(),
            self.id.as_bytes(),
            self.kind.as_str().as_bytes(),
            self.role.as_str().as_bytes(),
            self.label.as_deref().unwrap_or_default().as_bytes(),
            format_time(self.created_at).as_bytes(),
            kdf.as_bytes(),
            &self.salt,
            &self.generation.to_le_bytes(),
        ])
    }

    fn derive(&self, secret: &SlotSecret) -> Result<Derived, SlotError> {
        let stretched = match &self.kdf {
            Some(kdf) => Zeroizing::new(kdf.derive(&secret.0, &self.salt)?.to_vec()),
            None => secret.0.clone(),
        };
        Ok(Derived {
            wrapping: SealKey::new(*derive(&stretched, &self.salt, b"keyward/v1/slot/wrap")),
            commitment: derive(&stretched, &self.salt, b"keyward/v1/slot/commit"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Brand, Environment, PlainToken, time::parse_time};

    fn slot(kind: SlotKind, role: SlotRole) -> (Slot, SlotSecret, Capabilities) {
        let rng = &mut rand::rng();
        let caps = Capabilities::generate(rng, "vault_1");
        let secret = SlotSecret::from_random(&[9; 32]);
        let plan = SlotPlan { kind, role, label: None };
        let slot = Slot::create(rng, &caps, plan, &secret, parse_time("2026-01-01").unwrap()).unwrap();
        (slot, secret, caps)
    }

    #[test]
    fn a_wrong_secret_and_a_damaged_slot_are_different_errors() {
        let (mut slot, secret, _) = slot(SlotKind::Device, SlotRole::Admin);
        assert!(slot.open(&secret, "vault_1").is_ok());
        assert_eq!(slot.open(&SlotSecret::from_random(&[8; 32]), "vault_1").err(), Some(SlotError::WrongSecret));
        assert_eq!(slot.open(&secret, "vault_2").err(), Some(SlotError::Damaged));
        slot.role = SlotRole::Support;
        assert_eq!(slot.open(&secret, "vault_1").err(), Some(SlotError::Damaged));
    }

    #[test]
    fn a_support_slot_judges_and_reads_and_holds_no_key_to_tag_or_sign() {
        let (slot, secret, admin) = slot(SlotKind::Device, SlotRole::Support);
        let (rng, support) = (&mut rand::rng(), slot.open(&secret, "vault_1").unwrap());
        let token = PlainToken::generate(rng, &Brand::default(), Environment::Production);
        assert!(support.verifier_of(&token).is_some() && support.verifier_of(&token) == admin.verifier_of(&token));
        for (seal, open) in [
            (admin.seal_record(rng, b"row", b"facts"), Capabilities::open_record as fn(&_, &_, &_) -> _),
            (admin.seal_history(rng, b"row", b"facts"), Capabilities::open_history),
        ] {
            assert_eq!(open(&support, b"row", &seal.unwrap()).unwrap().as_slice(), b"facts");
        }
        for (seal, open) in [
            (admin.seal_detail(rng, b"row", b"facts"), Capabilities::open_detail as fn(&_, &_, &_) -> _),
            (admin.seal_archived(rng, b"row", b"facts"), Capabilities::open_archived),
        ] {
            assert!(open(&support, b"row", &seal.unwrap()).is_err());
        }
        assert!(support.row_tag(&[b"x"]).is_none() && support.set_element(&[b"x"]).is_none());
        assert!(support.sign(b"x").is_none() && support.sign_checkpoint("x").is_none());
        assert!(support.sign_assertion("x").is_none() && support.webhook_secret("x").is_none());
        assert!(support.regenerate(rng).is_none() && support.regenerate_all(rng).is_none());
        assert!(support.check_signature(b"head", &admin.sign(b"head").unwrap()));
        assert!(!support.check_signature(b"daeh", &admin.sign(b"head").unwrap()));
    }

    #[test]
    fn a_new_root_keeps_verifiers_and_identity() {
        let rng = &mut rand::rng();
        let old = Capabilities::generate(rng, "vault_1");
        let new = old.regenerate(rng).unwrap();
        let token = PlainToken::generate(rng, &Brand::default(), Environment::Production);
        assert_eq!(old.verifier_of(&token), new.verifier_of(&token));
        assert!(new.check_signature(b"head", &old.sign(b"head").unwrap()));
        let sealed = old.seal_record(rng, b"row", b"facts").unwrap();
        assert!(new.open_record(b"row", &sealed).is_err());
    }
}
