//! What is said about a command line that does not parse: help and version are data, everything else is a usage error
//! told like every other error.

use super::{command, exit::Exit, fail, help_text, hints::Said, render, slips};
use crate::{
    ops::{Error, Kind},
    output::{Emitter, escape},
};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;

/// A value is repeated up to this length, so that a slip with a whole file does not scroll the reason away.
const REPEATED: usize = 200;

/// Tells it, and answers with the exit code. Where nothing was asked for, somebody at a terminal is told what to type `first`.
pub(super) fn tell(error: clap::Error, args: &[OsString], first: Option<&str>, out: &mut Emitter) -> u8 {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let colored = out.options.color.applies(out.streams.stdout_terminal);
            let help = (error.kind() == ErrorKind::DisplayHelp).then(|| help_text::of(args));
            let shown = match help {
                Some(help) if colored => help.ansi().to_string(),
                Some(help) => help.to_string(),
                None => text(&error, colored),
            };
            // A closed pipe is no error.
            match out.raw(shown.as_bytes()).map_err(render::unwritten) {
                Ok(()) => Exit::Ok.code(),
                Err(error) => fail(out, &error),
            }
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if !out.options.format.is_json() => {
            let colored = out.options.color.applies(out.streams.stderr_terminal);
            match first.filter(|_| out.streams.stderr_terminal) {
                Some(first) => out.raw_stderr(first),
                None if colored => out.raw_stderr(&help_text::of(args).ansi().to_string()),
                None => out.raw_stderr(&help_text::of(args).to_string()),
            }
            Exit::Usage.code()
        }
        _ => {
            let usage = usage_error(error, args);
            fail(out, &usage)
        }
    }
}

fn text(error: &clap::Error, colored: bool) -> String {
    let rendered = error.render();
    if colored { rendered.ansi().to_string() } else { rendered.to_string() }
}

/// The same in keyward's own words and order: what, causes, then hints.
fn usage_error(error: clap::Error, args: &[OsString]) -> Error {
    let asked = asked_for(args);
    let help = format!("{} --help", asked.0);
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Error::new(Kind::Usage, "usage", "a command is missing").hint(help);
    }
    let mut error = repeatable(error);
    let elsewhere = slips::known_elsewhere(&mut error, args);
    // The standard library's words for what is no number say nothing to who typed it.
    let plain = text(&error, false)
        .replace("invalid digit found in string", "expected a whole number")
        .replace("cannot parse integer from empty string", "expected a whole number")
        .replace("number too large to fit in target type", "the number is too large");
    let mut lines = plain.lines();
    let first = lines.next().unwrap_or_default();
    let said = Said::early(args);
    let mut usage = Error::new(Kind::Usage, "usage", said.carried(first.strip_prefix("error: ").unwrap_or(first)));
    let (mut causes, mut hints) = (Vec::new(), Vec::new());
    for line in lines.map(str::trim) {
        if let Some(tip) = line.strip_prefix("tip: ") {
            // What follows `--` is an operand: clap's advice would make a name of an option.
            if !tip.starts_with("to pass ") {
                hints.push(tip.to_owned());
            }
        } else if line.starts_with("Usage: ") {
            // clap's own names only what it takes for related to the slip, which misleads.
            hints.extend(elsewhere.is_none().then(|| asked.1.clone()));
        } else if !line.is_empty() && !line.starts_with("For more information") {
            causes.push(line.trim_matches(['[', ']']).to_owned());
        }
    }
    usage.causes = causes;
    usage.hints = elsewhere.map(|told| said.carried(told)).into_iter().chain(hints).collect();
    usage.hint(help)
}

/// Values with control characters made visible, and cut: they come from elsewhere as often as from fingers.
fn repeatable(mut error: clap::Error) -> clap::Error {
    let values: Vec<(ContextKind, String)> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, text.clone())),
            _ => None,
        })
        .collect();
    for (kind, value) in values {
        let mut shown: String = escape(&value).chars().take(REPEATED).collect();
        if shown.len() < value.len() && value.chars().count() > REPEATED {
            shown.push('…');
        }
        error.insert(kind, ContextValue::String(shown));
    }
    error
}

/// The command whose arguments were wrong, as far as the words name one, and its usage.
fn asked_for(args: &[OsString]) -> (String, String) {
    let mut names = vec!["keyward".to_owned()];
    let mut here = command();
    here.build();
    for word in args.iter().skip(1).filter_map(|arg| arg.to_str()) {
        if let Some(found) = here.find_subcommand(word).cloned() {
            names.push(found.get_name().to_owned());
            here = found;
        }
    }
    let usage = here.render_usage().to_string().replacen("Usage: ", "usage: ", 1);
    (names.join(" "), usage.lines().map(str::trim).collect::<Vec<_>>().join("  or: "))
}
