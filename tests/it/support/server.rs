//! A running `keyward serve` on a port of its own, and a client that speaks plain HTTP/1.1 over whatever carries bytes.

use super::Home;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
};

/// A route table: one project's invoices, by method, and two paths that need no project.
pub(crate) const ROUTES: &str = "
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

[[route]]
path = '/open'
needs_project = false
";

/// A server that is killed with the test.
pub(crate) struct Served {
    child: Child,
    /// Reads what the server says: a full pipe would stop it.
    listener: Option<std::thread::JoinHandle<String>>,
    pub(crate) url: String,
    /// What it said until it listened.
    pub(crate) began: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Served {
    /// Starts `keyward serve` with `--listen 127.0.0.1:0` and waits until it answers. Unless the arguments name an environment,
    /// it lets in the keys of all, and answers who leaves out what a key is bound to.
    pub(crate) fn start(home: &Home, args: &[&str]) -> Self {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(args);
        if !args.contains(&"--env") {
            all.extend(["--env", "all", "--lenient"]);
        }
        Self::start_with(home, &all)
    }

    /// Starts `keyward` with these arguments and waits until it listens.
    pub(crate) fn start_with(home: &Home, args: &[&str]) -> Self {
        Self::begin(home.command(args))
    }

    /// Starts a program that becomes `keyward serve`, with the environment of the home, and waits until it listens.
    pub(crate) fn start_as(home: &Home, program: Command) -> Self {
        let mut command = home.command(&[]);
        let own = std::mem::replace(&mut command, program);
        command.env_clear().current_dir(home.path());
        command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::begin(command)
    }

    /// Starts a command of the home's and waits until it listens.
    pub(crate) fn start_command(command: Command) -> Self {
        Self::begin(command)
    }

    fn begin(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let url = loop {
            let mut line = String::new();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "the server ended: {said}");
            said.push_str(&line);
            if let Some((_, url)) = line.split_once("listening on ") {
                break url.trim().to_owned();
            }
        };
        let listener = std::thread::spawn(move || {
            let mut said = String::new();
            stderr.read_to_string(&mut said).unwrap();
            said
        });
        Self { child, listener: Some(listener), url, began: said }
    }

    /// Sends a request with a JSON body, or none for an empty one.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            let host = if self.url.starts_with("unix:") { "localhost" } else { self.authority() };
            text.push_str(&format!("Host: {host}\r\n"));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body);
        Answer::parse(&self.raw(text.as_bytes()))
    }

    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, "")
    }

    /// Sends bytes, and reads until the server closes.
    pub(crate) fn raw(&self, bytes: &[u8]) -> String {
        fn talk(mut stream: impl Read + Write, bytes: &[u8]) -> String {
            // A server that has heard enough may answer and close before all is sent.
            let _ = stream.write_all(bytes);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            String::from_utf8_lossy(&answer).into_owned()
        }
        match self.url.strip_prefix("unix:") {
            Some(path) => talk(UnixStream::connect(path).unwrap(), bytes),
            None => talk(TcpStream::connect(self.authority()).unwrap(), bytes),
        }
    }

    /// The host and port.
    pub(crate) fn authority(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, and answers with how the server ended and what it logged.
    pub(crate) fn stop(mut self, signal: nix::sys::signal::Signal) -> (ExitStatus, String) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
        let said = self.listener.take().unwrap().join().unwrap();
        (self.child.wait().unwrap(), said)
    }
}

/// A connection on which one question follows the other.
pub(crate) struct KeptAlive(BufReader<TcpStream>);

impl KeptAlive {
    pub(crate) fn open(address: &str) -> std::io::Result<Self> {
        Ok(Self(BufReader::new(TcpStream::connect(address)?)))
    }

    /// The answer to a request; `None` when the server ends the connection instead.
    pub(crate) fn ask(&mut self, request: &str) -> Option<Answer> {
        self.0.get_mut().write_all(request.as_bytes()).ok()?;
        let (mut text, mut length) = (String::new(), 0);
        while !text.ends_with("\r\n\r\n") {
            let begin = text.len();
            if self.0.read_line(&mut text).ok()? == 0 {
                return None;
            }
            if let Some(value) = text[begin..].to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        text.push_str(std::str::from_utf8(&body).unwrap());
        Some(Answer::parse(&text))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answer = Self { status, headers, body: body.to_owned() };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = unchunked(body);
        }
        answer
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

fn unchunked(body: &str) -> String {
    let (mut rest, mut whole) = (body, String::new());
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        whole.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
    whole
}

/// A socket path in a home; a test's directory is short enough for one.
pub(crate) fn socket(home: &Home) -> PathBuf {
    home.path().join("k.sock")
}
