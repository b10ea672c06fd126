//! Due runs that are killed at any moment: the consumer's view is the judge. Whatever a sink holds works, at every moment;
//! the next run leaves one current secret, which is the one that was delivered.
//!
//! Few kills under `cargo test`; `benches/kills.sh` runs them at full size.

use crate::support::Home;
use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const SINKS: [&str; 4] = ["file", "dotenv", "json", "exec"];

fn kills(quick: usize) -> usize {
    std::env::var("KEYWARD_STRESS").ok().and_then(|size| size.parse().ok()).unwrap_or(quick)
}

/// One key a kind of sink, all due at once.
struct Consumers {
    home: Home,
}

impl Consumers {
    fn new() -> Self {
        let home = Home::new();
        let at = |name: &str| home.path().join(name);
        std::fs::write(at("dotenv"), "# kept\nKEY=old\nOTHER=1\n").unwrap();
        std::fs::write(at("json"), "{ \"a\": 1, \"key\": \"old\" }\n").unwrap();
        let path = home.path().display();
        let map = format!(
            "[[rule]]\nname = \"file\"\ndeliver = [\"file:{path}/file\"]\n\
             [[rule]]\nname = \"dotenv\"\ndeliver = [\"dotenv:{path}/dotenv#KEY\"]\n\
             [[rule]]\nname = \"json\"\ndeliver = [\"json:{path}/json#/key\"]\n\
             [[rule]]\nname = \"exec\"\ndeliver = [\"exec:cat > {path}/new && mv {path}/new {path}/exec\"]\n"
        );
        std::fs::write(at("map.toml"), map).unwrap();
        for sink in SINKS {
            home.ok(&["create", sink, "--rotate-every", "30d", "--no-expiry", "--deliver-map", "map.toml"]);
        }
        Self { home }
    }

    fn due_run(&self) -> Command {
        let args = [
            "rotate",
            "--due",
            "--due-within",
            "36500d",
            "--now",
            "--yes",
            "--max",
            "10",
            "--deliver-map",
            "map.toml",
            "-o",
            "jsonl",
        ];
        self.home.command(&args)
    }

    /// What the consumer of a sink would present.
    fn held(&self, sink: &str) -> String {
        let text = std::fs::read_to_string(self.home.path().join(sink)).unwrap();
        match sink {
            "dotenv" => {
                assert!(text.starts_with("# kept\nKEY=") && text.ends_with("\nOTHER=1\n"), "{text}");
                text.lines().nth(1).unwrap().trim_start_matches("KEY=").to_owned()
            }
            "json" => serde_json::from_str::<serde_json::Value>(&text).unwrap()["key"].as_str().unwrap().to_owned(),
            _ => text,
        }
    }

    fn every_consumer_is_served(&self, when: &str) {
        for sink in SINKS {
            let (verdict, code) = self.home.verdict(&self.held(sink), &[]);
            assert_eq!(code, Some(0), "{when}: what {sink} holds is {verdict}");
        }
        for key in self.home.json(&["list"])["items"].as_array().unwrap() {
            let working = |secret: &&serde_json::Value| secret["state"] != "dead";
            let count = key["secrets"].as_array().unwrap().iter().filter(working).count();
            let most = if key["rotation"]["state"] == "idle" { 1 } else { 3 };
            assert!(count <= most, "{when}: {key:#}");
        }
    }

    fn each_has_one_secret_and_holds_it(&self, when: &str) {
        for key in self.home.json(&["list"])["items"].as_array().unwrap() {
            let name = key["name"].as_str().unwrap();
            let alive: Vec<_> =
                key["secrets"].as_array().unwrap().iter().filter(|secret| secret["state"] != "dead").collect();
            assert_eq!((alive.len(), &key["rotation"]["state"]), (1, &"idle".into()), "{when}: {key:#}");
            assert_eq!(alive[0]["state"], "current", "{when}");
            let held = self.held(name);
            assert!(held.contains(alive[0]["lookup"].as_str().unwrap()), "{when}: {name} holds another secret");
        }
    }
}

#[test]
fn whatever_is_killed_when_no_consumer_is_ever_without_a_working_secret() {
    let consumers = Consumers::new();
    let begun = Instant::now();
    assert!(consumers.due_run().status().unwrap().success());
    let whole = begun.elapsed();
    for round in 0..kills(8) {
        let mut child = consumers.due_run().spawn().unwrap();
        let part = u32::try_from(round * 377 % 1_000).unwrap();
        let moment = Instant::now() + whole.mul_f64(1.1) * part / 1_000;
        std::thread::sleep(moment.saturating_duration_since(Instant::now()).max(Duration::from_micros(1)));
        child.kill().unwrap();
        child.wait().unwrap();
        consumers.every_consumer_is_served(&format!("round {round}, after the kill"));
        let repaired = consumers.due_run().output().unwrap();
        assert!(repaired.status.success(), "round {round}: {}", String::from_utf8_lossy(&repaired.stdout));
        consumers.each_has_one_secret_and_holds_it(&format!("round {round}"));
    }
    consumers.home.ok(&["audit", "verify"]);
}

/// A sink that kills keyward itself: before it has the secret, after it stored it, and after it stored it and closed.
#[test]
fn a_run_that_is_killed_by_its_own_sink_is_finished_by_the_next() {
    for command in ["kill -9 $PPID; sleep 0.05; cat > held", "cat > new; mv new held; kill -9 $PPID"] {
        let home = Home::new();
        home.ok(&["create", "exec", "--rotate-every", "30d", "--deliver", "exec:cat > held"]);
        std::fs::write(home.path().join("sink.sh"), command).unwrap();
        let due = |home: &Home| {
            let sink = ["--deliver", "exec:. ./sink.sh"];
            let args = ["rotate", "--due", "--due-within", "36500d", "--now", "--yes", "--max", "10", "-o", "jsonl"];
            home.run(&[&args[..], &sink[..]].concat())
        };
        assert_eq!(due(&home).code, None, "{command}");
        let held = || std::fs::read_to_string(home.path().join("held")).unwrap();
        wait_for(&home.path().join("held"));
        assert_eq!(home.verdict(&held(), &[]).1, Some(0), "{command}");
        std::fs::write(home.path().join("sink.sh"), "cat > held").unwrap();
        let repaired = due(&home);
        assert_eq!(repaired.code, Some(0), "{command}: {repaired:?}");
        assert!(repaired.stdout.contains("\"resumed\":true"), "{repaired:?}");
        assert_eq!(home.verdict(&held(), &[]).1, Some(0), "{command}");
        let list = home.json(&["list"]);
        let alive = list["items"][0]["secrets"].as_array().unwrap().iter().filter(|one| one["state"] != "dead").count();
        assert_eq!(alive, 1, "{command}: {list:#}");
    }
}

/// Until an orphan has written its whole token.
fn wait_for(path: &Path) {
    let patience = Instant::now() + Duration::from_secs(10);
    while std::fs::read_to_string(path).is_ok_and(|text| text.len() < 60) && Instant::now() < patience {
        std::thread::yield_now();
    }
}

#[test]
fn ten_due_runs_at_once_rotate_every_key_once() {
    let consumers = Consumers::new();
    let versions = |home: &Home| -> Vec<usize> {
        let list = home.json(&["list", "--sort", "name"]);
        list["items"].as_array().unwrap().iter().map(|key| key["secrets"].as_array().unwrap().len()).collect()
    };
    let args = |overlap: &'static str| {
        let mut args =
            vec!["rotate", "--due", "--due-within", "31d", "--yes", "--max", "10", "--deliver-map", "map.toml"];
        args.extend(["--overlap", overlap]);
        args
    };
    let before = versions(&consumers.home);
    let runs: Vec<_> = (0..10).map(|_| consumers.home.command(&args("1h")).spawn().unwrap()).collect();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let after: Vec<usize> = before.iter().map(|count| count + 1).collect();
    assert_eq!(versions(&consumers.home), after);
    consumers.every_consumer_is_served("after ten runs");
}
