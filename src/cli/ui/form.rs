//! What a person is asked before something is changed: why, what else it takes, and at last whether, typed out.

use super::state::edited;
use crate::{
    cli::{guided, values},
    domain::{Demand, Environment, Scope, text::same},
    ops::Switch,
};
use ratatui::crossterm::event::KeyCode;

/// What confirms a change, typed out: one letter is too easily meant for something else.
pub(super) const YES: &str = "yes";

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Create,
    Rotate,
    Switch(Switch),
    Delete,
}

/// The key that it is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) environment: String,
    pub(super) last_used_at: Option<String>,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    Environment,
    Owner,
    Description,
    Life,
    Limit,
    Scopes,
    OldSecret,
    Reason,
    Ticket,
}

/// The answer so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// A line of text.
    Text(String),
    /// One of several words.
    One { words: Vec<String>, at: usize },
    /// Any of several words.
    Many { words: Vec<String>, chosen: Vec<bool>, at: usize },
}

/// A question with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) field: Field,
    pub(super) answer: Answer,
    /// Nothing is no answer: the workspace demands one.
    needed: bool,
}

/// All of it, one after the other; behind the last question stands the confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) deed: Deed,
    /// `None` for a key that is not there yet.
    pub(super) subject: Option<Subject>,
    asked: Vec<Question>,
    at: usize,
    /// What was typed to confirm it.
    pub(super) typed: String,
}

/// What was asked for, and confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) deed: Deed,
    /// The id of the key, for a key that is there.
    pub(super) id: String,
    answers: Vec<(Field, String)>,
}

/// What a key press makes of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pressed {
    /// It goes on.
    Stays,
    /// It goes on, and something is said.
    Says(String),
    /// Nothing is to be done.
    Cancelled,
    /// Everything is answered and confirmed.
    Confirmed(Order),
}

impl Deed {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "New key",
            Self::Rotate => "Rotate",
            Self::Switch(Switch::Activate) => "Activate",
            Self::Switch(Switch::Deactivate) => "Deactivate",
            Self::Switch(Switch::Revoke) => "Revoke",
            Self::Delete => "Delete",
        }
    }

    /// What will be so then.
    pub(super) fn effect(self) -> &'static str {
        match self {
            Self::Create => "Its secret is shown once, on this screen.",
            Self::Rotate => "The new secret is shown once, on this screen.",
            Self::Switch(Switch::Activate) => "It works again at once.",
            Self::Switch(Switch::Deactivate) => "It stops working until somebody activates it.",
            Self::Switch(Switch::Revoke) => "It stops working at once, for ever.",
            Self::Delete => "It stops working and is gone for good; its audit trail stays.",
        }
    }
}

impl Field {
    pub(super) fn question(self) -> &'static str {
        match self {
            Self::Name => "Name of the one system that will use the key",
            Self::Environment => "Environment",
            Self::Owner => "Who answers for it; nothing for nobody",
            Self::Description => "What it is for",
            Self::Life => "How long it works",
            Self::Limit => "How often it may be used",
            Self::Scopes => "What it may do",
            Self::OldSecret => "When the old secret ends",
            Self::Reason => "Why? It is recorded with the action.",
            Self::Ticket => "The ticket that asks for it",
        }
    }

    /// Refuses what is no answer.
    fn fits(self, typed: &str) -> Result<(), String> {
        match self {
            Self::Name => values::name(typed).map(drop),
            Self::Scopes => typed.split_whitespace().try_for_each(|one| one.parse::<Scope>().map(drop)),
            _ => Ok(()),
        }
    }
}

impl Question {
    fn of(field: Field, answer: Answer) -> Self {
        Self { field, answer, needed: false }
    }

    /// What is asked.
    pub(super) fn words(&self) -> &'static str {
        if self.field == Field::Owner && self.needed { "Who answers for it" } else { self.field.question() }
    }

    fn fits(&self) -> Result<(), String> {
        let words = self.answer.words();
        match self.field {
            Field::Reason if words.is_empty() => Err("a reason is needed; Esc cancels".to_owned()),
            _ if self.needed && words.is_empty() => Err("the workspace demands it; Esc cancels".to_owned()),
            field => field.fits(&words),
        }
    }
}

impl Answer {
    fn one_of(words: &[&str]) -> Self {
        Self::One { words: words.iter().map(|word| (*word).to_owned()).collect(), at: 0 }
    }

    /// The answer in words.
    fn words(&self) -> String {
        match self {
            Self::Text(typed) => typed.trim().to_owned(),
            Self::One { words, at } => words.get(*at).cloned().unwrap_or_default(),
            Self::Many { words, chosen, .. } => {
                let chosen = words.iter().zip(chosen).filter(|(_, chosen)| **chosen).map(|(word, _)| word.as_str());
                chosen.collect::<Vec<_>>().join(" ")
            }
        }
    }

    fn press(&mut self, code: KeyCode, control: bool) {
        match self {
            Self::Text(typed) => {
                edited(typed, code, control);
            }
            Self::One { words, at } => moved(at, words.len(), code),
            Self::Many { chosen, at, .. } if code == KeyCode::Char(' ') => {
                if let Some(one) = chosen.get_mut(*at) {
                    *one = !*one;
                }
            }
            Self::Many { words, at, .. } => moved(at, words.len(), code),
        }
    }
}

fn moved(at: &mut usize, many: usize, code: KeyCode) {
    match code {
        KeyCode::Up | KeyCode::Char('k') => *at = at.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => *at = (*at + 1).min(many.saturating_sub(1)),
        KeyCode::Home => *at = 0,
        KeyCode::End => *at = many.saturating_sub(1),
        _ => {}
    }
}

impl Form {
    /// What is asked before something is done to a key; a reason that was given with the command is there already.
    pub(super) fn of(deed: Deed, subject: Subject, reason: &str, demands: &[Demand]) -> Self {
        let end =
            (deed == Deed::Rotate).then(|| Question::of(Field::OldSecret, Answer::one_of(&guided::OLD_SECRET_ENDS)));
        let ticket = deed == Deed::Switch(Switch::Activate) && demands.contains(&Demand::Ticket);
        Self::asking(deed, Some(subject), end, reason, ticket)
    }

    /// What is asked before a key is made; its scopes are chosen of these, or typed where there are none.
    pub(super) fn new_key(scopes: Vec<String>, reason: &str, demands: &[Demand]) -> Self {
        let environments = [Environment::Development, Environment::Staging, Environment::Production];
        let scopes = match scopes.len() {
            0 => Answer::Text(String::new()),
            many => Answer::Many { words: scopes, chosen: vec![false; many], at: 0 },
        };
        let asked = [
            (Field::Name, Answer::Text(String::new())),
            (Field::Environment, Answer::one_of(&environments.map(Environment::as_str))),
            (Field::Owner, Answer::Text(String::new())),
            (Field::Description, Answer::Text(String::new())),
            (Field::Life, Answer::one_of(&guided::LIVES)),
            (Field::Limit, Answer::one_of(&guided::LIMITS)),
            (Field::Scopes, scopes),
        ];
        let needed = |field| match field {
            Field::Owner => demands.contains(&Demand::Owner),
            Field::Description => demands.contains(&Demand::Description),
            _ => false,
        };
        let asked =
            asked.into_iter().map(|(field, answer)| Question { needed: needed(field), ..Question::of(field, answer) });
        // A description is asked for where it is demanded; everybody is asked who answers for the key.
        let asked = asked.filter(|question| question.needed || question.field != Field::Description);
        Self::asking(Deed::Create, None, asked, reason, demands.contains(&Demand::Ticket))
    }

    fn asking(
        deed: Deed,
        subject: Option<Subject>,
        asked: impl IntoIterator<Item = Question>,
        reason: &str,
        ticket: bool,
    ) -> Self {
        let why = Question { needed: true, ..Question::of(Field::Reason, Answer::Text(reason.to_owned())) };
        let ticket =
            ticket.then(|| Question { needed: true, ..Question::of(Field::Ticket, Answer::Text(String::new())) });
        let asked = asked.into_iter().chain([why]).chain(ticket).collect();
        Self { deed, subject, asked, at: 0, typed: String::new() }
    }

    /// The question that is asked now; `None` while it is confirmed.
    pub(super) fn question(&self) -> Option<&Question> {
        self.asked.get(self.at)
    }

    /// The answers in words, for whoever confirms them; empty ones are left out.
    pub(super) fn answers(&self) -> impl Iterator<Item = (Field, String)> {
        self.asked.iter().map(|one| (one.field, one.answer.words())).filter(|(_, words)| !words.is_empty())
    }

    /// What has to be typed.
    pub(super) fn word(&self) -> &'static str {
        if self.deed == Deed::Delete { "its name" } else { YES }
    }

    fn is_confirmed(&self) -> bool {
        match (&self.subject, self.deed) {
            // A name of former times can hold what no keyboard types.
            (Some(subject), Deed::Delete) => same(&self.typed, &subject.name) || self.typed == subject.id,
            _ => self.typed.eq_ignore_ascii_case(YES),
        }
    }

    /// Takes a line that was pasted; it confirms nothing.
    pub(super) fn paste(&mut self, line: &str) -> Option<String> {
        match self.asked.get_mut(self.at).map(|one| &mut one.answer) {
            Some(Answer::Text(typed)) => {
                typed.push_str(line);
                None
            }
            Some(_) => None,
            None => Some(format!("what is pasted confirms nothing: type {}", self.word())),
        }
    }

    /// Takes a key press.
    pub(super) fn press(&mut self, code: KeyCode, control: bool) -> Pressed {
        let Some(question) = self.asked.get_mut(self.at) else { return self.confirm(code, control) };
        match code {
            KeyCode::Esc => Pressed::Cancelled,
            KeyCode::Enter => match question.fits() {
                Ok(()) => {
                    self.at += 1;
                    Pressed::Stays
                }
                Err(why) => Pressed::Says(why),
            },
            _ => {
                question.answer.press(code, control);
                Pressed::Stays
            }
        }
    }

    fn confirm(&mut self, code: KeyCode, control: bool) -> Pressed {
        match code {
            KeyCode::Enter if self.is_confirmed() => Pressed::Confirmed(Order {
                deed: self.deed,
                id: self.subject.as_ref().map(|subject| subject.id.clone()).unwrap_or_default(),
                answers: self.answers().collect(),
            }),
            KeyCode::Enter | KeyCode::Esc => Pressed::Cancelled,
            _ => {
                edited(&mut self.typed, code, control);
                Pressed::Stays
            }
        }
    }
}

impl Order {
    /// An answer; empty where there was none.
    pub(super) fn answer(&self, field: Field) -> &str {
        self.answers.iter().find(|(one, _)| *one == field).map_or("", |(_, words)| words)
    }
}
