//! The verdict engine: every key in memory, judged without a write and without SQL.
//!
//! The path of a request: parse and checksum, the keyed hash, the look-up, a comparison in constant time, the rule
//! [`decide_code`], the rate limit, a note of the use. The hash is computed before the look-up, so that a token nobody has costs what a
//! wrong secret costs. [`refresh`] keeps the index at what the keystore says; while it cannot, nothing is judged.

mod addresses;
mod clock;
pub(super) mod flush;
mod index;
pub(super) mod refresh;
mod told;
mod trusted;
mod usage;
mod window;

pub(super) use index::{Index, KeyRecord};
pub(super) use told::encoded;
pub(super) use trusted::Trusted;
pub(super) use window::Standing;

use crate::{
    backend::TokenHasher,
    domain::{
        Code, Lookup, Operator, OperatorRequest, PlainToken, Presented, RateLimit, Request, RequestFacts, SecretState,
        Time, TokenError, Verdict, Verifier, decide, decide_code,
    },
};
use addresses::Addresses;
use clock::Clock;
use index::LookupBytes;
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

/// How long the last look at the keystore may be ago before nothing is judged any more.
const STALE_AFTER_MS: i64 = 3_000;

/// How many credentials of operators that are no good an address may present, before none from there is looked at.
const REFUSED_CREDENTIALS: RateLimit = RateLimit { limit: 30, window_seconds: 60 };

/// How many keys that are no good an address may present at the holder's door, before none from there is looked at.
const REFUSED_HOLDERS: RateLimit = RateLimit { limit: 10, window_seconds: 60 };

/// Everything that is needed to judge.
pub(super) struct Engine {
    index: Index,
    hasher: TokenHasher,
    addresses: Option<Addresses>,
    /// The credentials of operators that were no good, by address.
    refused: Option<Addresses>,
    /// The keys that were no good at the holder's door, by address.
    strangers: Option<Addresses>,
    usage: usage::Buffer,
    clock: Clock,
    /// How many verdicts were given, by code.
    verdicts: [AtomicU64; Code::ALL.len()],
    /// When the keystore was last seen, in milliseconds; 0 while it cannot be read. What was committed before on a key
    /// that is in memory is in force; one that was made before may still be on its way there, and be unknown.
    seen_ms: AtomicI64,
}

/// The store cannot be asked: never answered as "invalid".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unavailable;

/// A credential to be judged.
pub(super) struct Asked<'a> {
    /// As it was presented.
    pub(super) token: &'a str,
    pub(super) request: &'a Request,
    /// What the request takes from the key's limit.
    pub(super) cost: u32,
    /// Keys beyond this workspace are as unknown as keys that do not exist.
    pub(super) within: Option<&'a str>,
    /// What the client calls itself.
    pub(super) user_agent: Option<&'a str>,
    /// The name of the operator that asks.
    pub(super) operator: Option<&'a str>,
    /// Says what was asked and how a verdict was answered: for requests that are kept by themselves alone.
    pub(super) facts: &'a (dyn Fn(Code) -> RequestFacts + Sync),
    pub(super) now: Time,
}

/// What came of judging.
pub(super) struct Judged {
    /// The answer in a word.
    pub(super) code: Code,
    /// The key, when the secret is one of its.
    pub(super) key: Option<Arc<KeyRecord>>,
    /// Which version of its secret.
    secret: Option<(LookupBytes, SecretState)>,
    /// Where the limit stands that was asked, the key's or the address's.
    pub(super) standing: Option<Standing>,
}

impl Engine {
    pub(super) fn new(hasher: TokenHasher, address_limit: Option<RateLimit>) -> Self {
        Self {
            index: Index::default(),
            hasher,
            addresses: address_limit.map(Addresses::new),
            refused: address_limit.map(|_| Addresses::new(REFUSED_CREDENTIALS)),
            strangers: address_limit.map(|_| Addresses::new(REFUSED_HOLDERS)),
            usage: usage::Buffer::default(),
            clock: Clock::default(),
            verdicts: Default::default(),
            seen_ms: AtomicI64::new(0),
        }
    }

    /// Judges a token, takes the cost from the key's limit when it is valid, and notes the verdict as a fact of use.
    pub(super) fn judge(&self, asked: &Asked<'_>) -> Result<Judged, Unavailable> {
        self.available(asked.now)?;
        let judged = self.verdict(asked);
        self.count(&judged, asked);
        Ok(judged)
    }

    /// How a request that needs no key is denied, if it is: only the limit of its address is asked.
    pub(super) fn without_key(&self, asked: &Asked<'_>) -> Option<Judged> {
        let denied = self.take_address(asked.request.ip, asked.now)?;
        self.count(&denied, asked);
        Some(denied)
    }

    fn count(&self, judged: &Judged, asked: &Asked<'_>) {
        self.verdicts[judged.code as usize].fetch_add(1, Ordering::Relaxed);
        self.usage.note(judged, asked);
    }

    fn verdict(&self, asked: &Asked<'_>) -> Judged {
        let Asked { request, now, .. } = *asked;
        if let Some(denied) = self.take_address(request.ip, now) {
            return denied;
        }
        let refused = |code| Judged { code, key: None, secret: None, standing: None };
        let Ok(found) = self.find(asked.token) else { return refused(Code::Malformed) };
        let Some((key, lookup, state)) = found.filter(|(key, ..)| key.is_within(asked.within)) else {
            return refused(Code::Unknown);
        };
        let workspace = key.rules.workspace.load();
        // The public id of the secret is told to operators alone, and not on this path.
        let presented = key.presented(&workspace, "", state);
        let code = decide_code(&presented, request, &workspace.catalogue, now);
        let taken = if code == Code::Valid { key.take(asked.cost, self.clock.ms(now)) } else { None };
        let code = if taken.as_ref().is_some_and(|standing| standing.denied) { Code::RateLimited } else { code };
        drop(workspace);
        Judged { code, key: Some(key), secret: Some((lookup, state)), standing: taken }
    }

    /// Judges a token as of a time, with every check told; takes nothing from any limit, and is no fact of use unless it is
    /// noted.
    pub(super) fn explain(&self, asked: &Asked<'_>, at: Time) -> Result<(Verdict, Judged), Unavailable> {
        self.available(asked.now)?;
        let found = self.find(asked.token).map(|found| found.filter(|(key, ..)| key.is_within(asked.within)));
        let (verdict, known) = match found {
            Err(error) => {
                let presented = Presented::Malformed(error, asked.token);
                (decide(&presented, asked.request, &Default::default(), at), None)
            }
            Ok(None) => (decide(&Presented::Unknown, asked.request, &Default::default(), at), None),
            Ok(Some((key, lookup, state))) => {
                let workspace = key.rules.workspace.load();
                let told = String::from_utf8_lossy(&lookup);
                let presented = key.presented(&workspace, &told, state);
                let verdict = decide(&presented, asked.request, &workspace.catalogue, at);
                drop(workspace);
                (verdict, Some((key, (lookup, state))))
            }
        };
        let (key, secret) = known.unzip();
        let judged = Judged { code: verdict.code, key, secret, standing: None };
        Ok((verdict, judged))
    }

    /// Judges the key of somebody who comes as its holder: as any other, but it takes nothing from the key's limit, and only
    /// what is refused is a fact of use. Answers with the public id of the secret that was shown.
    pub(super) fn hold(&self, asked: &Asked<'_>) -> Result<Result<(Arc<KeyRecord>, Lookup), Judged>, Unavailable> {
        self.available(asked.now)?;
        let found = match self.find(asked.token) {
            Ok(found) => found.ok_or(Code::Unknown),
            Err(_) => Err(Code::Malformed),
        };
        let denied = match found {
            Err(code) => Judged { code, key: None, secret: None, standing: None },
            Ok((key, lookup, state)) => {
                let workspace = key.rules.workspace.load();
                let presented = key.presented(&workspace, "", state);
                let code = decide_code(&presented, asked.request, &workspace.catalogue, asked.now);
                drop(workspace);
                match std::str::from_utf8(&lookup).ok().and_then(|text| text.parse().ok()) {
                    Some(shown) if code == Code::Valid => return Ok(Ok((key, shown))),
                    _ => Judged { code, key: Some(key), secret: Some((lookup, state)), standing: None },
                }
            }
        };
        self.count(&denied, asked);
        Ok(Err(denied))
    }

    /// Notes what was answered to a question as a fact of use.
    pub(super) fn note(&self, judged: Judged, answered: Code, asked: &Asked<'_>) {
        self.usage.note(&Judged { code: answered, ..judged }, asked);
    }

    /// The operator of a credential, and whether it works at this time; `None` for one that nobody has.
    pub(super) fn operator(&self, token: &str, now: Time) -> Result<Option<(Arc<Operator>, bool)>, Unavailable> {
        self.available(now)?;
        let Ok(token) = PlainToken::parse(token) else { return Ok(None) };
        let presented = self.hasher.verifier_of(&token).unwrap_or(Verifier([0; 32]));
        Ok(self.index.operator(token.lookup().as_bytes(), &presented, now))
    }

    /// Whom tokens of other issuers let in.
    pub(super) fn trusts(&self, now: Time) -> Result<Arc<Vec<Trusted>>, Unavailable> {
        self.available(now)?;
        Ok(self.index.trusts())
    }

    /// Whether the keystore was seen lately.
    pub(super) fn available(&self, now: Time) -> Result<(), Unavailable> {
        let age = now.timestamp_millis() - self.seen_ms.load(Ordering::Relaxed);
        if age <= STALE_AFTER_MS { Ok(()) } else { Err(Unavailable) }
    }

    /// How many versions of secrets are in memory.
    pub(super) fn size(&self) -> usize {
        self.index.len()
    }

    /// How many verdicts were given, in the order of [`Code::ALL`].
    pub(super) fn verdicts(&self) -> [u64; Code::ALL.len()] {
        std::array::from_fn(|place| self.verdicts[place].load(Ordering::Relaxed))
    }

    /// How facts of use are getting to the keystore.
    pub(super) fn usage_told(&self) -> usage::Told {
        self.usage.told()
    }

    /// How many addresses are remembered for their limit.
    pub(super) fn addresses_held(&self) -> usize {
        self.addresses.as_ref().map_or(0, Addresses::held)
    }

    /// Forgets what no limit needs any more.
    fn sweep(&self, now: Time) {
        if let Some(addresses) = &self.addresses {
            addresses.sweep(self.clock.ms(now));
        }
        self.refused.iter().chain(&self.strangers).for_each(|refused| refused.sweep(self.clock.ms(now)));
    }

    /// Notes a request of an operator.
    pub(super) fn note_request(&self, request: OperatorRequest) {
        self.usage.note_request(request);
    }

    /// Takes a request that is not judged from the limit of an address: where that is used up, how it stands.
    pub(super) fn take_request(&self, ip: Option<IpAddr>, now: Time) -> Option<Standing> {
        self.take_address(ip, now)?.standing
    }

    /// How an address stands from which too many credentials of operators were no good.
    pub(super) fn refused_too_many(&self, ip: Option<IpAddr>, now: Time) -> Option<Standing> {
        self.refused.as_ref()?.used_up(ip?, self.clock.ms(now))
    }

    /// Counts a credential of an operator that is no good.
    pub(super) fn credential_refused(&self, ip: Option<IpAddr>, now: Time) {
        if let Some((refused, ip)) = self.refused.as_ref().zip(ip) {
            refused.take(ip, self.clock.ms(now));
        }
    }

    /// How an address stands from which too many keys were no good at the holder's door.
    pub(super) fn strange_too_often(&self, ip: Option<IpAddr>, now: Time) -> Option<Standing> {
        self.strangers.as_ref()?.used_up(ip?, self.clock.ms(now))
    }

    /// Counts a key that was no good there, or an attempt at what its holder may not.
    pub(super) fn strange(&self, ip: Option<IpAddr>, now: Time) {
        if let Some((strangers, ip)) = self.strangers.as_ref().zip(ip) {
            strangers.take(ip, self.clock.ms(now));
        }
    }

    /// Takes a request from the limit of its address; how it was denied, if it was.
    fn take_address(&self, ip: Option<IpAddr>, now: Time) -> Option<Judged> {
        let standing = self.addresses.as_ref()?.take(ip?, self.clock.ms(now));
        standing.denied.then_some(Judged { code: Code::RateLimited, key: None, secret: None, standing: Some(standing) })
    }

    /// The key and the version of its secret that was presented; `None` for one that nobody has.
    fn find(&self, presented: &str) -> Result<Option<Found>, TokenError> {
        let token = match PlainToken::parse(presented) {
            Ok(token) => token,
            Err(error) => return self.find_imported(presented).map(Some).ok_or(error),
        };
        // A vault that is open for serving holds the key of the hash; the server does not start without it.
        let verifier = self.hasher.verifier_of(&token).unwrap_or(Verifier([0; 32]));
        Ok(self.compare(*token.lookup().as_bytes(), &verifier))
    }

    /// The key of a secret that was issued elsewhere.
    fn find_imported(&self, presented: &str) -> Option<Found> {
        let forms = self.index.forms();
        let mut digests = forms.iter().filter_map(|form| form.digest_of(presented));
        digests.find_map(|digest| {
            let (lookup, verifier) = self.hasher.imported(&digest)?;
            self.compare(*lookup.as_bytes(), &verifier)
        })
    }

    fn compare(&self, lookup: LookupBytes, presented: &Verifier) -> Option<Found> {
        self.index.get(&lookup, |entry| {
            // An unknown look-up is compared too, with a verifier that nothing has.
            let stored = entry.map_or(&Verifier([0xff; 32]), |entry| &entry.verifier).matches(presented);
            entry.filter(|_| stored).map(|entry| (Arc::clone(&entry.key), lookup, entry.state))
        })
    }
}

/// A key, and a version of its secret.
type Found = (Arc<KeyRecord>, LookupBytes, SecretState);

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "figures_tests.rs"]
mod figures;
