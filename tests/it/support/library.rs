//! The vault of a home through the library, for what the program cannot be told: another time, another process that waits.

use super::Home;
use keyward::{
    backend::{Backend, Dirs, LocalVault, Unlock},
    domain::Time,
    ops::{Context, authority::Authority},
};

pub(crate) fn vault(home: &Home) -> LocalVault {
    let share = home.path().join(".local");
    LocalVault::locate(Dirs {
        data: share.join("share/keyward"),
        config: home.path().join(".config/keyward"),
        state: share.join("state/keyward"),
        runtime: share.join("state/keyward/run"),
        require_state: false,
    })
}

/// Opens the vault by the slot of the device.
pub(crate) fn open(vault: &LocalVault, cx: &Context) -> Box<dyn Backend> {
    let mut ask = |_: &str| Ok(None);
    let unlock =
        Unlock { session: None, key_file: None, credentials_dir: None, passphrase_named: false, passphrase: &mut ask };
    vault.unlock(cx, unlock).unwrap()
}

pub(crate) fn at(now: Time) -> Context {
    Context {
        now,
        actor: "alice@host".to_owned(),
        source: "cli".to_owned(),
        reason: None,
        ticket: None,
        workspace: "default".to_owned(),
        authority: Authority::Vault,
        expected_version: None,
        client: None,
        read_only: false,
        dry_run: false,
        rehearses: false,
    }
}
