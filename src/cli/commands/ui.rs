//! `ui`: the keys on a full screen.

use crate::{
    cli::{context::Ctx, ui},
    ops::Result,
};

/// Look through all keys on a full screen: filter, sort, and see why one does not work
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward ui\n  keyward ui --allow-changes\n\nThe keyboard does everything; ? says how. It shows no secret, \
                  and without --allow-changes it\nchanges nothing."
)]
pub(crate) struct Args {
    /// Let keys be deactivated and revoked, each with a reason and a confirmation
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
