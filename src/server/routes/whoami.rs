//! `/v1/whoami`: what a credential is good for, told to whoever holds it.

#[cfg(test)]
use crate::wire::operators::WhoAmI;
use crate::{
    domain::Permission,
    ops::{Context, OperatorView},
    server::caller::Caller,
};
use axum::Json;
use serde_json::{Value, json};

/// The operator, and what its role allows
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/whoami", operation_id = "whoami", tag = "operators",
    responses((status = 200, description = "The operator.", body = WhoAmI)),
    security(("operator" = [])),
))]
pub(super) async fn whoami(caller: Caller) -> Json<Value> {
    let cx: Context = caller.context();
    let permissions: Vec<&str> =
        Permission::ALL.into_iter().filter(|each| caller.may(*each)).map(Permission::words).collect();
    Json(json!({
        "schema": "keyward.operator/v1", "operator": OperatorView::new(&caller.operator, &cx), "permissions": permissions,
        "workspace": caller.workspace(), "address": caller.ip,
    }))
}
