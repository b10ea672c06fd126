//! What the screen is in, and what a key press makes of it: keys in, state and wishes out, nothing else.

use super::{detail::Detail, keys::Keys};
use crate::ops::Switch;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What confirms a change, typed out: one letter is too easily meant for something else.
pub(super) const YES: &str = "yes";

/// What key presses go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    /// The list; its keys are commands.
    List,
    /// The filter, letter by letter.
    Filter,
    /// The whole detail of one key.
    Detail,
    /// The keys and what they do.
    Help,
    /// Why a key is to be stopped.
    Reason { switch: Switch, id: String, name: String, reason: String },
    /// Whether it really is; only the whole word is a yes.
    Confirm { switch: Switch, id: String, name: String, reason: String, typed: String },
}

/// What the state wants done for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// The end.
    Quit,
    /// The end, by Ctrl-C.
    Interrupt,
    /// All keys read again.
    Reload,
    /// A text in the clipboard.
    Copy(String),
    /// A key stopped.
    Switch { switch: Switch, id: String, reason: String },
}

/// Everything that the screen shows.
pub(super) struct State {
    pub(super) keys: Keys,
    /// The place of the selected key among those shown.
    pub(super) at: usize,
    /// The place of the first one on the screen.
    pub(super) top: usize,
    pub(super) mode: Mode,
    /// Of the selected key, once it is read.
    pub(super) detail: Option<Detail>,
    /// How many lines of it are above the screen.
    pub(super) scrolled: usize,
    /// What is said at the bottom until the next key press.
    pub(super) said: Option<String>,
    allow_changes: bool,
    /// How many keys, and how many lines of the detail, the screen had room for when it was last drawn.
    room: (usize, usize),
}

impl State {
    pub(super) fn new(allow_changes: bool) -> Self {
        Self {
            keys: Keys::new(),
            at: 0,
            top: 0,
            mode: Mode::List,
            detail: None,
            scrolled: 0,
            said: None,
            allow_changes,
            room: (1, 1),
        }
    }

    pub(super) fn allows_changes(&self) -> bool {
        self.allow_changes
    }

    /// The id of the selected key.
    pub(super) fn selected(&self) -> Option<&str> {
        self.keys.get(self.at).map(|row| row.id.as_str())
    }

    /// The selected key, when its detail is not there yet.
    pub(super) fn wanted(&self) -> Option<&str> {
        self.selected().filter(|id| self.detail.as_ref().is_none_or(|detail| detail.id != *id))
    }

    /// Learns how much room the screen has, and scrolls so that the selected key is on it.
    pub(super) fn fit(&mut self, keys: usize, lines: usize) {
        self.room = (keys.max(1), lines.max(1));
        self.follow();
        let longest = self.detail.as_ref().map_or(0, |detail| detail.lines.len());
        self.scrolled = self.scrolled.min(longest.saturating_sub(self.room.1));
    }

    /// Does something to the keys, and keeps the same one selected if it is still shown.
    pub(super) fn change_keys(&mut self, change: impl FnOnce(&mut Keys)) {
        let selected = self.selected().map(str::to_owned);
        change(&mut self.keys);
        self.at = selected.and_then(|id| self.keys.place(&id)).unwrap_or(0);
        self.follow();
        if self.wanted().is_some() || self.keys.len() == 0 {
            self.forget();
        }
    }

    /// Whether a change waits for its confirmation.
    pub(super) fn asks(&self) -> bool {
        matches!(self.mode, Mode::Confirm { .. })
    }

    /// Takes what was pasted: text for the filter and the reason, one line of it. It is never a command and never a yes.
    pub(super) fn paste(&mut self, text: &str) {
        self.said = None;
        let line: String = text
            .split(['\r', '\n'])
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .map(|character| if character == '\t' { ' ' } else { character })
            .filter(|character| !character.is_control())
            .collect();
        match &mut self.mode {
            Mode::Filter => {
                let filter = format!("{}{line}", self.keys.filter());
                self.change_keys(|keys| keys.set_filter(filter));
            }
            Mode::Reason { reason, .. } => reason.push_str(&line),
            Mode::Confirm { .. } => self.said = Some("what is pasted confirms nothing: type the word".to_owned()),
            Mode::List | Mode::Detail | Mode::Help => {}
        }
    }

    /// Takes a key press.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Wish> {
        self.said = None;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if interrupts(key) {
            return Some(Wish::Interrupt);
        }
        match &self.mode {
            Mode::List => self.in_list(key.code, control),
            Mode::Filter => {
                self.in_filter(key.code, control);
                None
            }
            Mode::Detail => self.in_detail(key.code, control),
            Mode::Help => {
                self.mode = Mode::List;
                None
            }
            Mode::Reason { .. } => {
                self.in_reason(key.code, control);
                None
            }
            Mode::Confirm { .. } => self.in_confirm(key.code, control),
        }
    }

    fn in_list(&mut self, code: KeyCode, control: bool) -> Option<Wish> {
        match code {
            KeyCode::Char('q') => return Some(Wish::Quit),
            KeyCode::Esc if !self.keys.filter().is_empty() => self.change_keys(|keys| keys.set_filter(String::new())),
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Enter | KeyCode::Right if self.selected().is_some() => {
                (self.mode, self.scrolled) = (Mode::Detail, 0);
            }
            _ => return self.everywhere(code, control),
        }
        None
    }

    fn in_detail(&mut self, code: KeyCode, control: bool) -> Option<Wish> {
        let page = self.room.1;
        match code {
            KeyCode::Char('q') | KeyCode::Esc | KeyCode::Left | KeyCode::Enter => {
                (self.mode, self.scrolled) = (Mode::List, 0);
            }
            KeyCode::Up | KeyCode::Char('k') => self.scrolled = self.scrolled.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.scrolled += 1,
            KeyCode::PageUp => self.scrolled = self.scrolled.saturating_sub(page),
            KeyCode::PageDown | KeyCode::Char(' ') => self.scrolled += page,
            KeyCode::Home | KeyCode::Char('g') => self.scrolled = 0,
            KeyCode::End | KeyCode::Char('G') => self.scrolled = usize::MAX / 2,
            _ => return self.everywhere(code, control),
        }
        None
    }

    /// What the keys do in the list, and most of them in the detail too.
    fn everywhere(&mut self, code: KeyCode, control: bool) -> Option<Wish> {
        let (last, page) = (self.keys.len().saturating_sub(1), self.room.0);
        match code {
            KeyCode::Up | KeyCode::Char('k') => self.select(self.at.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => self.select((self.at + 1).min(last)),
            KeyCode::PageUp => self.select(self.at.saturating_sub(page)),
            KeyCode::PageDown | KeyCode::Char(' ') => self.select((self.at + page).min(last)),
            KeyCode::Home | KeyCode::Char('g') => self.select(0),
            KeyCode::End | KeyCode::Char('G') => self.select(last),
            KeyCode::Char('s') => self.change_keys(Keys::sort_by_next),
            KeyCode::Char('S') => self.change_keys(Keys::reverse),
            KeyCode::Char('?') | KeyCode::F(1) => self.mode = Mode::Help,
            KeyCode::Char('r') | KeyCode::F(5) if !control => return Some(Wish::Reload),
            KeyCode::Char('c') => return self.selected().map(|id| Wish::Copy(id.to_owned())),
            KeyCode::Char('d') if !control => self.begin(Switch::Deactivate),
            KeyCode::Char('x') => self.begin(Switch::Revoke),
            _ => {}
        }
        None
    }

    fn in_filter(&mut self, code: KeyCode, control: bool) {
        let mut filter = self.keys.filter().to_owned();
        match code {
            KeyCode::Enter | KeyCode::Down | KeyCode::Tab => return self.mode = Mode::List,
            KeyCode::Esc => {
                self.mode = Mode::List;
                filter.clear();
            }
            _ if !edited(&mut filter, code, control) => return,
            _ => {}
        }
        self.change_keys(|keys| keys.set_filter(filter));
    }

    /// Begins to stop the selected key.
    fn begin(&mut self, switch: Switch) {
        if !self.allow_changes {
            self.said = Some("read-only: keyward ui --allow-changes deactivates and revokes".to_owned());
        } else if let Some(row) = self.keys.get(self.at) {
            let (id, name) = (row.id.clone(), format!("{} ({})", row.name, row.environment));
            self.mode = Mode::Reason { switch, id, name, reason: String::new() };
        }
    }

    fn in_reason(&mut self, code: KeyCode, control: bool) {
        let Mode::Reason { switch, id, name, reason } = &mut self.mode else { return };
        match code {
            KeyCode::Esc => self.cancel(),
            KeyCode::Enter if reason.trim().is_empty() => {
                self.said = Some("a reason is needed; Esc cancels".to_owned())
            }
            KeyCode::Enter => {
                let (switch, reason) = (*switch, reason.trim().to_owned());
                let (id, name) = (std::mem::take(id), std::mem::take(name));
                self.mode = Mode::Confirm { switch, id, name, reason, typed: String::new() };
            }
            _ => {
                edited(reason, code, control);
            }
        }
    }

    fn in_confirm(&mut self, code: KeyCode, control: bool) -> Option<Wish> {
        let Mode::Confirm { switch, id, reason, typed, .. } = &mut self.mode else { return None };
        match code {
            KeyCode::Enter if typed.eq_ignore_ascii_case(YES) => {
                let wish = Wish::Switch { switch: *switch, id: std::mem::take(id), reason: std::mem::take(reason) };
                self.mode = Mode::List;
                return Some(wish);
            }
            KeyCode::Enter | KeyCode::Esc => self.cancel(),
            _ => {
                edited(typed, code, control);
            }
        }
        None
    }

    fn cancel(&mut self) {
        self.mode = Mode::List;
        self.said = Some("cancelled; nothing was changed".to_owned());
    }

    fn select(&mut self, at: usize) {
        if self.at != at {
            self.at = at;
            self.forget();
        }
        self.follow();
    }

    /// The detail is that of another key.
    fn forget(&mut self) {
        (self.detail, self.scrolled) = (None, 0);
    }

    fn follow(&mut self) {
        let room = self.room.0;
        self.top = self.top.clamp((self.at + 1).saturating_sub(room), self.at);
        // No empty lines at the end while there are keys above.
        self.top = self.top.min(self.keys.len().saturating_sub(room));
    }
}

/// Whether a key press is the Ctrl-C that ends it from everywhere.
pub(super) fn interrupts(key: KeyEvent) -> bool {
    key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c')
}

/// Edits a line of text; says whether it did.
fn edited(text: &mut String, code: KeyCode, control: bool) -> bool {
    match code {
        KeyCode::Backspace => text.pop().is_some(),
        KeyCode::Char('u') if control => {
            text.clear();
            true
        }
        KeyCode::Char('w') if control => {
            let kept = text.trim_end().rfind(char::is_whitespace).map_or(0, |at| at + 1);
            text.truncate(kept);
            true
        }
        KeyCode::Char(character) if !control && !character.is_control() => {
            text.push(character);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{detail::Detail, keys::KeyRow};
    use super::*;
    use crate::ops::KeyView;
    use proptest::prelude::*;

    fn state(keys: usize, allow_changes: bool) -> State {
        let mut state = State::new(allow_changes);
        let rows = (0..keys).map(|at| {
            KeyRow::of(KeyView {
                id: format!("key_{at:016}"),
                name: format!("svc-{at:03}"),
                environment: "production".to_owned(),
                status: "active".into(),
                ..KeyView::default()
            })
        });
        let rows = rows.collect();
        state.change_keys(|keys| keys.replace(rows));
        state.fit(10, 5);
        state
    }

    fn type_in(state: &mut State, text: &str) -> Vec<Wish> {
        let mut wishes = Vec::new();
        for character in text.chars() {
            let (code, modifiers) = match character {
                '\n' => (KeyCode::Enter, KeyModifiers::NONE),
                '\x1b' => (KeyCode::Esc, KeyModifiers::NONE),
                '\x7f' => (KeyCode::Backspace, KeyModifiers::NONE),
                '↓' => (KeyCode::Down, KeyModifiers::NONE),
                '⇟' => (KeyCode::PageDown, KeyModifiers::NONE),
                '\x03' => (KeyCode::Char('c'), KeyModifiers::CONTROL),
                '\x15' => (KeyCode::Char('u'), KeyModifiers::CONTROL),
                '\x17' => (KeyCode::Char('w'), KeyModifiers::CONTROL),
                other => (KeyCode::Char(other), KeyModifiers::NONE),
            };
            wishes.extend(state.press(KeyEvent::new(code, modifiers)));
        }
        wishes
    }

    fn selected(state: &State) -> &str {
        &state.keys.get(state.at).unwrap().name
    }

    #[test]
    fn the_list_scrolls_and_stays_on_its_keys() {
        let mut state = state(100, false);
        type_in(&mut state, "jj↓");
        assert_eq!((selected(&state), state.top), ("svc-003", 0));
        type_in(&mut state, "⇟");
        assert_eq!((selected(&state), state.top), ("svc-013", 4));
        type_in(&mut state, "G");
        assert_eq!((selected(&state), state.top), ("svc-099", 90));
        type_in(&mut state, "j⇟k");
        assert_eq!((selected(&state), state.top), ("svc-098", 90));
        type_in(&mut state, "g");
        assert_eq!((selected(&state), state.top), ("svc-000", 0));
    }

    #[test]
    fn a_filter_keeps_the_selected_key_while_it_is_shown() {
        let mut state = state(100, false);
        type_in(&mut state, "G/svc-09");
        assert_eq!((selected(&state), state.keys.len()), ("svc-099", 10));
        type_in(&mut state, "1");
        assert_eq!((selected(&state), state.keys.len()), ("svc-091", 1));
        type_in(&mut state, "\x7f");
        assert_eq!((selected(&state), state.keys.len()), ("svc-091", 10));
        type_in(&mut state, " qsdx?");
        assert_eq!((state.mode.clone(), state.keys.len()), (Mode::Filter, 0), "letters are no commands there");
        assert_eq!(state.selected(), None);
        type_in(&mut state, "\x17");
        assert_eq!(state.keys.filter(), "svc-09 ");
        type_in(&mut state, "\x15");
        assert_eq!(state.keys.len(), 100);
        type_in(&mut state, "svc-05\n");
        assert_eq!((state.mode.clone(), state.keys.len()), (Mode::List, 10));
        type_in(&mut state, "\x1b");
        assert_eq!(state.keys.len(), 100, "Esc shows everything again");
    }

    #[test]
    fn details_are_wanted_once_and_again_for_another_key() {
        let mut state = state(3, false);
        assert_eq!(state.wanted(), Some("key_0000000000000000"));
        state.detail = Some(Detail::new("key_0000000000000000", vec![Default::default(); 20]));
        assert_eq!(state.wanted(), None);
        type_in(&mut state, "\n↓↓G");
        state.fit(10, 5);
        assert_eq!((state.mode.clone(), state.scrolled), (Mode::Detail, 15));
        type_in(&mut state, "\x1bj");
        assert_eq!((state.wanted(), state.scrolled), (Some("key_0000000000000001"), 0));
        assert_eq!(type_in(&mut state, "cr"), [Wish::Copy("key_0000000000000001".to_owned()), Wish::Reload]);
    }

    #[test]
    fn nothing_is_changed_without_leave_a_reason_and_a_yes() {
        let mut reader = state(3, false);
        assert!(type_in(&mut reader, "dleaked\nyes\nxleaked\nyes\n").is_empty());
        assert!(reader.said.is_none() && reader.mode == Mode::List);
        type_in(&mut reader, "x");
        assert!(reader.said.as_deref().unwrap().contains("--allow-changes"));

        let mut state = state(3, true);
        for refused in [
            "x\n\x1b",
            "xleaked\x1b",
            "xleaked\nn\n",
            "xleaked\ny\n",
            "xleaked\nyesterday\n",
            "xleaked\n\n",
            "xleaked\nyes\x1b",
            "d \n\x1b",
        ] {
            assert!(type_in(&mut state, refused).is_empty(), "{refused:?}");
            assert_eq!((state.mode.clone(), state.said.is_some()), (Mode::List, true), "{refused:?}");
        }
        let wish =
            |switch| Wish::Switch { switch, id: "key_0000000000000000".to_owned(), reason: "it leaked".to_owned() };
        assert_eq!(type_in(&mut state, "xit leaked \nyes\n"), [wish(Switch::Revoke)]);
        assert_eq!(type_in(&mut state, "dit leaked\nno\x15Yes\n"), [wish(Switch::Deactivate)]);
    }

    #[test]
    fn what_is_pasted_is_text_and_no_yes() {
        let mut state = state(3, true);
        state.paste("xleaked\nyes\n");
        assert_eq!(state.mode, Mode::List, "no commands");
        type_in(&mut state, "x");
        state.paste("customer\tasked\r\nyes\x1b[31m\n\n");
        assert!(matches!(&state.mode, Mode::Reason { reason, .. } if reason == "customer asked yes[31m"));
        type_in(&mut state, "\n");
        state.paste("yes\n");
        assert!(state.asks() && state.said.as_deref().unwrap().contains("pasted"));
        assert!(type_in(&mut state, "\n").is_empty(), "nothing of it was typed");
        type_in(&mut state, "/");
        state.paste("svc\n-001\u{7f}");
        assert_eq!(state.keys.filter(), "svc -001");
    }

    #[test]
    fn ctrl_c_ends_it_from_everywhere() {
        for before in ["", "/ab", "\n", "?", "x", "xleaked\n"] {
            let mut state = state(3, true);
            type_in(&mut state, before);
            assert_eq!(type_in(&mut state, "\x03"), [Wish::Interrupt], "{before:?}");
        }
        assert_eq!(type_in(&mut state(3, true), "q"), [Wish::Quit]);
    }

    #[test]
    fn no_keys_are_no_trouble() {
        let mut state = state(0, true);
        assert!(type_in(&mut state, "jkGg⇟\nsSdxc/abc\n\x1b").is_empty());
        assert_eq!((state.at, state.top, state.selected()), (0, 0, None));
    }

    proptest! {
        #[test]
        fn whatever_is_pressed_a_shown_key_is_selected_and_on_the_screen(
            keys in 0usize..40, room in 0usize..15, pressed in "[jkgGsSdxcr?/ a0-3yq↓⇟\n\u{1b}\u{7f}\u{15}\u{17}]{0,60}",
        ) {
            let mut state = state(keys, true);
            for character in pressed.chars() {
                type_in(&mut state, &character.to_string());
                state.fit(room, room);
                prop_assert!(state.at < state.keys.len().max(1));
                prop_assert!(state.top <= state.at && state.at < state.top + room.max(1));
            }
        }
    }
}
