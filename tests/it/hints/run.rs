//! Runs situations, each way in the same place as it was after what was typed, by twice as many workers as there are processors.

use super::situation::{Door, Situation, Way};
use crate::support::{Home, Ran, server::Served};
use std::{
    fs,
    os::unix::process::CommandExt,
    path::Path,
    process::Command,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Runs all; answers with the lines that were printed and done, and with what is wrong.
pub(super) fn all(situations: &[Situation]) -> (Vec<String>, Vec<String>) {
    let jobs: Vec<(&Situation, Door)> =
        situations.iter().flat_map(|one| one.doors.iter().map(move |door| (one, *door))).collect();
    let (next, said, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let work = || {
        while let Some((situation, door)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            match of(situation, *door) {
                Ok(lines) => said.lock().unwrap().extend(lines),
                Err(why) => wrong.lock().unwrap().push(format!("{} at {door:?}: {why}", situation.place)),
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(2, |count| count.get() * 2);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    (said.into_inner().unwrap(), wrong.into_inner().unwrap())
}

/// A user who is not root.
const SOMEBODY: u32 = 65534;

/// How long a line of shell may take, on a machine that is busy with other things too: what takes longer hangs.
const PATIENCE: &str = "120";

/// Homes with a vault, which are copied: one of this machine, and a client and the vault of a server.
struct Prepared {
    local: Home,
    client: Home,
    behind: Home,
}

fn prepared() -> &'static Prepared {
    static PREPARED: OnceLock<Prepared> = OnceLock::new();
    PREPARED.get_or_init(|| {
        let (local, client, behind) = (Home::new(), Home::new(), Home::with_vault());
        local.ok(&["--vault", "v", "init"]);
        client.private("token", &behind.ok(&["operators", "create", "root", "--role", "platform-admin"]));
        Prepared { local, client, behind }
    })
}

/// Makes a home what another one is.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(to).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(path).unwrap()
        } else {
            fs::remove_file(path).unwrap()
        }
    }
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap();
    assert!(copied.success());
}

/// A copy of a prepared home, whose vault is where this machine remembers it.
fn copied(prepared: &Home) -> Home {
    let home = Home::new();
    copy(prepared.path(), home.path());
    let pins = home.path().join(".local/state/keyward/pins");
    for pin in fs::read_dir(pins).into_iter().flatten().map(|entry| entry.unwrap().path()) {
        let (from, to) = (prepared.path().to_str().unwrap(), home.path().to_str().unwrap());
        fs::write(&pin, fs::read_to_string(&pin).unwrap().replace(from, to)).unwrap();
    }
    home
}

/// Where a situation is met.
struct Scene {
    /// Where things are typed.
    home: Home,
    /// Where the vault is, when that is elsewhere, and the server before it.
    behind: Option<(Home, Served)>,
    /// What is said of the place in every command.
    said: String,
    /// As whom things are typed, if not as whoever runs the tests.
    user: Option<u32>,
}

impl Scene {
    fn new(door: Door) -> Self {
        match door {
            Door::Bare => Self { home: Home::new(), behind: None, said: String::new(), user: None },
            Door::Local | Door::Somebody => {
                let home = copied(&prepared().local);
                let user = (door == Door::Somebody && nix::unistd::geteuid().is_root()).then_some(SOMEBODY);
                if let Some(user) = user {
                    let owned = Command::new("chown").args(["-R", &format!("{user}:{user}")]).arg(home.path()).status();
                    assert!(owned.unwrap().success());
                }
                Self { home, behind: None, said: " --vault v".to_owned(), user }
            }
            Door::Server => {
                let behind = copied(&prepared().behind);
                let server = Served::start(&behind, &[]);
                let said = said_of(&server);
                Self { home: copied(&prepared().client), behind: Some((behind, server)), said, user: None }
            }
        }
    }

    /// The homes as they are, without the server.
    fn keep(&mut self) -> (Home, Option<Home>) {
        let kept = |home: &Home| {
            let kept = Home::new();
            copy(home.path(), kept.path());
            kept
        };
        let behind = self.behind.take().map(|(behind, server)| {
            server.stop(nix::sys::signal::Signal::SIGTERM);
            (kept(&behind), behind)
        });
        let (behind, live) = behind.unzip();
        if let Some(live) = live {
            self.serve(live);
        }
        (kept(&self.home), behind)
    }

    /// Everything as it was kept, before a server that is another one.
    fn restore(&mut self, (home, behind): &(Home, Option<Home>)) {
        copy(home.path(), self.home.path());
        if let (Some((live, server)), Some(behind)) = (self.behind.take(), behind) {
            drop(server);
            copy(behind.path(), live.path());
            self.serve(live);
        }
    }

    fn serve(&mut self, behind: Home) {
        let server = Served::start(&behind, &[]);
        self.said = said_of(&server);
        self.behind = Some((behind, server));
    }

    fn url(&self) -> &str {
        self.behind.as_ref().map_or("", |(_, server)| &server.url)
    }

    /// A text with marks where the place is named.
    fn without_place(&self, text: &str) -> String {
        if self.said.is_empty() {
            return text.to_owned();
        }
        let text = text.replace(&self.said, "\u{1}");
        if self.url().is_empty() { text } else { text.replace(self.url(), "\u{2}") }
    }

    /// A text with the place as it is named now.
    fn with_place(&self, text: &str) -> String {
        text.replace('\u{1}', &self.said).replace('\u{2}', self.url())
    }

    /// Runs a line where things are typed, or where the vault is.
    fn run(&self, line: &str, at_the_vault: bool) -> Ran {
        let home = self.behind.as_ref().map(|(behind, _)| behind).filter(|_| at_the_vault).unwrap_or(&self.home);
        let mut command = home.shell_command(&["timeout", "-k", "5", PATIENCE, "bash"], line);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        Ran::of(command.output().unwrap())
    }

    /// A line with what is said of the place in every command that says nothing of it.
    fn full(&self, line: &str) -> String {
        let mut full = String::new();
        for (at, part) in line.split("keyward ").enumerate() {
            if at > 0 {
                let says_itself = part.starts_with("--vault ") || full.ends_with("command ");
                full.push_str(&format!("keyward{} ", if says_itself { "" } else { &self.said }));
            }
            full.push_str(part);
        }
        full.replace("SERVER", self.url())
    }
}

fn said_of(server: &Served) -> String {
    format!(" --server {} --token-file token", server.url)
}

fn of(situation: &Situation, door: Door) -> Result<Vec<String>, String> {
    let mut scene = Scene::new(door);
    for (at_the_vault, line) in &situation.given {
        let ran = scene.run(&if *at_the_vault { line.clone() } else { scene.full(line) }, *at_the_vault);
        expect(line, 0, ran).map_err(|why| format!("given: {why}"))?;
    }
    let typed = scene.full(&situation.typed);
    let told = scene.run(&typed, false);
    if told.code == Some(124) {
        return Err(format!("it hangs: {typed}: {told:?}"));
    }
    // What was said of the place changes with the server, which is another one for each way.
    let lines: Vec<String> = lines_of(&told).iter().map(|line| scene.without_place(line)).collect();
    let typed = scene.without_place(&typed);
    let is_meant = |line: &str, hint: &str, way: &Way| match way {
        Way::Similar => line.contains("did you mean") || line.contains("similar"),
        _ => plain(line).contains(hint),
    };
    let hints = || lines.iter().filter_map(|line| line.strip_prefix("hint: "));
    for line in hints() {
        let is_done = situation.ways.iter().any(|(hint, way)| is_meant(line, hint, way));
        if !is_done && !line.ends_with(" --help") && !line.starts_with("usage: ") {
            return Err(format!("nothing is done with the hint: {}", plain(line)));
        }
    }
    let kept = (situation.ways.len() > 1).then(|| scene.keep());
    let mut done = Vec::new();
    for (at, (hint, way)) in situation.ways.iter().enumerate() {
        if let Some(kept) = kept.as_ref().filter(|_| at > 0) {
            scene.restore(kept);
        }
        // The hints first: a message may name the same command.
        let found = hints().chain(lines.iter().map(String::as_str)).find(|line| is_meant(line, hint, way));
        let Some(line) = found else { return Err(format!("no '{hint}' is said by {}: {told:?}", plain(&typed))) };
        follow(&scene, situation, &scene.with_place(&typed), (hint, way), &scene.with_place(line))?;
        done.push(plain(line));
    }
    done.extend(situation.similar.iter().map(|file| format!("similar {file}")));
    Ok(done)
}

fn expect(line: &str, code: i32, ran: Ran) -> Result<(), String> {
    match ran.code {
        Some(told) if told == code => Ok(()),
        Some(124) => Err(format!("it hangs: {line}: {ran:?}")),
        _ => Err(format!("it does not lead out: {line}: {ran:?}")),
    }
}

/// The lines that were printed; of an error for programs its parts, as lines for people.
fn lines_of(told: &Ran) -> Vec<String> {
    let mut lines: Vec<String> = told.stderr.lines().chain(told.stdout.lines()).map(str::to_owned).collect();
    for line in told.stderr.lines() {
        let told: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let hints = told["error"]["hints"].as_array().into_iter().flatten();
        lines.extend(hints.filter_map(|hint| Some(format!("hint: {}", hint.as_str()?))));
    }
    lines
}

/// A line without the marks of the place.
fn plain(line: &str) -> String {
    line.replace(['\u{1}', '\u{2}'], "")
}

/// Does what a line says.
fn follow(scene: &Scene, situation: &Situation, typed: &str, way: (&str, &Way), line: &str) -> Result<(), String> {
    let (hint, way) = way;
    let filled = |text: &str| {
        situation.names.iter().fold(text.to_owned(), |text, (name, value)| {
            text.split(' ')
                .map(|word| if word == name { scene.full(value) } else { word.to_owned() })
                .collect::<Vec<_>>()
                .join(" ")
        })
    };
    let run = |line: &str, code: i32| expect(line, code, scene.run(line, false));
    let run_at_the_vault = |line: &str| expect(line, 0, scene.run(line, true));
    match way {
        Way::Run(code) => run(&filled(&command(line)), *code),
        Way::Confirmed => run(&format!("{} --yes", filled(&command(line))), 0),
        Way::Again => run(&filled(&command(line)), 0).and_then(|()| run(typed, 0)),
        Way::AtTheVault => run_at_the_vault(&filled(&command(line))),
        Way::With => run(&format!("{typed} {}", filled(&option(line))), 0),
        Way::Without(part) => {
            let named = part.split(' ').next().unwrap_or_default();
            if !line.contains(named) || !typed.contains(part.as_str()) {
                return Err(format!("it says nothing of {part}: {line}"));
            }
            run(&typed.replacen(&format!(" {part}"), "", 1), 0)
        }
        Way::Similar => {
            let meant = line.split_once("did you mean ").map(|(_, words)| words.trim_end_matches('?'));
            let meant = meant.or_else(|| line.split('\'').nth(1)).ok_or_else(|| format!("no word: {line}"))?;
            let meant = meant.split(", ").next().unwrap_or_default();
            run(&typed.replace(hint, meant), 0)
        }
        Way::ByHand(by_hand, true) => run_at_the_vault(by_hand),
        Way::ByHand(by_hand, false) => {
            let line = scene.full(&by_hand.replace("{again}", "\u{1}")).replace('\u{1}', typed);
            run(&line, 0)
        }
    }
}

/// The command in a line: up to what is said about it.
fn command(line: &str) -> String {
    let from = line.find("keyward").or_else(|| line.find("chmod")).or_else(|| line.find("eval")).unwrap_or(0);
    let from = &line[from..];
    let ends = ["  ", "`", " (", ", or ", "; ", ", then ", " to keep", " shows them", ": ", "</"]
        .iter()
        .filter_map(|end| from.find(end))
        .min();
    from[..ends.unwrap_or(from.len())].trim_end_matches([')', '.']).to_owned()
}

/// The options in a line, to be added to what was typed.
fn option(line: &str) -> String {
    let from = line.find("--").or_else(|| line.find("-o")).unwrap_or(0);
    let from = &line[from..];
    let ends =
        ["  ", ", ", " or ", " instead", " if ", " to ", "; ", ": "].iter().filter_map(|end| from.find(end)).min();
    from[..ends.unwrap_or(from.len())].to_owned()
}
