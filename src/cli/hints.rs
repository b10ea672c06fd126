//! Hints that can be run as they stand: with the vault, the server and whatever else the person had said of where and why.
//!
//! What a use case advises knows nothing of the command line it was called from. A hint that left `--vault` out would act on
//! another vault, and one that left `--reason` out would lose the reason.

use super::{
    args::{Command, Global},
    heeded, input,
};
use crate::ops::Error;
use clap::Subcommand;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// The global options that a hint carries, as they were given.
pub(super) struct Said(String);

impl Said {
    /// Of the options as they were typed; what the environment says, it says to the next command too.
    pub(super) fn of(given: &Global) -> Self {
        let mut said = String::new();
        let mut say = |option: &str, value: Option<&str>| {
            if let Some(value) = value {
                said.push_str(&format!(" {option} {}", shell_words::quote(value)));
            }
        };
        let path = |path: &Option<std::path::PathBuf>| path.as_deref().and_then(Path::to_str).map(str::to_owned);
        say("--vault", path(&given.vault).as_deref());
        #[cfg(feature = "server")]
        {
            say("--server", given.server.as_deref());
            say("--profile", given.profile.as_deref());
            say("--token-file", path(&given.token_file).as_deref());
            say("--ca-file", path(&given.ca_file).as_deref());
        }
        say("--workspace", given.workspace.as_deref());
        say("--key-file", path(&given.key_file).as_deref());
        say("--passphrase-file", path(&given.passphrase_file).as_deref());
        say("--reason", given.reason.as_deref());
        say("--ticket", given.ticket.as_deref());
        Self(said)
    }

    /// Of a command line that does not parse, as far as its words tell. What carries a secret is not repeated.
    pub(super) fn early(args: &[OsString]) -> Self {
        let read = |option| {
            let value = super::early_option(args, option, None)?;
            let words = ["", value.as_str()];
            input::refuse_tokens(&words).is_ok().then_some(value)
        };
        let path = |option| read(option).map(PathBuf::from);
        Self::of(&Global {
            vault: path("--vault"),
            #[cfg(feature = "server")]
            server: read("--server"),
            #[cfg(feature = "server")]
            profile: read("--profile"),
            #[cfg(feature = "server")]
            token_file: path("--token-file"),
            #[cfg(feature = "server")]
            ca_file: path("--ca-file"),
            workspace: read("--workspace"),
            key_file: path("--key-file"),
            passphrase_file: path("--passphrase-file"),
            reason: read("--reason"),
            ticket: read("--ticket"),
            ..Global::default()
        })
    }

    /// A text with the options in every command that it advises, unless the command says them itself.
    pub(super) fn carried(&self, text: &str) -> String {
        if self.0.is_empty() || text.contains(WHERE_THE_VAULT_IS) {
            return text.to_owned();
        }
        let (mut carried, mut rest) = (String::with_capacity(text.len() + self.0.len()), text);
        while let Some(at) = rest.find(PROGRAM) {
            let (before, after) = rest.split_at(at + PROGRAM.len());
            carried.push_str(before);
            let starts = at == 0 || rest[..at].ends_with(|c: char| !c.is_alphanumeric());
            if let Some(named) = starts.then(|| named(after)).flatten() {
                carried.push_str(&self.beside(&named, after, text.contains(NEW)));
            }
            rest = after;
        }
        carried + rest
    }

    /// The options that a command does not say itself and does not refuse.
    fn beside(&self, named: &str, command: &str, makes_one: bool) -> String {
        let words = shell_words::split(&self.0).unwrap_or_default();
        // What opens a vault that is there opens no new one, and whose bounds are too narrow acts with another credential.
        let another = command.contains(WIDER);
        let opens = |option: &str| (makes_one && option == "--key-file") || (another && option == "--token-file");
        let pairs = words.chunks(2).filter(|pair| !command.contains(&pair[0]) && heeded::heeds(named, &pair[0]));
        let pairs = pairs.filter(|pair| !opens(&pair[0]));
        pairs.map(|pair| format!(" {} {}", pair[0], shell_words::quote(&pair[1]))).collect()
    }

    /// An error whose hints carry the options.
    pub(super) fn error(&self, error: Error) -> Error {
        Error { hints: error.hints.iter().map(|hint| self.carried(hint)).collect(), ..error }
    }
}

const PROGRAM: &str = "keyward";
/// Ends a hint for whoever has another credential.
const WIDER: &str = "(with a credential of wider bounds)";
/// Begins a hint that makes a vault.
const NEW: &str = "keyward init";
/// Ends a hint that is for another place, or another person: nothing of what was said here goes there.
pub(super) const WHERE_THE_VAULT_IS: &str = "(where the vault is";

/// The words that name the command a text goes on with; `None` where it goes on with none, or with one that looks at nothing
/// that the options are about.
fn named(after: &str) -> Option<String> {
    let mut here = Command::augment_subcommands(clap::Command::new("all"));
    let mut words: Vec<&str> = Vec::new();
    for word in after.strip_prefix(' ')?.split(' ') {
        let word = word.split(|c: char| !(c.is_ascii_lowercase() || c == '-')).next().unwrap_or_default();
        let Some(found) = here.find_subcommand(word).cloned() else { break };
        words.push(word);
        here = found;
    }
    // Whoever logs in says anew to which server, as whom.
    let anew = ["help", "completions", "man", "login"];
    let first = words.first()?;
    (!anew.contains(first)).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_carries_what_was_said_and_prose_stays_prose() {
        let given = Global {
            vault: Some("/srv/my vault".into()),
            reason: Some("it's out".to_owned()),
            workspace: Some("acme".to_owned()),
            ..Global::default()
        };
        let said = Said::of(&given);
        for (hint, carried) in [
            (
                "keyward rotate k --now",
                "keyward --vault '/srv/my vault' --workspace acme --reason 'it'\\''s out' rotate k --now",
            ),
            (
                "keyward revoke k --workspace other --reason leaked",
                "keyward --vault '/srv/my vault' revoke k --workspace other --reason leaked",
            ),
            ("leave out --read-only", "leave out --read-only"),
            ("a secret of keyward's own; keyward never asks", "a secret of keyward's own; keyward never asks"),
            ("keyward help output", "keyward help output"),
            ("keyward workspaces list", "keyward --vault '/srv/my vault' workspaces list"),
            (
                "keyward operators create a --role issuer  (where the vault is)",
                "keyward operators create a --role issuer  (where the vault is)",
            ),
        ] {
            assert_eq!(said.carried(hint), carried);
        }
        let listed = said.carried("keyward list --status any");
        assert!(listed.contains("--vault") && !listed.contains("--reason"), "{listed}");
        let both = said.carried("first keyward list, then: keyward show KEY");
        assert_eq!(both.matches("--vault").count(), 2, "{both}");
        assert_eq!(Said::of(&Global::default()).carried("keyward list"), "keyward list");
    }
}
