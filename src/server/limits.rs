//! The headers that tell a caller where its limit stands (draft-ietf-httpapi-ratelimit-headers), and `Retry-After`.
//!
//! `RateLimit: "key";r=41;t=17` says that 41 are left and that one more comes free in 17 seconds. The limit of an address is
//! called `"address"`.

use super::engine::{Judged, Standing};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use std::{fmt, io::Write};

const LONGEST: usize = 80;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STANDING: HeaderName = HeaderName::from_static("ratelimit");

/// Adds the headers, where a limit was asked.
pub(super) fn tell(headers: &mut HeaderMap, judged: &Judged) {
    let Some(standing) = &judged.standing else { return };
    // Only of an address can a limit be used up before the key is known.
    tell_standing(headers, if judged.key.is_some() { "key" } else { "address" }, standing);
}

/// Adds the headers of a limit of this name.
pub(super) fn tell_standing(headers: &mut HeaderMap, name: &str, standing: &Standing) {
    // Rounded up: whoever waits so long is not refused again.
    let seconds = standing.free_in_ms.max(0).saturating_add(999) / 1_000;
    let limit = standing.limit;
    headers.insert(POLICY, value(format_args!("\"{name}\";q={};w={}", limit.limit, limit.window_seconds)));
    headers.insert(STANDING, value(format_args!("\"{name}\";r={};t={seconds}", standing.remaining)));
    if standing.denied {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
}

/// Numbers and words as a header, put together without a copy on the heap: it is done for every request.
fn value(told: fmt::Arguments<'_>) -> HeaderValue {
    let mut buffer = [0; LONGEST];
    let mut rest = &mut buffer[..];
    // Three numbers of at most twenty digits each fit.
    let _ = rest.write_fmt(told);
    let written = LONGEST - rest.len();
    HeaderValue::from_bytes(&buffer[..written]).unwrap_or(HeaderValue::from_static(""))
}
