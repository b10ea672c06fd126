//! Every use case as a call.

use super::Remote;
use crate::{
    backend::{Backend, BulkError, Runner},
    domain::{Verdict, time::format_time},
    ops::{Context, CreateMany, Created, Error, Kind, List, Listed, Result, Verify, key_query::query_of},
    wire::{
        keys::{KeyPage, MAX_PAGE},
        verdict::VerifyRequest,
    },
};
use reqwest::Method;

impl Backend for Remote {
    fn runner(&self) -> Runner<'_> {
        Runner::There(self)
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
}
