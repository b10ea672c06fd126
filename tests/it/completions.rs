//! Completion in real shells: commands and options always, names, ids and scopes only where the vault opens by itself.

use crate::support::Home;
use std::path::Path;

fn furnished() -> Home {
    let home = Home::new();
    home.ok(&["create", "billing-sync", "--scope", "audits:read"]);
    home.ok(&["create", "billing-export", "--scope", "audits:export"]);
    home
}

/// What bash offers for the last of the words.
fn bash(home: &Home, words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "source <(keyward completions bash); COMP_WORDS=({}); COMP_CWORD={}; COMP_LINE='{}'; COMP_POINT=${{#COMP_LINE}}; COMP_TYPE=9
         $(complete -p keyward | sed 's/.*-F \\([^ ]*\\).*/\\1/') keyward '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted.join(" "),
        words.len() - 1,
        words.join(" "),
        words.last().unwrap(),
        words[words.len() - 2],
    );
    let ran = home.shell(&script);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    ran.stdout
}

#[test]
fn bash_completes_commands_names_ids_and_scopes() {
    let home = furnished();
    assert!(bash(&home, &["keyward", "cr"]).contains("create"));
    assert!(bash(&home, &["keyward", "list", "--exp"]).contains("--expires-within"));
    assert!(bash(&home, &["keyward", "-o", "js"]).contains("jsonl"));
    let names = bash(&home, &["keyward", "show", "billing"]);
    assert!(names.contains("billing-sync") && names.contains("billing-export"), "{names}");
    let id = home.ok(&["show", "billing-sync", "--field", "id"]);
    assert!(bash(&home, &["keyward", "rotate", &id[..10]]).contains(&id));
    assert!(bash(&home, &["keyward", "list", "--scope", "audits"]).contains("audits"));
    assert!(bash(&home, &["keyward", "create", "x", "--env", "pro"]).contains("production"));
}

/// A name may hold what a shell would run: what Tab puts in means the name and nothing else.
#[test]
fn what_bash_puts_in_is_quoted() {
    let home = Home::new();
    let names = ["two words", "$(touch ran)", "it's", "*", "a\"b", "caf\u{e9} x", "`id`", "a;b"];
    for name in names {
        home.ok(&["create", "--", name]);
    }
    for (typed, name) in [("two", names[0]), ("$", names[1]), (r"\$(", names[1]), ("it", names[2]), ("*", names[3])]
        .into_iter()
        .chain([("a", names[4]), ("caf", names[5]), (r"\`", names[6]), (r"two\ w", names[0])])
    {
        home.write("typed", typed);
        let script = "source <(keyward completions bash); word=$(cat typed); COMP_WORDS=(keyward show \"$word\"); COMP_CWORD=2
             COMP_LINE=\"keyward show $word\"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; _keyward_complete keyward \"$word\" show
             eval \"set -- ${COMPREPLY[0]}\"; printf '%s|' \"$@\"";
        let ran = home.shell(script);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (format!("{name}|").as_str(), ""), "{typed}: {ran:?}");
    }
    assert!(!home.path().join("ran").exists());
}

#[test]
fn nothing_is_asked_made_or_told_for_a_completion() {
    let empty = Home::new();
    assert_eq!(bash(&empty, &["keyward", "show", "b"]).trim(), "");
    assert!(empty.find("keystore.db").is_none());

    let home = furnished();
    let before = home.json(&["audit", "list"])["page"]["total"].clone();
    let (devices, aside) = (home.path().join(".config/keyward/devices"), home.path().join("aside"));
    std::fs::rename(&devices, &aside).unwrap();
    home.private("pass", "correct horse\n");
    assert_eq!(bash(&home, &["keyward", "show", "billing"]).trim(), "", "a locked vault offers nothing");
    assert!(bash(&home, &["keyward", "sho"]).contains("show"));
    std::fs::rename(&aside, &devices).unwrap();
    assert_eq!(home.json(&["audit", "list"])["page"]["total"], before, "a completion is no event");
}

#[test]
fn zsh_and_fish_load_their_scripts() {
    let home = furnished();
    home.ok(&["create", "two words"]);
    for (shell, script) in [
        (
            "zsh",
            "autoload -Uz compinit; compinit -u; source <(keyward completions zsh); (( $+_comps[keyward] )) && print ok",
        ),
        (
            "fish",
            "keyward completions fish | source; complete -C 'keyward show billing-s'; complete -C 'keyward show two\\ w'",
        ),
    ] {
        if !Path::new("/usr/bin").join(shell).exists() {
            eprintln!("skipped, for want of {shell}");
            continue;
        }
        std::fs::write(home.path().join("script"), script).unwrap();
        let ran = home.shell(&format!("{shell} script"));
        assert_eq!(ran.code, Some(0), "{shell}: {ran:?}");
        let wanted = if shell == "zsh" { ["ok", "ok"] } else { ["billing-sync", "two words"] };
        assert!(wanted.iter().all(|wanted| ran.stdout.contains(wanted)), "{shell}: {ran:?}");
    }
}
