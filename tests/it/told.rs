//! What is said and how: lists that fit a terminal, words for changes, hints that can be run where they are given.

use crate::support::{Home, terminal::Terminal};

#[test]
fn a_list_on_eighty_columns_shows_what_matters_whole() {
    let home = Home::new();
    home.ok(&[
        "create",
        "billing-sync-prod",
        "--env",
        "production",
        "--owner",
        "billing@example.com",
        "--scope",
        "invoices:read",
        "--scope",
        "reports:read",
        "--scope",
        "reports:write",
        "--expires-in",
        "30d1h",
    ]);
    let id = home.ok(&["-q", "list"]);
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward list --color never");
    let seen = shell.finished_anyhow();
    for whole in ["billing-sync-prod", "prod", "active", "in 30d", "never", "billing@example.com"] {
        assert!(seen.contains(whole), "{whole}: {seen}");
    }
    assert!(!seen.contains('…') && !seen.contains(&id), "{seen}");
    shell.type_line("keyward list -o wide --color never");
    let seen = shell.finished_anyhow();
    assert!(seen.contains(&id) && seen.contains("production") && seen.contains("reports:write"), "{seen}");
    // Off a terminal nothing is cut; the id is what -q and the formats for programs are for.
    let plain = home.ok(&["list"]);
    assert!(plain.contains("invoices:read,reports:read,reports:write") && plain.contains("production"), "{plain}");
    assert!(!plain.contains(&id) && home.ok(&["-o", "csv", "list"]).contains(&id), "{plain}");
}

#[test]
fn show_lists_dead_secrets_only_when_asked() {
    let home = Home::new();
    home.ok(&["create", "k"]);
    for _ in 0..2 {
        home.ok(&["rotate", "k", "--now"]);
    }
    let shown = home.ok(&["show", "k"]);
    assert!(shown.contains("(current), and 2 dead (-o wide)") && !shown.contains("(dead"), "{shown}");
    assert_eq!(home.ok(&["show", "k", "-o", "wide"]).matches("(dead").count(), 2);
    assert_eq!(home.json(&["show", "k"])["key"]["secrets"].as_array().unwrap().len(), 3);
}

#[test]
fn changes_read_as_words() {
    let home = Home::new();
    home.ok(&["create", "k", "--scope", "a:read", "--label", "team=x"]);
    let ran = home.run(&[
        "update",
        "k",
        "--add-scope",
        "b:read",
        "--rate-limit",
        "none",
        "--label",
        "team=y",
        "--rotate-every",
        "7d",
    ]);
    for words in ["scopes: +b:read", "rate limit: 100/h -> none", "labels: -team=x +team=y", "rotate every: none -> 7d"]
    {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains(['{', '[']), "{}", ran.stderr);
    let last = home.json(&["audit", "list", "--action", "key.update"])["items"][0]["seq"].to_string();
    let shown = home.ok(&["audit", "show", &last]);
    assert!(shown.contains("- rate_limit: 100/h") && shown.contains("+ labels: team=y"), "{shown}");
}

/// A hint is run as it stands, in the situation that it was given in, with all that the person had said.
#[test]
fn hints_carry_what_was_said_and_lead_out() {
    let home = Home::new();
    home.ok(&["create", "k", "--vault", "other"]);
    let ran = home.run(&["--vault", "other", "--reason", "it's out", "create", "k"]);
    let hint = ran.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap().to_owned();
    assert!(hint.contains("--vault other") && hint.contains("--reason"), "{hint}");
    let done = home.shell(hint.split("  (").next().unwrap());
    assert_eq!(done.code, Some(0), "{hint}: {done:?}");
    let last = home.json(&["--vault", "other", "audit", "list"]);
    assert_eq!(last["items"].as_array().unwrap().last().unwrap()["reason"], "it's out");
    assert!(home.find("keystore.db").is_some_and(|path| path.starts_with(home.path().join("other"))));
}

#[test]
fn words_of_other_programs_are_told_by_what_keyward_calls_them() {
    let home = Home::new();
    home.ok(&["create", "k"]);
    for (line, told, never) in [
        ("create x --json", "hint: -o json", "similar"),
        ("create x --format json", "hint: -o table, wide, json", "similar"),
        ("version", "hint: keyward --version", "similar"),
        ("create --name x", "hint: keyward create NAME", "-- --name"),
        ("update k --project p", "set when it is made", "similar"),
        ("update k --ip 10.0.0.0/8", "hint: --add-ip or --remove-ip", "similar"),
        ("rotate k --to file:x", "hint: --deliver", "similar"),
        ("roll k", "hint: keyward rotate KEY", "similar"),
    ] {
        let ran = home.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, Some(2), "{line}: {ran:?}");
        assert!(ran.stderr.contains(told) && !ran.stderr.contains(never), "{line}: {}", ran.stderr);
    }
    let removed = home.run(&["remove", "k"]);
    assert!(!removed.stderr.contains("revoke"), "{removed:?}");
    assert_eq!(home.json(&["show", "k"])["key"]["status"], "active");
}

/// The words of libraries say nothing to who typed the argument.
#[test]
fn errors_of_libraries_are_told_in_plain_words() {
    let home = Home::new();
    home.ok(&["create", "k"]);
    for (line, told) in [
        ("audit show key_0123456789abcdef", "keyward audit list --key key_0123456789abcdef"),
        ("list --limit x", "expected a whole number"),
        ("--server example.com whoami", "begins with neither https://"),
        ("--server unix:nowhere.sock list", "No such file or directory"),
    ] {
        let mut command = home.command(&line.split(' ').collect::<Vec<_>>());
        let ran = crate::support::Ran::of(command.env("KEYWARD_TOKEN", "kwop_x").output().unwrap());
        assert!(ran.code != Some(0) && ran.stderr.contains(told), "{line}: {ran:?}");
        for raw in ["invalid digit", "relative URL", "error sending request", "os error 111"] {
            assert!(!ran.stderr.contains(raw), "{line}: {ran:?}");
        }
    }
    let ran = home.run_in(&["list"], &[("KEYWARD_OUTPUT", "jsno")]);
    assert!(ran.stderr.contains("KEYWARD_OUTPUT is 'jsno'"), "{ran:?}");
    home.private("token", "kwop_x\n\n");
    let ran = home.run(&["--server", "http://127.0.0.1:9", "--token-file", "token", "list"]);
    assert!(ran.stderr.contains("a blank line"), "{ran:?}");
}

#[test]
fn manual_pages_have_examples_a_version_and_the_global_options_once() {
    let home = Home::new();
    home.ok(&["man", "--out", "m"]);
    let version = home.ok(&["--version"]).replace("keyward ", "");
    for entry in std::fs::read_dir(home.path().join("m")).unwrap() {
        let path = entry.unwrap().path();
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page.contains(&format!(".SH VERSION\n{version}\n")), "{}", path.display());
        let root = path.ends_with("keyward.1");
        assert_eq!(page.contains("no\\-input"), root, "{}", path.display());
    }
    assert!(home.read("m/keyward-create.1").contains(".SH EXAMPLES\n.nf\n  keyward create"));
}
