//! `revoke`: cuts off all access at once and keeps the history.

use super::switching::{IfIdle, switch_all};
use crate::{
    cli::{context::Ctx, selection::Which},
    ops::{Result, Switch},
};

/// Stop keys for ever: their secrets stay dead; only an administrator brings a key back (rotate --reinstate), with a new one
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward revoke billing-sync --reason leaked\n  keyward revoke key_4fK2abcd key_9sLmNopq\n  \
    keyward revoke billing-sync --only-if-idle 7d        refused while it was used within the last week\n  \
    keyward revoke --owner alice@example.com --reason 'has left' --yes --max 20"
)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    idle: IfIdle,
}

/// Revokes keys.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    switch_all(cx, args.which, Switch::Revoke, args.idle.period)
}
