//! A server under strain: clients that go away, readers that do not read, too few files and places, and other servers.

use crate::support::{
    Home,
    server::{KeptAlive, Served, socket},
};
use nix::sys::signal::Signal;
use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    process::Command,
};

/// A home with many keys and so many events, and the credentials of an operator that may do everything.
fn busy_home(keys: usize) -> (Home, String) {
    let home = Home::with_vault();
    let lines: String = (0..keys).map(|number| format!("k-{number}\n")).collect();
    home.private("keys.csv", &format!("name\n{lines}"));
    home.ok(&["create", "--from", "keys.csv", "--out", "tokens.csv"]);
    let bearer = format!("Bearer {}", home.ok(&["operators", "create", "root", "--role", "platform-admin"]));
    (home, bearer)
}

fn post(path: &str, bearer: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What was begun for a client that goes away has the connection to the keystore until it is done, and others wait for
/// it: they were told that the server is stopping.
#[test]
fn clients_that_go_away_block_nobody() {
    let (home, bearer) = busy_home(1_000);
    let server = Served::start(&home, &[]);
    for _ in 0..5 {
        for _ in 0..4 {
            let mut stream = TcpStream::connect(server.authority()).unwrap();
            stream.write_all(post("/v1/audit/verify", &bearer, "{\"full\": true}").as_bytes()).unwrap();
        }
        for _ in 0..5 {
            let answer = server.get("/v1/keys/k-1", &[("Authorization", &bearer)]);
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
}

/// An export waits for its reader: as many of them as there are connections to the keystore would keep out every change.
#[test]
fn readers_that_do_not_read_keep_nobody_from_a_revocation() {
    let (home, bearer) = busy_home(2_000);
    let listen = format!("unix:{}", socket(&home).display());
    let server = Served::start_with(&home, &["serve", "--listen", &listen]);
    let mut exports: Vec<UnixStream> = (0..4)
        .map(|_| {
            let mut stream = UnixStream::connect(socket(&home)).unwrap();
            stream.write_all(post("/v1/audit/export", &bearer, "").as_bytes()).unwrap();
            stream
        })
        .collect();
    // Two of them have begun, whichever came first; they are read no further.
    let (began, heard) = std::sync::mpsc::channel();
    for mut stream in exports.drain(..) {
        let began = began.clone();
        std::thread::spawn(move || {
            let mut first = [0; 12];
            stream.read_exact(&mut first).unwrap();
            // Nobody may be listening any more.
            let _ = began.send((first, stream));
        });
    }
    let open: Vec<_> = (0..2).map(|_| heard.recv().unwrap()).collect();
    assert!(open.iter().all(|(first, _)| first == b"HTTP/1.1 200"));
    for action in ["deactivate", "activate", "revoke"] {
        let path = format!("/v1/keys/k-7/{action}");
        let answer = server.send("POST", &path, &[("Authorization", &bearer)], "");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // The others are told that the server is busy, which is no conflict.
    let (third, stream) = heard.recv().unwrap();
    assert_eq!(&third, b"HTTP/1.1 503");
    drop((open, stream));
}

/// Every connection is a file: too few of them must leave the keystore its own, and verdicts come after all.
#[test]
fn few_files_mean_fewer_connections_and_no_failure() {
    let home = Home::with_vault();
    let key = home.ok(&["create", "sync", "--env", "production"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 128; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_keyward")]);
    limited.args(["serve", "--listen", "127.0.0.1:0", "--usage-interval", "1h"]);
    let server = Served::start_as(&home, limited);
    let mut idle: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(server.authority()).unwrap()).collect();
    // All that were accepted have a place; the newest wait until others go.
    idle.truncate(30);
    let ask = format!("POST /v1/validate HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Length: 0\r\n\r\n");
    let answer = KeptAlive::open(server.authority()).unwrap().ask(&ask).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let (status, said) = server.stop(Signal::SIGTERM);
    assert!(status.success(), "{said}");
    assert!(!said.contains("cannot accept"), "{said}");
    assert_eq!(home.json(&["show", "sync"])["key"]["uses"], 1);
}

/// A place belongs to a connection, not to a listener that waits for one.
#[test]
fn one_place_serves_two_listeners() {
    let home = Home::with_vault();
    home.ok(&["create", "sync"]);
    let path = socket(&home);
    let listen = format!("unix:{}", path.display());
    let server = Served::start(&home, &["--listen", &listen, "--max-connections", "1"]);
    for _ in 0..3 {
        assert_eq!(server.get("/healthz", &[]).status, 200);
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

/// Whoever replaces a server binds its socket before the old one is gone.
#[test]
fn a_stopping_server_leaves_the_socket_of_another_alone() {
    let home = Home::with_vault();
    home.ok(&["create", "sync"]);
    let path = socket(&home);
    let listen = format!("unix:{}", path.display());
    let old = Served::start_with(&home, &["serve", "--listen", &listen]);
    std::fs::remove_file(&path).unwrap();
    let new = Served::start_with(&home, &["serve", "--listen", &listen]);
    assert!(old.stop(Signal::SIGTERM).0.success());
    assert_eq!(new.get("/healthz", &[]).status, 200);
    assert!(new.stop(Signal::SIGTERM).0.success());
    assert!(!path.exists());
}

/// A body that nobody reads is no reason to cut a connection without a word: the next request on it would be lost.
#[test]
fn a_connection_goes_on_after_a_body_that_was_not_read_or_says_that_it_ends() {
    let home = Home::with_vault();
    let key = home.ok(&["create", "sync"]);
    let server = Served::start(&home, &[]);
    let mut connection = KeptAlive::open(server.authority()).unwrap();
    let mut ask = |path: &str, headers: &str, body: &str| {
        let request = format!("POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        connection.ask(&(request + body)).unwrap()
    };
    let (key, body) = (format!("X-API-Key: {key}\r\n"), "x".repeat(60_000));
    for _ in 0..3 {
        for (path, headers, body, status) in [
            ("/v1/validate", key.as_str(), "{}", 200),
            ("/v1/keys", "", "{\"name\": \"x\"}", 401),
            ("/v1/keys", "", &body, 401),
            ("/nothing", "", "{}", 404),
        ] {
            let answer = ask(path, headers, body);
            assert_eq!((answer.status, answer.header("connection")), (status, None), "{path}: {answer:?}");
        }
    }
    // So much is not read for the sake of a connection.
    let answer = ask("/v1/keys", "", &"x".repeat(100_000));
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")), "{answer:?}");
}
