//! The full-screen view on a real pseudo-terminal, read through a terminal emulator: what a person sees and is left with.

use crate::support::{Home, terminal::Terminal};
use std::fs;
use unicode_width::UnicodeWidthStr;

/// Two keys, one of which was refused, used and rotated.
fn furnished() -> (Home, String) {
    let home = Home::new();
    let token = home.ok(&[
        "create",
        "billing-sync",
        "--env",
        "production",
        "--owner",
        "billing@example.com",
        "--allow-ip",
        "10.0.0.0/8",
    ]);
    home.ok(&["create", "nightly-export", "--env", "staging", "--expires-in", "3d"]);
    for ip in ["10.0.0.1", "192.0.2.9"] {
        home.verdict(&token, &["--ip", ip, "--record"]);
    }
    (home, token)
}

fn opened(home: &Home, line: &str) -> Terminal {
    let mut shell = Terminal::open(home);
    shell.size(80);
    shell.type_line(line);
    shell.until("the list", |screen| screen.contains("q end"));
    shell
}

/// The screen is left, the cursor is back, and typing is seen again.
fn is_left(shell: &Terminal) {
    let screen = shell.screen();
    assert!(!screen.alternate_screen(), "the other page is shown still");
    assert!(!screen.hide_cursor(), "the cursor is hidden");
    assert!(!screen.bracketed_paste(), "what is pasted is marked still");
    assert!(shell.echoes());
}

#[test]
fn a_key_is_found_explained_and_copied_and_no_secret_is_seen() {
    let (home, token) = furnished();
    let id = home.ok(&["show", "billing-sync", "--field", "id"]);
    let events = home.json(&["audit", "list"])["page"]["total"].clone();
    let mut shell = opened(&home, "keyward ui");
    assert!(shell.screen().alternate_screen());
    shell.until("both keys, the soonest expiry first", |screen| {
        let line = |name: &str| screen.lines().position(|line| line.contains(name));
        screen.starts_with("2 of 2 keys by expiry") && line("> nightly-export") < line("  billing-sync")
    });
    shell.keys("/status:active 10.0 nobody\x17\x17");
    shell.keys("env:prod");
    shell.until("one key", |screen| screen.starts_with("1 of 2 keys") && screen.contains("> billing-sync"));
    shell.keys("\r\r");
    shell.until("everything about it", |screen| {
        ["Why requests were denied", "IP_NOT_ALLOWED from 192.0.2.9", "1 uses, 1 denied", "key.create ok by"]
            .iter()
            .all(|text| screen.contains(text))
    });
    shell.keys("c");
    shell.until("that it is copied", |screen| screen.contains(&format!("copied, if the terminal allows it: {id}")));
    let copied = format!("\x1b]52;c;{}\x07", base64(&id));
    assert!(shell.everything().contains(&copied), "an OSC 52 with the id");
    shell.keys("\x1b?");
    shell.until("help", |screen| screen.contains("any key goes back"));
    shell.keys("q");
    shell.until("the list", |screen| screen.contains("q end"));
    shell.keys("x");
    shell.until("that it changes nothing", |screen| screen.contains("read-only: keyward ui --allow-changes"));
    shell.keys("q");
    shell.finished(0);
    is_left(&shell);
    assert!(!shell.everything().contains(token.rsplit('_').next().unwrap()), "a secret is on the screen");
    assert_eq!(home.json(&["audit", "list"])["page"]["total"], events, "looking is no change");
}

fn base64(text: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(text)
}

/// Thousands of keys: each letter of the filter shows at once what is left, by every order, and nothing is lost on the way.
#[test]
fn among_thousands_of_keys_the_filter_is_alive() {
    let home = Home::new();
    let lines: String = (0..5_000).map(|at| format!("svc-{at:04},team-{}@example.com\n", at % 7)).collect();
    fs::write(home.path().join("keys.csv"), format!("name,owner\n{lines}")).unwrap();
    home.ok(&["create", "--from", "keys.csv", "--out", "secrets.jsonl"]);
    let mut shell = opened(&home, "keyward ui");
    shell.until("all of them", |screen| screen.starts_with("5000 of 5000 keys by expiry"));
    shell.keys("s");
    shell.until("the first by name", |screen| {
        screen.starts_with("5000 of 5000 keys by name") && screen.contains("> svc-0000")
    });
    for (typed, left) in [
        ("/svc-4", 1_000),
        ("9", 100),
        ("9", 10),
        ("\x7f\x7f\x7f3", 1_000),
        (" team-2", 143),
        ("x", 0),
        ("\x15", 5_000),
    ] {
        shell.keys(typed);
        shell.until("those that are left", |screen| screen.starts_with(&format!("{left} of 5000 keys")));
    }
    shell.keys("\rG");
    shell.until("the last of all", |screen| screen.contains("> svc-4999"));
    shell.keys("q");
    shell.finished(0);
}

#[test]
fn a_key_is_stopped_with_a_reason_and_a_yes() {
    let (home, _) = furnished();
    let mut shell = opened(&home, "keyward ui --allow-changes");
    shell.keys("/billing\rxit leaked\r");
    let asked = |shell: &mut Terminal, reason: &str| {
        let reason = format!("Reason: {reason}");
        shell.until("the question", |screen| screen.contains("Type yes and press Enter") && screen.contains(&reason));
    };
    asked(&mut shell, "it leaked");
    shell.keys("no\r");
    shell.until("that nothing was done", |screen| screen.contains("cancelled; nothing was changed"));
    assert_eq!(home.json(&["show", "billing-sync"])["key"]["status"], "active");
    shell.keys("dit may have leaked\r");
    asked(&mut shell, "it may have leaked");
    shell.keys("yes\r");
    shell.until("that it is off", |screen| screen.contains("deactivated: billing-sync"));
    assert_eq!(home.json(&["show", "billing-sync"])["key"]["status"], "inactive");
    shell.keys("xit leaked\r");
    asked(&mut shell, "it leaked");
    shell.keys("yes\r");
    shell.until("that it is revoked", |screen| screen.contains("revoked: billing-sync"));
    shell.until("its status", |screen| {
        screen.lines().any(|line| line.starts_with("> billing-sync") && line.contains("revoked"))
    });
    shell.keys("q");
    shell.finished(0);
    is_left(&shell);
    let events = home.json(&["audit", "list", "--key", "billing-sync"]);
    let last = events["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["action"], &last["reason"]), (&"key.revoke".into(), &"it leaked".into()));
    home.ok(&["audit", "verify"]);
}

/// A reason of several lines is pasted: none of them confirms it, whether the terminal marks what is pasted or not.
#[test]
fn a_pasted_reason_confirms_nothing() {
    let (home, _) = furnished();
    let mut shell = opened(&home, "keyward ui --allow-changes");
    shell.until("the list", |screen| screen.contains("billing-sync"));
    assert!(shell.screen().bracketed_paste());
    shell.keys("/billing\rx");
    shell.until("the question why", |screen| screen.contains("Why? It is recorded"));
    shell.keys("\x1b[200~customer asked\ryes\ry\x1b[201~");
    shell.until("one line", |screen| screen.contains("> customer asked yes y"));
    shell.keys("\x15customer asked\ryes\ryesterday\r");
    shell.until("the question whether", |screen| {
        screen.contains("Reason: customer asked ") && screen.contains("Esc cancels: ") && !screen.contains("cancels: y")
    });
    shell.keys("\x1b[200~yes\r\x1b[201~");
    shell.until("that pasting is no yes", |screen| screen.contains("what is pasted confirms nothing"));
    shell.keys("\r");
    shell.until("that nothing was done", |screen| screen.contains("cancelled; nothing was changed"));
    shell.keys("q");
    shell.finished(0);
    is_left(&shell);
    assert_eq!(home.json(&["show", "billing-sync"])["key"]["status"], "active");
}

#[test]
fn whatever_ends_it_the_terminal_is_as_before() {
    let (home, _) = furnished();
    let mut shell = opened(&home, "keyward ui");
    for before in ["", "/bill", "\r", "?"] {
        shell.keys(before);
        shell.keys("\x03");
        shell.finished(130);
        is_left(&shell);
        shell.type_line("keyward ui --allow-changes");
        shell.until("the list", |screen| screen.contains("q end"));
    }
    shell.keys("xwhy");
    shell.until("the question", |screen| screen.contains("> why"));
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129), ("QUIT", 131)] {
        shell.signal(signal);
        shell.finished(code);
        is_left(&shell);
        shell.type_line("keyward ui");
        shell.until("the list", |screen| screen.contains("q end"));
    }
    // The vault goes away under it: that is said, and the screen stays.
    let keystore = home.keystore();
    let aside = keystore.with_extension("aside");
    fs::rename(&keystore, &aside).unwrap();
    fs::rename(&aside, &keystore).unwrap();
    shell.keys("rq");
    shell.finished(0);
    is_left(&shell);
    fs::write(&keystore, "no vault").unwrap();
    shell.type_line("keyward ui");
    shell.finished(14);
    is_left(&shell);
}

#[test]
fn it_is_refused_off_a_terminal_and_where_it_could_not_be_seen() {
    let (home, _) = furnished();
    let ran = home.run(&["ui"]);
    assert!(ran.code == Some(2) && ran.stdout.is_empty() && ran.stderr.contains("hint: keyward list"), "{ran:?}");
    let mut shell = Terminal::open(&home);
    for line in [
        "keyward ui </dev/null",
        "keyward ui | cat; exit ${PIPESTATUS[0]}",
        "TERM=dumb keyward ui",
        "keyward --no-input ui",
        "keyward -o json ui",
        "keyward -q ui",
    ] {
        shell.type_line(line);
        let seen = shell.finished(2);
        assert!(!seen.contains("\x1b[?1049h"), "{line}: {seen:?}");
    }
}

#[test]
fn without_colour_there_is_none() {
    let (home, _) = furnished();
    for (line, colored) in [("keyward ui", true), ("NO_COLOR=1 keyward ui", false), ("keyward --color never ui", false)]
    {
        let mut shell = opened(&home, line);
        shell.until("a key", |screen| screen.contains("> nightly-export"));
        let screen = shell.screen();
        let cells = (0..24).flat_map(|row| (0..80).filter_map(move |column| screen.cell(row, column)));
        let seen =
            cells.filter(|cell| cell.fgcolor() != vt100::Color::Default || cell.bgcolor() != vt100::Color::Default);
        assert_eq!(seen.count() > 0, colored, "{line}");
        shell.keys("q");
        shell.finished(0);
    }
}

#[test]
fn it_works_in_every_window_with_no_keys_and_with_hostile_ones() {
    let home = Home::new();
    home.ok(&["init"]);
    let mut shell = opened(&home, "keyward ui");
    shell.until("that there are none", |screen| screen.contains("there are no keys"));
    shell.keys("jkGgs/abc\r\rq");
    shell.finished(0);
    drop(shell);
    let home = Home::of_old_vault();
    let mut shell = opened(&home, "keyward ui");
    shell.until("the key", |screen| screen.contains(r"evil\u{202e}\u{200b}<"));
    shell.keys("/evil\r\r");
    shell.until("its owner", |screen| screen.contains(r"a\x1b]0;owned\x07"));
    for columns in [20, 200] {
        shell.size(columns);
        shell.until("the detail over the whole width", |screen| {
            screen.lines().any(|line| line.starts_with("── ") && line.width() == usize::from(columns))
        });
    }
    shell.keys("qq");
    shell.finished(0);
    assert!(!shell.everything().contains("\x1b]0;") && !shell.everything().contains('\u{202e}'));
}

#[test]
fn the_end_of_a_long_line_is_shown() {
    let home = Home::with_vault();
    let description = format!("{}the end", "words ".repeat(40));
    let mut line = vec!["create".to_owned(), "wide".to_owned(), "--description".to_owned(), description];
    line.extend((0..30).map(|at| format!("--scope=resource-{at:02}:read")));
    home.ok(&line.iter().map(String::as_str).collect::<Vec<_>>());
    let mut shell = opened(&home, "keyward ui");
    shell.keys("\r");
    shell.until("the first scopes", |screen| screen.contains("resource-00:read"));
    shell.until("the last scope", |screen| screen.contains("resource-29:read"));
    shell.keys(" ");
    shell.until("the end of the description", |screen| screen.contains("the end"));
    shell.keys("qq");
    shell.finished(0);
}

#[test]
fn a_support_slot_looks_and_changes_nothing() {
    let (home, _) = furnished();
    home.ok(&["vault", "slots", "add", "--device-file", "desk.key", "--role", "support", "--label", "desk"]);
    let mut shell = opened(&home, "keyward --key-file desk.key ui --allow-changes");
    shell.keys("/billing\rxI want to\r");
    shell.until("the question", |screen| screen.contains("Type yes and press Enter"));
    shell.keys("yes\r");
    shell.until("the refusal", |screen| {
        screen.contains("error: this slot has the role support") && screen.contains("hint: ")
    });
    shell.keys("qq");
    shell.finished(0);
    assert_eq!(home.json(&["show", "billing-sync"])["key"]["status"], "active");
    let events = home.json(&["audit", "list", "--action", "key.revoke"]);
    assert_eq!(events["items"][0]["outcome"], "refused");
}
