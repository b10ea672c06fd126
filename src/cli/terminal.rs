//! The terminal while somebody is asked or shown a full screen: however that ends, echo, cursor and page come back.
//!
//! A question for a passphrase turns the echo off, and one for yes or no hides the cursor. A signal would leave both
//! that way in the user's shell, so that from the first question on a thread waits for the signals that end a process,
//! puts the terminal back and then lets the signal do what it does: the caller sees 130, 143 and so on. A full screen is
//! left before that, and nothing is drawn after.

use dialoguer::console::Term;
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    iterator::{Handle, Signals},
    low_level::emulate_default_handler,
};
use std::{
    cell::RefCell,
    io,
    sync::{Arc, Mutex, MutexGuard, TryLockError},
    thread::{JoinHandle, sleep},
    time::Duration,
};

/// A terminal that takes nothing for so long, in which a frame is being drawn, is put back all the same.
const PATIENCE: Duration = Duration::from_millis(500);
/// What is pasted comes as if typed, the first page again, and the cursor on it.
const LEAVE_FULL_SCREEN: &str = "\x1b[?2004l\x1b[?1049l\x1b[?25h";

/// The watch over the terminal; it begins with the first question and lasts as long as this value.
#[derive(Default)]
pub(super) struct Terminal {
    watch: RefCell<Option<Watch>>,
    full_screen: Arc<Mutex<bool>>,
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
            *watch = Some(Watch::begin(Arc::clone(&self.full_screen))?);
        }
        Ok(())
    }

    /// Whether the screen is full. Held while something is drawn, so that the watch never interrupts a frame.
    #[cfg(feature = "ui")]
    pub(super) fn full_screen(&self) -> MutexGuard<'_, bool> {
        self.full_screen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Ends the watch: from here on somebody else heeds the signals.
    #[cfg(any(feature = "server", feature = "ui"))]
    pub(super) fn release(&self) {
        self.watch.borrow_mut().take();
    }

    /// Puts the terminal back after a question that was not answered.
    pub(super) fn restore(&self) {
        if let Some(watch) = &*self.watch.borrow() {
            restore(&watch.before, false);
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
    fn begin(full_screen: Arc<Mutex<bool>>) -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT])?;
        let (handle, at_first) = (signals.handle(), before.clone());
        let watcher = std::thread::Builder::new().name("terminal".to_owned()).spawn(move || {
            if let Some(signal) = signals.forever().next() {
                // Held until the process is gone: nothing is drawn any more.
                let full = patiently(&full_screen);
                restore(&at_first, full.as_deref().copied().unwrap_or(true));
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

/// The state of the screen, unless something is drawn on it without an end.
fn patiently(full_screen: &Mutex<bool>) -> Option<MutexGuard<'_, bool>> {
    const STEP: Duration = Duration::from_millis(5);
    for _ in 0..PATIENCE.as_millis() / STEP.as_millis() {
        match full_screen.try_lock() {
            Ok(full) => return Some(full),
            Err(TryLockError::Poisoned(full)) => return Some(full.into_inner()),
            Err(TryLockError::WouldBlock) => sleep(STEP),
        }
    }
    None
}

/// A terminal that is gone needs nothing put back.
fn restore(before: &Termios, full_screen: bool) {
    let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, before);
    if full_screen {
        let term = Term::stdout();
        let _ = term.write_str(LEAVE_FULL_SCREEN);
        let _ = term.flush();
        return;
    }
    let term = Term::stderr();
    let _ = term.show_cursor();
    let _ = term.write_line("");
}
