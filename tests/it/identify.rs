//! Naming the keys behind secrets, and finding secrets in files.

use crate::support::Home;
use std::{fs, io::Write, process::Command};

#[test]
fn a_leaked_secret_is_named_with_what_it_opens_and_how_it_is_stopped() {
    let home = Home::new();
    let old = home.ok(&["create", "billing", "--env", "production", "--scope", "audits:read", "--owner", "alice"]);
    let id = home.json(&["show", "billing"])["key"]["id"].as_str().unwrap().to_owned();
    home.ok(&["rotate", "billing", "--now"]);
    let ran = home.run_with(&["-o", "json", "identify", "-"], &format!("the log says {old} and more\n"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stdout.contains(&old) && !ran.stderr.contains(&old));
    let reply: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(reply["schema"], "keyward.identify/v1");
    let item = &reply["items"][0];
    assert_eq!(
        (item["key_id"].as_str(), item["owner"].as_str(), item["secret_state"].as_str()),
        (Some(id.as_str()), Some("alice"), Some("dead"))
    );
    assert_eq!((&item["genuine"], &item["works"]), (&true.into(), &false.into()));
    assert_eq!(item["revoke"], format!("keyward revoke {id} --reason leaked"));
    assert!(item["file"].is_null());

    let by_hint = home.json(&["identify", "--hint", &old[old.len() - 10..]]);
    assert_eq!(by_hint["items"][0]["name"], "billing");
    let trail = home.ok(&["audit", "list", "--key", &id]);
    assert!(trail.contains("key.identify"), "{trail}");
    home.ok(&["audit", "verify"]);

    let none =
        home.run_with(&["identify", "-"], &old.replace(&old[30..31], if &old[30..31] == "x" { "y" } else { "x" }));
    assert_eq!(none.code, Some(3), "{none:?}");
}

#[test]
fn a_scan_finds_exactly_the_intact_secrets() {
    let home = Home::new();
    let secrets: Vec<String> = (0..4).map(|n| home.ok(&["create", &format!("key-{n}")])).collect();
    let tree = home.path().join("tree");
    fs::create_dir_all(tree.join("deep/ignored")).unwrap();
    fs::create_dir_all(tree.join(".git")).unwrap();
    let write = |name: &str, text: &str| fs::write(tree.join(name), text).unwrap();
    write(".gitignore", "ignored/\n");
    write("deep/two-in-a-line.txt", &format!("one\né {} and {}\n", secrets[0], secrets[1]));
    write(".env", &format!("A=1\nKEY={}\n", secrets[2]));
    write("deep/ignored/x", &secrets[3]);
    write(".git/x", &secrets[3]);
    write("binary", &format!("\0{}", secrets[3]));
    let damaged = secrets[3].replace(&secrets[3][40..41], if &secrets[3][40..41] == "x" { "y" } else { "x" });
    write("damaged.txt", &format!("{damaged}\n{}", &secrets[3][..secrets[3].len() - 1]));
    let mut log = std::io::BufWriter::new(fs::File::create(tree.join("long.log")).unwrap());
    for n in 0..60_000 {
        writeln!(log, "2026-01-01T00:00:00Z GET /v1/things/{n} kw_prod_ nothing to see here").unwrap();
    }
    write!(log, "x {}", secrets[0]).unwrap();
    drop(log);

    let ran = home.run(&["-o", "json", "identify", "--scan", "tree"]);
    assert_eq!(ran.code, Some(6), "{ran:?}");
    let reply: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let found: Vec<_> = reply["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            let text = |name: &str| item[name].as_str().unwrap().to_owned();
            (text("file"), item["line"].as_u64().unwrap(), item["column"].as_u64().unwrap(), text("name"))
        })
        .collect();
    let second = 4 + secrets[0].len() as u64 + 5;
    let expected = [
        ("tree/.env", 2, 5, "key-2"),
        ("tree/deep/two-in-a-line.txt", 2, 4, "key-0"),
        ("tree/deep/two-in-a-line.txt", 2, second, "key-1"),
        ("tree/long.log", 60_001, 3, "key-0"),
    ];
    assert_eq!(found, expected.map(|(file, line, column, name)| (file.to_owned(), line, column, name.to_owned())));
    assert!(secrets.iter().all(|secret| !ran.stdout.contains(secret)));
    let all = home.json_any(&["identify", "--scan", "tree", "--no-ignore", "--binary"]);
    assert_eq!(all["items"].as_array().unwrap().len(), 6);

    let sarif = home.run(&["-o", "sarif", "identify", "--scan", "tree/.env"]);
    assert_eq!(sarif.code, Some(0), "{sarif:?}");
    let sarif: serde_json::Value = serde_json::from_str(&sarif.stdout).unwrap();
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "tree/.env");
    assert_eq!(home.run(&["-o", "sarif", "list"]).code, Some(2));
}

#[test]
fn a_revocation_needs_the_real_secret_and_a_confirmation() {
    let home = Home::new();
    let token = home.ok(&["create", "k"]);
    let asked = home.run_with(&["identify", "-", "--revoke"], &token);
    assert_eq!(asked.code, Some(2), "{asked:?}");
    assert_eq!(home.json(&["show", "k"])["key"]["status"], "active");
    let done = home.run_with(&["identify", "-", "--revoke", "--yes"], &token);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(home.json(&["show", "k"])["key"]["status"], "revoked");
}

#[test]
fn a_support_slot_identifies_and_revokes_nothing() {
    let home = Home::new();
    let token = home.ok(&["create", "k"]);
    home.private("pass", "correct horse battery\n");
    home.ok(&["vault", "slots", "add", "--passphrase", "--new-passphrase-file", "pass", "--role", "support"]);
    let ran = home.run_with(&["--passphrase-file", "pass", "-o", "json", "identify", "-", "--revoke", "--yes"], &token);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("not revoked"), "{}", ran.stderr);
    assert_eq!(home.json(&["show", "k"])["key"]["status"], "active");
    let trail = home.json(&["audit", "list"]);
    let told: Vec<_> = trail["items"].as_array().unwrap().iter().map(|e| (&e["action"], &e["source"])).collect();
    assert!(told.contains(&(&"key.identify".into(), &"journal".into())), "{told:?}");
}

/// Runs a scanner from the registries over a planted secret, where it is installed.
#[test]
fn real_scanners_read_the_rules() {
    let home = Home::new();
    let token = home.ok(&["create", "k", "--env", "production"]);
    fs::create_dir_all(home.path().join("src")).unwrap();
    fs::write(home.path().join("src/config.txt"), format!("a line\nkey = \"{token}\"\n")).unwrap();
    let scanners: [(&str, &str, &str, &[&str]); 3] = [
        ("betterleaks", "gitleaks", "rule.toml", &["-c", "rule.toml", "-v", "--no-banner", "src"]),
        (
            "kingfisher",
            "kingfisher",
            "rules/keyward.yml",
            &["scan", "src", "--rules-path", "rules", "--load-builtins=false", "--no-validate", "--no-update-check"],
        ),
        ("detect-secrets", "detect-secrets", "plugin.py", &["scan", "--all-files", "-p", "plugin.py", "src"]),
    ];
    fs::create_dir_all(home.path().join("rules")).unwrap();
    for (program, format, file, args) in scanners {
        fs::write(home.path().join(file), home.run(&["scan-rule", "--format", format]).stdout).unwrap();
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.args(args).env_clear().env("PATH", path).env("HOME", home.path()).current_dir(home.path());
        match command.output() {
            Err(_) => eprintln!("skipped: {program} is not installed"),
            Ok(output) => {
                let said =
                    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
                let found = said.contains("keyward-api-key") || said.contains("API key issued by keyward");
                assert!(found && said.contains("config.txt"), "{program}: {said}");
            }
        }
    }
}
