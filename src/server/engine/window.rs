//! A sliding window: how many requests were let through in the last so many seconds.
//!
//! Requests are remembered by the tick of the clock in which they came: a millisecond for limits of up to 64, else a
//! 64th of the window. A tick counts until the last moment of it has left the window. So never more than the limit is let
//! through in any window, and a place is free again less than one tick late: nothing late for limits of up to 64. That is
//! the whole error, as long as the process lives. What it knows is kept with every flush of usage: after a kill, a key may
//! have as many requests more as were let through since the last one.

use crate::domain::{KeyId, RateLimit, Spent};
use std::collections::VecDeque;

/// The finest that requests are remembered.
const TICKS: u32 = 64;

/// The requests of the last window.
#[derive(Debug, Default)]
pub(in crate::server) struct Window {
    /// For each tick in which requests came: its number, and what they cost together.
    ticks: VecDeque<(i64, u32)>,
    used: u64,
    tick_ms: i64,
    last_ms: i64,
}

/// Where a limit stands after it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) struct Standing {
    /// The limit.
    pub(in crate::server) limit: RateLimit,
    /// How much is left.
    pub(in crate::server) remaining: u32,
    /// When something comes free again, in milliseconds; for a request that was denied, enough for it.
    pub(in crate::server) free_in_ms: i64,
    /// It was more than what was left; nothing was taken.
    pub(in crate::server) denied: bool,
}

impl Window {
    /// Takes `cost`, or nothing when that is more than what is left.
    pub(in crate::server) fn take(&mut self, limit: RateLimit, cost: u32, now_ms: i64) -> Standing {
        // Requests may come out of order, by as much as their threads had to wait: that must not free anything.
        let now_ms = now_ms.max(self.last_ms);
        self.last_ms = now_ms;
        let window_ms = i64::from(limit.window_seconds.max(1)) * 1_000;
        self.measure(limit, window_ms);
        self.forget(window_ms, now_ms);
        let left = u64::from(limit.limit).saturating_sub(self.used);
        let denied = u64::from(cost) > left;
        if !denied && cost > 0 {
            let tick = now_ms.div_euclid(self.tick_ms);
            match self.ticks.back_mut() {
                Some((last, count)) if *last == tick => *count = count.saturating_add(cost),
                _ => self.ticks.push_back((tick, cost)),
            }
            self.used += u64::from(cost);
        }
        let remaining = u64::from(limit.limit).saturating_sub(self.used);
        let wanted = if denied { u64::from(cost) - left } else { 1 };
        Standing {
            limit,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            free_in_ms: self.free_in(wanted, window_ms, now_ms),
            denied,
        }
    }

    /// Whether nothing in it counts any more.
    pub(super) fn is_over(&mut self, limit: RateLimit, now_ms: i64) -> bool {
        self.forget(i64::from(limit.window_seconds.max(1)) * 1_000, now_ms);
        self.ticks.is_empty()
    }

    /// A limit may be changed while requests are remembered: they keep their time, to the coarser of both ticks.
    fn measure(&mut self, limit: RateLimit, window_ms: i64) {
        let tick_ms = if limit.limit <= TICKS { 1 } else { (window_ms / i64::from(TICKS)).max(1) };
        if self.tick_ms == tick_ms {
            return;
        }
        if self.tick_ms != 0 {
            let old_ms = self.tick_ms;
            for (tick, _) in &mut self.ticks {
                // The last moment of the old tick, so that nothing comes free too early.
                *tick = last_of(*tick, old_ms).div_euclid(tick_ms);
            }
        }
        self.tick_ms = tick_ms;
    }

    fn forget(&mut self, window_ms: i64, now_ms: i64) {
        while let Some((tick, count)) = self.ticks.front().copied() {
            if last_of(tick, self.tick_ms) + window_ms > now_ms {
                break;
            }
            self.used -= u64::from(count);
            self.ticks.pop_front();
        }
    }

    /// How long until so much comes free; the whole window for more than there will ever be.
    fn free_in(&self, wanted: u64, window_ms: i64, now_ms: i64) -> i64 {
        let mut freed = 0;
        for (tick, count) in &self.ticks {
            freed += u64::from(*count);
            if freed >= wanted {
                return last_of(*tick, self.tick_ms) + window_ms - now_ms;
            }
        }
        if self.ticks.is_empty() && wanted <= 1 { 0 } else { window_ms }
    }

    /// What is to be kept of it over a restart, by the clock of the machine, which limits are ahead of by so much.
    pub(super) fn spent(&self, key: KeyId, limit: RateLimit, ahead_ms: i64) -> Spent {
        let last = self.ticks.back().map_or(self.last_ms, |(tick, _)| last_of(*tick, self.tick_ms));
        Spent {
            key,
            tick_ms: self.tick_ms,
            last_ms: self.last_ms.saturating_sub(ahead_ms),
            over_ms: last.saturating_sub(ahead_ms).saturating_add(i64::from(limit.window_seconds.max(1)) * 1_000),
            ticks: self.ticks.iter().map(|(tick, cost)| (earlier(*tick, self.tick_ms, ahead_ms), *cost)).collect(),
        }
    }

    /// The window that was kept; `None` when it cannot have been one. Times that lie further ahead than a window were
    /// written by a clock that was wrong: they would lock the key out.
    pub(super) fn restored(spent: &Spent, limit: RateLimit, now_ms: i64) -> Option<Self> {
        let window_ms = i64::from(limit.window_seconds.max(1)) * 1_000;
        let ahead = now_ms.saturating_add(window_ms);
        let plausible = (1..=window_ms).contains(&spent.tick_ms)
            && (0..=ahead).contains(&spent.last_ms)
            && spent.ticks.is_sorted_by(|one, next| one.0 < next.0)
            && spent.ticks.iter().all(|(tick, _)| (0..=ahead / spent.tick_ms).contains(tick));
        // A clock that was put back meanwhile must not hold everything up until the old time comes again.
        let ahead_ms = spent.last_ms.saturating_sub(now_ms).max(0);
        plausible.then(|| Self {
            used: spent.ticks.iter().map(|(_, cost)| u64::from(*cost)).sum(),
            ticks: spent.ticks.iter().map(|(tick, cost)| (earlier(*tick, spent.tick_ms, ahead_ms), *cost)).collect(),
            tick_ms: spent.tick_ms,
            last_ms: spent.last_ms - ahead_ms,
        })
    }
}

/// The tick that lies so much earlier, with its last moment no earlier than that: nothing comes free too early.
fn earlier(tick: i64, tick_ms: i64, by_ms: i64) -> i64 {
    if by_ms == 0 || tick_ms == 0 { tick } else { (last_of(tick, tick_ms) - by_ms).div_euclid(tick_ms) }
}

/// The last moment of a tick.
fn last_of(tick: i64, tick_ms: i64) -> i64 {
    (tick + 1) * tick_ms - 1
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
