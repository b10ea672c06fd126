//! What is asked of the delivery of one key: its sinks, its probe, its overlap.

use super::options::DeliverArgs;
use crate::{
    backend::Dirs,
    cli::{context::Ctx, written::refuse_own},
    deliver::{DeliverMap, Fault, KeyFacts, Options, Retry, Sink, SinkError, SinkSpec, command_for},
    ops::{Error, KeyView, Kind, Result},
};
use chrono::TimeDelta;
use std::time::Duration;

/// How often a probe is tried, unless told.
const PROBE_TRIES: u8 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// What the caller asked for, for whichever key.
pub(in crate::cli) struct Targets {
    pub(super) args: DeliverArgs,
    map: Option<DeliverMap>,
    pub(super) retry: Retry,
    pub(in crate::cli) options: Options,
    /// Keyward's own files are no sinks.
    dirs: Dirs,
}

/// What the caller asked for, for one key.
pub(in crate::cli) struct Target {
    /// The sinks, at least one.
    pub(in crate::cli) sinks: Vec<Sink>,
    /// What is asked whether the new secret works.
    pub(in crate::cli) probe: Option<String>,
    /// How long the old secret goes on working.
    pub(in crate::cli) overlap: Option<TimeDelta>,
}

impl Targets {
    /// Reads what was asked for.
    ///
    /// # Errors
    /// `Usage` for a map that cannot be read, `Forbidden` for one that others could change.
    pub(in crate::cli) fn of(cx: &Ctx, args: &DeliverArgs) -> Result<Self> {
        let map = args.deliver_map.as_deref().map(DeliverMap::load).transpose().map_err(|error| refused(&error))?;
        let options = Options {
            exec_env: args.exec_env.clone(),
            path: cx.env.path("PATH").map(Into::into),
            github_env: cx.env.path("GITHUB_ENV"),
            github_output: cx.env.path("GITHUB_OUTPUT"),
            ..Options::default()
        };
        let dirs = cx.dirs()?;
        let summary = cx.env.path("GITHUB_STEP_SUMMARY");
        for file in [&options.github_env, &options.github_output, &summary].into_iter().flatten() {
            refuse_own(&dirs, file)?;
        }
        let retry = Retry { tries: usize::from(args.probe_tries.unwrap_or(PROBE_TRIES)), backoff: FIRST_WAIT };
        Ok(Self { args: args.clone(), map, retry, options, dirs })
    }

    /// The target of a key; `None` when no rule of the map matches it.
    ///
    /// # Errors
    /// When a sink does not fit the key.
    pub(in crate::cli) fn for_key(&self, key: &KeyView) -> Result<Option<Target>> {
        self.for_key_with(key, &[])
    }

    /// As [`Targets::for_key`]; a key's own sinks go before everybody's. `None` also when nothing names a sink.
    ///
    /// # Errors
    /// When a sink does not fit the key.
    pub(in crate::cli) fn for_key_with(&self, key: &KeyView, own: &[SinkSpec]) -> Result<Option<Target>> {
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
            Some(Some(rule)) => (&rule.deliver[..], rule.probe.as_ref().or(self.args.probe.as_ref()), rule.overlap),
            None if own.is_empty() => (&self.args.deliver[..], self.args.probe.as_ref(), None),
            None => (own, self.args.probe.as_ref(), None),
        };
        if specs.is_empty() {
            return Ok(None);
        }
        let sinks = specs.iter().map(|spec| spec.resolve(&facts, &self.options)).collect::<Result<Vec<_>, _>>();
        for file in sinks.iter().flatten().filter_map(|sink| sink.place().file()) {
            refuse_own(&self.dirs, file)?;
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
    pub(in crate::cli) fn preflight(&self, cx: &mut Ctx) -> Result<()> {
        for sink in &self.sinks {
            sink.preflight().map_err(|error| refused(&error).cause("nothing was minted"))?;
            if let Some(remark) = sink.remark() {
                cx.out.warn(&remark);
            }
        }
        Ok(())
    }

    /// The names that receipts give the sinks.
    pub(in crate::cli) fn names(&self) -> Vec<String> {
        self.sinks.iter().map(|sink| sink.name().to_owned()).collect()
    }
}

/// A delivery's fault as an error of the command, while nothing is minted.
pub(in crate::cli) fn refused(error: &SinkError) -> Error {
    let (kind, reason) = match error.fault {
        Fault::Usage => (Kind::Usage, "sink"),
        Fault::Forbidden => (Kind::Forbidden, "sink"),
        Fault::Failed => (Kind::Failure, "sink"),
        Fault::Unavailable => (Kind::Unavailable, "sink"),
        Fault::Interrupted => (Kind::Unavailable, "interrupted"),
    };
    let mut refused = Error::new(kind, reason, error.what.clone());
    refused.causes.extend(error.cause.clone());
    refused.hints.extend(error.hint.clone());
    refused
}
