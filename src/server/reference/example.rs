//! A call of each operation, as a line for a shell. What stands in capital letters is put in by whoever pastes it.

use super::{Operation, body_of, resolved, schema::plain};
use serde_json::{Map, Value, json};

/// Where a server listens unless it is told otherwise.
const HOST: &str = "http://127.0.0.1:8787";
/// Schemas can hold themselves.
const DEEPEST: usize = 5;

/// The line.
pub(super) fn command(document: &Value, operation: Operation<'_>) -> String {
    let mut line = "curl".to_owned();
    if operation.method != "get" {
        line.push_str(&format!(" -X {}", operation.method.to_uppercase()));
    }
    if operation.takes("operator") {
        line.push_str(" -H \"Authorization: Bearer $TOKEN\"");
    } else if operation.takes("key") {
        line.push_str(" -H \"X-API-Key: $KEY\"");
    }
    let url = format!("{HOST}{}{}", path(operation), query(operation));
    if let Some(schema) = body_of(&operation.said["requestBody"]) {
        let body = sample(document, schema, 0).to_string().replace('\'', r"'\''");
        line.push_str(&format!(" \\\n  -H 'Content-Type: application/json' -d '{body}'"));
    }
    format!("{line} \\\n  '{url}'")
}

/// The path, with the names in it as words to be replaced.
fn path(operation: Operation<'_>) -> String {
    let parts = operation.path.split(['{', '}']).enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { part.to_uppercase() } else { part.to_owned() }).collect()
}

/// A query that has to be there.
fn query(operation: Operation<'_>) -> String {
    let wanted = operation.parameters().filter(|one| one["in"] == "query" && one["required"] == true);
    let wanted: Vec<String> =
        wanted.filter_map(|one| one["name"].as_str()).map(|name| format!("{name}={}", name.to_uppercase())).collect();
    if wanted.is_empty() { String::new() } else { format!("?{}", wanted.join("&")) }
}

/// A value that a schema lets through: its example, else what must be in it.
fn sample(document: &Value, schema: &Value, depth: usize) -> Value {
    let schema = resolved(document, schema);
    if let Some(example) = schema.get("example").or_else(|| schema["examples"].get(0)) {
        return example.clone();
    }
    if depth > DEEPEST {
        return Value::Null;
    }
    if let Some(word) = schema["enum"].get(0) {
        return word.clone();
    }
    if let Some(one) = schema["oneOf"].get(0).or_else(|| schema["anyOf"].get(0)) {
        return sample(document, one, depth + 1);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let parts = parts.iter().map(|part| sample(document, part, depth + 1));
        let fields = parts.filter_map(|part| part.as_object().cloned()).flatten();
        return Value::Object(fields.collect());
    }
    let kind = match &schema["type"] {
        Value::Array(all) => all.first().and_then(Value::as_str),
        one => one.as_str(),
    };
    match kind {
        Some("object") => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let fields: Map<String, Value> = required
                .map(|name| (name.to_owned(), sample(document, &schema["properties"][name], depth + 1)))
                .collect();
            Value::Object(fields)
        }
        Some("array") => json!([sample(document, &schema["items"], depth + 1)]),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(true),
        _ if schema["format"] == "date-time" => json!("2027-01-02T03:04:05Z"),
        Some("string") => json!(plain(&json!("…"))),
        _ => Value::Null,
    }
}
