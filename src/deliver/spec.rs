//! The text of a sink (`file:PATH`, `dotenv:PATH#NAME`, …): read into its parts, then filled in for one key.

use super::{
    KeyFacts, Options, Sink, SinkError,
    actions::{Actions, Kind as ActionsFile},
    command::Exec,
    in_file::{Format, InFile},
    json::Pointer,
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
            "github-env" => Kind::GithubEnv { name: checked(rest, github_variable)? },
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
    Ok(Kind::GitlabVariable { project: checked(project, operand)?, name: checked(name, variable)?, protected })
}

fn path_of(text: &str) -> Result<Template, String> {
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

/// Reads a part; what is written out is checked at once, what is filled in when it is.
fn checked(text: &str, check: impl Fn(&str) -> Result<(), String>) -> Result<Template, String> {
    let template = Template::parse(text)?;
    if let Some(literal) = template.literal() {
        check(literal)?;
    }
    Ok(template)
}

fn made_of(text: &str, most: usize, what: &str, fits: impl Fn(char) -> bool) -> Result<(), String> {
    if (1..=most).contains(&text.len()) && text.chars().all(fits) {
        Ok(())
    } else {
        Err(format!("{text:?} is no {what}"))
    }
}

fn variable(text: &str) -> Result<(), String> {
    made_of(text, 255, "name of a variable: expected letters, digits and _, no digit first", |character| {
        character.is_ascii_alphanumeric() || character == '_'
    })?;
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(format!("{text:?} begins with a digit, which the name of a variable cannot"));
    }
    Ok(())
}

fn github_variable(text: &str) -> Result<(), String> {
    variable(text)?;
    let upper = text.to_ascii_uppercase();
    if upper.starts_with("GITHUB_") || upper.starts_with("RUNNER_") || upper == "NODE_OPTIONS" {
        return Err(format!("GitHub keeps the name {text} for itself"));
    }
    Ok(())
}

fn output_name(text: &str) -> Result<(), String> {
    variable(&text.replace('-', "_"))
}

fn repo_part(text: &str) -> Result<(), String> {
    operand(text)?;
    made_of(text, 100, "owner or repository of GitHub", |character| {
        character.is_ascii_alphanumeric() || "._-".contains(character)
    })
}

fn dns_name(text: &str) -> Result<(), String> {
    operand(text)?;
    made_of(text, 253, "name of a Kubernetes object", |character| {
        character.is_ascii_lowercase() || character.is_ascii_digit() || "-.".contains(character)
    })
}

fn secret_key(text: &str) -> Result<(), String> {
    // The field manager of server-side apply carries it and is at most 128 characters long.
    made_of(text, 100, "key of a Kubernetes secret", |character| {
        character.is_ascii_alphanumeric() || "-._".contains(character)
    })
}

fn field_name(text: &str) -> Result<(), String> {
    operand(text)?;
    made_of(text, 255, "field of a Vault secret", |character| {
        character.is_ascii_alphanumeric() || "-._".contains(character)
    })
}

/// What may stand as an operand of a program.
fn operand(text: &str) -> Result<(), String> {
    if text.is_empty() || text.starts_with('-') {
        return Err("a part of the destination is empty, or begins with -, which would be read as an option".to_owned());
    }
    Ok(())
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
                Ok(sink(name, InFile::new(&place, Format::Whole, mode.map_or(Mode::Private, Mode::Exactly))))
            }
            Kind::Dotenv { path: place, name } => {
                let (place, name) = (path(place)?, word(name, variable)?);
                let title = format!("dotenv:{place}#{name}");
                Ok(sink(title, InFile::new(&place, Format::Dotenv { name }, Mode::Kept)))
            }
            Kind::Json { path: place, pointer } => {
                let (place, text) = (path(place)?, pointer.fill(key, Purpose::Word)?);
                let pointer = text.parse::<Pointer>().map_err(SinkError::usage)?;
                Ok(sink(format!("json:{place}#{text}"), InFile::new(&place, Format::Json { pointer }, Mode::Kept)))
            }
            Kind::Exec { command } => {
                if let Some(name) = &options.exec_env {
                    variable(name).map_err(|cause| SinkError::usage("--exec-env names a variable").cause(cause))?;
                }
                let command = command.fill(key, Purpose::Command)?;
                Ok(sink(format!("exec:{command}"), Exec::new(command, options)))
            }
            Kind::GithubSecret { owner, repo, environment, name } => {
                let repo = format!("{}/{}", word(owner, repo_part)?, word(repo, repo_part)?);
                let environment = environment.as_ref().map(|environment| word(environment, operand)).transpose()?;
                let name = word(name, github_variable)?;
                let place = environment.as_ref().map_or(repo.clone(), |environment| format!("{repo}/{environment}"));
                let program = Program::github_secret(&repo, environment.as_deref(), &name, options);
                Ok(sink(format!("github-secret:{place}#{name}"), program))
            }
            Kind::GitlabVariable { project, name, protected } => {
                let (project, name) = (word(project, operand)?, word(name, variable)?);
                let title = format!("gitlab-variable:{project}#{name}{}", if *protected { ",protected" } else { "" });
                Ok(sink(title, Program::gitlab_variable(&project, &name, *protected, options)))
            }
            Kind::K8sSecret { namespace, secret, key: entry } => {
                let (namespace, secret) = (word(namespace, dns_name)?, word(secret, dns_name)?);
                let entry = word(entry, secret_key)?;
                let program = Program::k8s_secret(&namespace, &secret, &entry, options);
                Ok(sink(format!("k8s-secret:{namespace}/{secret}#{entry}"), program))
            }
            Kind::Vault { path: place, field } => {
                let (place, field) = (word(place, operand)?, word(field, field_name)?);
                Ok(sink(format!("vault:{place}#{field}"), Program::vault(&place, &field, options)))
            }
            Kind::GithubEnv { name } => {
                let name = word(name, github_variable)?;
                Ok(sink(format!("github-env:{name}"), Actions::new(ActionsFile::Env, name, options)))
            }
            Kind::GithubOutput { name } => {
                let name = word(name, output_name)?;
                Ok(sink(format!("github-output:{name}"), Actions::new(ActionsFile::Output, name, options)))
            }
        }
    }
}

fn sink(name: String, destination: impl super::Destination + 'static) -> Sink {
    Sink { name, destination: Box::new(destination) }
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;
