//! `/v1/authz`, `/v1/validate` and `/v1/projects`: for gateways and for whoever holds a key; with a real nginx.

use crate::support::{
    Home,
    server::{Answer, Served},
};
use nix::sys::signal::Signal;
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const ROUTES: &str = "
[[route]]
methods = ['GET']
path = '/invoices/**'
scopes = ['invoices:read']
environment = 'production'

[[route]]
path = '/invoices/**'
scopes = ['invoices:write']
environment = 'production'

[[route]]
path = '/limited'
needs_project = false
";

struct Site {
    home: Home,
    key: String,
    limited: String,
    routes: PathBuf,
}

impl Site {
    fn new() -> Self {
        let home = Home::new();
        home.ok(&["projects", "create", "apollo"]);
        home.ok(&["projects", "create", "gemini"]);
        let key =
            home.ok(&["create", "sync", "--env", "production", "--scope", "invoices:read", "--project", "apollo"]);
        let limited = home.ok(&["create", "limited", "--env", "production", "--rate-limit", "2/h"]);
        let routes = home.path().join("routes.toml");
        std::fs::write(&routes, ROUTES).unwrap();
        Self { home, key, limited, routes }
    }

    fn serve(&self, args: &[&str]) -> Served {
        let mut all = vec!["--routes", self.routes.to_str().unwrap()];
        all.extend(args);
        Served::start(&self.home, &all)
    }
}

fn gate(server: &Served, key: &str, method: &str, path: &str, more: &[(&str, &str)]) -> Answer {
    let mut headers = vec![("X-API-Key", key), ("X-Original-Method", method), ("X-Original-URI", path)];
    headers.extend(more);
    server.get("/v1/authz", &headers)
}

#[test]
fn the_route_table_decides_and_the_upstream_is_told_who_calls() {
    let site = Site::new();
    let server = site.serve(&[]);
    let allowed = gate(&server, &site.key, "GET", "/invoices/7?page=1", &[]);
    assert_eq!((allowed.status, allowed.body.as_str()), (204, ""), "{allowed:?}");
    assert_eq!(allowed.header("x-keyward-workspace"), Some("default"));
    assert_eq!(allowed.header("x-keyward-project"), Some("apollo"));
    assert_eq!(allowed.header("x-keyward-scopes"), Some("invoices:read"));
    assert!(allowed.header("x-keyward-key-id").unwrap().starts_with("key_"));
    let denied = gate(&server, &site.key, "POST", "/invoices/7", &[]);
    assert_eq!((denied.status, denied.json()["code"].as_str()), (403, Some("INSUFFICIENT_SCOPE")));
    assert!(denied.json()["detail"].as_str().unwrap().contains("invoices:write"), "{denied:?}");
    assert_eq!(gate(&server, &site.key, "GET", "/elsewhere", &[]).status, 403);
    assert_eq!(gate(&server, &site.key, "GET", "/invoices/../admin", &[]).status, 400);
    let other = gate(&server, &site.key, "GET", "/invoices/7", &[("X-Project-ID", "gemini")]);
    assert_eq!((other.status, other.json()["code"].as_str()), (403, Some("WRONG_PROJECT")));
    let wide = gate(&server, &site.limited, "GET", "/invoices/7", &[]);
    assert_eq!((wide.status, wide.json()["code"].as_str()), (400, Some("PROJECT_REQUIRED")));
    // Envoy sends the method and the path themselves, and takes 200 alone for a yes.
    assert_eq!(server.send("GET", "/v1/authz/invoices/7", &[("X-API-Key", &site.key)], "").status, 200);
    assert_eq!(server.send("POST", "/v1/authz/invoices/7", &[("X-API-Key", &site.key)], "").status, 403);
}

#[test]
fn a_caller_cannot_choose_the_route_it_is_judged_by() {
    let site = Site::new();
    let server = site.serve(&[]);
    let two = gate(&server, &site.key, "GET", "/invoices/7", &[("X-Forwarded-Uri", "/limited")]);
    assert_eq!(two.status, 400, "{two:?}");
    let twice = gate(&server, &site.key, "GET", "/invoices/7", &[("X-Original-URI", "/limited")]);
    assert_eq!(twice.status, 400, "{twice:?}");
    assert_eq!(server.get("/v1/authz", &[("X-API-Key", &site.key)]).status, 400);
}

#[test]
fn outsiders_get_one_answer_whatever_is_wrong() {
    let site = Site::new();
    for (name, action) in [("off", "deactivate"), ("cut", "revoke")] {
        site.home.ok(&["create", name, "--env", "production"]);
        site.home.ok(&[action, name, "--yes"]);
    }
    let off = site.home.ok(&["create", "off2", "--env", "production"]);
    site.home.ok(&["deactivate", "off2"]);
    let cut = site.home.ok(&["create", "cut2", "--env", "production"]);
    site.home.ok(&["revoke", "cut2", "--yes"]);
    let elsewhere = site.home.ok(&["create", "stg", "--env", "staging", "--scope", "invoices:read"]);
    let server = site.serve(&[]);
    let answers: Vec<_> = ["", "nonsense", &off, &cut, &elsewhere]
        .map(|key| gate(&server, key, "GET", "/invoices/7", &[("X-Project-ID", "apollo")]))
        .into_iter()
        .map(|answer| {
            let headers: Vec<_> = answer.headers.into_iter().filter(|(name, _)| name != "date").collect();
            (answer.status, answer.body, headers)
        })
        .collect();
    assert_eq!(answers[0].0, 401);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[test]
fn a_holder_asks_about_its_own_key() {
    let site = Site::new();
    let server = site.serve(&["--env", "production", "--key-parameter", "api_key"]);
    let bearer = format!("Bearer {}", site.key);
    let valid = server.send("POST", "/v1/validate", &[("Authorization", &bearer)], "");
    assert_eq!((valid.status, valid.json()["project"].as_str()), (200, Some("apollo")), "{valid:?}");
    let both = [("Authorization", bearer.as_str()), ("X-API-Key", site.limited.as_str())];
    assert_eq!(server.send("POST", "/v1/validate", &both, "").status, 401, "two different keys are none");
    let names = |key: &str| -> Vec<String> {
        let answer = server.get("/v1/projects", &[("X-API-Key", key)]).json();
        answer["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&site.key), ["apollo"]);
    assert_eq!(names(&site.limited), ["apollo", "gemini"]);
    let in_query = server.send("POST", &format!("/v1/validate?api_key={}", site.key), &[], "");
    assert_eq!(in_query.status, 200);
    let strict = site.serve(&["--env", "staging"]);
    assert_eq!(strict.send("POST", "/v1/validate", &[("X-API-Key", &site.key)], "").status, 401);
    assert_eq!(strict.send("POST", &format!("/v1/validate?api_key={}", site.key), &[], "").status, 401);
}

#[test]
fn an_address_has_a_limit_of_its_own() {
    let site = Site::new();
    let server = site.serve(&["--address-limit", "3/m", "--trust-proxy", "127.0.0.1/32"]);
    let from = |ip: &str, key: &str| gate(&server, key, "GET", "/invoices/7", &[("X-Forwarded-For", ip)]).status;
    for _ in 0..3 {
        assert_eq!(from("192.0.2.1", "kw_guess"), 401);
    }
    assert_eq!(from("192.0.2.1", &site.key), 429);
    assert_eq!(from("192.0.2.2", &site.key), 204);
    assert_eq!(from("10.0.0.1, nonsense", &site.key), 400, "fails closed");
    assert_eq!(["2001:db8::1", "2001:db8::2", "2001:db8::3"].map(|ip| from(ip, &site.key)), [204; 3]);
    assert_eq!(from("2001:db8::4", &site.key), 429);
}

/// An upstream that answers every request with the headers it got.
fn upstream() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || echo(stream));
        }
    });
    port
}

fn echo(mut stream: TcpStream) {
    let mut request = Vec::new();
    let mut byte = [0u8; 1];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return,
        }
    }
    let length = request.len();
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    // A proxy that hangs up early is no concern of an upstream.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&request));
}

struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM lets the master end its workers too; it may have ended already.
        let _ =
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// nginx with the snippet of the README in front of the upstream, on a socket of its own.
fn nginx(site: &Site, server: &Served) -> Option<(Nginx, PathBuf)> {
    let binary = ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|path| std::path::Path::new(path).exists())?;
    let dir = site.home.path().join("nginx");
    std::fs::create_dir_all(dir.join("t")).unwrap();
    let socket = dir.join("s");
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let snippet = readme.split("```nginx\n").nth(1).unwrap().split("```").next().unwrap();
    let snippet = snippet
        .replace("127.0.0.1:8787", server.authority())
        .replace("127.0.0.1:9000", &format!("127.0.0.1:{}", upstream()))
        // A client over a socket has no address, which a server that is bound to the truth does not accept.
        .replace("$remote_addr", "192.0.2.5")
        .replace("listen 80;", &format!("listen unix:{};", socket.display()));
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/t/{kind};", dir.display()))
        .concat();
    let config = format!(
        "daemon off; pid {0}/pid; error_log {0}/error.log; worker_processes 1; {1}\nevents {{}}\nhttp {{ access_log off; {temporary}\n{snippet}\n}}\n",
        dir.display(),
        if nix::unistd::geteuid().is_root() { "user root;" } else { "" },
    );
    std::fs::write(dir.join("nginx.conf"), config).unwrap();
    let child = Command::new(binary)
        .args(["-e", dir.join("error.log").to_str().unwrap(), "-c", dir.join("nginx.conf").to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut nginx = Nginx(child);
    let began = Instant::now();
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        if nginx.0.try_wait().unwrap().is_some() || began.elapsed() > Duration::from_secs(20) {
            panic!("nginx: {}", std::fs::read_to_string(dir.join("error.log")).unwrap_or_default());
        }
        std::thread::yield_now();
    }
    Some((nginx, socket))
}

fn through(socket: &std::path::Path, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n");
    headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
    text.push_str("\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("{answer:?}")).parse().unwrap();
    (status, answer)
}

#[test]
fn a_real_nginx_lets_through_what_may_pass() {
    let site = Site::new();
    let server = site.serve(&["--trust-proxy", "127.0.0.1/32"]);
    let Some((_nginx, socket)) = nginx(&site, &server) else {
        eprintln!("SKIPPED: nginx is not installed");
        return;
    };
    let key = [("X-API-Key", site.key.as_str())];
    let forged = [("X-API-Key", site.key.as_str()), ("X-Keyward-Project", "forged"), ("X-Forwarded-For", "6.6.6.6")];
    let (status, answer) = through(&socket, "GET", "/invoices/7", &forged);
    assert_eq!(status, 200, "{answer}");
    let lower = answer.to_ascii_lowercase();
    assert!(lower.contains("x-keyward-project: apollo") && !lower.contains("forged"), "{answer}");
    assert!(lower.contains("x-keyward-key-id: key_"), "{answer}");
    assert!(!answer.contains(&site.key), "the upstream needs no key: {answer}");
    assert_eq!(through(&socket, "POST", "/invoices/7", &key).0, 403);
    assert_eq!(through(&socket, "GET", "/invoices/7", &[]).0, 401);
    let limited = [("X-API-Key", site.limited.as_str())];
    let statuses = [(); 3].map(|()| through(&socket, "GET", "/limited", &limited).0);
    assert_eq!(statuses, [200, 200, 429]);
    let (status, _) = server.stop(Signal::SIGKILL);
    assert!(!status.success());
    let away = through(&socket, "GET", "/invoices/7", &key).0;
    assert_eq!(away, 503, "a gateway without answers lets nothing through, and calls no key invalid");
}
