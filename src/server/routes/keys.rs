//! The keys: list, create, show, update, delete, and the switches of their life.

use super::{Which, WhichIfIdle};
#[cfg(test)]
use crate::wire::{
    header::{IdempotencyKey, IfMatch},
    keys::{KeyReply, ListParameters, RefusedEntries},
    problem::MEDIA_TYPE,
};
use crate::{
    backend::{Backend, BulkError},
    domain::{KeyFilter, KeyRef, Permission},
    ops::{Context, Create, CreateMany, Delete, Error, KeyView, List, Listed, Result, Show, Switch, SwitchKey, Update},
    server::{
        app::App,
        body::{Nothing, Path, Query, Sent, put, reply},
        caller::Caller,
        listings::{Cursor, Listings},
        problem::{Failed, refused_entries},
    },
    wire::keys::{CreatedList, CreatedReply, KeyPage, MAX_PAGE, PAGE, StopBody, UpdatedReply, filter_of, within_bulk},
};
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{TimeDelta, Utc};
use serde_json::json;
use std::sync::Arc;

/// A file of 100,000 keys.
const BULK: usize = 64 * 1024 * 1024;

/// The key that a path names.
pub(super) fn key_ref(text: &str) -> Result<KeyRef> {
    text.parse().map_err(|error: crate::domain::RefError| Error::usage(error.to_string()))
}

/// One key, with the version that `If-Match` compares.
pub(super) fn one(status: StatusCode, key: &KeyView, changed: Option<bool>) -> Result<Response, Failed> {
    let mut body = json!({ "schema": "keyward.key/v1", "key": key });
    if let Some(changed) = changed {
        body["changed"] = json!(changed);
    }
    let mut response = reply(status, &body)?;
    put(response.headers_mut(), "etag", &format!("\"v{}\"", key.version));
    Ok(response)
}

/// Keys, a page of them
///
/// Active and inactive ones, soonest expiry first, unless the query says otherwise.
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/keys", operation_id = "list_keys", tag = "keys",
    params(ListParameters),
    responses((status = 200, description = "A page of keys.", body = KeyPage)),
    security(("operator" = [])),
))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failed> {
    let filter = filter_of(&query, Utc::now())?;
    let given = |name: &str| query.iter().find(|(held, _)| held == name).map(|(_, value)| value.clone());
    let bad = || Error::usage(format!("'limit' is a number from 1 to {MAX_PAGE}"));
    let limit = given("limit").map_or(Ok(PAGE), |limit| limit.parse().map_err(|_| bad()))?;
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(bad().into());
    }
    // Whoever rotates has to know what is due.
    let permission = match filter.due_within {
        Some(_) => caller.either(Permission::ReadKeys, Permission::RotateKeys),
        // Whoever makes keys has to find its own again.
        None if filter.mine => caller.either(Permission::ReadKeys, Permission::CreateKeys),
        None => Permission::ReadKeys,
    };
    let cx = caller.permitted(&app, permission, "keys").await?;
    let asked = format!("{}\0{}\0{filter:?}", cx.actor, cx.workspace);
    let cursor = given("cursor").map(|cursor| Cursor::parse(&cursor, &asked)).transpose()?;
    let page = app.ask({
        let app = Arc::clone(&app);
        move |backend| page(&app.listings, backend, &cx, (filter, asked), (cursor, limit))
    });
    Ok(reply(StatusCode::OK, &page.await?)?)
}

/// A page of a list; only the first one looks at every key.
fn page(
    listings: &Listings,
    backend: &dyn Backend,
    cx: &Context,
    (filter, asked): (KeyFilter, String),
    (cursor, limit): (Option<Cursor>, usize),
) -> Result<KeyPage> {
    let mut request = List { filter };
    let Some(cursor) = cursor else {
        request.filter.limit = Some(limit);
        let (Listed { items, total, hidden }, keys) = backend.list_in_order(cx, &request)?;
        let next = if total > limit { listings.keep(asked, keys, hidden.clone()).cursor(limit) } else { None };
        return Ok(KeyPage::of(items, total, next, hidden));
    };
    let listing = match listings.of(&cursor, &asked) {
        Some(listing) => listing,
        None => {
            request.filter.limit = Some(0);
            let (Listed { hidden, .. }, keys) = backend.list_in_order(cx, &request)?;
            listings.keep(asked, keys, hidden)
        }
    };
    let from = listing.place(&cursor).min(listing.keys.len());
    let end = (from + limit).min(listing.keys.len());
    let items = backend.list_again(cx, &request, &listing.keys[from..end])?;
    Ok(KeyPage::of(items, listing.keys.len(), listing.cursor(end), listing.hidden.clone()))
}

/// Create a key
///
/// The answer is the only one that ever holds its secret.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/keys", operation_id = "create_key", tag = "keys",
    params(IdempotencyKey),
    request_body = Create,
    responses((status = 201, description = "The key with its secret.", body = CreatedReply),
        (status = 200, description = "The key was there before, and the request says that this is an answer.", body = CreatedReply)),
    security(("operator" = [])),
))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(mut request): Sent<Create>,
) -> Result<Response, Failed> {
    request.idempotency_key = caller.idempotency_key.clone().or(request.idempotency_key);
    let cx = caller.permitted(&app, Permission::CreateKeys, &request.name).await?;
    let created = app.change(move |backend| backend.create(&cx, request)).await?;
    let status = if created.existed { StatusCode::OK } else { StatusCode::CREATED };
    let mut response = reply(status, &CreatedReply::from(&created))?;
    put(response.headers_mut(), "location", &format!("/v1/keys/{}", created.key.id));
    put(response.headers_mut(), "etag", &format!("\"v{}\"", created.key.version));
    Ok(response)
}

/// Create many keys, all or none
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/keys/bulk", operation_id = "create_keys", tag = "keys",
    request_body = CreateMany,
    responses((status = 201, description = "The keys with their secrets, in the order of the request.", body = CreatedList),
        (status = 422, description = "Some entries are wrong; nothing was created.", body = RefusedEntries, content_type = MEDIA_TYPE)),
    security(("operator" = [])),
))]
pub(super) async fn create_many(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(request): Sent<CreateMany, BULK>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::CreateKeys, "keys").await?;
    within_bulk(request.keys.len())?;
    // An entry's error and an error of the whole are told apart after the transaction is gone.
    let made = app.change(move |backend| Ok(backend.create_many(&cx, request, &mut |_| (), &mut |_| Ok(())))).await?;
    match made {
        Ok(made) => {
            let items = made.iter().map(CreatedReply::from).collect();
            Ok(reply(StatusCode::CREATED, &CreatedList { schema: "keyward.minted-list/v1".to_owned(), items })?)
        }
        Err(BulkError::Whole(error)) => Err(error.into()),
        Err(BulkError::Entries(entries)) => Ok(refused_entries(entries)?),
    }
}

/// One key
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/keys/{key}", operation_id = "show_key", tag = "keys",
    params(("key" = String, Path, description = "The id of the key, its name, or a prefix of its id."), Which),
    responses((status = 200, description = "The key.", body = KeyReply)),
    security(("operator" = [])),
))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(key): Path<String>,
    Query(which): Query<Which>,
) -> Result<Response, Failed> {
    let request = Show { key: key_ref(&key)?, environment: which.environment()? };
    // Whoever rotates a key is told of it anyway.
    let permission = caller.either(Permission::ReadKeys, Permission::RotateKeys);
    let cx = caller.permitted(&app, permission, &key).await?;
    one(StatusCode::OK, &app.ask(move |backend| backend.show(&cx, &request)).await?, None)
}

/// Change a key, never its expiry
///
/// What is absent stays; null clears.
#[cfg_attr(test, utoipa::path(
    patch, path = "/v1/keys/{key}", operation_id = "update_key", tag = "keys",
    params(("key" = String, Path, description = "The id of the key, its name, or a prefix of its id."), Which, IfMatch),
    request_body = Update,
    responses((status = 200, description = "The key, and what changed.", body = UpdatedReply)),
    security(("operator" = [])),
))]
pub(super) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(key): Path<String>,
    Query(which): Query<Which>,
    Sent(mut request): Sent<Update>,
) -> Result<Response, Failed> {
    (request.key, request.environment) = (key_ref(&key)?, which.environment()?);
    let cx = caller.permitted(&app, Permission::UpdateKeys, &key).await?;
    let updated = app.change(move |backend| backend.update(&cx, request)).await?;
    let mut response = reply(StatusCode::OK, &UpdatedReply::from(&updated))?;
    put(response.headers_mut(), "etag", &format!("\"v{}\"", updated.key.version));
    Ok(response)
}

/// Delete a key for good; its trail stays
#[cfg_attr(test, utoipa::path(
    delete, path = "/v1/keys/{key}", operation_id = "delete_key", tag = "keys",
    params(("key" = String, Path, description = "The id of the key, its name, or a prefix of its id."), WhichIfIdle, IfMatch),
    responses((status = 200, description = "The key as it was.", body = KeyReply)),
    security(("operator" = [])),
))]
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(key): Path<String>,
    Query(which): Query<WhichIfIdle>,
) -> Result<Response, Failed> {
    let only_if_idle = which.only_if_idle()?;
    let request = Delete { key: key_ref(&key)?, environment: which.environment()?, only_if_idle };
    let cx = caller.permitted(&app, Permission::DeleteKeys, &key).await?;
    let deleted = app.change(move |backend| backend.delete(&cx, &request)).await?;
    one(StatusCode::OK, &deleted.key, None)
}

/// Switch a key on again
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/keys/{key}/activate", operation_id = "activate_key", tag = "keys",
    params(("key" = String, Path, description = "The id of the key, its name, or a prefix of its id."), Which, IfMatch),
    responses((status = 200, description = "The key, and whether anything changed.", body = KeyReply)),
    security(("operator" = [])),
))]
pub(super) async fn activate(
    state: State<Arc<App>>,
    caller: Caller,
    key: Path<String>,
    which: Query<Which>,
    _: Sent<Nothing>,
) -> Result<Response, Failed> {
    switch(state, caller, key, which, Permission::ActivateKeys, (Switch::Activate, None)).await
}

/// Switch a key off
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/keys/{key}/deactivate", operation_id = "deactivate_key", tag = "keys",
    params(("key" = String, Path, description = "The id of the key, its name, or a prefix of its id."), Which, IfMatch),
    request_body = Option<StopBody>,
    responses((status = 200, description = "The key, and whether anything changed.", body = KeyReply)),
    security(("operator" = [])),
))]
pub(super) async fn deactivate(
    state: State<Arc<App>>,
    caller: Caller,
    key: Path<String>,
    which: Query<Which>,
    Sent(body): Sent<StopBody>,
) -> Result<Response, Failed> {
    switch(state, caller, key, which, Permission::StopKeys, (Switch::Deactivate, body.only_if_idle)).await
}

/// Cut a key off for good
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/keys/{key}/revoke", operation_id = "revoke_key", tag = "keys",
    params(("key" = String, Path, description = "The id of the key, its name, or a prefix of its id."), Which, IfMatch),
    request_body = Option<StopBody>,
    responses((status = 200, description = "The key, and whether anything changed.", body = KeyReply)),
    security(("operator" = [])),
))]
pub(super) async fn revoke(
    state: State<Arc<App>>,
    caller: Caller,
    key: Path<String>,
    which: Query<Which>,
    Sent(body): Sent<StopBody>,
) -> Result<Response, Failed> {
    switch(state, caller, key, which, Permission::StopKeys, (Switch::Revoke, body.only_if_idle)).await
}

async fn switch(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(key): Path<String>,
    Query(which): Query<Which>,
    permission: Permission,
    (switch, only_if_idle): (Switch, Option<TimeDelta>),
) -> Result<Response, Failed> {
    let request = SwitchKey { key: key_ref(&key)?, environment: which.environment()?, switch, only_if_idle };
    let cx = caller.permitted(&app, permission, &request.key.to_string()).await?;
    let switched = app.change(move |backend| backend.switch(&cx, &request)).await?;
    one(StatusCode::OK, &switched.key, Some(switched.changed))
}
