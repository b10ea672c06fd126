//! The door to stdout and stderr: decides what goes where, and in which words.
//!
//! A closed pipe is no error for data and always one for a secret, because only the caller
//! knows what was minted and how to recover.

mod fields;
mod held;
mod secrets;

pub use held::Held;

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use super::cell::{Cell, CellStyle};
use super::columns::{Picked, pick};
use super::csv::write_csv;
use super::error::{ErrorReport, WARNING, line, write_error};
use super::escape::{escape, escape_message};
use super::format::{ColorPolicy, Format, TimeStyle};
use super::json::{self, Batch};
use super::markdown;
use super::report::{Body, Report};
use super::row::Row;
use super::streams::{StdoutProblem, Streams};
use super::table::{TableStyle, item, write_list};
use super::{progress::Progress, waiting::Waiting};

/// What is no secret is written in pieces of this size.
const PIECE: usize = 64 * 1024;

/// So many notes are kept that `-q` leaves unsaid.
const HUSHED: usize = 1_000;

/// What the user asked of the output.
#[derive(Debug, Clone)]
pub struct Options {
    /// `-o`.
    pub format: Format,
    /// `--field`.
    pub field: Option<String>,
    /// `--columns`; empty means the command's own.
    pub columns: Vec<String>,
    /// `--time`; none means relative on a terminal and UTC elsewhere.
    pub time: Option<TimeStyle>,
    /// `-q`.
    pub quiet: bool,
    /// `--color` and the variables.
    pub color: ColorPolicy,
    /// The moment relative times count from.
    pub now: DateTime<Utc>,
}

/// Why a reply was not written.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// The request for output cannot be met; nothing was written.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What could be asked for instead.
        valid: Vec<String>,
    },
    /// Stdout was found unusable before anything was written.
    #[error(transparent)]
    Stdout(#[from] StdoutProblem),
    /// Writing failed.
    #[error("cannot write to stdout")]
    Write(#[from] io::Error),
    /// The reply could not be rendered.
    #[error("cannot render the reply")]
    Render(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<serde_json::Error> for EmitError {
    fn from(error: serde_json::Error) -> Self {
        if error.is_io() { Self::Write(error.into()) } else { Self::Render(error.into()) }
    }
}

impl From<::csv::Error> for EmitError {
    fn from(error: ::csv::Error) -> Self {
        match error.into_kind() {
            ::csv::ErrorKind::Io(error) => Self::Write(error),
            other => Self::Render(format!("{other:?}").into()),
        }
    }
}

/// Writes replies, notes and errors.
#[derive(Debug)]
pub struct Emitter {
    /// Where to.
    pub streams: Streams,
    /// How.
    pub options: Options,
    held: Option<Held>,
    copies: bool,
    /// What `-q` left unsaid.
    hushed: Vec<String>,
    /// An error was told.
    failed: bool,
}

impl Emitter {
    /// An emitter over the given streams.
    pub fn new(streams: Streams, options: Options) -> Self {
        Self { streams, options, held: None, copies: false, hushed: Vec::new(), failed: false }
    }

    /// Writes a reply. The talk that belongs to it (an empty or cut list) goes to stderr.
    pub fn emit<R: Row>(&mut self, report: &Report<R>) -> Result<(), EmitError> {
        self.write_reply(report)?;
        if let Some((_, secret)) = &report.secret {
            self.copy(secret);
        }
        Ok(())
    }

    fn write_reply<R: Row>(&mut self, report: &Report<R>) -> Result<(), EmitError> {
        if let Some(path) = self.options.field.clone() {
            return self.field(report, &path);
        }
        let secret = report.secret.is_some();
        match self.options.format {
            Format::Json | Format::Jsonl if secret => {
                let text = json::text(report, self.options.format == Format::Json)?;
                self.write_line(&text, true)?;
            }
            Format::Json => self.document(report)?,
            Format::Jsonl => self.lines(report)?,
            _ if secret => self.described_secret(report)?,
            Format::Table | Format::Wide if report.minting => self.described_nothing(report)?,
            Format::Name => self.values(report, report.name_path)?,
            Format::Sarif => return Err(no_findings()),
            Format::Csv => {
                let columns = pick(report, &self.options.columns, true)?;
                let terminal = self.streams.stdout_terminal;
                let style = CellStyle {
                    time: self.options.time.unwrap_or(TimeStyle::Utc),
                    now: self.options.now,
                    human: false,
                };
                self.stream(|out| Ok(write_csv(out, &columns, report.rows(), style, terminal)?))?;
            }
            Format::Markdown => {
                let columns = pick(report, &self.options.columns, false)?;
                let time = self.options.time.unwrap_or(TimeStyle::Utc);
                let style = CellStyle { time, now: self.options.now, human: true };
                self.stream(|out| Ok(write_markdown(out, report, &columns, style)?))?;
            }
            Format::Table | Format::Wide if self.options.quiet => {
                let has_id = report.rows().iter().all(|row| row.field("id").is_some());
                self.values(report, if has_id { "id" } else { report.name_path })?;
            }
            Format::Table | Format::Wide => {
                let (columns, style) = self.table_layout(report, self.streams.stdout_terminal)?;
                let lines = 1 + report.rows().len();
                let pager = self.streams.pager.as_ref().filter(|pager| pager.is_wanted(lines));
                // Who has read enough ends the pager: that the rest has no reader is no error.
                let paged = pager.and_then(|pager| pager.show(|out| write_table(out, report, &columns, style)));
                let left_out = match paged {
                    Some(written) => written.unwrap_or_default(),
                    None => self.stream(|out| Ok(write_table(out, report, &columns, style)?))?,
                };
                if !left_out.is_empty() {
                    self.note(&format!("no room for: {} (-o wide shows them)", left_out.join(", ")));
                }
            }
        }
        self.talk(report);
        Ok(())
    }

    /// Writes the replies of a command on several keys: with `-o json` one document
    /// `{"schema", "items":[{"key":…,"secret":…}], "page"}`, else one reply after the other.
    pub fn emit_batch<R: Row>(&mut self, schema: &'static str, reports: &[Report<R>]) -> Result<(), EmitError> {
        if self.options.format == Format::Json && self.options.field.is_none() {
            let batch = Batch { schema, reports };
            if reports.iter().any(|report| report.secret.is_some()) {
                return self.write_line(&json::text(&batch, true)?, true);
            }
            return self.document(&batch);
        }
        reports.iter().try_for_each(|report| self.emit(report))
    }

    /// Writes a secret alone on its line. Every failure is the caller's to tell.
    pub fn secret(&mut self, secret: &str) -> Result<(), EmitError> {
        self.write_line(secret, true)
    }

    /// Writes bytes as they are: completions, manual pages, help.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), EmitError> {
        self.write(bytes, false)
    }

    /// Writes one line of a stream at once, safe to look at; says whether anybody still reads.
    pub fn stream_line(&mut self, text: &str) -> Result<bool, EmitError> {
        let mut line = shown(text, self.streams.stdout_terminal).into_owned();
        line.push('\n');
        let out = &mut self.streams.stdout;
        match out.write_all(line.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            outcome => Ok(outcome.map(|()| true)?),
        }
    }

    /// Says something on stderr, unless `-q`.
    pub fn note(&mut self, text: &str) {
        if !self.options.quiet {
            self.tell(text);
        } else if self.hushed.len() < HUSHED {
            self.hushed.push(text.to_owned());
        }
    }

    /// Says what `-q` left unsaid of a command that failed without an error of its own: nobody would know why.
    pub fn say_hushed(&mut self) {
        if !self.failed {
            std::mem::take(&mut self.hushed).iter().for_each(|text| self.tell(text));
        }
    }

    /// Says something on stderr that even `-q` must not hide, and that is no warning.
    pub fn tell(&mut self, text: &str) {
        match &mut self.held {
            Some(held) => held.talk.push(text.to_owned()),
            None => self.say(&format!("{}\n", escape_message(text))),
        }
    }

    /// Warns on stderr, also with `-q`.
    pub fn warn(&mut self, text: &str) {
        if let Some(held) = &mut self.held {
            return held.talk.push(format!("warning: {text}"));
        }
        let color = self.options.color.applies(self.streams.stderr_terminal);
        let text = line("", "warning", WARNING, text, color);
        self.say(&text);
    }

    /// Writes text that is already laid out, such as clap's usage errors, to stderr.
    pub fn raw_stderr(&mut self, text: &str) {
        self.say(text);
    }

    /// Tells a failure on stderr.
    pub fn emit_error(&mut self, report: &ErrorReport) {
        self.failed = true;
        if let Some(held) = &mut self.held {
            return held.failures.push(report.clone());
        }
        let color = self.options.color.applies(self.streams.stderr_terminal);
        // There is nowhere left to tell that stderr failed.
        let _ = write_error(&mut *self.streams.stderr, report, self.options.format, color);
        let _ = self.streams.stderr.flush();
    }

    /// A progress bar, visible only to a person at a terminal.
    pub fn progress(&self, total: u64, what: &'static str) -> Progress {
        Progress::start(total, what, self.streams.stderr_terminal && !self.options.quiet)
    }

    /// What is said while somebody is waited for; to a person at a terminal alone.
    #[must_use]
    pub fn waiting(&self, what: String) -> Option<Waiting> {
        (self.streams.stderr_terminal && !self.options.quiet).then(|| Waiting::for_what(what))
    }

    fn table_style(&self, terminal: bool) -> TableStyle {
        let style = if terminal { TimeStyle::Relative } else { TimeStyle::Utc };
        TableStyle {
            cell: CellStyle { time: self.options.time.unwrap_or(style), now: self.options.now, human: true },
            width: self.streams.width.filter(|_| terminal),
            color: self.options.color.applies(terminal),
        }
    }

    /// The columns of a table and how they meet a stream. Whoever asks for all columns, or for some by name, gets them
    /// whole.
    fn table_layout<R: Row>(&self, report: &Report<R>, terminal: bool) -> Result<(Vec<Picked>, TableStyle), EmitError> {
        let wide = self.options.format == Format::Wide;
        let columns = pick(report, &self.options.columns, wide)?;
        let mut style = self.table_style(terminal);
        if wide || report.uncut || !self.options.columns.is_empty() {
            style.width = None;
        }
        Ok((columns, style))
    }

    fn document(&mut self, document: &impl serde::Serialize) -> Result<(), EmitError> {
        self.stream(|out| {
            json::write(document, &mut *out, true)?;
            Ok(out.write_all(b"\n")?)
        })
    }

    fn lines<R: Row>(&mut self, report: &Report<R>) -> Result<(), EmitError> {
        self.stream(|out| {
            let Body::List { items, .. } = &report.body else {
                json::write(report, &mut *out, false)?;
                return Ok(out.write_all(b"\n")?);
            };
            items.iter().try_for_each(|item| {
                json::write(item, &mut *out, false)?;
                Ok(out.write_all(b"\n")?)
            })
        })
    }

    fn values<R: Row>(&mut self, report: &Report<R>, path: &str) -> Result<(), EmitError> {
        let terminal = self.streams.stdout_terminal;
        self.stream(|out| {
            report.rows().iter().try_for_each(|row| {
                match row.field(path) {
                    Some(Cell::Text(text)) => out.write_all(shown(&text, terminal).as_bytes())?,
                    Some(Cell::Number(number)) => write!(out, "{number}")?,
                    Some(Cell::Tree(other)) => write!(out, "{other}")?,
                    Some(Cell::Texts(texts)) => json::write(&texts, &mut *out, false)?,
                    Some(Cell::Null) | None => {}
                }
                Ok(out.write_all(b"\n")?)
            })
        })
    }

    fn talk<R: Row>(&mut self, report: &Report<R>) {
        let Body::List { items, page } = &report.body else {
            return;
        };
        let cut = page.is_some_and(|page| page.truncated);
        if items.is_empty() && !cut && self.options.format.is_human() {
            self.note(&format!("no {}", report.plural()));
        }
        if let Some(page) = page.filter(|page| page.truncated)
            && self.options.format != Format::Json
        {
            let noun = report.plural();
            self.note(&format!("showing {} of {} {noun}", page.returned, page.total));
        }
    }

    /// Stderr is talk: a failure to talk changes nothing about what was done.
    fn say(&mut self, text: &str) {
        let _ = self.streams.stderr.write_all(text.as_bytes());
        let _ = self.streams.stderr.flush();
    }

    fn write_line(&mut self, text: &str, secret: bool) -> Result<(), EmitError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() + 1));
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(b'\n');
        self.write(&bytes, secret)
    }

    /// Writes what is no secret piece by piece, so that a long reply is never whole in memory. A reader that goes away
    /// is no error.
    fn stream<T: Default>(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> Result<T, EmitError>,
    ) -> Result<T, EmitError> {
        let mut out = io::BufWriter::with_capacity(PIECE, &mut self.streams.stdout);
        let written = write(&mut out).and_then(|told| Ok(out.flush().map(|()| told)?));
        // Dropped with something left in it, it would try to write that again.
        let _ = out.into_parts();
        match written {
            Err(EmitError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(T::default()),
            other => other,
        }
    }

    fn write(&mut self, bytes: &[u8], secret: bool) -> Result<(), EmitError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let out = &mut self.streams.stdout;
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && !secret => Ok(()),
            outcome => Ok(outcome?),
        }
    }
}

/// Writes the lines of a table, an item's fields or a list's rows, and names the columns that had no room.
fn write_table<R: Row>(
    out: &mut dyn Write,
    report: &Report<R>,
    columns: &[Picked],
    style: TableStyle,
) -> io::Result<Vec<String>> {
    match &report.body {
        Body::Item { value, .. } | Body::Flat { value } => out.write_all(item(columns, value, style).as_bytes())?,
        Body::List { items, .. } if items.is_empty() => {}
        Body::List { items, .. } => return write_list(out, columns, items, &report.sections, style),
    }
    Ok(Vec::new())
}

fn write_markdown<R: Row>(
    out: &mut dyn Write,
    report: &Report<R>,
    columns: &[Picked],
    style: CellStyle,
) -> io::Result<()> {
    match &report.body {
        Body::Item { value, .. } | Body::Flat { value } => markdown::write_item(out, columns, value, style),
        Body::List { items, .. } => markdown::write_list(out, columns, items, &report.sections, style),
    }
}

fn shown(text: &str, terminal: bool) -> std::borrow::Cow<'_, str> {
    if terminal { escape(text) } else { text.into() }
}

fn no_findings() -> EmitError {
    let message = "-o sarif is for findings: identify --scan, and check".to_owned();
    EmitError::Usage { message, valid: Format::ALL.map(|format| format.as_str().to_owned()).to_vec() }
}

#[cfg(test)]
mod tests;
