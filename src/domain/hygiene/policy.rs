//! The policy of hygiene as it is written in a file: rules with their severity and threshold, and exceptions to them.
//!
//! What a policy does not say is as the built-in one has it; a misspelt name is refused.

use super::{Rule, Severity};
use crate::domain::{Environment, Key, Time, serde_text, text::composed};
use chrono::TimeDelta;
use glob::Pattern;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use std::{fmt, str::FromStr};

/// What is looked for, and what is let pass for a time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// The rules.
    pub rules: Rules,
    /// Findings that somebody has accepted until a time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
}

/// The settings of every rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is the rule of its name")]
pub struct Rules {
    pub no_expiry: Plain,
    pub long_lifetime: Aged,
    pub wildcard_scope: Plain,
    pub open_allowlist: Open,
    pub wide_allowlist: Wide,
    pub unused: Aged,
    pub never_used: Aged,
    pub overdue_rotation: Plain,
    pub no_owner: Plain,
    pub no_rate_limit: Plain,
    pub no_scope: Plain,
    pub expiry_crowd: Crowded,
    pub unreviewed_trail: Aged,
}

/// A rule without a threshold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plain {
    /// How much it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

/// A rule about a time that is too long.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Aged {
    /// How much it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// What is longer is found.
    #[serde(skip_serializing_if = "Option::is_none", with = "serde_text::optional_duration")]
    pub over: Option<TimeDelta>,
}

/// The rule about keys that may change things and are allowed from anywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Open {
    /// How much it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The environments it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environments: Option<Vec<Environment>>,
    /// The levels of scopes that change nothing; every other one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_levels: Option<Vec<String>>,
}

/// The rule about wide ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wide {
    /// How much it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// A shorter prefix of IPv4 is found.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "prefix::<_, 32>")]
    pub ipv4_prefix: Option<u8>,
    /// A shorter prefix of IPv6 is found.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "prefix::<_, 128>")]
    pub ipv6_prefix: Option<u8>,
}

/// The rule about keys that expire together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Crowded {
    /// How much it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// More keys on one day (UTC) are found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<usize>,
}

/// A finding that somebody has accepted until a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The rule it is an exception to.
    pub rule: Rule,
    /// The keys it is about, by id or a pattern of names; every key, and what is about no key, when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyGlob>,
    /// Only in this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// The first moment at which it no longer holds.
    #[serde(with = "serde_text::time")]
    pub until: Time,
    /// Why it was accepted.
    #[serde(deserialize_with = "words")]
    pub reason: String,
}

/// Keys by id or by a pattern of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyGlob(Pattern);

impl FromStr for KeyGlob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Pattern::new(&composed(text)).map(Self).map_err(|error| format!("no pattern of names: {}", error.msg))
    }
}

impl fmt::Display for KeyGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl Exception {
    /// Whether it still holds.
    #[must_use]
    pub fn holds_at(&self, now: Time) -> bool {
        now < self.until
    }

    /// Whether it is about a key, or without one about what is about no key.
    #[must_use]
    pub fn is_about(&self, key: Option<&Key>) -> bool {
        match key {
            Some(key) => {
                self.environment.is_none_or(|environment| environment == key.environment)
                    && self
                        .key
                        .as_ref()
                        .is_none_or(|glob| glob.0.matches(&composed(&key.name)) || glob.0.as_str() == key.id.as_str())
            }
            None => self.key.is_none() && self.environment.is_none(),
        }
    }
}

impl Policy {
    /// A policy that asks for nothing but the reviews that a workspace itself prescribes.
    #[must_use]
    pub fn of_prescribed_reviews() -> Self {
        let plain = || Plain { severity: Some(Severity::Off) };
        let aged = || Aged { severity: Some(Severity::Off), over: None };
        let rules = Rules {
            no_expiry: plain(),
            long_lifetime: aged(),
            wildcard_scope: plain(),
            open_allowlist: Open { severity: Some(Severity::Off), ..Open::default() },
            wide_allowlist: Wide { severity: Some(Severity::Off), ..Wide::default() },
            unused: aged(),
            never_used: aged(),
            overdue_rotation: plain(),
            no_owner: plain(),
            no_rate_limit: plain(),
            no_scope: plain(),
            expiry_crowd: Crowded { severity: Some(Severity::Off), over: None },
            unreviewed_trail: aged(),
        };
        Self { rules, exceptions: Vec::new() }
    }

    /// How much a rule matters here.
    #[must_use]
    pub fn severity(&self, rule: Rule) -> Severity {
        let rules = &self.rules;
        let (said, built_in) = match rule {
            Rule::NoExpiry => (rules.no_expiry.severity, Severity::Warning),
            Rule::LongLifetime => (rules.long_lifetime.severity, Severity::Warning),
            Rule::WildcardScope => (rules.wildcard_scope.severity, Severity::Error),
            Rule::OpenAllowlist => (rules.open_allowlist.severity, Severity::Error),
            Rule::WideAllowlist => (rules.wide_allowlist.severity, Severity::Warning),
            Rule::Unused => (rules.unused.severity, Severity::Warning),
            Rule::NeverUsed => (rules.never_used.severity, Severity::Warning),
            Rule::OverdueRotation => (rules.overdue_rotation.severity, Severity::Error),
            Rule::NoOwner => (rules.no_owner.severity, Severity::Warning),
            Rule::NoRateLimit => (rules.no_rate_limit.severity, Severity::Warning),
            Rule::NoScope => (rules.no_scope.severity, Severity::Warning),
            Rule::ExpiryCrowd => (rules.expiry_crowd.severity, Severity::Note),
            Rule::UnreviewedTrail => (rules.unreviewed_trail.severity, Severity::Warning),
        };
        said.unwrap_or(built_in)
    }

    /// The longest lifetime that is meant; a year.
    #[must_use]
    pub fn longest_lifetime(&self) -> TimeDelta {
        self.rules.long_lifetime.over.unwrap_or(TimeDelta::days(365))
    }

    /// How long a key may lie unused; 90 days.
    #[must_use]
    pub fn unused_for(&self) -> TimeDelta {
        self.rules.unused.over.unwrap_or(TimeDelta::days(90))
    }

    /// How long a new key may wait for its first use; 30 days.
    #[must_use]
    pub fn never_used_for(&self) -> TimeDelta {
        self.rules.never_used.over.unwrap_or(TimeDelta::days(30))
    }

    /// How long the trail may go without a review; 30 days.
    #[must_use]
    pub fn review_every(&self) -> TimeDelta {
        self.rules.unreviewed_trail.over.unwrap_or(TimeDelta::days(30))
    }

    /// How many keys may expire on one day; 20.
    #[must_use]
    pub fn crowd(&self) -> usize {
        self.rules.expiry_crowd.over.unwrap_or(20)
    }

    /// The shortest prefixes that are meant, of IPv4 and IPv6; 8 and 32.
    #[must_use]
    pub fn shortest_prefixes(&self) -> (u8, u8) {
        (self.rules.wide_allowlist.ipv4_prefix.unwrap_or(8), self.rules.wide_allowlist.ipv6_prefix.unwrap_or(32))
    }

    /// Whether keys of an environment need an allowlist to write; in production.
    #[must_use]
    pub fn guards(&self, environment: Environment) -> bool {
        let said = self.rules.open_allowlist.environments.as_ref();
        said.map_or(environment == Environment::Production, |said| said.contains(&environment))
    }

    /// Whether a level of scopes changes nothing: read, list, view or get.
    #[must_use]
    pub fn only_reads(&self, level: &str) -> bool {
        match &self.rules.open_allowlist.read_levels {
            Some(levels) => levels.iter().any(|read| read == level),
            None => ["read", "list", "view", "get"].contains(&level),
        }
    }

    /// The exception that covers a finding now: about a key, or about no key.
    #[must_use]
    pub fn exception(&self, rule: Rule, key: Option<&Key>, now: Time) -> Option<&Exception> {
        self.exceptions.iter().find(|one| one.rule == rule && one.holds_at(now) && one.is_about(key))
    }

    /// The same policy with everything spelled out that it leaves to the built-in one.
    #[must_use]
    pub fn in_full(&self) -> Self {
        let plain = |rule| Plain { severity: Some(self.severity(rule)) };
        let aged = |rule, over| Aged { severity: Some(self.severity(rule)), over: Some(over) };
        let (ipv4, ipv6) = self.shortest_prefixes();
        let environments = Environment::ALL.into_iter().filter(|environment| self.guards(*environment)).collect();
        let read_levels = self.rules.open_allowlist.read_levels.clone();
        let read_levels = read_levels.unwrap_or_else(|| ["read", "list", "view", "get"].map(str::to_owned).to_vec());
        Self {
            rules: Rules {
                no_expiry: plain(Rule::NoExpiry),
                long_lifetime: aged(Rule::LongLifetime, self.longest_lifetime()),
                wildcard_scope: plain(Rule::WildcardScope),
                open_allowlist: Open {
                    severity: Some(self.severity(Rule::OpenAllowlist)),
                    environments: Some(environments),
                    read_levels: Some(read_levels),
                },
                wide_allowlist: Wide {
                    severity: Some(self.severity(Rule::WideAllowlist)),
                    ipv4_prefix: Some(ipv4),
                    ipv6_prefix: Some(ipv6),
                },
                unused: aged(Rule::Unused, self.unused_for()),
                never_used: aged(Rule::NeverUsed, self.never_used_for()),
                overdue_rotation: plain(Rule::OverdueRotation),
                no_owner: plain(Rule::NoOwner),
                no_rate_limit: plain(Rule::NoRateLimit),
                no_scope: plain(Rule::NoScope),
                expiry_crowd: Crowded { severity: Some(self.severity(Rule::ExpiryCrowd)), over: Some(self.crowd()) },
                unreviewed_trail: aged(Rule::UnreviewedTrail, self.review_every()),
            },
            exceptions: self.exceptions.clone(),
        }
    }
}

fn prefix<'de, D: Deserializer<'de>, const LONGEST: u8>(deserializer: D) -> Result<Option<u8>, D::Error> {
    let length = u8::deserialize(deserializer)?;
    if length <= LONGEST {
        Ok(Some(length))
    } else {
        Err(D::Error::custom(format!("a prefix has at most {LONGEST} bits")))
    }
}

fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() { Err(D::Error::custom("an exception needs a reason")) } else { Ok(text) }
}
