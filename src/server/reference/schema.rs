//! Schemas: what fields there are, of which kind, and what is said of them.

use super::{prose, resolved, table};
use maud::{Markup, html};
use serde_json::Value;

/// The name of the schema that a reference names.
fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")
}

/// A link to where a schema is told.
pub(super) fn link(name: &str) -> Markup {
    html! { a href={ "#schema-" (name) } { (name) } }
}

/// The mark of what must be given.
pub(super) fn required() -> Markup {
    html! { small.required { "required" } }
}

/// All schemas that have a name.
pub(super) fn all(document: &Value) -> Markup {
    let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
    html! {
        @for (name, schema) in schemas {
            article id={ "schema-" (name) } {
                h3 { code { (name) } }
                p { (prose(schema["description"].as_str().unwrap_or_default())) }
                (inside(document, schema))
            }
        }
    }
}

/// A body where it is used: the link to its schema, and its fields one level deep.
pub(super) fn shown(document: &Value, schema: &Value) -> Markup {
    let whole = resolved(document, schema);
    html! {
        details {
            summary { (kind(schema)) }
            (inside(document, whole))
        }
    }
}

/// What a schema holds: fields, or one of several things.
fn inside(document: &Value, schema: &Value) -> Markup {
    let variants = ["oneOf", "anyOf", "allOf"].into_iter().find(|word| schema[word].is_array());
    html! {
        @if let Some(fields) = schema["properties"].as_object() {
            (table(&["field", "type", ""], fields.iter().map(|(name, field)| html! {
                td { code { (name) } @if is_required(schema, name) { " " (required()) } }
                td { (kind(field)) }
                td { (prose(said_of(document, field))) (bounds(field)) }
            })))
        } @else if let Some(word) = variants {
            p { @if word == "allOf" { "All of:" } @else { "One of:" } }
            ul {
                @for variant in schema[word].as_array().into_iter().flatten() {
                    li { (kind(variant)) " " (prose(variant["description"].as_str().unwrap_or_default()))
                        @if variant["properties"].is_object() { (inside(document, variant)) } }
                }
            }
        } @else {
            p { (kind(schema)) (bounds(schema)) }
        }
    }
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().into_iter().flatten().any(|one| one == name)
}

/// What is said of a field: its own words, else those of the only thing that it can be, else those of its schema.
fn said_of<'d>(document: &'d Value, field: &'d Value) -> &'d str {
    let own = field["description"].as_str().or_else(|| field["oneOf"][0]["description"].as_str());
    own.or_else(|| resolved(document, field)["description"].as_str()).unwrap_or_default()
}

/// The kind of a value in a few words.
pub(super) fn kind(schema: &Value) -> Markup {
    if let Some(name) = name_of(schema) {
        return link(name);
    }
    let variants = |word: &str| schema[word].as_array().filter(|all| !all.is_empty());
    if let Some(words) = variants("enum") {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        return html! { @for (at, word) in words.iter().enumerate() { @if at > 0 { " | " } code { (word) } } };
    }
    for (word, between) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        if let Some(all) = variants(word) {
            return html! { @for (at, one) in all.iter().enumerate() { @if at > 0 { (between) } (kind(one)) } };
        }
    }
    if schema["items"].is_object() {
        return html! { "list of " (kind(&schema["items"])) };
    }
    if schema["additionalProperties"].is_object() {
        return html! { "object of " (kind(&schema["additionalProperties"])) };
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let format = schema["format"].as_str().filter(|format| !format.starts_with("int"));
    html! {
        @if types.is_empty() { "anything" } @else { (types.join(" or ")) }
        @if let Some(format) = format { ", " (format) }
    }
}

/// What a value must be besides: its bounds, its pattern, and an example of it.
pub(super) fn bounds(schema: &Value) -> Markup {
    let bound = |word: &str, said: &str| schema[word].as_i64().map(|bound| format!("{said} {bound}"));
    let all = [
        bound("minimum", "from"),
        bound("maximum", "to"),
        bound("maxLength", "at most, in characters,"),
        bound("maxItems", "items at most:"),
    ];
    let all: Vec<String> = all.into_iter().flatten().collect();
    let example = schema.get("example").or_else(|| schema["examples"].get(0));
    html! {
        @if !all.is_empty() { small { " " (all.join(" ")) "." } }
        @if let Some(pattern) = schema["pattern"].as_str() { small { " Pattern " code { (pattern) } "." } }
        @if let Some(example) = example { small { " Example " code { (plain(example)) } "." } }
    }
}

/// A value as it is written where it stands alone.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
