//! What a dry run says: that it is one, and nothing that will not be. It changes nothing, so that reading is enough for it.

use crate::support::{Home, Ran, door::Doors};
use serde_json::Value;

fn told(ran: &Ran) -> Value {
    serde_json::from_str(ran.stdout.lines().next().unwrap_or_default())
        .or_else(|_| serde_json::from_str(&ran.stdout))
        .unwrap_or_else(|_| panic!("{ran:?}"))
}

#[test]
fn the_reply_of_a_dry_run_says_so_and_names_no_key_that_there_is_not() {
    let doors = Doors::new();
    for door in [doors.here(), doors.there()] {
        door.home.write("keys.csv", "name\none\ntwo\n");
        door.run(&["-q", "create", "there"], "");
        for line in [
            "create new -n -o json",
            "create new -n -o jsonl",
            "create new -n -o json --deliver file:new.key",
            "create --from keys.csv -n -o jsonl",
        ] {
            let ran = door.run(&line.split(' ').collect::<Vec<_>>(), "");
            let reply = told(&ran);
            assert_eq!((ran.code, &reply["dry_run"]), (Some(0), &true.into()), "{line}: {ran:?}");
            let key = &reply["key"];
            assert_eq!(
                (&key["id"], &key["hint"], &key["secrets"]),
                (&Value::Null, &Value::Null, &serde_json::json!([]))
            );
            assert!(reply["secret"].is_null() && key["name"].is_string(), "{line}: {reply:#}");
        }
        for line in ["rotate there", "update there --owner me", "deactivate there", "delete there --confirm there"] {
            let dry = format!("{line} -n -o json");
            let reply = told(&door.run(&dry.split(' ').collect::<Vec<_>>(), ""));
            assert_eq!(reply["dry_run"], true, "{line}: {reply:#}");
            assert!(reply["key"]["id"].is_string(), "{line}: {reply:#}");
        }
        let real = told(&door.run(&["create", "new", "-o", "json"], ""));
        assert!(real.get("dry_run").is_none() && real["key"]["id"].is_string(), "{real:#}");
    }
}

#[test]
fn a_dry_run_is_no_change_in_read_only_mode() {
    let doors = Doors::new();
    for door in [doors.here(), doors.there()] {
        door.run(&["-q", "create", "there"], "");
        for line in ["create new", "rotate there", "revoke there", "delete there --confirm there"] {
            let line: Vec<&str> = line.split(' ').collect();
            let dry = door.run(&[&["--read-only", "-n"][..], &line].concat(), "");
            assert_eq!(dry.code, Some(0), "{line:?}: {dry:?}");
            let real = door.run(&[&["--read-only"][..], &line].concat(), "");
            assert_eq!(real.code, Some(5), "{line:?}: {real:?}");
        }
    }
    let home = Home::with_vault();
    home.ok(&["--vault", "other", "init"]);
    home.ok(&["--vault", "other", "create", "theirs"]);
    let pulled = home.run(&["--read-only", "pull", "--from", "other", "--dry-run"]);
    assert!(pulled.code == Some(0) && pulled.stdout.contains("theirs"), "{pulled:?}");
    assert_eq!(home.run(&["--read-only", "pull", "--from", "other", "--yes"]).code, Some(5));
}
