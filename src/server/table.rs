//! The route table of `/v1/authz`: which method and path needs which scopes, from `routes.toml`.
//!
//! The first route that fits decides; what no route fits is refused. Paths are compared decoded, as whoever serves them reads
//! them ([`super::path`]), and a slash at the end says nothing.

use super::path::segments;
use crate::{
    domain::{Environment, Scope},
    ops::{Error, Kind, Result},
};
use serde::Deserialize;
use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

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
    /// A workspace-level key must name its project, where its workspace has several.
    pub(super) needs_project: bool,
    /// The request must name a customer.
    pub(super) needs_customer: bool,
    /// Whoever asks may pass, with a key or without.
    public: bool,
    /// What a browser asks before it sends a request of this route passes without a key.
    preflight: bool,
}

/// A request, as a gateway tells of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    /// The segments of its path.
    pub(super) path: &'a [Cow<'a, str>],
    /// The method that a browser asks leave for (`Access-Control-Request-Method`).
    pub(super) announced: Option<&'a str>,
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs<'t> {
    Nothing,
    /// A key that fits the route.
    Key(&'t Route),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Exactly(String),
    /// `*`: any one segment.
    One,
    /// `**`, at the end: any number of segments, none included.
    Rest,
}

/// All routes, in order, and the file that they are from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteTable {
    file: PathBuf,
    routes: Vec<Route>,
}

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
    #[serde(default)]
    needs_customer: bool,
    #[serde(default)]
    public: bool,
    #[serde(default)]
    preflight: bool,
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
        let text = crate::files::read_text(path).map_err(|error| refused(error.to_string()))?;
        let read = Self::parse(&text).map_err(refused)?;
        Ok(Self { file: path.to_owned(), ..read })
    }

    /// Reads its file again.
    ///
    /// # Errors
    /// As [`RouteTable::read`].
    pub(super) fn again(&self) -> Result<Self> {
        Self::read(&self.file)
    }

    /// How many routes it has.
    pub(super) fn len(&self) -> usize {
        self.routes.len()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| crate::domain::serde_text::toml_problem(text, &error))?;
        let numbered = file.route.into_iter().enumerate();
        let routes =
            numbered.map(|(index, entry)| entry.route().map_err(|cause| format!("route {}: {cause}", index + 1)));
        routes.collect::<Result<_, _>>().map(|routes| Self { file: PathBuf::new(), routes })
    }

    /// What the first route that fits a request asks for; `None` when no route fits.
    pub(super) fn find(&self, asked: Asked<'_>) -> Option<Needs<'_>> {
        self.routes.iter().find_map(|route| route.needs(asked))
    }

    /// Refuses routes of another environment than the server's: no key would ever pass them.
    ///
    /// # Errors
    /// `Usage`, naming the environment.
    pub(super) fn must_be_of(&self, environment: Environment) -> Result<()> {
        match self.routes.iter().filter_map(|route| route.environment).find(|of| *of != environment) {
            None => Ok(()),
            Some(other) => Err(Error::new(
                Kind::Usage,
                "routes",
                format!("the route table has a route of {other}, and this server is for {environment} alone"),
            )),
        }
    }
}

impl Entry {
    fn route(self) -> Result<Route, String> {
        if self.public && !(self.scopes.is_empty() && self.environment.is_none()) {
            return Err("a public route lets everybody pass: it asks for neither scopes nor an environment".to_owned());
        }
        if self.public && self.preflight {
            return Err("a public route needs no rule for preflights: it lets them pass".to_owned());
        }
        let written = segments(&self.path).filter(|_| !self.path.contains('?'));
        let decoded = written.ok_or("its path is not an absolute path in its simplest form")?;
        let last = decoded.len();
        // An encoded asterisk is an asterisk; one that is written stands for something else.
        let pattern =
            self.path.split('/').skip(1).zip(decoded).enumerate().map(|(index, (written, decoded))| match written {
                "*" => Ok(Segment::One),
                "**" if index + 1 == last => Ok(Segment::Rest),
                text if text.contains('*') => Err("'*' stands for a whole segment, '**' only at the end"),
                _ => Ok(Segment::Exactly(decoded.into_owned())),
            });
        Ok(Route {
            pattern: pattern.collect::<Result<_, _>>()?,
            methods: self.methods.into_iter().map(|method| method.to_ascii_uppercase()).collect(),
            scopes: self.scopes.iter().map(|scope| scope.parse()).collect::<Result<_, _>>()?,
            environment: self.environment.map(|name| name.parse()).transpose()?,
            needs_project: self.needs_project,
            needs_customer: self.needs_customer,
            public: self.public,
            preflight: self.preflight,
        })
    }
}

impl Route {
    fn needs(&self, asked: Asked<'_>) -> Option<Needs<'_>> {
        let is_preflight = |method| self.preflight && asked.method == "OPTIONS" && self.fits(method, asked.path);
        if asked.announced.is_some_and(is_preflight) {
            return Some(Needs::Nothing);
        }
        let needs = if self.public { Needs::Nothing } else { Needs::Key(self) };
        self.fits(asked.method, asked.path).then_some(needs)
    }

    fn fits(&self, method: &str, path: &[Cow<'_, str>]) -> bool {
        // HEAD is GET without the body (RFC 9110, 9.3.2).
        let same = |own: &String| own == method || (method == "HEAD" && own == "GET");
        if !self.methods.is_empty() && !self.methods.iter().any(same) {
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
        match table.find(Asked { method, path: &segments(path)?, announced: None })? {
            Needs::Key(route) => Some(route.scopes.iter().map(ToString::to_string).collect()),
            Needs::Nothing => None,
        }
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
        assert_eq!(scopes("HEAD", "/invoices/7"), is("invoices:read"), "as GET");
        assert_eq!(scopes("GET", "/invoices/7/"), is("invoices:read"), "a slash at the end says nothing");
        assert_eq!(scopes("GET", "/invoices/"), is("invoices:write"));
    }

    #[test]
    fn a_path_is_what_whoever_serves_it_reads() {
        let is = |scope: &str| Some(vec![scope.to_owned()]);
        for path in ["/%69nvoices/7", "/invoice%73/7", "/%69%6e%76%6F%69%63%65%73/%37"] {
            assert_eq!(scopes("GET", path), is("invoices:read"), "{path}");
        }
        assert_eq!(scopes("GET", "/invoices/a%20b"), is("invoices:read"));
        assert_eq!(scopes("GET", "/invoices/%C3%A9"), is("invoices:read"));
        let table = RouteTable::parse("[[route]]\npath = '/%2A/\u{e9}'").is_err();
        assert!(table, "what is no ASCII is written in its encoding");
        let table = RouteTable::parse("[[route]]\npath = '/%2A/%C3%A9'").unwrap();
        let finds =
            |path: &str| table.find(Asked { method: "GET", path: &segments(path).unwrap(), announced: None }).is_some();
        assert!(finds("/*/%c3%a9"));
        assert!(!finds("/a/%c3%a9"));
    }

    #[test]
    fn public_routes_and_preflights_need_no_key() {
        let table = RouteTable::parse(
            "[[route]]\nmethods = ['GET']\npath = '/public/**'\npublic = true\n\
             [[route]]\nmethods = ['GET', 'PUT']\npath = '/invoices/**'\npreflight = true\n\
             [[route]]\npath = '/all'\npreflight = true\n",
        )
        .unwrap();
        let open = |method, path, announced| {
            let path = segments(path).unwrap();
            table.find(Asked { method, path: &path, announced }).map(|needs| needs == Needs::Nothing)
        };
        assert_eq!(open("GET", "/public/a", None), Some(true));
        assert_eq!(open("HEAD", "/public/a", None), Some(true), "as GET");
        assert_eq!(open("POST", "/public/a", None), None);
        assert_eq!(open("OPTIONS", "/invoices/7", Some("PUT")), Some(true));
        assert_eq!(open("OPTIONS", "/invoices/7", Some("DELETE")), None, "no route takes it");
        assert_eq!(open("OPTIONS", "/invoices/7", None), None, "no preflight");
        assert_eq!(open("GET", "/invoices/7", Some("PUT")), Some(false), "no preflight either");
        assert_eq!(open("OPTIONS", "/all", Some("PUT")), Some(true));
        assert_eq!(open("OPTIONS", "/all", None), Some(false));
    }

    #[test]
    fn a_wrong_table_is_refused() {
        for text in [
            "[[route]]\npath = 'invoices'",
            "[[route]]\npath = '/a*'",
            "[[route]]\npath = '/**/a'",
            "[[route]]\npath = '/a'\nscopes = ['nothing']",
            "[[route]]\npath = '/a'\nscope = []",
            "[[route]]\npath = '/a?b'",
            "[[route]]\npath = '/a#b'",
            "[[route]]\npath = '/a'\npublic = true\nscopes = ['a:read']",
            "[[route]]\npath = '/a'\npublic = true\nenvironment = 'production'",
            "[[route]]\npath = '/a'\npublic = true\npreflight = true",
            "routes = []",
        ] {
            assert!(RouteTable::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(path in ".{0,60}") {
            if let Some(path) = segments(&path) {
                let _ = table().find(Asked { method: "GET", path: &path, announced: None });
            }
        }
    }
}
