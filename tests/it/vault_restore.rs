//! Putting backups back: what the keystore knows and the backup does not is lost only when that is said.

use crate::support::Home;

fn restore(home: &Home, args: &[&str]) -> crate::support::Ran {
    home.run(&[&["vault", "restore"], args].concat())
}

#[test]
fn a_longer_backup_of_another_course_does_not_bring_a_revoked_key_back() {
    let home = Home::new();
    home.ok(&["create", "k1"]);
    home.ok(&["vault", "backup", "b1.db"]);
    for number in 0..6 {
        home.ok(&["create", &format!("later-{number}")]);
    }
    home.ok(&["vault", "backup", "b2.db"]);
    home.ok(&["vault", "restore", "b1.db", "--force"]);
    let token = home.ok(&["create", "new1"]);
    home.ok(&["revoke", "k1", "--yes"]);
    for args in [&["b2.db"][..], &["b2.db", "--dry-run"]] {
        let refused = restore(&home, &[args, &["-o", "json"]].concat());
        assert_eq!(refused.code, Some(6), "{refused:?}");
        assert_eq!(refused.error()["reason"], "parted_keystore");
        assert!(refused.stderr.contains("--force"), "{refused:?}");
    }
    assert_eq!(home.json(&["show", "k1"])["key"]["status"], "revoked");
    assert!(home.works(&token));

    let told = restore(&home, &["b2.db", "--force"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stderr.contains("what came in between is undone"), "{told:?}");
    assert_eq!(home.json(&["show", "k1"])["key"]["status"], "active");
    home.ok(&["audit", "verify"]);
}

#[test]
fn a_copy_that_went_its_own_way_is_no_later_one_however_long_it_is() {
    let (here, there) = (Home::new(), Home::new());
    here.ok(&["create", "first"]);
    let copied = std::process::Command::new("cp").arg("-a").arg(here.path().join(".")).arg(there.path()).status();
    assert!(copied.unwrap().success());
    for name in ["second", "third", "fourth"] {
        there.ok(&["create", name]);
    }
    there.ok(&["vault", "backup", "there.db"]);
    let theirs = there.path().join("there.db").to_str().unwrap().to_owned();
    // What only goes on from here is the vault.
    here.ok(&["vault", "restore", &theirs, "--dry-run"]);
    here.ok(&["create", "elsewhere"]);
    let refused = restore(&here, &[&theirs]);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(refused.stderr.contains("commits, up to ") && refused.stderr.contains("--force"), "{refused:?}");
    assert!(here.ok(&["list", "-o", "name"]).contains("elsewhere"));
}

#[test]
fn a_backup_that_knows_more_than_the_keystore_needs_no_force() {
    let home = Home::new();
    home.ok(&["create", "early"]);
    let early = std::fs::read(home.keystore()).unwrap();
    home.ok(&["create", "later"]);
    home.ok(&["vault", "rekey", "--yes"]);
    home.ok(&["vault", "backup", "copy.db"]);
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", home.keystore().display()));
    }
    std::fs::write(home.keystore(), early).unwrap();
    assert_eq!(home.run(&["list"]).code, Some(14), "an old file");
    let told = restore(&home, &["copy.db"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(!told.stderr.contains("undone"), "nothing is: {told:?}");
    assert!(home.ok(&["list", "-o", "name"]).contains("later"));
    home.ok(&["audit", "verify"]);
}
