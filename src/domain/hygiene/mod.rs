//! The hygiene of keys: rules that a policy sets, each a pure function of a key, its use and the time.
//!
//! Nothing here changes what a key may do. A finding is somebody's work, and an exception to it has an end and a reason.

mod policy;
mod rules;

pub use policy::{Aged, Crowded, Exception, KeyGlob, Open, Plain, Policy, Rules, Wide};
pub use rules::{Crowd, crowds, examine};

use std::{fmt, str::FromStr};

/// What can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A key that never expires.
    NoExpiry,
    /// A key that lives longer than is meant.
    LongLifetime,
    /// A scope that means more than one permission.
    WildcardScope,
    /// A key that may change things, and may be used from anywhere.
    OpenAllowlist,
    /// An allowlist with a range wider than is meant.
    WideAllowlist,
    /// A key that was used once, and no more.
    Unused,
    /// A key that was made some time ago, and never used.
    NeverUsed,
    /// A rotation that is due and was not made.
    OverdueRotation,
    /// A key that nobody answers for.
    NoOwner,
    /// A key without a rate limit.
    NoRateLimit,
    /// A key that may do nothing that is asked for by name.
    NoScope,
    /// Many keys that expire on one day.
    ExpiryCrowd,
    /// A trail that nobody has reviewed for some time.
    UnreviewedTrail,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Not looked for.
    Off,
    /// Good to know.
    Note,
    /// To be mended some day.
    Warning,
    /// To be mended now.
    Error,
}

/// What a rule says of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The key is as it should be.
    Fine(&'static str),
    /// The rule is not about such a key.
    NotAsked(&'static str),
    /// It is not, and why.
    Breach(String),
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::NoExpiry,
        Self::LongLifetime,
        Self::WildcardScope,
        Self::OpenAllowlist,
        Self::WideAllowlist,
        Self::Unused,
        Self::NeverUsed,
        Self::OverdueRotation,
        Self::NoOwner,
        Self::NoRateLimit,
        Self::NoScope,
        Self::ExpiryCrowd,
        Self::UnreviewedTrail,
    ];

    /// Its name in policies and findings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoExpiry => "no-expiry",
            Self::LongLifetime => "long-lifetime",
            Self::WildcardScope => "wildcard-scope",
            Self::OpenAllowlist => "open-allowlist",
            Self::WideAllowlist => "wide-allowlist",
            Self::Unused => "unused",
            Self::NeverUsed => "never-used",
            Self::OverdueRotation => "overdue-rotation",
            Self::NoOwner => "no-owner",
            Self::NoRateLimit => "no-rate-limit",
            Self::NoScope => "no-scope",
            Self::ExpiryCrowd => "expiry-crowd",
            Self::UnreviewedTrail => "unreviewed-trail",
        }
    }

    /// What it finds, in a few words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::NoExpiry => "the key never expires",
            Self::LongLifetime => "the key lives long",
            Self::WildcardScope => "a scope with a wildcard",
            Self::OpenAllowlist => "a key that may write is allowed from anywhere",
            Self::WideAllowlist => "an allowlist with a wide range",
            Self::Unused => "the key is no longer used",
            Self::NeverUsed => "the key was never used",
            Self::OverdueRotation => "the rotation is overdue",
            Self::NoOwner => "nobody answers for the key",
            Self::NoRateLimit => "the key has no rate limit",
            Self::NoScope => "the key has no scope",
            Self::ExpiryCrowd => "many keys expire on one day",
            Self::UnreviewedTrail => "nobody reviews the audit trail",
        }
    }

    /// How it is mended: a command in which `KEY` stands for the key's id, or a sentence that ends in one.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::NoExpiry | Self::LongLifetime => {
                "expiry is set at creation: make a successor with keyward create --expires-in 90d, then keyward revoke KEY"
            }
            Self::WildcardScope => "keyward update KEY --add-scope RESOURCE:LEVEL --remove-scope WILDCARD",
            Self::OpenAllowlist => "keyward update KEY --add-ip CIDR",
            Self::WideAllowlist => "keyward update KEY --add-ip NARROWER --remove-ip WIDER",
            Self::Unused | Self::NeverUsed => "keyward deactivate KEY",
            Self::OverdueRotation => "keyward rotate KEY",
            Self::NoOwner => "keyward update KEY --owner WHO",
            Self::NoRateLimit => "keyward update KEY --rate-limit 100/h",
            Self::NoScope => "keyward update KEY --add-scope RESOURCE:LEVEL",
            Self::ExpiryCrowd => "replace some of them earlier: keyward list --sort expires",
            Self::UnreviewedTrail => "keyward audit review",
        }
    }

    /// Whether it is about single keys.
    #[must_use]
    pub fn is_about_keys(self) -> bool {
        !matches!(self, Self::ExpiryCrowd | Self::UnreviewedTrail)
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|rule| rule.as_str() == text)
            .ok_or_else(|| format!("no such rule; there are: {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Severity {
    /// All of them, the mildest first.
    pub const ALL: [Self; 4] = [Self::Off, Self::Note, Self::Warning, Self::Error];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.as_str() == text)
            .ok_or_else(|| "expected error, warning, note or off".to_owned())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
#[path = "hygiene_tests.rs"]
mod hygiene_tests;
