//! The holder's door: who shows the secret of a key sees it and stops it with nothing else, as far as the key and its
//! workspace let their holders; and who shows one that is no good learns what a verdict tells.

use crate::{
    support::{Home, Ran, server::Served, terminal::Terminal},
    webhooks::Hook,
};
use serde_json::{Value, json};
use std::time::Instant;

/// A vault behind a server, and somebody elsewhere who has nothing but keys.
pub(crate) struct Away {
    pub(crate) behind: Home,
    pub(crate) holder: Home,
    pub(crate) server: Served,
}

impl Away {
    pub(crate) fn new(args: &[&str]) -> Self {
        let (behind, holder) = (Home::with_vault(), Home::new());
        behind.private("root", &behind.ok(&["operators", "create", "root", "--role", "platform-admin"]));
        let server = Served::start(&behind, args);
        Self { behind, holder, server }
    }

    /// What an operator does through the server is in force as soon as it is answered.
    fn operator(&self, args: &[&str]) -> Ran {
        self.behind.run(&[&["--server", &self.server.url, "--token-file", "root"], args].concat())
    }

    pub(crate) fn done(&self, args: &[&str]) -> String {
        let ran = self.operator(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        ran.stdout.trim_end().to_owned()
    }

    /// A key that is in force, with its secret in a file of the holder.
    pub(crate) fn key(&self, name: &str, args: &[&str]) -> String {
        let secret = self.done(&[&["create", name], args].concat());
        self.holder.private(name, &format!("{secret}\n"));
        secret
    }

    pub(crate) fn status(&self, method: &str, path: &str, secret: &str) -> u16 {
        self.server.send(method, path, &[("X-API-Key", secret)], "").status
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.holder.run_in(args, &[("KEYWARD_SERVER", &self.server.url)])
    }

    pub(crate) fn shown(&self, name: &str) -> Value {
        let ran = self.run(&["self", "show", "--secret-file", name, "-o", "json"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let told: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(told["schema"], "keyward.self/v1");
        told["self"].clone()
    }

    pub(crate) fn events(&self, action: &str) -> Vec<Value> {
        self.behind.json(&["audit", "list", "--action", action])["items"].as_array().unwrap().clone()
    }
}

#[test]
fn a_holder_sees_its_key_with_nothing_but_the_key() {
    let away = Away::new(&[]);
    let made = ["--env", "production", "--scope", "invoices:read", "--expires-in", "30d", "--owner", "o@example.com"];
    let secret = away.key("billing", &made);
    let shown = away.shown("billing");
    let key = &away.behind.json(&["show", "billing"])["key"];
    assert_eq!(shown["key_id"], key["id"]);
    for same in ["name", "workspace", "environment", "scopes", "rate_limit", "status", "created_at", "expires_at"] {
        assert_eq!(shown[same], key[same], "{same}");
    }
    assert_eq!(shown["version"]["state"], "current");
    assert_eq!(shown["version"]["works_until"], key["expires_at"]);
    assert_eq!(shown["may"], json!(["show", "revoke"]));
    // What others say of the key among themselves is not for whoever holds it.
    assert!(shown.get("owner").is_none() && shown.get("labels").is_none(), "{shown}");
    // Neither a vault on the holder's side, nor a use of the key: what a verdict counts, which comes later, is the first.
    assert!(away.holder.find("keystore.db").is_none());
    let same = |headers: &[(&str, &str)]| away.server.get("/v1/self", headers).json()["self"]["key_id"].clone();
    assert_eq!(same(&[("Authorization", &format!("Bearer {secret}"))]), key["id"]);
    assert_eq!(same(&[("X-API-Key", &secret)]), key["id"]);

    // For a cron: by its exit code.
    let within = |period: &str| {
        away.run(&["self", "show", "--secret-file", "billing", "--exit-code", "--expires-within", period, "-q"]).code
    };
    assert_eq!((within("14d"), within("31d")), (Some(0), Some(10)));
    // From standard input, a file that the environment names, and a question; never from an argument.
    let url = away.server.url.as_str();
    let piped = away.holder.run_with(&["self", "show", "-", "--server", url, "--field", "self.name"], &secret);
    assert_eq!(piped.stdout, "billing\n", "{piped:?}");
    let named = [("KEYWARD_SERVER", url), ("KEYWARD_SECRET_FILE", "billing")];
    assert_eq!(away.holder.run_in(&["self", "show", "--field", "self.name"], &named).stdout, "billing\n");
    let argument = away.run(&["self", "show", &secret]);
    assert_eq!(argument.code, Some(2), "{argument:?}");
    assert!(!argument.stderr.contains(&secret), "{argument:?}");
    assert_eq!(away.status("POST", "/v1/validate", &secret), 200);
    let uses = || away.behind.json(&["show", "billing"])["key"]["uses"].clone();
    while uses() == json!(0) {
        std::thread::yield_now();
    }
    assert_eq!(uses(), json!(1));
}

#[test]
fn what_it_cannot_heed_is_refused() {
    let away = Away::new(&[]);
    away.key("k", &[]);
    for (option, value) in [("--token-file", "k"), ("--workspace", "w"), ("--key-file", "k"), ("--reason", "why")] {
        let ran = away.run(&["self", "show", "--secret-file", "k", option, value]);
        assert_eq!(ran.code, Some(2), "{option}: {ran:?}");
        assert!(ran.stderr.contains(&format!("{option} would be ignored")), "{ran:?}");
    }
    let nowhere = away.holder.run(&["self", "show", "--secret-file", "k"]);
    assert_eq!(nowhere.code, Some(2));
    assert!(nowhere.stderr.contains("hint: --server URL, or KEYWARD_SERVER"), "{nowhere:?}");
    assert_eq!(away.run(&["self", "revoke", "--secret-file", "k", "--read-only"]).code, Some(5));
    // The trail knows holders by a name that no operator has.
    assert_eq!(away.behind.run(&["operators", "create", "holder:key_1", "--role", "support"]).code, Some(2));
}

#[test]
fn a_holder_ends_the_secret_it_shows_and_the_key_with_the_last_one() {
    let away = Away::new(&[]);
    let hook = Hook::new(&["204 No Content", "204 No Content"]);
    let events = ["--event", "key.revoke", "--event", "key.revoke_secret"];
    let url = hook.url();
    let add = [&["webhooks", "add", "chat", &url, "--allow-private"], &events[..]].concat();
    let signature = away.behind.ok(&add);
    let old = away.key("billing", &[]);
    let new = away.done(&["rotate", "billing", "-q"]);
    away.holder.private("new", &new);
    assert_eq!(away.shown("billing")["version"]["state"], "retiring");

    // A leak of last month's secret is no outage.
    let tried = away.run(&["self", "revoke", "--secret-file", "billing", "--dry-run"]);
    assert!(tried.stderr.contains("would be ended"), "{tried:?}");
    let ended = away.run(&["self", "revoke", "--secret-file", "billing", "--reason", "in a log", "-o", "json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&told["schema"], &told["revoked"]["key_revoked"]), (&json!("keyward.self-revoked/v1"), &json!(false)));
    assert_eq!(away.status("POST", "/v1/validate", &old), 401);
    assert_eq!(away.status("POST", "/v1/validate", &new), 200);
    let id = away.shown("new")["key_id"].as_str().unwrap().to_owned();
    let event = away.events("key.revoke_secret").remove(0);
    assert_eq!((&event["actor"], &event["target"]), (&json!(format!("holder:{id}")), &json!(id)));
    assert_eq!((&event["source"], &event["reason"]), (&json!("server 127.0.0.1"), &json!("in a log")));
    assert_eq!(hook.signed(&signature)["type"], "key.revoke_secret");
    // Its own end is not told from one that never was.
    assert_eq!(away.run(&["self", "revoke", "--secret-file", "billing"]).code, Some(4));

    // Over HTTP, with the reason in the body.
    let body = json!({ "reason": "found in a public repository" }).to_string();
    let last = away.server.send("POST", "/v1/self/revoke", &[("X-API-Key", &new)], &body);
    assert_eq!((last.status, &last.json()["revoked"]["key_revoked"]), (200, &json!(true)), "{last:?}");
    assert_eq!(away.status("POST", "/v1/validate", &new), 401);
    assert_eq!(away.behind.json(&["show", "billing"])["key"]["status"], "revoked");
    let event = away.events("key.revoke").remove(0);
    assert_eq!(
        (&event["actor"], &event["reason"]),
        (&json!(format!("holder:{id}")), &json!("found in a public repository"))
    );
    assert_eq!(hook.signed(&signature)["type"], "key.revoke");
    away.behind.ok(&["audit", "verify"]);
}

#[test]
fn a_person_is_asked_before_a_secret_is_ended() {
    let away = Away::new(&[]);
    let secret = away.key("billing", &[]);
    let mut terminal = Terminal::open(&away.holder);
    terminal.type_line(&format!("keyward self revoke --server {} --secret-file billing", away.server.url));
    terminal.press("End this secret of billing", "n");
    terminal.finished(1);
    assert_eq!(away.status("POST", "/v1/validate", &secret), 200);
}

#[test]
fn a_key_and_its_workspace_say_what_holders_may() {
    let away = Away::new(&["--address-limit", "none"]);
    let door = |secret: &str| [away.status("GET", "/v1/self", secret), away.status("POST", "/v1/self/revoke", secret)];
    let usual = away.key("usual", &[]);
    assert_eq!(away.status("GET", "/v1/self", &usual), 200);
    let none = away.key("none", &["--self", "none"]);
    assert_eq!(door(&none), [403, 403]);
    let refused = away.run(&["self", "show", "--secret-file", "none"]);
    assert_eq!(refused.code, Some(5));
    assert!(refused.stderr.contains("its holder may: none"), "{refused:?}");
    let event = away.events("key.revoke").remove(0);
    assert_eq!((&event["outcome"], &event["changes"]["refused"]), (&json!("refused"), &json!("self")), "{event}");
    assert!(event["actor"].as_str().unwrap().starts_with("holder:key_"), "{event}");

    // A key's own word stands before the usual; that of the workspace before both.
    assert_eq!(away.behind.json(&["show", "none"])["key"]["self"], json!([]));
    assert_eq!(away.behind.json(&["show", "usual"])["key"]["self"], json!(null));
    let changed = away.operator(&["update", "none", "--self", "rotate"]);
    assert!(changed.stderr.contains("self: +show +rotate"), "{changed:?}");
    away.done(&["workspaces", "update", "default", "--self", "show"]);
    assert_eq!(away.behind.json(&["workspaces", "show", "default"])["workspace"]["self"], json!(["show"]));
    assert_eq!(away.status("GET", "/v1/self", &none), 200);
    assert_eq!(away.status("POST", "/v1/self/revoke", &usual), 403);
    for args in [&["create", "more", "--self", "revoke"][..], &["update", "usual", "--self", "show,rotate"]] {
        for wider in [away.behind.run(args), away.operator(args)] {
            assert_eq!(wider.code, Some(5), "{wider:?}");
            assert!(wider.stderr.contains("no more with them than: show"), "{wider:?}");
        }
    }
    away.done(&["workspaces", "update", "default", "--self", "default"]);
    away.done(&["update", "none", "--self", "default"]);
    assert_eq!(away.behind.json(&["show", "none"])["key"]["self"], json!(null));
    assert_eq!(door(&none), [200, 200]);
}

#[test]
fn what_holders_may_is_a_field_as_any_other() {
    let home = Home::with_vault();
    home.ok(&["create", "one", "--self", "show,rotate"]);
    home.ok(&["create", "two", "--self", "none"]);
    assert!(home.ok(&["show", "one"]).contains("holder may:           show,rotate"), "{}", home.ok(&["show", "one"]));
    let listed = home.ok(&["list", "--columns", "name,self", "-o", "csv"]);
    assert_eq!(listed.trim_end().lines().collect::<Vec<_>>(), ["name,self", "one,\"show,rotate\"", "two,"]);
    let file = home.ok(&["export"]);
    assert!(file.contains("self = [\"show\", \"rotate\"]") && file.contains("self = [\"none\"]"), "{file}");
    home.write("keys.toml", &file);
    assert_eq!(home.run(&["diff", "-f", "keys.toml"]).code, Some(0));
    home.write("keys.toml", &file.replace("[\"none\"]", "\"revoke\""));
    assert_eq!(home.run(&["diff", "-f", "keys.toml"]).code, Some(10));
    home.ok(&["apply", "-f", "keys.toml", "--yes"]);
    assert_eq!(home.json(&["show", "two"])["key"]["self"], json!(["revoke"]));
    let event = &home.json(&["audit", "list", "--action", "key.update"])["items"][0];
    assert_eq!(event["changes"]["self"], json!({ "from": [], "to": ["revoke"] }), "{event}");
    home.write("keys.csv", "name,self\nthree,show;rotate\nfour,none\n");
    home.ok(&["create", "--from", "keys.csv"]);
    assert_eq!(home.json(&["show", "three"])["key"]["self"], json!(["show", "rotate"]));
    assert_eq!(home.json(&["show", "four"])["key"]["self"], json!([]));
    let there = home.run(&["create", "one", "--if-not-exists", "--self", "show"]);
    assert!(there.stderr.contains("self show,rotate, not show"), "{there:?}");
}

#[test]
fn guessing_costs_and_tells_what_a_verdict_does() {
    let away = Away::new(&["--trust-proxy", "127.0.0.1/32"]);
    let (good, other) = (away.key("good", &[]), away.key("other", &[]));
    let dead = away.key("dead", &["--self", "none"]);
    away.done(&["revoke", "dead"]);
    let from = |address: &str, method: &str, path: &str, secret: &str| {
        away.server.send(method, path, &[("X-API-Key", secret), ("X-Forwarded-For", address)], "")
    };
    // The secret of another key under this public id: well-formed, and nobody's.
    let lookup = good.split('_').nth(2).unwrap();
    let damaged = format!("{}{}", &good[..good.len() - 1], if good.ends_with('0') { '1' } else { '0' });
    let unknown = format!("kw_dev_{}_{}", "0".repeat(16), &other[other.len() - 49..]);
    assert!(damaged.contains(lookup));
    let asked = from("192.0.2.200", "POST", "/v1/validate", &unknown);
    let tries = [("damaged", damaged.as_str()), ("unknown", &unknown), ("dead", &dead), ("none", "")];
    let mut took = Vec::new();
    for (at, (what, secret)) in tries.iter().enumerate() {
        for (method, path) in [("GET", "/v1/self"), ("POST", "/v1/self/revoke")] {
            let begun = Instant::now();
            let answer = from(&format!("192.0.2.{at}"), method, path, secret);
            took.push(begun.elapsed());
            assert_eq!((answer.status, &answer.body), (401, &asked.body), "{what}: {answer:?}");
        }
    }
    // None of them waits for the keystore, as what is good does: that it does so would tell it from the others.
    let slowest = took.iter().max().unwrap();
    assert!(slowest.as_secs_f64() < 1.0, "{took:?}");
    // Ten from an address, and then no answer any more, also to the right one; elsewhere nothing has happened.
    let answers: Vec<u16> = (0..15).map(|_| from("198.51.100.1", "GET", "/v1/self", &unknown).status).collect();
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 10, "{answers:?}");
    let limited = from("198.51.100.1", "GET", "/v1/self", &good);
    assert_eq!(limited.status, 429);
    assert!(limited.header("retry-after").is_some(), "{limited:?}");
    assert_eq!(from("198.51.100.1", "POST", "/v1/self/revoke", &good).status, 429);
    assert_eq!(from("198.51.100.1", "POST", "/v1/validate", &good).status, 200, "a verdict is another door");
    assert_eq!(from("198.51.100.2", "GET", "/v1/self", &good).status, 200);
    // It fills no trail, and is seen where refused requests are.
    assert!(away.events("key.revoke").iter().all(|event| event["outcome"] == "ok"));
    while away.behind.json(&["logs", "--denied", "--since", "1h"])["items"].as_array().unwrap().is_empty() {
        std::thread::yield_now();
    }
}
