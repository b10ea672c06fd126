//! `X-Keyward-Assertion`: what an upstream is told of whoever calls, signed, for those who do not want to trust their
//! gateway's configuration alone.
//!
//! It is a JSON Web Token (RFC 7519) signed with Ed25519 (`EdDSA`, RFC 8037). Its claims are the identity headers with the
//! very same values (`X-Keyward-Key-Id` is the claim `key_id`), the method and path that the gateway asked about, and a
//! minute of life. The key pair is derived from the vault's signing seed, so that no upstream can make an assertion and all
//! servers of a vault make the same; `/.well-known/jwks.json` has the public key.

use crate::{
    backend::AssertionSigner,
    domain::Time,
    ops::{Error, Kind, Result},
};
use axum::http::{HeaderName, HeaderValue};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// How long an assertion is good for: a request reaches its upstream at once, and clocks differ a little.
const LIFE_SECONDS: i64 = 60;
/// A longer path is not repeated: upstreams take so much of headers and no more.
const LONGEST_PATH: usize = 1_024;
const ISSUER: &str = "keyward";
const PREFIX: &str = "x-keyward-";

/// The name of the header.
pub(super) const ASSERTION: HeaderName = HeaderName::from_static("x-keyward-assertion");

/// A signed statement of who calls.
///
/// # Errors
/// `Unavailable` without the keys to sign with.
pub(super) fn assertion<'a>(
    signer: &AssertionSigner,
    identity: impl Iterator<Item = (&'a HeaderName, &'a [u8])>,
    asked: Option<(&str, &str)>,
    now: Time,
) -> Result<HeaderValue> {
    let public = signer.public_key().ok_or_else(cannot_sign)?;
    let issued = now.timestamp();
    let mut claims = Map::new();
    for (name, value) in identity {
        let name = name.as_str().trim_start_matches(PREFIX).replace('-', "_");
        claims.insert(name, String::from_utf8_lossy(value).into());
    }
    claims.insert("iss".to_owned(), ISSUER.into());
    claims.insert("sub".to_owned(), claims.get("key_id").cloned().unwrap_or_default());
    claims.insert("iat".to_owned(), issued.into());
    claims.insert("exp".to_owned(), (issued + LIFE_SECONDS).into());
    if let Some((method, target)) = asked {
        let path = target.split('?').next().unwrap_or_default();
        claims.insert("method".to_owned(), method.into());
        if path.len() <= LONGEST_PATH {
            claims.insert("path".to_owned(), path.into());
        }
    }
    let head = json!({ "alg": "EdDSA", "typ": "JWT", "kid": key_id(&public) });
    let signed =
        format!("{}.{}", encoded(head.to_string().as_bytes()), encoded(Value::from(claims).to_string().as_bytes()));
    let signature = signer.sign(&signed).ok_or_else(cannot_sign)?;
    HeaderValue::try_from(format!("{signed}.{}", encoded(&signature))).map_err(|_| cannot_sign())
}

/// The public key as a set of JSON Web Keys (RFC 7517).
///
/// # Errors
/// `Unavailable` without the keys to sign with.
pub(super) fn key_set(signer: &AssertionSigner) -> Result<Value> {
    let public = signer.public_key().ok_or_else(cannot_sign)?;
    Ok(json!({ "keys": [{
        "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "x": encoded(&public), "kid": key_id(&public),
    }] }))
}

/// The thumbprint of the key (RFC 7638).
fn key_id(public: &[u8; 32]) -> String {
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encoded(public));
    encoded(&Sha256::digest(canonical))
}

fn encoded(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn cannot_sign() -> Error {
    Error::new(Kind::Unavailable, "assertion", "assertions cannot be signed at the moment")
}
