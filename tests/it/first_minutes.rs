//! The first five minutes of somebody at a terminal: what `keyward` alone says, how help is laid out, and long tables.

use crate::support::{Home, terminal::Terminal};

#[test]
fn keyward_alone_in_an_empty_home_says_what_to_type_first() {
    let home = Home::new();
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward");
    let said = shell.finished(2);
    assert!(said.trim().lines().count() <= 10, "{said}");
    assert!(!said.contains("Options"), "{said}");
    // Each line of it works as it stands, in this order, for somebody who reads nothing else.
    let lines: Vec<String> = said
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("keyward ") && line.contains("   "))
        .map(|line| line.split("   ").next().unwrap().to_owned())
        .collect();
    assert_eq!(lines.len(), 5, "{said}");
    let secret = home.ok(&lines[0].split(' ').skip(1).chain(["-q"]).collect::<Vec<_>>());
    for line in &lines[1..] {
        let ran = home.run_with(&line.split(' ').skip(1).collect::<Vec<_>>(), &secret);
        assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
    }
    shell.type_line("keyward");
    let said = shell.finished(2);
    assert!(said.contains("Every day:") && !said.contains("no vault"), "who has a vault gets the commands: {said}");
    shell.type_line("KEYWARD_SERVER=https://keys.example.com HOME=/nowhere keyward");
    assert!(!shell.finished(2).contains("no vault"), "who works through a server needs none");
}

#[test]
fn off_a_terminal_it_is_a_usage_error_with_the_commands() {
    let home = Home::new();
    let ran = home.run(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("Usage: keyward") && ran.stderr.contains("Every day:"), "{ran:?}");
}

#[test]
fn help_lists_the_commands_by_what_they_are_for_and_those_of_every_day_first() {
    let home = Home::new();
    for args in [&["help"][..], &["--help"], &["-h"]] {
        let help = home.ok(args);
        let (every_day, rest) = help.split_once("More with keys:").unwrap();
        let (_, every_day) = every_day.split_once("Every day:\n").unwrap();
        let first: Vec<&str> =
            every_day.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
        let first: Vec<&str> = first.into_iter().filter(|word| !word.is_empty()).collect();
        assert_eq!(first[..2], ["create", "list"], "{args:?}: {help}");
        assert_eq!(first.len(), 10, "{first:?}");
        assert!(rest.contains("Servers, and who may use them:") && rest.contains("--vault"), "{rest}");
        assert!(!help.contains("Commands:"), "they stand once");
    }
}

#[test]
fn a_table_longer_than_the_terminal_goes_through_the_pager() {
    let home = Home::with_vault();
    let keys: String = (0..30).map(|at| format!("key-{at:02},staging\n")).collect();
    home.write("keys.csv", &format!("name,environment\n{keys}"));
    home.ok(&["create", "--from", "keys.csv", "--out", "secrets.jsonl"]);
    let mut shell = Terminal::open(&home);
    let pager = "cat > paged; echo it was shown; echo [$KEYWARD_TOKEN] > told";
    shell.type_line(&format!("PAGER='{pager}' KEYWARD_TOKEN=x keyward list"));
    let said = shell.finished(0);
    assert!(said.contains("it was shown") && !said.contains("key-07"), "{said}");
    assert!(home.read("paged").contains("key-07") && home.read("paged").lines().count() > 30);
    assert_eq!(home.read("told").trim(), "[]", "nothing of ours that opens anything is handed on");
    // One that ends at once, one that is not there, one that is not wanted, and a table that fits.
    shell.type_line("PAGER=true keyward list");
    shell.finished(0);
    for pager in ["", "' '"] {
        shell.type_line(&format!("PAGER={pager} keyward list"));
        assert!(shell.finished(0).contains("key-07"), "{pager}");
    }
    shell.type_line("PAGER='cat > short' keyward list --limit 3");
    shell.finished(0);
    assert!(home.find("short").is_none(), "what fits is printed");
    // A secret never goes through it.
    shell.type_line("PAGER='cat > secret' keyward create --env staging one");
    assert!(shell.finished(0).contains("kw_stg_"));
    assert!(home.find("secret").is_none());
    // Off a terminal nobody turns pages.
    shell.type_line("PAGER='cat > piped' keyward list | cat");
    assert!(shell.finished(0).contains("key-07"));
    assert!(home.find("piped").is_none());
}

#[test]
fn what_takes_long_says_what_it_does() {
    let home = Home::with_vault();
    let made = std::process::Command::new("mkfifo").arg(home.path().join("pipe")).status().unwrap();
    assert!(made.success());
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward identify --scan - < pipe");
    // Opened, it has a reader; and nothing is written before the line is shown.
    let pipe = std::fs::OpenOptions::new().write(true).open(home.path().join("pipe")).unwrap();
    shell.wait_for("looking for secrets");
    drop(pipe);
    shell.finished(3);
    let ran = home.run_with(&["identify", "--scan", "-"], "nothing");
    assert!(ran.code == Some(3) && !ran.stderr.contains("looking for"), "nobody watches: {ran:?}");
}

#[test]
fn every_recipe_does_what_it_says() {
    use crate::examples::{copy_of, prepared, run};
    let kitchen = prepared();
    let text = kitchen.ok(&["help", "recipes"]);
    let recipes: Vec<&str> = text.split("\n\n").skip(1).filter(|block| block.contains(":\n  ")).collect();
    assert!(recipes.len() >= 10, "{text}");
    for recipe in recipes {
        let (title, commands) = recipe.split_once(":\n").unwrap();
        let home = copy_of(&kitchen);
        // Two of them say that something was found by their exit code; the server stays until it is stopped.
        let script: Vec<String> = commands
            .replace(" \\\n", " ")
            .lines()
            .map(|line| match line.trim() {
                line if line.starts_with("keyward check") || line.contains("--explain") => format!("{line} || test $? -ge 10"),
                line if line.starts_with("keyward serve") => {
                    format!("{line} 2>said & until grep -q 'listening on' said; do kill -0 $!; sleep 0.02; done; kill $!; wait $!")
                }
                line if line.starts_with("keyward delete") => format!("{line} --yes"),
                line => line.to_owned(),
            })
            .collect();
        let ran = run(&home, &format!("set -e\n{}", script.join("\n")));
        assert_eq!(ran, Ok(()), "{title}: {script:?}");
    }
}
