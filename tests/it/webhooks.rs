//! Webhooks end to end: a receiver of the test's own, signatures that it checks, and what must never be sent.

use crate::support::{Home, server::Served};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

/// A place that takes messages, and answers with what the test says.
pub(crate) struct Hook {
    port: u16,
    got: Receiver<Got>,
}

#[derive(Debug)]
struct Got {
    headers: Vec<(String, String)>,
    body: String,
}

impl Hook {
    /// Answers with these, then with the last of them.
    pub(crate) fn new(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (put, got) = channel();
        std::thread::spawn(move || {
            for (index, stream) in listener.incoming().flatten().enumerate() {
                let answer = answers.get(index).or(answers.last()).unwrap();
                let Some(message) = take(stream, answer) else { continue };
                if put.send(message).is_err() {
                    return;
                }
            }
        });
        Self { port, got }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// How many messages have arrived that nobody took up yet.
    pub(crate) fn arrived(&self) -> usize {
        self.got.try_iter().count()
    }

    fn next(&self) -> Got {
        self.got.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    /// The next message, whose signature fits.
    pub(crate) fn signed(&self, secret: &str) -> Value {
        let got = self.next();
        let (id, at) = (got.header("webhook-id"), got.header("webhook-timestamp"));
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{id}.{at}.{}", got.body).as_bytes());
        let expected = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(got.header("webhook-signature"), expected, "{got:?}");
        assert!(id.starts_with("msg_") && at.parse::<i64>().is_ok(), "{got:?}");
        assert_eq!(got.header("content-type"), "application/json");
        serde_json::from_str(&got.body).unwrap()
    }
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(held, _)| held == name).map_or("", |(_, value)| value)
    }
}

fn take(stream: TcpStream, answer: &str) -> Option<Got> {
    let mut reader = BufReader::new(stream);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
            None if line.trim().is_empty() => break,
            None => {}
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    // Whoever sent may have seen enough.
    let _ = reader
        .get_mut()
        .write_all(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes());
    Some(Got { headers, body: String::from_utf8(body).unwrap() })
}

fn add(home: &Home, hook: &Hook, args: &[&str]) -> String {
    home.ok(&[&["webhooks", "add", "chat", &hook.url(), "--allow-private"], args].concat())
}

fn listed(home: &Home) -> Value {
    home.json(&["webhooks", "list"])["items"][0].clone()
}

#[test]
fn what_happens_to_keys_arrives_signed_and_without_any_secret() {
    let (home, hook) = (Home::new(), Hook::new(&["204 No Content"]));
    let secret = add(&home, &hook, &[]);
    let token = home.ok(&["create", "sync", "--env", "production", "--owner", "ops@example.com"]);
    home.ok(&["--dry-run", "create", "other"]);
    assert_eq!(listed(&home)["pending"], 1, "one action, one message, also without a server");
    let server = Served::start(&home, &[]);
    let created = hook.signed(&secret);
    assert_eq!(created["type"], "key.create");
    assert_eq!(
        (&created["data"]["key"]["name"], &created["data"]["key"]["environment"], &created["data"]["key"]["owner"]),
        (&json!("sync"), &json!("production"), &json!("ops@example.com"))
    );
    let rotated = home.ok(&["rotate", "sync", "--reason", "planned"]);
    let told = hook.signed(&secret);
    assert_eq!((&told["type"], &told["data"]["reason"]), (&json!("key.rotate"), &json!("planned")));
    home.ok(&["revoke", "sync", "--yes"]);
    assert_eq!(hook.signed(&secret)["data"]["key"]["status"], "revoked");
    home.ok(&["delete", "sync", "--confirm", "sync"]);
    let gone = hook.signed(&secret);
    assert_eq!((&gone["type"], &gone["data"]["key"]["name"]), (&json!("key.delete"), &json!("sync")));
    for told in [&created, &told, &gone] {
        for part in token.split('_').chain(rotated.split('_')).filter(|part| part.len() > 4) {
            assert!(!told.to_string().contains(part), "{part} of a secret is in {told}");
        }
    }
    while listed(&home)["delivered"] != 4 {
        std::thread::yield_now();
    }
    assert_eq!((listed(&home)["pending"].clone(), listed(&home)["failures"].clone()), (json!(0), json!([])));
    assert!(!home.ok(&["-o", "json", "webhooks", "list"]).contains("whsec_"), "the secret is shown once");
    let (_, log) = server.stop(Signal::SIGTERM);
    assert!(!log.contains("whsec_") && !log.contains(&token), "{log}");
    home.ok(&["audit", "verify"]);
}

#[test]
fn what_does_not_arrive_is_shown_and_sent_again_under_its_id() {
    let (home, hook) = (Home::new(), Hook::new(&["503 Busy", "204 No Content"]));
    let secret = add(&home, &hook, &["--event", "key.create"]);
    home.ok(&["create", "sync"]);
    home.ok(&["revoke", "sync", "--yes"]);
    // The vault's keys are replaced while the message waits.
    home.ok(&["vault", "rekey", "--yes"]);
    let _server = Served::start(&home, &[]);
    let first = hook.next();
    let failed = loop {
        let failures = listed(&home)["failures"].clone();
        if failures != json!([]) {
            break failures[0].clone();
        }
    };
    assert_eq!(
        (&failed["event"], &failed["attempts"], &failed["error"]),
        (&json!("key.create"), &json!(1), &json!("status 503"))
    );
    assert!(failed["next_at"].is_string(), "{failed}");
    let got = hook.next();
    assert_eq!((got.header("webhook-id"), &got.body), (first.header("webhook-id"), &first.body));
    drop(secret);
    while listed(&home)["delivered"] != 1 {
        std::thread::yield_now();
    }
    assert_eq!(listed(&home)["pending"], 0, "a revocation was not asked for");
}

#[test]
fn what_time_tells_is_told_once() {
    let (home, hook) = (Home::new(), Hook::new(&["204 No Content"]));
    let secret = add(&home, &hook, &["--lead", "30d", "--lead", "1d", "--denied-burst", "3/1h"]);
    let token = home.ok(&["create", "short", "--expires-in", "1h"]);
    home.ok(&["create", "long", "--expires-in", "90d"]);
    home.ok(&["create", "stale", "--no-expiry", "--rotate-every", "1s"]);
    for _ in 0..3 {
        assert_eq!(home.run_with(&["verify", "-", "--env", "production", "--record"], &token).code, Some(13));
    }
    while home.json(&["list", "--due"])["page"]["total"] != 1 {
        std::thread::yield_now();
    }
    let server = Served::start(&home, &[]);
    let mut told: Vec<(String, String)> = (0..6)
        .map(|_| hook.signed(&secret))
        .map(|told| {
            (told["type"].as_str().unwrap().to_owned(), told["data"]["key"]["name"].as_str().unwrap().to_owned())
        })
        .collect();
    told.sort();
    let expected = [
        ("key.create", "long"),
        ("key.create", "short"),
        ("key.create", "stale"),
        ("key.denied_burst", "short"),
        ("key.expiring", "short"),
        ("key.overdue", "stale"),
    ];
    assert_eq!(told, expected.map(|(event, name)| (event.to_owned(), name.to_owned())));
    server.stop(Signal::SIGTERM);
    let _server = Served::start(&home, &[]);
    home.ok(&["deactivate", "long"]);
    assert_eq!(hook.signed(&secret)["type"], "key.deactivate", "nothing is told twice");
}

#[test]
fn nothing_is_sent_into_private_networks_or_along_a_redirect() {
    let (home, hook) = (Home::with_vault(), Hook::new(&["302 Found\r\nLocation: /elsewhere", "204 No Content"]));
    for url in [
        "https://127.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "http://example.com/",
        "https://u:p@example.com/",
        "nothing",
    ] {
        let refused = home.run(&["webhooks", "add", "bad", url]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{url}: {refused:?}");
    }
    // A name is refused for the address that it has when it is connected to.
    let named = format!("https://localhost:{}/hook", hook.port);
    home.ok(&["webhooks", "add", "named", &named]);
    let refused = home.run(&["webhooks", "test", "named"]);
    assert_eq!(refused.code, Some(9), "{refused:?}");
    assert!(refused.stderr.contains("is not an address of the public internet"), "{refused:?}");
    assert!(hook.got.try_recv().is_err(), "something was sent");

    let secret = add(&home, &hook, &[]);
    let redirected = home.run(&["webhooks", "test", "chat"]);
    assert_eq!(redirected.code, Some(9), "{redirected:?}");
    assert!(redirected.stderr.contains("redirects are not followed"), "{redirected:?}");
    assert_eq!(hook.signed(&secret)["type"], "webhook.test");
    home.ok(&["webhooks", "test", "chat"]);
    assert_eq!(hook.signed(&secret)["type"], "webhook.test");
    assert!(hook.got.try_recv().is_err(), "the redirect was followed");
    let tried = home.json(&["audit", "list", "--action", "webhook.test"]);
    assert_eq!(tried["items"].as_array().unwrap().len(), 3, "{tried}");
}

/// A receiver that never answers has its turn like all the others, and keeps none of them waiting: also not those of other
/// workspaces.
#[test]
fn a_dead_receiver_starves_no_other() {
    let (home, hook) = (Home::with_vault(), Hook::new(&["204 No Content"]));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("http://{}/", silent.local_addr().unwrap());
    home.ok(&["webhooks", "add", "dead", &dead, "--allow-private", "--event", "key.create"]);
    let names: String = (0..100).map(|number| format!("k-{number}\n")).collect();
    home.private("keys.csv", &format!("name\n{names}"));
    home.ok(&["create", "--from", "keys.csv", "--out", "tokens.csv"]);
    home.ok(&["workspaces", "create", "acme"]);
    let add = ["--workspace", "acme", "webhooks", "add", "live", &hook.url(), "--allow-private"];
    let secret = home.ok(&add);
    home.ok(&["--workspace", "acme", "create", "theirs"]);
    let server = Served::start(&home, &[]);
    assert_eq!(hook.signed(&secret)["data"]["key"]["name"], "theirs");
    // Also once the dead one has been tried.
    let failed = || home.json(&["webhooks", "list"])["items"][0]["failures"].clone();
    while failed() == json!([]) {
        std::thread::yield_now();
    }
    home.ok(&["--workspace", "acme", "deactivate", "theirs"]);
    assert_eq!(hook.signed(&secret)["type"], "key.deactivate");
    assert_eq!(failed().as_array().unwrap().len(), 1, "one message is tried, and the others wait behind it");
    drop((server, silent));
}

/// However often a receiver hangs, the others get what happens at once, and not when its time is over.
#[test]
fn a_receiver_that_hangs_holds_up_no_other() {
    let (home, hook) = (Home::with_vault(), Hook::new(&["204 No Content"]));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("http://{}/", silent.local_addr().unwrap());
    home.ok(&["webhooks", "add", "hangs", &dead, "--allow-private"]);
    let secret = add(&home, &hook, &[]);
    home.ok(&["create", "sync"]);
    let server = Served::start(&home, &[]);
    assert_eq!(hook.signed(&secret)["type"], "key.create");
    // The hanging one is being sent something from here on: its sender waits 15 seconds for it.
    let (_taken, _) = silent.accept().unwrap();
    let began = std::time::Instant::now();
    for event in ["key.deactivate", "key.activate", "key.deactivate"] {
        home.ok(&[event.strip_prefix("key.").unwrap(), "sync"]);
        assert_eq!(hook.signed(&secret)["type"], event);
    }
    assert!(began.elapsed() < Duration::from_secs(14), "the other one waited {:?}", began.elapsed());
    drop((server, silent));
}

/// Many things happen within a second: a receiver that believes the last message must end with the truth.
#[test]
fn messages_arrive_in_order_and_say_where_they_stand() {
    let (home, hook) = (Home::new(), Hook::new(&["204 No Content"]));
    let secret = add(&home, &hook, &[]);
    home.ok(&["create", "sync"]);
    for _ in 0..6 {
        home.ok(&["deactivate", "sync"]);
        home.ok(&["activate", "sync"]);
    }
    let _server = Served::start(&home, &[]);
    let told: Vec<Value> = (0..13).map(|_| hook.signed(&secret)).collect();
    let expected = std::iter::once("key.create").chain(["key.deactivate", "key.activate"].into_iter().cycle().take(12));
    assert_eq!(
        told.iter().map(|told| told["type"].as_str().unwrap()).collect::<Vec<_>>(),
        expected.collect::<Vec<_>>()
    );
    let places: Vec<u64> = told.iter().map(|told| told["seq"].as_u64().unwrap()).collect();
    assert!(places.is_sorted_by(|one, next| one < next), "{places:?}");
}

/// What verdicts left behind is ours; a receiver that takes its time is not waited for before it is written, and no longer
/// than for the message that is on its way.
#[test]
fn a_stop_writes_usage_before_it_waits_for_a_receiver() {
    let home = Home::with_vault();
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", receiver.local_addr().unwrap());
    home.ok(&["webhooks", "add", "chat", &url, "--allow-private"]);
    let key = home.ok(&["create", "sync"]);
    home.ok(&["deactivate", "sync"]);
    home.ok(&["activate", "sync"]);
    let server = Served::start(&home, &["--usage-interval", "1h"]);
    assert_eq!(server.send("POST", "/v1/validate", &[("X-API-Key", &key)], "").status, 200);
    let (taken, _) = receiver.accept().unwrap();
    let stopping = std::thread::spawn(move || server.stop(Signal::SIGTERM));
    while home.json(&["show", "sync"])["key"]["uses"] != 1 {
        std::thread::yield_now();
    }
    // Only now is the message taken: the sender would have given it up long before, had the usage waited for it.
    take(taken, "204 No Content").unwrap();
    drop(receiver);
    assert!(stopping.join().unwrap().0.success());
    let listed = listed(&home);
    assert_eq!((&listed["delivered"], &listed["pending"]), (&json!(1), &json!(2)));
}

#[test]
fn a_webhook_is_removed_with_what_was_on_its_way() {
    let (home, hook) = (Home::with_vault(), Hook::new(&["204 No Content"]));
    add(&home, &hook, &[]);
    home.ok(&["workspaces", "create", "acme"]);
    home.ok(&["--workspace", "acme", "create", "theirs"]);
    assert_eq!(listed(&home)["pending"], 0, "keys of another workspace are none of its business");
    assert_eq!(home.json(&["--workspace", "acme", "webhooks", "list"])["items"], json!([]));
    let taken = home.run(&["webhooks", "add", "chat", "https://hooks.example.com/"]);
    assert_eq!(taken.code, Some(6), "{taken:?}");
    home.ok(&["create", "sync"]);
    assert_eq!(home.run(&["webhooks", "remove", "chart", "--yes"]).code, Some(3));
    home.ok(&["webhooks", "remove", "chat", "--yes"]);
    assert_eq!(home.json(&["webhooks", "list"])["items"], json!([]));
    let _server = Served::start(&home, &[]);
    home.ok(&["create", "after"]);
    home.ok(&["audit", "verify"]);
    assert!(hook.got.try_recv().is_err());
}
