use super::*;
use proptest::prelude::*;

/// The exact model: the time of every request that was let through.
#[derive(Default)]
struct Model(Vec<(i64, u32)>);

impl Model {
    fn used(&self, window_ms: i64, now: i64) -> u64 {
        self.0.iter().filter(|(at, _)| at + window_ms > now).map(|(_, cost)| u64::from(*cost)).sum()
    }
}

fn limit(limit: u32, window_seconds: u32) -> RateLimit {
    RateLimit { limit, window_seconds }
}

#[test]
fn a_small_limit_is_exact_to_the_millisecond() {
    let (mut window, three) = (Window::default(), limit(3, 10));
    for (at, remaining) in [(1_000, 2), (2_000, 1), (3_000, 0)] {
        let standing = window.take(three, 1, at);
        assert_eq!((standing.denied, standing.remaining), (false, remaining));
    }
    let denied = window.take(three, 1, 5_000);
    assert_eq!((denied.denied, denied.free_in_ms), (true, 6_001));
    assert!(window.take(three, 1, 11_000).denied);
    assert!(!window.take(three, 1, 11_001).denied);
    assert!(window.take(three, 1, 11_002).denied);
}

#[test]
fn what_is_denied_costs_nothing() {
    let (mut window, ten) = (Window::default(), limit(10, 60));
    assert_eq!(window.take(ten, 7, 0).remaining, 3);
    for _ in 0..100 {
        assert!(window.take(ten, 4, 1).denied);
    }
    assert_eq!(window.take(ten, 3, 2).remaining, 0);
    assert!(window.take(ten, 11, 120_000).denied, "more than the whole limit never fits");
}

#[test]
fn a_clock_set_back_frees_nothing() {
    let (mut window, one) = (Window::default(), limit(1, 60));
    assert!(!window.take(one, 1, 1_000_000).denied);
    assert!(window.take(one, 1, 0).denied);
    assert!(!window.take(one, 1, 1_060_001).denied);
}

proptest! {
    /// Never more than the limit in any window; a place comes free at most one tick late.
    #[test]
    fn it_stays_between_the_exact_model_and_one_tick_late(
        most in 1u32..300,
        seconds in 1u32..120,
        steps in prop::collection::vec((0i64..4_000, 1u32..5), 1..400),
    ) {
        let rate = limit(most, seconds);
        let window_ms = i64::from(seconds) * 1_000;
        let tick = if most <= TICKS { 1 } else { (window_ms / i64::from(TICKS)).max(1) };
        let (mut window, mut model, mut now) = (Window::default(), Model::default(), 1_700_000_000_000);
        for (step, cost) in steps {
            now += step;
            let standing = window.take(rate, cost, now);
            if standing.denied {
                // The exact model, had the window been one tick longer, denies too.
                prop_assert!(model.used(window_ms + tick, now) + u64::from(cost) > u64::from(most));
                let again = now + standing.free_in_ms;
                if cost <= most {
                    prop_assert!(model.used(window_ms, again) + u64::from(cost) <= u64::from(most));
                }
            } else {
                model.0.push((now, cost));
                prop_assert!(model.used(window_ms, now) <= u64::from(most));
                prop_assert!(u64::from(standing.remaining) + model.used(window_ms, now) <= u64::from(most));
            }
        }
        prop_assert!(window.ticks.len() <= TICKS as usize + 2 || most <= TICKS);
        prop_assert!(window.ticks.len() <= most.max(TICKS + 2) as usize);
    }
}
