//! Every command that the help, the README and the book show is run on a local vault and through a server in front of a
//! copy of that vault: standard output, standard error and exit code are the same, but for what
//! [`OF_THE_VAULT`], [`OF_THE_MACHINE`] and [`OF_THE_PLACE`] list.

use crate::{
    examples::{self, ASKED, KEYS_CSV, NOT_RUN, STRICT},
    support::{Home, Ran, book, door::Door, server::Served},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

/// What only the machine that has the vault can do: refused through a server as a usage error, as docs/remote.md says.
const OF_THE_VAULT: [&str; 5] =
    ["keyward init", "keyward vault", "keyward identify", "keyward import", "keyward audit archive"];

/// What is about the machine that one sits at: not run again with a server named.
const OF_THE_MACHINE: [&str; 15] = [
    "keyward login",
    "keyward logout",
    "keyward profile",
    "keyward --profile",
    "keyward unlock",
    "keyward lock",
    "eval \"$(keyward unlock",
    "keyward serve",
    "keyward completions",
    "keyward man",
    // It shows a key to a server, wherever the vault is.
    "keyward self",
    "printf %s \"$API_KEY\" | keyward self",
    // Its own side is the local vault, always.
    "keyward push",
    "keyward pull",
    // What opens a vault by a file's key is beside that vault.
    "keyward -q --key-file",
];

/// What tells of the place that is worked at, and so must differ.
const OF_THE_PLACE: [&str; 2] = ["keyward doctor", "keyward whoami"];

/// What tells who did everything before it, by name or in hashes: the operator of a server is another actor.
const OF_THE_ACTOR: [&str; 3] = ["keyward audit review", "keyward audit export", "keyward audit checkpoint"];

/// What is of whoever asks: through a server somebody else does.
const OF_WHO_ASKS: [&str; 1] = ["keyward list --mine"];

/// Lists whose order hangs on the second in which things were done.
const IN_AN_ORDER: [&str; 2] = ["keyward rotation list", "keyward list"];

fn is_of(list: &[&str], command: &str) -> bool {
    list.iter().any(|beginning| command.starts_with(beginning))
}

/// A copy of a home without its vault: what a client of a server has.
fn client_of(home: &Home) -> Home {
    let client = examples::copy_of(home);
    for directory in [".local", ".config"] {
        fs::remove_dir_all(client.path().join(directory)).unwrap();
    }
    client
}

/// A text without what is random, personal or of a place: last characters of secrets, who did it, directories.
fn normal(text: &str, door: &Door<'_>) -> String {
    let mut lines = Vec::new();
    for line in door.normal(text).lines() {
        let mut line = line.to_owned();
        for beginning in ["hint:  ", "created by:  "] {
            if line.starts_with(beginning) {
                line = format!("{beginning}…");
            }
        }
        while let Some(at) = line.find(std::env::temp_dir().to_str().unwrap()) {
            let end = line[at..].find(['/', ' ', '\'', '"']).map_or(line.len(), |_| {
                let rest = &line[at + std::env::temp_dir().to_str().unwrap().len() + 1..];
                line.len() - rest.len() + rest.find(['/', ' ', '\'', '"', '\n']).unwrap_or(rest.len())
            });
            line.replace_range(at..end, "HOME");
        }
        let mut parts = line.split('…');
        let mut masked = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            masked.push('…');
            let last_characters = part.len() >= 4 && part.bytes().take(4).all(|byte| byte.is_ascii_alphanumeric());
            masked.push_str(if last_characters { &part[4..] } else { part });
        }
        lines.push(masked);
    }
    lines.join("\n")
}

/// What differs between two runs, in words for people, or nothing when they are alike.
fn difference(what: &str, here: &Ran, there: &Ran, door: &Door<'_>) -> Option<String> {
    if is_of(&OF_THE_PLACE, what) {
        return None;
    }
    if is_of(&OF_THE_VAULT, what) {
        // The exit code of a pipeline is that of its last command.
        let said = (there.code == Some(2) || what.contains(" | ")) && there.stderr.contains("a server");
        return (!said).then(|| format!("=== {what}\n    through a server: {there:?}"));
    }
    let told = |ran: &Ran| {
        let mut stdout = normal(&ran.stdout, door);
        if is_of(&IN_AN_ORDER, what) {
            // What began, or ends, in one second on a quick machine does so in two on a slow one.
            let mut lines: Vec<&str> = stdout.lines().collect();
            lines.sort_unstable();
            stdout = lines.join("\n");
        }
        format!("exit {:?}\nstdout:\n{stdout}\nstderr:\n{}", ran.code, normal(&ran.stderr, door))
    };
    // Ids that one side's JSON names are unknown until it was read.
    let _ = (told(here), told(there));
    let (here, there) = (told(here), told(there));
    (here != there).then(|| format!("=== {what}\n--- local\n{here}\n--- through a server\n{there}"))
}

fn compare(example: &str, base: &Home) -> Result<Option<String>, String> {
    let (local, behind) = (examples::copy_of(base), examples::copy_of(base));
    examples::prepare(&local, example)?;
    let here = Ran::of(examples::shell(&local, &examples::at_home(example, &local)).output().unwrap());
    examples::prepare(&behind, example)?;
    if !behind.path().join(".local/share/keyward/keystore.db").exists() {
        // A server makes no vault.
        behind.ok(&["init"]);
    }
    let text = examples::at_home(example, &behind);
    let server = Served::start(&behind, &[]);
    let client = client_of(&behind);
    let mut command = examples::shell(&client, &text);
    command.env("KEYWARD_SERVER", &server.url).env("KEYWARD_TOKEN_FILE", client.path().join("root.token"));
    let there = Ran::of(command.output().unwrap());
    Ok(difference(example, &here, &there, &Door::local(&local)))
}

#[test]
fn every_example_of_the_help_answers_alike_on_both_sides() {
    let base = examples::prepared();
    base.private("root.token", &base.ok(&["operators", "create", "root", "--role", "platform-admin", "--no-expiry"]));
    let mut examples = examples::examples();
    examples.retain(|example| {
        let left_out = NOT_RUN.iter().any(|(name, _)| name == example) || ASKED.iter().any(|(name, _)| name == example);
        let compared = !is_of(&OF_THE_MACHINE, example) && !is_of(&OF_WHO_ASKS, example);
        !left_out && compared && examples::wants(example).is_none()
    });
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some(example) = examples.get(next.fetch_add(1, Ordering::Relaxed)) {
            match compare(example, &base) {
                Err(why) => wrong.push(format!("{example}\n  {why}")),
                Ok(difference) => wrong.extend(difference),
            }
        }
        wrong
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

/// Every command of a run of the tours: what it said, by its words and by how many had the same words before it.
type Recorded = BTreeMap<(String, usize), Ran>;

/// Runs the tours with a `keyward` in the way that keeps what each command said.
fn recorded(home: &Home, server: Option<&str>) -> Recorded {
    let log = home.path().join("log");
    fs::create_dir(&log).unwrap();
    let machine: Vec<String> =
        OF_THE_VAULT.iter().chain(&OF_THE_MACHINE).map(|command| format!("'{command}'*")).collect();
    let machine = machine.join("|");
    let remote = server.map_or_else(String::new, |url| {
        format!("KEYWARD_SERVER={url} KEYWARD_TOKEN_FILE={}/root.token", home.path().display())
    });
    // A server hears within a second of what another process did to its vault: what was imported beside it is asked again.
    let tries = if server.is_some() { 100 } else { 1 };
    let recorder = format!(
        r#"keyward() {{
  local at=1 code=0 try
  while ! mkdir log/$at 2>/dev/null; do at=$((at + 1)); done
  printf '%s' "keyward $*" >log/$at/words
  case "keyward $*" in
    {machine}) command keyward "$@" >log/$at/out 2>log/$at/err || code=$?;;
    'keyward verify -'*)
      cat >log/$at/in
      for try in $(seq {tries}); do
        code=0; env {remote} keyward "$@" <log/$at/in >log/$at/out 2>log/$at/err || code=$?
        [ $code = 13 ] || break
      done;;
    *) env {remote} keyward "$@" >log/$at/out 2>log/$at/err || code=$?;;
  esac
  echo $code >log/$at/code; cat log/$at/out; cat log/$at/err >&2; return $code
}}
"#
    );
    let pages = book::pages().into_iter().filter(|(name, _)| name != "remote" && name != "holder");
    let script: String = pages.map(|(_, text)| examples::blocks(&text).concat()).collect();
    fs::write(home.path().join("keys.csv"), KEYS_CSV).unwrap();
    if let Err(why) = examples::run(home, &format!("{STRICT}{recorder}{script}")) {
        panic!("{}: {why}", server.unwrap_or("local"));
    }
    let mut recorded = Recorded::new();
    let mut entries: Vec<PathBuf> = fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort_by_key(|path| path.file_name().unwrap().to_str().unwrap().parse::<u32>().unwrap());
    for entry in entries {
        let read = |name: &str| String::from_utf8_lossy(&fs::read(entry.join(name)).unwrap()).into_owned();
        let words = read("words");
        let before = recorded.keys().filter(|(other, _)| *other == words).count();
        let code = read("code").trim().parse().ok();
        recorded.insert((words, before), Ran { code, stdout: read("out"), stderr: read("err") });
    }
    recorded
}

#[test]
fn the_tours_answer_alike_on_both_sides() {
    let base = Home::with_vault();
    base.private("root.token", &base.ok(&["operators", "create", "root", "--role", "platform-admin", "--no-expiry"]));
    let behind = examples::copy_of(&base);
    let here = recorded(&base, None);
    let server = Served::start(&behind, &[]);
    let there = recorded(&behind, Some(&server.url));
    let words = |recorded: &Recorded| recorded.keys().cloned().collect::<Vec<_>>();
    assert_eq!(words(&here), words(&there));
    let door = Door::local(&base);
    // Who did it and what a secret ends with are known of both vaults, whatever the tours print.
    for home in [&base, &behind] {
        for list in [&["list", "--status", "any"][..], &["audit", "list"], &["operators", "list"]] {
            door.normal_json(&home.json(list));
        }
    }
    let printed = here.values().chain(there.values()).map(|ran| ran.stdout.clone());
    for text in printed.chain([&base, &behind].map(|home| home.read("secrets.jsonl"))) {
        // The hint of a secret is its last four characters before the six of its checksum.
        for token in text.split(['"', '\n']).filter(|word| word.starts_with("kw_") && word.len() > 40) {
            door.normal_json(&json!({ "hint": &token[token.len() - 10..token.len() - 6] }));
        }
    }
    let wrong: Vec<String> = here
        .iter()
        .filter(|((words, _), _)| !is_of(&OF_THE_VAULT, words) && !is_of(&OF_THE_ACTOR, words))
        .filter_map(|(key, here)| difference(&key.0, here, &there[key], &door))
        .collect();
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}
