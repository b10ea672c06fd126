//! Paths that programs read in different ways: through each gateway to an upstream that says what it got. A request passes
//! only where every reading of what the upstream got is below the route that keyward judged it by.

use crate::support::gateway::{Gateway, Site};
use percent_encoding::percent_decode;

/// What has one reading, and passes.
const PLAIN: [&str; 9] = [
    "/invoices/7",
    "/invoices/7/",
    "/invoices/7?page=1&next=/../admin",
    "/invoices/%37",
    "/%69nvoices/7",
    "/invoices/a%20b",
    "/invoices/%C3%A9",
    "/invoices/a.b..c",
    "/invoices/a,b:c@d=e+f",
];

/// What leads out of the route for one program or another.
const SHAPES: [&str; 62] = [
    "/invoices/x#/../../admin",
    "/invoices/x#",
    "/invoices/x?a#/../../admin",
    "/invoices/x%23/../../admin",
    "/invoices/../admin",
    "/invoices/./../admin",
    "/invoices/x/../../admin",
    "/invoices/..",
    "/invoices/.",
    "/invoices/...//admin",
    "/invoices/.../admin",
    "/invoices/x./admin",
    "/invoices/%2e%2e/admin",
    "/invoices/%2E./admin",
    "/invoices/.%2e/admin",
    "/invoices/%252e%252e/admin",
    "/invoices/%25%32%65%25%32%65/admin",
    "/invoices/%u002e%u002e/admin",
    "/invoices/..;/admin",
    "/invoices/..;x=y/admin",
    "/invoices/x;/../../admin",
    "/invoices;/../admin",
    "/invoices/x%3b/../../admin",
    "/invoices/..%2fadmin",
    "/invoices/..%2Fadmin",
    "/invoices%2f..%2fadmin",
    "/invoices/x%2f..%2f..%2fadmin",
    "/invoices/..%252fadmin",
    "/invoices/..\\admin",
    "\\admin/../invoices/x",
    "/invoices\\..\\admin",
    "/invoices/..%5cadmin",
    "/invoices%5c..%5cadmin",
    "/invoices/..%255cadmin",
    "/invoices/..%c0%afadmin",
    "/invoices/%c0%ae%c0%ae/admin",
    "/invoices/%e0%80%ae%e0%80%ae/admin",
    "/invoices/..%ef%bc%8fadmin",
    "/invoices/%ef%bc%8e%ef%bc%8e/admin",
    "/invoices/..%e2%88%95admin",
    "/invoices/%00/../../admin",
    "/admin%00/../invoices/x",
    "/invoices/x%00",
    "/invoices/x%0a",
    "/invoices/x%0d%0aX-Keyward-Key-Id:%20forged",
    "/invoices/x%09",
    "/invoices/x%7f",
    "/invoices/x%ff",
    "/invoices/x%",
    "/invoices/x%zz",
    "/invoices/x%20",
    "/invoices/%20/../../admin",
    "//invoices/../admin",
    "//admin/invoices/x",
    "/invoices//../admin",
    "/invoices/x//",
    "/invoices/x /../../admin",
    "/invoices/x\t/../../admin",
    "/invoices/x\u{1}/../../admin",
    "/invoices/\u{e9}/../../admin",
    "http://127.0.0.1/invoices/../admin",
    "invoices/../admin",
];

/// A target as programs read it: with parts cut off or not, decoded once or twice, with marks taken for others.
fn readings(target: &[u8]) -> Vec<Vec<String>> {
    let mut read = Vec::new();
    for choice in 0..(2 * 64) {
        let (decoded, choice) = (1 + choice / 64, choice % 64);
        let is = |bit: usize| choice & (1 << bit) != 0;
        let mut path = target.to_vec();
        let cut = |path: &mut Vec<u8>, mark: u8| {
            if let Some(at) = path.iter().position(|byte| *byte == mark) {
                path.truncate(at);
            }
        };
        if is(0) {
            cut(&mut path, b'#');
        }
        cut(&mut path, b'?');
        for _ in 0..decoded {
            path = percent_decode(&path).collect();
        }
        if is(1) {
            cut(&mut path, 0);
        }
        if is(2) {
            path.iter_mut().filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'/');
        }
        if is(5) {
            cut(&mut path, b' ');
        }
        let text = String::from_utf8_lossy(&path).replace(['\u{ff0f}', '\u{2215}'], "/").replace('\u{ff0e}', ".");
        let mut segments: Vec<String> = Vec::new();
        for segment in text.split('/').skip(1) {
            let segment = if is(3) { segment.split(';').next().unwrap() } else { segment };
            let segment = if is(4) { segment.trim_end_matches(['.', ' ']) } else { segment };
            match segment {
                "" | "." => {}
                ".." => drop(segments.pop()),
                other => segments.push(other.to_owned()),
            }
        }
        read.push(segments);
    }
    read
}

pub(crate) fn agree(site: &Site, gateway: &Gateway) {
    let send = |target: &str| {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {}\r\nConnection: close\r\n\r\n", site.key);
        gateway.raw(request.as_bytes())
    };
    for target in PLAIN {
        let (status, answer) = send(target);
        assert_eq!(status, 200, "{target}: {answer}");
        check(target, &answer);
    }
    for target in SHAPES {
        let (status, answer) = send(target);
        match status {
            200 => check(target, &answer),
            // A line that is no request line at all may be answered by nothing.
            0 | 400 | 403 | 404 => {}
            _ => panic!("{target:?}: {answer}"),
        }
    }
}

/// What the upstream got, which is the body of the answer, can be read as nothing but an invoice.
fn check(target: &str, answer: &str) {
    let (_, got) = answer.split_once("\r\n\r\n").unwrap();
    let line = got.split("\r\n").next().unwrap();
    let got =
        line.strip_prefix("GET ").and_then(|line| line.strip_suffix(" HTTP/1.1")).unwrap_or_else(|| panic!("{line}"));
    for reading in readings(got.as_bytes()) {
        assert_eq!(reading.first().map(String::as_str), Some("invoices"), "{target:?} arrived as {got:?}");
    }
}

#[test]
fn a_reader_of_these_tests_sees_what_lenient_programs_see() {
    for target in [
        "/invoices/x#/../../admin",
        "/invoices/..%2fadmin",
        "/invoices/..\\admin",
        "/invoices/..;/admin",
        "/admin%00/../invoices/x",
    ] {
        let read = readings(target.as_bytes());
        assert!(read.iter().any(|path| path.first().map(String::as_str) == Some("admin")), "{target}");
    }
}
