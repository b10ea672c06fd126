//! Secrets go where they are sent and nowhere else: one run through all commands at the loudest log level, with a secret,
//! a passphrase and a recovery code that are looked for in everything that was written, said or left in `/proc`.

use crate::{
    support::{Home, Ran, server::Served, terminal::Terminal},
    webhooks::Hook,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::{fs, path::Path};

const PASSPHRASE: &str = "canary-passphrase-5Rk9";

/// What must be found nowhere.
struct Canaries(Vec<(&'static str, String)>);

impl Canaries {
    fn add(&mut self, what: &'static str, secret: &str) {
        assert!(secret.len() > 12, "{what}");
        self.0.push((what, secret.to_owned()));
    }

    /// A token gives itself away by its random part alone.
    fn add_token(&mut self, token: &str) {
        assert!(token.starts_with("kw_"), "no token");
        self.add("a token", &token.rsplit('_').next().unwrap()[..40]);
    }

    fn refuse(&self, place: &str, bytes: &[u8]) {
        for (what, secret) in &self.0 {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{what} is in {place}");
        }
    }
}

/// Runs as loudly as possible. Only `stdout` may hold a secret, and only where the caller expects one.
fn loud(home: &Home, canaries: &Canaries, args: &[&str], stdin: &str) -> Ran {
    let mut all = args.to_vec();
    all.push("-vvv");
    let ran = home.run_with_in(&all, stdin, &[("KEYWARD_LOG", "trace"), ("RUST_BACKTRACE", "full")]);
    canaries.refuse(&format!("the talk of {args:?}"), ran.stderr.as_bytes());
    assert!(ran.code.is_some_and(|code| code < 70), "{args:?}: {ran:?}");
    ran
}

fn files_under(home: &Home, canaries: &Canaries, allowed: &[&str]) {
    let mut seen = 0;
    visit(home.path(), &mut |path| {
        seen += 1;
        let name = path.file_name().unwrap().to_str().unwrap();
        if !allowed.contains(&name) {
            canaries.refuse(&path.display().to_string(), &fs::read(path).unwrap());
        }
    });
    assert!(seen > 3, "only {seen} files");
}

fn visit(directory: &Path, look: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { visit(&path, look) } else { look(&path) }
    }
}

#[test]
fn secrets_are_found_nowhere() {
    let home = Home::new();
    let mut canaries = Canaries(Vec::new());
    canaries.add("the passphrase", PASSPHRASE);
    home.private("pass", &format!("{PASSPHRASE}\n"));
    let init = loud(&home, &canaries, &["init", "--passphrase-file", "pass"], "");
    assert_eq!(init.code, Some(0), "{init:?}");

    // The session stands for the passphrase from here on, as it does in a shell.
    let line = loud(&home, &canaries, &["--passphrase-file", "pass", "unlock", "--for", "1h"], "").stdout;
    let session = line.trim_end().rsplit('=').next().unwrap().to_owned();
    canaries.add("the session", &session);
    let home = home.with_variable("KEYWARD_SESSION", &session);

    let created = loud(&home, &canaries, &["create", "canary", "--env", "production", "--scope", "a:read"], "");
    let token = created.stdout.trim_end().to_owned();
    canaries.add_token(&token);
    let json: serde_json::Value =
        serde_json::from_str(&loud(&home, &canaries, &["rotate", "canary", "-o", "json"], "").stdout).unwrap();
    let second = json["secret"].as_str().unwrap().to_owned();
    canaries.add_token(&second);
    let code =
        loud(&home, &canaries, &["--passphrase-file", "pass", "vault", "recovery"], "").stdout.trim_end().to_owned();
    canaries.add("the recovery code", &code);
    canaries.add("the recovery code without dashes", &code.replace('-', ""));
    fs::write(home.path().join("keys.csv"), "name,env\none,production\ntwo,staging\n").unwrap();
    loud(&home, &canaries, &["create", "--from", "keys.csv", "--out", "minted.jsonl"], "");
    for line in fs::read_to_string(home.path().join("minted.jsonl")).unwrap().lines() {
        let reply: serde_json::Value = serde_json::from_str(line).unwrap();
        canaries.add_token(reply["secret"].as_str().unwrap());
    }

    fs::write(home.path().join("token.txt"), &token).unwrap();
    // What asks for a secret, what shows keys, what fails: none of it repeats one.
    let garbled = format!("{}x", &token[..token.len() - 1]);
    for (args, stdin) in [
        ("list -o wide --status any", ""),
        ("list -o json", ""),
        ("list -o csv", ""),
        ("list --group-by owner -o json", ""),
        ("list --denied-since 1d -o markdown", ""),
        ("report --html page.html", ""),
        ("report stale", ""),
        ("show canary -o json", ""),
        ("show canary one two", ""),
        ("verify - --explain", token.as_str()),
        ("verify - --explain -o json --env staging", second.as_str()),
        ("verify - --explain", garbled.as_str()),
        ("verify -", "kw_prod_cut"),
        ("update canary --owner o --add-scope b:read", ""),
        ("deactivate canary", ""),
        ("activate canary", ""),
        ("rotate canary", ""),
        ("create canary --env production", ""),
        ("create --from keys.csv", ""),
        ("create --from -", token.as_str()),
        ("scopes import -", token.as_str()),
        ("scopes list -o json", ""),
        ("vault status -o json", ""),
        ("vault slots list -o json", ""),
        ("vault slots add --device-file ci.key", ""),
        ("vault backup copy.db", ""),
        ("--passphrase-file - list", "wrong-and-typed-here"),
        ("--key-file pass list", ""),
        ("--key-file minted.jsonl list", ""),
        ("import -", token.as_str()),
        ("import keys.csv", ""),
        ("export", ""),
        ("export -o json", ""),
        ("apply -f - --dry-run -o json", "[[keys]]\nname = 'one'\n"),
        ("diff -f -", token.as_str()),
        ("check --policy token.txt", ""),
        ("apply -f token.txt", ""),
        ("rotate canary --deliver-map token.txt", ""),
        ("check", ""),
        ("check canary -o json", ""),
        ("doctor", ""),
        ("audit list -o json", ""),
        ("audit verify", ""),
        ("audit export --format csv", ""),
        ("audit export", ""),
        ("revoke canary --reason leaked", ""),
        ("verify - --explain", token.as_str()),
        ("delete two --confirm two", ""),
        ("delete canary --confirm nobody", ""),
        ("man", ""),
        ("completions bash", ""),
        ("help environment", ""),
    ] {
        let args: Vec<&str> = args.split(' ').collect();
        let ran = loud(&home, &canaries, &args, stdin);
        canaries.refuse(&format!("the data of {args:?}"), ran.stdout.as_bytes());
    }

    // On the command line a secret is refused before anything else is read, and not repeated.
    let (tail, reason) = (&token[8..], format!("it was {token}."));
    for args in [
        vec!["show", &token],
        vec!["update", &token, "--owner", "x"],
        vec!["verify", &token],
        vec!["create", "--name", &token],
        vec!["create", &token],
        vec!["--bogus", &token],
        vec!["list", "--bogus", &token],
        vec!["bogus", &token],
        vec![&token],
        vec!["-o", &token, "list"],
        vec!["list", "--sort", &token],
        vec!["list", "--name", &token],
        vec!["revoke", "canary", "--reason", &reason],
        vec!["create", "k", "--label", &reason],
        vec!["--key-file", &code, "list"],
        vec!["show", &code],
        vec!["-o", "json", "show", &token],
        vec!["help", &token],
    ] {
        let ran = loud(&home, &canaries, &args, "");
        assert_eq!(ran.code, Some(2), "{ran:?}");
        canaries.refuse("stdout", ran.stdout.as_bytes());
    }
    let cut = home.run(&["show", tail]);
    assert_ne!(cut.code, Some(0));

    // Every file: the keystore while it is open in WAL mode, the backup, the session, the journal, the state.
    assert!(home.find("copy.db").is_some() && home.find("keystore.db").is_some());
    files_under(&home, &canaries, &["pass", "minted.jsonl", "token.txt"]);
}

/// Operators' credentials and the secrets of webhooks: on the machine of the server and on that of the client.
#[test]
fn credentials_and_signing_secrets_are_found_nowhere() {
    let (behind, desk) = (Home::with_vault(), Home::with_vault());
    let mut canaries = Canaries(Vec::new());
    let operator = |canaries: &mut Canaries, args: &[&str]| {
        let said = loud(&behind, canaries, args, "");
        assert_eq!(said.code, Some(0), "{said:?}");
        let token = said.stdout.trim_end().to_owned();
        canaries.add("the credential of an operator", &token.rsplit('_').next().unwrap()[..40]);
        token
    };
    let token = operator(&mut canaries, &["operators", "create", "root", "--role", "platform-admin"]);
    operator(&mut canaries, &["operators", "create", "other", "--role", "auditor"]);
    operator(&mut canaries, &["operators", "rotate", "other"]);
    let hook = Hook::new(&["204 No Content"]);
    let signing = |canaries: &mut Canaries, home: &Home, name: &str| {
        let said = loud(home, canaries, &["webhooks", "add", name, &hook.url(), "--allow-private"], "");
        let secret = said.stdout.trim_end().strip_prefix("whsec_").unwrap().to_owned();
        canaries.add("the signing secret of a webhook", &secret[..40]);
        canaries.add("the signing secret in hexadecimal", &hexadecimal(&secret));
    };
    signing(&mut canaries, &behind, "pager");

    let server = Served::start_with(&behind, &["-vvv", "serve", "--listen", "127.0.0.1:0"]);
    desk.ok(&["create", "of-the-desk"]);
    let url = server.url.as_str();
    for (args, stdin, code) in [
        (vec!["login", url], "kwop_prod_wrong", 4),
        (vec!["login", url], token.as_str(), 0),
        (vec!["login", url, "--name", "team"], token.as_str(), 0),
        (vec!["whoami", "--explain"], "", 0),
        (vec!["whoami", "-o", "json"], "", 0),
        (vec!["operators", "list", "-o", "json"], "", 0),
        (vec!["create", "made-there"], "", 0),
        (vec!["webhooks", "list", "-o", "json"], "", 0),
        (vec!["webhooks", "test", "pager"], "", 0),
        (vec!["webhooks", "add", "pager", "https://hooks.example.com/x"], "", 6),
        (vec!["webhooks", "test", "nobody"], "", 3),
        (vec!["audit", "-o", "json"], "", 0),
        (vec!["profile", "list", "-o", "json"], "", 0),
        (vec!["profile", "use", "local"], "", 0),
        (vec!["profile", "use", "team"], "", 0),
    ] {
        let ran = loud(&desk, &canaries, &args, stdin);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        if args[0] != "create" {
            canaries.refuse(&format!("the data of {args:?}"), ran.stdout.as_bytes());
        }
    }
    signing(&mut canaries, &desk, "second");
    for path in ["/v1/webhooks", "/v1/operators", "/v1/nowhere", "/v1/keys?limit=0"] {
        let answer = server.get(path, &[("Authorization", &format!("Bearer {token}"))]);
        canaries.refuse(path, answer.body.as_bytes());
    }
    let refused = server.get(&format!("/v1/keys/{token}"), &[("Authorization", &format!("Bearer {token}x"))]);
    canaries.refuse("a refusal", refused.body.as_bytes());

    // While both vaults are open, with their logs beside them; then after the end, and what the server said.
    files_under(&behind, &canaries, &[]);
    files_under(&desk, &canaries, &[]);
    for args in [&["webhooks", "remove", "second", "--yes"][..], &["logout"], &["profile", "remove", "local", "--yes"]]
    {
        loud(&desk, &canaries, args, "");
    }
    let (_, log) = server.stop(nix::sys::signal::Signal::SIGTERM);
    canaries.refuse("the log of the server", log.as_bytes());
    files_under(&behind, &canaries, &[]);
    files_under(&desk, &canaries, &[]);
}

/// The bytes behind base64, in hexadecimal: as which they might be kept or logged.
fn hexadecimal(text: &str) -> String {
    BASE64_STANDARD.decode(text).unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_process_gives_nothing_away() {
    let home = Home::new();
    let token = home.ok(&["create", "a"]);
    let mut canaries = Canaries(Vec::new());
    canaries.add_token(&token);
    canaries.add("the passphrase", PASSPHRASE);
    home.ok(&["vault", "slots", "add", "--device-file", "spare.key"]);
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward verify -vvv");
    shell.asked("API key");
    let proc = |file: &str| fs::read(format!("/proc/{}/{file}", shell.pid())).unwrap_or_default();
    for file in ["environ", "cmdline", "comm"] {
        canaries.refuse(file, &proc(file));
    }
    let limits = String::from_utf8(proc("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "core dumps: {core}");
    // What cannot be traced belongs to root in /proc, and says so to everybody else.
    let status = String::from_utf8(proc("status")).unwrap();
    assert!(status.contains("TracerPid:\t0"), "{status}");
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(format!("/proc/{}/environ", shell.pid())).unwrap());
    assert_eq!(owner, 0, "dumpable");
    shell.press("", &format!("{token}\n"));
    assert!(shell.finished(0).contains("VALID"));

    shell.type_line("keyward vault slots add --passphrase -vvv");
    shell.answer("New passphrase", PASSPHRASE);
    shell.answer("Again", PASSPHRASE);
    shell.finished(0);
    canaries.refuse("the terminal", shell.everything().as_bytes());
    files_under(&home, &canaries, &[]);
}
