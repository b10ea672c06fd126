//! The JSON documents: written row by row, safe to look at, and a secret only ever in memory that is wiped.

use std::io::{self, Write};

use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};
use zeroize::Zeroizing;

use super::escape::{is_plain_ascii, is_unsafe};
use super::report::{Body, Page, Report};
use super::row::Row;

/// Writes a document, indented or on one line.
pub(super) fn write(document: &impl Serialize, out: impl Write, pretty: bool) -> serde_json::Result<()> {
    if pretty {
        document.serialize(&mut serde_json::Serializer::with_formatter(out, Safe(PrettyFormatter::new())))
    } else {
        document.serialize(&mut serde_json::Serializer::with_formatter(out, Safe(CompactFormatter)))
    }
}

/// A document as text, in memory that is wiped.
pub(super) fn text(document: &impl Serialize, pretty: bool) -> serde_json::Result<Zeroizing<String>> {
    // The first pass only measures: a buffer that grew while it held a secret would leave
    // unwiped copies behind.
    let mut length = Counter(0);
    write(document, &mut length, pretty)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
    write(document, &mut *bytes, pretty)?;
    String::from_utf8(std::mem::take(&mut *bytes)).map(Zeroizing::new).map_err(serde_json::Error::custom)
}

struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes characters that could steer a terminal as `\u` escapes: the bytes differ, the value does not. serde_json
/// escapes the control characters before the space by itself.
struct Safe<F>(F);

/// Hands methods on to the formatter inside.
macro_rules! hand_on {
    ($($method:ident($($name:ident: $type:ty)?)),* $(,)?) => {
        $(fn $method<W: ?Sized + Write>(&mut self, out: &mut W $(, $name: $type)?) -> io::Result<()> {
            self.0.$method(out $(, $name)?)
        })*
    };
}

impl<F: Formatter> Formatter for Safe<F> {
    hand_on! {
        begin_array(), end_array(), begin_array_value(first: bool), end_array_value(), begin_object(), end_object(),
        begin_object_key(first: bool), end_object_key(), begin_object_value(), end_object_value(),
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        if is_plain_ascii(fragment) {
            return out.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((at, found)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
            out.write_all(&rest.as_bytes()[..at])?;
            for unit in found.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &rest[at + found.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

impl<R: Row> Report<R> {
    /// Writes the document as compact JSON and a line end: a line of a file that receives the secrets of a bulk creation.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_json_line(&self, mut out: impl Write) -> io::Result<()> {
        write(self, &mut out, false)?;
        out.write_all(b"\n")
    }

    fn fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match &self.body {
            Body::Item { name, value } => map.serialize_entry(name, value)?,
            Body::Flat { value } => match &*value.tree() {
                serde_json::Value::Object(fields) => {
                    fields.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                }
                other => map.serialize_entry("value", other)?,
            },
            Body::List { items, page } => {
                map.serialize_entry("items", items)?;
                if let Some(page) = page {
                    map.serialize_entry("page", page)?;
                }
            }
        }
        if let Some((name, secret)) = &self.secret {
            map.serialize_entry(name, secret.as_str())?;
        }
        if let Some(existed) = self.existed {
            map.serialize_entry("existed", &existed)?;
        }
        if self.dry_run {
            map.serialize_entry("dry_run", &true)?;
        }
        Ok(())
    }
}

impl<R: Row> Serialize for Report<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", self.schema)?;
        self.fields(&mut map)?;
        map.end()
    }
}

/// Several replies in one document, so that `-o json` stays a single one.
pub(super) struct Batch<'a, R> {
    pub(super) schema: &'static str,
    pub(super) reports: &'a [Report<R>],
}

/// A report as an element of a batch: the document without its schema.
struct Element<'a, R>(&'a Report<R>);

impl<R: Row> Serialize for Element<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.0.fields(&mut map)?;
        map.end()
    }
}

impl<R: Row> Serialize for Batch<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", self.schema)?;
        let elements: Vec<_> = self.reports.iter().map(Element).collect();
        map.serialize_entry("items", &elements)?;
        map.serialize_entry("page", &Page::whole(self.reports.len()))?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    proptest! {
        #[test]
        fn whatever_is_in_it_a_document_is_safe_and_means_the_same(
            string in "(?s).*", mark in proptest::char::any(), pretty in any::<bool>(),
        ) {
            let value = json!({"a": format!("{string}{mark}\u{202e}\u{e0041}\u{7f}"), "b": [1, null, {}, [], {"c": 2.5}]});
            let shown = text(&value, pretty).unwrap();
            prop_assert!(!shown.chars().any(|c| is_unsafe(c) && !(pretty && c == '\n')));
            prop_assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
        }

        #[test]
        fn safe_text_is_written_as_serde_json_writes_it(string in "[ -~é東]*") {
            let value = json!({string.clone(): [string, {"a": []}, {}, []], "b": {"c": -1}});
            prop_assert_eq!(&*text(&value, true).unwrap(), &serde_json::to_string_pretty(&value).unwrap());
            prop_assert_eq!(&*text(&value, false).unwrap(), &value.to_string());
        }
    }
}
