//! Changes on the full screen: each asked for, confirmed by typing, done by the use cases of the command line, and told; here and
//! through a server.

use crate::support::{Home, terminal::Terminal};

fn opened(home: &Home, line: &str) -> Terminal {
    let mut shell = Terminal::open(home);
    shell.size(80);
    shell.type_line(line);
    shell.until("the list", |screen| screen.contains("q end"));
    shell
}

/// Types an answer once its question is there.
fn answer(shell: &mut Terminal, question: &str, keys: &str) {
    shell.until(question, |screen| screen.contains(question));
    shell.keys(keys);
}

/// The secret that the screen shows, alone on its line.
fn secret(shell: &mut Terminal, of: &str) -> String {
    let title = format!("The new secret of {of}");
    shell.until("the secret", |screen| screen.starts_with(&title) && screen.contains("c copies it"));
    let screen = shell.screen().contents();
    screen.lines().find(|line| line.starts_with("kw_")).unwrap().trim().to_owned()
}

fn base64(text: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(text)
}

#[test]
fn a_key_is_created_and_its_secret_shown_once_and_copied() {
    let home = Home::new();
    home.ok(&["scopes", "add", "invoices:read"]);
    home.ok(&["scopes", "add", "orders:write"]);
    let line = "KEYWARD_LOG=trace keyward -vvv ui --allow-changes 2>log";
    let mut shell = opened(&home, line);
    shell.keys("n");
    answer(&mut shell, "Name of the one system", "bad\x1b");
    shell.until("that nothing was done", |screen| screen.contains("cancelled; nothing was changed"));
    shell.keys("n");
    answer(&mut shell, "Name of the one system", "mailer\r");
    answer(&mut shell, "> development", "\x1b[B\r");
    answer(&mut shell, "Who answers for it", "ana@example.com\r");
    answer(&mut shell, "How long it works", "\x1b[B\x1b[B\x1b[B\r");
    answer(&mut shell, "How often it may be used", "\r");
    answer(&mut shell, "> [ ] invoices:read", "\x1b[B ");
    answer(&mut shell, "> [x] orders:write", "\r");
    answer(&mut shell, "Why?", "\r");
    answer(&mut shell, "a reason is needed", "the new mailer\r");
    answer(&mut shell, "Type yes and press Enter", "yes\r");
    let token = secret(&mut shell, "mailer (staging)");
    assert!(shell.screen().contents().lines().any(|line| line.trim() == token), "nothing else on its line");
    shell.keys("c");
    shell.until("that it is copied", |screen| screen.contains("copied, if the terminal allows it"));
    assert!(shell.everything().contains(&format!("\x1b]52;c;{}\x07", base64(&token))), "an OSC 52 with the secret");
    shell.keys("qj");
    shell.until("what takes it away", |screen| screen.contains("Enter takes the secret from the screen"));
    shell.keys("\r");
    shell.until("the key in the list", |screen| screen.contains("> mailer") && !screen.contains(&token));
    shell.keys("\rq");
    shell.keys("q");
    shell.finished(0);
    assert!(!shell.screen().alternate_screen() && !shell.screen().contents().contains(&token));
    let key = home.json(&["show", "mailer"])["key"].clone();
    assert_eq!((&key["owner"], &key["scopes"][0]), (&"ana@example.com".into(), &"orders:write".into()));
    let within = |within: &str| home.json(&["list", "mailer", "--expires-within", within])["page"]["total"].clone();
    assert_eq!((within("6d"), within("8d")), (0.into(), 1.into()));
    let (verdict, _) = home.verdict(&token, &["--env", "staging"]);
    assert_eq!(verdict["valid"], true, "{verdict}");
    let events = home.json(&["audit", "list", "--key", "mailer"]);
    assert_eq!(
        (&events["items"][0]["action"], &events["items"][0]["reason"]),
        (&"key.create".into(), &"the new mailer".into())
    );
    let log = home.read("log");
    assert!(!log.is_empty() && !log.contains(token.rsplit('_').next().unwrap()), "a secret is in the log");
    assert!(!events.to_string().contains(&token));
}

/// Asks for a rotation, and confirms it.
fn rotate(shell: &mut Terminal, end: &str, reason: &str) {
    shell.keys("R");
    answer(shell, "When the old secret ends", end);
    answer(shell, "Why?", &format!("{reason}\r"));
    answer(shell, "Type yes and press Enter", "yes\r");
}

#[test]
fn a_rotation_keeps_the_old_secret_or_ends_it_and_says_what_is_in_the_way() {
    let home = Home::new();
    let first = home.ok(&["create", "billing", "--env", "production"]);
    let mut shell = opened(&home, "keyward ui --allow-changes");
    rotate(&mut shell, "\r", "by the book");
    let second = secret(&mut shell, "billing (production)");
    shell.until("until when the old one works", |screen| screen.contains("The old secret works until 2"));
    shell.keys("\r");
    shell.until("that it is rotated", |screen| screen.contains("rotated: billing"));
    assert!(home.works(&first) && home.works(&second));
    assert_eq!(home.json(&["show", "billing"])["key"]["rotation"]["state"], "overlap");

    rotate(&mut shell, "\r", "by the book");
    shell.until("what is in the way, and what helps", |screen| {
        screen.contains("error: ") && screen.contains("hint: keyward ") && screen.contains("any key goes back")
    });
    shell.keys(" ");
    shell.until("the list", |screen| screen.contains("> billing"));
    assert!(home.works(&first) && home.works(&second), "nothing was changed");

    rotate(&mut shell, "\x1b[B\r", "it leaked");
    let third = secret(&mut shell, "billing (production)");
    shell.keys("\x1b");
    shell.until("that it is rotated", |screen| screen.contains("rotated: billing"));
    shell.keys("q");
    shell.finished(0);
    assert!(!home.works(&first) && !home.works(&second) && home.works(&third));
    home.ok(&["audit", "verify"]);
}

#[test]
fn keys_are_switched_on_and_deleted_by_their_name() {
    let home = Home::new();
    let token = home.ok(&["create", "web-1", "--env", "production"]);
    home.ok(&["create", "web-2", "--env", "production"]);
    home.ok(&["deactivate", "web-1", "-y"]);
    let mut shell = opened(&home, "keyward --reason 'ticket 7' ui --allow-changes");
    shell.keys("/web-1\ra");
    answer(&mut shell, "> ticket 7", "\r");
    answer(&mut shell, "Type yes and press Enter", "yes\r");
    shell.until("that it is on", |screen| screen.contains("activated: web-1"));
    assert!(home.works(&token));
    for typed in ["yes\r", "web-2\r", "\x1b[200~web-1\x1b[201~\r"] {
        shell.keys("D\r");
        answer(&mut shell, "Type its name and press Enter", typed);
        shell.until("that nothing was done", |screen| screen.contains("cancelled; nothing was changed"));
    }
    assert_eq!(home.json(&["list", "--status", "any"])["page"]["total"], 2);
    shell.keys("D\r");
    answer(&mut shell, "Type its name and press Enter", "web-1\r");
    shell.until("that it is gone", |screen| screen.contains("deleted: web-1") && screen.contains("0 of 1 keys"));
    shell.keys("q");
    shell.finished(0);
    assert_eq!(home.run(&["show", "web-1"]).code, Some(3));
    let events = home.json(&["audit", "list", "--action", "key.delete"]);
    assert_eq!(events["items"][0]["reason"], "ticket 7");
}

#[test]
fn without_leave_nothing_is_changed_whatever_is_typed() {
    let home = Home::new();
    home.ok(&["create", "web", "--env", "production"]);
    let before = (home.json(&["show", "web"]), home.json(&["audit", "list"])["page"]["total"].clone());
    let mut shell = opened(&home, "keyward ui");
    for keys in ["n", "R", "a", "d", "x", "D"] {
        shell.keys(keys);
        shell.until("that it changes nothing", |screen| screen.contains("read-only: keyward ui --allow-changes"));
        shell.keys("g");
        shell.until("the list", |screen| screen.contains("q end"));
    }
    shell.keys("q");
    shell.finished(0);
    // Where nothing may be changed at all, and where it is only shown what would be.
    for (line, says) in [
        ("keyward --read-only ui --allow-changes", "error: read-only mode refuses every change"),
        ("keyward -n ui --allow-changes", "would be revoked: web"),
    ] {
        let mut shell = opened(&home, line);
        shell.keys("x");
        answer(&mut shell, "Why?", "why not\r");
        answer(&mut shell, "Type yes and press Enter", "yes\r");
        shell.until(says, |screen| screen.contains(says));
        shell.keys("qq");
        shell.finished(0);
    }
    let mut shell = opened(&home, "keyward -n ui --allow-changes");
    shell.keys("n");
    answer(&mut shell, "Name of the one system", "other\r");
    for question in ["> development", "Who answers", "How long", "How often", "What it may do"] {
        answer(&mut shell, question, "\r");
    }
    answer(&mut shell, "Why?", "to see\r");
    answer(&mut shell, "Type yes and press Enter", "yes\r");
    shell.until("what would be", |screen| screen.contains("would create other in development"));
    rotate(&mut shell, "\r", "to see");
    shell.until("what would be", |screen| screen.contains("would rotate web"));
    shell.keys("q");
    shell.finished(0);
    let after = (home.json(&["show", "web"]), home.json(&["audit", "list"])["page"]["total"].clone());
    assert_eq!(before.0, after.0);
    assert_eq!(home.json(&["list", "--status", "any"])["page"]["total"], 1);
}

/// Whoever pastes, or types ahead, takes no secret from the screen before it was seen.
#[test]
fn what_was_typed_ahead_does_not_take_a_secret_away() {
    let home = Home::new();
    home.ok(&["create", "web", "--env", "production"]);
    let mut shell = opened(&home, "keyward ui --allow-changes");
    shell.keys("R");
    answer(&mut shell, "When the old secret ends", "\r");
    answer(&mut shell, "Why?", "by the book\r");
    answer(&mut shell, "Type yes and press Enter", "yes\r\r\rq");
    let token = secret(&mut shell, "web (production)");
    shell.keys("c");
    shell.until("that it is there still", |screen| screen.contains("copied") && screen.contains(&token));
    shell.keys("\x03");
    shell.finished(130);
    assert!(!shell.screen().alternate_screen());
    assert!(home.works(&token), "it was on the screen, and is the current one");
}

#[cfg(feature = "server")]
#[test]
fn through_a_server_the_same_is_done_and_a_role_that_may_not_is_told_so() {
    use crate::support::server::Served;
    let (behind, client) = (Home::with_vault(), Home::new());
    behind.ok(&["create", "web", "--env", "production"]);
    let roles = ["workspace-admin", "support"].map(|role| {
        let token = behind.ok(&["operators", "create", role, "--role", role, "--bind", "default"]);
        client.private(role, &token);
        role
    });
    let server = Served::start(&behind, &[]);
    let line = |role: &str| format!("keyward --server {} --token-file {role} ui --allow-changes", server.url);

    let mut shell = opened(&client, &line(roles[0]));
    shell.keys("n");
    answer(&mut shell, "Name of the one system", "mailer\r");
    for question in ["> development", "Who answers", "How long", "How often", "What it may do"] {
        answer(&mut shell, question, "\r");
    }
    answer(&mut shell, "Why?", "asked for\r");
    answer(&mut shell, "Type yes and press Enter", "yes\r");
    let created = secret(&mut shell, "mailer (development)");
    shell.keys("\r");
    // What is typed while the secret still stands there is thrown away.
    shell.until("the list", |screen| !screen.contains("The new secret of"));
    shell.keys("/web\r");
    shell.until("web alone", |screen| screen.contains("web") && !screen.contains("mailer"));
    shell.keys("R");
    answer(&mut shell, "When the old secret ends", "\r");
    answer(&mut shell, "Why?", "by the book\r");
    answer(&mut shell, "Type yes and press Enter", "yes\r");
    let rotated = secret(&mut shell, "web (production)");
    shell.keys("\r");
    shell.until("that it is rotated", |screen| screen.contains("rotated: web"));
    shell.keys("q");
    shell.finished(0);
    assert!(behind.works(&rotated));
    assert_eq!(behind.verdict(&created, &["--env", "development"]).0["valid"], true);
    let events = behind.json(&["audit", "list", "--key", "web"]);
    let reasons: Vec<_> = events["items"].as_array().unwrap().iter().map(|event| &event["reason"]).collect();
    assert!(reasons.contains(&&"by the book".into()), "{events}");

    let mut shell = opened(&client, &line(roles[1]));
    shell.keys("/web\r");
    for (keys, confirmed) in [("n", "yes"), ("R", "yes"), ("d", "yes"), ("x", "yes"), ("D", "web")] {
        shell.keys(keys);
        match keys {
            "n" => {
                answer(&mut shell, "Name of the one system", "other\r");
                for question in ["> development", "Who answers", "How long", "How often", "What it may do"] {
                    answer(&mut shell, question, "\r");
                }
            }
            "R" => answer(&mut shell, "When the old secret ends", "\r"),
            _ => {}
        }
        answer(&mut shell, "Why?", "I want to\r");
        answer(&mut shell, "and press Enter", &format!("{confirmed}\r"));
        shell.until("the refusal", |screen| screen.contains("error: ") && screen.contains("support"));
        shell.keys(" ");
        shell.until("the list", |screen| screen.contains("> web"));
    }
    shell.keys("q");
    shell.finished(0);
    assert_eq!(behind.json(&["list", "--status", "any"])["page"]["total"], 2);
    assert_eq!(behind.json(&["show", "web"])["key"]["status"], "active");
}
