//! What happens while nobody can sign: each vault's own, and never a change.

use crate::support::Home;
use serde_json::{Value, json};

fn events(home: &Home, args: &[&str]) -> Vec<Value> {
    home.json(&[args, &["audit", "list"]].concat())["items"].as_array().unwrap().clone()
}

fn journal(home: &Home) -> std::path::PathBuf {
    let id = home.ok(&["vault", "status", "--field", "vault_id"]);
    home.path().join(".local/state/keyward/journals").join(format!("{id}.jsonl"))
}

#[test]
fn what_was_refused_in_one_vault_stands_in_its_own_trail_alone() {
    let home = Home::new();
    for vault in ["a", "b"] {
        home.ok(&["--vault", vault, "init"]);
    }
    home.ok(&["--vault", "a", "vault", "slots", "add", "--device-file", "desk.key", "--role", "support"]);
    let refused = home.run(&["--vault", "a", "--key-file", "desk.key", "--reason", "of a", "create", "secret-name"]);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    home.private("wrong.key", "no key");
    assert_eq!(home.run(&["--vault", "a", "--key-file", "wrong.key", "list"]).code, Some(7));
    home.ok(&["--vault", "b", "list"]);
    let told = |vault: &str| -> Vec<String> {
        let events = events(&home, &["--vault", vault]);
        let journal = events.iter().filter(|event| event["source"] == "journal");
        journal.map(|event| format!("{} {}", event["action"], event["target"]).replace('"', "")).collect()
    };
    assert!(told("b").is_empty(), "{:?}", told("b"));
    assert_eq!(told("a"), ["key.create secret-name", "vault.unlock vault"]);
}

#[test]
fn a_forged_journal_says_nothing_that_keyward_would_not() {
    let home = Home::new();
    let token = home.ok(&["create", "live"]);
    let key = home.json(&["show", "live"])["key"]["id"].as_str().unwrap().to_owned();
    home.ok(&["vault", "slots", "add", "--device-file", "desk.key", "--role", "support"]);
    home.ok(&["--key-file", "desk.key", "vault", "backup", "copy.db"]);
    let path = journal(&home);
    assert!(!path.exists() || std::fs::read(&path).unwrap().is_empty(), "the admin has absorbed it");
    home.run(&["--key-file", "desk.key", "vault", "backup", "copy-2.db"]);
    let written: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let line = |action: &str, outcome: &str, target: &str| {
        let mut line = written.clone();
        let fields = [("action", action), ("outcome", outcome), ("target", target), ("detail", "forged")];
        fields.iter().for_each(|(name, value)| line[*name] = json!(value));
        line
    };
    let mut of_another = line("vault.unlock", "failed", "vault");
    of_another["vault"] = json!("vault_0123456789abcdef");
    let mut lines = vec![
        line("key.delete", "ok", &key),
        line("key.revoke", "ok", &key),
        line("key.create", "failed", &key),
        line("vault.backup", "ok", &key),
        line("vault.rekey", "ok", written["vault"].as_str().unwrap()),
        line("audit.review", "ok", "trail"),
        line("scope.add", "ok", "a:b"),
        line("vault.unlock", "ok", "vault"),
        of_another,
        json!("no entry"),
    ];
    lines.push(written.clone());
    lines.push(line("key.revoke", "refused", &key));
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, "").unwrap();
    let before = events(&home, &[]).len();
    std::fs::write(&path, text).unwrap();

    let warned = home.run(&["-v", "list"]);
    assert_eq!(warned.code, Some(0), "{warned:?}");
    assert!(
        warned.stderr.contains("lines that keyward does not write") && warned.stderr.contains("dropped=10"),
        "{warned:?}"
    );
    home.ok(&["audit", "verify", "--full"]);
    let new = events(&home, &[]).split_off(before);
    let told: Vec<_> =
        new.iter().map(|event| ["action", "outcome", "source"].map(|name| event[name].clone())).collect();
    let own = [["vault.backup", "ok", "journal"], ["key.revoke", "refused", "journal"]];
    assert_eq!(json!(told), json!(own));
    assert!(home.works(&token));
    assert!(home.ok(&["doctor"]).contains("never reviewed"));
    assert!(!home.run(&["-v", "list"]).stderr.contains("does not write"), "said once");
}
