//! What packages are made of: the units of systemd, and that whatever is said of them is so.

use crate::support::Home;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging")
}

/// systemd's own judge of units; without it the test says that it is skipped.
fn judge() -> Option<Command> {
    let found = Command::new("systemd-analyze").arg("--version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: systemd-analyze is not installed");
    }
    found.then(|| {
        let mut command = Command::new("systemd-analyze");
        command.env("SYSTEMD_COLORS", "0").env("LC_ALL", "C.UTF-8");
        command
    })
}

/// The units, with an instance of each template, where the binary is the one that is tested.
fn units(home: &Home) -> Vec<PathBuf> {
    let mut units = Vec::new();
    for entry in fs::read_dir(packaging().join("systemd")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !["service", "socket", "timer"].iter().any(|kind| name.ends_with(&format!(".{kind}"))) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap().replace("/usr/bin/keyward", env!("CARGO_BIN_EXE_keyward"));
        home.write(&name, &text);
        let instance = name.replace('@', "@nightly");
        home.write(&instance, &text);
        units.push(home.path().join(instance));
    }
    assert_eq!(units.len(), 5, "the server, its sockets, the rotation, its timer, and the word of a failure");
    units
}

#[test]
fn the_units_are_as_systemd_wants_them() {
    let home = Home::new();
    let Some(mut judge) = judge() else { return };
    let judged = judge.args(["verify", "--man=no"]).args(units(&home)).output().unwrap();
    let said = String::from_utf8_lossy(&judged.stderr).into_owned();
    // What else is on the machine is judged as well, and is no business of ours.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("keyward")).collect();
    assert!(ours.is_empty(), "{said}");
}

#[test]
fn the_services_are_exposed_to_little() {
    let home = Home::new();
    for unit in units(&home).iter().filter(|unit| unit.extension().is_some_and(|kind| kind == "service")) {
        let Some(mut judge) = judge() else { return };
        let judged =
            judge.args(["security", "--no-pager", "--offline=yes", "--threshold=20"]).arg(unit).output().unwrap();
        let said = String::from_utf8_lossy(&judged.stdout).into_owned();
        assert!(judged.status.success() && said.contains("Overall exposure level"), "{}: {said}", unit.display());
    }
}

#[test]
fn the_options_of_the_units_are_options() {
    let home = Home::with_vault();
    let unit = fs::read_to_string(packaging().join("systemd/keyward-rotate@.service")).unwrap();
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/keyward ")).unwrap();
    home.write("nightly.toml", "[[rule]]\nglob = '*'\ndeliver = ['file:{name}.key']\n");
    let args: Vec<&str> = line
        .split(' ')
        .filter(|word| !word.starts_with('$'))
        .map(|word| if word.starts_with("/etc") { "nightly.toml" } else { word })
        .collect();
    let ran = home.run(&args);
    assert_eq!(ran.code, Some(0), "nothing is due: {ran:?}");
}
