//! Connections that ask one question after the other, and what came of it.

use std::{
    collections::BTreeMap,
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Authz,
    Validate,
    Verify,
    /// Of ten: six authz, three verify, one validate.
    Mixed,
}

impl FromStr for Route {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "authz" => Ok(Self::Authz),
            "validate" => Ok(Self::Validate),
            "verify" => Ok(Self::Verify),
            "mixed" => Ok(Self::Mixed),
            _ => Err("expected authz, validate, verify or mixed".to_owned()),
        }
    }
}

/// Questions to choose from.
pub struct Asks {
    route: Route,
    keys: Vec<String>,
    bearer: String,
}

impl Asks {
    pub fn read(route: Route, keys: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let keys: Vec<String> = std::fs::read_to_string(keys)?.lines().map(str::to_owned).collect();
        let bearer = std::env::var("KEYWARD_BEARER").unwrap_or_default();
        if keys.is_empty() { Err("no keys".into()) } else { Ok(Self { route, keys, bearer }) }
    }

    fn write(&self, random: u64, into: &mut Vec<u8>) {
        let key = &self.keys[(random % self.keys.len() as u64) as usize];
        let route = match (self.route, (random >> 40) % 10) {
            (Route::Mixed, 0..6) => Route::Authz,
            (Route::Mixed, 6..9) => Route::Verify,
            (Route::Mixed, _) => Route::Validate,
            (route, _) => route,
        };
        into.clear();
        into.extend_from_slice(request(route, key, &self.bearer).as_bytes());
    }
}

/// The bytes of a question.
pub fn request(route: Route, key: &str, bearer: &str) -> String {
    match route {
        Route::Authz | Route::Mixed => format!(
            "GET /v1/authz HTTP/1.1\r\nHost: k\r\nX-API-Key: {key}\r\nX-Project-ID: p\r\nUser-Agent: load/1\r\n\r\n"
        ),
        Route::Validate => format!(
            "POST /v1/validate HTTP/1.1\r\nHost: k\r\nX-API-Key: {key}\r\nUser-Agent: load/1\r\nContent-Length: 0\r\n\r\n"
        ),
        Route::Verify => {
            let body = format!("{{\"key\":\"{key}\",\"ip\":\"192.0.2.7\",\"scopes\":[\"a:read\"]}}");
            format!(
                "POST /v1/verify HTTP/1.1\r\nHost: k\r\nAuthorization: Bearer {bearer}\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
        }
    }
}

/// What came back.
#[derive(Default)]
pub struct Answers {
    micros: Vec<u32>,
    statuses: BTreeMap<u16, u64>,
    /// Of verdicts in a body, how many said valid.
    valid: u64,
    errors: u64,
}

impl Answers {
    pub fn count(&self) -> usize {
        self.micros.len()
    }

    pub fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
        other.statuses.into_iter().for_each(|(status, count)| *self.statuses.entry(status).or_default() += count);
        self.valid += other.valid;
        self.errors += other.errors;
    }

    pub fn report(&mut self, route: &str, connections: usize, seconds: f64, cpu: Option<f64>) -> serde_json::Value {
        self.micros.sort_unstable();
        let at = |share: f64| self.micros.get(((self.micros.len() as f64 * share) as usize).min(self.count().max(1) - 1));
        serde_json::json!({
            "route": route, "connections": connections, "requests": self.count(),
            "per_second": (self.count() as f64 / seconds).round(), "cpu_micros_a_request": cpu,
            "p50_micros": at(0.5), "p99_micros": at(0.99), "max_micros": self.micros.last(),
            "statuses": self.statuses, "valid": self.valid, "errors": self.errors,
        })
    }
}

/// A connection, and what was read of it.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Asks, and answers with the status and whether the body says valid.
    pub async fn ask(&mut self, request: &[u8]) -> std::io::Result<(u16, bool)> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let Some(head) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let text = std::str::from_utf8(&self.buffer[..head]).unwrap_or_default();
            let status = text.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
            let length = text
                .lines()
                .find_map(|line| line.get(..15).filter(|name| name.eq_ignore_ascii_case("content-length:")).map(|_| &line[15..]))
                .and_then(|value| value.trim().parse().ok())
                .unwrap_or(0);
            if self.buffer.len() >= head + 4 + length {
                let body = &self.buffer[head + 4..];
                let valid = body.windows(12).any(|window| window == b"\"valid\":true");
                return Ok((status, valid));
            }
        }
    }
}

/// A step of a cheap generator: which key comes next need not be a secret.
pub fn next(random: &mut u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random
}

/// Asks until it is told to stop; opens the connection again when it ends.
pub async fn hammer(address: &str, asks: &Asks, stop: &AtomicBool, number: u64) -> Answers {
    let (mut answers, mut connection, mut request) = (Answers::default(), None, Vec::new());
    let mut random = 0x9e37_79b9_7f4a_7c15 ^ (number + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    while !stop.load(Ordering::Relaxed) {
        let open = match connection.as_mut() {
            Some(open) => open,
            None => match Connection::open(address).await {
                Ok(open) => connection.insert(open),
                Err(_) => {
                    answers.errors += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    continue;
                }
            },
        };
        asks.write(next(&mut random), &mut request);
        let began = Instant::now();
        match open.ask(&request).await {
            Ok((status, valid)) => {
                answers.micros.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
                *answers.statuses.entry(status).or_default() += 1;
                answers.valid += u64::from(valid || status == 204);
            }
            Err(_) => {
                answers.errors += 1;
                connection = None;
            }
        }
    }
    answers
}
