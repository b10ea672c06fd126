//! The end of an overlap that waits: a due run prolongs an old secret that somebody still uses, up to a bound.
//!
//! The end is a fact of the secret, which verdicts obey by themselves. A run moves it before it comes; what no run has
//! prolonged ends when it was to end.

use super::{
    key::{Key, Overlap, SecretState},
    rotation::{Phase, Rotation},
    serde_text,
    time::{LAST, Time, later, parse_duration},
    token::Lookup,
};
use chrono::TimeDelta;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use std::fmt;

/// As it is written, and a duration in words, which a person would send.
impl<'de> Deserialize<'de> for Overlap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Overlap;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#""now", a time such as "2h", or {"for": seconds}"#)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Overlap, E> {
        match word {
            "now" => Ok(Overlap::Now),
            _ => parse_duration(word).map(Overlap::For).map_err(|why| E::custom(format!("'now', or a time: {why}"))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Overlap, A::Error> {
        #[derive(Deserialize)]
        struct Period(#[serde(with = "serde_text::seconds")] TimeDelta);
        let other = || A::Error::custom(r#"expected {"for": seconds}"#);
        match (map.next_entry::<String, Period>()?, map.next_key::<String>()?) {
            (Some((name, Period(period))), None) if name == "for" => Ok(Overlap::For(period)),
            _ => Err(other()),
        }
    }
}

/// For how long an old secret has to be idle, and how long its end waits for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// A secret that was not used for so long is idle.
    pub idle: TimeDelta,
    /// So long after the end that was planned the old secret ends, idle or not; as long again as the overlap when `None`.
    pub bound: Option<TimeDelta>,
}

/// What came of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// It is in use, and ends later.
    Prolonged {
        /// When it was to end.
        from: Time,
        /// When it ends unless it is prolonged again.
        until: Time,
        /// That is the bound.
        last: bool,
    },
    /// It is in use, and ends all the same: the bound is reached.
    GivenUp {
        /// When it ends.
        until: Time,
    },
    /// Its end had waited; it is idle now, and has ended.
    Ended {
        /// When it was to end at the latest.
        from: Time,
    },
}

impl Key {
    /// The old secret whose end may wait: that of a rotation that was begun for its due date, while its overlap runs. Whoever
    /// rotates by hand says when the old secret ends, at an incident above all, and no schedule knows better.
    #[must_use]
    pub fn old_secret_of_schedule(&self, now: Time) -> Option<&Lookup> {
        self.run.as_ref().filter(|run| run.for_due && run.phase == Phase::Committed)?;
        let retiring = |state| matches!(state, SecretState::Retiring { until } if until > now);
        self.secrets.iter().find(|secret| retiring(secret.state)).map(|secret| &secret.lookup)
    }

    /// Lets the end of that secret wait while it is in use, or ends it once its end has waited and it is idle; `None` where
    /// there is nothing to be done. It is looked at in the second half of its overlap: before that nobody is late.
    pub fn wait_for_idle(&mut self, last_used: Option<Time>, wait: Wait, now: Time) -> Option<Waited> {
        let lookup = self.old_secret_of_schedule(now)?.clone();
        let run = self.run.as_ref()?;
        let Overlap::For(overlap) = run.overlap else { return None };
        let planned = planned_end(run, overlap)?;
        let bound = self.bound(run, later(planned, wait.bound.unwrap_or(overlap)).unwrap_or(LAST));
        let secret = self.secrets.iter_mut().find(|secret| secret.lookup == lookup)?;
        let SecretState::Retiring { until } = secret.state else { return None };
        let since = now.checked_sub_signed(wait.idle);
        let busy = last_used.is_some_and(|at| since.is_none_or(|since| at >= since));
        if !busy {
            return (now >= planned).then(|| {
                secret.kill(now);
                Waited::Ended { from: until }
            });
        }
        let soon = wait.idle.max(overlap / 2);
        if until - now > soon {
            return None;
        }
        if until >= bound {
            return Some(Waited::GivenUp { until });
        }
        // As long again as the overlap, so that the next run of a schedule comes before the end; what would be left to the
        // bound then is added at once.
        let end = later(now, overlap.max(wait.idle)).unwrap_or(LAST);
        let end = if bound - end <= soon { bound } else { end };
        secret.state = SecretState::Retiring { until: end };
        Some(Waited::Prolonged { from: until, until: end, last: end == bound })
    }

    /// No wait goes beyond the end that the secret had of its own, the end of the key, or its next due date, whose rotation
    /// the overlap would hold up.
    fn bound(&self, run: &Rotation, wanted: Time) -> Time {
        [run.old_ends_at, self.expires_at, self.rotation.due_at].into_iter().flatten().fold(wanted, Time::min)
    }
}

/// When the old secret was to end at the commit.
fn planned_end(run: &Rotation, overlap: TimeDelta) -> Option<Time> {
    let end = later(run.finished_at?, overlap).unwrap_or(LAST);
    Some(run.old_ends_at.map_or(end, |own| own.min(end)))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            key::{Status, tests as keys},
            rotation::tests::{SINK, begin, rotate},
        },
        *,
    };
    use crate::domain::{Begin, Illegal};
    use keys::at;
    use proptest::prelude::*;

    const WAIT: Wait = Wait { idle: TimeDelta::seconds(10), bound: None };

    /// A key whose overlap runs from 0 to 100.
    fn overlapping(for_due: bool) -> Key {
        let mut key = keys::key(None);
        rotate(&mut key, 2, 0, Begin { for_due, ..begin(&[SINK]) }, false).unwrap();
        key
    }

    fn until(key: &Key) -> Option<Time> {
        key.secrets.iter().find_map(|secret| match secret.state {
            SecretState::Retiring { until } => Some(until),
            _ => None,
        })
    }

    #[test]
    fn an_end_waits_while_the_secret_is_used_and_gives_up_at_the_bound() {
        let mut key = overlapping(true);
        assert_eq!(key.wait_for_idle(Some(at(20)), WAIT, at(20)), None, "the overlap is young");
        assert_eq!(key.wait_for_idle(Some(at(60)), WAIT, at(80)), None, "idle, and its end has not come");
        let waited = key.wait_for_idle(Some(at(75)), WAIT, at(80));
        assert_eq!(waited, Some(Waited::Prolonged { from: at(100), until: at(200), last: true }));
        assert_eq!(until(&key), Some(at(200)));
        assert_eq!(key.clone().wait_for_idle(Some(at(110)), WAIT, at(130)), Some(Waited::Ended { from: at(200) }));
        assert_eq!(key.wait_for_idle(Some(at(160)), WAIT, at(160)), Some(Waited::GivenUp { until: at(200) }));
        assert_eq!(key.wait_for_idle(Some(at(199)), WAIT, at(200)), None, "it has ended");
    }

    #[test]
    fn a_longer_bound_is_reached_in_steps_and_a_shorter_one_shortens_nothing() {
        let long = Wait { bound: Some(TimeDelta::seconds(400)), ..WAIT };
        let mut key = overlapping(true);
        let waited = key.wait_for_idle(Some(at(99)), long, at(99));
        assert_eq!(waited, Some(Waited::Prolonged { from: at(100), until: at(199), last: false }));
        let short = Wait { bound: Some(TimeDelta::seconds(10)), ..WAIT };
        assert_eq!(key.wait_for_idle(Some(at(190)), short, at(190)), Some(Waited::GivenUp { until: at(199) }));
    }

    #[test]
    fn only_a_schedules_overlap_waits_and_never_that_of_a_revoked_key() {
        let mut by_hand = overlapping(false);
        assert_eq!(by_hand.wait_for_idle(Some(at(99)), WAIT, at(99)), None);
        let mut revoked = overlapping(true);
        revoked.revoke(at(50));
        assert_eq!(revoked.wait_for_idle(Some(at(99)), WAIT, at(99)), None);
        assert_eq!(revoked.status_at(at(99)), Status::Revoked);
    }

    proptest! {
        /// Whatever runs ask, the old secret never outlives its own end, the key's end, the next due date or the bound.
        #[test]
        fn no_wait_goes_beyond_an_end(
            expires in proptest::option::of(10i64..400),
            every in proptest::option::of(101i64..300),
            (idle, bound) in (1i64..200, proptest::option::of(1i64..500)),
            runs in proptest::collection::vec(0i64..600, 1..8),
        ) {
            let mut key = keys::key(None);
            key.expires_at = expires.map(at);
            key.rotation.every = every.map(TimeDelta::seconds);
            key.rotation.due_at = every.map(|_| at(0));
            key.end_current_secret();
            let rotated = rotate(&mut key, 2, 0, Begin { for_due: true, ..begin(&[SINK]) }, false);
            prop_assume!(!matches!(rotated, Err(Illegal::Expired { .. })));
            let first = until(&key);
            let wait = Wait { idle: TimeDelta::seconds(idle), bound: bound.map(TimeDelta::seconds) };
            let mut runs = runs;
            runs.sort_unstable();
            for now in runs {
                let before = until(&key);
                key.wait_for_idle(Some(at(now)), wait, at(now));
                prop_assert!(until(&key) >= before, "in use: nothing is shortened");
            }
            let longest = first.map(|first| first + TimeDelta::seconds(bound.unwrap_or(100)));
            let ends = [key.expires_at, key.rotation.due_at].into_iter().flatten();
            prop_assert!(until(&key) <= longest);
            for end in ends {
                prop_assert!(until(&key).is_none_or(|until| until <= end.max(first.unwrap_or(end))));
            }
        }
    }
}
