//! Whole files of keys, declarations, backups that are put back and new keys of the vault, killed at any moment: all of it is
//! there or nothing, the trail tells of it, and the next run finishes.
//!
//! The counts are small so that the suite stays quick; `benches/kills.sh` runs them at full size.

use crate::support::{
    Home,
    kills::{run_and_kill, size, took},
};
use sha2::{Digest, Sha256};

const BULK: usize = 20;

fn count(home: &Home, name: &str) -> u64 {
    home.json(&["list", "--status", "any", "--name", name])["page"]["total"].as_u64().unwrap()
}

fn verified(home: &Home, secret: &str) -> Option<i32> {
    home.run_with(&["verify", "-", "--env", "production"], secret).code
}

/// A file of keys to make, of digests to import, or of keys that are declared.
fn file(kind: &str, round: usize) -> String {
    let names = (0..BULK).map(|number| format!("{kind}-{round}-{number}"));
    match kind {
        "bulk" => {
            let lines: String = names.map(|name| format!("{name},production\n")).collect();
            format!("name,environment\n{lines}")
        }
        "import" => {
            let line = |name: String| {
                let digest = Sha256::digest(format!("secret of {name}"));
                let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("{name},production,{digest}\n")
            };
            format!("name,environment,digest\n{}", names.map(line).collect::<String>())
        }
        _ => names.map(|name| format!("[[keys]]\nname = \"{name}\"\nenvironment = \"production\"\n")).collect(),
    }
}

#[test]
fn a_whole_file_of_keys_is_there_or_nothing_of_it() {
    let home = Home::new();
    home.ok(&["init"]);
    std::fs::create_dir(home.path().join("secrets")).unwrap();
    let command = |kind: &str| -> Vec<String> {
        let words = match kind {
            "bulk" => "create --from bulk.file --out bulk.out",
            "import" => "import import.file",
            _ => "apply -f apply.file --yes --deliver file:secrets/{name}",
        };
        words.split(' ').map(str::to_owned).collect()
    };
    for kind in ["bulk", "import", "apply"] {
        let args = command(kind);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let write = |round: usize| {
            home.write(&format!("{kind}.file"), &file(kind, round));
            // What an earlier round left is in the way of nobody.
            let _ = std::fs::remove_file(home.path().join("bulk.out"));
        };
        write(1_000_000);
        let whole = took(&home, &args);
        for round in 0..size(5) {
            write(round);
            run_and_kill(&home, &args, whole, round);
            home.ok(&["audit", "verify"]);
            let made = count(&home, &format!("{kind}-{round}-*"));
            assert!([0, BULK as u64].contains(&made), "{kind} {round}: {made} keys");
            match kind {
                "import" => {
                    let secret = format!("secret of import-{round}-3");
                    assert_eq!(verified(&home, &secret) == Some(0), made > 0, "{round}");
                }
                "apply" => {
                    // Who declares them again has them all.
                    home.ok(&args);
                    assert_eq!(count(&home, &format!("apply-{round}-*")), BULK as u64);
                }
                _ => {
                    let out = std::fs::read_to_string(home.path().join("bulk.out")).unwrap_or_default();
                    let secrets = out.lines().filter_map(|line| serde_json::from_str(line).ok());
                    let secrets: Vec<serde_json::Value> = secrets.collect();
                    for told in secrets.iter().filter(|_| made > 0).take(2) {
                        assert_eq!(verified(&home, told["secret"].as_str().unwrap()), Some(0), "{round}: {told}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_backup_that_is_put_back_and_new_keys_leave_the_vault_as_it_was_or_is_to_be() {
    let home = Home::new();
    let kept = home.ok(&["-q", "create", "kept", "--env", "production", "--no-expiry"]);
    home.write("checkpoint", &format!("{}\n", home.ok(&["audit", "checkpoint"])));
    home.ok(&["vault", "backup", "backup.db"]);
    let restore = ["vault", "restore", "backup.db", "--force", "--yes"];
    let renew = ["vault", "rekey", "--all", "--yes"];
    let (restoring, renewing) = (took(&home, &restore), took(&home, &renew));
    for round in 0..size(6) {
        if round % 2 == 0 {
            let backup = home.path().join("backup.db");
            std::fs::remove_file(&backup).unwrap();
            home.ok(&["vault", "backup", "backup.db"]);
            home.ok(&["create", &format!("lost-{round}")]);
            run_and_kill(&home, &restore, restoring, round);
        } else {
            run_and_kill(&home, &renew, renewing, round);
            home.ok(&["audit", "verify", "--checkpoint", "checkpoint"]);
        }
        home.ok(&["audit", "verify", "--full"]);
        assert_eq!(verified(&home, &kept), Some(0), "{round}");
        home.ok(&["create", &format!("after-{round}")]);
    }
}

/// What was told of a passphrase holds: the new one opens the vault once it is said to, and until then the old one does.
#[test]
fn a_passphrase_that_is_changed_opens_or_the_old_one_does() {
    let home = Home::new();
    let words = |round: usize| {
        home.private(&format!("words-{round}"), &format!("a long enough passphrase, the {round}th"));
        format!("words-{round}")
    };
    home.ok(&["init", "--passphrase-file", &words(0)]);
    let opens = |file: &str| home.run(&["list", "--passphrase-file", file]).code == Some(0);
    let mut current = words(0);
    let change = |from: &str, to: &str| {
        ["vault", "passphrase", "--passphrase-file", from, "--new-passphrase-file", to].map(str::to_owned)
    };
    let next = words(1);
    let whole = took(&home, &change(&current, &next).each_ref().map(String::as_str));
    current = next;
    for round in 2..2 + size(3) {
        let next = words(round);
        run_and_kill(&home, &change(&current, &next).each_ref().map(String::as_str), whole, round);
        assert!(opens(&current) != opens(&next), "one of the two, {round}");
        if opens(&next) {
            current = next;
        }
        home.ok(&["audit", "verify", "--passphrase-file", &current]);
    }
}
