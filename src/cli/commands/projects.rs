//! `projects`: what a project-level key is narrowed to.

use super::objects::{Described, Kind};
use crate::{cli::columns, ops::ObjectKind, output::Column};

/// The kind.
#[derive(Debug)]
pub(crate) struct Projects;

impl Kind for Projects {
    type Fields = Described;
    const KIND: ObjectKind = ObjectKind::Project;
    const ABOUT: &'static str = "Projects of a workspace";
    const COMMAND: &'static str = "projects";
    const EXAMPLE: &'static str = "shop";
    const UPDATES: &'static [&'static str] = &["shop --description 'the web shop'"];
    const SCHEMA: &'static str = "keyward.project/v1";
    const LIST_SCHEMA: &'static str = "keyward.project-list/v1";
    const COLUMNS: &'static [Column] = columns::MEMBERS;
}
