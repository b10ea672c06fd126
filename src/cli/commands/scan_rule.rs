//! `scan-rule`: the regular expression that finds tokens in files, for secret scanners.

use crate::{
    cli::{context::Ctx, exit::Exit},
    domain::{Brand, scan_rule},
    ops::Result,
};

/// Print the regular expression that finds tokens, for secret scanners
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  git grep -P \"$(keyward scan-rule)\"")]
pub(crate) struct Args {
    /// What the vault's tokens start with
    #[arg(long, value_name = "BRAND", default_value = "kw")]
    brand: Brand,
}

/// Prints the expression; it needs no vault.
pub(crate) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    cx.raw(format!("{}\n", scan_rule(&args.brand)).as_bytes())?;
    Ok(Exit::Ok.code())
}
