//! Which one key a request presents, from its `Authorization` and `X-API-Key` headers.
//!
//! Exactly one credential is read, or none: a request that carries two different ones is refused rather than judged by
//! either, for two programs on its way could each pick another. What it found is only borrowed, so that a secret is not
//! copied; no error repeats it. Whether the text is a token is for [`super::PlainToken::parse`] to say.

use super::jwt::{MAX_TOKEN, looks_like_jwt};

/// Longer than any key can be; what is longer is refused before it is looked at.
const MAX_BYTES: usize = 256;
const SCHEME: &[u8] = b"Bearer";

/// Why the headers of a request name no single key. Never repeats what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Neither header was sent, or only an empty one.
    #[error("no key was sent: use Authorization: Bearer KEY, or X-API-Key: KEY")]
    Missing,
    /// One header was sent several times, or names several keys.
    #[error("a header with a key was sent more than once")]
    Repeated,
    /// The two headers name different keys.
    #[error("Authorization and X-API-Key name different keys")]
    Different,
    /// The `Authorization` header is of another scheme than Bearer.
    #[error("the Authorization header is not of the Bearer scheme")]
    OtherScheme,
    /// It holds a control character, a space or something beyond ASCII.
    #[error("the key holds a character that no key has")]
    Characters,
    /// It is longer than any key.
    #[error("the key is longer than any key")]
    TooLong,
}

/// The key of a request, from every value of its `Authorization` headers and of its `X-API-Key` headers, as sent.
///
/// # Errors
/// When there is none, more than one, or none that could be a key.
pub fn key_from_headers<'a>(
    authorization: impl IntoIterator<Item = &'a [u8]>,
    api_key: impl IntoIterator<Item = &'a [u8]>,
) -> Result<&'a str, HeaderError> {
    let bearer = only(authorization)?.map(bearer).transpose()?.map(short).transpose()?;
    let api_key = only(api_key)?.map(one_word).transpose()?.map(short).transpose()?;
    match (bearer, api_key) {
        (None, None) => Err(HeaderError::Missing),
        (Some(key), None) | (None, Some(key)) => Ok(key),
        // Both were sent by the same caller, who learns nothing from how long this takes.
        (Some(bearer), Some(api_key)) if bearer == api_key => Ok(bearer),
        (Some(_), Some(_)) => Err(HeaderError::Different),
    }
}

/// The credential of an operator, from every value of the `Authorization` headers of a request: one that a server gave out, or
/// the token of another issuer, which is longer.
///
/// # Errors
/// When there is none, more than one, or none that could be one.
pub fn credential_from_headers<'a>(authorization: impl IntoIterator<Item = &'a [u8]>) -> Result<&'a str, HeaderError> {
    let credential = only(authorization)?.map(bearer).transpose()?.ok_or(HeaderError::Missing)?;
    if looks_like_jwt(credential) { Ok(credential) } else { short(credential) }
}

fn short(word: &str) -> Result<&str, HeaderError> {
    if word.len() > MAX_BYTES { Err(HeaderError::TooLong) } else { Ok(word) }
}

/// The value of a header that may be sent once.
fn only<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<&'a [u8]>, HeaderError> {
    let mut values = values.into_iter();
    let first = values.next();
    if values.next().is_some() { Err(HeaderError::Repeated) } else { Ok(first) }
}

/// The key after the scheme, whose case does not matter.
fn bearer(value: &[u8]) -> Result<&str, HeaderError> {
    let value = trim(value);
    if value.is_empty() {
        return Err(HeaderError::Missing);
    }
    let end = value.iter().position(|byte| is_blank(*byte)).unwrap_or(value.len());
    let (scheme, key) = value.split_at(end);
    if scheme.eq_ignore_ascii_case(SCHEME) { one_word(key) } else { Err(HeaderError::OtherScheme) }
}

fn one_word(value: &[u8]) -> Result<&str, HeaderError> {
    let value = trim(value);
    if value.is_empty() {
        return Err(HeaderError::Missing);
    }
    if value.len() > MAX_TOKEN {
        return Err(HeaderError::TooLong);
    }
    // A proxy that joins repeated headers puts a comma between them.
    if value.contains(&b',') {
        return Err(HeaderError::Repeated);
    }
    if !value.iter().all(u8::is_ascii_graphic) {
        return Err(HeaderError::Characters);
    }
    std::str::from_utf8(value).map_err(|_| HeaderError::Characters)
}

/// The blanks that HTTP allows around a value (RFC 9110, section 5.6.3); nothing else is taken off.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = value
        && is_blank(*first)
    {
        value = rest;
    }
    while let [rest @ .., last] = value
        && is_blank(*last)
    {
        value = rest;
    }
    value
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Brand, Environment, PlainToken};
    use proptest::prelude::*;

    fn read<'a>(authorization: &[&'a str], api_key: &[&'a str]) -> Result<&'a str, HeaderError> {
        let bytes = |values: &[&'a str]| values.iter().map(|value| value.as_bytes()).collect::<Vec<_>>();
        key_from_headers(bytes(authorization), bytes(api_key))
    }

    #[test]
    fn either_header_carries_the_key_and_the_scheme_has_no_case() {
        assert_eq!(read(&["Bearer k"], &[]), Ok("k"));
        assert_eq!(read(&["bEARER k"], &[]), Ok("k"));
        assert_eq!(read(&["\tBearer \t k "], &[]), Ok("k"));
        assert_eq!(read(&[], &[" k\t"]), Ok("k"));
        assert_eq!(read(&["BEARER k"], &["k"]), Ok("k"));
    }

    #[test]
    fn anything_but_one_credential_is_refused() {
        for (authorization, api_key, error) in [
            (&[][..], &[][..], HeaderError::Missing),
            (&[""], &[], HeaderError::Missing),
            (&["Bearer"], &[], HeaderError::Missing),
            (&["Bearer  "], &[], HeaderError::Missing),
            (&[], &[" "], HeaderError::Missing),
            (&["Bearer k"], &[""], HeaderError::Missing),
            (&["Bearer k", "Bearer k"], &[], HeaderError::Repeated),
            (&[], &["k", "k"], HeaderError::Repeated),
            (&["Bearer a,b"], &[], HeaderError::Repeated),
            (&[], &["a, a"], HeaderError::Repeated),
            (&["Bearer a"], &["b"], HeaderError::Different),
            (&["Bearer k"], &["K"], HeaderError::Different),
            (&["Basic k"], &[], HeaderError::OtherScheme),
            (&["Basic k"], &["k"], HeaderError::OtherScheme),
            (&["BearerX k"], &[], HeaderError::OtherScheme),
            (&["k"], &[], HeaderError::OtherScheme),
            (&["Bearer a b"], &[], HeaderError::Characters),
            (&["Bearer a\nb"], &[], HeaderError::Characters),
            (&["Bearer\nk"], &[], HeaderError::OtherScheme),
            (&[], &["k\n"], HeaderError::Characters),
            (&[], &["k\0"], HeaderError::Characters),
            (&[], &["k\u{7f}"], HeaderError::Characters),
            (&[], &["kë"], HeaderError::Characters),
        ] {
            assert_eq!(read(authorization, api_key), Err(error), "{authorization:?} {api_key:?}");
        }
        assert_eq!(key_from_headers([], [&b"k\xff"[..]]), Err(HeaderError::Characters));
    }

    #[test]
    fn the_longest_token_fits_and_a_flood_does_not() {
        let brand: Brand = "abcdefghijkl".parse().unwrap();
        let token = PlainToken::generate(&mut rand::rng(), &brand, Environment::Production);
        let value = format!("Bearer {}", token.expose_plaintext());
        assert_eq!(read(&[&value], &[]), Ok(token.expose_plaintext()));
        let (fits, flood) = ("x".repeat(MAX_BYTES), "x".repeat(MAX_BYTES + 1));
        assert_eq!(read(&[], &[&fits]), Ok(&*fits));
        assert_eq!(read(&[], &[&flood]), Err(HeaderError::TooLong));
    }

    proptest! {
        #[test]
        fn whatever_is_sent_an_answer_is_one_plain_word_of_it(
            authorization in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..3),
            api_key in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..3),
        ) {
            let found = key_from_headers(
                authorization.iter().map(Vec::as_slice),
                api_key.iter().map(Vec::as_slice),
            );
            if let Ok(key) = found {
                prop_assert!(!key.is_empty() && key.len() <= MAX_BYTES && key.bytes().all(|byte| byte.is_ascii_graphic()));
                let sent = |value: &Vec<u8>| value.windows(key.len()).any(|part| part == key.as_bytes());
                prop_assert!(authorization.iter().chain(&api_key).any(sent));
            }
        }

        #[test]
        fn a_key_comes_through_unchanged(
            key in "[!-+\\--~]{1,256}", scheme in "[bB][eE][aA][rR][eE][rR]", before in "[ \t]{0,3}", after in "[ \t]{0,3}",
        ) {
            let header = format!("{scheme} {before}{key}{after}");
            prop_assert_eq!(read(&[&header], &[]), Ok(&*key));
            let padded = format!("{before}{key}{after}");
            prop_assert_eq!(read(&[], &[&padded]), Ok(&*key));
            prop_assert_eq!(read(&[&header], &[&padded]), Ok(&*key));
            let other = format!("{key}x");
            prop_assert!(read(&[&header], &[&other]).is_err());
        }
    }
}
