//! The trail as it goes to places outside, event by event, each at least once and in order.

use super::{
    audit::{self, AuditFilter, may_export},
    audit_export::Exported,
    audit_format::{cef, ocsf, syslog},
    context::Context,
    error::Result,
};
use crate::{
    domain::{Action, Event},
    store::View,
};
use serde_json::json;
use std::{fmt, str::FromStr};

/// What an event is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamFormat {
    /// A JSON object with all that an outsider needs to check it.
    Jsonl,
    /// Common Event Format.
    Cef,
    /// OCSF 1.5.0.
    Ocsf,
    /// RFC 5424.
    Syslog,
}

impl StreamFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Jsonl, Self::Cef, Self::Ocsf, Self::Syslog];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Cef => "cef",
            Self::Ocsf => "ocsf",
            Self::Syslog => "syslog",
        }
    }

    /// An event as one line, without its newline.
    #[must_use]
    pub fn line(self, exported: &Exported, vault_id: &str) -> String {
        match self {
            Self::Jsonl => exported.to_json().to_string(),
            Self::Cef => cef(&exported.recorded),
            Self::Ocsf => ocsf(&exported.recorded, vault_id).to_string(),
            Self::Syslog => syslog(&exported.recorded),
        }
    }
}

impl FromStr for StreamFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|format| format.as_str() == text);
        found.ok_or_else(|| format!("expected one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

impl fmt::Display for StreamFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The event that records that a stream begins or goes on; refused where the plan has no audit export.
///
/// # Errors
/// `Forbidden`.
pub fn begin(view: &View<'_>, cx: &Context, place: &str, format: StreamFormat, after: u64) -> Result<Event> {
    may_export(view, cx)?;
    let changes = json!({ "stream": place, "format": format.as_str(), "after": after });
    Ok(cx.event(Action::AuditExport, &cx.workspace, changes))
}

/// The events after one, at most so many; those that were archived meanwhile are not among them.
///
/// # Errors
/// `Integrity` when an event does not open.
pub fn after(view: &View<'_>, cx: &Context, seq: u64, most: u64) -> Result<Vec<Exported>> {
    let first = (seq + 1).max(view.first_event());
    let last = view.trail_size().min(first.saturating_add(most).saturating_sub(1));
    let mut events = Vec::new();
    if first <= last {
        audit::select(view, cx, &AuditFilter::default(), (first, last), &mut |entry| {
            events.push(Exported::of(entry, None)?);
            Ok(())
        })?;
    }
    Ok(events)
}
