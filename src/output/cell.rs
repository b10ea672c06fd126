//! One JSON value as the text of one cell, for tables and for CSV.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::format::TimeStyle;
use super::report::ColumnKind;
use super::time::{render_seconds, render_time};

/// Where a cell goes and how it shows times.
#[derive(Debug, Clone, Copy)]
pub(super) struct CellStyle {
    pub(super) time: TimeStyle,
    pub(super) now: DateTime<Utc>,
    /// Words for null ("never", "none", "-") and units, which machines do not want.
    pub(super) human: bool,
}

/// Renders a value; what does not fit its column's kind is shown as plain text.
pub(super) fn render(value: &Value, kind: ColumnKind, style: CellStyle) -> String {
    match (value, kind) {
        (Value::Null, _) if !style.human => String::new(),
        (Value::Null, ColumnKind::Time) => "never".to_owned(),
        (Value::Null, ColumnKind::RateLimit) => "none".to_owned(),
        (Value::Null, _) => "-".to_owned(),
        (Value::String(text), ColumnKind::Time) => match DateTime::parse_from_rfc3339(text) {
            Ok(time) => render_time(time.with_timezone(&Utc), style.time, style.now),
            Err(_) => text.clone(),
        },
        (Value::Number(number), ColumnKind::Duration) if style.human => {
            number.as_u64().map_or_else(|| number.to_string(), render_seconds)
        }
        (Value::Object(_), ColumnKind::RateLimit) => rate_limit(value).unwrap_or_else(|| plain(value, style.human)),
        _ => plain(value, style.human),
    }
}

fn rate_limit(value: &Value) -> Option<String> {
    let limit = value.get("limit")?.as_u64()?;
    let window = match value.get("window_seconds")?.as_u64()? {
        1 => "s".to_owned(),
        60 => "m".to_owned(),
        3600 => "h".to_owned(),
        86_400 => "d".to_owned(),
        seconds => render_seconds(seconds),
    };
    Some(format!("{limit}/{window}"))
}

fn plain(value: &Value, human: bool) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) if human => "yes".to_owned(),
        Value::Bool(false) if human => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() && human => "-".to_owned(),
        Value::Object(fields) if fields.is_empty() && human => "-".to_owned(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(nested).collect();
            items.join(",")
        }
        Value::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", nested(value))).collect();
            fields.join(",")
        }
        other => other.to_string(),
    }
}

/// Values inside a list stay plain; anything deeper is compact JSON.
fn nested(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn show(value: Value, kind: ColumnKind, human: bool) -> String {
        let now = "2026-03-01T00:00:00Z".parse().unwrap();
        let time = if human { TimeStyle::Relative } else { TimeStyle::Utc };
        render(&value, kind, CellStyle { time, now, human })
    }

    #[test]
    fn null_has_a_word_for_people_and_stays_empty_for_machines() {
        assert_eq!(show(Value::Null, ColumnKind::Time, true), "never");
        assert_eq!(show(Value::Null, ColumnKind::RateLimit, true), "none");
        assert_eq!(show(Value::Null, ColumnKind::Text, true), "-");
        assert_eq!(show(Value::Null, ColumnKind::Time, false), "");
    }

    #[test]
    fn every_kind_reads_its_value() {
        let rate = json!({"limit": 100, "window_seconds": 3600});
        assert_eq!(show(rate, ColumnKind::RateLimit, true), "100/h");
        let rate = json!({"limit": 10, "window_seconds": 1800});
        assert_eq!(show(rate, ColumnKind::RateLimit, false), "10/30m");
        assert_eq!(show(json!("2026-03-04T00:00:00Z"), ColumnKind::Time, true), "in 3d");
        assert_eq!(show(json!(7_776_000), ColumnKind::Duration, true), "90d");
        assert_eq!(show(json!(7_776_000), ColumnKind::Duration, false), "7776000");
        assert_eq!(show(json!(["a:read", "b:write"]), ColumnKind::List, true), "a:read,b:write");
        assert_eq!(show(json!({"team": "x"}), ColumnKind::List, false), "team=x");
        assert_eq!(show(json!([]), ColumnKind::List, true), "-");
        assert_eq!(show(json!([]), ColumnKind::List, false), "");
        assert_eq!(show(json!("soon"), ColumnKind::Time, true), "soon");
    }
}
