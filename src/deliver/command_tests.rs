//! The exec sink, probes and hooks: what commands see, and what becomes of the secret when they misbehave.

use super::super::{
    Fault, Options, Reached, Receipt, Sink, SinkError,
    testing::{Listener, StandIns, facts, leaks, refused, sink, token},
};
use super::*;
use crate::domain::PlainToken;
use base64ct::Encoding;
use std::{fs, path::Path, sync::atomic::Ordering, time::Instant};

fn options() -> Options {
    Options {
        timeout: Duration::from_secs(60),
        path: Some("/usr/local/bin:/usr/bin:/bin".into()),
        ..Options::default()
    }
}

fn deliver(command: &str, token: &PlainToken, listener: &Listener) -> Result<Receipt, SinkError> {
    listener.with(|run| exec(command).deliver(token, run))
}

fn exec(command: &str) -> Sink {
    sink(&format!("exec:{command}"), &options())
}

#[test]
fn the_secret_is_on_standard_input_and_nowhere_else() {
    let stand_ins = StandIns::new();
    stand_ins.add("store", "");
    let sink = sink("exec:store --key {name} --env {env}", &stand_ins.options());
    sink.preflight().unwrap();
    assert_eq!(stand_ins.record("store", "argv"), "", "a preflight runs nothing");
    let (token, listener) = (token(), Listener::default());
    let receipt = listener.with(|run| sink.deliver(&token, run)).unwrap();
    assert_eq!(receipt.sink, "exec:store --key billing-sync --env production");
    assert!(sink.read_back().unwrap().is_none() && !sink.can_read_back());
    assert_eq!(stand_ins.record("store", "stdin"), token.expose_plaintext());
    assert_eq!(stand_ins.record("store", "argv"), "--key billing-sync --env production\n");
    for what in ["argv", "cmdline", "env"] {
        assert!(!leaks(&stand_ins.record("store", what), &token), "{what}");
    }
    assert!(!leaks(&listener.text(), &token) && !leaks(&receipt.detail, &token));
}

#[test]
fn a_variable_of_the_commands_own_is_set_when_asked_for() {
    let stand_ins = StandIns::new();
    stand_ins.add("store", "printf %s \"$API_KEY\" >$here/$me.variable; exit 0");
    let options = Options { exec_env: Some("API_KEY".to_owned()), ..stand_ins.options() };
    let token = token();
    // It need not be read from standard input then.
    Listener::default().with(|run| sink("exec:store", &options).deliver(&token, run)).unwrap();
    assert_eq!(stand_ins.record("store", "variable"), token.expose_plaintext());
    assert!(!leaks(&stand_ins.record("store", "cmdline"), &token));
    for name in ["1A", "A-B", "A=B", ""] {
        let options = Options { exec_env: Some(name.to_owned()), ..stand_ins.options() };
        assert_eq!(refused("exec:store", &options).fault, Fault::Usage, "{name}");
    }
}

#[test]
fn a_preflight_finds_missing_programs_and_broken_commands() {
    for command in [
        "cat",
        "/bin/cat -",
        "exec cat",
        "if true; then cat; fi",
        "x=1 cat",
        "(cat)",
        "\"cat\"",
        "cat|cat",
        "read -r a",
    ] {
        exec(command).preflight().unwrap_or_else(|error| panic!("{command}: {error}"));
    }
    let error = exec("no-such-program --flag").preflight().unwrap_err();
    assert_eq!((error.fault, error.reached), (Fault::Failed, Reached::No));
    assert_eq!(error.what, "there is no program no-such-program");
    assert_eq!(exec("/etc/passwd").preflight().unwrap_err().fault, Fault::Failed, "it cannot be executed");
    let error = exec("if true; then").preflight().unwrap_err();
    assert_eq!(error.fault, Fault::Usage);
}

#[test]
fn a_failing_command_is_a_failed_delivery_and_in_doubt_once_it_read() {
    let cases = [
        ("exit 3", Reached::No, "ended with 3"),
        ("exit 75", Reached::No, "ended with 75"),
        ("cat >/dev/null; exit 3", Reached::Maybe, "ended with 3"),
        ("cat >/dev/null; kill -9 $$", Reached::Maybe, "was killed by signal 9"),
        ("kill -9 $$", Reached::No, "was killed by signal 9"),
        ("true", Reached::No, "ended without reading the secret"),
        ("exec </dev/null", Reached::No, "ended without reading the secret"),
        ("no-such-program", Reached::No, "ended with 127"),
    ];
    for (command, reached, text) in cases {
        let (token, listener) = (token(), Listener::default());
        let error = deliver(command, &token, &listener).unwrap_err();
        // Only what was killed, or says so, may go well at another try.
        let fault = if command.contains("kill") || command.contains("75") { Fault::Unavailable } else { Fault::Failed };
        assert_eq!((error.fault, error.reached), (fault, reached), "{command}");
        assert!(error.what.contains(text), "{command}: {error}");
        assert!(!leaks(&error.to_string(), &token));
    }
}

#[test]
fn what_a_command_prints_is_shown_with_the_secret_masked() {
    let (token, listener) = (token(), Listener::default());
    let command = r#"v=$(cat); echo "value: $v."; echo "error: <$v>" >&2; echo "$v$v"; printf %s "$v" | dd bs=1 2>/dev/null; echo
        printf %s "$v" | base64; printf %s "login:$v" | base64 -w 0; echo; printf %s "aa$v" | base64 -w 30; echo "$v" | fold -w 20
        echo "$v" | cut -c 40-60; echo "$v" | tr '\n' ' '; echo plain; printf 'no end %s' "$v"; exit 7"#;
    let error = deliver(command, &token, &listener).unwrap_err();
    let heard = listener.text();
    assert!(!leaks(&heard, &token), "{heard}");
    assert!(!leaks(&error.to_string(), &token), "{error}");
    for line in ["value: ***.", "error: <***>", "v=$(cat);: ***\n", " *** plain", "no end ***"] {
        assert!(heard.contains(line) || heard.contains(&line.replace("v=$(cat);: ", "")), "{line}: {heard}");
    }
    for before in 0..3 {
        let shifted = format!("{}{}", "x".repeat(before), token.expose_plaintext());
        let encoded = base64ct::Base64::encode_string(shifted.as_bytes());
        assert!(!(8..encoded.len() - 20).any(|at| heard.contains(&encoded[at..at + 12])), "{heard}");
    }
}

#[test]
fn a_hanging_command_is_ended_with_all_its_descendants() {
    let token = token();
    let options = Options { timeout: Duration::from_millis(300), ..options() };
    let hanging = sink("exec:sleep 1000", &options);
    let error = Listener::default().with(|run| hanging.deliver(&token, run)).unwrap_err();
    assert_eq!((error.fault, error.reached), (Fault::Unavailable, Reached::No), "{error}");

    let listener = Listener { stop_at: Some("ready"), ..Listener::default() };
    let error = deliver("sleep 1000 & echo $!; cat >/dev/null; echo ready; wait", &token, &listener).unwrap_err();
    assert_eq!((error.fault, error.reached), (Fault::Interrupted, Reached::Maybe), "{error}");
    let heard = listener.text();
    let pid = heard.lines().next().unwrap().rsplit(' ').next().unwrap();
    assert!(pid.parse::<u32>().is_ok() && gone(pid), "{heard}");
}

/// Whether a process has ended; one that nobody has waited for yet counts.
fn gone(pid: &str) -> bool {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_stop_ends_a_command_even_one_that_ignores_the_polite_signal() {
    let token = token();
    let listener = Listener { stop_at: Some("ready"), ..Listener::default() };
    let error = deliver("echo ready; sleep 1000", &token, &listener).unwrap_err();
    assert_eq!((error.fault, error.reached), (Fault::Interrupted, Reached::No), "{error}");

    let listener = Listener { stop_at: Some("ready"), ..Listener::default() };
    let started = Instant::now();
    let stubborn = "trap '' TERM; cat >/dev/null; echo ready; while :; do sleep 0.1; done";
    let error = deliver(stubborn, &token, &listener).unwrap_err();
    assert_eq!((error.fault, error.reached), (Fault::Interrupted, Reached::Maybe), "{error}");
    assert!(started.elapsed() >= Duration::from_secs(2), "it was given its two seconds");

    // Nothing starts after that.
    let error = deliver("cat", &token, &listener).unwrap_err();
    assert_eq!((error.fault, error.reached), (Fault::Interrupted, Reached::No));
}

#[test]
fn the_deadline_of_the_run_counts_too() {
    let listener = Listener::default();
    let error = listener.with(|run| {
        let run = Running { deadline: Some(Instant::now() + Duration::from_millis(100)), ..*run };
        exec("sleep 1000").deliver(&token(), &run)
    });
    assert_eq!(error.unwrap_err().fault, Fault::Interrupted);
}

#[test]
fn a_background_process_that_keeps_the_pipes_does_not_keep_us() {
    let listener = Listener::default();
    // Were it waited for, the time limit would end it.
    deliver("cat >/dev/null; echo said; sleep 1000 & echo $!", &token(), &listener).unwrap();
    let heard = listener.text();
    let pid: i32 = heard.trim().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(heard.contains("said"));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn a_probe_is_tried_until_it_says_yes() {
    let stand_ins = StandIns::new();
    stand_ins.add("probe", "test $(wc -l <$here/$me.argv) -ge 3 || { cat; exit 1; }");
    let (token, listener) = (token(), Listener::default());
    let ask = |tries| {
        let retry = Retry { tries, backoff: Duration::from_millis(1) };
        listener.with(|run| probe("probe x", &token, retry, &stand_ins.options(), run))
    };
    let error = ask(2).unwrap_err();
    assert_eq!(error.what, "probe ended with 1");
    ask(2).unwrap();
    assert_eq!(stand_ins.record("probe", "argv"), "x\n".repeat(3));
    assert_eq!(stand_ins.record("probe", "stdin"), token.expose_plaintext());
    assert!(!leaks(&listener.text(), &token) && listener.text().contains("***"));
    assert!(!leaks(&error.to_string(), &token));

    listener.stop.store(true, Ordering::Relaxed);
    assert_eq!(ask(100).unwrap_err().fault, Fault::Interrupted);
}

#[test]
fn a_hook_gets_one_line_of_json_and_need_not_read_it() {
    let stand_ins = StandIns::new();
    stand_ins.add("notify", "");
    let json = serde_json::json!({"event": "rotated", "key": {"name": "billing-sync"}});
    let listener = Listener::default();
    let run_hook = |command: &str| listener.with(|run| hook(command, &json, None, &stand_ins.options(), run));
    run_hook("notify").unwrap();
    assert_eq!(stand_ins.record("notify", "stdin"), format!("{json}\n"));
    run_hook("true").unwrap();
    assert_eq!(run_hook("exit 4").unwrap_err().what, "exit ended with 4");
}

#[test]
fn facts_in_a_command_are_plain_words() {
    assert_eq!(command_for("check {name} ${name} {x} {print $1}", &facts()).unwrap(), {
        "check billing-sync ${name} {x} {print $1}"
    });
    for name in ["a b", "a;b", "$(id)", "`id`", "a'b", "-rf", "..", "a/b", "a\nb", "", "é"] {
        let key = KeyFacts { name, ..facts() };
        let error = command_for("check {name}", &key).unwrap_err();
        assert_eq!(error.fault, Fault::Usage, "{name}");
    }
}
