//! Syslog, RFC 5424: facility 13 (log audit), the facts as structured data, a sentence for people.

use super::{printable, sentence};
use crate::domain::{Outcome, Recorded, time::format_time};
use std::fmt::Write;

const LOG_AUDIT: u8 = 13;
/// The enterprise number that RFC 5612 sets aside for those who have none.
const SD_ID: &str = "audit@32473";

/// Section 6.3.3: quotation mark, backslash and closing bracket are escaped.
fn parameter(text: &str) -> String {
    printable(text).replace('\\', r"\\").replace('"', "\\\"").replace(']', r"\]")
}

/// An event as one line of syslog, without its newline.
#[must_use]
pub fn syslog(recorded: &Recorded) -> String {
    let event = &recorded.event;
    let severity = match event.outcome {
        Outcome::Ok => 6,
        Outcome::Refused => 4,
        Outcome::Failed => 3,
    };
    let mut data = format!("{SD_ID} seq=\"{}\"", recorded.seq);
    let changes = (!event.changes.is_null()).then(|| event.changes.to_string());
    for (name, text) in [
        ("actor", Some(event.actor.as_str())),
        ("source", Some(event.source.as_str())),
        ("action", Some(event.action.as_str())),
        ("target", Some(event.target.as_str())),
        ("outcome", Some(event.outcome.as_str())),
        ("reason", event.reason.as_deref()),
        ("ticket", event.ticket.as_deref()),
        ("changes", changes.as_deref()),
    ] {
        if let Some(text) = text {
            // Writing to a string cannot fail.
            let _ = write!(data, " {name}=\"{}\"", parameter(text));
        }
    }
    let message = printable(&sentence(recorded));
    // Section 6.4: text beyond ASCII says that it is UTF-8 by a byte order mark.
    let mark = if message.is_ascii() { "" } else { "\u{feff}" };
    format!(
        "<{}>1 {} - keyward - {} [{data}] {mark}{message}",
        LOG_AUDIT * 8 + severity,
        format_time(recorded.at),
        event.action
    )
}
