//! How a failure is told: three kinds of lines for people, one object for programs.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::json;

use super::escape::escape_message;
use super::format::Format;
use super::json;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const CAUSE: Style = Style::new().bold();
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// A failure ready to be told. It never contains what a user typed as a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorReport {
    /// What failed, without a full stop.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// Commands or steps that fix it.
    pub hints: Vec<String>,
    /// The name of the exit code, such as `NOT_FOUND`.
    pub code: &'static str,
    /// A stable word for the exact reason, such as `key_not_found`.
    pub reason: std::borrow::Cow<'static, str>,
    /// The exit code.
    pub exit: u8,
    /// Whether the same command may succeed later.
    pub retryable: bool,
    /// What was said on the way; people have read it by then.
    pub notes: Vec<String>,
}

/// Writes a failure in the given format, coloured if told so.
pub fn write_error(out: &mut dyn Write, report: &ErrorReport, format: Format, color: bool) -> io::Result<()> {
    if format.is_json() {
        let object = json!({
            "schema": "keyward.error/v1",
            "error": {
                "code": report.code,
                "reason": report.reason,
                "message": report.message,
                "causes": report.causes,
                "hints": report.hints,
                "exit": report.exit,
                "retryable": report.retryable,
                "notes": report.notes,
            }
        });
        return writeln!(out, "{}", *json::text(&object, false)?);
    }
    let mut text = line("", "error", ERROR, &report.message, color);
    for cause in &report.causes {
        text.push_str(&line("  ", "cause", CAUSE, cause, color));
    }
    for hint in &report.hints {
        text.push_str(&line("", "hint", HINT, hint, color));
    }
    out.write_all(text.as_bytes())
}

pub(super) fn line(indent: &str, label: &str, style: Style, text: &str, color: bool) -> String {
    let text = escape_message(text);
    if color { format!("{indent}{style}{label}:{style:#} {text}\n") } else { format!("{indent}{label}: {text}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn report() -> ErrorReport {
        ErrorReport {
            message: "no key is called \"a\u{1b}\"".to_owned(),
            causes: vec!["workspace default has none".to_owned()],
            hints: vec!["keyward list".to_owned()],
            code: "NOT_FOUND",
            reason: "key_not_found".into(),
            exit: 3,
            retryable: false,
            notes: vec!["made a vault".to_owned()],
        }
    }

    fn written(format: Format, color: bool) -> String {
        let mut out = Vec::new();
        write_error(&mut out, &report(), format, color).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn people_get_what_why_and_what_next() {
        assert_eq!(
            written(Format::Table, false),
            "error: no key is called \"a\\x1b\"\n  cause: workspace default has none\nhint: keyward list\n"
        );
        assert!(written(Format::Csv, true).starts_with("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m "));
    }

    #[test]
    fn programs_get_one_line() {
        for format in [Format::Json, Format::Jsonl] {
            let text = written(format, true);
            assert_eq!(text.matches('\n').count(), 1);
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["schema"], "keyward.error/v1");
            assert_eq!(value["error"]["code"], "NOT_FOUND");
            assert_eq!(value["error"]["reason"], "key_not_found");
            assert_eq!(value["error"]["exit"], 3);
            assert_eq!(value["error"]["retryable"], false);
            assert_eq!(value["error"]["hints"][0], "keyward list");
            assert_eq!(value["error"]["notes"][0], "made a vault");
        }
    }
}
