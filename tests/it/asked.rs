//! What is asked of a person at a terminal before it is done, what a script is told instead, and the words that are known.

use crate::support::{Home, terminal::Terminal};

#[test]
fn what_cannot_be_taken_back_asks_once_and_names_the_key_and_its_last_use() {
    let home = Home::new();
    let token = home.ok(&["create", "billing"]);
    home.ok(&["create", "mailer"]);
    let id = home.ok(&["show", "billing", "--field", "id"]);
    home.run_with(&["verify", "-", "--ip", "192.0.2.7", "--record"], &token);
    let mut shell = Terminal::open(&home);
    for (line, question) in [
        ("keyward revoke billing", "Revoke for ever billing"),
        ("keyward deactivate billing", "Deactivate billing"),
        ("keyward rotate billing --now", "End the working secret at once of billing"),
        ("keyward disable billing", "Deactivate billing"),
        ("keyward regenerate billing --now", "End the working secret at once of billing"),
    ] {
        shell.type_line(line);
        shell.press(question, "n");
        let seen = shell.finished(1);
        assert!(seen.contains(&id) && seen.contains("development, "), "{line}: {seen}");
        assert!(seen.contains("used") && seen.contains("cancelled"), "{line}: {seen}");
        assert!(home.works(&token), "{line}");
    }
    shell.type_line("keyward revoke billing mailer");
    shell.press("Revoke for ever these 2 keys: billing", "n");
    assert!(shell.finished(1).contains("mailer"));
    // Nobody is asked twice, about nothing, or where the answer is given.
    shell.type_line("keyward revoke nobody");
    shell.finished(3);
    shell.type_line("keyward deactivate billing -y");
    shell.finished(0);
    shell.type_line("keyward revoke billing");
    shell.press("Revoke for ever billing", "y");
    assert!(shell.finished(0).contains("revoked: billing"));
    // A script decides by what it says.
    home.ok(&["revoke", "mailer"]);
    shell.type_line("keyward create next");
    shell.finished(0);
    shell.type_line("keyward revoke next </dev/null");
    shell.finished(0);
}

#[test]
fn the_words_that_other_tools_use_are_known() {
    let home = Home::new();
    home.ok(&["create", "a"]);
    assert_eq!(home.ok(&["ls", "-o", "name"]), "a");
    assert_eq!(home.ok(&["get", "a", "--field", "name"]), "a");
    home.ok(&["disable", "a"]);
    home.ok(&["enable", "a"]);
    home.ok(&["regenerate", "a"]);
    // What removes is never what revokes, and wants the name.
    for word in ["rm", "remove"] {
        let ran = home.run(&[word, "a"]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("--confirm a") && !ran.stderr.contains("revoke"), "{ran:?}");
    }
    home.ok(&["remove", "a", "--confirm", "a"]);
    assert_eq!(home.run(&["get", "a"]).code, Some(3));
}

#[test]
fn an_expired_key_is_not_activated_by_saying_so() {
    let home = Home::new();
    home.ok(&["create", "short", "--expires-in", "1s"]);
    while home.json(&["show", "short"])["key"]["status"] != "expired" {}
    let ran = home.run(&["-o", "json", "activate", "short"]);
    assert_eq!(ran.code, Some(6), "{ran:?}");
    assert_eq!(ran.error()["reason"], "illegal_state");
    assert!(ran.stderr.contains("--renew"), "{ran:?}");
}

#[test]
fn an_operator_is_looked_for_before_anybody_is_asked_and_its_name_is_free_again() {
    let home = Home::with_vault();
    home.ok(&["operators", "create", "ci", "--role", "rotator"]);
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward operators revoke nobody");
    shell.finished(3);
    shell.type_line("keyward operators revoke ci");
    shell.press("Cut off the operator 'ci'", "n");
    shell.finished(1);
    assert_eq!(home.run(&["operators", "revoke", "nobody"]).code, Some(3), "and not for want of --yes");
    let first = home.json(&["operators", "list"])["items"][0]["id"].clone();
    home.ok(&["operators", "revoke", "ci", "--yes"]);
    shell.type_line("keyward operators revoke ci");
    shell.finished(0);
    // The hint of whoever tries to go on with the old one is the way.
    let refused = home.run(&["operators", "rotate", "ci"]);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(refused.stderr.contains("keyward operators create ci --role rotator"), "{refused:?}");
    home.ok(&["operators", "create", "ci", "--role", "rotator"]);
    let all = home.json(&["operators", "list"])["items"].clone();
    assert_eq!((all.as_array().unwrap().len(), &all[0]["status"]), (1, &"active".into()));
    assert_ne!(all[0]["id"], first);
    home.ok(&["operators", "rotate", "ci"]);
    home.ok(&["audit", "verify"]);
    // One that has only expired is ended first.
    home.ok(&["operators", "create", "guest", "--role", "support", "--expires-in", "1s"]);
    let guest = || home.json(&["operators", "list"])["items"].as_array().unwrap()[1]["status"].clone();
    while guest() != "expired" {}
    let refused = home.run(&["operators", "create", "guest", "--role", "support"]);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(refused.stderr.contains("keyward operators revoke guest --yes"), "{refused:?}");
    home.ok(&["operators", "revoke", "guest", "--yes"]);
    home.ok(&["operators", "create", "guest", "--role", "support"]);
}

#[test]
fn a_secret_on_a_terminal_says_that_it_is_shown_once_beside_five_facts() {
    let home = Home::with_vault();
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward create a --owner alice --scope a:read");
    let seen = shell.finished(0);
    let secret = seen.lines().position(|line| line.starts_with("kw_dev_")).unwrap();
    assert_eq!(seen.lines().nth(secret + 1), Some("copy it now: it is not shown again"));
    for fact in ["name", "id", "environment", "scopes", "expires"] {
        assert!(seen.to_lowercase().lines().any(|line| line.contains(fact)), "{fact}: {seen}");
    }
    assert!(!seen.contains("alice") && !seen.to_lowercase().contains("rate limit"), "{seen}");
    shell.type_line("keyward -v create b --owner alice");
    assert!(shell.finished(0).contains("alice"));
    shell.type_line("keyward rotate a --copy");
    let seen = shell.finished(0);
    let token = seen.lines().find(|line| line.starts_with("kw_dev_")).unwrap();
    let copied = <base64ct::Base64 as base64ct::Encoding>::encode_string(token.as_bytes());
    assert!(seen.contains(&format!("\x1b]52;c;{copied}\x07")), "{seen:?}");
    shell.type_line("keyward create c -q >file");
    assert!(!shell.finished(0).contains("copy it now"));
    let refused = home.run(&["create", "d", "--copy"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused:?}");
    assert_eq!(home.run(&["show", "d"]).code, Some(3), "nothing was minted");
}

#[test]
fn a_recovery_code_is_typed_where_the_vault_asks_for_it() {
    let home = Home::new();
    home.ok(&["create", "a"]);
    let code = home.ok(&["-q", "vault", "recovery"]);
    std::fs::remove_dir_all(home.path().join(".config/keyward/devices")).unwrap();
    let locked = home.run(&["list"]);
    assert_eq!(locked.code, Some(7), "{locked:?}");
    assert!(locked.stderr.contains("recovery code"), "{locked:?}");
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward list -o name");
    shell.answer("Recovery code of the vault", &code.to_lowercase());
    assert!(shell.finished(0).contains("a\n"));
    shell.type_line("keyward list");
    shell.answer("Recovery code of the vault", "correct horse");
    assert!(shell.finished(7).contains("a recovery code opens it"));
    // With a passphrase beside it, either is taken.
    home.private("code", &code);
    home.private("pass", "correct horse\n");
    home.ok(&["--key-file", "code", "vault", "slots", "add", "--passphrase", "--new-passphrase-file", "pass"]);
    for typed in [code.as_str(), "correct horse"] {
        shell.type_line("keyward list -o name");
        shell.answer("Passphrase or recovery code of the vault", typed);
        assert!(shell.finished(0).contains("a\n"));
    }
    assert!(!shell.everything().contains(&code));
    // And the environment names files of both.
    for (variable, file) in [("KEYWARD_KEY_FILE", "code"), ("KEYWARD_PASSPHRASE_FILE", "pass")] {
        assert_eq!(home.run_in(&["list", "-o", "name"], &[(variable, file)]).stdout, "a\n", "{variable}");
        let wrong = home.run_in(&["list", "--key-file", "code"], &[(variable, "nowhere")]);
        assert_eq!(wrong.code, Some(0), "what is said stands before it: {wrong:?}");
    }
}

#[test]
fn the_last_day_of_a_key_is_whole() {
    let home = Home::new();
    home.ok(&["create", "a", "--expires-at", "2099-01-31"]);
    assert_eq!(home.json(&["show", "a"])["key"]["expires_at"], "2099-01-31T23:59:59Z");
    home.ok(&["create", "b", "--expires-at", "2099-01-31T00:00:00Z"]);
    assert_eq!(home.json(&["show", "b"])["key"]["expires_at"], "2099-01-31T00:00:00Z");
    home.write("keys.csv", "name,expires_at\nc,2099-01-31\n");
    home.ok(&["create", "--from", "keys.csv", "--out", "out.jsonl"]);
    assert_eq!(home.json(&["show", "c"])["key"]["expires_at"], "2099-01-31T23:59:59Z");
}

#[test]
fn a_vault_is_deleted_by_its_id_and_adopted_from_its_backup() {
    let (here, there) = (Home::new(), Home::new());
    here.ok(&["create", "a"]);
    let copy = there.path().join("copy.db");
    here.ok(&["vault", "backup", copy.to_str().unwrap()]);
    let code = here.ok(&["-q", "vault", "recovery"]);
    here.ok(&["vault", "backup", "own.db"]);
    let id = here.json(&["vault", "status"])["vault_id"].as_str().unwrap().to_owned();

    // A machine that has only the copy and the code.
    std::fs::copy(here.path().join("own.db"), &copy).unwrap();
    let locked = there.run(&["vault", "adopt", "copy.db"]);
    assert_eq!(locked.code, Some(7), "{locked:?}");
    assert!(locked.stderr.contains("the copy does not open") && locked.stderr.contains("--key-file"), "{locked:?}");
    there.private("code", &code);
    let adopted = there.run(&["--key-file", "code", "vault", "adopt", "copy.db"]);
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    assert!(adopted.stderr.contains("it opens on this machine with: "), "{adopted:?}");
    assert_eq!(there.ok(&["list", "-o", "name"]), "a", "without the code");
    assert!(there.ok(&["vault", "slots", "list"]).contains("device"));
    there.ok(&["audit", "verify"]);

    for args in [&["vault", "delete"][..], &["vault", "delete", "--yes"], &["vault", "delete", "--confirm", "vault_x"]]
    {
        let refused = here.run(args);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        here.ok(&["list"]);
    }
    here.ok(&["vault", "delete", "--confirm", &id, "--dry-run"]);
    here.ok(&["list"]);
    let gone = here.run(&["vault", "delete", "--confirm", &id]);
    assert_eq!(gone.code, Some(0), "{gone:?}");
    assert!(here.find("keystore.db").is_none());
    let none = here.run(&["list"]);
    assert!(none.code == Some(3) && !none.stderr.contains("gone"), "it is not missed: {none:?}");
    // Its device key stayed, so that the backup still opens.
    here.ok(&["vault", "restore", "own.db"]);
    assert_eq!(here.ok(&["list", "-o", "name"]), "a");
}

#[test]
fn who_says_only_what_is_to_be_done_is_asked_the_rest() {
    let home = Home::new();
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward create");
    shell.answer("Name of the one system", "mailer");
    shell.press("Environment", "\x1b[B\r");
    shell.press("How long it works", "\x1b[B\r");
    shell.press("How often it may be used", "\r");
    shell.answer("What it may do", "invoices:read");
    assert!(shell.finished(0).contains("kw_stg_"));
    let key = home.json(&["show", "mailer", "--env", "staging"])["key"].clone();
    assert_eq!((&key["scopes"][0], &key["rate_limit"]["limit"]), (&"invoices:read".into(), &100.into()));
    assert!(key["expires_at"].is_string());

    // The catalogue is there now; what was said is not asked.
    shell.type_line("keyward create --env production --no-expiry --rate-limit none");
    shell.answer("Name of the one system", "billing");
    shell.press("What it may do", " \r");
    assert!(shell.finished(0).contains("kw_prod_"));
    let key = home.json(&["show", "billing"])["key"].clone();
    assert_eq!((&key["scopes"][0], &key["expires_at"]), (&"invoices:read".into(), &serde_json::Value::Null));

    shell.type_line("keyward rotate");
    shell.press("Which key", "\r");
    shell.press("When the old secret of ", "\r");
    shell.press("Where the new secret goes", "\x1b[B\r");
    shell.answer("The file", "held");
    shell.answer("A command that tries it", "grep -q kw_");
    let seen = shell.finished(0);
    assert!(seen.contains("--deliver file:held --probe 'grep -q kw_'"), "{seen}");
    assert!(home.works(&home.read("held")) || home.read("held").starts_with("kw_stg_"), "{seen}");
    shell.type_line("keyward rotate");
    shell.press("Which key", "\x1b");
    shell.finished(1);

    // Whoever names the key is asked the rest: when, where to, how it is tried.
    shell.type_line("keyward rotate billing");
    shell.press("When the old secret of billing ends", "\x1b[B\x1b[B\r");
    shell.answer("After how long", "3h");
    shell.press("Where the new secret goes", "\x1b[B\r");
    shell.answer("The file", "named");
    shell.answer("A command that tries it", "grep -q kw_");
    let seen = shell.finished(0);
    let same = "keyward rotate billing --overlap 3h --deliver file:named --probe 'grep -q kw_'";
    assert!(seen.contains(same), "{seen}");
    assert!(home.works(&home.read("named")));
    // What would be refused for the overlap that runs by now is asked, before the rest.
    for (answer, code) in [("n", 1), ("y", 0)] {
        shell.type_line("keyward rotate billing");
        shell.press("When the old secret of billing ends", "\r");
        // One letter is the whole answer.
        shell.press("An earlier overlap of billing still runs, until", answer);
        if code == 0 {
            shell.press("Where the new secret goes", "\r");
        }
        let seen = shell.finished(code);
        assert_eq!(seen.contains("keyward rotate billing --supersede"), code == 0, "{seen}");
    }
    // What is asked has no letters to type: the question says how it is answered.
    shell.type_line("keyward rotate billing");
    shell.press("arrows move, return chooses", "b\x1b");
    shell.finished(1);
    shell.type_line("keyward rotate nobody");
    shell.finished(3);
    // Who says any of it, who confirms, and who reads it with a program is asked nothing of it.
    for line in [
        "keyward rotate billing -y",
        "keyward rotate billing --overlap 2h",
        "keyward rotate billing --copy",
        "keyward rotate billing --deliver file:again",
        "keyward rotate billing -q",
        "keyward rotate billing -o json",
        "keyward rotate billing >file",
        "keyward rotate billing </dev/null",
        "keyward rotate billing --dry-run",
        "keyward rotate billing mailer",
    ] {
        // The overlaps of the lines before are over.
        home.ok(&["rotate", "billing", "mailer", "--now"]);
        shell.type_line(line);
        shell.finished(0);
    }
    // A script is told what is missing.
    for args in [&["create"][..], &["rotate"], &["create", "--env", "staging"]] {
        let ran = home.run(args);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("no terminal to ask on"), "{ran:?}");
    }
}

/// Whoever breaks off at any question has made nothing, not even a vault.
#[test]
fn a_guided_create_that_is_broken_off_leaves_nothing() {
    let home = Home::new();
    let mut shell = Terminal::open(&home);
    let questions: [(&str, &str); 5] = [
        ("Name of the one system", "mailer\n"),
        ("Environment", "\r"),
        ("How long it works", "\r"),
        ("How often it may be used", "\r"),
        ("What it may do", "invoices:read\n"),
    ];
    for answered in 0..questions.len() {
        for end in ["\x03", "\x1b"] {
            let (question, _) = questions[answered];
            if end == "\x1b" && matches!(question, "Name of the one system" | "What it may do") {
                continue;
            }
            shell.type_line("keyward create");
            for (question, keys) in &questions[..answered] {
                shell.press(question, keys);
            }
            shell.press(question, end);
            shell.finished_anyhow();
            assert!(shell.echoes(), "{question}");
            assert!(home.find("keystore.db").is_none(), "{question}: a vault was made");
        }
    }
    // With a vault it is the same.
    home.ok(&["scopes", "add", "invoices:read"]);
    let events = home.json(&["audit", "list"])["page"]["total"].clone();
    shell.type_line("keyward create mistaken-not --dry-run");
    shell.finished(0);
    shell.type_line("keyward create --env staging --expires-in 7d --rate-limit 100");
    shell.press("Name of the one system", "mailer\n");
    shell.press("What it may do", "\x03");
    shell.finished_anyhow();
    assert_eq!(home.json(&["list", "--status", "any"])["page"]["total"], 0);
    assert_eq!(home.json(&["audit", "list"])["page"]["total"], events);
}

/// The presets are there, another answer is typed, and what was answered can be said without questions.
#[test]
fn a_guided_create_has_presets_and_takes_others() {
    let home = Home::with_vault();
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward create --owner ana@example.com");
    shell.answer("Name of the one system", "a b");
    shell.press("Environment", "\r");
    shell.asked("How long it works");
    for preset in ["1h", "1d", "7d", "30d", "90d", "180d", "360d", "never ends", "another"] {
        shell.wait_for(preset);
    }
    shell.press("", "\x1b[A\r");
    shell.answer("For how long", "soon");
    shell.answer("For how long", "\x1545d");
    shell.press("How often it may be used", "\x1b[A\r");
    shell.answer("How often", "250");
    shell.answer("What it may do", "invoices:read orders:write");
    let seen = shell.finished(0);
    let same = "keyward create --owner ana@example.com 'a b' --env development --expires-in 45d --rate-limit 250/h \
                --scope invoices:read --scope orders:write";
    assert!(seen.contains(same), "{seen}");
    let key = home.json(&["show", "a b"])["key"].clone();
    assert_eq!((&key["rate_limit"]["limit"], &key["owner"]), (&250.into(), &"ana@example.com".into()));
    // What is said to be the same is.
    let again = home.shell(&same.replace("'a b'", "again"));
    assert_eq!(again.code, Some(0), "{again:?}");
    let again = home.json(&["show", "again"])["key"].clone();
    for field in ["rate_limit", "owner", "scopes", "environment"] {
        assert_eq!(again[field], key[field], "{field}");
    }
    // Where the workspace allows less than is usual, what is usual is what it allows.
    home.ok(&["workspaces", "update", "default", "--max-lifetime", "10d"]);
    shell.type_line("keyward create --rate-limit 5 --scope invoices:read --env staging");
    shell.answer("Name of the one system", "short");
    shell.press("How long it works", "\r");
    shell.finished(0);
    assert_eq!(home.json(&["list", "short", "--expires-within", "11d"])["page"]["total"], 1);
}
