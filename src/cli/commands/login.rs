//! `login`: the credential for a server, tried before it is kept, sealed in the vault of this machine.

use super::profile;
use crate::{
    backend::remote::{self, Remote, RemoteOptions},
    cli::{context::Ctx, exit::Exit, input::Source, prompt, values},
    config,
    domain::{Login, Profile, looks_like_jwt, time::parse_time},
    ops::{Error, Result},
};
use zeroize::Zeroizing;

/// Log in to a server: its credential comes from standard input, --token-file or a prompt, and is kept in the vault
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward login https://keys.example.com < credential\n  \
    keyward login unix:/run/keyward/keyward.sock --token-file credential --name here")]
pub(crate) struct Args {
    /// The server: https://HOST, http://127.0.0.1:PORT or unix:PATH
    #[arg(value_name = "URL")]
    url: String,
    /// What to call it [default: its host]
    #[arg(long, value_parser = values::name)]
    name: Option<String>,
}

/// Keeps a credential that works, and uses its server from now on.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    cx.operation().writable()?;
    let base = remote::address(&args.url)?;
    // The host of a socket is a mere word.
    let host = if args.url.starts_with("unix:") { None } else { base.host_str() };
    let name = args.name.unwrap_or_else(|| host.unwrap_or("socket").to_owned());
    let token = credential(cx)?;
    if looks_like_jwt(&token) {
        return Err(Error::usage("this is the token of a job, which ends by itself within the hour: it is not kept")
            .hint(format!("keyward --server {} --token-file FILE whoami  (reads it again for each call)", args.url)));
    }
    let ca_file = cx.global.ca_file.as_deref().map(std::path::absolute).transpose();
    let ca_file = ca_file.map_err(|error| Error::usage("--ca-file is not usable").cause(error.to_string()))?;
    let workspace = cx.given.workspace.clone();
    let server = Remote::new(RemoteOptions {
        server: args.url.clone(),
        credential: Box::new(token.clone()),
        ca_file: ca_file.clone(),
        workspace: workspace.clone(),
        onlooker: cx.onlooker(&args.url),
    })?;
    let me = server.whoami()?;
    let profile = Profile {
        name,
        server: args.url,
        ca_file: ca_file.map(|path| path.display().to_string()),
        workspace,
        operator: me.operator.name,
        role: me.operator.role,
        expires_at: me.operator.expires_at.and_then(|at| parse_time(&at).ok()),
        at: cx.now,
    };
    let login = Login { profile, token };
    cx.profiles()?.put(&cx.operation(), &login)?;
    let profile = login.profile;
    let verb = if cx.global.dry_run { "would log in" } else { "logged in" };
    if !cx.global.dry_run {
        config::use_profile(&cx.dirs()?.config, Some(&profile.name))?;
    }
    let (operator, role, server, name) = (&profile.operator, &profile.role, &profile.server, &profile.name);
    cx.note(&format!("{verb} to {server} as {operator}, {role}; in use as the profile '{name}'"));
    profile::tell(cx, &profile)?;
    Ok(Exit::Ok.code())
}

fn credential(cx: &mut Ctx) -> Result<Zeroizing<String>> {
    if let Some(path) = cx.global.token_file.clone() {
        return cx.credential_of(&path);
    }
    if cx.out.streams.stdin_terminal {
        return prompt::secret(cx, "Credential");
    }
    Source::Stdin.read(cx, "credential")
}
