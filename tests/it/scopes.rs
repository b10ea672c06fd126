//! The catalogue of scopes: nothing that a live key may do is lost unsaid.

use crate::support::Home;

#[test]
fn what_an_addition_does_not_name_stays_as_it_is() {
    let home = Home::with_vault();
    home.ok(&["scopes", "add", "a:op", "--implies", "a:read", "--description", "operate a"]);
    let token = home.ok(&["create", "k", "--scope", "a:op"]);
    let reads = || home.verdict(&token, &["--scope", "a:read"]).1 == Some(0);
    assert!(reads());

    let told = home.run(&["scopes", "add", "a:op", "--description", "run a"]);
    assert!(told.stderr.contains("a:op: changed description: operate a -> run a"), "{told:?}");
    assert!(reads(), "an implication was lost by a new description");
    home.ok(&["scopes", "add", "a:op", "--implies", "a:read", "--implies", "a:list"]);
    assert_eq!(home.json(&["scopes", "show", "a:op"])["scope"]["description"], "run a");

    let dry = home.run(&["--dry-run", "scopes", "add", "a:op", "--implies", ""]);
    assert!(dry.stderr.contains("would change implies: a:list a:read -> (none)"), "{dry:?}");
    assert!(reads());
    home.ok(&["scopes", "add", "a:op", "--implies", ""]);
    assert!(!reads());
    home.ok(&["scopes", "add", "a:op", "--description", ""]);
    let shown = home.json(&["scopes", "show", "a:op"])["scope"].clone();
    assert_eq!((shown["description"].is_null(), shown["implies"].as_array().map(Vec::len)), (true, Some(0)));
    assert_eq!(home.run(&["scopes", "add", "a:op", "--implies", "", "--implies", "a:read"]).code, Some(2));
}

#[test]
fn a_file_takes_nothing_away_from_the_catalogue() {
    let home = Home::with_vault();
    home.ok(&["scopes", "add", "a:op", "--implies", "a:read", "--description", "operate a"]);
    home.write("names.csv", "name\na:op\n");
    home.write("words.csv", "name,description,implies\na:op,run a,\n");
    home.write("lines.jsonl", "{\"name\":\"a:op\"}\n");
    for file in ["names.csv", "words.csv", "lines.jsonl"] {
        home.ok(&["scopes", "import", file]);
        let shown = home.json(&["scopes", "show", "a:op"])["scope"].clone();
        assert_eq!(shown["implies"][0], "a:read", "{file}");
        assert!(shown["description"].is_string(), "{file}");
    }
}

#[test]
fn a_scope_that_a_key_has_by_implication_is_not_removed() {
    let home = Home::with_vault();
    home.ok(&["scopes", "add", "a:op", "--implies", "a:read"]);
    home.ok(&["scopes", "add", "a:read"]);
    home.ok(&["scopes", "add", "*:run", "--implies", "*:look"]);
    home.ok(&["scopes", "add", "z:alone"]);
    let token = home.ok(&["create", "k", "--scope", "a:op", "--scope", "b:run"]);
    for (scope, named) in [("a:read", "a:op"), ("*:run", "b:run")] {
        let refused = home.run(&["scopes", "remove", scope, "--yes"]);
        assert_eq!(refused.code, Some(6), "{refused:?}");
        assert!(refused.stderr.contains(&format!("'{named}', which is held by 1 key")), "{}", refused.stderr);
    }
    assert_eq!(home.verdict(&token, &["--scope", "a:read", "--scope", "b:look"]).1, Some(0));
    home.ok(&["scopes", "remove", "z:alone", "--yes"]);
}
