//! What stands over the list for a while: the questions before a change, what came of it, and a new secret.

use super::{
    detail::ago,
    form::{Answer, Field, Form, Question},
    state::{Fresh, State},
};
use crate::{
    domain::Time,
    output::{cut, escape},
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Modifier, Style},
    text::Line,
    widgets::{Block, Clear, Paragraph, Wrap},
};
use unicode_width::UnicodeWidthStr;

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
/// The widest that a box is.
const WIDEST: u16 = 76;
/// The lines of a box that are none of its choices.
const AROUND: usize = 4;

/// The box of a question, with the cursor where something is typed.
pub(super) fn question(frame: &mut Frame<'_>, form: &Form, now: Time, area: Rect) {
    let width = area.width.saturating_sub(4).min(WIDEST);
    let inside = usize::from(width.saturating_sub(2));
    let title = match &form.subject {
        Some(subject) => format!(" {} {} ({}) ", form.deed.as_str(), escape(&subject.name), subject.environment),
        None => format!(" {} ", form.deed.as_str()),
    };
    let (mut lines, mut typed_at) = match form.question() {
        Some(question) => asked(question, inside, usize::from(area.height).saturating_sub(AROUND)),
        None => confirmed(form, now, inside),
    };
    // In a small window the end stays: what is typed stands there.
    let hidden = (lines.len() + 2).saturating_sub(usize::from(area.height)).min(lines.len());
    lines.drain(..hidden);
    typed_at = typed_at.map(|at: usize| at.saturating_sub(hidden));
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let place = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    let block = Block::bordered().title(cut(&title, inside).into_owned()).border_style(BOLD);
    if let Some(at) = typed_at {
        let end = lines.get(at).map_or(0, |typed| u16::try_from(typed.width()).unwrap_or(u16::MAX));
        let down = u16::try_from(at).unwrap_or_default() + 1;
        frame.set_cursor_position((place.x + 1 + end.min(width.saturating_sub(2)), place.y + down));
    }
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines.into_iter().map(Line::raw).collect::<Vec<_>>()).block(block), place);
}

/// The lines of a question, and which of them is typed.
fn asked(question: &Question, inside: usize, room: usize) -> (Vec<String>, Option<usize>) {
    let mut lines = vec![cut(question.words(), inside).into_owned()];
    match &question.answer {
        Answer::Text(typed) => {
            lines.push(tail(&format!("> {}", escape(typed)), inside));
            lines.push("Enter goes on, Esc cancels".to_owned());
            (lines, Some(1))
        }
        Answer::One { words, at } => {
            lines.extend(choices(words, *at, room, |_| "").map(|line| cut(&line, inside).into_owned()));
            lines.push("↑ ↓ choose, Enter goes on, Esc cancels".to_owned());
            (lines, None)
        }
        Answer::Many { words, chosen, at } => {
            let mark = |one: usize| if chosen.get(one).copied().unwrap_or_default() { "[x] " } else { "[ ] " };
            lines.extend(choices(words, *at, room, mark).map(|line| cut(&line, inside).into_owned()));
            lines.push("↑ ↓ and space choose, Enter goes on, Esc cancels".to_owned());
            (lines, None)
        }
    }
}

/// As many choices as there is room for, the one at hand among them.
fn choices<'w>(
    words: &'w [String],
    at: usize,
    room: usize,
    mark: impl Fn(usize) -> &'static str + 'w,
) -> impl Iterator<Item = String> + 'w {
    let room = room.max(1);
    let first = (at + 1).saturating_sub(room);
    words.iter().enumerate().skip(first).take(room).map(move |(one, word)| {
        let hand = if one == at { "> " } else { "  " };
        format!("{hand}{}{}", mark(one), escape(word))
    })
}

/// The lines of a confirmation: all that was answered, and what comes of it.
fn confirmed(form: &Form, now: Time, inside: usize) -> (Vec<String>, Option<usize>) {
    let told = |(field, words): (Field, String)| {
        let name = match field {
            Field::Name => "Name",
            Field::Environment => "Environment",
            Field::Owner => "Owner",
            Field::Description => "For",
            Field::Life => "Works",
            Field::Limit => "Limit",
            Field::Scopes => "Scopes",
            Field::OldSecret => "The old secret ends",
            Field::Reason => "Reason",
            Field::Ticket => "Ticket",
        };
        cut(&format!("{name}: {}", escape(&words)), inside).into_owned()
    };
    let mut lines: Vec<String> = form.answers().map(told).collect();
    if let Some(subject) = &form.subject {
        let used = subject.last_used_at.as_deref().map_or_else(|| "never".to_owned(), |at| ago(at, now));
        lines.push(format!("Last used: {used}"));
    }
    lines.push(cut(form.deed.effect(), inside).into_owned());
    lines.push(tail(&format!("Type {} and press Enter, Esc cancels: {}", form.word(), escape(&form.typed)), inside));
    let typed = lines.len() - 1;
    (lines, Some(typed))
}

/// The end of what is typed, which stays in sight.
fn tail(text: &str, inside: usize) -> String {
    let mut kept: Vec<char> = Vec::new();
    for character in text.chars().rev() {
        kept.push(character);
        let shown: String = kept.iter().rev().collect();
        if shown.width() > inside.saturating_sub(1) {
            kept.pop();
            break;
        }
    }
    kept.iter().rev().collect()
}

/// What came of a change, on the whole screen: an error with what helps.
pub(super) fn told(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let [body, foot] = Layout::vertical([Constraint::Min(1), Constraint::Length(1)]).areas(area);
    let lines: Vec<Line<'_>> = state.told.iter().map(|line| Line::raw(escape(line).into_owned())).collect();
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), body);
    frame.render_widget(Line::styled("any key goes back", BOLD), foot);
}

/// A new secret on the whole screen: alone on its line, so that a mouse takes it and nothing else.
pub(super) fn secret(frame: &mut Frame<'_>, fresh: &Fresh, said: Option<&str>, area: Rect) {
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(2), Constraint::Min(1), Constraint::Length(1)]).areas(area);
    let title = format!("The new secret of {}", escape(&fresh.name));
    frame.render_widget(Line::styled(cut(&title, usize::from(area.width)).into_owned(), BOLD), head);
    let mut lines = vec![Line::raw(fresh.token.expose_plaintext()), Line::default()];
    lines.push(Line::raw("Copy it now: it is not shown again, and keyward does not keep it."));
    lines.extend(fresh.lines.iter().map(|line| Line::raw(escape(line).into_owned())));
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), body);
    let foot_text = said.map_or_else(
        || "c copies it (OSC 52)  Enter takes it from the screen, for good".to_owned(),
        |said| escape(said).into_owned(),
    );
    frame.render_widget(Line::styled(foot_text, BOLD), foot);
}
