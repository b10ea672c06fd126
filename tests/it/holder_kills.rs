//! `self rotate` that is killed at any moment and whose answers are lost: what the holder's file holds works at every moment,
//! no third secret of the key ever does, and the same command ends what was begun.
//!
//! Few kills under `cargo test`; `benches/kills.sh` runs them at full size.

use crate::{holder::Away, support::kills};
use serde_json::Value;
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Stands between a holder and a server, and keeps one answer to itself.
struct Lossy {
    url: String,
    /// Which request from now on goes unanswered; 0 for none.
    unanswered: Arc<AtomicUsize>,
}

impl Lossy {
    fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (unanswered, to) = (Arc::new(AtomicUsize::new(0)), server.to_owned());
        let next = Arc::clone(&unanswered);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (Ok(server), next) = (TcpStream::connect(&to), Arc::clone(&next)) else { continue };
                std::thread::spawn(move || carry(client, server, &next));
            }
        });
        Self { url, unanswered }
    }
}

fn carry(client: TcpStream, server: TcpStream, next: &AtomicUsize) {
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let lost = Arc::new(AtomicBool::new(false));
    let losing = Arc::clone(&lost);
    let back = std::thread::spawn(move || {
        let (mut server, mut client, mut bytes) = (server, client, [0; 65_536]);
        while let Ok(count @ 1..) = server.read(&mut bytes) {
            if losing.load(Ordering::SeqCst) || client.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
    });
    let mut bytes = [0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let begins = [&b"GET "[..], b"POST "].iter().any(|method| bytes[..count].starts_with(method));
        if begins {
            let counted = |left: usize| left.checked_sub(1);
            let before = next.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted);
            lost.store(before == Ok(1), Ordering::SeqCst);
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = back.join();
}

/// A holder whose file has its key, behind a way that loses answers.
struct Consumer {
    away: Away,
    way: Lossy,
    root: String,
}

impl Consumer {
    fn new() -> Self {
        let away = Away::new(&["--address-limit", "none"]);
        away.key("billing", &["--self", "show,rotate,revoke", "--rate-limit", "none"]);
        let way = Lossy::before(away.server.authority());
        let root = format!("Bearer {}", away.behind.read("root").trim_end());
        Self { away, way, root }
    }

    fn args(&self) -> [&str; 8] {
        ["--server", &self.way.url, "self", "rotate", "--secret-file", "billing", "--deliver", "file:billing"]
    }

    fn held(&self) -> String {
        self.away.holder.read("billing").trim_end().to_owned()
    }

    fn secrets(&self) -> Vec<Value> {
        let key = self.away.server.get("/v1/keys/billing", &[("Authorization", &self.root)]).json();
        let all = key["key"]["secrets"].as_array().unwrap().iter();
        all.filter(|secret| secret["state"] != "dead").cloned().collect()
    }

    fn is_served(&self, when: &str) {
        assert_eq!(
            self.away.status("POST", "/v1/validate", &self.held()),
            200,
            "{when}: what the file holds does not work"
        );
        let live = self.secrets();
        assert!(live.len() <= 2, "{when}: {live:#?}");
    }

    /// Whether the file holds another secret than before, which is the current one.
    fn is_over(&self, before: &str) -> bool {
        let held = self.held();
        let is_it = |secret: &Value| secret["state"] == "current" && held.contains(secret["lookup"].as_str().unwrap());
        held != before && self.secrets().iter().any(is_it)
    }

    /// The same command ends what was begun; then the old secret is ended, so that the next round may begin.
    fn is_repaired(&self, before: &str, when: &str) {
        self.way.unanswered.store(0, Ordering::SeqCst);
        let was_over = self.is_over(before);
        let ran = self.away.holder.run(&self.args());
        // Whoever was killed after all was done has nothing to go on with, and the overlap of that rotation runs.
        assert!(ran.code == Some(0) || (ran.code == Some(6) && was_over), "{when}: {ran:?}");
        self.is_served(when);
        let (held, live) = (self.held(), self.secrets());
        let current = live.iter().find(|secret| secret["state"] == "current").unwrap();
        assert!(held.contains(current["lookup"].as_str().unwrap()), "{when}: {live:#?}");
        assert_ne!(held, before, "{when}: it was rotated");
        let ended = self.away.server.send("POST", "/v1/self/revoke", &[("X-API-Key", before)], "");
        assert_eq!(ended.status, 200, "{when}: {ended:?}");
        assert_eq!(self.secrets().len(), 1, "{when}");
    }
}

#[test]
fn whatever_is_killed_or_lost_the_holder_keeps_a_secret_that_works() {
    let consumer = Consumer::new();
    let first = consumer.held();
    let begun = Instant::now();
    consumer.is_repaired(&first, "the first time");
    let whole = begun.elapsed();
    for round in 0..kills::size(9) {
        let (before, when) = (consumer.held(), format!("round {round}"));
        // Of three rounds one is killed, one loses an answer, and one both.
        if round % 3 > 0 {
            consumer.way.unanswered.store(1 + round / 3 * 5 % 8, Ordering::SeqCst);
        }
        let mut child = consumer.away.holder.command(&consumer.args()).spawn().unwrap();
        if round % 3 != 1 {
            let part = u32::try_from(round * 377 % 1_000).unwrap();
            let moment = Instant::now() + whole.mul_f64(1.1) * part / 1_000;
            std::thread::sleep(moment.saturating_duration_since(Instant::now()).max(Duration::from_micros(1)));
            child.kill().unwrap();
        }
        child.wait().unwrap();
        consumer.is_served(&format!("{when}, after the kill"));
        consumer.is_repaired(&before, &when);
    }
    consumer.away.behind.ok(&["audit", "verify"]);
}

/// Right before every single effect of the client: a few of them under `cargo test`.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn a_kill_before_any_effect_loses_no_secret() {
    use crate::support::stepping::{Stepped, killed_before};
    let consumer = Consumer::new();
    let stride = if std::env::var("KEYWARD_STRESS").is_ok() { 1 } else { 9 };
    for effect in (1..).step_by(stride) {
        let (before, when) = (consumer.held(), format!("before effect {effect}"));
        match killed_before(&consumer.away.holder.command(&consumer.args()), effect) {
            Stepped::Forbidden => return eprintln!("skipped: this machine lets nobody trace a process"),
            Stepped::Ended { code, .. } => {
                assert_eq!(code, 0, "{when}");
                assert!(effect > 20, "so few effects: {effect}");
                return;
            }
            Stepped::Killed => {}
        }
        consumer.is_served(&when);
        consumer.is_repaired(&before, &when);
    }
}
