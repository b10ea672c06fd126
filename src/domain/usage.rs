//! Facts of use: what a verdict leaves behind, and for how long it is kept.
//!
//! A use is a verdict that let a request in; a refused request is counted as denied, never as a use. Usage is no
//! administrative action: it has no audit event, and nothing here changes what a key may do.

use super::{
    code::Code,
    ids::KeyId,
    scan,
    time::{Time, format_duration},
    token::Lookup,
};
use chrono::TimeDelta;
use std::{borrow::Cow, net::IpAddr};

/// The longest user agent and reason that are kept: both come from strangers.
const LONGEST_TEXT: usize = 256;
/// The longest method and id of a request.
const LONGEST_WORD: usize = 64;

/// The longest path that is kept.
const LONGEST_PATH: usize = 512;

/// What was asked, of a request that is kept by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestFacts {
    /// The method.
    pub method: String,
    /// The path, without a query.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// The id of the request, where it has one.
    pub request_id: Option<String>,
    /// How long the answer took, in microseconds.
    pub micros: Option<u64>,
}

impl RequestFacts {
    /// The facts no longer than is kept, without a query, and without a secret that a client put into a path.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let end = self.path.find(['?', '#']).unwrap_or(self.path.len());
        self.path.truncate(end);
        for (text, longest) in [
            (&mut self.method, LONGEST_WORD),
            (&mut self.path, LONGEST_PATH),
            (self.request_id.get_or_insert_default(), LONGEST_WORD),
        ] {
            bound(text, longest);
        }
        self.request_id = self.request_id.filter(|id| !id.is_empty());
        self
    }
}

/// A request of an operator, or of somebody with a credential that no operator has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorRequest {
    /// When.
    pub at: Time,
    /// The id of the operator; `None` for a credential that none has.
    pub operator: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// `OK`, or the code of the error.
    pub code: String,
    /// Where it came from.
    pub address: Option<IpAddr>,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// What was asked.
    pub request: RequestFacts,
}

impl OperatorRequest {
    /// The code of a request that was answered.
    pub const OK: &'static str = "OK";

    /// Whether it was answered and not refused.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.code == Self::OK
    }

    /// The request with texts no longer than is kept, and without a secret in them.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        if let Some(text) = &mut self.user_agent {
            bound(text, LONGEST_TEXT);
        }
        self.request = self.request.bounded();
        self
    }
}

/// Masks secrets in a text, and cuts it.
fn bound(text: &mut String, longest: usize) {
    if let Cow::Owned(masked) = scan::masked(text) {
        *text = masked;
    }
    if let Some((end, _)) = text.char_indices().nth(longest) {
        text.truncate(end);
    }
}

/// What one verdict, or several equal ones, leave behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRecord {
    /// When; of several, the last.
    pub at: Time,
    /// How many equal verdicts it stands for.
    pub count: u64,
    /// The key; `None` for a credential that no key has.
    pub key: Option<KeyId>,
    /// The version of the key's secret that was presented, a dead one included.
    pub lookup: Option<Lookup>,
    /// The verdict.
    pub code: Code,
    /// Where the request came from.
    pub address: Option<IpAddr>,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// Why it was denied, in words.
    pub detail: Option<String>,
    /// What was asked, of one that is kept by itself.
    pub request: Option<RequestFacts>,
    /// The name of the operator that asked for the verdict.
    pub operator: Option<String>,
}

impl UsageRecord {
    /// Whether the request was let in.
    #[must_use]
    pub fn is_use(&self) -> bool {
        self.code == Code::Valid
    }

    /// The record with texts no longer than is kept, and without a secret that a client put into them.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        for text in [&mut self.user_agent, &mut self.detail].into_iter().flatten() {
            bound(text, LONGEST_TEXT);
        }
        self.request = self.request.map(RequestFacts::bounded);
        self
    }
}

/// When a key was used; counted apart from the key, by the verifier.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// The last time; `None` is "never used".
    pub last_used_at: Option<Time>,
    /// From which address.
    pub last_used_ip: Option<IpAddr>,
    /// By what client, as it called itself.
    pub last_user_agent: Option<String>,
    /// How often.
    pub uses: u64,
    /// How many requests were refused.
    pub denied: u64,
    /// The last refusal.
    pub last_denied_at: Option<Time>,
}

/// When one version of a key's secret was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretUse {
    /// The version.
    pub lookup: Lookup,
    /// How often it was let in.
    pub uses: u64,
    /// The last time it was.
    pub last_used_at: Option<Time>,
    /// The address of the last request, let in or not.
    pub last_ip: Option<IpAddr>,
    /// How often it was refused: so a dead secret that is still sent shows itself.
    pub denied: u64,
    /// The last time it was.
    pub last_denied_at: Option<Time>,
}

/// How often a key, or credentials that no key has, got a verdict within an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageCount {
    /// The key; `None` for credentials that no key has.
    pub key: Option<KeyId>,
    /// The beginning of the hour.
    pub hour: Time,
    /// The verdict.
    pub code: Code,
    /// How often.
    pub count: u64,
}

/// One of the last addresses of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressUse {
    /// The key; `None` for credentials that no key has.
    pub key: Option<KeyId>,
    /// The address.
    pub address: IpAddr,
    /// How often requests from there were let in.
    pub uses: u64,
    /// How often they were refused.
    pub denied: u64,
    /// The first request from there.
    pub first_at: Time,
    /// The last one.
    pub last_at: Time,
}

/// A recent request of an operator, and its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    /// Grows from entry to entry, of verdicts and of requests alike.
    pub seq: i64,
    /// The request.
    pub request: OperatorRequest,
}

/// A recent verdict, and its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedVerdict {
    /// Rises with every entry.
    pub seq: i64,
    /// The verdict.
    pub record: UsageRecord,
}

/// How long facts of use are kept. Totals and last-used times stay as long as their key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Counts by the hour.
    pub counts: TimeDelta,
    /// Recent verdicts.
    pub verdicts: TimeDelta,
    /// Recent verdicts of one key, the denied and the others apart.
    pub verdicts_per_key: u32,
    /// Distinct addresses of one key.
    pub addresses_per_key: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            counts: TimeDelta::days(90),
            verdicts: TimeDelta::days(30),
            verdicts_per_key: 100,
            addresses_per_key: 20,
        }
    }
}

impl Retention {
    /// The settings in words.
    #[must_use]
    pub fn describe(&self) -> String {
        format!(
            "counts for {}; verdicts for {}, {} of each kind a key; {} addresses a key",
            format_duration(self.counts),
            format_duration(self.verdicts),
            self.verdicts_per_key,
            self.addresses_per_key
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::parse_time;

    #[test]
    fn a_path_is_kept_without_its_query_and_is_bounded() {
        let facts = |path: &str| RequestFacts { path: path.to_owned(), ..RequestFacts::default() }.bounded();
        assert_eq!(facts("/invoices/7?key=x#y").path, "/invoices/7");
        assert_eq!(facts(&"é".repeat(1_000)).path.chars().count(), LONGEST_PATH);
        assert_eq!(facts("/").request_id, None);
    }

    #[test]
    fn what_strangers_send_is_cut_at_a_character() {
        let record = UsageRecord {
            at: parse_time("2026-01-01").unwrap(),
            count: 1,
            key: None,
            lookup: None,
            code: Code::Unknown,
            address: None,
            user_agent: Some("é".repeat(1_000)),
            detail: Some("short".to_owned()),
            request: None,
            operator: None,
        };
        let record = record.bounded();
        assert_eq!(record.user_agent.map(|text| text.chars().count()), Some(LONGEST_TEXT));
        assert_eq!(record.detail.as_deref(), Some("short"));
    }
}
