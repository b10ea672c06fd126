//! Declarations that are carried from one keystore to another: what of them is new, what is in the way, and what both sides
//! agreed on the last time. A pure function; a key is known by its id.

use super::{Declared, Plan, Verb};
use crate::domain::text::same;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

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

/// Compares what a source declares with what the target does, and both with what they agreed on.
#[must_use]
pub fn carry(source: Vec<Declared>, target: &[Declared], agreed: &Agreed, prefer: Option<Prefer>) -> Carried {
    let there = by_id(target);
    let named: HashMap<_, _> = target.iter().map(|one| ((one.key.environment, one.key.name.as_str()), one)).collect();
    let mut carried = Carried::default();
    for one in source {
        let Some(id) = id_of(&one).map(str::to_owned) else { continue };
        let (ours, base) = (settled(&one), agreed.0.get(&id));
        let holder = named.get(&(one.key.environment, one.key.name.as_str())).and_then(|held| id_of(held));
        let taken = holder.filter(|holder| *holder != id).map(|holder| {
            let (name, env) = (shell_words::quote(&one.key.name), one.key.environment);
            format!("the name is that of {holder} where it would go: rename one of them: keyward update {name} --env {env} --name NEW")
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
            (Some(_), Some(_)) => Some("both sides have changed it since they agreed"),
            (Some(_), None) => Some("the sides differ, and nothing was carried between them before"),
            (None, Some(_)) => Some("it was changed here, and is no more on the other side"),
            (None, None) => None,
        };
        match (taken, why, prefer) {
            (Some(_), _, Some(Prefer::Target)) | (None, Some(_), Some(Prefer::Target)) => {
                carried.left.push(one.key.name.clone());
                continue;
            }
            (Some(taken), ..) => drop(carried.conflicts.insert(id, taken)),
            (None, Some(why), None) => drop(carried.conflicts.insert(id, why.to_owned())),
            (None, ..) => {}
        }
        carried.keys.push(one);
    }
    carried
}

impl Carried {
    /// The plan with the keys in conflict shown as such.
    pub fn mark(&self, plan: &mut Plan) {
        for step in &mut plan.steps {
            let meant = |one: &&Declared| {
                step.key_id.as_deref().map_or_else(
                    || same(&one.key.name, &step.name) && one.key.environment.as_str() == step.environment,
                    |id| id_of(one) == Some(id),
                )
            };
            let why = self.keys.iter().find(meant).and_then(id_of).and_then(|id| self.conflicts.get(id));
            if let Some(why) = why {
                (step.action, step.why) = (Verb::Conflict, Some(why.clone()));
            }
        }
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
        let carried = carry(vec![source.clone()], &target, &agreed, prefer);
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
}
