//! The keys, page by page; and many new ones at once.

#[cfg(test)]
use crate::wire::{
    keys::{ListParameters, RefusedEntries},
    problem::MEDIA_TYPE,
};
use crate::{
    backend::{Backend, BulkError},
    domain::{KeyFilter, Permission},
    ops::{Context, CreateMany, Error, List, Listed, Result, key_query::filter_of},
    server::{
        app::App,
        body::{Query, Sent, reply},
        caller::Caller,
        listings::{Cursor, Listings},
        problem::{Failed, refused_entries},
    },
    wire::{
        keys::{CreatedList, KeyPage, MAX_PAGE, PAGE, within_bulk},
        told::Told,
    },
};
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::Utc;
use std::sync::Arc;

/// A file of 100,000 keys.
const BULK: usize = 64 * 1024 * 1024;

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
    let cx = match filter.due_within {
        // Whoever rotates has to know what is due.
        Some(_) if caller.may(Permission::RotateKeys) => caller.permitted(&app, Permission::RotateKeys, "keys").await?,
        _ => caller.reads_keys(&app, filter.mine, "keys").await?,
    };
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
    let vault = backend.vault("a page of keys")?;
    let Some(cursor) = cursor else {
        request.filter.limit = Some(limit);
        let (Listed { items, total, hidden }, keys) = vault.list_in_order(cx, &request)?;
        let next = if total > limit { listings.keep(asked, keys, hidden.clone()).cursor(limit) } else { None };
        return Ok(KeyPage::of(items, total, next, hidden));
    };
    let listing = match listings.of(&cursor, &asked) {
        Some(listing) => listing,
        None => {
            request.filter.limit = Some(0);
            let (Listed { hidden, .. }, keys) = vault.list_in_order(cx, &request)?;
            listings.keep(asked, keys, hidden)
        }
    };
    let from = listing.place(&cursor).min(listing.keys.len());
    let end = (from + limit).min(listing.keys.len());
    let items = vault.list_again(cx, &request, &listing.keys[from..end])?;
    Ok(KeyPage::of(items, listing.keys.len(), listing.cursor(end), listing.hidden.clone()))
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
            let items = made.into_iter().map(Told::tell).collect();
            Ok(reply(StatusCode::CREATED, &CreatedList { schema: "keyward.minted-list/v1".to_owned(), items })?)
        }
        Err(BulkError::Whole(error)) => Err(error.into()),
        Err(BulkError::Entries(entries)) => Ok(refused_entries(entries)?),
    }
}
