//! What commands say: replies on stdout through the output room, talk on stderr.
//!
//! A change says in one line on stderr what it did; its reply stands on stdout when a format, a field or `-q` asks for it.

use super::{columns, context::Ctx, exit::Exit, hints::Said};
use crate::{
    domain::PlainToken,
    ops::{Created, Error, Kind, Result},
    output::{Column, EmitError, Emitter, ErrorReport, Format, Page, Report, Row},
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// Several keys, each with its secret beside it.
pub(super) const MINTED: &str = "keyward.minted-list/v1";

impl Ctx {
    /// The output format.
    pub(super) fn format(&self) -> Format {
        self.out.options.format
    }

    /// Writes a reply.
    pub(super) fn emit<R: Row>(&mut self, report: &Report<R>) -> Result<()> {
        self.out.emit(report).map_err(unwritten)
    }

    /// Writes the replies of a command on several keys.
    pub(super) fn emit_batch<R: Row>(&mut self, schema: &'static str, reports: &[Report<R>]) -> Result<()> {
        self.out.emit_batch(schema, reports).map_err(unwritten)
    }

    /// Writes the replies of a bulk creation: a line each, unless one document or bare secrets are asked for.
    pub(super) fn emit_lines<R: Row>(&mut self, schema: &'static str, reports: &[Report<R>]) -> Result<()> {
        let format = self.out.options.format;
        if matches!(format, Format::Table | Format::Wide) && !self.out.options.quiet {
            self.out.options.format = Format::Jsonl;
        }
        let written = self.emit_batch(schema, reports);
        self.out.options.format = format;
        written
    }

    /// Writes a list.
    pub(super) fn list<R: Row>(
        &mut self,
        schema: &'static str,
        rows: Vec<R>,
        total: usize,
        columns: &[Column],
    ) -> Result<()> {
        let page = Page { returned: rows.len(), total, truncated: rows.len() < total };
        let name = columns.first().map_or("name", |column| column.path);
        self.emit(&Report::list(schema, rows, page, columns, name))
    }

    /// Writes one thing.
    pub(super) fn item<R: Row>(
        &mut self,
        schema: &'static str,
        name: &'static str,
        value: R,
        columns: &[Column],
    ) -> Result<()> {
        self.emit(&Report::item(schema, name, value, None).with_columns(columns))
    }

    /// Writes one thing whose fields stand beside the schema.
    pub(super) fn flat(&mut self, schema: &'static str, value: Value, named_by: &'static str) -> Result<()> {
        self.emit(&Report::flat(schema, value).named_by(named_by))
    }

    /// Writes one thing whose fields stand beside the schema, with the lines that people see of it.
    pub(super) fn flat_with(&mut self, schema: &'static str, value: Value, columns: &[Column]) -> Result<()> {
        self.emit(&Report::flat(schema, value).with_columns(columns))
    }

    /// Whether something asks for the reply of a change.
    pub(super) fn reply_asked(&self) -> bool {
        self.program_reads() || self.given.output.is_some() || !self.given.columns.is_empty()
    }

    /// Whether what is printed is for a program and not for people.
    pub(super) fn program_reads(&self) -> bool {
        let options = &self.out.options;
        options.quiet || options.field.is_some() || !matches!(options.format, Format::Table | Format::Wide)
    }

    /// Whether standard output is to hold a secret and nothing else, so that nothing there would be taken for one.
    pub(super) fn secret_asked(&self) -> bool {
        let options = &self.out.options;
        let bare = options.quiet && matches!(options.format, Format::Table | Format::Wide);
        !self.global.dry_run && options.field.as_ref().map_or(bare, |field| field == "secret")
    }

    /// Whether ids or names are all that will be printed of a list.
    pub(super) fn names_suffice(&self) -> bool {
        let options = &self.out.options;
        let human = matches!(options.format, Format::Table | Format::Wide);
        options.field.is_none() && (options.format == Format::Name || (options.quiet && human))
    }

    /// Writes the reply of a change, if something asks for it.
    pub(super) fn item_if_asked<R: Row>(
        &mut self,
        schema: &'static str,
        name: &'static str,
        value: R,
        columns: &[Column],
    ) -> Result<()> {
        if !self.reply_asked() {
            return Ok(());
        }
        let report = Report::item(schema, name, value, None).with_columns(columns).dry_run(self.global.dry_run);
        let written = self.emit(&report);
        self.after_change(written)
    }

    /// What became of the reply of a change that is done: a field or a column that it does not have is said, and is no
    /// failure of the command any more, for nobody should repeat what was done.
    pub(super) fn after_change(&mut self, written: Result<()>) -> Result<()> {
        match written {
            Err(error) if error.kind == Kind::Usage => {
                self.out.warn(&format!("what was asked for is done, and only its reply is missing: {}", error.message));
                error.hints.iter().for_each(|hint| self.note(hint));
                Ok(())
            }
            written => written,
        }
    }

    /// The reply of create and rotate where there is no secret to show, if something asks for it: its place stays empty.
    pub(super) fn item_without_secret(&mut self, key: Value) -> Result<()> {
        let report = Report::item("keyward.key/v1", "key", key, None);
        self.reply_without_secret(report)
    }

    /// Whether the replies about several keys stand in one document, and wait for each other.
    pub(super) fn is_one_document(&self) -> bool {
        let options = &self.out.options;
        options.field.is_none() && matches!(options.format, Format::Json | Format::Csv | Format::Markdown)
    }

    /// The replies of rotate about several keys, in one document.
    pub(super) fn items_without_secret(&mut self, keys: Vec<Value>) -> Result<()> {
        let written = if self.format() == Format::Json {
            let reports: Vec<Report> = keys.into_iter().map(|key| self.minted(key, None)).collect();
            self.emit_batch(MINTED, &reports)
        } else {
            let total = keys.len();
            self.list(MINTED, keys, total, super::columns::KEY)
        };
        self.after_change(written)
    }

    /// The same of create, which says whether the key was there before.
    pub(super) fn created_without_secret(&mut self, key: Value, existed: bool) -> Result<()> {
        let report = Report::item("keyward.key/v1", "key", key, None);
        self.reply_without_secret(report.existed(existed))
    }

    fn reply_without_secret(&mut self, report: Report) -> Result<()> {
        if !self.reply_asked() {
            return Ok(());
        }
        let report = report.with_columns(columns::KEY).minting().dry_run(self.global.dry_run);
        let written = self.emit(&report);
        self.after_change(written)
    }

    /// Leaves the line of a secret empty that could not be made, where lines are all there is to tell secrets apart.
    pub(super) fn missing_secret(&mut self) -> Result<()> {
        let options = &self.out.options;
        let bare = options.quiet && matches!(options.format, Format::Table | Format::Wide);
        if bare || options.field.is_some() { self.raw(b"\n") } else { Ok(()) }
    }

    /// The reply of create and rotate, with the secret beside the key. People see a few facts of it, all with `-v`.
    pub(super) fn minted<R: Row>(&self, key: R, secret: Option<&PlainToken>) -> Report<R> {
        let few = columns::minted();
        minted(key, secret, if self.global.verbose == 0 { &few } else { columns::KEY }).dry_run(self.global.dry_run)
    }

    /// A key that was made, or that would be: then nobody will ever find it by what was drawn for it in the rehearsal.
    pub(super) fn created_key(&self, created: &Created) -> Value {
        let mut key = json!(created.key);
        if self.global.dry_run && !created.existed {
            (key["id"], key["hint"], key["secrets"]) = (Value::Null, Value::Null, json!([]));
        }
        key
    }

    /// Puts the secret to come on the clipboard too.
    ///
    /// # Errors
    /// `Usage` where no terminal is there to be asked.
    pub(super) fn copy_secret(&mut self) -> Result<()> {
        if !self.out.streams.stderr_terminal {
            return Err(Error::usage("--copy asks the terminal, and standard error is none").hint("leave --copy out"));
        }
        self.out.copy_secrets();
        Ok(())
    }

    /// Refuses to mint what could not be printed.
    ///
    /// # Errors
    /// `Usage` when the format has no place for a secret, or stdout is closed or full.
    pub(super) fn preflight_secret(&self) -> Result<()> {
        if self.global.dry_run {
            return Ok(());
        }
        self.out.check_secret_output().map_err(|error| match error {
            EmitError::Stdout(problem) => {
                Error::new(Kind::Usage, "stdout", "the secret could not be printed, and nothing was minted")
                    .cause(problem.to_string())
                    .hint("send stdout to a place that keeps it")
            }
            other => unwritten(other),
        })
    }

    /// Writes a text: as it stands, or in one document where JSON is asked for.
    pub(super) fn text(&mut self, schema: &'static str, name: &'static str, text: &str) -> Result<()> {
        if self.format().is_json() || self.out.options.field.is_some() {
            return self.flat(schema, json!({ name: text.trim_end_matches('\n') }), name);
        }
        self.refuse_layout(&[Format::Table], "this is a text, which is printed as it stands, or as JSON")?;
        self.raw(text.as_bytes())
    }

    /// Writes bytes as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.raw(bytes).map_err(unwritten)
    }

    /// Writes one line of a stream; says whether anybody still reads.
    pub(super) fn stream_line(&mut self, text: &str) -> Result<bool> {
        self.out.stream_line(text).map_err(unwritten)
    }

    /// Says something on stderr.
    pub(super) fn note(&mut self, text: &str) {
        self.out.note(&Said::of(&self.given).carried(text));
    }

    /// Tells an error and goes on.
    pub(super) fn error(&mut self, error: &Error) {
        let error = Said::of(&self.given).error(error.clone());
        self.out.emit_error(&told(&error));
    }

    /// The emitter, for what only some commands need.
    pub(super) fn emitter(&mut self) -> &mut Emitter {
        &mut self.out
    }
}

/// A key with its secret beside it.
pub(super) fn minted<R: Row>(key: R, secret: Option<&PlainToken>, columns: &[Column]) -> Report<R> {
    let secret = secret.map(|token| ("secret", Zeroizing::new(token.expose_plaintext().to_owned())));
    Report::item("keyward.key/v1", "key", key, secret).with_columns(columns).named_by("id").minting()
}

/// What repeats an argument repeats not all of one that is a whole file.
fn brief(text: &str) -> String {
    const MOST: usize = 1000;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// An error as it is told.
pub(super) fn told(error: &Error) -> ErrorReport {
    ErrorReport {
        message: brief(&error.message),
        causes: error.causes.iter().map(|cause| brief(cause)).collect(),
        hints: error.hints.clone(),
        code: error.kind.name(),
        reason: error.reason.clone(),
        exit: Exit::from(error.kind).code(),
        retryable: error.kind.retryable(),
        notes: Vec::new(),
    }
}

/// Why a reply was not written, as an error of the command.
pub(super) fn unwritten(error: EmitError) -> Error {
    match error {
        EmitError::Usage { message, valid } => {
            let error = Error::usage(message);
            if valid.is_empty() { error } else { error.hint(format!("valid: {}", valid.join(", "))) }
        }
        EmitError::Stdout(problem) => Error::new(Kind::Unavailable, "stdout", problem.to_string()),
        EmitError::Write(cause) => {
            Error::new(Kind::Unavailable, "stdout", "cannot write to stdout").cause(cause.to_string())
        }
        EmitError::Render(cause) => {
            Error::new(Kind::Internal, "render", "cannot render the reply").cause(cause.to_string())
        }
    }
}
