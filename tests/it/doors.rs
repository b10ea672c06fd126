//! One contract for both doors: the same command lines against a local vault and through a server in front of a vault of
//! the same starting state, with equal standard output, standard error and exit codes.

use crate::{
    support::{
        Home,
        door::{Door, Doors, Seen},
        server::Served,
    },
    webhooks::Hook,
};
use serde_json::Value;

const KEYS: &[&str] = &[
    "list",
    "list --scope a:raed",
    "projects create apollo --description 'to the moon'",
    "projects create apollo",
    "customers create acme",
    "create sync --env production --scope a:read --project apollo --customer acme --owner o@example.com --label team=x \
     --allow-ip 10.0.0.0/8 --rate-limit 7/m --rotate-every 30d",
    "create sync --env production",
    "create sync --env production --if-not-exists",
    "create sync --env staging --dry-run",
    "create lost --project nowhere",
    "create lost --customer nobody",
    "create once --idempotency-key 'K 1'",
    "create once --idempotency-key 'K 1'",
    "create other --idempotency-key 'K 1'",
    "create past --expires-at 2020-01-01",
    "create forever --no-expiry --rate-limit none",
    "create soon --expires-in 1h",
    "create 'a b/c?d#e%f' --description 'odd % name, ünïcödé'",
    "show 'a b/c?d#e%f'",
    "show sync",
    "show synk",
    "show sync forever nobody",
    "show key_0000",
    "list --sort name",
    "list --expires-within 2h --sort name",
    "list --no-expiry --sort name",
    "list --label team=x --sort -name",
    "list --limit 2 --sort name",
    "list --limit 0",
    "list --name 's*'",
    "list --count",
    "list -q --sort name",
    "list --exit-code --sort name",
    "list --status any --sort status",
    "list --expired --status active",
    "list --expired --status any",
    "list --never-used --older-than 1d --sort name",
    "update sync --add-scope b:write --owner '' --rate-limit none --label team=y",
    "update sync --add-scope b:write",
    "update sync --remove-scope never:there",
    "update sync --remove-ip 192.0.2.0/24 --unset-label never",
    "update sync --label t=w --unset-label t",
    "create sync --env production --if-not-exists --scope z:read --owner somebody --no-expiry",
    "update sync --overlap 2h --dry-run",
    "update sync --overlap 60d",
    "update nobody --owner x",
    "update soon --name sooner --env development",
    "deactivate sync --reason 'maintenance, with ünïcödé'",
    "deactivate sync",
    "activate sync",
    "activate sync nobody",
];

const ROTATIONS: &[&str] = &[
    "rotate sync",
    "rotate sync",
    "rotation list",
    "rotation show sync",
    "rotation show nobody",
    "rotate sync --supersede --now",
    "rotate sync --supersede --idempotency-key R",
    "rotate sync --supersede --idempotency-key R",
    "rotate sync --supersede --now --idempotency-key R",
    "rotate once --idempotency-key R",
    "rotate nobody",
    "rotate once --dry-run",
    "rotate once --stage",
    "rotation show once",
    "rotate once",
    "rotation commit once",
    "rotate once --supersede --stage",
    "rotation abort once",
    "rotation abort once --force",
    "rotation abort once --force",
    "rotate once forever --supersede --overlap 1h",
    "revoke sync sooner --reason 'leaked on the wiki'",
    "activate sync",
    "list --status revoked --sort name",
    "rotate sync --now",
    "delete once --confirm other",
    "delete once --confirm once",
    "delete once --confirm once",
    "create once --idempotency-key 'K 1'",
    "audit list --key sync --action key.update",
    "audit list --key once --env development --action key.delete",
    "list --status any --sort name",
];

const WORKSPACE: &[&str] = &[
    "scopes add c:read --description 'read c'",
    "scopes add c:write --implies c:read",
    "scopes list",
    "scopes show c:read",
    "scopes show d:read",
    "scopes add c:write --description 'write c'",
    "scopes add c:write --implies '' --dry-run",
    "scopes add a:op --implies a:read",
    "create operates --scope a:op",
    "scopes remove a:op --yes",
    "delete operates --confirm operates",
    "scopes remove a:op --yes",
    "scopes remove a:read --yes",
    "scopes remove c:read --yes",
    "scopes close",
    "create strict --scope unheard:of",
    "scopes open",
    "workspaces create acme --plan free",
    "workspaces create acme --plan nosuch",
    "workspaces create spare",
    "--workspace spare scopes add a:read --implies '*'",
    "workspaces delete spare --yes",
    "workspaces create spare",
    "--workspace spare scopes list",
    "workspaces list",
    "workspaces update acme --max-lifetime 30d",
    "--workspace acme create inside --no-expiry",
    "--workspace acme create inside",
    "--workspace acme list",
    "--workspace acme audit list --action key.create",
    "--workspace nowhere list",
    "--workspace nowhere create x",
    "plans create tiny --max-keys 1",
    "plans list",
    "plans delete unlimited --yes",
    "plans delete tiny --yes",
    "projects list",
    "projects show apolo",
    "projects update apollo --description ''",
    "projects update apollo",
    "projects delete apollo --yes",
    "customers list",
    "operators list",
    "operators create deploy --role rotator --expires-in 1d --ceiling a:read --allow-ip 192.0.2.0/24",
    "operators create deploy --role rotator",
    "operators create all --role platform-admin --bind acme",
    "operators rotate deploy --overlap 1h",
    "operators rotate nobody",
    "operators revoke deploy --yes",
    "operators revoke deploy --yes",
    "operators rotate deploy",
    "webhooks list",
    "webhooks add pager https://hooks.example.com/x --event key.expiring --lead 14d --denied-burst 50/5m",
    "webhooks add pager https://hooks.example.com/x",
    "webhooks add other https://hooks.example.com/x --dry-run",
    "webhooks add intern http://10.0.0.7/x",
    "webhooks add nowhere mailto:ops@example.com",
    "webhooks list",
    "webhooks test nobody",
    "webhooks remove pager --dry-run",
    "webhooks remove pager --yes",
    "webhooks remove pager --yes",
    "--read-only webhooks add never https://hooks.example.com/x",
    "--read-only create never",
    "--read-only list --sort name",
];

#[test]
fn both_doors_answer_alike() {
    let doors = Doors::new();
    doors.compare_all(KEYS.iter().chain(ROTATIONS).chain(WORKSPACE).map(|line| ("", *line)));
    assert!(doors.client.find("keystore.db").is_none(), "a client of a server needs no vault");
    doors.behind.ok(&["audit", "verify"]);
    // The trail tells the same story: the same actions on the same targets, with the same ends.
    let door = doors.here();
    let story = |home: &Home| {
        let events = home.json(&["audit", "list"]);
        let tell = |event: &Value| {
            let words = ["action", "target", "outcome"].map(|name| event[name].as_str().unwrap().to_owned());
            format!("{} {}", door.normal(&words.join(" ")), door.normal_json(&event["reason"]))
        };
        events["items"].as_array().unwrap().iter().map(tell).collect::<Vec<_>>()
    };
    let (here, there) = (story(&doors.local), story(&doors.behind));
    for (at, (here, there)) in here.iter().zip(&there).enumerate() {
        assert_eq!(here, there, "event {at}");
    }
    assert_eq!(here.len(), there.len());
}

#[test]
fn webhooks_are_tried_alike() {
    let doors = Doors::new();
    let (takes, fails) = (Hook::new(&["204 No Content"]), Hook::new(&["500 Broken"]));
    let lines = [
        format!("webhooks add takes {} --allow-private", takes.url()),
        format!("webhooks add fails {} --allow-private --event key.overdue", fails.url()),
        "webhooks test takes".to_owned(),
        "webhooks test takes --dry-run".to_owned(),
        "webhooks test fails".to_owned(),
    ];
    doors.compare_all(lines.iter().map(|line| ("", line.as_str())));
}

/// Logins and profiles are kept on this machine: a server that is named changes nothing about them.
#[test]
fn profiles_are_of_this_machine_whichever_the_door() {
    let doors = Doors::new();
    doors.client.ok(&["init"]);
    let url = doors.server.url.as_str();
    let token = std::fs::read_to_string(&doors.token).unwrap();
    // The door of the server names a credential on the command line already: only what asks for none is the same.
    let kept = format!("login {url} --name team");
    doors.compare_all([
        ("", "profile list"),
        ("", "logout"),
        ("", "profile use nobody"),
        ("", "profile remove nobody --yes"),
        (token.as_str(), kept.as_str()),
        ("", "profile list"),
        ("", "profile use team"),
        ("", "profile remove team --yes"),
        ("", "profile list"),
    ]);
}

#[test]
fn files_of_keys_come_into_being_alike() {
    let doors = Doors::new();
    let good = "{\"name\":\"m1\"}\n{\"name\":\"m2\",\"scopes\":[\"a:read\"],\"expires_in\":\"1h\"}\n";
    let wrong = "{\"name\":\"m3\"}\n{\"name\":\"m1\"}\n{\"name\":\"m4\",\"project\":\"nowhere\"}\n";
    let csv = "name,env,labels\nc1,production,team=x;tier=1\nc2,staging,\n";
    doors.compare_all([
        (good, "create --from - --dry-run"),
        (good, "create --from -"),
        (wrong, "create --from -"),
        (good, "create --from - --if-not-exists"),
        (csv, "create --from - --owner ops --out secrets.jsonl"),
        (csv, "create --from - --out secrets.jsonl"),
        ("name\n", "create --from -"),
        ("nonsense", "create --from -"),
        ("", "list --sort name"),
    ]);
    let door = doors.here();
    let secrets = |home: &Home| door.normal(&std::fs::read_to_string(home.path().join("secrets.jsonl")).unwrap());
    assert_eq!(secrets(&doors.local), secrets(&doors.client));
}

/// Keys as a file declares them, and their hygiene. The file, and where secrets go, are where the command is run.
#[test]
fn files_of_declared_keys_are_applied_alike() {
    let doors = Doors::new();
    let file = "[[keys]]\nname = \"mailer\"\nenvironment = \"production\"\nscopes = [\"mail:send\"]\n\
        labels = { team = \"x\" }\ndeliver = [\"file:mailer.key\"]\n\
        [[keys]]\nname = \"reader\"\nowner = \"ana@example.com\"\nactive = false\ndeliver = [\"file:{name}.key\"]\n";
    for home in [&doors.local, &doors.client] {
        std::fs::write(home.path().join("keys.toml"), file).unwrap();
        std::fs::write(
            home.path().join("less.toml"),
            file.split("[[keys]]").take(2).collect::<Vec<_>>().join("[[keys]]"),
        )
        .unwrap();
        std::fs::write(home.path().join("strict.toml"), "[rules.no-owner]\nseverity = \"error\"\n").unwrap();
    }
    doors.compare_all(
        [
            "create old --env production --label team=x --no-expiry --rate-limit none",
            "diff -f keys.toml",
            "apply -f keys.toml --dry-run",
            "apply -f keys.toml --yes",
            "apply -f keys.toml --yes",
            "diff -f keys.toml",
            "diff -f nowhere.toml",
            "apply -f less.toml --prune team=x --yes",
            "apply -f less.toml --prune taem=x --yes",
            "export",
            "export --label team=x -o json",
            "export --owner nobody",
            "check",
            "check --policy strict.toml",
            "check mailer",
            "check nobody",
            "list --sort name",
        ]
        .map(|line| ("", line)),
    );
    for home in [&doors.local, &doors.client] {
        assert!(home.find("mailer.key").is_some() && home.find("reader.key").is_some());
    }
    let secret = std::fs::read_to_string(doors.client.path().join("mailer.key")).unwrap();
    assert_eq!(doors.there().run(&["verify", "-"], &secret).code, Some(0));
    doors.behind.ok(&["audit", "verify"]);
}

#[test]
fn whoever_may_not_change_every_kind_of_thing_applies_no_file() {
    let (behind, client) = (Home::with_vault(), Home::new());
    let operator =
        |name: &str, role: &str| behind.ok(&["operators", "create", name, "--role", role, "--bind", "default"]);
    let (issuer, support, admin) =
        (operator("i", "issuer"), operator("s", "support"), operator("a", "workspace-admin"));
    let server = Served::start(&behind, &[]);
    std::fs::write(client.path().join("keys.toml"), "[[keys]]\nname = \"k\"\ndeliver = [\"file:k.key\"]\n").unwrap();
    let code = |token: &str, args: &[&str]| {
        client.run_in(args, &[("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", token)]).code
    };
    for (token, apply, diff) in [(&issuer, 5, 5), (&support, 5, 10), (&admin, 0, 0)] {
        assert_eq!(code(token, &["apply", "-f", "keys.toml", "--yes"]), Some(apply));
        assert_eq!(code(token, &["diff", "-f", "keys.toml"]), Some(diff));
    }
    for actor in ["i", "s"] {
        let refused = behind.json(&["audit", "--outcome", "refused", "--actor", actor]);
        assert!(refused["page"]["total"].as_u64() > Some(0), "{actor}: {refused}");
    }
}

#[test]
fn sinks_and_probes_run_where_the_command_does() {
    let doors = Doors::new();
    for home in [&doors.local, &doors.client] {
        let map = "[[rule]]\nglob = \"due-*\"\ndeliver = [\"file:{name}.key\"]\nprobe = \"grep -q kw_\"\n";
        std::fs::write(home.path().join("map.toml"), map).unwrap();
    }
    let lines = [
        "create mailer --deliver file:mailer.key --deliver dotenv:app.env#MAILER",
        "create mailer --deliver file:mailer.key",
        "create byid --deliver file:{id}.key",
        "create bad --deliver file:/nowhere/at/all.key",
        "create unsure --deliver file:unsure.key --probe 'exit 1' --probe-tries 1",
        "show unsure",
        "rotate mailer --deliver file:mailer.key --now",
        "rotate mailer --deliver file:mailer.key --probe 'exit 1' --probe-tries 1",
        "rotate mailer --deliver 'exec:cat >got' --now",
        "rotate mailer --deliver 'exec:exit 3' --now --supersede",
        "rotation show mailer",
        "rotate mailer --deliver file:mailer.key --stage --supersede",
        "rotation commit mailer",
        "create due-one --rotate-every 1h",
        "create due-two --rotate-every 1h",
        "create due-out --rotate-every 30d",
        "rotate --due --due-within 2h --yes --max 5 --deliver-map map.toml --dry-run",
        "rotate --due --due-within 2h --yes --max 5 --deliver-map map.toml",
        "rotate --due --due-within 2h --yes --max 5 --deliver-map map.toml --detailed-exitcode",
        "list --sort name",
    ];
    doors.compare_all(lines.map(|line| ("", line)));
    for (home, door) in [(&doors.local, doors.here()), (&doors.client, doors.there())] {
        let id = door.run(&["show", "byid", "--field", "key.id"], "").stdout.trim_end().to_owned();
        for file in ["mailer.key", "due-one.key", "due-two.key", &format!("{id}.key")] {
            let secret = std::fs::read_to_string(home.path().join(file)).unwrap_or_else(|_| panic!("{file}"));
            assert_eq!(door.run(&["verify", "-"], &secret).code, Some(0), "{file}");
        }
        assert!(!home.path().join("due-out.key").exists());
    }
    assert!(doors.behind.find("mailer.key").is_none(), "the server's machine has no part in a delivery");
}

#[test]
fn verdicts_are_the_same() {
    let doors = Doors::new();
    let judged = |door: &Door<'_>| {
        let made = ["create", "judged", "--env", "staging", "--scope", "a:read", "--allow-ip", "192.0.2.0/24"];
        let key = door.run(&made, "").stdout;
        let mut seen: Vec<Seen> = Vec::new();
        for line in [
            "verify -",
            "verify - --env staging --scope a:read --ip 192.0.2.1 --explain",
            "verify - --env production --explain",
            "verify - --scope z:read --explain",
            "verify - --at 2099-01-01 --explain",
            "verify - --at 2020-01-01 --explain",
            "verify - --project p --customer c",
        ] {
            for before in ["", "-o json "] {
                let line = format!("{before}{line}");
                seen.push(door.seen(&line.split(' ').collect::<Vec<_>>(), &key));
            }
        }
        for stranger in ["kw_prod_nothing", "", &key.replace("kw_stg", "kw_dev")] {
            seen.push(door.seen(&["verify", "-", "--explain"], stranger));
        }
        door.run(&["rotate", "judged", "--now"], "");
        seen.push(door.seen(&["verify", "-", "--explain"], &key));
        seen.push(door.seen(&["verify", "-", "--explain", "--at", "2099-01-01"], &key));
        seen
    };
    for (here, there) in judged(&doors.here()).into_iter().zip(judged(&doors.there())) {
        assert_eq!(here, there);
    }
}
