//! What a command works with: the settings, the streams, and the vault, opened when it is first asked for.
//!
//! Where the local vault is, and what makes one, is [`super::local`].

use super::{args::Global, heeded, input::Source, local, prompt, terminal::Terminal};
use crate::{
    backend::{Backend, Dirs, HowRestored, Initialised, Restored, Unlock},
    config::{self, ConfigFile, Env},
    domain::Time,
    ops::{Authority, Context, Error, Result},
    output::{Emitter, Format, Options, Streams},
};
use std::{ffi::OsString, path::Path, rc::Rc, str::FromStr};
use zeroize::Zeroizing;

/// One invocation.
pub(crate) struct Ctx {
    /// The global options, with the environment and the configuration file filled in.
    pub(super) global: Global,
    /// The options as they were given, before anything was filled in.
    pub(super) given: Global,
    /// The environment.
    pub(super) env: Env,
    /// Where output goes to, and how.
    pub(super) out: Emitter,
    /// When the invocation began, in whole seconds.
    pub(super) now: Time,
    /// What questions do to the terminal, undone.
    pub(super) terminal: Terminal,
    /// Whether the command draws on the whole terminal, where a line of anybody else would stay.
    #[cfg(feature = "server")]
    pub(super) whole_screen: bool,
    /// Nothing may be changed that cannot be remembered outside the keystore.
    pub(super) require_state: bool,
    /// The command works with another keystore beside its own: a credential that is given is for that one.
    pub(super) has_other_side: bool,
    /// The command line as it was given.
    args: Vec<OsString>,
    backend: Option<Rc<dyn Backend>>,
    /// The vault that a dry run is judged against where there is none, and that goes with it.
    pub(super) rehearsal: Option<tempfile::TempDir>,
}

impl Ctx {
    /// Fills the options in from the environment and the configuration file, which may be a broken one where it is not
    /// `heeded`. The streams come back with an error, so that it can be told.
    ///
    /// # Errors
    /// `Usage` for a value that no option takes.
    pub(super) fn new(
        mut global: Global,
        args: Vec<OsString>,
        env: Env,
        streams: Streams,
        heeded: bool,
    ) -> Result<Self, Box<(Error, Streams)>> {
        let given = global.clone();
        let file = config::dirs(None).and_then(|dirs| ConfigFile::read(&dirs.config));
        let file = if heeded { file } else { Ok(file.unwrap_or_default()) };
        let filled = file.and_then(|file| {
            let required = file.require_state.unwrap_or(false);
            fill_in(&mut global, &env, file)
                .map(|()| env.text("KEYWARD_REQUIRE_STATE").map_or(required, |_| env.switch("KEYWARD_REQUIRE_STATE")))
        });
        let require_state = match filled {
            Ok(required) => required,
            Err(error) => return Err(Box::new((error, streams))),
        };
        let now = match config::now() {
            Ok(now) => now,
            Err(error) => return Err(Box::new((error, streams))),
        };
        let options = Options {
            format: global.output.unwrap_or_default(),
            field: global.field.clone(),
            columns: global.columns.clone(),
            time: global.time,
            quiet: global.quiet,
            color: super::color(&global, &env),
            now,
        };
        Ok(Self {
            given,
            global,
            env,
            out: Emitter::new(streams, options).holding(),
            now,
            terminal: Terminal::default(),
            #[cfg(feature = "server")]
            whole_screen: false,
            require_state,
            has_other_side: false,
            args,
            backend: None,
            rehearsal: None,
        })
    }

    /// The command line, so that a shell takes it again. It never holds a secret: one that does is refused.
    pub(super) fn invocation(&self) -> String {
        let words = self.args.iter().skip(1).map(|word| word.to_string_lossy().into_owned());
        shell_words::join(std::iter::once("keyward".to_owned()).chain(words))
    }

    /// Whether a person is there to be asked.
    pub(super) fn can_prompt(&self) -> bool {
        !self.global.no_input
            && !self.env.switch("CI")
            && self.out.streams.stdin_terminal
            && self.out.streams.stderr_terminal
    }

    /// The circumstances every use case is given.
    pub(super) fn operation(&self) -> Context {
        Context {
            now: self.now,
            actor: config::actor(&self.env),
            source: "cli".to_owned(),
            reason: self.global.reason.clone(),
            ticket: self.global.ticket.clone(),
            workspace: self.global.workspace.clone().unwrap_or_else(|| "default".to_owned()),
            authority: Authority::Vault,
            expected_version: None,
            client: None,
            read_only: self.global.read_only,
            dry_run: self.global.dry_run,
            rehearses: false,
        }
    }

    /// Whether a server is chosen.
    pub(super) fn is_remote(&self) -> bool {
        #[cfg(feature = "server")]
        return self.global.server.is_some() || self.profile_chosen().is_some();
        #[cfg(not(feature = "server"))]
        false
    }

    /// Asks the server who it takes the caller for, and says so in a line.
    ///
    /// # Errors
    /// Those of the server, or of the way to it.
    pub(super) fn describe_server(&mut self) -> Result<String> {
        #[cfg(feature = "server")]
        if let Some(remote) = self.remote()? {
            let me = remote.whoami()?;
            let (server, name, role) = (remote.address(), me.operator.name, me.operator.role);
            return Ok(format!("{server} answers, and knows {name} with the role {role}"));
        }
        Err(Error::usage("no server is chosen"))
    }

    /// Refuses what has to be done where the vault is.
    ///
    /// # Errors
    /// `Usage` when a server is chosen.
    pub(super) fn local_only(&self, what: &str) -> Result<()> {
        if !self.is_remote() {
            return Ok(());
        }
        Err(Error::usage(format!("{what} is a matter of a local vault, and a server is chosen"))
            .hint("run it where the vault is: --profile local, or without --server and KEYWARD_SERVER"))
    }

    /// Where the files are.
    ///
    /// # Errors
    /// `Failure` when the user has no home directory.
    pub(super) fn dirs(&self) -> Result<Dirs> {
        if let Some(place) = &self.rehearsal {
            let [data, config, state, runtime] = ["data", "config", "state", "run"].map(|name| place.path().join(name));
            return Ok(Dirs { data, config, state, runtime, require_state: false });
        }
        Ok(Dirs { require_state: self.require_state, ..config::dirs(self.global.vault.clone())? })
    }

    /// Says that the last change is not remembered: from now on an older copy would pass for the newest. Also with `-q`.
    pub(super) fn warn_if_unremembered(&mut self) {
        if let Some(why) = self.backend.as_ref().and_then(|backend| backend.unremembered()) {
            self.tell_unremembered(&why);
        }
    }

    fn tell_unremembered(&mut self, why: &str) {
        self.out.warn(&format!(
            "the change is done, and this machine could not remember it ({why}): an older copy of the keystore would pass \
             for the newest; keyward doctor says more"
        ));
    }

    /// The opened vault, or the server.
    ///
    /// # Errors
    /// `NotFound` where there is no vault; `Locked` when nothing opens it.
    pub(super) fn backend(&mut self) -> Result<Rc<dyn Backend>> {
        self.opened(false)
    }

    /// The same for what brings something into being, a key or what keys belong to, and so may make the vault. What was tried
    /// in a rehearsal before is done in earnest from here on.
    ///
    /// # Errors
    /// `NotFound` where there is no vault and none is made by accident; `Locked` when nothing opens it.
    pub(super) fn backend_or_new(&mut self) -> Result<Rc<dyn Backend>> {
        if self.rehearsal.is_some() && !self.global.dry_run {
            self.close();
            self.rehearsal = None;
        }
        self.opened(true)
    }

    /// Where there is no vault, and the command would make one: tries it in a vault that goes with the process. What is
    /// refused there makes none.
    ///
    /// # Errors
    /// Those of `attempt`, and of [`Ctx::backend_or_new`].
    pub(super) fn try_if_new(&mut self, attempt: impl FnOnce(&dyn Backend, &Context) -> Result<()>) -> Result<()> {
        if !self.rehearse_if_new()? {
            return Ok(());
        }
        attempt(&*self.backend()?, &Context { dry_run: true, ..self.operation() })
    }

    fn opened(&mut self, make: bool) -> Result<Rc<dyn Backend>> {
        if let Some(backend) = &self.backend {
            return Ok(Rc::clone(backend));
        }
        if make && !self.is_remote() {
            self.make_vault_if_none()?;
        }
        let backend = self.open()?;
        self.backend = Some(Rc::clone(&backend));
        Ok(backend)
    }

    /// Opens what the options name, and leaves what the command works on.
    ///
    /// # Errors
    /// As [`Ctx::backend`].
    pub(super) fn open(&mut self) -> Result<Rc<dyn Backend>> {
        #[cfg(feature = "server")]
        if let Some(remote) = self.remote()? {
            return Ok(Rc::new(remote));
        }
        let backend: Rc<dyn Backend> = Rc::from(self.unlock(true)?);
        tracing::info!("the vault is open");
        Ok(backend)
    }

    /// Works on another keystore from now on.
    pub(super) fn work_on(&mut self, backend: Rc<dyn Backend>) {
        self.backend = Some(backend);
    }

    /// Closes what was opened.
    pub(super) fn close(&mut self) {
        self.backend = None;
    }

    /// Opens the vault; with `session` also by the token of an earlier `unlock`.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Locked` when nothing opens it.
    pub(super) fn unlock(&mut self, session: bool) -> Result<Box<dyn Backend>> {
        let vault = self.existing_vault()?;
        self.warn_if_seen_first(&vault)?;
        tracing::info!(keystore = %vault.dirs().keystore().display(), "opening the vault");
        self.with_sources(session, |operation, unlock| vault.unlock(operation, unlock))
    }

    /// The opened vault for a server.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Locked` when nothing opens it; `Forbidden` for a support slot.
    #[cfg(feature = "server")]
    pub(super) fn serving(&mut self) -> Result<crate::backend::Serving> {
        // A first server may be how a vault begins; where one is named, a slip or a missing volume must not be served.
        if self.global.vault.is_none() {
            self.make_vault_if_none()?;
        }
        let vault = self.existing_vault()?;
        self.warn_if_seen_first(&vault)?;
        self.with_sources(true, |operation, unlock| vault.serve(operation, unlock))
    }

    /// Puts a backup back; it opens by the same sources as a vault, but not by a session.
    ///
    /// # Errors
    /// See [`crate::backend::LocalVault::restore`].
    pub(super) fn restore(&mut self, file: &Path, how: HowRestored) -> Result<Restored> {
        let vault = self.vault()?;
        self.with_sources(false, |operation, unlock| vault.restore(operation, file, how, unlock))
    }

    /// The logins that the local vault keeps.
    ///
    /// # Errors
    /// `NotFound` where there is none; `Locked` when nothing opens it.
    #[cfg(feature = "server")]
    pub(super) fn profiles(&mut self) -> Result<crate::backend::Profiles> {
        let vault = self.existing_vault()?;
        self.with_sources(true, |operation, unlock| vault.profiles(operation, unlock))
    }

    pub(super) fn with_sources<T>(
        &mut self,
        session: bool,
        open: impl FnOnce(&Context, Unlock<'_>) -> Result<T>,
    ) -> Result<T> {
        let source = Source::of(self.global.passphrase_file.as_deref(), self.global.passphrase_fd, false);
        let session = if session { self.env.text("KEYWARD_SESSION").map(Zeroizing::new) } else { None };
        let operation = self.operation();
        let (key_file, credentials_dir) = (self.global.key_file.clone(), self.env.path("CREDENTIALS_DIRECTORY"));
        let named = source.is_some();
        let mut ask = |question: &str| match &source {
            Some(source) => source.read_private(self, "passphrase").map(Some),
            None => prompt::passphrase(self, question),
        };
        open(&operation, Unlock { session, key_file, credentials_dir, passphrase_named: named, passphrase: &mut ask })
    }

    /// Says where a new vault is and what opens it: also with `-q`, for a vault that nobody knows of is lost.
    pub(super) fn announce(&mut self, made: &Initialised) {
        self.out.tell(&format!("made a vault: {}", made.keystore.display()));
        if let Some(why) = &made.unremembered {
            self.tell_unremembered(why);
        }
        match &made.device_key {
            Some(path) => {
                self.out.tell(&format!("it opens on this machine with: {}", path.display()));
                self.note("hint: keyward vault slots add --passphrase   adds a passphrase; `keyward vault recovery` prints a code to keep");
            }
            None => {
                self.note("hint: keyward vault recovery   prints a code to keep, for the day the passphrase is lost")
            }
        }
    }

    /// `CI` is set and nothing says where the secret may go: then it would end in a build log.
    ///
    /// # Errors
    /// `Usage`, before anything is minted.
    pub(super) fn refuse_secret_in_ci(&self) -> Result<()> {
        self.refuse_in_ci("-q prints the secret alone: SECRET=$(keyward … -q)", "-o json has it in the field `secret`")
    }

    /// The same for many secrets at once.
    ///
    /// # Errors
    /// `Usage`, before anything is minted.
    pub(super) fn refuse_secrets_in_ci(&self) -> Result<()> {
        self.refuse_in_ci(
            "--out FILE writes them to a new private file",
            "-q prints them alone, a line each; -o jsonl has each in the field `secret`",
        )
    }

    fn refuse_in_ci(&self, instead: &str, or: &str) -> Result<()> {
        // A format that the environment or the configuration file prefers says nothing about secrets, unless it is one that
        // programs read.
        let read = matches!(self.global.output, Some(Format::Json | Format::Jsonl));
        let told = self.global.quiet || self.given.output.is_some() || read || self.global.field.is_some();
        if !self.env.switch("CI") || told || self.global.dry_run {
            return Ok(());
        }
        Err(Error::usage("CI is set: the secret would be printed into the build log").hint(instead).hint(or))
    }
}

fn fill_in(global: &mut Global, env: &Env, file: ConfigFile) -> Result<()> {
    if global.output.is_none() {
        global.output = heeded::preferred(global, choice("KEYWARD_OUTPUT", env, "output", file.output)?);
    }
    if global.time.is_none() {
        global.time = choice("KEYWARD_TIME", env, "time", file.time)?;
    }
    let opens = global.key_file.is_some() || global.passphrase_file.is_some() || global.passphrase_fd.is_some();
    // What is said on the command line stands before what the environment holds, also of another kind; and a session is
    // the latest word of the environment.
    if !opens && env.text("KEYWARD_SESSION").is_none() {
        global.key_file = env.path("KEYWARD_KEY_FILE");
        global.passphrase_file = env.path("KEYWARD_PASSPHRASE_FILE").filter(|_| global.key_file.is_none());
    }
    let text = |given: &mut Option<String>, variable| *given = given.take().or_else(|| env.text(variable));
    text(&mut global.reason, "KEYWARD_REASON");
    text(&mut global.ticket, "KEYWARD_TICKET");
    text(&mut global.workspace, "KEYWARD_WORKSPACE");
    global.workspace = global.workspace.take().or(file.workspace);
    // A vault that is named on the command line is meant, whatever server the environment names.
    let vault_named = global.vault.is_some();
    if let Some(named) = &global.vault {
        local::refuse_address(named, "--vault")?;
    }
    global.vault = global.vault.take().or_else(|| env.path("KEYWARD_VAULT"));
    if let Some(named) = global.vault.as_deref().filter(|_| !vault_named) {
        local::refuse_address(named, "KEYWARD_VAULT")?;
    }
    let server = env.text("KEYWARD_SERVER").filter(|_| !vault_named);
    #[cfg(feature = "server")]
    {
        if global.server.is_none() && global.profile.is_none() && !vault_named {
            global.server = server;
            if global.server.is_none() {
                let named = env.text("KEYWARD_PROFILE");
                global.profile =
                    named.map_or_else(|| config::profile_in_use(&config::dirs(None)?.config), |name| Ok(Some(name)))?;
            }
        }
        global.token_file = global.token_file.take().or_else(|| env.path("KEYWARD_TOKEN_FILE"));
        global.ca_file = global.ca_file.take().or_else(|| env.path("KEYWARD_CA_FILE"));
    }
    #[cfg(not(feature = "server"))]
    if server.is_some() {
        return Err(Error::usage("KEYWARD_SERVER is set, and this keyward was built without the feature `server`"));
    }
    global.read_only |= env.switch("KEYWARD_READ_ONLY");
    global.no_input |= match env.text("KEYWARD_NO_INPUT") {
        Some(_) => env.switch("KEYWARD_NO_INPUT"),
        None => file.no_input.unwrap_or(false),
    };
    Ok(())
}

/// A setting from the environment or the file, which must be one of the option's words.
fn choice<T: FromStr<Err = String>>(
    variable: &str,
    env: &Env,
    setting: &str,
    file: Option<String>,
) -> Result<Option<T>> {
    let (value, place) = match (env.text(variable), file) {
        (Some(value), _) => (value, variable.to_owned()),
        (None, Some(value)) => (value, format!("`{setting}` in config.toml")),
        (None, None) => return Ok(None),
    };
    let shown: String = value.chars().take(40).collect();
    value
        .parse()
        .map(Some)
        .map_err(|expected| Error::usage(format!("{place} is '{shown}', which is not usable")).cause(expected))
}
