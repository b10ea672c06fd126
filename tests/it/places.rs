//! The places of files: what cannot be read, what cannot be written, and what must not be written over.

use crate::support::{Home, Ran};
use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, chown, symlink},
        process::CommandExt,
    },
    path::Path,
};

const SOMEBODY: u32 = 65_534;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// A home that belongs to a user whom modes stop; root hands it over.
fn of_somebody() -> Home {
    let home = Home::new();
    if is_root() {
        chown(home.path(), Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    }
    home
}

fn run(home: &Home, args: &[&str]) -> Ran {
    run_in(home, args, &[])
}

fn run_in(home: &Home, args: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = home.command(args);
    if is_root() {
        command.uid(SOMEBODY).gid(SOMEBODY);
    }
    Ran::of(command.envs(variables.iter().copied()).output().unwrap())
}

fn ok(home: &Home, args: &[&str]) -> String {
    let ran = run(home, args);
    assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
    ran.stdout.trim_end().to_owned()
}

#[test]
fn a_keystore_that_was_read_while_it_was_closed_is_written_again_afterwards() {
    let home = of_somebody();
    ok(&home, &["create", "a"]);
    let keystore = home.keystore();
    mode(&keystore, 0o400);
    assert_eq!(ok(&home, &["list", "-o", "name"]), "a");
    mode(&keystore, 0o600);
    ok(&home, &["create", "b"]);
    ok(&home, &["doctor"]);
}

#[test]
fn a_directory_that_cannot_be_read_is_not_an_empty_one() {
    let home = of_somebody();
    ok(&home, &["create", "a"]);
    let data = home.keystore().parent().unwrap().to_owned();
    mode(&data, 0o000);
    for args in [&["list"][..], &["create", "b"], &["init"], &["doctor"], &["vault", "restore", "x"], &["unlock"]] {
        let ran = run(&home, args);
        assert_eq!(ran.code, Some(5), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("cannot look") && ran.stderr.contains("chmod u+rwx"), "{args:?}: {ran:?}");
        assert!(!ran.stderr.contains("gone") && !ran.stderr.contains("keyward init"), "{args:?}: {ran:?}");
    }
    mode(&data, 0o700);
    assert_eq!(ok(&home, &["list", "-o", "name"]), "a");
}

#[test]
fn a_vault_is_read_where_nothing_can_be_written() {
    let home = of_somebody();
    let token = ok(&home, &["create", "a"]);
    let data = home.keystore().parent().unwrap().to_owned();
    mode(&data, 0o500);
    mode(&home.keystore(), 0o400);
    assert_eq!(ok(&home, &["list", "-o", "name"]), "a");
    ok(&home, &["audit", "verify"]);
    assert!(!token.is_empty());
    let refused = run(&home, &["create", "b"]);
    assert_eq!(refused.code, Some(1), "no repetition mends it: {refused:?}");
    for args in [&["create", "b"][..], &["identify", "--hint", "aaaa"], &["audit", "export"]] {
        let refused = run(&home, args);
        assert!(matches!(refused.code, Some(1)) && refused.stdout.is_empty(), "{args:?}: {refused:?}");
        assert!(
            refused.stderr.contains("read-only") && refused.stderr.contains("--vault DIR"),
            "{args:?}: {refused:?}"
        );
        let raw = ["readonly database", "Error code"].iter().any(|raw| refused.stderr.contains(raw));
        assert!(!raw, "{args:?}: {refused:?}");
    }
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "nothing was made beside it");
    mode(&data, 0o700);
    mode(&home.keystore(), 0o600);
    ok(&home, &["create", "b"]);
}

#[test]
fn the_newest_part_of_a_keystore_is_not_passed_over_where_nothing_can_be_written() {
    let home = of_somebody();
    ok(&home, &["create", "a"]);
    let data = home.keystore().parent().unwrap().to_owned();
    // What a copy of a running vault holds: the log has the revocation, and the file has not.
    let reader = rusqlite::Connection::open(home.keystore()).unwrap();
    reader.query_row("SELECT count(*) FROM keys", [], |row| row.get::<_, i64>(0)).unwrap();
    ok(&home, &["revoke", "a"]);
    let log = fs::read(format!("{}-wal", home.keystore().display())).unwrap();
    assert!(!log.is_empty(), "the reader keeps the log");
    let file = fs::read(home.keystore()).unwrap();
    drop(reader);
    let copy = data.join("copy");
    fs::create_dir(&copy).unwrap();
    for (name, bytes) in [("keystore.db", &file), ("keystore.db-wal", &log)] {
        fs::write(copy.join(name), bytes).unwrap();
        mode(&copy.join(name), 0o400);
        chown(copy.join(name), is_root().then_some(SOMEBODY), None).unwrap();
    }
    mode(&copy, 0o500);
    chown(&copy, is_root().then_some(SOMEBODY), None).unwrap();
    let ran = run(&home, &["--vault", copy.to_str().unwrap(), "list", "--status", "any"]);
    let told =
        ran.code == Some(6) && ran.stderr.contains("keystore.db-wal") && ran.stderr.contains("copy the keystore");
    assert!(told || (ran.code == Some(0) && ran.stdout.contains("revoked")), "{ran:?}");
    mode(&copy, 0o700);
}

#[test]
fn a_change_that_cannot_be_remembered_is_told_and_found() {
    let home = of_somebody();
    ok(&home, &["create", "a"]);
    let pins = home.path().join(".local/state/keyward/pins");
    mode(&pins, 0o500);
    for args in [&["revoke", "a"][..], &["-q", "scopes", "add", "a:read"], &["-o", "json", "create", "b"]] {
        let ran = run(&home, args);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("could not remember it"), "{args:?}: {ran:?}");
    }
    let read = run(&home, &["list"]);
    assert!(!read.stderr.contains("remember"), "nothing was changed: {read:?}");
    let doctor = run(&home, &["doctor"]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    let state = doctor.stdout.lines().find(|line| line.starts_with("state")).unwrap();
    assert!(state.contains("PROBLEM") && state.contains("changes are not remembered"), "{state}");

    // Where the configuration says that it must be kept, nothing is changed.
    for variables in [&[("KEYWARD_REQUIRE_STATE", "1")][..], &[]] {
        if variables.is_empty() {
            fs::write(home.path().join(".config/keyward/config.toml"), "require_state = true\n").unwrap();
            mode(&home.path().join(".config/keyward/config.toml"), 0o644);
        }
        let refused = run_in(&home, &["create", "c"], variables);
        assert_eq!(refused.code, Some(6), "{refused:?}");
        assert!(refused.stderr.contains("cannot be kept") && refused.stdout.is_empty(), "{refused:?}");
    }
    mode(&pins, 0o700);
    ok(&home, &["create", "c"]);
    assert_eq!(run(&home, &["doctor"]).code, Some(0));
}

/// Every option that names a file to be written, with that file in the place of FILE.
const WRITERS: &[&str] = &[
    "create n --deliver file:FILE",
    "create n --deliver dotenv:FILE#A",
    "create n --deliver json:FILE#/a",
    "rotate a --deliver file:FILE,mode=0600",
    "create --from keys.csv --out FILE",
    "vault backup FILE",
    "vault slots add --device-file FILE",
    "report --html FILE",
    "audit export --checkpoint-out FILE",
    "audit checkpoint --to file:FILE",
];

/// What makes new files alone refuses whatever stands in their place.
fn exists(ran: &Ran) -> bool {
    ran.code == Some(6) && ran.stderr.contains("exists")
}

#[test]
fn keywards_own_files_are_no_place_for_anything() {
    let home = Home::new();
    home.ok(&["create", "a"]);
    home.ok(&["--vault", "other", "init"]);
    home.write("keys.csv", "name\none\n");
    let device = fs::read_dir(home.path().join(".config/keyward/devices")).unwrap().next().unwrap().unwrap().path();
    symlink(home.keystore(), home.path().join("link")).unwrap();
    symlink(home.path().join(".local"), home.path().join("dir")).unwrap();
    let shown = |path: &Path| path.display().to_string();
    let wal = format!("{}-wal", shown(&home.keystore()));
    let pin = shown(&home.path().join(".local/state/keyward/pins/vault_x.json"));
    for place in [
        shown(&home.keystore()),
        "link".to_owned(),
        "dir/share/keyward/../keyward/keystore.db".to_owned(),
        wal,
        shown(&device),
        shown(&home.path().join(".config/keyward/config.toml")),
        pin,
        "other/keystore.db".to_owned(),
    ] {
        for writer in WRITERS {
            let line = writer.replace("FILE", &place);
            let ran = home.run(&line.split(' ').collect::<Vec<_>>());
            let refused = ran.code == Some(2) && ran.stderr.contains("would be lost");
            assert!(refused || exists(&ran), "{line}: {ran:?}");
            assert!(ran.stdout.is_empty(), "{line}: {ran:?}");
        }
    }
    assert_eq!(home.ok(&["list", "-o", "name"]), "a", "nothing was minted");
    home.ok(&["--vault", "other", "list"]);
}

#[test]
fn what_others_laid_out_is_not_written_to() {
    if !is_root() {
        eprintln!("skipped: only root can lay out files of another user");
        return;
    }
    let home = Home::new();
    home.ok(&["create", "a"]);
    home.write("keys.csv", "name\none\n");
    let shared = home.path().join("shared");
    fs::create_dir(&shared).unwrap();
    mode(&shared, 0o1777);
    fs::write(shared.join("file"), "theirs").unwrap();
    fs::create_dir(shared.join("dir")).unwrap();
    symlink(home.path().join("victim"), shared.join("link")).unwrap();
    symlink(home.path(), shared.join("way")).unwrap();
    for name in ["file", "dir", "link", "way"] {
        std::os::unix::fs::lchown(shared.join(name), Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    }
    for place in ["shared/file", "shared/dir/key", "shared/link", "shared/way/key"] {
        for writer in WRITERS {
            let line = writer.replace("FILE", place);
            let ran = home.run(&line.split(' ').collect::<Vec<_>>());
            let refused = ran.code == Some(5) && ran.stderr.contains("others can write");
            assert!(refused || exists(&ran), "{line}: {ran:?}");
            assert!(ran.stdout.is_empty(), "{line}: {ran:?}");
        }
    }
    assert_eq!(home.ok(&["list", "-o", "name"]), "a", "nothing was minted");
    assert_eq!(fs::read_to_string(shared.join("file")).unwrap(), "theirs");
    // One's own file in such a directory, and another's file in another's own directory, are meant.
    home.ok(&["create", "b", "--deliver", "file:shared/mine"]);
    home.ok(&["rotate", "b", "--supersede", "--deliver", "file:shared/mine"]);
    let app = home.path().join("app");
    fs::create_dir(&app).unwrap();
    fs::write(app.join("key"), "").unwrap();
    for path in [&app, &app.join("key")] {
        chown(path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    }
    home.ok(&["create", "c", "--deliver", "file:app/key"]);
}

#[test]
fn a_sink_that_others_can_read_says_so() {
    let home = Home::with_vault();
    home.write(".env", "A=1\n");
    mode(&home.path().join(".env"), 0o644);
    for (sink, told) in
        [("file:open,mode=0644", true), ("dotenv:.env#KEY", true), ("file:group,mode=0640", true), ("file:mine", false)]
    {
        let ran = home.run(&["create", sink.split(':').next_back().unwrap(), "--deliver", sink]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.stderr.contains("can be read by"), told, "{sink}: {ran:?}");
    }
}

#[test]
fn a_dash_is_standard_output_or_refused() {
    let home = Home::new();
    home.ok(&["create", "a"]);
    home.write("keys.csv", "name\none\n");
    let mut command = home.command(&["vault", "backup", "-"]);
    let copied = command.output().unwrap();
    assert!(copied.status.success() && copied.stdout.starts_with(b"SQLite format 3\0"));
    fs::write(home.path().join("copy.db"), &copied.stdout).unwrap();
    home.ok(&["vault", "restore", "copy.db"]);
    assert_eq!(home.run(&["vault", "backup", "-", "-o", "json"]).code, Some(2));
    let made = home.ok(&["create", "--from", "keys.csv", "--out", "-"]);
    assert!(made.contains("\"secret\":\"kw_dev_"), "{made}");
    for line in [
        "vault slots add --device-file -",
        "audit export --checkpoint-out -",
        "audit archive --before 2020-01-01 --out -",
        "audit checkpoint --to file:-",
        "man --out -",
    ] {
        let ran = home.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, Some(2), "{line}: {ran:?}");
        assert!(ran.stderr.contains("- is standard output"), "{line}: {ran:?}");
    }
    assert!(!home.path().join("-").exists());
}

/// Whoever does what is advised would remove a device, or be root and remove it from everybody.
#[test]
fn a_device_or_a_pipe_in_the_place_of_secrets_is_not_what_an_earlier_run_left() {
    let home = Home::with_vault();
    home.write("keys.csv", "name\none\n");
    assert_eq!(home.shell("mkfifo pipe").code, Some(0));
    for place in ["/dev/zero", "pipe"] {
        let ran = home.run(&["create", "--from", "keys.csv", "--out", place]);
        assert_eq!(ran.code, Some(6), "{ran:?}");
        assert!(ran.stderr.contains("choose a new file") && !ran.stderr.contains("rm --"), "{ran:?}");
    }
}
