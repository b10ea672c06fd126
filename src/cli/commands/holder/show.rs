//! `self show`: what the key is good for, and until when.

use super::SecretOperand;
use crate::{
    cli::{columns, context::Ctx, exit::Exit, values},
    domain::time::parse_time,
    ops::{Error, Kind, Result, ShowSelf},
};
use chrono::TimeDelta;
use serde_json::json;

/// Show what the key is good for, and until when this secret of it works
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward self show --server https://keys.example.com --secret-file key.txt\n  \
    printf %s \"$API_KEY\" | keyward self show - --field self.version.works_until\n  \
    keyward self show --secret-file key.txt --exit-code --expires-within 14d -q\n\n\
    Exit code 4: the key is not valid here, whatever is wrong with it. 10, with --exit-code: this secret ends within that time.")]
pub(super) struct Args {
    #[command(flatten)]
    secret: SecretOperand,
    /// Exit 10 when this secret ends within the time of --expires-within
    #[arg(long, requires = "expires_within")]
    exit_code: bool,
    /// Within this time, for --exit-code: whichever comes first, the end of the key or the end of this secret
    #[arg(long, value_name = "D", value_parser = values::duration, requires = "exit_code")]
    expires_within: Option<TimeDelta>,
}

/// Shows the key.
pub(super) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    let shown = args.secret.shown(cx)?.ask(&cx.operation(), &ShowSelf {})?;
    let bad = |why: String| Error::new(Kind::Failure, "reply", "the server's reply is not understood").cause(why);
    let until = shown.version.works_until.as_deref().map(parse_time).transpose().map_err(bad)?;
    let soon = args.expires_within.zip(until).is_some_and(|(within, until)| until - cx.now <= within);
    cx.item("keyward.self/v1", "self", json!(shown), columns::SELF)?;
    Ok(if soon { Exit::Changed } else { Exit::Ok }.code())
}
