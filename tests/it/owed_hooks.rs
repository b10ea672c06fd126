//! A hook is told of every rotation, also when keyward is killed between the commit and the hook: the next run tells it.

use crate::support::{
    Home,
    door::{Door, Doors},
    kills,
    stepping::{Stepped, killed_before},
};
use serde_json::Value;
use std::process::Command;

const HOOKS: [&str; 4] = ["--on-rotated", "cat >> rotated", "--on-done", "cat >> done"];
const DUE: [&str; 9] =
    ["rotate", "--due", "--due-within", "31d", "--yes", "--max", "9", "--deliver", "file:{name}.key"];
const LATE: &str = "an earlier run was ended before it had told a hook of";

fn lines(home: &Home, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(home.path().join(file)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn notes(home: &Home) -> usize {
    std::fs::read_dir(home.path().join(".local/state/keyward/owed")).map_or(0, |found| found.count())
}

fn owes_a_hook(door: &Door<'_>) {
    let home = door.home;
    door.run(&["-q", "create", "app", "--rotate-every", "30d"], "");
    // The hook is begun, and keyward killed before the hook has done anything: nobody was told.
    let killed =
        door.run(&[&DUE[..], &["--on-rotated", "kill -9 $PPID; sleep 0.1", "--on-done", "cat >> done"]].concat(), "");
    assert_eq!(killed.code, None, "{killed:?}");
    assert_eq!((lines(home, "done").len(), notes(home)), (0, 1));
    let doctor = door.run(&["doctor"], "");
    assert!(doctor.stdout.contains("1 run ended before every hook was told"), "{doctor:?}");
}

/// At every door; and whichever command comes next tells it, once.
#[test]
fn a_hook_that_a_killed_run_did_not_come_to_is_told_by_the_next() {
    let next: [&[&str]; 3] = [&DUE, &["rotate", "app", "-q"], &["rotation", "resume", "app"]];
    for (at, next) in next.iter().enumerate() {
        let doors = Doors::new();
        let door = if at % 2 == 0 { doors.there() } else { doors.here() };
        owes_a_hook(&door);
        let home = door.home;
        // The command is what it is now told by: it was kept as it was given.
        let note =
            std::fs::read_dir(home.path().join(".local/state/keyward/owed")).unwrap().next().unwrap().unwrap().path();
        let text = std::fs::read_to_string(&note).unwrap();
        let key = home.read("app.key");
        assert!(!text.contains(key.trim()), "no secret is in the note: {text}");
        std::fs::write(&note, text.replace("kill -9 $PPID; sleep 0.1", "cat >> rotated")).unwrap();
        let ran = door.run(next, "");
        assert!(ran.stderr.contains(&format!("{LATE} app (key_")), "{next:?}: {ran:?}");
        let (rotated, done) = (lines(home, "rotated"), lines(home, "done"));
        assert_eq!((rotated.len(), done.len(), notes(home)), (1, 1, 0), "{next:?}: {ran:?}");
        assert_eq!((&rotated[0]["name"], &rotated[0]["outcome"]), (&"app".into(), &"rotated".into()));
        assert_eq!((&done[0]["rotated"], &done[0]["interrupted"]), (&1.into(), &true.into()), "{done:?}");
        // Told once.
        let again = door.run(next, "");
        assert!(!again.stderr.contains(LATE), "{again:?}");
        assert_eq!(lines(home, "rotated").len(), 1);
    }
}

/// One whose run was stopped in order waits as well, and so does the word for the end.
#[test]
fn a_hook_that_was_ended_with_its_run_is_told_again() {
    let home = Home::new();
    home.ok(&["create", "app", "--rotate-every", "30d", "-q"]);
    let stop = "kill -TERM $PPID; cat > begun; exec sleep 30";
    let stopped = home.run(&[&DUE[..], &["--on-rotated", stop, "--on-done", "cat >> done"]].concat());
    assert_eq!(stopped.code, Some(143), "{stopped:?}");
    assert!(stopped.stderr.contains("not every hook was told"), "{stopped:?}");
    assert_eq!(notes(&home), 1);
}

/// A hook that says no was told: it is struck off, and the run is what it was.
#[test]
fn a_hook_that_fails_was_told() {
    let home = Home::new();
    home.ok(&["create", "app", "--rotate-every", "30d", "-q"]);
    let failed = home.run(&[&DUE[..], &["--on-rotated", "exit 3"]].concat());
    assert_eq!((failed.code, notes(&home)), (Some(0), 0), "{failed:?}");
    home.ok(&["create", "other", "--rotate-every", "30d", "-q"]);
    let refused = home.run(&[&["rotate", "nobody"][..], &HOOKS].concat());
    assert_eq!((refused.code, notes(&home)), (Some(3), 0), "{refused:?}");
    home.run(&[&["rotate", "other", "--dry-run"][..], &HOOKS].concat());
    assert_eq!(notes(&home), 0);
}

/// A hook that ends keyward whenever it is told holds up no rotation for ever.
#[test]
fn a_hook_that_ends_every_run_is_given_up() {
    let home = Home::new();
    owes_a_hook(&Door::local(&home));
    for _ in 0..3 {
        assert_eq!(home.run(&DUE).code, None);
    }
    let next = home.run(&DUE);
    assert!(next.code == Some(0) && next.stderr.contains("is told no more: kill -9 $PPID"), "{next:?}");
    assert_eq!((lines(&home, "done").len(), notes(&home)), (1, 0), "the end is told: {next:?}");
}

/// A note that others can write could choose what is run.
#[test]
fn a_note_that_others_can_write_is_not_believed() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    owes_a_hook(&Door::local(&home));
    let note =
        std::fs::read_dir(home.path().join(".local/state/keyward/owed")).unwrap().next().unwrap().unwrap().path();
    std::fs::set_permissions(&note, std::fs::Permissions::from_mode(0o666)).unwrap();
    let ran = home.run(&DUE);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("others can write to it") && !ran.stderr.contains(LATE), "{ran:?}");
    assert_eq!((lines(&home, "done").len(), notes(&home)), (0, 1));
}

/// Killed right before each of its effects: where the key has a new secret, the hook hears of it, from this run or the next.
#[test]
fn whenever_a_run_is_killed_its_hook_is_told_of_what_was_rotated() {
    let run = |home: &Home| -> Command { home.command(&[&DUE[..], &HOOKS].concat()) };
    let made = || {
        let home = Home::new();
        home.ok(&["create", "app", "--rotate-every", "30d", "-q"]);
        home
    };
    let effects = match killed_before(&run(&made()), usize::MAX) {
        Stepped::Ended { code: 0, effects } => effects,
        Stepped::Forbidden => return eprintln!("skipped: nobody may trace a process here"),
        other => panic!("{other:?}"),
    };
    let steps = kills::size(12).min(effects);
    for step in 0..steps {
        // The later half is where the commit, the hooks and the end are.
        let effect = if steps == effects { step + 1 } else { effects - (effects / 2) * step / steps };
        let home = made();
        // How many effects there are differs a little from run to run.
        let stepped = killed_before(&run(&home), effect);
        assert!(
            matches!(stepped, Stepped::Killed | Stepped::Ended { code: 0, .. }),
            "before effect {effect}: {stepped:?}"
        );
        let next = home.run(&DUE);
        assert_eq!(next.code, Some(0), "after effect {effect}: {next:?}");
        let told = lines(&home, "rotated");
        let rotated_before = !next.stderr.contains("1 rotated");
        assert!(!told.is_empty() || !rotated_before, "before effect {effect}: nobody heard of it: {next:?}");
        assert_eq!(notes(&home), 0, "before effect {effect}: {next:?}");
    }
}
