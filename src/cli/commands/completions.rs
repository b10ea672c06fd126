//! `completions`: the script that teaches a shell to complete keyward's commands, ids, names and scopes.

use crate::{
    artifacts,
    cli::{context::Ctx, exit::Exit},
    ops::{Error, Result},
};

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  source <(keyward completions bash)\n  keyward completions zsh > ~/.zfunc/_keyward\n  \
    keyward completions fish > ~/.config/fish/completions/keyward.fish"
)]
pub(crate) struct Args {
    /// Which shell
    #[arg(value_parser = artifacts::SHELLS)]
    shell: String,
}

/// Prints the script.
pub(crate) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    let script = artifacts::completions(&args.shell).map_err(|error| Error::usage(error.to_string()))?;
    cx.raw(&script)?;
    Ok(Exit::Ok.code())
}
