//! `audit show`: one event, with what it changed as a diff.

use crate::{
    cli::{change_words::value as plain, columns, context::Ctx},
    ops::{Result, audit::ShowEvent, audit_format::event_json},
};
use serde_json::Value;

/// Show an event, with what it changed
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  keyward audit show 2")]
pub(super) struct Args {
    /// The event's number
    #[arg(value_parser = number)]
    seq: u64,
}

fn number(text: &str) -> std::result::Result<u64, String> {
    let events = if text.starts_with("key_") {
        format!("; the events of a key: keyward audit list --key {text}")
    } else {
        String::new()
    };
    text.parse().map_err(|_| format!("expected the number of an event, as `audit list` shows it{events}"))
}

pub(super) fn run(cx: &mut Ctx, args: &Args) -> Result<()> {
    let recorded = cx.backend()?.ask(&cx.operation(), &ShowEvent { seq: args.seq })?;
    let people = !cx.program_reads();
    cx.item("keyward.audit-event/v1", "event", event_json(&recorded), columns::AUDIT_EVENT)?;
    if people {
        for line in diff(&recorded.event.changes) {
            cx.stream_line(&line)?;
        }
    }
    Ok(())
}

/// `-` is how it was, `+` is how it became; a list shows only what left it and what came.
fn diff(changes: &Value) -> Vec<String> {
    let Value::Object(fields) = changes else { return Vec::new() };
    let mut lines = Vec::new();
    for (name, value) in fields {
        match (value.get("from"), value.get("to")) {
            (Some(Value::Array(from)), Some(Value::Array(to))) => {
                lines.extend(
                    from.iter()
                        .filter(|item| !to.contains(item))
                        .map(|item| format!("- {name}: {}", plain(name, item))),
                );
                lines.extend(
                    to.iter()
                        .filter(|item| !from.contains(item))
                        .map(|item| format!("+ {name}: {}", plain(name, item))),
                );
            }
            (Some(from), Some(to)) => {
                lines.extend((!from.is_null()).then(|| format!("- {name}: {}", plain(name, from))));
                lines.extend((!to.is_null()).then(|| format!("+ {name}: {}", plain(name, to))));
            }
            _ => match value {
                Value::Null => {}
                Value::Object(inner) => {
                    let set = inner.iter().filter(|(_, value)| !value.is_null() && **value != Value::Array(Vec::new()));
                    lines.extend(set.map(|(field, value)| format!("+ {name}.{field}: {}", plain(field, value))));
                }
                other => lines.push(format!("  {name}: {}", plain(name, other))),
            },
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_diff_shows_what_went_and_what_came() {
        let changes = json!({
            "owner": { "from": null, "to": "bob" },
            "scopes": { "from": ["a:read", "b:read"], "to": ["a:read", "c:read"] },
            "rate_limit": { "from": { "limit": 1 }, "to": null },
            "key": { "name": "n", "project": null, "customers": [] },
            "events": 4,
        });
        assert_eq!(
            diff(&changes).join("\n"),
            "+ owner: bob\n- scopes: b:read\n+ scopes: c:read\n- rate_limit: limit 1\n+ key.name: n\n  events: 4"
        );
        assert!(diff(&Value::Null).is_empty());
    }
}
