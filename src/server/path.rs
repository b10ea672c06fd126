//! The path of a request as whoever serves it reads it, or none where programs could read it in different ways.
//!
//! keyward judges a path, and another program serves it. A path that the two could take for different ones is refused
//! before it is looked up, however unlikely the second reading is: `/invoices/x#/../../admin` is below `/invoices` for
//! one that cuts fragments off, and below `/admin` for one that does not.

use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// What some program takes for the end of a segment, of the path or of an escape, when it reads a segment decoded.
const MARKS: [char; 6] = ['/', '\\', ';', '%', '?', '#'];

/// Characters that become a dot or one of [`MARKS`] where text is normalised (NFKC) or fitted into an older character set.
const LOOK_LIKE_MARKS: [char; 26] = [
    '\u{37e}', '\u{2024}', '\u{2025}', '\u{2026}', '\u{2044}', '\u{2047}', '\u{2215}', '\u{2216}', '\u{29f5}',
    '\u{29f8}', '\u{fe14}', '\u{fe16}', '\u{fe19}', '\u{fe52}', '\u{fe54}', '\u{fe56}', '\u{fe5f}', '\u{fe68}',
    '\u{fe6a}', '\u{ff03}', '\u{ff05}', '\u{ff0e}', '\u{ff0f}', '\u{ff1b}', '\u{ff1f}', '\u{ff3c}',
];

/// The decoded segments of a request's target, without its query; `None` for one that programs could read in different
/// ways. A slash at the end says nothing.
pub(super) fn segments(target: &str) -> Option<Vec<Cow<'_, str>>> {
    // A blank ends the target for some programs, a fragment for others, and neither belongs into a query.
    if !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return None;
    }
    let path = target.split('?').next()?;
    match path.strip_prefix('/')? {
        "" => Some(Vec::new()),
        inside => inside.strip_suffix('/').unwrap_or(inside).split('/').map(segment).collect(),
    }
}

/// A segment, decoded once. One that would mean something else if it were decoded twice, or cut at a mark, is none. Nor is
/// one with blanks at its ends or a dot at its last place: file systems forget them.
fn segment(written: &str) -> Option<Cow<'_, str>> {
    let decoded = percent_decode_str(written).decode_utf8().ok()?;
    let is_unclear = |each: char| each.is_control() || MARKS.contains(&each) || LOOK_LIKE_MARKS.contains(&each);
    let plain =
        !decoded.contains(is_unclear) && decoded.trim() == decoded && !decoded.is_empty() && !decoded.ends_with('.');
    plain.then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_read_differently_is_refused() {
        for path in [
            "",
            "*",
            "invoices",
            "http://api.example.com/a",
            "//invoices",
            "/a//b",
            "/a/../b",
            "/a/./b",
            "/..",
            "/...",
            "/a.",
            "/a%2Fb",
            "/a\\b",
            "/a;b/c",
            "/a%5cb",
            "/a\tb",
            "/a b",
            "/%00",
            "/%0d%0a",
            "/a%252fb",
            "/a%25%32%66b",
            "/a%u002fb",
            "/a%20",
            "/%20a",
            "/%c2%a0a",
            "/a%3bb",
            "/a%3Fb",
            "/a%23",
            "/a#/../../b",
            "/a#",
            "/a?b#c",
            "/a?b c",
            "/a?b\u{7f}",
            "/%2e%2E/b",
            "/.%2e",
            "/a/%2e",
            "/a%zz",
            "/a%",
            "/a%ff",
            "/a%c0%af",
            "/%c0%ae%c0%ae/b",
            "/%e0%80%af",
            "/%f0%80%80%af",
            "/a%7f",
            "/a%c2%85",
            "/a/%20/b",
            "/a/%ef%bc%8e%ef%bc%8e/b",
            "/a%ef%bc%8fb",
            "/a%e2%88%95b",
            "/a%cd%beb",
            "/\u{e9}",
            "//",
            "/a//",
        ] {
            assert_eq!(segments(path), None, "{path}");
        }
    }

    #[test]
    fn what_has_one_reading_is_read() {
        let read = |target: &str| segments(target).unwrap_or_else(|| panic!("{target}")).join("|");
        assert_eq!(read("/a/"), "a");
        assert_eq!(read("/"), "");
        assert_eq!(read("/a?b=/../c&d=%00;e"), "a", "a query is no part of the path");
        assert_eq!(read("/.well-known/a.b/c..d"), ".well-known|a.b|c..d");
        assert_eq!(read("/a%20b/%C3%A9/(c),d:e@f=g+h~'!$&*"), "a b|\u{e9}|(c),d:e@f=g+h~'!$&*");
    }
}
