//! A secret is seen once: not in the keystore, not in what other commands print, not in errors.

use crate::support::Home;

#[test]
fn neither_secrets_nor_names_are_in_any_file() {
    let home = Home::new();
    let token = home.ok(&[
        "create",
        "canary-name",
        "--owner",
        "canary-owner",
        "--description",
        "canary-text",
        "--scope",
        "canary-scope:read",
        "--allow-ip",
        "203.0.113.77",
        "--label",
        "canary=label",
        "--env",
        "production",
    ]);
    let rotated = home.ok(&["rotate", "canary-name", "--reason", "canary-reason"]);
    home.ok(&["projects", "create", "canary-project"]);
    home.ok(&["vault", "backup", "copy.db"]);
    let secret_of = |token: &str| token.rsplit('_').next().unwrap().to_owned();
    let mut needles = vec!["canary".to_owned(), "203.0.113.77".to_owned()];
    needles.extend([secret_of(&token), secret_of(&rotated)]);
    let mut files = 0;
    visit(home.path(), &mut |path, bytes| {
        files += 1;
        for needle in &needles {
            let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!found, "a canary is in {}", path.display());
        }
    });
    assert!(files >= 3);
    for args in
        [vec!["list", "-o", "json"], vec!["show", "canary-name", "-o", "json"], vec!["audit", "list", "-o", "json"]]
    {
        let shown = home.ok(&args);
        assert!(!shown.contains(&secret_of(&token)) && !shown.contains(&secret_of(&rotated)), "{args:?}");
    }
}

#[test]
fn every_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.ok(&["create", "k"]);
    home.ok(&["vault", "backup", "copy.db"]);
    visit(home.path(), &mut |path, _| {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    });
}

fn visit(dir: &std::path::Path, look: &mut dyn FnMut(&std::path::Path, &[u8])) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, look);
        } else {
            look(&path, &std::fs::read(&path).unwrap());
        }
    }
}
