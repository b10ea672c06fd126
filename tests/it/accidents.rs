//! Nothing is made by accident: only what brings keys into being makes a vault, and everything else says where it looked.

use crate::support::{Home, Ran};

/// Commands that read, or work on a schedule, or change what is there.
const ELSEWHERE: &[&str] = &[
    "list",
    "list --expires-within 14d --exit-code",
    "show a",
    "rotate --due --yes --max 9 --deliver file:x",
    "rotate a",
    "revoke a",
    "check",
    "report",
    "usage",
    "logs",
    "audit list",
    "audit verify",
    "audit checkpoint",
    "scopes remove a:read --yes",
    "projects list",
    "projects delete shop --yes",
    "operators rotate root",
    "webhooks list",
    "export",
    "diff -f keys.toml",
    "vault status",
    "vault backup b.db",
    "vault delete --confirm x",
    "unlock",
    "doctor",
    "identify --hint abcd",
    "create a --read-only",
];

fn none_is_made(home: &Home, ran: &Ran, line: &str) {
    assert_eq!(ran.code, Some(3), "{line}: {ran:?}");
    assert!(ran.stdout.is_empty() || line.contains("doctor"), "{line}: {ran:?}");
    assert!(ran.stderr.contains("there is no vault at "), "{line}: {ran:?}");
    assert!(home.find("keystore.db").is_none(), "{line} made one");
}

#[test]
fn what_reads_or_runs_on_a_schedule_makes_no_vault_and_says_where_it_looked() {
    let home = Home::new();
    home.write("keys.toml", "keys = []\n");
    for line in ELSEWHERE {
        let ran = home.run(&line.split(' ').collect::<Vec<_>>());
        none_is_made(&home, &ran, line);
        assert!(ran.stderr.contains(".local/share/keyward/keystore.db"), "{line}: {ran:?}");
        assert!(ran.stderr.contains(&format!("HOME is {}", home.path().display())), "why there: {line}: {ran:?}");
        assert!(ran.stderr.contains("keyward init"), "{line}: {ran:?}");
    }
}

#[test]
fn a_slip_in_the_place_is_told_by_whoever_named_it() {
    let home = Home::new();
    let ran = home.run(&["--vault", "typo", "rotate", "--due", "--yes", "--max", "9", "--deliver", "file:x"]);
    none_is_made(&home, &ran, "--vault");
    assert!(ran.stderr.contains("--vault names that directory") && ran.stderr.contains("typo/keystore.db"), "{ran:?}");
    assert!(ran.stderr.contains("keyward --vault typo init"), "{ran:?}");
    let ran = home.run_in(&["list"], &[("KEYWARD_VAULT", "typo")]);
    none_is_made(&home, &ran, "KEYWARD_VAULT");
    assert!(ran.stderr.contains("KEYWARD_VAULT names that directory"), "{ran:?}");
    let ran = home.run_in(&["list"], &[("SUDO_USER", "alice")]);
    none_is_made(&home, &ran, "sudo");
    assert!(ran.stderr.contains("sudo runs this for alice") && ran.stderr.contains("run it as alice"), "{ran:?}");
    let data = home.path().join("data");
    let ran = home.run_in(&["list"], &[("XDG_DATA_HOME", data.to_str().unwrap())]);
    none_is_made(&home, &ran, "XDG_DATA_HOME");
    assert!(ran.stderr.contains("XDG_DATA_HOME"), "{ran:?}");
}

#[test]
fn a_job_without_a_home_makes_no_vault_in_that_of_the_list_of_users() {
    let home = Home::new();
    let passwd = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().dir;
    if passwd.join(".local/share/keyward").exists() {
        eprintln!("skipped: the user of this test has a vault");
        return;
    }
    for args in [&["list"][..], &["create", "a"]] {
        let mut command = home.command(args);
        let ran = Ran::of(command.env_remove("HOME").output().unwrap());
        assert_eq!(ran.code, Some(3), "{ran:?}");
        assert!(ran.stderr.contains("HOME is not set") && ran.stderr.contains("--vault DIR"), "{ran:?}");
        assert!(!passwd.join(".local/share/keyward").exists(), "{args:?} made one");
    }
}

/// A vault may begin with what keys belong to, with those who manage it, and with a server.
#[test]
fn what_keys_belong_to_may_come_first() {
    for line in [
        "projects create shop",
        "customers create acme",
        "workspaces create team",
        "plans create small",
        "scopes add a:read",
        "operators create root --role platform-admin",
        "webhooks add pager https://hooks.example.com/x",
    ] {
        let home = Home::new();
        let ran = home.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
        assert!(ran.stderr.contains("made a vault: "), "{line}: {ran:?}");
    }
}

#[cfg(feature = "server")]
#[test]
fn a_first_server_makes_the_vault_but_not_where_one_is_named() {
    let home = Home::new();
    let ran = home.run(&["--vault", "typo", "serve", "--listen", "127.0.0.1:0"]);
    none_is_made(&home, &ran, "serve");
    let server = crate::support::server::Served::start(&home, &[]);
    assert_eq!(server.get("/readyz", &[]).status, 200);
    assert!(home.find("keystore.db").is_some());
}

#[test]
fn what_brings_keys_into_being_makes_the_vault() {
    for (args, stdin) in [
        (&["create", "a"][..], ""),
        (&["create", "--from", "-"], "name\na\n"),
        (&["import", "-"], "name,digest\na,2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\n"),
        (&["apply", "-f", "-", "--yes", "--deliver", "file:a.key"], "[[keys]]\nname = \"a\"\n"),
    ] {
        for place in [&[][..], &["--vault", "place"]] {
            let home = Home::new();
            let ran = home.run_with(&[place, args].concat(), stdin);
            assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
            assert!(ran.stderr.contains("made a vault: "), "{args:?}: {ran:?}");
            assert_eq!(home.json(&[place, &["list"]].concat())["page"]["total"], 1, "{args:?}");
        }
    }
}

/// What a first command would do is shown without a vault, and nothing is left of the showing.
#[test]
fn a_dry_run_of_what_makes_a_vault_makes_none() {
    let home = Home::new();
    home.write("keys.csv", "name,environment\none,production\ntwo,staging\n");
    home.write("wrong.csv", "name,environment\none,moon\n");
    for (line, code) in [
        ("create a --env production -n", 0),
        ("create --from keys.csv -n", 0),
        ("create --from wrong.csv -n", 2),
        ("projects create shop -n", 0),
        ("--vault typo/deep create a -n", 3),
    ] {
        let ran = home.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, Some(code), "{line}: {ran:?}");
        assert_eq!(ran.stderr.contains("would make a vault: "), code == 0, "{line}: {ran:?}");
        assert!(home.find("keystore.db").is_none(), "{line} made one");
    }
}

#[test]
fn an_address_is_no_name_of_a_directory() {
    let home = Home::new();
    for address in ["postgres://u:hidden@db/keyward", "https://keys.example.com", "sqlite:x.db", "s3://bucket/x"] {
        for (args, variables) in
            [(vec!["--vault", address, "create", "a"], vec![]), (vec!["create", "a"], vec![("KEYWARD_VAULT", address)])]
        {
            let ran = home.run_in(&args, &variables);
            assert_eq!(ran.code, Some(2), "{address}: {ran:?}");
            assert!(ran.stderr.contains("takes a directory") && !ran.stderr.contains("hidden"), "{ran:?}");
        }
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    home.ok(&["--vault", "./s3:bucket", "init"]);
}

#[test]
fn a_backup_takes_the_place_of_a_vault_that_holds_nothing() {
    let (old, new) = (Home::new(), Home::new());
    old.private("pass", "correct horse\n");
    old.ok(&["--passphrase-file", "pass", "init", "--passphrase"]);
    old.ok(&["--passphrase-file", "pass", "create", "kept"]);
    let copy = new.path().join("copy.db");
    old.ok(&["--passphrase-file", "pass", "vault", "backup", copy.to_str().unwrap()]);
    new.private("pass", "correct horse\n");
    new.ok(&["init"]);
    new.ok(&["--passphrase-file", "pass", "vault", "restore", "copy.db"]);
    assert_eq!(new.ok(&["--passphrase-file", "pass", "list", "-o", "name"]), "kept");
    new.ok(&["--passphrase-file", "pass", "audit", "verify"]);
    // One that holds something stays.
    let other = Home::new();
    other.private("pass", "correct horse\n");
    std::fs::copy(&copy, other.path().join("copy.db")).unwrap();
    other.ok(&["create", "mine"]);
    let refused = other.run(&["--passphrase-file", "pass", "vault", "restore", "copy.db"]);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert_eq!(other.ok(&["list", "-o", "name"]), "mine");
}

/// What is refused made nothing: the next command does not find an empty vault in which all is well.
#[test]
fn what_is_refused_leaves_no_empty_vault_behind() {
    let refused = [
        "create k --project nowhere",
        "create k --expires-at 2020-01-01",
        "create k --rotate-every 1d --overlap 10d",
        "create k --deliver file:missing/dir/k.key",
        "create --from unknown.csv --out out.jsonl",
        "create --from unknown.csv",
        "create --from fine.csv --out taken",
        "import digests.csv",
        "apply -f nowhere.toml",
        "apply -f project.toml --deliver file:{name}.key",
        "apply -f nowhere.toml --deliver file:missing/dir/{name}.key",
        "operators create ci --role issuer --bind nowhere",
        "projects create 01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
        "scopes add invoices:read --implies nothing:at:all",
        "webhooks add w ftp://hooks.example.com/w",
    ];
    for line in refused {
        let home = Home::new();
        home.write("unknown.csv", "name,project\na,\nb,nowhere\n");
        home.write("fine.csv", "name\na\n");
        home.write("taken", "mine\n");
        home.write("digests.csv", &format!("name,digest,project\na,{},nowhere\n", "0".repeat(64)));
        home.write("nowhere.toml", "[[keys]]\nname = \"a\"\n");
        home.write("project.toml", "[[keys]]\nname = \"a\"\nproject = \"nowhere\"\n");
        let ran = home.run(&line.split(' ').collect::<Vec<_>>());
        assert!(ran.code != Some(0) && !ran.stderr.contains("made a vault"), "{line}: {ran:?}");
        for left in ["keystore.db", "out.jsonl"] {
            assert!(home.find(left).is_none(), "{line} left {left}: {ran:?}");
        }
        assert!(!home.path().join(".config/keyward/devices").exists(), "{line}");
        assert_eq!(home.run(&["list"]).code, Some(3), "{line}");
    }
    // The same homes are where a vault may be made.
    let home = Home::new();
    home.write("fine.csv", "name\na\n");
    home.write("keys.toml", "[[keys]]\nname = \"b\"\n");
    home.ok(&["create", "--from", "fine.csv", "--out", "out.jsonl"]);
    let home = Home::new();
    home.write("keys.toml", "[[keys]]\nname = \"b\"\n");
    home.ok(&["--yes", "apply", "-f", "keys.toml", "--deliver", "file:{name}.key"]);
    assert_eq!(home.json(&["list"])["page"]["total"], 1);
    let home = Home::new();
    home.ok(&["create", "c", "--deliver", "file:c.key"]);
    assert!(home.works(home.read("c.key").trim()));
}
