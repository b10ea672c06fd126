//! The terminal while the screen is full: raw, on its other page, and put back whatever happens.

use crate::cli::terminal::Terminal;
use base64::{Engine, engine::general_purpose::STANDARD};
use ratatui::{
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        event::{DisableBracketedPaste, EnableBracketedPaste},
        execute,
        terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};
use std::io::{self, BufWriter, Write};

type Backend<'a> = CrosstermBackend<BufWriter<&'a mut dyn Write>>;

/// A full screen; dropped, it is none any more.
pub(super) struct Screen<'a> {
    terminal: ratatui::Terminal<Backend<'a>>,
    watch: &'a Terminal,
}

impl<'a> Screen<'a> {
    /// Takes the terminal over. From here on a signal puts it back before it ends the process.
    pub(super) fn enter(out: &'a mut dyn Write, watch: &'a Terminal) -> io::Result<Self> {
        watch.watch()?;
        let terminal = ratatui::Terminal::new(CrosstermBackend::new(BufWriter::new(out)))?;
        *watch.full_screen() = true;
        let mut screen = Self { terminal, watch };
        enable_raw_mode()?;
        execute!(screen.terminal.backend_mut(), EnterAlternateScreen, EnableBracketedPaste, Clear(ClearType::All))?;
        Ok(screen)
    }

    /// Draws a frame, unless a signal is ending the process.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        let _drawing = self.watch.full_screen();
        self.terminal.draw(draw).map(|_| ())
    }

    /// Asks the terminal to put a text into the clipboard of whoever looks at it, also over ssh.
    pub(super) fn copy(&mut self, text: &str) -> io::Result<()> {
        let _drawing = self.watch.full_screen();
        let out = self.terminal.backend_mut();
        write!(out, "\x1b]52;c;{}\x07", STANDARD.encode(text))?;
        out.flush()
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        let mut full = self.watch.full_screen();
        // A terminal that is gone needs nothing put back.
        let _ = execute!(self.terminal.backend_mut(), DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
        *full = false;
    }
}
