//! Deliveries as a user sees them: destinations that meet, what is refused before anything is minted, who decides, and
//! what is told.

use crate::support::{Home, due};

fn is_there(home: &Home, name: &str) -> bool {
    home.path().join(name).exists()
}

fn secrets_of(home: &Home, key: &str) -> usize {
    home.json(&["show", key])["key"]["secrets"].as_array().unwrap().len()
}

#[test]
fn two_keys_never_share_a_destination() {
    let home = Home::new();
    home.ok(&["create", "c1", "--env", "production", "--rotate-every", "30d", "-q"]);
    home.ok(&["create", "c1", "--env", "staging", "--rotate-every", "30d", "-q"]);
    home.ok(&["create", "c2", "--env", "production", "--rotate-every", "30d", "-q"]);
    std::fs::create_dir(home.path().join("real")).unwrap();
    std::os::unix::fs::symlink("real", home.path().join("link")).unwrap();
    home.write("doc.json", "{\"c1\":{},\"c2\":{}}\n");
    let rules = |first: &str, second: &str| {
        format!(
            "[[rule]]\nname = \"c1\"\nenv = \"production\"\ndeliver = [\"{first}\"]\n[[rule]]\nglob = \"*\"\ndeliver = [\"{second}\"]\n"
        )
    };
    home.write("glob.toml", "[[rule]]\nglob = \"*\"\ndeliver = [\"file:shared.key\"]\n");
    home.write("meet.toml", &rules("file:link/{name}", "dotenv:./real/../real/c1#{env}_KEY"));
    for args in [
        due(&["--deliver", "file:{name}.key"]),
        due(&["--deliver", "file:shared.key"]),
        due(&["--deliver", "exec:cat > shared.key"]),
        due(&["--deliver-map", "glob.toml"]),
        due(&["--deliver-map", "meet.toml"]),
        vec!["rotate", "c1", "c2", "--env", "production", "--deliver", "file:shared.key"],
        vec!["rotate", "c1", "c2", "--env", "production", "--deliver", "dotenv:env#KEY"],
    ] {
        for more in [&[][..], &["--dry-run"]] {
            let refused = home.run(&[&args[..], more].concat());
            assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{args:?}: {refused:?}");
            assert!(refused.stderr.contains("one destination") && refused.stderr.contains("{env}"), "{refused:?}");
            assert_eq!(refused.stderr.matches("(key_").count(), 2, "both keys are named: {refused:?}");
        }
    }
    assert!(!is_there(&home, "shared.key") && !is_there(&home, "c1.key") && !is_there(&home, "real/c1"));
    assert_eq!(home.json(&["rotation", "list", "--all"])["page"]["total"], 0, "nothing was minted");

    home.write(
        "keys.toml",
        "[[keys]]\nname = \"x\"\nenvironment = \"staging\"\n[[keys]]\nname = \"x\"\nenvironment = \"production\"\n",
    );
    let refused = home.run(&["apply", "-f", "keys.toml", "--deliver", "file:{name}.key", "--yes"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("one destination"), "{refused:?}");

    // Neighbours in one file are no conflict.
    let run = ["rotate", "c1", "c2", "--env", "production"];
    let told = home.run(&[&run[..], &["--deliver", "json:doc.json#/{name}/key", "--now"]].concat());
    assert_eq!(told.code, Some(0), "{told:?}");
    let told = home.run(&due(&["--deliver", "file:{env}-{name}.key", "--now"]));
    assert_eq!(told.code, Some(0), "{told:?}");
    for file in ["production-c1.key", "staging-c1.key", "production-c2.key"] {
        assert!(home.works(&home.read(file)), "{file}");
    }
}

#[test]
fn one_destination_is_named_once() {
    let home = Home::new();
    home.ok(&["create", "a", "-q"]);
    for (one, other) in
        [("file:t", "file:t"), ("file:t", "file:./t"), ("file:t", "dotenv:t#A"), ("exec:cat > t", "exec:cat > t")]
    {
        for command in [["create", "b"], ["rotate", "a"]] {
            let refused = home.run(&[&command[..], &["--deliver", one, "--deliver", other]].concat());
            assert_eq!(refused.code, Some(2), "{one} {other}: {refused:?}");
            assert!(refused.stderr.contains("named twice"), "{refused:?}");
        }
    }
    assert!(!is_there(&home, "t"));
    assert_eq!(
        (home.json(&["list", "--status", "any"])["page"]["total"].clone(), secrets_of(&home, "a")),
        (1.into(), 1)
    );
}

#[test]
fn what_belongs_to_a_delivery_needs_one() {
    let home = Home::new();
    home.ok(&["create", "a", "-q"]);
    for option in [["--probe", "exit 1"], ["--exec-env", "A"]] {
        for command in [["create", "b"], ["rotate", "a"]] {
            let refused = home.run(&[&command[..], &option[..], &["-q"]].concat());
            assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{option:?}: {refused:?}");
            assert!(refused.stderr.contains("add --deliver SINK, or --deliver-map FILE"), "{refused:?}");
        }
    }
    assert_eq!(secrets_of(&home, "a"), 1);
}

#[test]
fn a_probe_that_says_no_leaves_a_staged_secret_staged() {
    let home = Home::new();
    let old = home.ok(&["create", "a", "-q"]);
    let failed =
        home.run(&["rotate", "a", "--stage", "--deliver", "file:key", "--probe", "exit 1", "--probe-tries", "1"]);
    assert_eq!(failed.code, Some(12), "{failed:?}");
    assert!(failed.stderr.contains("hint: keyward rotation commit rot_"), "{failed:?}");
    assert!(failed.stderr.contains("hint: keyward rotation abort rot_"), "{failed:?}");
    let new = home.read("key");
    assert!(home.works(&old) && home.works(&new) && old != new);
    let listed = home.json(&["rotation", "list"]);
    assert_eq!((&listed["items"][0]["state"], &listed["items"][0]["parked"]), (&"delivered".into(), &true.into()));
    home.ok(&["rotation", "commit", "a"]);
    assert!(home.works(&new));
}

#[test]
fn options_of_no_probe_and_no_command_are_refused() {
    let home = Home::with_vault();
    for command in [&["create", "a"][..], &["create", "a", "--deliver", "file:key"]] {
        let refused = home.run(&[command, &["--probe-tries", "2"]].concat());
        assert_eq!(refused.code, Some(2), "{refused:?}");
        let refused = home.run(&[command, &["--exec-env", "TOKEN"]].concat());
        assert_eq!(refused.code, Some(2), "no sink is a command: {refused:?}");
    }
    assert_eq!(home.json(&["list"])["page"]["total"], 0);
}

#[test]
fn a_staged_rotation_is_decided_by_nobody_else() {
    let home = Home::new();
    let old = home.ok(&["create", "a", "-q"]);
    let new = home.ok(&["rotate", "a", "--stage", "--idempotency-key", "s1", "-q"]);
    for resume in [&["rotation", "resume", "a"][..], &["rotation", "resume", "a", "--deliver", "file:key"]] {
        let refused = home.run(resume);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(6), ""), "{refused:?}");
        assert!(
            refused.stderr.contains("keyward rotation commit rot_") && refused.stderr.contains("rotation abort rot_")
        );
    }
    assert_eq!(home.run(&["rotate", "a", "--stage", "--idempotency-key", "s1", "-q"]).code, Some(15));
    home.ok(&["create", "a", "--if-not-exists", "--deliver", "file:key"]);
    assert_eq!(home.json(&["rotation", "list"])["page"]["total"], 1, "it still waits");
    assert!(home.works(&old) && home.works(&new) && !is_there(&home, "key"));

    // One that was cut off before it arrived goes on, and then waits.
    home.ok(&["rotation", "abort", "a", "--yes"]);
    home.write("sink.sh", "cat > held; exit 1");
    let cut = home.run(&["rotate", "a", "--stage", "--deliver", "exec:sh ./sink.sh"]);
    assert_eq!(cut.code, Some(12), "{cut:?}");
    home.write("sink.sh", "cat > held");
    home.ok(&["rotation", "resume", "a", "--deliver", "exec:sh ./sink.sh"]);
    assert_eq!(home.json(&["rotation", "list"])["items"][0]["state"], "delivered");
    assert!(home.works(&old) && home.works(&home.read("held")));
}

#[test]
fn an_abort_names_the_sinks_that_keep_a_dead_secret() {
    let home = Home::new();
    let old = home.ok(&["create", "a", "-q"]);
    home.ok(&["rotate", "a", "--stage", "--deliver", "file:key"]);
    for more in [&[][..], &["--yes"]] {
        let refused = home.run(&[&["rotation", "abort", "a"][..], more].concat());
        assert_eq!(refused.code, Some(6), "{refused:?}");
        assert!(refused.stderr.contains("file:key") && refused.stderr.contains("--force"), "{refused:?}");
    }
    assert!(home.works(&home.read("key")));
    let aborted = home.run(&["rotation", "abort", "a", "--force"]);
    assert_eq!(aborted.code, Some(0), "{aborted:?}");
    assert!(aborted.stderr.contains("the secret in file:key is dead"), "{aborted:?}");
    assert!(home.works(&old) && !home.works(&home.read("key")));
}

#[test]
fn quiet_prints_a_secret_or_an_empty_line() {
    let home = Home::new();
    let lines = |args: &[&str]| {
        let ran = home.run(args);
        (ran.code, ran.stdout)
    };
    let empty = (Some(0), "\n".to_owned());
    assert_eq!(lines(&["create", "a", "-q", "--deliver", "file:a.key"]), empty);
    assert_eq!(lines(&["rotate", "a", "-q", "--now", "--deliver", "file:a.key"]), empty);
    assert_eq!(lines(&["create", "a", "--if-not-exists", "-q", "--deliver", "file:b.key"]), empty);
    home.ok(&["rotate", "a", "-q", "--now", "--idempotency-key", "r1"]);
    assert_eq!(lines(&["rotate", "a", "-q", "--now", "--idempotency-key", "r1"]), (Some(15), "\n".to_owned()));

    // Several secrets keep the order of their keys.
    home.ok(&["create", "b", "-q"]);
    let (code, text) = lines(&["rotate", "a", "nosuch", "b", "-q", "--now"]);
    let text: Vec<&str> = text.lines().collect();
    assert_eq!((code, text.len(), text[1]), (Some(11), 3, ""), "{text:?}");
    assert!(home.works(text[0]) && home.works(text[2]));
    for (key, secret) in [("a", text[0]), ("b", text[2])] {
        assert_eq!(home.verdict(secret, &[]).0["key_id"], home.json(&["show", key])["key"]["id"]);
    }
}

#[test]
fn a_key_that_is_named_twice_is_rotated_once() {
    let home = Home::new();
    let old = home.ok(&["create", "a", "-q"]);
    let id = home.ok(&["show", "a", "--field", "key.id"]);
    let ran = home.run(&["rotate", "a", &id, "a", "--supersede", "-q"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 1), "{ran:?}");
    assert!(home.works(&old) && home.works(ran.stdout.trim()), "the overlap of the original secret still runs");
    let ran = home.run(&["rotate", "a", "a", "--supersede", "--deliver", "file:key"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("taken once"), "{ran:?}");
}

#[test]
fn a_repetition_says_where_nothing_went() {
    let home = Home::new();
    home.ok(&["create", "a", "--idempotency-key", "K", "--deliver", "file:here"]);
    let again = home.run(&["create", "a", "--idempotency-key", "K", "--deliver", "file:there", "-q"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stderr.contains("this time nothing was delivered to file:there"), "{again:?}");
    assert!(!home.path().join("there").exists());
    home.ok(&["rotate", "a", "--idempotency-key", "R", "--overlap", "1h"]);
    let again = home.run(&["rotate", "a", "--idempotency-key", "R", "--overlap", "1h", "-q"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(15), "\n"), "{again:?}");
    assert!(again.stderr.contains("not shown again"), "{again:?}");
    for command in ["create", "rotate"] {
        assert_eq!(home.run(&[command, "b", "--idempotency-key", ""]).code, Some(2), "no key is no key");
    }
}

#[test]
fn an_existing_key_is_not_delivered_and_that_is_said() {
    let home = Home::new();
    home.ok(&["create", "a", "-q"]);
    let told = home.run(&["create", "a", "--if-not-exists", "--deliver", "file:it's mine", "-q"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stderr.contains("this time nothing was delivered to file:it's mine"), "{told:?}");
    let command = told.stderr.split("by: ").nth(1).unwrap().trim();
    let ran = home.shell(command);
    assert_eq!(ran.code, Some(0), "{command}: {ran:?}");
    assert!(home.works(&home.read("it's mine")));
}

#[test]
fn a_failure_in_json_is_one_object_on_stderr() {
    let home = Home::new();
    home.ok(&["create", "a", "-q"]);
    for format in ["json", "jsonl"] {
        let noisy = home.run(&["rotate", "a", "--deliver", "exec:echo noise; exit 1", "-o", format]);
        assert_eq!(noisy.error()["notes"][0], "echo: noise", "{noisy:?}");
        let none = home.run(&["create", "b", "--deliver", "exec:exit 1", "-o", format]);
        assert!(!none.error().to_string().contains("created b"), "{none:?}");
        let ran = home.run(&due(&["--deliver-map", "none.toml", "-o", format]));
        assert_eq!(ran.error()["code"], "USAGE");
    }
    home.ok(&["create", "c", "--rotate-every", "30d", "-q"]);
    let ran = home.run(&due(&["--deliver", "exec:exit 1", "-o", "json"]));
    assert_eq!((ran.code, &ran.error()["code"]), (Some(11), &"PARTIAL".into()), "{ran:?}");
    let switched = home.run(&["revoke", "a", "nosuch", "-o", "json"]);
    let told = switched.error();
    assert_eq!((switched.code, &told["code"]), (Some(11), &"PARTIAL".into()), "{switched:?}");
    assert!(told["message"].as_str().unwrap().contains("nosuch"));
    assert!(told["notes"][0].as_str().unwrap().starts_with("revoked: a ("), "{told:#}");
    let both = home.run(&["revoke", "nosuch", "nosuch2", "-o", "json"]).error();
    assert_eq!((&both["code"], both["causes"].as_array().unwrap().len()), (&"NOT_FOUND".into(), 2), "{both:#}");

    // Where all went well, what was said is said.
    let fine = home.run(&["create", "d", "--deliver", "exec:cat > held; echo stored", "-o", "json"]);
    assert!(fine.code == Some(0) && fine.stderr.contains("stored") && fine.stderr.contains("created d"), "{fine:?}");
    // A first command that is refused has made no vault, and speaks of none.
    let first = Home::new();
    let told = first.run(&["create", "a", "--deliver", "file:nodir/x", "-o", "json"]).error();
    assert_eq!(told["notes"], serde_json::json!([]), "{told:#}");
    assert!(first.find("keystore.db").is_none());
}

#[test]
fn a_key_is_created_when_it_is() {
    let home = Home::new();
    home.ok(&["init"]);
    let failed = home.run(&["create", "a", "--deliver", "exec:cat > held; exit 1"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(!failed.stderr.contains("created a") && failed.stderr.contains("no key was made"), "{failed:?}");
    let made = home.run(&["create", "a", "--deliver", "file:key"]);
    assert!(made.stderr.contains("created a (key_") && made.stderr.contains("delivered to file:key"), "{made:?}");
}

#[test]
fn an_option_that_a_sink_does_not_have_is_refused() {
    let home = Home::new();
    home.ok(&["create", "a", "-q"]);
    for (sink, says) in [("file:m.key,mod=0600", "no option mod="), ("github-env:PATH", "decides which code")] {
        let refused = home.run(&["rotate", "a", "--deliver", sink]);
        assert!(refused.code == Some(2) && refused.stderr.contains(says), "{refused:?}");
    }
    assert_eq!(secrets_of(&home, "a"), 1);
}

#[test]
fn a_dry_run_says_what_it_would_send() {
    let home = Home::new();
    home.ok(&["create", "a", "-q"]);
    let said = home.run(&["-n", "audit", "checkpoint", "--to", "file:media.checkpoints"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("would send the checkpoint of") && said.stderr.contains("file:media.checkpoints"));
    assert!(!is_there(&home, "media.checkpoints"));
}
