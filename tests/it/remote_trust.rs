//! The way to a server: whom a client believes, what is refused before anything is sent, and what is repeated.

use crate::support::{Home, Ran, server::Served};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    thread::JoinHandle,
};

/// A private file with a credential.
fn token_file(home: &Home, token: &str) -> PathBuf {
    let path = home.path().join("token");
    std::fs::write(&path, token).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn through(home: &Home, server: &str, token: &Path, args: &[&str]) -> Ran {
    let mut all = vec!["--server", server, "--token-file", token.to_str().unwrap()];
    all.extend(args);
    home.run(&all)
}

/// A listener that answers each connection with the next of these, and hands back the requests it saw.
fn stranger(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let serve = |answer: String| {
            let (stream, _) = listener.accept().unwrap();
            let heard = request(&stream);
            (&stream).write_all(answer.as_bytes()).unwrap();
            heard
        };
        answers.into_iter().map(serve).collect()
    });
    (url, thread)
}

/// The head and body of a request.
fn request(stream: &TcpStream) -> String {
    let (mut reader, mut head, mut length) = (BufReader::new(stream), String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(("content-length", value)) = line.to_ascii_lowercase().split_once(": ") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

#[test]
fn a_credential_is_shown_to_nobody_who_should_not_see_it() {
    let home = Home::new();
    let token = token_file(&home, "kwop_nothing");
    let plain = through(&home, "http://192.0.2.1:9", &token, &["list"]);
    assert_eq!(plain.code, Some(5), "{plain:?}");
    assert!(plain.stderr.contains("plain HTTP"), "{plain:?}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    nobody.set_nonblocking(true).unwrap();
    assert_eq!(home.run(&["--server", &url, "list"]).code, Some(4), "without a credential nothing is sent");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = through(&home, &url, &token, &["list"]);
    assert_eq!(open.code, Some(5), "{open:?}");
    assert!(open.stderr.contains("chmod 600"), "{open:?}");
    assert!(nobody.accept().is_err());
    assert!(home.find("keystore.db").is_none());
}

#[test]
fn a_redirect_is_not_followed() {
    let home = Home::new();
    let token = token_file(&home, "kwop_nothing");
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("Location: http://{}/v1/keys\r\n", target.local_addr().unwrap());
    let (url, heard) = stranger(vec![answer("307 Temporary Redirect", &to, "")]);
    let moved = through(&home, &url, &token, &["list"]);
    heard.join().unwrap();
    assert_eq!(moved.code, Some(1), "{moved:?}");
    assert!(moved.stderr.contains("redirect"), "{moved:?}");
    target.set_nonblocking(true).unwrap();
    assert!(target.accept().is_err(), "the redirect was followed");
}

#[test]
fn only_what_is_safe_is_repeated() {
    let home = Home::new();
    let token = token_file(&home, "kwop_nothing");
    let busy = || answer("503 Service Unavailable", "", "");
    let empty = r#"{"schema":"keyward.key-list/v1","items":[],"page":{"returned":0,"total":0,"truncated":false}}"#;
    let (url, heard) = stranger(vec![busy(), busy(), answer("200 OK", "", empty)]);
    let listed = through(&home, &url, &token, &["-o", "json", "list"]);
    assert_eq!((listed.code, heard.join().unwrap().len()), (Some(0), 3), "{listed:?}");

    let (url, heard) = stranger(vec![busy()]);
    let created = through(&home, &url, &token, &["create", "once"]);
    assert_eq!(created.code, Some(9), "{created:?}");
    assert!(heard.join().unwrap()[0].starts_with("POST /v1/keys "));

    let (url, heard) = stranger(vec![busy(), busy(), busy(), busy()]);
    let created = through(&home, &url, &token, &["create", "once", "--idempotency-key", "build 7"]);
    assert_eq!(created.code, Some(9), "{created:?}");
    let heard = heard.join().unwrap();
    assert!(heard.iter().all(|one| one.to_ascii_lowercase().contains("\r\nidempotency-key: build%207\r\n")));
    assert!(heard.windows(2).all(|two| two[0] == two[1]), "a repetition is the same request");
}

#[test]
fn what_is_no_server_of_ours_is_told_as_such() {
    let home = Home::new();
    let token = token_file(&home, "kwop_nothing");
    for (status, body, code) in [
        ("200 OK", "<html>hello</html>", 1),
        ("401 Unauthorized", "who are you?", 4),
        ("403 Forbidden", "", 5),
        ("404 Not Found", "", 1),
        ("400 Bad Request", r#"{"code":"KEY_ERROR"}"#, 1),
    ] {
        let (url, heard) = stranger(vec![answer(status, "", body)]);
        let ran = through(&home, &url, &token, &["list"]);
        heard.join().unwrap();
        assert_eq!(ran.code, Some(code), "{status} {ran:?}");
        assert_eq!(ran.stdout, "");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let away = through(&home, &url, &token, &["-o", "json", "list"]);
    assert_eq!(away.code, Some(9), "{away:?}");
    let error: Value = serde_json::from_str(&away.stderr).unwrap();
    assert_eq!((&error["error"]["code"], &error["error"]["retryable"]), (&"UNAVAILABLE".into(), &true.into()));
}

/// A certificate for this machine that nobody knows; `None`, and said so, where there is no `openssl`.
fn certificate(home: &Home) -> Option<(PathBuf, PathBuf)> {
    let (key, certificate) = (home.path().join("tls.key"), home.path().join("tls.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=keyward of this test", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        eprintln!("skipped, for want of openssl: apt-get install openssl");
        return None;
    }
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    Some((key, certificate))
}

#[test]
fn only_a_certificate_that_is_known_is_believed() {
    let home = Home::with_vault();
    let Some((key, certificate)) = certificate(&home) else { return };
    let secret = home.ok(&["operators", "create", "root", "--role", "platform-admin"]);
    let token = token_file(&home, &secret);
    let (key, certificate) = (key.to_str().unwrap(), certificate.to_str().unwrap());
    let server = Served::start(&home, &["--tls-cert", certificate, "--tls-key", key]);
    let port = server.url.rsplit(':').next().unwrap().to_owned();
    let url = format!("https://localhost:{port}");
    let refused = through(&home, &url, &token, &["list"]);
    assert_eq!(refused.code, Some(9), "{refused:?}");
    assert!(refused.stderr.contains("certificate") && refused.stderr.contains("--ca-file"), "{refused:?}");
    let known = through(&home, &url, &token, &["--ca-file", certificate, "-q", "create", "over-tls"]);
    assert_eq!(known.code, Some(0), "{known:?}");
    // The same certificate for another name: somebody in the middle.
    let elsewhere = through(&home, &format!("https://127.0.0.1:{port}"), &token, &["--ca-file", certificate, "list"]);
    assert_eq!(elsewhere.code, Some(9), "{elsewhere:?}");
    let nothing = through(&home, &url, &token, &["--ca-file", key, "list"]);
    assert_eq!(nothing.code, Some(2), "{nothing:?}");
}

/// A proxy may have the server below a path.
#[test]
fn a_server_may_stand_below_a_path() {
    let home = Home::new();
    let token = token_file(&home, "kwop_whatever");
    for end in ["/keys", "/keys/", "/a/keys"] {
        let (url, seen) = stranger(vec![answer("404 Not Found", "", "{}")]);
        through(&home, &format!("{url}{end}"), &token, &["whoami"]);
        let below = end.trim_end_matches('/');
        let heard = seen.join().unwrap();
        assert!(heard[0].starts_with(&format!("GET {below}/v1/whoami HTTP/1.1\r\n")), "{heard:?}");
    }
}
