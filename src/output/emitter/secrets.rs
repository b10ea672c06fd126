//! Secrets at the door: shown once, alone on stdout, with the description of their key on stderr.

use super::super::format::Format;
use super::super::report::Report;
use super::super::row::Row;
use super::{EmitError, Emitter, write_table};
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

impl Emitter {
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
        if matches!(self.options.format, Format::Csv | Format::Markdown | Format::Name | Format::Sarif)
            && self.options.field.is_none()
        {
            return Err(EmitError::Usage {
                message: format!("-o {} has no place for the secret", self.options.format),
                valid: ["table", "json", "jsonl"].map(str::to_owned).to_vec(),
            });
        }
        Ok(())
    }

    /// The table that describes what was minted, or would be, on stderr.
    fn description<R: Row>(&self, report: &Report<R>) -> Result<String, EmitError> {
        let (columns, style) = self.table_layout(report, self.streams.stderr_terminal)?;
        let mut text = Vec::new();
        write_table(&mut text, report, &columns, style)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The secret first, so that nothing can come between it and its reader; then the rest.
    pub(super) fn described_secret<R: Row>(&mut self, report: &Report<R>) -> Result<(), EmitError> {
        let Some((_, secret)) = &report.secret else {
            return Ok(());
        };
        let human = self.options.format.is_human() && !self.options.quiet;
        let text = human.then(|| self.description(report));
        self.write_line(secret, true)?;
        if human && self.streams.stdout_terminal {
            self.say("copy it now: it is not shown again\n");
        }
        match text {
            Some(Ok(text)) => self.say(&text),
            // The secret is out, so a wrong --columns is no failure of the command any more.
            Some(Err(error)) => self.warn(&error.to_string()),
            None => {}
        }
        Ok(())
    }

    /// Puts every secret that is shown on the clipboard too, as terminals take it (OSC 52).
    pub fn copy_secrets(&mut self) {
        self.copies = true;
    }

    /// Hands a secret to the terminal for its clipboard; whether it took it nobody is told.
    pub(super) fn copy(&mut self, secret: &str) {
        if self.copies {
            let encoded = Zeroizing::new(STANDARD.encode(secret));
            let sequence = Zeroizing::new(format!("\x1b]52;c;{}\x07", *encoded));
            self.say(&sequence);
            self.say("the terminal was asked to put it on the clipboard\n");
        }
    }

    /// Nothing was minted: the place of the secret is empty, and the description stays on stderr.
    pub(super) fn described_nothing<R: Row>(&mut self, report: &Report<R>) -> Result<(), EmitError> {
        if self.options.quiet {
            return self.write_line("", false);
        }
        let text = self.description(report)?;
        self.say(&text);
        Ok(())
    }
}
