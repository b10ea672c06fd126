//! The sinks of a GitHub job.

use super::super::{
    Sink,
    testing::{Listener, leaks, sink, token},
};
use super::*;
use std::{cell::RefCell, fs, path::Path};

fn options(file: &Path) -> Options {
    Options { github_env: Some(file.to_owned()), github_output: Some(file.to_owned()), ..Options::default() }
}

/// Reads a runner's file the way the runner does.
fn entries(text: &str) -> Vec<(String, String)> {
    let mut lines = text.lines();
    let mut entries = Vec::new();
    while let Some(line) = lines.next() {
        if let Some((name, delimiter)) = line.split_once("<<") {
            let value: Vec<_> = lines.by_ref().take_while(|line| *line != delimiter).collect();
            entries.push((name.to_owned(), value.join("\n")));
        } else if let Some((name, value)) = line.split_once('=') {
            entries.push((name.to_owned(), value.to_owned()));
        }
    }
    entries
}

#[test]
fn the_secret_is_masked_first_and_then_appended() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("env");
    for before in ["", "A=1\n", "A=1"] {
        for text in ["github-env:API_KEY", "github-output:api-key"] {
            fs::write(&file, before).unwrap();
            let sink = sink(text, &options(&file));
            sink.preflight().unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), before);
            let (token, listener) = (token(), Listener::default());
            let seen = RefCell::new(None);
            let receipt = listener
                .with(|run| {
                    let show = |shown: Shown<'_>| {
                        if matches!(shown, Shown::MaskLine(_)) {
                            *seen.borrow_mut() = fs::read_to_string(&file).ok();
                        }
                        (run.show)(shown);
                    };
                    sink.deliver(&token, &Running { show: &show, ..*run })
                })
                .unwrap();
            assert_eq!(seen.borrow().as_deref(), Some(before), "nothing is written before the mask");
            assert_eq!(*listener.masked.borrow(), [format!("::add-mask::{}", token.expose_plaintext())]);
            assert!(!leaks(&listener.text(), &token) && !leaks(&receipt.detail, &token));
            let name = text.split_once(':').unwrap().1;
            let found = entries(&fs::read_to_string(&file).unwrap());
            assert_eq!(found.last().unwrap(), &(name.to_owned(), token.expose_plaintext().to_owned()));
            assert_eq!(found.len(), if before.is_empty() { 1 } else { 2 });
        }
    }
}

#[test]
fn outside_a_job_it_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &Path| -> Sink { sink("github-env:API_KEY", &options(path)) };
    assert_eq!(sink("github-env:A", &Options::default()).preflight().unwrap_err().what, "GITHUB_ENV is not set");
    assert_eq!(sink("github-output:A", &Options::default()).preflight().unwrap_err().what, "GITHUB_OUTPUT is not set");
    for path in [dir.path(), &dir.path().join("missing"), Path::new("/dev/null")] {
        at(path).preflight().unwrap_err();
        let error = Listener::default().with(|run| at(path).deliver(&token(), run)).unwrap_err();
        assert_eq!(error.reached, Reached::No);
    }
}
