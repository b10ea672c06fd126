//! Where checkpoints go, so that the machine that holds the trail cannot take them back: a file elsewhere, a git
//! repository, an HTTP endpoint, or any command.

use crate::{
    files,
    ops::{Error, Kind, Result},
};
use std::{
    fmt,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    str::FromStr,
};

/// A place for checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// Appended to a file, durably.
    File(PathBuf),
    /// Appended to a file of a git repository, and committed.
    Git(PathBuf),
    /// Posted to a URL.
    Http(String),
    /// Given to a command on its standard input.
    Command(String),
}

impl FromStr for Anchor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((_, "")) => Err("it names no place".to_owned()),
            Some(("file", path)) => Ok(Self::File(path.into())),
            Some(("git", path)) => Ok(Self::Git(path.into())),
            Some(("cmd", command)) => Ok(Self::Command(command.to_owned())),
            Some(("http" | "https", _)) => Ok(Self::Http(text.to_owned())),
            _ => Err("expected file:PATH, git:DIRECTORY, https://URL or cmd:COMMAND".to_owned()),
        }
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Git(path) => write!(f, "git:{}", path.display()),
            // Neither credentials nor a query belong into the trail.
            Self::Http(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                write!(f, "{scheme}://{}", host.rsplit_once('@').map_or(host, |(_, host)| host))
            }
            // What a command is given as arguments may be a credential: the trail names only the program.
            Self::Command(command) => write!(f, "cmd:{}", command.split_whitespace().next().unwrap_or_default()),
        }
    }
}

impl Anchor {
    /// Refuses a place beside the keystore: whoever rolls the keystore back takes its neighbours with it.
    ///
    /// # Errors
    /// `Usage`.
    pub fn check(&self, data: &Path) -> Result<()> {
        let (Self::File(path) | Self::Git(path)) = self else { return Ok(()) };
        let place = if matches!(self, Self::File(_)) { path.parent().unwrap_or(path) } else { path };
        let inside = match (place.canonicalize(), data.canonicalize()) {
            (Ok(place), Ok(data)) => place.starts_with(data),
            _ => false,
        };
        if inside {
            return Err(Error::usage(format!("{self} lies beside the keystore, and would be rolled back with it"))
                .hint("choose a place on another machine, or at least another disk"));
        }
        Ok(())
    }

    /// Sends a checkpoint; `name` names a file where the place has none.
    ///
    /// # Errors
    /// `Unavailable` when it did not arrive.
    pub fn send(&self, name: &str, note: &str) -> Result<()> {
        match self {
            Self::File(path) => append(path, note).map_err(|error| self.failed(&error)),
            Self::Git(directory) => {
                append(&directory.join(name), note).map_err(|error| self.failed(&error))?;
                let at = |arguments: &[&str]| {
                    let mut git = Command::new("git");
                    git.arg("-C").arg(directory).args(arguments);
                    git
                };
                self.run(at(&["add", "--", name]), "")?;
                self.run(at(&["commit", "--quiet", "--message", "Checkpoint of the audit trail", "--", name]), "")
            }
            Self::Http(url) => {
                let headers = [("content-type", "text/plain; charset=utf-8")];
                post(url, &headers, note.to_owned()).map_err(|error| self.failed(&error))
            }
            Self::Command(command) => {
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(command);
                self.run(shell, note)
            }
        }
    }

    fn run(&self, mut command: Command, input: &str) -> Result<()> {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| self.failed(&error))?;
        let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().map_err(|error| self.failed(&error))?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            return Err(self.failed(&format!("{}: {}", output.status, told.trim())));
        }
        written.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &dyn fmt::Display) -> Error {
        Error::new(Kind::Unavailable, "anchor", format!("the checkpoint did not arrive at {self}"))
            .cause(error.to_string())
            .hint("keyward audit checkpoint  (prints one, to be kept by hand)")
    }
}

/// Posts a body; anything but a success is an error, a redirection too.
///
/// # Errors
/// What went wrong, without the URL.
#[cfg(feature = "server")]
pub(crate) fn post(url: &str, headers: &[(&str, &str)], body: String) -> Result<(), String> {
    // Whoever installed a provider before: it serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::blocking::Client::builder()
        .timeout(std::time::Duration::from_secs(30))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())?;
    let request = headers.iter().fold(client.post(url), |request, (name, value)| request.header(*name, *value));
    let sent = request.body(body).send();
    // The error would repeat the URL, and with it a credential.
    let status = sent.map_err(|error| error.without_url().to_string())?.status();
    if status.is_success() { Ok(()) } else { Err(format!("it answered {status}")) }
}

#[cfg(not(feature = "server"))]
fn post(_: &str, _: &[(&str, &str)], _: String) -> Result<(), String> {
    Err("this keyward was built without HTTP: use 'cmd:curl --fail --data-binary @- URL'".to_owned())
}

/// Appends durably, under a lock, and never behind half a checkpoint that an earlier power cut left.
fn append(path: &Path, note: &str) -> std::io::Result<()> {
    let mut file = files::open_private(path)?;
    file.lock()?;
    let end = file.seek(SeekFrom::End(0))?;
    let mut last = [b'\n'];
    if end > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        return Err(std::io::Error::other("it does not end with a whole line: repair or move it first"));
    }
    let separated = if end > 0 { format!("\n{note}") } else { note.to_owned() };
    file.write_all(separated.as_bytes())?;
    file.sync_all()?;
    files::sync_dir_of(path)
}
