//! What a child inherits, how much of its input it took, and how much of its output is shown.

use super::*;
use std::sync::atomic::AtomicBool;

fn shell(text: &str, input: &[u8], show: &dyn Fn(Shown<'_>)) -> Ended {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", text]);
    let job = Job { command, program: "sh", input, mask: None, path: None, limit: Duration::from_secs(60) };
    let stop = AtomicBool::new(false);
    match run(job, &Running { deadline: None, stop: &stop, show }) {
        Ok(ended) => ended,
        Err(_) => panic!("{text}"),
    }
}

#[test]
fn what_nobody_read_is_known() {
    let big = vec![b'x'; 1 << 20];
    for (text, input, unread) in [
        ("cat >/dev/null", &b"secret"[..], Some(0)),
        ("true", b"secret", Some(6)),
        ("exec <&-", b"secret", Some(6)),
        ("dd bs=1 count=2 >/dev/null 2>&1", b"secret", Some(4)),
        ("true", b"", Some(0)),
        ("cat >/dev/null", &big, Some(0)),
        ("true", &big, Some(1 << 20)),
        ("head -c 1 >/dev/null", &big, None),
    ] {
        let ended = shell(text, input, &|_| {});
        assert!(ended.status.success(), "{text}");
        assert!(unread.is_none_or(|unread| unread == ended.unread), "{text}: {}", ended.unread);
    }
}

#[test]
fn both_streams_are_heard_to_the_end() {
    let lines = std::cell::RefCell::new(Vec::new());
    let show = |shown: Shown<'_>| {
        if let Shown::Line { text, .. } = shown {
            lines.borrow_mut().push(text.to_owned());
        }
    };
    let ended = shell("echo out; echo err >&2; printf '\\033[31mno end\\377'", b"", &show);
    let mut heard = lines.take();
    heard.sort();
    assert_eq!(heard, ["\u{1b}[31mno end\u{fffd}", "err", "out"]);
    assert!(ended.last_line.is_some());
    // A runaway program does not fill the log, and is not waited for longer than it runs.
    shell("yes | head -c 10000000", b"", &show);
    let heard = lines.take();
    assert!(heard.iter().map(String::len).sum::<usize>() <= MOST_SHOWN + 100);
    assert!(heard.last().unwrap().contains("the rest is not shown"));
}

#[test]
fn a_child_does_not_inherit_what_opens_a_vault() {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "env"]).env("KEYWARD_SESSION", "s").env("KEYWARD_TOKEN", "t").env("KEYWARD_VAULT", "v");
    let job = Job { command, program: "env", input: b"", mask: None, path: None, limit: Duration::from_secs(60) };
    let stop = AtomicBool::new(false);
    let Ok(ended) = run(job, &Running { deadline: None, stop: &stop, show: &|_| {} }) else { panic!() };
    assert!(ended.shown.contains("KEYWARD_VAULT=v"));
    assert!(!ended.shown.contains("KEYWARD_SESSION") && !ended.shown.contains("KEYWARD_TOKEN"), "{}", ended.shown);
}
