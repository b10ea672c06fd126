//! The command that goes on with a delivery, written so that a shell takes it.

use super::options::DeliverArgs;
use crate::{cli::context::Ctx, domain::RotationId};

impl DeliverArgs {
    /// The command that goes on with a rotation, to the same sinks and in the same vault or through the same server.
    pub(in crate::cli) fn resume_command(&self, cx: &Ctx, rotation: &RotationId) -> String {
        self.command(cx, &["rotation", "resume", rotation.as_str()])
    }

    /// A command with the sinks that the caller named, in the same vault.
    pub(in crate::cli) fn command(&self, cx: &Ctx, words: &[&str]) -> String {
        let (global, given) = (&cx.global, &cx.given);
        let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let options = [
            ("--vault", path(&global.vault)),
            ("--workspace", global.workspace.clone()),
            ("--key-file", path(&global.key_file)),
            ("--passphrase-file", path(&global.passphrase_file)),
            ("--reason", given.reason.clone()),
            ("--ticket", given.ticket.clone()),
        ];
        #[cfg(feature = "server")]
        let server = [
            ("--server", given.server.clone()),
            ("--profile", given.profile.clone()),
            ("--token-file", path(&given.token_file)),
            ("--ca-file", path(&given.ca_file)),
        ];
        let mut all = vec!["keyward".to_owned()];
        all.extend(words.iter().map(|word| (*word).to_owned()));
        all.extend(self.words());
        push(&mut all, options);
        #[cfg(feature = "server")]
        push(&mut all, server);
        shell_words::join(all)
    }

    fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        push(&mut words, self.deliver.iter().map(|sink| ("--deliver", Some(sink.to_string()))));
        let tries = self.probe_tries.map(|tries| tries.to_string());
        let map = self.deliver_map.as_ref().map(|path| path.display().to_string());
        push(
            &mut words,
            [
                ("--deliver-map", map),
                ("--exec-env", self.exec_env.clone()),
                ("--probe", self.probe.clone()),
                ("--probe-tries", tries),
            ],
        );
        words
    }
}

fn push(words: &mut Vec<String>, options: impl IntoIterator<Item = (&'static str, Option<String>)>) {
    for (option, value) in options {
        words.extend(value.into_iter().flat_map(|value| [option.to_owned(), value]));
    }
}
