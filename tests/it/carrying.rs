//! Declarations that are carried between a vault and a server, or another vault: by their ids, without secrets, and nothing
//! is overwritten that somebody else has changed.

use crate::support::{Home, Ran, server::Served};
use serde_json::{Value, json};

/// A vault with keys, and a server of another one.
struct Sides {
    here: Home,
    there: Home,
    server: Served,
    token: String,
}

impl Sides {
    fn new() -> Self {
        let here = Home::with_vault();
        here.ok(&["create", "mailer", "--env", "production", "--scope", "mail:send", "--label", "team=a", "-q"]);
        here.ok(&["create", "off", "--owner", "ana", "--no-expiry", "--rate-limit", "none", "-q"]);
        here.ok(&["deactivate", "off"]);
        let there = Home::with_vault();
        let token = there.ok(&["operators", "create", "root", "--role", "platform-admin"]);
        let server = Served::start(&there, &[]);
        Self { here, there, server, token }
    }

    /// `push --to` or `pull --from` the server, as JSON.
    fn carry(&self, way: &str, more: &[&str]) -> (Option<i32>, Value, Ran) {
        let option = if way == "push" { "--to" } else { "--from" };
        let args = [&["-o", "json", way, option, &self.server.url, "--yes"], more].concat();
        let ran = self.here.run_in(&args, &[("KEYWARD_TOKEN", &self.token)]);
        (ran.code, serde_json::from_str(&ran.stdout).unwrap_or(Value::Null), ran)
    }

    fn key(home: &Home, name: &str) -> Value {
        home.json(&["show", name])["key"].clone()
    }
}

fn actions(plan: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    plan["items"].as_array().unwrap().iter().map(|row| (text(&row["name"]), text(&row["action"]))).collect()
}

fn pair(name: &str, action: &str) -> (String, String) {
    (name.to_owned(), action.to_owned())
}

#[test]
fn what_is_pushed_has_its_id_there_no_secret_and_is_already_so_the_next_time() {
    let sides = Sides::new();
    let (code, plan, ran) = sides.carry("push", &["--dry-run"]);
    assert_eq!((code, actions(&plan)), (Some(0), vec![pair("mailer", "create"), pair("off", "create")]), "{ran:?}");
    assert_eq!(sides.there.json(&["list", "--status", "any"])["page"]["total"], 0);

    let (code, plan, ran) = sides.carry("push", &["--reason", "CHG-7"]);
    assert_eq!(code, Some(0), "{ran:?}");
    assert!(plan["items"].as_array().unwrap().iter().all(|row| row["outcome"] == "done"), "{plan:#}");
    assert!(!ran.stdout.contains("kw_") && !ran.stderr.contains("kw_"), "no secret travels: {ran:?}");
    for name in ["mailer", "off"] {
        let (here, there) = (Sides::key(&sides.here, name), Sides::key(&sides.there, name));
        for field in ["id", "name", "environment", "owner", "scopes", "labels", "rate_limit", "status", "expires_at"] {
            assert_eq!(here[field], there[field], "{name} {field}");
        }
        assert_eq!(there["secrets"][0]["state"], "dead", "{there:#}");
    }
    let (code, plan, ran) = sides.carry("push", &[]);
    assert_eq!((code, &plan["items"]), (Some(0), &json!([])), "{ran:?}");
    assert!(ran.stderr.contains("already so: 2 keys"), "{ran:?}");

    // A rotation there gives the key its secret, and is no difference.
    let secret = sides.there.ok(&["-q", "rotate", "mailer"]);
    assert!(sides.there.works(&secret));
    assert!(sides.carry("push", &[]).2.stderr.contains("already so"));

    // Both trails say what went where, and why.
    let event = &sides.here.json(&["audit", "--action", "key.export"])["items"][0];
    assert_eq!((&event["changes"]["to"], &event["reason"]), (&json!(sides.server.url), &json!("CHG-7")), "{event:#}");
    let event = &sides.there.json(&["audit", "--action", "key.apply"])["items"][0];
    assert!(event["changes"]["from"].as_str().unwrap().starts_with("the vault of "), "{event:#}");
    assert_eq!((&event["changes"]["steps"], &event["reason"]), (&json!(2), &json!("CHG-7")));
    for home in [&sides.here, &sides.there] {
        assert_eq!(home.run(&["audit", "verify"]).code, Some(0));
    }
}

#[test]
fn a_fresh_secret_goes_where_somebody_says() {
    let sides = Sides::new();
    let (code, _, ran) = sides.carry("push", &["--deliver", "file:{name}.key", "--env", "production"]);
    assert_eq!(code, Some(0), "{ran:?}");
    let secret = sides.here.read("mailer.key");
    assert!(sides.there.works(&secret) && !sides.here.works(&secret));
    assert_eq!(sides.there.json(&["list", "--status", "any"])["page"]["total"], 1, "only production was carried");
}

#[test]
fn what_both_sides_changed_is_a_conflict_that_somebody_decides() {
    let sides = Sides::new();
    assert_eq!(sides.carry("push", &[]).0, Some(0));
    // One side changed a key: a push carries it there, and leaves what only the other side has changed.
    sides.here.ok(&["update", "mailer", "--owner", "here", "--name", "mailer-2"]);
    sides.there.ok(&["update", "off", "--owner", "there"]);
    let (code, plan, ran) = sides.carry("push", &[]);
    assert_eq!((code, actions(&plan)), (Some(0), vec![pair("mailer", "update")]), "{ran:?}");
    assert!(ran.stderr.contains("left as it is on the other side: off (keyward pull --from"), "{ran:?}");
    assert_eq!(Sides::key(&sides.there, "mailer-2")["owner"], "here");
    let (code, plan, ran) = sides.carry("pull", &[]);
    assert_eq!((code, actions(&plan)), (Some(0), vec![pair("off", "update")]), "{ran:?}");
    assert_eq!(Sides::key(&sides.here, "off")["owner"], "there");

    // Both did.
    sides.here.ok(&["update", "off", "--owner", "one"]);
    sides.there.ok(&["update", "off", "--owner", "two"]);
    sides.here.ok(&["update", "mailer-2", "--description", "waits for the decision"]);
    for way in ["push", "pull"] {
        let (code, plan, ran) = sides.carry(way, &[]);
        assert_eq!(code, Some(6), "{ran:?}");
        let row = plan["items"].as_array().unwrap().iter().find(|row| row["name"] == "off").unwrap();
        assert_eq!((&row["action"], &row["changes"][0]["field"]), (&json!("conflict"), &json!("owner")), "{plan:#}");
        let error = ran.error();
        let hints = error["hints"].to_string();
        assert!(hints.contains("--ours") && hints.contains("--theirs"), "{error:#}");
    }
    assert_eq!(Sides::key(&sides.there, "mailer-2")["description"], Value::Null, "nothing is done while one is open");
    assert_eq!(sides.carry("push", &["--ours"]).0, Some(0));
    assert_eq!(Sides::key(&sides.there, "off")["owner"], "one");
    assert_eq!(Sides::key(&sides.there, "mailer-2")["description"], "waits for the decision");
    sides.here.ok(&["update", "off", "--owner", "three"]);
    sides.there.ok(&["update", "off", "--owner", "four"]);
    assert_eq!(sides.carry("pull", &["--theirs"]).0, Some(0));
    assert_eq!(Sides::key(&sides.here, "off")["owner"], "four");
    assert!(sides.carry("push", &[]).2.stderr.contains("already so: 2 keys"));
}

#[test]
fn a_name_that_another_key_has_is_in_the_way_and_what_was_deleted_there_stays_deleted() {
    let sides = Sides::new();
    sides.there.ok(&["create", "mailer", "--env", "production", "-q"]);
    let (code, plan, ran) = sides.carry("push", &[]);
    assert_eq!(code, Some(6), "{ran:?}");
    let row = plan["items"].as_array().unwrap().iter().find(|row| row["name"] == "mailer").unwrap();
    assert_eq!(row["action"], "conflict", "{plan:#}");
    let holder = Sides::key(&sides.there, "mailer")["id"].as_str().unwrap().to_owned();
    assert!(row["why"].as_str().unwrap().contains(&holder), "{row:#}");
    assert_eq!(sides.carry("push", &["--ours"]).0, Some(6), "no word renames a key");
    assert_eq!(sides.carry("push", &["--theirs"]).0, Some(0));
    assert_eq!(sides.there.json(&["list", "--status", "any"])["page"]["total"], 2);

    sides.there.ok(&["delete", "off", "--confirm", "off"]);
    let (code, plan, ran) = sides.carry("push", &["--owner", "ana"]);
    assert_eq!((code, &plan["items"]), (Some(0), &json!([])), "{ran:?}");
    sides.here.ok(&["update", "off", "--description", "d"]);
    assert_eq!(sides.carry("push", &["--owner", "ana"]).0, Some(6));
}

#[test]
fn a_pull_makes_the_vault_and_another_vault_is_another_side() {
    let sides = Sides::new();
    assert_eq!(sides.carry("push", &[]).0, Some(0));
    let fresh = Home::new();
    let variables = [("KEYWARD_SERVER", sides.server.url.as_str()), ("KEYWARD_TOKEN", sides.token.as_str())];
    // The server that is chosen is the other side where nothing else is named.
    let pulled = fresh.run_in(&["pull", "--yes", "--reason", "a copy to edit"], &variables);
    assert_eq!(pulled.code, Some(0), "{pulled:?}");
    assert_eq!(Sides::key(&fresh, "mailer")["id"], Sides::key(&sides.there, "mailer")["id"]);
    let event = &sides.there.json(&["audit", "--action", "key.export"])["items"][0];
    assert_eq!((&event["actor"], &event["reason"]), (&json!("root"), &json!("a copy to edit")), "{event:#}");

    fresh.ok(&["--vault", "staging", "init"]);
    fresh.ok(&["push", "--to", "./staging", "--yes"]);
    assert_eq!(fresh.json(&["--vault", "staging", "list", "--status", "any"])["page"]["total"], 2);
    assert!(fresh.run(&["push", "--to", "./staging", "--yes"]).stderr.contains("already so"));
    for (args, says) in [
        (&["push", "--yes"][..], "nothing says which server or vault"),
        (&["push", "--to", "./nowhere", "--yes"], "no vault"),
        (&["push", "--to", "nobody", "--yes"], "no profile 'nobody'"),
    ] {
        let ran = fresh.run(args);
        assert!(ran.code != Some(0) && ran.stderr.contains(says), "{args:?}: {ran:?}");
    }
    let twice = fresh.run(&["--server", &sides.server.url, "push", "--to", "./staging"]);
    assert_eq!(twice.code, Some(2), "{twice:?}");

    // What the keys need there is named, with where to make it.
    fresh.ok(&["projects", "create", "shop"]);
    fresh.ok(&["create", "till", "--project", "shop", "-q"]);
    let lacking = fresh.run(&["push", "--to", "./staging", "--yes"]);
    assert_eq!(lacking.code, Some(3), "{lacking:?}");
    assert!(lacking.stderr.contains("keyward --vault ./staging projects create shop"), "{lacking:?}");
}

#[test]
fn whoever_may_only_read_there_pulls_and_does_not_push() {
    let sides = Sides::new();
    assert_eq!(sides.carry("push", &[]).0, Some(0));
    sides.here.ok(&["update", "off", "--owner", "bea"]);
    let reader = sides.there.ok(&["operators", "create", "reader", "--role", "support"]);
    let carry = |args: &[&str]| sides.here.run_in(args, &[("KEYWARD_TOKEN", &reader)]);
    let refused = carry(&["push", "--to", &sides.server.url, "--yes"]);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert_eq!(Sides::key(&sides.there, "off")["owner"], "ana");
    sides.there.ok(&["update", "mailer", "--owner", "cleo"]);
    let pulled = carry(&["pull", "--from", &sides.server.url, "--yes"]);
    assert_eq!(pulled.code, Some(0), "{pulled:?}");
    assert_eq!(Sides::key(&sides.here, "mailer")["owner"], "cleo");
}

/// The one row of a plan about a key.
fn row(plan: &Value, name: &str) -> Value {
    let rows: Vec<&Value> = plan["items"].as_array().unwrap().iter().filter(|row| row["name"] == name).collect();
    assert_eq!(rows.len(), 1, "{plan:#}");
    rows[0].clone()
}

#[test]
fn a_revocation_goes_to_the_other_side_by_somebodys_word_and_never_back() {
    let sides = Sides::new();
    assert_eq!(sides.carry("push", &[]).0, Some(0));
    sides.here.ok(&["revoke", "mailer", "--reason", "leaked"]);
    sides.here.ok(&["update", "off", "--owner", "bea"]);
    let (code, plan, ran) = sides.carry("push", &[]);
    assert_eq!((code, row(&plan, "mailer")["action"].as_str()), (Some(6), Some("conflict")), "{ran:?}");
    assert_eq!(row(&plan, "mailer")["why"], "revoked here, alive on the other side");
    assert_eq!(Sides::key(&sides.there, "off")["owner"], "ana", "nothing is done before somebody decides");
    // Nothing of it is about keys that were not meant.
    assert_eq!(sides.carry("push", &["--owner", "nobody"]).0, Some(0));

    let (code, plan, ran) = sides.carry("push", &["--theirs"]);
    assert_eq!((code, actions(&plan)), (Some(0), vec![pair("off", "update")]), "{ran:?}");
    assert!(ran.stderr.contains("left as it is on the other side: mailer"), "{ran:?}");
    // What is alive there does not come to life here.
    for more in [&[][..], &["--theirs"], &["--ours"]] {
        let (code, plan, ran) = sides.carry("pull", more);
        assert_eq!((code, &plan["items"]), (Some(0), &json!([])), "{ran:?}");
        assert!(ran.stderr.contains("revoked here, alive on the other side: mailer (keyward"), "{ran:?}");
        assert!(ran.stderr.contains("push --to"), "{ran:?}");
        assert_eq!(Sides::key(&sides.here, "mailer")["status"], "revoked");
    }

    let (code, plan, ran) = sides.carry("push", &["--ours", "--dry-run"]);
    assert_eq!((code, actions(&plan)), (Some(0), vec![pair("mailer", "revoke")]), "{ran:?}");
    assert_eq!(Sides::key(&sides.there, "mailer")["status"], "active");
    let (code, plan, ran) = sides.carry("push", &["--ours", "--reason", "leaked there too"]);
    assert_eq!((code, actions(&plan)), (Some(0), vec![pair("mailer", "revoke")]), "{ran:?}");
    assert_eq!(Sides::key(&sides.there, "mailer")["status"], "revoked");
    let event = &sides.there.json(&["audit", "--action", "key.revoke"])["items"][0];
    assert_eq!(event["reason"], "leaked there too", "{event:#}");
    assert!(sides.carry("push", &[]).2.stderr.contains("already so: 1 key"));

    // The other way round: what was revoked there ends here by a pull.
    sides.there.ok(&["revoke", "off"]);
    let (code, _, ran) = sides.carry("push", &["--ours"]);
    assert_eq!(code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("revoked on the other side, alive here: off"), "{ran:?}");
    assert_eq!(Sides::key(&sides.there, "off")["status"], "revoked");
    let (code, plan, ran) = sides.carry("pull", &[]);
    assert_eq!(
        (code, row(&plan, "off")["why"].as_str()),
        (Some(6), Some("revoked on the other side, alive here")),
        "{ran:?}"
    );
    assert_eq!(sides.carry("pull", &["--theirs"]).0, Some(0));
    assert_eq!(Sides::key(&sides.here, "off")["status"], "revoked");
}

#[test]
fn a_key_that_was_deleted_there_holds_up_no_other() {
    let sides = Sides::new();
    assert_eq!(sides.carry("push", &[]).0, Some(0));
    sides.there.ok(&["delete", "off", "--confirm", "off"]);
    sides.here.ok(&["update", "off", "--description", "d"]);
    sides.here.ok(&["update", "mailer", "--description", "d"]);
    let (code, plan, ran) = sides.carry("push", &[]);
    assert_eq!(code, Some(6), "{ran:?}");
    assert_eq!(row(&plan, "off")["why"], "it was changed here, and deleted on the other side");
    let (code, plan, ran) = sides.carry("push", &["--ours"]);
    assert_eq!(code, Some(11), "{ran:?}");
    let off = row(&plan, "off");
    assert_eq!((&off["action"], &off["outcome"]), (&json!("blocked"), &json!("left")), "{plan:#}");
    assert!(off["why"].as_str().unwrap().contains("was deleted"), "{plan:#}");
    assert_eq!(Sides::key(&sides.there, "mailer")["description"], "d", "the rest is done");
    assert_eq!(sides.there.json(&["list", "--status", "any"])["page"]["total"], 1);
}

#[test]
fn what_a_push_advises_is_done_on_the_other_side_and_a_word_is_said_once() {
    let sides = Sides::new();
    assert_eq!(sides.carry("push", &[]).0, Some(0));
    // What the other side demands.
    sides.here.ok(&["create", "new", "-q"]);
    sides.there.ok(&["workspaces", "update", "default", "--require", "owner"]);
    let vault = sides.here.keystore().parent().unwrap().display().to_string();
    for before in [&[][..], &["--vault", &vault]] {
        let args = [before, &["push", "--to", &sides.server.url, "--yes"]].concat();
        let ran = sides.here.run_in(&args, &[("KEYWARD_TOKEN", &sides.token)]);
        assert_eq!(ran.code, Some(5), "{ran:?}");
        let there = format!("keyward --server {} workspaces update default", sides.server.url);
        assert!(ran.stderr.contains(&there) && !ran.stderr.contains("keyward --vault"), "{ran:?}");
    }
    sides.there.ok(&["workspaces", "update", "default", "--require", "none"]);
    sides.here.ok(&["delete", "new", "--confirm", "new"]);

    // Fields and switch of one key are one row, and a hint says each word once.
    sides.here.ok(&["update", "off", "--owner", "here"]);
    sides.there.ok(&["update", "off", "--owner", "there"]);
    sides.there.ok(&["activate", "off"]);
    let (code, plan, ran) = sides.carry("push", &[]);
    assert_eq!(code, Some(6), "{ran:?}");
    let off = row(&plan, "off");
    let fields: Vec<_> = off["changes"].as_array().unwrap().iter().map(|change| change["field"].as_str()).collect();
    assert_eq!(fields, [Some("owner"), Some("active")], "{plan:#}");
    // A taken name is decided by no word for this side: the other word is left.
    sides.here.ok(&["create", "taken", "-q"]);
    sides.there.ok(&["create", "taken", "-q"]);
    let (code, _, ran) = sides.carry("push", &["--ours"]);
    assert_eq!(code, Some(6), "{ran:?}");
    let hints = ran.error()["hints"].to_string();
    assert!(hints.contains("--theirs") && !hints.contains("--ours"), "{hints}");
}
