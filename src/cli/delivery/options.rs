//! The options of every command that can deliver.

use crate::{
    deliver::SinkSpec,
    ops::{Error, Result},
};
use std::path::PathBuf;

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
