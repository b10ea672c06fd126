//! Being asked to stop: the first SIGINT or SIGTERM lets a rotation end in a state the next run goes on from, a second
//! one ends the process at once. Only commands that hand secrets to other programs ask for this; every other one may be
//! ended at any instruction.

use super::context::Ctx;
use crate::ops::{Error, Kind, Result};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// Exit codes of a process that a signal ended are 128 and the signal's number.
const SIGNALLED: u8 = 128;

/// Whether somebody asked to stop.
pub(super) struct Stop {
    asked: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Listens from now on.
    ///
    /// # Errors
    /// `Failure` when the system refuses.
    pub(super) fn listen() -> Result<Self> {
        let (asked, signal) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        for (number, code) in [(SIGINT, 130), (SIGTERM, 143)] {
            let numbered = usize::try_from(number).unwrap_or_default();
            flag::register_conditional_shutdown(number, code, Arc::clone(&asked))
                .and_then(|_| flag::register_usize(number, Arc::clone(&signal), numbered))
                .and_then(|_| flag::register(number, Arc::clone(&asked)))
                .map_err(|error| {
                    Error::new(Kind::Failure, "signals", "cannot listen to signals").cause(error.to_string())
                })?;
        }
        Ok(Self { asked, signal })
    }

    /// Listens to nothing: a signal ends the process as ever.
    pub(super) fn deaf() -> Self {
        Self { asked: Arc::default(), signal: Arc::default() }
    }

    /// The flag, for what runs long.
    pub(super) fn flag(&self) -> &AtomicBool {
        &self.asked
    }

    /// The exit code of a command that somebody asked to stop is that of the signal, whatever else came of it.
    ///
    /// # Errors
    /// The command's own, while nobody asked.
    pub(super) fn outcome(&self, cx: &mut Ctx, ended: Result<u8>) -> Result<u8> {
        match (self.code(), ended) {
            (None, ended) => ended,
            (Some(code), Ok(_)) => Ok(code),
            (Some(code), Err(error)) => {
                cx.error(&error);
                Ok(code)
            }
        }
    }

    /// The exit code, once somebody asked.
    pub(super) fn code(&self) -> Option<u8> {
        let signal = self.signal.load(Ordering::SeqCst);
        (signal != 0).then(|| SIGNALLED.saturating_add(u8::try_from(signal).unwrap_or_default()))
    }
}
