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
    wire::webhooks::{AddedWebhookReply, WebhookTested},
};
use axum::{extract::State, http::StatusCode, response::Response};
use std::sync::Arc;

/// Add a webhook
///
/// The answer is the only one that ever holds the secret that its messages are signed with. Addresses that are not public need
/// the right to change the platform: the server itself sends there.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/webhooks", operation_id = "add_webhook", tag = "webhooks",
    request_body = AddWebhook,
    responses((status = 201, description = "The webhook with its secret.", body = AddedWebhookReply)),
    security(("operator" = [])),
))]
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
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/webhooks/{name}/test", operation_id = "test_webhook", tag = "webhooks",
    params(("name" = String, Path, description = "Its name or id.")),
    responses((status = 200, description = "It has arrived.", body = WebhookTested)),
    security(("operator" = [])),
))]
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
