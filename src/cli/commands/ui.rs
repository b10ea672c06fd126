//! `ui`: the keys on a full screen.

use crate::{
    cli::{context::Ctx, ui},
    ops::Result,
};

/// Look through all keys on a full screen: filter, sort, and see why one does not work
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward ui\n  keyward ui --allow-changes\n\nThe keyboard does everything; ? says how. Without \
                  --allow-changes it changes nothing and shows no secret.\nWith it, a new secret is shown once, until it is taken \
                  from the screen; c copies it."
)]
pub(crate) struct Args {
    /// Let keys be created, rotated, activated, deactivated, revoked and deleted, each with a reason and a typed confirmation
    #[arg(long)]
    allow_changes: bool,
}

/// Shows the screen.
pub(crate) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    #[cfg(feature = "server")]
    {
        cx.whole_screen = true;
    }
    ui::run(cx, args.allow_changes)
}
