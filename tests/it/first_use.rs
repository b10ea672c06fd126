//! What the first command in an empty home says, and what can be known of a vault without opening it.

use crate::support::Home;

#[test]
fn quiet_hides_the_talk_but_not_where_the_vault_was_made() {
    let home = Home::new();
    let ran = home.run(&["-q", "create", "a"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let place = home.keystore();
    assert!(ran.stderr.contains(&format!("made a vault: {}\n", place.display())), "{}", ran.stderr);
    assert!(ran.stderr.contains("device"), "what opens it: {}", ran.stderr);
    assert!(!ran.stderr.contains("hint:") && !ran.stderr.contains("created a"), "{}", ran.stderr);
    assert_eq!(home.run(&["-q", "create", "b"]).stderr, "");
}

#[test]
fn scan_rule_takes_the_brand_of_the_vault_without_opening_it() {
    let home = Home::new();
    assert!(home.ok(&["scan-rule"]).starts_with("(?:(?:kw|kwop)_"));
    assert!(home.find("keystore.db").is_none(), "no vault is made for it");
    home.ok(&["init", "--brand", "acme"]);
    let devices = home.keystore().parent().unwrap().join("../../../.config/keyward/devices");
    std::fs::remove_dir_all(devices).unwrap();
    assert_eq!(home.run(&["list"]).code, Some(7), "nothing opens the vault any more");
    assert!(home.ok(&["scan-rule"]).starts_with("(?:(?:acme|kwop)_"));
    assert!(home.ok(&["scan-rule", "--brand", "kw"]).starts_with("(?:(?:kw|kwop)_"));
}

#[test]
fn a_word_that_is_no_command_is_not_guessed_at() {
    let home = Home::new();
    let far = home.run(&["frobnicate"]);
    assert_eq!(far.code, Some(2));
    assert!(!far.stderr.contains("rotate"), "{}", far.stderr);
    let near = home.run(&["-o", "json", "rotat"]);
    let error: serde_json::Value = serde_json::from_str(&near.stderr).unwrap();
    assert_eq!(error["error"]["hints"][0], "a similar subcommand exists: 'rotate'");
}

#[test]
fn a_keystore_that_is_gone_is_not_replaced_by_an_empty_one() {
    let home = Home::new();
    home.ok(&["init"]);
    let place = home.keystore();
    std::fs::rename(&place, home.path().join("aside")).unwrap();
    for args in [
        &["list"][..],
        &["create", "a"],
        &["audit", "verify"],
        &["unlock"],
        &["--read-only", "list"],
        &["-n", "create", "a"],
    ] {
        let ran = home.run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(9), ""), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("is gone") && ran.stderr.contains("keyward vault restore FILE"), "{ran:?}");
        assert!(!place.exists(), "{args:?} made one");
    }
    let verified =
        home.run_with(&["verify", "-"], "kw_dev_0123456789abcdef_0123456789abcdef0123456789abcdef0123456789abcdef0\n");
    assert_eq!(verified.code, Some(9), "not a verdict: {verified:?}");
    // A place that nobody remembers is made, as on first use; so is this one when somebody says so.
    std::fs::create_dir(home.path().join("elsewhere")).unwrap();
    home.ok(&["--vault", "elsewhere/vault", "create", "a"]);
    home.ok(&["init"]);
    home.ok(&["create", "a"]);
    // And what was away comes back.
    std::fs::rename(home.path().join("aside"), &place).unwrap();
    for rest in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{rest}", place.display()));
    }
    home.ok(&["list"]);
}

#[test]
fn a_vault_directory_in_no_directory_is_a_slip() {
    let home = Home::new();
    for ran in [
        home.run(&["--vault", "no/such", "list"]),
        home.run_in(&["create", "a"], &[("KEYWARD_VAULT", home.path().join("no/such").to_str().unwrap())]),
    ] {
        assert_eq!(ran.code, Some(3), "{ran:?}");
        assert!(ran.stderr.contains("no/such") && !home.path().join("no").exists(), "{ran:?}");
    }
    home.ok(&["--vault", "no/such", "init"]);
    home.ok(&["--vault", "no/such", "list"]);
}

#[test]
fn an_empty_home_is_not_that_of_somebody_else() {
    let home = Home::new();
    let ran = home.run_in(&["list"], &[("HOME", "")]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("HOME is set and empty"), "{ran:?}");
    let ran = home.run_in(&["list"], &[("HOME", "here")]);
    assert!(ran.code == Some(2) && ran.stderr.contains("HOME is no absolute path"), "{ran:?}");
    assert!(!home.path().join("here").exists());
}

#[test]
fn a_dry_run_of_init_makes_nothing_and_one_of_man_writes_nothing() {
    let home = Home::new();
    let ran = home.run(&["-n", "init"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("would make a vault: "), "{ran:?}");
    let ran = home.run(&["-n", "man", "--out", "pages"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("would write "), "{ran:?}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    assert!(home.json(&["-n", "init"])["keystore"].is_string());
    home.ok(&["init"]);
    assert_eq!(home.run(&["-n", "init"]).code, Some(6));
}

#[test]
fn what_killed_processes_left_beside_the_pins_is_removed() {
    let home = Home::new();
    home.ok(&["init"]);
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let left: Vec<_> = [".local/state/keyward/pins/vault_x.json", ".config/keyward/devices/vault_x.key"]
        .iter()
        .map(|name| home.path().join(format!("{name}.new-{}-0123abcd", child.id())))
        .collect();
    left.iter().for_each(|path| std::fs::write(path, b"").unwrap());
    std::fs::create_dir(home.path().join("other")).unwrap();
    home.ok(&["create", "a"]);
    home.ok(&["--vault", "other/vault", "init"]);
    assert!(left.iter().all(|path| !path.exists()), "{left:?}");
}
