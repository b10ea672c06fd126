//! A server that is killed while clients write: what it answered holds afterwards, in the file and for every secret.
//!
//! Few kills under `cargo test`; `benches/kills.sh` runs them at full size.

use crate::support::{
    Home,
    kills::size,
    server::{KeptAlive, Served},
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

const CLIENTS: usize = 3;

/// What the server said of a key.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    /// Its secret, and that it is there.
    Made(String),
    /// Its secret, and that it was revoked.
    Revoked(String),
    /// Its secret; what became of its revocation is not known.
    Asked(String),
}

/// Makes keys and revokes every third, until the server is gone; what it answered is written down.
fn write(address: &str, token: &str, prefix: &str, said: &Mutex<BTreeMap<String, Said>>, answers: &AtomicUsize) {
    let Ok(mut connection) = KeptAlive::open(address) else { return };
    let mut ask = |path: &str, body: &str| {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: keyward.test\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = connection.ask(&request);
        answers.fetch_add(usize::from(answer.is_some()), Ordering::Relaxed);
        answer
    };
    for number in 0.. {
        let name = format!("{prefix}-{number}");
        let body = json!({ "name": name, "environment": "production" }).to_string();
        let Some(made) = ask("/v1/keys", &body) else { return };
        assert_eq!(made.status, 201, "{made:?}");
        let secret = serde_json::from_str::<Value>(&made.body).unwrap()["secret"].as_str().unwrap().to_owned();
        said.lock().unwrap().insert(name.clone(), Said::Made(secret.clone()));
        if number % 3 == 2 {
            said.lock().unwrap().insert(name.clone(), Said::Asked(secret.clone()));
            let Some(revoked) = ask(&format!("/v1/keys/{name}/revoke?environment=production"), "") else { return };
            assert_eq!(revoked.status, 200, "{revoked:?}");
            said.lock().unwrap().insert(name, Said::Revoked(secret));
        }
    }
}

#[test]
fn what_a_killed_server_answered_holds() {
    let home = Home::new();
    home.ok(&["init"]);
    let token = home.ok(&["operators", "create", "writer", "--role", "workspace-admin", "--bind", "default"]);
    for round in 0..size(3) {
        let server = Served::start(&home, &["--address-limit", "none"]);
        let (said, answers) = (Mutex::default(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            let address = server.authority().to_owned();
            for client in 0..CLIENTS {
                let (address, token, said, answers) = (address.clone(), &token, &said, &answers);
                scope.spawn(move || write(&address, token, &format!("k{round}-{client}"), said, answers));
            }
            // Not after a time: after so many answers, however long they take here.
            while answers.load(Ordering::Relaxed) < 8 + round * 7 % 40 {
                std::thread::yield_now();
            }
            server.stop(Signal::SIGKILL);
        });
        home.ok(&["audit", "verify", "--full"]);
        for (name, said) in said.into_inner().unwrap() {
            let verify = |secret: &str| home.run_with(&["verify", "-", "--env", "production"], secret).code;
            match said {
                Said::Made(secret) => assert_eq!(verify(&secret), Some(0), "{name}"),
                Said::Revoked(secret) => assert_eq!(verify(&secret), Some(13), "{name}"),
                Said::Asked(secret) => assert!(matches!(verify(&secret), Some(0 | 13)), "{name}"),
            }
        }
    }
}
