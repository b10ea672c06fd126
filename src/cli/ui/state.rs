//! What the screen is in, and what a key press makes of it: keys in, state and wishes out, nothing else.

use super::{
    detail::Detail,
    form::{Deed, Form, Order, Pressed, Subject},
    keys::Keys,
};
use crate::{
    domain::{Demand, PlainToken},
    ops::Switch,
};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What key presses go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The list; its keys are commands.
    List,
    /// The filter, letter by letter.
    Filter,
    /// The whole detail of one key.
    Detail,
    /// The keys and what they do.
    Help,
    /// What is asked before a change.
    Form,
    /// What came of it, where that is more than a line.
    Told,
    /// A new secret, until somebody has it.
    Secret,
}

/// A secret that is on the screen, this once.
pub(super) struct Fresh {
    pub(super) token: PlainToken,
    /// Whose it is.
    pub(super) name: String,
    /// What there is to know about it.
    pub(super) lines: Vec<String>,
    /// What is said once it is gone.
    pub(super) after: String,
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
    /// The secret on the screen in the clipboard.
    CopySecret,
    /// A new key, of which somebody is to be asked.
    New,
    /// A change, confirmed.
    Do(Order),
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
    /// What is asked, in its mode.
    pub(super) form: Option<Form>,
    /// What came of a change, in its mode.
    pub(super) told: Vec<String>,
    /// The secret that is shown, in its mode.
    pub(super) fresh: Option<Fresh>,
    /// What the workspace demands of who makes or switches on a key.
    pub(super) demands: Vec<Demand>,
    /// Why, as it was given with the command.
    reason: String,
    allow_changes: bool,
    /// How many keys, and how many lines of the detail, the screen had room for when it was last drawn.
    room: (usize, usize),
}

impl State {
    pub(super) fn new(allow_changes: bool, reason: Option<String>) -> Self {
        Self {
            keys: Keys::new(),
            at: 0,
            top: 0,
            mode: Mode::List,
            detail: None,
            scrolled: 0,
            said: None,
            form: None,
            told: Vec::new(),
            fresh: None,
            demands: Vec::new(),
            reason: reason.unwrap_or_default(),
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

    /// Whether what was typed before it could be read is no answer: a change waits for its confirmation, or a secret for somebody
    /// who takes it.
    pub(super) fn asks(&self) -> bool {
        match self.mode {
            Mode::Form => self.form.as_ref().is_some_and(|form| form.question().is_none()),
            Mode::Secret => true,
            _ => false,
        }
    }

    /// Asks for everything about a new key.
    pub(super) fn begin_new(&mut self, scopes: Vec<String>) {
        (self.form, self.mode) = (Some(Form::new_key(scopes, &self.reason, &self.demands)), Mode::Form);
    }

    /// Tells what came of a change, on more than a line.
    pub(super) fn tell(&mut self, lines: Vec<String>) {
        (self.told, self.mode) = (lines, Mode::Told);
    }

    /// Shows a secret until somebody has it.
    pub(super) fn show_secret(&mut self, fresh: Fresh) {
        (self.fresh, self.mode) = (Some(fresh), Mode::Secret);
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
        match self.mode {
            Mode::Filter => {
                let filter = format!("{}{line}", self.keys.filter());
                self.change_keys(|keys| keys.set_filter(filter));
            }
            Mode::Form => self.said = self.form.as_mut().and_then(|form| form.paste(&line)),
            Mode::List | Mode::Detail | Mode::Help | Mode::Told | Mode::Secret => {}
        }
    }

    /// Takes a key press.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Wish> {
        self.said = None;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if interrupts(key) {
            return Some(Wish::Interrupt);
        }
        match self.mode {
            Mode::List => self.in_list(key.code, control),
            Mode::Filter => {
                self.in_filter(key.code, control);
                None
            }
            Mode::Detail => self.in_detail(key.code, control),
            Mode::Help | Mode::Told => {
                self.mode = Mode::List;
                None
            }
            Mode::Form => self.in_form(key.code, control),
            Mode::Secret => self.in_secret(key.code),
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
            KeyCode::Char('n') if self.may_change() => return Some(Wish::New),
            KeyCode::Char('R') => self.begin(Deed::Rotate),
            KeyCode::Char('a') => self.begin(Deed::Switch(Switch::Activate)),
            KeyCode::Char('d') if !control => self.begin(Deed::Switch(Switch::Deactivate)),
            KeyCode::Char('x') => self.begin(Deed::Switch(Switch::Revoke)),
            KeyCode::Char('D') => self.begin(Deed::Delete),
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

    /// Whether anything may be changed; if not, that is said.
    fn may_change(&mut self) -> bool {
        if !self.allow_changes {
            self.said = Some("read-only: keyward ui --allow-changes creates, rotates, switches and deletes".to_owned());
        }
        self.allow_changes
    }

    /// Begins to do something to the selected key.
    fn begin(&mut self, deed: Deed) {
        if !self.may_change() {
            return;
        }
        if let Some(row) = self.keys.get(self.at) {
            let subject = Subject {
                id: row.id.clone(),
                name: row.name.clone(),
                environment: row.environment.clone(),
                last_used_at: row.last_used_at.clone(),
            };
            (self.form, self.mode) = (Some(Form::of(deed, subject, &self.reason, &self.demands)), Mode::Form);
        }
    }

    fn in_form(&mut self, code: KeyCode, control: bool) -> Option<Wish> {
        match self.form.as_mut().map_or(Pressed::Cancelled, |form| form.press(code, control)) {
            Pressed::Stays => {}
            Pressed::Says(what) => self.said = Some(what),
            Pressed::Cancelled => self.cancel(),
            Pressed::Confirmed(order) => {
                (self.form, self.mode) = (None, Mode::List);
                return Some(Wish::Do(order));
            }
        }
        None
    }

    /// The secret goes from the screen when somebody says so, and by nothing else that is pressed.
    fn in_secret(&mut self, code: KeyCode) -> Option<Wish> {
        match code {
            KeyCode::Char('c') => return Some(Wish::CopySecret),
            KeyCode::Enter | KeyCode::Esc => {
                self.said = self.fresh.take().map(|fresh| fresh.after);
                self.mode = Mode::List;
            }
            _ => self.said = Some("Enter takes the secret from the screen, for good; c copies it".to_owned()),
        }
        None
    }

    fn cancel(&mut self) {
        (self.form, self.mode) = (None, Mode::List);
        self.said = Some("cancelled; nothing was changed".to_owned());
    }

    /// Selects a key, where it is shown.
    pub(super) fn select_key(&mut self, id: &str) {
        if let Some(at) = self.keys.place(id) {
            self.select(at);
        }
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
pub(super) fn edited(text: &mut String, code: KeyCode, control: bool) -> bool {
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
    use super::super::{detail::Detail, form::Field, keys::KeyRow};
    use super::*;
    use crate::ops::KeyView;
    use proptest::prelude::*;

    fn state(keys: usize, allow_changes: bool) -> State {
        let mut state = State::new(allow_changes, None);
        let rows = (0..keys).map(|at| {
            let key = KeyView {
                id: format!("key_{at:016}"),
                name: format!("svc-{at:03}"),
                environment: "production".to_owned(),
                status: "active".into(),
                ..KeyView::default()
            };
            KeyRow::of(key, at == 1)
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
        assert_eq!((state.mode, state.keys.len()), (Mode::Filter, 0), "letters are no commands there");
        assert_eq!(state.selected(), None);
        type_in(&mut state, "\x17");
        assert_eq!(state.keys.filter(), "svc-09 ");
        type_in(&mut state, "\x15");
        assert_eq!(state.keys.len(), 100);
        type_in(&mut state, "svc-05\n");
        assert_eq!((state.mode, state.keys.len()), (Mode::List, 10));
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
        assert_eq!((state.mode, state.scrolled), (Mode::Detail, 15));
        type_in(&mut state, "\x1bj");
        assert_eq!((state.wanted(), state.scrolled), (Some("key_0000000000000001"), 0));
        assert_eq!(type_in(&mut state, "cr"), [Wish::Copy("key_0000000000000001".to_owned()), Wish::Reload]);
    }

    #[test]
    fn nothing_is_changed_without_leave_a_reason_and_a_yes() {
        let mut reader = state(3, false);
        for nothing in ["dleaked\nyes\n", "xleaked\nyes\n", "aon\nyes\n", "R\nold\nyes\n", "Dgone\nsvc-000\n", "nnew\n"]
        {
            assert!(!type_in(&mut reader, nothing).iter().any(|wish| matches!(wish, Wish::Do(_) | Wish::New)));
            type_in(&mut reader, "q\x1b");
        }
        type_in(&mut reader, "g");
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
            assert_eq!((state.mode, state.said.is_some()), (Mode::List, true), "{refused:?}");
        }
        for (typed, deed) in [
            ("xit leaked \nyes\n", Deed::Switch(Switch::Revoke)),
            ("dit leaked\nno\x15Yes\n", Deed::Switch(Switch::Deactivate)),
            ("ait leaked\nyes\n", Deed::Switch(Switch::Activate)),
            ("R\nit leaked\nyes\n", Deed::Rotate),
            ("Dit leaked\nsvc-000\n", Deed::Delete),
            ("Dit leaked\nkey_0000000000000000\n", Deed::Delete),
        ] {
            let wishes = type_in(&mut state, typed);
            let [Wish::Do(order)] = &wishes[..] else { panic!("{typed:?}: {wishes:?}") };
            assert_eq!((order.deed, order.id.as_str()), (deed, "key_0000000000000000"));
            assert_eq!(order.answer(Field::Reason), "it leaked");
        }
        for refused in ["Dit leaked\nyes\n", "Dit leaked\nsvc-001\n", "Dit leaked\n\n", "R\n\n\x1b", "ayes\n\n"] {
            assert!(type_in(&mut state, refused).is_empty(), "{refused:?}");
            assert_eq!((state.mode, state.said.is_some()), (Mode::List, true), "{refused:?}");
        }
    }

    #[test]
    fn a_new_key_is_asked_for_field_by_field() {
        let mut state = state(3, true);
        assert_eq!(type_in(&mut state, "n"), [Wish::New]);
        state.begin_new(vec!["a:read".to_owned(), "b:read".to_owned(), "c:read".to_owned()]);
        type_in(&mut state, "\n");
        assert!(state.said.is_some(), "a name is needed");
        let wishes = type_in(&mut state, "web-1\n↓\nana@example.com\n↓↓\n\n ↓↓ \nasked for\nyes\n");
        let [Wish::Do(order)] = &wishes[..] else { panic!("{wishes:?}") };
        let answer = |field| order.answer(field);
        assert_eq!((order.deed, answer(Field::Name), answer(Field::Environment)), (Deed::Create, "web-1", "staging"));
        assert_eq!((answer(Field::Owner), answer(Field::Scopes)), ("ana@example.com", "a:read c:read"));
        assert_eq!((answer(Field::Life), answer(Field::Reason)), (crate::cli::guided::LIVES[2], "asked for"));
        // What the workspace demands is asked for, and nothing goes on without it.
        state.demands = Demand::ALL.to_vec();
        state.begin_new(Vec::new());
        type_in(&mut state, "web-2\n\n\n");
        assert!(state.said.as_deref().is_some_and(|said| said.contains("demands")), "an owner: {:?}", state.said);
        let wishes = type_in(&mut state, "ana\nsends mail\n\n\n\nasked for\nT-1\nyes\n");
        let [Wish::Do(order)] = &wishes[..] else { panic!("{wishes:?}") };
        let told = [Field::Owner, Field::Description, Field::Reason, Field::Ticket].map(|field| order.answer(field));
        assert_eq!(told, ["ana", "sends mail", "asked for", "T-1"]);
        state.demands.clear();
        state.begin_new(Vec::new());
        type_in(&mut state, "web-2\n\n\n\n\nno scope\n");
        assert!(state.said.is_some() && state.form.is_some(), "what is no scope is refused at once");
        assert!(type_in(&mut state, "\x1b").is_empty() && state.mode == Mode::List);
    }

    #[test]
    fn a_secret_stays_until_somebody_takes_it_away() {
        let mut state = state(3, true);
        let brand = crate::domain::Brand::default();
        let token = PlainToken::generate(&mut rand::rng(), &brand, crate::domain::Environment::Staging);
        state.show_secret(Fresh { token, name: "web".to_owned(), lines: Vec::new(), after: "made".to_owned() });
        assert!(state.asks(), "what was typed before takes nothing away");
        assert!(type_in(&mut state, "qjx/?").is_empty());
        state.paste("\n\n");
        assert!(state.mode == Mode::Secret && state.fresh.is_some());
        assert_eq!(type_in(&mut state, "c"), [Wish::CopySecret]);
        type_in(&mut state, "\n");
        assert!(state.mode == Mode::List && state.fresh.is_none());
        assert_eq!(state.said.as_deref(), Some("made"));
    }

    #[test]
    fn what_is_pasted_is_text_and_no_yes() {
        let mut state = state(3, true);
        state.paste("xleaked\nyes\n");
        assert_eq!(state.mode, Mode::List, "no commands");
        type_in(&mut state, "x");
        state.paste("customer\tasked\r\nyes\x1b[31m\n\n");
        assert!(state.form.as_ref().unwrap().answers().any(|(_, words)| words == "customer asked yes[31m"));
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
        for before in ["", "/ab", "\n", "?", "x", "xleaked\n", "R", "Dgone\n"] {
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
            keys in 0usize..40, room in 0usize..15, pressed in "[jkgGsSdxDRncr?/ a0-3yq↓⇟\n\u{1b}\u{7f}\u{15}\u{17}]{0,60}",
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
