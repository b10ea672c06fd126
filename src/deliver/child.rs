//! One child process: input through a pipe, output handed on line by line, an end by the clock or by a flag.
//!
//! The child leads a process group of its own, which is ended as a whole: SIGTERM, and SIGKILL two seconds later. It
//! does not inherit the variables that open a vault. Its input lies in the pipe before it starts: were we killed in
//! between, a child that found an empty one would store an empty secret. We keep the reading end of its input open, so
//! that a child that reads nothing is no error on our side, and can be told from one that took the secret.

use super::{
    Running, Shown, TICK,
    mask::{Lines, Mask},
};
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    ffi::OsStr,
    io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write, pipe},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::process::CommandExt,
    },
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};
use zeroize::{Zeroize, Zeroizing};

/// Opens a vault or speaks for an operator: no business of a child.
const WITHHELD: [&str; 2] = ["KEYWARD_SESSION", "KEYWARD_TOKEN"];
const GRACE: Duration = Duration::from_secs(2);
const FIRST_WAIT: Duration = Duration::from_millis(1);
/// What is shown of a child at most; a runaway program must not fill a log.
const MOST_SHOWN: usize = 64 << 10;
/// How much is read at a time, and between two looks at the clock.
const CHUNK: usize = 8192;
/// As many chunks as a full pipe holds, twice over.
const DRAINED: usize = 16;

/// What to run.
pub(super) struct Job<'a> {
    pub(super) command: Command,
    /// What its lines are shown under.
    pub(super) program: &'a str,
    pub(super) input: &'a [u8],
    pub(super) mask: Option<&'a Mask>,
    pub(super) path: Option<&'a OsStr>,
    pub(super) limit: Duration,
}

/// How a child ended by itself.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// How much of its input nobody read.
    pub(super) unread: usize,
    /// The last line it printed, masked.
    pub(super) last_line: Option<String>,
    /// All that was shown of it, masked.
    pub(super) shown: String,
}

/// Why there is no such end.
pub(super) enum Failed {
    /// It did not start.
    Spawn(io::Error),
    /// It was ended: too slow, or the caller asked.
    Stopped {
        why: &'static str,
        /// Whether the time of this one child was over, rather than that of the run.
        slow: bool,
        unread: usize,
    },
    /// The system failed us while it ran; it was ended.
    System(io::Error),
}

/// Runs a child to its end.
pub(super) fn run(job: Job<'_>, run: &Running<'_>) -> Result<Ended, Failed> {
    let Job { mut command, program, input, mask, path, limit } = job;
    for name in WITHHELD {
        command.env_remove(name);
    }
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let prepared = || -> io::Result<_> {
        let (input_end, mut writer) = pipe()?;
        let (out, out_end) = pipe()?;
        let (err, err_end) = pipe()?;
        nonblocking(writer.as_fd())?;
        nonblocking(out.as_fd())?;
        nonblocking(err.as_fd())?;
        let laid = writer.write(input)?;
        let rest = (laid < input.len()).then_some((writer, &input[laid..]));
        command.stdin(input_end.try_clone()?).stdout(out_end).stderr(err_end).process_group(0);
        let child = command.spawn()?;
        // Its copies of the pipes' ends live in the command.
        drop(command);
        Ok((child, input_end, rest, out, err))
    };
    let (child, input_end, rest, out, err) = prepared().map_err(Failed::Spawn)?;
    let mut watched = Watched {
        child,
        input: rest,
        outputs: [(Some(out), Lines::new(mask)), (Some(err), Lines::new(mask))],
        heard: Heard { program, run, shown: String::new(), last_line: None, cut: false },
    };
    let end = Instant::now() + limit;
    let outcome = watched.until_end(end);
    let unread = |watched: &mut Watched<'_>| {
        // Ours is the last writing end.
        let never_written = watched.input.take().map_or(0, |(_, rest)| rest.len());
        never_written + left_in(&input_end)
    };
    match outcome {
        Ok(Some(status)) => {
            let unread = unread(&mut watched);
            let Heard { shown, last_line, .. } = watched.heard;
            Ok(Ended { status, unread, last_line, shown })
        }
        Ok(None) => {
            watched.kill();
            let (why, slow) = run.ended().map_or(("it took too long", true), |why| (why, false));
            Err(Failed::Stopped { why, slow, unread: unread(&mut watched) })
        }
        Err(error) => {
            watched.kill();
            Err(Failed::System(error))
        }
    }
}

fn nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// How many bytes nobody took out of a pipe whose writers are gone.
fn left_in(mut pipe: &PipeReader) -> usize {
    let mut rest = Zeroizing::new(Vec::new());
    let mut chunk = Zeroizing::new([0; CHUNK]);
    loop {
        let mut polled = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        if !poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0) {
            return rest.len();
        }
        match pipe.read(chunk.as_mut_slice()) {
            Ok(0) | Err(_) => return rest.len(),
            Ok(length) => rest.extend_from_slice(&chunk[..length]),
        }
    }
}

/// What a child said, and who is told.
struct Heard<'a> {
    program: &'a str,
    run: &'a Running<'a>,
    shown: String,
    last_line: Option<String>,
    cut: bool,
}

impl Heard<'_> {
    fn line(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.last_line = Some(text.chars().take(300).collect());
        }
        if self.shown.len() + text.len() > MOST_SHOWN {
            if !self.cut {
                self.cut = true;
                (self.run.show)(Shown::Line { program: self.program, text: "… (it goes on; the rest is not shown)" });
            }
            return;
        }
        self.shown.push_str(text);
        self.shown.push('\n');
        (self.run.show)(Shown::Line { program: self.program, text });
    }
}

/// A child and the pipes to it.
struct Watched<'a> {
    child: Child,
    input: Option<(PipeWriter, &'a [u8])>,
    outputs: [(Option<PipeReader>, Lines<'a>); 2],
    heard: Heard<'a>,
}

impl Watched<'_> {
    /// Serves the pipes until the child ends, or returns `None` when it must be ended.
    fn until_end(&mut self, end: Instant) -> io::Result<Option<ExitStatus>> {
        let mut wait = FIRST_WAIT;
        loop {
            let moved = self.serve()?;
            if let Some(status) = self.child.try_wait()? {
                self.drain();
                return Ok(Some(status));
            }
            let now = Instant::now();
            if self.heard.run.ended().is_some() || now >= end {
                return Ok(None);
            }
            wait = if moved { FIRST_WAIT } else { (wait * 2).min(TICK) };
            self.wait(wait.min(end - now))?;
        }
    }

    /// Moves what can be moved without waiting; whether anything was.
    fn serve(&mut self) -> io::Result<bool> {
        let mut moved = false;
        if let Some((mut writer, rest)) = self.input.take() {
            match if rest.is_empty() { Ok(0) } else { writer.write(rest) } {
                Ok(length) if length < rest.len() => self.input = Some((writer, &rest[length..])),
                Ok(_) => moved = true,
                Err(error) if again(&error) => self.input = Some((writer, rest)),
                Err(error) => return Err(error),
            }
        }
        let Self { outputs, heard, .. } = self;
        let mut chunk = Zeroizing::new([0; CHUNK]);
        for (pipe, lines) in outputs {
            let Some(reader) = pipe else { continue };
            match reader.read(chunk.as_mut_slice()) {
                Ok(0) => *pipe = None,
                Ok(length) => {
                    moved = true;
                    lines.push(&chunk[..length], &mut |text| heard.line(text));
                }
                Err(error) if again(&error) => {}
                Err(error) => return Err(error),
            }
            chunk.zeroize();
        }
        Ok(moved)
    }

    /// Waits until a pipe is ready, but no longer than told.
    fn wait(&self, most: Duration) -> io::Result<()> {
        let mut polled = Vec::with_capacity(3);
        if let Some((writer, _)) = &self.input {
            polled.push(PollFd::new(writer.as_fd(), PollFlags::POLLOUT));
        }
        polled.extend(
            self.outputs
                .iter()
                .filter_map(|(pipe, _)| pipe.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN))),
        );
        let timeout = PollTimeout::try_from(most).unwrap_or(PollTimeout::ZERO);
        match poll(&mut polled, timeout) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes what the child wrote: it is in the pipes by now. Whoever else holds them is not waited for, and may not
    /// keep us by writing on.
    fn drain(&mut self) {
        for _ in 0..DRAINED {
            if !self.serve().unwrap_or(false) {
                break;
            }
        }
        let Self { outputs, heard, .. } = self;
        for (_, lines) in outputs {
            lines.end(&mut |text| heard.line(text));
        }
    }

    /// Ends the whole process group: first politely.
    fn kill(&mut self) {
        let Some(group) = i32::try_from(self.child.id()).ok().map(Pid::from_raw) else { return };
        // A group that is gone already is what we want.
        let _ = killpg(group, Signal::SIGTERM);
        let end = Instant::now() + GRACE;
        let mut wait = FIRST_WAIT;
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            let moved = self.serve().unwrap_or(false);
            wait = if moved { FIRST_WAIT } else { (wait * 2).min(TICK) };
            let _ = self.wait(wait);
        }
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.child.wait();
        self.drain();
    }
}

fn again(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
#[path = "child_tests.rs"]
mod tests;
