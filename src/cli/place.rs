//! Where a command works: on a local vault or through a server, with which credential, and who said so.
//!
//! A server is named on the command line or in the environment of whoever runs keyward, never by a file of the directory
//! that keyward happens to be run in. A vault that is named on the command line is meant, whatever else is set.

use super::{
    context::Ctx,
    hints::WHERE_THE_VAULT_IS,
    input::{self, Source},
};
use crate::{
    backend::remote::{Credential, GitHub, Onlooker, Remote, RemoteOptions},
    domain::{LOCAL_PROFILE, Login, looks_like_jwt},
    files,
    ops::{Error, Kind, Result},
    output::Waiting,
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use zeroize::Zeroizing;

/// A person at a terminal, who is told that a server is waited for.
struct Watcher(Waiting);

impl Onlooker for Watcher {
    fn waits(&self) {
        self.0.begin();
    }

    fn again(&self, why: &str, pause: Duration) {
        self.0.say(format!("{why}: trying again in {:.1} s", pause.as_secs_f32()));
    }

    fn waits_again(&self, why: &str) {
        self.0.say(format!("{} again, for {why}", self.0.what()));
    }

    fn ends(&self) {
        self.0.end();
    }
}

impl Ctx {
    /// Who watches while a server is waited for.
    pub(super) fn onlooker(&self, server: &str) -> Option<Box<dyn Onlooker>> {
        // What draws on the whole terminal says for itself that it waits.
        let what = if self.whole_screen { None } else { self.out.waiting(format!("waiting for {server}")) };
        what.map(|waiting| Box::new(Watcher(waiting)) as Box<dyn Onlooker>)
    }

    /// The server to work through; `None` for the local vault.
    ///
    /// # Errors
    /// `Auth` without a credential, `Forbidden` when its file can be read by others, those of [`Remote::new`].
    pub(super) fn remote(&mut self) -> Result<Option<Remote>> {
        if let Some(name) = self.profile_chosen() {
            let login = self.profiles()?.login(&self.operation(), &name)?;
            let Login { profile, token } = login;
            let ca_file = self.global.ca_file.clone().or(profile.ca_file.map(PathBuf::from));
            let workspace = self.global.workspace.clone().or(profile.workspace);
            return Remote::new(RemoteOptions {
                onlooker: self.onlooker(&profile.server),
                server: profile.server,
                credential: Box::new(token),
                ca_file,
                workspace,
            })
            .map(Some);
        }
        let Some(server) = self.global.server.clone() else { return Ok(None) };
        let credential = self.credential_for(&server)?;
        let (ca_file, workspace) = (self.global.ca_file.clone(), self.global.workspace.clone());
        Remote::new(RemoteOptions { onlooker: self.onlooker(&server), server, credential, ca_file, workspace })
            .map(Some)
    }

    /// Where the credential for a server comes from: what the command line says, else the host of a job, else the environment.
    fn credential_for(&mut self, server: &str) -> Result<Box<dyn Credential>> {
        if self.given.token_file.is_none()
            && let Some(host) = self.env.text("KEYWARD_OIDC")
        {
            return Ok(Box::new(self.job(&host, server)?));
        }
        Ok(match (self.global.token_file.clone(), self.env.text("KEYWARD_TOKEN")) {
            (Some(path), _) if path.is_file() => Box::new(TokenFile(path)),
            // A pipe can be read once.
            (Some(path), _) => Box::new(self.credential_of(&path)?),
            (None, Some(token)) => Box::new(Zeroizing::new(token)),
            (None, None) => return Err(no_credential(server)),
        })
    }

    /// The job that this process runs in, at a host that gives it tokens.
    fn job(&self, host: &str, server: &str) -> Result<GitHub> {
        if host != "github" {
            return Err(Error::usage(format!(
                "KEYWARD_OIDC is '{host}': github is the one host that is asked for tokens"
            ))
            .hint("elsewhere the host puts a token into a file or a variable: KEYWARD_TOKEN_FILE or KEYWARD_TOKEN"));
        }
        let of_job = |name: &str| {
            self.env.text(name).ok_or_else(|| {
                Error::new(Kind::Auth, "no_token", format!("KEYWARD_OIDC is set, and {name} is not"))
                    .cause("this is no job of GitHub Actions, or one that may not ask for tokens")
                    .hint("permissions: { id-token: write }  (in the job of the workflow)")
            })
        };
        let (url, asks_with) = (of_job("ACTIONS_ID_TOKEN_REQUEST_URL")?, of_job("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?);
        let audience = match self.env.text("KEYWARD_OIDC_AUDIENCE") {
            Some(audience) => audience,
            None if server.starts_with("unix:") => {
                return Err(Error::usage("the path of a socket is no audience for a token")
                    .hint("KEYWARD_OIDC_AUDIENCE=AUDIENCE, as `keyward operators trust add --audience` has it"));
            }
            None => server.trim_end_matches('/').to_owned(),
        };
        GitHub::new(&url, &asks_with, &audience)
    }

    /// The profile to work through; `None` for the local vault, and where a server is named.
    pub(super) fn profile_chosen(&self) -> Option<String> {
        let chosen = self.global.profile.clone().filter(|_| self.global.server.is_none());
        chosen.filter(|name| name != LOCAL_PROFILE)
    }

    pub(super) fn credential_of(&mut self, path: &Path) -> Result<Zeroizing<String>> {
        if path.is_file() {
            return TokenFile(path.to_owned()).current();
        }
        let source = Source::of(Some(path), None, false).unwrap_or(Source::Stdin);
        source.read(self, "credential")
    }

    /// Every setting with its value and its source; no credential.
    pub(super) fn settings(&self) -> Vec<Value> {
        let (given, now) = (&self.given, &self.global);
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let word = |on: bool| on.then(|| "true".to_owned());
        let credential = self.env.text("KEYWARD_TOKEN").map(|_| "(set)".to_owned());
        let text = |option: &Option<_>| option.map(|one: crate::output::Format| one.as_str().to_owned());
        let rows = [
            ("server", now.server.clone(), given.server.is_some(), "KEYWARD_SERVER"),
            ("profile", now.profile.clone(), given.profile.is_some(), "KEYWARD_PROFILE"),
            ("token-file", path(&now.token_file), given.token_file.is_some(), "KEYWARD_TOKEN_FILE"),
            ("token", credential, false, "KEYWARD_TOKEN"),
            ("oidc", self.env.text("KEYWARD_OIDC"), false, "KEYWARD_OIDC"),
            ("oidc-audience", self.env.text("KEYWARD_OIDC_AUDIENCE"), false, "KEYWARD_OIDC_AUDIENCE"),
            ("ca-file", path(&now.ca_file), given.ca_file.is_some(), "KEYWARD_CA_FILE"),
            ("vault", path(&now.vault), given.vault.is_some(), "KEYWARD_VAULT"),
            ("key-file", path(&now.key_file), given.key_file.is_some(), "KEYWARD_KEY_FILE"),
            ("passphrase-file", path(&now.passphrase_file), given.passphrase_file.is_some(), "KEYWARD_PASSPHRASE_FILE"),
            ("workspace", now.workspace.clone(), given.workspace.is_some(), "KEYWARD_WORKSPACE"),
            ("output", text(&now.output), given.output.is_some(), "KEYWARD_OUTPUT"),
            ("time", now.time.map(|time| time.as_str().to_owned()), given.time.is_some(), "KEYWARD_TIME"),
            ("no-input", word(now.no_input), given.no_input, "KEYWARD_NO_INPUT"),
            ("read-only", word(now.read_only), given.read_only, "KEYWARD_READ_ONLY"),
            ("require-state", word(self.require_state), false, "KEYWARD_REQUIRE_STATE"),
            ("reason", now.reason.clone(), given.reason.is_some(), "KEYWARD_REASON"),
            ("ticket", now.ticket.clone(), given.ticket.is_some(), "KEYWARD_TICKET"),
        ];
        let rows = rows.into_iter().map(|(setting, value, flag, variable)| {
            let source = match (&value, flag, self.env.text(variable)) {
                (None, ..) => "default".to_owned(),
                (Some(_), true, _) => format!("--{setting}"),
                (Some(_), false, Some(_)) => variable.to_owned(),
                (Some(_), false, None) if setting == "profile" => "profile use".to_owned(),
                (Some(_), false, None) => "config.toml".to_owned(),
            };
            json!({ "setting": setting, "value": value, "source": source })
        });
        rows.collect()
    }
}

/// A file that is read again for each call: a host may renew the token in it meanwhile.
struct TokenFile(PathBuf);

impl Credential for TokenFile {
    fn current(&self) -> Result<Zeroizing<String>> {
        let Self(path) = self;
        let credential = input::read_secret(path, "credential")?;
        // A cluster hands tokens that end soon to every user of a container, in a volume that is root's.
        let handed = looks_like_jwt(&credential) && files::is_of_root(path);
        if files::shared_secret(path) && !handed {
            return Err(Error::forbidden("permissions", format!("{} can be read by others", path.display()))
                .hint(format!("chmod 600 {}", path.display())));
        }
        Ok(credential)
    }
}

fn no_credential(server: &str) -> Error {
    Error::new(Kind::Auth, "no_credential", format!("there is no credential for {server}"))
        .hint("--token-file FILE, or KEYWARD_TOKEN_FILE")
        .hint("keyward login URL  (keeps it in the vault of this machine)")
        .hint(format!("keyward operators create NAME --role ROLE  {WHERE_THE_VAULT_IS}; prints a credential)"))
}
