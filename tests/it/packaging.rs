//! What packages are made of: the units of systemd, and that whatever is said of them is so.

use crate::support::Home;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
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

/// A command of another user than root, which a test of root can start; `None`, said, where this is no root.
fn as_nobody(home: &Home, args: &[&str], variables: &[(&str, &Path)]) -> Option<std::process::Output> {
    if !nix::unistd::geteuid().is_root() || Command::new("setpriv").arg("--version").output().is_err() {
        eprintln!("SKIPPED: only root can become another user, with setpriv");
        return None;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(home.path().join("keyward"));
    command.args(args).env_clear().env("HOME", home.path()).current_dir(home.path());
    command.envs(variables.iter().copied());
    Some(command.output().unwrap())
}

#[test]
fn a_secret_that_root_hands_to_a_service_opens_its_vault() {
    let home = Home::new();
    fs::copy(env!("CARGO_BIN_EXE_keyward"), home.path().join("keyward")).unwrap();
    nix::unistd::chown(home.path(), Some(65534.into()), Some(65534.into())).unwrap_or_default();
    let at = |name: &str| home.path().join(name);
    if as_nobody(&home, &["init"], &[]).is_none() {
        return;
    }
    let run = |args: &[&str], variables: &[(&str, &Path)]| {
        let ran = as_nobody(&home, args, variables).unwrap();
        (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let added = run(&["vault", "slots", "add", "--device-file", "keyward.key"], &[]);
    assert_eq!(added.0, Some(0), "{added:?}");
    fs::write(at("passphrase"), "correct horse battery\n").unwrap();
    fs::set_permissions(at("passphrase"), fs::Permissions::from_mode(0o644)).unwrap();
    let keys = home.path().join(".config/keyward/devices");
    fs::rename(keys, home.path().join("aside")).unwrap();
    // As LoadCredential= and a volume of a Secret lay it out: root's, and readable to one group.
    let hand = |mode: u32| {
        for name in ["keyward.key", "passphrase"] {
            nix::unistd::chown(&at(name), Some(0.into()), Some(65534.into())).unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    let asks = |named: bool| match named {
        true => run(&["--key-file", "keyward.key", "list"], &[]),
        false => run(&["list"], &[("CREDENTIALS_DIRECTORY", home.path())]),
    };
    let passphrase = || run(&["--passphrase-file", "passphrase", "list"], &[]);
    let token = || run(&["--server", "unix:nobody-is-there", "--token-file", "passphrase", "list"], &[]);
    hand(0o440);
    assert_eq!(asks(false).0, Some(0), "{:?}", asks(false));
    assert_eq!(asks(true).0, Some(0), "{:?}", asks(true));
    assert!(!passphrase().1.contains("can be read by others"), "{:?}", passphrase());
    assert!(!token().1.contains("can be read by others"), "{:?}", token());
    for mode in [0o444, 0o460] {
        hand(mode);
        for said in [asks(false), asks(true), passphrase(), token()] {
            assert!(said.0 == Some(5) && said.1.contains("can be read by others"), "{mode:o}: {said:?}");
        }
    }
}

/// The words of a list such as `args: [serve, --env, production]`, in a file of YAML.
fn listed(text: &str, key: &str) -> Vec<Vec<String>> {
    let begins = format!("{key}: [");
    let lists = text.split(&begins).skip(1).filter_map(|rest| rest.split(']').next());
    lists.map(|list| list.split(',').map(|word| word.trim().trim_matches('"').to_owned()).collect()).collect()
}

#[test]
fn the_options_of_manifests_are_options() {
    let home = Home::new();
    let mut checked = 0;
    for (file, key) in
        [("kubernetes/server.yaml", "args"), ("kubernetes/rotate.yaml", "args"), ("container/compose.yaml", "command")]
    {
        for words in listed(&fs::read_to_string(packaging().join(file)).unwrap(), key) {
            if !["serve", "rotate"].contains(&words[0].as_str()) {
                continue;
            }
            let help = home.ok(&["help", &words[0]]);
            for option in words.iter().filter(|word| word.starts_with("--")) {
                assert!(help.contains(option.as_str()), "{file}: {option}");
                checked += 1;
            }
        }
    }
    assert!(checked > 12, "{checked}");
}

#[test]
fn what_packages_say_of_their_version_is_so() {
    let version = env!("CARGO_PKG_VERSION");
    for (file, before) in [
        ("github/setup/action.yml", "default: "),
        ("github/example.yml", "setup@v"),
        ("gitlab/keyward.yml", "keyward=="),
        ("container/compose.yaml", "keyward:"),
        ("kubernetes/server.yaml", "image: keyward:"),
        ("kubernetes/rotate.yaml", "image: keyward:"),
        ("kubernetes/init.yaml", "image: keyward:"),
        ("homebrew/keyward.rb", "/keyward-"),
    ] {
        let text = fs::read_to_string(packaging().join(file)).unwrap();
        assert!(text.contains(&format!("{before}{version}")), "{file} names another version than {version}");
    }
}
