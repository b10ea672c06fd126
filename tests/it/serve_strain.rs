//! A server under strain: clients that go away, readers that do not read, too few files and places, and other servers.

use crate::support::{
    Home,
    server::{Served, socket},
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
};

/// A home with many keys and so many events, and the credentials of an operator that may do everything.
fn busy_home(keys: usize) -> (Home, String) {
    let home = Home::new();
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
    let (home, bearer) = busy_home(500);
    let server = Served::start(&home, &[]);
    for _ in 0..5 {
        for _ in 0..4 {
            let mut stream = TcpStream::connect(server.authority()).unwrap();
            stream.write_all(post("/v1/keys/check", &bearer, "{}").as_bytes()).unwrap();
            stream.write_all(post("/v1/keys/export", &bearer, "{}").as_bytes()).unwrap();
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
