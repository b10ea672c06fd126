//! A situation as it stands in a text file.

use std::{fs, path::Path};

/// Through which door it is met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Door {
    /// A vault of this machine, named by `--vault`.
    Local,
    /// A server, named by `--server`.
    Server,
    /// A vault of this machine and of a user whom modes stop: of another one than root.
    Somebody,
    /// Nothing is there, and nothing is named.
    Bare,
}

/// What is done with a hint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// It is run, and ends with this code.
    Run(i32),
    /// It is run by somebody who confirms it, and succeeds.
    Confirmed,
    /// It is run, and what was typed works then.
    Again,
    /// It is run where the vault is.
    AtTheVault,
    /// What was typed works with the option that it names.
    With,
    /// What was typed works without this.
    Without(String),
    /// What was typed works with the similar word in the place of the one that is looked for.
    Similar,
    /// A person does this; where the vault is, if so said.
    ByHand(String, bool),
}

/// A situation.
pub(super) struct Situation {
    pub(super) place: String,
    pub(super) doors: Vec<Door>,
    /// Lines of shell, each with whether it is run where the vault is.
    pub(super) given: Vec<(bool, String)>,
    pub(super) names: Vec<(String, String)>,
    pub(super) typed: String,
    pub(super) ways: Vec<(String, Way)>,
    /// The file of `src/` whose similar words it shows.
    pub(super) similar: Vec<String>,
}

pub(super) fn read(file: &Path) -> Vec<Situation> {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let mut all: Vec<Situation> = Vec::new();
    for (number, line) in fs::read_to_string(file).unwrap().lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        let Some((mark, text)) = line.split_once(' ') else {
            assert!(line.is_empty(), "{place}: {line}");
            continue;
        };
        if mark == "#" {
            let place = format!("{place} ({text})");
            all.push(Situation {
                place,
                doors: vec![Door::Local, Door::Server],
                given: Vec::new(),
                names: Vec::new(),
                typed: String::new(),
                ways: Vec::new(),
                similar: Vec::new(),
            });
            continue;
        }
        let here = all.last_mut().unwrap_or_else(|| panic!("{place}: no situation has begun"));
        let (hint, then) = text.split_once(" => ").map_or((text, None), |(hint, then)| (hint, Some(then)));
        let then = || then.unwrap_or_else(|| panic!("{place}: what is done?")).to_owned();
        let mut way = |way| here.ways.push((hint.to_owned(), way));
        match mark {
            "@" => {
                here.doors = match text {
                    "both" => vec![Door::Local, Door::Server],
                    "local" => vec![Door::Local],
                    "server" => vec![Door::Server],
                    "somebody" => vec![Door::Somebody],
                    "bare" => vec![Door::Bare],
                    _ => panic!("{place}: {text}"),
                }
            }
            "$" => here.given.push((false, text.to_owned())),
            "$$" => here.given.push((true, text.to_owned())),
            "=" => {
                let (name, value) = text.split_once(' ').unwrap();
                here.names.push((name.to_owned(), value.to_owned()));
            }
            "!" => here.typed = text.to_owned(),
            "^" => here.similar.push(text.to_owned()),
            ">" => way(Way::Run(text.split_once(" => ").map_or(0, |(_, code)| code.parse().unwrap()))),
            ">y" => way(Way::Confirmed),
            ">>" => way(Way::Again),
            ">@" => way(Way::AtTheVault),
            "+" => way(Way::With),
            "-" => way(Way::Without(then())),
            "?" => way(Way::Similar),
            "~" => way(Way::ByHand(then(), false)),
            "~@" => way(Way::ByHand(then(), true)),
            _ => panic!("{place}: {line}"),
        }
    }
    all
}
