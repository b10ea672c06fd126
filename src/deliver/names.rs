//! What the parts of a sink may be called: by the rules of whoever reads them, and so that none is taken for an option.

fn made_of(text: &str, most: usize, what: &str, fits: impl Fn(char) -> bool) -> Result<(), String> {
    if (1..=most).contains(&text.len()) && text.chars().all(fits) {
        Ok(())
    } else {
        Err(format!("{text:?} is no {what}"))
    }
}

pub(super) fn variable(text: &str) -> Result<(), String> {
    made_of(text, 255, "name of a variable: expected letters, digits and _, no digit first", |character| {
        character.is_ascii_alphanumeric() || character == '_'
    })?;
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(format!("{text:?} begins with a digit, which the name of a variable cannot"));
    }
    Ok(())
}

pub(super) fn github_variable(text: &str) -> Result<(), String> {
    variable(text)?;
    let upper = text.to_ascii_uppercase();
    if upper.starts_with("GITHUB_") || upper.starts_with("RUNNER_") || upper == "NODE_OPTIONS" {
        return Err(format!("GitHub keeps the name {text} for itself"));
    }
    Ok(())
}

/// A variable of later steps of a job of GitHub Actions.
pub(super) fn runner_variable(text: &str) -> Result<(), String> {
    github_variable(text)?;
    if text.to_ascii_uppercase().starts_with("ACTIONS_") {
        return Err(format!("GitHub keeps the name {text} for itself"));
    }
    plain_variable(text)
}

/// A variable that a whole process will have: none that decides which code it runs.
pub(super) fn plain_variable(text: &str) -> Result<(), String> {
    variable(text)?;
    let upper = text.to_ascii_uppercase();
    if DECIDES.contains(&upper.as_str())
        || ["LD_", "DYLD_", "BASH_FUNC_", "GIT_CONFIG"].iter().any(|begin| upper.starts_with(begin))
    {
        return Err(format!("the variable {text} decides which code programs run, and is no place for a secret"));
    }
    Ok(())
}

/// Variables by which shells, loaders and interpreters find or run code.
const DECIDES: [&str; 42] = [
    "PATH",
    "HOME",
    "SHELL",
    "IFS",
    "ENV",
    "BASH_ENV",
    "SHELLOPTS",
    "BASHOPTS",
    "PS4",
    "PROMPT_COMMAND",
    "ZDOTDIR",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PERL5LIB",
    "PERL5OPT",
    "PERL5DB",
    "RUBYLIB",
    "RUBYOPT",
    "CLASSPATH",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LUA_INIT",
    "LUA_PATH",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "RUSTC_WRAPPER",
    "MAKEFLAGS",
    "GCONV_PATH",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_EXEC_PATH",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
    "GIT_EXTERNAL_DIFF",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "BROWSER",
];

pub(super) fn output_name(text: &str) -> Result<(), String> {
    variable(&text.replace('-', "_"))
}

pub(super) fn repo_part(text: &str) -> Result<(), String> {
    operand(text)?;
    made_of(text, 100, "owner or repository of GitHub", |character| {
        character.is_ascii_alphanumeric() || "._-".contains(character)
    })
}

pub(super) fn dns_name(text: &str) -> Result<(), String> {
    operand(text)?;
    made_of(text, 253, "name of a Kubernetes object", |character| {
        character.is_ascii_lowercase() || character.is_ascii_digit() || "-.".contains(character)
    })
}

pub(super) fn secret_key(text: &str) -> Result<(), String> {
    // The field manager of server-side apply carries it and is at most 128 characters long.
    made_of(text, 100, "key of a Kubernetes secret", |character| {
        character.is_ascii_alphanumeric() || "-._".contains(character)
    })
}

pub(super) fn field_name(text: &str) -> Result<(), String> {
    operand(text)?;
    made_of(text, 255, "field of a Vault secret", |character| {
        character.is_ascii_alphanumeric() || "-._".contains(character)
    })
}

/// What may stand as an operand of a program.
pub(super) fn operand(text: &str) -> Result<(), String> {
    if text.is_empty() || text.starts_with('-') {
        return Err("a part of the destination is empty, or begins with -, which would be read as an option".to_owned());
    }
    Ok(())
}
