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
    /// What the tokens start with [default: as the vault's, or kw where there is no vault]
    #[arg(long, value_name = "BRAND")]
    brand: Option<Brand>,
}

/// Prints the expression; it unlocks no vault, and needs none.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    let vault = cx.vault()?;
    let brand = match args.brand {
        Some(brand) => brand,
        None if vault.exists() => vault.brand()?,
        None => Brand::default(),
    };
    cx.text("keyward.scan-rule/v1", "pattern", &format!("{}\n", scan_rule(&brand)))?;
    Ok(Exit::Ok.code())
}
