//! What a request for a key finds when it was made before: by its idempotency key, or by the name of the key.

use super::{
    context::Context,
    create::{Create, Created},
    error::{Error, Kind, Result},
    rotation_view::RotationView,
    view::KeyView,
};
use crate::{
    domain::{Expiry, Key, RateLimit, Status, time::format_time},
    store::View,
};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The key that a request means and that is there.
///
/// # Errors
/// `Conflict` when the name is taken, when the idempotency key made another key, and when what it made is deleted.
pub(super) fn existing(tx: &View<'_>, cx: &Context, request: &Create) -> Result<Option<Created>> {
    if let Some(idempotency_key) = &request.idempotency_key
        && let Some((id, digest)) = tx.idempotent(&named(&cx.workspace, idempotency_key))?
    {
        if digest != digest_of(request)? {
            return Err(Error::conflict(
                "idempotency_mismatch",
                format!("the idempotency key was used within 24 hours for another request, which made {id}"),
            )
            .hint("use a new --idempotency-key for a new key"));
        }
        let key = tx.key(&id)?.ok_or_else(|| {
            Error::conflict(
                "idempotency_deleted",
                format!("the idempotency key made {id}, which has been deleted since"),
            )
            .hint("use a new --idempotency-key for a new key")
        })?;
        let note = format!("the idempotency key names {id}, created before; its secret is not shown again");
        return found(tx, cx, &key, note, None).map(Some);
    }
    let Some(key) = tx.key_named(&cx.workspace, request.environment, &request.name)? else { return Ok(None) };
    if request.if_not_exists {
        let note = format!("{} exists already; its secret is not shown again", key.id);
        return found(tx, cx, &key, note, differences(&key, request)).map(Some);
    }
    Err(Error::conflict("exists", format!("a key named '{}' exists in {}: {}", key.name, key.environment, key.id))
        .hint(format!("keyward rotate {}  (a new secret for the same key)", key.id))
        .hint("add --if-not-exists to accept the existing key"))
}

fn found(tx: &View<'_>, cx: &Context, key: &Key, note: String, differs: Option<String>) -> Result<Created> {
    let status = key.status_at(cx.now);
    let useless = (status != Status::Active).then(|| format!("it is {status}: no secret of it works now"));
    let usage = tx.usage(&key.id)?;
    Ok(Created {
        key: KeyView::new(key, &usage, cx.now),
        secret: None,
        rotation: key.running().and_then(|_| RotationView::of(key, cx.now)),
        existed: true,
        notes: [Some(note), useless, differs].into_iter().flatten().collect(),
    })
}

/// In which fields a key is not what a request asks for, in words; what a request leaves at its default it does not ask for.
fn differences(key: &Key, request: &Create) -> Option<String> {
    let list = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(" ") };
    let strings = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        list(names)
    };
    let scopes = |scopes: &[_]| strings(&scopes.iter().map(crate::domain::Scope::to_string).collect::<Vec<_>>());
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    let rate = |limit: Option<RateLimit>| limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
    let labels = |labels: &BTreeMap<String, String>| {
        list(labels.iter().map(|(label, value)| format!("{label}={value}")).collect())
    };
    let period = |period: Option<chrono::TimeDelta>| {
        period.map_or_else(|| "none".to_owned(), |period| format!("{}s", period.num_seconds()))
    };
    let ends = key.expires_at.map_or_else(|| "never".to_owned(), format_time);
    let mut differ = Vec::new();
    let mut compare = |field: &str, asked: bool, is: String, wanted: String| {
        if asked && is != wanted {
            differ.push(format!("{field} {is}, not {wanted}"));
        }
    };
    compare("owner", request.owner.is_some(), text(&key.owner), text(&request.owner));
    compare("description", request.description.is_some(), text(&key.description), text(&request.description));
    compare("project", request.project.is_some(), text(&key.project), text(&request.project));
    compare("customers", !request.customers.is_empty(), strings(&key.customers), strings(&request.customers));
    compare("scopes", !request.scopes.is_empty(), scopes(&key.scopes), scopes(&request.scopes));
    let limited = request.rate_limit.is_some();
    compare("rate limit", limited, rate(key.rate_limit), rate(request.rate_limit.flatten()));
    let (own, wanted) = (key.allow_ips.to_strings(), request.allow_ips.to_strings());
    compare("allowlist", !wanted.is_empty(), strings(&own), strings(&wanted));
    compare("labels", !request.labels.is_empty(), labels(&key.labels), labels(&request.labels));
    match request.expiry() {
        None => {}
        Some(Expiry::Never) => compare("expiry", true, ends, "never".to_owned()),
        Some(Expiry::At(at)) => compare("expiry", true, ends, format_time(at)),
        Some(Expiry::In(lifetime)) => compare("lifetime", true, period(key.lifetime), period(Some(lifetime))),
    }
    let every = request.rotate_every.flatten();
    compare("rotation every", request.rotate_every.is_some(), period(key.rotation.every), period(every));
    let renews = |renew: Option<bool>| {
        renew.map_or("as the workspace says", |renew| if renew { "yes" } else { "no" }).to_owned()
    };
    let renew = request.renew_on_rotation;
    compare("renewal on rotation", renew.is_some(), renews(key.rotation.renew), renews(renew));
    let may = |deeds: &Option<crate::domain::SelfService>| {
        deeds.as_ref().map_or_else(|| "as the workspace says".to_owned(), ToString::to_string)
    };
    compare("self", request.self_service.is_some(), may(&key.self_service), may(&request.self_service));
    compare("overlap", request.overlap.is_some(), period(key.rotation.overlap), period(request.overlap));
    (!differ.is_empty()).then(|| format!("it is not as asked for: {}", differ.join("; ")))
}

/// Workspaces may use one idempotency key without meaning each other.
pub(super) fn named(workspace: &str, idempotency_key: &str) -> String {
    format!("create\0{workspace}\0{idempotency_key}")
}

/// What tells a repeated request from another one under the same idempotency key. Where its secret goes is not of it: a
/// repetition asks what became of the key before it names any sink, and may name another one.
pub(super) fn digest_of(request: &Create) -> Result<String> {
    let asked = Create { if_not_exists: false, idempotency_key: None, id: None, ..request.clone() };
    let same = Create { sinks: Vec::new(), intend: false, ..asked };
    let imported = same.imported.as_ref().map(|imported| imported.lookup.as_str());
    digest(&(&same, imported), &(&Create::named(""), None::<&str>))
}

/// The digest of a request as it is remembered: over what it asks beyond the defaults, by the names of its JSON, in their
/// order. It must stay the same across versions, or a retry across an upgrade would be another request: a field that is
/// new changes nothing for who does not use it.
///
/// # Errors
/// `Internal` for what has no JSON.
pub(super) fn digest(request: &impl Serialize, defaults: &impl Serialize) -> Result<String> {
    let value = |what: Result<Value, serde_json::Error>| {
        what.map_err(|error| Error::new(Kind::Internal, "digest", error.to_string()))
    };
    let mut asked = beyond(value(serde_json::to_value(request))?, &value(serde_json::to_value(defaults))?);
    asked.sort_all_objects();
    Ok(Sha256::digest(asked.to_string()).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The fields of an object that are not as in another one, of pairs each in its place.
fn beyond(asked: Value, defaults: &Value) -> Value {
    match (asked, defaults) {
        (Value::Object(asked), defaults) => {
            asked.into_iter().filter(|(name, value)| defaults.get(name) != Some(value)).collect()
        }
        (Value::Array(asked), Value::Array(defaults)) => {
            asked.into_iter().zip(defaults).map(|(asked, defaults)| beyond(asked, defaults)).collect()
        }
        (asked, _) => json!(asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Create {
        Create {
            scopes: vec!["a:read".parse().unwrap()],
            labels: [("team", "x"), ("a", "b")].map(|(label, value)| (label.to_owned(), value.to_owned())).into(),
            expiry: Some(Expiry::In(chrono::TimeDelta::days(1))),
            rate_limit: Some(None),
            ..Create::named("billing")
        }
    }

    #[test]
    fn the_digest_of_a_request_is_what_it_was() {
        // Stored by versions before: another digest turns retries across an upgrade into conflicts.
        let stored = concat!(
            r#"[{"expiry":{"in":86400},"labels":{"a":"b","team":"x"},"name":"billing","rate_limit":null,"#,
            r#""scopes":["a:read"]},null]"#
        );
        let expected: String = Sha256::digest(stored).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest_of(&asked()).unwrap(), expected);
    }

    #[test]
    fn the_digest_tells_requests_apart_and_not_where_the_secret_goes() {
        let digest = |change: &dyn Fn(&mut Create)| {
            let mut request = asked();
            change(&mut request);
            digest_of(&request).unwrap()
        };
        let same = digest(&|_| {});
        assert_eq!(digest(&|request| request.sinks = vec!["stdout".to_owned()]), same);
        assert_eq!(digest(&|request| request.idempotency_key = Some("K".to_owned())), same);
        assert_ne!(digest(&|request| request.rate_limit = Some(Some(RateLimit::default()))), same);
        assert_ne!(digest(&|request| request.rotate_every = Some(None)), same);
        assert_ne!(digest(&|request| request.owner = Some("ana".to_owned())), same);
    }
}
