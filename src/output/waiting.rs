//! A line on stderr while somebody else is waited for. It appears only when that takes long.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    cell::RefCell,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_millis(300);
const TICK: Duration = Duration::from_millis(120);

/// What is said while somebody is waited for; where nobody watches, nothing is.
#[derive(Debug)]
pub struct Waiting {
    what: String,
    shown: RefCell<Option<Shown>>,
}

/// The thread that draws.
#[derive(Debug)]
struct Shown {
    words: Sender<String>,
    thread: JoinHandle<()>,
}

impl Waiting {
    /// Says `what`, once it is waited for long enough.
    #[must_use]
    pub fn for_what(what: String) -> Self {
        Self { what, shown: RefCell::new(None) }
    }

    /// Waiting begins.
    pub fn begin(&self) {
        let (words, heard) = channel::<String>();
        let mut said = self.what.clone();
        let thread = std::thread::Builder::new().name("keyward-waiting".to_owned()).spawn(move || {
            let first = heard.recv_timeout(PATIENCE);
            if first == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is a constant; should indicatif ever refuse it, its default does.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                bar.set_style(style);
            }
            let mut next = first;
            while next != Err(RecvTimeoutError::Disconnected) {
                if let Ok(word) = next {
                    said = word;
                }
                bar.set_message(said.clone());
                bar.tick();
                next = heard.recv_timeout(TICK);
            }
            bar.finish_and_clear();
        });
        // Without a thread nothing is shown, and nothing else suffers.
        *self.shown.borrow_mut() = thread.ok().map(|thread| Shown { words, thread });
    }

    /// What is waited for, in words.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Says something else, at once.
    pub fn say(&self, word: String) {
        if let Some(shown) = &*self.shown.borrow() {
            // A thread that ended shows nothing.
            let _ = shown.words.send(word);
        }
    }

    /// Waiting is over: the line goes before anything else is printed.
    pub fn end(&self) {
        if let Some(Shown { words, thread }) = self.shown.borrow_mut().take() {
            drop(words);
            // A panic while drawing is nothing to fail over.
            let _ = thread.join();
        }
    }
}
