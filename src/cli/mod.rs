//! The command line: arguments in, one exit code out.
//!
//! [`run`] parses into domain types, hands over to one file a command in `commands/`, and tells whatever error comes
//! back. It never ends the process, and reaches the vault only through the backend.

mod args;
mod bulk;
mod bulk_line;
mod candidates;
mod columns;
mod commands;
mod context;
pub mod exit;
mod input;
mod logs;
mod operand;
mod prompt;
mod render;
mod rotating;
mod slips;
mod values;

use crate::{
    config::Env,
    ops::{Error, Kind},
    output::{ColorPolicy, Emitter, Format, Options, Streams},
};
use args::Cli;
use chrono::Utc;
use clap::{CommandFactory, FromArgMatches, error::ErrorKind};
use exit::Exit;
use std::{ffi::OsString, path::Path};

/// The definition of the command line, for completions, manual pages and help.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs one invocation and answers with its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>, env: Env, streams: Streams) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(shell) = env.text("COMPLETE") {
        return complete(&shell, args, streams);
    }
    if let Err(error) = input::refuse_tokens(&args) {
        return fail(&mut early(&args, &env, streams), &error);
    }
    let parsed = command().try_get_matches_from(&args).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return unparsed(&slips::keep_close(error), &mut early(&args, &env, streams)),
    };
    let (early_format, color) = (early_format(&args, &env), color(&cli.global, &env));
    let _log = match logs::start(&cli.global, &env) {
        Ok(log) => log,
        Err(error) => return fail(&mut Emitter::new(streams, options(early_format, color)), &error),
    };
    match context::Ctx::new(cli.global, env, streams) {
        Ok(mut cx) => match cli.command.run(&mut cx) {
            Ok(code) => code,
            Err(error) => fail(cx.emitter(), &error),
        },
        Err(refused) => {
            let (error, streams) = *refused;
            let options = options(early_format, color);
            fail(&mut Emitter::new(streams, options), &error)
        }
    }
}

fn fail(out: &mut Emitter, error: &Error) -> u8 {
    out.emit_error(&render::told(error));
    Exit::from(error.kind).code()
}

/// What clap has to say: help and version are data, everything else is a usage error.
fn unparsed(error: &clap::Error, out: &mut Emitter) -> u8 {
    let rendered = error.render();
    let text = |colored: bool| if colored { rendered.ansi().to_string() } else { rendered.to_string() };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let colored = out.options.color.applies(out.streams.stdout_terminal);
            // A closed pipe is no error, and there is nothing else to do about any other.
            let written = out.raw(text(colored).as_bytes());
            if written.is_ok() { Exit::Ok } else { Exit::Unavailable }.code()
        }
        _ if out.options.format.is_json() => {
            let plain = rendered.to_string();
            let mut lines = plain.lines().map(str::trim).filter(|line| !line.is_empty());
            let first = lines.next().unwrap_or_default();
            let mut usage = Error::new(Kind::Usage, "usage", first.strip_prefix("error: ").unwrap_or(first));
            for line in lines.filter(|line| !line.starts_with("For more information")) {
                usage = usage.hint(line.strip_prefix("tip: ").unwrap_or(line));
            }
            fail(out, &usage)
        }
        _ => {
            let colored = out.options.color.applies(out.streams.stderr_terminal);
            out.raw_stderr(&text(colored));
            Exit::Usage.code()
        }
    }
}

/// An emitter for what is said before the arguments are understood.
fn early(args: &[OsString], env: &Env, streams: Streams) -> Emitter {
    let color = color(&args::Global::default(), env);
    Emitter::new(streams, options(early_format(args, env), color))
}

/// The format that was asked for, as far as it can be told from arguments that did not parse.
fn early_format(args: &[OsString], env: &Env) -> Format {
    let mut words = args.iter().skip(1).filter_map(|arg| arg.to_str()).take_while(|word| *word != "--");
    let mut asked = env.text("KEYWARD_OUTPUT");
    while let Some(word) = words.next() {
        if matches!(word, "-o" | "--output") {
            asked = words.next().map(str::to_owned);
        } else if let Some(value) = word.strip_prefix("--output=").or_else(|| word.strip_prefix("-o")) {
            asked = Some(value.trim_start_matches('=').to_owned());
        }
    }
    asked.and_then(|word| word.parse().ok()).unwrap_or_default()
}

fn color(global: &args::Global, env: &Env) -> ColorPolicy {
    let (no_color, force) = (env.text("NO_COLOR"), env.text("CLICOLOR_FORCE"));
    ColorPolicy::new(global.color.unwrap_or_default(), no_color.as_deref(), force.as_deref())
}

fn options(format: Format, color: ColorPolicy) -> Options {
    Options { format, field: None, columns: Vec::new(), time: None, quiet: false, color, now: Utc::now() }
}

/// Answers the shell's completion script, which `keyward completions` prints.
fn complete(shell: &str, args: Vec<OsString>, streams: Streams) -> u8 {
    let shells = clap_complete::env::Shells::builtins();
    let mut out = Emitter::new(streams, options(Format::Table, ColorPolicy::default()));
    let Some(completer) = shells.completer(shell) else {
        return fail(&mut out, &Error::usage("COMPLETE names no shell that is known"));
    };
    let words = args.into_iter().skip_while(|arg| arg != "--").skip(1).collect();
    let here = Path::new(".").canonicalize().ok();
    let mut answer = Vec::new();
    let done = completer.write_complete(&mut command(), words, here.as_deref(), &mut answer);
    match done.map(|()| out.raw(&answer)) {
        Ok(Ok(())) => Exit::Ok.code(),
        _ => Exit::Failure.code(),
    }
}
