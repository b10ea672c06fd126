//! `activate`: the way back from `deactivate`.

use super::switching::switch_all;
use crate::{
    cli::{context::Ctx, selection::Which},
    ops::{Result, Switch},
};

/// Let deactivated keys work again
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward activate billing-sync\n  \
    keyward activate --status inactive --env staging --yes --max 20")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
}

/// Activates keys.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    switch_all(cx, args.which, Switch::Activate, None)
}
