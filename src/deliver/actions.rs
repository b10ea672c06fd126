//! The sinks of a GitHub job: a variable for later steps, or an output of this step.
//!
//! First the runner is told to mask the secret, then the secret is appended to the runner's file in the form that takes
//! any value: a delimiter that nobody can guess around it.

use super::{Destination, Options, Reached, Running, Shown, SinkError};
use crate::domain::PlainToken;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
};
use zeroize::Zeroizing;

/// Which of the runner's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Variables for later steps.
    Env,
    /// Outputs of this step.
    Output,
}

impl Kind {
    fn variable(self) -> &'static str {
        match self {
            Self::Env => "GITHUB_ENV",
            Self::Output => "GITHUB_OUTPUT",
        }
    }
}

/// A sink in a file of the runner.
#[derive(Debug)]
pub(super) struct Actions {
    kind: Kind,
    name: String,
    file: Option<PathBuf>,
}

impl Actions {
    pub(super) fn new(kind: Kind, name: String, options: &Options) -> Self {
        let file = match kind {
            Kind::Env => options.github_env.clone(),
            Kind::Output => options.github_output.clone(),
        };
        Self { kind, name, file }
    }

    fn failed(&self, error: &io::Error) -> SinkError {
        SinkError::io(format!("the file that {} names cannot be written", self.kind.variable()), error)
    }

    fn open(&self) -> Result<File, SinkError> {
        let variable = self.kind.variable();
        let path = self.file.as_ref().ok_or_else(|| {
            SinkError::failed(format!("{variable} is not set"))
                .hint("this sink works in a job of GitHub Actions; elsewhere use file: or dotenv:")
        })?;
        let refused = || SinkError::failed(format!("{variable} names no regular file"));
        // Looked at first: opening a pipe would wait for its reader.
        if !std::fs::metadata(path).map_err(|error| self.failed(&error))?.is_file() {
            return Err(refused());
        }
        OpenOptions::new().read(true).append(true).open(path).map_err(|error| self.failed(&error))
    }
}

impl Destination for Actions {
    fn preflight(&self) -> Result<(), SinkError> {
        self.open().map(drop)
    }

    fn deliver(&self, token: &PlainToken, run: &Running<'_>) -> Result<String, SinkError> {
        let mut file = self.open()?;
        let value = token.expose_plaintext();
        (run.show)(Shown::MaskLine(&Zeroizing::new(format!("::add-mask::{value}"))));
        let start = if ends_in_line_break(&mut file).map_err(|error| self.failed(&error))? { "" } else { "\n" };
        let delimiter = format!("keyward_{:032x}", rand::random::<u128>());
        let entry = Zeroizing::new(format!("{start}{}<<{delimiter}\n{value}\n{delimiter}\n", self.name));
        // Half an entry may be there after a failure, the secret in it.
        file.write_all(entry.as_bytes()).map_err(|error| self.failed(&error).reached(Reached::Maybe))?;
        Ok(format!("masked in the log and appended to the file that {} names", self.kind.variable()))
    }
}

fn ends_in_line_break(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
#[path = "actions_tests.rs"]
mod tests;
