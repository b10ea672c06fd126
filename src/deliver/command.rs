//! Commands of the caller's own, run by `sh -c`: the `exec` sink, probes and hooks.
//!
//! The secret goes to standard input, exactly its characters and no newline after them, and never into an argument.

use super::{
    Destination, Fault, KeyFacts, Options, Reached, Running, SinkError,
    child::{self, Ended, Failed, Job},
    mask::Mask,
    template::{Purpose, Template},
};
use crate::domain::PlainToken;
use backon::{BackoffBuilder, ExponentialBuilder};
use std::os::unix::process::ExitStatusExt;
use std::{
    ffi::OsString,
    path::Path,
    process::{Command, ExitStatus},
    sync::atomic::AtomicBool,
    time::Duration,
};

const SHELL: &str = "/bin/sh";
/// The exit code of a program that may go well at another try.
const EX_TEMPFAIL: i32 = 75;
/// How long the shell may think about a command that it is not to run.
const LOOK: Duration = Duration::from_secs(10);

/// The `exec` sink.
pub(super) struct Exec {
    command: String,
    program: String,
    exec_env: Option<String>,
    path: Option<OsString>,
    limit: Duration,
}

impl Exec {
    pub(super) fn new(command: String, options: &Options) -> Self {
        Self {
            program: label(&command),
            command,
            exec_env: options.exec_env.clone(),
            path: options.path.clone(),
            limit: options.timeout,
        }
    }
}

impl Destination for Exec {
    fn preflight(&self) -> Result<(), SinkError> {
        look_at(&self.command, self.path.as_ref())
    }

    fn deliver(&self, token: &PlainToken, run: &Running<'_>) -> Result<String, SinkError> {
        let mut command = shell(&self.command);
        if let Some(name) = &self.exec_env {
            command.env(name, token.expose_plaintext());
        }
        let mask = Mask::of(token);
        let input = token.expose_plaintext().as_bytes();
        let job = Job {
            command,
            program: &self.program,
            input,
            mask: Some(&mask),
            path: self.path.as_deref(),
            limit: self.limit,
        };
        // A variable is there from the start; what is on standard input is only taken by whoever reads it.
        let taken =
            |unread: usize| if self.exec_env.is_none() && unread == input.len() { Reached::No } else { Reached::Maybe };
        let ended = child::run(job, run).map_err(|failed| not_ended(&self.program, failed, taken))?;
        if !ended.status.success() {
            return Err(failed_with(refusal(ended.status), &self.program, &ended).reached(taken(ended.unread)));
        }
        if taken(ended.unread) == Reached::No {
            return Err(SinkError::failed(format!("{} ended without reading the secret", self.program))
                .cause("it is on its standard input")
                .hint("read standard input in the command; a command that needs no secret is a hook, not a sink"));
        }
        Ok("the command read the secret and ended with 0".to_owned())
    }
}

fn shell(command: &str) -> Command {
    let mut shell = Command::new(SHELL);
    shell.args(["-c", command]);
    shell
}

/// What the lines of a command are shown under: its first word.
fn label(command: &str) -> String {
    let word = command.split_whitespace().next().unwrap_or("command").trim_matches(['(', ')', ';', '&', '|']);
    let name = word.rsplit('/').next().unwrap_or(word);
    if name.is_empty() { "command".to_owned() } else { name.chars().take(40).collect() }
}

/// Asks the shell whether a command is well formed and whether its first program is there. Runs nothing of it.
fn look_at(command: &str, path: Option<&OsString>) -> Result<(), SinkError> {
    let ask = |arguments: &[&str]| {
        let mut shell = Command::new(SHELL);
        shell.args(arguments);
        let job = Job {
            command: shell,
            program: "sh",
            input: b"",
            mask: None,
            path: path.map(|path| path.as_ref()),
            limit: LOOK,
        };
        let running = Running { deadline: None, stop: &AtomicBool::new(false), show: &|_| {} };
        child::run(job, &running).map_err(|failed| not_ended("sh", failed, |_| Reached::No))
    };
    let parsed = ask(&["-n", "-c", command])?;
    if !parsed.status.success() {
        let refused = SinkError::usage("the shell does not understand the command");
        return Err(match parsed.last_line {
            Some(line) => refused.cause(line),
            None => refused,
        });
    }
    let Some(word) = plain_word(command) else { return Ok(()) };
    // A path is looked at here: a shell is content when it exists.
    let there = match word.contains('/') {
        true => which::which_in(word, None::<&OsString>, ".").is_ok(),
        false => ask(&["-c", "command -v -- \"$1\" >/dev/null", "sh", word])?.status.success(),
    };
    if there {
        return Ok(());
    }
    Err(SinkError::failed(format!("there is no program {word}"))
        .cause("it is not on PATH, or cannot be executed")
        .hint(format!("install {word}, or name it with its whole path")))
}

/// The first word of a command, when it is certainly the name of a program.
fn plain_word(command: &str) -> Option<&str> {
    let command = command.trim_start();
    let end = command.find(|character: char| character.is_whitespace() || ";|&<>".contains(character));
    let word = &command[..end.unwrap_or(command.len())];
    let plain = |character: char| character.is_ascii_alphanumeric() || "._/+-@".contains(character);
    (!word.is_empty() && !word.starts_with('-') && word.chars().all(plain)).then_some(word)
}

/// Says that a child did not end by itself.
pub(super) fn not_ended(program: &str, failed: Failed, taken: impl Fn(usize) -> Reached) -> SinkError {
    match failed {
        Failed::Spawn(error) => SinkError::io(format!("{program} did not start"), &error),
        Failed::System(error) => SinkError::unavailable(format!("{program} was ended: the pipes to it broke"))
            .cause(error.to_string())
            .reached(Reached::Maybe),
        Failed::Stopped { why, slow, unread } => {
            let fault = if slow { Fault::Unavailable } else { Fault::Interrupted };
            SinkError::new(fault, format!("{program} was ended")).cause(why).reached(taken(unread))
        }
    }
}

/// What a command of the caller's means that ends in another way than with 0: no, unless it says by its exit code that it
/// cannot now, as sysexits(3) has it, or was killed.
fn refusal(status: ExitStatus) -> Fault {
    match status.code() {
        Some(EX_TEMPFAIL) | None => Fault::Unavailable,
        Some(_) => Fault::Failed,
    }
}

/// Says how a child failed.
pub(super) fn failed_with(fault: Fault, program: &str, ended: &Ended) -> SinkError {
    let error = SinkError::new(fault, format!("{program} {}", ending(ended.status)));
    match &ended.last_line {
        Some(line) => error.cause(line.clone()),
        None => error,
    }
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(126), _) => "ended with 126: the program cannot be executed".to_owned(),
        (Some(127), _) => "ended with 127: there is no such program".to_owned(),
        (Some(code), _) => format!("ended with {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "did not end well".to_owned(),
    }
}

/// A command with the facts of a key filled in, each value so plain that no shell reads more in it.
///
/// # Errors
/// When a fact is missing, or is not plain.
pub fn command_for(command: &str, key: &KeyFacts<'_>) -> Result<String, SinkError> {
    Template::command(command).fill(key, Purpose::Command)
}

/// How often a probe is tried, and how long the first wait between two tries is; each further one is twice as long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Tries altogether, at least one.
    pub tries: usize,
    /// The first wait.
    pub backoff: Duration,
}

/// Asks a command whether a secret works: it gets the secret on standard input and says yes by ending with 0.
///
/// # Errors
/// When it has not said yes after the last try, or when the run ends first.
pub fn probe(
    command: &str,
    token: &PlainToken,
    retry: Retry,
    options: &Options,
    run: &Running<'_>,
) -> Result<(), SinkError> {
    let mask = Mask::of(token);
    let program = label(command);
    let secret = token.expose_plaintext().as_bytes();
    let try_once = || say_yes(shell(command), &program, secret, Some(&mask), options, run);
    let waits = ExponentialBuilder::new()
        .with_factor(2.0)
        .with_min_delay(retry.backoff)
        .with_max_delay(Duration::from_secs(300))
        .with_max_times(retry.tries.saturating_sub(1));
    for wait in waits.build() {
        match try_once() {
            Err(_) if run.ended().is_none() => run.sleep(wait),
            outcome => return outcome,
        }
    }
    try_once()
}

/// Runs a command that is told something: JSON on standard input, one line; in a directory, or in that of this process.
///
/// # Errors
/// When it does not end with 0.
pub fn hook(
    command: &str,
    json: &serde_json::Value,
    directory: Option<&Path>,
    options: &Options,
    run: &Running<'_>,
) -> Result<(), SinkError> {
    let mut started = shell(command);
    if let Some(directory) = directory {
        started.current_dir(directory);
    }
    say_yes(started, &label(command), format!("{json}\n").as_bytes(), None, options, run)
}

fn say_yes(
    command: Command,
    program: &str,
    input: &[u8],
    mask: Option<&Mask>,
    options: &Options,
    run: &Running<'_>,
) -> Result<(), SinkError> {
    let job = Job { command, program, input, mask, path: options.path.as_deref(), limit: options.timeout };
    let ended = child::run(job, run).map_err(|failed| not_ended(program, failed, |_| Reached::No))?;
    // A service may need longer than the tries of a probe to take a new secret.
    if ended.status.success() { Ok(()) } else { Err(failed_with(Fault::Unavailable, program, &ended)) }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
