//! No option is accepted and ignored: every command of the help is asked with options that it would have to heed, and
//! heeds them or refuses them.

use crate::{
    examples::{self, ASKED, NOT_RUN},
    support::{Home, Ran},
};
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Examples to which options can be added, one a line.
fn lines() -> Vec<String> {
    let mut lines = examples::examples();
    lines.retain(|line| {
        let left_out = NOT_RUN.iter().any(|(name, _)| name == line) || ASKED.iter().any(|(name, _)| name == line);
        let is_plain = line.starts_with("keyward ") && !["|", "&&", "$("].iter().any(|joined| line.contains(joined));
        // What is a server, or needs one of its own.
        let served = ["keyward serve", "keyward login", "keyward logout", "keyward profile remove", "keyward self"];
        !left_out && is_plain && !served.iter().any(|one| line.starts_with(one)) && examples::wants(line).is_none()
    });
    lines
}

/// Runs an example with more options in a copy of a home, and looks at it and at the home.
fn with(line: &str, more: &str, base: &Home) -> (Ran, Home) {
    let home = examples::copy_of(base);
    examples::prepare(&home, line).unwrap();
    let text = examples::at_home(line, &home);
    let ran = Ran::of(examples::shell(&home, &format!("{text} {more}")).output().unwrap());
    (ran, home)
}

/// Every line by two workers; what is wrong with any of them.
fn each(lines: &[String], judge: impl Fn(&str) -> Vec<String> + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some(line) = lines.get(next.fetch_add(1, Ordering::Relaxed)) {
            wrong.extend(judge(line));
        }
        wrong
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn options_that_do_not_go_together_are_refused_by_every_command() {
    let (base, lines) = (examples::prepared(), lines());
    assert!(lines.len() > 80, "only {} were found", lines.len());
    each(&lines, |line| {
        let together = [
            "-o json --columns name",
            "-o name --columns name",
            "-o csv -q",
            "-o markdown -q",
            "-o wide -q",
            "-q --columns name",
            "-o json --time local",
            "-q --time local",
            "--field x --time utc",
            "--field x -o csv",
        ];
        let text = examples::at_home(line, &base);
        let asked = together.iter().filter_map(|more| {
            let ran = Ran::of(examples::shell(&base, &format!("{text} {more}")).output().unwrap());
            (ran.code != Some(2) || !ran.stdout.is_empty()).then(|| format!("{line} {more}\n    {ran:?}"))
        });
        asked.collect()
    });
}

#[test]
fn a_column_or_a_field_that_there_is_not_is_never_passed_over() {
    let base = examples::prepared();
    each(&lines(), |line| {
        let asked = ["--columns nosuch", "--field nosuch"].into_iter().filter_map(|more| {
            let (ran, _) = with(line, more, &base);
            let heard = ran.code == Some(2) || ran.stderr.contains("nosuch");
            (!heard).then(|| format!("{line} {more}\n    {ran:?}"))
        });
        asked.collect()
    });
}

#[test]
fn a_reply_is_in_the_format_that_was_asked_for() {
    let base = examples::prepared();
    each(&lines(), |line| {
        let mut wrong = Vec::new();
        for format in ["json", "jsonl", "csv", "markdown"] {
            let (ran, _) = with(line, &format!("-o {format}"), &base);
            let is_json = |text: &str| serde_json::from_str::<Value>(text).is_ok();
            let is_of_it = ran.stdout.is_empty()
                || match format {
                    "json" => is_json(&ran.stdout),
                    "jsonl" => ran.stdout.lines().all(is_json),
                    "csv" => ran.stdout.ends_with("\r\n"),
                    _ => ran.stdout.lines().any(|row| row.starts_with("| ---")),
                };
            // What goes into a file is not looked at here.
            let is_there = !ran.stdout.is_empty() || format == "jsonl" || line.contains('>');
            if ran.code != Some(2) && !(is_of_it && is_there) && !line.contains("--field") {
                wrong.push(format!("{line} -o {format}\n    {ran:?}"));
            }
        }
        wrong
    });
}

#[test]
fn a_reason_is_recorded_or_refused() {
    let base = examples::prepared();
    each(&lines(), |line| {
        if ["--reason", "--dry-run", "init", "vault restore", "vault adopt", "vault delete"]
            .iter()
            .any(|without| line.contains(without))
        {
            return Vec::new();
        }
        let (ran, home) = with(line, "--reason of-the-test --ticket T-1", &base);
        let recorded = || {
            let trail = home.run(&["-o", "json", "audit", "list"]).stdout;
            trail.contains("\"of-the-test\"") && trail.contains("\"T-1\"")
        };
        // What did nothing has nothing to record.
        let idle = ["already so", "no events are older", "nothing is due", "no differences"];
        let heard = ran.code == Some(2) || idle.iter().any(|said| ran.stderr.contains(said)) || recorded();
        if heard { Vec::new() } else { vec![format!("{line}\n    {ran:?}")] }
    });
}

#[test]
fn what_is_preferred_gives_way_to_what_is_said() {
    let home = Home::new();
    home.ok(&["create", "a"]);
    let id = home.ok(&["show", "a", "--field", "id"]);
    for (variable, line, expected) in [
        ("json", "list -q", format!("{id}\n")),
        ("csv", "list -q", format!("{id}\n")),
        ("json", "list --columns name", "NAME\na\n".to_owned()),
        ("csv", "list --columns name", "name\r\na\r\n".to_owned()),
        ("csv", "list --field name", "a\n".to_owned()),
        ("name", "list", "a\n".to_owned()),
    ] {
        let ran = home.run_in(&line.split(' ').collect::<Vec<_>>(), &[("KEYWARD_OUTPUT", variable)]);
        assert_eq!((ran.code, ran.stdout), (Some(0), expected), "{variable}: {line}");
    }
    let secret = home.run_in(&["-q", "create", "b"], &[("KEYWARD_OUTPUT", "json")]);
    assert!(secret.stdout.starts_with("kw_dev_") && secret.stdout.lines().count() == 1, "{secret:?}");
}

#[test]
fn an_option_that_would_be_ignored_is_refused_and_says_why() {
    let home = Home::new();
    home.ok(&["create", "a"]);
    home.write("t", "x\n");
    for line in [
        "list --count --limit 1",
        "list --count --sort name",
        "list --ca-file t",
        "list --token-file t",
        "list --server http://127.0.0.1:9 --key-file t",
        "list --server http://127.0.0.1:9 --passphrase-file t",
        "list --reason x",
        "show a --ticket x",
        "completions bash --vault v",
        "completions bash -o json",
        "help output -o csv",
        "man --workspace w",
        "scan-rule --server http://127.0.0.1:9",
        "vault status --workspace w",
        "plans list --workspace w",
        "audit verify --workspace w",
        "verify - --explain -q",
        "whoami --explain -q",
        "unlock -o csv",
        "audit export -o markdown",
        "audit export --format cef -o csv",
        "audit export --columns seq",
        "audit list --follow -o csv",
        "logs --follow -o csv",
        "rotation show rot_0123456789abcdef --env staging",
        "rotate a --exec-env X",
        "rotate --due --yes --max 1 --deliver file:x --exec-env X",
    ] {
        let ran = home.run_with(&line.split(' ').collect::<Vec<_>>(), "x");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{line}: {ran:?}");
        assert!(ran.stderr.contains("error") && ran.stderr.contains("hint"), "{line}: {ran:?}");
    }
    let ticket = home.run(&["audit", "list", "--ticket", "OPS-1"]);
    assert!(ticket.code == Some(2) && ticket.stderr.contains("--for-ticket"), "{ticket:?}");
}
