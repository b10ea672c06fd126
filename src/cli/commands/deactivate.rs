//! `deactivate`: a reversible switch; the history stays.

use super::switching::{IfIdle, switch_all};
use crate::{
    cli::{context::Ctx, selection::Which},
    ops::{Result, Switch},
};

/// Stop keys until they are activated again
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward deactivate billing-sync --reason 'suspected misuse'\n  \
    keyward deactivate billing-sync --only-if-idle 1h\n  \
    keyward deactivate --never-used --env staging --yes --max 50   none, where more than 50 are found")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    idle: IfIdle,
}

/// Deactivates keys.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    switch_all(cx, args.which, Switch::Deactivate, args.idle.period)
}
