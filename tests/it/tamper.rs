//! What is found out, and by whom: every attack on copies of a real trail, done with the plain sqlite3 program and no
//! trigger in the way, and the same by somebody who holds the vault's keys. The table in docs/audit.md is compared with what
//! comes out here.

use crate::support::{Home, book};
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What the honest administrator did after the vault was made.
const STORY: [&[&str]; 5] = [
    &["create", "billing-sync", "--owner", "bob"],
    &["create", "nightly-export"],
    &["update", "billing-sync", "--owner", "carol"],
    &["revoke", "billing-sync", "--reason", "leaked"],
    &["scopes", "add", "audits:read"],
];

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A trail, the same vault right after it was made, and a checkpoint kept elsewhere.
struct Scene {
    dir: tempfile::TempDir,
    home: Home,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("home")).unwrap();
        let home = Home::at(&dir.path().join("home"));
        home.ok(&["init"]);
        copy_dir(home.path(), &dir.path().join("new"));
        STORY[..2].iter().for_each(|command| drop(home.ok(command)));
        copy_dir(home.path(), &dir.path().join("old"));
        STORY[2..].iter().for_each(|command| drop(home.ok(command)));
        fs::write(dir.path().join("cp.txt"), format!("{}\n", home.ok(&["audit", "checkpoint"]))).unwrap();
        Self { dir, home }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// How many events the checkpoint has.
    fn size(&self) -> u64 {
        fs::read_to_string(self.at("cp.txt")).unwrap().lines().nth(1).unwrap().parse().unwrap()
    }

    /// A copy to be attacked, of the trail as it is or as it was.
    fn copy(&self, of: &str, name: &str) -> Home {
        let path = self.at(name);
        copy_dir(&self.at(of), &path);
        Home::at(&path)
    }

    /// Whether the vault alone finds it, and whether it does with the checkpoint; each by the exit code of `audit verify`.
    fn found(&self, home: &Home) -> (bool, bool) {
        let checkpoint = self.at("cp.txt");
        let alone = home.run(&["audit", "verify", "--full"]);
        let with = home.run(&["audit", "verify", "--full", "--checkpoint", checkpoint.to_str().unwrap()]);
        for ran in [&alone, &with] {
            assert!(matches!(ran.code, Some(0 | 7 | 14)), "{ran:?}");
        }
        (alone.code != Some(0), with.code != Some(0))
    }
}

fn forget_what_was_seen(home: &Home) {
    let pins = home.path().join(".local/state/keyward/pins");
    fs::remove_dir_all(pins).unwrap();
}

fn sqlite3(home: &Home, sql: &str) {
    // Not dropped: that alone would be found, and nothing be said of the attack.
    let mut program = Command::new("sqlite3");
    program.args(["-bail", "-cmd", ".dbconfig enable_trigger off"]).arg(home.keystore()).arg(sql);
    let done = program.output().unwrap();
    assert!(done.status.success(), "{sql}: {done:?}");
}

fn body_of(home: &Home, seq: u64) -> String {
    let query = format!("SELECT CAST(body AS TEXT) FROM audit WHERE seq = {seq}");
    let done = Command::new("sqlite3").arg(home.keystore()).arg(query).output().unwrap();
    String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
}

/// A changed body with the hash that fits it, as a patient attacker writes it.
fn rewritten(home: &Home, seq: u64, from: &str, to: &str) -> String {
    let body = body_of(home, seq);
    assert!(body.contains(from), "{body}");
    let body = body.replacen(from, to, 1);
    let hash: String =
        Sha256::digest([b"\0", body.as_bytes()].concat()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("UPDATE audit SET body = CAST('{body}' AS BLOB), hash = X'{hash}' WHERE seq = {seq};")
}

/// The attacks on the file, each a row of the table: its name, and what is done with sqlite3. `{old}` is an old copy.
const ON_THE_FILE: [(&str, &str); 15] = [
    ("edit a field of an event", "UPDATE audit SET target = 'key_0000000000000000' WHERE seq = 3;"),
    (
        "edit a body",
        "UPDATE audit SET body = CAST(replace(CAST(body AS TEXT), 'key.create', 'key.update') AS BLOB) WHERE seq = 2;",
    ),
    ("delete the first event", "DELETE FROM audit WHERE seq = 1;"),
    ("delete one in the middle", "DELETE FROM audit WHERE seq = 3;"),
    ("delete the last", "DELETE FROM audit WHERE seq = {last};"),
    (
        "swap two",
        "UPDATE audit SET seq = -3 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = -3;",
    ),
    (
        "duplicate one",
        "INSERT INTO audit SELECT {next}, epoch, target, done, body, hash, detail, generation FROM audit WHERE seq = 3;",
    ),
    ("renumber", "UPDATE audit SET seq = seq + 1000 WHERE seq > 3; UPDATE audit SET seq = seq - 999 WHERE seq > 1000;"),
    (
        "insert a forged one",
        "INSERT INTO audit SELECT {next}, {next}, target, 1, CAST(replace(CAST(body AS TEXT), '\"seq\":{last}', '\"seq\":{next}') AS BLOB), hash, detail, generation FROM audit WHERE seq = {last};",
    ),
    ("cut the tail", "DELETE FROM audit WHERE seq > {last} - 2;"),
    ("cut everything", "DELETE FROM audit; DELETE FROM tree;"),
    (
        "put an old row of a key back",
        "ATTACH '{old}' AS old; DELETE FROM keys; INSERT INTO keys SELECT * FROM old.keys;",
    ),
    ("plant a trigger", "CREATE TRIGGER evil BEFORE INSERT ON audit BEGIN SELECT raise(IGNORE); END;"),
    ("drop a trigger", "DROP TRIGGER audit_keeps;"),
    (
        "plant a view in the place of a table",
        "ALTER TABLE lookups RENAME TO hidden; CREATE VIEW lookups AS SELECT * FROM hidden;",
    ),
];

#[test]
fn a_planted_trigger_neither_acts_nor_stays_unnoticed() {
    if Command::new("sqlite3").arg("--version").output().is_err() {
        eprintln!("skipped: there is no sqlite3 program");
        return;
    }
    for planted in [
        "CREATE TRIGGER evil BEFORE INSERT ON keys BEGIN SELECT raise(IGNORE); END",
        "CREATE TRIGGER evil BEFORE INSERT ON audit BEGIN SELECT raise(IGNORE); END",
        "CREATE TRIGGER evil AFTER INSERT ON lookups BEGIN DELETE FROM keys WHERE id = NEW.key_id; END",
        "CREATE TRIGGER evil BEFORE UPDATE ON keys BEGIN SELECT raise(IGNORE); END",
    ] {
        let home = Home::new();
        let token = home.ok(&["create", "a"]);
        sqlite3(&home, planted);
        for args in [
            &["create", "b"][..],
            &["revoke", "a", "--yes"],
            &["vault", "rekey", "--yes"],
            &["audit", "verify"],
            &["doctor"],
        ] {
            let ran = home.run(args);
            assert_eq!(ran.code, Some(14), "{planted}: {ran:?}");
            assert!(ran.stderr.contains("the trigger evil on ") && ran.stderr.contains("hint: "), "{ran:?}");
        }
        assert_eq!(home.verdict(&token, &[]).1, Some(0), "{planted}: nothing was done, so nothing else is wrong");
        sqlite3(&home, "DROP TRIGGER evil");
        home.ok(&["revoke", "a", "--yes"]);
        assert_eq!(home.verdict(&token, &[]).1, Some(13));
        home.ok(&["audit", "verify", "--full"]);
    }
}

#[test]
fn the_table_of_attacks_in_the_readme_is_what_comes_out() {
    if Command::new("sqlite3").arg("--version").output().is_err() {
        eprintln!("skipped: there is no sqlite3 program");
        return;
    }
    let scene = Scene::new();
    let old = Home::at(&scene.at("old"));
    let mut table: Vec<(String, [Option<bool>; 4])> = Vec::new();

    for (number, (name, sql)) in ON_THE_FILE.iter().enumerate() {
        let home = scene.copy("home", &format!("file-{number}"));
        let last = scene.size();
        let sql = sql.replace("{last}", &last.to_string()).replace("{next}", &(last + 1).to_string());
        let sql = sql.replace("{old}", old.keystore().to_str().unwrap());
        sqlite3(&home, &sql);
        let (alone, with) = scene.found(&home);
        let holder = by_a_key_holder(&scene, name, number);
        table.push((
            (*name).to_owned(),
            [Some(alone), Some(with), holder.map(|found| found.0), holder.map(|found| found.1)],
        ));
    }

    let home = scene.copy("home", "time");
    let at = body_of(&home, 3);
    let at = at.split("\"at\":\"").nth(1).unwrap().split('"').next().unwrap();
    let sql = rewritten(&home, 3, at, "2020-01-01T00:00:00Z");
    sqlite3(&home, &sql);
    let (alone, with) = scene.found(&home);
    let verified = home.run(&["audit", "verify"]);
    assert!(verified.stderr.contains("event 3"), "what was sealed with it does not fit any more: {verified:?}");
    let holder = by_a_key_holder(&scene, "change a timestamp", 20).unwrap();
    table.push(("change a timestamp".to_owned(), [Some(alone), Some(with), Some(holder.0), Some(holder.1)]));

    let home = scene.copy("home", "head");
    sqlite3(
        &home,
        &format!(
            "ATTACH '{}' AS old; DELETE FROM head; INSERT INTO head SELECT * FROM old.head;",
            old.keystore().display()
        ),
    );
    let (alone, with) = scene.found(&home);
    table.push(("put an old head back".to_owned(), [Some(alone), Some(with), None, None]));

    // The whole file, as it once was: nothing in it is wrong.
    let home = scene.copy("home", "rolled-back");
    let data = home.keystore().parent().unwrap().to_owned();
    fs::remove_dir_all(&data).unwrap();
    copy_dir(old.keystore().parent().unwrap(), &data);
    let (alone, with) = scene.found(&home);
    table.push((
        "put an old file back, on the machine that saw a newer one".to_owned(),
        [Some(alone), Some(with), Some(alone), Some(with)],
    ));
    forget_what_was_seen(&home);
    let (alone, with) = scene.found(&home);
    table.push((
        "the same, on a machine that never saw a newer one".to_owned(),
        [Some(alone), Some(with), Some(alone), Some(with)],
    ));

    // Another vault's file with all that opens it.
    let other = Home::new();
    other.ok(&["init"]);
    let (alone, with) = scene.found(&other);
    table.push((
        "put another vault in its place, key and all".to_owned(),
        [Some(alone), Some(with), Some(alone), Some(with)],
    ));
    let home = scene.copy("home", "foreign");
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", home.keystore().display()));
    }
    fs::copy(other.keystore(), home.keystore()).unwrap();
    assert_eq!(home.run(&["audit", "verify"]).code, Some(7), "this machine's key does not open it");

    on_exports(&scene, &mut table);
    on_checkpoints(&scene, &other, &mut table);

    // What came after the last checkpoint, rewritten by somebody with the keys who also controls what was seen.
    let home = scene.copy("home", "after");
    home.ok(&["create", "after-the-checkpoint"]);
    let data = home.keystore().parent().unwrap().to_owned();
    fs::remove_dir_all(&data).unwrap();
    copy_dir(scene.home.keystore().parent().unwrap(), &data);
    forget_what_was_seen(&home);
    home.ok(&["create", "another-story"]);
    let (alone, with) = scene.found(&home);
    table.push(("rewrite what came after the last checkpoint".to_owned(), [None, None, Some(alone), Some(with)]));

    let word = |found: &Option<bool>| match found {
        Some(true) => "found",
        Some(false) => "**not found**",
        None => "",
    };
    let page = book::page("audit");
    let rows: Vec<String> =
        table.iter().map(|(name, found)| format!("| {name} | {} |", found.each_ref().map(word).join(" | "))).collect();
    for row in &rows {
        assert!(page.contains(row.as_str()), "docs/audit.md lacks this row of\n{}\n: {row}", rows.join("\n"));
    }
}

/// The same end by somebody who holds the vault's keys: another story, told again from the beginning and signed.
fn by_a_key_holder(scene: &Scene, attack: &str, number: usize) -> Option<(bool, bool)> {
    let mut story: Vec<&[&str]> = STORY.to_vec();
    match attack {
        "edit a field of an event" => story[0] = &["create", "billing-sync", "--owner", "eve"],
        "edit a body" => story[3] = &["deactivate", "billing-sync"],
        "delete the first event" => drop(story.remove(1)),
        "delete one in the middle" => drop(story.remove(3)),
        "delete the last" => drop(story.pop()),
        "swap two" => story.swap(3, 4),
        "duplicate one" => story.push(&["scopes", "add", "audits:export"]),
        "insert a forged one" => story.insert(2, &["create", "never-was"]),
        "cut the tail" => story.truncate(3),
        "cut everything" => story.clear(),
        "change a timestamp" => {}
        _ => return None,
    }
    let home = scene.copy("new", &format!("holder-{number}"));
    forget_what_was_seen(&home);
    story.iter().for_each(|command| drop(home.ok(command)));
    Some(scene.found(&home))
}

fn on_exports(scene: &Scene, table: &mut Vec<(String, [Option<bool>; 4])>) {
    let home = &scene.home;
    let key = home.ok(&["audit", "checkpoint", "--public-key"]);
    let export = home.ok(&["audit", "export"]);
    let anywhere = Home::new();
    let checkpoint = scene.at("cp.txt");
    let found = |text: &str| {
        fs::write(anywhere.path().join("export.jsonl"), text).unwrap();
        let checkpoint = checkpoint.to_str().unwrap();
        let ran = anywhere.run(&[
            "audit",
            "verify",
            "--file",
            "export.jsonl",
            "--checkpoint",
            checkpoint,
            "--public-key",
            &key,
        ]);
        assert!(matches!(ran.code, Some(0 | 14)), "{ran:?}");
        ran.code == Some(14)
    };
    assert!(!found(&export));
    let lines: Vec<&str> = export.lines().collect();
    let covered = lines.len() - 1;
    let changed = (0..covered).all(|at| {
        ["actor", "at", "action", "target", "outcome", "source", "never recorded"].iter().all(|field| {
            let mut line: serde_json::Value = serde_json::from_str(lines[at]).unwrap();
            line[*field] = "changed".into();
            let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            lines[at] = line.to_string();
            at % 3 > 0 || found(&lines.join("\n"))
        })
    });
    table.push(("change a line of an export".to_owned(), [None, Some(changed), None, Some(changed)]));
    let removed = (0..covered).all(|at| {
        let mut lines = lines.clone();
        lines.remove(at);
        found(&lines.join("\n"))
    }) && found(&lines[..covered - 1].join("\n"));
    table.push(("remove a line of an export".to_owned(), [None, Some(removed), None, Some(removed)]));
}

fn on_checkpoints(scene: &Scene, other: &Home, table: &mut Vec<(String, [Option<bool>; 4])>) {
    let refused = |text: &str| {
        fs::write(scene.at("forged.txt"), text).unwrap();
        let path = scene.at("forged.txt");
        let ran = scene.home.run(&["audit", "verify", "--checkpoint", path.to_str().unwrap()]);
        assert!(matches!(ran.code, Some(0 | 14)), "{ran:?}");
        ran.code == Some(14)
    };
    let note = fs::read_to_string(scene.at("cp.txt")).unwrap();
    let mut lines: Vec<String> = note.lines().map(str::to_owned).collect();
    assert!(!refused(&note));
    let smaller = (scene.size() - 1).to_string();
    let forged =
        [(1, smaller.as_str()), (2, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")].iter().all(|(at, text)| {
            let kept = std::mem::replace(&mut lines[*at], (*text).to_owned());
            let found = refused(&format!("{}\n", lines.join("\n")));
            lines[*at] = kept;
            found
        });
    table.push(("forge a checkpoint".to_owned(), [None, Some(forged), None, None]));
    let foreign = refused(&format!("{}\n", other.ok(&["audit", "checkpoint"])));
    table.push(("use a checkpoint of another vault".to_owned(), [None, Some(foreign), None, Some(foreign)]));
}
