//! `whoami`: which vault or server a command would work on, as whom, and where each setting comes from.

use crate::{
    cli::{columns, context::Ctx, exit::Exit},
    config,
    ops::{Error, Result},
    output::{Page, Report},
};
use serde_json::json;

/// Say which vault or server a command works on, as whom, and why
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward whoami\n  keyward whoami --explain -o json")]
pub(crate) struct Args {
    /// Show every setting and where it comes from
    #[arg(long)]
    explain: bool,
}

/// Tells who acts where.
pub(crate) fn run(cx: &mut Ctx, args: &Args) -> Result<u8> {
    if args.explain && (cx.names_suffice() || !cx.given.columns.is_empty()) {
        return Err(Error::usage(
            "--explain adds a table of every setting, and a part of the reply alone is asked for",
        )
        .hint("leave out -q, -o name and --columns"));
    }
    let role = own_role(cx);
    let mut reply = match cx.remote()? {
        Some(remote) => {
            let me = remote.whoami()?;
            json!({
                "mode": "server", "server": remote.address(), "profile": cx.profile_chosen(), "vault": null, "actor": me.operator.name,
                "role": me.operator.role, "workspace": me.workspace, "address": me.address,
                "expires_at": me.operator.expires_at, "permissions": me.permissions,
            })
        }
        None => json!({
            "mode": "local", "server": null, "profile": null, "vault": cx.vault()?.dirs().keystore(), "actor": config::actor(&cx.env),
            "role": role, "workspace": cx.operation().workspace, "address": null, "expires_at": null,
            "permissions": [],
        }),
    };
    let settings = cx.settings();
    if cx.program_reads() {
        if args.explain {
            reply["settings"] = json!(settings);
        }
        cx.flat("keyward.whoami/v1", reply, "actor")?;
        return Ok(Exit::Ok.code());
    }
    cx.flat_with("keyward.whoami/v1", reply, columns::WHOAMI)?;
    if args.explain {
        cx.raw(b"\n")?;
        let page = Page::whole(settings.len());
        cx.emit(&Report::list("keyward.setting-list/v1", settings, page, columns::SETTINGS, "setting"))?;
    }
    Ok(Exit::Ok.code())
}

/// The role of the slot that opens the local vault, where one opens it without a question. Looking changes nothing.
fn own_role(cx: &mut Ctx) -> Option<&'static str> {
    if cx.is_remote() {
        return None;
    }
    (cx.global.no_input, cx.global.read_only) = (true, true);
    let backend = cx.backend().ok()?;
    backend
        .vault("the state of the vault")
        .and_then(|vault| vault.status(&cx.operation()))
        .ok()
        .map(|status| status.role)
}
