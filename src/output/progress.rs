//! A progress bar on stderr that appears only when something takes long.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const PATIENCE: Duration = Duration::from_millis(300);

/// A bar that shows itself after 300 ms, and never where nobody watches.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    /// When to appear; none once it has, or if it never may.
    appear: Option<Instant>,
}

impl Progress {
    /// Starts a bar of `total` steps; `visible` says whether stderr is a terminal.
    pub fn start(total: u64, what: &'static str, visible: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        // The template is a constant; should indicatif ever refuse it, its default does.
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self { bar, appear: visible.then(|| Instant::now() + PATIENCE) }
    }

    /// Counts steps done.
    pub fn inc(&mut self, steps: u64) {
        if self.appear.is_some_and(|at| Instant::now() >= at) {
            self.appear = None;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(steps);
    }

    /// Runs what writes lines, with the bar out of their way.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    /// Steps counted so far.
    pub fn done(&self) -> u64 {
        self.bar.position()
    }
}

impl Drop for Progress {
    /// However the work ends, the bar leaves nothing behind.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_stays_hidden_at_first() {
        for visible in [true, false] {
            let mut progress = Progress::start(10, "creating keys", visible);
            progress.inc(3);
            progress.inc(1);
            assert_eq!(progress.done(), 4);
            assert!(progress.bar.is_hidden());
            assert_eq!(progress.appear.is_some(), visible);
        }
    }
}
