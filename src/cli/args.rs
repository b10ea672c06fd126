//! The command line: the global options and the list of commands, each defined in its own file; [`super::parsed`] joins them.
//!
//! No option takes a secret's value, and no field here holds one. Environment names stand in the help texts; they are
//! read by `config`, not by clap, so that the environment has one reader.

use super::commands::{self, customers::Customers, objects, plans::Plans, projects::Projects, workspaces::Workspaces};
use crate::output::{ColorChoice, Format, TimeStyle};
use clap::{
    ArgAction, Args, Parser, Subcommand,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use std::{path::PathBuf, str::FromStr};

/// Issue, scope, rotate, revoke, verify and audit API keys from the shell.
#[derive(Debug, Parser)]
#[command(
    name = "keyward",
    version,
    propagate_version = false,
    disable_help_subcommand = true,
    max_term_width = 80,
    after_help = "Examples:\n  keyward create billing-sync --scope invoices:read     the secret, once\n  \
                  keyward list --expires-within 14d\n  keyward rotate billing-sync --overlap 1h\n\n\
                  More: keyward help recipes | exit-codes | verdicts | environment | output | ci"
)]
pub(crate) struct Root {
    /// Options every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
}

/// The options every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// How to print the result [env: KEYWARD_OUTPUT] [default: table]
    #[arg(short, long, global = true, value_name = "FORMAT", value_parser = formats())]
    pub(crate) output: Option<Format>,
    /// Print one value, raw: a path such as `key.id` or `items.0.name`
    #[arg(long, global = true, value_name = "PATH", conflicts_with = "columns")]
    pub(crate) field: Option<String>,
    /// The columns of a table or CSV
    #[arg(long, global = true, value_name = "A,B", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// How times are shown in tables [env: KEYWARD_TIME] [default: relative on a terminal, utc elsewhere]
    #[arg(long, global = true, value_name = "STYLE", value_parser = words::<TimeStyle, _>(TimeStyle::ALL.map(TimeStyle::as_str)))]
    pub(crate) time: Option<TimeStyle>,
    /// Print only the essential value: the secret, or the ids
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Log on stderr; twice for more [env: KEYWARD_LOG]
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colour; NO_COLOR and CLICOLOR_FORCE are honoured [default: auto]
    #[arg(long, global = true, value_name = "WHEN", value_parser = words::<ColorChoice, _>(ColorChoice::ALL.map(ColorChoice::as_str)))]
    pub(crate) color: Option<ColorChoice>,
    /// Answer yes to confirmations; never widens what is acted on
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
    /// Never prompt [env: KEYWARD_NO_INPUT]
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Show what would change, and change nothing
    #[arg(short = 'n', long, global = true)]
    pub(crate) dry_run: bool,
    /// Why, for the audit trail [env: KEYWARD_REASON]
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// The ticket that asked for it, for the audit trail [env: KEYWARD_TICKET]
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) ticket: Option<String>,
    /// Refuse every change [env: KEYWARD_READ_ONLY]
    #[arg(long, global = true)]
    pub(crate) read_only: bool,
    /// The directory of the vault [env: KEYWARD_VAULT]
    #[arg(long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) vault: Option<PathBuf>,
    /// The server to work through: https://HOST, http://127.0.0.1:PORT or unix:PATH [env: KEYWARD_SERVER]
    #[cfg(feature = "server")]
    #[arg(long, global = true, value_name = "URL", conflicts_with_all = ["vault", "profile"])]
    pub(crate) server: Option<String>,
    /// A server that you have logged in to, or local for the vault [env: KEYWARD_PROFILE] [default: the one in use]
    #[cfg(feature = "server")]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// A file with the credential for the server [env: KEYWARD_TOKEN_FILE, KEYWARD_TOKEN]
    #[cfg(feature = "server")]
    #[arg(long, global = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) token_file: Option<PathBuf>,
    /// A file with certificates to trust besides the system's, PEM [env: KEYWARD_CA_FILE]
    #[cfg(feature = "server")]
    #[arg(long, global = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) ca_file: Option<PathBuf>,
    /// The workspace to work in [env: KEYWARD_WORKSPACE] [default: default]
    #[arg(long, global = true, value_name = "W")]
    pub(crate) workspace: Option<String>,
    /// A file with the key of a device slot or a recovery code [env: KEYWARD_KEY_FILE]
    #[arg(long, global = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) key_file: Option<PathBuf>,
    /// A file with the passphrase [env: KEYWARD_PASSPHRASE_FILE]
    #[arg(long, global = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// An open file descriptor to read the passphrase from
    #[arg(long, global = true, value_name = "N", conflicts_with = "passphrase_file")]
    pub(crate) passphrase_fd: Option<u32>,
}

/// A parser for formats; the one that few commands take is not offered to all of them.
fn formats() -> impl TypedValueParser<Value = Format> {
    let sarif = PossibleValue::new(Format::Sarif.as_str()).hide(true);
    let all = Format::ALL.map(|format| PossibleValue::new(format.as_str()));
    PossibleValuesParser::new(all.into_iter().chain([sarif])).map(|word| word.parse().unwrap_or(Format::Sarif))
}

/// A parser for one of a few words, which help and completions then list.
fn words<T, const N: usize>(words: [&'static str; N]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}

// A documentation comment here would be the first line of the whole help.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(commands::init::Args),
    Unlock(commands::unlock::Args),
    Lock(commands::lock::Args),
    Vault(commands::vault::Args),
    Create(commands::create::Args),
    #[command(visible_alias = "ls")]
    List(commands::list::Args),
    #[command(visible_alias = "get")]
    Show(commands::show::Args),
    Update(commands::update::Args),
    #[command(visible_alias = "regenerate")]
    Rotate(commands::rotate::Args),
    Rotation(commands::rotation::Args),
    #[command(visible_alias = "enable")]
    Activate(commands::activate::Args),
    #[command(visible_alias = "disable")]
    Deactivate(commands::deactivate::Args),
    Revoke(commands::revoke::Args),
    #[command(visible_aliases = ["rm", "remove"])]
    Delete(commands::delete::Args),
    Scopes(commands::scopes::Args),
    Verify(commands::verify::Args),
    Identify(commands::identify::Args),
    Check(commands::check::Args),
    Apply(commands::apply::Args),
    Diff(commands::diff::Args),
    Export(commands::export::Args),
    Push(commands::push::Args),
    Pull(commands::pull::Args),
    Import(commands::import::Args),
    Usage(commands::usage::Args),
    Logs(commands::logs::Args),
    Report(commands::report::Args),
    #[cfg(feature = "ui")]
    Ui(commands::ui::Args),
    Audit(commands::audit::Args),
    Workspaces(objects::Args<Workspaces>),
    Projects(objects::Args<Projects>),
    Customers(objects::Args<Customers>),
    Plans(objects::Args<Plans>),
    Operators(commands::operators::Args),
    #[cfg(feature = "server")]
    Webhooks(commands::webhooks::Args),
    Doctor(commands::doctor::Args),
    #[cfg(feature = "server")]
    Serve(commands::serve::Args),
    #[cfg(feature = "server")]
    Login(commands::login::Args),
    #[cfg(feature = "server")]
    Logout(commands::logout::Args),
    #[cfg(feature = "server")]
    Profile(commands::profile::Args),
    #[cfg(feature = "server")]
    Whoami(commands::whoami::Args),
    #[cfg(feature = "server")]
    #[command(name = "self")]
    Holder(commands::holder::Args),
    Completions(commands::completions::Args),
    Man(commands::man::Args),
    ScanRule(commands::scan_rule::Args),
    Help(commands::help::Args),
}

impl Command {
    /// Whether a broken configuration file is in its way: not where somebody wants to find out what is wrong.
    pub(super) fn heeds_settings(&self) -> bool {
        !matches!(self, Self::Help(_) | Self::Doctor(_) | Self::Completions(_) | Self::Man(_) | Self::ScanRule(_))
    }

    /// Runs the command.
    pub(super) fn run(self, cx: &mut super::context::Ctx) -> crate::ops::Result<u8> {
        if cx.format() == Format::Sarif && !matches!(self, Self::Identify(_) | Self::Check(_)) {
            return Err(crate::ops::Error::usage("-o sarif is for findings")
                .hint("keyward check -o sarif, or keyward identify --scan . -o sarif"));
        }
        match self {
            Self::Init(args) => commands::init::run(cx, args),
            Self::Unlock(args) => commands::unlock::run(cx, &args),
            Self::Lock(args) => commands::lock::run(cx, &args),
            Self::Vault(args) => commands::vault::run(cx, args),
            Self::Create(args) => commands::create::run(cx, args),
            Self::List(args) => commands::list::run(cx, args),
            Self::Show(args) => commands::show::run(cx, &args),
            Self::Update(args) => commands::update::run(cx, args),
            Self::Rotate(args) => commands::rotate::run(cx, args),
            Self::Rotation(args) => commands::rotation::run(cx, args),
            Self::Activate(args) => commands::activate::run(cx, args),
            Self::Deactivate(args) => commands::deactivate::run(cx, args),
            Self::Revoke(args) => commands::revoke::run(cx, args),
            Self::Delete(args) => commands::delete::run(cx, args),
            Self::Scopes(args) => commands::scopes::run(cx, args),
            Self::Verify(args) => commands::verify::run(cx, args),
            Self::Identify(args) => commands::identify::run(cx, args),
            Self::Check(args) => commands::check::run(cx, args),
            Self::Apply(args) => commands::apply::run(cx, args),
            Self::Diff(args) => commands::diff::run(cx, args),
            Self::Export(args) => commands::export::run(cx, args),
            Self::Push(args) => commands::push::run(cx, &args),
            Self::Pull(args) => commands::pull::run(cx, &args),
            Self::Import(args) => commands::import::run(cx, args),
            Self::Usage(args) => commands::usage::run(cx, args),
            Self::Logs(args) => commands::logs::run(cx, args),
            Self::Report(args) => commands::report::run(cx, args),
            #[cfg(feature = "ui")]
            Self::Ui(args) => commands::ui::run(cx, &args),
            Self::Audit(args) => commands::audit::run(cx, args),
            Self::Workspaces(args) => objects::run(cx, args),
            Self::Projects(args) => objects::run(cx, args),
            Self::Customers(args) => objects::run(cx, args),
            Self::Plans(args) => objects::run(cx, args),
            Self::Operators(args) => commands::operators::run(cx, args),
            #[cfg(feature = "server")]
            Self::Login(args) => commands::login::run(cx, args),
            #[cfg(feature = "server")]
            Self::Logout(args) => commands::logout::run(cx, args),
            #[cfg(feature = "server")]
            Self::Profile(args) => commands::profile::run(cx, args),
            #[cfg(feature = "server")]
            Self::Whoami(args) => commands::whoami::run(cx, &args),
            #[cfg(feature = "server")]
            Self::Holder(args) => commands::holder::run(cx, args),
            #[cfg(feature = "server")]
            Self::Webhooks(args) => commands::webhooks::run(cx, args),
            #[cfg(feature = "server")]
            Self::Serve(args) => commands::serve::run(cx, args),
            Self::Doctor(args) => commands::doctor::run(cx, &args),
            Self::Completions(args) => commands::completions::run(cx, &args),
            Self::Man(args) => commands::man::run(cx, &args),
            Self::ScanRule(args) => commands::scan_rule::run(cx, args),
            Self::Help(args) => commands::help::run(cx, &args),
        }
    }
}
