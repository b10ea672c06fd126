//! The same creation again: whoever waits for a secret never takes nothing for one, and nothing that holds the only copy of
//! one is overwritten.

use crate::support::{Home, door::Doors};
use serde_json::Value;

#[test]
fn a_secret_that_is_not_given_again_is_exit_code_15() {
    let doors = Doors::new();
    for door in [doors.here(), doors.there()] {
        let run = |line: &str| door.run(&line.split(' ').collect::<Vec<_>>(), "");
        for (first, again) in [
            ("-q create a", "-q create a --if-not-exists"),
            ("-q create b --idempotency-key B", "-q create b --idempotency-key B"),
            ("create c --field secret", "create c --if-not-exists --field secret"),
            ("-q rotate a --idempotency-key R", "-q rotate a --idempotency-key R"),
        ] {
            let made = run(first);
            assert!(made.code == Some(0) && made.stdout.starts_with("kw_dev_"), "{first}: {made:?}");
            let ran = run(again);
            assert_eq!((ran.code, ran.stdout.trim()), (Some(15), ""), "{again}: {ran:?}");
            assert!(
                ran.stderr.contains("not shown again") && ran.stderr.contains("hint: keyward rotate key_"),
                "{ran:?}"
            );
        }
        let told = run("-o json create a --if-not-exists --field secret").error();
        assert_eq!((&told["code"], &told["retryable"]), (&"EXISTS".into(), &false.into()), "{told}");
        let dry = run("-q create a --if-not-exists --dry-run");
        assert_eq!(dry.code, Some(0), "nothing would be printed anyway: {dry:?}");
        let plain = run("create a --if-not-exists");
        assert_eq!((plain.code, plain.stdout.as_str()), (Some(0), ""), "{plain:?}");
    }
}

#[test]
fn the_reply_of_a_creation_says_whether_the_key_was_there() {
    let doors = Doors::new();
    for door in [doors.here(), doors.there()] {
        for (line, existed) in [
            ("create a --if-not-exists -o json", false),
            ("create a --if-not-exists -o json", true),
            ("create a --if-not-exists -o jsonl", true),
            ("create b --idempotency-key B -o json", false),
            ("create b --idempotency-key B -o json", true),
            ("create c --if-not-exists --deliver file:c.key -o json", false),
            ("create c --if-not-exists --deliver file:c.key -o json", true),
        ] {
            let ran = door.run(&line.split(' ').collect::<Vec<_>>(), "");
            let reply: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{line}: {ran:?}"));
            assert_eq!((ran.code, &reply["existed"]), (Some(0), &existed.into()), "{line}: {reply:#}");
            let has_secret = !existed && !line.contains("--deliver");
            assert_eq!(reply["secret"].is_string(), has_secret, "{line}: {reply:#}");
        }
        assert_eq!(door.run(&["create", "a", "--if-not-exists", "--field", "existed"], "").code, Some(2));
    }
}

#[test]
fn a_file_of_keys_once_more_says_what_is_in_the_new_file() {
    let doors = Doors::new();
    for door in [doors.here(), doors.there()] {
        door.home.write("two.csv", "name\nx\ny\n");
        door.home.write("three.csv", "name\nx\ny\nz\n");
        let run = |from: &str, out: &str| door.run(&["create", "--from", from, "--out", out, "--if-not-exists"], "");
        let first = run("two.csv", "1.jsonl");
        assert!(first.stderr.contains("created 2 keys; their secrets are in 1.jsonl"), "{first:?}");
        let again = run("two.csv", "2.jsonl");
        assert!(again.stderr.contains("2 existed; 2.jsonl lists them without a secret"), "{again:?}");
        assert!(!door.home.read("2.jsonl").contains("kw_dev_"));
        let more = run("three.csv", "3.jsonl");
        assert!(
            more.stderr.contains("created 1 key, 2 existed; the secrets of the new ones are in 3.jsonl"),
            "{more:?}"
        );
        let lines: Vec<Value> =
            door.home.read("3.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told: Vec<_> = lines.iter().map(|line| (line["existed"].clone(), line["secret"].is_string())).collect();
        assert_eq!(told, [(true.into(), false), (true.into(), false), (false.into(), true)]);
        let kept = run("two.csv", "1.jsonl");
        assert_eq!(kept.code, Some(6), "the only copy of secrets is not overwritten: {kept:?}");
        let quiet = door.run(&["-q", "create", "--from", "three.csv", "--if-not-exists"], "");
        assert_eq!((quiet.code, quiet.stdout.as_str()), (Some(15), "\n\n\n"), "{quiet:?}");
        let asked = door.run(&["create", "--from", "two.csv", "--out", "4.jsonl", "--if-not-exists", "-o", "json"], "");
        let reply: Value = serde_json::from_str(&asked.stdout).unwrap();
        assert_eq!(reply["page"]["total"], 2, "{asked:?}");
    }
}

#[test]
fn what_a_job_is_shown_to_do_never_empties_the_file_with_the_secret() {
    let home = Home::new();
    home.ok(&["init"]);
    let shown = format!("{}\n{}", include_str!("../../README.md"), home.ok(&["help", "ci"]));
    let recipe = "keyward create report-mailer --if-not-exists --deliver file:report-mailer.key";
    assert!(shown.contains(recipe), "the README shows another way");
    let kept = || home.read("report-mailer.key");
    assert_eq!(home.shell(recipe).code, Some(0));
    let secret = kept();
    let again = home.shell(recipe);
    assert_eq!((again.code, kept()), (Some(0), secret.clone()), "{again:?}");
    assert!(home.works(secret.trim()));
    // A redirection empties its file before keyward runs: no creation is shown with one.
    for line in shown.lines().filter(|line| line.contains("keyward") && line.contains(" create ")) {
        assert!(!line.contains('>') || line.contains("set -C"), "{line}");
    }
}
