//! Webhooks: added, listed and removed; and what they are told.
//!
//! What an action tells goes into the outbox with the action, in one transaction ([`enqueue`]). What time tells (a key that
//! ends soon, a rotation that is due, a burst of refused requests) is found by whoever looks ([`timed`]), and told once.

use super::{
    Done,
    authority::Authority,
    case::{Ask, Change, Method, Route, UseCase},
    context::Context,
    entitlement,
    error::{Error, Kind, Result},
    view::RateLimitView,
};
use crate::{
    domain::{
        Action, Event, Key, Message, Notice, Outcome, Permission, RateLimit, Time, Webhook, closest,
        ids::random_base62, serde_text, text::same, time::format_time,
    },
    store::{ClearFilter, Tx, View},
    vault::Capabilities,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// How many messages that have not arrived are shown of a webhook.
const SHOWN: u32 = 10;

/// A webhook to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(example = json!({"name": "chat", "url": "https://hooks.example.com/keyward", "events": ["key.revoke", "key.expiring"]})))]
#[serde(deny_unknown_fields)]
pub struct AddWebhook {
    /// Its unique name.
    #[serde(deserialize_with = "serde_text::name")]
    #[cfg_attr(test, schema(value_type = crate::domain::ObjectName))]
    pub name: String,
    /// Where messages are posted; HTTPS, unless private addresses are allowed.
    pub url: String,
    /// Of what it is told; everything when empty.
    #[serde(default)]
    pub events: Vec<Notice>,
    /// How many seconds before the end of a key it is told; 7 days and 1 day when empty.
    #[serde(default)]
    pub lead_seconds: Vec<i64>,
    /// How many refused requests within how long are a burst; 20 within 5 minutes when not given.
    #[serde(default)]
    pub denied_burst: Option<RateLimit>,
    /// Whether messages may go to private, loopback and link-local addresses, and over plain HTTP.
    #[serde(default)]
    pub allow_private: bool,
}

/// A webhook that was added, with the secret its messages are signed with.
pub struct AddedWebhook {
    /// The webhook.
    pub webhook: WebhookView,
    /// `whsec_…`, the only time it is seen; absent in a dry run.
    pub secret: Option<Zeroizing<String>>,
}

/// A webhook's public facts, and how its messages fare. The order of the fields is the order in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = Webhook))]
pub struct WebhookView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The workspace whose events it is told.
    pub workspace: String,
    /// Where messages go.
    pub url: String,
    /// What it is told of.
    pub events: Vec<String>,
    /// So long before the end of a key it is told that the key is about to end.
    pub lead_seconds: Vec<i64>,
    /// So many refusals of a key in so many seconds are told.
    pub denied_burst: RateLimitView,
    /// Whether messages may go to addresses of the own network.
    pub allow_private: bool,
    /// When it was made.
    pub created_at: String,
    /// Who made it, as the trail names them.
    pub created_by: String,
    /// How many messages have arrived.
    pub delivered: u64,
    /// When the last one did.
    pub last_delivered_at: Option<String>,
    /// How many wait to be sent.
    pub pending: u64,
    /// How many were given up.
    pub dead: u64,
    /// Messages that have not arrived, oldest first.
    pub failures: Vec<FailureView>,
}

/// A message that has not arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = FailedMessage))]
pub struct FailureView {
    /// The id of the message.
    pub id: String,
    /// What it tells.
    pub event: String,
    /// When that happened.
    pub at: String,
    /// How often it was sent.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// Null for a dead letter.
    pub next_at: Option<String>,
}

/// Where a message goes, and what it is signed with.
pub struct Target {
    /// The webhook.
    pub webhook: Webhook,
    /// The bytes of its secret.
    pub secret: Zeroizing<[u8; 32]>,
}

/// The webhooks of the workspace, and how their messages fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ListWebhooks {}

impl UseCase for ListWebhooks {
    type Outcome = Vec<WebhookView>;
    const PERMISSION: Permission = Permission::ReadWorkspace;
    const ROUTE: Route = Route {
        summary: "The webhooks of the workspace, and how their messages fare",
        answers: &[(200, "The webhooks, by name.")],
        ..Route::new(Method::Get, "/v1/webhooks", "list_webhooks", "webhooks")
    };
}

impl Ask for ListWebhooks {
    fn ask(&self, view: &View<'_>, _caps: &Capabilities, cx: &Context) -> Result<Vec<WebhookView>> {
        entitlement::workspace(view, &cx.workspace)?;
        let mut all = of_workspace(view, cx)?;
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.iter().map(|webhook| shown(view, webhook)).collect()
    }
}

impl UseCase for AddWebhook {
    type Outcome = AddedWebhook;
    const PERMISSION: Permission = Permission::ChangeWorkspace;
    const ROUTE: Route = Route {
        summary: "Add a webhook",
        description: "The answer is the only one that ever holds the secret that its messages are signed with. Addresses \
            that are not public need the right to change the platform: the server itself sends there.",
        answers: &[(201, "The webhook with its secret.")],
        ..Route::new(Method::Post, "/v1/webhooks", "add_webhook", "webhooks")
    };

    fn permission(&self, _by: &Authority) -> Permission {
        if self.allow_private { Permission::ChangePlatform } else { Self::PERMISSION }
    }

    fn target(&self) -> String {
        self.name.clone()
    }
}

/// Adds a webhook.
///
/// # Errors
/// `Conflict` when the name is taken, `Usage` for a lead time that is none.
pub fn add(tx: &mut Tx<'_>, caps: &Capabilities, cx: &Context, request: AddWebhook) -> Result<Done<AddedWebhook>> {
    entitlement::workspace(tx, &cx.workspace)?;
    if let Some(taken) = of_workspace(tx, cx)?.iter().find(|webhook| same(&webhook.name, &request.name)) {
        return Err(Error::conflict("exists", format!("a webhook named '{}' exists: {}", taken.name, taken.id))
            .hint(format!("keyward webhooks remove {}", taken.name)));
    }
    let (mut events, mut leads) = (request.events, request.lead_seconds);
    if events.is_empty() {
        events = Notice::ALL.to_vec();
    }
    events.dedup();
    if leads.is_empty() {
        leads = vec![7 * 86_400, 86_400];
    }
    leads.sort_unstable_by(|a, b| b.cmp(a));
    leads.dedup();
    if leads.iter().any(|lead| !(1..=crate::domain::time::MAX_SECONDS).contains(lead)) {
        return Err(Error::usage("a lead time is 1 second to 100 years"));
    }
    let webhook = Webhook {
        id: format!("wh_{}", random_base62(&mut rand::rng(), 16)),
        name: request.name,
        workspace: cx.workspace.clone(),
        url: request.url,
        events,
        leads: leads.into_iter().map(TimeDelta::seconds).collect(),
        burst: request.denied_burst.unwrap_or(RateLimit { limit: 20, window_seconds: 300 }),
        allow_private: request.allow_private,
        created_at: cx.now,
        created_by: cx.actor.clone(),
    };
    tx.put_webhook(&webhook)?;
    let secret = secret_of(caps, &webhook)?;
    let text = shown_secret(&secret);
    let view = shown(tx, &webhook)?;
    let changes = json!({
        "name": view.name, "url": view.url, "events": view.events, "allow_private": view.allow_private,
    });
    let events = vec![cx.event(Action::WebhookAdd, webhook.id, changes)];
    Ok(Done { outcome: AddedWebhook { webhook: view, secret: (!cx.dry_run).then_some(text) }, events })
}

/// A webhook to be removed, with what was on its way to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct RemoveWebhook {
    /// Its name or id.
    pub name: String,
}

impl UseCase for RemoveWebhook {
    type Outcome = WebhookView;
    const PERMISSION: Permission = Permission::ChangeWorkspace;
    const ROUTE: Route = Route {
        summary: "Remove a webhook, and what was on its way to it",
        answers: &[(200, "The webhook as it was.")],
        ..Route::new(Method::Delete, "/v1/webhooks/{name}", "remove_webhook", "webhooks")
    };

    fn target(&self) -> String {
        self.name.clone()
    }
}

impl Change for RemoveWebhook {
    const ACTION: Action = Action::WebhookRemove;

    fn change(self, tx: &mut Tx<'_>, _caps: &Capabilities, cx: &Context) -> Result<Done<WebhookView>> {
        let webhook = find(tx, cx, &self.name)?;
        let view = shown(tx, &webhook)?;
        tx.delete_webhook(&webhook)?;
        let changes = json!({ "name": view.name, "url": view.url, "pending": view.pending, "dead": view.dead });
        let events = vec![cx.event(Action::WebhookRemove, webhook.id, changes)];
        Ok(Done { outcome: view, events })
    }
}

/// A webhook to be sent a message that tells nothing, to see whether it arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct TestWebhook {
    /// Its name or id.
    pub name: String,
}

/// A message on trial that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestedWebhook {
    /// The id of the message.
    pub message: String,
}

impl UseCase for TestWebhook {
    type Outcome = TestedWebhook;
    const PERMISSION: Permission = Permission::ChangeWorkspace;
    const ROUTE: Route = Route {
        summary: "Send a message that tells nothing, to see whether it arrives",
        answers: &[(200, "It has arrived.")],
        ..Route::new(Method::Post, "/v1/webhooks/{name}/test", "test_webhook", "webhooks")
    };

    fn target(&self) -> String {
        self.name.clone()
    }
}

/// A message that tells nothing, and where it goes.
///
/// # Errors
/// `NotFound`; `Forbidden` for a support slot.
pub fn trial(view: &View<'_>, caps: &Capabilities, cx: &Context, name: &str) -> Result<(Target, Message)> {
    let webhook = find(view, cx, name)?;
    let message = message(&webhook, Notice::Test, cx.now, json!({ "webhook": webhook.name, "actor": cx.actor }));
    let secret = secret_of(caps, &webhook)?;
    Ok((Target { webhook, secret }, message))
}

/// Where the messages of every webhook go.
///
/// # Errors
/// Those of the store; `Forbidden` for a support slot.
pub fn targets(view: &View<'_>, caps: &Capabilities) -> Result<Vec<Target>> {
    let all = view.webhooks()?.into_iter();
    all.map(|webhook| secret_of(caps, &webhook).map(|secret| Target { webhook, secret })).collect()
}

/// Puts what these events tell into the outbox, in the transaction that records them.
///
/// # Errors
/// Those of the store.
pub fn enqueue(tx: &mut Tx<'_>, cx: &Context, events: &[Event]) -> Result<()> {
    let told = |event: &&Event| event.outcome == Outcome::Ok && Notice::ALL.contains(&Notice::Done(event.action));
    let mut events = events.iter().filter(told).peekable();
    if events.peek().is_none() {
        return Ok(());
    }
    let webhooks = of_workspace(tx, cx)?;
    if webhooks.is_empty() {
        return Ok(());
    }
    for event in events {
        let told = webhooks.iter().filter(|webhook| webhook.events.contains(&Notice::Done(event.action)));
        let told: Vec<&Webhook> = told.collect();
        if told.is_empty() {
            // Of many keys at once, none is read again for nobody.
            continue;
        }
        let key = event.target.parse().map_or(Ok(None), |id| tx.key(&id))?;
        let key = key.as_ref().map_or_else(|| gone(event), |key| facts(key, cx.now));
        for webhook in told {
            let data = json!({ "key": key, "actor": event.actor, "reason": event.reason, "ticket": event.ticket });
            tx.enqueue(&message(webhook, Notice::Done(event.action), cx.now, data))?;
        }
    }
    Ok(())
}

/// What time tells at a moment, with the marks by which it is told once; the first mark decides.
///
/// # Errors
/// Those of the store.
pub fn timed(view: &View<'_>, now: Time) -> Result<Vec<(Vec<String>, Message)>> {
    let mut told = Vec::new();
    for webhook in view.webhooks()? {
        let wants = |notice| webhook.events.contains(&notice);
        if wants(Notice::Expiring) {
            expiring(view, &webhook, now, &mut told)?;
        }
        if wants(Notice::Overdue) {
            let due = view.keys_by(&webhook.workspace, ClearFilter::Due { by: now })?;
            for key in due.iter().filter(|key| key.is_overdue(now)) {
                let since = key.rotation.due_at.map_or(0, |at| at.timestamp());
                let mark = format!("{} overdue {} {since}", webhook.id, key.id);
                let data = json!({ "key": facts(key, now), "due_at": key.rotation.due_at.map(format_time) });
                told.push((vec![mark], message(&webhook, Notice::Overdue, now, data)));
            }
        }
        if wants(Notice::DeniedBurst) {
            let window = i64::from(webhook.burst.window_seconds);
            let since = now - TimeDelta::seconds(window);
            for (id, count) in view.denied_since(since, webhook.burst.limit)? {
                let Some(key) = view.key(&id)?.filter(|key| key.workspace == webhook.workspace) else { continue };
                // Once a window: what goes on is told again.
                let mark = format!("{} denied {} {}", webhook.id, key.id, now.timestamp().div_euclid(window));
                let data = json!({ "key": facts(&key, now), "denied": count, "window_seconds": window });
                told.push((vec![mark], message(&webhook, Notice::DeniedBurst, now, data)));
            }
        }
    }
    Ok(told)
}

/// The keys that end within a lead time: each is told at its shortest one, which tells the longer ones, too.
fn expiring(view: &View<'_>, webhook: &Webhook, now: Time, told: &mut Vec<(Vec<String>, Message)>) -> Result<()> {
    let Some(longest) = webhook.leads.first() else { return Ok(()) };
    let by = now.checked_add_signed(*longest).unwrap_or(Time::MAX_UTC);
    for key in view.keys_by(&webhook.workspace, ClearFilter::Expiring { after: Some(now), by })? {
        let Some(at) = key.expires_at.filter(|_| key.status_at(now) == crate::domain::Status::Active) else { continue };
        let reached = webhook.leads.iter().rev().filter(|lead| at - now <= **lead);
        let mark =
            |lead: &TimeDelta| format!("{} expiring {} {} {}", webhook.id, key.id, at.timestamp(), lead.num_seconds());
        let marks: Vec<String> = reached.map(mark).collect();
        let data = json!({ "key": facts(&key, now), "seconds_left": (at - now).num_seconds() });
        told.push((marks, message(webhook, Notice::Expiring, now, data)));
    }
    Ok(())
}

/// What a message says of a key; never a secret, nor any part of one.
fn facts(key: &Key, now: Time) -> Value {
    json!({
        "id": key.id.as_str(), "name": key.name, "owner": key.owner, "workspace": key.workspace,
        "environment": key.environment, "status": key.status_at(now), "expires_at": key.expires_at.map(format_time),
    })
}

/// What is left of a key that was deleted.
fn gone(event: &Event) -> Value {
    let was = |field: &str| event.changes.get(field).cloned().unwrap_or_default();
    json!({
        "id": event.target, "name": was("name"), "owner": was("owner"), "workspace": was("workspace"),
        "environment": was("environment"), "status": "deleted", "expires_at": null,
    })
}

pub(super) fn message(webhook: &Webhook, notice: Notice, now: Time, data: Value) -> Message {
    let payload = json!({ "type": notice.as_str(), "timestamp": format_time(now), "data": data });
    Message {
        seq: None,
        id: format!("msg_{}", random_base62(&mut rand::rng(), 24)),
        webhook: webhook.id.clone(),
        event: notice.to_string(),
        at: now,
        attempts: 0,
        payload: payload.to_string(),
    }
}

/// What is posted: the payload, and the place of the message among all, by which a receiver knows what came later.
#[must_use]
pub fn posted(message: &Message) -> String {
    let payload = serde_json::from_str::<serde_json::Map<String, Value>>(&message.payload);
    match (payload, message.seq) {
        (Ok(mut payload), Some(seq)) => {
            payload.insert("seq".to_owned(), seq.into());
            Value::Object(payload).to_string()
        }
        _ => message.payload.clone(),
    }
}

/// A webhook's secret as receivers take it.
#[must_use]
pub fn shown_secret(secret: &[u8; 32]) -> Zeroizing<String> {
    Zeroizing::new(format!("whsec_{}", *Zeroizing::new(BASE64_STANDARD.encode(secret))))
}

fn secret_of(caps: &Capabilities, webhook: &Webhook) -> Result<Zeroizing<[u8; 32]>> {
    caps.webhook_secret(&webhook.id).ok_or_else(super::support_refused)
}

fn of_workspace(view: &View<'_>, cx: &Context) -> Result<Vec<Webhook>> {
    let mut all = view.webhooks()?;
    all.retain(|webhook| webhook.workspace == cx.workspace);
    Ok(all)
}

fn find(view: &View<'_>, cx: &Context, name: &str) -> Result<Webhook> {
    let all = of_workspace(view, cx)?;
    let names: Vec<&str> = all.iter().map(|webhook| webhook.name.as_str()).collect();
    let missing = || {
        Error::not_found(format!("no webhook '{name}'")).suggest(&closest(name, &names)).hint("keyward webhooks list")
    };
    all.iter().find(|webhook| same(&webhook.name, name) || webhook.id == name).cloned().ok_or_else(missing)
}

fn shown(view: &View<'_>, webhook: &Webhook) -> Result<WebhookView> {
    let (arrived, (pending, dead)) = (view.arrived(&webhook.id)?, view.waiting_counts(&webhook.id)?);
    let waiting = view.waiting(&webhook.id, SHOWN)?.into_iter().filter(|one| one.error.is_some());
    Ok(WebhookView {
        id: webhook.id.clone(),
        name: webhook.name.clone(),
        workspace: webhook.workspace.clone(),
        url: webhook.url.clone(),
        events: webhook.events.iter().map(ToString::to_string).collect(),
        lead_seconds: webhook.leads.iter().map(TimeDelta::num_seconds).collect(),
        denied_burst: webhook.burst.into(),
        allow_private: webhook.allow_private,
        created_at: format_time(webhook.created_at),
        created_by: webhook.created_by.clone(),
        delivered: arrived.count,
        last_delivered_at: arrived.last_at.map(format_time),
        pending,
        dead,
        failures: waiting
            .map(|one| FailureView {
                id: one.message.id,
                event: one.message.event,
                at: format_time(one.message.at),
                attempts: one.message.attempts,
                error: one.error,
                next_at: one.next_at.map(format_time),
            })
            .collect(),
    })
}

/// A message that was sent on trial did not arrive.
#[must_use]
pub fn not_arrived(webhook: &str, why: &str) -> Error {
    Error::new(Kind::Unavailable, "webhook", format!("the message to '{webhook}' did not arrive")).cause(why.to_owned())
}
