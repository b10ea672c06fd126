//! What `keyward` says where nobody has used it yet: what to type first, in ten lines, and nothing that would have to be read.

use crate::{
    backend::LocalVault,
    config::{self, Env},
};

const WORDS: &str = "\
keyward keeps API keys. There is no vault here yet: the first key makes one.

  keyward create billing-sync --env production    prints its secret, once
  keyward list                                    which keys there are
  keyward verify - --env production               is this secret good?
  keyward rotate billing-sync --overlap 1h        the old secret works for 1h more
  keyward logs                                    who used which key, and how

Everything else: keyward help    One command: keyward help rotate
Over a server:   keyward login https://HOST
";

/// The words, where there is neither a vault nor a server that somebody named.
pub(super) fn words(env: &Env) -> Option<&'static str> {
    let named = ["KEYWARD_SERVER", "KEYWARD_PROFILE"].iter().any(|name| env.text(name).is_some());
    let vault = LocalVault::locate(config::dirs(env.path("KEYWARD_VAULT")).ok()?);
    let none = matches!(vault.exists(), Ok(false)) && vault.refuse_if_gone().is_ok();
    (none && !named).then_some(WORDS)
}
