//! Full and read-only file systems, and files that change under our hands.

use super::super::testing::{Listener, sink, token};
use super::super::{Options, Sink};
use super::*;
use std::process::Command;

/// A file system of its own, unmounted when dropped; `None` where that is not possible.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new(options: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "keyward-test"]).arg(dir.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(dir)),
            _ => {
                eprintln!("skipped: no file system can be mounted here");
                None
            }
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

fn at(text: &str) -> Sink {
    sink(text, &Options::default())
}

/// The file sinks in a directory, with the files they go into.
fn sinks(dir: &Path) -> Vec<(Sink, PathBuf)> {
    fs::write(dir.join("key"), "old").unwrap();
    fs::write(dir.join(".env"), "A=1\nT=old\n").unwrap();
    fs::write(dir.join("c.json"), "{\"t\":\"old\"}").unwrap();
    let place = dir.display();
    vec![
        (at(&format!("file:{place}/key")), dir.join("key")),
        (at(&format!("dotenv:{place}/.env#T")), dir.join(".env")),
        (at(&format!("json:{place}/c.json#/t")), dir.join("c.json")),
    ]
}

fn all_fail_and_nothing_changes(dir: &Path, sinks: &[(Sink, PathBuf)], fault: Fault) {
    let count = || fs::read_dir(dir).unwrap().count();
    for (sink, file) in sinks {
        let (before, files) = (fs::read(file).unwrap(), count());
        let error = sink.preflight().unwrap_err();
        assert_eq!((error.fault, error.reached), (fault, Reached::No), "{error}");
        let error = Listener::default().with(|run| sink.deliver(&token(), run)).unwrap_err();
        assert_eq!((error.fault, error.reached), (fault, Reached::No), "{error}");
        assert_eq!(fs::read(file).unwrap(), before, "{}", sink.name());
        assert_eq!(count(), files, "{}", sink.name());
        assert_eq!(sink.read_back().unwrap().unwrap().as_str(), "old");
    }
}

#[test]
fn a_full_file_system_keeps_the_old_file() {
    let Some(mounted) = Mounted::new("size=64k") else { return };
    let sinks = sinks(mounted.0.path());
    let mut filler = File::create(mounted.0.path().join("filler")).unwrap();
    while filler.write_all(&[b'x'; 1024]).is_ok() {}
    all_fail_and_nothing_changes(mounted.0.path(), &sinks, Fault::Unavailable);
    drop(filler);
    fs::remove_file(mounted.0.path().join("filler")).unwrap();
    for (sink, _) in &sinks {
        sink.preflight().unwrap();
        Listener::default().with(|run| sink.deliver(&token(), run)).unwrap();
    }
}

#[test]
fn a_read_only_file_system_keeps_the_old_file() {
    let Some(mounted) = Mounted::new("size=64k") else { return };
    let sinks = sinks(mounted.0.path());
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(mounted.0.path()).status().unwrap();
    assert!(remounted.success());
    all_fail_and_nothing_changes(mounted.0.path(), &sinks, Fault::Failed);
}

#[test]
fn a_directory_that_cannot_be_written_keeps_the_old_file() {
    if nix::unistd::geteuid().is_root() {
        eprintln!("skipped: root writes to every directory");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let sinks = sinks(dir.path());
    fs::set_permissions(dir.path(), Permissions::from_mode(0o500)).unwrap();
    all_fail_and_nothing_changes(dir.path(), &sinks, Fault::Failed);
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_change_by_somebody_else_between_reading_and_writing_is_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "first").unwrap();
    let target = Target::new(path.to_str().unwrap());
    let rounds = std::cell::Cell::new(0);
    let replace = |until: u32| {
        rounds.set(0);
        Listener::default().with(|run| {
            target.replace(Mode::Kept, true, run, |old| {
                rounds.set(rounds.get() + 1);
                if rounds.get() < until {
                    fs::write(&path, format!("changed {}", rounds.get())).unwrap();
                }
                let mut new = old.unwrap().to_vec();
                new.extend_from_slice(b" and ours");
                Ok(Zeroizing::new(new))
            })
        })
    };
    replace(3).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "changed 2 and ours");
    let error = replace(u32::MAX).unwrap_err();
    assert_eq!((error.reached, rounds.get()), (Reached::No, u32::try_from(ATTEMPTS).unwrap()));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_lock_is_waited_for_until_the_run_ends() {
    let dir = tempfile::tempdir().unwrap();
    let held = File::open(dir.path()).unwrap();
    held.lock().unwrap();
    let sink = at(&format!("file:{}/key", dir.path().display()));
    let error = Listener::default().with(|run| {
        sink.deliver(&token(), &Running { deadline: Some(Instant::now() + Duration::from_millis(50)), ..*run })
    });
    let error = error.unwrap_err();
    assert_eq!((error.fault, error.reached), (Fault::Interrupted, Reached::No));
    drop(held);
    Listener::default().with(|run| sink.deliver(&token(), run)).unwrap();
}
