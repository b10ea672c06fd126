//! Naming the keys behind secrets, and finding secrets in files.

use crate::support::Home;

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
    assert!(item["revoke"].is_null(), "nothing is stopped for a secret that is dead: {item}");
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
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(5), ""), "{ran:?}");
    assert_eq!(home.json(&["show", "k"])["key"]["status"], "active");
    let trail = home.json(&["audit", "list"]);
    let told: Vec<_> = trail["items"].as_array().unwrap().iter().map(|e| (&e["action"], &e["source"])).collect();
    assert!(told.contains(&(&"key.identify".into(), &"journal".into())), "{told:?}");
    let refused = &home.json(&["audit", "list", "--action", "key.revoke"])["items"][0];
    assert_eq!((&refused["outcome"], &refused["source"]), (&"refused".into(), &"journal".into()));
}

/// Whoever cleans up after a leak that was already answered with a rotation must not cut off the service.
#[test]
fn a_dead_secret_stops_no_key_and_every_other_one_does() {
    let home = Home::new();
    let old = home.ok(&["create", "k"]);
    home.ok(&["rotate", "k", "--now"]);
    let ran = home.run_with(&["identify", "-", "--revoke", "--yes"], &old);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("this secret of it opens nothing any more"), "{}", ran.stderr);
    assert_eq!(home.json(&["show", "k"])["key"]["status"], "active");

    let retiring = home.ok(&["create", "retiring"]);
    home.ok(&["rotate", "retiring"]);
    let off = home.ok(&["create", "off"]);
    home.ok(&["deactivate", "off"]);
    home.ok(&["create", "staged"]);
    let staged = home.ok(&["rotate", "staged", "--stage"]);
    for (name, secret) in [("retiring", retiring), ("off", off), ("staged", staged)] {
        let ran = home.run_with(&["identify", "-", "--revoke", "--yes"], &secret);
        assert_eq!((ran.code, &home.json(&["show", name])["key"]["status"]), (Some(0), &"revoked".into()), "{ran:?}");
    }
}

/// The same id, another secret, and a check that fits.
fn forged(token: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let body = &token[..token.len() - 6];
    let last = if body.ends_with('x') { 'y' } else { 'x' };
    let body = format!("{}{last}", &body[..body.len() - 1]);
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut check = [' '; 6];
    for digit in check.iter_mut().rev() {
        *digit = char::from(DIGITS[(rest % 62) as usize]);
        rest /= 62;
    }
    format!("{body}{}", String::from_iter(check))
}

/// A right shape and a known id prove nothing: that nothing was revoked is no success.
#[test]
fn a_forged_secret_revokes_nothing_and_says_so() {
    let home = Home::new();
    let token = home.ok(&["create", "k"]);
    let forged = forged(&token);
    let ran = home.run_with(&["identify", "-", "--revoke", "--yes"], &forged);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("not proven"), "{}", ran.stderr);
    let both = home.run_with(&["identify", "-", "--revoke", "--yes"], &format!("{forged} {token}"));
    assert_eq!(both.code, Some(11), "{both:?}");
    assert_eq!(home.json(&["show", "k"])["key"]["status"], "revoked");
}

#[test]
fn imported_secrets_are_found_beside_others_and_what_is_left_out_is_said() {
    let home = Home::new();
    let token = home.ok(&["create", "own"]);
    // The SHA-256 of "abc".
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    home.private("old.csv", &format!("name,digest\nold,{digest}\n"));
    home.ok(&["import", "old.csv"]);
    let named = |text: &str, code: i32| {
        let ran = home.run_with(&["-o", "json", "identify", "-"], text);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        let reply: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let names: Vec<_> =
            reply["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect();
        (names, ran.stderr)
    };
    assert_eq!(named(&format!("{token} abc"), 6).0, ["own", "old"]);
    assert_eq!(named(&format!("abc {token}\n"), 6).0, ["own", "old"]);
    assert_eq!(named("abc", 0).0, ["old"]);
    let (names, said) = named(&format!("{}abc", "word ".repeat(1_000)), 11);
    assert!(names.is_empty() && said.contains("not looked at: the last words"), "{said}");
    assert_eq!(named(&format!("{}abc", "word ".repeat(999)), 0).0, ["old"]);

    home.private("pass", "correct horse battery\n");
    home.ok(&["vault", "slots", "add", "--passphrase", "--new-passphrase-file", "pass", "--role", "support"]);
    let support = ["--passphrase-file", "pass", "-o", "json", "identify", "-"];
    let ran = home.run_with(&support, &format!("{token} abc"));
    assert!(ran.code == Some(6) && ran.stdout.contains("\"own\"") && ran.stdout.contains("\"old\""), "{ran:?}");
    assert_eq!(home.run_with(&support, &token).code, Some(0), "there is nothing beside it");
}

#[test]
fn options_of_a_scan_are_refused_without_one() {
    let home = Home::with_vault();
    for option in ["--no-ignore", "--binary"] {
        assert_eq!(home.run_with(&["identify", "-", option], "x").code, Some(2), "{option}");
    }
    // Neither is silently left out elsewhere.
    for line in ["logs --env production", "usage --env production", "export --columns name", "export -o markdown"] {
        let ran = home.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{line}: {ran:?}");
    }
}

/// What opens a server or a vault is worse to lose than a key: it is named, with the command that stops it, which works.
#[test]
fn credentials_of_operators_and_recovery_codes_are_named_with_what_stops_them() {
    let home = Home::new();
    home.ok(&["create", "k"]);
    let operator = home.ok(&["operators", "create", "ci deploy", "--role", "rotator"]);
    let code = home.ok(&["vault", "recovery"]);
    for (secret, kind, command) in [
        (&operator, "operator", "keyward operators rotate 'ci deploy' --reason leaked".to_owned()),
        (&code, "recovery", format!("keyward vault slots remove {} --reason leaked", recovery_slot(&home))),
    ] {
        let ran = home.run_with(&["-o", "json", "identify", "-"], &format!("it says {secret}!\n"));
        assert!(
            ran.code == Some(0) && !ran.stdout.contains(secret.as_str()) && !ran.stderr.contains(secret.as_str()),
            "{ran:?}"
        );
        let reply: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let item = &reply["items"][0];
        assert_eq!(
            (&item["kind"], &item["works"], &item["genuine"]),
            (&kind.into(), &true.into(), &true.into()),
            "{item}"
        );
        // A recovery code is of no environment, and has no lookup: that is null, and no empty text.
        assert!(["environment", "lookup"].iter().all(|name| item[*name] != ""), "{item}");
        assert_eq!(item["lookup"].is_null(), kind == "recovery", "{item}");
        assert_eq!((&item["key_id"], &item["revoke"]), (&serde_json::Value::Null, &command.clone().into()));
        home.write("leak", &format!("x\n {secret}"));
        let scanned = home.run(&["-o", "sarif", "identify", "--scan", "leak"]);
        assert!(scanned.stdout.contains(&command) && !scanned.stdout.contains(secret.as_str()), "{scanned:?}");
        assert_eq!(home.shell(&format!("{command} --yes")).code, Some(0), "{command}");
        let after = home.run_with(&["-o", "json", "identify", "-"], secret);
        let after: serde_json::Value = serde_json::from_str(&after.stdout).unwrap();
        assert_eq!(
            (&after["items"][0]["works"], &after["items"][0]["revoke"]),
            (&false.into(), &serde_json::Value::Null)
        );

        let argued = home.run(&["show", secret]);
        assert!(argued.code == Some(2) && !argued.stderr.contains(secret.as_str()), "{argued:?}");
        let stop = if kind == "operator" { "keyward operators rotate NAME" } else { "keyward vault slots remove" };
        assert!(argued.stderr.contains(stop), "{argued:?}");
    }
}

fn recovery_slot(home: &Home) -> String {
    let slots = home.json(&["vault", "slots", "list"]);
    let slot = slots["items"].as_array().unwrap().iter().find(|slot| slot["kind"] == "recovery").unwrap();
    slot["id"].as_str().unwrap().to_owned()
}
