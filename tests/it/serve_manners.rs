//! What a server keeps to itself, and what it takes: secrets in wrong places, sockets, very many keys, files that may not
//! grow, a disk without room.

use crate::support::{
    Home,
    server::{Served, socket},
};
use nix::sys::signal::Signal;
use serde_json::json;
use std::{os::unix::fs::PermissionsExt, process::Command};

fn admin(home: &Home) -> String {
    format!("Bearer {}", home.ok(&["operators", "create", "root", "--role", "platform-admin"]))
}

#[test]
fn a_secret_in_a_wrong_place_is_not_repeated() {
    let home = Home::new();
    let key = home.ok(&["create", "sync"]);
    let bearer = admin(&home);
    let server = Served::start(&home, &[]);
    let headers = [("Authorization", bearer.as_str())];
    let mut named = serde_json::Map::new();
    named.insert(key.clone(), json!(true));
    named.insert("name".to_owned(), json!("x"));
    let named = serde_json::Value::Object(named).to_string();
    for (method, path, body) in [
        ("POST", "/v1/keys".to_owned(), named.clone()),
        ("POST", "/v1/keys/bulk".to_owned(), format!("{{\"keys\":[{named}]}}")),
        ("POST", "/v1/keys".to_owned(), json!({ "name": "x", "environment": key }).to_string()),
        ("POST", "/v1/operators".to_owned(), json!({ "name": "x", "role": key }).to_string()),
        ("GET", format!("/v1/keys/{key}"), String::new()),
        ("GET", format!("/v1/keys?{key}=1"), String::new()),
        ("GET", format!("/v1/audit/{key}"), String::new()),
        ("POST", "/v1/verify".to_owned(), named),
    ] {
        let answer = server.send(method, &path, &headers, &body);
        assert!(answer.status >= 400, "{method} {path}: {answer:?}");
        assert!(!answer.body.contains(&key), "{method}: {answer:?}");
    }
    // What strangers call themselves is kept.
    let agent = format!("curl/8 {key}");
    for presented in [&key, "kw_prod_nothing"] {
        server.send("POST", "/v1/validate", &[("X-API-Key", presented), ("User-Agent", &agent)], "");
    }
    let (_, log) = server.stop(Signal::SIGTERM);
    assert!(!log.contains(&key), "{log}");
    let logs = home.ok(&["-o", "json", "logs"]);
    assert!(logs.contains("curl/8 (a secret)") && !logs.contains(&key), "{logs}");
    let shown = home.ok(&["-o", "json", "show", "sync"]);
    assert!(shown.contains("curl/8 (a secret)") && !shown.contains(&key), "{shown}");
}

#[test]
fn a_socket_is_as_open_as_the_umask_or_the_option_says() {
    let home = Home::new();
    home.ok(&["create", "sync"]);
    let path = socket(&home);
    let listen = format!("unix:{}", path.display());
    let mode = |umask: &str, more: &[&str]| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_keyward")]);
        shell.args(["serve", "--listen", &listen]).args(more);
        let server = Served::start_as(&home, shell);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(server.get("/readyz", &[]).status, 200);
        server.stop(Signal::SIGTERM);
        mode
    };
    assert_eq!(mode("077", &[]), 0o600);
    assert_eq!(mode("007", &[]), 0o660);
    assert_eq!(mode("022", &[]), 0o660, "a group that may look may connect");
    assert_eq!(mode("077", &["--socket-mode", "666"]), 0o666);
    let wrong = home.run(&["serve", "--listen", &listen, "--socket-mode", "rw"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
}

/// Everybody else waits for a bulk creation: one request has an end.
#[test]
fn very_many_keys_are_several_requests() {
    let home = Home::with_vault();
    let bearer = admin(&home);
    let server = Served::start(&home, &[]);
    let entry = r#"{"name":"k"},"#;
    let body = format!("{{\"keys\":[{}]}}", entry.repeat(50_001).trim_end_matches(','));
    let refused = server.send("POST", "/v1/keys/bulk", &[("Authorization", &bearer)], &body);
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.body.contains("at most 50000 keys"), "{refused:?}");
    // A file that the keys are compared with is one request too.
    let body = format!("{{\"keys\":[{}]}}", r#"{"key":{"name":"k"}},"#.repeat(50_001).trim_end_matches(','));
    for path in ["/v1/keys/plan", "/v1/keys/apply"] {
        let refused = server.send("POST", path, &[("Authorization", &bearer)], &body);
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(refused.body.contains("at most 50000 keys"), "{refused:?}");
    }
    assert_eq!(home.json(&["list", "--status", "any"])["page"]["total"], 0);
}

#[test]
fn a_file_that_may_not_grow_is_an_error_and_no_end() {
    let home = Home::new();
    home.ok(&["create", "sync"]);
    let mut shell = home.command(&[]);
    let (home_dir, program) = (home.path().to_owned(), env!("CARGO_BIN_EXE_keyward"));
    shell = {
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -f 1; exec \"$0\" create other", program]);
        limited.env_clear().env("HOME", home_dir).current_dir(home.path());
        drop(shell);
        limited
    };
    let ran = crate::support::Ran::of(shell.output().unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(9), ""), "{ran:?}");
    home.ok(&["audit", "verify"]);
}
