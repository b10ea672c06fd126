//! Webhooks: who is told what happens to the keys of a workspace.

use crate::{
    domain::Permission,
    ops::webhooks::AddWebhook,
    server::{
        app::App,
        body::{Nothing, Path, Sent, reply},
        caller::Caller,
        problem::Failed,
    },
    wire::webhooks::{AddedWebhookReply, WebhookList, WebhookReply, WebhookTested},
};
use axum::{extract::State, http::StatusCode, response::Response};
use std::sync::Arc;

/// The webhooks of the workspace, and how their messages fare
#[utoipa::path(
    get, path = "/v1/webhooks", operation_id = "list_webhooks", tag = "webhooks",
    responses((status = 200, description = "The webhooks, by name.", body = WebhookList)),
    security(("operator" = [])),
)]
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ReadWorkspace, "webhooks").await?;
    let items = app.ask(move |backend| backend.webhooks(&cx)).await?;
    Ok(reply(StatusCode::OK, &WebhookList::new(items))?)
}

/// Add a webhook
///
/// The answer is the only one that ever holds the secret that its messages are signed with. Addresses that are not public need
/// the right to change the platform: the server itself sends there.
#[utoipa::path(
    post, path = "/v1/webhooks", operation_id = "add_webhook", tag = "webhooks",
    request_body = AddWebhook,
    responses((status = 201, description = "The webhook with its secret.", body = AddedWebhookReply)),
    security(("operator" = [])),
)]
pub(super) async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Sent(request): Sent<AddWebhook>,
) -> Result<Response, Failed> {
    let needed = if request.allow_private { Permission::ChangePlatform } else { Permission::ChangeWorkspace };
    let cx = caller.permitted(&app, needed, &request.name).await?;
    let added = app.ask(move |backend| backend.add_webhook(&cx, request)).await?;
    Ok(reply(StatusCode::CREATED, &AddedWebhookReply::from(added))?)
}

/// Send a message that tells nothing, to see whether it arrives
#[utoipa::path(
    post, path = "/v1/webhooks/{name}/test", operation_id = "test_webhook", tag = "webhooks",
    params(("name" = String, Path, description = "Its name or id.")),
    responses((status = 200, description = "It has arrived.", body = WebhookTested)),
    security(("operator" = [])),
)]
pub(super) async fn test(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(name): Path<String>,
    _: Sent<Nothing>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ChangeWorkspace, &name).await?;
    let message = app.ask(move |backend| backend.test_webhook(&cx, &name)).await?;
    Ok(reply(StatusCode::OK, &WebhookTested { schema: "keyward.webhook-test/v1".to_owned(), message })?)
}

/// Remove a webhook, and what was on its way to it
#[utoipa::path(
    delete, path = "/v1/webhooks/{name}", operation_id = "remove_webhook", tag = "webhooks",
    params(("name" = String, Path, description = "Its name or id.")),
    responses((status = 200, description = "The webhook as it was.", body = WebhookReply)),
    security(("operator" = [])),
)]
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Failed> {
    let cx = caller.permitted(&app, Permission::ChangeWorkspace, &name).await?;
    let webhook = app.ask(move |backend| backend.remove_webhook(&cx, &name)).await?;
    Ok(reply(StatusCode::OK, &WebhookReply { schema: "keyward.webhook/v1".to_owned(), webhook })?)
}
