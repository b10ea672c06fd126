//! The names of headers. Values that are text are percent-encoded UTF-8.

/// The workspace of a call.
pub const WORKSPACE: &str = "keyward-workspace";
/// Why, for the audit trail.
pub const REASON: &str = "keyward-reason";
/// The ticket that asked for it.
pub const TICKET: &str = "keyward-ticket";
/// `true`: show what would change, and change nothing.
pub const DRY_RUN: &str = "keyward-dry-run";
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
