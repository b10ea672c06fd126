//! Killing the program at any moment of what it does.

use super::Home;
use std::time::{Duration, Instant};

/// How often to kill: few times in the suite, as often as `KEYWARD_STRESS` says in `benches/kills.sh`.
pub(crate) fn size(quick: usize) -> usize {
    std::env::var("KEYWARD_STRESS").ok().and_then(|size| size.parse().ok()).unwrap_or(quick)
}

/// Kills every round at another moment, spread over a little more than the time that a command takes here.
pub(crate) fn run_and_kill(home: &Home, args: &[&str], whole: Duration, round: usize) {
    let mut child = home.command(args).spawn().unwrap();
    let part = u32::try_from(round * 377 % 1_000).unwrap();
    let moment = Instant::now() + whole.mul_f64(1.3) * part / 1_000;
    while Instant::now() < moment {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// How long a command takes here.
pub(crate) fn took(home: &Home, args: &[&str]) -> Duration {
    let begun = Instant::now();
    home.ok(args);
    begun.elapsed()
}
