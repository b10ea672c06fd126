//! What is held back of the talk while JSON is written: on stderr a failure is one object, and whether there is one is
//! known at the end.

use super::super::error::ErrorReport;
use super::Emitter;

/// Notes, warnings and failures, in their order.
#[derive(Debug, Default)]
pub struct Held {
    /// What would have been said.
    pub talk: Vec<String>,
    /// What would have been told as failures.
    pub failures: Vec<ErrorReport>,
}

impl Emitter {
    /// Holds talk back from now on, where JSON is written.
    #[must_use]
    pub fn holding(mut self) -> Self {
        self.held = self.options.format.is_json().then(Held::default);
        self
    }

    /// Holds nothing back any more, and hands out what was.
    pub fn let_go(&mut self) -> Held {
        self.held.take().unwrap_or_default()
    }

    /// Says at once what was held back, and all that is to come: for what goes on until it is stopped.
    pub fn speak(&mut self) {
        let Held { talk, failures } = self.let_go();
        talk.iter().for_each(|text| self.tell(text));
        failures.iter().for_each(|report| self.emit_error(report));
    }
}
