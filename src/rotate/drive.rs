//! One delivery, step by step. Whatever ends it leaves facts in the keystore from which the next run goes on:
//!
//! | ended after | the next run |
//! | --- | --- |
//! | preflight | starts normally |
//! | stage | voids the secret, mints again under the same rotation id |
//! | intent | asks sinks that can be read back; else mints again, and the one in doubt works until that has arrived |
//! | receipt | commits; where a probe is asked, mints again, so that it has a secret to try |

use super::{
    Bounds, Failure, Observer,
    by_hand::{finish, leave},
    failure::is_away,
    target::{Target, Targets},
};
use crate::{
    backend::Backend,
    deliver::{Fault, Kept, Reached, Running, Sink, SinkError, probe},
    domain::{Lookup, PlainToken, RotationId, Time},
    ops::{
        Abort, Context, Created, Error, KeyView, Kind, Progress, Result, RotationRef, RotationView, Show, ShowRotation,
        Stage, Staged, Step,
    },
};
use std::sync::atomic::AtomicBool;
use zeroize::Zeroizing;

/// What came of a delivery that went well.
pub struct Delivered {
    /// The key afterwards.
    pub key: KeyView,
    /// Its rotation; `None` when nothing was to be done.
    pub rotation: Option<RotationView>,
    /// Until when the old secret works; `None` when it stopped at once.
    pub old_valid_until: Option<Time>,
    /// Whether an interrupted rotation was finished.
    pub resumed: bool,
    /// Whether anything was done, or would be.
    pub acted: bool,
    /// What the caller should know.
    pub note: Option<String>,
}

/// A secret on its way.
struct Fresh<'a> {
    token: &'a PlainToken,
    rotation: RotationId,
    lookup: Lookup,
    /// An earlier secret of the rotation may be in use somewhere: an abort would end that one too.
    doubted: bool,
}

/// What becomes of a secret whose way ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It dies where nothing holds it; else the next run goes on.
    Resumed,
    /// It dies in any case: a new key is worth nothing without its delivery.
    Dead,
    /// As with [`Ending::Resumed`], but a probe that says no leaves it where it is: somebody decides anyway.
    Parked,
}

/// Carries out deliveries.
#[derive(Clone, Copy)]
pub struct Driver<'a> {
    /// The keystore in which every step is recorded.
    pub backend: &'a dyn Backend,
    /// On whose behalf.
    pub cx: &'a Context,
    /// Where secrets go.
    pub targets: &'a Targets,
    /// What ends it early.
    pub bounds: Bounds<'a>,
}

/// A sink that was given the secret, and what it held before, where that can be put back.
struct Given<'a> {
    sink: &'a Sink,
    before: Option<Kept>,
    /// The secret that was seen there.
    held: Option<Lookup>,
}

impl Driver<'_> {
    /// Rotates one key into its sinks.
    ///
    /// # Errors
    /// Those of the keystore and the sinks; [`Failure`] says what became of the secret.
    pub fn rotate(&self, target: &Target, request: Stage, observer: &mut dyn Observer) -> Result<Delivered, Failure> {
        target.preflight(observer)?;
        let readable = || target.sinks.iter().filter(|sink| sink.can_read_back());
        let ask_back = readable().map(|sink| sink.name().to_owned()).collect();
        let mut request = Stage { sinks: target.names(), ask_back, probe: target.probe.is_some(), ..request };
        if request.supersedes() {
            let held = readable().filter_map(held);
            request.held = held.map(|token| token.lookup().as_str().to_owned()).collect();
        }
        let mut staged = self.backend.run(self.cx, request.clone())?;
        if let Some(lease) = staged.lease.take() {
            if let Some(rotation) = &staged.rotation {
                self.read_back(target, rotation)?;
            }
            staged = self.backend.run(self.cx, Stage { lease: Some(lease), ..request })?;
        }
        if self.cx.dry_run || (staged.secret.is_none() && !staged.ready) {
            return Ok(settled(staged));
        }
        let Some(view) = &staged.rotation else { return Err(internal("a staged secret without rotation").into()) };
        if let Some(token) = &staged.secret {
            let fresh = Fresh::of(token, view)?;
            self.hand_over(target, &fresh, if view.parked { Ending::Parked } else { Ending::Resumed }, observer)?;
        }
        let (rotation, _) = view.ids()?;
        if view.parked {
            let view = self.backend.ask(self.cx, &ShowRotation::of(rotation))?;
            return Ok(Delivered { rotation: Some(view), ..settled(staged) });
        }
        let rotated = finish(self.backend, self.cx, view)
            .map_err(|error| Failure::Uncommitted { rotation, error: Box::new(error) })?;
        Ok(Delivered {
            key: rotated.key,
            rotation: Some(rotated.rotation),
            old_valid_until: rotated.old_valid_until,
            resumed: staged.resumed,
            acted: true,
            note: staged.note,
        })
    }

    /// Goes on with a rotation that was interrupted.
    ///
    /// # Errors
    /// See [`Driver::rotate`].
    pub fn resume(
        &self,
        target: &Target,
        rotation: &RotationView,
        observer: &mut dyn Observer,
    ) -> Result<Delivered, Failure> {
        self.rotate(target, Stage::resume(rotation, Vec::new())?, observer)
    }

    /// Delivers the secret of a key that was just made; answers with the key. One whose secret does not arrive is no key.
    ///
    /// # Errors
    /// Those of the keystore and the sinks; [`Failure`] says what became of the secret.
    pub fn deliver_new(
        &self,
        target: &Target,
        created: &Created,
        observer: &mut dyn Observer,
    ) -> Result<KeyView, Failure> {
        let (Some(token), Some(rotation)) = (&created.secret, &created.rotation) else {
            return Ok(created.key.clone());
        };
        self.hand_over(target, &Fresh::of(token, rotation)?, Ending::Dead, observer)?;
        Ok(finish(self.backend, self.cx, rotation)?.key)
    }

    /// Delivers to every sink and asks the probe. Where nothing has arrived the rotation is over; where something may
    /// have, `ending` says what becomes of it.
    fn hand_over(
        &self,
        target: &Target,
        fresh: &Fresh<'_>,
        ending: Ending,
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        let mut given: Vec<Given<'_>> = Vec::new();
        for sink in &target.sinks {
            let (before, held) = (sink.keep(), held(sink).map(|token| token.lookup().clone()));
            self.step(fresh, sink, Progress::Intended)
                .map_err(|error| fresh.unrecorded(error, !given.is_empty(), ending))?;
            match self.bounds.running(observer, |run| sink.deliver(fresh.token, run)) {
                Ok(receipt) => {
                    given.push(Given { sink, before, held });
                    self.step(fresh, sink, Progress::Delivered(receipt.detail))
                        .map_err(|error| fresh.unrecorded(error, true, ending))?;
                }
                Err(error) => {
                    match error.reached {
                        Reached::No => self
                            .step(fresh, sink, Progress::Failed(error.to_string()))
                            .map_err(|error| fresh.unrecorded(error, !given.is_empty(), ending))?,
                        Reached::Maybe => self.leave(fresh, sink, error.to_string()),
                    }
                    let holding = match ending {
                        // The next run goes on from what has arrived.
                        Ending::Resumed | Ending::Parked => given.iter().map(|given| given.sink.name()).collect(),
                        Ending::Dead => self.take_back(fresh, &given, "another sink failed")?,
                    };
                    return Err(self.give_up(fresh, error, &holding, ending));
                }
            }
        }
        let Some(command) = &target.probe else { return Ok(()) };
        let Targets { retry, options, .. } = self.targets;
        let asked = self.bounds.running(observer, |run| probe(command, fresh.token, *retry, options, run));
        let Err(error) = asked else { return Ok(()) };
        let holding = match ending {
            Ending::Parked => Vec::new(),
            Ending::Resumed | Ending::Dead => self.take_back(fresh, &given, "the probe said no")?,
        };
        for Given { sink, .. } in
            given.iter().filter(|given| ending == Ending::Parked || holding.contains(&given.sink.name()))
        {
            self.leave(fresh, sink, format!("the probe said no: {error}"));
        }
        if ending == Ending::Parked {
            return Err(Failure::Unproven { rotation: fresh.rotation.clone(), error: Box::new(error) });
        }
        let what = format!("the probe says that the new secret does not work: {}", error.what);
        // That the probe itself may have gone half its way says nothing of the sinks.
        let error = SinkError { what, reached: Reached::No, ..error };
        Err(self.give_up(fresh, error, &holding, ending))
    }

    /// Puts back what the sinks held before, the last one first; answers with those that hold the new secret all the same.
    fn take_back<'a>(&self, fresh: &Fresh<'_>, given: &[Given<'a>], why: &str) -> Result<Vec<&'a str>> {
        let mut holding = Vec::new();
        // Also when keyward was asked to stop: what was begun is undone.
        let never = AtomicBool::new(false);
        for Given { sink, before, held } in given.iter().rev() {
            let run = Running { deadline: None, stop: &never, show: &|_| {} };
            let dead = held.as_ref().is_some_and(|held| !self.may_come_back(fresh, held));
            if !dead && before.as_ref().is_some_and(|before| sink.put_back(before, fresh.token, &run).is_ok()) {
                self.step(fresh, sink, Progress::Failed(format!("put back: {why}")))?;
            } else {
                holding.push(sink.name());
            }
        }
        Ok(holding)
    }

    /// Ends a rotation that cannot go on, or says how it does.
    fn give_up(&self, fresh: &Fresh<'_>, error: SinkError, holding: &[&str], ending: Ending) -> Failure {
        let rotation = fresh.rotation.clone();
        let held = error.reached == Reached::Maybe || !holding.is_empty() || fresh.doubted;
        if held && ending != Ending::Dead {
            return Failure::Undelivered { rotation, error: Box::new(error), beside: None };
        }
        let (of, because) = (RotationRef::Id(rotation.clone()), Some(error.what.clone()));
        let abort = Abort { rotation: of, environment: None, force: true, because };
        let aborted = self.backend.change(self.cx, abort);
        let (error, holding) = (Box::new(error), holding.iter().map(|sink| (*sink).to_owned()).collect());
        match aborted {
            Ok(_) if ending == Ending::Dead => Failure::NotMade { error, holding },
            Ok(_) => Failure::ThrownAway { error, holding },
            Err(second) => Failure::Undelivered { rotation, error, beside: Some(second.message) },
        }
    }

    /// Asks the sinks of an interrupted delivery what they hold. Only sinks that the caller named again are asked: what
    /// the keystore says must not decide which file is read.
    fn read_back(&self, target: &Target, rotation: &RotationView) -> Result<()> {
        let (id, secret) = rotation.ids()?;
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
                secret: secret.clone(),
                sink: sink.name().to_owned(),
                progress: Progress::ReadBack(token),
            };
            self.backend.change(self.cx, request)?;
        }
        Ok(())
    }

    /// Whether a secret that a sink held may stand there again: not one that an earlier try of this rotation put there,
    /// which ended when the new one arrived. What is no secret of the key is not ours to judge.
    fn may_come_back(&self, fresh: &Fresh<'_>, held: &Lookup) -> bool {
        let looked = || -> Result<KeyView> {
            let rotation = self.backend.ask(self.cx, &ShowRotation::of(fresh.rotation.clone()))?;
            self.backend.ask(self.cx, &Show { key: rotation.key()?, environment: None })
        };
        // Who cannot look leaves the new secret where it is: it works.
        looked().is_ok_and(|key| {
            let known = key.secrets.iter().find(|secret| secret.lookup == held.as_str());
            known.is_none_or(|secret| matches!(&*secret.state, "current" | "retiring"))
        })
    }

    fn step(&self, fresh: &Fresh<'_>, sink: &Sink, progress: Progress) -> Result<()> {
        self.backend.change(self.cx, fresh.step(sink, progress)).map(drop)
    }

    fn leave(&self, fresh: &Fresh<'_>, sink: &Sink, why: String) {
        leave(self.backend, self.cx, fresh.step(sink, Progress::Unproven(why)));
    }
}

impl<'a> Fresh<'a> {
    fn of(token: &'a PlainToken, view: &RotationView) -> Result<Self> {
        let (rotation, lookup) = view.ids()?;
        Ok(Self { token, rotation, lookup, doubted: view.in_doubt.is_some() })
    }

    /// A step that the keystore could not be told of, because it is away. Where a sink `holds` the secret by then, that is no
    /// failure that changed nothing.
    fn unrecorded(&self, error: Error, holds: bool, ending: Ending) -> Failure {
        if !holds || ending == Ending::Dead || !is_away(&error) {
            return Failure::Refused(error);
        }
        let Error { message: what, causes, hints, .. } = error;
        let told = SinkError {
            fault: Fault::Unavailable,
            what: format!("it could not be recorded how far its delivery came: {what}"),
            cause: causes.into_iter().next(),
            hint: hints.into_iter().next(),
            reached: Reached::Maybe,
        };
        Failure::Undelivered { rotation: self.rotation.clone(), error: Box::new(told), beside: None }
    }

    fn step(&self, sink: &Sink, progress: Progress) -> Step {
        let (rotation, secret) = (self.rotation.clone(), self.lookup.clone());
        Step { rotation, secret, sink: sink.name().to_owned(), progress }
    }
}

/// The secret of keyward's that a sink holds, where it can be asked.
fn held(sink: &Sink) -> Option<PlainToken> {
    if !sink.can_read_back() {
        return None;
    }
    let text: Zeroizing<String> = sink.read_back().ok().flatten()?;
    PlainToken::parse(&text).ok()
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

fn internal(what: &str) -> Error {
    Error::new(Kind::Internal, "rotation", what)
}
