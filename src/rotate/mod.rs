//! Rotations carried out: a secret is staged, handed to its sinks, and made the current one once it has arrived.
//!
//! A [`Driver`] does it for the sinks that a [`Target`] names, in the keystore that it is given, and goes on with what was
//! interrupted; [`Driver::run_due`] does it for every key whose rotation is due. Whoever hands a secret over itself, by
//! printing it or on a screen, records the same steps with a [`ByHand`]. Nothing here knows a command line: the caller says
//! when everything is to be over ([`Bounds`]), an [`Observer`] hears what happens meanwhile, and a [`Failure`] says what
//! became of the secret, which the door puts into words.

mod by_hand;
mod drive;
mod due;
mod failure;
mod shared;
mod target;

pub use by_hand::{ByHand, finish};
pub use drive::{Delivered, Driver};
pub use due::{Counts, Due, Left, Outcome, Skipped};
pub use failure::{Failure, is_away, refused};
pub use shared::refuse_shared;
pub use target::{Target, Targets};

use crate::{
    deliver::{Running, Shown},
    ops::{KeyView, Result},
};
use std::{
    cell::RefCell,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// Hears what happens while secrets are on their way.
pub trait Observer {
    /// A program that was started said something.
    fn said(&mut self, shown: Shown<'_>);

    /// What whoever delivers to a sink should know of it, before anything is minted.
    fn remarked(&mut self, remark: &str);

    /// A key of a due run has its turn, and nothing was minted yet.
    ///
    /// # Errors
    /// What is to leave the key alone.
    fn begins(&mut self, _key: &KeyView) -> Result<()> {
        Ok(())
    }

    /// What came of one key of a due run.
    ///
    /// # Errors
    /// What is to end the whole run.
    fn ended(&mut self, _key: &KeyView, _outcome: &Outcome) -> Result<()> {
        Ok(())
    }
}

/// What ends a run early.
#[derive(Clone, Copy)]
pub struct Bounds<'a> {
    /// When everything must be over.
    pub deadline: Option<Instant>,
    /// Set when the caller was asked to stop.
    pub stop: &'a AtomicBool,
}

impl Bounds<'_> {
    /// Whether nothing more is to be begun.
    #[must_use]
    pub fn are_reached(&self) -> bool {
        self.stop.load(Ordering::SeqCst) || self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Runs something that may start programs; what they say goes to the observer.
    pub fn running<T>(&self, observer: &mut dyn Observer, work: impl FnOnce(&Running<'_>) -> T) -> T {
        let observer = RefCell::new(observer);
        let show = |shown: Shown<'_>| observer.borrow_mut().said(shown);
        work(&Running { deadline: self.deadline, stop: self.stop, show: &show })
    }

    /// Sleeps, but not past them.
    pub fn sleep(&self, duration: Duration) {
        Running { deadline: self.deadline, stop: self.stop, show: &|_| {} }.sleep(duration);
    }
}
