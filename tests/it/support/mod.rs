//! The real program in a home of its own, with nothing of the caller's environment.

pub(crate) mod book;
pub(crate) mod browser;
#[cfg(feature = "server")]
pub(crate) mod door;
#[cfg(feature = "server")]
pub(crate) mod gateway;
#[cfg(feature = "server")]
pub(crate) mod issuer;
pub(crate) mod keys;
pub(crate) mod kills;
pub(crate) mod library;
pub(crate) mod outsider;
#[cfg(feature = "server")]
pub(crate) mod server;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod stepping;
pub(crate) mod terminal;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// An empty home.
pub(crate) struct Home {
    path: PathBuf,
    /// Set for every command.
    variables: Vec<(String, String)>,
    /// Removed with the home, unless it lives in a directory of the test's own.
    _dir: Option<tempfile::TempDir>,
}

/// What a user sees of one run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { path: dir.path().to_owned(), variables: Vec::new(), _dir: Some(dir) }
    }

    /// A home with an empty vault.
    pub(crate) fn with_vault() -> Self {
        let home = Self::new();
        home.ok(&["init"]);
        home
    }

    /// A home with a key with everything, one with nothing, and one of each status that lists hide.
    pub(crate) fn furnished() -> Self {
        let home = Self::with_vault();
        home.ok(&["projects", "create", "shop"]);
        home.ok(&["customers", "create", "contoso"]);
        let all = "create full --env production --owner o@example.com --description d --project shop --customer contoso \
                   --scope audits:read --rate-limit 5/30m --allow-ip 10.0.0.0/8 --label team=billing --expires-in 30d \
                   --rotate-every 7d --overlap 1h";
        home.ok(&all.split_whitespace().collect::<Vec<_>>());
        home.ok(&["create", "bare", "--no-expiry", "--rate-limit", "none"]);
        home.ok(&["create", "gone"]);
        home.ok(&["revoke", "gone"]);
        home
    }

    /// A home with a vault of version 0.1.0, which took names in any form and texts with characters that are not seen:
    /// the keys `plain`, `narrow`, one named `cafe` with a combining accent, and [`Self::HOSTILE`].
    pub(crate) fn of_old_vault() -> Self {
        let home = Self::new();
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/old-vault");
        for entry in std::fs::read_dir(data).unwrap() {
            let from = entry.unwrap().path();
            let is_key = from.extension().is_some_and(|extension| extension == "key");
            let place = if is_key { ".config/keyward/devices" } else { ".local/share/keyward" };
            let place = home.path().join(place);
            let mut builder = std::fs::DirBuilder::new();
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700).recursive(true).create(&place).unwrap();
            let to = place.join(from.file_name().unwrap());
            std::fs::copy(&from, &to).unwrap();
            std::fs::set_permissions(to, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        home
    }

    /// The key of [`Self::of_old_vault`] whose name, owner, label, description and reason would steer a terminal.
    #[cfg(feature = "server")]
    pub(crate) const HOSTILE: &str = "key_EI80Ykea8W5vq5d3";

    /// A home in a directory that the test made.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), variables: Vec::new(), _dir: None }
    }

    /// The same home, with a variable in the environment of every command.
    pub(crate) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file of the home that only its owner can read.
    pub(crate) fn private(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// The text of a file of the home.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// Writes a file of the home.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// The keystore file, wherever the platform's directories put it.
    pub(crate) fn keystore(&self) -> PathBuf {
        self.find("keystore.db").unwrap()
    }

    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        fn walk(dir: &Path, name: &str) -> Option<PathBuf> {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    if let Some(found) = walk(&path, name) {
                        return Some(found);
                    }
                } else if path.file_name().is_some_and(|file| file == name) {
                    return Some(path);
                }
            }
            None
        }
        walk(self.path(), name)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
        command.args(args).env_clear().env("HOME", self.path()).current_dir(self.path());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// Runs with variables set.
    pub(crate) fn run_in(&self, args: &[&str], variables: &[(&str, &str)]) -> Ran {
        Ran::of(self.command(args).envs(variables.iter().copied()).output().unwrap())
    }

    /// Runs a line of bash with keyward in its path.
    pub(crate) fn shell(&self, line: &str) -> Ran {
        Ran::of(self.shell_command(&["bash"], line).output().unwrap())
    }

    /// The same line to be run, with bash begun by these words.
    pub(crate) fn shell_command(&self, bash: &[&str], line: &str) -> Command {
        let binaries = Path::new(env!("CARGO_BIN_EXE_keyward")).parent().unwrap();
        let mut command = Command::new(bash[0]);
        command
            .args(&bash[1..])
            .args(["--norc", "-c", line])
            .env_clear()
            .env("HOME", self.path())
            .current_dir(self.path());
        command.env("LANG", "C.UTF-8").env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", binaries.display()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run_with(&self, args: &[&str], stdin: &str) -> Ran {
        self.run_with_in(args, stdin, &[])
    }

    pub(crate) fn run_with_in(&self, args: &[&str], stdin: &str, variables: &[(&str, &str)]) -> Ran {
        let mut command = self.command(args);
        let mut child = command.envs(variables.iter().copied()).stdin(Stdio::piped()).spawn().unwrap();
        // A program that refuses before it reads closes the pipe: that is its right.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        Ran::of(child.wait_with_output().unwrap())
    }

    /// Runs what must succeed; answers with standard output without its last newline.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        ran.stdout.trim_end_matches('\n').to_owned()
    }

    pub(crate) fn json(&self, args: &[&str]) -> serde_json::Value {
        let mut all = vec!["-o", "json"];
        all.extend(args);
        serde_json::from_str(&self.ok(&all)).unwrap()
    }

    /// The JSON of a command, whatever its exit code says.
    pub(crate) fn json_any(&self, args: &[&str]) -> serde_json::Value {
        let mut all = vec!["-o", "json"];
        all.extend(args);
        serde_json::from_str(&self.run(&all).stdout).unwrap()
    }

    /// The verdict on a token as JSON, and the exit code.
    pub(crate) fn verdict(&self, token: &str, args: &[&str]) -> (serde_json::Value, Option<i32>) {
        let mut all = vec!["-o", "json", "verify", "-"];
        all.extend(args);
        let ran = self.run_with(&all, &format!("{token}\n"));
        (serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}")), ran.code)
    }

    /// Whether a token is accepted.
    pub(crate) fn works(&self, token: &str) -> bool {
        self.verdict(token, &[]).1 == Some(0)
    }
}

impl Ran {
    /// The one object that standard error holds of a failure with JSON.
    pub(crate) fn error(&self) -> serde_json::Value {
        let told: serde_json::Value = serde_json::from_str(&self.stderr).unwrap_or_else(|_| panic!("{self:?}"));
        assert_eq!(told["schema"], "keyward.error/v1");
        assert_eq!(told["error"]["exit"].as_i64(), self.code.map(i64::from), "{self:?}");
        told["error"].clone()
    }

    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The command line of a due run over few keys, due within a month, with more arguments.
pub(crate) fn due<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["rotate", "--due", "--due-within", "31d", "--yes", "--max", "9"], more].concat()
}

/// An optional program: in the directory that `KEYWARD_TEST_TOOLS` names, or in the path. What is missing is said.
pub(crate) fn tool(name: &str, from: &str) -> Option<PathBuf> {
    let found = std::env::var_os("KEYWARD_TEST_TOOLS")
        .map(|tools| Path::new(&tools).join(name))
        .filter(|path| path.exists())
        .or_else(|| which::which(name).ok());
    if found.is_none() {
        eprintln!(
            "SKIPPED: {name} is not installed: pip install {from}, and KEYWARD_TEST_TOOLS names the directory of its programs"
        );
    }
    found
}
