//! The rules of the house that a compiler does not check: direction of imports, length of files, one door for output.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The rooms, and what each may import.
const ROOMS: [(&str, &[&str]); 13] = [
    ("domain", &[]),
    ("files", &["domain"]),
    ("vault", &["domain", "files"]),
    ("store", &["domain", "files", "vault"]),
    ("ops", &["domain", "files", "vault", "store"]),
    ("wire", &["domain", "ops"]),
    ("notify", &["ops"]),
    ("backend", &["domain", "files", "vault", "store", "ops", "wire", "notify"]),
    ("anchor", &["files", "ops"]),
    ("server", &["domain", "files", "ops", "wire", "backend", "anchor"]),
    ("deliver", &["domain", "files"]),
    ("output", &["domain", "ops"]),
    ("cli", &["domain", "files", "ops", "backend", "server", "deliver", "output", "anchor", "config", "artifacts"]),
];
const MAX_LINES_OF_CODE: usize = 400;

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn room_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(src()).ok()?;
    Some(inside.components().next()?.as_os_str().to_str()?.trim_end_matches(".rs").to_owned())
}

/// The code of a file: neither tests at its end, nor comments, nor blank lines.
fn code_of(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
        .map(str::to_owned)
        .collect()
}

fn is_test(path: &Path) -> bool {
    path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| stem.ends_with("tests") || stem == "vectors")
}

#[test]
fn imports_run_one_way() {
    for path in sources(&src()) {
        let Some(room) = room_of(&path) else { continue };
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else { continue };
        if is_test(&path) {
            continue;
        }
        let code = code_of(&path).join("\n");
        for (other, _) in ROOMS {
            let named = code.contains(&format!("crate::{other}::")) || in_braces(&code, other);
            assert!(!named || other == room || allowed.contains(&other), "{} imports {other}", path.display());
        }
    }
}

/// Whether `use crate::{…}` names a room, at any depth of lines.
fn in_braces(code: &str, room: &str) -> bool {
    code.split("use crate::{").skip(1).any(|rest| {
        let block = rest.split("\n};").next().unwrap_or_default();
        let mut depth = 0;
        let mut word = String::new();
        for character in block.chars() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ':' | ',' if depth == 0 => {
                    if word.trim() == room {
                        return true;
                    }
                    word.clear();
                }
                other if depth == 0 => word.push(other),
                _ => {}
            }
        }
        false
    })
}

#[test]
fn no_file_grows_into_a_second_subject() {
    for path in sources(&src()).into_iter().filter(|path| !is_test(path)) {
        let lines = code_of(&path).len();
        assert!(lines <= MAX_LINES_OF_CODE, "{} has {lines} lines of code", path.display());
    }
}

#[test]
fn only_output_prints() {
    for path in sources(&src()) {
        // A test says what it skips.
        if room_of(&path).as_deref() == Some("output") || is_test(&path) {
            continue;
        }
        let code = code_of(&path).join("\n");
        for printing in ["println!", "eprintln!", "print!(", "io::stdout()", "io::stderr()"] {
            assert!(!code.contains(printing), "{} prints with {printing}", path.display());
        }
    }
}
