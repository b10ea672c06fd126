//! Slots, passphrases and sessions: what opens the vault, and what opens it no more.

use crate::support::{Home, Ran};

const FIRST: &str = "correct horse battery";
const SECOND: &str = "staple of another kind";

/// A vault that the passphrase in `pp` opens; `pp2` holds another.
fn with_passphrase() -> Home {
    let home = Home::new();
    home.private("pp", FIRST);
    home.private("pp2", SECOND);
    home.ok(&["--passphrase-file", "pp", "init", "--passphrase"]);
    home
}

fn by(home: &Home, passphrase: &str, line: &str) -> Ran {
    let mut args = vec!["--passphrase-file", passphrase];
    args.extend(line.split(' '));
    home.run(&args)
}

fn done(home: &Home, passphrase: &str, line: &str) -> String {
    let ran = by(home, passphrase, line);
    assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
    ran.stdout.trim_end().to_owned()
}

fn role(home: &Home, passphrase: &str) -> String {
    done(home, passphrase, "vault status --field role")
}

#[test]
fn a_passphrase_opens_one_slot_so_that_changing_it_locks_nobody_out() {
    let home = with_passphrase();
    done(&home, "pp", "vault slots add --passphrase --role support --new-passphrase-file pp2");
    let support = done(&home, "pp2", "-q vault slots list").lines().last().unwrap().to_owned();
    for line in [
        "vault passphrase --new-passphrase-file pp2",
        "vault slots add --passphrase --new-passphrase-file pp",
        "vault slots add --passphrase --role support --new-passphrase-file pp2",
    ] {
        let ran = by(&home, "pp", &format!("-o json {line}"));
        assert_eq!(ran.code, Some(6), "{line}: {ran:?}");
        let error = ran.error();
        assert_eq!(error["reason"], "passphrase_in_use", "{line}: {error}");
        assert!(error["hints"][0].as_str().unwrap().contains("another passphrase"), "{line}: {error}");
    }
    assert_eq!([role(&home, "pp"), role(&home, "pp2")], ["admin", "support"], "nothing was changed");

    // With a passphrase of its own the change works, and the old one opens nothing.
    done(&home, "pp", &format!("--yes vault slots remove {support}"));
    done(&home, "pp", "vault passphrase --new-passphrase-file pp2");
    assert_eq!(by(&home, "pp", "list").code, Some(7));
    assert_eq!(role(&home, "pp2"), "admin");
    // The slot that goes is no other slot: the same passphrase may be set anew.
    done(&home, "pp2", "vault passphrase --new-passphrase-file pp2");
    assert_eq!(role(&home, "pp2"), "admin");
}

#[test]
fn a_session_ends_with_the_slot_that_opened_it() {
    let home = with_passphrase();
    done(&home, "pp", "vault slots add --device-file admin.key --label spare");
    let session = |passphrase: &str| {
        done(&home, passphrase, "-o json unlock --for 7d").parse::<serde_json::Value>().unwrap()["secret"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let token = session("pp");
    let run =
        |line: &str, token: &str| home.run_in(&line.split(' ').collect::<Vec<_>>(), &[("KEYWARD_SESSION", token)]);
    assert_eq!(run("create k", &token).code, Some(0));
    done(&home, "pp", "vault passphrase --new-passphrase-file pp2");
    for line in ["list", "create minted", "vault recovery"] {
        let ran = run(line, &token);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(7), ""), "{line}: {ran:?}");
        assert!(ran.stderr.contains("the slot that opened this session is gone"), "{line}: {ran:?}");
    }

    // The slots that stay keep their sessions; new keys end them all.
    let token = session("pp2");
    home.ok(&["--key-file", "admin.key", "create", "another"]);
    assert_eq!(run("list", &token).code, Some(0));
    done(&home, "pp2", "--yes vault rekey --drop-slots");
    assert_eq!(run("list", &token).code, Some(7));
}

#[test]
fn a_session_is_bounded() {
    let home = with_passphrase();
    for period in ["8d", "1000w"] {
        let ran = by(&home, "pp", &format!("unlock --for {period}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.stderr.contains("7d at most"), "{ran:?}");
    }
    assert!(home.ok(&["unlock", "--help"]).contains("at most 7d"));
}

#[test]
fn files_that_are_in_the_way_are_conflicts_and_never_overwritten() {
    let home = Home::with_vault();
    home.ok(&["vault", "slots", "add", "--device-file", "ci.key"]);
    home.ok(&["vault", "backup", "copy.db"]);
    home.private("keys.csv", "name\none\n");
    let before = std::fs::read(home.path().join("ci.key")).unwrap();
    for line in [
        "vault slots add --device-file ci.key",
        "vault slots add --device-file ci.key --dry-run",
        "vault backup copy.db",
        "vault backup copy.db --dry-run",
        "create --from keys.csv --out copy.db",
        "audit export --checkpoint-out copy.db",
        "audit archive --before 2020-01-01 --out copy.db",
    ] {
        let ran = home.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, Some(6), "{line}: {ran:?}");
        assert!(ran.stderr.contains(" exists") && ran.stderr.contains("choose a new file"), "{line}: {ran:?}");
    }
    assert_eq!(std::fs::read(home.path().join("ci.key")).unwrap(), before);
    assert_eq!(home.ok(&["--key-file", "ci.key", "vault", "status", "--field", "role"]), "admin");
}

#[test]
fn a_backup_that_cannot_be_written_names_its_place_and_is_no_event() {
    let home = Home::new();
    home.ok(&["init"]);
    for args in [&["vault", "backup", "nodir/x"][..], &["--dry-run", "vault", "backup", "nodir/x"]] {
        let ran = home.run(args);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains("cannot write nodir/x") && ran.stderr.contains("No such file"), "{ran:?}");
        assert!(!ran.stderr.contains("vault's directory") && !ran.stderr.contains("doctor"), "{ran:?}");
    }
    assert_eq!(home.json(&["audit", "--action", "vault.backup"])["page"]["total"], 0);
    home.ok(&["vault", "backup", "x"]);
    assert_eq!(home.json(&["audit", "--action", "vault.backup"])["page"]["total"], 1);
    let left = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!left.into_iter().any(|name| name.to_string_lossy().contains(".copy-")), "nothing half made stays");
}

#[test]
fn what_would_be_ignored_is_refused() {
    let home = Home::new();
    home.private("pp", FIRST);
    for line in [
        "--passphrase-file pp init --device",
        "--passphrase-fd 0 init --device",
        "--key-file some.key init",
        "vault slots add --device-file f.key --new-passphrase-file pp",
        "vault slots add --device-file f.key --new-passphrase-fd 0",
    ] {
        let ran = home.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, Some(2), "{line}: {ran:?}");
    }
    assert!(home.find("keystore.db").is_none() && home.find("f.key").is_none(), "nothing was made");
}

#[test]
fn a_slot_that_is_not_there_is_not_asked_about() {
    let home = Home::new();
    home.ok(&["init"]);
    let ran = home.run(&["vault", "slots", "remove", "slot_nope"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("no slot 'slot_nope'") && !ran.stderr.contains("--yes"), "{ran:?}");
}

#[test]
fn what_does_not_open_the_vault_says_why() {
    let home = Home::with_vault();
    home.private("pp", FIRST);
    let code = home.ok(&["-q", "vault", "recovery"]);
    let last = code.chars().last().unwrap();
    let wrong = format!("{}{}", &code[..code.len() - 1], if last == 'Z' { 'Y' } else { 'Z' });
    home.private("code", &code);
    home.private("mistyped", &wrong);
    home.private("other", "a shopping list\n");
    home.ok(&["--key-file", "code", "list"]);
    for (args, exit, said) in [
        (["--key-file", "mistyped"], 7, "mistyped holds a recovery code with a character that is wrong or missing"),
        (["--key-file", "other"], 7, "other holds neither a device key nor a recovery code"),
        (["--key-file", "missing"], 2, "cannot read missing"),
        (["--passphrase-file", "missing"], 2, "no passphrase from missing"),
        (["--passphrase-file", "pp"], 7, "this vault has no passphrase slot"),
    ] {
        let ran = home.run(&[&args[..], &["list"]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(exit), ""), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(said) && !ran.stderr.contains(&wrong), "{args:?}: {ran:?}");
    }
}

/// What is missing is told with every way to give it.
#[test]
fn a_slot_without_a_way_to_open_it_names_both() {
    let home = Home::with_vault();
    let ran = home.run(&["vault", "slots", "add"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("add --passphrase") && ran.stderr.contains("add --device-file FILE"), "{}", ran.stderr);
    let both = home.run(&["vault", "slots", "add", "--passphrase", "--device-file", "f.key"]);
    assert_eq!(both.code, Some(2), "{both:?}");
    home.ok(&["vault", "slots", "add", "--device-file", "f.key"]);
}

/// A support slot signs nothing that the vault would believe: this machine remembers that its session is over.
#[test]
fn a_support_session_that_was_ended_stays_ended_when_a_copy_of_its_file_is_put_back() {
    let home = with_passphrase();
    done(&home, "pp", "vault slots add --device-file desk.key --role support");
    let opened = home.json(&["--key-file", "desk.key", "unlock", "--for", "1h"]);
    let token = opened["secret"].as_str().unwrap();
    let run = |line: &str| home.run_in(&line.split(' ').collect::<Vec<_>>(), &[("KEYWARD_SESSION", token)]);
    assert_eq!(run("list").code, Some(0));
    let file = home.find(&format!("{}.session", token.split('.').next().unwrap())).unwrap();
    let copy = std::fs::read(&file).unwrap();
    assert_eq!(run("lock").code, Some(0));
    std::fs::write(&file, copy).unwrap();
    let refused = run("list");
    assert_eq!(refused.code, Some(7), "{refused:?}");
    // Another one opens, and sweeps what is over.
    let other = home.json(&["--key-file", "desk.key", "unlock", "--for", "1h"]);
    let other = other["secret"].as_str().unwrap();
    assert_eq!(home.run_in(&["list"], &[("KEYWARD_SESSION", other)]).code, Some(0));
}

/// Nothing is wrong with the passphrase or its slot: with more memory the same call succeeds.
#[test]
fn too_little_memory_for_a_passphrase_is_worth_another_try() {
    let home = with_passphrase();
    let limited = |kilobytes: u32| {
        home.shell(&format!("ulimit -v {kilobytes} && exec keyward -o json --passphrase-file pp list"))
    };
    // How much the program takes by itself depends on the machine.
    let found = (1..=40).map(|step| limited(step * 10_000)).find(|ran| ran.stderr.contains("not enough memory"));
    let Some(refused) = found else {
        eprintln!("skipped: no limit of memory leaves the program enough, and a passphrase too little");
        return;
    };
    assert_eq!(refused.code, Some(9), "{refused:?}");
    assert_eq!(refused.error()["retryable"], true, "{refused:?}");
    assert_eq!(by(&home, "pp", "list").code, Some(0));
}

/// Who names the file of the new passphrase has said what opens the slot; who says nothing is asked for it in words.
#[test]
fn what_opens_a_new_slot_is_said_once() {
    let home = with_passphrase();
    done(&home, "pp", "vault slots add --new-passphrase-file pp2 --role support");
    assert_eq!(role(&home, "pp2"), "support");
    let ran = by(&home, "pp", "vault slots add --role support");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("what opens the slot is missing"), "{ran:?}");
    assert!(ran.stderr.contains("--new-passphrase-file FILE") && ran.stderr.contains("--device-file FILE"), "{ran:?}");
}
