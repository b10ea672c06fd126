//! The rules of the house that a compiler does not check: direction of imports, length of files, one door for output.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use std::{
    collections::BTreeSet,
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};
use syn::{Attribute, Item, ItemMod, spanned::Spanned};

/// The rooms, and what each may import. Besides them there are `lib.rs` and `main.rs`.
const ROOMS: [(&str, &[&str]); 17] = [
    ("domain", &[]),
    ("config", &["domain", "files", "ops", "backend"]),
    ("files", &["domain"]),
    ("vault", &["domain", "files"]),
    ("store", &["domain", "files", "vault"]),
    ("ops", &["domain", "files", "vault", "store"]),
    ("wire", &["domain", "ops"]),
    ("notify", &["ops"]),
    ("oidc", &["domain", "ops", "notify"]),
    ("backend", &["domain", "files", "vault", "store", "ops", "wire", "notify"]),
    ("anchor", &["files", "ops"]),
    ("server", &["domain", "files", "ops", "wire", "oidc", "backend", "anchor"]),
    ("deliver", &["domain", "files"]),
    ("rotate", &["domain", "ops", "backend", "deliver"]),
    ("output", &["domain", "ops"]),
    (
        "cli",
        &[
            "domain",
            "files",
            "ops",
            "backend",
            "server",
            "deliver",
            "rotate",
            "output",
            "anchor",
            "config",
            "artifacts",
        ],
    ),
    ("artifacts", &["cli"]),
];
const MAX_LINES_OF_CODE: usize = 400;

pub(crate) fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

pub(crate) fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn room_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(src()).ok()?;
    Some(inside.components().next()?.as_os_str().to_str()?.trim_end_matches(".rs").to_owned())
}

/// The code of a file as the program has it: without what only tests compile.
pub(crate) struct Code {
    pub(crate) tokens: TokenStream,
    lines: usize,
}

pub(crate) fn code_of(path: &Path) -> Code {
    let text = fs::read_to_string(path).unwrap();
    let mut file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut of_tests = Vec::new();
    drop_tests(&mut file.items, &mut of_tests);
    let counts = |(number, line): &(usize, &str)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with("//") && !of_tests.iter().any(|lines| lines.contains(number))
    };
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line)).filter(counts).count();
    Code { tokens: file.into_token_stream(), lines }
}

/// Takes out the items that only tests compile, and tells their lines.
fn drop_tests(items: &mut Vec<Item>, dropped: &mut Vec<RangeInclusive<usize>>) {
    items.retain_mut(|item| {
        let only_in_tests = attributes(item).iter().any(|attribute| {
            attribute.path().is_ident("cfg") && attribute.meta.to_token_stream().to_string() == "cfg (test)"
        });
        if only_in_tests {
            let span = item.span();
            dropped.push(span.start().line..=span.end().line);
        } else if let Item::Mod(ItemMod { content: Some((_, items)), .. }) = item {
            drop_tests(items, dropped);
        }
        !only_in_tests
    });
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The rooms that are named after `crate::`, in a `use` or anywhere else.
fn named(tokens: TokenStream, found: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_colons = |at: usize| {
        let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
        colon(at) && colon(at + 1)
    };
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(word) if *word == "crate" && is_colons(at + 1) => match tokens.get(at + 3) {
                Some(TokenTree::Ident(room)) => drop(found.insert(room.to_string())),
                Some(TokenTree::Group(group)) => first_words(group.stream(), found),
                _ => {}
            },
            TokenTree::Group(group) => named(group.stream(), found),
            _ => {}
        }
    }
}

/// The first word of each part of `{a::b, c::{d, e}}`.
fn first_words(tokens: TokenStream, found: &mut BTreeSet<String>) {
    let mut begins = true;
    for token in tokens {
        match &token {
            TokenTree::Ident(word) if begins => drop(found.insert(word.to_string())),
            TokenTree::Punct(mark) if mark.as_char() == ',' => {
                begins = true;
                continue;
            }
            _ => {}
        }
        begins = false;
    }
}

pub(crate) fn is_test(path: &Path) -> bool {
    path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| stem.ends_with("tests") || stem == "vectors")
}

#[test]
fn imports_run_one_way() {
    for path in sources(&src()) {
        let Some(room) = room_of(&path) else { continue };
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else { continue };
        if is_test(&path) {
            continue;
        }
        let mut found = BTreeSet::new();
        named(code_of(&path).tokens, &mut found);
        for (other, _) in ROOMS {
            let is_allowed = other == room || allowed.contains(&other);
            assert!(is_allowed || !found.contains(other), "{} imports {other}", path.display());
        }
    }
}

/// What was done is committed with its events, its webhooks told, by one function alone.
#[test]
fn there_is_one_door_to_a_commit() {
    let door = src().join("ops/commit.rs");
    for path in sources(&src()).into_iter().filter(|path| *path != door && !is_test(path)) {
        if room_of(&path).as_deref() != Some("store") {
            let commits = code_of(&path).tokens.to_string().contains("commit_all");
            assert!(!commits, "{} commits by another door than ops::commit", path.display());
        }
    }
}

#[test]
fn no_file_grows_into_a_second_subject() {
    for path in sources(&src()).into_iter().filter(|path| !is_test(path)) {
        let lines = code_of(&path).lines;
        assert!(lines <= MAX_LINES_OF_CODE, "{} has {lines} lines of code", path.display());
    }
}

#[test]
fn only_output_prints() {
    for path in sources(&src()) {
        // A test says what it skips.
        if room_of(&path).as_deref() == Some("output") || is_test(&path) {
            continue;
        }
        let code = code_of(&path).tokens.to_string();
        for printing in ["println !", "eprintln !", "print !", "eprint !", "io :: stdout ()", "io :: stderr ()"] {
            assert!(!code.contains(printing), "{} prints with {printing}", path.display());
        }
    }
}
