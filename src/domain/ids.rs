//! Identifiers and names: what a key is called, and what a user may type to mean one.

use super::{
    text::{composed, one_line},
    token::PlainToken,
};
use rand::{CryptoRng, RngExt};
use serde::{Serialize, Serializer};
use std::{fmt, str::FromStr};

/// The digits of base62, in ASCII order.
pub(super) const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: &str = "key_";
const RANDOM_CHARS: usize = 16;
/// The shortest id prefix that a command accepts, `key_` included.
const MIN_PREFIX: usize = 8;
const MAX_NAME: usize = 128;

/// So many characters, each drawn uniformly from base62.
pub fn random_base62(rng: &mut impl CryptoRng, count: usize) -> String {
    (0..count).map(|_| char::from(BASE62[rng.random_range(0..BASE62.len())])).collect()
}

/// The stable id of a key: `key_` and 16 base62 characters. Survives every rotation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(AsciiText<{ PREFIX.len() + RANDOM_CHARS }>);

/// So many ASCII characters, without an allocation of their own: a server holds millions of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct AsciiText<const LENGTH: usize>([u8; LENGTH]);

impl<const LENGTH: usize> AsciiText<LENGTH> {
    /// The text; `None` when it has another length, or other characters.
    pub(super) fn of(text: &str) -> Option<Self> {
        text.as_bytes().try_into().ok().filter(|bytes: &[u8; LENGTH]| bytes.as_slice().is_ascii()).map(Self)
    }

    /// Digits of base62, each told by its place.
    pub(super) fn of_digits(mut digit: impl FnMut(usize) -> usize) -> Self {
        Self(std::array::from_fn(|place| BASE62[digit(place) % BASE62.len()]))
    }

    /// The text again.
    pub(super) fn as_str(&self) -> &str {
        // All of it is ASCII: there is no other way to make one.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Its characters.
    pub(super) fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }
}

impl KeyId {
    /// Draws a new id.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut text = [b'_'; PREFIX.len() + RANDOM_CHARS];
        let (prefix, random) = text.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX.as_bytes());
        random.copy_from_slice(random_base62(rng, RANDOM_CHARS).as_bytes());
        Self(AsciiText(text))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The characters of the id.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; PREFIX.len() + RANDOM_CHARS] {
        self.0.as_bytes()
    }
}

impl FromStr for KeyId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let random = text.strip_prefix(PREFIX).ok_or("a key id begins with key_")?;
        let plain = random.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let id = AsciiText::of(text).filter(|_| plain).map(Self);
        id.ok_or_else(|| "a key id is key_ and 16 letters or digits".to_owned())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a user types to mean a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyRef {
    /// A whole id.
    Id(KeyId),
    /// The beginning of an id, at least 8 characters.
    Prefix(String),
    /// An exact name.
    Name(String),
}

/// Why something does not mean a key. Never repeats what was typed: it may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefError {
    /// Somebody pasted a token.
    #[error("this is a secret, not the name of a key; pass it on standard input: keyward verify -")]
    LooksLikeSecret,
    /// Nothing, or too short a prefix of an id.
    #[error("a key is named by its id, its exact name, or at least 8 characters of its id")]
    TooShort,
}

impl FromStr for KeyRef {
    type Err = RefError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if PlainToken::parse(text).is_ok() {
            return Err(RefError::LooksLikeSecret);
        }
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        if text.starts_with(PREFIX) {
            return if text.len() >= MIN_PREFIX { Ok(Self::Prefix(text.to_owned())) } else { Err(RefError::TooShort) };
        }
        if text.is_empty() { Err(RefError::TooShort) } else { Ok(Self::Name(composed(text).into_owned())) }
    }
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Prefix(text) | Self::Name(text) => f.write_str(text),
        }
    }
}

/// A name that people give: 1 to 128 characters in NFC, none that hides, no space at either end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectName(String);

impl ObjectName {
    /// The name as text.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl FromStr for ObjectName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = one_line(text).map_err(|why| format!("a name {why}: write it without"))?;
        let problem = if text.is_empty() {
            "a name is not empty"
        } else if text.chars().count() > MAX_NAME {
            "a name has at most 128 characters"
        } else if text.trim() != text {
            "a name neither begins nor ends with a space"
        } else if text.starts_with('-') {
            "a name does not begin with '-'"
        } else if text.starts_with(PREFIX) {
            "a name does not begin with 'key_': it would look like an id"
        } else if matches!(&*text, "." | "..") {
            "a name is neither '.' nor '..': no path could hold it"
        } else if PlainToken::parse(&text).is_ok() {
            "this is a secret, not a name"
        } else {
            return Ok(Self(text.into_owned()));
        };
        Err(problem.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Brand, Environment};
    use proptest::prelude::*;

    #[test]
    fn a_reference_is_an_id_its_beginning_or_a_name_and_never_a_secret() {
        let id = KeyId::generate(&mut rand::rng());
        assert_eq!(id.as_str().parse(), Ok(KeyRef::Id(id.clone())));
        assert_eq!(id.as_str()[..8].parse(), Ok(KeyRef::Prefix(id.as_str()[..8].to_owned())));
        assert_eq!(id.as_str()[..7].parse::<KeyRef>(), Err(RefError::TooShort));
        assert_eq!("".parse::<KeyRef>(), Err(RefError::TooShort));
        assert_eq!("billing sync".parse(), Ok(KeyRef::Name("billing sync".to_owned())));
        let token = PlainToken::generate(&mut rand::rng(), &Brand::default(), Environment::Staging);
        assert_eq!(token.expose_plaintext().parse::<KeyRef>(), Err(RefError::LooksLikeSecret));
        assert!(token.expose_plaintext().parse::<ObjectName>().is_err());
    }

    proptest! {
        #[test]
        fn what_is_accepted_reads_back(text in "(?s).{0,60}|key_[0-9A-Za-z]{0,20}") {
            if let Ok(key) = text.parse::<KeyRef>() {
                prop_assert_eq!(key.to_string(), composed(&text));
            }
            if let Ok(name) = text.parse::<ObjectName>() {
                prop_assert_eq!(name.into_string(), composed(&text));
            }
        }
    }
}
