//! The screen: the list above, the detail of the selected key below, what the keys do at the bottom.
//!
//! It means the same without colour: the selected key is marked and reversed, a status is a word. All text of others is
//! escaped before it comes here, or here.

use super::{
    detail::{DetailLine, LABEL, ago},
    keys::KeyRow,
    panels,
    state::{Mode, State},
};
use crate::{
    domain::Time,
    output::{cut, escape},
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Paragraph, Wrap},
};
use unicode_width::UnicodeWidthStr;

/// Below so many lines there is only the list.
const LEAST_FOR_BOTH: u16 = 10;
/// The widths of the columns between the name and the owner.
const STATUS: usize = 8;
const ENVIRONMENT: usize = 4;
const TIME: usize = 9;
const USES: usize = 6;

const HELP: [(&str, &str); 14] = [
    ("↑ ↓ PgUp PgDn g G", "another key; also j and k"),
    (
        "/",
        "show only keys with these words: name, description, id, is:mine, status:expired, env:prod, owner:…, scope:…, label=value",
    ),
    ("Esc", "show all keys again"),
    ("s  S", "sort by the next column; turn the order round"),
    ("Enter", "everything about the key on the whole screen; Esc goes back"),
    ("c", "copy the id of the key, where the terminal lets programs copy (OSC 52)"),
    ("r", "read all keys again"),
    ("n", "a new key; this and what follows with --allow-changes alone, each with a reason, and confirmed by typing"),
    ("R", "rotate the key: a new secret, shown once"),
    ("a  d", "activate, deactivate the key"),
    ("x", "revoke the key, for ever"),
    ("D", "delete the key, by its name"),
    ("?", "this help"),
    ("q  Ctrl-C", "the end"),
];

/// How to draw.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) color: bool,
    pub(super) now: Time,
}

impl Look {
    fn colored(self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }

    fn status(self, status: &str) -> Style {
        match status {
            "active" => self.colored(Color::Green),
            "inactive" => self.colored(Color::Yellow),
            "revoked" => self.colored(Color::Red),
            _ => self.colored(Color::DarkGray),
        }
    }
}

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const REVERSED: Style = Style::new().add_modifier(Modifier::REVERSED);

/// Draws everything, and tells the state how much room there was.
pub(super) fn draw(frame: &mut Frame<'_>, state: &mut State, look: Look) {
    let area = frame.area();
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)]).areas(area);
    if state.mode == Mode::Help {
        frame.render_widget(Line::styled("keyward ui: what the keys do", BOLD), head);
        frame.render_widget(Paragraph::new(help()).wrap(Wrap { trim: false }), body);
        return frame.render_widget(Line::styled("any key goes back", BOLD), foot);
    }
    match (&state.fresh, state.mode) {
        (Some(fresh), Mode::Secret) => return panels::secret(frame, fresh, state.said.as_deref(), area),
        (_, Mode::Told) => return panels::told(frame, state, area),
        _ => {}
    }
    let whole = state.mode == Mode::Detail;
    let (list, detail) = split(body, whole);
    if let Some(detail) = &mut state.detail {
        detail.wrap(usize::from(area.width));
    }
    state.fit(usize::from(list.height.saturating_sub(1)), usize::from(detail.height.saturating_sub(1)));
    header(frame, state, head);
    if list.height > 0 {
        keys(frame, state, look, list);
    }
    if detail.height > 0 {
        details(frame, state, detail);
    }
    footer(frame, state, foot);
    if let Some(form) = state.form.as_ref().filter(|_| state.mode == Mode::Form) {
        panels::question(frame, form, look.now, area);
    }
}

fn split(body: Rect, whole: bool) -> (Rect, Rect) {
    let list = match (whole, body.height) {
        (true, _) => 0,
        (false, height) if height < LEAST_FOR_BOTH => height,
        (false, height) => height / 2 + 1,
    };
    let [list, detail] = Layout::vertical([Constraint::Length(list), Constraint::Min(0)]).areas(body);
    (list, detail)
}

fn header(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let (by, descending) = state.keys.order();
    let arrow = if descending { "↓" } else { "↑" };
    let counts = format!("{} of {} keys by {} {arrow}", state.keys.len(), state.keys.total(), by.as_str());
    let filter = state.keys.filter();
    let mut spans = vec![Span::styled(counts, BOLD)];
    if state.mode == Mode::Filter || !filter.is_empty() {
        spans.push(Span::raw(format!("   /{}", escape(filter))));
    }
    let line = Line::from(spans);
    if state.mode == Mode::Filter {
        let end = u16::try_from(line.width()).unwrap_or(u16::MAX).min(area.width.saturating_sub(1));
        frame.set_cursor_position((area.x + end, area.y));
    }
    frame.render_widget(line, area);
}

/// The widths of the name and of the owner, which share what the other columns leave.
fn flexible(width: u16) -> (usize, usize) {
    let fixed = 2 + ENVIRONMENT + STATUS + 2 * TIME + USES + 6;
    let rest = usize::from(width).saturating_sub(fixed);
    let owner = rest * 2 / 5;
    (rest - owner, owner)
}

fn keys(frame: &mut Frame<'_>, state: &State, look: Look, area: Rect) {
    let (name, owner) = flexible(area.width);
    let titles = [
        ("  NAME", name + 2),
        ("ENV", ENVIRONMENT),
        ("STATUS", STATUS),
        ("EXPIRES", TIME),
        ("LAST USED", TIME),
        ("  USES", USES),
        ("OWNER", owner),
    ];
    let titles: Vec<String> = titles.iter().map(|(title, width)| padded(title, *width)).collect();
    let mut lines = vec![Line::styled(titles.join(" "), BOLD)];
    let room = usize::from(area.height.saturating_sub(1));
    for (at, row) in state.keys.page(state.top, room).enumerate() {
        let line = key(row, look, (name, owner), state.top + at == state.at);
        lines.push(line);
    }
    if state.keys.len() == 0 {
        lines.push(Line::raw(if state.keys.total() == 0 { "  there are no keys" } else { "  no key has these words" }));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn key<'a>(row: &KeyRow, look: Look, (name, owner): (usize, usize), selected: bool) -> Line<'a> {
    let when = |time: &Option<String>| time.as_deref().map_or_else(|| "never".to_owned(), |time| ago(time, look.now));
    let environment = match row.environment.as_str() {
        "production" => "prod",
        "staging" => "stg",
        "development" => "dev",
        other => other,
    };
    let (expires, used) = (when(&row.expires_at), when(&row.last_used_at));
    let uses = row.uses.to_string();
    let before = format!(
        "{}{} {} ",
        if selected { "> " } else { "  " },
        padded(&row.name, name),
        padded(environment, ENVIRONMENT)
    );
    let after = format!(
        " {} {} {:>USES$} {}",
        padded(&expires, TIME),
        padded(&used, TIME),
        cut(&uses, USES),
        padded(row.owner.as_deref().unwrap_or("-"), owner)
    );
    let status = Span::styled(padded(&row.status, STATUS), look.status(&row.status));
    let spans = vec![Span::raw(before), status, Span::raw(after)];
    let line = Line::from(spans);
    if selected { line.style(REVERSED) } else { line }
}

/// Text of others in so many columns.
fn padded(text: &str, width: usize) -> String {
    let text = escape(text);
    let text = cut(&text, width);
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

fn details(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let [title, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let Some(row) = state.keys.get(state.at) else { return };
    let width = usize::from(area.width);
    let name = format!("── {} {} ", escape(&row.name), row.id);
    let name = cut(&name, width);
    let rule = "─".repeat(width.saturating_sub(name.width()));
    frame.render_widget(Line::styled(format!("{name}{rule}"), BOLD), title);
    let Some(detail) = &state.detail else {
        return frame.render_widget(Line::raw("…"), body);
    };
    let lines = detail.lines.iter().skip(state.scrolled).take(usize::from(body.height));
    let lines: Vec<Line<'_>> = lines.map(line).collect();
    frame.render_widget(Paragraph::new(lines), body);
}

fn line(line: &DetailLine) -> Line<'_> {
    match line {
        DetailLine::Blank => Line::default(),
        DetailLine::Heading(heading) => Line::styled(*heading, BOLD),
        DetailLine::Field(name, value) => Line::from(vec![Span::raw(format!("{name:<LABEL$}")), Span::raw(value)]),
        DetailLine::Text(text) => Line::raw(format!("  {text}")),
    }
}

fn footer(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let text = match (&state.said, &state.mode) {
        (Some(said), _) => escape(said).into_owned(),
        (None, Mode::Filter) => "type words  Enter keeps them  Esc shows all".to_owned(),
        (None, Mode::Detail) => "↑ ↓ scroll  c copy id  Esc back  ? help  q back".to_owned(),
        (None, _) if state.allows_changes() => {
            "/ filter  n new  R rotate  a on  d off  x revoke  D delete  ? help  q end".to_owned()
        }
        (None, _) => "/ filter  s sort  S turn round  Enter detail  c copy id  r reload  ? help  q end".to_owned(),
    };
    let style = if state.said.is_some() { BOLD } else { Style::new() };
    frame.render_widget(Line::styled(text, style), area);
}

fn help<'a>() -> Vec<Line<'a>> {
    HELP.iter()
        .map(|(keys, what)| Line::from(vec![Span::styled(format!("{keys:<19}"), BOLD), Span::raw(*what)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{detail::Detail, keys::KeyRow, state::State};
    use super::*;
    use crate::{domain::time::parse_time, ops::KeyView};
    use ratatui::{
        Terminal,
        backend::TestBackend,
        buffer::Buffer,
        crossterm::event::{KeyCode, KeyEvent},
    };

    const EVIL: &str = "<script>|\u{1b}[31m\u{202e}=1+1 🔑 東京 שלום";

    fn state(names: &[&str]) -> State {
        let mut state = State::new(true, None);
        let rows = names.iter().enumerate().map(|(at, name)| {
            let key = KeyView {
                id: format!("key_{at:016}"),
                name: (*name).to_owned(),
                owner: Some(format!("{name}@example.com")),
                environment: "production".to_owned(),
                status: ["active", "expired", "revoked", "inactive"][at % 4].into(),
                expires_at: Some("2026-03-11T00:00:00Z".to_owned()),
                uses: 12_345_678,
                ..KeyView::default()
            };
            KeyRow::of(key, false)
        });
        let rows = rows.collect();
        state.change_keys(|keys| keys.replace(rows));
        state
    }

    fn shown(state: &mut State, (width, height): (u16, u16), color: bool) -> (Vec<String>, Buffer) {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let look = Look { color, now: parse_time("2026-03-01").unwrap() };
        terminal.draw(|frame| draw(frame, state, look)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let lines = buffer.content().chunks(usize::from(width)).map(|cells| {
            let mut line = String::new();
            let mut skip = 0;
            for cell in cells {
                if skip == 0 {
                    line.push_str(cell.symbol());
                    skip = cell.symbol().width().saturating_sub(1);
                } else {
                    skip -= 1;
                }
            }
            line.trim_end().to_owned()
        });
        (lines.collect(), buffer)
    }

    fn press(state: &mut State, keys: &str) {
        for key in keys.chars() {
            let code = match key {
                '\n' => KeyCode::Enter,
                key => KeyCode::Char(key),
            };
            state.press(KeyEvent::from(code));
        }
    }

    #[test]
    fn eighty_by_twenty_four_holds_the_list_the_detail_and_the_keys() {
        let mut state = state(&["billing-sync", "nightly-export"]);
        let line = DetailLine::Field("status", "active".to_owned());
        state.detail = Some(Detail::new("key_0000000000000000", vec![line]));
        let (lines, _) = shown(&mut state, (80, 24), false);
        assert_eq!(lines[0], "2 of 2 keys by expiry ↑");
        assert_eq!(lines[1], "  NAME                   ENV  STATUS   EXPIRES   LAST USED   USES OWNER");
        assert_eq!(lines[2], "> billing-sync           prod active   in 10d    never     12345… billing-sync@…");
        assert_eq!(lines[3], "  nightly-export         prod expired  in 10d    never     12345… nightly-expor…");
        assert!(lines[13].starts_with("── billing-sync key_0000000000000000 ───"), "{lines:#?}");
        assert_eq!(lines[14], "status        active");
        assert!(lines[23].starts_with("/ filter  n new") && lines[23].ends_with("q end"), "{lines:#?}");
        assert!(lines.iter().all(|line| line.width() <= 80));
    }

    #[test]
    fn without_colour_there_is_none_and_nothing_is_lost() {
        let names = ["a", "b", "c", "d"];
        let (colored, in_color) = shown(&mut state(&names), (80, 24), true);
        let (plain, without) = shown(&mut state(&names), (80, 24), false);
        assert_eq!(colored, plain);
        assert!(in_color.content().iter().any(|cell| cell.fg != Color::Reset));
        assert!(without.content().iter().all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset)));
        assert!(plain.iter().any(|line| line.starts_with("> a")), "the selected key is marked");
    }

    #[test]
    fn names_of_others_stay_in_their_cells() {
        let long = "x".repeat(500);
        let mut state = state(&[EVIL, &long, "e\u{301}\u{200d}", ""]);
        for size in [(80, 24), (40, 10), (20, 5), (3, 3), (1, 1), (200, 60)] {
            let (lines, buffer) = shown(&mut state, size, false);
            assert_eq!(lines.len(), usize::from(size.1));
            assert!(lines.iter().all(|line| line.width() <= usize::from(size.0)), "{size:?}: {lines:#?}");
            let harmful = |cell: &ratatui::buffer::Cell| cell.symbol().contains(['\u{1b}', '\u{202e}', '\u{200d}']);
            assert!(!buffer.content().iter().any(harmful), "{size:?}");
        }
        let (lines, _) = shown(&mut state, (200, 24), false);
        let shown = |line: &String| line.contains(r"<script>|\x1b[31m\u{202e}=1+1 🔑 東京 שלום ");
        assert!(lines.iter().any(shown), "{lines:#?}");
    }

    #[test]
    fn questions_stand_in_a_box_and_show_what_is_typed() {
        let mut state = state(&["billing-sync"]);
        press(&mut state, "x");
        let (lines, _) = shown(&mut state, (80, 24), false);
        assert!(lines.iter().any(|line| line.contains("┌ Revoke billing-sync (production) ─")), "{lines:#?}");
        press(&mut state, &"a leaked key ".repeat(20));
        let (lines, _) = shown(&mut state, (80, 24), false);
        assert!(lines.iter().any(|line| line.contains("leaked key  │") || line.contains("leaked key │")), "{lines:#?}");
        press(&mut state, "\n");
        let (lines, _) = shown(&mut state, (80, 24), false);
        assert!(lines.iter().any(|line| line.contains("Type yes and press Enter, Esc cancels: ")), "{lines:#?}");
        let (small, _) = shown(&mut state, (10, 4), false);
        assert_eq!(small.len(), 4);
    }

    #[test]
    fn help_filter_and_nothing_have_their_words() {
        let mut state = state(&["a"]);
        press(&mut state, "/zzz");
        let (lines, _) = shown(&mut state, (80, 24), false);
        assert_eq!(
            (lines[0].as_str(), lines[2].as_str()),
            ("0 of 1 keys by expiry ↑   /zzz", "  no key has these words")
        );
        press(&mut state, "\n?");
        let (lines, _) = shown(&mut state, (80, 24), false);
        assert!(lines[1].starts_with("↑ ↓ PgUp PgDn") && lines[23] == "any key goes back", "{lines:#?}");
        assert!(lines.iter().any(|line| line.starts_with("q  Ctrl-C")), "{lines:#?}");
        let (empty, _) = shown(&mut State::new(false, None), (80, 24), false);
        assert_eq!(empty[2], "  there are no keys");
    }
}
