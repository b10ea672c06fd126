//! `activate`: the way back from `deactivate`.

use super::switching::switch_all;
use crate::{
    cli::{context::Ctx, operand::KeyOperands},
    ops::{Result, Switch},
};

/// Let deactivated keys work again
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  keyward activate billing-sync")]
pub(crate) struct Args {
    #[command(flatten)]
    keys: KeyOperands,
}

/// Activates keys.
pub(crate) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    switch_all(cx, &args.keys, Switch::Activate, None)
}
