//! The trail leaves the machine while a server runs: streams that repeat and never skip, and checkpoints on a schedule.

use crate::support::{Home, server::Served};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
};

/// The numbers of the events in lines of JSON.
fn numbers(lines: &str) -> Vec<u64> {
    lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap()).collect()
}

fn in_order(upto: u64) -> Vec<u64> {
    (1..=upto).collect()
}

fn events(home: &Home) -> u64 {
    home.json(&["audit", "list", "--limit", "1"])["page"]["total"].as_u64().unwrap()
}

/// Waits until a file has so many events.
fn until(path: &Path, count: u64) -> String {
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.ends_with('\n') && text.lines().count() as u64 >= count {
            return text;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_stream_goes_on_where_it_was_and_its_lines_can_be_checked() {
    let home = Home::with_vault();
    home.ok(&["create", "one"]);
    let path = home.path().join("trail.jsonl");
    let to = format!("file:{}", path.display());
    let server = Served::start(&home, &["--stream", &to]);
    home.ok(&["create", "two"]);
    let count = events(&home);
    assert_eq!(numbers(&until(&path, count)), in_order(count));
    server.stop(Signal::SIGTERM);
    home.ok(&["create", "three"]);
    let server = Served::start(&home, &["--stream", &to]);
    let count = events(&home);
    let text = until(&path, count);
    assert_eq!(numbers(&text), in_order(count), "nothing twice after a clean stop");
    server.stop(Signal::SIGTERM);
    let begun: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let begins: Vec<&Value> = begun.iter().filter(|event| event["action"] == "audit.export").collect();
    assert_eq!(begins.len(), 2, "that a stream begins is itself an event");
    assert_eq!(begins[1]["changes"]["stream"], to);
    assert!(begun.iter().all(|event| event["leaf"].is_string() && event["body"].is_string()));
    home.ok(&["audit", "verify"]);
}

/// One request of a stream, with its head and body.
fn request(listener: &TcpListener) -> (TcpStream, String, String) {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (stream, head, String::from_utf8(body).unwrap())
}

fn answer(mut stream: TcpStream, status: &str) {
    stream
        .write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes())
        .unwrap();
}

#[test]
fn a_kill_between_sending_and_the_cursor_repeats_and_never_skips() {
    let home = Home::with_vault();
    home.ok(&["create", "one"]);
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("http://user:canary@{}/in?token=canary", receiver.local_addr().unwrap());
    let server = Served::start(&home, &["--stream", &to]);
    let (stream, head, first) = request(&receiver);
    assert!(head.to_ascii_lowercase().contains("idempotency-key: "), "{head}");
    // It has been sent, and is not confirmed.
    server.stop(Signal::SIGKILL);
    drop(stream);
    assert!(!numbers(&first).is_empty());

    home.ok(&["create", "two"]);
    let server = Served::start(&home, &["--stream", &to]);
    let (stream, _, again) = request(&receiver);
    assert!(again.starts_with(&first), "what was not confirmed comes again");
    answer(stream, "503 Busy");
    let (stream, _, third) = request(&receiver);
    assert!(third.starts_with(&again), "what was refused comes again");
    answer(stream, "204 No Content");
    home.ok(&["create", "three"]);
    let (stream, _, next) = request(&receiver);
    answer(stream, "200 OK");
    let (_, said) = server.stop(Signal::SIGTERM);
    let mut all = numbers(&third);
    all.extend(numbers(&next));
    assert_eq!(all, in_order(all.len() as u64));
    let trail = home.ok(&["-o", "json", "audit", "list"]);
    assert!(!trail.contains("canary") && !said.contains("canary"), "a credential of a place is told: {said}");
}

#[test]
fn syslog_receives_framed_events_and_confirms_by_closing() {
    let home = Home::with_vault();
    home.ok(&["create", "one"]);
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("syslog:{}", receiver.local_addr().unwrap());
    let server = Served::start(&home, &["--stream", &to, "--stream-format", "ocsf"]);
    let read = || {
        let mut all = String::new();
        let (mut stream, _) = receiver.accept().unwrap();
        stream.read_to_string(&mut all).unwrap();
        all
    };
    let first = read();
    let (length, rest) = first.split_once(' ').unwrap();
    let message = &rest[..length.parse::<usize>().unwrap()];
    assert!(message.starts_with("<110>1 ") && message.contains("seq=\"1\""), "{message}");
    home.ok(&["create", "two"]);
    // A receiver that goes away with something unread has confirmed nothing.
    let (stream, _) = receiver.accept().unwrap();
    stream.peek(&mut [0]).unwrap();
    drop(stream);
    assert!(read().contains("action=\"key.create\""), "it comes again");
    server.stop(Signal::SIGTERM);
}

#[test]
fn checkpoints_are_made_on_a_schedule_and_hold() {
    let home = Home::with_vault();
    home.ok(&["create", "one"]);
    let path = home.path().join("anchors");
    let to = format!("file:{}", path.display());
    let server = Served::start(&home, &["--checkpoint-to", &to, "--checkpoint-every", "1s"]);
    let many = |count| {
        while std::fs::read_to_string(&path).unwrap_or_default().matches("— keyward").count() < count {
            std::thread::yield_now();
        }
    };
    many(1);
    home.ok(&["create", "two"]);
    many(2);
    let told = server.get("/metrics", &[]).body;
    assert!(told.contains("keyward_checkpoint_size{place="), "{told}");
    server.stop(Signal::SIGTERM);
    home.ok(&["audit", "verify", "--checkpoint", path.to_str().unwrap()]);
    let made = home.json(&["audit", "list", "--action", "audit.checkpoint"])["page"]["total"].as_u64().unwrap();
    assert_eq!(made, 2, "a checkpoint is nothing to make another one for");
    let beside = format!("file:{}", home.keystore().with_file_name("anchors").display());
    let refused = home.run(&["serve", "--listen", "127.0.0.1:0", "--checkpoint-to", &beside]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[test]
fn a_plan_without_export_streams_nothing() {
    let home = Home::with_vault();
    home.ok(&["plans", "create", "small", "--audit-export", "false"]);
    home.ok(&["workspaces", "update", "default", "--plan", "small"]);
    let refused = home.run(&["serve", "--listen", "127.0.0.1:0", "--stream", "file:out"]);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.stderr.contains("small"), "{refused:?}");
    let udp = home.run(&["serve", "--stream", "http://siem.example/in"]);
    assert_eq!(udp.code, Some(2), "{udp:?}");
}

#[test]
fn a_place_that_does_not_answer_does_not_keep_a_stop_from_writing_usage() {
    let home = Home::with_vault();
    let key = home.ok(&["create", "one"]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("http://{}/in", silent.local_addr().unwrap());
    let server = Served::start(&home, &["--stream", &to, "--usage-interval", "1h"]);
    let (held, _, _) = request(&silent);
    assert_eq!(server.send("POST", "/v1/validate", &[("X-API-Key", &key)], "").status, 200);
    let (status, said) = server.stop(Signal::SIGTERM);
    drop(held);
    assert!(status.success() && said.contains("did not answer"), "{said}");
    assert_eq!(home.json(&["show", "one"])["key"]["uses"], 1);
}

#[test]
fn a_checkpoint_that_a_client_made_up_is_no_failure_of_the_server() {
    let home = Home::with_vault();
    let root = format!("Bearer {}", home.ok(&["operators", "create", "root", "--role", "platform-admin"]));
    let server = Served::start(&home, &[]);
    let sent = serde_json::json!({ "checkpoints": [{ "place": "here", "note": "no checkpoint" }] }).to_string();
    let answer = server.send("POST", "/v1/audit/verify", &[("Authorization", &root)], &sent);
    assert_eq!(answer.json()["reason"], "checkpoint_malformed", "{answer:?}");
    let (_, said) = server.stop(nix::sys::signal::Signal::SIGTERM);
    assert!(!said.contains("a request failed"), "{said}");
}
