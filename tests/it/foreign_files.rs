//! Files that other programs wrote: byte order marks, encodings, line ends, quotes that are never closed. Each is taken, or
//! refused with nothing changed.

use crate::support::{Home, door::Doors};
use std::fs;

fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Makes the keys of a file; the code, what was said, and how many keys there are.
fn made(name: &str, bytes: impl AsRef<[u8]>) -> (Option<i32>, String, String) {
    let home = Home::new();
    fs::write(home.path().join(name), bytes).unwrap();
    let ran = home.run(&["create", "--from", name, "--out", "secrets.jsonl"]);
    let there = if home.find("keystore.db").is_some() { home.ok(&["list", "--count"]) } else { "0".to_owned() };
    (ran.code, ran.stderr, there)
}

#[test]
fn keys_come_from_csv_and_json_however_they_were_saved() {
    let keys = "{\n  \"keys\": [\n    {\"name\": \"a\"},\n    {\"name\": \"b\", \"scopes\": [\"x:read\"]}\n  ]\n}\n";
    let files: [(&str, Vec<u8>); 8] = [
        ("marked.jsonl", "\u{feff}{\"name\":\"a\"}\n{\"name\":\"b\"}\n".into()),
        ("marked.csv", "\u{feff}name,no_expiry\r\na,TRUE\r\nb,False\r\n".into()),
        ("powershell.csv", utf16("name\r\na\r\nb\r\n")),
        ("powershell.jsonl", utf16("{\"name\":\"a\"}\r\n{\"name\":\"b\"}\r\n")),
        ("keys.json", keys.into()),
        ("marked.json", format!("\u{feff}{keys}").into()),
        ("array.json", "[{\"name\":\"a\"},\n{\"name\":\"b\"}]".into()),
        ("quoted.csv", "name,description\na,\"one\ntwo\"\nb,\"says \"\"hi\"\"\"\n".into()),
    ];
    for (name, bytes) in files {
        let (code, said, there) = made(name, bytes);
        assert_eq!((code, there.as_str()), (Some(0), "2"), "{name}: {said}");
    }
}

#[test]
fn what_would_be_read_wrong_is_refused_by_its_line_and_nothing_is_made() {
    for (name, text, told) in [
        ("open.csv", "name,description\nfirst,\"never closed\nsecond,x\nthird,y\n", "open.csv:2: a quote opens here"),
        ("behind.csv", "name,description\na,x\nb,\"open\nc,\"y\"\n", "behind.csv:3: text follows the quote"),
        ("semicolons.csv", "name;env\na;production\n", "semicolons.csv:1: `;` stands between the columns"),
        ("tabs.csv", "name\tenv\na\tproduction\n", "tabs.csv:1: a tab stands between"),
        ("typo.csv", "name,onwer\na,b\nc,d\n", "typo.csv:1: unknown column `onwer` (is it `owner`?)"),
        ("broken.json", "[{\"name\": \"a\"},\n{\"name\": \n", "broken.json:"),
        (
            "entry.json",
            "{\n\"keys\": [\n{\"name\": \"a\"},\n{\"name\": \"-b\"}]}",
            "entry.json:4: name: a name does not begin",
        ),
    ] {
        let (code, said, there) = made(name, text);
        assert_eq!((code, there.as_str()), (Some(2), "0"), "{name}: {said}");
        assert!(said.contains(told), "{name}: {said}");
    }
    let (code, said, _) = made("latin.csv", b"name,owner\na,x\nb,Ren\xe9\n");
    assert!(
        code == Some(2) && said.contains("latin.csv:1: it is not UTF-8 from line 3 on: save it as UTF-8"),
        "{said}"
    );
}

/// Whoever mends a file wants to do it once.
#[test]
fn all_wrong_lines_are_told_in_one_go_and_the_fields_once() {
    let home = Home::new();
    home.ok(&["create", "there"]);
    home.write("keys.csv", "name,env\na,production\nthere,\nb,moon\nc,production\nc,production\n");
    let ran = home.run(&["create", "--from", "keys.csv", "--out", "o"]);
    assert!(ran.stderr.contains("3 lines are wrong"), "{}", ran.stderr);
    for told in ["keys.csv:3: a key named 'there' exists", "keys.csv:4: environment", "keys.csv:6: the name 'c'"] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    home.write("keys.jsonl", &"{\"name\":\"x\",\"colour\":1}\n".repeat(20));
    let ran = home.run(&["create", "--from", "keys.jsonl", "--out", "o"]);
    assert_eq!(ran.stderr.matches("unknown field `colour`").count(), 20, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("rotate_every").count(), 1, "{}", ran.stderr);
    home.write("old.csv", "name,digets\na,x\n");
    let ran = home.run(&["import", "old.csv"]);
    assert!(
        ran.stderr.contains("unknown column `digets` (is it `digest`?)") && ran.stderr.contains("hint"),
        "{}",
        ran.stderr
    );
    home.write("old.csv", "name,digest\nthere,e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\nb,x\n");
    assert!(home.run(&["import", "old.csv"]).stderr.contains("2 lines are wrong"));
    assert_eq!(home.ok(&["list", "--count"]), "1");
}

/// Delivers into a file; whether it worked, and what the file holds then.
fn delivered(sink: &str, file: &str, bytes: &[u8]) -> (bool, Vec<u8>, String) {
    let home = Home::new();
    home.ok(&["create", "a"]);
    fs::write(home.path().join(file), bytes).unwrap();
    let ran = home.run(&["rotate", "a", "--now", "--deliver", sink]);
    (ran.code == Some(0), fs::read(home.path().join(file)).unwrap(), ran.stderr)
}

#[test]
fn a_delivery_edits_a_file_as_it_is_or_leaves_it() {
    let sink = "dotenv:.env#API_KEY";
    for bytes in [
        utf16("A=1\r\nAPI_KEY=old\r\n"),
        b"A=1\0\n".to_vec(),
        b"A=1\rAPI_KEY=old\r".to_vec(),
        b"A=\"never closed\nB=2\n".to_vec(),
        b"API_KEY='never closed\n".to_vec(),
    ] {
        let (done, after, said) = delivered(sink, ".env", &bytes);
        assert!(!done && after == bytes, "{said}");
        assert!(said.contains("cannot be set"), "{said}");
    }
    for (bytes, end) in [(&b"\xef\xbb\xbfAPI_KEY=old\r\nB=2\r\n"[..], "\r\nB=2\r\n"), (b"A='it''s'\n# don't\n", "\n")] {
        let (done, after, said) = delivered(sink, ".env", bytes);
        let after = String::from_utf8(after).unwrap();
        assert!(done && after.contains("API_KEY=kw_") && after.ends_with(end), "{said}: {after:?}");
    }
    let json = "json:appsettings.json#/api/key";
    let (done, after, said) = delivered(json, "appsettings.json", "\u{feff}{\"api\":{\"key\":\"old\"}}\n".as_bytes());
    let after = String::from_utf8(after).unwrap();
    assert!(
        done && after.starts_with("\u{feff}{\"api\":{\"key\":\"kw_") && after.ends_with("\"}}\n"),
        "{said}: {after}"
    );
    let bytes = utf16("{\"api\":{\"key\":\"old\"}}");
    let (done, after, _) = delivered(json, "appsettings.json", &bytes);
    assert!(!done && after == bytes);
}

#[test]
fn settings_and_secrets_are_read_with_a_mark_and_from_utf_16() {
    let home = Home::new();
    let token = home.ok(&["create", "k"]);
    for bytes in [format!("\u{feff}{token}\r\n").into_bytes(), utf16(&format!("{token}\r\n"))] {
        fs::write(home.path().join("secret"), bytes).unwrap();
        assert_eq!(home.run(&["verify", "--secret-file", "secret"]).code, Some(0));
    }
    home.write("map.toml", "\u{feff}[[rule]]\nname = \"k\"\ndeliver = \"file:out\"\n");
    home.private("map.toml", &home.read("map.toml"));
    home.ok(&["rotate", "k", "--now", "--deliver-map", "map.toml"]);
    assert!(home.read("out").starts_with("kw_"));
    home.write("keys.toml", &format!("\u{feff}{}\n", home.ok(&["export"])));
    home.ok(&["diff", "-f", "keys.toml"]);
    home.write("scopes.csv", "\u{feff}name,description\r\na:read,\"x, y\"\r\n");
    home.ok(&["scopes", "import", "scopes.csv"]);
    home.write("scopes.csv", "name,description\na:read,\"open\nb:read,x\n");
    assert!(home.run(&["scopes", "import", "scopes.csv"]).stderr.contains("scopes.csv:2: a quote opens here"));
}

/// The error of a library says what type it wanted, and of which field it does not.
#[test]
fn a_value_of_another_type_is_taken_where_it_is_plain_and_else_told_by_its_field() {
    let home = Home::with_vault();
    home.write("n.jsonl", "{\"name\":\"q\",\"expires_in\":30,\"rate_limit\":5,\"labels\":{\"tier\":1}}\n");
    home.ok(&["create", "--from", "n.jsonl", "--out", "n.out"]);
    let key = home.json(&["show", "q"])["key"].clone();
    assert_eq!(
        (&key["rate_limit"]["limit"], &key["rate_limit"]["window_seconds"]),
        (&5.into(), &3600.into()),
        "{key:#}"
    );
    assert_eq!((&key["labels"]["tier"], key["expires_at"].is_string()), (&"1".into(), true), "{key:#}");
    home.write("keys.toml", "[[keys]]\nname = 'q'\nrate_limit = 5\nexpires_in = 30\nlabels = { tier = 1 }\n");
    assert_eq!(home.run(&["diff", "-f", "keys.toml"]).code, Some(0));
    home.write("keys.toml", "[[keys]]\nname = 'q'\nrate_limit = 5.5\n");
    let diff = home.run(&["diff", "-f", "keys.toml"]).stderr;
    assert!(diff.contains("key 1 (q): rate_limit: expected requests in a time"), "{diff}");
    home.write("c.csv", "name,customers,no_expiry\nc,42,1\n");
    assert!(home.run(&["create", "--from", "c.csv", "--out", "o"]).stderr.contains("42"), "a number is a name, too");
    home.write(
        "w.jsonl",
        "{\"name\":\"a\",\"labels\":[\"a=b\"]}\n{\"name\":\"b\",\"scopes\":5}\n{\"name\":7}\n{\"name\":\"d\",\"owner\":1}\n",
    );
    home.write("w.json", "[{\"name\":\"z\"}, 5]");
    for command in [&["create", "--out", "o", "--from"][..], &["import"]] {
        let told = |file: &str| home.run(&[command, &[file]].concat()).stderr;
        let (lines, array) = (told("w.jsonl"), told("w.json"));
        for wanted in [
            "w.jsonl:1: labels: expected an object such as {\"team\": \"billing\"}",
            "w.jsonl:2: scopes: expected a list of texts, such as [\"invoices:read\"]",
            "w.jsonl:3: name: expected text",
            "w.jsonl:4: owner: expected text",
        ] {
            assert!(lines.contains(wanted), "{wanted}: {lines}");
        }
        assert!(array.contains("w.json:1: a key is an object, such as {\"name\": \"billing\"}"), "{array}");
        for library in ["invalid type", "did not match any variant"] {
            assert!(!lines.contains(library) && !array.contains(library), "{lines}{array}");
        }
    }
}

#[test]
fn all_wrong_lines_are_counted_here_and_through_a_server() {
    let doors = Doors::new();
    let names: String = (0..150).map(|at| format!("k{at}\n")).collect();
    for door in [doors.here(), doors.there()] {
        door.home.write("keys.csv", &format!("name\n{names}"));
        let create = |file: &str, out: &str| door.run(&["create", "--from", file, "--out", out], "");
        assert_eq!(create("keys.csv", "first").code, Some(0));
        let again = create("keys.csv", "again");
        assert!(again.stderr.contains("150 lines are wrong; nothing was created"), "{}", again.stderr);
        assert!(again.stderr.contains("and 50 more"), "{}", again.stderr);
        assert_eq!(again.stderr.matches("exists in development").count(), 100, "{}", again.stderr);
        // One that is wrong by itself, and one that is repeated and there besides.
        door.home.write("more.csv", &format!("name\n{names}-bad\nk149\n"));
        let more = create("more.csv", "more");
        assert!(more.stderr.contains("152 lines are wrong"), "{}", more.stderr);
        assert!(more.stderr.contains("and 52 more"), "{}", more.stderr);
    }
}
