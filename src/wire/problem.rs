//! Problem details (RFC 9457) with the error codes of the command line: what fails remotely fails in the same words.

use crate::ops::{Error, Kind, audit_checkpoint::NOT_BELIEVED, context::VERSION_CHANGED};
use serde::{Deserialize, Serialize};

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The reason of a body that is larger than is read.
pub const BODY_TOO_LARGE: &str = "body_too_large";
/// The reason of a body that took too long to arrive.
pub const BODY_TOO_SLOW: &str = "body_too_slow";

/// The reason of an address that asks too often: nothing was begun.
pub const TOO_MANY: &str = "too_many_requests";

/// The reason of a server that has more to do than it can answer: nothing was begun.
pub const SERVER_BUSY: &str = "server_busy";

/// What went wrong, why, and the commands that fix it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Problem {
    /// `urn:keyward:problem:` and the code in lower case.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code, as in the exit-code table of the command line: `NOT_FOUND`.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, one sentence.
    pub detail: String,
    /// The code again, under the name that the command line uses.
    #[cfg_attr(test, schema(value_type = super::schema::ProblemCode))]
    pub code: String,
    /// A finer, stable name in snake case.
    pub reason: String,
    /// Whether the same call may succeed later without anybody changing anything.
    pub retryable: bool,
    /// Why, outermost first.
    #[serde(default)]
    pub causes: Vec<String>,
    /// Commands that fix it.
    #[serde(default)]
    pub hints: Vec<String>,
}

/// The HTTP status of an error.
#[must_use]
pub fn status_of(kind: Kind) -> u16 {
    match kind {
        Kind::Usage => 400,
        Kind::Auth => 401,
        Kind::Forbidden => 403,
        Kind::NotFound => 404,
        // Somebody else is at it: no fault of the server, and no word about the store.
        Kind::Conflict | Kind::Exists | Kind::Busy => 409,
        Kind::Partial => 422,
        Kind::Locked | Kind::Unavailable => 503,
        Kind::Failure | Kind::Undelivered | Kind::Integrity | Kind::Internal => 500,
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let code = error.kind.name();
        Self {
            kind: format!("urn:keyward:problem:{}", code.to_ascii_lowercase()),
            title: code.to_owned(),
            status: match &*error.reason {
                BODY_TOO_LARGE => 413,
                BODY_TOO_SLOW => 408,
                VERSION_CHANGED => 412,
                // Nobody is in the way of this request: the server is.
                SERVER_BUSY => 503,
                TOO_MANY => 429,
                // What was sent is no good; the keystore may well be.
                reason if NOT_BELIEVED.contains(&reason) => 422,
                _ => status_of(error.kind),
            },
            detail: error.message.clone(),
            code: code.to_owned(),
            reason: error.reason.clone().into_owned(),
            retryable: error.kind.retryable(),
            causes: error.causes.clone(),
            hints: error.hints.clone(),
        }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == problem.code).unwrap_or(Kind::Failure);
        let mut error = Self::new(kind, problem.reason, problem.detail);
        error.causes = problem.causes;
        error.hints = problem.hints;
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_way_there_and_back() {
        for kind in Kind::ALL {
            let error = Error::new(kind, "reason", "what").cause("why").hint("keyward help");
            let text = serde_json::to_string(&Problem::from(&error)).unwrap();
            assert_eq!(Error::from(serde_json::from_str::<Problem>(&text).unwrap()), error);
            assert!((400..600).contains(&status_of(kind)));
        }
    }

    /// Clients take 409 for a conflict with what there is, and give up; 503 tells them to come again.
    #[test]
    fn a_busy_server_is_no_conflict() {
        let status = |reason: &'static str| Problem::from(&Error::new(Kind::Busy, reason, "what")).status;
        assert_eq!((status(SERVER_BUSY), status("lease")), (503, 409));
    }
}
