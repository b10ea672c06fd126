//! The action of GitHub and the component of GitLab: their steps are run, by a small runner of ours, against a server.

use crate::support::{
    Home,
    issuer::{Issuer, Pair, REQUEST_WORD},
    server::Served,
};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging")
}

/// A Python that has what the runner needs; without one the test says that it is skipped.
pub(crate) fn python() -> Option<PathBuf> {
    let own = std::env::var_os("KEYWARD_TEST_TOOLS").map(|dir| Path::new(&dir).join("python3"));
    let usable = |python: &PathBuf| {
        Command::new(python).args(["-c", "import yaml"]).output().is_ok_and(|ran| ran.status.success())
    };
    let found = own.into_iter().chain([PathBuf::from("python3")]).find(usable);
    if found.is_none() {
        eprintln!("SKIPPED: no python3 with PyYAML; KEYWARD_TEST_TOOLS names a directory with one");
    }
    found
}

/// A wheel of the binary that is tested, in the home; what makes it needs no network.
fn wheel(home: &Home) -> String {
    let target = "x86_64-unknown-linux-gnu";
    let out = home.path().join("packages");
    fs::create_dir_all(out.join(target)).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_keyward"), out.join(target).join("keyward")).unwrap();
    let made = Command::new("bash").arg(packaging().join("wheel.sh")).env("OUT", &out).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let wheel = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    let wheel = wheel.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "whl")).unwrap();
    wheel.display().to_string()
}

/// A server with two keys that are due, a credential for it, and a job's directory with a map for one of them.
struct Site {
    python: PathBuf,
    wheel: String,
    rotator: String,
    auditor: String,
    server: Served,
    home: Home,
}

impl Site {
    fn new() -> Option<Self> {
        let python = python()?;
        if !cfg!(target_arch = "x86_64") {
            eprintln!("SKIPPED: the wheel is made for x86_64");
            return None;
        }
        let home = Home::with_vault();
        home.ok(&["create", "web", "--env", "production", "--rotate-every", "2s", "--overlap", "1s", "-q"]);
        let [rotator, auditor] = ["rotator", "auditor"]
            .map(|role| home.ok(&["operators", "create", role, "--role", role, "--bind", "default"]));
        let wheel = wheel(&home);
        let server = Served::start_with(&home, &["serve", "--env", "all", "--listen", "127.0.0.1:0"]);
        while home.json(&["list", "--due"])["page"]["total"] != 1 {
            std::thread::yield_now();
        }
        for directory in ["job", "runner"] {
            fs::create_dir(home.path().join(directory)).unwrap();
        }
        let map = format!("[[rule]]\nname = \"web\"\ndeliver = [\"file:{}/web.key\"]\n", home.path().display());
        home.write("job/deliver.toml", &map);
        Some(Self { python, wheel, rotator, auditor, server, home })
    }

    fn run(&self, args: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
        let steps = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/steps.py");
        let mut command = Command::new(&self.python);
        command.arg(steps).args(args).env_clear().current_dir(self.home.path().join("job"));
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.home.path().join("job"));
        command.env("PATH", std::env::var("PATH").unwrap()).envs(variables.iter().copied());
        let ran = command.output().unwrap();
        assert!(ran.stderr.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
        (ran.status.code(), String::from_utf8_lossy(&ran.stdout).into_owned())
    }

    /// Runs an action of GitHub.
    fn action(&self, name: &str, inputs: &[String]) -> (Option<i32>, String) {
        self.action_in(name, inputs, &[])
    }

    /// Runs an action of GitHub in a job with these variables.
    fn action_in(&self, name: &str, inputs: &[String], variables: &[(&str, &str)]) -> (Option<i32>, String) {
        let (action, keeps) = (packaging().join("github").join(name), self.home.path().join("runner"));
        let mut args = vec!["github", action.to_str().unwrap(), keeps.to_str().unwrap()];
        args.extend(inputs.iter().map(String::as_str));
        self.run(&args, variables)
    }

    /// Lets the jobs of an issuer in as rotators, and, for another audience, as auditors.
    fn trusts(&self, issuer: &Issuer, kind: &str, claims: &[&str]) {
        let audiences = [("rotator", self.server.url.clone()), ("auditor", format!("{}/check", self.server.url))];
        for (role, audience) in audiences {
            let args = ["operators", "trust", "add", role, "--role", role, "--bind", "default", "--kind", kind];
            let binding = ["--issuer", issuer.url(), "--audience", &audience];
            self.home.ok(&[&args[..], &binding, claims].concat());
        }
    }

    fn held(&self) -> Option<String> {
        fs::read_to_string(self.home.path().join("web.key")).ok()
    }
}

#[test]
fn the_action_of_github_installs_rotates_and_finds_by_the_token_of_the_job() {
    let Some(site) = Site::new() else { return };
    let issuer = Issuer::start(Pair::ed25519());
    site.trusts(&issuer, "github", &["--claim", "repository_id=7", "--claim", "ref=refs/heads/main"]);
    issuer.runs(&json!({
        "sub": "repo:acme/web:ref:refs/heads/main", "repository": "acme/web", "repository_id": "7", "run_id": "1",
        "ref": "refs/heads/main", "ref_protected": "true",
    }));
    let url = format!("{}/token?api-version=2.0", issuer.url());
    let job = [("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_WORD)];
    let inputs = |more: &[(&str, &str)]| {
        let all = [("package", &*site.wheel), ("server", &site.server.url)];
        all.iter().chain(more).map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    let (code, said) = site.action_in("setup", &inputs(&[]), &job);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("output version={}\n", env!("CARGO_PKG_VERSION"))), "{said}");
    assert!(!site.home.path().join("runner/keyward.token").exists(), "nothing is stored");

    let (code, said) = site.action_in("rotate", &["ticket=OPS-7".to_owned()], &job);
    assert_eq!(code, Some(0), "{said}");
    let secret = site.held().unwrap();
    assert!(!said.contains(&secret) && !said.contains("eyJ"), "{said}");
    assert!(said.contains("output exit-code=0\n"), "{said}");
    assert_eq!(site.home.verdict(&secret, &[]).1, Some(0));
    let report = site.home.read("runner/keyward-rotate.jsonl");
    assert!(report.contains("\"web\"") && !report.contains(&secret), "{report}");
    assert!(site.home.read("runner/summary.md").contains("web"));
    let rotated = site.home.json(&["audit", "list", "--action", "key.rotate"])["items"][0].clone();
    assert_eq!(
        (&rotated["actor"], &rotated["ticket"]),
        (&json!("oidc:repo:acme/web:ref:refs/heads/main"), &json!("OPS-7"))
    );

    // Without an owner, and never used: something is found, the findings are where the step says, and it fails when asked to.
    let audience = format!("{}/check", site.server.url);
    assert_eq!(site.action_in("setup", &inputs(&[("audience", &audience)]), &job).0, Some(0));
    let (code, said) = site.action_in("check", &["severity=note".to_owned()], &job);
    assert_eq!(code, Some(10), "{said}");
    assert!(
        said.contains("left out: github/codeql-action/upload-sarif") && said.contains("output found=true"),
        "{said}"
    );
    let found: serde_json::Value = serde_json::from_str(&site.home.read("runner/keyward.sarif")).unwrap();
    assert_eq!(found["version"], "2.1.0");

    // A credential that is stored all the same is shown instead.
    let (code, said) = site.action_in("setup", &inputs(&[("token", &site.auditor)]), &job);
    assert_eq!(code, Some(0), "{said}");
    let token = site.home.path().join("runner/keyward.token");
    assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    let (code, said) = site.action("check", &["severity=note".to_owned(), "fail=false".to_owned()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains(&site.auditor), "{said}");

    // A job that may not ask for a token is told so before anything is installed.
    let (code, said) = site.action("setup", &inputs(&[]));
    assert!(code == Some(4) && said.contains("id-token: write"), "{said}");
    let (code, said) =
        site.action("setup", &[format!("package={}", site.wheel), "server=https://a\nPATH=/evil".to_owned()]);
    assert_eq!(code, Some(2), "{said}");
}

#[test]
fn the_component_of_gitlab_rotates_and_finds_by_the_token_of_the_job() {
    let Some(site) = Site::new() else { return };
    let issuer = Issuer::start(Pair::p256());
    site.trusts(&issuer, "gitlab", &["--claim", "project_id=8", "--claim", "ref=main"]);
    let token = |audience: &str| {
        issuer.token(&json!({
            "aud": audience, "sub": "project_path:acme/web:ref_type:branch:ref:main", "project_path": "acme/web",
            "project_id": "8", "ref": "main", "ref_protected": "true", "job_id": "9",
        }))
    };
    let (rotates, checks) = (site.server.url.clone(), format!("{}/check", site.server.url));
    let tokens = json!({ &*rotates: token(&rotates), &*checks: token(&checks) }).to_string();
    let component = packaging().join("gitlab/keyward.yml");
    let job = site.home.path().join("job");
    fs::set_permissions(job.join("deliver.toml"), fs::Permissions::from_mode(0o666)).unwrap();
    let run = |name: &str, variables: &[(&str, &str)]| {
        let inputs = [format!("server={}", site.server.url), format!("package={}", site.wheel)];
        let mut args = vec!["gitlab", component.to_str().unwrap(), name, job.to_str().unwrap()];
        args.extend(inputs.iter().map(String::as_str).chain(["severity=note"]));
        site.run(&args, variables)
    };
    let (code, said) = run("keyward-rotate", &[("ID_TOKENS", &tokens)]);
    assert_eq!(code, Some(0), "{said}");
    let secret = site.held().unwrap();
    assert!(said.contains("\"web\"") && !said.contains(&secret) && !said.contains("eyJ"), "{said}");
    let (code, said) = run("keyward-check", &[("ID_TOKENS", &tokens)]);
    assert_eq!(code, Some(10), "{said}");
    assert!(site.home.read("job/keyward.sarif").contains("\"2.1.0\""));
    // A credential that is stored all the same is shown instead.
    let stored = [("KEYWARD_ROTATOR", site.rotator.as_str()), ("KEYWARD_AUDITOR", &site.auditor)];
    assert_eq!(run("keyward-check", &stored).0, Some(10));
}
