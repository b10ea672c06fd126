//! What systemd is told, when it started us: that the server is ready, reads again, lives, and stops.
//!
//! It is told on a thread of its own. A service manager that reads nothing would otherwise hold up whoever tells it, and
//! with it the signals that end the server.

use sd_notify::NotifyState;
use std::{
    sync::mpsc::{SyncSender, sync_channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How long the end of the server waits for the last word to be taken.
const LAST_WORD: Duration = Duration::from_millis(500);

/// What is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word {
    Ready,
    Reloading,
    Watchdog,
    Stopping,
}

/// The thread that tells.
pub(super) struct ServiceManager {
    words: SyncSender<Word>,
    thread: Option<JoinHandle<()>>,
}

impl ServiceManager {
    /// Begins to tell; without a thread nothing is told, and nothing else suffers.
    pub(super) fn meet() -> Self {
        // Room for a reload and its end behind words that wait already; of what nobody takes, more says nothing.
        let (words, heard) = sync_channel::<Word>(4);
        let thread = std::thread::Builder::new().name("keyward-notify".to_owned());
        let spawned = thread.spawn(move || {
            for word in heard {
                let states = match word {
                    Word::Ready => vec![NotifyState::Ready],
                    // With the time, systemd knows which word of readiness answers it.
                    Word::Reloading => {
                        std::iter::once(NotifyState::Reloading).chain(NotifyState::monotonic_usec_now().ok()).collect()
                    }
                    Word::Watchdog => vec![NotifyState::Watchdog],
                    Word::Stopping => vec![NotifyState::Stopping],
                };
                if let Err(error) = sd_notify::notify(&states) {
                    tracing::warn!(%error, "systemd could not be told");
                }
            }
        });
        if let Err(error) = &spawned {
            tracing::warn!(%error, "systemd cannot be told");
        }
        Self { words, thread: spawned.ok() }
    }

    /// Tells, unless what was told before has not been taken yet.
    pub(super) fn tell(&self, word: Word) {
        // A full queue means that nobody reads: the next word comes in its time.
        let _ = self.words.try_send(word);
    }

    /// Waits a moment for the last word to be taken.
    pub(super) fn finish(self) {
        drop(self.words);
        let until = Instant::now() + LAST_WORD;
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
