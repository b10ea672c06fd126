//! One string in a JSON document, named by an RFC 6901 pointer: read and replaced, every other byte kept.
//!
//! serde_json proves that the document is one and tells where each value stands (a raw value borrows from the text); the
//! new string is put into the span of the old one. A member that is missing is added the way its neighbours are written.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::{fmt, ops::Range, str::FromStr};
use zeroize::Zeroizing;

/// What many an editor on Windows begins a file with.
const MARK: char = '\u{feff}';

/// A pointer: the names on the way, unescaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer {
    text: String,
    steps: Vec<String>,
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Pointer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix('/').ok_or("a JSON pointer begins with /, as in /services/billing/token")?;
        let steps = rest.split('/').map(unescape).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), steps })
    }
}

impl Pointer {
    /// The names on the way.
    pub(super) fn steps(&self) -> &[String] {
        &self.steps
    }
}

fn unescape(step: &str) -> Result<String, String> {
    let mut name = String::with_capacity(step.len());
    let mut characters = step.chars();
    while let Some(character) = characters.next() {
        match character {
            '~' => name.push(match characters.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err("in a JSON pointer ~ is written ~0 and / inside a name ~1".to_owned()),
            }),
            other => name.push(other),
        }
    }
    Ok(name)
}

/// What a pointer leads to.
enum Place {
    /// A value.
    Value(Range<usize>),
    /// A member that is missing in this object, whose span this is and whose members' values are there.
    Member(Range<usize>, Vec<Range<usize>>),
}

/// Replaces the string that a pointer names, or adds it as a member of its parent.
pub(super) fn set(bytes: &[u8], pointer: &Pointer, value: &str) -> Result<Vec<u8>, String> {
    let text = text_of(bytes)?;
    let value = Zeroizing::new(serde_json::to_string(value).map_err(|error| error.to_string())?);
    let (span, new) = match find(text, pointer)? {
        Place::Value(span) => {
            if !text[span.clone()].starts_with('"') && &text[span.clone()] != "null" {
                return Err(format!("{pointer} holds {}, not a string", kind_of(&text[span])));
            }
            (span, value)
        }
        Place::Member(object, values) => {
            let name = pointer.steps.last().map(String::as_str).unwrap_or_default();
            let name = serde_json::to_string(name).map_err(|error| error.to_string())?;
            member(text, &object, &values, &name, &value)
        }
    };
    let mark = bytes.len() - text.len();
    let mut edited = Vec::with_capacity(bytes.len() + new.len());
    edited.extend_from_slice(&bytes[..mark + span.start]);
    edited.extend_from_slice(new.as_bytes());
    edited.extend_from_slice(&bytes[mark + span.end..]);
    Ok(edited)
}

/// The string that a pointer names.
pub(super) fn get(bytes: &[u8], pointer: &Pointer) -> Result<Option<Zeroizing<String>>, String> {
    let text = text_of(bytes)?;
    match find(text, pointer)? {
        Place::Value(span) if text[span.clone()].starts_with('"') => serde_json::from_str(&text[span])
            .map(|value| Some(Zeroizing::new(value)))
            .map_err(|error| error.to_string()),
        Place::Value(_) | Place::Member(..) => Ok(None),
    }
}

/// The text of a document; a byte order mark stays where it is, and is none of it.
fn text_of(bytes: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no UTF-8 text: save it as UTF-8".to_owned())?;
    Ok(text.strip_prefix(MARK).unwrap_or(text))
}

fn kind_of(raw: &str) -> &'static str {
    match raw.bytes().next() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a truth value",
        _ => "a number",
    }
}

/// Where a new member goes, and its text: after the last one and with the blanks that stand before that one.
fn member(
    text: &str,
    object: &Range<usize>,
    values: &[Range<usize>],
    name: &str,
    value: &str,
) -> (Range<usize>, Zeroizing<String>) {
    let Some(last) = values.last() else {
        let at = object.start + 1;
        return (at..at, Zeroizing::new(format!("{name}: {value}")));
    };
    let before = match values.len().checked_sub(2).and_then(|at| values.get(at)) {
        // The comma is the only thing besides blanks between a value and the next name.
        Some(previous) => text[previous.end..].find(',').map_or(previous.end, |comma| previous.end + comma + 1),
        None => object.start + 1,
    };
    let name_at = text[before..].find('"').map_or(before, |blanks| before + blanks);
    let head = text[name_at..last.start].trim_end();
    let after_colon = &text[name_at + head.len()..last.start];
    let head = head.strip_suffix(':').unwrap_or(head);
    let before_colon = &head[head.trim_end().len()..];
    let blanks = &text[before..name_at];
    let new = format!(",{blanks}{name}{before_colon}:{after_colon}{value}");
    (last.end..last.end, Zeroizing::new(new))
}

fn find(text: &str, pointer: &Pointer) -> Result<Place, String> {
    let not_json = |error: serde_json::Error| {
        // The message of serde_json names a place and never repeats a value.
        format!("it is no JSON document: {error}")
    };
    let root: &RawValue = serde_json::from_str(text).map_err(not_json)?;
    let mut span = span_of(text, root);
    for (index, step) in pointer.steps.iter().enumerate() {
        let raw = &text[span.clone()];
        let last = index + 1 == pointer.steps.len();
        match raw.bytes().next() {
            Some(b'{') => {
                let members: Members<'_> =
                    serde_json::Deserializer::from_str(raw).deserialize_map(MembersOf).map_err(not_json)?;
                let mut named = members.iter().filter(|(name, _)| name == step);
                match (named.next(), named.next()) {
                    (Some((_, value)), None) => span = span_of(text, value),
                    (Some(_), Some(_)) => return Err(format!("{pointer}: {step:?} stands there more than once")),
                    (None, _) if last => {
                        return Ok(Place::Member(
                            span,
                            members.iter().map(|(_, value)| span_of(text, value)).collect(),
                        ));
                    }
                    (None, _) => return Err(format!("{pointer}: there is no {step:?}")),
                }
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(raw).map_err(not_json)?;
                let item = index_of(step).and_then(|at| items.get(at));
                span = span_of(text, item.ok_or_else(|| format!("{pointer}: there is no item {step:?}"))?);
            }
            _ => return Err(format!("{pointer}: what should hold {step:?} is neither an object nor an array")),
        }
    }
    Ok(Place::Value(span))
}

fn index_of(step: &str) -> Option<usize> {
    let plain = step == "0" || (!step.starts_with('0') && step.bytes().all(|byte| byte.is_ascii_digit()));
    plain.then(|| step.parse().ok()).flatten()
}

/// Where a borrowed value stands in the text it was borrowed from.
fn span_of(text: &str, raw: &RawValue) -> Range<usize> {
    let start = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + raw.get().len()
}

type Members<'t> = Vec<(String, &'t RawValue)>;

/// Reads an object into its members in order, repeated ones included.
struct MembersOf;

impl<'t> Visitor<'t> for MembersOf {
    type Value = Members<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
