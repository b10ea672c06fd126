//! The three standard streams as values, with what is known about each.
//!
//! Tests pass buffers in; only [`Streams::real`] touches the process. It writes to stdout
//! unbuffered, so that a secret is never left behind in a buffer of the standard library.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use super::pager::Pager;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc::O_ACCMODE;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{SFlag, fstat, major, minor};
use nix::sys::statvfs::fstatvfs;

/// Why nothing can be written to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StdoutProblem {
    /// The descriptor is closed or opened for reading.
    #[error("stdout is closed")]
    Closed,
    /// A pipe or socket whose other end is gone.
    #[error("nobody reads stdout")]
    NoReader,
    /// A full device or file system.
    #[error("stdout is full")]
    Full,
}

/// Where a command reads and writes.
pub struct Streams {
    /// Input.
    pub stdin: Box<dyn Read>,
    /// Data.
    pub stdout: Box<dyn Write>,
    /// Everything else.
    pub stderr: Box<dyn Write>,
    /// Whether a person types.
    pub stdin_terminal: bool,
    /// Whether a person reads the data.
    pub stdout_terminal: bool,
    /// Whether a person reads the talk.
    pub stderr_terminal: bool,
    /// The terminal's width in columns.
    pub width: Option<usize>,
    /// What shows long tables, where somebody named it.
    pub pager: Option<Pager>,
    /// The descriptor behind stdout, for looking before a secret is minted.
    probe: Option<File>,
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams")
            .field("stdin_terminal", &self.stdin_terminal)
            .field("stdout_terminal", &self.stdout_terminal)
            .field("stderr_terminal", &self.stderr_terminal)
            .field("width", &self.width)
            .finish_non_exhaustive()
    }
}

impl Streams {
    /// The streams of this process.
    pub fn real() -> Self {
        let stdout = duplicate(io::stdout().as_fd());
        let probe = duplicate(io::stdout().as_fd());
        let out = dialoguer::console::Term::stdout();
        let err = dialoguer::console::Term::stderr();
        Self {
            stdin: Box::new(io::stdin()),
            stdout: match stdout {
                Some(file) => Box::new(file),
                None => Box::new(io::stdout()),
            },
            stderr: Box::new(io::stderr()),
            stdin_terminal: io::stdin().is_terminal(),
            stdout_terminal: io::stdout().is_terminal(),
            stderr_terminal: io::stderr().is_terminal(),
            width: out.size_checked().or_else(|| err.size_checked()).map(|(_, columns)| usize::from(columns)),
            pager: None,
            probe,
        }
    }

    /// Streams over anything, none of them a terminal.
    pub fn new(stdin: Box<dyn Read>, stdout: Box<dyn Write>, stderr: Box<dyn Write>) -> Self {
        Self {
            stdin,
            stdout,
            stderr,
            stdin_terminal: false,
            stdout_terminal: false,
            stderr_terminal: false,
            width: None,
            pager: None,
            probe: None,
        }
    }

    /// Looks whether stdout could take a secret, as far as that can be known without writing.
    pub fn check_stdout_writable(&self) -> Result<(), StdoutProblem> {
        self.probe.as_ref().map_or(Ok(()), |file| check(file.as_fd()))
    }
}

fn duplicate(fd: BorrowedFd<'_>) -> Option<File> {
    fd.try_clone_to_owned().ok().map(File::from)
}

fn check(fd: BorrowedFd<'_>) -> Result<(), StdoutProblem> {
    let access = fcntl(fd, FcntlArg::F_GETFL).map_err(|_| StdoutProblem::Closed)? & O_ACCMODE;
    if access == OFlag::O_RDONLY.bits() {
        return Err(StdoutProblem::Closed);
    }
    let stat = fstat(fd).map_err(|_| StdoutProblem::Closed)?;
    let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
    if kind == SFlag::S_IFCHR {
        match (major(stat.st_rdev), minor(stat.st_rdev)) {
            (1, 7) => return Err(StdoutProblem::Full),
            // The standard library opens /dev/null for both ways over a descriptor that was
            // closed at start; a shell's `>/dev/null` is open for writing alone.
            (1, 3) if access == OFlag::O_RDWR.bits() => return Err(StdoutProblem::Closed),
            _ => {}
        }
    }
    if kind == SFlag::S_IFREG
        && let Ok(disk) = fstatvfs(fd)
        && disk.blocks() > 0
        && disk.blocks_free() == 0
    {
        return Err(StdoutProblem::Full);
    }
    let mut polled = [PollFd::new(fd, PollFlags::POLLOUT)];
    if poll(&mut polled, PollTimeout::ZERO).is_ok()
        && let Some(events) = polled[0].revents()
    {
        if events.contains(PollFlags::POLLNVAL) {
            return Err(StdoutProblem::Closed);
        }
        if events.intersects(PollFlags::POLLERR | PollFlags::POLLHUP) {
            return Err(StdoutProblem::NoReader);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    fn probing(file: File) -> Result<(), StdoutProblem> {
        let mut streams = Streams::new(Box::new(io::empty()), Box::new(io::sink()), Box::new(io::sink()));
        streams.probe = Some(file);
        streams.check_stdout_writable()
    }

    fn device(path: &str, read: bool) -> File {
        OpenOptions::new().read(read).write(true).open(path).unwrap()
    }

    #[test]
    fn a_full_device_and_a_closed_descriptor_are_known() {
        assert_eq!(probing(device("/dev/full", false)), Err(StdoutProblem::Full));
        assert_eq!(probing(device("/dev/null", true)), Err(StdoutProblem::Closed));
        assert_eq!(probing(device("/dev/null", false)), Ok(()));
        assert_eq!(probing(File::open("/dev/null").unwrap()), Err(StdoutProblem::Closed));
        assert_eq!(probing(tempfile::tempfile().unwrap()), Ok(()));
    }

    #[test]
    fn a_pipe_is_fine_until_its_reader_leaves() {
        let (reader, writer) = io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(writer));
        assert_eq!(probing(file.try_clone().unwrap()), Ok(()));
        drop(reader);
        assert_eq!(probing(file), Err(StdoutProblem::NoReader));
    }
}
