//! The key hierarchy: a random root, its subkeys, and what each role of slot holds of them.
//!
//! HKDF-SHA256 (RFC 5869) with fixed labels derives the subkeys. The verifier key (pepper) and the Ed25519 signing seed
//! are random keys of their own, so that replacing the root kills no verifier and keeps the vault's identity. The seed is
//! replaced when that is asked for. The pepper never is: no stored verifier could be computed again without the secrets,
//! and alone it opens nothing and signs nothing.

use super::seal::{Opened, SealError, SealKey, frame};
use crate::domain::{Digest, Lookup, PlainToken, SlotRole, Verifier};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use minicbor::{Decode, Encode};
use rand::CryptoRng;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const BLIND_INDEX_BYTES: usize = 16;

/// What an opened slot can do. The role `support` holds no [`AdminPart`]: it reads and judges, and nothing more.
pub struct Capabilities {
    /// The vault they belong to.
    pub vault_id: String,
    /// Counts the replacements of the root.
    pub generation: u32,
    record_bytes: Zeroizing<[u8; 32]>,
    index_bytes: Zeroizing<[u8; 32]>,
    index: Prf,
    record: SealKey,
    verify_head: VerifyingKey,
    desk: Option<DeskPart>,
    /// What only an admin holds.
    pub admin: Option<AdminPart>,
}

/// The keys to judge secrets and to read the history of keys. A support slot that an earlier version made lacks them.
///
/// Nothing that can be made with them is believed: a verifier counts in a row with a tag, and an event in the signed tree or
/// with a tag, and tags and signatures are made with the keys of an admin.
struct DeskPart {
    pepper: Zeroizing<[u8; 32]>,
    verifier: Prf,
    history_bytes: Zeroizing<[u8; 32]>,
    history: SealKey,
}

impl DeskPart {
    fn of(pepper: Zeroizing<[u8; 32]>, history: Zeroizing<[u8; 32]>) -> Self {
        Self { verifier: Prf::new(&pepper), pepper, history: SealKey::new(*history), history_bytes: history }
    }
}

/// The keys to sign, to tag and to read what support does not.
pub struct AdminPart {
    root: Zeroizing<[u8; 32]>,
    seed: Zeroizing<[u8; 32]>,
    integrity: Prf,
    set: Prf,
    detail: SealKey,
    signer: SigningKey,
}

/// What is kept of a signing seed that was replaced: the public key of its checkpoints, and what opens its archives. It can
/// sign nothing.
pub struct LeftBehind {
    /// The public key of the checkpoints that it signed.
    pub checkpoint: [u8; 32],
    /// The key of the archives that were sealed under it.
    pub archive: Zeroizing<[u8; 32]>,
}

impl LeftBehind {
    /// Opens an event's detail from an archive.
    ///
    /// # Errors
    /// When it was changed, or sealed under another key.
    pub fn open_archived(&self, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        SealKey::new(*self.archive).open(associated, sealed)
    }
}

/// The bytes that a slot wraps.
#[derive(Encode, Decode, Zeroize, ZeroizeOnDrop)]
struct Bundle {
    #[zeroize(skip)]
    #[n(0)]
    generation: u32,
    #[cbor(n(1), with = "minicbor::bytes")]
    record: [u8; 32],
    #[cbor(n(2), with = "minicbor::bytes")]
    index: [u8; 32],
    #[cbor(n(3), with = "minicbor::bytes")]
    verify_head: [u8; 32],
    #[cbor(n(4), with = "minicbor::bytes")]
    root: Option<[u8; 32]>,
    #[cbor(n(5), with = "minicbor::bytes")]
    pepper: Option<[u8; 32]>,
    #[cbor(n(6), with = "minicbor::bytes")]
    seed: Option<[u8; 32]>,
    /// Of a support slot alone: an admin derives it from the root.
    #[cbor(n(7), with = "minicbor::bytes")]
    history: Option<[u8; 32]>,
}

impl Capabilities {
    /// The keys of a new vault.
    pub fn generate(rng: &mut impl CryptoRng, vault_id: &str) -> Self {
        let (pepper, seed) = (random_key(rng), random_key(rng));
        Self::of_root(vault_id, 1, random_key(rng), pepper, seed)
    }

    /// The same vault under a new root: every sealed byte must be sealed again, every verifier stays.
    ///
    /// # Errors
    /// `None` without the admin part.
    pub fn regenerate(&self, rng: &mut impl CryptoRng) -> Option<Self> {
        let admin = self.admin.as_ref()?;
        let (pepper, seed) = (self.pepper()?, Zeroizing::new(*admin.seed));
        Some(Self::of_root(&self.vault_id, self.generation.checked_add(1)?, random_key(rng), pepper, seed))
    }

    /// The same vault under a new root and a new signing seed: whoever held the old ones signs nothing that is believed any
    /// more, neither heads nor checkpoints nor messages to webhooks. Every verifier stays.
    ///
    /// # Errors
    /// `None` without the admin part.
    pub fn regenerate_all(&self, rng: &mut impl CryptoRng) -> Option<Self> {
        let pepper = self.admin.as_ref().and(self.pepper())?;
        let (root, seed) = (random_key(rng), random_key(rng));
        Some(Self::of_root(&self.vault_id, self.generation.checked_add(1)?, root, pepper, seed))
    }

    fn pepper(&self) -> Option<Zeroizing<[u8; 32]>> {
        Some(Zeroizing::new(*self.desk.as_ref()?.pepper))
    }

    /// What must be kept of a signing seed that is replaced.
    #[must_use]
    pub fn left_behind(&self) -> Option<LeftBehind> {
        let checkpoint = self.checkpoint_key()?;
        Some(LeftBehind { checkpoint, archive: self.derive_archive_key().ok()? })
    }

    /// The role these capabilities amount to.
    #[must_use]
    pub fn role(&self) -> SlotRole {
        if self.admin.is_some() { SlotRole::Admin } else { SlotRole::Support }
    }

    /// A keyed digest of a value for unique look-ups: says whether two values are equal, and nothing else.
    #[must_use]
    pub fn blind_index(&self, domain: &str, value: &str) -> [u8; BLIND_INDEX_BYTES] {
        let digest = self.index.of(&[domain.as_bytes(), b"\0", value.as_bytes()]);
        let mut index = [0u8; BLIND_INDEX_BYTES];
        index.copy_from_slice(&digest[..BLIND_INDEX_BYTES]);
        index
    }

    /// The verifier of a token. It says whether a secret is a key's own, and makes none: that takes the tag of a row.
    #[must_use]
    pub fn verifier_of(&self, token: &PlainToken) -> Option<Verifier> {
        Some(Verifier(self.desk.as_ref()?.verifier.of(&[token.expose_plaintext().as_bytes()])))
    }

    /// What is kept of a secret that was issued elsewhere: by what it is found, and its verifier. No token begins with a
    /// zero byte: neither hash is ever one of a token.
    #[must_use]
    pub fn imported(&self, digest: &Digest) -> Option<(Lookup, Verifier)> {
        let prf = &self.desk.as_ref()?.verifier;
        let found_by = prf.of(&[b"\0import/lookup\0", digest.expose_bytes()]);
        Some((Lookup::of_hash(&found_by), Verifier(prf.of(&[b"\0import/verifier\0", digest.expose_bytes()]))))
    }

    /// The tag of a row, each field framed by its length, which only an admin can make or check.
    #[must_use]
    pub fn row_tag(&self, fields: &[&[u8]]) -> Option<[u8; 32]> {
        Some(self.admin.as_ref()?.integrity.of_framed(fields))
    }

    /// What a row adds to a digest of many. Nobody without the key sees it, unlike the row's tag: whoever knew it could
    /// look for other rows that add up to the same.
    #[must_use]
    pub fn set_element(&self, row: &[&[u8]]) -> Option<[u8; 32]> {
        Some(self.admin.as_ref()?.set.of(row))
    }

    /// Signs the head.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        Some(self.admin.as_ref()?.signer.sign(message).to_bytes())
    }

    /// Checks a signature of the head, strictly.
    #[must_use]
    pub fn check_signature(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.verify_head.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }

    /// The public key of checkpoints. Its pair is derived from the signing seed under a label of its own, so that no
    /// signature of a head is ever one of a checkpoint, and it stays the same when the root is replaced.
    #[must_use]
    pub fn checkpoint_key(&self) -> Option<[u8; 32]> {
        Some(self.checkpoint_signer()?.verifying_key().to_bytes())
    }

    /// Signs a checkpoint.
    #[must_use]
    pub fn sign_checkpoint(&self, text: &str) -> Option<[u8; 64]> {
        Some(self.checkpoint_signer()?.sign(text.as_bytes()).to_bytes())
    }

    fn checkpoint_signer(&self) -> Option<SigningKey> {
        let seed = derive(self.admin.as_ref()?.seed.as_slice(), self.vault_id.as_bytes(), b"keyward/v1/checkpoint");
        Some(SigningKey::from_bytes(&seed))
    }

    /// The public key of what upstreams are told of whoever calls. Its pair is derived like that of checkpoints: every
    /// server of the vault has the same.
    #[must_use]
    pub fn assertion_key(&self) -> Option<[u8; 32]> {
        Some(self.assertion_signer()?.verifying_key().to_bytes())
    }

    /// Signs what an upstream is told of whoever calls.
    #[must_use]
    pub fn sign_assertion(&self, text: &str) -> Option<[u8; 64]> {
        Some(self.assertion_signer()?.sign(text.as_bytes()).to_bytes())
    }

    fn assertion_signer(&self) -> Option<SigningKey> {
        let seed = derive(self.admin.as_ref()?.seed.as_slice(), self.vault_id.as_bytes(), b"keyward/v1/assertion");
        Some(SigningKey::from_bytes(&seed))
    }

    /// The secret of a webhook. Derived from the signing seed under a label of its own, so that it is kept nowhere and stays
    /// the same when the root is replaced.
    #[must_use]
    pub fn webhook_secret(&self, id: &str) -> Option<Zeroizing<[u8; 32]>> {
        let label = [b"keyward/v1/webhook/".as_slice(), id.as_bytes()].concat();
        Some(derive(self.admin.as_ref()?.seed.as_slice(), self.vault_id.as_bytes(), &label))
    }

    /// Seals a record.
    ///
    /// # Errors
    /// When it is too long.
    pub fn seal_record(&self, rng: &mut impl CryptoRng, associated: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.record.seal(rng, associated, plain)
    }

    /// Opens a record.
    ///
    /// # Errors
    /// When it was changed, moved, or sealed by another key.
    pub fn open_record(&self, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.record.open(associated, sealed)
    }

    /// As [`Capabilities::open_record`], in memory that is used again for the next.
    ///
    /// # Errors
    /// When it was changed, moved, or sealed by another key.
    pub fn open_record_in<'o>(
        &self,
        opened: &'o mut Opened,
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<&'o [u8], SealError> {
        self.record.open_in(opened, associated, sealed)
    }

    /// Seals what only an admin may read.
    ///
    /// # Errors
    /// Without the admin part, or when it is too long.
    pub fn seal_detail(&self, rng: &mut impl CryptoRng, associated: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.admin.as_ref().ok_or(SealError)?.detail.seal(rng, associated, plain)
    }

    /// Opens what only an admin may read.
    ///
    /// # Errors
    /// Without the admin part, or when it was changed.
    pub fn open_detail(&self, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.admin.as_ref().ok_or(SealError)?.detail.open(associated, sealed)
    }

    /// Whether secrets can be judged and histories of keys opened.
    #[must_use]
    pub fn serves_desk(&self) -> bool {
        self.desk.is_some()
    }

    /// Seals what support may read, too: the history of keys.
    ///
    /// # Errors
    /// Without the key, or when it is too long.
    pub fn seal_history(
        &self,
        rng: &mut impl CryptoRng,
        associated: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        self.desk.as_ref().ok_or(SealError)?.history.seal(rng, associated, plain)
    }

    /// Opens what support may read, too.
    ///
    /// # Errors
    /// Without the key, or when it was changed.
    pub fn open_history(&self, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.desk.as_ref().ok_or(SealError)?.history.open(associated, sealed)
    }

    /// Seals an event's detail for an archive, which must open after the root was replaced: its key comes from the
    /// signing seed.
    ///
    /// # Errors
    /// Without the admin part, or when it is too long.
    pub fn seal_archived(
        &self,
        rng: &mut impl CryptoRng,
        associated: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        self.archive_key()?.seal(rng, associated, plain)
    }

    /// Opens an event's detail from an archive.
    ///
    /// # Errors
    /// Without the admin part, or when it was changed.
    pub fn open_archived(&self, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.archive_key()?.open(associated, sealed)
    }

    fn archive_key(&self) -> Result<SealKey, SealError> {
        Ok(SealKey::new(*self.derive_archive_key()?))
    }

    fn derive_archive_key(&self) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let seed = self.admin.as_ref().ok_or(SealError)?.seed.as_slice();
        Ok(derive(seed, self.vault_id.as_bytes(), b"keyward/v1/archive"))
    }

    /// The bytes a slot of a role wraps.
    pub(super) fn bundle(&self, role: SlotRole) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let admin = self.admin.as_ref().filter(|_| role == SlotRole::Admin);
        let history = self.desk.as_ref().filter(|_| role == SlotRole::Support);
        let bundle = Bundle {
            generation: self.generation,
            record: *self.record_bytes,
            index: *self.index_bytes,
            verify_head: self.verify_head.to_bytes(),
            root: admin.map(|admin| *admin.root),
            pepper: self.desk.as_ref().map(|desk| *desk.pepper),
            seed: admin.map(|admin| *admin.seed),
            history: history.map(|desk| *desk.history_bytes),
        };
        minicbor::to_vec(&bundle).map(Zeroizing::new).map_err(|_| SealError)
    }

    /// The capabilities in wrapped bytes.
    pub(super) fn from_bundle(vault_id: &str, bytes: &[u8]) -> Result<Self, SealError> {
        let bundle: Bundle = minicbor::decode(bytes).map_err(|_| SealError)?;
        if let (Some(root), Some(pepper), Some(seed)) = (bundle.root, bundle.pepper, bundle.seed) {
            let (root, pepper, seed) = (Zeroizing::new(root), Zeroizing::new(pepper), Zeroizing::new(seed));
            return Ok(Self::of_root(vault_id, bundle.generation, root, pepper, seed));
        }
        let desk = bundle.pepper.zip(bundle.history);
        Ok(Self {
            vault_id: vault_id.to_owned(),
            generation: bundle.generation,
            record: SealKey::new(bundle.record),
            record_bytes: Zeroizing::new(bundle.record),
            index: Prf::new(&bundle.index),
            index_bytes: Zeroizing::new(bundle.index),
            verify_head: VerifyingKey::from_bytes(&bundle.verify_head).map_err(|_| SealError)?,
            desk: desk.map(|(pepper, history)| DeskPart::of(Zeroizing::new(pepper), Zeroizing::new(history))),
            admin: None,
        })
    }

    fn of_root(
        vault_id: &str,
        generation: u32,
        root: Zeroizing<[u8; 32]>,
        pepper: Zeroizing<[u8; 32]>,
        seed: Zeroizing<[u8; 32]>,
    ) -> Self {
        let salt = vault_id.as_bytes();
        let record = derive(root.as_slice(), salt, b"keyward/v1/record");
        let index = derive(root.as_slice(), salt, b"keyward/v1/index");
        let integrity = Prf::new(&derive(root.as_slice(), salt, b"keyward/v1/integrity"));
        let set = Prf::new(&derive(root.as_slice(), salt, b"keyward/v1/set"));
        let detail = derive(root.as_slice(), salt, b"keyward/v1/audit-detail");
        let history = derive(root.as_slice(), salt, b"keyward/v1/audit-history");
        let signer = SigningKey::from_bytes(&seed);
        Self {
            vault_id: vault_id.to_owned(),
            generation,
            record: SealKey::new(*record),
            record_bytes: record,
            index: Prf::new(&index),
            index_bytes: index,
            verify_head: signer.verifying_key(),
            desk: Some(DeskPart::of(pepper, history)),
            admin: Some(AdminPart { root, seed, integrity, set, detail: SealKey::new(*detail), signer }),
        }
    }
}

/// HKDF-SHA256: extract with a salt, expand with a label.
pub(super) fn derive(secret: &[u8], salt: &[u8], label: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0u8; 32]);
    // 32 bytes are within the 255 hashes that HKDF can expand to: this cannot fail.
    let _ = Hkdf::<Sha256>::new(Some(salt), secret).expand(label, out.as_mut());
    out
}

/// HMAC-SHA256 with its key worked in once: half the hashing of a short message is the key's. Wiped when dropped.
struct Prf(Hmac<Sha256>);

impl Prf {
    fn new(key: &[u8; 32]) -> Self {
        // RFC 2104 pads a short key with zeros to the block of the hash; done here, the constructor cannot fail.
        let mut block = Zeroizing::new([0u8; 64]);
        block[..key.len()].copy_from_slice(key);
        Self(<Hmac<Sha256> as KeyInit>::new((&*block).into()))
    }

    fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Of fields as [`framed`](super::seal::framed) joins them, without joining them.
    fn of_framed(&self, fields: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for field in fields {
            mac.update(&frame(field));
            mac.update(field);
        }
        mac.finalize().into_bytes().into()
    }
}

fn random_key(rng: &mut impl CryptoRng) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0u8; 32]);
    rng.fill_bytes(key.as_mut());
    key
}
