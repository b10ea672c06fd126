//! The doors of `serve`: TLS and its renewal, sockets that systemd hands over, readiness, the drain of a stop, limits, and
//! how a request is begun.

use crate::support::{
    Home,
    server::{Answer, Served},
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    path::{Path, PathBuf},
    process::Stdio,
};

fn operator(home: &Home, name: &str, role: &str, args: &[&str]) -> String {
    let mut all = vec!["operators", "create", name, "--role", role];
    all.extend(args);
    format!("Bearer {}", home.ok(&all))
}

/// A certificate for `keyward.test`, written where the server reads it; answers with its PEM.
fn certificate(files: &(PathBuf, PathBuf)) -> String {
    let made = rcgen::generate_simple_self_signed(["keyward.test".to_owned()]).unwrap();
    std::fs::write(&files.0, made.cert.pem()).unwrap();
    std::fs::write(&files.1, made.signing_key.serialize_pem()).unwrap();
    made.cert.pem()
}

/// Whether a client that trusts this certificate alone gets an answer.
fn trusts(server: &Served, pem: &str) -> bool {
    let address: SocketAddr = server.authority().parse().unwrap();
    // The first test to come here installs it for all.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::blocking::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes()).unwrap()])
        .resolve("keyward.test", address)
        .no_proxy()
        .build()
        .unwrap();
    let url = format!("https://keyward.test:{}/healthz", address.port());
    client.get(url).send().is_ok_and(|answer| answer.status() == 200)
}

#[test]
fn a_certificate_is_renewed_while_it_serves_and_a_broken_one_changes_nothing() {
    let home = Home::with_vault();
    home.ok(&["create", "sync"]);
    let files = (home.path().join("cert.pem"), home.path().join("key.pem"));
    let first = certificate(&files);
    let at = |path: &Path| path.to_str().unwrap().to_owned();
    let server = Served::start(&home, &["--tls-cert", &at(&files.0), "--tls-key", &at(&files.1)]);
    assert!(server.url.starts_with("https://"));
    assert!(trusts(&server, &first));
    let second = certificate(&files);
    let hang_up = || kill(Pid::from_raw(i32::try_from(server.pid()).unwrap()), Signal::SIGHUP).unwrap();
    hang_up();
    while !trusts(&server, &second) {
        std::thread::yield_now();
    }
    assert!(!trusts(&server, &first));
    std::fs::write(&files.0, "no certificate").unwrap();
    hang_up();
    let plain = server.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(!plain.contains("200 OK"), "plain HTTP got an answer at a TLS port: {plain:?}");
    assert!(trusts(&server, &second));
    let (status, said) = server.stop(Signal::SIGTERM);
    assert!(status.success() && said.contains("is not usable for TLS"), "{said}");
    let refused =
        home.run(&["serve", "--listen", "127.0.0.1:0", "--tls-cert", &at(&files.0), "--tls-key", &at(&files.1)]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[test]
fn sockets_of_systemd_are_taken_over_and_it_is_told() {
    let home = Home::with_vault();
    home.ok(&["create", "sync"]);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let told = home.path().join("notify");
    let systemd = UnixDatagram::bind(&told).unwrap();
    // A test may not choose descriptors: the shell makes the third one of its standard input.
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg("export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" serve 3<&0 </dev/null");
    let mut child = shell
        .arg(env!("CARGO_BIN_EXE_keyward"))
        .env_clear()
        .env("HOME", home.path())
        .env("NOTIFY_SOCKET", &told)
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let heard = || {
        let mut said = [0; 256];
        let length = systemd.recv(&mut said).unwrap();
        String::from_utf8_lossy(&said[..length]).into_owned()
    };
    assert!(heard().contains("READY=1"));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert!(heard().contains("STOPPING=1"));
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_keystore_that_cannot_be_believed_is_unavailable_and_never_invalid() {
    let home = Home::with_vault();
    let key = home.ok(&["create", "sync"]);
    let bearer = operator(&home, "gateway", "verifier", &[]);
    let server = Served::start(&home, &[]);
    let keystore = rusqlite::Connection::open(home.keystore()).unwrap();
    let signature: Vec<u8> = keystore.query_row("SELECT signature FROM head", [], |row| row.get(0)).unwrap();
    keystore.execute("UPDATE head SET signature = zeroblob(64)", []).unwrap();
    while server.get("/readyz", &[]).status != 503 {
        std::thread::yield_now();
    }
    assert_eq!(server.get("/healthz", &[]).status, 200, "the process is alive");
    let verdict = server.send("POST", "/v1/verify", &[("Authorization", &bearer)], &json!({ "key": key }).to_string());
    assert_eq!((verdict.status, verdict.header("retry-after")), (503, Some("1")), "{verdict:?}");
    assert_eq!(server.send("POST", "/v1/validate", &[("X-API-Key", &key)], "").status, 503);
    assert_eq!(server.get("/v1/authz", &[("X-API-Key", &key)]).status, 503);
    assert!(server.get("/metrics", &[]).body.contains("\nkeyward_keystore_up 0\n"));
    keystore.execute("UPDATE head SET signature = ?1", (signature,)).unwrap();
    while server.get("/readyz", &[]).status != 200 {
        std::thread::yield_now();
    }
    assert_eq!(server.send("POST", "/v1/validate", &[("X-API-Key", &key)], "").status, 200);
}

#[test]
fn a_stop_answers_what_has_begun_and_takes_nothing_new() {
    let home = Home::with_vault();
    let key = home.ok(&["create", "sync"]);
    let bearer = operator(&home, "gateway", "verifier", &[]);
    let server = Served::start(&home, &[]);
    let (address, body) = (server.authority().to_owned(), json!({ "key": key }).to_string());
    let mut begun = TcpStream::connect(&address).unwrap();
    let head = format!(
        "POST /v1/verify HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    begun.write_all(head.as_bytes()).unwrap();
    // The server asks for the body: it has begun to answer.
    let mut asked = [0; 25];
    begun.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    kill(Pid::from_raw(i32::try_from(server.pid()).unwrap()), Signal::SIGTERM).unwrap();
    while TcpStream::connect(&address).is_ok() {
        std::thread::yield_now();
    }
    begun.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    begun.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("200 OK") && answer.contains("VALID"), "{answer}");
    let (status, said) = server.stop(Signal::SIGTERM);
    assert!(status.success(), "{said}");
    assert_eq!(home.json(&["show", "sync"])["key"]["uses"], 1, "and its usage is written");
}

#[test]
fn bodies_have_a_size_and_connections_a_number() {
    let home = Home::with_vault();
    let bearer = operator(&home, "gateway", "verifier", &[]);
    let server = Served::start(&home, &["--max-connections", "3"]);
    let too_large = |answer: &Answer| (answer.status, answer.json()["reason"].as_str().map(str::to_owned));
    let authorised = [("Authorization", bearer.as_str())];
    let large = server.send("POST", "/v1/verify", &authorised, &"x".repeat(70_000));
    assert_eq!(too_large(&large), (413, Some("body_too_large".to_owned())), "{large:?}");
    let chunked = format!(
        "POST /v1/verify HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
         11170\r\n{}\r\n0\r\n\r\n",
        "x".repeat(70_000)
    );
    assert!(server.raw(chunked.as_bytes()).starts_with("HTTP/1.1 413"));

    let connect = || TcpStream::connect(server.authority()).unwrap();
    let ask = |stream: &mut TcpStream| {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).unwrap();
        assert_eq!(&begin, b"HTTP/1.1 200");
    };
    let mut held: Vec<TcpStream> = (0..3).map(|_| connect()).collect();
    held.iter_mut().for_each(ask);
    let mut waiting = connect();
    waiting.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    waiting.set_nonblocking(true).unwrap();
    let mut byte = [0];
    assert!(waiting.read(&mut byte).is_err(), "a fourth connection was served");
    drop(held.pop());
    waiting.set_nonblocking(false).unwrap();
    waiting.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"H", "a place that came free is given on");
}

#[test]
fn a_request_names_one_host() {
    let home = Home::with_vault();
    home.ok(&["create", "sync"]);
    let server = Served::start(&home, &[]);
    for (head, status) in [
        ("GET /healthz HTTP/1.1\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n", 400),
        ("GET /healthz HTTP/1.0\r\nHost: a\r\nHost: b\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", 200),
        ("GET /healthz HTTP/1.0\r\n", 200),
    ] {
        let answer = server.raw(format!("{head}\r\n").as_bytes());
        assert_eq!(answer.split(' ').nth(1), Some(status.to_string().as_str()), "{head:?}: {answer}");
    }
}

#[test]
fn a_probe_asks_whether_a_server_is_ready_where_it_listens() {
    let home = Home::with_vault();
    let files = (home.path().join("cert.pem"), home.path().join("key.pem"));
    certificate(&files);
    let tls = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let socket = format!("unix:{}", crate::support::server::socket(&home).display());
    let served = [Served::start(&home, &[]), Served::start(&home, &tls), {
        Served::start_with(&home, &["serve", "--env", "all", "--listen", &socket])
    }];
    let places = [0, 1].map(|at: usize| served[at].authority().to_owned());
    let asked =
        [vec!["--listen", &places[0]], [&["--listen", &places[1]][..], &tls].concat(), vec!["--listen", &socket]];
    // Whoever asks has no vault, as in a container that is asked from outside of its user.
    let outside = Home::new();
    for args in [&asked[0], &asked[2]] {
        let ran = outside.run(&[&["serve", "--probe"][..], args].concat());
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""), "{args:?}");
    }
    let probe = |args: &[&str]| home.run(&[&["serve", "--probe"][..], args].concat());
    assert_eq!(probe(&asked[1]).code, Some(0), "whatever name the certificate has");
    assert_eq!(probe(&["--listen", &places[1]]).code, Some(9), "plain HTTP at a TLS port");
    for server in served {
        server.stop(Signal::SIGTERM);
    }
    for args in &asked {
        let ran = probe(args);
        assert!(ran.code == Some(9) && ran.stderr.contains("no server is ready at"), "{ran:?}");
    }
    assert_eq!(probe(&["--env", "all"]).code, Some(2), "it would have no effect");
}
