//! What changed, in words: not the JSON that programs get of it.

use crate::{domain::time::format_duration, ops::Change};
use chrono::TimeDelta;
use serde_json::{Map, Value};

/// A change of one field: what came and went of a list or of labels, from and to of anything else.
pub(super) fn in_words(change: &Change) -> String {
    let field = named(&change.field);
    let parts = match (&change.from, &change.to) {
        (Value::Array(from), Value::Array(to)) => {
            let (gone, come) = (without(from, to), without(to, from));
            [said("-", gone), said("+", come)].concat()
        }
        (Value::Object(from), Value::Object(to)) if change.field == "labels" => {
            let (from, to) = (pairs(from), pairs(to));
            [said("-", without(&from, &to)), said("+", without(&to, &from))].concat()
        }
        (from, to) => vec![format!("{} -> {}", value(&change.field, from), value(&change.field, to))],
    };
    format!("{field}: {}", parts.join(" "))
}

/// The name of a field, as people call it.
pub(super) fn named(field: &str) -> String {
    let last = field.rsplit('.').next().unwrap_or(field);
    match last {
        "every_seconds" => "rotate every".to_owned(),
        "allow_ips" => "allowed from".to_owned(),
        other => other.trim_end_matches("_seconds").trim_end_matches("_at").replace('_', " "),
    }
}

/// A value of a field in words.
pub(super) fn value(field: &str, value: &Value) -> String {
    match value {
        Value::Null if field.ends_with("_at") => "never".to_owned(),
        // Of what holders may do, none is a value of its own.
        Value::Null if field == "self" => "default".to_owned(),
        Value::Null => "none".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(seconds) if field.ends_with("_seconds") => {
            let seconds = seconds.as_i64().and_then(TimeDelta::try_seconds);
            seconds.map_or_else(|| value.to_string(), format_duration)
        }
        Value::Number(number) => number.to_string(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(|item| self::value(field, item)).collect::<Vec<_>>().join(", "),
        Value::Object(labels) if field.ends_with("labels") => {
            pairs(labels).iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        Value::Object(fields) => rate(fields).unwrap_or_else(|| {
            let said = |(name, one): (&String, &Value)| format!("{} {}", named(name), self::value(name, one));
            fields.iter().map(said).collect::<Vec<_>>().join(", ")
        }),
    }
}

fn rate(fields: &Map<String, Value>) -> Option<String> {
    let (limit, window) = (fields.get("limit")?.as_u64()?, fields.get("window_seconds")?.as_i64()?);
    let window = match window {
        1 => "s".to_owned(),
        60 => "m".to_owned(),
        3_600 => "h".to_owned(),
        86_400 => "d".to_owned(),
        seconds => format_duration(TimeDelta::try_seconds(seconds)?),
    };
    Some(format!("{limit}/{window}"))
}

fn pairs(labels: &Map<String, Value>) -> Vec<Value> {
    labels.iter().map(|(label, held)| format!("{label}={}", value("", held)).into()).collect()
}

fn without(these: &[Value], those: &[Value]) -> Vec<String> {
    these.iter().filter(|one| !those.contains(one)).map(|one| value("", one)).collect()
}

fn said(sign: &str, items: Vec<String>) -> Vec<String> {
    items.into_iter().map(|item| format!("{sign}{item}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_read_as_words() {
        for (field, from, to, words) in [
            ("owner", json!(null), json!("ana"), "owner: none -> ana"),
            ("scopes", json!(["a:read", "b:read"]), json!(["b:read", "c:read"]), "scopes: -a:read +c:read"),
            ("labels", json!({"a": "1", "b": "2"}), json!({"a": "3", "b": "2"}), "labels: -a=1 +a=3"),
            ("rate_limit", json!({"limit": 5, "window_seconds": 3600}), json!(null), "rate limit: 5/h -> none"),
            ("rotation.every_seconds", json!(null), json!(604_800), "rotate every: none -> 7d"),
            ("rotation.due_at", json!(null), json!("2026-01-01T00:00:00Z"), "due: never -> 2026-01-01T00:00:00Z"),
            ("active", json!(true), json!(false), "active: yes -> no"),
            ("self", json!(null), json!([]), "self: default -> none"),
            ("self", json!(["show", "revoke"]), json!(["show"]), "self: -revoke"),
        ] {
            let change = Change { field: field.into(), from, to };
            assert_eq!(in_words(&change), words);
        }
    }
}
