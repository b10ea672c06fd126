//! What serves a use case that is declared in [`crate::ops::case`]: its line in the router, and its entry in the OpenAPI
//! document.
//!
//! The permission is asked here and nowhere else: only [`Caller::granted`] makes the circumstances of a call, and it takes
//! the use case that they are for.

use super::{
    app::App,
    body::{Path, Query, object, put, read, reply},
    caller::Caller,
    possession::Possession,
    problem::Failed,
};
use crate::{
    backend::{Backend, procedure::Procedure},
    ops::{
        Abort, Activate, Apply, CarryKeys, ChangeScopes, Check, CheckKey, Commit, Context, Create, CreateObject,
        Deactivate, Delete, DeleteObject, Error, ExportKeys, ListObjects, ListRotations, ListScopes, LogQuery,
        PlanKeys, Prolong, Result, Revoke, RevokeSelf, Rotate, Show, ShowDemands, ShowObject, ShowRetention,
        ShowRotation, ShowScope, ShowSelf, Stage, Step, Update, UpdateObject, UsageQuery, UsageRetention,
        audit::ShowEvent,
        audit_checkpoint::{MakeCheckpoint, ProveEvent},
        audit_review::{RecordReview, ShowReview},
        case::{Ask, Change, Method, Route, UseCase},
        holder::{ABORT_OWN, SHOW_OWN, STEP_OWN},
        many::ChangeKeys,
        objects::CREATE_PROJECT,
        operators::{CreateOperator, ListOperators, RevokeOperator, RotateOperator},
        trusts::{AddTrust, ListTrusts, RemoveTrust},
        webhooks::{AddWebhook, ListWebhooks, RemoveWebhook, TestWebhook},
    },
    wire::{
        keys::within_bulk,
        packed::unpack,
        told::{Described, Told},
    },
};
use axum::{
    Router,
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use std::sync::Arc;

/// One use case as the server has it.
pub(super) struct Door {
    route: Route,
    serve: fn(Route) -> MethodRouter<Arc<App>>,
    #[cfg(test)]
    describe: fn(&Route, &mut serde_json::Value),
}

impl Door {
    /// One that changes nothing.
    fn asks<Q: Ask + Described>() -> Self
    where
        Q::Outcome: Told,
    {
        Self {
            route: Q::ROUTE,
            serve: |route| on(filter(route.method), move |call: Call| asked::<Q>(route, call)),
            #[cfg(test)]
            describe: super::openapi::declared::describe::<Q>,
        }
    }

    /// One that changes something.
    fn changes<C: Change + Described>() -> Self
    where
        C::Outcome: Told,
    {
        Self {
            route: C::ROUTE,
            serve: |route| on(filter(route.method), move |call: Call| changed::<C>(route, call)),
            #[cfg(test)]
            describe: super::openapi::declared::describe::<C>,
        }
    }

    /// One that changes nothing, of the holder of a key.
    fn holder_asks<Q: Ask + Described>() -> Self
    where
        Q::Outcome: Told,
    {
        Self {
            route: Q::ROUTE,
            serve: |route| on(filter(route.method), move |call: HeldCall| asked_by_holder::<Q>(route, call)),
            #[cfg(test)]
            describe: super::openapi::declared::describe::<Q>,
        }
    }

    /// One that changes something, of the holder of a key.
    fn holder_changes<C: Change + Described>() -> Self
    where
        C::Outcome: Told,
    {
        Self {
            route: C::ROUTE,
            serve: |route| on(filter(route.method), move |call: HeldCall| changed_by_holder::<C>(route, call)),
            #[cfg(test)]
            describe: super::openapi::declared::describe::<C>,
        }
    }

    /// One that takes several steps.
    fn runs<P: Procedure + Described>() -> Self
    where
        P::Outcome: Told,
    {
        Self {
            route: P::ROUTE,
            serve: |route| on(filter(route.method), move |call: Call| ran::<P>(route, call)),
            #[cfg(test)]
            describe: super::openapi::declared::describe::<P>,
        }
    }

    /// The same in another place.
    fn at(self, route: Route) -> Self {
        Self { route, ..self }
    }
}

/// Every use case that is declared.
fn doors() -> Vec<Door> {
    vec![
        Door::runs::<Create>(),
        Door::asks::<PlanKeys>(),
        Door::runs::<Apply>(),
        Door::runs::<Stage>(),
        Door::runs::<Rotate>(),
        Door::changes::<Step>(),
        Door::asks::<Show>(),
        Door::changes::<Update>(),
        Door::changes::<Delete>(),
        Door::changes::<Activate>(),
        Door::changes::<Deactivate>(),
        Door::changes::<Revoke>(),
        Door::changes::<ChangeKeys>(),
        Door::asks::<ListObjects>(),
        Door::asks::<ShowObject>(),
        Door::changes::<CreateObject>(),
        Door::changes::<CreateObject>().at(CREATE_PROJECT),
        Door::changes::<UpdateObject>(),
        Door::changes::<DeleteObject>(),
        Door::asks::<ShowDemands>(),
        Door::asks::<ListScopes>(),
        Door::asks::<ShowScope>(),
        Door::changes::<ChangeScopes>(),
        Door::asks::<ListRotations>(),
        Door::asks::<ShowRotation>(),
        Door::changes::<Commit>(),
        Door::changes::<Abort>(),
        Door::changes::<Prolong>(),
        Door::asks::<ExportKeys>(),
        Door::changes::<CarryKeys>(),
        Door::asks::<Check>(),
        Door::asks::<CheckKey>(),
        Door::asks::<UsageQuery>(),
        Door::asks::<LogQuery>(),
        Door::asks::<ShowRetention>(),
        Door::changes::<UsageRetention>(),
        Door::asks::<ShowEvent>(),
        Door::asks::<ProveEvent>(),
        Door::runs::<MakeCheckpoint>(),
        Door::asks::<ShowReview>(),
        Door::changes::<RecordReview>(),
        Door::runs::<AddWebhook>(),
        Door::runs::<TestWebhook>(),
        Door::asks::<ListWebhooks>(),
        Door::changes::<RemoveWebhook>(),
        Door::asks::<ListOperators>(),
        Door::changes::<CreateOperator>(),
        Door::changes::<RotateOperator>(),
        Door::changes::<RevokeOperator>(),
        Door::asks::<ListTrusts>(),
        Door::changes::<AddTrust>(),
        Door::changes::<RemoveTrust>(),
        Door::holder_asks::<ShowSelf>(),
        Door::holder_changes::<RevokeSelf>(),
        Door::holder_asks::<ShowRotation>().at(SHOW_OWN),
        Door::holder_changes::<Step>().at(STEP_OWN),
        Door::holder_changes::<Abort>().at(ABORT_OWN),
    ]
}

/// Adds them to a router.
pub(super) fn routed(router: Router<Arc<App>>) -> Router<Arc<App>> {
    doors().into_iter().fold(router, |router, door| router.route(door.route.path, (door.serve)(door.route)))
}

/// Adds them to the OpenAPI document.
#[cfg(test)]
pub(super) fn described(document: &mut serde_json::Value) {
    doors().iter().for_each(|door| (door.describe)(&door.route, document));
}

fn filter(method: Method) -> MethodFilter {
    match method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Patch => MethodFilter::PATCH,
        Method::Delete => MethodFilter::DELETE,
    }
}

/// A call of an operator, before its use case is known.
struct Call {
    app: Arc<App>,
    caller: Caller,
    path: Vec<(String, String)>,
    query: Vec<(String, String)>,
    body: Body,
}

impl FromRequest<Arc<App>> for Call {
    type Rejection = Failed;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Failed> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let Path(path) = Path::from_request_parts(&mut parts, app).await?;
        let Query(query) = Query::from_request_parts(&mut parts, app).await?;
        Ok(Self { app: Arc::clone(app), caller, path, query, body })
    }
}

impl Call {
    /// The request, and the circumstances of the call, once they are granted.
    async fn taken<Q: UseCase>(self, route: &Route) -> Result<(Arc<App>, Q, Context), Failed> {
        let body = read(self.body, route.most_bytes).await?;
        let mut request: Q = unpack(route, self.path, self.query, &object(&body)?)?;
        if let (Some(kept), Some(told)) = (request.idempotency_key(), &self.caller.idempotency_key) {
            *kept = Some(told.clone());
        }
        let cx = self.caller.granted(&self.app, &request).await?;
        if cx.expected_version.is_some() && !route.if_match {
            // Whoever names a version must not be changed past.
            return Err(Error::usage("If-Match is heeded where one key is changed, and not here").into());
        }
        within_bulk(request.size())?;
        Ok((self.app, request, cx))
    }
}

/// A call of the holder of a key, before its use case is known.
struct HeldCall {
    app: Arc<App>,
    holder: Possession,
    path: Vec<(String, String)>,
    query: Vec<(String, String)>,
    body: Body,
}

impl FromRequest<Arc<App>> for HeldCall {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let holder = Possession::from_request_parts(&mut parts, app).await?;
        let path = Path::from_request_parts(&mut parts, app).await;
        let Path(path) = path.map_err(IntoResponse::into_response)?;
        let query = Query::from_request_parts(&mut parts, app).await;
        let Query(query) = query.map_err(IntoResponse::into_response)?;
        Ok(Self { app: Arc::clone(app), holder, path, query, body })
    }
}

impl HeldCall {
    /// The request, and the circumstances of the call.
    async fn taken<Q: UseCase>(self, route: &Route) -> Result<(Arc<App>, Possession, Q, Context), Failed> {
        let body = read(self.body, route.most_bytes).await?;
        let request: Q = unpack(route, self.path, self.query, &object(&body)?)?;
        let cx = self.holder.granted(&request)?;
        Ok((self.app, self.holder, request, cx))
    }
}

async fn asked_by_holder<Q: Ask>(route: Route, call: HeldCall) -> Result<Response, Failed>
where
    Q::Outcome: Told,
{
    let (app, holder, request, cx) = call.taken::<Q>(&route).await?;
    match app.ask(move |backend| backend.ask(&cx, &request)).await {
        Ok(outcome) => told(&route, outcome),
        Err(error) => Ok(holder.failed(&app, error)),
    }
}

async fn changed_by_holder<C: Change>(route: Route, call: HeldCall) -> Result<Response, Failed>
where
    C::Outcome: Told,
{
    let (app, holder, request, cx) = call.taken::<C>(&route).await?;
    match app.change(move |backend| backend.change(&cx, request)).await {
        Ok(outcome) => told(&route, outcome),
        Err(error) => Ok(holder.failed(&app, error)),
    }
}

async fn asked<Q: Ask>(route: Route, call: Call) -> Result<Response, Failed>
where
    Q::Outcome: Told,
{
    let (app, request, cx) = call.taken::<Q>(&route).await?;
    answer(&app, &route, cx, request).await
}

async fn changed<C: Change>(route: Route, call: Call) -> Result<Response, Failed>
where
    C::Outcome: Told,
{
    let (app, request, cx) = call.taken::<C>(&route).await?;
    if request.looks_at_use() {
        // Also uses of a moment ago count, which wait here to be written.
        app.uses.now().await?;
    }
    told(&route, app.change(move |backend| backend.change(&cx, request)).await?)
}

async fn ran<P: Procedure>(route: Route, call: Call) -> Result<Response, Failed>
where
    P::Outcome: Told,
{
    let (app, request, cx) = call.taken::<P>(&route).await?;
    let changes = request.changes();
    let run = move |backend: &dyn Backend| backend.run(&cx, request);
    told(&route, if changes { app.change(run).await? } else { app.ask(run).await? })
}

/// What an operator is answered who asks where the holders of keys ask as well.
pub(super) async fn asks<Q: Ask>(app: &Arc<App>, caller: &Caller, request: Q) -> Result<Response, Failed>
where
    Q::Outcome: Told,
{
    let cx = caller.granted(app, &request).await?;
    answer(app, &Q::ROUTE, cx, request).await
}

async fn answer<Q: Ask>(app: &Arc<App>, route: &Route, cx: Context, request: Q) -> Result<Response, Failed>
where
    Q::Outcome: Told,
{
    let ask = move |backend: &dyn Backend| backend.ask(&cx, &request);
    told(route, if route.long { app.ask_at_length(ask).await? } else { app.ask(ask).await? })
}

fn told<T: Told>(route: &Route, outcome: T) -> Result<Response, Failed> {
    let head = outcome.head();
    let status =
        head.status.or_else(|| Some(route.answers.first()?.0)).and_then(|status| StatusCode::from_u16(status).ok());
    let mut response = reply(status.unwrap_or(StatusCode::OK), &outcome.tell())?;
    if let Some(version) = head.version {
        put(response.headers_mut(), "etag", &format!("\"v{version}\""));
    }
    if let Some(path) = &head.location {
        put(response.headers_mut(), "location", path);
    }
    Ok(response)
}
