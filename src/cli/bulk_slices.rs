//! Many keys through a server, into a file of secrets: the server commits before the answer is here, so the run remembers
//! what it sends, and the same command goes on after it was ended anywhere.
//!
//! A run of more than one request is tried as a whole first: what is wrong is told, and nothing is made. Then each request
//! makes its keys, all or none, and their secrets are durable before the next one is sent. The ids are drawn here and
//! remembered before they are sent, so that a key which the server made and whose secret never arrived is known: it is given
//! a fresh secret at once, for nobody has the first one.

use super::{
    bulk::{self, Bulk},
    bulk_journal::{Asked, Journal},
    bulk_out::{SecretsFile, in_the_way},
    context::Ctx,
};
use crate::{
    backend::{
        Backend, BulkError,
        remote::{SLICE, had_no_effect},
    },
    domain::{KeyId, KeyRef, Overlap, counted},
    ops::{Create, Created, Error, KeyView, Kind, Result, Rotate, Show},
};
use std::{
    collections::{HashMap, HashSet},
    io,
    path::Path,
    rc::Rc,
};

/// Creates the keys of a file; answers with all of them, those of the runs before it included.
///
/// # Errors
/// `Conflict` for the journal of another run, or a file in the way; those of the server; `Partial` when a key was changed
/// by others before it had a secret here.
pub(super) fn create(cx: &mut Ctx, bulk: Bulk, out: &Path) -> Result<u8> {
    let backend = cx.backend()?;
    let (mut journal, known) = Journal::of(cx, out)?;
    if known && !journal.has_begun() {
        // It was ended before it sent anything: what was asked for then does not matter.
        journal.forget()?;
    }
    let asked = journal.compare(&bulk.requests)?;
    let file = open(cx, &mut journal, &bulk, out, known)?;
    let mut run = Slices {
        cx,
        backend,
        bulk,
        out,
        file,
        journal,
        asked,
        found: HashMap::new(),
        made: Vec::new(),
        left: Vec::new(),
    };
    let ran = run.all();
    // However it went: room that was taken for lines that did not come reads as zeros behind those that did.
    let ended = run.file.end().map_err(|error| Error::cannot_write(out, &error));
    match ran.and(ended) {
        Ok(()) => {}
        Err(error) if run.journal.has_begun() => return Err(run.unfinished(error)),
        Err(error) => {
            std::fs::remove_file(out).map_err(|error| Error::cannot_write(out, &error))?;
            run.journal.forget()?;
            return Err(error);
        }
    }
    let Slices { cx, journal, made, left, .. } = run;
    let told = bulk::tell(cx, &made, Some(out))?;
    journal.forget()?;
    if left.is_empty() {
        return Ok(told);
    }
    let message = format!("{} whose secret nobody here has heard", counted(left.len(), "key was made"));
    let error = Error::new(Kind::Partial, "partial", message);
    Err(left.into_iter().take(bulk::TOLD).fold(error, |error, why| error.cause(why)))
}

/// The file of secrets: made for a new run, and as the run before left it for one that goes on.
fn open(cx: &mut Ctx, journal: &mut Journal, bulk: &Bulk, out: &Path, known: bool) -> Result<SecretsFile> {
    let cannot = |error: io::Error| Error::cannot_write(out, &error);
    let there = out.symlink_metadata().is_ok();
    if there && !known {
        return Err(in_the_way(cx, out, &io::ErrorKind::AlreadyExists.into()));
    }
    if !there {
        if journal.has_begun() {
            return Err(journal.in_the_way(format!("{} is gone", out.display())));
        }
        // Remembered first: a file without a journal would be somebody else's.
        journal.write()?;
        return SecretsFile::create(out, bulk.length, bulk.requests.len()).map_err(|error| {
            let told = in_the_way(cx, out, &error);
            journal.forget().err().unwrap_or(told)
        });
    }
    let Some(mut file) = SecretsFile::reopen(out).map_err(cannot)? else {
        return Err(Error::new(Kind::Busy, "busy", format!("another process is writing {}", out.display())));
    };
    if file.length() < journal.run.length {
        return Err(journal.in_the_way(format!("{} is shorter than it was", out.display())));
    }
    let whole = file.lines_from(0).map_err(cannot)?.len();
    let ours = if journal.has_begun() {
        whole >= journal.run.kept
    } else {
        whole == 0 && !file.holds_more().map_err(cannot)?
    };
    if !ours {
        return Err(journal.in_the_way(format!("{} holds other lines than it wrote", out.display())));
    }
    Ok(file)
}

/// A run.
struct Slices<'r> {
    cx: &'r mut Ctx,
    backend: Rc<dyn Backend>,
    bulk: Bulk,
    out: &'r Path,
    file: SecretsFile,
    journal: Journal,
    /// The digest of what is kept.
    asked: Asked,
    /// The keys of the request that was ended, whose secrets are in the file already.
    found: HashMap<String, Created>,
    made: Vec<Created>,
    /// Keys that cannot be given a secret, and why.
    left: Vec<String>,
}

impl Slices<'_> {
    fn all(&mut self) -> Result<()> {
        let again = self.journal.has_begun();
        if again {
            self.take_up()?;
        }
        self.journal.write()?;
        let count = self.bulk.requests.len();
        if !self.journal.run.sending.is_empty() {
            self.send(true)?;
        }
        if count - self.journal.run.kept > SLICE {
            self.try_rest()?;
        }
        let text = self.bulk.length / count.max(1);
        while self.journal.run.kept < count {
            let next = SLICE.min(count - self.journal.run.kept);
            self.file.take_room(text * next, next).map_err(|error| Error::cannot_write(self.out, &error))?;
            let slice = self.journal.run.kept..self.journal.run.kept + next;
            let mut asked = self.asked.clone();
            asked.add(&self.bulk.requests[slice])?;
            let ids = (0..next).map(|_| KeyId::generate(&mut rand::rng())).collect();
            self.journal.sends(ids, &asked)?;
            self.send(false)?;
        }
        Ok(())
    }

    /// Reads what the run before has made, and says so.
    fn take_up(&mut self) -> Result<()> {
        let cannot = |error: io::Error| Error::cannot_write(self.out, &error);
        let mut lines = self.file.lines_from(0).map_err(cannot)?;
        let sending: HashSet<&str> = self.journal.run.sending.iter().map(KeyId::as_str).collect();
        for line in lines.split_off(self.journal.run.kept) {
            if !line.existed && !sending.contains(line.key.id.as_str()) {
                let why = format!("{} holds {}, which it did not make", self.out.display(), line.key.id);
                return Err(self.journal.in_the_way(why));
            }
            self.found.insert(line.key.id.clone(), without_secret(line.key, line.existed));
        }
        self.made = lines.into_iter().map(|line| without_secret(line.key, line.existed)).collect();
        let (kept, all) = (self.journal.run.kept, counted(self.bulk.requests.len(), "key"));
        self.cx.note(&format!(
            "an earlier run was ended: {kept} of {all} are made, with their secrets in {}; this one goes on",
            self.out.display()
        ));
        Ok(())
    }

    /// Tries all that is to come: what is wrong is told, and no key is made.
    fn try_rest(&mut self) -> Result<()> {
        let kept = self.journal.run.kept;
        let dry = self.cx.operation().rehearsal();
        let rest = self.bulk.requests[kept..].to_vec();
        let tried = {
            let mut progress = self.cx.out.progress(rest.len() as u64, "checking keys");
            let mut told = 0;
            let mut heard = |done: usize| {
                progress.inc(done.saturating_sub(told) as u64);
                told = done;
            };
            self.backend.create_many(&dry, rest.into(), &mut heard, &mut |_| Ok(()))
        };
        tried.map(drop).map_err(|error| self.refused(error))
    }

    /// Sends the keys that the journal names, and keeps their secrets.
    fn send(&mut self, again: bool) -> Result<()> {
        let ids = self.journal.run.sending.clone();
        let slice = &self.bulk.requests[self.journal.run.kept..self.journal.sent()];
        let named = slice.iter().zip(&ids).map(|(request, id)| Create { id: Some(id.clone()), ..request.clone() });
        let request = named.collect::<Vec<_>>().into();
        let made = self.backend.create_many(&self.cx.operation(), request, &mut |_| (), &mut |_| Ok(()));
        let made = match made {
            Ok(made) => made,
            Err(BulkError::Entries(wrong)) => match if again { self.there(&ids)? } else { None } {
                Some(made) => made,
                None => return self.none_made(BulkError::Entries(wrong)),
            },
            Err(BulkError::Whole(error)) if had_no_effect(&error) => return self.none_made(BulkError::Whole(error)),
            Err(BulkError::Whole(error)) => return Err(error),
        };
        self.keep(&ids, made)?;
        self.asked.add(&self.bulk.requests[self.journal.run.kept..self.journal.sent()])?;
        self.journal.keeps(self.file.length())
    }

    /// None of what was sent came to be: it is no longer in doubt.
    fn none_made(&mut self, error: BulkError) -> Result<()> {
        self.journal.sends(Vec::new(), &self.asked)?;
        Err(self.refused(error))
    }

    /// The keys of a request that was refused because it was heeded before; nothing when it was not.
    fn there(&mut self, ids: &[KeyId]) -> Result<Option<Vec<Created>>> {
        let cx = self.cx.operation();
        let shown = |key: KeyRef, environment| match self.backend.ask(&cx, &Show { key, environment }) {
            Ok(key) => Ok(Some(without_secret(key, true))),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        let (mut there, mut gone, mut any) = (Vec::new(), Vec::new(), false);
        for (request, id) in self.bulk.requests[self.journal.run.kept..].iter().zip(ids) {
            let mut found = shown(KeyRef::Id(id.clone()), None)?;
            any |= found.is_some();
            if found.is_none() && request.if_not_exists {
                found = shown(KeyRef::Name(request.name.clone()), Some(request.environment))?;
            }
            match found {
                Some(found) => there.push(found),
                None => gone.push(format!("{} ({id}) was deleted before its secret was here", request.name)),
            }
        }
        if !any {
            return Ok(None);
        }
        self.left.extend(gone);
        Ok(Some(there))
    }

    /// Writes the secrets that came; a key of ours that came without one is given another.
    fn keep(&mut self, ids: &[KeyId], made: Vec<Created>) -> Result<()> {
        let ours: HashSet<&str> = ids.iter().map(KeyId::as_str).collect();
        let (there, made): (Vec<_>, Vec<_>) = made
            .into_iter()
            .partition(|one| self.found.contains_key(&one.key.id) || (one.existed && ours.contains(&*one.key.id)));
        if !made.is_empty() {
            self.append(&made)?;
        }
        self.made.extend(made.into_iter().map(|one| Created { secret: None, ..one }));
        for one in there {
            match self.found.remove(&one.key.id) {
                Some(found) => self.made.push(found),
                None => self.reissue(one.key)?,
            }
        }
        Ok(())
    }

    fn append(&mut self, made: &[Created]) -> Result<()> {
        self.file.append(made).map_err(|error| {
            let what = format!("created {}, and not every secret could be written", counted(made.len(), "key"));
            Error::cannot_write(self.out, &error).undelivered(what)
        })
    }

    /// Gives a key a fresh secret, unless somebody else did.
    fn reissue(&mut self, key: KeyView) -> Result<()> {
        let id: KeyId = key.id.parse().map_err(|why: String| Error::new(Kind::Internal, "reply", why))?;
        if key.secrets.len() > 1 && self.journal.run.reissuing.as_ref() != Some(&id) {
            self.left.push(format!("{} ({id}) was rotated by somebody before its secret was here", key.name));
            return Ok(());
        }
        self.journal.reissues(id.clone())?;
        let mut cx = self.cx.operation();
        cx.reason.get_or_insert_with(|| "its secret did not arrive when it was created".to_owned());
        let rotate = Rotate { overlap: Some(Overlap::Now), ..Rotate::of(KeyRef::Id(id.clone())) };
        match self.backend.run(&cx, rotate) {
            Ok(staged) => {
                let (secret, rotation) = (staged.secret, None);
                let one = Created { key: staged.key, secret, rotation, existed: false, notes: Vec::new() };
                let one = [one];
                self.append(&one)?;
                self.made.extend(one.into_iter().map(|one| Created { secret: None, ..one }));
                Ok(())
            }
            Err(error) if matches!(error.kind, Kind::Conflict | Kind::Forbidden | Kind::NotFound) => {
                self.left.push(format!("{} ({id}): {}", key.name, error.message));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The error of lines that are wrong, with what is made of those before them.
    fn refused(&self, error: BulkError) -> Error {
        let kept = self.journal.run.kept;
        let verb = match kept {
            0 => "created".to_owned(),
            _ => format!("created beyond the {} that are made", counted(kept, "key")),
        };
        bulk::failed(self.cx, &self.bulk.place, &verb, error, self.bulk.lines.get(kept..).unwrap_or_default())
    }

    /// The error of a run that the same command goes on with.
    fn unfinished(&self, error: Error) -> Error {
        let (kept, all) = (self.journal.run.kept, counted(self.bulk.requests.len(), "key"));
        let error = error.cause(format!("{kept} of {all} are made, and their secrets are in {}", self.out.display()));
        let invocation = self.cx.invocation();
        error.hint(format!("{invocation}   (once more: it goes on where this one ended)"))
    }
}

fn without_secret(key: KeyView, existed: bool) -> Created {
    Created { key, secret: None, rotation: None, existed, notes: Vec::new() }
}
