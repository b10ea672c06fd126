//! What holds for all entries of the OpenAPI document.
//!
//! A route's annotation names its path, bodies and what is special about it. Added here are the headers of operators'
//! calls, the problems that any call can meet, request ids and rate-limit headers, the ways to authenticate, and the
//! formats that follow from a field's name.

use super::permissions;
use crate::wire::{Problem, header, problem::MEDIA_TYPE, schema::ProblemCode, workspace::AddScope};
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;

/// The tags of operations, in the order of the document.
const TAGS: [(&str, &str); 10] = [
    ("keys", "The keys of a workspace, and the switches of their life."),
    ("rotations", "A new secret for a key: staged, delivered by the caller, committed or aborted."),
    ("workspace", "Scopes, projects, customers, workspaces and plans."),
    ("operators", "Who may use this API, and for what."),
    ("audit", "The trail of what was done and refused."),
    ("usage", "Who used which key, and what was refused."),
    ("verdicts", "May this credential do that? Asked by services, gateways and the holders of keys."),
    ("self", "What the holder of a key does with it, by showing its secret."),
    ("webhooks", "Where events are sent."),
    ("server", "The server itself."),
];

/// Refusals: the name of the component, the status, and when.
const PROBLEMS: [(&str, u16, &str); 11] = [
    (
        "Unusable",
        400,
        "Something in the request is not usable: `USAGE`, or `PROJECT_REQUIRED` for a key that reaches several projects.",
    ),
    ("Unauthorised", 401, "The credential is missing or no good here: `AUTH`."),
    ("Forbidden", 403, "The credential is good, and this is not allowed: `FORBIDDEN`, or why a key may not."),
    ("NotFound", 404, "There is no such thing, or the caller may not know of it: `NOT_FOUND`."),
    ("TooSlow", 408, "The body took too long to arrive: `USAGE`."),
    ("Conflict", 409, "It exists, is ambiguous, is in the wrong state, or somebody else is at it: `CONFLICT`, `BUSY`."),
    ("Changed", 412, "The key is not at the version of `If-Match` any more: `CONFLICT`."),
    ("TooLarge", 413, "The body is larger than is read: `USAGE`."),
    (
        "TooMany",
        429,
        "The limit of the key, or of the caller's address, is used up: `RATE_LIMITED`; for operators, `BUSY`, also after too many credentials that are no good, and at the door of a key's holder after too many keys that are.",
    ),
    ("Broken", 500, "The keystore failed a check, or the request ran into a bug: `INTEGRITY`, `INTERNAL`, `FAILURE`."),
    (
        "Unavailable",
        503,
        "The keystore cannot be asked: `UNAVAILABLE` or `LOCKED`; or the server is too busy to begin: `BUSY`. Never a word about the credential.",
    ),
];

/// The replies with one key, which carry its version.
const ONE_KEY: [&str; 3] = ["/KeyReply", "/CreatedReply", "/UpdatedReply"];

/// The whole document, of what the routes say of themselves.
pub(super) fn finish(mut document: Value) -> Value {
    document["info"] = json!({
        "title": "keyward", "version": env!("CARGO_PKG_VERSION"), "summary": env!("CARGO_PKG_DESCRIPTION"),
        "description": "Text in headers is percent-encoded UTF-8. Durations in bodies are whole seconds, times are RFC 3339 in UTC. Every \
            refusal is a problem (RFC 9457) with the code that the command line has for it. New fields may be added to replies.",
        "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
    });
    document["servers"] = json!([{ "url": "/" }]);
    document["tags"] = TAGS.iter().map(|(name, about)| json!({ "name": name, "description": about })).collect();
    components(&mut document["components"]);
    let paths = document["paths"].take();
    document["paths"] = match paths {
        Value::Object(paths) => paths.into_iter().map(|(path, item)| (plain(&path), whole(&path, item))).collect(),
        other => other,
    };
    // Entries of declared use cases were added behind those of annotated handlers.
    for part in ["/paths", "/components/schemas"] {
        document.pointer_mut(part).and_then(Value::as_object_mut).into_iter().for_each(Map::sort_keys);
    }
    polish(&mut document);
    document["components"]["schemas"].as_object_mut().into_iter().flat_map(Map::values_mut).for_each(for_generators);
    document
}

/// A path without axum's mark for "and what follows".
fn plain(path: &str) -> String {
    path.replace("{*", "{")
}

fn components(components: &mut Value) {
    let text = json!({ "type": "string" });
    let header = |name: &str, about: &str, schema: &Value| json!({ "name": name, "in": "header", "required": false, "description": about, "schema": schema });
    components["parameters"] = json!({
        "Workspace": header("Keyward-Workspace", "The workspace of the call; the operator's own unless told, else `default`.", &text),
        "Reason": header("Keyward-Reason", "Why, for the audit trail.", &text),
        "Ticket": header("Keyward-Ticket", "The ticket that asked for it, for the audit trail.", &text),
        "Rehearsal": header("Keyward-Rehearsal", "The same, before it is done in earnest: a refusal is recorded.", &json!({ "type": "boolean" })),
        "DryRun": header("Keyward-Dry-Run", "Show what would change, and change nothing.", &json!({ "type": "boolean" })),
        "Client": header("Keyward-Client", "A random name of the process that calls, of 8 to 64 characters: a rotation that it began is its own for five minutes.", &text),
        "RequestId": header("X-Request-Id", "Taken over into the answer and the log if it is 1 to 64 of A-Z a-z 0-9 - _ .", &text),
    });
    components["headers"] = json!({
        "ETag": { "description": "The version of the key, for `If-Match`.", "schema": { "type": "string", "example": "\"v3\"" } },
        "Location": { "description": "The path of the new key.", "schema": { "type": "string", "format": "uri-reference" } },
        "RequestId": { "description": "The id of the request, as in the log.", "schema": text },
        "RateLimit": { "description": "What is left of the key's limit, and in how many seconds one more comes free.", "schema": { "type": "string", "example": "\"key\";r=41;t=17" } },
        "RateLimitPolicy": { "description": "The key's limit and its window in seconds.", "schema": { "type": "string", "example": "\"key\";q=100;w=3600" } },
        "RetryAfter": { "description": "In how many seconds to try again.", "schema": { "type": "integer", "minimum": 1 } },
        "Authenticate": { "description": "How to authenticate.", "schema": text },
    });
    let refusal = |(name, status, about): &(&str, u16, &str)| {
        let mut headers = Map::new();
        let mut put = |name: &str, held: &str| {
            headers.insert(name.to_owned(), json!({ "$ref": format!("#/components/headers/{held}") }));
        };
        match status {
            401 => put("WWW-Authenticate", "Authenticate"),
            429 | 503 => put("Retry-After", "RetryAfter"),
            _ => {}
        }
        let content = json!({ MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/Problem" } } });
        ((*name).to_owned(), json!({ "description": about, "headers": headers, "content": content }))
    };
    components["responses"] = PROBLEMS.iter().map(refusal).collect::<Map<_, _>>().into();
    components["schemas"]["Problem"] = json!(Problem::schema());
    components["schemas"]["ProblemCode"] = json!(ProblemCode::schema());
    components["schemas"]["AddScope"] = json!(AddScope::schema());
    components["securitySchemes"] = json!({
        "operator": { "type": "http", "scheme": "bearer", "bearerFormat": "kwop_…", "description": "The credential of an operator, or the token of a job that a trust lets in (a JSON Web Token)." },
        "key": { "type": "apiKey", "in": "header", "name": header::API_KEY, "description": "A key. Some deployments also read it from a query parameter." },
        "key_as_bearer": { "type": "http", "scheme": "bearer", "description": "A key." },
    });
}

/// The item of a path, with what holds for all operations.
fn whole(path: &str, item: Value) -> Value {
    let Value::Object(mut item) = item else { return item };
    item.sort_keys();
    let ids: Vec<Value> = item.values().map(|operation| operation["operationId"].clone()).collect();
    for (method, operation) in &mut item {
        // A handler of every method has one name; operations need one each.
        if ids.iter().filter(|id| **id == operation["operationId"]).count() > 1 {
            operation["operationId"] =
                json!(format!("{}_{method}", operation["operationId"].as_str().unwrap_or_default()));
        }
        complete(path, method, operation);
    }
    Value::Object(item)
}

fn complete(path: &str, method: &str, operation: &mut Value) {
    let by = |scheme: &str| operation["security"].as_array().into_iter().flatten().any(|way| way.get(scheme).is_some());
    // Verdicts are asked for on every request of others: they carry only what they need.
    let is_verdict = operation["tags"][0] == "verdicts";
    let (operator, key) = (by("operator"), by("key"));
    // A declared use case has told who may.
    let told = operation["x-keyward-roles"].is_array();
    if operator
        && !told
        && let Some(id) = operation["operationId"].as_str()
    {
        operation["x-keyward-roles"] = json!(permissions::roles(id));
    }
    let is_of_holder = operation["tags"][0] == "self";
    let managing = (operator && !is_verdict) || is_of_holder;
    let mut parameters: Vec<&str> = Vec::new();
    let mut refusals: Vec<&str> = Vec::new();
    if managing {
        if operator {
            parameters.push("Workspace");
        }
        if method != "get" {
            parameters.extend(["Reason", "Ticket", "DryRun", "Rehearsal", "Client"]);
            refusals.extend(["Conflict", "NotFound"]);
        }
        if path.starts_with("/v1/") {
            refusals.push("NotFound");
        }
        parameters.push("RequestId");
        refusals.push("Broken");
    }
    if operation["requestBody"].is_object() {
        refusals.extend(["TooSlow", "TooLarge"]);
    }
    // What anybody may read counts for the limit of an address all the same.
    if ["/openapi.json", "/docs"].contains(&path) {
        refusals.extend(["Unusable", "TooMany"]);
    }
    if operator || key {
        refusals.extend(["Unusable", "Unauthorised", "Forbidden", "TooMany", "Unavailable"]);
    }
    let mut own = operation["parameters"].as_array().cloned().unwrap_or_default();
    if own.iter().any(|parameter| parameter["name"] == "If-Match") {
        refusals.push("Changed");
    }
    own.iter_mut().for_each(|parameter| present(&mut parameter["schema"]));
    if own.len() + parameters.len() > 0 {
        let common = parameters.iter().map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }));
        operation["parameters"] = own.into_iter().chain(common).collect();
    }
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, response) in responses.iter_mut() {
        let body = response["content"]["application/json"]["schema"]["$ref"].as_str().unwrap_or_default().to_owned();
        let mut put = |name: &str, held: &str| {
            response["headers"][name] = json!({ "$ref": format!("#/components/headers/{held}") })
        };
        if managing {
            put("X-Request-Id", "RequestId");
        }
        if key && !is_of_holder {
            put("RateLimit", "RateLimit");
            put("RateLimit-Policy", "RateLimitPolicy");
        }
        if ONE_KEY.iter().any(|name| body.ends_with(name)) {
            put("ETag", "ETag");
            if status == "201" {
                put("Location", "Location");
            }
        }
    }
    for (name, status, _) in PROBLEMS.iter().filter(|(name, ..)| refusals.contains(name)) {
        responses
            .entry(status.to_string())
            .or_insert_with(|| json!({ "$ref": format!("#/components/responses/{name}") }));
    }
    responses.sort_keys();
}

/// A parameter is there or not; it is never null.
fn present(schema: &mut Value) {
    if let Some([only, null]) = schema["type"].as_array().map(Vec::as_slice)
        && null == "null"
    {
        schema["type"] = only.clone();
    }
    if let Some([only, null]) = schema["oneOf"].as_array().map(Vec::as_slice)
        && null["type"] == "null"
    {
        *schema = only.clone();
    }
}

/// Fields that end in `_at` or `_until` are times: their name says so, and so does the document. What comments say in the
/// words of Rust is said in those of JSON. Numbers are as large as they may be.
fn polish(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // What utoipa says of numbers without a sign: `int32` ends where half of them begin.
            if fields.get("format").is_some_and(|format| format == "int32") && fields.contains_key("minimum") {
                fields.remove("format");
                fields.entry("maximum").or_insert_with(|| u32::MAX.into());
            }
            for (name, field) in fields {
                let is_time = name.ends_with("_at") || name.ends_with("_until");
                let is_text = field["type"] == "string" || field["type"] == json!(["string", "null"]);
                if is_time && is_text {
                    field["format"] = json!("date-time");
                }
                if let ("description", Value::String(text)) = (name.as_str(), &mut *field) {
                    *text = text.replace("`Some(None)`", "null").replace("`None`", "null").replace('\n', " ");
                }
                polish(field);
            }
        }
        Value::Array(all) => all.iter_mut().for_each(polish),
        _ => {}
    }
}

/// What generators of clients stumble over, said in another way that means the same.
///
/// A field with a default is one that need not be sent, and generators for TypeScript make it one that must; every default
/// of ours is what a missing field means anyway. Words that stand each in a variant of its own become types of one name in
/// Rust: they are one variant with several words.
fn for_generators(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) {
                properties
                    .values_mut()
                    .filter_map(Value::as_object_mut)
                    .for_each(|field| drop(field.remove("default")));
            }
            if let Some(variants) = fields.get_mut("oneOf").and_then(Value::as_array_mut) {
                join_words(variants);
            }
            fields.values_mut().for_each(for_generators);
        }
        Value::Array(all) => all.iter_mut().for_each(for_generators),
        _ => {}
    }
}

fn join_words(variants: &mut Vec<Value>) {
    let is_word = |variant: &Value| variant["type"] == "string" && variant["enum"].is_array();
    if variants.iter().filter(|variant| is_word(variant)).count() < 2 {
        return;
    }
    let (words, mut joined): (Vec<Value>, Vec<Value>) = variants.drain(..).partition(is_word);
    let told = |word: &Value| Some(format!("{}: {}", word["enum"][0], word["description"].as_str()?));
    let descriptions: Vec<String> = words.iter().filter_map(told).collect();
    let names: Vec<&Value> = words.iter().filter_map(|word| word["enum"].as_array()).flatten().collect();
    joined.push(json!({ "type": "string", "enum": names, "description": descriptions.join(" ") }));
    *variants = joined;
}
