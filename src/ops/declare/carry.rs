//! Declarations that are carried from one keystore to another: what of them is new, what is in the way, and what both sides
//! agreed on the last time. A pure function; a key is known by its id.

use super::{Declared, Plan, PlanStep, Verb};
use crate::{
    domain::{KeyId, text::same},
    ops::{Change, KeyView},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What both sides declared of each key when something was last carried between them, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed(BTreeMap<String, Declared>);

/// Whose declaration holds where both sides have changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefer {
    /// That of the side that it comes from.
    Source,
    /// That of the side that it goes to.
    Target,
}

/// What is to be carried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// The declarations to be carried, those in conflict among them.
    pub keys: Vec<Declared>,
    /// Why a key cannot be carried before somebody decides, by its id.
    pub conflicts: HashMap<String, String>,
    /// How many are the same on both sides.
    pub unchanged: usize,
    /// The names of keys that only the side that it goes to has changed: what it has stays.
    pub left: Vec<String>,
    /// The names of keys that are revoked there: they stay so.
    pub dead: Vec<String>,
    /// The keys to be revoked there, as they are where they come from.
    pub revoke: Vec<KeyId>,
    /// The keys that are revoked where they come from and work there, before somebody decides.
    pub ended: Vec<PlanStep>,
}

impl Agreed {
    /// What both sides declare by now; of what they do not agree on, what they last agreed on.
    #[must_use]
    pub fn after(mut self, source: &[Declared], target: &[Declared]) -> Self {
        let there = by_id(target);
        for one in source {
            let Some(id) = id_of(one) else { continue };
            let settled = settled(one);
            if there.get(id).is_some_and(|other| self::settled(other) == settled) {
                self.0.insert(id.to_owned(), settled);
            }
        }
        self
    }
}

/// Between what, and by whose word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carrying {
    /// What both sides last agreed on.
    pub agreed: Agreed,
    /// Whose word counts where both sides have changed a key.
    pub prefer: Option<Prefer>,
    /// The keys that are revoked on the side that it comes from.
    pub revoked: Vec<KeyView>,
    /// The ids of those that are revoked on the side that it goes to.
    pub revoked_there: HashSet<String>,
    /// Where the side is that it comes from, and the one that it goes to, in words such as `here`.
    pub sides: [&'static str; 2],
}

/// Compares what a source declares with what the target does, and both with what they agreed on.
#[must_use]
pub fn carry(source: Vec<Declared>, target: &[Declared], carrying: &Carrying) -> Carried {
    let Carrying { agreed, prefer, revoked_there, sides: [from, to], .. } = carrying;
    let there = by_id(target);
    let named: HashMap<_, _> = target.iter().map(|one| ((one.key.environment, one.key.name.as_str()), one)).collect();
    let mut carried = Carried::default();
    for one in source {
        let Some(id) = id_of(&one).map(str::to_owned) else { continue };
        if revoked_there.contains(&id) {
            carried.dead.push(one.key.name);
            continue;
        }
        let (ours, base) = (settled(&one), agreed.0.get(&id));
        let holder = named.get(&(one.key.environment, one.key.name.as_str())).and_then(|held| id_of(held));
        let taken = holder.filter(|holder| *holder != id).map(|holder| {
            let (name, env) = (shell_words::quote(&one.key.name), one.key.environment);
            format!(
                "the name is that of {holder} {to}: rename one of them: keyward update {name} --env {env} --name NEW"
            )
        });
        let why = match (there.get(id.as_str()).map(|other| settled(other)), base) {
            (Some(theirs), _) if theirs == ours => {
                carried.unchanged += 1;
                continue;
            }
            (_, Some(base)) if *base == ours => {
                carried.left.push(one.key.name.clone());
                continue;
            }
            (Some(theirs), Some(base)) if theirs == *base => None,
            (Some(_), Some(_)) => Some("both sides have changed it since they agreed".to_owned()),
            (Some(_), None) => Some("the sides differ, and nothing was carried between them before".to_owned()),
            (None, Some(_)) => Some(format!("it was changed {from}, and deleted {to}")),
            (None, None) => None,
        };
        match (taken, why, prefer) {
            (Some(_), _, Some(Prefer::Target)) | (None, Some(_), Some(Prefer::Target)) => {
                carried.left.push(one.key.name.clone());
                continue;
            }
            (Some(taken), ..) => drop(carried.conflicts.insert(id, taken)),
            (None, Some(why), None) => drop(carried.conflicts.insert(id, why)),
            (None, ..) => {}
        }
        carried.keys.push(one);
    }
    carried.end(&there, carrying);
    carried
}

impl Carried {
    /// What is revoked where it comes from and works where it goes to is cut off there only by somebody's word; the other way
    /// round nothing ever comes back to life.
    fn end(&mut self, there: &HashMap<&str, &Declared>, carrying: &Carrying) {
        let [from, to] = carrying.sides;
        for key in carrying.revoked.iter().filter(|key| there.contains_key(&*key.id)) {
            match carrying.prefer {
                Some(Prefer::Target) => self.left.push(key.name.clone()),
                Some(Prefer::Source) => self.revoke.extend(key.id.parse::<KeyId>()),
                None => self.ended.push(PlanStep {
                    action: Verb::Conflict,
                    key_id: Some(key.id.clone()),
                    name: key.name.clone(),
                    environment: key.environment.clone(),
                    changes: Vec::new(),
                    why: Some(format!("revoked {from}, alive {to}")),
                }),
            }
        }
    }

    /// Whether somebody has to decide before anything is carried.
    #[must_use]
    pub fn is_in_conflict(&self) -> bool {
        !self.conflicts.is_empty() || !self.ended.is_empty()
    }

    /// The plan with the keys in conflict shown as such, each once.
    pub fn mark(&self, plan: &mut Plan) {
        let mut marked: Vec<PlanStep> = Vec::new();
        for mut step in std::mem::take(&mut plan.steps) {
            let meant = |one: &&Declared| {
                step.key_id.as_deref().map_or_else(
                    || same(&one.key.name, &step.name) && one.key.environment.as_str() == step.environment,
                    |id| id_of(one) == Some(id),
                )
            };
            let why = self.keys.iter().find(meant).and_then(id_of).and_then(|id| self.conflicts.get(id));
            let Some(why) = why else {
                marked.push(step);
                continue;
            };
            let switched = match step.action {
                Verb::Activate => Some(true),
                Verb::Deactivate => Some(false),
                _ => None,
            };
            step.changes.extend(switched.map(|on| Change { field: "active".into(), from: json!(!on), to: json!(on) }));
            (step.action, step.why) = (Verb::Conflict, Some(why.clone()));
            let is_it = |one: &&mut PlanStep| one.action == Verb::Conflict && one.key_id == step.key_id;
            match marked.iter_mut().find(is_it).filter(|_| step.key_id.is_some()) {
                Some(before) => before.changes.append(&mut step.changes),
                None => marked.push(step),
            }
        }
        marked.extend(self.ended.iter().cloned());
        plan.steps = marked;
    }
}

fn by_id(keys: &[Declared]) -> HashMap<&str, &Declared> {
    keys.iter().filter_map(|one| id_of(one).map(|id| (id, one))).collect()
}

fn id_of(one: &Declared) -> Option<&str> {
    one.key.id.as_ref().map(crate::domain::KeyId::as_str)
}

/// A declaration in the one form in which two are compared: the order of scopes and customers is no difference, nor is
/// whether a workspace would rotate what is not rotated.
fn settled(one: &Declared) -> Declared {
    let mut settled = one.clone();
    let key = &mut settled.key;
    key.scopes.sort();
    key.customers.sort();
    key.rotate_every = Some(key.rotate_every.flatten());
    key.sinks.clear();
    settled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Create;

    fn declared(number: u8, name: &str, owner: Option<&str>) -> Declared {
        let key = Create {
            id: Some(format!("key_{number:016}").parse().unwrap()),
            owner: owner.map(str::to_owned),
            ..Create::named(name)
        };
        Declared { key, active: true }
    }

    /// What is carried of one key: `carry`, `same`, `left` or `conflict`.
    fn verdict(
        source: &Declared,
        target: Option<&Declared>,
        base: Option<&Declared>,
        prefer: Option<Prefer>,
    ) -> &'static str {
        let agreed = base.map_or_else(Agreed::default, |base| {
            Agreed::default().after(std::slice::from_ref(base), std::slice::from_ref(base))
        });
        let target: Vec<Declared> = target.into_iter().cloned().collect();
        let carrying = Carrying { agreed, prefer, sides: ["here", "there"], ..Carrying::default() };
        let carried = carry(vec![source.clone()], &target, &carrying);
        match (carried.unchanged, carried.left.len(), carried.conflicts.len(), carried.keys.len()) {
            (1, 0, 0, 0) => "same",
            (0, 1, 0, 0) => "left",
            (0, 0, 1, 1) => "conflict",
            (0, 0, 0, 1) => "carry",
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_one_side_changed_is_carried_or_left_and_what_both_changed_is_a_conflict() {
        let [a, b, c] = ["a", "b", "c"].map(|owner| declared(1, "k", Some(owner)));
        let told = |source, target, base| {
            [None, Some(Prefer::Source), Some(Prefer::Target)].map(|prefer| verdict(source, target, base, prefer))
        };
        assert_eq!(told(&a, None, None), ["carry"; 3], "it is new");
        assert_eq!(told(&a, Some(&a), Some(&b)), ["same"; 3]);
        assert_eq!(told(&a, Some(&b), Some(&b)), ["carry"; 3], "changed here");
        assert_eq!(told(&a, Some(&b), Some(&a)), ["left"; 3], "changed there");
        assert_eq!(told(&a, Some(&b), Some(&c)), ["conflict", "carry", "left"]);
        assert_eq!(told(&a, Some(&b), None), ["conflict", "carry", "left"], "nobody knows who changed it");
        assert_eq!(told(&a, None, Some(&a)), ["left"; 3], "deleted there, untouched here");
        assert_eq!(told(&a, None, Some(&b)), ["conflict", "carry", "left"], "deleted there, changed here");
        let other = declared(2, "k", None);
        assert_eq!(told(&a, Some(&other), None), ["conflict", "conflict", "left"], "the name is taken");
    }

    #[test]
    fn a_revocation_goes_one_way_and_by_somebodys_word() {
        let (alive, sides) = (declared(1, "k", None), ["here", "there"]);
        let id = alive.key.id.clone().unwrap();
        let key = KeyView { id: id.to_string(), name: "k".to_owned(), ..KeyView::default() };
        let told = |prefer| {
            let carrying = Carrying { prefer, revoked: vec![key.clone()], sides, ..Carrying::default() };
            carry(Vec::new(), std::slice::from_ref(&alive), &carrying)
        };
        assert_eq!(told(None).ended[0].why.as_deref(), Some("revoked here, alive there"));
        assert!(told(None).is_in_conflict() && told(None).revoke.is_empty());
        assert_eq!(told(Some(Prefer::Source)).revoke, std::slice::from_ref(&id));
        assert_eq!(
            (told(Some(Prefer::Target)).left, told(Some(Prefer::Target)).revoke),
            (vec!["k".to_owned()], vec![])
        );
        // Alive here, and revoked there: nothing brings it back, whoever's word counts.
        for prefer in [None, Some(Prefer::Source), Some(Prefer::Target)] {
            let revoked_there = HashSet::from([id.to_string()]);
            let carrying = Carrying { prefer, revoked_there, sides, ..Carrying::default() };
            let carried = carry(vec![alive.clone()], &[], &carrying);
            assert_eq!((carried.keys, carried.dead), (vec![], vec!["k".to_owned()]));
        }
    }
}
