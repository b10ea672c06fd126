//! The keys: list, create, show, update, delete, and the switches of their life.

use super::Which;
use crate::{
    backend::BulkError,
    domain::{KeyRef, Permission},
    ops::{Create, Delete, Error, KeyView, List, Result, Show, Switch, Update},
    server::{
        app::App,
        body::{Sent, put, reply},
        caller::Caller,
        problem::{Failed, refused_entries},
    },
    wire::keys::{CreateMany, CreatedList, CreatedReply, KeyPage, MAX_PAGE, PAGE, PageInfo, UpdatedReply, filter_of},
};
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
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

pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failed> {
    let filter = filter_of(&query)?;
    let given = |name: &str| query.iter().find(|(held, _)| held == name).map(|(_, value)| value.clone());
    let bad = || Error::usage(format!("'limit' is a number from 1 to {MAX_PAGE}"));
    let limit = given("limit").map_or(Ok(PAGE), |limit| limit.parse().map_err(|_| bad()))?;
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(bad().into());
    }
    let cursor = given("cursor");
    let cx = caller.permitted(&app, Permission::ReadKeys, "keys").await?;
    let listed = app.ask(move |backend| backend.list(&cx, &List { filter })).await?;
    let from = cursor.map_or(Ok(0), |cursor| place(&cursor, &listed.items))?;
    let total = listed.total;
    let items: Vec<KeyView> = listed.items.into_iter().skip(from).take(limit).collect();
    let end = from + items.len();
    let next = items.last().filter(|_| end < total).map(|last| format!("{end}.{}", last.id));
    let page = PageInfo { returned: items.len(), total, truncated: next.is_some(), next };
    let page = KeyPage { schema: "keyward.key-list/v1".to_owned(), items, page, hidden: listed.hidden };
    Ok(reply(StatusCode::OK, &page)?)
}

/// Where a cursor stands: after the last key of the page before, or, when that is gone, where it was.
fn place(cursor: &str, items: &[KeyView]) -> Result<usize> {
    let (offset, id) = cursor.split_once('.').ok_or_else(|| Error::usage("the cursor is none of ours"))?;
    let offset: usize = offset.parse().map_err(|_| Error::usage("the cursor is none of ours"))?;
    Ok(items.iter().position(|key| key.id == id).map_or(offset.saturating_sub(1), |index| index + 1))
}

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

pub(super) async fn create_many(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(request): Sent<CreateMany, BULK>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::CreateKeys, "keys").await?;
    // An entry's error and an error of the whole are told apart after the transaction is gone.
    let made = app.change(move |backend| Ok(backend.create_many(&cx, request.keys, &mut |_| ()))).await?;
    match made {
        Ok(made) => {
            let items = made.iter().map(CreatedReply::from).collect();
            Ok(reply(StatusCode::CREATED, &CreatedList { schema: "keyward.key-list/v1".to_owned(), items })?)
        }
        Err(BulkError::Whole(error)) => Err(error.into()),
        Err(BulkError::Entries(entries)) => Ok(refused_entries(&entries)?),
    }
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(key): Path<String>,
    Query(which): Query<Which>,
) -> Result<Response, Failed> {
    let request = Show { key: key_ref(&key)?, environment: which.environment()? };
    let cx = caller.permitted(&app, Permission::ReadKeys, &key).await?;
    one(StatusCode::OK, &app.ask(move |backend| backend.show(&cx, &request)).await?, None)
}

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

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(key): Path<String>,
    Query(which): Query<Which>,
) -> Result<Response, Failed> {
    let request = Delete { key: key_ref(&key)?, environment: which.environment()? };
    let cx = caller.permitted(&app, Permission::DeleteKeys, &key).await?;
    let deleted = app.change(move |backend| backend.delete(&cx, &request)).await?;
    one(StatusCode::OK, &deleted.key, None)
}

pub(super) async fn activate(
    state: State<Arc<App>>,
    caller: Caller,
    key: Path<String>,
    which: Query<Which>,
) -> Result<Response, Failed> {
    switch(state, caller, key, which, Permission::ActivateKeys, Switch::Activate).await
}

pub(super) async fn deactivate(
    state: State<Arc<App>>,
    caller: Caller,
    key: Path<String>,
    which: Query<Which>,
) -> Result<Response, Failed> {
    switch(state, caller, key, which, Permission::StopKeys, Switch::Deactivate).await
}

pub(super) async fn revoke(
    state: State<Arc<App>>,
    caller: Caller,
    key: Path<String>,
    which: Query<Which>,
) -> Result<Response, Failed> {
    switch(state, caller, key, which, Permission::StopKeys, Switch::Revoke).await
}

async fn switch(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(key): Path<String>,
    Query(which): Query<Which>,
    permission: Permission,
    switch: Switch,
) -> Result<Response, Failed> {
    let (key, environment) = (key_ref(&key)?, which.environment()?);
    let cx = caller.permitted(&app, permission, &key.to_string()).await?;
    let switched = app.change(move |backend| backend.switch(&cx, &key, environment, switch)).await?;
    one(StatusCode::OK, &switched.key, Some(switched.changed))
}
