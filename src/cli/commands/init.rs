//! `init`: makes the vault on purpose.

use crate::{
    backend::InitOptions,
    cli::{context::Ctx, exit::Exit, input::Source, prompt},
    domain::Brand,
    ops::{Error, Result},
};
use serde_json::json;

/// Make the vault
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  keyward init                 opens with a device key on this machine\n  \
    keyward init --passphrase    asks for one, or reads --passphrase-file or --passphrase-fd")]
pub(crate) struct Args {
    /// Open it with a passphrase
    #[arg(long, conflicts_with = "device")]
    passphrase: bool,
    /// Open it with a random key in this user's configuration directory [the default]
    #[arg(long)]
    device: bool,
    /// What tokens start with
    #[arg(long, value_name = "BRAND", default_value = "kw")]
    brand: Brand,
}

/// What is named and would be ignored is refused: the vault would open with something else than was meant.
fn refuse_what_opens_nothing(cx: &Ctx, args: &Args) -> Result<()> {
    let named = cx.global.passphrase_file.is_some() || cx.global.passphrase_fd.is_some();
    if args.device && named {
        return Err(Error::usage("--device makes a vault without a passphrase, and one is named")
            .hint("leave out --device, or --passphrase-file and --passphrase-fd"));
    }
    if cx.global.key_file.is_some() {
        return Err(Error::usage("--key-file opens a vault that is there, and init makes one")
            .hint("keyward init, then keyward vault slots add --device-file FILE"));
    }
    Ok(())
}

/// Makes the vault.
pub(crate) fn run(cx: &mut Ctx, args: Args) -> Result<u8> {
    cx.local_only("init")?;
    let vault = cx.vault()?;
    let there = vault.exists()?;
    if !there {
        refuse_what_opens_nothing(cx, &args)?;
    }
    let named = Source::of(cx.global.passphrase_file.as_deref(), cx.global.passphrase_fd, false);
    let passphrase = match (args.passphrase, named) {
        // Where there is a vault already, nobody is asked for a passphrase in vain.
        _ if there => None,
        (_, Some(source)) => Some(source.read_private(cx, "passphrase")?),
        (true, None) => Some(prompt::new_passphrase(cx, "--passphrase-file")?),
        (false, None) => None,
    };
    let Some(made) = vault.init(&cx.operation(), InitOptions { brand: args.brand, passphrase })? else {
        let keystore = vault.dirs().keystore();
        cx.note(&format!("would make a vault: {}", keystore.display()));
        if cx.reply_asked() {
            let reply = json!({ "vault_id": null, "keystore": keystore, "device_key": null });
            cx.flat("keyward.vault-init/v1", reply, "vault_id")?;
        }
        return Ok(Exit::Ok.code());
    };
    cx.announce(&made);
    if cx.reply_asked() {
        let reply = json!({ "vault_id": made.vault_id, "keystore": made.keystore, "device_key": made.device_key });
        let written = cx.flat("keyward.vault-init/v1", reply, "vault_id");
        cx.after_change(written)?;
    }
    Ok(Exit::Ok.code())
}
