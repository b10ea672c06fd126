//! The commands by what somebody wants to do, those of every day first: forty in one list are a list that nobody reads.

use super::help_text::WIDTH;
use std::fmt::Write as _;

/// Every command that help shows, once.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Every day", &["create", "list", "show", "verify", "rotate", "update", "deactivate", "revoke", "logs", "check"]),
    (
        "More with keys",
        &[
            "activate",
            "delete",
            "rotation",
            "scopes",
            "apply",
            "diff",
            "export",
            "push",
            "pull",
            "import",
            "identify",
            "scan-rule",
            "ui",
        ],
    ),
    ("What happened, and what is due", &["usage", "report", "audit"]),
    ("The vault of this machine", &["init", "unlock", "lock", "vault", "doctor"]),
    (
        "Servers, and who may use them",
        &[
            "serve",
            "login",
            "logout",
            "profile",
            "whoami",
            "self",
            "operators",
            "workspaces",
            "projects",
            "customers",
            "plans",
            "webhooks",
        ],
    ),
    ("keyward itself", &["help", "man", "completions"]),
];

/// What is said of a command begins here.
const INDENT: usize = 14;

/// The commands of the whole, as its help lists them.
pub(super) fn listed(root: &clap::Command) -> String {
    let mut text = String::new();
    let in_a_group = |name: &str| GROUPS.iter().any(|(_, names)| names.contains(&name));
    let rest = root.get_subcommands().filter(|command| !command.is_hide_set() && !in_a_group(command.get_name()));
    let rest: Vec<&str> = rest.map(clap::Command::get_name).collect();
    // A command that was forgotten above is shown all the same; a test says so.
    for (heading, names) in GROUPS.iter().copied().chain((!rest.is_empty()).then_some(("Others", &*rest))) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\u{1b}[1m\u{1b}[4m{heading}:\u{1b}[0m");
        for command in names.iter().filter_map(|name| root.find_subcommand(name)) {
            let about = about(command);
            let _ = write!(text, "  \u{1b}[1m{:<width$}\u{1b}[0m", command.get_name(), width = INDENT - 2);
            filled(&about, &mut text);
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

/// What a command does, and what else it is called.
fn about(command: &clap::Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let others: Vec<&str> = command.get_visible_aliases().collect();
    match others.as_slice() {
        [] => about,
        [one] => format!("{about} [alias: {one}]"),
        many => format!("{about} [aliases: {}]", many.join(", ")),
    }
}

/// Writes words into the rest of the line, and into further lines below it.
fn filled(words: &str, text: &mut String) {
    let mut taken = INDENT;
    for (at, word) in words.split(' ').enumerate() {
        let width = word.chars().count();
        if at > 0 && taken + 1 + width > WIDTH {
            let _ = write!(text, "\n{:INDENT$}", "");
            taken = INDENT;
        } else if at > 0 {
            text.push(' ');
            taken += 1;
        }
        text.push_str(word);
        taken += width;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command;

    #[test]
    fn every_command_stands_in_one_group_and_ten_are_of_every_day() {
        let root = command();
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let mut shown: Vec<&str> =
            root.get_subcommands().filter(|one| !one.is_hide_set()).map(clap::Command::get_name).collect();
        grouped.sort_unstable();
        shown.sort_unstable();
        let here: Vec<&str> = grouped.iter().copied().filter(|name| shown.contains(name)).collect();
        assert_eq!(here, shown, "a command stands in no group, or twice");
        assert_eq!(GROUPS[0].1.len(), 10);
    }
}
