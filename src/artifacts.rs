//! What is generated from the definition of the command line: manual pages and completion scripts.
//!
//! The files in `man/` and `completions/` come from here; a test compares them, so that they cannot go stale.

use crate::cli::{self, help_text};
use clap_complete::env::Shells;
use std::io;

/// The shells that can be taught.
pub const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

/// The script for bash. Other shells quote what they insert; bash does so for names of files alone, and the script of
/// clap_complete has it run a key named `$(…)`.
const BASH: &str = r#"_keyward_complete() {
    local IFS=$'\013' at space=true
    if compopt +o nospace 2> /dev/null; then
        space=false
    fi
    local words=("${COMP_WORDS[@]}")
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        words[COMP_CWORD]="$2"
    fi
    COMPREPLY=()
    # Not ( $(…) ): a name such as * would become the names of files.
    read -r -d '' -a COMPREPLY < <( \
        _CLAP_IFS="$IFS" \
        _CLAP_COMPLETE_INDEX="$COMP_CWORD" \
        _CLAP_COMPLETE_COMP_TYPE="$COMP_TYPE" \
        _CLAP_COMPLETE_SPACE="$space" \
        COMPLETE="bash" \
        keyward -- "${words[@]}" 2> /dev/null \
    )
    for at in "${!COMPREPLY[@]}"; do
        [[ "${COMPREPLY[at]}" == *[^[:alnum:]_./:=@%+,-]* ]] || continue
        if [[ "${COMP_WORDS[COMP_CWORD]}" == [\"\']* ]]; then
            # Within quotes that are open, readline knows what to protect.
            compopt -o fullquote 2> /dev/null || compopt -o filenames 2> /dev/null
            break
        fi
        printf -v 'COMPREPLY[at]' %q "${COMPREPLY[at]}"
    done
    if [[ $space == false ]] && [[ "${COMPREPLY-}" =~ [=/:]$ ]]; then
        compopt -o nospace
    fi
}
if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -o nospace -o bashdefault -o nosort -F _keyward_complete keyward
else
    complete -o nospace -o bashdefault -F _keyward_complete keyward
fi
"#;

/// The script of a shell. It asks the binary for every candidate, and so must be made anew with each version.
///
/// # Errors
/// When the shell is not one of [`SHELLS`].
pub fn completions(shell: &str) -> io::Result<Vec<u8>> {
    if shell == "bash" {
        return Ok(BASH.as_bytes().to_vec());
    }
    let shells = Shells::builtins();
    let completer = shells.completer(shell).ok_or_else(|| io::Error::other("no such shell is known"))?;
    let mut script = Vec::new();
    completer.write_registration("COMPLETE", "keyward", "keyward", "keyward", &mut script)?;
    Ok(script)
}

/// The file a shell's script is kept in.
#[must_use]
pub fn completion_file(shell: &str) -> String {
    match shell {
        "bash" => "keyward.bash".to_owned(),
        "zsh" => "_keyward".to_owned(),
        "powershell" => "keyward.ps1".to_owned(),
        "elvish" => "keyward.elv".to_owned(),
        other => format!("keyward.{other}"),
    }
}

/// The manual page of keyward, then that of every subcommand, by file name.
///
/// # Errors
/// Those of writing into memory.
pub fn man_pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = cli::command().disable_help_flag(false);
    command.build();
    let mut pages = Vec::new();
    page(&command, "keyward", &mut pages)?;
    pages.push(("keyward-recipes.1".to_owned(), recipes().into_bytes()));
    Ok(pages)
}

fn page(command: &clap::Command, name: &str, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let root = name == ROOT;
    // The options that every command takes stand once, in the page of the whole.
    let titled = help_text::shown(command.clone(), root).display_name(name.to_owned()).bin_name(name.replace('-', " "));
    let help = titled.get_after_help().map(ToString::to_string).unwrap_or_default();
    let manual =
        clap_mangen::Man::new(titled.version(env!("CARGO_PKG_VERSION"))).source("keyward").manual("keyward manual");
    let mut text = Vec::new();
    manual.render_title(&mut text)?;
    manual.render_name_section(&mut text)?;
    manual.render_synopsis_section(&mut text)?;
    manual.render_description_section(&mut text)?;
    manual.render_options_section(&mut text)?;
    if !root {
        text.extend_from_slice(b"The options that every command takes are in\n.BR keyward (1).\n");
    }
    if command.has_subcommands() {
        manual.render_subcommands_section(&mut text)?;
    }
    text.extend_from_slice(after(&help).as_bytes());
    text.extend_from_slice(format!(".SH VERSION\n{}\n", env!("CARGO_PKG_VERSION")).as_bytes());
    pages.push((format!("{name}.1"), text));
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        if subcommand.get_name() != "help" || name == "keyward" {
            page(subcommand, &format!("{name}-{}", subcommand.get_name()), pages)?;
        }
    }
    Ok(())
}

/// The page of recipes: a heading for each, and its commands as they are typed.
fn recipes() -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('-', "\\-");
    let version = env!("CARGO_PKG_VERSION");
    let mut roff = "\
.TH keyward\\-recipes 1 \"\" keyward \"keyward manual\"
.SH NAME
keyward\\-recipes \\- what to type for what
.SH DESCRIPTION
Each works as it stands, with names of your own.
"
    .to_owned();
    for (title, commands) in cli::recipes::RECIPES {
        roff.push_str(&format!(".SS {}\n.nf\n", escaped(title)));
        for command in commands {
            roff.push_str(&format!("{}\n", escaped(command)));
        }
        roff.push_str(".fi\n");
    }
    roff.push_str(&format!(".SH VERSION\n{version}\n.SH SEE ALSO\n.BR keyward (1)\n"));
    roff
}

/// The name of the page of the whole.
const ROOT: &str = "keyward";

/// What follows the options in a help text, as sections of a manual page.
fn after(help: &str) -> String {
    let mut roff = String::new();
    for (at, block) in help.split("\n\n").filter(|block| !block.trim().is_empty()).enumerate() {
        let (first, rest) = block.split_once('\n').unwrap_or((block, ""));
        let (heading, lines) = match first.trim() {
            "Examples:" | "Example:" => ("EXAMPLES", rest),
            _ => ("NOTES", block),
        };
        // One heading for all notes, whatever blocks they come in.
        if heading == "EXAMPLES" || at == 0 || !roff.contains(".SH NOTES\n") {
            roff.push_str(&format!(".SH {heading}\n"));
        } else {
            roff.push_str(".PP\n");
        }
        roff.push_str(".nf\n");
        for line in lines.lines() {
            let line = line.replace('\\', "\\\\").replace('-', "\\-");
            roff.push_str(if line.starts_with(['.', '\'']) { "\\&" } else { "" });
            roff.push_str(&line);
            roff.push('\n');
        }
        roff.push_str(".fi\n");
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_and_every_command_has_its_file() {
        for shell in SHELLS {
            assert!(!completions(shell).unwrap().is_empty(), "{shell}");
        }
        let pages = man_pages().unwrap();
        for name in ["keyward.1", "keyward-create.1", "keyward-vault-slots-add.1", "keyward-audit-verify.1"] {
            assert!(pages.iter().any(|(file, _)| file == name), "{name}");
        }
    }

    /// After a change of the command line: `keyward man --out man`, and `keyward completions SHELL` for each.
    #[test]
    fn the_committed_files_are_what_the_command_line_says() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        for shell in SHELLS {
            let file = completion_file(shell);
            let kept = std::fs::read(root.join("completions").join(&file)).unwrap_or_default();
            assert!(kept == completions(shell).unwrap(), "completions/{file} is stale");
        }
        let pages = man_pages().unwrap();
        for (file, page) in &pages {
            let kept = std::fs::read(root.join("man").join(file)).unwrap_or_default();
            assert!(kept == *page, "man/{file} is stale: keyward man --out man");
        }
        let kept = std::fs::read_dir(root.join("man")).unwrap().count();
        assert_eq!(kept, pages.len(), "man/ holds pages of commands that are gone");
    }
}
