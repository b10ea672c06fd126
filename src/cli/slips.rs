//! Which of clap's suggestions are kept: only words a slip of the finger away from the one that was typed.
//!
//! clap suggests whatever shares enough letters, such as `rotate` for `frobnicate`; that reads like a guess at what
//! was meant. The suggestions here are those that keyward makes for names and scopes too. Words of other programs are told
//! by what keyward calls the same thing.

use crate::domain::closest;
use clap::error::{ContextKind, ContextValue, Error};
use std::ffi::OsString;

/// What clap suggests, and what it suggests it for.
const SUGGESTIONS: [(ContextKind, ContextKind); 3] = [
    (ContextKind::SuggestedSubcommand, ContextKind::InvalidSubcommand),
    (ContextKind::SuggestedArg, ContextKind::InvalidArg),
    (ContextKind::SuggestedValue, ContextKind::InvalidValue),
];

/// Takes the far-fetched suggestions out of an error; the nearest of the others comes first.
pub(super) fn keep_close(mut error: Error) -> Error {
    for (suggested, typed) in SUGGESTIONS {
        let Some(ContextValue::String(word)) = error.get(typed).cloned() else { continue };
        let near = |words: &[&str]| {
            let mut near = closest(&word, words);
            near.retain(|near| !ENDS.contains(&near.as_str()) || is_one_slip(&word, near));
            near
        };
        let kept = match error.remove(suggested) {
            Some(ContextValue::String(one)) => near(&[&one]).pop().map(ContextValue::String),
            Some(ContextValue::Strings(many)) => {
                let words = near(&many.iter().map(String::as_str).collect::<Vec<_>>());
                (!words.is_empty()).then_some(ContextValue::Strings(words))
            }
            other => other,
        };
        if let Some(kept) = kept {
            error.insert(suggested, kept);
        }
    }
    error
}

/// Commands that end something: they are suggested for a single slip alone, and never because they are near another word.
const ENDS: [&str; 3] = ["revoke", "delete", "deactivate"];

/// Whether one letter is missing, too many, another one, or two have changed places.
fn is_one_slip(typed: &str, word: &str) -> bool {
    let common = typed.bytes().zip(word.bytes()).take_while(|(a, b)| a == b).count();
    let (typed, word) = (&typed.as_bytes()[common..], &word.as_bytes()[common..]);
    let rest = |bytes: &[u8], from: usize| bytes.get(from..).unwrap_or_default().to_vec();
    let swapped = typed.len() > 1 && word.len() > 1 && typed[0] == word[1] && typed[1] == word[0];
    rest(typed, 1) == word
        || rest(word, 1) == typed
        || rest(typed, 1) == rest(word, 1)
        || (swapped && rest(typed, 2) == rest(word, 2))
}

/// What other programs call a command and no alias is, and what keyward calls it.
const COMMANDS: [(&[&str], &str); 12] = [
    (&["del", "destroy"], "keyward delete KEY"),
    (&["keys"], "keyward list"),
    (&["describe", "info"], "keyward show KEY"),
    (&["new", "add", "generate", "issue"], "keyward create NAME"),
    (&["roll", "renew"], "keyward rotate KEY"),
    (&["suspend"], "keyward deactivate KEY"),
    (&["resume"], "keyward activate KEY"),
    (&["edit", "set", "modify"], "keyward update KEY"),
    (&["rename", "mv"], "keyward update KEY --name NAME"),
    (&["history", "log", "events"], "keyward audit list --key KEY"),
    (&["version"], "keyward --version"),
    (&["config", "env"], "keyward help environment"),
];

/// The same for options, of one command or of any: what to type instead.
const OPTIONS: [(&[&str], Option<&str>, &str); 17] = [
    (&["--json"], None, "-o json"),
    (&["--csv"], None, "-o csv"),
    (&["--format"], None, "-o table, wide, json, jsonl, csv, markdown or name"),
    (
        &["--secret-file", "--secret-fd"],
        Some("create"),
        "keyward import FILE: keyward makes the secrets of new keys itself, and takes over those that exist by their digests",
    ),
    (&["--name"], Some("create"), "keyward create NAME: the name stands without an option"),
    (&["--ip", "--cidr", "--allow-ip"], Some("update"), "--add-ip or --remove-ip"),
    (&["--ip", "--cidr"], Some("create"), "--allow-ip"),
    (&["--to", "--sink", "--destination", "--target"], None, "--deliver"),
    (&["--ttl", "--expiry", "--expires", "--valid-for"], None, "--expires-in or --expires-at"),
    (&["--environment"], None, "--env"),
    (&["--add-label", "--set-label"], None, "--label NAME=VALUE"),
    (&["--remove-label", "--delete-label"], None, "--unset-label NAME"),
    (&["--tag", "--tags", "--labels"], None, "--label"),
    (&["--rename"], Some("update"), "--name"),
    (&["--all"], Some("list"), "--status any"),
    (&["--force"], None, "--yes"),
    (&["--token", "--secret", "--key"], None, "a file or standard input: secrets are no arguments"),
];

/// What keyward calls what was typed, where it is a word of other programs. The suggestions that clap has for it go.
pub(super) fn known_elsewhere(error: &mut Error, args: &[OsString]) -> Option<&'static str> {
    let typed = |error: &Error, kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.clone()),
        _ => None,
    };
    let says = |word: &str| args.iter().any(|arg| arg == word);
    let found = if let Some(word) = typed(error, ContextKind::InvalidSubcommand) {
        COMMANDS.iter().find(|(words, _)| words.contains(&word.as_str())).map(|(_, told)| *told)
    } else {
        let word = typed(error, ContextKind::InvalidArg)?;
        let word = word.split(['=', ' ']).next().unwrap_or_default();
        let fits = |command: &Option<&str>| command.is_none_or(says);
        OPTIONS.iter().find(|(words, command, _)| words.contains(&word) && fits(command)).map(|(.., told)| *told)
    };
    if found.is_some() {
        for (suggested, _) in SUGGESTIONS {
            error.remove(suggested);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(args: &[&str]) -> String {
        let parsed = crate::cli::command().try_get_matches_from(args);
        keep_close(parsed.err().unwrap()).render().to_string()
    }

    #[test]
    fn only_slips_are_suggested_and_the_nearest_comes_first() {
        for (args, tip) in [
            (&["keyward", "frobnicate"][..], None),
            (&["keyward", "roate"], Some("some similar subcommands exist: 'rotate', 'create'")),
            (&["keyward", "craete"], Some("a similar subcommand exists: 'create'")),
            (&["keyward", "revok"], Some("a similar subcommand exists: 'revoke'")),
            (&["keyward", "delte"], Some("a similar subcommand exists: 'delete'")),
            (&["keyward", "lst"], Some("some similar subcommands exist: 'list', 'ls'")),
            (&["keyward", "vault", "statsu"], Some("some similar subcommands exist: 'status', 'slots'")),
            (&["keyward", "list", "--expird"], Some("a similar argument exists: '--expired'")),
            (&["keyward", "list", "--owned-here"], None),
            (&["keyward", "-o", "jsno", "list"], Some("a similar value exists: 'json'")),
        ] {
            let text = told(args);
            match tip {
                Some(tip) => assert!(text.contains(tip), "{args:?}: {text}"),
                None => assert!(!text.contains("similar"), "{args:?}: {text}"),
            }
        }
    }
}
