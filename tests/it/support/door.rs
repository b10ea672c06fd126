//! The same command lines against a local vault and through a server, and what a user sees of them made comparable: what is
//! random or told by a clock is made equal before it is compared; nothing else is.

use super::{Home, Ran, server::Served};
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

impl<'a> Door<'a> {
    /// The door of a local vault that is compared with nothing yet.
    pub(crate) fn local(home: &'a Home) -> Self {
        Self { home, server: None, known: Known::default() }
    }

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
    pub(crate) fn normal(&self, text: &str) -> String {
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

    pub(crate) fn normal_json(&self, value: &Value) -> Value {
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
        } else if begins(&["key_", "rot_", "op_", "tr_", "vault_", "wh_", "msg_"]) && word.len() >= 19 {
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
    /// The file with the credential for the server.
    pub(crate) token: PathBuf,
    known: Known,
}

impl Doors {
    pub(crate) fn new() -> Self {
        Self::after(|_| {}, &[])
    }

    /// The same after something was made on both sides, before a server with more arguments.
    pub(crate) fn after(prepare: impl Fn(&Home), args: &[&str]) -> Self {
        let (local, behind, client) = (Home::with_vault(), Home::with_vault(), Home::new());
        prepare(&local);
        prepare(&behind);
        local.ok(&["operators", "create", "root", "--role", "platform-admin"]);
        let token = behind.ok(&["operators", "create", "root", "--role", "platform-admin"]);
        let file = client.path().join("token");
        std::fs::write(&file, format!("{token}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let server = Served::start(&behind, args);
        Self { local, behind, client, server, token: file, known: Known::default() }
    }

    pub(crate) fn here(&self) -> Door<'_> {
        Door { home: &self.local, server: None, known: Arc::clone(&self.known) }
    }

    pub(crate) fn there(&self) -> Door<'_> {
        let server = Some((&self.server, self.token.clone()));
        Door { home: &self.client, server, known: Arc::clone(&self.known) }
    }

    /// Waits until the server knows a key that was made behind its back.
    pub(crate) fn until_known(&self, key: &str) {
        let began = std::time::Instant::now();
        while self.there().run(&["verify", "-"], key).stdout.starts_with("UNKNOWN") {
            assert!(began.elapsed().as_secs() < 20, "the server does not notice");
            std::thread::yield_now();
        }
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
    pub(crate) fn compare_all<'a>(&self, lines: impl IntoIterator<Item = (&'a str, &'a str)>) {
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
