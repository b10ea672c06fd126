//! Rotations through the library alone, without a command line: what became of a secret is told as facts, and what happens
//! meanwhile goes to an observer.

use crate::support::{Home, library};
use keyward::{
    backend::{Backend, Dirs},
    deliver::{Options, Retry, Shown, SinkSpec},
    domain::KeyRef,
    ops::{Context, Create, KeyView, Result, Show, Stage},
    rotate::{Bounds, Counts, Driver, Due, Failure, Left, Observer, Outcome, Targets},
};
use std::{fs, sync::atomic::AtomicBool, time::Duration};

/// What was heard.
#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    ended: Vec<(String, &'static str)>,
}

impl Observer for Heard {
    fn said(&mut self, shown: Shown<'_>) {
        if let Shown::Line { program, text } = shown {
            self.lines.push(format!("{program}: {text}"));
        }
    }

    fn remarked(&mut self, _remark: &str) {}

    fn ended(&mut self, key: &KeyView, outcome: &Outcome) -> Result<()> {
        let word = match outcome {
            Outcome::Rotated(_) => "rotated",
            Outcome::Failed(Failure::ThrownAway { .. }) => "thrown away",
            Outcome::Left(Left::Enough) => "enough",
            _ => "otherwise",
        };
        self.ended.push((key.name.clone(), word));
        Ok(())
    }
}

fn targets(home: &Home, sink: &str) -> Targets {
    let own = ["data", "config", "state", "run"].map(|name| home.path().join(name));
    let [data, config, state, runtime] = own;
    Targets {
        sinks: vec![sink.parse::<SinkSpec>().unwrap()],
        map: None,
        probe: None,
        retry: Retry { tries: 1, backoff: Duration::from_millis(1) },
        options: Options { path: std::env::var_os("PATH"), ..Options::default() },
        own: Dirs { data, config, state, runtime, require_state: false },
    }
}

fn created(backend: &dyn Backend, cx: &Context, name: &str) -> KeyView {
    let rotate_every = Some(Some(chrono::TimeDelta::days(30)));
    backend.run(cx, Create { rotate_every, ..Create::named(name.to_owned()) }).unwrap().key
}

fn stage(key: &KeyView) -> Stage {
    Stage::of(KeyRef::Id(key.id.parse().unwrap()))
}

#[test]
fn a_rotation_needs_no_command_line() {
    let home = Home::with_vault();
    let cx = library::at(keyward::config::now().unwrap());
    let backend = library::open(&library::vault(&home), &cx);
    let key = created(&*backend, &cx, "mailer");
    let file = home.path().join("mailer.key");
    let stop = AtomicBool::new(false);
    let bounds = Bounds { deadline: None, stop: &stop };
    let mut heard = Heard::default();

    let to_file = targets(&home, &format!("file:{}", file.display()));
    let driver = Driver { backend: &*backend, cx: &cx, targets: &to_file, bounds };
    let target = to_file.for_key(&key).unwrap().unwrap();
    let delivered = driver.rotate(&target, stage(&key), &mut heard).unwrap();
    assert!(delivered.acted && !delivered.rotation.unwrap().running);
    assert!(fs::read_to_string(&file).unwrap().starts_with("kw_"));

    // A sink that says no before it took anything: the old secret is the current one, and no rotation runs.
    let refusing = targets(&home, "exec:sh -c 'echo not today >&2; exit 1'");
    let driver = Driver { targets: &refusing, ..driver };
    let target = refusing.for_key(&key).unwrap().unwrap();
    let supersede = Stage { supersede: true, ..stage(&key) };
    let failure = driver.rotate(&target, supersede, &mut heard).err().unwrap();
    assert!(matches!(failure, Failure::ThrownAway { .. }), "{failure:?}");
    let shown = backend.ask(&cx, &Show { key: key.id.parse().unwrap(), environment: None }).unwrap();
    assert_eq!(shown.rotation.id, None, "no rotation is left running");
    assert!(heard.lines.iter().any(|line| line.ends_with("not today")), "{:?}", heard.lines);
}

#[test]
fn a_due_run_is_bounded_and_tells_of_each_key() {
    let home = Home::with_vault();
    let cx = library::at(keyward::config::now().unwrap());
    let backend = library::open(&library::vault(&home), &cx);
    for name in ["first", "second", "third"] {
        created(&*backend, &cx, name);
    }
    let later = Context { now: cx.now + chrono::TimeDelta::days(40), ..cx.clone() };
    let stop = AtomicBool::new(false);
    let sinks = targets(&home, &format!("file:{}/{{name}}.key", home.path().display()));
    let bounds = Bounds { deadline: None, stop: &stop };
    let driver = Driver { backend: &*backend, cx: &later, targets: &sinks, bounds };
    let mut heard = Heard::default();
    let counts = driver.run_due(&Due { max: Some(2), ..Due::default() }, &mut heard).unwrap();
    assert_eq!(counts, Counts { begun: 2, rotated: 2, left: 1, ..Counts::of(3) });
    let words: Vec<&str> = heard.ended.iter().map(|(_, word)| *word).collect();
    assert_eq!(words, ["rotated", "rotated", "enough"], "{:?}", heard.ended);
    for (name, word) in &heard.ended {
        assert_eq!(home.path().join(format!("{name}.key")).exists(), *word == "rotated", "{name}");
        let key = backend.ask(&later, &Show { key: name.parse().unwrap(), environment: None }).unwrap();
        assert_eq!(key.rotation.id, None, "{name}: no rotation is left running");
    }
    // Nothing is begun any more once somebody asked to stop.
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    let counts = driver.run_due(&Due::default(), &mut heard).unwrap();
    assert_eq!(counts, Counts { left: 1, late: 1, ..Counts::of(1) });
}
