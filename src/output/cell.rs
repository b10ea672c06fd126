//! One field of a row as the text of one cell, for tables and for CSV.

use std::borrow::Cow;

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

/// A field as a column finds it: what is text already is borrowed.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// Text.
    Text(Cow<'a, str>),
    /// A list of texts.
    Texts(&'a [String]),
    /// A number that counts something.
    Number(u64),
    /// Anything else.
    Tree(Cow<'a, Value>),
}

impl<'a> Cell<'a> {
    /// Text that is there.
    pub fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// Text that may be missing.
    pub fn optional(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    /// The same, free of what it was found in.
    pub(super) fn into_owned(self) -> Cell<'static> {
        match self {
            Cell::Null => Cell::Null,
            Cell::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Cell::Texts(texts) => Cell::Tree(Cow::Owned(texts.into())),
            Cell::Number(number) => Cell::Number(number),
            Cell::Tree(value) => Cell::Tree(Cow::Owned(value.into_owned())),
        }
    }

    /// Whether it is a number, which no spreadsheet takes for a formula.
    pub(super) fn is_number(&self) -> bool {
        match self {
            Cell::Number(_) => true,
            Cell::Tree(value) => value.is_number(),
            _ => false,
        }
    }
}

impl<'a> From<&'a Value> for Cell<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::String(text) => Self::text(text),
            other => other.as_u64().map_or(Self::Tree(Cow::Borrowed(other)), Self::Number),
        }
    }
}

/// Renders a cell; what does not fit its column's kind is shown as plain text.
pub(super) fn render<'a>(cell: &'a Cell<'_>, kind: ColumnKind, style: CellStyle) -> Cow<'a, str> {
    match (cell, kind) {
        (Cell::Null, _) if !style.human => "".into(),
        (Cell::Null, ColumnKind::Time | ColumnKind::Expiry) => "never".into(),
        (Cell::Null, ColumnKind::RateLimit) => "none".into(),
        (Cell::Null, _) => "-".into(),
        (Cell::Text(text), ColumnKind::Time | ColumnKind::Expiry) => time(text, style),
        // Programs read the field: it is null.
        (Cell::Tree(_), ColumnKind::Expiry) if !style.human => "".into(),
        (Cell::Tree(value), ColumnKind::Expiry) => {
            format!("ends {}", time(value.as_str().unwrap_or_default(), style)).into()
        }
        (Cell::Text(text), _) => Cow::Borrowed(text),
        (Cell::Number(seconds), ColumnKind::Duration) if style.human => render_seconds(*seconds).into(),
        (Cell::Number(number), _) => number.to_string().into(),
        (Cell::Texts([]), _) if style.human => "-".into(),
        (Cell::Texts([one]), _) => Cow::Borrowed(one),
        (Cell::Texts(many), _) => many.join(",").into(),
        (Cell::Tree(value), ColumnKind::RateLimit) => {
            rate_limit(value).unwrap_or_else(|| plain(value, style.human)).into()
        }
        (Cell::Tree(value), ColumnKind::Deliveries) => {
            deliveries(value).unwrap_or_else(|| plain(value, style.human)).into()
        }
        (Cell::Tree(value), ColumnKind::Reasons) => reasons(value).unwrap_or_else(|| plain(value, style.human)).into(),
        (Cell::Tree(value), ColumnKind::Secrets) => {
            secrets(value, style).unwrap_or_else(|| plain(value, style.human)).into()
        }
        (Cell::Tree(value), ColumnKind::LiveSecrets) => {
            live_secrets(value, style).unwrap_or_else(|| plain(value, style.human)).into()
        }
        (Cell::Tree(value), _) => plain(value, style.human).into(),
    }
}

fn time(text: &str, style: CellStyle) -> Cow<'_, str> {
    // Whole seconds of UTC, as keyward writes every time: read and written again it would be the same.
    if style.time == TimeStyle::Utc && is_whole_utc(text) {
        return Cow::Borrowed(text);
    }
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) => render_time(time.with_timezone(&Utc), style.time, style.now).into(),
        Err(_) => Cow::Borrowed(text),
    }
}

fn is_whole_utc(text: &str) -> bool {
    text.len() == "2026-01-02T03:04:05Z".len() && text.as_bytes()[10] == b'T' && text.ends_with('Z')
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

fn deliveries(value: &Value) -> Option<String> {
    let said = |one: &Value| Some(format!("{} ({})", one.get("sink")?.as_str()?, one.get("state")?.as_str()?));
    let all: Option<Vec<String>> = value.as_array().filter(|all| !all.is_empty())?.iter().map(said).collect();
    all.map(|all| all.join(", "))
}

fn secrets(value: &Value, style: CellStyle) -> Option<String> {
    let said = |one: &Value| {
        let until = one.get("valid_until")?.as_str().map(|until| format!(", until {}", time(until, style)));
        Some(format!("…{} ({}{})", one.get("hint")?.as_str()?, one.get("state")?.as_str()?, until.unwrap_or_default()))
    };
    let all: Option<Vec<String>> = value.as_array().filter(|all| !all.is_empty())?.iter().map(said).collect();
    all.map(|all| all.join(", "))
}

fn live_secrets(value: &Value, style: CellStyle) -> Option<String> {
    let all = value.as_array()?;
    let (dead, live): (Vec<&Value>, Vec<&Value>) = all.iter().partition(|one| one["state"] == "dead");
    let live: Vec<Value> = live.into_iter().cloned().collect();
    let told = secrets(&Value::Array(live), style);
    match (dead.len(), told) {
        (0, told) => told,
        (dead, told) => Some(format!("{}, and {dead} dead (-o wide)", told.unwrap_or_else(|| "none".to_owned()))),
    }
}

fn reasons(value: &Value) -> Option<String> {
    let one = |reason: &Value| {
        let (code, count) = (reason.get("code")?.as_str()?, reason.get("count")?.as_u64()?);
        let detail = reason.get("detail")?.as_str().map(|detail| format!(": {detail}")).unwrap_or_default();
        Some(format!("{code} ({count}){detail}"))
    };
    let reasons: Vec<String> =
        value.as_array().filter(|all| !all.is_empty())?.iter().map(one).collect::<Option<_>>()?;
    Some(reasons.join("; "))
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
        render(&Cell::from(&value), kind, CellStyle { time, now, human }).into_owned()
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
        let reasons = json!([{"code": "EXPIRED", "count": 3, "detail": "ended"}, {"code": "REVOKED", "count": 1, "detail": null}]);
        assert_eq!(show(reasons, ColumnKind::Reasons, true), "EXPIRED (3): ended; REVOKED (1)");
        assert_eq!(show(Value::Null, ColumnKind::Reasons, true), "-");
        assert_eq!(show(json!(["a:read", "b:write"]), ColumnKind::List, true), "a:read,b:write");
        assert_eq!(show(json!({"team": "x"}), ColumnKind::List, false), "team=x");
        let delivered = json!([{"sink": "file:/run/key", "state": "delivered", "at": "2026-03-04T00:00:00Z"}]);
        assert_eq!(show(delivered, ColumnKind::Deliveries, true), "file:/run/key (delivered)");
        assert_eq!(show(json!([]), ColumnKind::Deliveries, true), "-");
        let secrets = json!([{"hint": "a1B2", "state": "current", "valid_until": null},
            {"hint": "c3D4", "state": "retiring", "valid_until": "2026-03-04T00:00:00Z"}]);
        let one = json!([{"hint": "a", "state": "dead", "valid_until": null}, {"hint": "b", "state": "current", "valid_until": null}]);
        assert_eq!(show(one.clone(), ColumnKind::LiveSecrets, true), "…b (current), and 1 dead (-o wide)");
        assert_eq!(show(json!([one[0]]), ColumnKind::LiveSecrets, true), "none, and 1 dead (-o wide)");
        assert_eq!(show(secrets, ColumnKind::Secrets, true), "…a1B2 (current), …c3D4 (retiring, until in 3d)");
        assert_eq!(show(json!([]), ColumnKind::List, true), "-");
        assert_eq!(show(json!([]), ColumnKind::List, false), "");
        assert_eq!(show(json!("soon"), ColumnKind::Time, true), "soon");
    }
}
