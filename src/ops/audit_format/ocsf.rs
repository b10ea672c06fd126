//! The Open Cybersecurity Schema Framework, version 1.5.0: what is done to things that are administered is an Entity
//! Management event (3004), what is done to the vault and its trail is an API Activity (6003).

use super::sentence;
use crate::{
    domain::{Outcome, Recorded},
    ops::audit::addresses,
};
use serde_json::{Map, Value, json};

const VERSION: &str = "1.5.0";

/// The class, its category, and the activity within it.
struct Kind {
    class: (u32, &'static str),
    category: (u32, &'static str),
    activity: (u32, &'static str),
}

fn kind(action: &'static str) -> Kind {
    let (thing, verb) = action.split_once('.').unwrap_or((action, ""));
    let entity =
        matches!(thing, "key" | "scope" | "workspace" | "project" | "customer" | "plan") || verb.starts_with("slot_");
    let activity = match verb {
        "create" | "add" | "slot_add" | "init" => (1, "Create"),
        "identify" | "unlock" | "lock" | "backup" | "export" | "review" | "checkpoint" => (2, "Read"),
        "delete" | "remove" | "slot_remove" => (4, "Delete"),
        "revoke" | "revoke_secret" | "close" if entity => (9, "Disable"),
        "open" if entity => (8, "Enable"),
        "activate" if entity => (10, "Activate"),
        "deactivate" if entity => (11, "Deactivate"),
        "restore" | "rekey" => (3, "Update"),
        _ if entity => (3, "Update"),
        _ => (99, action),
    };
    if entity {
        Kind { class: (3004, "Entity Management"), category: (3, "Identity & Access Management"), activity }
    } else {
        Kind { class: (6003, "API Activity"), category: (6, "Application Activity"), activity }
    }
}

/// An event as an OCSF event; `vault_id` names the log.
#[must_use]
pub fn ocsf(recorded: &Recorded, vault_id: &str) -> Value {
    let event = &recorded.event;
    let kind = kind(event.action.as_str());
    let (status, severity) = match event.outcome {
        Outcome::Ok => ((1, "Success"), (1, "Informational")),
        Outcome::Refused => ((2, "Failure"), (2, "Low")),
        Outcome::Failed => ((2, "Failure"), (3, "Medium")),
    };
    let endpoint = match addresses(&event.source).next() {
        Some(address) => json!({ "ip": address.to_string() }),
        None => json!({ "name": event.actor.rsplit_once('@').map_or(event.source.as_str(), |(_, host)| host) }),
    };
    let mut unmapped = Map::new();
    unmapped.insert("source".to_owned(), json!(event.source));
    for (name, value) in
        [("reason", json!(event.reason)), ("ticket", json!(event.ticket)), ("changes", event.changes.clone())]
    {
        if !value.is_null() {
            unmapped.insert(name.to_owned(), value);
        }
    }
    let mut out = json!({
        "activity_id": kind.activity.0, "activity_name": kind.activity.1,
        "category_uid": kind.category.0, "category_name": kind.category.1,
        "class_uid": kind.class.0, "class_name": kind.class.1,
        "type_uid": kind.class.0 * 100 + kind.activity.0,
        "time": recorded.at.timestamp_millis(), "message": sentence(recorded),
        "severity_id": severity.0, "severity": severity.1,
        "status_id": status.0, "status": status.1, "status_detail": event.outcome.as_str(),
        "actor": { "user": { "name": event.actor } },
        "src_endpoint": endpoint,
        "metadata": {
            "version": VERSION, "sequence": recorded.seq, "uid": format!("{vault_id}/{}", recorded.seq),
            "event_code": event.action.as_str(), "log_name": "audit",
            "product": { "name": "keyward", "vendor_name": "keyward", "version": env!("CARGO_PKG_VERSION") },
        },
        "unmapped": unmapped,
    });
    if kind.class.0 == 3004 {
        let thing = event.action.as_str().split_once('.').map_or("key", |(thing, _)| thing);
        out["entity"] = json!({ "uid": event.target, "type": thing });
    } else {
        out["api"] = json!({ "operation": event.action.as_str(), "service": { "name": "keyward" } });
        out["resources"] = json!([{ "uid": event.target }]);
    }
    out
}
