//! Whoever is refused is led out: no hint is refused itself, goes in a circle, or is for somebody else.

use crate::support::{Home, Ran, server::Served};
use std::fs;

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

fn hints(ran: &Ran) -> Vec<&str> {
    ran.stderr.lines().filter_map(|line| line.strip_prefix("hint: ")).collect()
}

/// Runs the first of the hints that is a command.
fn follow(home: &Home, ran: &Ran) -> Ran {
    let command = hints(ran).into_iter().find(|hint| hint.starts_with("keyward ")).unwrap();
    home.shell(command.split("  (").next().unwrap())
}

#[test]
fn a_hint_carries_no_option_that_its_command_refuses() {
    let home = Home::with_vault();
    for line in ["--workspace nope list", "--workspace nope --reason why create k"] {
        let ran = home.run(&words(line));
        assert!(ran.stderr.contains("hint: keyward workspaces list"), "{line}: {ran:?}");
        assert_eq!(follow(&home, &ran).code, Some(0), "{line}: {ran:?}");
    }
    home.ok(&["workspaces", "create", "w50"]);
    let ran = home.run(&words("--reason why workspaces update w50 --plan nope"));
    assert!(ran.stderr.contains("hint: keyward plans list"), "{ran:?}");
    assert_eq!(follow(&home, &ran).code, Some(0), "{ran:?}");
}

#[test]
fn without_a_credential_nothing_of_the_server_is_carried_to_where_the_vault_is() {
    let ran = Home::new().run(&["--server", "https://127.0.0.1:1", "list"]);
    let create = "hint: keyward operators create NAME --role ROLE  (where the vault is; prints a credential)";
    assert!(ran.code == Some(4) && ran.stderr.contains(create), "{ran:?}");
}

#[test]
fn a_role_that_may_not_renew_is_told_who_may() {
    let home = Home::with_vault();
    home.ok(&["create", "past", "--rotate-every", "2s", "--overlap", "1s", "--expires-in", "2s"]);
    while !home.ok(&["list", "--expired", "-o", "name"]).contains("past") {}
    let client = Home::new();
    for role in ["rotator", "issuer"] {
        client.private(role, &home.ok(&["operators", "create", role, "--role", role, "--bind", "default"]));
    }
    let server = Served::start(&home, &[]);
    let run =
        |role, args: &[&str]| client.run_in(args, &[("KEYWARD_SERVER", &server.url), ("KEYWARD_TOKEN_FILE", role)]);
    let due = words("rotate --due --yes --max 9 --deliver file:{name}");
    for output in ["table", "json"] {
        let told = run("rotator", &[&["-o", output], &due[..]].concat());
        let who = "whose role may renew keys: platform-admin, workspace-admin, issuer";
        assert!(told.stderr.contains(who) && !told.stderr.contains("--renew"), "{output}: {told:?}");
    }
    let one = run("rotator", &["rotate", "past"]);
    assert!(one.code == Some(5) && one.stderr.contains("renew keys: platform-admin"), "{one:?}");
    let told = run("issuer", &due);
    let hint = told.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap();
    let renewal: Vec<String> = shell_words::split(hint.split("   (").next().unwrap()).unwrap();
    let renewal: Vec<&str> = renewal.iter().skip(1).map(String::as_str).collect();
    assert_eq!(run("issuer", &renewal).code, Some(0), "{told:?}");
}

#[test]
fn doctor_says_of_a_locked_vault_which_slots_it_has_and_what_opens_each() {
    let home = Home::with_vault();
    home.ok(&["vault", "slots", "add", "--device-file", "ci.key", "--label", "ci"]);
    let devices = home.path().join(".config/keyward/devices");
    let device = fs::read_dir(&devices).unwrap().next().unwrap().unwrap().path();
    fs::rename(&device, home.path().join("moved.key")).unwrap();
    let locked = home.run(&["list"]);
    assert!(locked.code == Some(7) && locked.stderr.contains("hint: --key-file FILE"), "{locked:?}");
    let doctor = follow(&home, &locked);
    assert_eq!(doctor.code, Some(7), "{doctor:?}");
    assert!(!doctor.stderr.contains("keyward doctor") && doctor.stderr.contains("hint: --key-file FILE"), "{doctor:?}");
    let slots: Vec<&str> = doctor.stdout.lines().filter(|line| line.starts_with("slot ")).collect();
    assert_eq!(slots.len(), 2, "{doctor:?}");
    assert!(
        slots.iter().all(|slot| slot.contains("(device, admin, ") && slot.contains("--key-file FILE")),
        "{slots:?}"
    );
    assert!(slots.iter().any(|slot| slot.contains("'ci'")), "{slots:?}");
    for file in ["moved.key", "ci.key"] {
        home.ok(&["--key-file", file, "list"]);
    }
}

#[test]
fn a_key_of_another_environment_is_found_where_it_is() {
    let home = Home::with_vault();
    home.ok(&words("create a --env production"));
    let id = home.json(&["show", "a"])["key"]["id"].as_str().unwrap().to_owned();
    for line in ["show a", "rotate a", "deactivate a", "revoke a --yes", "rotation show a", "usage a"] {
        let ran = home.run(&[&words(line)[..], &["--env", "staging"]].concat());
        assert!(ran.code == Some(3) && !ran.stderr.contains("did you mean"), "{line}: {ran:?}");
        let hint = format!("hint: keyward show {id}  (in production: --env production)");
        assert!(ran.stderr.contains(&hint), "{line}: {ran:?}");
        assert_eq!(follow(&home, &ran).code, Some(0), "{line}: {ran:?}");
    }
    // By its id, too; and a slip is corrected by names of the environment that was meant.
    let ran = home.run(&["show", &id, "--env", "staging"]);
    assert!(ran.stderr.contains("--env production"), "{ran:?}");
    home.ok(&words("create billing --env production"));
    assert!(!home.run(&words("show biling --env staging")).stderr.contains("did you mean"));
    assert!(home.run(&words("show biling --env production")).stderr.contains("did you mean billing?"));
}

#[test]
fn what_is_no_rotation_is_looked_for_among_rotations() {
    let home = Home::with_vault();
    for line in ["rotation show nope", "rotation commit nope", "rotation abort nope"] {
        let ran = home.run(&words(line));
        assert_eq!((ran.code, hints(&ran)), (Some(3), vec!["keyward rotation list --all"]), "{line}: {ran:?}");
    }
}

#[test]
fn no_usage_that_misleads_stands_under_a_hint() {
    let home = Home::with_vault();
    home.ok(&["create", "a"]);
    for (line, hint) in [
        ("create --json x", "-o json"),
        ("rotate a --to file:x", "--deliver"),
        ("update a --add-label x=y", "--label NAME=VALUE"),
        ("update a --remove-label x", "--unset-label NAME"),
        ("create z --secret-file -", "keyward import FILE"),
        ("rename a b", "keyward update KEY --name NAME"),
    ] {
        let ran = home.run(&words(line));
        let told = hints(&ran);
        assert!(ran.code == Some(2) && told[0].starts_with(hint), "{line}: {ran:?}");
        assert!(told.len() == 2 && told[1].ends_with("--help"), "{line}: {ran:?}");
    }
    let fixed = home.run(&words("update a --env staging"));
    assert!(fixed.code == Some(2) && fixed.stderr.contains("the environment of a key never changes"), "{fixed:?}");
    let scope = home.run(&words("update a --scope x:read"));
    assert_eq!((scope.code, hints(&scope)), (Some(2), vec!["--add-scope or --remove-scope"]), "{scope:?}");
    // Where there is no word of keyward's own, the usage is that of the command.
    let ran = home.run(&words("update a --frobnicate"));
    assert!(ran.stderr.contains("hint: usage: keyward update [OPTIONS]"), "{ran:?}");
}

#[test]
fn help_is_one_text_however_it_is_asked_for() {
    let home = Home::new();
    for line in ["create", "verify", "serve", "operators create", "rotate", "audit list", "vault rekey", ""] {
        let line: Vec<&str> = line.split_whitespace().collect();
        let (asked, option) = ([&["help"], &line[..]].concat(), [&line[..], &["--help"]].concat());
        assert_eq!(home.ok(&asked), home.ok(&option), "{line:?}");
    }
}

#[test]
fn an_operator_that_is_revoked_is_already_so() {
    let home = Home::with_vault();
    home.ok(&words("operators create p --role rotator --platform"));
    let first = home.run(&words("operators revoke p --yes"));
    assert!(first.stderr.contains("revoked the operator 'p'"), "{first:?}");
    for line in ["operators revoke p", "operators revoke p --dry-run"] {
        let again = home.run(&words(line));
        assert!(again.code == Some(0) && again.stderr.contains("already so: the operator 'p'"), "{line}: {again:?}");
    }
}
