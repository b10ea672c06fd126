//! SARIF 2.1.0, the findings format of code hosts: places in files, or none for findings about keys.

use serde_json::{Value, json};
use std::path::{Component, PathBuf};

/// One finding.
#[derive(Debug, Clone)]
pub struct SarifResult {
    /// The rule that found it.
    pub rule: String,
    /// `error`, `warning` or `note`.
    pub level: &'static str,
    /// What was found, in a sentence.
    pub message: String,
    /// The file that it is in, or that says what is wrong with it: code hosts refuse a finding without one.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: u64,
    /// Counted from 1, in characters.
    pub column: u64,
    /// Counted from 0, in bytes of the file, where that is known.
    pub offset: Option<u64>,
    /// In bytes.
    pub length: usize,
    /// What stays the same when the finding is made again.
    pub fingerprint: String,
    /// What it is about, when that is no place in a file.
    pub thing: Option<String>,
    /// Why somebody has accepted it.
    pub accepted: Option<String>,
}

/// A document with the findings; `rules` are the ones that were looked for, each with what it finds. What could not be looked
/// at is `missed`: then a reader must not take it that there is nothing else.
pub fn sarif(rules: &[(&str, &str)], results: &[SarifResult], missed: &[String]) -> Value {
    let rules: Vec<Value> =
        rules.iter().map(|(id, text)| json!({ "id": id, "shortDescription": { "text": text } })).collect();
    let results: Vec<Value> = results.iter().map(one).collect();
    let missed: Vec<Value> =
        missed.iter().map(|why| json!({ "level": "error", "message": { "text": words(why) } })).collect();
    let invocation = json!({ "executionSuccessful": missed.is_empty(), "toolExecutionNotifications": missed });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "keyward", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "invocations": [invocation],
            "results": results,
        }],
    })
}

fn one(result: &SarifResult) -> Value {
    let mut value = json!({
        "ruleId": result.rule,
        "level": result.level,
        "message": { "text": words(&result.message) },
        "partialFingerprints": { "keyward/v1": result.fingerprint },
    });
    let mut region = json!({ "startLine": result.line, "startColumn": result.column });
    if let (Some(offset), Some(fields)) = (result.offset, region.as_object_mut()) {
        fields.insert("byteOffset".to_owned(), json!(offset));
        fields.insert("byteLength".to_owned(), json!(result.length));
    }
    let mut place =
        json!({ "physicalLocation": { "artifactLocation": { "uri": uri(&result.file) }, "region": region } });
    if let (Some(thing), Some(fields)) = (&result.thing, place.as_object_mut()) {
        let thing = json!({ "fullyQualifiedName": super::escape(thing), "kind": "resource" });
        fields.insert("logicalLocations".to_owned(), json!([thing]));
    }
    if let Some(fields) = value.as_object_mut() {
        fields.insert("locations".to_owned(), json!([place]));
    }
    if let (Some(reason), Some(fields)) = (&result.accepted, value.as_object_mut()) {
        let accepted = json!({ "kind": "external", "status": "accepted", "justification": super::escape(reason) });
        fields.insert("suppressions".to_owned(), json!([accepted]));
    }
    value
}

/// A message without the placeholders (`{0}`) and links (`[text](place)`) that names of others would make of it.
fn words(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    for character in super::escape(text).chars() {
        match character {
            '{' | '}' => words.extend([character, character]),
            '[' | ']' => words.extend(['\\', character]),
            other => words.push(other),
        }
    }
    words
}

/// A relative reference with everything encoded that a reference cannot hold.
fn uri(file: &std::path::Path) -> String {
    let mut uri = String::new();
    for component in file.components().filter(|component| *component != Component::CurDir) {
        if let Component::RootDir = component {
            uri.push_str("file:///");
            continue;
        }
        if !uri.is_empty() && !uri.ends_with('/') {
            uri.push('/');
        }
        for byte in component.as_os_str().as_encoded_bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(*byte)),
                other => uri.push_str(&format!("%{other:02X}")),
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_messages_are_no_links_and_no_placeholders() {
        assert_eq!(words("[x](https://c.test) {0} a\u{202e}"), r"\[x\](https://c.test) {{0}} a\u{{202e}}");
    }

    #[test]
    fn names_of_files_are_encoded() {
        assert_eq!(uri(std::path::Path::new("./a b/é.txt")), "a%20b/%C3%A9.txt");
        assert_eq!(uri(std::path::Path::new("/etc/x")), "file:///etc/x");
    }
}
