//! Sets of public keys as issuers publish them (RFC 7517): those that can have signed a token that is taken here.

use super::{jwt::Algorithm, unique_json};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use std::collections::BTreeMap;

/// No set that is read is longer.
pub const MAX_JWKS: usize = 256 * 1024;
/// No set has more keys.
const MAX_KEYS: usize = 100;
/// A shorter RSA key can be broken.
const MIN_RSA_BYTES: usize = 256;
/// A longer one only costs time.
const MAX_RSA_BYTES: usize = 1_024;

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// The modulus and the exponent, without zeros before them.
    Rsa(Vec<u8>, Vec<u8>),
    /// A point on P-256, uncompressed.
    P256(Vec<u8>),
    /// A point on Ed25519.
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// The one algorithm that the key is for: a token that names another is not checked with it.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa(..) => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    fn of(key: &Value) -> Option<Self> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let bytes = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let number = |name: &str| bytes(name).map(|bytes| bytes.into_iter().skip_while(|byte| *byte == 0).collect());
        let signs =
            key.get("key_ops").and_then(Value::as_array).is_none_or(|all| all.iter().any(|one| one == "verify"));
        if !signs || text("use").is_some_and(|of| of != "sig") {
            return None;
        }
        let (key, alg) = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let (modulus, exponent): (Vec<u8>, Vec<u8>) = (number("n")?, number("e")?);
                let fits =
                    (MIN_RSA_BYTES..=MAX_RSA_BYTES).contains(&modulus.len()) && (1..=8).contains(&exponent.len());
                (fits.then_some(Self::Rsa(modulus, exponent))?, "RS256")
            }
            ("EC", Some("P-256")) => {
                let point = [vec![4], bytes("x")?, bytes("y")?].concat();
                ((point.len() == 65).then_some(Self::P256(point))?, "ES256")
            }
            ("OKP", Some("Ed25519")) => {
                let point = bytes("x")?;
                ((point.len() == 32).then_some(Self::Ed25519(point))?, "EdDSA")
            }
            _ => return None,
        };
        text("alg").is_none_or(|said| said == alg).then_some(key)
    }
}

/// The keys of an issuer, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(BTreeMap<String, PublicKey>);

impl KeySet {
    /// Reads a set. Keys that sign no token that is taken here, such as those for encryption, are passed over.
    ///
    /// # Errors
    /// For what is no such set, and for one in which two keys have a name: either could be meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_JWKS {
            return Err(format!("it is longer than {} KiB", MAX_JWKS / 1024));
        }
        let set = unique_json::parse(text).map_err(|error| format!("it is no JSON: {error}"))?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or("it has no list of `keys`")?;
        if keys.len() > MAX_KEYS {
            return Err(format!("it has {} keys; {MAX_KEYS} are the most", keys.len()));
        }
        let mut named = BTreeMap::new();
        for key in keys {
            let Some(name) = key.get("kid").and_then(Value::as_str).filter(|name| !name.is_empty()) else { continue };
            let Some(public) = PublicKey::of(key) else { continue };
            if named.insert(name.to_owned(), public).is_some() {
                return Err("two keys in it have the same `kid`".to_owned());
            }
        }
        if named.is_empty() {
            return Err("it has no key with a `kid` for RS256 (2048 bits or more), ES256 or EdDSA".to_owned());
        }
        Ok(Self(named))
    }

    /// The key of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&PublicKey> {
        self.0.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rsa(kid: &str, bytes: usize) -> Value {
        json!({ "kty": "RSA", "kid": kid, "n": BASE64_URL_SAFE_NO_PAD.encode(vec![0xab; bytes]), "e": "AQAB" })
    }

    fn with(mut key: Value, name: &str, value: Value) -> Value {
        key[name] = value;
        key
    }

    fn parsed(keys: &[Value]) -> Result<KeySet, String> {
        KeySet::parse(&json!({ "keys": keys }).to_string())
    }

    #[test]
    fn what_signs_no_token_here_is_passed_over() {
        let point = BASE64_URL_SAFE_NO_PAD.encode([7; 32]);
        let ec = json!({ "kty": "EC", "crv": "P-256", "kid": "ec", "x": point, "y": point });
        let okp = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "okp", "x": point, "use": "sig", "alg": "EdDSA" });
        let set = parsed(&[
            rsa("rsa", 256),
            ec.clone(),
            okp.clone(),
            rsa("short", 255),
            rsa("huge", 1_025),
            with(rsa("enc", 256), "use", json!("enc")),
            with(rsa("ops", 256), "key_ops", json!(["encrypt"])),
            with(rsa("alg", 256), "alg", json!("RS512")),
            with(ec.clone(), "crv", json!("P-384")),
            with(ec, "y", json!("AA")),
            with(okp.clone(), "crv", json!("X25519")),
            with(okp, "kid", json!(7)),
            json!({ "kty": "oct", "kid": "oct", "k": "c2VjcmV0" }),
            json!("no key"),
        ])
        .unwrap();
        assert_eq!(set.0.keys().collect::<Vec<_>>(), ["ec", "okp", "rsa"]);
        let algorithms: Vec<Algorithm> = set.0.values().map(PublicKey::algorithm).collect();
        assert_eq!(algorithms, [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256]);
    }

    #[test]
    fn a_set_is_refused_as_a_whole_where_a_name_is_there_twice_or_nothing_is_of_use() {
        assert!(parsed(&[rsa("a", 256), rsa("a", 257)]).is_err_and(|why| why.contains("same `kid`")));
        assert!(parsed(&[]).is_err() && parsed(&[rsa("a", 128)]).is_err() && KeySet::parse("{}").is_err());
        assert!(parsed(&vec![rsa("a", 300); MAX_KEYS + 1]).is_err());
        assert!(KeySet::parse(&" ".repeat(MAX_JWKS + 1)).is_err_and(|why| why.contains("KiB")));
        assert!(KeySet::parse(r#"{"keys":[],"keys":[]}"#).is_err_and(|why| why.contains("duplicate")));
    }
}
