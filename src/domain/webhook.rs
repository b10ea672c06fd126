//! Webhooks: who is told of what happens to keys, and when a message that did not arrive is sent again.

use super::{event::Action, rate_limit::RateLimit, time::Time};
use chrono::TimeDelta;
use std::{fmt, str::FromStr};

/// How long after each failed attempt the next one comes, in seconds: over three days in all, as Standard Webhooks advises.
const RETRIES: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// What a webhook can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notice {
    /// An action on a key, named as in the audit trail.
    Done(Action),
    /// A key ends within one of the lead times.
    Expiring,
    /// A rotation is due.
    Overdue,
    /// Many requests with a key were refused within a short time.
    DeniedBurst,
    /// Many credentials of operators that nobody has were refused within a short time.
    CredentialBurst,
    /// Somebody tries the webhook out.
    Test,
}

impl Notice {
    /// What can be subscribed to.
    pub const ALL: [Self; 16] = [
        Self::Done(Action::KeyCreate),
        Self::Done(Action::KeyUpdate),
        Self::Done(Action::KeyHandover),
        Self::Done(Action::KeyActivate),
        Self::Done(Action::KeyDeactivate),
        Self::Done(Action::KeyRotate),
        Self::Done(Action::KeyProlong),
        Self::Done(Action::KeyAbort),
        Self::Done(Action::KeyRevoke),
        Self::Done(Action::KeyRevokeSecret),
        Self::Done(Action::KeyReinstate),
        Self::Done(Action::KeyDelete),
        Self::Expiring,
        Self::Overdue,
        Self::DeniedBurst,
        Self::CredentialBurst,
    ];

    /// The name, as in the payload.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done(action) => action.as_str(),
            Self::Expiring => "key.expiring",
            Self::Overdue => "key.overdue",
            Self::DeniedBurst => "key.denied_burst",
            Self::CredentialBurst => "operator.denied_burst",
            Self::Test => "webhook.test",
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Notice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|notice| notice.as_str() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.into_iter().map(Self::as_str).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}

/// A place that is told what happens to the keys of a workspace. Its secret is derived from its id, and never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// `wh_…`, drawn at random.
    pub id: String,
    /// Its unique name.
    pub name: String,
    /// The workspace whose keys it is told of.
    pub workspace: String,
    /// Where messages are posted.
    pub url: String,
    /// Of what it is told.
    pub events: Vec<Notice>,
    /// How long before the end of a key it is told, longest first.
    pub leads: Vec<TimeDelta>,
    /// So many refused requests within so long are a burst.
    pub burst: RateLimit,
    /// Whether messages may go to private, loopback and link-local addresses, and over plain HTTP.
    pub allow_private: bool,
    /// Since when.
    pub created_at: Time,
    /// By whom.
    pub created_by: String,
}

/// A message to a webhook, from the moment something happened until it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its place among the messages of this vault, in the order in which things happened; `None` for one that was not put
    /// into the outbox.
    pub seq: Option<u64>,
    /// `msg_…`: the receiver sees the same one at every attempt.
    pub id: String,
    /// The id of the webhook.
    pub webhook: String,
    /// Of what it tells.
    pub event: String,
    /// When that was.
    pub at: Time,
    /// How often it was sent in vain.
    pub attempts: u32,
    /// What is posted: JSON, without any secret.
    pub payload: String,
}

/// How long to wait after so many attempts in vain; `None`: the message is a dead letter.
#[must_use]
pub fn retry_after(attempts: u32) -> Option<TimeDelta> {
    let index = usize::try_from(attempts.checked_sub(1)?).ok()?;
    RETRIES.get(index).copied().map(TimeDelta::seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_they_are_written() {
        for notice in Notice::ALL {
            assert_eq!(notice.as_str().parse::<Notice>(), Ok(notice));
        }
        assert!("webhook.test".parse::<Notice>().is_err(), "nobody subscribes to trials");
    }

    #[test]
    fn a_message_is_tried_for_three_days_and_then_dead() {
        let waits: Vec<TimeDelta> = (1..).map_while(retry_after).collect();
        assert!(waits.is_sorted() && waits.len() == 9);
        assert!(waits.iter().sum::<TimeDelta>() > TimeDelta::days(3));
        assert_eq!(retry_after(0), None);
    }
}
