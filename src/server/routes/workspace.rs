//! What a workspace holds besides keys: scopes, projects and customers; and the workspaces and plans themselves.

use crate::{
    domain::Permission,
    ops::{Error, ObjectChange, ObjectKind, Result},
    server::{
        app::App,
        body::{Path, Sent, reply},
        caller::Caller,
        problem::Failed,
    },
    wire::workspace::{CreateObject, ObjectList},
};
#[cfg(test)]
use crate::{ops::ObjectView, wire::schema::ObjectWord};
use axum::{extract::State, http::StatusCode, response::Response};
use std::sync::Arc;

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

/// Workspaces, projects, customers or plans
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/{kind}", operation_id = "list_objects", tag = "workspace",
    params(("kind" = ObjectWord, Path, description = "What it is.")),
    responses((status = 200, description = "Those that the caller may know of.", body = ObjectList)),
    security(("operator" = [])),
))]
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

/// One workspace, project, customer or plan
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/{kind}/{name}", operation_id = "show_object", tag = "workspace",
    params(("kind" = ObjectWord, Path, description = "What it is."), ("name" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The object.", body = ObjectView)),
    security(("operator" = [])),
))]
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

/// Create a workspace, customer or plan
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/{kind}", operation_id = "create_object", tag = "workspace",
    params(("kind" = ObjectWord, Path, description = "What it is.")),
    request_body = CreateObject,
    responses((status = 201, description = "The object.", body = ObjectView)),
    security(("operator" = [])),
))]
pub(super) async fn create(
    state: State<Arc<App>>,
    caller: Caller,
    Path(word): Path<String>,
    sent: Sent<CreateObject>,
) -> Result<Response, Failed> {
    make(state, caller, kind(&word)?, sent).await
}

/// Create a project
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/projects", operation_id = "create_project", tag = "workspace",
    request_body = CreateObject,
    responses((status = 201, description = "The project.", body = ObjectView)),
    security(("operator" = [])),
))]
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

/// Change a workspace, project, customer or plan
#[cfg_attr(test, utoipa::path(
    patch, path = "/v1/{kind}/{name}", operation_id = "update_object", tag = "workspace",
    params(("kind" = ObjectWord, Path, description = "What it is."), ("name" = String, Path, description = "Its name.")),
    request_body = ObjectChange,
    responses((status = 200, description = "The object.", body = ObjectView)),
    security(("operator" = [])),
))]
pub(super) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((word, name)): Path<(String, String)>,
    Sent(request): Sent<ObjectChange>,
) -> Result<Response, Failed> {
    let kind = kind(&word)?;
    let cx = caller.permitted(&app, permission(kind, true), &name).await?;
    let changed = app.change(move |backend| backend.update_object(&cx, kind, &name, request)).await?;
    Ok(reply(StatusCode::OK, &changed)?)
}

/// Delete a workspace, project, customer or plan
#[cfg_attr(test, utoipa::path(
    delete, path = "/v1/{kind}/{name}", operation_id = "delete_object", tag = "workspace",
    params(("kind" = ObjectWord, Path, description = "What it is."), ("name" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The object as it was.", body = ObjectView)),
    security(("operator" = [])),
))]
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
