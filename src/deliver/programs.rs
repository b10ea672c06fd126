//! The sinks behind a program: `gh`, `glab`, `kubectl` and `vault`, each with the command line that takes the value on
//! standard input.
//!
//! What each needs beyond that (a login, a cluster, an address) it finds the way it always does, in the caller's
//! environment and files.

use super::{
    Destination, Fault, Options, Reached, Running, SinkError,
    child::{self, Ended, Job},
    command::{failed_with, not_ended},
    mask::Mask,
};
use crate::domain::PlainToken;
use base64ct::{Base64, Encoding};
use std::{ffi::OsString, path::PathBuf, process::Command, time::Duration};
use zeroize::Zeroizing;

/// A sink behind a program.
pub(super) struct Program {
    program: &'static str,
    /// The first command line, and one to try when the first failed and its output allows it.
    first: Vec<String>,
    second: Option<Second>,
    input: Input,
    path: Option<OsString>,
    limit: Duration,
}

/// Another command line, and what the output of the first must have said for it to be tried.
struct Second {
    words: Vec<String>,
    wanted: fn(&str) -> bool,
}

/// What standard input holds.
enum Input {
    /// The value and nothing else.
    Value,
    /// A manifest of a Kubernetes secret with one entry.
    Manifest { namespace: String, secret: String, key: String },
}

fn line(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

impl Program {
    fn new(program: &'static str, first: Vec<String>, input: Input, options: &Options) -> Self {
        Self { program, first, second: None, input, path: options.path.clone(), limit: options.timeout }
    }

    /// `gh secret set`, for a repository or one environment of it.
    pub(super) fn github_secret(repo: &str, environment: Option<&str>, name: &str, options: &Options) -> Self {
        let mut words = line(&["secret", "set", name, "--repo", repo]);
        if let Some(environment) = environment {
            words.extend(line(&["--env", environment]));
        }
        Self::new("gh", words, Input::Value, options)
    }

    /// `glab variable set`, which only makes new ones, and `glab variable update`, which only changes old ones.
    pub(super) fn gitlab_variable(project: &str, name: &str, protected: bool, options: &Options) -> Self {
        let words = |verb: &str| {
            let mut words = line(&["variable", verb, name, "--repo", project, "--masked"]);
            if protected {
                words.push("--protected".to_owned());
            }
            words
        };
        // Why the first failed is not told apart: what is wrong with both is said by the second.
        let second = Some(Second { words: words("update"), wanted: |_| true });
        Self { second, ..Self::new("glab", words("set"), Input::Value, options) }
    }

    /// `kubectl apply --server-side`. Every entry has a field manager of its own: a manager that applies a secret
    /// without an entry it applied before takes that entry away.
    pub(super) fn k8s_secret(namespace: &str, secret: &str, key: &str, options: &Options) -> Self {
        let manager = format!("--field-manager=keyward-{key}");
        let words = line(&["apply", "--server-side", "--force-conflicts", &manager, "-f", "-"]);
        let input = Input::Manifest { namespace: namespace.to_owned(), secret: secret.to_owned(), key: key.to_owned() };
        Self::new("kubectl", words, input, options)
    }

    /// `vault kv patch`, which keeps the other fields; where there is no secret yet, `vault kv put -cas=0`, which
    /// makes one and never replaces one.
    pub(super) fn vault(path: &str, field: &str, options: &Options) -> Self {
        let value = format!("{field}=-");
        let second = Some(Second {
            words: line(&["kv", "put", "-cas=0", path, &value]),
            wanted: |shown| shown.contains("Code: 404") || shown.contains("No value found"),
        });
        Self { second, ..Self::new("vault", line(&["kv", "patch", path, &value]), Input::Value, options) }
    }

    fn find(&self) -> Result<PathBuf, SinkError> {
        which::which_in(self.program, self.path.as_ref(), "/").map_err(|_| {
            SinkError::failed(format!("there is no program {}", self.program))
                .cause("it is not on PATH, or cannot be executed")
                .hint(format!("install {}", self.program))
        })
    }

    fn run(&self, words: &[String], input: &[u8], mask: &Mask, run: &Running<'_>) -> Result<Ended, SinkError> {
        let mut command = Command::new(self.find()?);
        command.args(words);
        let job = Job {
            command,
            program: self.program,
            input,
            mask: Some(mask),
            path: self.path.as_deref(),
            limit: self.limit,
        };
        child::run(job, run).map_err(|failed| not_ended(self.program, failed, |unread| taken(unread, input)))
    }
}

/// A program that read any of its input may have passed it on.
fn taken(unread: usize, input: &[u8]) -> Reached {
    if unread == input.len() { Reached::No } else { Reached::Maybe }
}

impl Destination for Program {
    fn preflight(&self) -> Result<(), SinkError> {
        self.find().map(drop)
    }

    fn deliver(&self, token: &PlainToken, run: &Running<'_>) -> Result<String, SinkError> {
        let input = self.input.text(token);
        let mask = Mask::of(token);
        let mut ended = self.run(&self.first, input.as_bytes(), &mask, run)?;
        let mut reached = taken(ended.unread, input.as_bytes());
        let mut words = &self.first;
        if let Some(second) = &self.second
            && !ended.status.success()
            && (second.wanted)(&ended.shown)
        {
            ended = self.run(&second.words, input.as_bytes(), &mask, run).map_err(|error| worst(error, reached))?;
            words = &second.words;
            if taken(ended.unread, input.as_bytes()) == Reached::Maybe {
                reached = Reached::Maybe;
            }
        }
        if !ended.status.success() {
            // Why it failed is told in its own words; its service may be away.
            return Err(failed_with(Fault::Unavailable, self.program, &ended).reached(reached));
        }
        if taken(ended.unread, input.as_bytes()) == Reached::No {
            return Err(SinkError::failed(format!("{} ended without reading the secret", self.program)));
        }
        let verb = words.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(" ");
        Ok(format!("{} {verb} ended with 0", self.program))
    }
}

fn worst(error: SinkError, before: Reached) -> SinkError {
    if before == Reached::Maybe { error.reached(before) } else { error }
}

impl Input {
    fn text(&self, token: &PlainToken) -> Zeroizing<String> {
        match self {
            Self::Value => Zeroizing::new(token.expose_plaintext().to_owned()),
            Self::Manifest { namespace, secret, key } => {
                // All names were checked to need no escaping. `data` rather than `stringData`, whose fields server-side
                // apply does not follow.
                let value = Zeroizing::new(Base64::encode_string(token.expose_plaintext().as_bytes()));
                Zeroizing::new(format!(
                    "{{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{{\"name\":\"{secret}\",\
                     \"namespace\":\"{namespace}\"}},\"data\":{{\"{key}\":\"{}\"}}}}\n",
                    value.as_str()
                ))
            }
        }
    }
}

#[cfg(test)]
#[path = "programs_tests.rs"]
mod tests;
