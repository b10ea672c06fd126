//! `audit`: who did what, when and why; checked, proven, anchored, reviewed and exported.

mod anchored;
mod archive;
mod export;
mod filter;
mod list;
mod review;
mod show;
mod verify;

use crate::{
    cli::{context::Ctx, exit::Exit},
    ops::Result,
};

/// The audit trail
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  keyward audit --key billing-sync\n  keyward audit --action key.revoke --since 2026-01-01\n  \
        keyward audit verify\n  keyward audit checkpoint --to file:media/keyward.checkpoints\n  \
        keyward audit export --format jsonl > trail.jsonl"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: list::Args,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(list::Args),
    Show(show::Args),
    Verify(verify::Args),
    Checkpoint(anchored::CheckpointArgs),
    Prove(anchored::ProveArgs),
    Review(review::Args),
    Export(export::Args),
    Archive(archive::Args),
}

/// Reads, checks or reviews the trail.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    match args.command {
        None => list::run(cx, args.list)?,
        Some(Command::List(args)) => list::run(cx, args)?,
        Some(Command::Show(args)) => show::run(cx, &args)?,
        Some(Command::Verify(args)) => verify::run(cx, args)?,
        Some(Command::Checkpoint(args)) => anchored::checkpoint(cx, &args)?,
        Some(Command::Prove(args)) => anchored::prove(cx, &args)?,
        Some(Command::Review(args)) => review::run(cx, &args)?,
        Some(Command::Export(args)) => export::run(cx, args)?,
        Some(Command::Archive(args)) => archive::run(cx, &args)?,
    }
    Ok(Exit::Ok.code())
}
