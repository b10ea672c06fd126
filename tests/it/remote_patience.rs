//! How patient a client is with a server: what it asks again, when, and how much it takes.

use crate::support::{Home, Ran};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Something that answers requests as the test says, and counts them.
struct Stranger {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Stranger {
    fn new(answer: impl Fn(usize, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(mut stream) = take(stream) else { continue };
                answer(count.fetch_add(1, Ordering::SeqCst), &mut stream);
            }
        });
        Self { url, asked }
    }

    fn run(&self, line: &str, stdin: &str) -> Ran {
        let variables = [("KEYWARD_SERVER", self.url.as_str()), ("KEYWARD_TOKEN", "kwop_prod_whatever")];
        Home::new().run_with_in(&line.split(' ').collect::<Vec<_>>(), stdin, &variables)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Reads a whole request.
fn take(stream: TcpStream) -> Option<TcpStream> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    Some(reader.into_inner())
}

fn say(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let length = body.len();
    // Whoever asked may have gone.
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    );
}

const AWAY: &str = r#"{"type":"urn:keyward:problem:unavailable","title":"UNAVAILABLE","status":503,"detail":"the keystore cannot be read at the moment","code":"UNAVAILABLE","reason":"store","retryable":true}"#;
const VALID: &str = r#"{"schema":"keyward.verdict/v1","valid":true,"code":"VALID","http_status":200,"key_id":"key_0123456789abcdef","checks":[]}"#;

#[test]
fn a_verdict_is_asked_for_again_as_every_reading_is_and_a_use_is_not_recorded_twice() {
    let answers = |at: usize, stream: &mut TcpStream| match at {
        0 => say(stream, "503 Service Unavailable", "", AWAY),
        _ => say(stream, "200 OK", "", VALID),
    };
    let server = Stranger::new(answers);
    let ran = server.run("-q verify -", "kw_prod_whatever\n");
    assert_eq!((ran.code, server.asked()), (Some(0), 2), "{ran:?}");
    let server = Stranger::new(answers);
    let ran = server.run("verify - --record", "kw_prod_whatever\n");
    assert_eq!((ran.code, server.asked()), (Some(9), 1), "{ran:?}");
}

#[test]
fn a_server_that_asks_for_patience_gets_it() {
    let server = Stranger::new(|at, stream| match at {
        0 => say(stream, "503 Service Unavailable", "Retry-After: 2\r\n", AWAY),
        _ => say(stream, "200 OK", "", VALID),
    });
    let began = Instant::now();
    let ran = server.run("-q verify -", "kw_prod_whatever\n");
    assert_eq!((ran.code, server.asked()), (Some(0), 2), "{ran:?}");
    assert!(began.elapsed() >= Duration::from_secs(2), "asked again after {:?}", began.elapsed());
    // Nobody waits for an hour at a prompt.
    let server = Stranger::new(|_, stream| say(stream, "503 Service Unavailable", "Retry-After: 3600\r\n", AWAY));
    let ran = server.run("verify -", "kw_prod_whatever\n");
    assert_eq!((ran.code, server.asked()), (Some(9), 1), "{ran:?}");
    assert!(ran.stderr.contains("again in 3600 seconds"), "{ran:?}");
}

/// Memory is not taken for what never ends: an answer is cut off long before it fills a machine.
#[test]
fn an_answer_without_an_end_is_not_read_to_it() {
    let server = Stranger::new(|_, stream| say(stream, "200 OK", "", ""));
    drop(server);
    let told = Stranger::new(|_, stream| {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 4000000000\r\n\r\n[");
    });
    let ran = told.run("list", "");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("was not read to the end"), "{ran:?}");
    let endless = Stranger::new(|_, stream| {
        let _ = write!(stream, "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n");
        let some = vec![b' '; 1 << 20];
        while stream.write_all(&some).is_ok() {}
    });
    let ran = endless.run("list", "");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("was not read to the end"), "{ran:?}");
}
