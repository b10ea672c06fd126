//! Options that a command cannot heed are refused, never passed over: who says one means it, and a narrowing that is
//! ignored widens. Only what stands on the command line is judged: the environment and the configuration file say what
//! is preferred, and give way.

use super::{args::Global, context::Ctx};
use crate::{
    ops::{Error, Result},
    output::Format,
};

/// Commands that print what is no reply: a script, a page, a screen.
const RAW: &[&str] = &["completions", "man", "ui", "serve"];
/// Commands that open no vault.
const ALONE: &[&str] = &["completions", "man", "help", "self"];
/// Commands that are about the local vault's file, or this machine, and about no server.
#[cfg(feature = "server")]
const HERE: &[&str] = &["completions", "man", "help", "scan-rule", "lock", "profile"];
/// Commands that are about the whole vault and not about one of its workspaces.
const WHOLE: &[&str] = &[
    "completions",
    "man",
    "help",
    "scan-rule",
    "self",
    "init",
    "unlock",
    "lock",
    "vault",
    "serve",
    "profile",
    "workspaces",
    "plans",
    "operators rotate",
    "operators revoke",
    "operators trust remove",
    "audit show",
    "audit verify",
    "audit checkpoint",
    "audit prove",
    "audit archive",
    "usage retention",
];
/// Commands that record no event, and so no reason for it.
const UNRECORDED: &[&str] = &[
    "completions",
    "man",
    "help",
    "scan-rule",
    "lock",
    "list",
    "show",
    "rotation list",
    "rotation show",
    "scopes list",
    "scopes show",
    "verify",
    "check",
    "diff",
    "export",
    "usage",
    "logs",
    "report",
    "audit",
    "audit list",
    "audit show",
    "audit verify",
    "audit prove",
    "workspaces list",
    "workspaces show",
    "projects list",
    "projects show",
    "customers list",
    "customers show",
    "plans list",
    "plans show",
    "operators list",
    "operators trust list",
    "webhooks list",
    "vault status",
    "vault slots list",
    "doctor",
    "whoami",
    "self show",
    "profile",
    "login",
    "logout",
    "serve",
];

/// Whether a command is one of these, or, where one of these has commands of its own, one of them.
fn is(command: &str, these: &[&str]) -> bool {
    these.iter().any(|one| command == *one || command.strip_prefix(one).is_some_and(|rest| rest.starts_with(' ')))
}

/// Whether a command, named by its words, has a use for one of the options that hints carry.
pub(super) fn heeds(command: &str, option: &str) -> bool {
    match option {
        "--reason" | "--ticket" => !is_unrecorded(command),
        "--workspace" => !is(command, WHOLE),
        "--vault" => !is(command, ALONE),
        #[cfg(feature = "server")]
        "--profile" | "--token-file" if is(command, &["self"]) => false,
        #[cfg(feature = "server")]
        "--server" | "--profile" | "--token-file" | "--ca-file" => !is(command, HERE),
        _ => true,
    }
}

/// Whether a command records nothing. `audit` alone is `audit list`, and `audit export`, say, is a command of its own.
fn is_unrecorded(command: &str) -> bool {
    if command.starts_with("audit ") || command.starts_with("usage ") {
        UNRECORDED.contains(&command)
    } else {
        is(command, UNRECORDED)
    }
}

/// Refuses what `command`, named by its words, would ignore.
///
/// # Errors
/// `Usage`, naming the option and what it would have met.
pub(super) fn check(cx: &Ctx, command: &str) -> Result<()> {
    let given = &cx.given;
    layout(given)?;
    if is(command, RAW) {
        cx.refuse_layout(&[], &format!("{command} prints no reply"))?;
    }
    let refuse = |option: &str, why: &str| {
        Err(Error::usage(format!("{option} would be ignored: {why}")).hint(format!("leave out {option}")))
    };
    for (option, given) in [("--reason", &given.reason), ("--ticket", &given.ticket)] {
        if given.is_some() && !heeds(command, option) {
            let error = refuse(option, "nothing is recorded that it could be the reason for");
            let filter = option == "--ticket" && is(command, &["audit"]);
            return error.map_err(|error| {
                if filter { error.hint("--for-ticket ID lists the events of a ticket") } else { error }
            });
        }
    }
    if given.workspace.is_some() && !heeds(command, "--workspace") {
        return refuse("--workspace", "this is about no single workspace");
    }
    if given.dry_run && is(command, &["completions", "help", "lock"]) {
        return refuse("--dry-run", "nothing would be changed anyway");
    }
    let keys = [
        ("--key-file", given.key_file.is_some()),
        ("--passphrase-file", given.passphrase_file.is_some()),
        ("--passphrase-fd", given.passphrase_fd.is_some()),
    ];
    for (option, _) in keys.into_iter().filter(|(_, given)| *given) {
        if cx.by_address() {
            return refuse(option, "it opens a local vault, and a server is chosen");
        }
    }
    if given.vault.is_some() && !heeds(command, "--vault") {
        return refuse("--vault", "no vault is opened");
    }
    server(cx, command, refuse)
}

/// The options about servers.
#[cfg(feature = "server")]
fn server(cx: &Ctx, command: &str, refuse: impl Fn(&str, &str) -> Result<()>) -> Result<()> {
    let given = &cx.given;
    let options = [
        ("--server", given.server.is_some()),
        ("--profile", given.profile.is_some()),
        ("--token-file", given.token_file.is_some()),
        ("--ca-file", given.ca_file.is_some()),
    ];
    for (option, _) in options.into_iter().filter(|(_, given)| *given) {
        if !heeds(command, option) {
            let no_operator = is(command, &["self"]);
            return refuse(option, if no_operator { "the key alone is shown" } else { "no server is asked" });
        }
        let credential = matches!(option, "--token-file" | "--ca-file");
        // What has another side names its server itself.
        if credential && !cx.is_remote() && !matches!(command, "login" | "push" | "pull") {
            return refuse(option, "it is for a server, and none is chosen")
                .map_err(|error| error.hint("or add --server URL"));
        }
    }
    Ok(())
}

#[cfg(not(feature = "server"))]
fn server(_: &Ctx, _: &str, _: impl Fn(&str, &str) -> Result<()>) -> Result<()> {
    Ok(())
}

/// What does not go together in any command.
fn layout(given: &Global) -> Result<()> {
    let refuse = |one: &str, other: &str, why: &str| {
        Err(Error::usage(format!("{one} and {other} do not go together: {why}")).hint("leave one of them out"))
    };
    let format = given.output.map(|format| (format, format!("-o {format}")));
    if let Some((format, named)) = &format {
        let plain = matches!(format, Format::Json | Format::Jsonl | Format::Name | Format::Sarif);
        match () {
            () if plain && !given.columns.is_empty() => {
                return refuse("--columns", named, "columns are those of a table or CSV");
            }
            () if plain && given.time.is_some() => {
                return refuse("--time", named, "programs read times in one form, RFC 3339 in UTC");
            }
            () if given.quiet && !matches!(format, Format::Json | Format::Jsonl | Format::Name) => {
                return refuse("-q", named, "-q prints the essential value alone");
            }
            () if given.field.is_some() && !matches!(format, Format::Json | Format::Jsonl) => {
                return refuse("--field", named, "--field prints one value, raw");
            }
            () => {}
        }
    }
    let bare = if given.quiet { Some("-q") } else { given.field.as_ref().map(|_| "--field") };
    match bare {
        Some(bare) if !given.columns.is_empty() => refuse("--columns", bare, "columns are those of a table or CSV"),
        Some(bare) if given.time.is_some() => refuse("--time", bare, "times are shown in tables"),
        _ => Ok(()),
    }
}

/// The format that somebody prefers gives way to options that it has no place for.
pub(super) fn preferred(given: &Global, format: Option<Format>) -> Option<Format> {
    let plain = matches!(format, Some(Format::Json | Format::Jsonl | Format::Name));
    let gives_way = given.quiet || (plain && (!given.columns.is_empty() || given.time.is_some()));
    format.filter(|_| !gives_way)
}

impl Ctx {
    /// Refuses options about how a reply is laid out, where there is none; some formats may have a meaning all the same.
    ///
    /// # Errors
    /// `Usage`.
    pub(super) fn refuse_layout(&self, formats: &[Format], why: &str) -> Result<()> {
        let given = &self.given;
        let option = match given.output.filter(|format| !formats.contains(format)) {
            Some(format) => format!("-o {format}"),
            None if given.field.is_some() => "--field".to_owned(),
            None if !given.columns.is_empty() => "--columns".to_owned(),
            None if given.time.is_some() => "--time".to_owned(),
            None => return Ok(()),
        };
        Err(Error::usage(format!("{option} would be ignored: {why}")).hint(format!("leave out {option}")))
    }

    /// Refuses a reason for what only reads, in commands that also change.
    ///
    /// # Errors
    /// `Usage`.
    pub(super) fn refuse_reason(&self) -> Result<()> {
        let given = [("--reason", &self.given.reason), ("--ticket", &self.given.ticket)];
        match given.iter().find(|(_, given)| given.is_some()) {
            Some((option, _)) => Err(Error::usage(format!(
                "{option} would be ignored: nothing is recorded that it could be the reason for"
            ))
            .hint(format!("leave out {option}"))),
            None => Ok(()),
        }
    }

    /// Whether the command line itself chooses a server.
    pub(super) fn is_chosen(&self) -> bool {
        #[cfg(feature = "server")]
        return self.given.server.is_some() || self.given.profile.is_some();
        #[cfg(not(feature = "server"))]
        false
    }

    /// Whether a server is named by its address, so that no local vault is opened at all.
    fn by_address(&self) -> bool {
        #[cfg(feature = "server")]
        return self.global.server.is_some();
        #[cfg(not(feature = "server"))]
        false
    }
}
