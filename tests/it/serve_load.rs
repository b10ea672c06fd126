//! The server at work: what is changed beside it holds at once, a stop loses nothing, and a kill breaks nothing.

use crate::support::{
    Home,
    server::{KeptAlive, Served},
};
use nix::sys::signal::Signal;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// What clients were told of each key: how often it was valid, and when last.
type Told = Arc<Mutex<HashMap<String, (u64, Instant)>>>;

/// Clients that ask for all keys in turn, without a pause.
struct Load {
    told: Told,
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(server: &Served, keys: &[String]) -> Self {
        let (told, stop) = (Told::default(), Arc::new(AtomicBool::new(false)));
        let clients = (0..4)
            .map(|_| {
                let (told, stop) = (Arc::clone(&told), Arc::clone(&stop));
                let (address, keys) = (server.authority().to_owned(), keys.to_vec());
                std::thread::spawn(move || ask(&address, &keys, &told, &stop))
            })
            .collect();
        Self { told, stop, clients }
    }

    fn valid(&self, key: &str) -> Option<(u64, Instant)> {
        self.told.lock().unwrap().get(key).copied()
    }

    /// Waits until every key was valid for somebody.
    fn warm(&self, keys: &[String]) {
        while keys.iter().any(|key| self.valid(key).is_none()) {
            std::thread::yield_now();
        }
    }

    fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().for_each(|client| client.join().unwrap());
        self.told.lock().unwrap().values().map(|(count, _)| count).sum()
    }
}

fn ask(address: &str, keys: &[String], told: &Told, stop: &AtomicBool) {
    let Ok(mut connection) = KeptAlive::open(address) else { return };
    for key in keys.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let request = format!("POST /v1/validate HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Length: 0\r\n\r\n");
        let began = Instant::now();
        // A server that was stopped or killed ends the connection.
        let Some(answer) = connection.ask(&request) else { return };
        assert!(answer.status < 500, "{answer:?}");
        if answer.status == 200 {
            let mut told = told.lock().unwrap();
            let (count, at) = told.entry(key.clone()).or_insert((0, began));
            (*count, *at) = (*count + 1, began);
        }
    }
}

fn keys(home: &Home, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| home.ok(&["create", name, "--rate-limit", "none"])).collect()
}

const UNLIMITED: [&str; 2] = ["--address-limit", "none"];

#[test]
fn what_another_process_stops_is_stopped_under_load() {
    let home = Home::with_vault();
    let keys = keys(&home, &["stays", "revoked", "switched-off", "deleted", "replaced", "overlapping"]);
    let server = Served::start(&home, &UNLIMITED);
    let load = Load::start(&server, &keys);
    load.warm(&keys);
    let stops: [&[&str]; 5] = [
        &["revoke", "revoked", "--yes"],
        &["deactivate", "switched-off"],
        &["delete", "deleted", "--confirm", "deleted", "--yes"],
        &["rotate", "replaced", "--now", "--yes"],
        &["rotate", "overlapping", "--overlap", "2s"],
    ];
    for (command, key) in stops.into_iter().zip(&keys[1..]) {
        home.ok(command);
        let mut over = Instant::now();
        if command.contains(&"--overlap") {
            assert!(load.valid(key).is_some());
            over += Duration::from_secs(2);
        }
        // A second at most, and as long again for a machine that is busy with other tests.
        let deadline = over + Duration::from_secs(2);
        while Instant::now() < deadline {
            std::thread::yield_now();
        }
        let (count, last) = load.valid(key).unwrap();
        assert!(last < deadline, "{command:?}: still valid");
        let others = load.valid(&keys[0]).unwrap().0;
        while load.valid(&keys[0]).unwrap().0 < others + 20 {
            std::thread::yield_now();
        }
        assert_eq!(load.valid(key).unwrap().0, count, "{command:?}: valid again");
    }
    assert!(load.finish() > 0);
    server.stop(Signal::SIGTERM);
    home.ok(&["audit", "verify"]);
}

#[test]
fn a_stop_under_load_loses_no_use() {
    let home = Home::with_vault();
    let keys = keys(&home, &["one", "two", "three"]);
    let server = Served::start(&home, &[&UNLIMITED[..], &["--usage-interval", "1s"]].concat());
    let load = Load::start(&server, &keys);
    load.warm(&keys);
    let (status, said) = server.stop(Signal::SIGTERM);
    assert!(status.success(), "{said}");
    let answered = load.finish();
    let counted: u64 = ["one", "two", "three"].iter().map(|name| uses(&home, name)).sum();
    assert_eq!(counted, answered, "every answer is a use, and every use was answered");
}

fn uses(home: &Home, name: &str) -> u64 {
    home.json(&["show", name])["key"]["uses"].as_u64().unwrap()
}

#[test]
fn a_kill_under_load_breaks_nothing() {
    let home = Home::with_vault();
    let keys = keys(&home, &["one", "two", "three"]);
    let arguments = [&UNLIMITED[..], &["--usage-interval", "1s"]].concat();
    let server = Served::start(&home, &arguments);
    let load = Load::start(&server, &keys);
    while uses(&home, "one") == 0 {
        home.ok(&["update", "two", "--description", "changed beside it"]);
    }
    home.ok(&["revoke", "three", "--yes"]);
    let flushed = uses(&home, "one");
    server.stop(Signal::SIGKILL);
    let answered = load.finish();
    home.ok(&["audit", "verify"]);
    let counted: u64 = ["one", "two", "three"].iter().map(|name| uses(&home, name)).sum();
    assert!(flushed <= uses(&home, "one") && counted <= answered + 4, "{counted} counted, {answered} answered");
    let server = Served::start(&home, &arguments);
    let status = |key: &str| server.send("POST", "/v1/validate", &[("X-API-Key", key)], "").status;
    assert_eq!(keys.iter().map(|key| status(key)).collect::<Vec<_>>(), [200, 200, 401]);
}
