//! Help that can be copied: no line over 80 columns, examples that go on behind a backslash, and the options that every
//! command takes in one place alone.

use super::{command, groups};
use std::{ffi::OsString, fmt::Write as _};

/// No line of help is longer.
pub(crate) const WIDTH: usize = 80;
/// Where the options that every command takes stand.
const GLOBAL: &str = "Global options";

/// Whether an option is one that every command takes.
pub(crate) fn is_global(arg: &clap::Arg) -> bool {
    arg.get_help_heading() == Some(GLOBAL)
}

/// The definition of a command as its help and its manual page show it.
pub(crate) fn shown(command: clap::Command, root: bool) -> clap::Command {
    let after = command.get_after_help().map(|text| wrapped(&text.to_string())).unwrap_or_default();
    let command = command.after_help(after);
    if root { command } else { command.mut_args(|arg| if is_global(&arg) { arg.hide(true) } else { arg }) }
}

/// The help that the arguments ask for.
pub(super) fn of(args: &[OsString]) -> clap::builder::StyledStr {
    let mut here = command();
    here.build();
    let mut root = true;
    let words = args.iter().skip(1).filter_map(|arg| arg.to_str());
    let short = args.iter().any(|arg| arg == "-h");
    for word in words {
        if let Some(found) = here.find_subcommand(word) {
            (here, root) = (found.clone(), false);
        }
    }
    let mut here = shown(here, root).max_term_width(WIDTH);
    if root {
        let listed = groups::listed(&here);
        let names: Vec<String> = here.get_subcommands().map(|one| one.get_name().to_owned()).collect();
        // They are listed already, by what they are for.
        here = names.into_iter().fold(here, |here, name| here.mut_subcommand(name, |one| one.hide(true)));
        here = here.override_usage("keyward [OPTIONS] <COMMAND>").help_template(format!(
            "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{listed}\n\n{{all-args}}{{after-help}}"
        ));
    } else {
        let after = here.get_after_help().map(ToString::to_string).unwrap_or_default();
        let gap = if after.is_empty() { "" } else { "\n\n" };
        here = here.after_help(format!(
            "{after}{gap}Options of every command, such as -o, -q, -n and --vault: keyward --help"
        ));
    }
    if short { here.render_help() } else { here.render_long_help() }
}

/// A text after the options, its examples in lines that a shell joins again.
pub(crate) fn wrapped(text: &str) -> String {
    let lines: Vec<String> = joined(text).iter().map(|line| wrapped_line(line)).collect();
    lines.join("\n")
}

/// The lines of a text, its prose in one line a paragraph: clap would break a line that is too long, and leave its rest alone.
fn joined(text: &str) -> Vec<String> {
    let prose = |line: &str| !line.is_empty() && !line.starts_with(' ') && !line.ends_with([':', '.']);
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match lines.last_mut() {
            Some(last) if last.chars().count() > WIDTH && prose(last) && !line.is_empty() && !line.starts_with(' ') => {
                last.push(' ');
                last.push_str(line);
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

/// An explanation beside its command goes on below itself, so that it is not taken for a command of its own.
fn explained(line: &str, gap: usize) -> String {
    let (command, words) = line.split_at(gap);
    let start = line.len() - words.trim_start().len();
    let mut out = command.to_owned();
    let mut taken = command.chars().count();
    for word in words.split_whitespace() {
        let width = word.chars().count();
        if taken <= start {
            let _ = write!(out, "{:pad$}{word}", "", pad = start - taken);
            taken = start + width;
        } else if taken + 1 + width <= WIDTH {
            let _ = write!(out, " {word}");
            taken += 1 + width;
        } else {
            let _ = write!(out, "\n{:start$}{word}", "");
            taken = start + width;
        }
    }
    out
}

fn wrapped_line(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    // Prose is for clap to wrap.
    if line.chars().count() <= WIDTH || indent == 0 {
        return line.to_owned();
    }
    if let Some(gap) = line.trim_start().find("  ") {
        return explained(line, indent + gap);
    }
    let mut out = String::new();
    let mut taken = 0;
    for (at, word) in words(line.trim_start()).into_iter().enumerate() {
        let width = word.chars().count();
        let room = WIDTH - " \\".len();
        if at == 0 {
            // Writing to a string cannot fail.
            let _ = write!(out, "{:indent$}{word}", "");
            taken = indent + width;
        } else if taken + 1 + width <= room {
            let _ = write!(out, " {word}");
            taken += 1 + width;
        } else {
            let _ = write!(out, " \\\n{:more$}{word}", "", more = indent + 4);
            taken = indent + 4 + width;
        }
    }
    out
}

/// The words of a command line; blanks within quotes and substitutions part none.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut depth) = (Vec::new(), String::new(), None, 0usize);
    for c in line.chars() {
        match c {
            '\'' | '"' if quote.is_none() => quote = Some(c),
            _ if quote == Some(c) => quote = None,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c == ' ' && quote.is_none() && depth == 0 {
            words.push(std::mem::take(&mut word));
        } else {
            word.push(c);
        }
    }
    words.push(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command, with the arguments that ask for its help.
    fn all(command: &clap::Command, path: &[String], found: &mut Vec<Vec<String>>) {
        found.push(path.to_vec());
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            all(sub, &[path, &[sub.get_name().to_owned()]].concat(), found);
        }
    }

    #[test]
    fn no_line_of_help_is_too_wide_and_the_global_options_stand_once() {
        let mut paths = Vec::new();
        all(&command(), &["keyward".to_owned()], &mut paths);
        for path in paths {
            let args: Vec<OsString> = path.iter().map(String::as_str).chain(["--help"]).map(OsString::from).collect();
            let help = of(&args).to_string();
            for line in help.lines() {
                assert!(line.chars().count() <= WIDTH, "{path:?}: {line}");
            }
            assert_eq!(help.contains("--no-input"), path.len() == 1 && help.contains(GLOBAL), "{path:?}");
        }
    }

    #[test]
    fn prose_is_filled_and_an_explanation_stays_beside_its_command() {
        let prose = format!("{} and\nthe rest of it.\nAnother one.", "word ".repeat(17));
        let filled = format!("{} and the rest of it.\nAnother one.", "word ".repeat(17));
        assert_eq!(super::wrapped(&prose), filled);
        let line =
            format!("  keyward rotate app{}the old secret works for as long as its overlap lasts", " ".repeat(20));
        let indented = format!("\n{}", " ".repeat(39));
        let wrapped = super::wrapped(&line);
        assert_eq!(wrapped.matches(&indented).count(), 1, "{wrapped}");
        assert!(wrapped.lines().all(|line| line.chars().count() <= WIDTH), "{wrapped}");
    }

    #[test]
    fn a_wrapped_example_is_the_same_command() {
        let line = "  keyward update billing-sync --add-scope invoices:write --reason 'a reason of some length' --yes --ticket OPS-1";
        let wrapped = wrapped(line);
        assert!(wrapped.lines().count() == 2 && wrapped.lines().all(|line| line.chars().count() <= WIDTH), "{wrapped}");
        let joined = wrapped.replace(" \\\n", " ");
        assert_eq!(
            words(joined.trim()).into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>(),
            words(line.trim())
        );
        assert_eq!(super::wrapped("Examples:\n  keyward list"), "Examples:\n  keyward list");
    }
}
