//! JSON Web Tokens (RFC 7519) of other issuers, as CI hosts and clusters hand them to jobs: their form, their times, and what
//! they say. Whether the signature is genuine is for [`crate::oidc`] to say; nothing in a token counts before that.

use super::{time::Time, unique_json};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use serde_json::{Map, Value};
use std::{borrow::Cow, fmt};

/// No token that is taken is longer: those of known hosts have 1 to 3 KiB.
pub const MAX_TOKEN: usize = 8 * 1024;
/// How far the clocks of an issuer and of a server may be apart.
const SKEW: i64 = 60;
/// The longest name of a key that is looked up.
const MAX_KEY_ID: usize = 256;
/// What every token begins with: `{"` in base64.
const BEGINNING: &str = "eyJ";

/// How a token is signed. There are no others here: what is not signed, or with a shared secret, is no algorithm at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with PKCS #1 v1.5 and SHA-256.
    Rs256,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

/// Which check a token did not pass. The word stands in the trail and the log; whoever sent it is told [`Refusal::said`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// It is longer than any token.
    TooLong,
    /// It is not three parts of base64 with JSON in them.
    Form,
    /// It is signed in a way that is not taken, or not at all.
    Algorithm,
    /// Its header asks for something that is not understood, or it is a token for something else.
    Header,
    /// Nobody trusts its issuer.
    Issuer,
    /// Its issuer has no such key.
    Key,
    /// The signature is not that of the key.
    Signature,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYet,
    /// It says of no end, or lives longer than is taken.
    Life,
    /// It is for somebody else, or for others too.
    Audience,
    /// Nothing is granted to what it says of itself.
    Claims,
    /// What was granted has ended.
    Ended,
    /// It does not work from this address.
    Address,
}

impl Refusal {
    /// Those of a token whose signature is genuine: what it says of itself is true.
    pub const GENUINE: [Self; 7] =
        [Self::Expired, Self::NotYet, Self::Life, Self::Audience, Self::Claims, Self::Ended, Self::Address];

    /// The word for it in the trail.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Form => "form",
            Self::Algorithm => "algorithm",
            Self::Header => "header",
            Self::Issuer => "issuer",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::NotYet => "not_yet",
            Self::Life => "life",
            Self::Audience => "audience",
            Self::Claims => "claims",
            Self::Ended => "ended",
            Self::Address => "address",
        }
    }

    /// What whoever sent it is told: enough to mend an honest job, and nothing of whom else a server trusts.
    #[must_use]
    pub fn said(self) -> &'static str {
        match self {
            Self::TooLong | Self::Form | Self::Algorithm | Self::Header => "it is no token that is taken here",
            Self::Issuer | Self::Key | Self::Signature => "it is not signed by an issuer that is trusted here",
            Self::Expired => "it has expired: fetch a new one, or compare the clocks",
            Self::NotYet => "its time has not come: compare the clocks",
            Self::Life => "it lives longer than is taken here: ask its issuer for one of an hour or less",
            Self::Audience => "it is not for this server alone: ask its issuer for the audience that was agreed on",
            Self::Claims | Self::Ended | Self::Address => "nothing is granted to a job like this one from here",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A token whose signature is still to be checked.
pub struct Jwt<'t> {
    /// How it says that it is signed.
    pub algorithm: Algorithm,
    /// The name of the key.
    pub key_id: String,
    /// What it says.
    pub claims: Claims,
    /// What is signed.
    pub signed: &'t str,
    /// The signature.
    pub signature: Vec<u8>,
}

/// What a token says.
#[derive(Clone, PartialEq, Eq)]
pub struct Claims(Map<String, Value>);

/// Whether a text is written as a token is, genuine or not.
#[must_use]
pub fn looks_like_jwt(text: &str) -> bool {
    text.starts_with(BEGINNING) && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// The first whole token in a text, as a range of its bytes: three words of base64url with dots between them, of which the
/// first is a header. Two words and a dot are one as well: it is not signed.
#[must_use]
pub fn find(text: &str) -> Option<std::ops::Range<usize>> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    text.match_indices(BEGINNING).find_map(|(at, _)| {
        let word = |from: usize| text.as_bytes()[from..].iter().take_while(|byte| plain(byte)).count();
        let dot = |at: usize| text.as_bytes().get(at) == Some(&b'.');
        let header = at..at + word(at);
        let claims = dot(header.end).then(|| header.end + 1..header.end + 1 + word(header.end + 1))?;
        let end = dot(claims.end).then(|| claims.end + 1 + word(claims.end + 1))?;
        let is_header = object(text.get(header)?).is_some_and(|header| header.contains_key("alg"));
        (is_header && !claims.is_empty()).then_some(at..end)
    })
}

fn object(encoded: &str) -> Option<Map<String, Value>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(encoded).ok()?;
    match unique_json::parse(std::str::from_utf8(&bytes).ok()?) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}

impl<'t> Jwt<'t> {
    /// Reads a token in its compact form (RFC 7515, section 7.1). Nothing of it is true before its signature is checked.
    ///
    /// # Errors
    /// For what is no token, and for one that is signed in a way that is not taken.
    pub fn parse(text: &'t str) -> Result<Self, Refusal> {
        if text.len() > MAX_TOKEN {
            return Err(Refusal::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Refusal::Form)?;
        let (header, claims) = signed.split_once('.').ok_or(Refusal::Form)?;
        let header = object(header).ok_or(Refusal::Form)?;
        let claims = object(claims).ok_or(Refusal::Form)?;
        let algorithm = match header.get("alg").and_then(Value::as_str) {
            Some("RS256") => Algorithm::Rs256,
            Some("ES256") => Algorithm::Es256,
            Some("EdDSA") => Algorithm::EdDsa,
            _ => return Err(Refusal::Algorithm),
        };
        // `crit` and `b64` change what is signed, `zip` and `cty` what it means, and another type is a token for something
        // else, which must not pass for one of these (RFC 8725, section 3.11).
        let is_plain = ["crit", "b64", "zip", "enc", "cty"].iter().all(|name| !header.contains_key(*name));
        let is_jwt =
            header.get("typ").is_none_or(|typ| typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("jwt")));
        let key_id = header.get("kid").and_then(Value::as_str).filter(|id| (1..=MAX_KEY_ID).contains(&id.len()));
        let (Some(key_id), true) = (key_id, is_plain && is_jwt) else { return Err(Refusal::Header) };
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refusal::Form)?;
        Ok(Self { algorithm, key_id: key_id.to_owned(), claims: Claims(claims), signed, signature })
    }
}

impl Claims {
    /// Who says so.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.0.get("iss").and_then(Value::as_str)
    }

    /// Of whom.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.0.get("sub").and_then(Value::as_str).filter(|sub| !sub.is_empty())
    }

    /// For whom, if it is for one alone: a token that is for others too could be used here by any of them.
    #[must_use]
    pub fn audience(&self) -> Option<&str> {
        match self.0.get("aud")? {
            Value::String(one) => Some(one),
            Value::Array(all) if all.len() == 1 => all[0].as_str(),
            _ => None,
        }
    }

    /// When it ends.
    #[must_use]
    pub fn expires_at(&self) -> Option<Time> {
        Time::from_timestamp(self.seconds("exp")?, 0)
    }

    /// How long it lives from when it was issued.
    #[must_use]
    pub fn life(&self) -> Option<TimeDelta> {
        let seconds = self.seconds("exp")?.checked_sub(self.seconds("iat")?)?;
        TimeDelta::try_seconds(seconds).filter(|life| *life > TimeDelta::zero())
    }

    /// Whether its time has come and is not over, on a clock that may be a minute off.
    ///
    /// # Errors
    /// When it is not, and for a token that does not say.
    pub fn timely(&self, now: Time) -> Result<(), Refusal> {
        let now = now.timestamp();
        let (Some(issued), Some(ends)) = (self.seconds("iat"), self.seconds("exp")) else { return Err(Refusal::Life) };
        let begins = match self.0.get("nbf") {
            None => issued,
            Some(_) => self.seconds("nbf").ok_or(Refusal::NotYet)?.max(issued),
        };
        if begins.saturating_sub(SKEW) > now {
            return Err(Refusal::NotYet);
        }
        if ends.saturating_add(SKEW) <= now { Err(Refusal::Expired) } else { Ok(()) }
    }

    /// What it says under a name, as text: a number and a truth as they are written, and nothing for a list or an object. A
    /// name with a slash before it is a pointer into what is nested (RFC 6901), as `/kubernetes.io/namespace`.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let value = match name.strip_prefix('/') {
            None => self.0.get(name)?,
            Some(path) => path.split('/').try_fold(None, |at: Option<&Value>, word| {
                let word = word.replace("~1", "/").replace("~0", "~");
                match at {
                    None => self.0.get(&word).map(Some),
                    Some(value) => value.as_object()?.get(&word).map(Some),
                }
            })??,
        };
        match value {
            Value::String(text) => Some(Cow::Borrowed(text)),
            Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
            Value::Number(number) if number.is_i64() || number.is_u64() => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
    }

    fn seconds(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn encoded(value: &Value) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
    }

    fn token(header: &Value, claims: &Value) -> String {
        format!("{}.{}.c2ln", encoded(header), encoded(claims))
    }

    fn claims(value: Value) -> Claims {
        let Value::Object(fields) = value else { panic!("an object") };
        Claims(fields)
    }

    #[test]
    fn only_what_is_signed_in_a_known_way_and_asks_for_nothing_else_is_a_token() {
        let refused = |header: Value| Jwt::parse(&token(&header, &json!({}))).err();
        for alg in ["RS256", "ES256", "EdDSA"] {
            assert_eq!(refused(json!({ "alg": alg, "kid": "a" })), None);
            assert_eq!(refused(json!({ "alg": alg, "kid": "a", "typ": "jwt", "x5t": "…" })), None);
        }
        for alg in [
            json!("none"),
            json!("None"),
            json!("HS256"),
            json!("RS512"),
            json!("PS256"),
            json!("rs256"),
            json!(1),
            Value::Null,
        ] {
            assert_eq!(refused(json!({ "alg": alg, "kid": "a" })), Some(Refusal::Algorithm), "{alg}");
        }
        assert_eq!(refused(json!({ "kid": "a" })), Some(Refusal::Algorithm));
        for more in [
            json!({ "kid": "a", "typ": "at+jwt" }),
            json!({ "kid": "a", "typ": 1 }),
            json!({ "kid": "a", "crit": ["exp"] }),
            json!({ "kid": "a", "b64": false }),
            json!({ "kid": "a", "cty": "JWT" }),
            json!({ "kid": "a", "zip": "DEF" }),
            json!({ "kid": "" }),
            json!({ "kid": 7 }),
            json!({ "kid": "a".repeat(MAX_KEY_ID + 1) }),
            json!({}),
        ] {
            let mut header = more.clone();
            header["alg"] = json!("RS256");
            assert_eq!(refused(header), Some(Refusal::Header), "{more}");
        }
    }

    #[test]
    fn what_is_written_otherwise_is_no_token() {
        let whole = token(&json!({ "alg": "RS256", "kid": "a" }), &json!({ "iss": "x" }));
        assert!(Jwt::parse(&whole).is_ok());
        let twice = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"a","alg":"RS256"}"#);
        for bad in [
            String::new(),
            "..".to_owned(),
            "a.b".to_owned(),
            format!("{whole}.x"),
            format!("{whole}="),
            whole.replacen('.', "=.", 1),
            format!(" {whole}"),
            format!("{twice}.{}.c2ln", encoded(&json!({}))),
            token(&json!([]), &json!({})),
            token(&json!({ "alg": "RS256", "kid": "a" }), &json!("x")),
        ] {
            assert_eq!(Jwt::parse(&bad).err(), Some(Refusal::Form), "{bad}");
        }
        let long = format!("{whole}{}", "A".repeat(MAX_TOKEN));
        assert_eq!(Jwt::parse(&long).err(), Some(Refusal::TooLong));
    }

    #[test]
    fn clocks_may_be_a_minute_apart_and_no_more() {
        let now = Time::from_timestamp(1_800_000_000, 0).unwrap();
        let at = |iat: i64, nbf: Option<i64>, exp: i64| {
            let mut said = json!({ "iat": now.timestamp() + iat, "exp": now.timestamp() + exp });
            if let Some(nbf) = nbf {
                said["nbf"] = json!(now.timestamp() + nbf);
            }
            claims(said).timely(now)
        };
        assert_eq!([at(0, None, 300), at(60, None, 300), at(-400, Some(60), -59)], [Ok(()); 3]);
        assert_eq!(at(61, None, 300), Err(Refusal::NotYet));
        assert_eq!(at(-10, Some(61), 300), Err(Refusal::NotYet));
        assert_eq!(at(-400, None, -60), Err(Refusal::Expired));
        for silent in [json!({ "iat": 1 }), json!({ "exp": 1 }), json!({ "iat": "1", "exp": 2 }), json!({})] {
            assert_eq!(claims(silent).timely(now), Err(Refusal::Life));
        }
        let edge = claims(json!({ "iat": i64::MIN, "exp": i64::MAX }));
        assert_eq!((edge.timely(now), edge.life()), (Ok(()), None));
        assert_eq!(claims(json!({ "iat": 5, "exp": 5 })).life(), None);
    }

    #[test]
    fn it_is_for_one_alone_and_says_what_can_be_compared() {
        assert_eq!(claims(json!({ "aud": "a" })).audience(), Some("a"));
        assert_eq!(claims(json!({ "aud": ["a"] })).audience(), Some("a"));
        for other in [
            json!({ "aud": ["a", "b"] }),
            json!({ "aud": [] }),
            json!({ "aud": [1] }),
            json!({}),
            json!({ "aud": null }),
        ] {
            assert_eq!(claims(other).audience(), None);
        }
        let said = claims(json!({
            "s": "x", "n": 7, "f": 1.5, "t": true, "l": ["x"], "a/b": "slash",
            "kubernetes.io": { "namespace": "shop", "serviceaccount": { "uid": "u" } },
        }));
        let text = |name: &str| said.text(name).map(Cow::into_owned);
        assert_eq!([text("s"), text("n"), text("t")], ["x", "7", "true"].map(|text| Some(text.to_owned())));
        assert_eq!(
            [text("f"), text("l"), text("kubernetes.io"), text("none"), text("/none/x"), text("/s/x")],
            [const { None }; 6]
        );
        assert_eq!(text("/kubernetes.io/serviceaccount/uid").as_deref(), Some("u"));
        assert_eq!((text("/a~1b").as_deref(), text("a/b").as_deref()), (Some("slash"), Some("slash")));
    }

    #[test]
    fn a_token_is_found_wherever_it_stands() {
        let whole = token(&json!({ "alg": "RS256", "kid": "a" }), &json!({ "iss": "x" }));
        for (before, after) in [("", ""), ("Bearer ", "\n"), ("x=", "&y"), ("eyJ eyJx.y ", ".")] {
            let text = format!("{before}{whole}{after}");
            let found = find(&text).unwrap();
            assert_eq!(&text[found], whole);
        }
        assert!(find(&whole.replacen("eyJ", "eyK", 1)).is_none() && find("eyJhIjoxfQ.e30.x").is_none());
    }
}
