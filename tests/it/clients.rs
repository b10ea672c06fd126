//! Clients that nobody here wrote: curl, Python's `requests`, and one generated from the OpenAPI document.

use crate::support::{Home, Ran, server::Served, tool};
use std::{path::Path, process::Command};

/// What a program of three dozen lines does with the generated client.
const GENERATED: &str = r#"
import sys
sys.path.insert(0, sys.argv[1])
from keyward_client import AuthenticatedClient
from keyward_client.api.keys import create_key, list_keys, show_key
from keyward_client.api.verdicts import verify
from keyward_client.models import Create, VerifyRequest
client = AuthenticatedClient(base_url=sys.argv[2], token=sys.stdin.read().strip())
made = create_key.sync(client=client, body=Create.from_dict({"name": "sync", "environment": "production", "scopes": ["a:read"]}))
asked = VerifyRequest.from_dict({"key": made.secret, "environment": "production", "scopes": ["a:read"]})
verdict = verify.sync(client=client, body=asked)
assert verdict.valid and verdict.key_id == made.key.id, verdict
assert show_key.sync("sync", client=client).key.owner is None
assert [key.name for key in list_keys.sync(client=client, status="active").items] == ["sync"]
assert show_key.sync("nothing", client=client).code == "NOT_FOUND"
print("done")
"#;

const REQUESTS: &str = r#"
import sys, requests
url, token = sys.argv[1], sys.stdin.read().strip()
session = requests.Session()
session.headers["Authorization"] = "Bearer " + token
made = session.post(url + "/v1/keys", json={"name": "sync"}, headers={"Idempotency-Key": "one"})
assert made.status_code == 201, made.text
again = session.post(url + "/v1/keys", json={"name": "sync"}, headers={"Idempotency-Key": "one"})
assert again.json()["key"]["id"] == made.json()["key"]["id"] and "secret" not in again.json(), again.text
shown = session.get(url + "/v1/keys/sync")
changed = session.patch(url + "/v1/keys/sync", json={"owner": "me"}, headers={"If-Match": shown.headers["ETag"]})
assert changed.json()["key"]["owner"] == "me", changed.text
stale = session.patch(url + "/v1/keys/sync", json={"owner": "you"}, headers={"If-Match": shown.headers["ETag"]})
assert stale.status_code == 412 and stale.json()["code"] == "CONFLICT", stale.text
mine = requests.post(url + "/v1/validate", headers={"X-API-Key": made.json()["secret"]})
assert mine.status_code == 200 and "RateLimit" in mine.headers, mine.headers
print("done")
"#;

fn served() -> (Home, Served, String) {
    let home = Home::with_vault();
    let token = home.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    let server = Served::start(&home, &[]);
    (home, server, token)
}

/// Runs with the credential on standard input, where no other process sees it.
fn run(command: &mut Command, home: &Home, token: &str) -> Ran {
    use std::io::Write;
    let piped = std::process::Stdio::piped;
    command.current_dir(home.path()).stdin(piped()).stdout(piped()).stderr(piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
    Ran::of(child.wait_with_output().unwrap())
}

#[test]
fn curl_manages_keys() {
    let Some(curl) = tool("curl", "nothing: apt-get install curl") else { return };
    let (home, server, token) = served();
    let mut command = Command::new(curl);
    let url = format!("{}/v1/keys", server.url);
    command.args(["-sS", "--fail-with-body", "-K", "-", "-d", r#"{"name":"sync"}"#, &url]);
    let ran = run(&mut command, &home, &format!("header = \"Authorization: Bearer {token}\"\n"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap()["key"]["name"], "sync");
    assert_eq!(home.ok(&["list", "-q"]).lines().count(), 1);
}

#[test]
fn requests_of_python_manages_keys() {
    let Some(python) = tool("python", "requests") else { return };
    if !Command::new(&python).args(["-c", "import requests"]).output().unwrap().status.success() {
        eprintln!("SKIPPED: {} has no requests: pip install requests", python.display());
        return;
    }
    let (home, server, token) = served();
    let ran = run(Command::new(python).args(["-c", REQUESTS, &server.url]), &home, &token);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "done\n"), "{ran:?}");
}

#[test]
fn a_client_generated_from_the_document_manages_keys() {
    let Some(generator) = tool("openapi-python-client", "openapi-python-client") else { return };
    let (home, server, token) = served();
    let tools = generator.parent().unwrap().to_owned();
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let mut command = Command::new(&generator);
    command.args(["generate", "--meta", "none", "--output-path"]);
    command.arg(home.path().join("keyward_client")).arg("--path").arg(document);
    command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", tools.display()));
    let made = run(&mut command, &home, "");
    assert_eq!(made.code, Some(0), "{made:?}");
    let directory = home.path().to_str().unwrap();
    let ran = run(Command::new(tools.join("python")).args(["-c", GENERATED, directory, &server.url]), &home, &token);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "done\n"), "{ran:?}");
}
