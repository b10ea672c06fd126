//! A shell on a pseudo-terminal, with keyward in its path: what a person types, sees and is left with.

use super::Home;
use expectrl::{Expect, Regex, Session, session::OsSession};
use std::{
    fs,
    num::NonZeroU16,
    process::Command,
    time::{Duration, Instant},
};

/// Long enough for the busiest machine; nothing waits for it when things work.
const PATIENCE: Duration = Duration::from_secs(60);

const LINES: NonZeroU16 = NonZeroU16::new(24).unwrap();
const COLUMNS: NonZeroU16 = NonZeroU16::new(80).unwrap();

/// Runs each line that is typed, and tells its exit code and whether the echo is on. The shell itself must survive the
/// Ctrl-C that is meant for the command.
const SHELL: &str = r#"
trap : INT
stty sane -echoctl
while echo '<ready>' && IFS= read -r line; do
    echo '<begin>'
    (eval "$line")
    code=$?
    case $(stty -a) in *' -echo '*) echo=off;; *) echo=on;; esac
    echo "<end $code echo=$echo>"
done"#;

pub(crate) struct Terminal {
    session: OsSession,
    seen: String,
    echo: bool,
    /// What the terminal would show.
    emulator: vt100::Parser,
}

impl Terminal {
    pub(crate) fn open(home: &Home) -> Self {
        let binary = std::path::Path::new(env!("CARGO_BIN_EXE_keyward")).parent().unwrap();
        let mut command = Command::new("bash");
        command.args(["--norc", "-c", SHELL]).env_clear().current_dir(home.path());
        command.env("HOME", home.path()).env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
        command.env("PATH", format!("{}:/usr/bin:/bin", binary.display()));
        let mut terminal = Self {
            session: Session::spawn(command).unwrap(),
            seen: String::new(),
            echo: true,
            emulator: vt100::Parser::new(LINES, COLUMNS, 0),
        };
        terminal.wait_for("<ready>");
        terminal
    }

    /// Sets the width of the window; 0 is a terminal that does not know it.
    pub(crate) fn size(&mut self, columns: u16) {
        self.session.get_process_mut().set_window_size(columns, 24).unwrap();
        self.emulator.screen_mut().set_size(LINES, NonZeroU16::new(columns).unwrap_or(COLUMNS));
    }

    /// Types a command line.
    pub(crate) fn type_line(&mut self, line: &str) {
        self.session.send_line(line).unwrap();
        self.wait_for("<begin>");
    }

    /// Waits for a question, which reads without echo, and types an answer.
    pub(crate) fn answer(&mut self, question: &str, answer: &str) {
        self.press(question, &format!("{answer}\n"));
    }

    /// Presses keys, whatever is shown.
    #[cfg(feature = "ui")]
    pub(crate) fn keys(&mut self, keys: &str) {
        self.session.send(keys).unwrap();
    }

    /// What is on the screen at this moment.
    #[cfg(feature = "ui")]
    pub(crate) fn screen(&self) -> &vt100::Screen {
        self.emulator.screen()
    }

    /// Waits until the screen shows something.
    #[cfg(feature = "ui")]
    pub(crate) fn until(&mut self, what: &str, shows: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !shows(&self.emulator.screen().contents()) {
            self.take(r"(?s)^.+");
            assert!(begun.elapsed() < PATIENCE, "{what} was not shown: {}", self.emulator.screen().contents());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for a question and presses keys.
    pub(crate) fn press(&mut self, question: &str, keys: &str) {
        self.asked(question);
        self.session.send(keys).unwrap();
    }

    /// Waits until a question is asked and read for.
    pub(crate) fn asked(&mut self, question: &str) {
        self.wait_for(&regex_of(question));
        let begun = Instant::now();
        // What is typed before the echo is off would be thrown away with it.
        while self.session.get_process().get_echo().unwrap() {
            assert!(begun.elapsed() < PATIENCE, "nobody reads an answer to {question}: {}", self.seen);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The process of keyward that runs at this moment.
    pub(crate) fn pid(&self) -> u32 {
        let session = self.session.get_process().pid().as_raw().to_string();
        let ours = |pid: &u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields: Vec<&str> = stat.split(' ').collect();
            fields.get(1) == Some(&"(keyward)") && fields.get(5) == Some(&session.as_str())
        };
        let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        pids.into_iter().find(ours).unwrap()
    }

    /// Sends a signal to keyward alone.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end of the command; answers with what was seen since it was typed.
    pub(crate) fn finished(&mut self, code: i32) -> String {
        let (seen, ended) = self.end();
        assert_eq!(ended, code, "{seen}");
        seen
    }

    /// The same, with whatever exit code.
    pub(crate) fn finished_anyhow(&mut self) -> String {
        self.end().0
    }

    fn end(&mut self) -> (String, i32) {
        let end = self.wait_for(r"<end \d+ echo=\w+>");
        let seen = self.seen.rsplit("<begin>").next().unwrap().replace(&end, "").replace('\r', "");
        self.echo = end.contains("echo=on");
        let code = end.split(' ').nth(1).unwrap().parse().unwrap();
        self.wait_for("<ready>");
        (seen, code)
    }

    /// Whether the shell was left with its echo on.
    pub(crate) fn echoes(&self) -> bool {
        self.echo
    }

    /// All that was seen since the terminal was opened.
    pub(crate) fn everything(&self) -> &str {
        &self.seen
    }

    pub(crate) fn wait_for(&mut self, regex: &str) -> String {
        let begun = Instant::now();
        loop {
            if let Some(matched) = self.take(regex) {
                return matched;
            }
            assert!(begun.elapsed() < PATIENCE, "{regex} was not seen: {}", self.seen);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Takes what was written up to a match, if there is one already.
    fn take(&mut self, regex: &str) -> Option<String> {
        let found = self.session.check(Regex(regex)).unwrap_or_else(|error| panic!("{error}: {}", self.seen));
        let matched = found.get(0)?;
        for bytes in [found.before(), matched] {
            self.emulator.process(bytes);
            self.seen.push_str(&String::from_utf8_lossy(bytes));
        }
        Some(String::from_utf8_lossy(matched).into_owned())
    }
}

/// The expression that finds a text as it stands.
fn regex_of(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_alphanumeric() || c == ' ' { vec![c] } else { vec!['\\', c] }).collect()
}
