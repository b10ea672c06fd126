//! The JSON documents, built so that a secret is only ever in memory that is wiped.

use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use serde_json::Value;
use zeroize::Zeroizing;

use super::escape::escape_json;
use super::report::{Body, Page, Report};

impl Report {
    /// The document as compact JSON without a line end: a line of JSONL, or of a file that
    /// receives the secrets of a bulk creation.
    pub fn to_json_line(&self) -> serde_json::Result<Zeroizing<String>> {
        render(self, self.secret_len(), false)
    }

    pub(super) fn to_json_pretty(&self) -> serde_json::Result<Zeroizing<String>> {
        render(self, self.secret_len(), true)
    }

    fn secret_len(&self) -> usize {
        self.secret.as_ref().map_or(0, |(_, secret)| secret.len())
    }
}

/// Several replies in one document, so that `-o json` stays a single one.
pub(super) struct Batch<'a> {
    pub(super) schema: &'static str,
    pub(super) reports: &'a [Report],
}

impl Batch<'_> {
    pub(super) fn to_json_pretty(&self) -> serde_json::Result<Zeroizing<String>> {
        let secrets = self.reports.iter().map(Report::secret_len).sum();
        render(self, secrets, true)
    }
}

fn render(document: &impl Serialize, secrets: usize, pretty: bool) -> serde_json::Result<Zeroizing<String>> {
    // The first pass only measures: a buffer that grew while it held a secret would leave
    // unwiped copies behind.
    let mut length = Counter(0);
    write(document, &mut length, pretty)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.0 + secrets));
    write(document, &mut *bytes, pretty)?;
    let text = String::from_utf8(std::mem::take(&mut *bytes)).map_err(serde_json::Error::custom)?;
    let text = Zeroizing::new(text);
    let safe = escape_json(&text);
    Ok(match safe {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(safe) => Zeroizing::new(safe),
    })
}

fn write(document: &impl Serialize, out: impl std::io::Write, pretty: bool) -> serde_json::Result<()> {
    if pretty { serde_json::to_writer_pretty(out, document) } else { serde_json::to_writer(out, document) }
}

struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Report {
    fn fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match &self.body {
            Body::Item { name, value } => map.serialize_entry(name, value)?,
            Body::Flat { value: Value::Object(fields) } => {
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
            }
            Body::Flat { value } => map.serialize_entry("value", value)?,
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
        Ok(())
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", self.schema)?;
        self.fields(&mut map)?;
        map.end()
    }
}

/// A report as an element of a batch: the document without its schema.
struct Element<'a>(&'a Report);

impl Serialize for Element<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.0.fields(&mut map)?;
        map.end()
    }
}

impl Serialize for Batch<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", self.schema)?;
        let elements: Vec<_> = self.reports.iter().map(Element).collect();
        map.serialize_entry("items", &elements)?;
        map.serialize_entry("page", &Page::whole(self.reports.len()))?;
        map.end()
    }
}
