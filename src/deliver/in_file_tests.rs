//! The file sinks as a caller uses them.

use super::super::{
    Options, Reached, Sink,
    testing::{Listener, sink, token},
};
use crate::domain::PlainToken;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

fn at(text: &str) -> Sink {
    sink(text, &Options::default())
}

fn deliver(sink: &Sink, token: &PlainToken) {
    let receipt = Listener::default().with(|run| sink.deliver(token, run)).unwrap();
    assert_eq!(receipt.sink, sink.name());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_holds_the_secret_alone_and_belongs_to_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("billing-sync");
    let sink = at(&format!("file:{}/{{name}}", dir.path().display()));
    assert_eq!(sink.name(), format!("file:{}", path.display()));
    assert!(sink.can_read_back());
    assert!(sink.read_back().unwrap().is_none());
    sink.preflight().unwrap();
    assert!(names(dir.path()).is_empty(), "a preflight leaves nothing behind");
    let (first, second) = (token(), token());
    deliver(&sink, &first);
    assert_eq!(fs::read_to_string(&path).unwrap(), first.expose_plaintext());
    assert_eq!(mode(&path), 0o600);
    sink.preflight().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), first.expose_plaintext(), "a preflight changes nothing");
    deliver(&sink, &second);
    assert_eq!(sink.read_back().unwrap().unwrap().as_str(), second.expose_plaintext());
    assert_eq!(names(dir.path()), ["billing-sync"]);
}

#[test]
fn the_mode_is_the_one_asked_for_or_the_old_one_where_that_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let plain = at(&format!("file:{}", path.display()));
    for (old, new) in [(0o644, 0o600), (0o666, 0o600), (0o640, 0o640), (0o400, 0o400), (0o700, 0o600)] {
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(old)).unwrap();
        deliver(&plain, &token());
        assert_eq!(mode(&path), new, "from {old:o}");
        fs::remove_file(&path).unwrap();
    }
    deliver(&at(&format!("file:{},mode=0640", path.display())), &token());
    assert_eq!(mode(&path), 0o640);
    // The other files are the caller's: they hold more than the secret.
    let env = dir.path().join(".env");
    fs::write(&env, "A=1\n").unwrap();
    fs::set_permissions(&env, fs::Permissions::from_mode(0o644)).unwrap();
    deliver(&at(&format!("dotenv:{}#TOKEN", env.display())), &token());
    assert_eq!(mode(&env), 0o644);
}

#[test]
fn a_link_stays_and_what_it_names_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().join("real");
    fs::create_dir(&real).unwrap();
    fs::write(real.join("key"), "old").unwrap();
    symlink("real/key", dir.path().join("link")).unwrap();
    let sink = at(&format!("file:{}/link", dir.path().display()));
    sink.preflight().unwrap();
    let token = token();
    deliver(&sink, &token);
    assert!(fs::symlink_metadata(dir.path().join("link")).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(real.join("key")).unwrap(), token.expose_plaintext());
    assert_eq!(names(&real), ["key"]);
}

#[test]
fn what_cannot_be_replaced_is_refused_before_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().display();
    fs::create_dir(dir.path().join("directory")).unwrap();
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    symlink("loop", dir.path().join("loop")).unwrap();
    symlink("/dev/null", dir.path().join("device")).unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let before = names(dir.path());
    for place in ["directory", "dangling", "loop", "device", "missing/key", "file/key"] {
        let sink = at(&format!("file:{here}/{place}"));
        let error = sink.preflight().unwrap_err();
        assert_eq!(error.reached, Reached::No, "{place}");
        let error = Listener::default().with(|run| sink.deliver(&token(), run)).unwrap_err();
        assert_eq!(error.reached, Reached::No, "{place}");
        assert_eq!(names(dir.path()), before, "{place}");
    }
    assert_eq!(at(&format!("file:{here}/dangling")).preflight().unwrap_err().to_string(), {
        format!("{here}/dangling cannot be replaced: it is a link that leads nowhere")
    });
}

#[test]
fn the_owner_of_the_old_file_is_the_owner_of_the_new_one() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can give files away");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    fs::write(&path, "old").unwrap();
    std::os::unix::fs::chown(&path, Some(1234), Some(2345)).unwrap();
    let sink = at(&format!("file:{}", path.display()));
    sink.preflight().unwrap();
    deliver(&sink, &token());
    let new = fs::metadata(&path).unwrap();
    assert_eq!((new.uid(), new.gid(), new.mode() & 0o777), (1234, 2345, 0o600));
}

#[test]
fn lines_and_strings_are_set_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let (env, json) = (dir.path().join(".env"), dir.path().join("config.json"));
    fs::write(&env, "A=1\r\nexport TOKEN='old' # the key\r\nB=2").unwrap();
    fs::write(&json, "{ \"a\" : {\"token\":null} }\n").unwrap();
    let sinks = [at(&format!("dotenv:{}#TOKEN", env.display())), at(&format!("json:{}#/a/token", json.display()))];
    let token = token();
    for sink in &sinks {
        sink.preflight().unwrap();
        deliver(sink, &token);
        assert_eq!(sink.read_back().unwrap().unwrap().as_str(), token.expose_plaintext());
    }
    let value = token.expose_plaintext();
    assert_eq!(fs::read_to_string(&env).unwrap(), format!("A=1\r\nexport TOKEN='{value}' # the key\r\nB=2"));
    assert_eq!(fs::read_to_string(&json).unwrap(), format!("{{ \"a\" : {{\"token\":\"{value}\"}} }}\n"));
    assert_eq!(names(dir.path()), [".env", "config.json"]);
}

#[test]
fn a_missing_dotenv_file_is_made_and_a_missing_document_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let env = dir.path().join(".env");
    let sink = at(&format!("dotenv:{}#TOKEN", env.display()));
    sink.preflight().unwrap();
    deliver(&sink, &token());
    assert_eq!(mode(&env), 0o600);
    let error = at(&format!("json:{}/config.json#/token", dir.path().display())).preflight().unwrap_err();
    assert!(error.to_string().contains("there is no such file"), "{error}");
}

#[test]
fn keys_delivered_into_one_file_at_once_do_not_lose_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let env = dir.path().join(".env");
    fs::write(&env, "FIRST=kept\n").unwrap();
    let tokens: Vec<_> = (0..8).map(|_| token()).collect();
    std::thread::scope(|scope| {
        for (at, token) in tokens.iter().enumerate() {
            let text = format!("dotenv:{}#TOKEN_{at}", env.display());
            scope.spawn(move || deliver(&self::at(&text), token));
        }
    });
    let text = fs::read_to_string(&env).unwrap();
    assert!(text.starts_with("FIRST=kept\n"));
    for (at, token) in tokens.iter().enumerate() {
        assert!(text.contains(&format!("TOKEN_{at}={}\n", token.expose_plaintext())), "{at}");
    }
}

#[test]
fn what_a_killed_run_left_is_removed_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let others = ["key.keyward-old", "key.keyward-12-0123456z", "key2.keyward-12-01234567", "key.bak"];
    for name in ["key.keyward-12-01234567"].iter().chain(&others) {
        fs::write(dir.path().join(name), "x").unwrap();
    }
    deliver(&at(&format!("file:{}", path.display())), &token());
    let mut expected: Vec<_> = others.iter().chain(&["key"]).map(|&name| name.to_owned()).collect();
    expected.sort();
    assert_eq!(names(dir.path()), expected);
}
