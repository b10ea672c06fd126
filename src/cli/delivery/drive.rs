//! One delivery, step by step. Whatever ends it leaves facts in the keystore from which the next run goes on:
//!
//! | ended after | the next run |
//! | --- | --- |
//! | preflight | starts normally |
//! | stage | voids the secret, mints again under the same rotation id |
//! | intent | asks sinks that can be read back; else mints again, and the one in doubt works until that has arrived |
//! | receipt | commits; where a probe is asked, mints again, so that it has a secret to try |

use super::target::{Target, Targets, refused};
use crate::{
    cli::{context::Ctx, rotating, signals::Stop},
    deliver::{Fault, Kept, Reached, Running, Shown, Sink, SinkError, probe},
    domain::{KeyRef, Lookup, Overlap, PlainToken, RotationId, Time, time::format_time},
    ops::{
        Abort, Commit, Error, KeyView, Kind, Progress, Result, RotationRef, RotationView, Show, ShowRotation, Stage,
        Staged, Step,
    },
};
use std::{cell::RefCell, sync::atomic::AtomicBool, time::Instant};
use zeroize::Zeroizing;

/// What came of a delivery that went well.
pub(in crate::cli) struct Delivered {
    /// The key afterwards.
    pub(in crate::cli) key: KeyView,
    /// Its rotation; `None` when nothing was to be done.
    pub(in crate::cli) rotation: Option<RotationView>,
    /// Until when the old secret works; `None` when it stopped at once.
    pub(in crate::cli) old_valid_until: Option<Time>,
    /// Whether an interrupted rotation was finished.
    pub(in crate::cli) resumed: bool,
    /// Whether anything was done, or would be.
    pub(in crate::cli) acted: bool,
    /// What the caller should know.
    pub(in crate::cli) note: Option<String>,
}

/// A secret on its way.
pub(in crate::cli) struct Fresh<'a> {
    pub(in crate::cli) token: &'a PlainToken,
    pub(in crate::cli) rotation: &'a RotationId,
    pub(in crate::cli) lookup: &'a Lookup,
    /// An earlier secret of the rotation may be in use somewhere: an abort would end that one too.
    pub(in crate::cli) doubted: bool,
}

/// What becomes of a secret whose way ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Ending {
    /// It dies where nothing holds it; else the next run goes on.
    Resumed,
    /// It dies in any case: a new key is worth nothing without its delivery.
    Dead,
    /// As with [`Ending::Resumed`], but a probe that says no leaves it where it is: somebody decides anyway.
    Parked,
}

/// Carries out deliveries.
pub(in crate::cli) struct Driver<'a> {
    pub(in crate::cli) targets: &'a Targets,
    pub(in crate::cli) stop: &'a Stop,
    pub(in crate::cli) deadline: Option<Instant>,
}

/// A sink that was given the secret, and what it held before, where that can be put back.
struct Given<'a> {
    sink: &'a Sink,
    before: Option<Kept>,
    /// The secret that was seen there.
    held: Option<Lookup>,
}

impl Driver<'_> {
    /// Rotates one key into the sinks that the caller named for it, and says what came of it; answers with the key.
    ///
    /// # Errors
    /// See [`Driver::rotate`]; `Usage` when no rule of the deliver map matches the key.
    pub(in crate::cli) fn rotate_and_tell(&self, cx: &mut Ctx, key: &KeyView, request: Stage) -> Result<KeyView> {
        if self.stop.code().is_some() {
            return Err(Error::new(
                Kind::Unavailable,
                "interrupted",
                format!("{} ({}) was not begun", key.name, key.id),
            )
            .hint(cx.invocation()));
        }
        let Some(target) = self.targets.for_key(key)? else {
            return Err(Error::usage(format!("no rule of the deliver map matches {} ({})", key.name, key.id)));
        };
        let overlap = request.overlap.or(target.overlap.map(Overlap::For));
        let delivered = self.rotate(cx, &target, Stage { overlap, ..request })?;
        if let Some(note) = &delivered.note {
            cx.note(note);
        }
        let named = format!("{} ({})", delivered.key.name, delivered.key.id);
        let old = match delivered.old_valid_until {
            Some(until) => format!("the old secret works until {}", format_time(until)),
            None => "the old secret stops at once".to_owned(),
        };
        let sinks = target.names().join(", ");
        match &delivered.rotation {
            _ if !delivered.acted => {}
            _ if cx.global.dry_run => cx.note(&format!("would rotate {named} to {sinks}: {old}")),
            Some(rotation) if rotation.running => {
                cx.note(&format!("staged {named} to {sinks}: both secrets work"));
                cx.note(&format!("hint: keyward rotation commit {0}   or: keyward rotation abort {0}", rotation.id));
            }
            Some(_) => cx.note(&format!("rotated {named} to {sinks}: {old}")),
            None => {}
        }
        Ok(delivered.key)
    }

    /// Rotates one key into its sinks.
    ///
    /// # Errors
    /// Those of the keystore and the sinks; `Undelivered` when a sink may hold a secret that is not the current one.
    pub(in crate::cli) fn rotate(&self, cx: &mut Ctx, target: &Target, request: Stage) -> Result<Delivered> {
        target.preflight(cx)?;
        let readable = || target.sinks.iter().filter(|sink| sink.can_read_back());
        let ask_back = readable().map(|sink| sink.name().to_owned()).collect();
        let mut request = Stage { sinks: target.names(), ask_back, probe: target.probe.is_some(), ..request };
        if request.supersedes() {
            let held = readable().filter_map(|sink| self.held(sink));
            request.held = held.map(|token| token.lookup().as_str().to_owned()).collect();
        }
        let mut staged = cx.backend()?.stage(&cx.operation(), &request)?;
        if let Some(lease) = staged.lease.take() {
            if let Some(rotation) = &staged.rotation {
                self.read_back(cx, target, rotation)?;
            }
            staged = cx.backend()?.stage(&cx.operation(), &Stage { lease: Some(lease), ..request.clone() })?;
        }
        if cx.global.dry_run || (staged.secret.is_none() && !staged.ready) {
            return Ok(settled(staged));
        }
        let rotation = rotation_of(&staged)?;
        let parked = staged.rotation.as_ref().is_some_and(|rotation| rotation.parked);
        if let (Some(token), Some(lookup)) = (&staged.secret, &staged.lookup) {
            let doubted = staged.rotation.as_ref().is_some_and(|rotation| rotation.in_doubt.is_some());
            let fresh = Fresh { token, rotation: &rotation, lookup, doubted };
            self.hand_over(cx, target, &fresh, if parked { Ending::Parked } else { Ending::Resumed })?;
        }
        if parked {
            let view = cx.backend()?.ask(&cx.operation(), &ShowRotation::of(rotation))?;
            return Ok(Delivered { rotation: Some(view), ..settled(staged) });
        }
        let rotated = cx
            .backend()?
            .change(&cx.operation(), Commit::of(rotation.clone(), Vec::new()))
            .map_err(|error| error.hint(format!("the secret has arrived: keyward rotation commit {rotation}")))?;
        Ok(Delivered {
            key: rotated.key,
            rotation: Some(rotated.rotation),
            old_valid_until: rotated.old_valid_until,
            resumed: staged.resumed,
            acted: true,
            note: staged.note,
        })
    }

    /// Delivers to every sink and asks the probe. Where nothing has arrived the rotation is over; where something may
    /// have, `ending` says what becomes of it.
    ///
    /// # Errors
    /// What the sinks and the probe say.
    pub(in crate::cli) fn hand_over(
        &self,
        cx: &mut Ctx,
        target: &Target,
        fresh: &Fresh<'_>,
        ending: Ending,
    ) -> Result<()> {
        let mut given: Vec<Given<'_>> = Vec::new();
        for sink in &target.sinks {
            let (before, held) = (sink.keep(), self.held(sink).map(|token| token.lookup().clone()));
            step(cx, fresh, sink, Progress::Intended)?;
            match self.deliver(cx, sink, fresh.token) {
                Ok(detail) => {
                    given.push(Given { sink, before, held });
                    step(cx, fresh, sink, Progress::Delivered(detail))?;
                }
                Err(error) => {
                    match error.reached {
                        Reached::No => step(cx, fresh, sink, Progress::Failed(error.to_string()))?,
                        Reached::Maybe => {
                            rotating::leave(cx, fresh.rotation, fresh.lookup, sink.name(), &error.to_string())
                        }
                    }
                    let holding = match ending {
                        // The next run goes on from what has arrived.
                        Ending::Resumed | Ending::Parked => given.iter().map(|given| given.sink.name()).collect(),
                        Ending::Dead => self.take_back(cx, fresh, &given, "another sink failed")?,
                    };
                    return Err(self.give_up(cx, fresh, &error, &holding, ending));
                }
            }
        }
        let Some(command) = &target.probe else { return Ok(()) };
        let asked = self.running(cx, |run| probe(command, fresh.token, self.targets.retry, &self.targets.options, run));
        let Err(error) = asked else { return Ok(()) };
        let holding = match ending {
            Ending::Parked => Vec::new(),
            Ending::Resumed | Ending::Dead => self.take_back(cx, fresh, &given, "the probe said no")?,
        };
        for Given { sink, .. } in
            given.iter().filter(|given| ending == Ending::Parked || holding.contains(&given.sink.name()))
        {
            rotating::leave(cx, fresh.rotation, fresh.lookup, sink.name(), &format!("the probe said no: {error}"));
        }
        if ending == Ending::Parked {
            return Err(unproven(fresh.rotation, &error));
        }
        let what = format!("the probe says that the new secret does not work: {}", error.what);
        // That the probe itself may have gone half its way says nothing of the sinks.
        let error = SinkError { what, reached: Reached::No, ..error };
        Err(self.give_up(cx, fresh, &error, &holding, ending))
    }

    /// Puts back what the sinks held before, the last one first; answers with those that hold the new secret all the same.
    fn take_back<'a>(&self, cx: &mut Ctx, fresh: &Fresh<'_>, given: &[Given<'a>], why: &str) -> Result<Vec<&'a str>> {
        let mut holding = Vec::new();
        // Also when keyward was asked to stop: what was begun is undone.
        let never = AtomicBool::new(false);
        for Given { sink, before, held } in given.iter().rev() {
            let run = Running { deadline: None, stop: &never, show: &|_| {} };
            let dead = held.as_ref().is_some_and(|held| !self.may_come_back(cx, fresh, held));
            if !dead && before.as_ref().is_some_and(|before| sink.put_back(before, fresh.token, &run).is_ok()) {
                step(cx, fresh, sink, Progress::Failed(format!("put back: {why}")))?;
            } else {
                holding.push(sink.name());
            }
        }
        Ok(holding)
    }

    /// Ends a rotation that cannot go on, or says how it does.
    fn give_up(&self, cx: &mut Ctx, fresh: &Fresh<'_>, error: &SinkError, holding: &[&str], ending: Ending) -> Error {
        let undelivered =
            |cx: &Ctx| undelivered(fresh.rotation, error, self.targets.resume_command(cx, fresh.rotation));
        let held = error.reached == Reached::Maybe || !holding.is_empty() || fresh.doubted;
        if held && ending != Ending::Dead {
            return undelivered(cx);
        }
        let (rotation, because) = (RotationRef::Id(fresh.rotation.clone()), Some(error.what.clone()));
        let abort = Abort { rotation, environment: None, force: true, because };
        let aborted = cx.backend().and_then(|backend| backend.change(&cx.operation(), abort));
        match aborted {
            Ok(_) => {
                let gone = if ending == Ending::Dead { "no key was made" } else { "the new secret was thrown away" };
                let mut ended = refused(error).cause(gone);
                if !holding.is_empty() {
                    ended = ended.cause(format!("the dead secret is still in {}", holding.join(", ")));
                }
                if error.fault == Fault::Interrupted { ended.hint(cx.invocation()) } else { ended }
            }
            Err(second) => undelivered(cx).cause(second.message),
        }
    }

    /// Asks the sinks of an interrupted delivery what they hold. Only sinks that the caller named again are asked: what
    /// the keystore says must not decide which file is read.
    fn read_back(&self, cx: &mut Ctx, target: &Target, rotation: &RotationView) -> Result<()> {
        let lookup: Lookup = rotation.secret.lookup.parse().map_err(|_| internal("a version without look-up id"))?;
        let id: RotationId = rotation.id.parse().map_err(|_| internal("a rotation without id"))?;
        for delivery in rotation.deliveries.iter().filter(|delivery| delivery.state == "in_doubt") {
            let Some(sink) = target.sinks.iter().find(|sink| sink.name() == delivery.sink) else { continue };
            if !sink.can_read_back() {
                continue;
            }
            // A destination that does not answer leaves the delivery in doubt.
            let Ok(found) = sink.read_back() else { continue };
            let token = found.and_then(|text: Zeroizing<String>| PlainToken::parse(&text).ok());
            let request = Step {
                rotation: id.clone(),
                secret: lookup.clone(),
                sink: sink.name().to_owned(),
                progress: Progress::ReadBack(token),
            };
            cx.backend()?.rotation_step(&cx.operation(), request)?;
        }
        Ok(())
    }

    fn held(&self, sink: &Sink) -> Option<PlainToken> {
        if !sink.can_read_back() {
            return None;
        }
        let text: Zeroizing<String> = sink.read_back().ok().flatten()?;
        PlainToken::parse(&text).ok()
    }

    /// Whether a secret that a sink held may stand there again: not one that an earlier try of this rotation put there,
    /// which ended when the new one arrived. What is no secret of the key is not ours to judge.
    fn may_come_back(&self, cx: &mut Ctx, fresh: &Fresh<'_>, held: &Lookup) -> bool {
        let mut looked = || -> Result<KeyView> {
            let backend = cx.backend()?;
            let rotation = backend.ask(&cx.operation(), &ShowRotation::of(fresh.rotation.clone()))?;
            let key = KeyRef::Id(rotation.key_id.parse().map_err(|_| internal("a rotation without key"))?);
            backend.show(&cx.operation(), &Show { key, environment: None })
        };
        // Who cannot look leaves the new secret where it is: it works.
        looked().is_ok_and(|key| {
            let known = key.secrets.iter().find(|secret| secret.lookup == held.as_str());
            known.is_none_or(|secret| matches!(&*secret.state, "current" | "retiring"))
        })
    }

    fn deliver(&self, cx: &mut Ctx, sink: &Sink, token: &PlainToken) -> Result<String, SinkError> {
        self.running(cx, |run| sink.deliver(token, run)).map(|receipt| receipt.detail)
    }

    /// Runs something that may start programs, and shows what they say.
    pub(in crate::cli) fn running<T>(&self, cx: &mut Ctx, work: impl FnOnce(&Running<'_>) -> T) -> T {
        let out = RefCell::new(cx.emitter());
        let show = |shown: Shown<'_>| {
            let mut out = out.borrow_mut();
            match shown {
                Shown::Line { program, text } => out.note(&format!("{program}: {text}")),
                // The runner reads the command from either stream; the data on stdout must stay parseable.
                Shown::MaskLine(line) => out.raw_stderr(&format!("{line}\n")),
            }
        };
        work(&Running { deadline: self.deadline, stop: self.stop.flag(), show: &show })
    }
}

fn step(cx: &mut Ctx, fresh: &Fresh<'_>, sink: &Sink, progress: Progress) -> Result<()> {
    let (rotation, secret) = (fresh.rotation.clone(), fresh.lookup.clone());
    let request = Step { rotation, secret, sink: sink.name().to_owned(), progress };
    cx.backend()?.rotation_step(&cx.operation(), request).map(drop)
}

fn settled(staged: Staged) -> Delivered {
    Delivered {
        acted: staged.lookup.is_some(),
        key: staged.key,
        rotation: staged.rotation,
        old_valid_until: staged.old_valid_until,
        resumed: staged.resumed,
        note: staged.note,
    }
}

fn rotation_of(staged: &Staged) -> Result<RotationId> {
    let id = staged.rotation.as_ref().and_then(|rotation| rotation.id.parse().ok());
    id.ok_or_else(|| internal("a staged secret without rotation"))
}

fn internal(what: &str) -> Error {
    Error::new(Kind::Internal, "rotation", what)
}

/// A sink may hold a secret that is not yet the current one: nothing is lost, and the next run goes on.
fn undelivered(rotation: &RotationId, error: &SinkError, resume: String) -> Error {
    let what = match error.fault {
        Fault::Interrupted => "the delivery was interrupted",
        _ => "the new secret was minted, and may not have arrived everywhere",
    };
    let mut told =
        Error::new(Kind::Undelivered, "undelivered", format!("{what}; the old one works")).cause(error.what.clone());
    told.causes.extend(error.cause.clone());
    told.hints.extend(error.hint.clone());
    told.hint(resume).hint(format!("keyward rotation show {rotation}"))
}

/// The probe did not say yes to a secret that waits for somebody's decision: it goes on waiting.
fn unproven(rotation: &RotationId, error: &SinkError) -> Error {
    let message =
        "the new secret was delivered and stays staged: the probe does not say that it works; the old one does";
    let mut told = Error::new(Kind::Undelivered, "probe", message).cause(error.what.clone());
    told.causes.extend(error.cause.clone());
    told.hint(format!("keyward rotation commit {rotation}   (it works all the same)"))
        .hint(format!("keyward rotation abort {rotation} --force   (the old secret stays)"))
}
