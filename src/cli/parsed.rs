//! The command line as it was meant: arguments in, options and a command out.
//!
//! To define every command, each with all the global options, takes longer than most commands run. So the command that is
//! named is defined alone; whatever does not parse by that is told by the definition of the whole.

use super::args::{Command, Global, Root};
use clap::{
    CommandFactory, FromArgMatches, Subcommand,
    error::{Error, ErrorKind},
};
use std::ffi::OsString;

/// The definition of the whole command line.
pub(super) fn whole() -> clap::Command {
    Command::augment_subcommands(Root::command()).subcommand_required(true).arg_required_else_help(true)
}

/// Parses the arguments, the program's name first.
///
/// # Errors
/// clap's, of which help and version are some.
pub(super) fn parse(args: &[OsString]) -> Result<(Global, Command), Error> {
    match by(named(args), args) {
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

fn by(definition: clap::Command, args: &[OsString]) -> Result<(Global, Command), Error> {
    let matches = definition.try_get_matches_from(args)?;
    Ok((Root::from_arg_matches(&matches)?.global, Command::from_arg_matches(&matches)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        whole().debug_assert();
    }

    #[test]
    fn one_definition_says_what_the_whole_says() {
        let said = |parsed: Result<(Global, Command), Error>| match parsed {
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
