//! Beginning a rotation, and going on with one that was interrupted: the only places where a rotation mints.

use super::{
    Done,
    authority::Authority,
    case::{Method, Route, UseCase},
    context::Context,
    entitlement,
    error::{Error, Kind, Result},
    holder, lookup,
    new_key::mint,
    policy,
    repetition::{self, Repetition},
    rotation::{self, RotationRef},
    rotation_view::{RotationView, refused},
    view::KeyView,
};
use crate::{
    domain::{
        Action, Begin, DEFAULT_OVERLAP, DeliveryState, Environment, Feature, Illegal, Key, KeyId, KeyRef, Lease,
        Lookup, Overlap, Permission, Phase, PlainToken, Rotation, RotationId, SecretState, SelfDeed, Time, serde_text,
        time::format_time,
    },
    store::{Tx, View},
    vault::Capabilities,
};
use chrono::TimeDelta;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A key whose secret is to be replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(example = json!({"overlap": {"for": 86_400}})))]
pub struct Stage {
    /// The id of the key, its name, or a prefix of its id.
    #[cfg_attr(test, schema(value_type = String))]
    pub key: KeyRef,
    /// The environment, where keys of several have the name.
    #[serde(default)]
    pub environment: Option<Environment>,
    /// How long the old secret goes on working; the key's own overlap, else its workspace's, else 24 hours.
    #[serde(default)]
    pub overlap: Option<Overlap>,
    /// Starts the key's original lifetime again.
    #[serde(default)]
    pub renew: bool,
    /// Brings a revoked key back: an administrator's own word, with a reason.
    #[serde(default)]
    pub reinstate: bool,
    /// Ends an overlap or a rotation that still runs once the new secret has arrived. `overlap: "now"` needs it not.
    #[serde(default)]
    pub supersede: bool,
    /// Waits for somebody's commit after the delivery.
    #[serde(default)]
    pub park: bool,
    /// Where the secret will go.
    #[serde(default)]
    pub sinks: Vec<String>,
    /// The hand-over follows at once: the intent is recorded with the staging.
    #[serde(default)]
    pub intend: bool,
    /// Goes on with exactly this rotation, a parked one too.
    #[serde(default)]
    pub resume: Option<RotationId>,
    /// The sinks that can be asked what they hold. Where one of them may hold the secret of an interrupted delivery, the
    /// answer is the turn in that rotation and no secret, so that the caller can ask first.
    #[serde(default)]
    pub ask_back: Vec<String>,
    /// The public ids of the secrets that these sinks hold, asked before a rotation that runs is superseded: what a
    /// consumer holds does not end for it.
    #[serde(default)]
    pub held: Vec<String>,
    /// The turn that such an answer gave.
    #[serde(default)]
    pub lease: Option<String>,
    /// The caller will ask a probe, which has to be handed the secret: one that has arrived without its yes is replaced.
    #[serde(default)]
    pub probe: bool,
    /// Does nothing unless the rotation is due within so long (zero: now), or was interrupted.
    #[serde(default, with = "serde_text::optional_window")]
    #[cfg_attr(test, schema(value_type = Option<i64>, minimum = 0, maximum = 3_162_240_000_i64))]
    pub due_within: Option<TimeDelta>,
    /// The same idempotency key within 24 hours names the same rotation.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl UseCase for Stage {
    type Outcome = Staged;
    const PERMISSION: Permission = Permission::RotateKeys;
    const ROUTE: Route = Route {
        query: &["environment"],
        idempotent: true,
        summary: "Stage a new secret for a key",
        description: "It works at once, beside the old one. The caller delivers it, records steps, and commits.",
        answers: &[
            (201, "A new secret, shown this once."),
            (200, "Nothing was minted: a rotation goes on, or none is due."),
        ],
        ..Route::new(Method::Post, "/v1/keys/{key}/rotations", "stage_rotation", "rotations")
    };

    fn idempotency_key(&mut self) -> Option<&mut Option<String>> {
        Some(&mut self.idempotency_key)
    }

    fn target(&self) -> String {
        self.key.to_string()
    }
}

impl Stage {
    /// A plain rotation of a key, to no sink yet.
    #[must_use]
    pub fn of(key: KeyRef) -> Self {
        Self {
            key,
            environment: None,
            overlap: None,
            renew: false,
            reinstate: false,
            supersede: false,
            park: false,
            sinks: Vec::new(),
            intend: false,
            resume: None,
            ask_back: Vec::new(),
            held: Vec::new(),
            lease: None,
            probe: false,
            due_within: None,
            idempotency_key: None,
        }
    }

    /// Whether what still runs of an earlier rotation is no obstacle: so it was asked for, or every older secret is to stop.
    #[must_use]
    pub fn supersedes(&self) -> bool {
        self.supersede || self.overlap == Some(Overlap::Now)
    }

    /// Goes on with a rotation, a parked one too, and delivers to these sinks.
    ///
    /// # Errors
    /// `Internal` when the view is not one of a rotation.
    pub fn resume(rotation: &RotationView, sinks: Vec<String>) -> Result<Self> {
        Ok(Self { sinks, resume: Some(rotation.ids()?.0), ..Self::of(rotation.key()?) })
    }
}

/// What came of a [`Stage`].
pub struct Staged {
    /// The key: as the commit will leave it where a secret was minted and the rotation does not wait for somebody.
    pub key: KeyView,
    /// Until when the old secret will work after the commit; `None` when it stops at once.
    pub old_valid_until: Option<Time>,
    /// Its running or last rotation.
    pub rotation: Option<RotationView>,
    /// The new secret, the only time it is seen; absent when nothing was minted.
    pub secret: Option<PlainToken>,
    /// The version of the secret that the steps to come are about.
    pub lookup: Option<Lookup>,
    /// The secret arrived already: only the commit is missing.
    pub ready: bool,
    /// The turn in an interrupted rotation, whose sinks are to be asked before the next call.
    pub lease: Option<String>,
    /// A rotation that was interrupted goes on.
    pub resumed: bool,
    /// What the caller should know.
    pub note: Option<String>,
}

/// The key that a request is about.
///
/// # Errors
/// `NotFound`, `Conflict` when the reference is ambiguous.
pub fn target(tx: &View<'_>, cx: &Context, request: &Stage) -> Result<KeyId> {
    Ok(find(tx, cx, request)?.id)
}

fn find(tx: &View<'_>, cx: &Context, request: &Stage) -> Result<Key> {
    if let Authority::Holder(_) = cx.authority {
        return Ok(holder::held(tx, cx, SelfDeed::Rotate)?.0);
    }
    match &request.resume {
        Some(id) => Ok(rotation::find(tx, cx, &RotationRef::Id(id.clone()), None)?.0),
        None => lookup::key(tx, &cx.workspace, &request.key, request.environment),
    }
}

/// Stages a new secret, or mints again for a rotation that was interrupted. `alone` says that no other process of
/// this machine works on the key: then a lease that one of them left behind is void.
///
/// # Errors
/// `NotFound`; `Conflict` for an expired key without `renew`, while an overlap or a parked rotation runs, and when too
/// much is in doubt; `Busy` while another process holds the lease; `Forbidden` by the plan.
pub fn stage(
    tx: &mut Tx<'_>,
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    cx: &Context,
    request: &Stage,
    alone: bool,
) -> Result<Done<Staged>> {
    let key = find(tx, cx, request)?;
    cx.authority.may_grant(&tx.catalogue(&key.workspace)?, &key.scopes)?;
    entitlement::require(&entitlement::plan_of(tx, &key.workspace)?, Feature::ApiAccess)?;
    let repeated = match repetition::of(tx, cx, &key, request)? {
        Repetition::Over(note) => return nothing(tx, cx, &key, Some(note)),
        Repetition::Running => true,
        Repetition::None => false,
    };
    holder::may_rotate(cx, &key)?;
    may_decide(tx, cx, &key, request.renew, request.reinstate)?;
    if request.resume.is_some() && key.running().is_none() {
        return Err(refused(Illegal::NoRotation, &key));
    }
    if key.running().is_none() && !is_due(&key, request.due_within, cx.now) {
        return nothing(tx, cx, &key, None);
    }
    let named = repeated || request.resume.is_some();
    let goes_on = key.running().filter(|run| !request.supersede && (named || may_go_on(run, request)));
    let resumed = goes_on.is_some();
    // Who shows the new secret has it, whoever was to hand it over.
    let shown = key.running().is_some_and(|run| cx.authority.has_shown(&run.secret));
    if !shown && !is_ones_turn(&key, cx, request, alone) {
        return Err(busy(&key));
    }
    if let Some(run) = goes_on
        && has_arrived(tx, &key, run, request, shown)?
    {
        let lookup = run.secret.clone();
        return arrived(tx, cx, key, lookup, request);
    }
    let can_be_asked = request.lease.is_none() && goes_on.is_some_and(|run| can_be_asked(run, request));
    if let Some(run) = goes_on {
        holder::refuse_third(cx, run, !can_be_asked)?;
    }
    if can_be_asked {
        return claimed(tx, rng, cx, key);
    }
    minted(tx, caps, rng, cx, key, request, resumed)
}

/// Refuses what whoever may only rotate does not decide: that a revoked key comes back, and when a key ends. A rotation that
/// somebody else began for that is not finished by such a caller either.
///
/// # Errors
/// `Forbidden` by the role; `Conflict` for what needs another word than a rotation; `Usage` without a reason.
pub(super) fn may_decide(tx: &View<'_>, cx: &Context, key: &Key, renew: bool, reinstate: bool) -> Result<()> {
    let run = key.running();
    if reinstate || key.revoked_at.is_some() {
        cx.authority.may(Permission::ReinstateKeys)?;
    }
    // Where the policy renews the key at every rotation, whoever may set that has decided.
    let by_policy = || Ok::<_, Error>(policy::renews(key, &entitlement::workspace(tx, &key.workspace)?.policy));
    let renewing = run.is_some_and(|run| run.renew);
    if renew || key.ends_at().is_some_and(|at| at <= cx.now) || (renewing && !by_policy()?) {
        cx.authority.may(Permission::RenewKeys)?;
    }
    match key.revoked_at {
        None if reinstate => return Err(refused(Illegal::NotRevoked, key)),
        Some(since) if !reinstate && !run.is_some_and(|run| run.reinstate) => {
            return Err(refused(Illegal::Revoked { since }, key));
        }
        _ => {}
    }
    if reinstate && cx.reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
        return Err(Error::usage("a revoked key comes back with a reason alone")
            .cause("somebody cut it off, and the trail is to say why it works again")
            .hint("add --reason TEXT"));
    }
    if reinstate {
        let workspace = entitlement::workspace(tx, &key.workspace)?;
        policy::demanded_of_call(&workspace.policy, cx, "the reinstatement of a key")?;
    }
    Ok(())
}

/// Whether a request that names no rotation goes on with the one that runs. What is parked waits for somebody's decision; and
/// where every older secret is to stop, a delivery to other sinks is no obstacle, but one of those.
fn may_go_on(run: &Rotation, request: &Stage) -> bool {
    let elsewhere = run.may_hold().iter().any(|held| !request.sinks.iter().any(|sink| sink == held));
    let passed_over = elsewhere && request.supersedes();
    !run.parked && !passed_over
}

/// Whether the caller may work on the rotation that runs: nobody else has its turn, or its turn is the caller's.
fn is_ones_turn(key: &Key, cx: &Context, request: &Stage, alone: bool) -> bool {
    let Some(run) = key.running() else { return alone };
    // Whoever parked a secret that has arrived works on it no more.
    let waits = run.parked && run.phase == Phase::Delivered;
    let lease = &run.lease;
    let ended = lease.until <= cx.now || (alone && !lease.remote);
    waits || ended || [&request.lease, &cx.client].into_iter().flatten().any(|id| *id == lease.id)
}

/// Whether the secret of an interrupted rotation is where the caller wants it, so that only the commit is missing.
fn has_arrived(tx: &View<'_>, key: &Key, run: &Rotation, request: &Stage, shown: bool) -> Result<bool> {
    let known = |sink: &String| run.deliveries.iter().any(|delivery| delivery.sink == *sink);
    let asked = request.probe && !run.parked;
    Ok(!asked
        && request.sinks.iter().all(known)
        && (shown || run.phase == Phase::Delivered || rotation::was_used(tx, key, run)?))
}

/// Goes on with a rotation whose secret has arrived.
fn arrived(tx: &mut Tx<'_>, cx: &Context, mut key: Key, lookup: Lookup, request: &Stage) -> Result<Done<Staged>> {
    let mut events = Vec::new();
    let amended = key.amend_rotation(request.overlap, request.park, request.renew);
    if amended.map_err(|illegal| refused(illegal, &key))? {
        tx.put_key(&key)?;
        key.version += 1;
        let run = key.running();
        let changes = json!({
            "rotation": run.map(|run| run.id.as_str()), "overlap": run.map(|run| run.overlap), "parked": run.map(|run| run.parked),
        });
        events.push(cx.event(Action::KeyStage, key.id.to_string(), changes));
    }
    let mut done = nothing(tx, cx, &key, None)?;
    if !key.running().is_some_and(|run| run.parked) {
        done.outcome.old_valid_until = projected(&key, cx.now)?.1;
    }
    (done.outcome.ready, done.outcome.resumed, done.outcome.lookup) = (true, true, Some(lookup));
    done.events = events;
    Ok(done)
}

/// Mints a secret for a new rotation, or once more for one that goes on.
fn minted(
    tx: &mut Tx<'_>,
    caps: &Capabilities,
    rng: &mut impl CryptoRng,
    cx: &Context,
    mut key: Key,
    request: &Stage,
    resumed: bool,
) -> Result<Done<Staged>> {
    let lease = cx.lease(rng);
    let (token, secret) = mint(&tx.meta().brand.clone(), caps, rng, key.environment, SecretState::Staged, cx.now)?;
    let lookup = secret.lookup.clone();
    let step = if resumed {
        key.restage(secret, &request.sinks, lease, cx.now)
            .and_then(|()| key.amend_rotation(request.overlap, request.park, request.renew).map(drop))
    } else {
        let begin = begin(tx, rng, cx, &key, request, lease)?;
        key.stage(secret, begin, cx.now, request.supersedes())
    };
    step.map_err(|illegal| refused(illegal, &key))?;
    if request.intend {
        for sink in &request.sinks {
            key.intend(sink, cx.now).map_err(|illegal| refused(illegal, &key))?;
        }
    }
    tx.put_key(&key)?;
    key.version += 1;
    if let Some(idempotency_key) = &request.idempotency_key {
        tx.remember_idempotency(
            &repetition::named(&key.workspace, idempotency_key),
            &key.id,
            &repetition::digest_of(&key, request)?,
        )?;
    }
    let events = vec![cx.event(Action::KeyStage, key.id.to_string(), staging_facts(&key, resumed, request.intend))];
    let parked = key.running().is_some_and(|run| run.parked);
    let (shown, old_valid_until) = if parked { (key.clone(), None) } else { projected(&key, cx.now)? };
    let outcome = Staged {
        old_valid_until,
        rotation: RotationView::of(&key, cx.now),
        secret: (!cx.dry_run).then_some(token),
        lookup: Some(lookup),
        ready: false,
        lease: None,
        resumed,
        note: None,
        key: KeyView::new(&shown, &tx.usage(&key.id)?, cx.now),
    };
    Ok(Done { outcome, events })
}

fn nothing(tx: &View<'_>, cx: &Context, key: &Key, note: Option<String>) -> Result<Done<Staged>> {
    Ok(Done::unchanged(Staged {
        key: KeyView::new(key, &tx.usage(&key.id)?, cx.now),
        old_valid_until: None,
        rotation: RotationView::of(key, cx.now),
        secret: None,
        lookup: None,
        ready: false,
        lease: None,
        resumed: false,
        note,
    }))
}

fn can_be_asked(run: &Rotation, request: &Stage) -> bool {
    let mut in_doubt = run.deliveries.iter().filter(|delivery| delivery.state == DeliveryState::Intended);
    in_doubt.any(|delivery| request.ask_back.contains(&delivery.sink))
}

/// Takes the turn: nobody else goes on with the rotation while its sinks are asked.
fn claimed(tx: &mut Tx<'_>, rng: &mut impl CryptoRng, cx: &Context, mut key: Key) -> Result<Done<Staged>> {
    let lease = cx.lease(rng);
    let id = lease.id.clone();
    key.claim(lease).map_err(|illegal| refused(illegal, &key))?;
    tx.put_key(&key)?;
    let changes = json!({ "rotation": key.run.as_ref().map(|run| run.id.as_str()), "claimed": true });
    let mut done = nothing(tx, cx, &key, None)?;
    (done.outcome.lease, done.outcome.resumed) = (Some(id), true);
    done.events.push(cx.event(Action::KeyStage, key.id.to_string(), changes));
    Ok(done)
}

fn is_due(key: &Key, within: Option<TimeDelta>, now: Time) -> bool {
    within.is_none_or(|within| key.rotation.due_at.is_some_and(|due| due - now <= within))
}

fn busy(key: &Key) -> Error {
    let error = Error::new(Kind::Busy, "lease", format!("another process is rotating {}", key.name));
    let error = match key.running() {
        Some(run) => error.cause(format!("{} has the lease until {}", run.actor, format_time(run.lease.until))),
        None => error,
    };
    error.hint("try again later; nothing is lost")
}

/// The key as the commit will leave it, so that it can be shown together with its secret.
pub(super) fn projected(key: &Key, now: Time) -> Result<(Key, Option<Time>)> {
    let mut after = key.clone();
    let committed = after.commit_rotation(now, true).map_err(|illegal| refused(illegal, key))?;
    Ok((after, committed.old_until))
}

fn begin(
    tx: &View<'_>,
    rng: &mut impl CryptoRng,
    cx: &Context,
    key: &Key,
    request: &Stage,
    lease: Lease,
) -> Result<Begin> {
    let workspace = entitlement::workspace(tx, &key.workspace)?;
    let policy = &workspace.policy;
    let too_long = key.lifetime.zip(policy.max_lifetime).is_some_and(|(lifetime, longest)| lifetime > longest);
    if request.renew && too_long {
        return Err(Error::forbidden("max_lifetime", "the key's lifetime is longer than its workspace allows today")
            .hint("create a new key, and delete this one"));
    }
    let own = key.rotation.overlap.or(policy.overlap).unwrap_or(DEFAULT_OVERLAP);
    Ok(Begin {
        id: RotationId::generate(rng),
        actor: cx.actor.clone(),
        sinks: request.sinks.clone(),
        lease,
        overlap: request.overlap.unwrap_or(Overlap::For(own)),
        // Only an administrator's word moves the end of a key, and the holder of it has none.
        renew: request.renew
            || (!matches!(cx.authority, Authority::Holder(_))
                && policy::renews(key, policy)
                && !too_long
                && key.ends_at().is_none_or(|at| at > cx.now)),
        reinstate: request.reinstate,
        parked: request.park,
        for_due: request.due_within.is_some(),
        idempotency_key: request.idempotency_key.clone(),
        asked: if request.supersedes() { request.ask_back.clone() } else { Vec::new() },
        held: request.held.clone(),
    })
}

fn staging_facts(key: &Key, again: bool, intended: bool) -> serde_json::Value {
    let run = key.running();
    json!({
        "rotation": run.map(|run| run.id.as_str()),
        "lookup": run.map(|run| run.secret.as_str()),
        "sinks": run.map(|run| run.deliveries.iter().map(|delivery| delivery.sink.as_str()).collect::<Vec<_>>()),
        "again": again,
        "intended": intended,
        "in_doubt": run.and_then(|run| run.in_doubt.as_ref()).map(|lookup| lookup.as_str()),
    })
}
