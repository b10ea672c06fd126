//! The names of headers. Values that are text are percent-encoded UTF-8.

/// The workspace of a call.
pub const WORKSPACE: &str = "keyward-workspace";
/// Why, for the audit trail.
pub const REASON: &str = "keyward-reason";
/// The ticket that asked for it.
pub const TICKET: &str = "keyward-ticket";
/// `true`: show what would change, and change nothing.
pub const DRY_RUN: &str = "keyward-dry-run";
/// The same, of a client that means to do it in earnest next: a refusal is an event.
pub const REHEARSAL: &str = "keyward-rehearsal";
/// Repeating a call with the same value has no further effect.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The id of a request, in its answer and in the log.
pub const REQUEST_ID: &str = "x-request-id";
/// The addresses that a request came through.
pub const FORWARDED_FOR: &str = "x-forwarded-for";
/// The key of a caller.
pub const API_KEY: &str = "x-api-key";
/// The project that a request is about.
pub const PROJECT: &str = "x-project-id";
/// The customer that a request is about.
pub const CUSTOMER: &str = "x-customer-id";
/// A random name of the process that calls: a rotation that it began is its own for a while.
pub const CLIENT: &str = "keyward-client";

/// `Idempotency-Key`, as the OpenAPI document has it.
#[cfg_attr(test, derive(utoipa::IntoParams))]
#[cfg_attr(test, into_params(parameter_in = Header))]
pub struct IdempotencyKey {
    /// The same value within 24 hours names the same result, and is refused for another request.
    #[cfg_attr(test, param(rename = "Idempotency-Key"))]
    pub idempotency_key: Option<String>,
}

/// `If-Match`, as the OpenAPI document has it.
#[cfg_attr(test, derive(utoipa::IntoParams))]
#[cfg_attr(test, into_params(parameter_in = Header))]
pub struct IfMatch {
    /// The `ETag` of the key as it was seen: refused if the key has changed since.
    #[cfg_attr(test, param(rename = "If-Match", pattern = r#"^(\*|"v[0-9]{1,19}")$"#))]
    pub if_match: Option<String>,
}

/// What gateways say of the request they ask about.
#[cfg_attr(test, derive(utoipa::IntoParams))]
#[cfg_attr(test, into_params(parameter_in = Header))]
pub struct Forwarded {
    /// The method of the request, from nginx.
    #[cfg_attr(test, param(rename = "X-Original-Method"))]
    pub original_method: Option<String>,
    /// The path and query of the request, from nginx.
    #[cfg_attr(test, param(rename = "X-Original-URI"))]
    pub original_uri: Option<String>,
    /// The method of the request, from Caddy, Traefik and HAProxy.
    #[cfg_attr(test, param(rename = "X-Forwarded-Method"))]
    pub forwarded_method: Option<String>,
    /// The path and query of the request, from Caddy, Traefik and HAProxy.
    #[cfg_attr(test, param(rename = "X-Forwarded-Uri"))]
    pub forwarded_uri: Option<String>,
    /// The addresses that the request came through; read where the sender is a trusted proxy.
    #[cfg_attr(test, param(rename = "X-Forwarded-For"))]
    pub forwarded_for: Option<String>,
    /// The method that a browser asks leave for: its request passes without a key where the route table says so.
    #[cfg_attr(test, param(rename = "Access-Control-Request-Method"))]
    pub announced: Option<String>,
    /// The project that the request is about, percent-encoded; a workspace-level key needs one where its workspace has
    /// several, unless the route table says otherwise.
    #[cfg_attr(test, param(rename = "X-Project-ID"))]
    pub project: Option<String>,
    /// The customer that the request is about, percent-encoded; needed where the route table says so.
    #[cfg_attr(test, param(rename = "X-Customer-ID"))]
    pub customer: Option<String>,
}
