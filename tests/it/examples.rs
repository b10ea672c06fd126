//! Every example in the help texts and every command of the README and of docs/ is run as it stands, in a home of its own.
//!
//! Help examples are collected from the definition of the command line, so that a new one is run without being told
//! of here. Each starts from a copy of one prepared home; what an example needs beyond that stands in [`PREPARED`].

use crate::support::{Home, book, terminal::Terminal};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

/// Examples that no test can run, each with the reason.
pub(crate) const NOT_RUN: [(&str, &str); 5] = [
    (
        "keyward serve --probe --listen unix:/run/keyward/keyward.sock",
        "it asks a server that runs: tests/it/serve_doors.rs",
    ),
    ("keyward webhooks test chat", "it needs a receiver on the internet"),
    ("keyward push --to https://keys.example.com --dry-run", "it needs a server of that name"),
    ("keyward pull --from https://keys.example.com --dry-run", "it needs a server of that name"),
    ("keyward -o jsonl audit list --follow", "it goes on until it is interrupted"),
];

/// What has to be done before examples that begin so.
const PREPARED: [(&str, &str); 43] = [
    ("keyward init", "rm -rf .local .config"),
    ("keyward create billing-sync", "keyward delete billing-sync --confirm billing-sync"),
    ("keyward push", "keyward --vault ./staging init"),
    ("keyward pull", "keyward --vault ./staging init"),
    ("keyward vault restore", "keyward vault backup backup/keystore.db"),
    ("keyward vault adopt", "keyward vault backup backup/keystore.db"),
    ("keyward vault slots remove", "keyward vault slots add --device-file media/other.key --label other"),
    ("keyward workspaces show", "keyward workspaces create acme"),
    ("keyward workspaces update", "keyward workspaces create acme"),
    ("keyward workspaces delete", "keyward workspaces create acme"),
    ("keyward projects show", "keyward projects create shop"),
    ("keyward projects update", "keyward projects create shop"),
    ("keyward projects delete", "keyward projects create shop"),
    ("keyward update billing-sync --add-customer", "keyward customers create contoso"),
    ("keyward customers show", "keyward customers create contoso"),
    ("keyward customers update", "keyward customers create contoso"),
    ("keyward customers delete", "keyward customers create contoso"),
    ("keyward activate --status", "keyward deactivate nightly-export"),
    ("keyward delete --status", "keyward revoke nightly-export"),
    (
        "keyward rotate --expired",
        "keyward -q create gone --expires-in 1s && until keyward list --expired -q | grep -q key_; do :; done",
    ),
    ("keyward audit list --key old-name", "keyward -q create old-name && keyward delete old-name --confirm old-name"),
    ("keyward rotate old-sync", "keyward -q create old-sync && keyward revoke old-sync --yes"),
    ("keyward self rotate", "keyward update billing-sync --self show,rotate,revoke"),
    ("keyward rotation commit", "keyward -q rotate billing-sync --stage"),
    ("keyward rotation abort", "keyward -q rotate billing-sync --stage"),
    ("keyward rotation show", "keyward -q rotate billing-sync --stage"),
    (
        "keyward rotation resume",
        "keyward rotate billing-sync --deliver file:media/billing.key --deliver 'exec:exit 1' || test $? = 12",
    ),
    (
        "keyward audit checkpoint --to git",
        "git init -q anchors && git -C anchors config user.name A && git -C anchors config user.email a@example.com",
    ),
    (
        "keyward audit verify",
        "keyward audit checkpoint --to file:media/keyward.checkpoints && keyward audit checkpoint >cp.txt \
         && keyward audit checkpoint --public-key >vault.pub && keyward audit export >trail.jsonl",
    ),
    ("keyward operators create team", "keyward workspaces create acme"),
    (
        "keyward webhooks remove",
        "keyward -q webhooks add chat https://hooks.example.com/ && keyward -q webhooks add pager https://hooks.example.com/",
    ),
    ("keyward operators revoke", "keyward -q operators create ci-deploy --role rotator"),
    (
        "keyward operators trust add nightly",
        "printf '{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\",\"x\":\"%s\"}]}' 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo >jwks.json",
    ),
    (
        "keyward operators trust remove",
        "keyward operators trust add ci --role auditor --issuer https://id.example.com --audience keys --claim sub=a",
    ),
    ("keyward operators rotate", "keyward -q operators create gateway --role verifier"),
    ("keyward plans show", "keyward plans create small"),
    ("keyward plans update", "keyward plans create small"),
    ("keyward plans delete", "keyward plans create small"),
    (
        "keyward serve",
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -days 2 \
         -keyout server.key -out server.pem && chmod 600 server.key",
    ),
    (
        "keyward check",
        "keyward update billing-sync --owner alice && keyward update nightly-export --owner alice --add-scope exports:read \
         && keyward check --print-policy >check.toml",
    ),
    ("keyward logout", LOGGED_IN),
    ("keyward profile remove", LOGGED_IN),
    ("git grep", "git init -q && cat key.txt >leaked && git add leaked"),
];

/// What has to be there for commands on files of keys.
const WITH_FILES: [(&str, &str); 3] = [
    ("keyward diff", "keyward update billing-sync --label team=billing && keyward export >keys.toml"),
    ("keyward apply", "keyward update billing-sync --label team=billing && keyward export >keys.toml"),
    (
        "keyward import",
        "printf 'name,digest\\nold,%s\\n' $(printf old | sha256sum | cut -c1-64) >old-keys.csv && printf pepper >salt.txt",
    ),
];

/// Starts a server for whoever holds a key.
const SERVING: &str = "
keyward serve --listen unix:media/keyward.sock 2>said & server=$!
until grep -q 'listening on' said; do kill -0 $server || { cat said >&2; exit 1; }; sleep 0.02; done
export KEYWARD_SERVER=unix:media/keyward.sock";

/// Logs in to a server that stops again.
const LOGGED_IN: &str = "
keyward -q operators create root --role platform-admin >credential
keyward serve --listen unix:media/keyward.sock 2>said & server=$!
until grep -q 'listening on' said; do kill -0 $server || { cat said >&2; exit 1; }; sleep 0.02; done
keyward login unix:media/keyward.sock --name keys.example.com <credential
kill -TERM $server; wait $server";

/// Examples that ask somebody, with what is asked and answered.
pub(crate) const ASKED: [(&str, &[(&str, &str)]); 7] = [
    ("keyward ui", &[("q end", "q")]),
    ("keyward ui --allow-changes", &[("q end", "q")]),
    ("keyward init --passphrase", NEW_PASSPHRASE),
    ("keyward vault passphrase", NEW_PASSPHRASE),
    ("keyward vault slots add --passphrase", NEW_PASSPHRASE),
    ("keyward vault slots add --passphrase --role support --label helpdesk", NEW_PASSPHRASE),
    ("keyward vault slots remove slot_0123456789abcdef", &[("Remove the slot", "y")]),
];
const NEW_PASSPHRASE: &[(&str, &str)] = &[("New passphrase", "correct horse\n"), ("Again", "correct horse\n")];

/// A home with two keys, their scopes, and the files that examples name.
pub(crate) fn prepared() -> Home {
    let home = Home::new();
    for directory in ["bin", "backup", "media", ".zfunc", ".config/fish/completions"] {
        fs::create_dir_all(home.path().join(directory)).unwrap();
    }
    let token = home.ok(&[
        "create",
        "billing-sync",
        "--env",
        "production",
        "--scope",
        "invoices:read",
        "--rotate-every",
        "90d",
    ]);
    home.ok(&["create", "nightly-export", "--env", "staging"]);
    home.ok(&["scopes", "add", "invoices:operate"]);
    for (name, text) in [
        ("key.txt", format!("{token}\n")),
        ("keys.csv", "name,environment,scopes\none,production,invoices:read\ntwo,staging,\n".to_owned()),
        ("deliver.toml", "[[rule]]\nglob = \"*\"\ndeliver = [\"file:media/{name}.key\"]\n".to_owned()),
        ("scopes.csv", "name,description,implies\nreports:read,reads,\nreports:write,,reports:read\n".to_owned()),
        // A printer, for those who have none.
        ("bin/lp", "#!/bin/sh\nexec cat >/dev/null\n".to_owned()),
    ] {
        fs::write(home.path().join(name), text).unwrap();
    }
    let executable = Command::new("chmod").args(["+x", "bin/lp"]).current_dir(home.path()).status().unwrap();
    assert!(executable.success());
    home
}

/// A copy of a home: the vault knows no path, and opens in it as well.
pub(crate) fn copy_of(home: &Home) -> Home {
    let copy = Home::new();
    let copied = Command::new("cp").args(["-a", "."]).arg(copy.path()).current_dir(home.path()).status().unwrap();
    assert!(copied.success());
    copy
}

/// A shell with `keyward` in its path, in the directory of a home.
pub(crate) fn shell(home: &Home, script: &str) -> Command {
    let binaries = Path::new(env!("CARGO_BIN_EXE_keyward")).parent().unwrap();
    let mut command = Command::new("bash");
    command.args(["--norc", "-c", script]).env_clear().current_dir(home.path()).stdin(Stdio::null());
    command.env("HOME", home.path()).env("LANG", "C.UTF-8").env("API_KEY", api_key(home));
    command.env("PATH", format!("{}:{}/bin:{PATH}", binaries.display(), home.path().display()));
    command
}

/// Runs lines as a shell with `keyward` in its path would; answers with what went wrong.
pub(crate) fn run(home: &Home, script: &str) -> Result<(), String> {
    let output = shell(home, script).output().unwrap();
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// Whether a system program that an example names is missing here.
pub(crate) fn wants(example: &str) -> Option<&'static str> {
    let there = |program: &str| PATH.split(':').any(|directory| Path::new(directory).join(program).exists());
    OPTIONAL
        .iter()
        .find(|(beginning, program)| example.starts_with(beginning) && !there(program))
        .map(|(_, program)| *program)
}

/// Does in a home what an example needs.
pub(crate) fn prepare(home: &Home, example: &str) -> Result<(), String> {
    PREPARED
        .iter()
        .chain(&WITH_FILES)
        .filter(|(beginning, _)| example.starts_with(beginning))
        .try_for_each(|(_, preparation)| run(home, preparation))
}

fn api_key(home: &Home) -> String {
    fs::read_to_string(home.path().join("key.txt")).unwrap_or_default().trim_end().to_owned()
}

/// Every example of a command and its subcommands. Three blanks begin the explanation beside it.
fn collect(command: &clap::Command, path: &str, examples: &mut Vec<String>) {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut lines = help.lines().skip_while(|line| !line.starts_with("Example")).skip(1).peekable();
    assert!(lines.peek().is_some(), "{path} has no example in its help");
    for line in lines.take_while(|line| line.starts_with("  ")) {
        examples.push(line.trim().split("   ").next().unwrap().to_owned());
    }
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        collect(subcommand, &format!("{path} {}", subcommand.get_name()), examples);
    }
}

pub(crate) fn examples() -> Vec<String> {
    let mut examples = Vec::new();
    collect(&keyward::cli::command(), "keyward", &mut examples);
    examples.sort();
    examples.dedup();
    examples
}

/// System programs that examples name, and that need not be there.
const OPTIONAL: [(&str, &str); 4] = [
    ("git grep", "git"),
    ("keyward man |", "man"),
    ("keyward serve", "openssl"),
    ("keyward audit checkpoint --to git", "git"),
];
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// An example with the ids and places of this home in it.
pub(crate) fn at_home(example: &str, home: &Home) -> String {
    let mut text = example.replace("/mnt/backup", "backup").replace("/media/key", "media");
    text = text.replace("/run/keyward", "media").replace("0.0.0.0:8787", "127.0.0.1:0");
    if example.starts_with("keyward serve") {
        let address = if text.contains("--listen") { "" } else { " --listen 127.0.0.1:0" };
        text = format!("{text}{address} 2>said & server=$!\n{UNTIL_IT_LISTENS}");
    }
    if example.starts_with("keyward login") {
        let login = text.replace("https://keys.example.com", "unix:media/keyward.sock");
        // The prepared login with this one in its place.
        let lines = LOGGED_IN.lines().map(|line| if line.starts_with("keyward login") { login.as_str() } else { line });
        text =
            format!("set -e\nchmod 600 credential 2>/dev/null || umask 077\n{}", lines.collect::<Vec<_>>().join("\n"));
    }
    if example.contains("keyward self ") {
        let asked = text.replace("https://keys.example.com", "unix:media/keyward.sock");
        text = format!("{SERVING}\n{asked}; code=$?; kill -TERM $server; wait $server; exit $code");
    }
    let made_up: Vec<&str> = example.split([' ', '"']).filter(|word| word.starts_with("key_")).collect();
    for (made_up, name) in made_up.into_iter().zip(["billing-sync", "nightly-export"]) {
        let id = home.ok(&["show", name, "--field", "key.id"]);
        text = text.replace(made_up, &id[..made_up.len().min(id.len())]);
    }
    if text.contains("vault_0123456789abcdef") {
        text = text.replace("vault_0123456789abcdef", &home.ok(&["vault", "status", "--field", "vault_id"]));
    }
    if text.contains("slot_0123456789abcdef") {
        let slots = home.ok(&["-q", "vault", "slots", "list"]);
        text = text.replace("slot_0123456789abcdef", slots.lines().last().unwrap());
    }
    text
}

/// A server is an example that stays: it is stopped as soon as it listens.
const UNTIL_IT_LISTENS: &str = "
until grep -q 'listening on' said; do kill -0 $server || { cat said >&2; exit 1; }; sleep 0.02; done
kill -TERM $server; wait $server";

fn run_example(example: &str, base: &Home) -> Result<(), String> {
    if let Some(program) = wants(example) {
        eprintln!("skipped, for want of {program}: {example}");
        return Ok(());
    }
    let home = copy_of(base);
    prepare(&home, example)?;
    let text = at_home(example, &home);
    let Some((_, answers)) = ASKED.iter().find(|(asking, _)| *asking == example) else {
        return run(&home, &text);
    };
    let mut shell = Terminal::open(&home);
    shell.type_line(&text);
    for (question, keys) in *answers {
        shell.press(question, keys);
    }
    shell.finished(0);
    Ok(())
}

#[test]
fn every_example_in_the_help_works() {
    let examples = examples();
    assert!(examples.len() > 60, "only {} were found", examples.len());
    for (stale, reason) in NOT_RUN {
        assert!(examples.iter().any(|example| example == stale), "{stale} ({reason}) is no example any more");
    }
    for (stale, _) in ASKED {
        assert!(examples.iter().any(|example| example == stale), "{stale} is no example any more");
    }
    let (base, next) = (prepared(), AtomicUsize::new(0));
    let work = || {
        let mut wrong = Vec::new();
        while let Some(example) = examples.get(next.fetch_add(1, Ordering::Relaxed)) {
            if NOT_RUN.iter().any(|(left_out, _)| left_out == example) {
                continue;
            }
            if let Err(why) = run_example(example, &base) {
                wrong.push(format!("{example}\n  {why}"));
            }
        }
        wrong
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_readme_begins_with_what_it_is_and_two_commands() {
    let readme = include_str!("../../README.md");
    let blocks: Vec<&str> =
        readme.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let first = "cargo run --release -- create billing-sync --env production --scope audits:read\ncargo test\n";
    assert_eq!(blocks[0], first);
    assert!(readme.starts_with("# keyward\n\nkeyward issues, scopes, rotates, revokes, verifies and audits API keys"));
    assert!(readme.lines().take(12).any(|line| line == "cargo test"), "the commands stand at the top");
}

/// The blocks to run of a text; a block after `<!-- not run: why -->` is not run.
pub(crate) fn blocks(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (before, rest) in text.split("```console\n").zip(text.split("```console\n").skip(1)) {
        let block = rest.split("```").next().unwrap();
        let left_out = before
            .rsplit("<!-- ")
            .next()
            .is_some_and(|said| said.starts_with("not run: ") && said.trim_end().ends_with("-->"));
        if !block.starts_with("cargo ") && !left_out {
            found.push(block);
        }
    }
    found
}

/// What every script of the tours begins with: it ends at the first failure, which it names.
pub(crate) const STRICT: &str =
    "set -euo pipefail\ntrap 'echo \"in: $BASH_COMMAND\" >&2' ERR\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n";

/// The file of keys that the tours name.
pub(crate) const KEYS_CSV: &str = "name,environment,scopes\none,production,invoices:read\n";

/// The blocks of the README and then of the pages run in one home and one shell.
#[test]
fn the_tours_of_the_readme_and_the_book_work() {
    let book: String = book::pages().into_iter().map(|(_, text)| text).collect();
    let script = blocks(&book).concat();
    let commands = script.matches("keyward ").count();
    assert!(commands > 25, "only {commands} were found");
    let home = Home::new();
    fs::write(home.path().join("keys.csv"), KEYS_CSV).unwrap();
    run(&home, &format!("{STRICT}{script}")).unwrap_or_else(|why| panic!("{why}"));
}
