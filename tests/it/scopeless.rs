//! Keys that are given no scope: what a workspace gives them, what is said of them, and who finds them.

use crate::support::door::Doors;
use serde_json::Value;

#[test]
fn a_workspace_gives_scopes_to_keys_that_are_given_none() {
    let doors = Doors::new();
    for door in [doors.here(), doors.there()] {
        let run = |line: &str| door.run(&line.split(' ').collect::<Vec<_>>(), "");
        let scopes = |name: &str| {
            let shown = run(&format!("show {name} -o json"));
            serde_json::from_str::<Value>(&shown.stdout).unwrap()["key"]["scopes"].clone()
        };
        let bare = run("create bare");
        assert!(bare.code == Some(0) && bare.stderr.contains("no scope was given"), "{bare:?}");
        assert!(bare.stderr.contains("keyward scopes default"), "{bare:?}");
        assert_eq!(run("scopes default -o name").stdout, "");
        let set = run("scopes default b:read a:read --reason policy");
        assert!(set.code == Some(0) && set.stderr.contains("have a:read b:read"), "{set:?}");
        assert_eq!(run("scopes default -o name").stdout, "a:read\nb:read\n");
        let made = run("create usual");
        assert!(made.stderr.contains("scopes by default of the workspace: a:read b:read"), "{made:?}");
        assert_eq!((scopes("usual"), scopes("bare")), (serde_json::json!(["a:read", "b:read"]), serde_json::json!([])));
        assert!(run("create own --scope c:read").stderr.contains("'c:read' is new"));
        assert_eq!(scopes("own"), serde_json::json!(["c:read"]));
        door.home.write("keys.csv", "name,scopes\none,\ntwo,d:read\n");
        assert_eq!(run("create --from keys.csv --out s.jsonl").code, Some(0));
        assert_eq!(
            (scopes("one"), scopes("two")),
            (serde_json::json!(["a:read", "b:read"]), serde_json::json!(["d:read"]))
        );
        // A file declares a key whole: what it leaves out is meant to be nothing, and applying it again changes nothing.
        door.home.write("keys.toml", "[[keys]]\nname = \"declared\"\n");
        assert_eq!(run("apply -f keys.toml --yes --deliver file:{name}.key").code, Some(0));
        assert_eq!((scopes("declared"), run("diff -f keys.toml").code), (serde_json::json!([]), Some(0)));
        let other = run("--workspace nowhere scopes default a:read");
        assert_eq!(other.code, Some(3), "{other:?}");
        assert_eq!(run("scopes default --none").code, Some(0));
        assert!(run("create bare2").stderr.contains("no scope was given"));
        assert_eq!(run("scopes default --reason x").code, Some(2), "looking is recorded nowhere");
        run("scopes close");
        let typo = run("scopes default nosuch:read");
        assert!(typo.code == Some(2) && typo.stderr.contains("closed catalogue"), "{typo:?}");
        run("scopes open");
    }
}

#[test]
fn the_default_is_beneath_what_an_issuer_may_grant() {
    let doors = Doors::new();
    doors.behind.ok(&["scopes", "default", "a:write"]);
    let issuer = doors.behind.ok(&[
        "operators",
        "create",
        "team",
        "--role",
        "issuer",
        "--bind",
        "default",
        "--ceiling",
        "a:read",
    ]);
    let bearer = format!("Bearer {issuer}");
    let post = |body: &str| doors.server.send("POST", "/v1/keys", &[("Authorization", &bearer)], body);
    // A server hears within a second of an operator that was made beside it.
    let mut asked = post("{\"name\": \"x\"}");
    while asked.status == 401 {
        asked = post("{\"name\": \"x\"}");
    }
    assert_eq!(asked.status, 403, "a default is no way round a ceiling");
    assert_eq!(post("{\"name\": \"x\", \"scopes\": [\"a:read\"]}").status, 201);
}

#[test]
fn check_finds_keys_without_scopes() {
    let doors = Doors::new();
    for (door, vault) in [(doors.here(), &doors.local), (doors.there(), &doors.behind)] {
        vault.ok(&["create", "bare", "--owner", "ana"]);
        vault.ok(&["create", "fine", "--owner", "ana", "--scope", "a:read"]);
        let ran = door.run(&["-o", "json", "check"], "");
        let reply: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
        let found: Vec<_> = reply["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["rule"].as_str().unwrap(), one["name"].as_str().unwrap()))
            .collect();
        assert_eq!((ran.code, found), (Some(10), vec![("no-scope", "bare")]));
        let fix = reply["items"][0]["fix"].as_str().unwrap().replace("RESOURCE:LEVEL", "a:read");
        let mended = door.run(&fix.split(' ').skip(1).collect::<Vec<_>>(), "");
        assert_eq!(mended.code, Some(0), "{fix}: {mended:?}");
        assert_eq!(door.run(&["check"], "").code, Some(0));
    }
}

#[test]
fn a_plan_below_the_usual_limit_lowers_it() {
    let doors = Doors::new();
    for (door, vault) in [(doors.here(), &doors.local), (doors.there(), &doors.behind)] {
        vault.ok(&["plans", "create", "small", "--max-rate-limit", "50"]);
        vault.ok(&["workspaces", "update", "default", "--plan", "small"]);
        let made = door.run(&["create", "a", "--scope", "x:read", "-o", "json"], "");
        let reply: Value = serde_json::from_str(&made.stdout).unwrap_or_else(|_| panic!("{made:?}"));
        assert_eq!(reply["key"]["rate_limit"]["limit"], 50, "{reply:#}");
        assert!(made.stderr.contains("50/h") && made.stderr.contains("'small'"), "{made:?}");
        for asked in ["100/h", "100", "none"] {
            assert_eq!(door.run(&["create", "b", "--rate-limit", asked], "").code, Some(5), "{asked} was asked for");
        }
        door.home.write("keys.toml", "[[keys]]\nname = \"d\"\nscopes = [\"x:read\"]\n");
        let applied = door.run(&["apply", "-f", "keys.toml", "--yes", "--deliver", "file:{name}.key"], "");
        assert_eq!(applied.code, Some(0), "{applied:?}");
        assert_eq!(door.run(&["diff", "-f", "keys.toml"], "").code, Some(0), "the usual limit is no difference");
        let again = door.run(&["create", "a", "--scope", "x:read", "--if-not-exists"], "");
        assert!(again.code == Some(0) && !again.stderr.contains("not as asked for"), "{again:?}");
    }
}
