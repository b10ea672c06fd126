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
    assert!(home.ok(&["scan-rule"]).starts_with(r"\bkw_"));
    assert!(home.find("keystore.db").is_none(), "no vault is made for it");
    home.ok(&["init", "--brand", "acme"]);
    let devices = home.keystore().parent().unwrap().join("../../../.config/keyward/devices");
    std::fs::remove_dir_all(devices).unwrap();
    assert_eq!(home.run(&["list"]).code, Some(7), "nothing opens the vault any more");
    assert!(home.ok(&["scan-rule"]).starts_with(r"\bacme_"));
    assert!(home.ok(&["scan-rule", "--brand", "kw"]).starts_with(r"\bkw_"));
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
