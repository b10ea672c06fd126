//! The audit trail: events, filters as query parameters, checks and exports.

use super::{keys::PageInfo, told::Told};
use crate::{
    domain::{
        Event, Recorded, Time,
        time::{format_time, parse_past, parse_time},
    },
    ops::{AuditFilter, Error, Kind, Result, audit_checkpoint::SignedCheckpoint, audit_export::Exported},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most events that a page has, and how far it reaches into the trail.
pub const MAX_EVENTS: usize = 10_000;

/// An event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct EventBody {
    /// Its place in the trail, from 1, without a gap.
    pub seq: u64,
    /// When it was recorded.
    #[cfg_attr(test, schema(format = DateTime))]
    pub at: String,
    /// Who did it.
    pub actor: String,
    /// Through which door.
    pub source: String,
    /// What was done.
    pub action: String,
    /// On what: an id, or a name where there is no id.
    pub target: String,
    /// `ok`, `refused` or `failed`.
    pub outcome: String,
    /// Why.
    pub reason: Option<String>,
    /// The ticket that asked for it.
    pub ticket: Option<String>,
    /// The workspace it happened in; null for what concerns the platform.
    #[serde(default)]
    pub workspace: Option<String>,
    /// What changed.
    pub changes: Value,
}

/// One event.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct EventReply {
    /// `keyward.audit-event/v1`.
    pub schema: String,
    /// The event.
    pub event: EventBody,
}

/// A page of the trail.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct EventPage {
    /// `keyward.audit-list/v1`.
    pub schema: String,
    /// The events, oldest first.
    pub items: Vec<EventBody>,
    /// Where the page stands; `next` is the next value of `after`.
    pub page: PageInfo,
    /// How many events the trail has.
    pub size: u64,
}

/// Which events.
#[cfg_attr(test, derive(utoipa::IntoParams))]
#[cfg_attr(test, into_params(parameter_in = Query))]
pub struct EventParameters {
    /// About this key, also a deleted one.
    #[cfg_attr(test, param(value_type = Option<String>))]
    pub key: (),
    /// Decides between keys of one name.
    #[cfg_attr(test, param(value_type = Option<crate::domain::Environment>))]
    pub environment: (),
    /// Of this actor.
    #[cfg_attr(test, param(value_type = Option<String>))]
    pub actor: (),
    /// From an address in this range.
    #[cfg_attr(test, param(value_type = Option<String>))]
    pub address: (),
    /// Through this door.
    #[cfg_attr(test, param(value_type = Option<String>))]
    pub source: (),
    /// Of this action; may be repeated.
    #[cfg_attr(test, param(value_type = Option<String>))]
    pub action: (),
    /// With this outcome.
    #[cfg_attr(test, param(value_type = Option<String>))]
    pub outcome: (),
    /// With this ticket.
    #[cfg_attr(test, param(value_type = Option<String>))]
    pub ticket: (),
    /// At or after this time, or so long ago: `2026-01-02` or `1h`.
    #[cfg_attr(test, param(value_type = Option<String>, example = "2026-01-02T03:04:05Z"))]
    pub since: (),
    /// Before this time, or so long ago.
    #[cfg_attr(test, param(value_type = Option<String>, example = "2026-01-02T03:04:05Z"))]
    pub until: (),
    /// After this event.
    #[cfg_attr(test, param(value_type = Option<u64>))]
    pub after: (),
    /// Up to this event.
    #[cfg_attr(test, param(value_type = Option<u64>))]
    pub upto: (),
}

/// What to check the trail against.
#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct VerifyTrail {
    /// Also read every sealed detail as the event that it is.
    pub full: bool,
    /// Checkpoints that were kept elsewhere: the trail must continue each of them.
    pub checkpoints: Vec<Kept>,
    /// The key that signed them, when it is not to be taken from the vault.
    pub key: Option<String>,
}

/// A checkpoint that somebody kept.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Where it was found, for messages.
    pub place: String,
    /// The signed note.
    pub note: String,
}

/// What came of a check.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct TrailReport {
    /// `keyward.audit-verify/v1`.
    pub schema: String,
    /// Always true: what is not intact is a problem.
    pub ok: bool,
    /// How many events the trail has.
    pub events: u64,
    /// How many keys agree with it.
    pub keys: u64,
    /// The epoch of the signed head.
    pub epoch: u64,
    /// The root of the tree, in hexadecimal.
    pub root: String,
    /// How many checkpoints it continues.
    pub checkpoints: usize,
}

/// A line of an export.
#[derive(Serialize, Deserialize)]
pub struct ExportedLine {
    #[serde(flatten)]
    event: EventBody,
    leaf: String,
    body: String,
    detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tree_size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<Vec<String>>,
}

/// The last line of an export: without it, the export was cut.
#[derive(Serialize, Deserialize)]
pub struct ExportEnd {
    /// `keyward.audit-export/v1`.
    pub schema: String,
    /// How many events were selected.
    pub events: usize,
    /// The checkpoint that covers them all, as a signed note.
    pub note: String,
    /// The key that signed it.
    pub key: String,
}

fn damaged(what: &str) -> Error {
    Error::new(Kind::Failure, "reply", format!("the server's reply holds {what}"))
}

impl From<&Recorded> for EventBody {
    fn from(recorded: &Recorded) -> Self {
        let event = &recorded.event;
        Self {
            seq: recorded.seq,
            at: format_time(recorded.at),
            actor: event.actor.clone(),
            source: event.source.clone(),
            action: event.action.to_string(),
            target: event.target.clone(),
            outcome: event.outcome.to_string(),
            reason: event.reason.clone(),
            ticket: event.ticket.clone(),
            workspace: event.workspace.clone(),
            changes: event.changes.clone(),
        }
    }
}

impl TryFrom<EventBody> for Recorded {
    type Error = Error;

    fn try_from(body: EventBody) -> Result<Self> {
        Ok(Self {
            seq: body.seq,
            at: parse_time(&body.at).map_err(|_| damaged("a time that is none"))?,
            event: Event {
                action: body.action.parse().map_err(|_| damaged("an action that this keyward does not know"))?,
                target: body.target,
                outcome: body.outcome.parse().map_err(|_| damaged("an outcome that is none"))?,
                actor: body.actor,
                source: body.source,
                reason: body.reason,
                ticket: body.ticket,
                workspace: body.workspace,
                changes: body.changes,
            },
        })
    }
}

impl Told for Recorded {
    type Body = EventReply;

    fn tell(self) -> EventReply {
        EventReply { schema: "keyward.audit-event/v1".to_owned(), event: (&self).into() }
    }

    fn read(reply: EventReply) -> Result<Self> {
        reply.event.try_into()
    }
}

impl TryFrom<ExportedLine> for Exported {
    type Error = Error;

    fn try_from(line: ExportedLine) -> Result<Self> {
        let hash = |text: &String| STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        let bad = || damaged("a hash that is none");
        let proof = line.proof.map(|proof| proof.iter().map(hash).collect::<Option<Vec<_>>>().ok_or_else(bad));
        Ok(Self {
            leaf: hash(&line.leaf).ok_or_else(bad)?,
            recorded: line.event.try_into()?,
            body: line.body,
            detail: line.detail,
            proof: line.tree_size.zip(proof.transpose()?),
        })
    }
}

impl ExportEnd {
    /// The end of an export.
    #[must_use]
    pub fn new(events: usize, signed: &SignedCheckpoint) -> Self {
        let schema = "keyward.audit-export/v1".to_owned();
        Self { schema, events, note: signed.note.to_string(), key: signed.key.to_string() }
    }

    /// The checkpoint, if its signature is that of its key.
    ///
    /// # Errors
    /// `Integrity` when it is not.
    pub fn checkpoint(&self) -> Result<SignedCheckpoint> {
        super::signed::signed(&self.note, &self.key)
    }
}

/// A filter as query parameters; the workspace is named by a header.
#[must_use]
pub fn query_of(filter: &AuditFilter) -> Vec<(&'static str, String)> {
    let mut query = Vec::new();
    let mut put = |name, value: Option<String>| query.extend(value.map(|value| (name, value)));
    put("key", filter.key.as_ref().map(ToString::to_string));
    put("environment", filter.environment.map(|environment| environment.to_string()));
    put("actor", filter.actor.clone());
    put("address", filter.address.map(|range| range.to_string()));
    put("source", filter.source.clone());
    for action in &filter.actions {
        put("action", Some(action.to_string()));
    }
    put("outcome", filter.outcome.map(|outcome| outcome.to_string()));
    put("ticket", filter.ticket.clone());
    put("since", filter.since.map(format_time));
    put("until", filter.until.map(format_time));
    put("after", (filter.after > 0).then(|| filter.after.to_string()));
    put("upto", filter.upto.map(|upto| upto.to_string()));
    put("limit", filter.limit.map(|limit| limit.to_string()));
    query
}

/// The filter of query parameters.
///
/// # Errors
/// `Usage` for an unknown parameter or a value that is none.
pub fn filter_of(query: &[(String, String)], now: Time) -> Result<AuditFilter> {
    let mut filter = AuditFilter::default();
    for (name, value) in query {
        let refused = |cause: String| Error::usage(format!("the parameter '{name}' is not usable")).cause(cause);
        // Numbers of events are int64 in the document.
        let number = || match value.parse::<i64>().map(u64::try_from) {
            Ok(Ok(number)) => Ok(number),
            _ => Err(refused("expected a number".to_owned())),
        };
        match name.as_str() {
            "key" => {
                filter.key = Some(value.parse().map_err(|error: crate::domain::RefError| refused(error.to_string()))?)
            }
            "environment" | "env" => filter.environment = Some(value.parse().map_err(refused)?),
            "actor" => filter.actor = Some(value.clone()),
            "address" => {
                let range = value.parse().map_err(|_| refused("expected an address range".to_owned()))?;
                filter.address = Some(range);
            }
            "source" => filter.source = Some(value.clone()),
            "action" => filter.actions.push(value.parse().map_err(refused)?),
            "outcome" => filter.outcome = Some(value.parse().map_err(refused)?),
            "ticket" => filter.ticket = Some(value.clone()),
            "since" => filter.since = Some(parse_past(value, now).map_err(refused)?),
            "until" => filter.until = Some(parse_past(value, now).map_err(refused)?),
            "after" => filter.after = number()?,
            "upto" => filter.upto = Some(number()?),
            "limit" => filter.limit = Some(usize::try_from(number()?).unwrap_or(usize::MAX)),
            _ => return Err(Error::usage(format!("there is no parameter '{name}'"))),
        }
    }
    Ok(filter)
}
