//! What a workspace holds besides keys: scopes, projects and customers; and the workspaces and plans themselves.

use crate::{
    domain::{Permission, Scope},
    ops::{Error, ObjectKind, Result},
    server::{
        app::App,
        body::{Sent, reply},
        caller::Caller,
        problem::Failed,
    },
    wire::workspace::{ChangeObject, ChangeScopes, Changed, CreateObject, ObjectList, ScopePage},
};
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use serde_json::json;
use std::sync::Arc;

pub(super) async fn scopes(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ReadWorkspace, "scopes").await?;
    let listed = app.ask(move |backend| backend.scopes(&cx)).await?;
    Ok(reply(StatusCode::OK, &ScopePage::from(listed))?)
}

pub(super) async fn scope(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(scope): Path<String>,
) -> Result<Response, Failed> {
    let wanted: Scope = scope.parse().map_err(Error::usage)?;
    let cx = caller.permitted(&app, Permission::ReadWorkspace, &scope).await?;
    let found = app.ask(move |backend| backend.scope(&cx, &wanted)).await?;
    Ok(reply(StatusCode::OK, &json!({ "schema": "keyward.scope/v1", "scope": found }))?)
}

pub(super) async fn change_scopes(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(request): Sent<ChangeScopes>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ChangeWorkspace, "scopes").await?;
    let changed = app.change(move |backend| backend.change_scopes(&cx, request.changes)).await?;
    Ok(reply(StatusCode::OK, &Changed { changed })?)
}

/// The kind that a path names.
fn kind(word: &str) -> Result<ObjectKind> {
    ObjectKind::ALL
        .into_iter()
        .find(|kind| word.strip_suffix('s') == Some(kind.noun()))
        .ok_or_else(|| Error::not_found("there is nothing at this path"))
}

/// What reading and changing a kind needs.
fn permission(kind: ObjectKind, change: bool) -> Permission {
    match (kind, change) {
        (_, false) => Permission::ReadWorkspace,
        (ObjectKind::Project | ObjectKind::Customer, true) => Permission::ChangeWorkspace,
        (ObjectKind::Workspace | ObjectKind::Plan, true) => Permission::ChangePlatform,
    }
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(word): Path<String>,
) -> Result<Response, Failed> {
    objects(&app, &caller, kind(&word)?).await
}

/// The objects of a kind, as far as the caller may know of them.
pub(super) async fn objects(app: &Arc<App>, caller: &Caller, kind: ObjectKind) -> Result<Response, Failed> {
    let cx = caller.permitted(app, permission(kind, false), kind.noun()).await?;
    let mut items = app.ask(move |backend| backend.objects(&cx, kind)).await?;
    if kind == ObjectKind::Workspace {
        items.retain(|workspace| caller.operator.reaches(&workspace.name));
    }
    Ok(reply(StatusCode::OK, &ObjectList::new(kind, items))?)
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((word, name)): Path<(String, String)>,
) -> Result<Response, Failed> {
    let kind = kind(&word)?;
    let cx = caller.permitted(&app, permission(kind, false), &name).await?;
    if kind == ObjectKind::Workspace && !caller.operator.reaches(&name) {
        return Err(Error::not_found(format!("no workspace '{name}'")).into());
    }
    let found = app.ask(move |backend| backend.object(&cx, kind, &name)).await?;
    Ok(reply(StatusCode::OK, &found)?)
}

pub(super) async fn create(
    state: State<Arc<App>>,
    caller: Caller,
    Path(word): Path<String>,
    sent: Sent<CreateObject>,
) -> Result<Response, Failed> {
    make(state, caller, kind(&word)?, sent).await
}

pub(super) async fn create_project(
    state: State<Arc<App>>,
    caller: Caller,
    sent: Sent<CreateObject>,
) -> Result<Response, Failed> {
    make(state, caller, ObjectKind::Project, sent).await
}

async fn make(
    State(app): State<Arc<App>>,
    caller: Caller,
    kind: ObjectKind,
    Sent(request): Sent<CreateObject>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, permission(kind, true), &request.name).await?;
    let made = app.change(move |backend| backend.create_object(&cx, kind, &request.name, request.change)).await?;
    Ok(reply(StatusCode::CREATED, &made)?)
}

pub(super) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((word, name)): Path<(String, String)>,
    Sent(request): Sent<ChangeObject>,
) -> Result<Response, Failed> {
    let kind = kind(&word)?;
    let cx = caller.permitted(&app, permission(kind, true), &name).await?;
    let changed = app.change(move |backend| backend.update_object(&cx, kind, &name, request.change)).await?;
    Ok(reply(StatusCode::OK, &changed)?)
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((word, name)): Path<(String, String)>,
) -> Result<Response, Failed> {
    let kind = kind(&word)?;
    let cx = caller.permitted(&app, permission(kind, true), &name).await?;
    let deleted = app.change(move |backend| backend.delete_object(&cx, kind, &name)).await?;
    Ok(reply(StatusCode::OK, &deleted)?)
}
