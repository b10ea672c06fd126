//! Keeps text written by others from steering the reader's terminal.
//!
//! Control characters and invisible direction marks become visible escapes; in JSON, `super::json` writes the same
//! characters as `\u` escapes, which changes the bytes but not the value.

pub(super) use crate::domain::text::hides as is_unsafe;
use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a look at the bytes is enough to know that nothing of it is unsafe.
pub(super) fn is_plain_ascii(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Shows control and direction characters as `\x1b` or `\u{202e}`; other text is untouched.
pub fn escape(text: &str) -> Cow<'_, str> {
    replace(text, is_unsafe)
}

/// Shows control characters as [`escape`] does, line breaks and tabs aside.
pub(super) fn escape_controls(text: &str) -> Cow<'_, str> {
    replace(text, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

/// Text as a string of TOML, quotes included; what could steer a terminal is written as an escape.
pub fn toml_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // Writing to a string cannot fail.
            c if is_unsafe(c) => drop(write!(out, "\\U{:08X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Escapes a message of one or more lines; later lines are indented so that no text from
/// outside can pose as a line of keyward's own.
pub(super) fn escape_message(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(|line| escape(line)).collect();
    lines.join("\n  ")
}

fn replace(text: &str, is_replaced: impl Fn(char) -> bool) -> Cow<'_, str> {
    if is_plain_ascii(text) || !text.chars().any(&is_replaced) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_replaced(c) {
            // Writing to a string cannot fail.
            let _ = match u32::from(c) {
                code if c.is_ascii() => write!(out, "\\x{code:02x}"),
                code => write!(out, "\\u{{{code:x}}}"),
            };
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn terminal_sequences_and_direction_marks_become_visible() {
        assert_eq!(escape("a\u{1b}[31mb"), "a\\x1b[31mb");
        assert_eq!(escape("a\r\n\tb\u{7f}"), "a\\x0d\\x0a\\x09b\\x7f");
        assert_eq!(escape("x\u{202e}y\u{9b}z"), "x\\u{202e}y\\u{9b}z");
        assert_eq!(escape("Zoë 東京 \\o/"), "Zoë 東京 \\o/");
    }

    #[test]
    fn a_message_cannot_forge_a_line() {
        assert_eq!(escape_message("a\nerror: b\u{7}"), "a\n  error: b\\x07");
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_left_and_safe_text_is_unchanged(text in "\\PC*|(?s).*") {
            let shown = escape(&text);
            prop_assert!(!shown.chars().any(is_unsafe));
            if !text.chars().any(is_unsafe) {
                prop_assert_eq!(&*shown, &*text);
            }
        }
    }
}
