//! The time of limits, which goes on when the clock of the machine is put back.
//!
//! A window remembers when requests came. Were the clock put back by two hours, everything in it would lie ahead, and no
//! place would come free until the old time comes again. So limits count on from where they were: the refresher compares
//! the clock with the time that has passed, and limits run ahead of the clock by what it was put back.

use crate::domain::Time;
use chrono::Utc;
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant},
};

/// A clock that is adjusted goes back by less now and then: windows then wait for so long.
const SLACK_MS: i64 = 500;
/// The clock and what has passed are read one after the other; what comes between must not be taken for a change.
const AT_ONCE: Duration = Duration::from_millis(100);

/// The time of limits.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// How far it is ahead of the clock of the machine.
    ahead_ms: AtomicI64,
}

impl Clock {
    /// Milliseconds since 1970, as limits count them.
    pub(super) fn ms(&self, now: Time) -> i64 {
        now.timestamp_millis().saturating_add(self.ahead_ms())
    }

    /// How far it is ahead of the clock of the machine.
    pub(super) fn ahead_ms(&self) -> i64 {
        self.ahead_ms.load(Ordering::Relaxed)
    }
}

/// Notices that the clock of the machine was put back.
pub(super) struct Watch {
    at: Instant,
    ms: i64,
}

impl Watch {
    pub(super) fn begin(clock: &Clock) -> Self {
        Self { at: Instant::now(), ms: clock.ms(Utc::now()) }
    }

    /// Looks at the clock.
    pub(super) fn look(&mut self, clock: &Clock) {
        let (at, now) = (Instant::now(), Utc::now());
        if at.elapsed() < AT_ONCE {
            self.compare(clock, at, now);
        }
    }

    fn compare(&mut self, clock: &Clock, at: Instant, now: Time) {
        let passed = i64::try_from(at.saturating_duration_since(self.at).as_millis()).unwrap_or(i64::MAX);
        let (expected, told) = (self.ms.saturating_add(passed), clock.ms(now));
        let back_ms = expected.saturating_sub(told);
        if back_ms > SLACK_MS {
            clock.ahead_ms.fetch_add(back_ms, Ordering::Relaxed);
            tracing::warn!(milliseconds = back_ms, "the clock was put back; limits go on from where they were");
        }
        *self = Self { at, ms: clock.ms(now) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn it_goes_on_when_the_clock_of_the_machine_is_put_back() {
        let (clock, began, wall) = (Clock::default(), Instant::now(), Utc::now());
        let mut watch = Watch { at: began, ms: clock.ms(wall) };
        let mut look = |seconds: u64, told: TimeDelta| {
            watch.compare(&clock, began + Duration::from_secs(seconds), wall + told);
            clock.ms(wall + told) - wall.timestamp_millis()
        };
        assert_eq!(look(1, TimeDelta::seconds(1)), 1_000);
        assert_eq!(look(2, TimeDelta::hours(-2)), 2_000, "put back by two hours");
        assert_eq!(look(3, TimeDelta::seconds(1 - 7_200)), 3_000, "and goes on");
        assert_eq!(look(4, TimeDelta::milliseconds(1_900 - 7_200_000)), 3_900, "adjusted by a little");
        assert_eq!(look(5, TimeDelta::seconds(3_603 - 7_200)), 3_605_000, "put forward");
    }
}
