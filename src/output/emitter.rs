//! The door to stdout and stderr: decides what goes where, and in which words.
//!
//! A closed pipe is no error for data and always one for a secret, because only the caller
//! knows what was minted and how to recover.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use serde_json::Value;
use zeroize::Zeroizing;

use super::cell::CellStyle;
use super::columns::pick;
use super::csv::render_csv;
use super::error::{ErrorReport, WARNING, line, write_error};
use super::escape::{escape, escape_message};
use super::field::{PathError, find, scalar, scalar_paths};
use super::format::{ColorPolicy, Format, TimeStyle};
use super::json::Batch;
use super::progress::Progress;
use super::report::{Body, Report};
use super::streams::{StdoutProblem, Streams};
use super::table::{TableStyle, item, list};

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
        Self::Render(error.into())
    }
}

impl From<::csv::Error> for EmitError {
    fn from(error: ::csv::Error) -> Self {
        Self::Render(error.into())
    }
}

/// Writes replies, notes and errors.
#[derive(Debug)]
pub struct Emitter {
    /// Where to.
    pub streams: Streams,
    /// How.
    pub options: Options,
}

impl Emitter {
    /// An emitter over the given streams.
    pub fn new(streams: Streams, options: Options) -> Self {
        Self { streams, options }
    }

    /// Writes a reply. The talk that belongs to it (an empty or cut list) goes to stderr.
    pub fn emit(&mut self, report: &Report) -> Result<(), EmitError> {
        if let Some(path) = self.options.field.clone() {
            return self.field(report, &path);
        }
        let secret = report.secret.is_some();
        match self.options.format {
            Format::Json => {
                let text = report.to_json_pretty()?;
                self.write_line(&text, secret)?;
            }
            Format::Jsonl => self.lines(report)?,
            _ if secret => self.described_secret(report)?,
            Format::Table | Format::Wide if report.minting => self.described_nothing(report)?,
            Format::Name => self.values(report, report.name_path)?,
            Format::Csv => {
                let columns = pick(report, &self.options.columns, true)?;
                let terminal = self.streams.stdout_terminal;
                let style = CellStyle {
                    time: self.options.time.unwrap_or(TimeStyle::Utc),
                    now: self.options.now,
                    human: false,
                };
                let bytes = render_csv(&columns, report.rows(), style, terminal)?;
                self.write(&bytes, false)?;
            }
            Format::Table | Format::Wide if self.options.quiet => {
                let has_id = report.rows().iter().all(|row| row.get("id").is_some());
                self.values(report, if has_id { "id" } else { report.name_path })?;
            }
            Format::Table | Format::Wide => {
                let style = self.table_style(self.streams.stdout_terminal);
                let (text, left_out) = self.table(report, style)?;
                self.write(text.as_bytes(), false)?;
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
    pub fn emit_batch(&mut self, schema: &'static str, reports: &[Report]) -> Result<(), EmitError> {
        if self.options.format == Format::Json && self.options.field.is_none() {
            let secret = reports.iter().any(|report| report.secret.is_some());
            let text = Batch { schema, reports }.to_json_pretty()?;
            return self.write_line(&text, secret);
        }
        reports.iter().try_for_each(|report| self.emit(report))
    }

    /// Writes a secret alone on its line. Every failure is the caller's to tell.
    pub fn secret(&mut self, secret: &str) -> Result<(), EmitError> {
        self.write_line(secret, true)
    }

    /// Looks, before minting, whether a secret will be shown: stdout must take it and the
    /// format must have a place for it.
    pub fn check_secret_output(&self) -> Result<(), EmitError> {
        self.streams.check_stdout_writable()?;
        if self.options.field.as_deref().is_some_and(|path| path != "secret") {
            return Err(EmitError::Usage {
                message: "--field would not show the secret, and it is shown only once".to_owned(),
                valid: vec!["secret".to_owned()],
            });
        }
        if matches!(self.options.format, Format::Csv | Format::Name) && self.options.field.is_none() {
            return Err(EmitError::Usage {
                message: format!("-o {} has no place for the secret", self.options.format),
                valid: ["table", "json", "jsonl"].map(str::to_owned).to_vec(),
            });
        }
        Ok(())
    }

    /// Writes bytes as they are: completions, manual pages, help.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), EmitError> {
        self.write(bytes, false)
    }

    /// Writes one line of a stream at once, safe to look at; says whether anybody still reads.
    pub fn stream_line(&mut self, text: &str) -> Result<bool, EmitError> {
        let mut line = self.shown(text).into_owned();
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
        }
    }

    /// Says something on stderr that even `-q` must not hide, and that is no warning.
    pub fn tell(&mut self, text: &str) {
        self.say(&format!("{}\n", escape_message(text)));
    }

    /// Warns on stderr, also with `-q`.
    pub fn warn(&mut self, text: &str) {
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
        let color = self.options.color.applies(self.streams.stderr_terminal);
        // There is nowhere left to tell that stderr failed.
        let _ = write_error(&mut *self.streams.stderr, report, self.options.format, color);
        let _ = self.streams.stderr.flush();
    }

    /// A progress bar, visible only to a person at a terminal.
    pub fn progress(&self, total: u64, what: &'static str) -> Progress {
        Progress::start(total, what, self.streams.stderr_terminal && !self.options.quiet)
    }

    fn table_style(&self, terminal: bool) -> TableStyle {
        let style = if terminal { TimeStyle::Relative } else { TimeStyle::Utc };
        TableStyle {
            cell: CellStyle { time: self.options.time.unwrap_or(style), now: self.options.now, human: true },
            width: self.streams.width.filter(|_| terminal),
            color: self.options.color.applies(terminal),
        }
    }

    /// The table, and the headers of columns that had no room. Whoever asks for all columns, or for some by name, gets
    /// them whole.
    fn table(&self, report: &Report, mut style: TableStyle) -> Result<(String, Vec<String>), EmitError> {
        let wide = self.options.format == Format::Wide;
        let columns = pick(report, &self.options.columns, wide)?;
        if wide || report.uncut || !self.options.columns.is_empty() {
            style.width = None;
        }
        let whole = |text| (text, Vec::new());
        Ok(match &report.body {
            Body::Item { value, .. } | Body::Flat { value } => whole(item(&columns, value, style)),
            Body::List { items, .. } if items.is_empty() => whole(String::new()),
            Body::List { items, .. } => list(&columns, items, style),
        })
    }

    /// The secret first, so that nothing can come between it and its reader; then the rest.
    fn described_secret(&mut self, report: &Report) -> Result<(), EmitError> {
        let Some((_, secret)) = &report.secret else {
            return Ok(());
        };
        let human = self.options.format.is_human() && !self.options.quiet;
        let style = self.table_style(self.streams.stderr_terminal);
        let text = human.then(|| self.table(report, style));
        self.write_line(secret, true)?;
        match text {
            Some(Ok((text, _))) => self.say(&text),
            // The secret is out, so a wrong --columns is no failure of the command any more.
            Some(Err(error)) => self.warn(&error.to_string()),
            None => {}
        }
        Ok(())
    }

    /// Nothing was minted: the place of the secret is empty, and the description stays on stderr.
    fn described_nothing(&mut self, report: &Report) -> Result<(), EmitError> {
        if self.options.quiet {
            return self.write_line("", false);
        }
        let style = self.table_style(self.streams.stderr_terminal);
        let (text, _) = self.table(report, style)?;
        self.say(&text);
        Ok(())
    }

    fn lines(&mut self, report: &Report) -> Result<(), EmitError> {
        let Body::List { items, .. } = &report.body else {
            let text = report.to_json_line()?;
            return self.write_line(&text, report.secret.is_some());
        };
        let mut out = String::new();
        for item in items {
            out.push_str(&super::escape_json(&item.to_string()));
            out.push('\n');
        }
        self.write(out.as_bytes(), false)
    }

    fn values(&mut self, report: &Report, path: &str) -> Result<(), EmitError> {
        let mut out = String::new();
        for row in report.rows() {
            match find(row, path) {
                Some(Value::String(text)) => out.push_str(&self.shown(text)),
                Some(Value::Null) | None => {}
                Some(other) => out.push_str(&other.to_string()),
            }
            out.push('\n');
        }
        self.write(out.as_bytes(), false)
    }

    fn field(&mut self, report: &Report, path: &str) -> Result<(), EmitError> {
        if let Some((name, secret)) = &report.secret {
            if *name == path {
                return self.write_line(secret, true);
            }
            return Err(EmitError::Usage {
                message: format!("--field {path} would lose the secret, which is shown only once"),
                valid: vec![(*name).to_owned()],
            });
        }
        if report.minting && path == "secret" {
            return self.write_line("", false);
        }
        let mut out = String::new();
        let document = document(report, path);
        if let Some(value) = document {
            out.push_str(&self.shown(&value));
            out.push('\n');
        } else {
            let mut outcome = Ok(());
            for row in report.rows() {
                match scalar(row, relative(report, path)) {
                    Ok(value) => {
                        out.push_str(&self.shown(&value));
                        out.push('\n');
                    }
                    Err(error) => outcome = outcome.and(Err(error)),
                }
            }
            if report.rows().is_empty() && !report.columns.iter().any(|column| column.path == path) {
                outcome = Err(PathError::Unknown);
            }
            outcome.map_err(|error| wrong_path(report, path, error))?;
        }
        self.write(out.as_bytes(), false)
    }

    fn talk(&mut self, report: &Report) {
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

    fn shown<'a>(&self, text: &'a str) -> std::borrow::Cow<'a, str> {
        if self.streams.stdout_terminal { escape(text) } else { text.into() }
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

/// A path that starts at the document: `schema`, `page.total`, `items.0.id`.
fn document(report: &Report, path: &str) -> Option<String> {
    if path == "schema" {
        return Some(report.schema.to_owned());
    }
    let Body::List { items, page } = &report.body else {
        return None;
    };
    if let (Some(name), Some(page)) = (path.strip_prefix("page."), page) {
        return match name {
            "returned" => Some(page.returned.to_string()),
            "total" => Some(page.total.to_string()),
            "truncated" => Some(page.truncated.to_string()),
            _ => None,
        };
    }
    let (index, rest) = path.strip_prefix("items.")?.split_once('.')?;
    scalar(items.get(index.parse::<usize>().ok()?)?, rest).ok()
}

/// Drops the item's own name from the front of a path.
fn relative<'a>(report: &Report, path: &'a str) -> &'a str {
    match &report.body {
        Body::Item { name, .. } => path.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')).unwrap_or(path),
        _ => path,
    }
}

fn wrong_path(report: &Report, path: &str, error: PathError) -> EmitError {
    match error {
        PathError::NotScalar(valid) => EmitError::Usage { message: format!("\"{path}\" is not a single value"), valid },
        PathError::Unknown => {
            let mut valid = report.rows().first().map(scalar_paths).unwrap_or_default();
            if valid.is_empty() {
                valid = report.columns.iter().map(|column| column.path.to_owned()).collect();
            }
            EmitError::Usage { message: format!("unknown field \"{path}\""), valid }
        }
    }
}

#[cfg(test)]
mod tests;
