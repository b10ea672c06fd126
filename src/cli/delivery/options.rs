//! The options of every command that can deliver.

use crate::{
    cli::context::Ctx,
    deliver::{DeliverMap, Options, Retry, SinkSpec},
    ops::{Error, Result},
    rotate::{Targets, refused},
};
use std::{path::PathBuf, time::Duration};

/// How often a probe is tried, unless told.
const PROBE_TRIES: u8 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Where fresh secrets go.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cli) struct DeliverArgs {
    /// Hand the secret to this sink instead of printing it; may be repeated. Sinks: file:PATH[,mode=0600],
    /// dotenv:PATH#NAME, json:PATH#/POINTER, exec:COMMAND, github-secret:OWNER/REPO[/ENV]#NAME,
    /// gitlab-variable:PROJECT#NAME, k8s-secret:NS/NAME#KEY, vault:PATH#FIELD, github-env:NAME, github-output:NAME
    #[arg(long, value_name = "SINK")]
    pub(in crate::cli) deliver: Vec<SinkSpec>,
    /// Find each key's sinks, probe and overlap in this TOML file, which nobody else may be able to change
    #[arg(long, value_name = "FILE", conflicts_with = "deliver", value_hint = clap::ValueHint::FilePath)]
    pub(in crate::cli) deliver_map: Option<PathBuf>,
    /// The variable in which the command of an exec sink also finds the secret
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) exec_env: Option<String>,
    /// Ask this command, with the secret on its standard input, whether the secret works; it says yes by ending with 0
    #[arg(long, value_name = "COMMAND")]
    pub(in crate::cli) probe: Option<String>,
    /// How often a probe is tried, waiting twice as long each time [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(in crate::cli) probe_tries: Option<u8>,
}

impl DeliverArgs {
    /// Where fresh secrets go, as it was asked for.
    ///
    /// # Errors
    /// `Usage` for a map that cannot be read, `Forbidden` for one that others could change.
    pub(in crate::cli) fn targets(&self, cx: &Ctx) -> Result<Targets> {
        let map = self.deliver_map.as_deref().map(DeliverMap::load).transpose().map_err(|error| refused(&error))?;
        let options = Options {
            exec_env: self.exec_env.clone(),
            path: cx.env.path("PATH").map(Into::into),
            github_env: cx.env.path("GITHUB_ENV"),
            github_output: cx.env.path("GITHUB_OUTPUT"),
            ..Options::default()
        };
        let own = cx.dirs()?;
        let summary = cx.env.path("GITHUB_STEP_SUMMARY");
        for file in [&options.github_env, &options.github_output, &summary].into_iter().flatten() {
            own.refuse_own(file)?;
        }
        let retry = Retry { tries: usize::from(self.probe_tries.unwrap_or(PROBE_TRIES)), backoff: FIRST_WAIT };
        Ok(Targets { sinks: self.deliver.clone(), map, probe: self.probe.clone(), retry, options, own })
    }

    /// Refuses what would be silently without effect: a probe or a variable for a sink where there is none, tries of no probe.
    ///
    /// # Errors
    /// `Usage`.
    pub(in crate::cli) fn refuse_idle(&self) -> Result<()> {
        let options = [("--probe", self.probe.is_some()), ("--exec-env", self.exec_env.is_some())];
        match options.iter().find(|(_, given)| *given && !self.is_asked()) {
            Some((option, _)) => Err(Error::usage(format!("{option} needs a delivery, and none is asked for"))
                .cause("the secret would be printed; nothing was minted")
                .hint("add --deliver SINK, or --deliver-map FILE")),
            None if self.exec_env.is_some()
                && self.deliver_map.is_none()
                && !self.deliver.iter().any(SinkSpec::is_command) =>
            {
                Err(Error::usage("--exec-env is for sinks that are commands, and none is one")
                    .hint("add --deliver exec:COMMAND"))
            }
            // The rules of a map may have probes of their own.
            None if self.probe_tries.is_some() && self.probe.is_none() && self.deliver_map.is_none() => {
                Err(Error::usage("--probe-tries needs a probe, and none is asked for").hint("add --probe COMMAND"))
            }
            None => Ok(()),
        }
    }

    /// Whether the secret goes anywhere but to standard output.
    pub(in crate::cli) fn is_asked(&self) -> bool {
        !self.deliver.is_empty() || self.deliver_map.is_some()
    }
}
