//! `lock`: ends what `unlock` began.

use crate::{
    cli::{context::Ctx, exit::Exit},
    ops::Result,
};
use serde_json::json;

/// End the session that `unlock` began
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  keyward lock && unset KEYWARD_SESSION")]
pub(crate) struct Args {}

/// Ends the session.
pub(crate) fn run(cx: &mut Ctx, _args: &Args) -> Result<u8> {
    match cx.env.text("KEYWARD_SESSION") {
        Some(token) => {
            cx.vault()?.lock(&cx.operation(), &zeroize::Zeroizing::new(token))?;
            cx.note("locked; unset KEYWARD_SESSION");
        }
        None => cx.note("no session is open here: KEYWARD_SESSION is not set"),
    }
    if cx.reply_asked() {
        cx.flat("keyward.lock/v1", json!({ "locked": cx.env.text("KEYWARD_SESSION").is_some() }), "locked")?;
    }
    Ok(Exit::Ok.code())
}
