//! The headers that tell a caller where its limit stands (draft-ietf-httpapi-ratelimit-headers), and `Retry-After`.
//!
//! `RateLimit: "key";r=41;t=17` says that 41 are left and that one more comes free in 17 seconds.

use super::engine::Standing;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STANDING: HeaderName = HeaderName::from_static("ratelimit");

/// Adds the headers.
pub(super) fn tell(headers: &mut HeaderMap, standing: &Standing) {
    // Rounded up: whoever waits so long is not refused again.
    let seconds = standing.free_in_ms.max(0).saturating_add(999) / 1_000;
    let mut put = |name, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    put(POLICY, format!("\"key\";q={};w={}", standing.limit.limit, standing.limit.window_seconds));
    put(STANDING, format!("\"key\";r={};t={seconds}", standing.remaining));
    if standing.denied {
        put(header::RETRY_AFTER, seconds.max(1).to_string());
    }
}
