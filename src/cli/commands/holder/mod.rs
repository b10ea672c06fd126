//! `self`: what the holder of a key does with it, by showing its secret to a server. No vault and no operator is needed.

mod revoke;
mod rotate;
mod show;

use crate::{
    backend::{
        Backend,
        remote::{Remote, RemoteOptions},
    },
    cli::{context::Ctx, input::Source, prompt},
    ops::{Error, Result},
};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// See, rotate and stop the key that you hold, by showing its secret to a server
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward self show --server https://keys.example.com --secret-file key.txt\n  \
    keyward self show --secret-file key.txt --field self.version.works_until")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(show::Args),
    Rotate(rotate::Args),
    Revoke(revoke::Args),
}

/// The secret of the key, which is read from a file or from standard input and never from an argument.
#[derive(Debug, clap::Args)]
struct SecretOperand {
    /// `-` reads the secret of the key from standard input
    #[arg(value_name = "-", value_parser = ["-"], conflicts_with_all = ["secret_file", "secret_fd"])]
    stdin: Option<String>,
    /// Read the secret of the key from a file [env: KEYWARD_SECRET_FILE]
    #[arg(long, value_name = "FILE", conflicts_with = "secret_fd", value_hint = clap::ValueHint::FilePath)]
    secret_file: Option<PathBuf>,
    /// Read the secret of the key from an open file descriptor
    #[arg(long, value_name = "N")]
    secret_fd: Option<u32>,
}

/// Does with the key what its holder may.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    match args.command {
        Command::Show(args) => show::run(cx, &args),
        Command::Rotate(args) => rotate::run(cx, &args),
        Command::Revoke(args) => revoke::run(cx, &args),
    }
}

impl SecretOperand {
    fn read(&self, cx: &mut Ctx) -> Result<Zeroizing<String>> {
        let given = Source::of(self.secret_file.as_deref(), self.secret_fd, self.stdin.is_some());
        let usual = || cx.env.path("KEYWARD_SECRET_FILE").map(Source::File);
        match given.or_else(usual) {
            Some(source) => source.read(cx, "secret"),
            None => prompt::secret(cx, "API key"),
        }
    }

    /// The server, to which the secret is shown with every call.
    fn shown(&self, cx: &mut Ctx) -> Result<Box<dyn Backend>> {
        let server = server(cx)?;
        let secret = self.read(cx)?;
        door(cx, server, secret, None)
    }
}

/// The server that the key is shown to.
fn server(cx: &Ctx) -> Result<String> {
    cx.global.server.clone().ok_or_else(|| {
        Error::usage("a key is shown to a server, and none is named")
            .hint("--server URL, or KEYWARD_SERVER")
            .hint("keyward show KEY  (where the vault is, or as an operator)")
    })
}

/// The server as the holder of a key has it; by `name` it knows again whose rotation it is.
fn door(cx: &Ctx, server: String, token: Zeroizing<String>, name: Option<&str>) -> Result<Box<dyn Backend>> {
    let (onlooker, ca_file) = (cx.onlooker(&server), cx.global.ca_file.clone());
    let options = RemoteOptions { onlooker, server, credential: Box::new(token), ca_file, workspace: None };
    let remote = Remote::of_holder(options, name).map_err(|error| match &*error.reason {
        "credential" => Error::usage("the secret is not one line of visible characters")
            .hint("keep the secret alone in its file: --secret-file FILE"),
        _ => error,
    })?;
    Ok(Box::new(remote))
}
