//! The one room that may write to the user: data on stdout, everything else on stderr.
//!
//! Commands build a [`Report`] and hand it to an [`Emitter`], which knows the format, the
//! terminal and the rules (secrets alone, control characters escaped, a closed pipe is no
//! error). Nothing here reads the environment, opens a vault or decides an exit code.

mod cell;
mod columns;
mod csv;
mod emitter;
mod error;
mod escape;
mod field;
mod format;
mod json;
mod markdown;
pub mod page;
mod pager;
mod plot;
mod progress;
mod report;
mod row;
mod sarif;
mod streams;
mod table;
mod time;
mod waiting;

pub use cell::Cell;
pub use emitter::{EmitError, Emitter, Held, Options};
pub use error::{ErrorReport, write_error};
pub use escape::{escape, toml_string};
pub use format::{ColorChoice, ColorPolicy, Format, TimeStyle};
pub use pager::{Pager, height};
pub use plot::{bar, sparkline};
pub use progress::Progress;
pub use report::{Column, ColumnKind, Page, Report, Section};
pub use row::Row;
pub use sarif::{SarifResult, sarif};
pub use streams::{StdoutProblem, Streams};
pub use table::cut;
pub use time::{relative, render_time};
pub use waiting::Waiting;
