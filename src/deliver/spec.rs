//! The text of a sink (`file:PATH`, `dotenv:PATH#NAME`, …): read into its parts, then filled in for one key.

use super::{
    KeyFacts, Options, Sink, SinkError,
    actions::{Actions, Kind as ActionsFile},
    command::Exec,
    in_file::{Format, InFile},
    json::Pointer,
    names::{
        dns_name, field_name, github_variable, operand, output_name, plain_variable, repo_part, runner_variable,
        secret_key, variable,
    },
    place::{Part, Place},
    programs::Program,
    replace::Mode,
    template::{Purpose, Template},
};
use std::{fmt, str::FromStr};

const KINDS: &str = "file:PATH[,mode=0600], dotenv:PATH#NAME, json:PATH#/POINTER, exec:COMMAND, \
github-secret:OWNER/REPO[/ENV]#NAME, gitlab-variable:PROJECT#NAME[,protected], k8s-secret:NAMESPACE/NAME#KEY, \
vault:PATH#FIELD, github-env:NAME, github-output:NAME";

/// A sink as it was written, its structure read, its placeholders not yet filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkSpec {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    File { path: Template, mode: Option<u32> },
    Dotenv { path: Template, name: Template },
    Json { path: Template, pointer: Template },
    Exec { command: Template },
    GithubSecret { owner: Template, repo: Template, environment: Option<Template>, name: Template },
    GitlabVariable { project: Template, name: Template, protected: bool },
    K8sSecret { namespace: Template, secret: Template, key: Template },
    Vault { path: Template, field: Template },
    GithubEnv { name: Template },
    GithubOutput { name: Template },
}

impl SinkSpec {
    /// Whether it is a command line of the caller's own.
    #[must_use]
    pub fn is_command(&self) -> bool {
        matches!(self.kind, Kind::Exec { .. })
    }
}

impl fmt::Display for SinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for SinkSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, rest) = text.split_once(':').ok_or_else(|| format!("expected one of {KINDS}"))?;
        if rest.is_empty() {
            return Err(format!("{kind}: names no destination; expected one of {KINDS}"));
        }
        let kind = match kind {
            "file" => {
                let (path, mode) = split_mode(rest)?;
                Kind::File { path: path_of(path)?, mode }
            }
            "dotenv" => {
                let (path, name) = rest.rsplit_once('#').ok_or("expected dotenv:PATH#NAME")?;
                Kind::Dotenv { path: path_of(path)?, name: checked(name, variable)? }
            }
            "json" => {
                let (path, pointer) = rest.split_once('#').ok_or("expected json:PATH#/POINTER")?;
                refuse_option(pointer)?;
                Kind::Json {
                    path: path_of(path)?,
                    pointer: checked(pointer, |text| text.parse::<Pointer>().map(drop))?,
                }
            }
            "exec" if rest.contains('\0') => return Err("a command contains no NUL".to_owned()),
            "exec" if rest.trim().is_empty() => return Err("exec: names no command".to_owned()),
            "exec" => Kind::Exec { command: Template::command(rest) },
            "github-secret" => github_secret(rest)?,
            "gitlab-variable" => gitlab_variable(rest)?,
            "k8s-secret" => {
                let (place, key) = rest.rsplit_once('#').ok_or(K8S)?;
                let (namespace, secret) = place.split_once('/').ok_or(K8S)?;
                Kind::K8sSecret {
                    namespace: checked(namespace, dns_name)?,
                    secret: checked(secret, dns_name)?,
                    key: checked(key, secret_key)?,
                }
            }
            "vault" => {
                let (path, field) = rest.rsplit_once('#').ok_or("expected vault:PATH#FIELD")?;
                Kind::Vault { path: checked(path, operand)?, field: checked(field, field_name)? }
            }
            "github-env" => Kind::GithubEnv { name: checked(rest, runner_variable)? },
            "github-output" => Kind::GithubOutput { name: checked(rest, output_name)? },
            other => return Err(format!("{other:?} is no kind of sink; expected one of {KINDS}")),
        };
        Ok(Self { text: text.to_owned(), kind })
    }
}

const K8S: &str = "expected k8s-secret:NAMESPACE/NAME#KEY";

fn split_mode(rest: &str) -> Result<(&str, Option<u32>), String> {
    let Some((path, mode)) = rest.rsplit_once(",mode=") else { return Ok((rest, None)) };
    let bits = u32::from_str_radix(mode, 8)
        .ok()
        .filter(|bits| {
            (3..=4).contains(&mode.len()) && !mode.starts_with('+') && bits & 0o400 != 0 && bits & !0o644 == 0
        })
        .ok_or(
            "mode= is an octal mode that its owner can read and nobody else can write, such as 0600, 0640 or 0400",
        )?;
    Ok((path, Some(bits)))
}

fn github_secret(rest: &str) -> Result<Kind, String> {
    const EXPECTED: &str = "expected github-secret:OWNER/REPO[/ENVIRONMENT]#NAME";
    let (place, name) = rest.rsplit_once('#').ok_or(EXPECTED)?;
    let mut parts = place.splitn(3, '/');
    let (owner, repo) = parts.next().zip(parts.next()).ok_or(EXPECTED)?;
    Ok(Kind::GithubSecret {
        owner: checked(owner, repo_part)?,
        repo: checked(repo, repo_part)?,
        environment: parts.next().map(|environment| checked(environment, operand)).transpose()?,
        name: checked(name, github_variable)?,
    })
}

fn gitlab_variable(rest: &str) -> Result<Kind, String> {
    const EXPECTED: &str = "expected gitlab-variable:GROUP/PROJECT#NAME[,protected]";
    let (rest, protected) = rest.strip_suffix(",protected").map_or((rest, false), |rest| (rest, true));
    let (project, name) = rest.rsplit_once('#').ok_or(EXPECTED)?;
    if !project.contains('/') {
        return Err(EXPECTED.to_owned());
    }
    Ok(Kind::GitlabVariable { project: checked(project, operand)?, name: checked(name, plain_variable)?, protected })
}

fn path_of(text: &str) -> Result<Template, String> {
    refuse_option(text)?;
    checked(text, |text| {
        if text.is_empty() {
            Err("the path is empty".to_owned())
        } else if text.ends_with('/') {
            Err("the path names a directory; name the file in it".to_owned())
        } else {
            Ok(())
        }
    })
}

/// Refuses what was meant as an option, and would else become a part of a name.
fn refuse_option(text: &str) -> Result<(), String> {
    let Some((word, value)) = text.rsplit_once(',').and_then(|(_, option)| option.split_once('=')) else {
        return Ok(());
    };
    let is_word = !word.is_empty() && word.chars().all(|one| one.is_ascii_alphabetic() || "-_".contains(one));
    if !is_word || value.contains('/') {
        return Ok(());
    }
    Err(format!("this sink has no option {word}=; file: takes mode=, as in file:PATH,mode=0600"))
}

/// Reads a part; what is written out is checked at once, what is filled in when it is.
fn checked(text: &str, check: impl Fn(&str) -> Result<(), String>) -> Result<Template, String> {
    let template = Template::parse(text)?;
    if let Some(literal) = template.literal() {
        check(literal)?;
    }
    Ok(template)
}

impl SinkSpec {
    /// Fills in the facts of a key.
    ///
    /// # Errors
    /// When a fact is missing or would change the structure of the sink, and when an option it needs is wrong.
    pub fn resolve(&self, key: &KeyFacts<'_>, options: &Options) -> Result<Sink, SinkError> {
        let path = |template: &Template| template.fill(key, Purpose::Path);
        let word = |template: &Template, check: fn(&str) -> Result<(), String>| {
            let text = template.fill(key, Purpose::Word)?;
            check(&text)
                .map_err(|cause| SinkError::usage(format!("the sink {self} does not fit {}", key.name)).cause(cause))?;
            Ok::<_, SinkError>(text)
        };
        match &self.kind {
            Kind::File { path: place, mode } => {
                let place = path(place)?;
                let name = match mode {
                    Some(mode) => format!("file:{place},mode={mode:04o}"),
                    None => format!("file:{place}"),
                };
                let file = InFile::new(&place, Format::Whole, mode.map_or(Mode::Private, Mode::Exactly));
                Ok(sink(name, Place::in_file(&place, Part::Whole), file))
            }
            Kind::Dotenv { path: place, name } => {
                let (place, name) = (path(place)?, word(name, variable)?);
                let title = format!("dotenv:{place}#{name}");
                let at = Place::in_file(&place, Part::Variable(name.clone()));
                Ok(sink(title, at, InFile::new(&place, Format::Dotenv { name }, Mode::Kept)))
            }
            Kind::Json { path: place, pointer } => {
                let (place, text) = (path(place)?, pointer.fill(key, Purpose::Word)?);
                let pointer = text.parse::<Pointer>().map_err(SinkError::usage)?;
                let at = Place::in_file(&place, Part::Path(pointer.steps().to_vec()));
                Ok(sink(format!("json:{place}#{text}"), at, InFile::new(&place, Format::Json { pointer }, Mode::Kept)))
            }
            Kind::Exec { command } => {
                if let Some(name) = &options.exec_env {
                    plain_variable(name)
                        .map_err(|cause| SinkError::usage("--exec-env names a variable").cause(cause))?;
                }
                let command = command.fill(key, Purpose::Command)?;
                // A command is told nothing of the key but what is filled in: the same words store in the same place.
                let title = format!("exec:{command}");
                Ok(sink(title.clone(), Place::named(title), Exec::new(command, options)))
            }
            Kind::GithubSecret { owner, repo, environment, name } => {
                let repo = format!("{}/{}", word(owner, repo_part)?, word(repo, repo_part)?);
                let environment = environment.as_ref().map(|environment| word(environment, operand)).transpose()?;
                let name = word(name, github_variable)?;
                let place = environment.as_ref().map_or(repo.clone(), |environment| format!("{repo}/{environment}"));
                let program = Program::github_secret(&repo, environment.as_deref(), &name, options);
                let title = format!("github-secret:{place}#{name}");
                // GitHub knows no case in these names.
                Ok(sink(title.clone(), Place::named(title.to_ascii_lowercase()), program))
            }
            Kind::GitlabVariable { project, name, protected } => {
                let (project, name) = (word(project, operand)?, word(name, plain_variable)?);
                let at = format!("gitlab-variable:{project}#{name}");
                let title = format!("{at}{}", if *protected { ",protected" } else { "" });
                Ok(sink(title, Place::named(at), Program::gitlab_variable(&project, &name, *protected, options)))
            }
            Kind::K8sSecret { namespace, secret, key: entry } => {
                let (namespace, secret) = (word(namespace, dns_name)?, word(secret, dns_name)?);
                let entry = word(entry, secret_key)?;
                let program = Program::k8s_secret(&namespace, &secret, &entry, options);
                let title = format!("k8s-secret:{namespace}/{secret}#{entry}");
                Ok(sink(title.clone(), Place::named(title), program))
            }
            Kind::Vault { path: place, field } => {
                let (place, field) = (word(place, operand)?, word(field, field_name)?);
                let at = Place::named(format!("vault:{}#{field}", place.trim_matches('/')));
                Ok(sink(format!("vault:{place}#{field}"), at, Program::vault(&place, &field, options)))
            }
            Kind::GithubEnv { name } => {
                let name = word(name, runner_variable)?;
                let title = format!("github-env:{name}");
                Ok(sink(title.clone(), Place::named(title), Actions::new(ActionsFile::Env, name, options)))
            }
            Kind::GithubOutput { name } => {
                let name = word(name, output_name)?;
                let title = format!("github-output:{name}");
                Ok(sink(title.clone(), Place::named(title), Actions::new(ActionsFile::Output, name, options)))
            }
        }
    }
}

fn sink(name: String, place: Place, destination: impl super::Destination + 'static) -> Sink {
    Sink { name, place, destination: Box::new(destination) }
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;
