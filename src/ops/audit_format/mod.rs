//! The trail in the words of other systems: one line an event, nothing left out that the receiver has a place for.

mod cef;
mod ocsf;
mod syslog;

pub use cef::cef;
pub use ocsf::ocsf;
pub use syslog::syslog;

use crate::domain::{Recorded, time::format_time};
use serde_json::{Value, json};

/// An event as `audit list` shows it.
#[must_use]
pub fn event_json(recorded: &Recorded) -> Value {
    let event = &recorded.event;
    json!({
        "seq": recorded.seq, "at": format_time(recorded.at), "actor": event.actor, "source": event.source,
        "action": event.action.as_str(), "target": event.target, "outcome": event.outcome.as_str(),
        "reason": event.reason, "ticket": event.ticket, "workspace": event.workspace, "changes": event.changes,
    })
}

/// Control characters would end a line, or move the cursor of whoever looks at it: they are spelled out.
fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, character| {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
        out
    })
}

/// One sentence for people.
fn sentence(recorded: &Recorded) -> String {
    let event = &recorded.event;
    format!("{} {} {} {}", event.actor, event.action, event.target, event.outcome)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Action, Event, Outcome, time::parse_time};

    fn nasty() -> Recorded {
        Recorded {
            seq: 7,
            at: parse_time("2026-01-02T03:04:05Z").unwrap(),
            event: Event {
                action: Action::KeyCreate,
                target: "a|b\\c=d]\"e".to_owned(),
                outcome: Outcome::Refused,
                actor: "alice@host".to_owned(),
                source: "http 203.0.113.9".to_owned(),
                reason: Some("line one\nline = two\u{7}".to_owned()),
                ticket: Some("OPS-1".to_owned()),
                workspace: None,
                changes: json!({ "name": { "from": "x", "to": "y|z" } }),
            },
        }
    }

    #[test]
    fn cef_escapes_what_its_grammar_uses() {
        let line = cef(&nasty());
        let start = format!("CEF:0|keyward|keyward|{}|key.create|key.create refused|5|", env!("CARGO_PKG_VERSION"));
        assert!(line.starts_with(&start), "{line}");
        assert!(line.contains("rt=1767323045000 "), "{line}");
        assert!(line.contains("externalId=7 "), "{line}");
        assert!(line.contains("src=203.0.113.9 "), "{line}");
        assert!(line.contains(r#"cs1=a|b\\c\=d]"e "#), "{line}");
        assert!(line.contains(r"reason=line one\\nline \= two\\u{7} "), "{line}");
        assert!(!line.contains('\n'));
    }

    #[test]
    fn syslog_escapes_what_its_grammar_uses() {
        let line = syslog(&nasty());
        assert!(
            line.starts_with("<108>1 2026-01-02T03:04:05Z - keyward - key.create [audit@32473 seq=\"7\" "),
            "{line}"
        );
        assert!(line.contains(r#" target="a|b\\c=d\]\"e" "#), "{line}");
        assert!(line.contains(r#" reason="line one\\nline = two\\u{7}" "#), "{line}");
        assert!(line.ends_with(r#"] alice@host key.create a|b\c=d]"e refused"#), "{line}");
        let mut other = nasty();
        other.event.actor = "zoë@host".to_owned();
        assert!(syslog(&other).contains("] \u{feff}zoë@host"));
    }
}
