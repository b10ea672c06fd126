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
    assert_eq!((denied.denied, denied.free_in_ms), (true, 6_000));
    assert!(window.take(three, 1, 10_999).denied);
    assert!(!window.take(three, 1, 11_000).denied);
    assert!(window.take(three, 1, 11_001).denied);
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
    assert!(!window.take(one, 1, 1_060_000).denied);
}

proptest! {
    /// Never more than the limit in any window; a place comes free less than one tick late, exactly for small limits.
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
                // The exact model, had the window been longer by less than a tick, denies too.
                prop_assert!(model.used(window_ms + tick - 1, now) + u64::from(cost) > u64::from(most));
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

    /// After a kill no window holds more than the limit and what was let through since the last flush; after a stop
    /// that flushed, no more than the limit.
    #[test]
    fn a_restart_costs_no_more_than_the_last_flush_interval(
        most in 1u32..150,
        seconds in 1u32..60,
        steps in prop::collection::vec((0i64..2_000, prop_oneof![6 => Just('r'), 2 => Just('f'), 1 => Just('k')]), 1..300),
    ) {
        let rate = limit(most, seconds);
        let window_ms = i64::from(seconds) * 1_000;
        let key: KeyId = "key_0123456789abcdef".parse().unwrap();
        let (mut window, mut model, mut now) = (Window::default(), Model::default(), 1_700_000_000_000);
        let (mut kept, mut since_flush, mut lost) = (None, 0, Model::default());
        for (step, what) in steps {
            now += step;
            match what {
                'f' => (kept, since_flush) = (Some(window.spent(key.clone(), rate, 0)), 0),
                'k' => {
                    // A window that nothing was taken from is not kept.
                    window = kept.as_ref().and_then(|kept| Window::restored(kept, rate, now)).unwrap_or_default();
                    lost.0.extend_from_slice(&model.0[model.0.len() - since_flush..]);
                    since_flush = 0;
                }
                _ => if !window.take(rate, 1, now).denied {
                    model.0.push((now, 1));
                    since_flush += 1;
                }
            }
            prop_assert!(model.used(window_ms, now) <= u64::from(most) + lost.used(window_ms, now));
        }
    }

    /// A window that was kept and taken up again goes on as if nothing had happened.
    #[test]
    fn a_restored_window_is_the_same_window(most in 1u32..150, steps in prop::collection::vec(0i64..2_000, 1..80)) {
        let rate = limit(most, 30);
        let key: KeyId = "key_0123456789abcdef".parse().unwrap();
        let (mut one, mut other, mut now) = (Window::default(), Window::default(), 1_700_000_000_000);
        for step in steps {
            now += step;
            prop_assert_eq!(one.take(rate, 1, now), other.take(rate, 1, now));
            let kept = other.spent(key.clone(), rate, 0);
            prop_assert!(kept.over_ms > now);
            other = Window::restored(&kept, rate, now).unwrap();
        }
    }
}

#[test]
fn what_cannot_have_been_a_window_is_not_taken_up() {
    let rate = limit(10, 60);
    let good = Spent {
        key: "key_0123456789abcdef".parse().unwrap(),
        tick_ms: 1,
        last_ms: 5,
        over_ms: 60_005,
        ticks: vec![(5, 1)],
    };
    let restored = |spent: &Spent| Window::restored(spent, rate, 1_000).is_some();
    assert!(restored(&good));
    for bad in [
        Spent { tick_ms: 0, ..good.clone() },
        Spent { last_ms: 90_000, ..good.clone() },
        Spent { last_ms: -1, ..good.clone() },
        Spent { ticks: vec![(6, 1), (5, 1)], ..good.clone() },
        Spent { ticks: vec![(i64::MAX, 1)], ..good.clone() },
        Spent { ticks: vec![(i64::MIN, 1)], ..good.clone() },
    ] {
        assert!(!restored(&bad), "{bad:?}");
    }
}

#[test]
fn what_was_kept_by_a_clock_that_is_put_back_counts_from_now() {
    let key: KeyId = "key_0123456789abcdef".parse().unwrap();
    for (most, seconds) in [(2, 60), (100, 640)] {
        let (rate, now, window_ms) = (limit(most, seconds), 1_700_000_000_000, i64::from(seconds) * 1_000);
        let mut window = Window::default();
        assert!(!window.take(rate, most, now).denied);
        let kept = window.spent(key.clone(), rate, 0);
        let back = now - window_ms / 2;
        let mut restored = Window::restored(&kept, rate, back).unwrap();
        assert!(restored.take(rate, 1, back).denied, "nothing is given away");
        assert!(!restored.take(rate, 1, back + window_ms + window_ms / 64).denied, "no later than a window from now");
        // While the server lives, limits run ahead of a clock that was put back; what is kept is by that clock.
        let ahead = window.spent(key.clone(), rate, window_ms / 2);
        assert_eq!((ahead.last_ms, ahead.over_ms), (kept.last_ms - window_ms / 2, kept.over_ms - window_ms / 2));
        assert!(Window::restored(&ahead, rate, back).unwrap().take(rate, 1, back).denied);
    }
}
