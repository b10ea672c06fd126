//! Due runs that are killed right before each of their effects, with every kind of sink: the consumer's view is the judge.
//!
//! A few of the effects under `cargo test`; with `KEYWARD_STRESS` set, as `benches/kills.sh` does, every one.

use crate::support::{
    Home,
    stepping::{Stepped, killed_before},
};
use base64ct::{Base64, Encoding};
use serde_json::Value;
use std::{os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

/// Every kind of sink; `HOME` is the consumer's directory.
const SINKS: [&str; 10] = [
    "file:HOME/held",
    "dotenv:HOME/held#KEY",
    "json:HOME/held#/key",
    "exec:cat > new && mv new held",
    "github-secret:acme/app#KEY",
    "gitlab-variable:acme/app#KEY",
    "k8s-secret:prod/app#key",
    "vault:secret/app#key",
    "github-env:KEY",
    "github-output:KEY",
];

/// A key, its sink, and the programs that stand in for those of the sinks.
struct Consumer {
    home: Home,
    sink: String,
}

impl Consumer {
    fn new(sink: &str) -> Self {
        let home = Home::new();
        let at = |name: &str| home.path().join(name);
        match sink.split_once(':').unwrap().0 {
            "dotenv" => std::fs::write(at("held"), "# kept\nKEY=old\nOTHER=1\n").unwrap(),
            "json" => std::fs::write(at("held"), "{ \"a\": 1, \"key\": \"old\" }\n").unwrap(),
            _ => std::fs::write(at("held"), "").unwrap(),
        }
        std::fs::create_dir(at("bin")).unwrap();
        for program in ["gh", "glab", "kubectl", "vault"] {
            let script = format!("#!/bin/sh\ncd {} && cat > new && mv new held\n", home.path().display());
            let path = at("bin").join(program);
            std::fs::write(&path, script).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:/usr/bin:/bin", at("bin").display());
        let held = at("held").display().to_string();
        let sink = sink.replace("HOME", &home.path().display().to_string());
        let home =
            home.with_variable("PATH", &path).with_variable("GITHUB_ENV", &held).with_variable("GITHUB_OUTPUT", &held);
        home.ok(&["create", "app", "--rotate-every", "30d", "--no-expiry", "--deliver", &sink]);
        Self { home, sink }
    }

    /// A run in which the key is due, and after which its old secret is dead.
    fn due_run(&self) -> Command {
        let due = ["rotate", "--due", "--due-within", "36500d", "--now", "--yes", "--max", "10", "-o", "jsonl"];
        self.home.command(&[&due[..], &["--deliver", &self.sink]].concat())
    }

    /// What the consumer would present.
    fn held(&self) -> String {
        let path: PathBuf = self.home.path().join("held");
        let text = std::fs::read_to_string(path).unwrap();
        match self.sink.split_once(':').unwrap().0 {
            "dotenv" => {
                assert!(text.starts_with("# kept\nKEY=") && text.ends_with("\nOTHER=1\n"), "{text}");
                text.lines().nth(1).unwrap().trim_start_matches("KEY=").to_owned()
            }
            "json" => serde_json::from_str::<Value>(&text).unwrap()["key"].as_str().unwrap().to_owned(),
            "k8s-secret" => {
                let manifest: Value = serde_json::from_str(&text).unwrap();
                let value = Base64::decode_vec(manifest["data"]["key"].as_str().unwrap()).unwrap();
                String::from_utf8(value).unwrap()
            }
            // The last whole entry counts: a name, a delimiter, the value, the delimiter.
            "github-env" | "github-output" => {
                let lines: Vec<&str> = text.lines().collect();
                let whole = |entry: &&[&str]| entry[0].strip_prefix("KEY<<") == Some(entry[2]);
                lines.windows(3).rfind(whole).unwrap()[1].to_owned()
            }
            _ => text,
        }
    }

    fn key(&self) -> Value {
        self.home.json(&["show", "app"])["key"].take()
    }

    fn is_served(&self, when: &str) {
        let (verdict, code) = self.home.verdict(&self.held(), &[]);
        assert_eq!(code, Some(0), "{when}: what the consumer holds is {verdict}");
        let key = self.key();
        // An overlap that is superseded works until the new secret has arrived.
        let promised = alive(&key).iter().filter(|secret| secret["state"] == "retiring").count();
        let most = if key["rotation"]["state"] == "idle" { 1 } else { 3 + promised };
        assert!(promised <= 1 && alive(&key).len() <= most, "{when}: {key:#}");
    }

    fn is_repaired(&self, when: &str) {
        let repaired = self.due_run().output().unwrap();
        assert!(repaired.status.success(), "{when}: {}", String::from_utf8_lossy(&repaired.stdout));
        self.has_the_one_secret(when);
    }

    fn has_the_one_secret(&self, when: &str) {
        let key = self.key();
        let alive = alive(&key);
        assert_eq!((alive.len(), &key["rotation"]["state"]), (1, &"idle".into()), "{when}: {key:#}");
        assert_eq!(alive[0]["state"], "current", "{when}");
        let current = alive[0]["lookup"].as_str().unwrap();
        assert!(self.held().contains(current), "{when}: the consumer holds another secret");
        self.is_served(when);
        self.trail_tells(current, when);
    }

    /// The last rotation that the trail tells of made this secret the current one, after it was staged and delivered.
    fn trail_tells(&self, current: &str, when: &str) {
        let trail = self.home.json(&["audit", "list", "--key", "app", "--limit", "1000"]);
        let told = |action: &str| {
            let of = |event: &&Value| event["action"] == action && event["changes"]["lookup"] == current;
            trail["items"].as_array().unwrap().iter().find(of).and_then(|event| event["seq"].as_u64())
        };
        let story = [told("key.stage"), told("key.deliver"), told("key.rotate")];
        assert!(story.is_sorted() && story.iter().all(Option::is_some), "{when}: {story:?}\n{trail:#}");
    }
}

/// Whoever begins again and again, and is killed every time, ends no secret that the consumer holds.
#[test]
fn superseding_runs_that_are_killed_one_after_the_other_leave_the_consumer_served() {
    let stride = if std::env::var_os("KEYWARD_STRESS").is_some() { 3 } else { 29 };
    let consumer = Consumer::new("file:HOME/held");
    let again = || consumer.home.command(&["rotate", "app", "--supersede", "--deliver", &consumer.sink]);
    let effects = match killed_before(&again(), usize::MAX) {
        Stepped::Ended { code: 0, effects } => effects,
        Stepped::Forbidden => return eprintln!("skipped: this machine lets nobody trace a process (ptrace)"),
        other => panic!("{other:?}"),
    };
    for (round, effect) in (1..=effects).step_by(stride).enumerate() {
        // Far into the run and early in it by turns, so that a delivery is followed by one that never came to it.
        for effect in [effects - effect, effect, effects * (round % 3 + 1) / 3] {
            killed_before(&again(), effect);
            consumer.is_served(&format!("round {round}, before effect {effect} of {effects}"));
        }
    }
    consumer.home.ok(&["rotate", "app", "--supersede", "--now", "--deliver", &consumer.sink]);
    consumer.has_the_one_secret("at the end");
}

fn alive(key: &Value) -> Vec<&Value> {
    key["secrets"].as_array().unwrap().iter().filter(|secret| secret["state"] != "dead").collect()
}

#[test]
fn a_run_killed_before_any_of_its_effects_leaves_its_consumer_served_and_is_repaired() {
    let whole = std::env::var_os("KEYWARD_STRESS").is_some();
    let mut kills = 0;
    for (index, sink) in SINKS.iter().enumerate() {
        let consumer = Consumer::new(sink);
        let effects = match killed_before(&consumer.due_run(), usize::MAX) {
            Stepped::Ended { code: 0, effects } => effects,
            Stepped::Forbidden => return eprintln!("skipped: this machine lets nobody trace a process (ptrace)"),
            other => panic!("{sink}: {other:?}"),
        };
        let stride = if whole { 1 } else { effects / 4 };
        // Each kind of sink is killed elsewhere, so that together they cover the run even when it is short.
        for effect in (1 + index * stride / SINKS.len()..=effects).step_by(stride) {
            let when = format!("{sink}, before effect {effect} of {effects}");
            if killed_before(&consumer.due_run(), effect) == Stepped::Killed {
                kills += 1;
            }
            consumer.is_served(&when);
            consumer.is_repaired(&when);
        }
        consumer.home.ok(&["audit", "verify"]);
    }
    assert!(kills >= 2 * SINKS.len(), "only {kills} runs were killed");
    eprintln!("{kills} runs were killed");
}
