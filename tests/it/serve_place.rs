//! A server and the place of its keystore: the file is replaced or removed under it, and other servers serve it too.

use crate::support::{Home, server::Served};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use std::{
    fs,
    os::unix::net::UnixDatagram,
    time::{Duration, Instant},
};

/// Looks until it is so; fails when it takes longer than it may.
fn within(time: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < time, "{what}: not within {time:?}");
        std::thread::yield_now();
    }
}

const SOON: Duration = Duration::from_secs(20);

struct Served1 {
    home: Home,
    key: String,
    verifier: String,
    admin: String,
    server: Served,
}

fn served() -> Served1 {
    let home = Home::with_vault();
    let key = home.ok(&["create", "sync", "--env", "production"]);
    let verifier = format!("Bearer {}", home.ok(&["operators", "create", "v", "--role", "verifier"]));
    let admin = format!("Bearer {}", home.ok(&["operators", "create", "root", "--role", "platform-admin"]));
    let server = Served::start(&home, &[]);
    Served1 { home, key, verifier, admin, server }
}

impl Served1 {
    fn code(&self) -> String {
        let body = json!({ "key": self.key, "environment": "production" }).to_string();
        let answer = self.server.send("POST", "/v1/verify", &[("Authorization", &self.verifier)], &body);
        if answer.status == 200 {
            answer.json()["code"].as_str().unwrap().to_owned()
        } else {
            answer.status.to_string()
        }
    }
}

#[test]
fn a_keystore_that_another_file_replaced_is_opened_anew() {
    let served = served();
    let (file, copy) = (served.home.keystore(), served.home.path().join("copy.db"));
    assert_eq!(served.code(), "VALID");
    // The same state under another inode, as a restore or a copy leaves it.
    served.home.ok(&["vault", "backup", "whole.db"]);
    fs::rename(served.home.path().join("whole.db"), &copy).unwrap();
    let beside = |end: &str| file.with_file_name(format!("keystore.db{end}"));
    fs::rename(&copy, &file).unwrap();
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(beside(end));
    }
    served.home.ok(&["revoke", "sync", "--reason", "leaked"]);
    within(SOON, "a revocation in the file that is there", || served.code() == "REVOKED");
    let made = served.server.send("POST", "/v1/keys", &[("Authorization", &served.admin)], r#"{"name":"later"}"#);
    assert_eq!(made.status, 201, "{made:?}");
    served.home.ok(&["show", "later"]);
    let (status, log) = served.server.stop(Signal::SIGTERM);
    assert!(status.success() && log.contains("another file is in the place of the keystore"), "{log}");
    served.home.ok(&["audit", "verify"]);
}

/// A backup that was put back may know fewer secrets of a key than the server held: those of after it work no more.
#[test]
fn a_secret_that_a_restored_keystore_does_not_know_ends_at_the_server_too() {
    let served = served();
    served.home.ok(&["vault", "backup", "before.db"]);
    let later = Served1 { key: served.home.ok(&["-q", "rotate", "sync", "--overlap", "1h"]), ..served };
    within(SOON, "the new secret", || later.code() == "VALID");
    later.home.ok(&["vault", "restore", "before.db", "--force", "--yes"]);
    within(SOON, "what the backup does not know", || later.code() == "UNKNOWN");
    later.home.ok(&["audit", "verify"]);
}

#[test]
fn a_keystore_that_is_gone_is_unavailable_until_it_is_back() {
    let served = served();
    let (file, aside) = (served.home.keystore(), served.home.path().join("aside.db"));
    fs::rename(&file, &aside).unwrap();
    // What would be written is lost: from the first request on, not only once verdicts have stopped.
    let answer = served.server.send("POST", "/v1/keys", &[("Authorization", &served.admin)], r#"{"name":"lost"}"#);
    assert_eq!(answer.status, 503, "{answer:?}");
    within(SOON, "readiness", || served.server.get("/readyz", &[]).status == 503);
    assert_eq!(served.code(), "503");
    fs::rename(&aside, &file).unwrap();
    within(SOON, "its return", || served.code() == "VALID");
    fs::remove_file(&file).unwrap();
    let began = Instant::now();
    let (_, log) = served.server.stop(Signal::SIGTERM);
    assert!(began.elapsed() < Duration::from_secs(25), "a stop does not wait for what is gone: {log}");
}

#[test]
fn another_vault_in_the_place_of_the_keystore_is_not_served() {
    let served = served();
    let other = Home::with_vault();
    other.ok(&["create", "theirs"]);
    other.ok(&["vault", "backup", "theirs.db"]);
    let file = served.home.keystore();
    fs::copy(other.path().join("theirs.db"), file.with_extension("new")).unwrap();
    fs::rename(file.with_extension("new"), &file).unwrap();
    within(SOON, "readiness", || served.server.get("/readyz", &[]).status == 503);
    assert_eq!(served.code(), "503");
}

#[test]
fn several_servers_say_so_and_one_of_them_sends_to_webhooks() {
    let (home, hook) = (Home::with_vault(), crate::webhooks::Hook::new(&["204 No Content"]));
    home.ok(&["webhooks", "add", "chat", &hook.url(), "--allow-private"]);
    home.ok(&["create", "sync"]);
    let servers = |home: &Home| {
        let checked = home.json_any(&["doctor"]);
        let all = checked["items"].as_array().unwrap();
        all.iter().find(|one| one["check"] == "servers").unwrap()["detail"].as_str().unwrap().to_owned()
    };
    assert!(servers(&home).starts_with("none"));
    let first = Served::start(&home, &[]);
    let second = Served::start(&home, &[]);
    assert!(servers(&home).starts_with("2 run"), "{}", servers(&home));
    for _ in 0..10 {
        home.ok(&["deactivate", "sync"]);
        home.ok(&["activate", "sync"]);
    }
    let delivered = || home.json(&["webhooks", "list"])["items"][0]["delivered"].as_u64().unwrap();
    within(Duration::from_secs(60), "delivery", || delivered() == 21);
    assert_eq!(hook.arrived(), 21, "each message arrives once");
    // The one that is left takes over.
    let (_, log) = first.stop(Signal::SIGTERM);
    assert!(!log.contains("several servers"), "the first was alone when it began: {log}");
    home.ok(&["deactivate", "sync"]);
    within(Duration::from_secs(60), "delivery", || delivered() == 22);
    let (_, log) = second.stop(Signal::SIGTERM);
    assert!(log.contains("several servers run on this vault"), "{log}");
}

/// The queue of a notify socket holds a few messages, and nobody takes them.
#[test]
fn a_service_manager_that_reads_nothing_does_not_keep_a_server_from_its_end() {
    let home = Home::with_vault();
    home.ok(&["create", "sync"]);
    let path = home.path().join("notify");
    let silent = UnixDatagram::bind(&path).unwrap();
    let home = home.with_variable("NOTIFY_SOCKET", path.to_str().unwrap()).with_variable("WATCHDOG_USEC", "2000");
    let server = Served::start(&home, &[]);
    // Until the queue is full, nothing can go wrong: a sender that may not wait is told so then.
    let probe = UnixDatagram::unbound().unwrap();
    probe.set_nonblocking(true).unwrap();
    within(SOON, "a full queue", || probe.send_to(b"x", &path).is_err());
    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    let (status, log) = server.stop(Signal::SIGTERM);
    assert!(status.success(), "{log}");
    drop(silent);
}
