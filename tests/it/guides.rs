//! The guides of docs/rotation.md are run: each command as it stands there, in a home where a key is due.

use crate::support::{Home, Ran, book};
use std::fs;

/// The fenced blocks of a kind of the page on schedules.
fn blocks(kind: &str) -> Vec<String> {
    blocks_of("rotation", kind)
}

fn blocks_of(page: &str, kind: &str) -> Vec<String> {
    let page = book::page(page);
    let fence = format!("```{kind}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// The arguments of the one keyward command in a block.
fn arguments(block: &str) -> Vec<String> {
    let words = |text: &str, separator: &[char]| -> Vec<String> {
        text.split(separator)
            .map(|word| word.trim_matches([' ', '"']).to_owned())
            .filter(|word| !word.is_empty())
            .collect()
    };
    if let Some(list) = block.split("args: [").nth(1) {
        return words(list.split(']').next().unwrap(), &[',']);
    }
    let line = block.lines().find(|line| line.contains("keyward rotate --due")).unwrap();
    // Where its output goes is the shell's business.
    let line = line.split('>').next().unwrap();
    words(line.split("keyward rotate").nth(1).map(|rest| format!("rotate{rest}")).unwrap().as_str(), &[' '])
}

/// A home with the page's deliver map and three keys that are due.
fn due() -> Home {
    let home = Home::new();
    let path = home.path().display().to_string();
    for dir in ["run/keys/production", "bin"] {
        fs::create_dir_all(home.path().join(dir)).unwrap();
    }
    for program in ["store-billing-key", "billing-works"] {
        let place = home.path().join("bin").join(program);
        fs::write(&place, "#!/bin/sh\ngrep -q kw_\n").unwrap();
        fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let map = blocks("toml")[0].replace("/run/keys", &format!("{path}/run/keys"));
    fs::write(home.path().join("deliver.toml"), map.replace("/usr/local/bin", &format!("{path}/bin"))).unwrap();
    for args in [["billing-sync", "--env=development"], ["web-1", "--env=production"], ["etl", "--label=team=data"]] {
        home.ok(&[
            "create",
            args[0],
            args[1],
            "--label=variable=API_KEY",
            "--rotate-every",
            "2s",
            "--overlap",
            "1s",
            "-q",
        ]);
    }
    // Two seconds pass on the machine's own clock; nothing else makes a rotation due.
    while home.json(&["list", "--due"])["page"]["total"] != 3 {
        std::thread::yield_now();
    }
    home
}

fn run(home: &Home, block: &str) -> Ran {
    let map = home.path().join("deliver.toml").display().to_string();
    let arguments: Vec<String> = arguments(block)
        .into_iter()
        .map(|word| word.replace("/etc/keyward/deliver.toml", &map).replace("10m", "1s"))
        .collect();
    home.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn every_guide_rotates_what_is_due() {
    let guides: Vec<String> = ["yaml", "crontab", "ini"].into_iter().flat_map(blocks).collect();
    assert_eq!(guides.len(), 5, "GitHub, GitLab, Kubernetes, cron, systemd");
    let home = due();
    for guide in &guides {
        let ran = run(&home, guide);
        assert!(ran.code == Some(0), "{guide}\n{ran:?}");
        let held = fs::read_to_string(home.path().join("run/keys/production/web-1")).unwrap();
        assert_eq!(home.verdict(&held, &[]).1, Some(0), "{guide}");
    }
    assert!(fs::read_to_string(home.path().join("run/keys/data.env")).unwrap().starts_with("API_KEY=kw_"));
}

/// The crontab of the page on CI, as cron runs it: with its own variables, a home, and nothing of a login. A run that goes well
/// has nothing to mail, and one that does not has.
#[test]
fn the_crontab_is_silent_unless_something_is_wrong() {
    let home = Home::new();
    let crontab = blocks_of("ci", "crontab").remove(0);
    let (variables, job): (Vec<&str>, Vec<&str>) = crontab.lines().partition(|line| !line.contains(" * "));
    let command = job[0].splitn(6, ' ').last().unwrap();
    let at = |place: &str| home.path().join(place.trim_start_matches('/'));
    for dir in ["var/lib/keyward", "etc/keyward", "keys"] {
        fs::create_dir_all(home.path().join(dir)).unwrap();
    }
    let program = at("usr/local/bin/keyward");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_keyward"), program).unwrap();
    let here = |text: &str| {
        let root = home.path().display();
        ["/usr/local", "/var/lib", "/etc/keyward"]
            .iter()
            .fold(text.to_owned(), |text, place| text.replace(place, &format!("{root}{place}")))
    };
    let as_cron = |command: &str| {
        let mut shell = std::process::Command::new("/bin/sh");
        shell
            .args(["-c", command])
            .env_clear()
            .env("HOME", home.path())
            .env("SHELL", "/bin/sh")
            .current_dir(home.path());
        for variable in &variables {
            let (name, value) = variable.split_once('=').unwrap();
            shell.env(name, here(value));
        }
        shell
    };
    let run = |command: &str| as_cron(command).output().unwrap();
    let vault = at("var/lib/keyward/vault").display().to_string();
    // The vault's own device key makes the one that the crontab names.
    for line in ["keyward --vault VAULT init", "keyward --vault VAULT vault slots add --device-file etc/keyward/ci.key"]
    {
        let made = as_cron(&line.replace("VAULT", &vault)).env_remove("KEYWARD_KEY_FILE").output().unwrap();
        assert!(made.status.success(), "{line}: {}", String::from_utf8_lossy(&made.stderr));
    }
    let map = format!("[[rule]]\nname = \"web\"\ndeliver = [\"file:{}/web\"]\n", at("keys").display());
    home.private("etc/keyward/deliver.toml", &map);
    assert!(run("keyward -q create web --rotate-every 1s").status.success());
    while !run("keyward list --due -q").stdout.starts_with(b"key_") {}
    let fine = run(&here(command));
    assert!(fine.status.success() && fine.stdout.is_empty() && fine.stderr.is_empty(), "{fine:?}");
    assert!(at("keys/web").exists());
    assert!(run("keyward -q create other --rotate-every 1s").status.success());
    while !run("keyward list --due --name other -q").stdout.starts_with(b"key_") {}
    let wrong = run(&here(command));
    let mail = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(!wrong.status.success() && mail.contains("error: other (key_"), "{wrong:?}");
}
