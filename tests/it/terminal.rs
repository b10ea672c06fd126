//! What somebody at a real terminal sees: questions, colours, widths, times, and a terminal that is left as it was.

use crate::support::{Home, terminal::Terminal};

#[test]
fn a_new_passphrase_is_asked_for_twice_and_never_shown() {
    let home = Home::new();
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward init --passphrase");
    shell.answer("New passphrase", "correct horse");
    shell.answer("Again", "correct house");
    shell.answer("New passphrase", "correct horse");
    shell.answer("Again", "correct horse");
    let seen = shell.finished(0);
    assert!(seen.contains("the two differ"), "{seen}");
    assert!(seen.contains("made a vault"), "{seen}");

    shell.type_line("keyward create a");
    shell.answer("Passphrase of the vault", "wrong horse");
    assert!(shell.finished(7).contains("wrong passphrase"));
    shell.type_line("keyward create a");
    shell.answer("Passphrase of the vault", "correct horse");
    assert!(shell.finished(0).contains("kw_dev_"));

    let all = shell.everything();
    for typed in ["correct horse", "correct house", "wrong horse"] {
        assert!(!all.contains(typed), "{typed} was shown");
    }
    assert!(shell.echoes(), "the echo is on again");
}

#[test]
fn a_question_that_is_not_answered_is_a_failure() {
    let home = Home::new();
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward init --passphrase");
    for attempt in ["a", "b", "c"] {
        shell.answer("New passphrase", attempt);
        shell.answer("Again", "d");
    }
    shell.finished(1);
    shell.type_line("keyward init --passphrase");
    shell.answer("New passphrase", "");
    assert!(shell.finished(1).contains("cancelled"));
    shell.type_line("keyward init --passphrase");
    shell.press("New passphrase", "\x04");
    shell.finished(1);
    assert!(home.find("keystore.db").is_none(), "nothing was made");
    assert!(shell.echoes());
}

#[test]
fn a_signal_at_a_question_ends_the_process_and_puts_the_terminal_back() {
    let home = Home::new();
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward init --passphrase");
    shell.press("New passphrase", "\x03");
    shell.finished(130);
    assert!(shell.echoes(), "after Ctrl-C");
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        shell.type_line("keyward init --passphrase");
        shell.asked("New passphrase");
        shell.signal(signal);
        shell.finished(code);
        assert!(shell.echoes(), "after {signal}");
    }
    home.ok(&["init"]);
    home.ok(&["create", "a"]);
    shell.type_line("keyward delete a");
    shell.press("Type its name", "\x03");
    shell.finished(130);
    shell.type_line("keyward workspaces create w");
    shell.finished(0);
    shell.type_line("keyward workspaces delete w");
    shell.press("Delete the workspace 'w'?", "\x03");
    let seen = shell.finished(130);
    assert!(seen.rfind("\x1b[?25h") > seen.rfind("\x1b[?25l"), "the cursor is shown again: {seen:?}");
    assert!(shell.echoes());
    assert_eq!(home.json(&["list", "--count"])["count"], 1);
    home.ok(&["workspaces", "show", "w"]);
}

#[test]
fn delete_wants_the_name_of_the_key() {
    let home = Home::new();
    home.ok(&["create", "billing-sync"]);
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward delete billing-sync --yes");
    shell.answer("'billing-sync' of development for good", "billing-synk");
    assert!(shell.finished(2).contains("does not name it"));
    shell.type_line("keyward delete billing-sync");
    shell.answer("Type its name", "");
    shell.finished(2);
    home.ok(&["show", "billing-sync"]);
    shell.type_line("keyward delete billing-sync");
    shell.answer("Type its name", "billing-sync");
    shell.finished(0);
    assert_eq!(home.run(&["show", "billing-sync"]).code, Some(3));
}

#[test]
fn yes_or_no_is_asked_and_no_is_a_failure() {
    let home = Home::with_vault();
    home.ok(&["workspaces", "create", "w"]);
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward workspaces delete w");
    shell.press("Delete the workspace 'w'?", "n");
    shell.finished(1);
    home.ok(&["workspaces", "show", "w"]);
    shell.type_line("keyward workspaces delete w");
    shell.press("Delete the workspace 'w'?", "y");
    shell.finished(0);
    assert_eq!(home.run(&["workspaces", "show", "w"]).code, Some(3));
}

#[test]
fn nobody_is_asked_in_a_script() {
    let home = Home::new();
    home.ok(&["create", "a"]);
    home.ok(&["workspaces", "create", "w"]);
    let mut shell = Terminal::open(&home);
    for line in [
        "keyward --no-input delete a",
        "KEYWARD_NO_INPUT=1 keyward delete a",
        "CI=true keyward delete a",
        "keyward delete a </dev/null",
        "keyward delete a 2>err",
        "keyward --no-input workspaces delete w",
        "CI=1 keyward workspaces delete w",
        "keyward --no-input verify",
        "keyward --no-input vault slots add --passphrase",
    ] {
        shell.type_line(line);
        shell.finished(2);
    }
    shell.type_line("KEYWARD_NO_INPUT=0 keyward delete a");
    shell.answer("Type its name", "no");
    shell.finished(2);
    home.ok(&["show", "a"]);
    home.ok(&["workspaces", "show", "w"]);
}

#[test]
fn a_secret_can_be_typed_without_being_shown() {
    let home = Home::new();
    let token = home.ok(&["create", "a"]);
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward verify");
    shell.answer("API key", &token);
    assert!(shell.finished(0).contains("VALID"));
    assert!(!shell.everything().contains(&token));
}

#[test]
fn colour_is_for_terminals_and_judged_for_each_stream() {
    let home = Home::new();
    home.ok(&["create", "a"]);
    let mut shell = Terminal::open(&home);
    for (line, colored) in [
        ("keyward list", true),
        ("keyward show nobody", true),
        ("keyward lits", true),
        ("keyward --help", true),
        ("NO_COLOR=1 keyward list", false),
        ("NO_COLOR= keyward list", true),
        ("NO_COLOR=1 keyward show nobody", false),
        ("NO_COLOR=1 keyward --help", false),
        ("keyward --color never list", false),
        ("keyward --color=never show nobody", false),
        ("keyward --color never lits", false),
        ("keyward --color never --help", false),
        ("keyward list | cat", false),
        ("CLICOLOR_FORCE=1 keyward list | cat", true),
        ("keyward --color always list | cat", true),
        ("NO_COLOR=1 CLICOLOR_FORCE=1 keyward list | cat", false),
        ("NO_COLOR=1 keyward --color always list", true),
        // The one stream is a file, the other a terminal.
        ("keyward list nobody 2>err", false),
        ("keyward show nobody >out", true),
        ("keyward -o json list", false),
        ("keyward -o json show nobody", false),
    ] {
        shell.type_line(line);
        let seen = shell.finished_anyhow();
        assert_eq!(seen.contains("\x1b["), colored, "{line}: {seen:?}");
    }
}

#[test]
fn times_are_relative_on_a_terminal_and_rfc_3339_elsewhere() {
    let home = Home::new();
    home.ok(&["create", "a", "--expires-in", "30d"]);
    let mut shell = Terminal::open(&home);
    shell.size(200);
    for (line, relative) in [
        ("keyward list", true),
        ("keyward show a", true),
        ("keyward list | cat", false),
        ("keyward --time utc list", false),
        ("KEYWARD_TIME=utc keyward list", false),
        ("keyward --time relative list | cat", true),
        ("keyward list -o csv", false),
        ("keyward list -o json", false),
        ("KEYWARD_TIME=relative keyward list -o json", false),
    ] {
        shell.type_line(line);
        let seen = shell.finished(0);
        assert_eq!(seen.contains("in 29d") || seen.contains("in 30d"), relative, "{line}: {seen}");
        let is_time = |word: &str| word.len() == 20 && word.starts_with("20") && word.ends_with('Z');
        assert_ne!(seen.split([' ', ',', '"', '\n']).any(is_time), relative, "{line}: {seen}");
    }
}

#[test]
fn a_table_fits_the_terminal() {
    let home = Home::new();
    let scopes: Vec<String> = (0..6).map(|n| format!("--scope=resource-{n}:read")).collect();
    let mut args =
        vec!["create", "a-name-that-is-long-enough-to-be-in-the-way", "--owner", "東京の請求チーム@example.com"];
    args.extend(scopes.iter().map(String::as_str));
    home.ok(&args);
    home.ok(&["create", "b"]);
    let mut shell = Terminal::open(&home);
    for width in [80, 40] {
        shell.size(width);
        shell.type_line("keyward list");
        let seen = shell.finished(0);
        fits(&seen, width, 3);
        assert!(seen.contains("a-name-that") && seen.contains("\nb "), "each key by its name: {seen}");
        for line in ["keyward audit list", "keyward scopes list", "keyward vault slots list", "keyward plans list"] {
            shell.type_line(line);
            fits(&shell.finished(0), width, 2);
        }
        // Who asks for everything, or for some columns, gets them whole, and so do sentences.
        for (line, whole) in [
            ("keyward list -o wide", "resource-5:read"),
            ("keyward list --columns name,scopes", "resource-5:read"),
            ("keyward doctor", "/.local/share/keyward/keystore.db"),
        ] {
            shell.type_line(line);
            assert!(shell.finished(0).contains(whole), "{line}");
        }
    }
    assert!(shell.everything().contains("no room for: "));
    shell.size(0);
    shell.type_line("COLUMNS=60 keyward list");
    fits(&shell.finished(0), 60, 3);
    shell.type_line("keyward list | cat");
    assert!(shell.finished(0).contains("resource-5:read"), "nothing is cut off a terminal");
}

fn fits(seen: &str, width: u16, at_least: usize) {
    let lines: Vec<&str> =
        seen.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("no room")).collect();
    assert!(lines.len() >= at_least, "{seen}");
    for line in lines {
        let plain = columns_of(line);
        assert!(plain <= usize::from(width), "{plain} columns on {width}: {line:?}\n{seen}");
    }
}

/// Columns of a line without its colours; the wide characters of the test are all beyond U+1100.
fn columns_of(line: &str) -> usize {
    let mut columns = 0;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\x1b' => {
                characters.by_ref().find(char::is_ascii_alphabetic);
            }
            '\u{1100}'..='\u{ffff}' if character != '…' => columns += 2,
            '\r' => {}
            _ => columns += 1,
        }
    }
    columns
}

#[test]
fn text_of_others_does_not_steer_the_terminal() {
    let home = Home::of_old_vault();
    let mut shell = Terminal::open(&home);
    for line in [
        "keyward list -o wide",
        "keyward show key_EI80Ykea8W5vq5d3",
        "keyward -o csv list",
        "keyward -o json show key_EI80Ykea8W5vq5d3",
        "keyward show key_EI80Ykea8W5vq5d3 --field owner",
        "keyward audit list",
        "keyward audit list -o csv",
        "keyward show \"$(printf 'x\\033]0;owned\\a')\"",
        "keyward \"$(printf 'x\\033]0;owned\\a')\"",
        "keyward list --sort \"$(printf 'x\\033]0;owned\\a')\"",
        "keyward --vault \"$(printf 'x\\033]0;owned\\a')\" vault status",
    ] {
        shell.type_line(&format!("{line} --color never --read-only"));
        let seen = shell.finished_anyhow();
        assert!(!seen.contains(['\x1b', '\x07', '\u{202e}', '\u{9b}']), "{line}: {seen:?}");
        assert!(!seen.lines().any(|line| line.starts_with("error: forged")), "{line}: {seen}");
        assert!(seen.contains("owned"), "{line}: {seen}");
    }
}

/// Nobody sits in front of a silent terminal: what is waited for is said, and that and why it is asked again.
#[cfg(feature = "server")]
#[test]
fn a_server_that_takes_its_time_is_said_to_be_waited_for() {
    use std::io::{Read, Write};
    let home = Home::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (go, waits) = std::sync::mpsc::channel::<()>();
    let server = std::thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().take(2).enumerate() {
            let (mut stream, mut some) = (stream, [0; 4096]);
            let _ = stream.read(&mut some);
            let answer = match number {
                0 => "HTTP/1.1 503 Busy\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
                _ => {
                    // Until the terminal has said so.
                    waits.recv().unwrap();
                    let body = r#"{"schema":"keyward.key-list/v1","items":[],"page":{"returned":0,"total":0,"truncated":false,"next":null}}"#;
                    format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                        body.len()
                    )
                }
            };
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let mut shell = Terminal::open(&home);
    shell.type_line(&format!("KEYWARD_TOKEN=kwop_x keyward --server {url} list"));
    shell.wait_for("trying again in");
    // Once it is sent again that is over: it waits for the answer.
    shell.wait_for("waiting for .* again, for");
    go.send(()).unwrap();
    shell.finished(0);
    server.join().unwrap();
}

#[test]
fn a_backup_is_no_text() {
    let home = Home::with_vault();
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward vault backup -");
    assert!(shell.finished(2).contains("keyward vault backup - > FILE"));
    shell.type_line("keyward vault backup - > FILE");
    shell.finished(0);
    home.ok(&["vault", "restore", "FILE", "--force", "--yes"]);
}
