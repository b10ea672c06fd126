//! What the hooks of a run are still to be told, kept outside the keystore until they were. A run that is killed between
//! the commit of a rotation and its hook leaves this note behind, and the next run of the same vault, or through the same
//! server, tells the hooks from it. A hook may be told twice; without the note it could be told never.
//!
//! One private file a run, locked while the run lives: a line a step, written before what it announces. It holds the
//! commands as they were given and what they are told, which is no secret; whoever can write it could choose what is run,
//! so that it is judged like a deliver map before it is believed.

use super::hooks::HookArgs;
use crate::{
    backend::Dirs,
    cli::context::Ctx,
    deliver::OwnFile,
    files,
    ops::{Error, KeyView, Kind, Result},
    rotate::refused,
};
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, OpenOptions, TryLockError},
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const ENDING: &str = "jsonl";
/// So often a hook is told late that does not come to its end.
const MOST_TRIES: usize = 3;
/// What stands for the run itself among the keys that have not been told of.
const RUN: &str = "";

/// One line of a note.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Run(Run),
    Begun(Begun),
    Ended(Value),
    /// It is going to be told by a later run.
    Tried(String),
    Told(String),
    Done(Value),
}

/// The run, and whom it tells.
#[derive(Serialize, Deserialize)]
pub(super) struct Run {
    /// The vault or the server.
    place: String,
    workspace: String,
    /// Where the commands are run.
    pub(super) directory: PathBuf,
    pub(super) hooks: HookArgs,
}

/// A key before its rotation.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) key_id: String,
    pub(super) name: String,
    pub(super) environment: String,
    pub(super) due_at: Option<String>,
    /// The look-up of its current secret: another one afterwards says that it was rotated.
    pub(super) current: Option<String>,
}

/// What is known of one key of a run.
#[derive(Default)]
pub(super) struct Entry {
    pub(super) begun: Option<Begun>,
    pub(super) result: Option<Value>,
    pub(super) told: bool,
}

/// The note of this run.
#[derive(Default)]
pub(super) struct Owed {
    note: Option<(PathBuf, File)>,
    unpaid: BTreeSet<String>,
}

/// The note of a run that is no more.
pub(super) struct Note {
    path: PathBuf,
    file: File,
    pub(super) run: Run,
    pub(super) entries: Vec<Entry>,
    /// What the end of the run was to be told.
    pub(super) done: Option<Value>,
    /// How often later runs began to tell what they were owed.
    tries: BTreeMap<String, usize>,
}

impl Owed {
    /// Begins the note of a run that has hooks.
    ///
    /// # Errors
    /// When it cannot be written, where this machine has to remember what it does.
    pub(super) fn begin(cx: &mut Ctx, hooks: &HookArgs) -> Result<Self> {
        if !hooks.is_asked() || cx.global.dry_run {
            return Ok(Self::default());
        }
        let dirs = cx.dirs()?;
        let run = Run {
            place: place(cx)?,
            workspace: cx.operation().workspace,
            directory: std::env::current_dir().unwrap_or_default(),
            hooks: hooks.clone(),
        };
        let name = format!("{}-{:016x}", cx.now.timestamp(), rand::random::<u64>());
        let path = dirs.owed().join(name).with_extension(ENDING);
        match Self::create(&path, run) {
            Ok(file) => Ok(Self { note: Some((path, file)), unpaid: BTreeSet::new() }),
            Err(error) if dirs.require_state => Err(error.cause("nothing was minted")),
            Err(error) => {
                let why = error.causes.first().cloned().unwrap_or_default();
                cx.out.warn(&format!("{} ({why}): a hook that this run does not come to is lost", error.message));
                Ok(Self::default())
            }
        }
    }

    fn create(path: &Path, run: Run) -> Result<File> {
        let failed = |error: std::io::Error| {
            Error::cannot_write(path, &error).cause("it is to remember which hooks this run owes")
        };
        let line = line(&Line::Run(run))?;
        path.parent().map_or(Ok(()), files::create_private_dir).map_err(failed)?;
        loop {
            files::write_private_atomic(path, &line).map_err(failed)?;
            let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
            file.lock().map_err(failed)?;
            // Another process may have taken it for one that nobody holds, and have put it away.
            if file.metadata().map_err(failed)?.nlink() > 0 {
                return Ok(file);
            }
        }
    }

    /// A key is going to be rotated.
    ///
    /// # Errors
    /// When that cannot be kept: nothing is minted then.
    pub(super) fn begun(&mut self, key: &KeyView) -> Result<()> {
        if key.id.is_empty() {
            return Ok(());
        }
        let begun = Begun {
            key_id: key.id.clone(),
            name: key.name.clone(),
            environment: key.environment.clone(),
            due_at: key.rotation.due_at.clone(),
            current: current(key),
        };
        self.unpaid.insert(key.id.clone());
        self.write(&Line::Begun(begun))
    }

    /// What came of a key, before a hook is told; `owed` says whether one is.
    pub(super) fn ended(&mut self, result: &Value, owed: bool) {
        let key = key_of(result);
        if owed {
            self.unpaid.insert(key);
        } else {
            self.unpaid.remove(&key);
        }
        self.keep(&Line::Ended(result.clone()));
    }

    /// Its hook was told.
    pub(super) fn told(&mut self, result: &Value) {
        let key = key_of(result);
        self.unpaid.remove(&key);
        self.keep(&Line::Told(key));
    }

    /// How the run ended, before the hook for that is told.
    pub(super) fn done(&mut self, summary: &Value) {
        self.unpaid.insert(RUN.to_owned());
        self.keep(&Line::Done(summary.clone()));
    }

    /// The hook for the end was told.
    pub(super) fn over(&mut self) {
        self.unpaid.remove(RUN);
    }

    /// Puts the note away where nothing is owed; answers whether something is.
    pub(super) fn close(self) -> bool {
        let Some((path, _file)) = self.note else { return false };
        if self.unpaid.is_empty() {
            forget(&path);
        }
        !self.unpaid.is_empty()
    }

    /// What cannot be kept any more is no reason to fail what has happened.
    fn keep(&mut self, line: &Line) {
        if let Err(error) = self.write(line) {
            tracing::warn!(%error, "what the hooks are owed could not be kept");
        }
    }

    fn write(&mut self, step: &Line) -> Result<()> {
        let Some((path, file)) = &mut self.note else { return Ok(()) };
        append(file, step).map_err(|error| Error::cannot_write(path, &error).cause("it keeps which hooks are owed"))
    }
}

impl Note {
    /// The notes that runs of the same place left behind, the oldest first. One that others could have written is reported
    /// and left alone.
    pub(super) fn all(cx: &mut Ctx) -> Result<Vec<Self>> {
        let mut paths = paths(&cx.dirs()?);
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        paths.sort();
        let (place, workspace) = (place(cx)?, cx.operation().workspace);
        let mut notes = Vec::new();
        for path in paths {
            match Self::read(&path) {
                Ok(found) => {
                    notes.extend(found.filter(|note| note.run.place == place && note.run.workspace == workspace))
                }
                Err(error) => {
                    let why = error.causes.first().map(|why| format!(": {why}")).unwrap_or_default();
                    cx.out.warn(&format!("{}{why}", error.message));
                }
            }
        }
        Ok(notes)
    }

    /// A note, unless its run still lives.
    fn read(path: &Path) -> Result<Option<Self>> {
        let failed = |error: std::io::Error| {
            Error::new(Kind::Failure, "hooks", format!("{} tells not which hooks are owed", path.display()))
                .cause(error.to_string())
        };
        // A link could name a file of one's own that somebody else has filled.
        let opened = OpenOptions::new().append(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(path);
        let Ok(file) = opened else { return Ok(None) };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        if file.metadata().map_err(failed)?.nlink() == 0 {
            return Ok(None);
        }
        let own = OwnFile::open(path, "the note of owed hooks").and_then(|own| own.guard().map(|()| own));
        let text = own.and_then(|own| own.read()).map_err(|error| refused(&error))?;
        // A line may be half written; what it was to announce has not begun.
        if !text.ends_with('\n') {
            (&file).write_all(b"\n").map_err(failed)?;
        }
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let Some(Line::Run(run)) = lines.next() else {
            return Err(failed(std::io::ErrorKind::InvalidData.into()));
        };
        let mut note =
            Self { path: path.to_owned(), file, run, entries: Vec::new(), done: None, tries: BTreeMap::new() };
        lines.for_each(|line| note.take(line));
        Ok(Some(note))
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Run(_) => {}
            Line::Begun(begun) => self.entries.push(Entry { begun: Some(begun), ..Entry::default() }),
            Line::Ended(result) => {
                let entry = self.open(&key_of(&result));
                entry.result = Some(result);
            }
            Line::Tried(key) => *self.tries.entry(key).or_default() += 1,
            Line::Told(key) => self.open(&key).told = true,
            Line::Done(summary) => self.done = Some(summary),
        }
    }

    /// The entry of a key, which a key that was typed and is not there gets with its end.
    fn open(&mut self, key: &str) -> &mut Entry {
        let of = |entry: &Entry| match (&entry.begun, &entry.result) {
            (Some(begun), _) => begun.key_id == key,
            (None, Some(result)) => key_of(result) == key,
            (None, None) => false,
        };
        let at = self.entries.iter().rposition(of).unwrap_or_else(|| {
            self.entries.push(Entry::default());
            self.entries.len() - 1
        });
        &mut self.entries[at]
    }

    /// Whether a hook may be told by this run: one that ends keyward whenever it is told would hold up every rotation for ever.
    pub(super) fn may_try(&mut self, told: &Value) -> bool {
        let key = key_of(told);
        let tries = self.tries.entry(key.clone()).or_default();
        *tries += 1;
        let may = *tries <= MOST_TRIES;
        if may && let Err(error) = append(&mut self.file, &Line::Tried(key)) {
            tracing::warn!(%error, "that an owed hook is told could not be kept");
        }
        may
    }

    /// Strikes off what one entry owed.
    pub(super) fn settle(&mut self, at: usize, result: Value) {
        let kept = append(&mut self.file, &Line::Ended(result.clone()))
            .and_then(|()| append(&mut self.file, &Line::Told(key_of(&result))));
        if let Err(error) = kept {
            tracing::warn!(%error, "that an owed hook was told could not be kept");
        }
        let entry = &mut self.entries[at];
        (entry.result, entry.told) = (Some(result), true);
    }

    /// Puts the note away.
    pub(super) fn forget(&self) {
        forget(&self.path);
    }
}

/// How many runs of any place left a note behind, or are at work.
pub(in crate::cli) fn count(dirs: &Dirs) -> usize {
    paths(dirs).into_iter().filter(|path| matches!(Note::read(path), Ok(Some(_)) | Err(_))).count()
}

fn paths(dirs: &Dirs) -> Vec<PathBuf> {
    let found = std::fs::read_dir(dirs.owed()).into_iter().flatten().flatten().map(|entry| entry.path());
    found.filter(|path| path.extension().is_some_and(|ending| ending == ENDING)).collect()
}

/// Which keystore a run works on: the vault's place, or the server's address.
fn place(cx: &mut Ctx) -> Result<String> {
    #[cfg(feature = "server")]
    if let Some(remote) = cx.remote()? {
        return Ok(remote.address().to_owned());
    }
    Ok(files::real(&cx.dirs()?.data).display().to_string())
}

/// The look-up of the current secret of a key.
pub(super) fn current(key: &KeyView) -> Option<String> {
    key.secrets.iter().find(|secret| secret.state == "current").map(|secret| secret.lookup.clone())
}

/// What a result is about: the key's id, or what was typed where there is no such key.
pub(super) fn key_of(result: &Value) -> String {
    result["key_id"].as_str().or(result["name"].as_str()).unwrap_or_default().to_owned()
}

fn line(step: &Line) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(step)
        .map_err(|error| Error::new(Kind::Internal, "hooks", "a note cannot be written").cause(error.to_string()))?;
    line.push(b'\n');
    Ok(line)
}

fn append(file: &mut File, step: &Line) -> std::io::Result<()> {
    let line = line(step).map_err(std::io::Error::other)?;
    file.write_all(&line).and_then(|()| file.sync_data())
}

fn forget(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(%error, path = %path.display(), "the note of a run whose hooks were told stays");
    }
}
