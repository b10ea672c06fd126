//! An issuer of tokens on this machine: discovery, keys that can be rotated, and tokens that say whatever a test wants. It is the
//! host of a job of GitHub Actions as well, which gives tokens to whoever asks with the right word.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// What a job asks its host for tokens with.
pub(crate) const REQUEST_WORD: &str = "the-word-of-the-job";

/// A key pair of an issuer.
pub(crate) enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl Pair {
    pub(crate) fn ed25519() -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap())
    }

    pub(crate) fn p256() -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random);
        Self::P256(pair.unwrap())
    }

    pub(crate) fn rsa() -> Self {
        let args = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-outform", "DER"];
        let made = std::process::Command::new("openssl").args(args).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        // As PKCS #8 or as PKCS #1, by the version of openssl.
        let pair = RsaKeyPair::from_pkcs8(&made.stdout).or_else(|_| RsaKeyPair::from_der(&made.stdout));
        Self::Rsa(Box::new(pair.unwrap()))
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "EdDSA",
            Self::P256(_) => "ES256",
            Self::Rsa(_) => "RS256",
        }
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        match self {
            Self::Ed25519(pair) => pair.sign(text.as_bytes()).as_ref().to_vec(),
            Self::P256(pair) => pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
                signature
            }
        }
    }

    /// The public key as an issuer publishes it.
    pub(crate) fn public(&self, name: &str) -> Value {
        match self {
            Self::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": name, "x": encoded(pair.public_key().as_ref()) })
            }
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "kid": name, "use": "sig", "x": encoded(&point[1..33]), "y": encoded(&point[33..]) })
            }
            Self::Rsa(pair) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "kid": name, "alg": "RS256", "n": encoded(&n), "e": encoded(&e) })
            }
        }
    }
}

pub(crate) fn encoded(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A token, signed by whatever pair.
pub(crate) fn token(pair: &Pair, header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", encoded(header.to_string().as_bytes()), encoded(claims.to_string().as_bytes()));
    format!("{signed}.{}", encoded(&pair.sign(&signed)))
}

pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

struct Inner {
    url: String,
    pairs: Mutex<Vec<(String, Arc<Pair>)>>,
    away: AtomicBool,
    /// How often its keys were asked for.
    asked: AtomicUsize,
    /// What the host says of the job that asks for a token, but for the audience.
    job: Mutex<Value>,
    given: AtomicUsize,
}

/// An issuer, which ends with the test.
#[derive(Clone)]
pub(crate) struct Issuer(Arc<Inner>);

impl Issuer {
    /// An issuer with one key, `first`.
    pub(crate) fn start(pair: Pair) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inner = Arc::new(Inner {
            url: format!("http://{}", listener.local_addr().unwrap()),
            pairs: Mutex::new(vec![("first".to_owned(), Arc::new(pair))]),
            away: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            job: Mutex::new(json!({})),
            given: AtomicUsize::new(0),
        });
        let issuer = Self(inner);
        let serves = issuer.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serves.answer(stream);
            }
        });
        issuer
    }

    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    /// Adds a key.
    pub(crate) fn add(&self, name: &str, pair: Pair) {
        self.0.pairs.lock().unwrap().push((name.to_owned(), Arc::new(pair)));
    }

    pub(crate) fn is_away(&self, away: bool) {
        self.0.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// How many tokens it gave to jobs.
    pub(crate) fn given(&self) -> usize {
        self.0.given.load(Ordering::SeqCst)
    }

    /// What its host says of the job that asks for a token.
    pub(crate) fn runs(&self, job: &Value) {
        *self.0.job.lock().unwrap() = job.clone();
    }

    pub(crate) fn pair(&self, name: &str) -> Arc<Pair> {
        let pairs = self.0.pairs.lock().unwrap();
        Arc::clone(&pairs.iter().find(|(own, _)| own == name).unwrap().1)
    }

    /// The keys, as they are published.
    pub(crate) fn keys(&self) -> Value {
        let pairs = self.0.pairs.lock().unwrap();
        json!({ "keys": pairs.iter().map(|(name, pair)| pair.public(name)).collect::<Vec<_>>() })
    }

    /// A token by its first key, for five minutes from now on, with these claims over the usual ones.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_by("first", claims)
    }

    /// A token by a key of a name.
    pub(crate) fn token_by(&self, name: &str, claims: &Value) -> String {
        let pair = self.pair(name);
        token(&pair, &json!({ "alg": pair.algorithm(), "kid": name, "typ": "JWT" }), &self.claims(claims))
    }

    /// The usual claims, and these over them; null takes one away.
    pub(crate) fn claims(&self, more: &Value) -> Value {
        let mut claims = json!({ "iss": self.url(), "iat": now(), "nbf": now(), "exp": now() + 300, "jti": "1" });
        for (name, value) in more.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        claims
    }

    fn answer(&self, stream: TcpStream) {
        let mut reader = BufReader::new(&stream);
        let (mut first, mut asks_with) = (String::new(), String::new());
        if reader.read_line(&mut first).is_err() {
            return;
        }
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) <= 2 {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("authorization")
            {
                value.trim().clone_into(&mut asks_with);
            }
        }
        let path = first.split(' ').nth(1).unwrap_or_default();
        let (status, body) = match path {
            _ if self.0.away.load(Ordering::SeqCst) => ("503 Service Unavailable", json!({})),
            "/.well-known/openid-configuration" => {
                ("200 OK", json!({ "issuer": self.url(), "jwks_uri": format!("{}/keys", self.url()) }))
            }
            "/keys" => {
                self.0.asked.fetch_add(1, Ordering::SeqCst);
                ("200 OK", self.keys())
            }
            path if path.starts_with("/token?") && asks_with == format!("Bearer {REQUEST_WORD}") => {
                let audience = path.split(['?', '&']).find_map(|pair| pair.strip_prefix("audience=")).unwrap_or("none");
                let audience = percent_encoding::percent_decode_str(audience).decode_utf8().unwrap().into_owned();
                let mut job = self.0.job.lock().unwrap().clone();
                job["aud"] = json!(audience);
                self.0.given.fetch_add(1, Ordering::SeqCst);
                ("200 OK", json!({ "count": 1, "value": self.token(&job) }))
            }
            _ => ("403 Forbidden", json!({})),
        };
        let body = body.to_string();
        // A client that has heard enough is gone.
        let _ =
            write!(&stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    }
}
