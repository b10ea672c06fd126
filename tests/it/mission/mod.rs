//! The mission: what an administration of API keys has to do, a test a row, through every door that the row has.
//!
//! `docs/mission.md` has the rows; a test here compares it with the tests, the commands and the endpoints that there are.

mod around;
mod facts;
mod life;
mod page;
mod roles;
#[cfg(feature = "ui")]
mod screen;
mod symptoms;
mod verification;

use crate::support::{
    Home, Ran,
    door::{Door, Doors},
    server::Answer,
};
use serde_json::{Value, json};

const ROUTES: &str = "
[[route]]
path = '/read'
scopes = ['a:read']

[[route]]
path = '/write'
scopes = ['a:write']

[[route]]
path = '/production'
environment = 'production'

[[route]]
path = '/customer'
needs_customer = true

[[route]]
path = '/open'
needs_project = false
";

/// A local vault, and a server before another one that was made by the same commands.
struct Mission {
    doors: Doors,
    bearer: String,
}

impl Mission {
    /// With what the lines make on both sides before the server starts.
    fn after(lines: &[&str]) -> Self {
        let doors = Doors::after(
            |home| {
                home.write("routes.toml", ROUTES);
                for line in lines {
                    home.ok(&line.split(' ').collect::<Vec<_>>());
                }
            },
            &["--routes", "routes.toml", "--key-parameter", "api_key", "--usage-interval", "1s"],
        );
        let bearer = format!("Bearer {}", std::fs::read_to_string(&doors.token).unwrap().trim());
        Self { doors, bearer }
    }

    fn new() -> Self {
        Self::after(&[])
    }

    /// The command line, here and through the server.
    fn each(&self, act: impl Fn(&Door<'_>)) {
        act(&self.doors.here());
        act(&self.doors.there());
    }

    /// Plain HTTP, as an administrator of the platform.
    fn http(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.doors.server.send(method, path, &[("Authorization", &self.bearer)], &body)
    }

    /// A key made over HTTP, and its secret.
    fn made(&self, body: &Value) -> (Value, String) {
        let answer = self.http("POST", "/v1/keys", body);
        assert_eq!(answer.status, 201, "{answer:?}");
        let told = answer.json();
        (told["key"].clone(), told["secret"].as_str().unwrap().to_owned())
    }

    /// What a gateway is told of a key at a path: the status, and the code of a refusal.
    fn gate(&self, key: &str, path: &str, more: &[(&str, &str)]) -> (u16, String) {
        let answer = self.authz(key, path, more);
        let code = if answer.status < 400 { Value::Null } else { answer.json()["code"].clone() };
        (answer.status, code.as_str().unwrap_or_default().to_owned())
    }

    fn authz(&self, key: &str, path: &str, more: &[(&str, &str)]) -> Answer {
        let mut headers = vec![("X-API-Key", key), ("X-Original-Method", "GET"), ("X-Original-URI", path)];
        headers.extend(more);
        self.doors.server.get("/v1/authz", &headers)
    }

    /// What a service is told over HTTP.
    fn asked(&self, key: &str, more: &Value) -> Value {
        let mut body = json!({ "key": key });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let answer = self.http("POST", "/v1/verify", &body);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Waits until something holds: a server notes what others did to its vault, and writes what was used, a little later.
    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let began = std::time::Instant::now();
        while !holds() {
            assert!(began.elapsed().as_secs() < 30, "not in time: {what}");
            std::thread::yield_now();
        }
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// A line that has to succeed; what it prints.
fn ok(door: &Door<'_>, line: &str) -> String {
    let ran = run(door, line);
    assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
    ran.stdout.trim_end().to_owned()
}

fn run(door: &Door<'_>, line: &str) -> Ran {
    door.run(&words(line), "")
}

/// The JSON of a line that has to succeed.
fn told(door: &Door<'_>, line: &str) -> Value {
    serde_json::from_str(&ok(door, &format!("-o json {line}"))).unwrap()
}

/// The code that `verify` gives.
fn verdict(door: &Door<'_>, key: &str, line: &str) -> String {
    let mut args = vec!["-o", "json", "verify", "-"];
    args.extend(line.split_whitespace());
    let ran = door.run(&args, key);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{line}: {ran:?}"));
    told["code"].as_str().unwrap().to_owned()
}

fn names(list: &Value) -> Vec<String> {
    list["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

/// A client of the same server with the credential of an operator of a role.
struct As<'a> {
    mission: &'a Mission,
    home: Home,
    bearer: String,
}

impl<'a> As<'a> {
    fn role(mission: &'a Mission, role: &str) -> Self {
        let home = Home::new();
        let line = format!("operators create {role} --role {role} --bind default");
        let line = if role == "platform-admin" { line.replace(" --bind default", "") } else { line };
        let token = ok(&mission.doors.there(), &line);
        home.private("token", &token);
        Self { mission, home, bearer: format!("Bearer {token}") }
    }

    fn run(&self, line: &str, stdin: &str) -> Ran {
        let variables = [("KEYWARD_SERVER", self.mission.doors.server.url.as_str()), ("KEYWARD_TOKEN_FILE", "token")];
        self.home.run_with_in(&words(line), stdin, &variables)
    }

    fn may(&self, line: &str) -> String {
        let ran = self.run(line, "");
        assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
        ran.stdout.trim_end().to_owned()
    }

    fn may_not(&self, line: &str) {
        let ran = self.run(line, "");
        assert_eq!(ran.code, Some(5), "{line}: {ran:?}");
    }

    fn status(&self, method: &str, path: &str, body: &Value) -> u16 {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.mission.doors.server.send(method, path, &[("Authorization", &self.bearer)], &body).status
    }
}
