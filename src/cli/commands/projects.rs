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
    const MEANS: &'static str = "A project is a part of a workspace that keys can be narrowed to: `create --project P` makes a key that reaches \
        one project, any other reaches every project of its workspace. A workspace needs none. With several, a request with a \
        key for all of them names the one it is about (X-Project-ID, --project); with one, that one is meant.";
    const EXAMPLE: &'static str = "shop";
    const UPDATES: &'static [&'static str] = &["shop --description 'the web shop'"];
    const SCHEMA: &'static str = "keyward.project/v1";
    const LIST_SCHEMA: &'static str = "keyward.project-list/v1";
    const COLUMNS: &'static [Column] = columns::MEMBERS;
}
