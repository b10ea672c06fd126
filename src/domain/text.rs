//! Texts that people type: one form of each, whatever keyboard or system it came from, and none that hides.

use std::borrow::Cow;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// A text in the one form that is kept and compared, NFC (UAX 15): an accent typed on one system is the accent typed on
/// another.
#[must_use]
pub fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfc().collect())
}

/// [`composed`] of an owned text.
#[must_use]
pub fn composed_owned(text: String) -> String {
    match composed(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(composed) => composed,
    }
}

/// The forms in which a text may stand in a vault that was written before texts were composed, the usual one first.
#[must_use]
pub fn forms(text: &str) -> Vec<String> {
    let mut forms = vec![composed(text).into_owned()];
    if !text.is_ascii() {
        forms.extend([text.nfd().collect(), text.to_owned()]);
        let usual = forms.remove(0);
        forms.retain(|other| *other != usual);
        forms.dedup();
        forms.insert(0, usual);
    }
    forms
}

/// Whether two texts read the same, whichever form they are in.
#[must_use]
pub fn same(a: &str, b: &str) -> bool {
    a == b || (!(a.is_ascii() && b.is_ascii()) && composed(a) == composed(b))
}

/// Whether a character can move the cursor, turn the order of what is read round, or be there unseen.
#[must_use]
pub fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// A text of one line, in the form that is kept.
///
/// # Errors
/// With the first character that hides, by its number: the text itself would not show it.
pub fn one_line(text: &str) -> Result<Cow<'_, str>, String> {
    refuse(text, hides)
}

/// A text of any number of lines, in the form that is kept. The joiners and marks that languages are written with may stand
/// in it.
///
/// # Errors
/// As [`one_line`].
pub fn lines(text: &str) -> Result<Cow<'_, str>, String> {
    refuse(text, |c| hides(c) && !matches!(c, '\n' | '\r' | '\t' | '\u{61c}' | '\u{200c}'..='\u{200f}'))
}

fn refuse(text: &str, wrong: impl Fn(char) -> bool) -> Result<Cow<'_, str>, String> {
    match text.chars().find(|c| wrong(*c)) {
        None => Ok(composed(text)),
        Some(c) if c.is_control() => Err(format!("holds a control character (U+{:04X})", u32::from(c))),
        Some(c) => {
            Err(format!("holds an invisible character (U+{:04X}), which can hide or reorder text", u32::from(c)))
        }
    }
}

/// The text of a file that somebody else wrote: UTF-8 with or without a byte order mark, or UTF-16 with one, as Windows
/// writes it.
///
/// # Errors
/// What it is instead, and what to do.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    const MEND: &str = "save it as UTF-8";
    let low_first = match bytes {
        [0xff, 0xfe, ..] => true,
        [0xfe, 0xff, ..] => false,
        _ => {
            let text = std::str::from_utf8(bytes).map_err(|error| {
                let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
                format!("it is not UTF-8 from line {line} on: {MEND}")
            })?;
            if text.contains('\0') {
                return Err(format!("it holds zero bytes, as UTF-16 without its mark does: {MEND}"));
            }
            return Ok(Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text)));
        }
    };
    let unit = |pair: &[u8]| {
        let pair = [pair[0], pair[1]];
        if low_first { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
    };
    let units = bytes[2..].chunks_exact(2).map(unit);
    let text: Option<String> = char::decode_utf16(units).map(Result::ok).collect();
    text.filter(|_| bytes.len().is_multiple_of(2))
        .map(Cow::Owned)
        .ok_or_else(|| format!("it begins as UTF-16 and is none: {MEND}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_that_read_the_same_are_the_same() {
        let (one, other) = ("caf\u{e9}", "cafe\u{301}");
        assert!(same(one, other) && same("\u{212a}", "K") && !same("cafe", one) && !same("a", "A"));
        assert_eq!((composed(other), composed_owned(other.to_owned())), (one.into(), one.to_owned()));
        assert_eq!(forms(other), [one, other]);
        assert_eq!(forms("plain"), ["plain"]);
    }

    #[test]
    fn what_is_not_seen_is_refused_by_its_number() {
        for (text, number) in
            [("a\u{202e}b", "U+202E"), ("\u{200b}", "U+200B"), ("a\nb", "U+000A"), ("\u{2066}x", "U+2066")]
        {
            assert!(one_line(text).is_err_and(|why| why.contains(number)), "{number}");
        }
        assert_eq!(one_line("Zoe\u{308} 東京 🔑").unwrap(), "Zo\u{eb} 東京 🔑");
        assert_eq!(lines("a\r\n\tb \u{200c}").unwrap(), "a\r\n\tb \u{200c}");
        assert!(lines("a\u{1b}[2J").is_err() && lines("a\u{202e}b").is_err());
    }

    #[test]
    fn texts_of_other_systems_are_read() {
        let utf16 = |mark: bool, low: bool| {
            let units: Vec<u16> = format!("{}é 🔑\r\n", if mark { "\u{feff}" } else { "" }).encode_utf16().collect();
            units.iter().flat_map(|unit| if low { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect::<Vec<u8>>()
        };
        for bytes in ["é 🔑\r\n".as_bytes().to_vec(), "\u{feff}é 🔑\r\n".into(), utf16(true, true), utf16(true, false)]
        {
            assert_eq!(decode(&bytes).unwrap(), "é 🔑\r\n");
        }
        for bytes in [&b"a\nb\xe9"[..], b"a\0b\0", b"\xff\xfea", b"\xff\xfe\x00\xd8"] {
            assert!(decode(bytes).is_err_and(|why| why.contains("UTF-8")), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn a_composed_text_stays_as_it_is(text in "(?s).{0,30}") {
            let once = composed(&text).into_owned();
            prop_assert_eq!(composed(&once), once.as_str());
            prop_assert!(same(&text, &once) && forms(&text).contains(&text));
        }
    }
}
