//! Helpers of the tests of this room: a token, a key, a listener, and stand-in programs that record what they get.

use super::{KeyFacts, Options, Running, Shown, Sink, SinkError, SinkSpec};
use crate::domain::{Brand, Environment, PlainToken};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

pub(super) fn token() -> PlainToken {
    PlainToken::generate(&mut rand::rng(), &Brand::default(), Environment::Production)
}

static NO_LABELS: BTreeMap<String, String> = BTreeMap::new();

pub(super) fn facts() -> KeyFacts<'static> {
    KeyFacts {
        id: "key_0123456789abcdef",
        name: "billing-sync",
        env: "production",
        workspace: "default",
        owner: Some("billing@example.com"),
        labels: &NO_LABELS,
        project: None,
    }
}

/// Hears what is shown, and may stop the run when a line appears.
#[derive(Default)]
pub(super) struct Listener {
    pub(super) heard: RefCell<String>,
    pub(super) masked: RefCell<Vec<String>>,
    pub(super) stop: AtomicBool,
    /// The line at which to stop.
    pub(super) stop_at: Option<&'static str>,
}

impl Listener {
    pub(super) fn with<T>(&self, act: impl FnOnce(&Running<'_>) -> T) -> T {
        let show = |shown: Shown<'_>| match shown {
            Shown::Line { program, text } => {
                self.heard.borrow_mut().push_str(&format!("{program}: {text}\n"));
                if self.stop_at == Some(text) {
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
            Shown::MaskLine(line) => self.masked.borrow_mut().push(line.to_owned()),
        };
        act(&Running { deadline: None, stop: &self.stop, show: &show })
    }

    pub(super) fn text(&self) -> String {
        self.heard.borrow().clone()
    }
}

/// A directory with stand-ins for programs.
pub(super) struct StandIns {
    dir: tempfile::TempDir,
}

impl StandIns {
    pub(super) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A program that records its arguments as it and /proc see them, its environment, its descriptors and its
    /// standard input, and in between does what the behaviour says.
    pub(super) fn add(&self, name: &str, behaviour: &str) -> PathBuf {
        let script = format!(
            "#!/bin/sh\nhere={dir}\nme={name}\nprintf '%s\\n' \"$*\" >>$here/$me.argv\n\
             tr '\\0' '\\n' </proc/$$/cmdline >>$here/$me.cmdline\nenv >>$here/$me.env\nls -l /proc/$$/fd >>$here/$me.fds\n\
             {behaviour}\ncat >$here/$me.stdin\n",
            dir = self.dir().display()
        );
        let path = self.dir().join(name);
        executable(&path, &script);
        path
    }

    pub(super) fn record(&self, name: &str, what: &str) -> String {
        fs::read_to_string(self.dir().join(format!("{name}.{what}"))).unwrap_or_default()
    }

    pub(super) fn options(&self) -> Options {
        let mut path = OsString::from(self.dir());
        path.push(":/usr/local/bin:/usr/bin:/bin");
        Options { path: Some(path), timeout: Duration::from_secs(60), ..Options::default() }
    }

    /// Options that find nothing but the stand-ins.
    pub(super) fn alone(&self) -> Options {
        Options { path: Some(self.dir().into()), ..Options::default() }
    }
}

/// Writes a program by another process: a file that this one holds open for writing at the moment another thread
/// starts a child could not be executed.
fn executable(path: &Path, text: &str) {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"]).arg(path).stdin(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

pub(super) fn sink(text: &str, options: &Options) -> Sink {
    text.parse::<SinkSpec>().unwrap().resolve(&facts(), options).unwrap()
}

pub(super) fn refused(text: &str, options: &Options) -> SinkError {
    text.parse::<SinkSpec>().unwrap().resolve(&facts(), options).unwrap_err()
}

/// Whether ten characters in a row of the secret part of a token are in a text.
pub(super) fn leaks(text: &str, token: &PlainToken) -> bool {
    let secret = token.expose_plaintext().rsplit('_').next().unwrap();
    (0..=secret.len() - 10).any(|at| text.contains(&secret[at..at + 10]))
}
