//! A real browser, steered over its debugging pipe: how a page looks and what it asks for.

use serde_json::{Value, json};
use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

/// Long enough for the busiest machine; nothing waits for it when things work.
const PATIENCE: Duration = Duration::from_secs(120);
const PROGRAMS: [&str; 5] =
    ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

pub(crate) struct Browser {
    child: Child,
    to: File,
    from: Receiver<Value>,
    calls: u64,
    session: Option<String>,
    /// What the browser told by itself.
    pub(crate) events: Vec<Value>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A browser with one empty page; `None` where there is none, which is said.
    pub(crate) fn open() -> Option<Self> {
        let there =
            |program: &&str| ["/usr/local/bin", "/usr/bin"].iter().any(|dir| Path::new(dir).join(program).exists());
        let Some(program) = PROGRAMS.into_iter().find(there) else {
            eprintln!("skipped, for want of a browser: apt-get install chromium-headless-shell");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let pipes = ["in", "out"].map(|name| profile.path().join(name));
        for pipe in &pipes {
            nix::unistd::mkfifo(pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        }
        let line = r#"exec 3<"$1" 4>"$2"; exec "$3" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
            --no-first-run --disable-background-networking --remote-debugging-pipe --user-data-dir="$4""#;
        let mut command = Command::new("bash");
        command.args(["--norc", "-c", line, "bash"]).args(&pipes).arg(program).arg(profile.path().join("profile"));
        command.env_clear().env("HOME", profile.path()).env("PATH", "/usr/local/bin:/usr/bin:/bin");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let to = OpenOptions::new().write(true).open(&pipes[0]).unwrap();
        let from = File::open(&pipes[1]).unwrap();
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(from).split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).unwrap();
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let events = Vec::new();
        let mut browser = Self { child, to, from: receiver, calls: 0, session: None, events, _profile: profile };
        let page = browser.call("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({"targetId": page, "flatten": true}));
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Network", "Log", "Runtime"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Calls a method of the protocol.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let answer = self.from.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer to {method}"));
            if answer["id"] == self.calls {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    /// Shows a file and waits until all of it is there.
    pub(crate) fn show(&mut self, file: &Path) {
        self.visit(&format!("file://{}", file.display()));
    }

    /// Goes to an address and waits until all of it is there.
    pub(crate) fn visit(&mut self, url: &str) {
        self.events.clear();
        self.call("Page.navigate", json!({"url": url}));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.from.recv_timeout(PATIENCE).unwrap();
            self.events.push(event);
        }
    }

    /// What an expression is on the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let answer = self.call("Runtime.evaluate", json!({"expression": expression, "returnByValue": true}));
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// The width of the window, as on a phone or a desk, and whether it is dark around it.
    pub(crate) fn looks(&mut self, width: u32, dark: bool) {
        let metrics = json!({"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500});
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", features);
    }

    /// Everything that was asked for over any network or from any disk.
    pub(crate) fn requests(&self) -> Vec<String> {
        let asked = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        asked.map(|event| event["params"]["request"]["url"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
