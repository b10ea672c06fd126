//! What serves a use case that is declared in [`crate::ops::case`]: its line in the router, and its entry in the OpenAPI
//! document.
//!
//! The permission is asked here and nowhere else: only [`Caller::granted`] makes the circumstances of a call, and it takes
//! the use case that they are for.

use super::{
    app::App,
    body::{Query, object, read, reply},
    caller::Caller,
    problem::Failed,
};
use crate::{
    backend::Backend,
    ops::{
        Abort, CarryKeys, ChangeScopes, Check, CheckKey, Commit, Context, ExportKeys, ListRotations, ListScopes,
        Prolong, Result, ShowRotation, ShowScope,
        case::{Ask, Change, Method, Route, UseCase},
        operators::{CreateOperator, ListOperators, RevokeOperator, RotateOperator},
        webhooks::{ListWebhooks, RemoveWebhook},
    },
    wire::{
        packed::unpack,
        told::{Described, Told},
    },
};
use axum::{
    Router,
    body::Body,
    extract::{RawPathParams, State},
    http::StatusCode,
    response::Response,
    routing::{MethodFilter, MethodRouter, on},
};
use std::sync::Arc;

/// One use case as the server has it.
pub(super) struct Door {
    route: Route,
    serve: fn(Route) -> MethodRouter<Arc<App>>,
    #[cfg(test)]
    describe: fn(&mut serde_json::Value),
}

impl Door {
    /// One that changes nothing.
    fn asks<Q: Ask + Described>() -> Self
    where
        Q::Outcome: Told,
    {
        Self {
            route: Q::ROUTE,
            serve: |route| on(filter(route.method), asked::<Q>),
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
            serve: |route| on(filter(route.method), changed::<C>),
            #[cfg(test)]
            describe: super::openapi::declared::describe::<C>,
        }
    }
}

/// Every use case that is declared.
fn doors() -> [Door; 18] {
    [
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
        Door::asks::<ListWebhooks>(),
        Door::changes::<RemoveWebhook>(),
        Door::asks::<ListOperators>(),
        Door::changes::<CreateOperator>(),
        Door::changes::<RotateOperator>(),
        Door::changes::<RevokeOperator>(),
    ]
}

/// Adds them to a router.
pub(super) fn routed(router: Router<Arc<App>>) -> Router<Arc<App>> {
    doors().into_iter().fold(router, |router, door| router.route(door.route.path, (door.serve)(door.route)))
}

/// Adds them to the OpenAPI document.
#[cfg(test)]
pub(super) fn described(document: &mut serde_json::Value) {
    doors().iter().for_each(|door| (door.describe)(document));
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

/// A declared request is no bulk.
const MOST_BYTES: usize = 1024 * 1024;

type Parameters = Query<Vec<(String, String)>>;

async fn asked<Q: Ask>(
    State(app): State<Arc<App>>,
    caller: Caller,
    path: RawPathParams,
    query: Parameters,
    body: Body,
) -> Result<Response, Failed>
where
    Q::Outcome: Told,
{
    let (request, cx) = taken::<Q>(&app, &caller, &path, query, body).await?;
    let ask = move |backend: &dyn Backend| backend.ask(&cx, &request);
    told(&Q::ROUTE, if Q::ROUTE.long { app.ask_at_length(ask).await? } else { app.ask(ask).await? })
}

async fn changed<C: Change>(
    State(app): State<Arc<App>>,
    caller: Caller,
    path: RawPathParams,
    query: Parameters,
    body: Body,
) -> Result<Response, Failed>
where
    C::Outcome: Told,
{
    let (request, cx) = taken::<C>(&app, &caller, &path, query, body).await?;
    told(&C::ROUTE, app.change(move |backend| backend.change(&cx, request)).await?)
}

/// The request, and the circumstances of the call, once they are granted.
async fn taken<Q: UseCase>(
    app: &Arc<App>,
    caller: &Caller,
    path: &RawPathParams,
    Query(query): Parameters,
    body: Body,
) -> Result<(Q, Context), Failed> {
    let path = path.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    let body = read(body, MOST_BYTES).await?;
    let request: Q = unpack(&Q::ROUTE, path, query, &object(&body)?)?;
    let cx = caller.granted(app, &request).await?;
    Ok((request, cx))
}

fn told<T: Told>(route: &Route, outcome: T) -> Result<Response, Failed> {
    let status = route.answers.first().and_then(|(status, _)| StatusCode::from_u16(*status).ok());
    Ok(reply(status.unwrap_or(StatusCode::OK), &outcome.tell())?)
}
