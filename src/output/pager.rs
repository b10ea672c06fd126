//! Long tables on a terminal go through the program that `PAGER` names, as with other tools. Never a secret: what prints one is no
//! table.

use signal_hook::consts::{SIGINT, SIGQUIT};
use std::{
    io::Write,
    process::{Command, Stdio},
    sync::{Arc, atomic::AtomicBool},
};

/// What less does unless told otherwise: it ends where everything fits, keeps colours, and leaves the screen as it is.
const LESS: &str = "FRX";

/// The program, and when it is wanted.
#[derive(Debug, Clone)]
pub struct Pager {
    /// The command line, for a shell.
    pub command: String,
    /// The lines of the terminal.
    pub height: usize,
    /// Whether `LESS` says how less is to behave.
    pub less_is_told: bool,
}

impl Pager {
    /// Whether so many lines are more than the terminal has, the prompt's among them.
    pub fn is_wanted(&self, lines: usize) -> bool {
        lines >= self.height
    }

    /// Has the program show what is written, and returns when it has ended; `None` where it cannot be started.
    pub fn show<T>(&self, write: impl FnOnce(&mut dyn Write) -> T) -> Option<T> {
        let mut pager = Command::new("sh");
        pager.args(["-c", &self.command]).stdin(Stdio::piped());
        pager.env_remove("KEYWARD_TOKEN").env_remove("KEYWARD_SESSION");
        if !self.less_is_told {
            pager.env("LESS", LESS);
        }
        // A key such as Ctrl-C is the pager's; keyward has nothing left to do but to wait for it.
        let kept: Vec<_> = [SIGINT, SIGQUIT]
            .map(|signal| signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false))))
            .into();
        let mut child = pager.spawn().ok()?;
        let written = child.stdin.take().map(|mut input| write(&mut input));
        // However it ends, what was asked for was done.
        let _ = child.wait();
        for id in kept.into_iter().flatten() {
            signal_hook::low_level::unregister(id);
        }
        written
    }
}

/// The lines of the terminal; `None` where there is none.
pub fn height() -> Option<usize> {
    dialoguer::console::Term::stdout().size_checked().map(|(lines, _)| usize::from(lines)).filter(|lines| *lines > 0)
}
