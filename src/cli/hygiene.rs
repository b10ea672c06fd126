//! The policy of hygiene that a command goes by: the file that was named, else the usual one, else the built-in one.

use super::{context::Ctx, input};
use crate::{
    config::ConfigFile,
    domain::{
        hygiene::{Policy, Severity},
        serde_text::toml_problem,
    },
    ops::{Error, Kind, Result},
};
use chrono::TimeDelta;
use std::path::Path;

/// The policy in effect.
///
/// # Errors
/// `Unavailable` for a file that cannot be read, `Usage` for one that is no policy.
pub(super) fn policy(cx: &Ctx, named: Option<&Path>) -> Result<Policy> {
    let config = cx.dirs()?.config;
    let usual = config.join("check.toml");
    let text = match named {
        Some(path) => Some((path, input::read_file(path)?)),
        None if usual.exists() => Some((usual.as_path(), input::read_file(&usual)?)),
        None => None,
    };
    let mut policy: Policy = match text {
        None => Policy::default(),
        Some((path, text)) => toml::from_str(&text).map_err(|error| {
            Error::new(Kind::Usage, "policy", format!("the policy {} is not usable", path.display()))
                .cause(toml_problem(&text, &error))
                .hint("keyward check --print-policy   (every rule, as it may be written)")
        })?,
    };
    // What `doctor` was told counts here too, unless the policy says otherwise.
    let review = &mut policy.rules.unreviewed_trail;
    match ConfigFile::read(&config)?.audit_review_days {
        Some(0) => review.severity = review.severity.or(Some(Severity::Off)),
        Some(days) => review.over = review.over.or_else(|| TimeDelta::try_days(i64::from(days))),
        None => {}
    }
    Ok(policy)
}

/// Says which exceptions no longer hold.
pub(super) fn note_ended(cx: &mut Ctx, policy: &Policy) {
    let now = cx.now;
    for over in policy.exceptions.iter().filter(|exception| !exception.holds_at(now)) {
        let about = over.key.as_ref().map_or_else(String::new, |key| format!(" for {key}"));
        cx.note(&format!("an exception to {}{about} has ended: {}", over.rule, over.reason));
    }
}
