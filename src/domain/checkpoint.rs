//! Checkpoints: what the trail looked like, signed for outsiders.
//!
//! The text is a C2SP `tlog-checkpoint`: origin, size and root, each on a line. It is signed as a C2SP `signed-note`
//! with Ed25519; the public key is told as a note verifier key, `name+hash+base64`. Any tool for transparency logs
//! checks both, with neither keyward nor the vault.

use super::merkle::Hash;
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

/// The kind of signature that a verifier key names: Ed25519.
const ED25519: u8 = 1;

/// The size and the root of a trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which trail: `keyward/` and the vault's id.
    pub origin: String,
    /// How many events.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

/// A signed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What is signed, with its last newline.
    pub text: String,
    signatures: Vec<(String, [u8; 4], Vec<u8>)>,
}

/// The public key of a vault's checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

/// Why a checkpoint is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what the variant means")]
pub enum CheckpointError {
    #[error("it is no signed checkpoint")]
    Malformed,
    #[error("it is a checkpoint of another vault")]
    OtherOrigin,
    #[error("its signature does not hold: it was changed or forged")]
    BadSignature,
    #[error("nobody who is known signed it")]
    Unsigned,
}

/// The name under which a vault's checkpoints go.
#[must_use]
pub fn origin_of(vault_id: &str) -> String {
    format!("keyward/{vault_id}")
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let (origin, digits, root) = (lines.next()?, lines.next()?, lines.next()?);
        let size = digits.parse::<u64>().ok().filter(|size| size.to_string() == digits)?;
        let root = STANDARD.decode(root).ok()?.try_into().ok()?;
        // Further lines are extensions, which a reader may ignore.
        (!origin.is_empty()).then(|| Self { origin: origin.to_owned(), size, root })
    }
}

impl Note {
    /// A text with one signature.
    #[must_use]
    pub fn signed(text: String, key: &VerifierKey, signature: &[u8; 64]) -> Self {
        let signatures = vec![(key.name.clone(), key.hash(), signature.to_vec())];
        Self { text, signatures }
    }

    /// The notes of a file, in which many may stand one after the other.
    ///
    /// # Errors
    /// `Malformed` when there is none, or anything else.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, CheckpointError> {
        let mut notes = Vec::new();
        let mut lines = text.split_inclusive('\n').peekable();
        while lines.peek().is_some() {
            let body: String = lines.by_ref().take_while(|line| *line != "\n").collect();
            let mut signatures = Vec::new();
            while let Some(line) = lines.next_if(|line| line.starts_with("\u{2014} ")) {
                signatures.push(signature_line(line).ok_or(CheckpointError::Malformed)?);
            }
            // Blank lines between two notes are no part of either.
            while lines.next_if(|line| *line == "\n").is_some() {}
            if body.is_empty() && signatures.is_empty() {
                continue;
            }
            if !body.ends_with('\n') || signatures.is_empty() {
                return Err(CheckpointError::Malformed);
            }
            notes.push(Self { text: body, signatures });
        }
        if notes.is_empty() { Err(CheckpointError::Malformed) } else { Ok(notes) }
    }

    /// The checkpoint, if a key signed it. Signatures of others, such as witnesses, are not looked at.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify(&self, key: &VerifierKey) -> Result<Checkpoint, CheckpointError> {
        let checkpoint = Checkpoint::parse(&self.text).ok_or(CheckpointError::Malformed)?;
        if checkpoint.origin != key.name {
            return Err(CheckpointError::OtherOrigin);
        }
        let (_, _, signature) = self
            .signatures
            .iter()
            .find(|(name, hash, _)| *name == key.name && *hash == key.hash())
            .ok_or(CheckpointError::Unsigned)?;
        let signature = Signature::from_slice(signature).map_err(|_| CheckpointError::BadSignature)?;
        let holds = key.key.verify_strict(self.text.as_bytes(), &signature).is_ok();
        if holds { Ok(checkpoint) } else { Err(CheckpointError::BadSignature) }
    }
}

fn signature_line(line: &str) -> Option<(String, [u8; 4], Vec<u8>)> {
    let (name, encoded) = line.strip_prefix("\u{2014} ")?.strip_suffix('\n')?.split_once(' ')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let (hash, signature) = bytes.split_first_chunk::<4>()?;
    valid_name(name).then(|| (name.to_owned(), *hash, signature.to_vec()))
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for (name, hash, signature) in &self.signatures {
            writeln!(f, "\u{2014} {name} {}", STANDARD.encode([hash.as_slice(), signature].concat()))?;
        }
        Ok(())
    }
}

fn valid_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|character: char| character.is_whitespace() || character == '+')
}

impl VerifierKey {
    /// The key of a vault's checkpoints; `None` when the bytes are no key.
    #[must_use]
    pub fn new(origin: String, key: &[u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(key).ok()?;
        valid_name(&origin).then_some(Self { name: origin, key })
    }

    /// Whose key it is.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.name
    }

    fn hash(&self) -> [u8; 4] {
        let digest = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update(*b"\n")
            .chain_update([ED25519])
            .chain_update(self.key.as_bytes())
            .finalize();
        [digest[0], digest[1], digest[2], digest[3]]
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = u32::from_be_bytes(self.hash());
        let key = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{hash:08x}+{}", self.name, STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || "expected a note verifier key, name+hash+base64".to_owned();
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(refused());
        };
        let bytes = STANDARD.decode(key).map_err(|_| refused())?;
        let Some((&ED25519, key)) = bytes.split_first() else { return Err(refused()) };
        let key = key.try_into().map_err(|_| refused())?;
        let key = Self::new(name.to_owned(), key).ok_or_else(refused)?;
        if format!("{:08x}", u32::from_be_bytes(key.hash())) == hash {
            Ok(key)
        } else {
            Err("the hash in the verifier key is not that of its name and key".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};

    /// The vector in the documentation of golang.org/x/mod/sumdb/note.
    const VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const SEED: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn log() -> (SigningKey, VerifierKey) {
        let signer = SigningKey::from_bytes(&[9; 32]);
        let key = VerifierKey::new("keyward/vault_1".to_owned(), signer.verifying_key().as_bytes()).unwrap();
        (signer, key)
    }

    fn note(size: u64) -> Note {
        let (signer, key) = log();
        let text = Checkpoint { origin: "keyward/vault_1".to_owned(), size, root: [7; 32] }.text();
        let signature = signer.sign(text.as_bytes()).to_bytes();
        Note::signed(text, &key, &signature)
    }

    #[test]
    fn the_published_note_comes_out() {
        let key: VerifierKey = VERIFIER.parse().unwrap();
        assert_eq!(key.to_string(), VERIFIER);
        let seed: [u8; 32] = STANDARD.decode(SEED).unwrap()[1..].try_into().unwrap();
        let (text, _) = NOTE.split_once("\n\n").unwrap();
        let text = format!("{text}\n");
        let signature = SigningKey::from_bytes(&seed).sign(text.as_bytes()).to_bytes();
        let made = Note::signed(text, &key, &signature);
        assert_eq!(made.to_string(), NOTE);
        assert_eq!(Note::parse_all(NOTE).unwrap(), std::slice::from_ref(&made));
        // It is signed, but it is no checkpoint.
        assert_eq!(made.verify(&key), Err(CheckpointError::Malformed));
    }

    #[test]
    fn a_checkpoint_survives_its_text_and_nothing_else_passes_for_it() {
        let (_, key) = log();
        let text = note(5).to_string();
        assert!(text.starts_with(
            "keyward/vault_1\n5\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n\n\u{2014} keyward/vault_1 "
        ));
        let parsed = Note::parse_all(&text).unwrap();
        assert_eq!(parsed[0].verify(&key).unwrap().size, 5);
        let many = Note::parse_all(&format!("{text}{}\n{}", note(6), note(7))).unwrap();
        assert_eq!(many.iter().map(|note| note.verify(&key).unwrap().size).collect::<Vec<_>>(), [5, 6, 7]);
        for (forged, error) in [
            (text.replace("\n5\n", "\n6\n"), CheckpointError::BadSignature),
            (text.replace("BwcH", "CwcH"), CheckpointError::BadSignature),
            (text.replacen("vault_1", "vault_2", 1), CheckpointError::OtherOrigin),
            (text.replace("\u{2014} keyward/vault_1", "\u{2014} keyward/other"), CheckpointError::Unsigned),
        ] {
            assert_eq!(Note::parse_all(&forged).unwrap()[0].verify(&key), Err(error), "{forged}");
        }
        for malformed in ["", "\n", "no note", "a\n5\nroot\n", &text[..text.len() - 1], "a\n\n\u{2014} a b\n"] {
            assert_eq!(Note::parse_all(malformed), Err(CheckpointError::Malformed), "{malformed:?}");
        }
        assert_eq!(
            Note::parse_all(&text.replace("\n5\n", "\n05\n")).unwrap()[0].verify(&key),
            Err(CheckpointError::Malformed)
        );
    }

    #[test]
    fn a_key_that_was_mistyped_is_refused() {
        for bad in ["", "a+b", &VERIFIER.replace("c74f", "c74e"), &VERIFIER.replace("Peter", "Petra"), &VERIFIER[..60]]
        {
            assert!(bad.parse::<VerifierKey>().is_err(), "{bad}");
        }
    }
}
