//! ArcSight's Common Event Format.

use super::printable;
use crate::{
    domain::{Outcome, Recorded},
    ops::audit::addresses,
};

/// The header escapes the bar, the extension the equals sign, both the backslash.
fn header(text: &str) -> String {
    printable(text).replace('\\', r"\\").replace('|', r"\|")
}

fn value(text: &str) -> String {
    printable(text).replace('\\', r"\\").replace('=', r"\=")
}

/// An event as one line of CEF, without its newline.
#[must_use]
pub fn cef(recorded: &Recorded) -> String {
    let event = &recorded.event;
    let severity = match event.outcome {
        Outcome::Ok => 3,
        Outcome::Refused => 5,
        Outcome::Failed => 6,
    };
    let mut fields = vec![
        ("rt", recorded.at.timestamp_millis().to_string()),
        ("externalId", recorded.seq.to_string()),
        ("suser", event.actor.clone()),
    ];
    if let Some(address) = addresses(&event.source).next() {
        let name = if address.is_ipv4() { "src" } else { "c6a2" };
        fields.push((name, address.to_string()));
        if address.is_ipv6() {
            fields.push(("c6a2Label", "Source IPv6 Address".to_owned()));
        }
    }
    fields.extend([
        ("app", event.source.clone()),
        ("act", event.action.to_string()),
        ("outcome", event.outcome.to_string()),
        ("cs1Label", "target".to_owned()),
        ("cs1", event.target.clone()),
    ]);
    if let Some(reason) = &event.reason {
        fields.push(("reason", reason.clone()));
    }
    if let Some(ticket) = &event.ticket {
        fields.extend([("cs2Label", "ticket".to_owned()), ("cs2", ticket.clone())]);
    }
    if !event.changes.is_null() {
        fields.extend([("cs3Label", "changes".to_owned()), ("cs3", event.changes.to_string())]);
    }
    let fields: Vec<String> = fields.iter().map(|(name, text)| format!("{name}={}", value(text))).collect();
    format!(
        "CEF:0|keyward|keyward|{}|{}|{}|{severity}|{}",
        env!("CARGO_PKG_VERSION"),
        header(event.action.as_str()),
        header(&format!("{} {}", event.action, event.outcome)),
        fields.join(" ")
    )
}
