//! `logout`: forgets the credential for a server. The operator goes on existing where the server is.

use super::profile;
use crate::{
    cli::{context::Ctx, exit::Exit},
    ops::{Error, Result},
};

/// Forget the credential for the server in use
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  keyward logout")]
pub(crate) struct Args {}

/// Forgets the credential.
pub(crate) fn run(cx: &mut Ctx, _args: Args) -> Result<u8> {
    let Some(name) = cx.profile_chosen() else {
        return Err(Error::usage("no profile is in use").hint("keyward profile list"));
    };
    profile::forget(cx, &name)?;
    Ok(Exit::Ok.code())
}
