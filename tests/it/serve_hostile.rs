//! Clients that mean harm, or are broken: slow ones, huge ones, requests that two programs would read differently, and
//! forwarded addresses that are none.

use crate::support::{Home, server::Served};
use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// What a server says until it closes.
fn all_of(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_client_that_is_slow_is_cut_off_wherever_it_stops() {
    let home = Home::with_vault();
    let bearer = format!("Bearer {}", home.ok(&["operators", "create", "gateway", "--role", "verifier"]));
    let server = Served::start(&home, &[]);
    let begun = |text: &str| {
        let mut stream = TcpStream::connect(server.authority()).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let body = format!(
        "POST /v1/verify HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nContent-Length: 50\r\n\r\n{{\"key\""
    );
    let stopped = [
        begun(""),
        begun("GET /healthz HT"),
        begun("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "),
        begun("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
        begun(&body),
    ];
    // Each ends by itself: this test waits for the server's own limits.
    let answers = stopped.map(all_of);
    assert!(answers[3].starts_with("HTTP/1.1 200"), "{answers:?}");
    assert!(answers[4].starts_with("HTTP/1.1 408") && answers[4].contains("body_too_slow"), "{answers:?}");
    assert!(answers[..3].iter().all(|answer| !answer.contains("200 OK")), "{answers:?}");
    // A client may hear of the end a moment before it is counted: in the end only the one that asks is open.
    while !server.get("/metrics", &[]).body.contains("keyward_connections 1\n") {
        std::thread::yield_now();
    }
}

/// Shapes by which a proxy in front and the server behind could see different requests. The second request is one that
/// answers 200: it must not be seen.
#[test]
fn requests_that_could_be_read_differently_are_refused() {
    let home = Home::with_vault();
    let (key, other) = (home.ok(&["create", "one"]), home.ok(&["create", "two"]));
    let server = Served::start(&home, &[]);
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let heads = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\r\n: chunked",
        "Transfer-Encoding: \u{b}chunked",
        "X: 1\r\n Transfer-Encoding: chunked",
        "Content-Length\0: 5",
        "X: a\0b",
        "X: a\rb",
    ];
    for head in heads {
        let request = format!("POST /v1/validate HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n0\r\n\r\n{smuggled}");
        let answers = server.raw(request.as_bytes());
        assert!(!answers.contains("200 OK"), "{head:?}: a request was smuggled: {answers}");
    }
    for (line, body) in [
        ("POST /v1/validate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked", "ffffffffffffffffff\r\nx\r\n0\r\n\r\n"),
        ("POST /v1/validate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked", "-1\r\nx\r\n0\r\n\r\n"),
        ("GET /healthz HTTP/3.0\r\nHost: x", ""),
        ("GET  /healthz HTTP/1.1\r\nHost: x", ""),
        ("GET /healthz\tHTTP/1.1\r\nHost: x", ""),
        ("GET /healthz HTTP/1.1 \r\nHost: x", ""),
        ("PRI * HTTP/2.0", "SM\r\n\r\n"),
        ("CONNECT keyward:443 HTTP/1.1\r\nHost: x", ""),
    ] {
        let answers = server.raw(format!("{line}\r\n\r\n{body}").as_bytes());
        assert!(!answers.contains("200 OK"), "{line:?}: {answers}");
    }
    let twice = [("X-API-Key", key.as_str()), ("X-API-Key", &other)];
    assert_eq!(server.send("POST", "/v1/validate", &twice, "").status, 401, "two keys are none");
    let both = [("X-API-Key", key.as_str()), ("Authorization", &format!("Bearer {other}"))];
    assert_eq!(server.send("POST", "/v1/validate", &both, "").status, 401);
    assert_eq!(server.send("POST", "/v1/validate", &[("X-API-Key", &key)], "").status, 200);
}

#[test]
fn a_forwarded_address_that_is_none_is_refused_and_never_skipped() {
    let home = Home::with_vault();
    let key = home.ok(&["create", "sync", "--allow-ip", "192.0.2.0/24"]);
    let server = Served::start(&home, &["--trust-proxy", "127.0.0.0/8"]);
    let asked = |forwarded: &str| {
        let headers = [("X-API-Key", key.as_str()), ("X-Forwarded-For", forwarded)];
        server.get("/v1/authz", &headers).status
    };
    assert_eq!((asked("192.0.2.7"), asked("198.51.100.1")), (204, 403));
    assert_eq!(asked("192.0.2.7, 198.51.100.1"), 403, "the nearest counts");
    assert_eq!((asked("192.0.2.7:80"), asked("[2001:db8::1]")), (204, 403), "as proxies write addresses");
    let long = vec!["192.0.2.7"; 100].join(", ");
    for bad in [
        "",
        ",",
        "192.0.2.7,",
        "192.0.2.7:http",
        "[2001:db8::1",
        "192.0.2.7 198.51.100.1",
        "0300.0.2.7",
        "192.0.2",
        "unknown",
        "192.0.2.7, _hidden",
        "\u{e9}",
        "192.0.2.7%00",
        &long,
    ] {
        assert_eq!(asked(bad), 400, "{bad:?}");
    }
    // Both spellings of the list, as one and as two headers, are the same list.
    let two = [
        ("X-API-Key", key.as_str()),
        ("X-Project-ID", "p"),
        ("X-Forwarded-For", "192.0.2.7"),
        ("X-Forwarded-For", "198.51.100.1"),
    ];
    assert_eq!(server.get("/v1/authz", &two).status, 403);
}
