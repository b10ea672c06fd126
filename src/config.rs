//! Settings: a flag beats the environment, the environment beats the configuration file, the file beats the default.
//!
//! This is the only reader of the process environment. Everything else receives [`Env`], a snapshot, so that a test
//! can say what the environment is. The file is `config.toml` in the configuration directory; an unknown name in it is
//! an error, because a misspelt setting that is silently ignored is worse than none.

use crate::{
    backend::Dirs,
    domain::Time,
    files,
    ops::{Error, Kind, Result},
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// A snapshot of the environment.
#[derive(Clone, Default)]
pub struct Env {
    variables: BTreeMap<OsString, OsString>,
}

impl Env {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self { variables: std::env::vars_os().collect() }
    }

    /// An environment made of pairs.
    pub fn of(pairs: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>) -> Self {
        Self { variables: pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }

    /// Refuses a setting that is no text: it would be passed over, and it may be the one that forbids a change.
    ///
    /// # Errors
    /// `Usage`, naming the variable.
    pub fn is_legible(&self) -> Result<()> {
        let setting = |name: &OsString| name.as_encoded_bytes().starts_with(b"KEYWARD_") && name != "KEYWARD_VAULT";
        match self.variables.iter().find(|(name, value)| setting(name) && value.to_str().is_none()) {
            None => Ok(()),
            Some((name, _)) => Err(Error::usage(format!("the variable {} is not UTF-8 text", name.display()))
                .hint(format!("unset {}, or set it anew", name.display()))),
        }
    }

    /// A variable that is set, is not empty and is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.path(name).and_then(|value| value.into_os_string().into_string().ok())
    }

    /// A variable that is set and not empty, as a path.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.variables.get(std::ffi::OsStr::new(name)).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// A switch: set, and to neither `0`, `false` nor `no`.
    #[must_use]
    pub fn switch(&self, name: &str) -> bool {
        self.path(name).is_some_and(|value| {
            !matches!(value.to_string_lossy().to_ascii_lowercase().as_str(), "0" | "false" | "no" | "off")
        })
    }
}

/// The configuration file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// The output format.
    pub output: Option<String>,
    /// How times are shown.
    pub time: Option<String>,
    /// Never prompt.
    pub no_input: Option<bool>,
    /// The workspace to work in.
    pub workspace: Option<String>,
    /// After how many days without a review of the trail `doctor` says so; 0 for never.
    pub audit_review_days: Option<u32>,
    /// How many days of the trail `audit archive` leaves in the vault; at least 90.
    pub audit_retention_days: Option<u32>,
    /// Refuse a change that the state directory cannot remember.
    pub require_state: Option<bool>,
}

impl ConfigFile {
    /// Reads the file of a configuration directory; a missing one is an empty one.
    ///
    /// # Errors
    /// `Usage` when it cannot be read or understood.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join("config.toml");
        let refused = |cause: String| {
            Error::new(Kind::Usage, "config_file", format!("the configuration file {} is not usable", path.display()))
                .cause(cause)
                .hint(
                    "it may set: output, time, no_input, workspace, audit_review_days, audit_retention_days, require_state",
                )
        };
        if std::fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            // A pipe would keep every command waiting.
            return Err(refused("it is no regular file".to_owned()));
        }
        match files::read_text(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| refused(error.message().to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(refused(error.to_string())),
        }
    }
}

/// The platform's directories, and the vault directory when one is named.
///
/// # Errors
/// `Failure` when the user has no home directory; `Usage` when `HOME` is empty or relative, as a slip in a service file
/// leaves it: the vault of somebody else, root at worst, would be taken for it, or one made wherever the command is run.
pub fn dirs(vault: Option<PathBuf>) -> Result<Dirs> {
    if let Some(home) = std::env::var_os("HOME").filter(|home| !Path::new(home).is_absolute()) {
        let what = if home.is_empty() { "is set and empty" } else { "is no absolute path" };
        return Err(Error::usage(format!("HOME {what}")).hint("set HOME to a directory, or unset it"));
    }
    let platform = directories::ProjectDirs::from("", "", "keyward").ok_or_else(|| {
        Error::new(Kind::Failure, "no_home", "there is no home directory to keep the vault in").hint("set HOME")
    })?;
    let state = platform.state_dir().unwrap_or_else(|| platform.data_local_dir()).to_owned();
    Ok(Dirs {
        data: vault.unwrap_or_else(|| platform.data_dir().to_owned()),
        config: platform.config_dir().to_owned(),
        runtime: platform.runtime_dir().map_or_else(|| state.join("run"), Path::to_owned),
        state,
        require_state: false,
    })
}

/// The file that says which profile is in use.
fn profile_file(config: &Path) -> PathBuf {
    config.join("profile")
}

/// The profile in use; `None` when it is the local vault.
///
/// # Errors
/// `Usage` when the file cannot be read.
pub fn profile_in_use(config: &Path) -> Result<Option<String>> {
    let path = profile_file(config);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|name| !name.is_empty())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(&path, &error)),
    }
}

/// Uses a profile from now on; with `None` the local vault.
///
/// # Errors
/// `Usage` when the file cannot be written.
pub fn use_profile(config: &Path, name: Option<&str>) -> Result<()> {
    let path = profile_file(config);
    let written = match name {
        Some(name) => files::create_private_dir(config)
            .and_then(|()| files::write_private_atomic(&path, format!("{name}\n").as_bytes())),
        None => match std::fs::remove_file(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        },
    };
    written.map_err(|error| unusable(&path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Kind::Usage, "config_file", format!("{} cannot be read or written", path.display()))
        .cause(error.to_string())
}

/// The time, in whole seconds.
///
/// # Errors
/// `Failure` when the clock cannot be believed at all.
pub fn now() -> Result<Time> {
    let seconds =
        SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok());
    seconds.and_then(|seconds| Time::from_timestamp(seconds, 0)).ok_or_else(|| {
        Error::new(Kind::Failure, "clock", "the clock of this machine stands before 1970")
            .hint("set it, then run this again")
    })
}

/// Who runs this process, as the audit trail names them: `alice@host`.
#[must_use]
pub fn actor(env: &Env) -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid())
        .ok()
        .flatten()
        .map(|user| user.name)
        .or_else(|| env.text("USER"))
        .unwrap_or_else(|| format!("uid{}", nix::unistd::getuid()));
    let host = nix::unistd::gethostname().ok().and_then(|host| host.into_string().ok());
    format!("{user}@{}", host.unwrap_or_else(|| "localhost".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_can_be_set_to_off() {
        let env = Env::of([("A", "1"), ("B", "0"), ("C", ""), ("D", "False"), ("E", "yes")]);
        let on = |name| env.switch(name);
        assert_eq!([on("A"), on("B"), on("C"), on("D"), on("E"), on("F")], [true, false, false, false, true, false]);
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(ConfigFile::read(directory.path()).unwrap(), ConfigFile::default());
        std::fs::write(directory.path().join("config.toml"), "output = 'json'\nno_input = true\n").unwrap();
        let file = ConfigFile::read(directory.path()).unwrap();
        assert_eq!((file.output.as_deref(), file.no_input), (Some("json"), Some(true)));
        std::fs::write(directory.path().join("config.toml"), "ouput = 'json'\n").unwrap();
        assert_eq!(ConfigFile::read(directory.path()).unwrap_err().kind, Kind::Usage);
    }
}
