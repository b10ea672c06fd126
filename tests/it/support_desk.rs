//! Every command of the program as a support user: it reads what it may, changes nothing, and leaves an event of each
//! attempt at a change.

use crate::support::{Home, Ran};
use rusqlite::{Connection, OpenFlags, types::Value};
use std::{collections::BTreeSet, fs};

/// What a command does for somebody who opened the vault with a support slot.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Does {
    /// It answers, with this exit code.
    Answers(i32),
    /// It reads, but not with what a support slot holds.
    IsKept,
    /// It would change something: exit 5, and an event of this action.
    IsRefused(&'static str),
    /// It changes something of this user alone, and nothing in the vault.
    IsOwn(i32),
}
use Does::{Answers, IsKept, IsOwn, IsRefused};

/// Every command, with operands that would work for an admin.
const COMMANDS: &[(&str, Does)] = &[
    ("init", IsOwn(6)),
    ("unlock --for 15m", IsOwn(0)),
    ("lock", IsOwn(0)),
    ("vault status", Answers(0)),
    ("vault slots list", Answers(0)),
    ("vault slots add --device-file new.key", IsRefused("vault.slot_add")),
    ("vault slots remove SLOT --yes", IsRefused("vault.slot_remove")),
    ("vault passphrase --new-passphrase-file words", IsRefused("vault.slot_add")),
    ("vault rekey --yes", IsRefused("vault.rekey")),
    ("vault backup copy.db", IsOwn(0)),
    ("vault restore backup.db --force --yes", IsRefused("vault.restore")),
    ("vault adopt backup.db", IsRefused("vault.restore")),
    ("vault delete --confirm x", IsRefused("vault.delete")),
    ("vault recovery", IsRefused("vault.slot_add")),
    ("create new", IsRefused("key.create")),
    ("create --from keys.csv", IsRefused("key.create")),
    ("import old.csv", IsRefused("key.import")),
    ("export", Answers(0)),
    ("diff -f keys.toml", Answers(10)),
    ("apply -f keys.toml --yes", IsRefused("key.apply")),
    ("push --to ./elsewhere --yes", IsOwn(3)),
    ("pull --from ./elsewhere --yes", IsOwn(3)),
    ("list --status any", Answers(0)),
    ("list --denied-since 1h", Answers(0)),
    ("show billing-sync", Answers(0)),
    ("update billing-sync --owner me", IsRefused("key.update")),
    ("rotate billing-sync", IsRefused("key.stage")),
    ("rotation list", Answers(0)),
    ("rotation show nightly-export", Answers(0)),
    ("rotation resume nightly-export", Answers(6)),
    ("rotation commit nightly-export --force", IsRefused("key.rotate")),
    ("rotation abort nightly-export --yes", IsRefused("key.abort")),
    ("activate billing-sync", IsRefused("key.activate")),
    ("deactivate billing-sync", IsRefused("key.deactivate")),
    ("revoke billing-sync", IsRefused("key.revoke")),
    ("delete billing-sync --confirm billing-sync", IsRefused("key.delete")),
    ("scopes list", Answers(0)),
    ("scopes show audits:read", Answers(0)),
    ("scopes add audits:write", IsRefused("scope.add")),
    ("scopes remove audits:read --yes", IsRefused("scope.remove")),
    ("scopes import scopes.csv", IsRefused("scope.add")),
    ("scopes default", Answers(0)),
    ("scopes default audits:write", IsRefused("workspace.update")),
    ("scopes close", IsRefused("scope.close")),
    ("scopes open", IsRefused("scope.open")),
    ("verify --secret-file token --env production", Answers(13)),
    ("verify --secret-file token --env production --explain", Answers(13)),
    ("verify --secret-file token --record", IsRefused("usage.record")),
    ("identify --secret-file token", IsOwn(0)),
    ("identify --secret-file token --revoke --yes", IsRefused("key.revoke")),
    ("usage", Answers(0)),
    ("usage retention", Answers(0)),
    ("usage retention --counts 20d", IsRefused("usage.retention")),
    ("logs", Answers(0)),
    ("logs --operators", IsKept),
    ("logs --operator root", IsKept),
    ("check", Answers(10)),
    ("report", Answers(0)),
    ("report stale", Answers(0)),
    ("report expiry", Answers(0)),
    ("report rotation", Answers(0)),
    ("report owners", Answers(0)),
    ("report --html page.html", Answers(0)),
    ("ui", Answers(2)),
    ("audit list", IsKept),
    ("audit list --unreviewed", IsKept),
    ("audit list --key billing-sync", Answers(0)),
    ("audit show 1", IsKept),
    ("audit verify", Answers(0)),
    ("audit export", IsRefused("audit.export")),
    ("audit checkpoint", IsKept),
    ("audit checkpoint --to file:checkpoints", IsRefused("audit.checkpoint")),
    ("audit prove 1", IsKept),
    ("audit review --upto 1 --note seen", IsRefused("audit.review")),
    ("audit archive --before 2000-01-01 --out events", IsRefused("audit.archive")),
    ("workspaces list", Answers(0)),
    ("workspaces show default", Answers(0)),
    ("workspaces create new", IsRefused("workspace.create")),
    ("workspaces update default --description d", IsRefused("workspace.update")),
    ("workspaces delete spare --yes", IsRefused("workspace.delete")),
    ("projects list", Answers(0)),
    ("projects show shop", Answers(0)),
    ("projects create new", IsRefused("project.create")),
    ("projects update shop --description d", IsRefused("project.update")),
    ("projects delete shop --yes", IsRefused("project.delete")),
    ("customers list", Answers(0)),
    ("customers show contoso", Answers(0)),
    ("customers create new", IsRefused("customer.create")),
    ("customers update contoso --description d", IsRefused("customer.update")),
    ("customers delete contoso --yes", IsRefused("customer.delete")),
    ("plans list", Answers(0)),
    ("plans show small", Answers(0)),
    ("plans create new", IsRefused("plan.create")),
    ("plans update small --max-keys 9", IsRefused("plan.update")),
    ("plans delete small --yes", IsRefused("plan.delete")),
    ("operators list", Answers(0)),
    ("operators create new --role auditor", IsRefused("operator.create")),
    ("operators rotate gateway", IsRefused("operator.rotate")),
    ("operators revoke gateway --yes", IsRefused("operator.revoke")),
    ("operators trust list", Answers(0)),
    (
        "operators trust add ci --issuer https://idp.example.com --audience a --role rotator --claim sub=job",
        IsRefused("operator.trust"),
    ),
    ("operators trust remove ci --yes", IsRefused("operator.distrust")),
    ("self show --secret-file token", Answers(2)),
    ("self rotate --secret-file token --deliver file:out", Answers(2)),
    ("self revoke --secret-file token --yes", Answers(2)),
    ("login unix:none.sock --token-file words", Answers(9)),
    ("logout", Answers(2)),
    ("profile list", Answers(0)),
    ("profile use local", Answers(0)),
    ("profile remove team --yes", IsRefused("profile.logout")),
    ("webhooks list", Answers(0)),
    ("webhooks add pager https://hooks.example.com/x", IsRefused("webhook.add")),
    ("webhooks test pager", Answers(3)),
    ("webhooks remove pager --yes", IsRefused("webhook.remove")),
    ("whoami", Answers(0)),
    ("doctor", Answers(0)),
    ("serve --listen 127.0.0.1:0", IsKept),
    ("completions bash", Answers(0)),
    ("man", Answers(0)),
    ("scan-rule", Answers(0)),
    ("help output", Answers(0)),
];

/// A key that was issued elsewhere.
const OLD: &str = "name,digest\nold,9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n";

/// A vault with something of every kind, and a support slot that opens with `desk.key`.
fn furnished() -> Home {
    let home = Home::new();
    let token = home.ok(&["create", "billing-sync", "--env", "production", "--scope", "audits:read"]);
    for (file, text) in [
        ("token", token.as_str()),
        ("words", "correct horse battery"),
        ("scopes.csv", "name,description,implies\na:b,,\n"),
        ("keys.csv", "name\none\n"),
        ("old.csv", OLD),
    ] {
        home.private(file, text);
    }
    for line in [
        "create nightly-export --env staging --no-expiry --owner before@example.com",
        "-q rotate nightly-export --stage",
        "workspaces create spare",
        "projects create shop",
        "customers create contoso",
        "plans create small",
        "-q operators create gateway --role verifier",
        "vault slots add --device-file desk.key --role support --label desk",
        "vault slots add --device-file spare.key",
        "vault backup backup.db",
        "revoke billing-sync",
        "activate nightly-export",
    ] {
        home.ok(&line.split(' ').collect::<Vec<_>>());
    }
    let declared = home.ok(&["export"]);
    assert!(declared.contains("before@example.com"), "{declared}");
    fs::write(home.path().join("keys.toml"), declared.replace("before@", "after@")).unwrap();
    home
}

/// Every row of every table, as it is stored.
fn rows(home: &Home) -> Vec<(String, Vec<Vec<Value>>)> {
    let store = Connection::open_with_flags(home.keystore(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut tables = store.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").unwrap();
    let names: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    names
        .into_iter()
        .map(|name| {
            let mut all = store
                .prepare(&format!("SELECT * FROM \"{name}\" ORDER BY 1, 2"))
                .unwrap_or_else(|_| store.prepare(&format!("SELECT * FROM \"{name}\" ORDER BY 1")).unwrap());
            let columns = all.column_count();
            let rows = all
                .query_map([], |row| (0..columns).map(|column| row.get(column)).collect::<Result<Vec<Value>, _>>())
                .unwrap();
            let rows = rows.map(Result::unwrap).collect();
            (name, rows)
        })
        .collect()
}

fn as_support(home: &Home, command: &str) -> Ran {
    let mut args = vec!["--key-file", "desk.key"];
    args.extend(command.split(' '));
    home.run(&args)
}

/// The commands that do something by themselves.
fn leaves(command: &clap::Command, path: &str, found: &mut BTreeSet<String>) {
    let subcommands: Vec<_> = command.get_subcommands().filter(|one| !one.is_hide_set()).collect();
    if subcommands.is_empty() || !command.is_subcommand_required_set() && !path.is_empty() {
        found.insert(path.trim().to_owned());
    }
    for subcommand in subcommands {
        leaves(subcommand, &format!("{path} {}", subcommand.get_name()), found);
    }
}

#[test]
fn a_support_user_changes_nothing_by_any_command_and_every_attempt_is_an_event() {
    let mut all = BTreeSet::new();
    leaves(&keyward::cli::command(), "", &mut all);
    all.retain(|leaf| leaf != "audit");
    let walked = |leaf: &String| COMMANDS.iter().any(|(line, _)| line == leaf || line.starts_with(&format!("{leaf} ")));
    let missing: Vec<&String> = all.iter().filter(|leaf| !walked(leaf)).collect();
    assert!(missing.is_empty(), "not walked: {missing:?}");

    let home = furnished();
    let slots = home.ok(&["-q", "vault", "slots", "list"]);
    let spare = slots.lines().last().unwrap();
    let last = home.json(&["audit", "list", "--limit", "1"])["items"][0]["seq"].as_u64().unwrap();
    let exported = home.json(&["list", "--status", "any"]);
    let before = rows(&home);
    assert!(before.iter().map(|(_, rows)| rows.len()).sum::<usize>() > 20, "{before:?}");
    let mut refused = Vec::new();
    for (line, does) in COMMANDS {
        let ran = as_support(&home, &line.replace("SLOT", spare));
        match does {
            Answers(code) | IsOwn(code) => assert_eq!(ran.code, Some(*code), "{line}: {ran:?}"),
            IsKept => assert_eq!(ran.code, Some(5), "{line}: {ran:?}"),
            IsRefused(action) => {
                assert_eq!((ran.code, ran.stdout.as_str()), (Some(5), ""), "{line}: {ran:?}");
                assert!(ran.stderr.contains("hint: "), "{line}: {}", ran.stderr);
                refused.push(*action);
            }
        }
        // Nothing at all, not even an event that no slot of this role can sign.
        assert_eq!(rows(&home), before, "{line} changed the keystore");
    }

    // The next admin finds every attempt in the trail, in order.
    assert_eq!(home.json(&["list", "--status", "any"]), exported);
    let events = home.json(&["audit", "list"]);
    let new: Vec<_> =
        events["items"].as_array().unwrap().iter().filter(|event| event["seq"].as_u64() > Some(last)).collect();
    let outcome = |outcome: &str| -> Vec<&str> {
        new.iter().filter(|event| event["outcome"] == outcome).map(|event| event["action"].as_str().unwrap()).collect()
    };
    assert_eq!(outcome("refused"), refused);
    assert_eq!(outcome("ok"), ["vault.backup", "key.identify", "key.identify"], "what it did is told, too");
    assert!(new.iter().all(|event| event["source"] == "journal"), "{new:?}");
    home.ok(&["audit", "verify"]);
}

/// What a customer's question takes: why a key does not work, and what was done to it, by whom and why.
#[test]
fn a_support_slot_judges_secrets_and_reads_the_history_of_keys() {
    let home = furnished();
    let secret = fs::read_to_string(home.path().join("token")).unwrap();
    let desk = ["--key-file", "desk.key", "-o", "json"];
    let asked = |args: &[&str], input: &str| {
        let ran = home.run_with(&[&desk[..], args].concat(), input);
        let answer: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        (ran.code, answer)
    };
    // The same verdict, word by word, as an administrator's; a secret that is none of the vault's is unknown to both.
    let of_another_vault = Home::new().ok(&["create", "k", "--env", "production"]);
    for (presented, code) in [(secret.as_str(), "REVOKED"), (&of_another_vault, "UNKNOWN")] {
        let args = ["verify", "-", "--env", "production", "--scope", "audits:read", "--explain"];
        let (exit, verdict) = asked(&args, presented);
        let by_admin = home.run_with(&[&["-o", "json"], &args[..]].concat(), presented);
        assert_eq!((exit, by_admin.code, &verdict["code"]), (Some(13), Some(13), &code.into()), "{verdict}");
        assert_eq!(verdict, serde_json::from_str::<serde_json::Value>(&by_admin.stdout).unwrap());
    }
    assert_eq!(asked(&["identify", "-"], &secret).1["items"][0]["genuine"], true);

    // The whole history, by name and by id: what an administrator reads of the key, and nothing of anything else.
    let id = home.json(&["show", "billing-sync"])["key"]["id"].as_str().unwrap().to_owned();
    home.ok(&["customers", "create", "billing-sync"]);
    home.run(&["revoke", "billing-sync", "--dry-run", "--reason", "again"]);
    assert_eq!(home.run(&["rotate", "billing-sync", "--reason", "again"]).code, Some(6), "it is revoked");
    for key in ["billing-sync", &id] {
        let history = asked(&["audit", "list", "--key", key], "").1;
        assert_eq!(history, home.json(&["audit", "list", "--key", key]));
        let actions: Vec<&str> =
            history["items"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["key.create", "key.revoke", "key.identify", "key.stage"]);
    }
    let ran = home.run(&["--key-file", "desk.key", "audit", "list"]);
    assert_eq!(ran.code, Some(5));
    assert!(ran.stderr.contains("audit list --key KEY  (what happened to a key)"), "{}", ran.stderr);
    // So does a session of it.
    let session = home.ok(&["--key-file", "desk.key", "-q", "unlock", "--for", "5m"]);
    let session = session.trim_start_matches("export KEYWARD_SESSION=").trim_matches('\'').to_owned();
    let ran = home.run_with_in(&["verify", "-", "--env", "production"], &secret, &[("KEYWARD_SESSION", &session)]);
    assert_eq!(ran.code, Some(13), "{ran:?}");
}

/// What support is told to do it can do, or it is told who can.
#[test]
fn support_knows_what_it_is_and_for_whom_a_command_is() {
    let home = furnished();
    let own = as_support(&home, "whoami -o json");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&own.stdout).unwrap()["role"], "support", "{own:?}");
    assert_eq!(home.json(&["whoami"])["role"], "admin");
    let named = as_support(&home, "identify --secret-file token");
    for line in named.stderr.lines().filter(|line| line.starts_with("hint: ")) {
        assert!(line.contains("for an administrator"), "{line}");
    }
    assert!(!home.run(&["identify", "--secret-file", "token"]).stderr.contains("for an administrator"));
}
