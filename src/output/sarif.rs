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
    /// The file, when it is in one.
    pub file: Option<PathBuf>,
    /// Counted from 1.
    pub line: u64,
    /// Counted from 1, in bytes.
    pub column: u64,
    /// Counted from 0, in bytes of the file.
    pub offset: u64,
    /// In bytes.
    pub length: usize,
    /// What stays the same when the finding is made again.
    pub fingerprint: String,
    /// What it is about, when that is no place in a file.
    pub thing: Option<String>,
    /// Why somebody has accepted it.
    pub accepted: Option<String>,
}

/// A document with the findings; `rules` are the ones that were looked for, each with what it finds.
pub fn sarif(rules: &[(&str, &str)], results: &[SarifResult]) -> Value {
    let rules: Vec<Value> =
        rules.iter().map(|(id, text)| json!({ "id": id, "shortDescription": { "text": text } })).collect();
    let results: Vec<Value> = results.iter().map(one).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "keyward", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "results": results,
        }],
    })
}

fn one(result: &SarifResult) -> Value {
    let mut value = json!({
        "ruleId": result.rule,
        "level": result.level,
        "message": { "text": super::escape(&result.message) },
        "partialFingerprints": { "keyward/v1": result.fingerprint },
    });
    if let (Some(file), Some(fields)) = (&result.file, value.as_object_mut()) {
        let region = json!({
            "startLine": result.line, "startColumn": result.column,
            "byteOffset": result.offset, "byteLength": result.length,
        });
        let place = json!({ "physicalLocation": { "artifactLocation": { "uri": uri(file) }, "region": region } });
        fields.insert("locations".to_owned(), json!([place]));
    }
    if let (Some(thing), Some(fields)) = (&result.thing, value.as_object_mut()) {
        let place = json!({ "fullyQualifiedName": super::escape(thing), "kind": "resource" });
        fields.insert("locations".to_owned(), json!([{ "logicalLocations": [place] }]));
    }
    if let (Some(reason), Some(fields)) = (&result.accepted, value.as_object_mut()) {
        let accepted = json!({ "kind": "external", "status": "accepted", "justification": super::escape(reason) });
        fields.insert("suppressions".to_owned(), json!([accepted]));
    }
    value
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
    fn names_of_files_are_encoded() {
        assert_eq!(uri(std::path::Path::new("./a b/é.txt")), "a%20b/%C3%A9.txt");
        assert_eq!(uri(std::path::Path::new("/etc/x")), "file:///etc/x");
    }
}
