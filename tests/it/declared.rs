//! Keys as a file: `export`, `diff` and `apply`.

use crate::support::{Home, Ran, keys::some_keys, terminal::Terminal};
use proptest::{prelude::*, test_runner::Config};
use serde_json::{Value, json};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

const EVIL: &str = "<script>\"'\\🦀";

fn keep(home: &Home, name: &str, text: &str) {
    fs::write(home.path().join(name), text).unwrap();
}

fn kept(home: &Home, name: &str) -> String {
    fs::read_to_string(home.path().join(name)).unwrap()
}

fn apply(home: &Home, more: &[&str]) -> Ran {
    home.run(&[&["apply", "-f", "keys.toml", "--yes", "--deliver", "file:secrets/{id}"][..], more].concat())
}

fn with_places() -> Home {
    let home = Home::with_vault();
    fs::create_dir(home.path().join("secrets")).unwrap();
    home
}

fn steps(plan: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    plan["items"].as_array().unwrap().iter().map(|step| (text(&step["action"]), text(&step["name"]))).collect()
}

fn actions(home: &Home) -> Vec<String> {
    let trail = home.json(&["audit", "list"]);
    trail["items"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect()
}

/// A workspace with every kind of field in use.
fn varied() -> Home {
    let home = with_places();
    home.ok(&["projects", "create", "shop"]);
    home.ok(&["customers", "create", "contoso"]);
    home.ok(&[
        "create",
        "full",
        "--env",
        "production",
        "--owner",
        EVIL,
        "--description",
        "line\nline\tline",
        "--project",
        "shop",
        "--customer",
        "contoso",
        "--scope",
        "a:write",
        "--scope",
        "a:read",
        "--rate-limit",
        "10/30m",
        "--allow-ip",
        "10.0.0.0/8",
        "--allow-ip",
        "2001:db8::/32",
        "--label",
        "team=billing",
        "--label",
        "q\"=x=y",
        "--expires-in",
        "30d",
        "--rotate-every",
        "7d",
        "--overlap",
        "1h",
    ]);
    home.ok(&["create", "bare"]);
    home.ok(&["create", EVIL, "--no-expiry", "--rate-limit", "none"]);
    home.ok(&["create", "off", "--env", "staging"]);
    home.ok(&["deactivate", "off"]);
    home.ok(&["create", "over"]);
    home.ok(&["revoke", "over"]);
    home
}

#[test]
fn what_was_exported_is_no_difference_and_the_file_is_not_touched() {
    let home = varied();
    for (format, file) in [("table", "keys.toml"), ("json", "keys.json")] {
        let text = home.ok(&["-o", format, "export"]);
        assert!(!text.contains(['\u{202e}', '\u{1b}']) && !text.contains("\"over\""), "{text}");
        let text = format!("{text}\n");
        keep(&home, file, &text);
        let ran = home.run(&["diff", "-f", file]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stderr.contains("4 unchanged"), "{}", ran.stderr);
        let before = actions(&home).len();
        assert_eq!(home.run(&["apply", "-f", file]).code, Some(0), "nothing to do needs no confirmation");
        assert_eq!((kept(&home, file), actions(&home).len()), (text, before));
    }
    let billing = home.ok(&["export", "--label", "team=billing"]);
    assert_eq!(billing.matches("[[keys]]").count(), 1, "{billing}");
}

#[test]
fn an_exported_set_is_made_anew_with_new_secrets_in_their_sinks() {
    let old = varied();
    let exported = old.ok(&["export"]);
    let home = with_places();
    home.ok(&["projects", "create", "shop"]);
    home.ok(&["customers", "create", "contoso"]);
    keep(&home, "keys.toml", &exported);
    let ran = apply(&home, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stdout.contains("kw_") && !ran.stderr.contains("kw_"), "{ran:?}");
    assert_eq!(home.ok(&["export"]), exported);
    assert_eq!(home.run(&["diff", "-f", "keys.toml"]).code, Some(0), "nothing is left to plan");
    for key in home.json(&["list"])["items"].as_array().unwrap() {
        let secret = kept(&home, &format!("secrets/{}", key["id"].as_str().unwrap()));
        let (verdict, _) = home.verdict(&secret, &["--env", key["environment"].as_str().unwrap()]);
        assert_eq!(verdict["key_id"], key["id"], "{verdict}");
        assert_ne!(verdict["code"], "UNKNOWN");
    }
    home.ok(&["audit", "verify"]);
}

#[test]
fn a_plan_is_shown_and_carried_out_in_one_transaction() {
    let home = with_places();
    home.ok(&["create", "changed", "--scope", "a:read", "--owner", "alice", "--expires-in", "30d"]);
    home.ok(&["create", "pruned", "--label", "team=x"]);
    home.ok(&["create", "stranger", "--label", "team=y"]);
    let file = "# written by hand\n[[keys]]\nname = \"fresh\"\nenvironment = \"production\"\nexpires_in = \"7d\"\n\n\
                [[keys]]\nname = \"changed\"   # a remark\nscopes = [\"a:read\", \"a:write\"]\nowner = \"bob\"\n";
    keep(&home, "keys.toml", file);
    let diff = home.run(&["-o", "json", "diff", "-f", "keys.toml", "--prune", "team=x"]);
    assert_eq!(diff.code, Some(10), "{diff:?}");
    let plan: Value = serde_json::from_str(&diff.stdout).unwrap();
    assert_eq!(plan["schema"], "keyward.plan/v1");
    let wanted = [("create", "fresh"), ("update", "changed"), ("deactivate", "pruned")];
    assert_eq!(steps(&plan), wanted.map(|(action, name)| (action.to_owned(), name.to_owned())));
    let scopes = plan["items"][1]["changes"].as_array().unwrap().iter().find(|change| change["field"] == "scopes");
    assert_eq!(scopes.unwrap()["to"], json!(["a:read", "a:write"]));

    let prune = ["--prune", "team=x"];
    let shown = apply(&home, &["--prune", "team=x", "--dry-run"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.contains("owner alice → bob"), "{}", shown.stdout);
    assert_eq!(home.json(&["list"])["items"].as_array().unwrap().len(), 3, "a dry run does nothing");
    let unasked = home.run(&["apply", "-f", "keys.toml", "--deliver", "file:secrets/{id}"]);
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);

    let ran = apply(&home, &prune);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(home.json(&["show", "changed"])["key"]["owner"], "bob");
    assert_eq!(home.json(&["show", "pruned"])["key"]["status"], "inactive");
    assert_eq!(home.json(&["show", "stranger"])["key"]["status"], "active");
    assert_eq!(kept(&home, "keys.toml"), file, "comments and order stay");
    let done = actions(&home);
    for action in ["key.create", "key.update", "key.handover", "key.deactivate", "key.deliver"] {
        assert!(done.iter().any(|one| one == action), "{action}: {done:?}");
    }
    assert_eq!(home.run(&["diff", "-f", "keys.toml", "--prune", "team=x"]).code, Some(0));
    home.ok(&["audit", "verify"]);
}

#[test]
fn one_wrong_key_and_nothing_is_done() {
    let home = with_places();
    home.ok(&["create", "there", "--owner", "alice"]);
    let before = actions(&home).len();
    keep(
        &home,
        "keys.toml",
        "[[keys]]\nname = 'there'\nowner = 'bob'\n[[keys]]\nname = 'past'\nexpires_at = 2020-01-01\n",
    );
    let ran = apply(&home, &[]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("past (development)"), "{}", ran.stderr);
    assert_eq!(actions(&home).len(), before);
    assert_eq!(home.json(&["show", "there"])["key"]["owner"], "alice");
    for (file, says) in [
        ("[[keys]]\nname = 'a'\nowneer = 'b'\n", "key 1 (a): unknown field `owneer`"),
        ("[[keys]]\nname = 'a'\n[[keys]]\nname = 'a'\n", "twice"),
        ("[[keys]]\nowner = 'b'\n", "key 1: missing field `name`"),
        ("[[keys]]\nname = 'a'\ncolour = 'b'\n", "`renew_on_rotation`, `self`, `active`, `deliver`"),
        ("[[keys]]\nname = 'a'\nidempotency_key = 'b'\n", "unknown field `idempotency_key`: the name says"),
        ("keys = []\n[[key]]\nname = 'a'\n", "unknown field `key`"),
        ("[[key]]\nname = 'a'\n", "it has no keys: an empty set is written keys = []"),
        ("", "it has no keys"),
        ("{}", "it has no keys"),
        ("{\"keys\": null}", "no list"),
        ("{\"keys\": [{\"name\": \"a\", \"name\": \"b\"}]}", "duplicate field `name`"),
        ("\u{feff}{\"keys\": [{\"name\": \"a\", \"colour\": \"b\"}]}", "key 1 (a): unknown field `colour`"),
        ("schema = 'other/v1'\n", "keyward.keys/v1"),
        ("[[keys]]\nname = 'a'\nsecret = 'x'\n", "unknown field `secret`"),
        ("[[keys]]\nname = 'a'\nproject = 'nowhere'\n", "nowhere"),
        ("[[keys]\n", "not usable"),
        ("{\"keys\": 1}", "no list"),
        ("{\"keys\": [1]}", "key 1: it is no table"),
    ] {
        keep(&home, "keys.toml", file);
        let ran = home.run(&["diff", "-f", "keys.toml"]);
        assert!(matches!(ran.code, Some(2 | 3)) && ran.stdout.is_empty(), "{file}: {ran:?}");
        assert!(ran.stderr.contains(says), "{file}: {}", ran.stderr);
    }
}

/// What a generator that failed leaves before the pipe is no wish to switch every key off.
#[test]
fn only_an_empty_set_that_was_written_down_prunes_everything() {
    let home = with_places();
    home.ok(&["create", "a", "--label", "team=b"]);
    let prune = |text: &str| home.run_with(&["apply", "-f", "-", "--prune", "team=b", "--yes"], text);
    for nothing in ["", "\n", "{}", "schema = \"keyward.keys/v1\"\n", "# nothing\n"] {
        let ran = prune(nothing);
        assert_eq!(ran.code, Some(2), "{nothing:?}: {ran:?}");
        assert_eq!(home.json(&["show", "a"])["key"]["status"], "active", "{nothing:?}");
    }
    for meant in ["keys = []", "{\"keys\": []}"] {
        assert_eq!(prune(meant).code, Some(0), "{meant}");
        assert_eq!(home.json(&["show", "a"])["key"]["status"], "inactive", "{meant}");
        home.ok(&["activate", "a"]);
    }
}

#[test]
fn a_plan_says_what_is_dangerous_in_a_new_key_and_where_its_secret_goes() {
    let home = with_places();
    let secret = "exec:cat > got";
    keep(
        &home,
        "keys.toml",
        &format!(
            "[[keys]]\nname = 'forever'\nno_expiry = true\nrate_limit = 'none'\ndeliver = ['{secret}', 'file:secrets/{{id}}']\n\
             [[keys]]\nname = 'plain'\n"
        ),
    );
    let fact = |plan: &Value, item: usize, field: &str| {
        let changes = plan["items"][item]["changes"].as_array().unwrap().iter();
        changes.filter(|change| change["field"] == field).map(|change| change["to"].clone()).next()
    };
    let plan = home.json_any(&["diff", "-f", "keys.toml"]);
    assert_eq!(fact(&plan, 0, "expires_at"), Some(json!("never")), "{plan}");
    assert_eq!(fact(&plan, 0, "rate_limit"), Some(json!("none")), "{plan}");
    assert_eq!(plan["items"][0]["deliver"], json!([secret, "file:secrets/{id}"]), "{plan}");
    assert_eq!(fact(&plan, 1, "expires_at"), Some(json!("90d (default)")), "{plan}");
    assert_eq!((&plan["items"][1]["deliver"], &plan["items"][1]["outcome"]), (&json!([]), &Value::Null), "{plan}");
    let shown = apply(&home, &["-n"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for told in ["rate_limit none", "expires_at never", "expires_at 90d (default)", "deliver to exec:cat > got, file:"]
    {
        assert!(shown.stdout.contains(told), "{told}: {}", shown.stdout);
    }
    assert!(shown.stdout.contains("deliver to file:secrets/key_"), "{}", shown.stdout);
    home.ok(&["workspaces", "update", "default", "--max-lifetime", "30d"]);
    let plan = home.json_any(&["diff", "-f", "keys.toml"]);
    assert_eq!(fact(&plan, 1, "expires_at"), Some(json!("30d (default)")), "{plan}");
}

/// The plan never promises what the command that carries it out refuses.
#[test]
fn what_would_be_refused_is_blocked_in_the_plan() {
    let home = with_places();
    home.ok(&["create", "there", "--scope", "a:read"]);
    home.ok(&["scopes", "close"]);
    keep(
        &home,
        "keys.toml",
        "[[keys]]\nname = 'past'\nexpires_at = 2020-01-01\n[[keys]]\nname = 'new'\nscopes = ['b:read']\n\
         [[keys]]\nname = 'there'\nscopes = ['a:read', 'c:read']\n[[keys]]\nname = 'fine'\nscopes = ['a:read']\n",
    );
    let plan = home.json_any(&["diff", "-f", "keys.toml"]);
    let told: Vec<_> = plan["items"].as_array().unwrap().iter().map(|step| (&step["action"], &step["why"])).collect();
    let blocked = |at: usize, why: &str| told[at].0 == "blocked" && told[at].1.as_str().unwrap().contains(why);
    assert!(blocked(0, "past"), "{told:?}");
    assert!(blocked(1, "scope 'b:read' is not in the closed") && blocked(2, "scope 'c:read'"), "{told:?}");
    assert_eq!(told[3].0, "create", "{told:?}");
    let ran = apply(&home, &[]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("past (development)") && ran.stderr.contains("b:read"), "{}", ran.stderr);
    keep(&home, "keys.toml", "[[keys]]\nname = 'there'\nscopes = ['a:read', 'c:read']\n[[keys]]\nname = 'fine'\n");
    assert_eq!(apply(&home, &[]).code, Some(2));
    assert_eq!(home.json(&["list"])["page"]["total"], 1, "nothing was done");
}

#[test]
fn what_was_applied_is_told_after_the_deliveries_with_ids_and_outcomes() {
    let home = with_places();
    keep(
        &home,
        "keys.toml",
        "[[keys]]\nname = 'bad'\ndeliver = ['exec:exit 7']\n[[keys]]\nname = 'good'\ndeliver = ['file:secrets/good']\n",
    );
    let ran = home.run(&["-o", "json", "apply", "-f", "keys.toml", "--yes"]);
    assert_eq!(ran.code, Some(12), "{ran:?}");
    let plan: Value = serde_json::from_str(&ran.stdout).unwrap();
    let outcomes = [0, 1].map(|at: usize| plan["items"][at]["outcome"].clone());
    assert_eq!(outcomes, [json!("undelivered"), json!("done")], "{plan}");
    assert_eq!(plan["items"][1]["key_id"], home.json(&["show", "good"])["key"]["id"], "{plan}");
    assert!(plan["items"][0]["what"].as_str().unwrap().contains("not delivered"), "{plan}");
    assert!(ran.stderr.contains("applied 1 of 2 changes") && !ran.stderr.contains("applied 2"), "{}", ran.stderr);
    let again = home.run(&["apply", "-f", "keys.toml", "--yes"]);
    let (arrived, told) = (again.stderr.find("bad ("), again.stderr.find("applied 0 of 1 change"));
    assert!(arrived.is_some() && arrived < told, "{again:?}");
}

#[test]
fn a_secret_needs_a_sink_from_a_file_that_others_cannot_change() {
    let home = with_places();
    keep(&home, "keys.toml", "[[keys]]\nname = 'a'\n");
    let ran = home.run(&["apply", "-f", "keys.toml", "--yes"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.stderr.contains("nothing says where the secret of a"), "{}", ran.stderr);

    let place = home.path().join("secrets/a");
    let file = format!("[[keys]]\nname = 'a'\ndeliver = ['file:{}']\n", place.display());
    keep(&home, "keys.toml", &file);
    let mode = |mode| fs::set_permissions(home.path().join("keys.toml"), Permissions::from_mode(mode)).unwrap();
    mode(0o666);
    for command in ["apply", "diff"] {
        let ran = home.run(&[command, "-f", "keys.toml"]);
        assert_eq!(ran.code, Some(5), "{ran:?}");
        assert!(ran.stderr.contains("others can write to it"), "{}", ran.stderr);
    }
    let piped = home.run_with(&["apply", "-f", "-", "--yes"], &file);
    assert_eq!(piped.code, Some(5), "{piped:?}");
    assert!(home.json(&["list"])["items"].as_array().unwrap().is_empty(), "nothing was minted");
    mode(0o644);
    let ran = home.run(&["apply", "-f", "keys.toml", "--yes"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(home.verdict(&fs::read_to_string(place).unwrap(), &[]).1, Some(0));
}

#[test]
fn what_is_set_at_creation_is_told_and_left() {
    let home = with_places();
    home.ok(&["create", "a", "--expires-in", "30d", "--allow-ip", "10.0.0.0/8"]);
    home.ok(&["create", "gone"]);
    home.ok(&["revoke", "gone"]);
    keep(&home, "keys.toml", "[[keys]]\nname='a'\nno_expiry=true\nowner='x'\n[[keys]]\nname='gone'\n");
    let plan = home.json_any(&["diff", "-f", "keys.toml"]);
    let told: Vec<_> =
        plan["items"].as_array().unwrap().iter().map(|step| step["why"].as_str().unwrap_or("")).collect();
    assert!(told[1].contains("from anywhere") && told[2].contains("expiry is set at creation"), "{told:?}");
    assert!(told[3].contains("revoked"), "{told:?}");
    let ran = apply(&home, &[]);
    assert_eq!(ran.code, Some(11), "{ran:?}");
    let key = &home.json(&["show", "a"])["key"];
    assert_eq!((&key["owner"], key["expires_at"].is_null()), (&json!("x"), false));
    assert_eq!(key["allow_ips"], json!(["10.0.0.0/8"]));
    assert_eq!(apply(&home, &[]).code, Some(11), "nothing but them is left");
}

#[test]
fn a_creation_that_was_interrupted_goes_on() {
    let home = with_places();
    let sink = "exec:test ! -e armed || kill -9 $PPID; cat > got";
    keep(&home, "keys.toml", &format!("[[keys]]\nname = 'a'\ndeliver = ['{sink}']\n"));
    keep(&home, "armed", "");
    let killed = home.run(&["apply", "-f", "keys.toml", "--yes"]);
    assert_eq!(killed.code, None, "{killed:?}");
    fs::remove_file(home.path().join("armed")).unwrap();
    let plan = home.json_any(&["diff", "-f", "keys.toml"]);
    assert_eq!(steps(&plan), [("deliver".to_owned(), "a".to_owned())]);
    let ran = home.run(&["apply", "-f", "keys.toml", "--yes"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(home.verdict(&kept(&home, "got"), &[]).1, Some(0));
    assert_eq!(home.run(&["diff", "-f", "keys.toml"]).code, Some(0));
}

#[test]
fn a_sink_that_fails_leaves_no_key_behind_and_the_others_go_on() {
    let home = with_places();
    keep(
        &home,
        "keys.toml",
        "[[keys]]\nname = 'bad'\ndeliver = ['exec:exit 7']\n[[keys]]\nname = 'good'\ndeliver = ['exec:cat > got']\n",
    );
    let ran = home.run(&["apply", "-f", "keys.toml", "--yes"]);
    assert_eq!(ran.code, Some(12), "{ran:?}");
    assert_eq!(home.verdict(&kept(&home, "got"), &[]).1, Some(0));
    assert_eq!(steps(&home.json_any(&["diff", "-f", "keys.toml"])), [("create".to_owned(), "bad".to_owned())]);
}

#[test]
fn a_plan_that_is_no_longer_the_plan_is_not_carried_out() {
    let home = with_places();
    home.ok(&["create", "a", "--owner", "alice"]);
    keep(&home, "keys.toml", "[[keys]]\nname = 'a'\nowner = 'bob'\n");
    let mut shell = Terminal::open(&home);
    shell.type_line("keyward apply -f keys.toml");
    shell.asked("apply 1 change?");
    home.ok(&["update", "a", "--owner", "carol"]);
    shell.press("", "y");
    assert!(shell.finished(6).contains("have changed since the plan"), "it says why");
    assert_eq!(home.json(&["show", "a"])["key"]["owner"], "carol");
}

#[test]
fn a_support_slot_sees_the_difference_and_changes_nothing() {
    let home = with_places();
    home.ok(&["create", "a", "--owner", "alice", "--label", "t=x"]);
    home.private("pass", "correct horse battery\n");
    home.ok(&["vault", "slots", "add", "--passphrase", "--new-passphrase-file", "pass", "--role", "support"]);
    keep(&home, "keys.toml", "[[keys]]\nname = 'a'\nowner = 'bob'\n[[keys]]\nname = 'b'\n");
    let support = ["--passphrase-file", "pass"];
    let run = |args: &[&str]| home.run(&[&support[..], args].concat());
    assert_eq!(run(&["export"]).code, Some(0));
    assert_eq!(run(&["diff", "-f", "keys.toml"]).code, Some(10));
    let refused = run(&["apply", "-f", "keys.toml", "--yes", "--deliver", "file:secrets/{id}"]);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    keep(&home, "keys.toml", "keys = []\n");
    assert_eq!(run(&["apply", "-f", "keys.toml", "--prune", "t=x", "--yes"]).code, Some(5));
    assert_eq!(home.run(&["apply", "-f", "keys.toml", "--prune", "t=x", "--yes", "--read-only"]).code, Some(5));
    let key = &home.json(&["show", "a"])["key"];
    assert_eq!((&key["owner"], &key["status"]), (&json!("alice"), &json!("active")));
    let trail = home.json(&["audit", "list", "--outcome", "refused"]);
    let told: Vec<_> = trail["items"].as_array().unwrap().iter().map(|e| (&e["action"], &e["source"])).collect();
    assert_eq!(told, [(&json!("key.apply"), &json!("journal")); 2], "{trail}");
}

fn some_set() -> impl Strategy<Value = Vec<Value>> {
    let more = (proptest::option::of(1u32..400), proptest::option::of((2u32..90, any::<bool>())), any::<bool>());
    some_keys(more, 0..6, |key, (days, rotation, active)| {
        key["active"] = json!(active);
        match days {
            Some(days) => key["expires_in"] = json!(format!("{days}d")),
            None => key["no_expiry"] = json!(true),
        }
        if let Some((every, overlap)) = rotation {
            key["rotate_every"] = json!(format!("{every}d"));
            if overlap {
                key["overlap"] = json!("1h");
            }
        }
    })
}

proptest! {
    #![proptest_config(Config { cases: 8, ..Config::default() })]

    /// Any set that can be declared is made, exported, and made again elsewhere: the same set, and nothing left to plan.
    #[test]
    fn any_set_survives_export_and_apply(set in some_set()) {
        let (first, second) = (with_places(), with_places());
        keep(&first, "keys.toml", &json!({ "keys": set }).to_string());
        let ran = apply(&first, &[]);
        prop_assert_eq!(ran.code, Some(0), "{:?}", ran);
        prop_assert_eq!(first.run(&["diff", "-f", "keys.toml"]).code, Some(0));
        let exported = first.ok(&["export"]);
        keep(&second, "keys.toml", &exported);
        let ran = apply(&second, &[]);
        prop_assert_eq!(ran.code, Some(0), "{:?}", ran);
        prop_assert_eq!(second.ok(&["export"]), exported);
        prop_assert_eq!(second.run(&["diff", "-f", "keys.toml"]).code, Some(0));
    }
}
