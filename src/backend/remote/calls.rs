//! Every use case as a call.

use super::Remote;
use crate::{
    backend::{Backend, BulkError, NewSlot, Rekey, Rekeyed, Runner, SlotView, VaultStatus},
    domain::{Action, Environment, Form, KeyId, Retention, Time, Verdict, time::format_time},
    ops::{
        Applied, Apply, Context, Create, CreateMany, Created, CredentialReport, Error, Import, KeyName, KeyView, Kind,
        List, Listed, ListedNames, LogQuery, Logs, Plan, Result, RotationView, Stage, Staged, Step, UsageQuery,
        UsageReport, Verify,
        identify::{Identified, Identify},
        webhooks::{AddWebhook, AddedWebhook},
    },
    wire::{
        declared::{AppliedReply, PlanReply},
        keys::{CreatedReply, KeyPage, MAX_PAGE, query_of},
        rotations::{RotateBody, RotateReply, RotationReply, StagedReply, StepBody},
        usage::{LogPage, RetentionBody, UsageReply},
        verdict::VerifyRequest,
        webhooks::{AddedWebhookReply, WebhookTested},
    },
};
use reqwest::Method;
use serde_json::json;
use std::path::Path;
use zeroize::Zeroizing;

type Query = Vec<(&'static str, String)>;

/// Only the keys of whoever asks.
fn mine(mine: bool) -> Query {
    mine.then(|| ("mine", "true".to_owned())).into_iter().collect()
}

/// What decides between keys of one name.
fn which(environment: Option<Environment>) -> Query {
    environment.map(|environment| ("environment", environment.to_string())).into_iter().collect()
}

/// What concerns the keystore itself is done where it is.
pub(super) fn only_local(what: &str) -> Error {
    Error::usage(format!("{what} is a matter of the vault itself, and cannot be done through a server"))
        .hint("run it where the vault is, without --server and KEYWARD_SERVER")
}

impl Backend for Remote {
    fn runner(&self) -> Runner<'_> {
        Runner::There(self)
    }

    fn create(&self, cx: &Context, request: Create) -> Result<Created> {
        let key = request.idempotency_key.clone();
        self.once::<CreatedReply>(cx, &["v1", "keys"], &[], &request, key.as_deref())?.try_into()
    }

    fn create_many(
        &self,
        cx: &Context,
        request: CreateMany,
        progress: &mut dyn FnMut(usize),
        keep: &mut dyn FnMut(&[Created]) -> Result<()>,
    ) -> std::result::Result<Vec<Created>, BulkError> {
        self.made_in_bulk(cx, request, progress, keep)
    }

    fn list(&self, cx: &Context, request: &List) -> Result<Listed> {
        let mut listed: Option<Listed> = None;
        let mut cursor = None;
        loop {
            let have = listed.as_ref().map_or(0, |listed| listed.items.len());
            let wanted = request.filter.limit.map_or(MAX_PAGE, |limit| (limit - have).min(MAX_PAGE));
            let mut query = query_of(&request.filter);
            // A limit of nothing still asks how many there are.
            query.push(("limit", wanted.max(1).to_string()));
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let page: KeyPage = self.get(Some(cx), &["v1", "keys"], &query)?;
            let so_far = listed.get_or_insert_with(|| Listed {
                items: Vec::new(),
                total: page.page.total,
                hidden: page.hidden.clone(),
            });
            so_far.items.extend(page.items.into_iter().take(wanted));
            let enough = request.filter.limit.is_some_and(|limit| so_far.items.len() >= limit);
            cursor = page.page.next.filter(|_| !enough);
            if cursor.is_none() {
                return listed.ok_or_else(|| Error::new(Kind::Internal, "reply", "a list without a page"));
            }
        }
    }

    fn list_names(&self, cx: &Context, request: &List) -> Result<ListedNames> {
        let Listed { items, total, hidden } = self.list(cx, request)?;
        let items = items.into_iter().map(|key| KeyName { id: key.id, name: key.name }).collect();
        Ok(ListedNames { items, total, hidden })
    }

    fn list_in_order(&self, cx: &Context, request: &List) -> Result<(Listed, Vec<KeyId>)> {
        let mut whole = request.clone();
        let limit = whole.filter.limit.take().unwrap_or(usize::MAX);
        let mut listed = self.list(cx, &whole)?;
        let keys = listed.items.iter().filter_map(|key| key.id.parse().ok()).collect();
        listed.items.truncate(limit);
        Ok((listed, keys))
    }

    fn list_again(&self, cx: &Context, request: &List, keys: &[KeyId]) -> Result<Vec<KeyView>> {
        let mut listed = self.list(cx, request)?.items;
        listed.retain(|key| keys.iter().any(|one| one.as_str() == key.id));
        Ok(listed)
    }

    fn stage(&self, cx: &Context, request: &Stage) -> Result<Staged> {
        let (key, query) = (request.key.to_string(), which(request.environment));
        let path = ["v1", "keys", &key, "rotations"];
        self.once::<StagedReply>(cx, &path, &query, request, request.idempotency_key.as_deref())?.try_into()
    }

    fn rotate(&self, cx: &Context, request: &Stage) -> Result<Staged> {
        let (key, query) = (request.key.to_string(), which(request.environment));
        let body = RotateBody {
            overlap: request.overlap,
            renew: request.renew,
            reinstate: request.reinstate,
            supersede: request.supersede,
        };
        let path = ["v1", "keys", &key, "rotate"];
        self.once::<RotateReply>(cx, &path, &query, &body, request.idempotency_key.as_deref())?.try_into()
    }

    fn rotation_step(&self, cx: &Context, step: Step) -> Result<RotationView> {
        let body = StepBody { secret: step.secret.to_string(), sink: step.sink, progress: (&step.progress).into() };
        let path = ["v1", "rotations", step.rotation.as_str(), "steps"];
        Ok(self.change::<RotationReply>(cx, Method::POST, &path, &[], &body)?.rotation)
    }

    fn verify(&self, cx: &Context, request: &Verify) -> Result<Verdict> {
        let asked = &request.request;
        if request.record.is_some() {
            cx.writable()?;
        }
        let body = VerifyRequest {
            key: request.token.as_str().to_owned(),
            environment: asked.environment.map(|environment| environment.to_string()),
            scopes: asked.scopes.iter().map(ToString::to_string).collect(),
            project: asked.project.clone(),
            customer: asked.customer.clone(),
            ip: asked.ip.map(|ip| ip.to_string()),
            cost: None,
            user_agent: request.record.as_ref().and_then(|recording| recording.user_agent.clone()),
            record: request.record.is_some() && !cx.dry_run,
            explain: true,
            at: request.at.map(format_time),
        };
        if body.record {
            // A use that is recorded twice would be counted twice.
            return self.change(cx, Method::POST, &["v1", "verify"], &[], &body);
        }
        self.ask(cx, &["v1", "verify"], &body)
    }

    fn identify(&self, _cx: &Context, _request: &Identify) -> Result<Vec<Identified>> {
        Err(only_local("identify"))
    }

    fn import(
        &self,
        _cx: &Context,
        _form: &Form,
        _requests: Vec<Import>,
        _progress: &mut dyn FnMut(usize),
    ) -> std::result::Result<Vec<Created>, BulkError> {
        Err(BulkError::Whole(only_local("importing keys")))
    }

    fn plan(&self, cx: &Context, request: &Apply) -> Result<Plan> {
        Ok(self.ask::<PlanReply>(cx, &["v1", "keys", "plan"], request)?.plan)
    }

    fn apply(&self, cx: &Context, request: &Apply) -> Result<Applied> {
        let path = ["v1", "keys", "apply"];
        self.change::<AppliedReply>(cx, Method::POST, &path, &[], request)?.try_into()
    }

    fn usage(&self, cx: &Context, query: &UsageQuery) -> Result<UsageReport> {
        let mut asked: Query = which(query.environment);
        asked.extend(query.key.as_ref().map(|key| ("key", key.to_string())));
        asked.extend(query.since.map(|since| ("since", format_time(since))));
        asked.push(("by", query.by.to_string()));
        asked.extend(mine(query.mine));
        Ok(self.get::<UsageReply>(Some(cx), &["v1", "usage"], &asked)?.report)
    }

    fn logs(&self, cx: &Context, query: &LogQuery) -> Result<Logs> {
        let mut asked: Query = which(query.environment);
        asked.extend(query.key.as_ref().map(|key| ("key", key.to_string())));
        asked.extend(query.since.map(|since| ("since", format_time(since))));
        asked.extend(query.after.map(|after| ("after", after.to_string())));
        asked.extend(query.limit.map(|limit| ("limit", limit.to_string())));
        asked.push(("denied", query.denied.to_string()));
        asked.extend(query.code.as_ref().map(|code| ("code", code.clone())));
        asked.extend(query.status.map(|status| ("status", status.to_string())));
        asked.extend(query.path.as_ref().map(|path| ("path", path.clone())));
        asked.extend(query.address.map(|address| ("address", address.to_string())));
        asked.extend(query.operator.as_ref().map(|operator| ("operator", operator.clone())));
        asked.extend(query.operators.then(|| ("operators", "true".to_owned())));
        asked.extend(mine(query.mine));
        let page: LogPage = self.get(Some(cx), &["v1", "logs"], &asked)?;
        Ok(Logs { items: page.items, total: page.page.total })
    }

    fn retention(&self, cx: &Context) -> Result<Retention> {
        self.get::<RetentionBody>(Some(cx), &["v1", "usage", "retention"], &[])?.try_into()
    }

    fn retain(&self, cx: &Context, retention: &Retention) -> Result<Retention> {
        let body = RetentionBody::from(retention);
        self.change::<RetentionBody>(cx, Method::PUT, &["v1", "usage", "retention"], &[], &body)?.try_into()
    }

    fn add_webhook(&self, cx: &Context, request: AddWebhook) -> Result<AddedWebhook> {
        Ok(self.change::<AddedWebhookReply>(cx, Method::POST, &["v1", "webhooks"], &[], &request)?.into())
    }

    fn test_webhook(&self, cx: &Context, name: &str) -> Result<String> {
        let path = ["v1", "webhooks", name, "test"];
        Ok(self.change::<WebhookTested>(cx, Method::POST, &path, &[], &json!({}))?.message)
    }

    fn refuse(&self, _cx: &Context, _action: Action, _target: &str, _error: &Error) -> Result<()> {
        // The server records its own refusals.
        Ok(())
    }

    fn credentials_refused(&self, _cx: &Context, _report: &CredentialReport) -> Result<()> {
        // The server records its own refusals.
        Ok(())
    }

    fn status(&self, _cx: &Context) -> Result<VaultStatus> {
        Err(only_local("the state of the vault"))
    }

    fn slots(&self, _cx: &Context) -> Result<Vec<SlotView>> {
        Err(only_local("a slot"))
    }

    fn add_slot(&self, _cx: &Context, _slot: NewSlot) -> Result<SlotView> {
        Err(only_local("a slot"))
    }

    fn remove_slot(&self, _cx: &Context, _id: &str) -> Result<SlotView> {
        Err(only_local("a slot"))
    }

    fn rekey(&self, _cx: &Context, _request: &Rekey) -> Result<Rekeyed> {
        Err(only_local("re-keying"))
    }

    fn backup(&self, _cx: &Context, _file: &Path) -> Result<u64> {
        Err(only_local("a backup"))
    }

    fn stream_backup(&self, _cx: &Context, _out: &mut dyn std::io::Write) -> Result<u64> {
        Err(only_local("a backup"))
    }

    fn open_session(&self, _cx: &Context, _until: Time) -> Result<Zeroizing<String>> {
        Err(only_local("unlocking"))
    }
}
