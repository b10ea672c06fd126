//! Putting another copy into the file that is there.

use super::*;

#[test]
fn nobody_commits_between_the_last_look_and_the_copy() {
    let vault = Vault::new();
    let scratch = vault.dir.path().join("scratch.db");
    vault.admin().backup(&scratch).unwrap();
    vault.put(key(9));
    let caps = vault.slot.open(&secret(), "vault_1").unwrap();
    let copy = Store::open(&scratch).unwrap().unlock(caps, Pins::new(&vault.dir.path().join("aside")), now()).unwrap();
    copy.reincarnate(0, event(Action::VaultRestore, "vault_1"), now()).unwrap();
    let before = vault.admin().read(now()).unwrap().epoch();

    // Who refuses changes nothing.
    let refused = copy.install(&vault.path(), |_| Err(Error::Stale));
    assert!(matches!(refused, Err(Error::Stale)));
    assert_eq!(vault.admin().read(now()).unwrap().epoch(), before);

    let caps = vault.slot.open(&secret(), "vault_1").unwrap();
    let look = |there: &LockedStore| {
        // Whoever looks sees the last commit, and nobody else can make another.
        assert_eq!(there.last_commit(&caps)?.epoch, before);
        let writer = Connection::open(vault.path())?;
        writer.busy_timeout(std::time::Duration::ZERO)?;
        assert!(matches!(writer.execute_batch("BEGIN IMMEDIATE").map_err(Error::from), Err(Error::Busy)));
        Ok::<(), Error>(())
    };
    copy.install(&vault.path(), look).unwrap();
    assert_eq!(vault.admin().read(now()).unwrap().incarnation(), 2);
    vault.admin().verify_all(now()).unwrap();
}
