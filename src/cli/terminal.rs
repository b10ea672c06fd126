//! The terminal while somebody is asked: however the question ends, echo and cursor come back.
//!
//! A question for a passphrase turns the echo off, and one for yes or no hides the cursor. A signal would leave both
//! that way in the user's shell, so that from the first question on a thread waits for the signals that end a process,
//! puts the terminal back and then lets the signal do what it does: the caller sees 130, 143 and so on.

use dialoguer::console::Term;
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    iterator::{Handle, Signals},
    low_level::emulate_default_handler,
};
use std::{cell::RefCell, io, thread::JoinHandle};

/// The watch over the terminal; it begins with the first question and lasts as long as this value.
#[derive(Default)]
pub(super) struct Terminal {
    watch: RefCell<Option<Watch>>,
}

struct Watch {
    before: Termios,
    handle: Handle,
    watcher: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Begins the watch, unless it is kept already.
    pub(super) fn watch(&self) -> io::Result<()> {
        let mut watch = self.watch.borrow_mut();
        if watch.is_none() {
            *watch = Some(Watch::begin()?);
        }
        Ok(())
    }

    /// Ends the watch: from here on somebody else heeds the signals.
    #[cfg(feature = "server")]
    pub(super) fn release(&self) {
        self.watch.borrow_mut().take();
    }

    /// Puts the terminal back after a question that was not answered.
    pub(super) fn restore(&self) {
        if let Some(watch) = &*self.watch.borrow() {
            restore(&watch.before);
        }
    }

    /// Waits for the end after a Ctrl-C that the question itself has seen: the signal is on its way to the watcher.
    pub(super) fn interrupted(&self) {
        let watcher = self.watch.borrow_mut().as_mut().and_then(|watch| watch.watcher.take());
        if let Some(watcher) = watcher {
            // It ends the process; should it fail, the command fails as cancelled.
            let _ = watcher.join();
        }
    }
}

impl Watch {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT])?;
        let (handle, at_first) = (signals.handle(), before.clone());
        let watcher = std::thread::Builder::new().name("terminal".to_owned()).spawn(move || {
            if let Some(signal) = signals.forever().next() {
                restore(&at_first);
                // Only a failure comes back from here, and then the process goes on as if nobody had signalled.
                let _ = emulate_default_handler(signal);
            }
        })?;
        Ok(Self { before, handle, watcher: Some(watcher) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// A terminal that is gone needs nothing put back.
fn restore(before: &Termios) {
    let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, before);
    let term = Term::stderr();
    let _ = term.show_cursor();
    let _ = term.write_line("");
}
