//! The route table of `/v1/authz`: which method and path needs which scopes, from `routes.toml`.
//!
//! The first route that fits decides; what no route fits is refused. A path that two programs could read differently
//! (`..`, `//`, an encoded slash) is refused before it is looked up: the gateway may not mean what we mean.

use crate::{
    domain::{Environment, Scope},
    ops::{Error, Kind, Result},
};
use serde::Deserialize;
use std::path::Path;

/// The longest file that is read.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// What a route asks of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    methods: Vec<String>,
    pattern: Vec<Segment>,
    /// The scopes the key needs, all of them.
    pub(super) scopes: Vec<Scope>,
    /// The environment the key must be of.
    pub(super) environment: Option<Environment>,
    /// A workspace-level key must name its project.
    pub(super) needs_project: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Exactly(String),
    /// `*`: any one segment.
    One,
    /// `**`, at the end: any number of segments, none included.
    Rest,
}

/// All routes, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteTable(Vec<Route>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    route: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    methods: Vec<String>,
    path: String,
    #[serde(default)]
    scopes: Vec<String>,
    environment: Option<String>,
    #[serde(default = "yes")]
    needs_project: bool,
}

fn yes() -> bool {
    true
}

impl RouteTable {
    /// Reads `routes.toml`.
    ///
    /// # Errors
    /// `Usage`, naming the route that is wrong.
    pub fn read(path: &Path) -> Result<Self> {
        let refused = |cause: String| {
            Error::new(Kind::Usage, "routes", format!("{} is not usable as a route table", path.display())).cause(cause)
        };
        let size = path.metadata().map_err(|error| refused(error.to_string()))?.len();
        if size > MAX_BYTES {
            return Err(refused(format!("it has {size} bytes; {MAX_BYTES} are the most")));
        }
        Self::parse(&std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?).map_err(refused)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| crate::domain::serde_text::toml_problem(text, &error))?;
        let numbered = file.route.into_iter().enumerate();
        let routes =
            numbered.map(|(index, entry)| entry.route().map_err(|cause| format!("route {}: {cause}", index + 1)));
        routes.collect::<Result<_, _>>().map(Self)
    }

    /// The route of a request; `None` when no route fits.
    pub(super) fn find(&self, method: &str, path: &[&str]) -> Option<&Route> {
        self.0.iter().find(|route| route.fits(method, path))
    }
}

impl Entry {
    fn route(self) -> Result<Route, String> {
        let written = segments(&self.path).ok_or("its path is not an absolute path in its simplest form")?;
        let last = written.len();
        let pattern = written.iter().enumerate().map(|(index, segment)| match *segment {
            "*" => Ok(Segment::One),
            "**" if index + 1 == last => Ok(Segment::Rest),
            text if text.contains('*') => Err("'*' stands for a whole segment, '**' only at the end"),
            text => Ok(Segment::Exactly(text.to_owned())),
        });
        Ok(Route {
            pattern: pattern.collect::<Result<_, _>>()?,
            methods: self.methods.into_iter().map(|method| method.to_ascii_uppercase()).collect(),
            scopes: self.scopes.iter().map(|scope| scope.parse()).collect::<Result<_, _>>()?,
            environment: self.environment.map(|name| name.parse()).transpose()?,
            needs_project: self.needs_project,
        })
    }
}

impl Route {
    fn fits(&self, method: &str, path: &[&str]) -> bool {
        if !self.methods.is_empty() && !self.methods.iter().any(|own| own == method) {
            return false;
        }
        let mut rest = path.iter();
        for segment in &self.pattern {
            match (segment, rest.next()) {
                (Segment::Rest, _) => return true,
                (Segment::One, Some(_)) => {}
                (Segment::Exactly(own), Some(given)) if own == given => {}
                _ => return false,
            }
        }
        rest.next().is_none()
    }
}

/// The segments of a path without its query; `None` for one that programs could read in different ways.
pub(super) fn segments(path: &str) -> Option<Vec<&str>> {
    let path = path.split(['?', '#']).next()?;
    let inside = path.strip_prefix('/')?;
    let lower = path.to_ascii_lowercase();
    let odd = path.contains('\\') || ["%2f", "%5c", "%2e", "%00", "%25"].iter().any(|code| lower.contains(code));
    if odd || path.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return None;
    }
    let segments: Vec<&str> = if inside.is_empty() { Vec::new() } else { inside.split('/').collect() };
    let last = segments.len().saturating_sub(1);
    let simple = segments.iter().enumerate().all(|(index, segment)| {
        // A slash at the end is an empty last segment; parameters after ';' are read by some and not by others.
        (!segment.is_empty() || index == last) && !matches!(*segment, "." | "..") && !segment.contains(';')
    });
    simple.then_some(segments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table() -> RouteTable {
        RouteTable::parse(
            "[[route]]\nmethods = ['get']\npath = '/invoices/*'\nscopes = ['invoices:read']\n\
             [[route]]\npath = '/invoices/**'\nscopes = ['invoices:write']\nenvironment = 'production'\n\
             [[route]]\npath = '/'\nneeds_project = false\n",
        )
        .unwrap()
    }

    fn scopes(method: &str, path: &str) -> Option<Vec<String>> {
        let table = table();
        let route = table.find(method, &segments(path)?)?;
        Some(route.scopes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_first_route_that_fits_decides() {
        let is = |scope: &str| Some(vec![scope.to_owned()]);
        assert_eq!(scopes("GET", "/invoices/7?page=2"), is("invoices:read"));
        assert_eq!(scopes("POST", "/invoices/7"), is("invoices:write"));
        assert_eq!(scopes("GET", "/invoices/7/lines"), is("invoices:write"));
        assert_eq!(scopes("GET", "/invoices"), is("invoices:write"));
        assert_eq!(scopes("GET", "/"), Some(vec![]));
        assert_eq!(scopes("GET", "/other"), None);
        assert_eq!(scopes("get", "/invoices/7"), is("invoices:write"), "methods have a case");
    }

    #[test]
    fn what_programs_read_differently_is_refused() {
        for path in [
            "",
            "invoices",
            "//invoices",
            "/a//b",
            "/a/../b",
            "/a/./b",
            "/..",
            "/a%2Fb",
            "/a%2e%2e/b",
            "/a\\b",
            "/a;b/c",
            "/a%5cb",
            "/a\tb",
            "/%00",
            "/a%252fb",
        ] {
            assert_eq!(segments(path), None, "{path}");
        }
        assert_eq!(segments("/a/"), Some(vec!["a", ""]));
    }

    #[test]
    fn a_wrong_table_is_refused() {
        for text in [
            "[[route]]\npath = 'invoices'",
            "[[route]]\npath = '/a*'",
            "[[route]]\npath = '/**/a'",
            "[[route]]\npath = '/a'\nscopes = ['nothing']",
            "[[route]]\npath = '/a'\nscope = []",
            "routes = []",
        ] {
            assert!(RouteTable::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(path in ".{0,60}") {
            if let Some(path) = segments(&path) {
                let _ = table().find("GET", &path);
            }
        }
    }
}
