//! Writing keys as a file: one table a key, what has its default left out, in an order that does not change.

use super::SCHEMA;
use crate::{
    domain::{
        Expiry, RateLimit,
        time::{format_duration, format_time},
    },
    ops::Declared,
    output::toml_string,
};
use serde_json::{Map, Value, json};

/// The fields of a key that say more than the defaults do.
fn fields(declared: &Declared) -> Map<String, Value> {
    let key = &declared.key;
    let period = |period: Option<chrono::TimeDelta>| period.map_or("none".to_owned(), format_duration);
    let mut fields = Map::new();
    let mut say = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    say("name", json!(key.name));
    say("environment", json!(key.environment));
    if let Some(owner) = &key.owner {
        say("owner", json!(owner));
    }
    if let Some(description) = &key.description {
        say("description", json!(description));
    }
    if let Some(project) = &key.project {
        say("project", json!(project));
    }
    if !key.customers.is_empty() {
        say("customers", json!(key.customers));
    }
    if !key.scopes.is_empty() {
        say("scopes", json!(key.scopes));
    }
    if let Some(limit) = key.rate_limit.filter(|limit| *limit != Some(RateLimit::default())) {
        say("rate_limit", json!(limit.map_or("none".to_owned(), |limit| limit.to_string())));
    }
    if !key.allow_ips.is_empty() {
        say("allow_ips", json!(key.allow_ips));
    }
    if !key.labels.is_empty() {
        say("labels", json!(key.labels));
    }
    match key.expiry {
        None => {}
        Some(Expiry::Never) => say("no_expiry", json!(true)),
        Some(Expiry::At(at)) => say("expires_at", json!(format_time(at))),
        Some(Expiry::In(lifetime)) => say("expires_in", json!(format_duration(lifetime))),
    }
    if let Some(every) = key.rotate_every {
        say("rotate_every", json!(period(every)));
    }
    if let Some(overlap) = key.overlap {
        say("overlap", json!(format_duration(overlap)));
    }
    if let Some(renew) = key.renew_on_rotation {
        say("renew_on_rotation", json!(renew));
    }
    if let Some(deeds) = &key.self_service {
        say("self", json!(deeds.words()));
    }
    if !declared.active {
        say("active", json!(false));
    }
    fields
}

/// The keys as the list in a JSON document.
pub(in crate::cli) fn to_json(keys: &[Declared]) -> Value {
    keys.iter().map(|declared| Value::Object(fields(declared))).collect()
}

/// The keys as a TOML file.
pub(in crate::cli) fn to_toml(keys: &[Declared]) -> String {
    let mut text = format!("schema = {}\n", toml_string(SCHEMA));
    if keys.is_empty() {
        text.push_str("keys = []\n");
    }
    for declared in keys {
        text.push_str("\n[[keys]]\n");
        for (name, value) in fields(declared) {
            text.push_str(&format!("{name} = {}\n", inline(&value)));
        }
    }
    text
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => toml_string(text),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{} = {}", toml_string(name), inline(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
