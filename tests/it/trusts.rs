//! `operators trust`: what a trust must bind a job by, who may add one with what, and that it is kept as operators are.

use crate::support::{Home, Ran, server::Served};
use serde_json::{Value, json};

const GITHUB: &str = "https://token.actions.githubusercontent.com";

fn add(home: &Home, name: &str, line: &str) -> Ran {
    let mut args = vec!["operators", "trust", "add", name];
    args.extend(line.split(' ').filter(|word| !word.is_empty()));
    for (option, value) in [("--role", "rotator"), ("--audience", "https://keys.example.com"), ("--issuer", GITHUB)] {
        if !args.contains(&option) {
            args.extend([option, value]);
        }
    }
    home.run(&args)
}

fn listed(home: &Home) -> Vec<Value> {
    home.json(&["operators", "trust", "list"])["items"].as_array().unwrap().clone()
}

#[test]
fn a_trust_that_would_let_in_others_than_it_is_meant_for_is_refused_with_what_is_missing() {
    let home = Home::with_vault();
    let lab = "--issuer https://gitlab.com";
    for (line, told) in [
        ("--claim repository=acme/web --claim environment=prod", "--claim repository_id=ID"),
        ("--claim sub=repo:acme/web:environment:prod", "--claim repository_id=ID"),
        ("--claim repository_id=acme --claim environment=prod", "which is a number"),
        ("--claim repository_id=7", "--claim environment=NAME"),
        ("--claim repository_id=7 --claim environment=*", "a pattern is for ref alone"),
        ("--claim repository_id=7 --claim ref=[ --claim environment=x", "no pattern"),
        (
            "--claim repository_id=7 --claim ref=refs/heads/main --claim ref_protected=false",
            "--claim ref_protected=true",
        ),
        (&format!("{lab} --claim project_path=acme/web --claim ref=main"), "--claim project_id=ID"),
        (&format!("{lab} --claim project_id=7"), "--claim environment=NAME"),
        (
            &format!("{lab} --claim project_id=7 --claim environment=prod --claim environment_protected=false"),
            "environment_protected",
        ),
        // A code host under an address of its own, and one that is talked away.
        ("--issuer https://git.acme.example --claim repository=acme/web", "--claim repository_id=ID"),
        ("--issuer https://git.acme.example --kind gitlab --claim sub=x", "--claim project_id=ID"),
        ("--kind other --claim sub=x", "--kind github"),
        ("--issuer https://kubernetes.default.svc --claim /kubernetes.io/namespace=shop", "system:serviceaccount:"),
        ("--issuer https://id.acme.example", "--claim sub=SUBJECT"),
        ("--issuer https://id.acme.example --claim aud=x", "--audience"),
        ("--issuer http://id.acme.example --claim sub=x", "plain HTTP"),
        ("--issuer https://user@id.acme.example --claim sub=x", "neither user"),
        ("--issuer https://id.acme.example?x=y --claim sub=x", "neither a query"),
        ("--issuer id.acme.example --claim sub=x", "https://"),
        ("--issuer https://id.acme.example --audience https://id.acme.example/ --claim sub=x", "for somebody else"),
        ("--audience https://github.com/acme --claim repository_id=7 --claim environment=prod", "for somebody else"),
        ("--issuer https://id.acme.example --claim sub=x --token-life 25h", "a day at most"),
        ("--issuer https://id.acme.example --claim sub=x --claim sub=y", "more than one value"),
        ("--role platform-admin --ceiling a:read --issuer https://id.acme.example --claim sub=x", "bound to nothing"),
    ] {
        let ran = add(&home, "ci", line);
        assert_eq!(ran.code, Some(2), "{line}: {ran:?}");
        assert!(ran.stderr.contains(told), "{line}: {ran:?}");
    }
    home.write("jwks.json", r#"{"keys":[{"kty":"oct","kid":"a","k":"c2VjcmV0"}]}"#);
    let ran = add(&home, "ci", "--issuer https://id.acme.example --claim sub=x --jwks jwks.json");
    assert!(ran.code == Some(2) && ran.stderr.contains("no set of public keys"), "{ran:?}");
    assert!(listed(&home).is_empty());
}

#[test]
fn what_binds_a_job_is_kept_shown_and_told_in_the_trail() {
    let home = Home::with_vault();
    for (name, line) in [
        ("env", "--claim repository_id=7 --claim environment=prod"),
        ("tags", "--claim repository_id=7 --claim ref=refs/tags/v* --audience two"),
        ("lab", "--issuer https://gitlab.com --claim project_id=8 --claim environment=prod --allow-ip 10.0.0.0/8"),
        ("pod", "--issuer https://kubernetes.default.svc --claim sub=system:serviceaccount:shop:job --token-life 2h"),
        ("other", "--issuer https://id.acme.example --claim sub=x --role issuer --ceiling a:read --expires-in 30d"),
    ] {
        let ran = add(&home, name, line);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{line}: {ran:?}");
    }
    let all = listed(&home);
    let of = |name: &str| all.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(of("env")["claims"], json!({ "environment": "prod", "repository_id": "7" }));
    assert_eq!(
        of("tags")["claims"]["ref_protected"],
        "true",
        "whoever may push chooses the name of what is not protected"
    );
    assert_eq!(of("lab")["claims"]["environment_protected"], "true");
    assert_eq!((&of("pod")["kind"], &of("pod")["token_life"]), (&json!("kubernetes"), &json!(7_200)));
    assert_eq!((&of("env")["token_life"], &of("env")["expires_at"]), (&json!(3_600), &Value::Null));
    assert_eq!((&of("other")["ceiling"], &of("other")["kind"]), (&json!(["a:read"]), &json!("other")));
    assert!(
        add(&home, "lab2", "--issuer https://gitlab.com --claim project_id=9 --claim ref=main")
            .stderr
            .contains("ref_protected=true")
    );
    // One token must not be able to come as two.
    let both = add(&home, "also", "--claim repository_id=7 --claim ref=refs/heads/main");
    assert!(both.code == Some(6) && both.stderr.contains("'env'") && both.stderr.contains("--audience"), "{both:?}");
    assert_eq!(add(&home, "also", "--claim repository_id=8 --claim environment=prod").code, Some(0));
    let taken = add(&home, "env", "--claim repository_id=9 --claim environment=prod");
    assert!(taken.code == Some(6) && taken.stderr.contains("operators trust remove env"), "{taken:?}");
    let table = home.ok(&["operators", "trust", "list"]);
    assert!(table.contains("repository_id=7") || table.contains("repository_id"), "{table}");
    let unknown = home.run(&["operators", "trust", "remove", "enw", "--yes"]);
    assert!(unknown.code == Some(3) && unknown.stderr.contains("did you mean env?"), "{unknown:?}");
    home.ok(&["operators", "trust", "remove", "env", "--yes", "--reason", "moved"]);
    assert_eq!(listed(&home).len(), 6);
    let trail = |action: &str| home.json(&["audit", "list", "--action", action])["items"].as_array().unwrap().clone();
    assert_eq!(trail("operator.trust").iter().filter(|one| one["outcome"] == "ok").count(), 7);
    let ended = trail("operator.distrust").into_iter().find(|one| one["outcome"] == "ok").unwrap();
    assert_eq!((&ended["changes"]["trust"]["name"], &ended["reason"]), (&json!("env"), &json!("moved")));
    home.ok(&["audit", "verify"]);
}

#[test]
fn trusts_are_backed_up_restored_and_get_new_keys_as_operators_do() {
    let (home, other) = (Home::with_vault(), Home::new());
    home.ok(&["workspaces", "create", "acme"]);
    assert_eq!(add(&home, "ci", "--claim repository_id=7 --claim environment=prod --bind acme").code, Some(0));
    let before = listed(&home);
    home.ok(&["vault", "rekey", "--yes"]);
    assert_eq!(listed(&home), before);
    // A workspace that jobs are let into is in use.
    let used = home.run(&["workspaces", "delete", "acme", "--yes"]);
    assert!(used.code == Some(6) && used.stderr.contains("1 trust"), "{used:?}");
    home.ok(&["vault", "backup", "copy.db"]);
    home.ok(&["operators", "trust", "remove", "ci", "--yes"]);
    assert!(listed(&home).is_empty());
    home.ok(&["vault", "restore", "copy.db", "--force"]);
    assert_eq!(listed(&home), before);
    drop(other);
    home.ok(&["audit", "verify"]);
    home.ok(&["doctor"]);
}

/// In role, workspace, scopes, life and addresses.
#[test]
fn nobody_hands_on_more_than_it_has_by_a_trust_either() {
    let (home, client) = (Home::with_vault(), Home::new());
    home.ok(&["workspaces", "create", "acme"]);
    let args = "operators create admin --role workspace-admin --bind acme --ceiling a:read --allow-ip 127.0.0.0/8 --expires-in 1h";
    let token = home.ok(&args.split(' ').collect::<Vec<_>>());
    let rotator = home.ok(&["operators", "create", "rotator", "--role", "rotator", "--bind", "acme"]);
    let server = Served::start(&home, &[]);
    let run = |token: &str, line: &str| {
        let line = format!(
            "operators trust add ci --issuer {GITHUB} --audience keys --claim repository_id=7 --claim environment=prod {line}"
        );
        let variables = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", token)];
        client.run_in(&line.split(' ').collect::<Vec<_>>(), &variables)
    };
    let own = "--role rotator --bind acme --ceiling a:read --allow-ip 127.0.0.1";
    for wider in [
        "--role platform-admin",
        "--role rotator --platform --ceiling a:read --allow-ip 127.0.0.1",
        "--role rotator --bind default --ceiling a:read --allow-ip 127.0.0.1",
        "--role rotator --bind acme --allow-ip 127.0.0.1",
        "--role rotator --bind acme --ceiling b:read --allow-ip 127.0.0.1",
        "--role rotator --bind acme --ceiling a:read",
        "--role rotator --bind acme --ceiling a:read --allow-ip 0.0.0.0/0",
        &format!("{own} --expires-in 2h"),
    ] {
        let ran = run(&token, wider);
        assert_eq!(ran.code, Some(5), "{wider}: {ran:?}");
    }
    assert_eq!(run(&rotator, own).code, Some(5), "a rotator lets nobody in");
    let private = run(&token, &format!("{own} --kind other").replace(GITHUB, "http://127.0.0.1:1"));
    assert_ne!(private.code, Some(0), "{private:?}");
    let made = run(&token, own);
    assert_eq!(made.code, Some(0), "{made:?}");
    let trust = &listed(&home)[0];
    let admin = home.json(&["operators", "list"])["items"].as_array().unwrap()[0].clone();
    assert_eq!(trust["expires_at"], admin["expires_at"], "it ends with who added it");
    // Another workspace's are not to be seen, nor to be ended.
    let there = home.ok(&["operators", "create", "there", "--role", "workspace-admin", "--bind", "default"]);
    let variables = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", there.as_str())];
    let seen = client.run_in(&["operators", "trust", "list", "-o", "name"], &variables);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), ""), "{seen:?}");
    assert_eq!(client.run_in(&["operators", "trust", "remove", "ci", "--yes"], &variables).code, Some(3));
    // An issuer on the machine of the server is not for who is bound to a workspace to have asked.
    let body = json!({ "name": "inside", "issuer": "http://127.0.0.1:9", "audience": "keys", "claims": { "sub": "x" },
        "role": "rotator", "ceiling": ["a:read"], "allow_ips": ["127.0.0.1"] });
    let bearer = format!("Bearer {token}");
    let refused = server.send("POST", "/v1/trusts", &[("Authorization", &bearer)], &body.to_string());
    assert_eq!((refused.status, &refused.json()["reason"]), (403, &json!("private")), "{refused:?}");
}
