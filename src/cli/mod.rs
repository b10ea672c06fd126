//! The command line: arguments in, one exit code out.
//!
//! [`run`] parses into domain types, hands over to one file a command in `commands/`, and tells whatever error comes
//! back. It never ends the process, and reaches the vault only through the backend.

mod args;
mod asking;
mod at_work;
mod bulk;
#[cfg(feature = "server")]
mod bulk_again;
mod bulk_file;
#[cfg(feature = "server")]
mod bulk_journal;
mod bulk_line;
mod bulk_out;
#[cfg(feature = "server")]
mod bulk_slices;
mod candidates;
mod change_words;
mod closing;
mod columns;
mod commands;
mod context;
mod csv_text;
mod declared;
mod delivery;
mod due;
mod elsewhere;
pub mod exit;
mod filter;
mod first;
mod grouping;
mod groups;
mod guided;
mod heeded;
pub(crate) mod help_text;
mod hints;
mod hygiene;
mod in_slices;
mod input;
mod local;
mod logs;
mod operand;
mod parsed;
#[cfg(feature = "server")]
mod place;
mod prompt;
pub(crate) mod recipes;
mod render;
mod rotating;
mod scan;
mod selection;
mod signals;
mod slips;
mod terminal;
mod typed;
#[cfg(feature = "ui")]
mod ui;
mod unparsed;
mod values;
mod written;

pub use bulk_file::{BulkFile, parse as bulk_requests};

use crate::{
    config::{self, Env},
    ops::Error,
    output::{ColorPolicy, Emitter, Format, Options, Pager, Streams, height},
};
use exit::Exit;
use std::{
    ffi::OsString,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

/// The definition of the command line, for completions, manual pages and help.
#[must_use]
pub fn command() -> clap::Command {
    parsed::whole()
}

/// Runs one invocation and answers with its exit code. A bug that panics is told as one, by the panic and by its code.
pub fn run(args: impl IntoIterator<Item = OsString>, env: Env, streams: Streams) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    catch_unwind(AssertUnwindSafe(|| invoke(args, env, streams))).unwrap_or(Exit::Internal.code())
}

fn invoke(args: Vec<OsString>, env: Env, mut streams: Streams) -> u8 {
    // Who exports COLUMNS means it, as with other programs.
    let columns = env.text("COLUMNS").and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0);
    streams.width = columns.or(streams.width);
    let pager = env.text("PAGER").filter(|command| streams.stdout_terminal && !command.trim().is_empty());
    let less_is_told = env.text("LESS").is_some();
    streams.pager = pager.zip(height()).map(|(command, height)| Pager { command, height, less_is_told });
    if let Some(shell) = env.text("COMPLETE") {
        return complete(&shell, args, streams);
    }
    if let Err(error) = input::refuse_tokens(&args) {
        let error = hints::Said::early(&args).error(error);
        return fail(&mut early(&args, &env, streams), &error);
    }
    let (global, command, named) = match parsed::parse(&args) {
        Ok(parsed) => parsed,
        Err(error) => {
            let first = (args.len() == 1).then(|| first::words(&env)).flatten();
            return unparsed::tell(slips::keep_close(error), &args, first, &mut early(&args, &env, streams));
        }
    };
    let (early_format, color) = (early_format(&args, &env), color(&global, &env));
    if let Err(error) = env.is_legible() {
        return fail(&mut Emitter::new(streams, options(early_format, color)), &error);
    }
    let _log = match logs::start(&global, &env) {
        Ok(log) => log,
        Err(error) => return fail(&mut Emitter::new(streams, options(early_format, color)), &error),
    };
    match context::Ctx::new(global, args, env, streams, command.heeds_settings()) {
        Ok(mut cx) => {
            // Of the command line it was told already; the environment is another door.
            let ended = cx.operation().recordable().and_then(|()| heeded::check(&cx, &named));
            let ended = ended.and_then(|()| command.run(&mut cx));
            cx.warn_if_unremembered();
            let code = ended.unwrap_or_else(|error| {
                let told = hints::Said::of(&cx.given).error(error);
                fail(cx.emitter(), &told)
            });
            if exit::is_failure(code) {
                cx.emitter().say_hushed();
            }
            closing::close(cx.emitter(), code);
            code
        }
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

/// An emitter for what is said before the arguments are understood.
fn early(args: &[OsString], env: &Env, streams: Streams) -> Emitter {
    let color = early_option(args, "--color", None).and_then(|word| word.parse().ok());
    let color = self::color(&args::Global { color, ..args::Global::default() }, env);
    Emitter::new(streams, options(early_format(args, env), color))
}

/// The format that was asked for, as far as it can be told from arguments that did not parse.
fn early_format(args: &[OsString], env: &Env) -> Format {
    let asked = early_option(args, "--output", Some("-o")).or_else(|| env.text("KEYWARD_OUTPUT"));
    asked.and_then(|word| word.parse().ok()).unwrap_or_default()
}

/// The last value of an option, read off the words alone.
fn early_option(args: &[OsString], long: &str, short: Option<&str>) -> Option<String> {
    let mut words = args.iter().skip(1).filter_map(|arg| arg.to_str()).take_while(|word| *word != "--");
    let mut found = None;
    while let Some(word) = words.next() {
        if word == long || Some(word) == short {
            found = words.next().map(str::to_owned);
        } else if let Some(value) = word.strip_prefix(long).and_then(|rest| rest.strip_prefix('=')) {
            found = Some(value.to_owned());
        } else if let Some(value) = short.and_then(|short| word.strip_prefix(short)) {
            found = Some(value.trim_start_matches('=').to_owned());
        }
    }
    found
}

fn color(global: &args::Global, env: &Env) -> ColorPolicy {
    let dumb = env.text("TERM").filter(|term| term == "dumb");
    let (no_color, force) = (env.text("NO_COLOR").or(dumb), env.text("CLICOLOR_FORCE"));
    ColorPolicy::new(global.color.unwrap_or_default(), no_color.as_deref(), force.as_deref())
}

fn options(format: Format, color: ColorPolicy) -> Options {
    Options {
        format,
        field: None,
        columns: Vec::new(),
        time: None,
        quiet: false,
        color,
        now: config::now().unwrap_or_default(),
    }
}

/// Answers the shell's completion script, which `keyward completions` prints.
fn complete(shell: &str, args: Vec<OsString>, streams: Streams) -> u8 {
    let shells = clap_complete::env::Shells::builtins();
    let mut out = Emitter::new(streams, options(Format::Table, ColorPolicy::default()));
    let Some(completer) = shells.completer(shell) else {
        return fail(&mut out, &Error::usage("COMPLETE names no shell that is known"));
    };
    let words = typed::plain(shell, args.into_iter().skip_while(|arg| arg != "--").skip(1).collect());
    let here = Path::new(".").canonicalize().ok();
    let mut answer = Vec::new();
    let done = completer.write_complete(&mut command(), words, here.as_deref(), &mut answer);
    match done.map(|()| out.raw(&answer)) {
        Ok(Ok(())) => Exit::Ok.code(),
        _ => Exit::Failure.code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream with a bug in it.
    struct Broken;

    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            panic!("a bug")
        }
    }

    #[test]
    fn a_panic_is_exit_70() {
        let streams = Streams::new(Box::new(Broken), Box::new(std::io::sink()), Box::new(std::io::sink()));
        let args = ["keyward", "verify", "-"].map(OsString::from);
        assert_eq!(run(args, Env::default(), streams), 70);
    }
}
