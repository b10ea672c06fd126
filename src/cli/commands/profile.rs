//! `profile`: the servers that somebody has logged in to, and which of them is in use.

use crate::{
    cli::{columns, context::Ctx, exit::Exit},
    config,
    domain::{LOCAL_PROFILE, Profile, time::format_time},
    ops::Result,
};
use serde_json::{Value, json};

/// Servers that you have logged in to, and which of them is in use
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward profile list\n  keyward profile use local")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List them
    #[command(after_help = "Example:\n  keyward profile list -o json")]
    List,
    /// Use one from now on; `local` is the vault of this machine
    #[command(after_help = "Example:\n  keyward profile use local")]
    Use {
        /// Its name
        name: String,
    },
    /// Forget one and its credential
    #[command(after_help = "Example:\n  keyward profile remove keys.example.com")]
    Remove {
        /// Its name
        name: String,
    },
}

/// Looks at profiles, or changes which is in use.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    match args.command {
        Command::List => list(cx)?,
        Command::Use { name } => choose(cx, &name)?,
        Command::Remove { name } => forget(cx, &name)?,
    }
    Ok(Exit::Ok.code())
}

/// The profile that commands work through when nothing else is said.
fn in_use(cx: &Ctx) -> Result<Option<String>> {
    config::profile_in_use(&cx.dirs()?.config)
}

fn facts(cx: &Ctx, profile: &Profile) -> Result<Value> {
    Ok(json!({
        "name": profile.name, "server": profile.server, "operator": profile.operator, "role": profile.role,
        "workspace": profile.workspace, "ca_file": profile.ca_file, "expires_at": profile.expires_at.map(format_time),
        "created_at": format_time(profile.at), "in_use": in_use(cx)?.as_ref() == Some(&profile.name),
    }))
}

fn list(cx: &mut Ctx) -> Result<()> {
    let profiles = cx.profiles()?.list(&cx.operation())?;
    let rows = profiles.iter().map(|profile| facts(cx, profile)).collect::<Result<Vec<_>>>()?;
    let total = rows.len();
    cx.list("keyward.profile-list/v1", rows, total, columns::PROFILES)
}

fn choose(cx: &mut Ctx, name: &str) -> Result<()> {
    cx.operation().writable()?;
    let verb = if cx.global.dry_run { "would use" } else { "using" };
    if name == LOCAL_PROFILE {
        if !cx.global.dry_run {
            config::use_profile(&cx.dirs()?.config, None)?;
        }
        cx.note(&format!("{verb} the local vault"));
        let facts = json!({ "name": LOCAL_PROFILE, "server": null, "in_use": !cx.global.dry_run });
        return cx.item_if_asked("keyward.profile/v1", "profile", facts, columns::PROFILES);
    }
    let profile = cx.profiles()?.login(&cx.operation(), name)?.profile;
    if !cx.global.dry_run {
        config::use_profile(&cx.dirs()?.config, Some(name))?;
    }
    cx.note(&format!("{verb} {} as {}", profile.server, profile.operator));
    tell(cx, &profile)
}

/// Forgets a profile; whoever used it works on the local vault from now on.
pub(super) fn forget(cx: &mut Ctx, name: &str) -> Result<()> {
    let profile = cx.profiles()?.remove(&cx.operation(), name)?;
    let was_used = in_use(cx)?.as_deref() == Some(name);
    if was_used && !cx.global.dry_run {
        config::use_profile(&cx.dirs()?.config, None)?;
    }
    let verb = if cx.global.dry_run { "would forget" } else { "forgot" };
    let then = if was_used { "; commands work on the local vault" } else { "" };
    cx.note(&format!("{verb} the credential of {} for {}{then}", profile.operator, profile.server));
    cx.note("hint: keyward operators revoke NAME   where the server is, if nobody is to use it any more");
    tell(cx, &profile)
}

/// The reply of a change, if something asks for it.
pub(super) fn tell(cx: &mut Ctx, profile: &Profile) -> Result<()> {
    let facts = facts(cx, profile)?;
    cx.item_if_asked("keyward.profile/v1", "profile", facts, columns::PROFILES)
}
