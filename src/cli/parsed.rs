//! The command line as it was meant: arguments in, options and a command out.
//!
//! To define every command, each with all the global options, takes longer than most commands run. So the command that is
//! named is defined alone; whatever does not parse by that is told by the definition of the whole.

use super::args::{Command, Global, Root};
use clap::{
    CommandFactory, FromArgMatches, Subcommand,
    error::{Error, ErrorKind},
};
use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
};

/// What the values of options are called that anybody may word.
const TEXTS: [&str; 6] = ["TEXT", "OWNER", "LABEL", "K", "K=V", "K[=V]"];

/// The definition of the whole command line.
pub(super) fn whole() -> clap::Command {
    Command::augment_subcommands(Root::command()).subcommand_required(true).arg_required_else_help(true)
}

/// The global options, the command, and the words that name it.
type Parsed = (Global, Command, String);

/// Parses the arguments, the program's name first.
///
/// # Errors
/// clap's, of which help and version are some.
pub(super) fn parse(args: &[OsString]) -> Result<Parsed, Error> {
    let definition = named(args);
    let args = &*with_texts(&definition, args);
    match by(definition, args) {
        Err(error) if error.kind() != ErrorKind::DisplayVersion => by(whole(), args),
        parsed => parsed,
    }
}

/// The global options, and of the commands only the first that the arguments name. Nothing but global options stands before
/// a command: if that word was the value of one, then the command is missing here, and nothing parses.
fn named(args: &[OsString]) -> clap::Command {
    let all = Command::augment_subcommands(clap::Command::new("all"));
    let named = args.iter().skip(1).find_map(|word| all.find_subcommand(word));
    Root::command().subcommands(named.cloned())
}

/// The arguments with each text that begins with a hyphen joined to its option: clap would take `- the nightly job` for
/// options. What reads as an option stays one, so that `--reason --now` loses nothing; `-team` is none where `-t` is none.
fn with_texts<'a>(definition: &clap::Command, args: &'a [OsString]) -> Cow<'a, [OsString]> {
    let hyphened = |word: &str| is_hyphened_text(definition, word);
    let is_text = |pair: &[OsString]| pair[1].to_str().is_some_and(hyphened) && takes_text(definition, &pair[0]);
    if !args.windows(2).any(is_text) {
        return Cow::Borrowed(args);
    }
    let mut joined: Vec<OsString> = Vec::with_capacity(args.len());
    let mut rest = args;
    while let [first, ..] = rest {
        let mut word = first.clone();
        let text = first != "--" && rest.len() > 1 && is_text(&rest[..2]);
        if text {
            word.push("=");
            word.push(&rest[1]);
        }
        joined.push(word);
        if first == "--" {
            joined.extend_from_slice(&rest[1..]);
            break;
        }
        rest = &rest[1 + usize::from(text)..];
    }
    Cow::Owned(joined)
}

/// A word that begins with a hyphen and is no option: `->`, `- x`, `-5 degrees`, `-foo bar`, `-team`.
fn is_hyphened_text(definition: &clap::Command, word: &str) -> bool {
    let Some(rest) = word.strip_prefix('-').filter(|rest| !rest.is_empty() && *rest != "-") else { return false };
    if !rest.starts_with('-') && !are_short_options(definition, rest) {
        return true;
    }
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    let name = rest.split('=').next().unwrap_or_default();
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic());
    !named || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether each letter is a short option, up to one that takes the rest for its value.
fn are_short_options(definition: &clap::Command, letters: &str) -> bool {
    for letter in letters.chars() {
        match short_option(definition, letter) {
            Some(arg) if arg.get_action().takes_values() => return true,
            None if !matches!(letter, 'h' | 'V') => return false,
            _ => {}
        }
    }
    true
}

fn short_option(definition: &clap::Command, letter: char) -> Option<&clap::Arg> {
    let own = definition.get_arguments().find(|arg| arg.get_short() == Some(letter));
    own.or_else(|| definition.get_subcommands().find_map(|command| short_option(command, letter)))
}

/// Whether a word is an option that takes a text.
fn takes_text(definition: &clap::Command, word: &OsStr) -> bool {
    let Some(long) = word.to_str().and_then(|word| word.strip_prefix("--")) else { return false };
    let is_it = |arg: &clap::Arg| {
        let named = arg.get_value_names().into_iter().flatten().any(|name| TEXTS.contains(&name.as_str()));
        (named || matches!(long, "ticket" | "for-ticket")) && arg.get_long() == Some(long)
    };
    definition.get_arguments().any(is_it) || definition.get_subcommands().any(|command| takes_text(command, word))
}

fn by(definition: clap::Command, args: &[OsString]) -> Result<Parsed, Error> {
    let matches = definition.try_get_matches_from(args)?;
    let (mut words, mut here) = (Vec::new(), &matches);
    while let Some((word, inner)) = here.subcommand() {
        words.push(word);
        here = inner;
    }
    let named = words.join(" ");
    Ok((Root::from_arg_matches(&matches)?.global, Command::from_arg_matches(&matches)?, named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        whole().debug_assert();
    }

    #[test]
    fn a_text_may_begin_with_a_hyphen_and_an_option_is_none() {
        let joined = |line: &[&str]| {
            let args: Vec<OsString> = ["keyward"].iter().chain(line).map(Into::into).collect();
            let joined = with_texts(&named(&args), &args).into_owned();
            joined.into_iter().skip(1).map(|word| word.into_string().unwrap()).collect::<Vec<_>>().join("|")
        };
        for (line, expected) in [
            (&["deactivate", "a", "--reason", "-> in a log"][..], "deactivate|a|--reason=-> in a log"),
            (&["update", "a", "--description", "- x", "-q"], "update|a|--description=- x|-q"),
            (&["audit", "review", "--note", "-5 and more"], "audit|review|--note=-5 and more"),
            (&["--reason", "--now and then", "rotate", "a"], "--reason=--now and then|rotate|a"),
            (&["rotate", "a", "--reason", "--now"], "rotate|a|--reason|--now"),
            (&["rotate", "a", "--reason", "--owner=J. Doe"], "rotate|a|--reason|--owner=J. Doe"),
            (&["rotate", "a", "--reason", "-qn"], "rotate|a|--reason|-qn"),
            (&["create", "a", "--owner", "- x"], "create|a|--owner=- x"),
            (&["list", "--owner", "-team", "-q"], "list|--owner=-team|-q"),
            (&["update", "a", "--description", "-nightly"], "update|a|--description=-nightly"),
            (&["--ticket", "-1", "rotate", "a"], "--ticket=-1|rotate|a"),
            (&["create", "a", "--label", "-k=v"], "create|a|--label=-k=v"),
            (&["rotate", "a", "--reason", "-ojson"], "rotate|a|--reason|-ojson"),
            (&["logs", "--env", "-team"], "logs|--env|-team"),
            (&["show", "--", "--reason", "- x"], "show|--|--reason|- x"),
        ] {
            assert_eq!(joined(line), expected);
        }
    }

    #[test]
    fn one_definition_says_what_the_whole_says() {
        let said = |parsed: Result<Parsed, Error>| match parsed {
            Ok(parsed) => format!("{parsed:?}"),
            Err(error) => format!("{}: {error}", error.kind()),
        };
        for line in [
            "",
            "--version",
            "--help",
            "list",
            "list --help",
            "list --version",
            "list --owner create -o json",
            "--workspace list show x --reason rotate",
            "--workspace list -qy create list",
            "--field=create list --columns name",
            "-o json vault slots list --vault vault",
            "--reason show vault slots",
            "help create",
            "-- list",
            "show -- list",
            "lst",
            "--workspace list",
            "--workspace list lst",
            "list --expird",
            "rotate",
            "create one two",
        ] {
            let args: Vec<OsString> = ["keyward"].into_iter().chain(line.split_whitespace()).map(Into::into).collect();
            assert_eq!(said(parse(&args)), said(by(whole(), &args)), "{line}");
        }
    }
}
