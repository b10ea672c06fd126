//! The keys of the issuers that are trusted, as they were last read: believed for an hour, read again then and for a key that
//! is not among them, and believed for a day where the issuer cannot be asked.

use super::fetch::Fetcher;
use crate::{
    domain::{KeySet, PublicKey, Time},
    ops::Result,
};
use chrono::TimeDelta;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// How long keys are believed before they are read again.
const FRESH: TimeDelta = TimeDelta::hours(1);
/// How long keys are believed that cannot be read again.
const BELIEVED: TimeDelta = TimeDelta::hours(24);
/// An issuer is asked no more often than that, whatever keys tokens name.
const PAUSE: TimeDelta = TimeDelta::minutes(1);

/// Which issuer, and whether it is on the public internet alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// Its address.
    pub issuer: String,
    /// Whether no other network is asked.
    pub public_only: bool,
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// The issuer was asked, and has none of that name.
    Unknown,
    /// The issuer cannot be asked, and nobody can say.
    Away,
}

/// The keys of issuers.
pub struct Issuers {
    fetcher: Fetcher,
    known: Mutex<HashMap<Place, Arc<Issuer>>>,
}

#[derive(Default)]
struct Issuer {
    held: Mutex<Held>,
    /// Whoever asks the issuer: the others wait for what comes of it.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    /// The keys, and when they were read.
    read: Option<(Arc<KeySet>, Time)>,
    /// When the issuer was last asked, and whether it answered.
    asked: Option<(Time, bool)>,
}

impl Held {
    fn age(&self, now: Time) -> Option<TimeDelta> {
        self.read.as_ref().map(|(_, at)| now - *at)
    }

    fn key(&self, name: &str) -> Option<PublicKey> {
        self.read.as_ref().and_then(|(keys, _)| keys.get(name).cloned())
    }

    /// Whether the issuer is to be asked before anything is said of a key.
    fn is_to_be_asked(&self, name: &str, now: Time) -> bool {
        let suffices = self.age(now).is_some_and(|age| age < FRESH) && self.key(name).is_some();
        // A clock that was put back is no reason to wait for it.
        let lately = self.asked.is_some_and(|(at, _)| (TimeDelta::zero()..PAUSE).contains(&(now - at)));
        !suffices && !lately
    }

    /// What can be said of a key now.
    fn answer(&self, name: &str, now: Time) -> Result<PublicKey, KeyError> {
        if self.age(now).is_none_or(|age| age >= BELIEVED) {
            return Err(KeyError::Away);
        }
        let answered = self.asked.is_some_and(|(_, answered)| answered);
        self.key(name).ok_or(if answered { KeyError::Unknown } else { KeyError::Away })
    }
}

impl Issuers {
    /// No keys yet: they are read when a token names one.
    ///
    /// # Errors
    /// `Unavailable` when TLS cannot be set up.
    pub fn new() -> Result<Self> {
        Ok(Self { fetcher: Fetcher::new()?, known: Mutex::default() })
    }

    /// The key of an issuer by its name.
    ///
    /// # Errors
    /// When there is none, or nobody can say.
    pub async fn key(&self, place: &Place, name: &str, now: Time) -> Result<PublicKey, KeyError> {
        let issuer = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(place.clone()).or_default())
        };
        let held = || issuer.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held().is_to_be_asked(name, now) {
            let _turn = issuer.turn.lock().await;
            // Whoever had the turn before may have asked for all.
            if held().is_to_be_asked(name, now) {
                let read = self.fetcher.keys(&place.issuer, place.public_only).await;
                let mut held = held();
                held.asked = Some((now, read.is_ok()));
                match read {
                    Ok(keys) => held.read = Some((Arc::new(keys), now)),
                    Err(why) => {
                        let since = held.read.as_ref().map(|(_, at)| at.to_rfc3339());
                        tracing::warn!(
                            issuer = place.issuer,
                            why,
                            since,
                            "the keys of an issuer cannot be read; what was read goes on for a day"
                        );
                    }
                }
            }
        }
        held().answer(name, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use std::{
        io::{Read, Write},
        net::TcpListener,
        sync::atomic::{AtomicUsize, Ordering},
    };

    /// An issuer that answers with what it is told to, and counts how often it is asked for its keys.
    struct Fake {
        place: Place,
        says: Arc<Mutex<Says>>,
        asked: Arc<AtomicUsize>,
    }

    #[derive(Clone)]
    enum Says {
        Keys(Vec<&'static str>),
        Nothing,
        Text(String),
        Elsewhere,
        Flood,
    }

    impl Fake {
        fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let issuer = format!("http://{}", listener.local_addr().unwrap());
            let says = Arc::new(Mutex::new(Says::Keys(vec!["a"])));
            let asked = Arc::new(AtomicUsize::new(0));
            let fake = Self { place: Place { issuer: issuer.clone(), public_only: false }, says, asked };
            let (says, asked) = (Arc::clone(&fake.says), Arc::clone(&fake.asked));
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let mut stream = stream.unwrap();
                    let mut request = [0; 2048];
                    let length = stream.read(&mut request).unwrap();
                    let request = String::from_utf8_lossy(&request[..length]).into_owned();
                    let body = if request.starts_with("GET /.well-known/openid-configuration ") {
                        serde_json::json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") }).to_string()
                    } else {
                        asked.fetch_add(1, Ordering::SeqCst);
                        match says.lock().unwrap().clone() {
                            Says::Keys(names) => key_set(&names),
                            Says::Nothing => String::new(),
                            Says::Text(text) => text,
                            Says::Elsewhere => {
                                let _ = write!(
                                    stream,
                                    "HTTP/1.1 302 Found\r\nLocation: {issuer}/keys\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                                );
                                continue;
                            }
                            Says::Flood => " ".repeat(crate::domain::jwks::MAX_JWKS + 1),
                        }
                    };
                    let status = if body.is_empty() { "503 Service Unavailable" } else { "200 OK" };
                    // A client that has heard enough is gone.
                    let _ = write!(
                        stream,
                        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                        body.len()
                    );
                }
            });
            fake
        }

        fn says(&self, says: Says) {
            *self.says.lock().unwrap() = says;
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    fn key_set(names: &[&str]) -> String {
        let x = BASE64_URL_SAFE_NO_PAD.encode([7; 32]);
        let key = |name: &&str| serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "kid": name, "x": x });
        serde_json::json!({ "keys": names.iter().map(key).collect::<Vec<_>>() }).to_string()
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    fn at(minutes: i64) -> Time {
        Time::from_timestamp(1_800_000_000 + minutes * 60, 0).unwrap()
    }

    #[test]
    fn keys_are_kept_for_an_hour_and_a_rotated_one_is_found_once_a_minute_at_most() {
        run(async {
            let (fake, issuers) = (Fake::new(), Issuers::new().unwrap());
            let key = |name: &'static str, minutes| issuers.key(&fake.place, name, at(minutes));
            assert!(key("a", 0).await.is_ok() && key("a", 59).await.is_ok());
            assert_eq!(fake.asked(), 1);
            assert!(key("a", 60).await.is_ok());
            assert_eq!(fake.asked(), 2, "an hour later they are read again");
            fake.says(Says::Keys(vec!["b"]));
            assert_eq!(key("b", 60).await, Err(KeyError::Unknown), "the issuer was asked a moment ago");
            assert_eq!(fake.asked(), 2);
            assert!(key("b", 61).await.is_ok());
            assert_eq!(key("a", 61).await, Err(KeyError::Unknown), "what was rotated away is gone");
            for _ in 0..20 {
                assert_eq!(key("made-up", 61).await, Err(KeyError::Unknown));
            }
            assert_eq!(fake.asked(), 3);
            assert_eq!(key("made-up", 62).await, Err(KeyError::Unknown));
            assert_eq!(fake.asked(), 4);
        });
    }

    #[test]
    fn an_issuer_that_is_away_makes_no_key_unknown_and_none_believed_for_more_than_a_day() {
        run(async {
            let (fake, issuers) = (Fake::new(), Issuers::new().unwrap());
            let key = |name: &'static str, minutes| issuers.key(&fake.place, name, at(minutes));
            fake.says(Says::Nothing);
            assert_eq!(key("a", -5).await, Err(KeyError::Away));
            fake.says(Says::Keys(vec!["a"]));
            assert!(key("a", 0).await.is_ok());
            fake.says(Says::Nothing);
            assert!(key("a", 61).await.is_ok() && key("a", 23 * 60 + 59).await.is_ok());
            assert_eq!(key("b", 61).await, Err(KeyError::Away), "it may be a new one");
            assert_eq!(key("a", 24 * 60).await, Err(KeyError::Away));
            fake.says(Says::Keys(vec!["a"]));
            assert!(key("a", 24 * 60 + 1).await.is_ok(), "it is back");
        });
    }

    #[test]
    fn what_is_no_set_of_keys_replaces_none() {
        run(async {
            let (fake, issuers) = (Fake::new(), Issuers::new().unwrap());
            let key = |minutes| issuers.key(&fake.place, "a", at(minutes));
            assert!(key(0).await.is_ok());
            let bad = [Says::Text("{}".to_owned()), Says::Text(key_set(&["a", "a"])), Says::Elsewhere, Says::Flood];
            for (number, says) in bad.into_iter().enumerate() {
                fake.says(says);
                let minutes = 61 + i64::try_from(number).unwrap();
                assert!(key(minutes).await.is_ok(), "{number}");
                assert_eq!(fake.asked(), number + 2);
            }
        });
    }

    #[test]
    fn who_asks_at_once_asks_once() {
        run(async {
            let (fake, issuers) = (Fake::new(), Arc::new(Issuers::new().unwrap()));
            let asking = (0..16).map(|_| {
                let (issuers, place) = (Arc::clone(&issuers), fake.place.clone());
                tokio::spawn(async move { issuers.key(&place, "a", at(0)).await })
            });
            for asked in asking.collect::<Vec<_>>() {
                assert!(asked.await.unwrap().is_ok());
            }
            assert_eq!(fake.asked(), 1);
        });
    }

    #[test]
    fn an_issuer_for_the_public_internet_is_not_looked_for_elsewhere() {
        run(async {
            let (fake, issuers) = (Fake::new(), Issuers::new().unwrap());
            let place = Place { public_only: true, ..fake.place.clone() };
            assert_eq!(issuers.key(&place, "a", at(0)).await, Err(KeyError::Away));
            assert_eq!(fake.asked(), 0);
        });
    }
}
