//! How many files the process may have open: each connection is one, and the keystore must never lack one.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// So many are kept for the keystore, for logs, webhooks and streams, and for connections that wait for a place.
const KEPT: u64 = 64;

/// Raises the limit of open files as far as this process may, and answers with how many connections fit under it, at most
/// as many as were asked for.
pub(super) fn connections(asked: usize) -> usize {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map(|(soft, hard)| {
        // What may not be raised stays as it is.
        let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
        if raised { hard } else { soft }
    });
    let Ok(limit) = limit else { return asked };
    let fit = fitting(asked, limit);
    if fit < asked {
        tracing::warn!(
            asked,
            limit,
            connections = fit,
            "fewer connections at once than asked for: so many files may be open"
        );
    }
    fit
}

fn fitting(asked: usize, limit: u64) -> usize {
    let room = limit.saturating_sub(KEPT).max(1);
    asked.min(usize::try_from(room).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_the_keystore() {
        assert_eq!((fitting(4_096, 1 << 20), fitting(4_096, 128), fitting(4_096, 10)), (4_096, 64, 1));
        assert_eq!(fitting(8, u64::MAX), 8);
    }
}
