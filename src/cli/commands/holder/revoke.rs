//! `self revoke`: ends the secret that is shown, and the key with its last one.

use super::SecretOperand;
use crate::{
    cli::{columns, context::Ctx, exit::Exit, prompt},
    ops::{Kind, Result, RevokeSelf, ShowSelf},
};
use serde_json::json;

/// End this secret at once and for good, and the key when no other secret of it works
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  printf %s \"$API_KEY\" | keyward self revoke - --server https://keys.example.com --reason leaked\n  \
    keyward self revoke --secret-file key.txt --reason 'it was in a log'"
)]
pub(super) struct Args {
    #[command(flatten)]
    secret: SecretOperand,
}

/// Ends the secret.
pub(super) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    cx.operation().writable()?;
    let server = args.secret.shown(cx)?;
    if cx.can_prompt() && !cx.global.yes && !cx.global.dry_run {
        // Who may end a key and not see it is asked all the same.
        let what = match server.ask(&cx.operation(), &ShowSelf {}) {
            Ok(shown) => format!("this secret of {} ({}) of {}", shown.name, shown.key_id, shown.environment),
            Err(error) if error.kind == Kind::Forbidden => "this secret".to_owned(),
            Err(error) => return Err(error),
        };
        prompt::confirm(cx, &format!("End {what} for ever?"))?;
    }
    let revoked = server.change(&cx.operation(), RevokeSelf::default())?;
    let (would, name, id) = (if cx.global.dry_run { "would be " } else { "" }, &revoked.name, &revoked.key_id);
    cx.note(&match revoked.key_revoked {
        true => format!("{would}revoked: {name} ({id}), of which no other secret works"),
        false => format!("{would}ended: this secret of {name} ({id}); another one works"),
    });
    cx.item_if_asked("keyward.self-revoked/v1", "revoked", json!(revoked), columns::SELF_REVOKED)?;
    Ok(Exit::Ok.code())
}
