//! The README and the pages of `docs/`, as they stand in the checkout.

use std::{fs, path::Path};

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
        .unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// One page of `docs/`, without its ending.
pub(crate) fn page(name: &str) -> String {
    read(&format!("docs/{name}.md"))
}

/// The README and then every page, in the order of the table of contents.
pub(crate) fn pages() -> Vec<(String, String)> {
    let summary = page("SUMMARY");
    let linked = summary.lines().filter_map(|line| line.strip_prefix("- ")?.split_once("](")?.1.strip_suffix(".md)"));
    let mut pages = vec![("README".to_owned(), read("README.md"))];
    pages.extend(linked.map(|name| (name.to_owned(), page(name))));
    pages
}

#[test]
fn the_table_of_contents_names_every_page() {
    let mut listed: Vec<String> = pages().into_iter().skip(1).map(|(name, _)| format!("{name}.md")).collect();
    listed.extend(["SUMMARY.md".to_owned(), "book.toml".to_owned()]);
    listed.sort();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut kept: Vec<String> =
        fs::read_dir(docs).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    // A picture is shown by a page.
    kept.retain(|name| !name.ends_with(".svg"));
    kept.sort();
    assert_eq!(kept, listed);
}

#[test]
fn the_readme_is_a_front_door() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= 200, "{} lines", readme.lines().count());
    for (from, text) in pages() {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join(if from == "README" { "" } else { "docs" });
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if !target.contains("://") && target.ends_with(".md") {
                assert!(base.join(target).is_file(), "{from} links to {target}, which is not there");
            }
        }
    }
}
