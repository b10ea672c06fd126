//! Delivery: where a fresh secret goes, proven before it is minted, and the receipt that says it arrived.
//!
//! A [`SinkSpec`] is read from the command line or from a [`DeliverMap`], filled in with the facts of a key, and becomes
//! a [`Sink`]: [`Sink::preflight`] proves the destination, [`Sink::deliver`] hands the secret over, [`Sink::read_back`]
//! asks what the destination holds. Sinks and commands come from the caller alone, never from a keystore or a server.
//! Everything is synchronous; a running child is stopped by a flag or a deadline ([`Running`]). What a child prints is
//! handed on line by line with the secret masked; nothing is printed here.

mod actions;
mod child;
mod command;
mod dotenv;
mod error;
mod in_file;
mod json;
mod map;
mod mask;
mod names;
mod own_file;
mod place;
mod programs;
mod replace;
mod spec;
mod template;

#[cfg(test)]
mod testing;

pub use command::{Retry, command_for, hook, probe};
pub use error::{Fault, Reached, SinkError};
pub use map::{DeliverMap, Rule};
pub use own_file::OwnFile;
pub use place::Place;
pub use spec::SinkSpec;

use crate::domain::PlainToken;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

/// How often a waiting loop looks at the flag and the clock.
const TICK: Duration = Duration::from_millis(20);

/// What a placeholder in a sink may name.
#[derive(Debug, Clone, Copy)]
pub struct KeyFacts<'a> {
    /// The key's id.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its environment, as the full word.
    pub env: &'a str,
    /// Its workspace.
    pub workspace: &'a str,
    /// Who answers for it.
    pub owner: Option<&'a str>,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
    /// Its project.
    pub project: Option<&'a str>,
}

/// What the sinks of one run have in common. All of it is given by the caller; this room reads no environment.
#[derive(Debug, Clone)]
pub struct Options {
    /// The variable in which an `exec` sink's command also finds the secret.
    pub exec_env: Option<String>,
    /// How long one command may take.
    pub timeout: Duration,
    /// Where programs are looked for.
    pub path: Option<OsString>,
    /// The file of environment variables for later steps of a GitHub job (`GITHUB_ENV`).
    pub github_env: Option<PathBuf>,
    /// The file of a step's outputs in a GitHub job (`GITHUB_OUTPUT`).
    pub github_output: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { exec_env: None, timeout: Duration::from_secs(60), path: None, github_env: None, github_output: None }
    }
}

/// Something to be shown on standard error while a delivery runs. Not `Debug`: one of them holds the secret.
pub enum Shown<'a> {
    /// A line that a program printed, the secret masked in it.
    Line {
        /// The program.
        program: &'a str,
        /// The line, without its end; it may contain control characters.
        text: &'a str,
    },
    /// The line that makes a GitHub runner mask the secret from here on. It must be written as it is, on a line of its
    /// own; the runner takes it out of the log.
    MaskLine(&'a str),
}

/// What can end a delivery early, and who hears what programs say meanwhile.
#[derive(Clone, Copy)]
pub struct Running<'a> {
    /// When everything must be over.
    pub deadline: Option<Instant>,
    /// Set when the caller was asked to stop.
    pub stop: &'a AtomicBool,
    /// Shows a line.
    pub show: &'a dyn Fn(Shown<'_>),
}

impl Running<'_> {
    /// Why it must end now.
    fn ended(&self) -> Option<&'static str> {
        if self.stop.load(Ordering::Relaxed) {
            return Some("it was asked to stop");
        }
        self.deadline.filter(|deadline| *deadline <= Instant::now()).map(|_| "the time for the whole run is over")
    }

    /// Sleeps, but not past the end.
    pub fn sleep(&self, duration: Duration) {
        let until = Instant::now() + duration;
        while self.ended().is_none() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(TICK));
        }
    }
}

/// That a secret arrived, without the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The sink, as [`Sink::name`] has it.
    pub sink: String,
    /// What was done there.
    pub detail: String,
}

/// What every kind of destination can do.
trait Destination {
    fn preflight(&self) -> Result<(), SinkError>;

    /// What whoever delivers there should know of it.
    fn remark(&self) -> Option<String> {
        None
    }

    /// Hands the secret over; answers with what was done.
    fn deliver(&self, token: &PlainToken, run: &Running<'_>) -> Result<String, SinkError>;

    fn can_read_back(&self) -> bool {
        false
    }

    fn read_back(&self) -> Result<Option<Zeroizing<String>>, SinkError> {
        Ok(None)
    }

    fn keep(&self) -> Option<Kept> {
        None
    }

    /// Puts back what was kept, which only a destination that keeps something is asked.
    fn put_back(&self, _kept: &Kept, _token: &PlainToken, _run: &Running<'_>) -> Result<(), SinkError> {
        Err(SinkError::failed("nothing was kept"))
    }
}

/// What a destination held before a delivery, byte for byte; wiped after use.
pub struct Kept(Option<replace::Kept>);

/// A destination for the secret of one key, ready to use.
pub struct Sink {
    name: String,
    place: Place,
    destination: Box<dyn Destination>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Sink {
    /// The sink with its placeholders filled in, as receipts name it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it writes, to be compared with others.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Proves the destination, as far as that can be done without a secret. Changes nothing there.
    ///
    /// # Errors
    /// When a delivery would fail.
    pub fn preflight(&self) -> Result<(), SinkError> {
        self.destination.preflight()
    }

    /// What whoever delivers there should know of the destination, such as who else can read it.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        self.destination.remark()
    }

    /// Hands the secret over.
    ///
    /// # Errors
    /// When it did not arrive, or when nobody can tell (the error's `reached`).
    pub fn deliver(&self, token: &PlainToken, run: &Running<'_>) -> Result<Receipt, SinkError> {
        if let Some(why) = run.ended() {
            let what = format!("nothing was delivered to {}", self.name);
            return Err(SinkError::new(Fault::Interrupted, what).cause(why));
        }
        let detail = self.destination.deliver(token, run)?;
        Ok(Receipt { sink: self.name.clone(), detail })
    }

    /// Keeps what the destination holds, should the delivery to come be in vain; `None` where that cannot be known.
    #[must_use]
    pub fn keep(&self) -> Option<Kept> {
        self.destination.keep()
    }

    /// Puts back what the destination held before this secret was delivered to it.
    ///
    /// # Errors
    /// When it cannot be written, or holds something else by now.
    pub fn put_back(&self, kept: &Kept, token: &PlainToken, run: &Running<'_>) -> Result<(), SinkError> {
        self.destination.put_back(kept, token, run)
    }

    /// Whether this kind of destination can be asked what it holds.
    #[must_use]
    pub fn can_read_back(&self) -> bool {
        self.destination.can_read_back()
    }

    /// What the destination holds now; `None` when it holds nothing there, or cannot be asked.
    ///
    /// # Errors
    /// When it can be asked and does not answer.
    pub fn read_back(&self) -> Result<Option<Zeroizing<String>>, SinkError> {
        self.destination.read_back()
    }
}
