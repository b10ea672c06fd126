//! The handler that keyward is compared with: the same routes, the same shapes of answers, and no work behind them.

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode},
    routing::{any, post},
};
use serde_json::{Value, json};

/// Answers until it is killed.
pub async fn serve(address: &str) -> super::Done {
    let app = Router::new().route("/v1/authz", any(|_: HeaderMap| async { StatusCode::NO_CONTENT })).route(
        "/v1/validate",
        post(|_: HeaderMap| async {
            Json(json!({"schema": "bare/v1", "valid": true, "key_id": "key_0123456789abcdef", "scopes": ["a:read"]}))
        }),
    );
    let app = app.route(
        "/v1/verify",
        post(|_: HeaderMap, Json(asked): Json<Value>| async move {
            Json(json!({
                "schema": "bare/v1", "valid": asked["key"].is_string(), "code": "VALID", "http_status": 200,
                "key_id": "key_0123456789abcdef",
            }))
        }),
    );
    let listener = tokio::net::TcpListener::bind(address).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    use axum::serve::ListenerExt;
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, app).await?)
}
