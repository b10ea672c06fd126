//! One contract for both doors: the same command lines against a local vault and through a server in front of a vault of
//! the same starting state, with equal standard output, standard error and exit codes.
//!
//! What is random or told by a clock is made equal before it is compared; nothing else is.

use crate::{
    support::{Home, Ran, server::Served},
    webhooks::Hook,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{Arc, Mutex},
};

/// The same commands, on a vault or through a server.
pub(crate) struct Door<'a> {
    pub(crate) home: &'a Home,
    pub(crate) server: Option<(&'a Served, PathBuf)>,
    /// What is known to be random or personal, by the JSON that named it.
    known: Known,
}

type Known = Arc<Mutex<BTreeSet<String>>>;

/// What a user sees of one run, made comparable.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Door<'_> {
    fn variables(&self) -> Vec<(&str, &str)> {
        match &self.server {
            Some((server, token)) => {
                vec![("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN_FILE", token.to_str().unwrap())]
            }
            None => Vec::new(),
        }
    }

    pub(crate) fn run(&self, args: &[&str], stdin: &str) -> Ran {
        self.home.run_with_in(args, stdin, &self.variables())
    }

    pub(crate) fn seen(&self, args: &[&str], stdin: &str) -> Seen {
        let ran = self.run(args, stdin);
        Seen { code: ran.code, stdout: self.normal(&ran.stdout), stderr: self.normal(&ran.stderr) }
    }

    /// A text with everything that differs between two runs of the same thing replaced by what it is.
    fn normal(&self, text: &str) -> String {
        let json = |text: &str| match serde_json::from_str::<Value>(text) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => Some(self.normal_json(&value)),
            _ => None,
        };
        if let Some(value) = json(text) {
            return format!("{value:#}");
        }
        let lines = text.lines().map(|line| json(line).map_or_else(|| self.words(line), |value| value.to_string()));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn normal_json(&self, value: &Value) -> Value {
        const RANDOM: [&str; 7] = ["lookup", "hint", "created_by", "actor", "source", "leaf", "root"];
        match value {
            Value::Array(items) => items.iter().map(|item| self.normal_json(item)).collect(),
            Value::Object(fields) => {
                let told = |(name, value): (&String, &Value)| match value {
                    Value::String(text) if RANDOM.contains(&name.as_str()) => {
                        self.known.lock().unwrap().insert(text.clone());
                        (name.clone(), json!("…"))
                    }
                    value => (name.clone(), self.normal_json(value)),
                };
                fields.iter().map(told).collect()
            }
            Value::String(text) => json!(self.words(text)),
            other => other.clone(),
        }
    }

    /// Each run of letters, digits and a few marks, replaced where it is an id, a secret, a time, or known.
    fn words(&self, line: &str) -> String {
        let (mut out, mut word) = (String::new(), String::new());
        for character in line.chars().chain(['\n']) {
            let of_base64 = word.starts_with("whsec_") && "+/=".contains(character);
            if character.is_ascii_alphanumeric() || "_-:@".contains(character) || of_base64 {
                word.push(character);
                continue;
            }
            match self.kind_of(&word) {
                Some(kind) => out.push_str(kind),
                None => {
                    let parts = word.split(':').map(|part| self.kind_of(part).unwrap_or(part));
                    out.push_str(&parts.collect::<Vec<_>>().join(":"));
                }
            }
            word.clear();
            // How wide a column is depends on what stands in it.
            if character != ' ' || !out.ends_with("  ") {
                out.push(character);
            }
        }
        out.trim_end().to_owned()
    }

    fn kind_of(&self, word: &str) -> Option<&'static str> {
        let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| word.starts_with(beginning));
        let alphanumeric = word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if self.known.lock().unwrap().contains(word) {
            Some("…")
        } else if begins(&["kw_", "kwop_", "whsec_"]) && word.len() > 40 {
            Some("SECRET")
        } else if begins(&["key_", "rot_", "op_", "vault_", "wh_", "msg_"]) && word.len() >= 19 {
            Some("ID")
        } else if word.len() == 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T' {
            Some("TIME")
        } else if word.len() == 16 && alphanumeric && word.bytes().any(|byte| !byte.is_ascii_lowercase()) {
            Some("LOOKUP")
        } else {
            None
        }
    }
}

/// A local vault, and a server in front of another one, both made by the same commands.
pub(crate) struct Doors {
    pub(crate) local: Home,
    pub(crate) behind: Home,
    pub(crate) client: Home,
    pub(crate) server: Served,
    token: PathBuf,
    known: Known,
}

impl Doors {
    pub(crate) fn new() -> Self {
        let (local, behind, client) = (Home::new(), Home::new(), Home::new());
        local.ok(&["operators", "create", "root", "--role", "platform-admin"]);
        let token = behind.ok(&["operators", "create", "root", "--role", "platform-admin"]);
        let file = client.path().join("token");
        std::fs::write(&file, format!("{token}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let server = Served::start(&behind, &[]);
        Self { local, behind, client, server, token: file, known: Known::default() }
    }

    pub(crate) fn here(&self) -> Door<'_> {
        Door { home: &self.local, server: None, known: Arc::clone(&self.known) }
    }

    pub(crate) fn there(&self) -> Door<'_> {
        let server = Some((&self.server, self.token.clone()));
        Door { home: &self.client, server, known: Arc::clone(&self.known) }
    }

    /// A command line through both doors, with the same file or standard input; answers with what differs.
    fn compare(&self, line: &str, stdin: &str) -> Vec<String> {
        let (here, there) = (self.here(), self.there());
        let mut differences = Vec::new();
        for before in [&["-o", "json"][..], &[]] {
            // What reads is compared as people see it, too; what changes would change twice.
            if before.is_empty() && !READS.iter().any(|read| line.starts_with(read)) {
                continue;
            }
            let mut args = before.to_vec();
            let words = split(line);
            args.extend(words.iter().map(String::as_str));
            let (here, there) = (here.seen(&args, stdin), there.seen(&args, stdin));
            let mut differ = |here: &str, there: &str| {
                if here != there {
                    differences.push(format!("keyward {}\n  here:  {here}\n  there: {there}", args.join(" ")));
                }
            };
            let code =
                |seen: &Seen| seen.code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
            differ(&code(&here), &code(&there));
            for (here, there) in [(&here.stdout, &there.stdout), (&here.stderr, &there.stderr)] {
                let lines = here.lines().count().max(there.lines().count());
                let padded = |text: &str| {
                    text.lines()
                        .map(str::to_owned)
                        .chain(std::iter::repeat("(nothing)".to_owned()))
                        .take(lines)
                        .collect::<Vec<_>>()
                };
                for (here, there) in padded(here).iter().zip(&padded(there)) {
                    differ(here, there);
                }
            }
            assert_ne!(here.code, Some(70), "{here:?}");
        }
        differences
    }

    /// Command lines through both doors, one after the other.
    fn compare_all<'a>(&self, lines: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let differences: Vec<String> = lines.into_iter().flat_map(|(stdin, line)| self.compare(line, stdin)).collect();
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}

const READS: [&str; 12] = [
    "list",
    "show",
    "rotation list",
    "rotation show",
    "scopes list",
    "scopes show",
    "projects",
    "workspaces list",
    "plans list",
    "customers list",
    "operators list",
    "webhooks list",
];

/// Words, with 'quotes' around those that have blanks.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('\'').enumerate() {
        match at % 2 {
            1 => words.push(part.to_owned()),
            _ => words.extend(part.split_whitespace().map(str::to_owned)),
        }
    }
    words
}

const KEYS: &[&str] = &[
    "list",
    "list --scope a:raed",
    "projects create apollo --description 'to the moon'",
    "projects create apollo",
    "customers create acme",
    "create sync --env production --scope a:read --project apollo --customer acme --owner o@example.com --label team=x \
     --allow-ip 10.0.0.0/8 --rate-limit 7/m --rotate-every 30d",
    "create sync --env production",
    "create sync --env production --if-not-exists",
    "create sync --env staging --dry-run",
    "create lost --project nowhere",
    "create lost --customer nobody",
    "create once --idempotency-key 'K 1'",
    "create once --idempotency-key 'K 1'",
    "create other --idempotency-key 'K 1'",
    "create past --expires-at 2020-01-01",
    "create forever --no-expiry --rate-limit none",
    "create soon --expires-in 1h",
    "create 'a b/c?d#e%f' --description 'odd % name, ünïcödé'",
    "show 'a b/c?d#e%f'",
    "show sync",
    "show synk",
    "show sync forever nobody",
    "show key_0000",
    "list --sort name",
    "list --expires-within 2h --sort name",
    "list --no-expiry --sort name",
    "list --label team=x --sort -name",
    "list --limit 2 --sort name",
    "list --limit 0",
    "list --name 's*'",
    "list --count",
    "list -q --sort name",
    "list --exit-code --sort name",
    "list --never-used --older-than 1d --sort name",
    "update sync --add-scope b:write --owner '' --rate-limit none --label team=y",
    "update sync --add-scope b:write",
    "update sync --remove-scope never:there",
    "update sync --overlap 2h --dry-run",
    "update sync --overlap 60d",
    "update nobody --owner x",
    "update soon --name sooner --env development",
    "deactivate sync --reason 'maintenance, with ünïcödé'",
    "deactivate sync",
    "activate sync",
    "activate sync nobody",
];

const ROTATIONS: &[&str] = &[
    "rotate sync",
    "rotate sync",
    "rotation list",
    "rotation show sync",
    "rotation show nobody",
    "rotate sync --supersede --now",
    "rotate sync --supersede --idempotency-key R",
    "rotate sync --supersede --idempotency-key R",
    "rotate sync --supersede --now --idempotency-key R",
    "rotate once --idempotency-key R",
    "rotate nobody",
    "rotate once --dry-run",
    "rotate once --stage",
    "rotation show once",
    "rotate once",
    "rotation commit once",
    "rotate once --supersede --stage",
    "rotation abort once",
    "rotation abort once --force",
    "rotation abort once --force",
    "rotate once forever --supersede --overlap 1h",
    "revoke sync sooner --reason 'leaked on the wiki'",
    "activate sync",
    "list --status revoked --sort name",
    "rotate sync --now",
    "delete once --confirm other",
    "delete once --confirm once",
    "delete once --confirm once",
    "list --status any --sort name",
];

const WORKSPACE: &[&str] = &[
    "scopes add c:read --description 'read c'",
    "scopes add c:write --implies c:read",
    "scopes list",
    "scopes show c:read",
    "scopes show d:read",
    "scopes remove a:read --yes",
    "scopes remove c:read --yes",
    "scopes close",
    "create strict --scope unheard:of",
    "scopes open",
    "workspaces create acme --plan free",
    "workspaces create acme --plan nosuch",
    "workspaces list",
    "workspaces update acme --max-lifetime 30d",
    "--workspace acme create inside --no-expiry",
    "--workspace acme create inside",
    "--workspace acme list",
    "--workspace nowhere list",
    "--workspace nowhere create x",
    "plans create tiny --max-keys 1",
    "plans list",
    "plans delete unlimited --yes",
    "plans delete tiny --yes",
    "projects list",
    "projects show apolo",
    "projects update apollo --description ''",
    "projects delete apollo --yes",
    "customers list",
    "operators list",
    "operators create deploy --role rotator --expires-in 1d --ceiling a:read --allow-ip 192.0.2.0/24",
    "operators create deploy --role rotator",
    "operators create all --role platform-admin --bind acme",
    "operators rotate deploy --overlap 1h",
    "operators rotate nobody",
    "operators revoke deploy --yes",
    "operators revoke deploy --yes",
    "operators rotate deploy",
    "webhooks list",
    "webhooks add pager https://hooks.example.com/x --event key.expiring --lead 14d --denied-burst 50/5m",
    "webhooks add pager https://hooks.example.com/x",
    "webhooks add other https://hooks.example.com/x --dry-run",
    "webhooks add intern http://10.0.0.7/x",
    "webhooks add nowhere mailto:ops@example.com",
    "webhooks list",
    "webhooks test nobody",
    "webhooks remove pager --dry-run",
    "webhooks remove pager --yes",
    "webhooks remove pager --yes",
    "--read-only webhooks add never https://hooks.example.com/x",
    "--read-only create never",
    "--read-only list --sort name",
];

#[test]
fn both_doors_answer_alike() {
    let doors = Doors::new();
    doors.compare_all(KEYS.iter().chain(ROTATIONS).chain(WORKSPACE).map(|line| ("", *line)));
    assert!(doors.client.find("keystore.db").is_none(), "a client of a server needs no vault");
    doors.behind.ok(&["audit", "verify"]);
    // The trail tells the same story: the same actions on the same targets, with the same ends.
    let door = doors.here();
    let story = |home: &Home| {
        let events = home.json(&["audit", "list"]);
        let tell = |event: &Value| {
            let words = ["action", "target", "outcome"].map(|name| event[name].as_str().unwrap().to_owned());
            format!("{} {}", door.normal(&words.join(" ")), door.normal_json(&event["reason"]))
        };
        events["items"].as_array().unwrap().iter().map(tell).collect::<Vec<_>>()
    };
    let (here, there) = (story(&doors.local), story(&doors.behind));
    for (at, (here, there)) in here.iter().zip(&there).enumerate() {
        assert_eq!(here, there, "event {at}");
    }
    assert_eq!(here.len(), there.len());
}

#[test]
fn webhooks_are_tried_alike() {
    let doors = Doors::new();
    let (takes, fails) = (Hook::new(&["204 No Content"]), Hook::new(&["500 Broken"]));
    let lines = [
        format!("webhooks add takes {} --allow-private", takes.url()),
        format!("webhooks add fails {} --allow-private --event key.overdue", fails.url()),
        "webhooks test takes".to_owned(),
        "webhooks test takes --dry-run".to_owned(),
        "webhooks test fails".to_owned(),
    ];
    doors.compare_all(lines.iter().map(|line| ("", line.as_str())));
}

/// Logins and profiles are kept on this machine: a server that is named changes nothing about them.
#[test]
fn profiles_are_of_this_machine_whichever_the_door() {
    let doors = Doors::new();
    doors.client.ok(&["init"]);
    let url = doors.server.url.as_str();
    let token = std::fs::read_to_string(&doors.token).unwrap();
    // The door of the server names a credential on the command line already: only what asks for none is the same.
    let kept = format!("login {url} --name team");
    doors.compare_all([
        ("", "profile list"),
        ("", "logout"),
        ("", "profile use nobody"),
        ("", "profile remove nobody --yes"),
        (token.as_str(), kept.as_str()),
        ("", "profile list"),
        ("", "profile use team"),
        ("", "profile remove team --yes"),
        ("", "profile list"),
    ]);
}

#[test]
fn files_of_keys_come_into_being_alike() {
    let doors = Doors::new();
    let good = "{\"name\":\"m1\"}\n{\"name\":\"m2\",\"scopes\":[\"a:read\"],\"expires_in\":\"1h\"}\n";
    let wrong = "{\"name\":\"m3\"}\n{\"name\":\"m1\"}\n{\"name\":\"m4\",\"project\":\"nowhere\"}\n";
    let csv = "name,env,labels\nc1,production,team=x;tier=1\nc2,staging,\n";
    doors.compare_all([
        (good, "create --from - --dry-run"),
        (good, "create --from -"),
        (wrong, "create --from -"),
        (good, "create --from - --if-not-exists"),
        (csv, "create --from - --owner ops --out secrets.jsonl"),
        (csv, "create --from - --out secrets.jsonl"),
        ("name\n", "create --from -"),
        ("nonsense", "create --from -"),
        ("", "list --sort name"),
    ]);
    let door = doors.here();
    let secrets = |home: &Home| door.normal(&std::fs::read_to_string(home.path().join("secrets.jsonl")).unwrap());
    assert_eq!(secrets(&doors.local), secrets(&doors.client));
}

/// Keys as a file declares them, and their hygiene. The file, and where secrets go, are where the command is run.
#[test]
fn files_of_declared_keys_are_applied_alike() {
    let doors = Doors::new();
    let file = "[[keys]]\nname = \"mailer\"\nenvironment = \"production\"\nscopes = [\"mail:send\"]\n\
        labels = { team = \"x\" }\ndeliver = [\"file:mailer.key\"]\n\
        [[keys]]\nname = \"reader\"\nowner = \"ana@example.com\"\nactive = false\ndeliver = [\"file:{name}.key\"]\n";
    for home in [&doors.local, &doors.client] {
        std::fs::write(home.path().join("keys.toml"), file).unwrap();
        std::fs::write(
            home.path().join("less.toml"),
            file.split("[[keys]]").take(2).collect::<Vec<_>>().join("[[keys]]"),
        )
        .unwrap();
        std::fs::write(home.path().join("strict.toml"), "[rules.no-owner]\nseverity = \"error\"\n").unwrap();
    }
    doors.compare_all(
        [
            "create old --env production --label team=x --no-expiry --rate-limit none",
            "diff -f keys.toml",
            "apply -f keys.toml --dry-run",
            "apply -f keys.toml --yes",
            "apply -f keys.toml --yes",
            "diff -f keys.toml",
            "diff -f nowhere.toml",
            "apply -f less.toml --prune team=x --yes",
            "apply -f less.toml --prune taem=x --yes",
            "export",
            "export --label team=x -o json",
            "export --owner nobody",
            "check",
            "check --policy strict.toml",
            "check mailer",
            "check nobody",
            "list --sort name",
        ]
        .map(|line| ("", line)),
    );
    for home in [&doors.local, &doors.client] {
        assert!(home.find("mailer.key").is_some() && home.find("reader.key").is_some());
    }
    let secret = std::fs::read_to_string(doors.client.path().join("mailer.key")).unwrap();
    assert_eq!(doors.there().run(&["verify", "-"], &secret).code, Some(0));
    doors.behind.ok(&["audit", "verify"]);
}

#[test]
fn whoever_may_not_change_every_kind_of_thing_applies_no_file() {
    let (behind, client) = (Home::new(), Home::new());
    let operator =
        |name: &str, role: &str| behind.ok(&["operators", "create", name, "--role", role, "--bind", "default"]);
    let (issuer, support, admin) =
        (operator("i", "issuer"), operator("s", "support"), operator("a", "workspace-admin"));
    let server = Served::start(&behind, &[]);
    std::fs::write(client.path().join("keys.toml"), "[[keys]]\nname = \"k\"\ndeliver = [\"file:k.key\"]\n").unwrap();
    let code = |token: &str, args: &[&str]| {
        client.run_in(args, &[("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", token)]).code
    };
    for (token, apply, diff) in [(&issuer, 5, 5), (&support, 5, 10), (&admin, 0, 0)] {
        assert_eq!(code(token, &["apply", "-f", "keys.toml", "--yes"]), Some(apply));
        assert_eq!(code(token, &["diff", "-f", "keys.toml"]), Some(diff));
    }
    for actor in ["i", "s"] {
        let refused = behind.json(&["audit", "--outcome", "refused", "--actor", actor]);
        assert!(refused["page"]["total"].as_u64() > Some(0), "{actor}: {refused}");
    }
}

#[test]
fn sinks_and_probes_run_where_the_command_does() {
    let doors = Doors::new();
    for home in [&doors.local, &doors.client] {
        let map = "[[rule]]\nglob = \"due-*\"\ndeliver = [\"file:{name}.key\"]\nprobe = \"grep -q kw_\"\n";
        std::fs::write(home.path().join("map.toml"), map).unwrap();
    }
    let lines = [
        "create mailer --deliver file:mailer.key --deliver dotenv:app.env#MAILER",
        "create mailer --deliver file:mailer.key",
        "create byid --deliver file:{id}.key",
        "create bad --deliver file:/nowhere/at/all.key",
        "create unsure --deliver file:unsure.key --probe 'exit 1' --probe-tries 1",
        "show unsure",
        "rotate mailer --deliver file:mailer.key --now",
        "rotate mailer --deliver file:mailer.key --probe 'exit 1' --probe-tries 1",
        "rotate mailer --deliver 'exec:cat >got' --now",
        "rotate mailer --deliver 'exec:exit 3' --now --supersede",
        "rotation show mailer",
        "rotate mailer --deliver file:mailer.key --stage --supersede",
        "rotation commit mailer",
        "create due-one --rotate-every 1h",
        "create due-two --rotate-every 1h",
        "create due-out --rotate-every 30d",
        "rotate --due --due-within 2h --yes --max 5 --deliver-map map.toml --dry-run",
        "rotate --due --due-within 2h --yes --max 5 --deliver-map map.toml",
        "rotate --due --due-within 2h --yes --max 5 --deliver-map map.toml --detailed-exitcode",
        "list --sort name",
    ];
    doors.compare_all(lines.map(|line| ("", line)));
    for (home, door) in [(&doors.local, doors.here()), (&doors.client, doors.there())] {
        let id = door.run(&["show", "byid", "--field", "key.id"], "").stdout.trim_end().to_owned();
        for file in ["mailer.key", "due-one.key", "due-two.key", &format!("{id}.key")] {
            let secret = std::fs::read_to_string(home.path().join(file)).unwrap_or_else(|_| panic!("{file}"));
            assert_eq!(door.run(&["verify", "-"], &secret).code, Some(0), "{file}");
        }
        assert!(!home.path().join("due-out.key").exists());
    }
    assert!(doors.behind.find("mailer.key").is_none(), "the server's machine has no part in a delivery");
}

#[test]
fn verdicts_are_the_same() {
    let doors = Doors::new();
    let judged = |door: &Door<'_>| {
        let made = ["create", "judged", "--env", "staging", "--scope", "a:read", "--allow-ip", "192.0.2.0/24"];
        let key = door.run(&made, "").stdout;
        let mut seen: Vec<Seen> = Vec::new();
        for line in [
            "verify -",
            "verify - --env staging --scope a:read --ip 192.0.2.1 --explain",
            "verify - --env production --explain",
            "verify - --scope z:read --explain",
            "verify - --at 2099-01-01 --explain",
            "verify - --project p --customer c",
        ] {
            for before in ["", "-o json "] {
                let line = format!("{before}{line}");
                seen.push(door.seen(&line.split(' ').collect::<Vec<_>>(), &key));
            }
        }
        for stranger in ["kw_prod_nothing", "", &key.replace("kw_stg", "kw_dev")] {
            seen.push(door.seen(&["verify", "-", "--explain"], stranger));
        }
        door.run(&["rotate", "judged", "--now"], "");
        seen.push(door.seen(&["verify", "-", "--explain"], &key));
        seen
    };
    for (here, there) in judged(&doors.here()).into_iter().zip(judged(&doors.there())) {
        assert_eq!(here, there);
    }
}
