//! The log of requests by operators: one line each, without a query, a header or a body, and so without a secret.

use super::{app::App, body::put};
use crate::wire::header::REQUEST_ID;
use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use std::{sync::Arc, time::Instant};

/// The longest id that is taken over from a caller.
const MAX_ID: usize = 64;

/// Runs a request, logs it, and gives the answer the id of the request.
pub(super) async fn request(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let fits = |id: &&str| (1..=MAX_ID).contains(&id.len()) && id.bytes().all(plain);
    let id = match given.filter(fits) {
        Some(id) => id.to_owned(),
        None => crate::domain::ids::random_base62(&mut rand::rng(), 20),
    };
    let method = request.method().clone();
    // The pattern, not the path: a path may hold what somebody pasted.
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let mut response = next.run(request).await;
    put(response.headers_mut(), REQUEST_ID, &id);
    let took = began.elapsed();
    app.metrics.answered(&method, &path, response.status(), took);
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(request_id = id, %method, path, status = response.status().as_u16(), micros, "request");
    response
}
