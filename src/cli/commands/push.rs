//! `push`: carries declarations from the local vault to another keystore.

use super::carrying::{CarryArgs, Way, carry};
use crate::{cli::context::Ctx, ops::Result};

/// Carry the declarations of keys to a server or another vault, by their ids and without secrets
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyward push --to https://keys.example.com --dry-run\n  keyward push --to ./staging --reason CHG-7 --yes\n  \
    keyward push --to ./staging --env production --deliver 'file:/run/keyward/{name}.key' --yes\n\n\
    A key keeps its id on both sides. The plan is shown as `apply` shows it, and carried out in one transaction after a\n\
    confirmation. What only the other side has changed is left; what both have changed since they last agreed is a\n\
    conflict, and nothing is done before --ours or --theirs decides. Secrets never travel: a new key has none on the\n\
    other side until it is rotated there, unless --deliver or --deliver-map says where a fresh one goes. A key that is\n\
    revoked here and works there is a conflict: --ours revokes it there. Nothing brings a revoked key back, and deletions\n\
    do not travel.\n\n\
    Exit code 0: done, or already so. 6: conflicts. 11: differences are left that cannot be applied. 12: a secret was not\n\
    delivered."
)]
pub(crate) struct Args {
    /// The other side: the address of a server, the name of a login (`keyward profile list`), or the directory of a vault
    /// [default: the server that is chosen with --server, --profile or the environment]
    #[arg(long, value_name = "URL|PROFILE|DIR")]
    to: Option<String>,
    #[command(flatten)]
    carry: CarryArgs,
}

/// Pushes.
pub(crate) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    carry(cx, Way::Push, args.to.as_deref(), &args.carry)
}
