//! The token `<brand>_<env>_<lookup>_<secret><check>`: generated, parsed, and never printed by accident.
//!
//! The check is the CRC-32 (ISO-HDLC, as in zlib) of all before it, in six base62 digits: garbage is refused without a
//! look-up, and scanners can be exact. The plain token and its verifier are different types; the plain one has a single
//! accessor, and neither `Debug`, `Clone` nor `Serialize`.

use super::{
    environment::Environment,
    ids::{AsciiText, BASE62, random_base62},
    operator::OPERATOR_BRAND,
};
use rand::{CryptoRng, RngExt};
use std::{fmt, str::FromStr};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const LOOKUP_CHARS: usize = 16;
const SECRET_CHARS: usize = 43;
const CHECK_CHARS: usize = 6;
/// The length of a token from its lookup id on.
pub(super) const TOKEN_TAIL: usize = 1 + LOOKUP_CHARS + 1 + SECRET_CHARS + CHECK_CHARS;
const HINT_CHARS: usize = 4;
/// The longest brand.
pub(super) const MAX_BRAND: usize = 12;

/// What the tokens of a vault begin with: 1 to 12 lower-case letters or digits, a letter first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand(String);

impl Brand {
    /// The brand as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn fits(text: &str) -> bool {
        (1..=MAX_BRAND).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    }
}

impl Brand {
    /// The brand of operators' credentials.
    #[must_use]
    pub fn of_operators() -> Self {
        Self(OPERATOR_BRAND.to_owned())
    }
}

impl Default for Brand {
    fn default() -> Self {
        Self("kw".to_owned())
    }
}

impl FromStr for Brand {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if Self::fits(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a brand is 1 to 12 lower-case letters or digits, a letter first".to_owned())
        }
    }
}

impl fmt::Display for Brand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The public id of one version of a key's secret: 16 base62 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lookup(AsciiText<LOOKUP_CHARS>);

impl Lookup {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The characters of the id.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; LOOKUP_CHARS] {
        self.0.as_bytes()
    }

    /// The id that stands for a keyed hash.
    #[must_use]
    pub fn of_hash(hash: &[u8; 32]) -> Self {
        // Not quite uniform, which matters to nobody: it only has to differ.
        Self(AsciiText::of_digits(|place| usize::from(hash[place])))
    }
}

impl FromStr for Lookup {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        AsciiText::of(text).filter(|_| is_base62(text)).map(Self).ok_or(TokenError::Shape)
    }
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why something is not a token. Never repeats what was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nothing was presented.
    #[error("nothing was presented")]
    Empty,
    /// It does not have the shape of a token.
    #[error("it does not have the shape of a token")]
    Shape,
    /// It has the shape, but its check does not fit: a character was lost or changed.
    #[error("its checksum does not match: a character was lost or changed on the way")]
    Checksum,
}

/// A whole secret token, wiped when dropped.
pub struct PlainToken {
    text: Zeroizing<String>,
    environment: Environment,
    lookup: Lookup,
}

impl PlainToken {
    /// Draws a new token: over 256 bits of secret.
    pub fn generate(rng: &mut impl CryptoRng, brand: &Brand, environment: Environment) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(96));
        text.push_str(brand.as_str());
        text.push('_');
        text.push_str(environment.token_code());
        text.push('_');
        let lookup = Lookup(AsciiText::of_digits(|_| rng.random_range(0..BASE62.len())));
        text.push_str(lookup.as_str());
        text.push('_');
        text.push_str(&Zeroizing::new(random_base62(rng, SECRET_CHARS)));
        let check = check_of(&text);
        text.extend(check.map(char::from));
        Self { text, environment, lookup }
    }

    /// Reads a token exactly as presented: no space is trimmed.
    ///
    /// # Errors
    /// When it is empty, has another shape, or its check does not fit.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        let mut parts = text.split('_');
        let (Some(brand), Some(code), Some(lookup), Some(rest), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Shape);
        };
        let environment = Environment::from_token_code(code).ok_or(TokenError::Shape)?;
        if !Brand::fits(brand) {
            return Err(TokenError::Shape);
        }
        let lookup = lookup.parse()?;
        if rest.len() != SECRET_CHARS + CHECK_CHARS || !is_base62(rest) {
            return Err(TokenError::Shape);
        }
        let (body, check) = text.split_at(text.len() - CHECK_CHARS);
        if check_of(body) != *check.as_bytes() {
            return Err(TokenError::Checksum);
        }
        Ok(Self { text: Zeroizing::new(text.to_owned()), environment, lookup })
    }

    /// The environment it was made for.
    #[must_use]
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// The public id of this version of the secret.
    #[must_use]
    pub fn lookup(&self) -> Lookup {
        self.lookup.clone()
    }

    /// The last four characters before the check: they tell secrets apart and open nothing.
    #[must_use]
    pub fn hint(&self) -> String {
        let end = self.text.len() - CHECK_CHARS;
        self.text[end - HINT_CHARS..end].to_owned()
    }

    /// The secret itself. Call it only to hand it to the place the user chose, or to compute its verifier.
    #[must_use]
    pub fn expose_plaintext(&self) -> &str {
        &self.text
    }
}

/// HMAC-SHA256 of a token under the vault's verifier key: all that is stored of a secret.
#[derive(Clone, Copy)]
pub struct Verifier(pub [u8; 32]);

impl Verifier {
    /// Compares in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl PartialEq for Verifier {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other)
    }
}

impl Eq for Verifier {}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(..)")
    }
}

/// The regular expression of recovery codes as they are printed.
const RECOVERY_RULE: &str = "KWR(?:-[0-9A-HJKMNP-TV-Z]{6}){6}";

/// The regular expression of this brand's tokens, of operators' credentials and of recovery codes, for secret scanners. What stands before and
/// after a token does not matter: `%3D`, an escaped line break or a colour code glues a letter to it.
#[must_use]
pub fn scan_rule(brand: &Brand) -> String {
    let brands =
        if brand.as_str() == OPERATOR_BRAND { brand.to_string() } else { format!("(?:{brand}|{OPERATOR_BRAND})") };
    let token = format!(
        "{brands}_(?:prod|stg|dev)_[0-9A-Za-z]{{{LOOKUP_CHARS}}}_[0-9A-Za-z]{{{}}}",
        SECRET_CHARS + CHECK_CHARS
    );
    format!("(?:{token}|{RECOVERY_RULE})")
}

fn is_base62(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// CRC-32 in six base62 digits, the most significant first; 62^6 is more than 2^32.
fn check_of(body: &str) -> [u8; CHECK_CHARS] {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECK_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(environment: Environment) -> PlainToken {
        PlainToken::generate(&mut rand::rng(), &Brand::default(), environment)
    }

    #[test]
    fn crc32_check_value() {
        assert_eq!(crc32fast::hash(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_generated_token_parses_and_keeps_its_parts() {
        for environment in [Environment::Production, Environment::Staging, Environment::Development] {
            let token = token(environment);
            let text = token.expose_plaintext();
            let again = PlainToken::parse(text).map_err(|error| error.to_string()).unwrap();
            assert_eq!(again.environment(), environment);
            assert_eq!(again.lookup(), token.lookup());
            assert_eq!(text.len(), "kw_".len() + environment.token_code().len() + 1 + 16 + 1 + 49);
            assert!(text.contains(token.lookup().as_str()));
            assert_eq!(&text[text.len() - 10..text.len() - 6], token.hint());
        }
    }

    #[test]
    fn white_space_is_not_trimmed() {
        let text = format!("{}\n", token(Environment::Production).expose_plaintext());
        assert_eq!(PlainToken::parse(&text).err(), Some(TokenError::Shape));
        assert_eq!(PlainToken::parse("").err(), Some(TokenError::Empty));
    }

    proptest! {
        #[test]
        fn any_changed_character_is_noticed(position in 0usize..73, replacement in "[0-9A-Za-z]") {
            let token = token(Environment::Development);
            let text = token.expose_plaintext();
            let mut changed = text.to_owned();
            changed.replace_range(position..=position, &replacement);
            prop_assume!(changed != text);
            prop_assert!(PlainToken::parse(&changed).is_err());
        }

        #[test]
        fn nothing_panics(text in ".{0,120}") {
            prop_assert!(PlainToken::parse(&text).is_err());
        }
    }
}
