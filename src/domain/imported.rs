//! Secrets that were issued elsewhere, and are known by their SHA-256 alone.
//!
//! A [`Form`] says how a digest came about: with which salt, and what the secrets begin with. What has the shape of a token of
//! keyward's own is never taken for such a secret, so that no digest can stand in the way of a token.

use super::token::{Lookup, PlainToken, Verifier};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{fmt, str::FromStr};
use zeroize::Zeroizing;

const NAME: &str = "sha256";
const BYTES: usize = 32;

/// A SHA-256. It is shown nowhere: whoever has it can try secrets against it.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest(Zeroizing<[u8; BYTES]>);

/// How the digests of a file came about.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// What every secret begins with; others are not tried.
    pub prefix: Option<String>,
    /// What was hashed together with each secret.
    pub salt: Option<String>,
    /// The salt came after the secret, not before it.
    pub salt_last: bool,
}

/// What is kept of an imported secret: all of it keyed, so that nothing can be tried against it without the vault's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// By what it is found.
    pub lookup: Lookup,
    /// What a presented secret is compared with.
    pub verifier: Verifier,
    /// Its last characters, if they are known.
    pub hint: String,
}

impl Form {
    /// The digest of what was presented; `None` where it cannot be of this form.
    #[must_use]
    pub fn digest_of(&self, presented: &str) -> Option<Digest> {
        let prefixed = self.prefix.as_ref().is_none_or(|prefix| presented.starts_with(prefix.as_str()));
        if presented.is_empty() || !prefixed || PlainToken::parse(presented).is_ok() {
            return None;
        }
        let salt = self.salt.as_deref().unwrap_or_default();
        let (first, last) = if self.salt_last { (presented, salt) } else { (salt, presented) };
        let hash = Sha256::new().chain_update(first).chain_update(last).finalize();
        Some(self.bind(Digest(Zeroizing::new(hash.into()))))
    }

    /// Binds a digest of a file to the prefix of the file, so that a secret without it never fits: not even one with this
    /// very digest, whatever other forms there are.
    #[must_use]
    pub fn bind(&self, digest: Digest) -> Digest {
        let Some(prefix) = &self.prefix else { return digest };
        let length = (prefix.len() as u64).to_be_bytes();
        let bound = Sha256::new().chain_update(b"keyward import prefix\0").chain_update(length);
        let bound = bound.chain_update(prefix).chain_update(digest.0.as_slice()).finalize();
        Digest(Zeroizing::new(bound.into()))
    }

    /// Whether a digest of a file is that of no secret at all: of nothing, the salt or the prefix alone. Such a line comes
    /// of a field that was empty in the old system, and would let in whoever presents nothing but that.
    #[must_use]
    pub fn is_of_nothing(&self, digest: &Digest) -> bool {
        let salt = self.salt.as_deref().unwrap_or_default();
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let of = |first: &str, last: &str| Sha256::new().chain_update(first).chain_update(last).finalize();
        [of("", ""), of(salt, ""), of(prefix, ""), of(salt, prefix), of(prefix, salt)]
            .iter()
            .any(|hash| hash.as_slice() == digest.0.as_slice())
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form")
            .field("prefix", &self.prefix)
            .field("salted", &self.salt.is_some())
            .finish_non_exhaustive()
    }
}

impl Digest {
    /// Its bytes, for the vault's keyed hash.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// 64 hexadecimal digits or base64, either alphabet, with or without padding; `sha256:`, `sha256-` or `sha256$` may stand
/// before it. An error never repeats what was given: it may be the secret itself.
impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text
            .get(..NAME.len())
            .filter(|name| name.eq_ignore_ascii_case(NAME))
            .and_then(|_| text.get(NAME.len()..).and_then(|rest| rest.strip_prefix([':', '-', '$'])));
        let bare = bare.unwrap_or(text);
        let bytes = if bare.len() == 2 * BYTES { from_hex(bare) } else { from_base64(bare) };
        let bytes = bytes.and_then(|bytes| <[u8; BYTES]>::try_from(bytes.as_slice()).ok());
        bytes
            .map(|bytes| Self(Zeroizing::new(bytes)))
            .ok_or_else(|| "expected a SHA-256: 64 hexadecimal digits, or 43 or 44 characters of base64".to_owned())
    }
}

fn from_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let digits = (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok());
    digits.collect::<Option<Vec<u8>>>().map(Zeroizing::new)
}

fn from_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.strip_suffix('=').unwrap_or(text);
    let usual = Zeroizing::new(text.replace('-', "+").replace('_', "/"));
    STANDARD_NO_PAD.decode(usual.as_bytes()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Brand, Environment};
    use proptest::prelude::*;

    /// FIPS 180-2, "abc".
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn form(prefix: Option<&str>, salt: Option<&str>, salt_last: bool) -> Form {
        Form { prefix: prefix.map(str::to_owned), salt: salt.map(str::to_owned), salt_last }
    }

    #[test]
    fn every_way_to_write_a_digest_means_the_same() {
        let base64 = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0";
        let abc = Form::default().digest_of("abc").unwrap();
        for text in [
            ABC.to_owned(),
            ABC.to_uppercase(),
            format!("sha256:{ABC}"),
            format!("SHA256${ABC}"),
            base64.to_owned(),
            format!("{base64}="),
            format!("sha256-{base64}="),
            base64.replace('+', "-").replace('/', "_"),
        ] {
            assert!(text.parse::<Digest>() == Ok(abc.clone()), "{text}");
        }
        for bad in ["", "abc", &ABC[1..], "sha256:", "sha512:x", &ABC.replace('b', "g"), &base64[1..]] {
            let error = bad.parse::<Digest>().unwrap_err();
            assert!(bad.is_empty() || !error.contains(bad) || bad == "abc", "{error}");
        }
        assert_eq!(format!("{abc:?}"), "Digest(…)");
    }

    #[test]
    fn a_salt_stands_before_or_after_and_a_prefix_is_asked_for() {
        let abc = Form::default().digest_of("abc");
        assert!(form(None, Some("a"), false).digest_of("bc") == abc);
        assert!(form(None, Some("c"), true).digest_of("ab") == abc);
        let bound = form(Some("ab"), None, false);
        assert!(bound.digest_of("abc") == abc.clone().map(|abc| bound.bind(abc)));
        assert!(
            bound.digest_of("abc") != abc && bound.digest_of("abc") != form(Some("a"), None, false).digest_of("abc")
        );
        assert!(form(Some("b"), None, false).digest_of("abc").is_none());
        assert!(Form::default().digest_of("").is_none());
        assert!(!format!("{:?}", form(None, Some("pepper"), true)).contains("pepper"));
    }

    #[test]
    fn a_token_is_never_taken_for_an_imported_secret() {
        let token = PlainToken::generate(&mut rand::rng(), &Brand::default(), Environment::Production);
        assert!(Form::default().digest_of(token.expose_plaintext()).is_none());
    }

    #[test]
    fn digests_of_nothing_are_known() {
        let salted = form(Some("acme_"), Some("salt"), true);
        for nothing in ["", "salt", "acme_", "acme_salt", "saltacme_"] {
            let digest = Form::default()
                .digest_of(nothing)
                .unwrap_or_else(|| "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".parse().unwrap());
            assert!(salted.is_of_nothing(&digest), "{nothing}");
        }
        assert!(!salted.is_of_nothing(&Form::default().digest_of("abc").unwrap()));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,80}", salt in ".{0,8}") {
            let _ = (text.parse::<Digest>(), form(None, Some(&salt), true).digest_of(&text));
        }
    }
}
