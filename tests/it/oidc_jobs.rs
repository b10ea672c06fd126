//! Jobs as scripts, from an empty home to a rotated and delivered key, with no secret stored anywhere: at GitHub, at GitLab and in a
//! cluster, whose token is renewed on disk meanwhile.

use crate::support::{
    Home, Ran,
    issuer::{Issuer, Pair, REQUEST_WORD},
    server::Served,
};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// A vault with a key, behind a server that trusts what the line says.
fn server(issuer: &Issuer, trust: &str) -> (Home, Served) {
    let home = Home::new();
    home.ok(&["create", "nightly-export", "--env", "production"]);
    let server = Served::start(&home, &[]);
    let line = format!(
        "operators trust add ci --role rotator --bind default --issuer {} --audience {} {trust}",
        issuer.url(),
        server.url
    );
    home.ok(&line.split(' ').collect::<Vec<_>>());
    (home, server)
}

/// Runs a script in an empty home of its own.
fn script(job: &Home, variables: &[(&str, &str)], text: &str) -> Ran {
    let mut command = job.shell_command(&["bash"], &format!("set -eu\n{text}"));
    Ran::of(command.env("CI", "true").envs(variables.iter().copied()).output().unwrap())
}

/// Every file below a directory.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// What a job leaves behind: the delivered key and nothing else that lets anybody in.
fn leaves_nothing(job: &Home, delivered: &str) {
    for path in files(job.path()) {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        assert!(!text.contains("eyJ") && !text.contains("kwop_"), "{}", path.display());
        assert!(path.ends_with(delivered) || !text.contains("kw_prod_"), "{}", path.display());
    }
}

fn rotations(home: &Home) -> Vec<Value> {
    home.json(&["audit", "list", "--action", "key.rotate"])["items"].as_array().unwrap().clone()
}

#[test]
fn a_job_at_github_rotates_a_key_with_nothing_but_the_leave_to_ask_for_a_token() {
    let issuer = Issuer::start(Pair::p256());
    let (home, server) = server(&issuer, "--kind github --claim repository_id=7 --claim environment=production");
    issuer.runs(&json!({
        "sub": "repo:acme/web:environment:production", "repository": "acme/web", "repository_id": "7",
        "environment": "production", "run_id": "42", "run_attempt": "2", "event_name": "schedule",
    }));
    let job = Home::new();
    let url = format!("{}/token?api-version=2.0", issuer.url());
    let variables = [
        ("KEYWARD_SERVER", server.url.as_str()),
        ("KEYWARD_OIDC", "github"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_WORD),
    ];
    let ran = script(
        &job,
        &variables,
        "keyward whoami --field actor\nkeyward rotate nightly-export --supersede --deliver file:export.key\n",
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stdout, "oidc:repo:acme/web:environment:production\n");
    assert_eq!(issuer.given(), 2, "one for each command, however many calls it makes");
    assert!(home.works(job.read("export.key").trim()));
    leaves_nothing(&job, "export.key");
    let rotated = &rotations(&home)[0];
    assert_eq!(rotated["actor"], "oidc:repo:acme/web:environment:production");
    assert!(rotated["ticket"].as_str().unwrap().ends_with("/acme/web/actions/runs/42/attempts/2"), "{rotated}");
    // Without the leave, or with another audience, the job is told what it lacks.
    let none = script(&job, &variables[..2], "keyward list\n");
    assert!(none.code == Some(4) && none.stderr.contains("id-token: write"), "{none:?}");
    let wrong = [("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another")];
    let refused = script(&job, &[&variables[..3], &wrong].concat(), "keyward list\n");
    assert!(refused.code == Some(4) && refused.stderr.contains("id-token: write"), "{refused:?}");
    let other = [("KEYWARD_OIDC_AUDIENCE", "https://other.example.com")];
    let refused = script(&job, &[&variables[..], &other].concat(), "keyward list\n");
    assert!(refused.code == Some(4) && refused.stderr.contains("not for this server alone"), "{refused:?}");
    let host = script(&job, &[("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_OIDC", "gitlab")], "keyward list\n");
    assert!(host.code == Some(2) && host.stderr.contains("KEYWARD_TOKEN"), "{host:?}");
    let socket =
        script(&job, &[("KEYWARD_SERVER", "unix:k.sock"), variables[1], variables[2], variables[3]], "keyward list\n");
    assert!(socket.code == Some(2) && socket.stderr.contains("KEYWARD_OIDC_AUDIENCE"), "{socket:?}");
    let plain = [("ACTIONS_ID_TOKEN_REQUEST_URL", "http://192.0.2.1/token")];
    let plain = script(&job, &[&variables[..], &plain].concat(), "keyward list\n");
    assert!(plain.code == Some(2) && plain.stderr.contains("as GitHub sets it"), "{plain:?}");
    for ran in [none, refused, host, socket, plain] {
        assert!(!ran.stderr.contains("eyJ") && !ran.stderr.contains(REQUEST_WORD), "{ran:?}");
    }
}

#[test]
fn a_job_at_gitlab_rotates_a_key_by_the_token_in_its_variable() {
    let issuer = Issuer::start(Pair::rsa());
    let (home, server) = server(&issuer, "--kind gitlab --claim project_id=8 --claim ref=main");
    let token = issuer.token(&json!({
        "aud": server.url, "sub": "project_path:acme/web:ref_type:branch:ref:main", "project_path": "acme/web",
        "project_id": "8", "ref": "main", "ref_protected": "true", "job_id": "99", "pipeline_source": "schedule",
    }));
    let job = Home::new();
    let variables = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN", token.as_str())];
    let ran = script(&job, &variables, "keyward rotate nightly-export --supersede --deliver file:export.key\n");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(home.works(job.read("export.key").trim()));
    leaves_nothing(&job, "export.key");
    let rotated = &rotations(&home)[0];
    assert_eq!(rotated["actor"], "oidc:project_path:acme/web:ref_type:branch:ref:main");
    assert_eq!(rotated["ticket"], format!("{}/acme/web/-/jobs/99", issuer.url()));
    // A branch that anybody may push is another ref, or is not protected.
    let pushed = issuer.token(&json!({
        "aud": server.url, "sub": "x", "project_id": "8", "ref": "main", "ref_protected": "false",
    }));
    let ran = script(&job, &[variables[0], ("KEYWARD_TOKEN", &pushed)], "keyward list --due\n");
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(!ran.stderr.contains("eyJ"), "{ran:?}");
    // It is no argument, and no login: it would be kept in the history, or beyond its end.
    let ran = job.run(&["--server", &server.url, "rotate", "x", "--reason", &token]);
    assert!(ran.code == Some(2) && !ran.stderr.contains("eyJ"), "{ran:?}");
    let ran = home.run_with(&["login", &server.url], &token);
    assert!(ran.code == Some(2) && ran.stderr.contains("--token-file"), "{ran:?}");
    let told = home.run_with(&["identify", "-"], &token);
    assert!(told.code == Some(3) && told.stderr.contains("oidc:project_path:acme/web"), "{told:?}");
}

/// The kubelet writes a new token into the volume while a command is at work: the next call shows it.
#[test]
fn a_projected_token_that_is_renewed_on_disk_is_read_again_for_each_call() {
    let issuer = Issuer::start(Pair::p256());
    let (home, server) = server(&issuer, "--claim sub=system:serviceaccount:shop:nightly");
    let token = |pod: &str| {
        issuer.token(&json!({
            "aud": [server.url], "sub": "system:serviceaccount:shop:nightly",
            "kubernetes.io": { "namespace": "shop", "pod": { "name": pod } },
        }))
    };
    let job = Home::new();
    // As the kubelet has it: the file is a link into a directory that is replaced as a whole.
    let volume = |name: &str, pod: &str| {
        fs::create_dir(job.path().join(name)).unwrap();
        let path = job.path().join(name).join("token");
        fs::write(&path, token(pod)).unwrap();
        // Root's, and open to all users of the container; another user's has to be closed.
        let mode = if nix::unistd::geteuid().is_root() { 0o644 } else { 0o600 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    volume("one", "nightly-1");
    volume("two", "nightly-2");
    std::os::unix::fs::symlink("one", job.path().join("data")).unwrap();
    std::os::unix::fs::symlink("data/token", job.path().join("token")).unwrap();
    let variables = [("KEYWARD_SERVER", server.url.as_str()), ("KEYWARD_TOKEN_FILE", "token")];
    let ran = script(
        &job,
        &variables,
        "keyward rotate nightly-export --supersede --deliver 'exec:cat >export.key; ln -sfn two next; mv -T next data'\n",
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(home.works(job.read("export.key").trim()));
    let tickets = |action: &str| {
        let trail =
            home.json(&["audit", "list", "--action", action, "--actor", "oidc:system:serviceaccount:shop:nightly"]);
        trail["items"][0]["ticket"].clone()
    };
    assert_eq!(
        (tickets("key.stage"), tickets("key.rotate")),
        (json!("pod shop/nightly-1"), json!("pod shop/nightly-2"))
    );
    // What is renewed into nonsense is told, and nothing goes on with the old one.
    fs::write(job.path().join("two/token"), "").unwrap();
    assert_eq!(script(&job, &variables, "keyward whoami\n").code, Some(2));
}
