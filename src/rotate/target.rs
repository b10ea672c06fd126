//! What is asked of the delivery of one key: its sinks, its probe, its overlap.

use super::{Observer, failure::refused};
use crate::{
    backend::Dirs,
    deliver::{DeliverMap, KeyFacts, Options, Retry, Sink, SinkSpec, command_for},
    domain::Overlap,
    ops::{KeyView, Result, Stage},
};
use chrono::TimeDelta;

/// Where fresh secrets go, for whichever key.
pub struct Targets {
    /// The sinks of every key that has none of its own.
    pub sinks: Vec<SinkSpec>,
    /// The sinks, the probe and the overlap of each key, instead.
    pub map: Option<DeliverMap>,
    /// What is asked whether a new secret works, unless the map says it.
    pub probe: Option<String>,
    /// How often.
    pub retry: Retry,
    /// What the sinks have in common.
    pub options: Options,
    /// The files of the vault, which are no sinks.
    pub own: Dirs,
}

/// Where the fresh secret of one key goes.
pub struct Target {
    /// The sinks, at least one.
    pub sinks: Vec<Sink>,
    /// What is asked whether the new secret works.
    pub probe: Option<String>,
    /// How long the old secret goes on working.
    pub overlap: Option<TimeDelta>,
}

impl Targets {
    /// The target of a key; `None` when no rule of the map matches it.
    ///
    /// # Errors
    /// When a sink does not fit the key.
    pub fn for_key(&self, key: &KeyView) -> Result<Option<Target>> {
        self.for_key_with(key, &[])
    }

    /// As [`Targets::for_key`]; a key's own sinks go before everybody's. `None` also when nothing names a sink.
    ///
    /// # Errors
    /// When a sink does not fit the key.
    pub fn for_key_with(&self, key: &KeyView, own: &[SinkSpec]) -> Result<Option<Target>> {
        let facts = KeyFacts {
            id: &key.id,
            name: &key.name,
            env: &key.environment,
            workspace: &key.workspace,
            owner: key.owner.as_deref(),
            labels: &key.labels,
            project: key.project.as_deref(),
        };
        let rule = self.map.as_ref().filter(|_| own.is_empty()).map(|map| map.rule_for(&facts));
        let (specs, probe, overlap) = match rule {
            Some(None) => return Ok(None),
            Some(Some(rule)) => (&rule.deliver[..], rule.probe.as_ref().or(self.probe.as_ref()), rule.overlap),
            None if own.is_empty() => (&self.sinks[..], self.probe.as_ref(), None),
            None => (own, self.probe.as_ref(), None),
        };
        if specs.is_empty() {
            return Ok(None);
        }
        let sinks = specs.iter().map(|spec| spec.resolve(&facts, &self.options)).collect::<Result<Vec<_>, _>>();
        for file in sinks.iter().flatten().filter_map(|sink| sink.place().file()) {
            self.own.refuse_own(file)?;
        }
        let probe = probe.map(|command| command_for(command, &facts)).transpose();
        Ok(Some(Target {
            sinks: sinks.map_err(|error| refused(&error))?,
            probe: probe.map_err(|error| refused(&error))?,
            overlap,
        }))
    }
}

impl Target {
    /// Proves every sink, before anything is minted.
    ///
    /// # Errors
    /// What the first sink lacks.
    pub fn preflight(&self, observer: &mut dyn Observer) -> Result<()> {
        for sink in &self.sinks {
            sink.preflight().map_err(|error| refused(&error).cause("nothing was minted"))?;
            if let Some(remark) = sink.remark() {
                observer.remarked(&remark);
            }
        }
        Ok(())
    }

    /// A request with the overlap of this target, where it says none of its own.
    #[must_use]
    pub fn request(&self, stage: Stage) -> Stage {
        Stage { overlap: stage.overlap.or(self.overlap.map(Overlap::For)), ..stage }
    }

    /// The names that receipts give the sinks.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.sinks.iter().map(|sink| sink.name().to_owned()).collect()
    }
}
