//! Many keys through a server: a run that is ended anywhere is gone on with by the same command, and in the end every key's
//! secret stands in the file once.

use crate::support::{Home, Ran, server::Served};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// More than one request makes.
const MANY: usize = 1_001;

/// A vault, a server in front of it, and a client.
struct Away {
    behind: Home,
    client: Home,
    server: Served,
}

impl Away {
    fn new() -> Self {
        let (behind, client) = (Home::with_vault(), Home::new());
        client.private("token", &behind.ok(&["operators", "create", "root", "--role", "platform-admin"]));
        let server = Served::start(&behind, &[]);
        Self { behind, client, server }
    }

    fn args<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["--server", &self.server.url, "--token-file", "token"], more].concat()
    }

    fn run(&self, more: &[&str]) -> Ran {
        self.client.run(&self.args(more))
    }

    fn file(&self, name: &str, prefix: &str, count: usize) {
        let names: Vec<String> = (0..count).map(|number| format!("{prefix}-{number}")).collect();
        self.client.write(name, &format!("name\n{}\n", names.join("\n")));
    }

    /// The hints of the secrets of keys, by their ids, as the vault has them.
    fn keys(&self, prefix: &str) -> BTreeMap<String, String> {
        let listed = self.behind.json(&["list", "--status", "any", "--name", &format!("{prefix}-*")]);
        let items = listed["items"].as_array().unwrap();
        items
            .iter()
            .map(|key| (key["id"].as_str().unwrap().to_owned(), key["hint"].as_str().unwrap().to_owned()))
            .collect()
    }

    /// The secrets in a file, by the ids of their keys, each of which stands there once.
    fn secrets(&self, out: &str) -> BTreeMap<String, String> {
        let text = self.client.read(out);
        let mut secrets = BTreeMap::new();
        for line in text.lines() {
            let one: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?}"));
            let id = one["key"]["id"].as_str().unwrap().to_owned();
            let twice = secrets.insert(id, one["secret"].as_str().unwrap().to_owned());
            assert!(twice.is_none(), "{line}");
        }
        secrets
    }

    /// Every key is there, with a secret in the file that is its own.
    fn is_whole(&self, out: &str, prefix: &str, count: usize) {
        let (keys, secrets) = (self.keys(prefix), self.secrets(out));
        assert_eq!(keys.len(), count);
        assert!(keys.keys().eq(secrets.keys()), "{} secrets of {} keys", secrets.len(), keys.len());
        for (id, secret) in &secrets {
            let end = secret.len() - 6;
            assert_eq!(keys[id], secret[end - 4..end], "{id}");
        }
        assert!(self.behind.works(secrets.values().next_back().unwrap()));
        let mode = std::fs::metadata(self.client.path().join(out)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(self.journals().is_empty(), "a run that is done is forgotten");
    }

    fn journals(&self) -> Vec<String> {
        let dir = self.client.path().join(".local/state/keyward/bulk");
        let entries = std::fs::read_dir(dir).into_iter().flatten();
        entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }
}

/// Stands between a client and a server, and keeps the answer to one bulk creation for itself.
struct Swallowing {
    url: String,
    /// So many creations are answered before.
    answered: Arc<AtomicUsize>,
}

/// What is kept from the other side.
#[derive(Clone, Copy, PartialEq)]
enum Keeps {
    Request,
    Answer,
}

impl Swallowing {
    fn of(server: &Served, first: usize) -> Self {
        Self::keeping(Keeps::Answer, server, first)
    }

    fn keeping(keeps: Keeps, server: &Served, first: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (answered, to) = (Arc::new(AtomicUsize::new(first)), server.authority().to_owned());
        let left = Arc::clone(&answered);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, left) = (TcpStream::connect(&to).unwrap(), Arc::clone(&left));
                std::thread::spawn(move || carry(client, server, keeps, &left));
            }
        });
        Self { url, answered }
    }

    /// From now on nothing is kept.
    fn honest(&self) {
        self.answered.store(usize::MAX, Ordering::SeqCst);
    }
}

fn carry(client: TcpStream, server: TcpStream, keeps: Keeps, left: &AtomicUsize) {
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let swallow = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let swallows = Arc::clone(&swallow);
    let back = std::thread::spawn(move || {
        let (mut server, mut client) = (server, client);
        let mut bytes = [0; 65_536];
        while let Ok(count @ 1..) = server.read(&mut bytes) {
            if swallows.load(Ordering::SeqCst) || client.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
    });
    let mut bytes = [0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let text = String::from_utf8_lossy(&bytes[..count]).to_ascii_lowercase();
        if text.contains("post /v1/keys/bulk") && !text.contains("dry-run") {
            let before = left.load(Ordering::SeqCst);
            swallow.store(before == 0, Ordering::SeqCst);
            left.store(before.saturating_sub(usize::from(before < usize::MAX)), Ordering::SeqCst);
        }
        let kept = keeps == Keeps::Request && swallow.load(Ordering::SeqCst);
        if kept || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = back.join();
}

#[test]
fn more_keys_than_one_request_takes_are_made_in_several() {
    let away = Away::new();
    away.file("many.csv", "many", 2_500);
    let made = away.run(&["create", "--from", "many.csv", "--out", "out.jsonl"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.stderr.contains("created 2500 keys; their secrets are in out.jsonl"), "{made:?}");
    away.is_whole("out.jsonl", "many", 2_500);
    away.behind.ok(&["audit", "verify"]);
    let again = away.run(&["create", "--from", "many.csv", "--out", "out.jsonl"]);
    assert_eq!(again.code, Some(6), "what is done is not gone on with: {again:?}");
}

#[test]
fn what_is_wrong_in_any_of_the_requests_is_told_before_one_key_is_made() {
    let away = Away::new();
    away.behind.ok(&["create", "many-7"]);
    away.behind.ok(&["create", "many-1000"]);
    away.file("many.csv", "many", MANY);
    let args = ["create", "--from", "many.csv", "--out", "out.jsonl"];
    let refused = away.run(&args);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    for line in ["many.csv:9:", "many.csv:1002:", "2 lines are wrong; nothing was created"] {
        assert!(refused.stderr.contains(line), "{line}: {refused:?}");
    }
    assert_eq!(away.keys("many").len(), 2);
    assert!(away.client.find("out.jsonl").is_none() && away.journals().is_empty());
    // A plan counts the keys of all requests.
    away.behind.ok(&["plans", "create", "thousand", "--max-keys", "1000"]);
    away.behind.ok(&["workspaces", "update", "default", "--plan", "thousand"]);
    away.file("plan.csv", "plan", MANY);
    let refused = away.run(&["create", "--from", "plan.csv", "--out", "out.jsonl"]);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(away.keys("plan").is_empty(), "no request before the last one was sent in earnest");
    let dry = away.run(&["-n", "create", "--from", "plan.csv"]);
    assert_eq!(dry.code, Some(5), "{dry:?}");
}

#[test]
fn an_answer_that_never_came_is_made_up_for_by_the_same_command() {
    for (answered, count) in [(0, 20), (1, MANY)] {
        let away = Away::new();
        let between = Swallowing::of(&away.server, answered);
        away.file("many.csv", "many", count);
        let args =
            ["--server", &between.url, "--token-file", "token", "create", "--from", "many.csv", "--out", "out.jsonl"];
        let ended = away.client.run(&args);
        assert_eq!(ended.code, Some(9), "{ended:?}");
        assert!(ended.stderr.contains(&format!("{} of {count} keys are made", answered * 1_000)), "{ended:?}");
        assert!(ended.stderr.contains("create --from many.csv --out out.jsonl"), "{ended:?}");
        let journals = away.journals();
        assert!(journals.len() == 1 && !journals[0].contains("kw_"), "{journals:?}");
        between.honest();
        let done = away.client.run(&args);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(done.stderr.contains(&format!("created {count} keys")), "{done:?}");
        away.is_whole("out.jsonl", "many", count);
        away.behind.ok(&["audit", "verify"]);
    }
}

#[test]
fn few_keys_are_one_request_and_an_answer_that_never_came_loses_none() {
    let away = Away::new();
    let between = Swallowing::of(&away.server, 0);
    away.file("few.csv", "few", 3);
    let args = ["--server", &between.url, "--token-file", "token", "create", "--from", "few.csv", "--out", "out.jsonl"];
    assert_eq!(away.client.run(&args).code, Some(9));
    assert_eq!(away.keys("few").len(), 3);
    // What somebody did to these keys meanwhile is respected.
    away.behind.ok(&["rotate", "few-0", "-q"]);
    away.behind.ok(&["delete", "few-1", "--confirm", "few-1"]);
    between.honest();
    let done = away.client.run(&args);
    assert_eq!(done.code, Some(11), "{done:?}");
    assert!(done.stderr.contains("few-0") && done.stderr.contains("rotated by somebody"), "{done:?}");
    assert!(done.stderr.contains("few-1") && done.stderr.contains("deleted"), "{done:?}");
    let secrets = away.secrets("out.jsonl");
    assert_eq!(secrets.len(), 1);
    assert!(away.behind.works(secrets.values().next().unwrap()));
    assert!(away.journals().is_empty());
}

#[test]
fn a_run_that_was_ended_is_not_taken_for_another() {
    let away = Away::new();
    let between = Swallowing::of(&away.server, 1);
    away.file("many.csv", "many", MANY);
    let to = |file: &str| {
        let args = ["--server", &between.url, "--token-file", "token", "create", "--from", file, "--out", "out.jsonl"];
        away.client.run(&args)
    };
    assert_eq!(to("many.csv").code, Some(9));
    between.honest();
    away.file("other.csv", "other", MANY);
    let other = to("other.csv");
    assert_eq!(other.code, Some(6), "{other:?}");
    assert!(other.stderr.contains("asked for other keys") && other.stderr.contains("rm -- "), "{other:?}");
    let elsewhere = away.run(&["create", "--from", "many.csv", "--out", "out.jsonl"]);
    assert_eq!(elsewhere.code, Some(6), "{elsewhere:?}");
    let (out, aside) = (away.client.path().join("out.jsonl"), away.client.path().join("aside"));
    std::fs::rename(&out, &aside).unwrap();
    let gone = to("many.csv");
    assert_eq!(gone.code, Some(6), "{gone:?}");
    assert!(gone.stderr.contains("is gone"), "{gone:?}");
    std::fs::rename(&aside, &out).unwrap();
    assert_eq!(to("many.csv").code, Some(0));
    away.is_whole("out.jsonl", "many", MANY);
}

#[test]
fn lines_that_turned_wrong_meanwhile_are_mended_and_the_run_goes_on() {
    let away = Away::new();
    let between = Swallowing::keeping(Keeps::Request, &away.server, 1);
    away.file("many.csv", "many", MANY);
    let args =
        ["--server", &between.url, "--token-file", "token", "create", "--from", "many.csv", "--out", "out.jsonl"];
    assert_eq!(away.client.run(&args).code, Some(9));
    assert_eq!(away.secrets("out.jsonl").len(), MANY - 1, "no zeros stand behind the lines");
    between.honest();
    away.behind.ok(&["create", "many-1000"]);
    let refused = away.client.run(&args);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    assert!(refused.stderr.contains("many.csv:1002:"), "{refused:?}");
    assert!(refused.stderr.contains("nothing was created beyond the 1000 keys that are made"), "{refused:?}");
    away.behind.ok(&["delete", "many-1000", "--confirm", "many-1000"]);
    away.file("many.csv", "many", MANY - 1);
    let done = away.client.run(&args);
    assert_eq!(done.code, Some(0), "{done:?}");
    away.is_whole("out.jsonl", "many", MANY - 1);
}

#[test]
fn keys_that_exist_and_may_are_listed_by_the_run_that_goes_on() {
    let away = Away::new();
    away.behind.ok(&["create", "few-0"]);
    let between = Swallowing::of(&away.server, 0);
    away.file("few.csv", "few", 3);
    let mut args = vec!["--server", &between.url, "--token-file", "token"];
    args.extend(["create", "--from", "few.csv", "--out", "out.jsonl", "--if-not-exists"]);
    assert_eq!(away.client.run(&args).code, Some(9));
    between.honest();
    let done = away.client.run(&args);
    assert_eq!(done.code, Some(0), "{done:?}");
    let text = away.client.read("out.jsonl");
    assert_eq!(text.lines().count(), 3, "{text}");
    assert_eq!(text.lines().filter(|line| line.contains("\"existed\":true")).count(), 1, "{text}");
    assert_eq!(text.matches("\"secret\":\"kw_").count(), 2, "{text}");
}

/// A server that is killed with the answer under way has made all keys of the request, or none.
#[test]
fn a_server_that_is_killed_meanwhile_costs_no_secret() {
    let mut away = Away::new();
    let listen = away.server.authority().to_owned();
    away.file("many.csv", "many", 2_001);
    let args: Vec<String> =
        ["--server", &away.server.url, "--token-file", "token", "create", "--from", "many.csv", "--out", "out.jsonl"]
            .map(str::to_owned)
            .into();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut client = away.client.command(&args).spawn().unwrap();
    let watched = away.client.path().join("out.jsonl");
    // Killed once the first secrets are there, while more is asked for.
    while std::fs::metadata(&watched).map_or(true, |found| found.len() == 0) && client.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let placeholder = Served::start(&Home::with_vault(), &[]);
    std::mem::replace(&mut away.server, placeholder).stop(nix::sys::signal::Signal::SIGKILL);
    let ended = client.wait().unwrap();
    let _stopped =
        std::mem::replace(&mut away.server, Served::start_with(&away.behind, &["serve", "--listen", &listen]));
    if ended.code() != Some(0) {
        let done = away.client.run(&args);
        assert_eq!(done.code, Some(0), "{done:?}");
    }
    away.is_whole("out.jsonl", "many", 2_001);
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod kills {
    use super::*;
    use crate::support::stepping::{Stepped, killed_before};

    /// Kills a run before one of its effects, and goes on with it by the same command.
    fn killed_and_gone_on(away: &Away, prefix: &str, count: usize, effect: usize) -> Stepped {
        let (file, out) = (format!("{prefix}.csv"), format!("{prefix}.jsonl"));
        away.file(&file, prefix, count);
        let args = away.args(&["create", "--from", &file, "--out", &out]);
        let stepped = killed_before(&away.client.command(&args), effect);
        match stepped {
            Stepped::Forbidden => return stepped,
            Stepped::Ended { code, .. } => assert_eq!(code, 0),
            // A run whose journal is forgotten was done: only its end was not told.
            Stepped::Killed if away.journals().is_empty() && away.client.find(&out).is_some() => {}
            Stepped::Killed => {
                let done = away.client.run(&args);
                assert_eq!(done.code, Some(0), "before effect {effect}: {done:?}");
            }
        }
        away.is_whole(&out, prefix, count);
        stepped
    }

    #[test]
    fn a_client_that_is_killed_anywhere_goes_on_and_loses_no_secret() {
        let away = Away::new();
        for effect in 1.. {
            match killed_and_gone_on(&away, &format!("e{effect}"), 4, effect) {
                Stepped::Forbidden => {
                    eprintln!("skipped: nobody may trace a process here");
                    return;
                }
                Stepped::Ended { .. } => break,
                Stepped::Killed => {}
            }
        }
        away.behind.ok(&["audit", "verify"]);
    }

    #[test]
    fn a_client_that_is_killed_in_its_second_request_goes_on_and_loses_no_secret() {
        let away = Away::new();
        let Stepped::Ended { effects, .. } = killed_and_gone_on(&away, "whole", MANY, usize::MAX) else {
            eprintln!("skipped: nobody may trace a process here");
            return;
        };
        // What it does since it sent the second request.
        let late = effects.saturating_sub(12)..effects;
        // Not every run has as many effects: some are reads of the network in more pieces.
        let killed =
            late.filter(|effect| killed_and_gone_on(&away, &format!("e{effect}"), MANY, *effect) == Stepped::Killed);
        assert!(killed.count() >= 4);
        away.behind.ok(&["audit", "verify"]);
    }
}
