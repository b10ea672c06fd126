//! What `apply`, `push` and `pull` share: a plan is shown, agreed to and carried out, and secrets of new keys are delivered.

use crate::{
    cli::{
        context::Ctx,
        declared::{self, Beside, KeysFile},
        delivery::{DeliverArgs, Deliveries},
        exit::Exit,
        prompt,
        signals::Stop,
    },
    domain::{KeyRef, counted},
    ops::{Applied, Apply, Created, Error, KeyView, Kind, Plan, PlanStep, Result, Show, ShowRotation, Verb},
    rotate::{Target, Targets, refuse_shared},
};
use std::collections::{HashMap, HashSet};

/// A key whose secret is to be delivered, and where to.
struct Waiting {
    key: KeyView,
    target: Target,
}

/// What is to be applied, and how.
pub(super) struct Work<'a> {
    /// The declared keys.
    pub(super) file: &'a KeysFile,
    /// Where the secrets of new keys go.
    pub(super) deliver: &'a DeliverArgs,
    /// The same, ready.
    pub(super) targets: &'a Targets,
    /// What a person is asked, in a word.
    pub(super) verb: &'a str,
    /// A new key whose secret goes nowhere has none.
    pub(super) without_secrets: bool,
}

/// Shows a plan and carries it out.
///
/// # Errors
/// Whatever speaks against it, before anything is done.
pub(super) fn carry_out(cx: &mut Ctx, work: Work<'_>, mut request: Apply, plan: Plan) -> Result<u8> {
    let Work { file, deliver: args, targets, verb, without_secrets } = work;
    if plan.feasible() == 0 && !plan.is_refused() {
        declared::show(cx, &plan, |step| file.beside(step))?;
        cx.note(&declared::summary(&plan));
        return Ok(left(&plan));
    }
    // Made once in vain: what speaks against a step is known before anybody is asked, and sinks may be named after a
    // key's id.
    let preview = cx.backend()?.run(&cx.operation().rehearsal(), request.clone())?;
    let new = new_keys(&preview, file, targets, without_secrets)?;
    let resumed = interrupted(cx, &plan, file, targets)?;
    refuse_shared(new.iter().chain(&resumed).map(|waiting| (&waiting.key, &waiting.target)))?;
    for waiting in new.iter().chain(&resumed) {
        waiting.target.preflight(cx)?;
    }
    if !cx.program_reads() || cx.global.dry_run {
        declared::show(cx, &plan, |step| beside(step, &new, &resumed, None))?;
    }
    cx.note(&declared::summary(&plan));
    if cx.global.dry_run {
        return Ok(left(&plan));
    }
    prompt::confirm(cx, &format!("{verb} {}?", counted(plan.feasible(), "change")))?;
    for waiting in &new {
        if let Some(declared) = file.place(&waiting.key).and_then(|place| request.keys.get_mut(place)) {
            declared.key.id = waiting.key.id.parse().ok();
            declared.key.sinks = waiting.target.names();
            declared.key.without_secret = false;
        }
    }
    request.expected = Some(plan);
    let stop = Stop::listen()?;
    // What was tried in a rehearsal is done where the vault is to be.
    let applied = cx.backend_or_new()?.run(&cx.operation(), request)?;
    notes(cx, &applied);
    let deliveries = Deliveries { args, targets, stop: &stop, deadline: None };
    let failed = deliver(cx, &deliveries, &applied.created, &new, &resumed);
    if cx.program_reads() {
        declared::show(cx, &applied.plan, |step| beside(step, &new, &resumed, Some(&failed)))?;
    }
    let all = counted(applied.plan.feasible(), "change");
    match failed.len() {
        0 => cx.note(&format!("applied {all}")),
        undelivered => cx.note(&format!("applied {} of {all}", applied.plan.feasible().saturating_sub(undelivered))),
    }
    let bare = applied.created.iter().filter(|created| created.rotation.is_none()).map(|created| &created.key);
    for key in bare.filter(|_| without_secrets) {
        let (name, id) = (&key.name, &key.id);
        // Whoever pulls is where the key was made. Whoever pushes is not: a command that is copied here would rotate the key of
        // this side, which lives.
        cx.note(&if verb == "pull" {
            format!("{name} has no secret yet: keyward rotate {id}   (gives it one)")
        } else {
            format!("{name} has no secret yet: a rotation of {id} on the other side gives it one")
        });
    }
    let code = if failed.is_empty() { left(&applied.plan) } else { Exit::Undelivered.code() };
    Ok(stop.code().unwrap_or(code))
}

/// What is known of a step beside its plan; once it was applied, with the ids of the keys that were not delivered.
fn beside(step: &PlanStep, new: &[Waiting], resumed: &[Waiting], failed: Option<&HashSet<String>>) -> Beside {
    let is_it = |one: &&Waiting| one.key.name == step.name && one.key.environment == step.environment;
    let waiting = new.iter().chain(resumed).find(is_it).filter(|_| step.action.delivers());
    let undelivered = |failed: &HashSet<String>| waiting.is_some_and(|waiting| failed.contains(&waiting.key.id));
    Beside {
        sinks: waiting.map(|waiting| waiting.target.names()).unwrap_or_default(),
        // Before a key is made its id is not that of the key to come, unless the plan is carried out.
        key_id: waiting.filter(|_| failed.is_some()).map(|waiting| waiting.key.id.clone()),
        outcome: failed.map(|failed| match step.action {
            Verb::Blocked | Verb::Conflict => "left",
            _ if undelivered(failed) => "undelivered",
            _ => "done",
        }),
    }
}

fn left(plan: &Plan) -> u8 {
    if plan.count(Verb::Blocked) > 0 { Exit::Partial } else { Exit::Ok }.code()
}

fn new_keys(preview: &Applied, file: &KeysFile, targets: &Targets, without: bool) -> Result<Vec<Waiting>> {
    let mut found = Vec::new();
    for key in preview.created.iter().map(|created| &created.key) {
        if !without || target(key, file, targets)?.is_some() {
            found.push(waiting(key.clone(), file, targets)?);
        }
    }
    Ok(found)
}

fn target(key: &KeyView, file: &KeysFile, targets: &Targets) -> Result<Option<Target>> {
    let own = file.place(key).and_then(|place| file.sinks.get(place)).map_or(&[][..], Vec::as_slice);
    targets.for_key_with(key, own)
}

fn waiting(key: KeyView, file: &KeysFile, targets: &Targets) -> Result<Waiting> {
    match target(&key, file, targets)? {
        Some(target) => Ok(Waiting { key, target }),
        None => Err(Error::usage(format!("nothing says where the secret of {} ({}) goes", key.name, key.environment))
            .cause("nothing was minted")
            .hint("say deliver = [\"file:…\"] with the key")
            .hint("or add --deliver 'file:/run/keyward/{name}.key', or --deliver-map FILE")),
    }
}

/// The keys whose creation was interrupted.
fn interrupted(cx: &mut Ctx, plan: &Plan, file: &KeysFile, targets: &Targets) -> Result<Vec<Waiting>> {
    let steps = plan.steps.iter().filter(|step| step.action == Verb::Deliver);
    let mut found = Vec::new();
    for id in steps.filter_map(|step| step.key_id.as_ref()) {
        let key: KeyRef = id.parse().map_err(|_| Error::new(Kind::Internal, "plan", "a step names no key"))?;
        let key = cx.backend()?.ask(&cx.operation(), &Show { key, environment: None })?;
        found.push(waiting(key, file, targets)?);
    }
    Ok(found)
}

fn notes(cx: &mut Ctx, applied: &Applied) {
    let mut notes: Vec<&String> = applied.created.iter().flat_map(|created| &created.notes).collect();
    notes.dedup();
    for note in notes {
        cx.note(note);
    }
}

/// Hands every secret over; says which keys' did not arrive. Each failure is told in its place, and the rest goes on.
fn deliver(
    cx: &mut Ctx,
    deliveries: &Deliveries<'_>,
    created: &[Created],
    new: &[Waiting],
    resumed: &[Waiting],
) -> HashSet<String> {
    let mut failed = HashSet::new();
    let waiting: HashMap<&str, &Waiting> = new.iter().chain(resumed).map(|one| (one.key.id.as_str(), one)).collect();
    let fresh = created.iter().map(|created| (Some(created), &created.key.id));
    for (created, id) in fresh.chain(resumed.iter().map(|waiting| (None, &waiting.key.id))) {
        let Some(waiting) = waiting.get(id.as_str()).copied() else { continue };
        let done = match created {
            _ if deliveries.stop.code().is_some() => Err(Error::new(Kind::Undelivered, "interrupted", "interrupted")),
            Some(created) => {
                deliveries.drive(cx, |driver, cx| driver.deliver_new(&waiting.target, created, cx)).map(drop)
            }
            None => resume(cx, deliveries, waiting),
        };
        let named = format!("{} ({id})", waiting.key.name);
        match done {
            Ok(()) => cx.note(&format!("delivered {named} to {}", waiting.target.names().join(", "))),
            Err(error) => {
                failed.insert(id.clone());
                cx.error(&Error { message: format!("{named}: {}", error.message), ..error });
            }
        }
    }
    failed
}

fn resume(cx: &mut Ctx, deliveries: &Deliveries<'_>, waiting: &Waiting) -> Result<()> {
    let id = waiting.key.rotation.id.as_deref().unwrap_or_default();
    let rotation = ShowRotation::of(id.parse().map_err(|why: String| Error::new(Kind::Internal, "rotation", why))?);
    let rotation = cx.backend()?.ask(&cx.operation(), &rotation)?;
    deliveries.drive(cx, |driver, cx| driver.resume(&waiting.target, &rotation, cx)).map(drop)
}
