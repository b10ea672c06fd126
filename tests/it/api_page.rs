//! The document of the API as a page: all of it, from the server alone, in a real browser where one is.

use crate::support::{Home, browser::Browser, server::Served};
use serde_json::Value;

fn served() -> (Home, Served) {
    let home = Home::with_vault();
    let server = Served::start(&home, &["--address-limit", "none"]);
    (home, server)
}

#[test]
fn the_page_tells_every_operation_field_and_refusal_of_the_document() {
    let (_home, server) = served();
    let answer = server.get("/docs", &[]);
    assert_eq!(answer.status, 200, "as open as the document: {answer:?}");
    let document = server.get("/openapi.json", &[]).json();
    let page = &answer.body;
    let (mut operations, escaped) =
        (0, |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations += 1;
            let id = operation["operationId"].as_str().unwrap();
            let article = page.split(&format!("<article id=\"{id}\">")).nth(1).unwrap_or_else(|| panic!("{id}"));
            let article = article.split("</article>").next().unwrap();
            assert!(article.contains(&method.to_uppercase()) && article.contains(path.as_str()), "{id}: {article}");
            assert!(article.contains("curl") && article.contains("<p>For "), "{id}: {article}");
            for role in operation["x-keyward-roles"].as_array().into_iter().flatten().take(2) {
                let said = article.contains(role.as_str().unwrap()) || article.contains("of any role");
                assert!(said || article.contains("everybody"), "{id}: {role}");
            }
            let own = operation["parameters"].as_array().into_iter().flatten().filter(|one| one["$ref"].is_null());
            for parameter in own {
                assert!(article.contains(&format!("<code>{}</code>", parameter["name"].as_str().unwrap())), "{id}");
            }
            for (status, _) in operation["responses"].as_object().unwrap() {
                assert!(article.contains(&format!(">{status}</")), "{id} {status}: {article}");
            }
        }
    }
    assert!(operations > 60);
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let article = page.split(&format!("<article id=\"schema-{name}\">")).nth(1).unwrap_or_else(|| panic!("{name}"));
        let article = article.split("</article>").next().unwrap();
        for (field, said) in schema["properties"].as_object().into_iter().flatten() {
            assert!(article.contains(&format!("<code>{field}</code>")), "{name}.{field}");
            let words = said["description"].as_str().unwrap_or_default().split('`').next().unwrap();
            assert!(article.contains(&escaped(words)), "{name}.{field}: {words}");
        }
    }
    // Every link leads to something on the page, or to the document.
    for link in page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        let there = link.strip_prefix('#').is_some_and(|id| page.contains(&format!("id=\"{id}\"")));
        assert!(there || link == "/openapi.json", "{link}");
    }
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
}

#[test]
fn the_page_is_sent_with_strict_headers_and_brings_everything() {
    let (_home, server) = served();
    let answer = server.get("/docs", &[]);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    let policy = answer.header("content-security-policy").unwrap();
    for part in
        ["default-src 'none'", "style-src 'sha256-", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"]
    {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    for fetched in [
        "<script",
        "<link",
        "<img",
        "<iframe",
        "<form",
        "url(",
        "@import",
        " style=",
        " onclick",
        "src=",
        "javascript:",
    ] {
        assert!(!answer.body.contains(fetched), "{fetched}");
    }
    assert_eq!(server.get("/docs/", &[]).status, 200, "as people type it");
    let head = server.send("HEAD", "/docs", &[], "");
    assert!(head.status == 200 && head.body.is_empty(), "{head:?}");
    assert_eq!(server.send("POST", "/docs", &[], "{}").status, 405);
}

/// What anybody may read is counted like everything else that an address asks for.
#[test]
fn the_page_and_the_document_count_for_the_limit_of_an_address() {
    let home = Home::with_vault();
    let server = Served::start(&home, &["--address-limit", "3/m"]);
    for path in ["/docs", "/openapi.json", "/docs"] {
        assert_eq!(server.get(path, &[]).status, 200, "{path}");
    }
    for path in ["/docs", "/openapi.json"] {
        let refused = server.get(path, &[]);
        assert_eq!((refused.status, refused.header("retry-after").is_some()), (429, true), "{path}: {refused:?}");
    }
}

/// On a phone and on a desk, light and dark: nothing else is asked for, nothing is refused by the policy, nothing is wider than
/// the window.
#[test]
fn a_browser_shows_the_page_and_asks_for_nothing_else() {
    let (_home, server) = served();
    let Some(mut browser) = Browser::open() else { return };
    let url = format!("{}/docs", server.url);
    for (width, dark) in [(360, false), (360, true), (1280, false), (1280, true)] {
        browser.looks(width, dark);
        browser.visit(&url);
        let asked: Vec<String> = browser.requests().into_iter().filter(|one| !one.ends_with("/favicon.ico")).collect();
        assert_eq!(asked, std::slice::from_ref(&url));
        let complaints: Vec<&Value> = browser
            .events
            .iter()
            .filter(|event| event["method"] == "Log.entryAdded" && !event.to_string().contains("favicon"))
            .collect();
        assert!(complaints.is_empty(), "{complaints:?}");
        assert!(browser.evaluate("document.title").as_str().unwrap().ends_with(": the API"));
        browser.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)");
        let wide = browser.evaluate("document.documentElement.scrollWidth");
        assert!(wide.as_u64().unwrap() <= u64::from(width), "{wide} on {width}");
        let tallest = "Math.max(...[...document.querySelectorAll('td:first-child code')].map(e => e.getBoundingClientRect().height))";
        assert!(browser.evaluate(tallest).as_f64().unwrap() < 80.0, "names are read in a line, not letter by letter");
        let light =
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)";
        let (back, text) = (browser.evaluate(light), browser.evaluate(&light.replace("backgroundColor", "color")));
        assert_eq!(back.as_u64() < text.as_u64(), dark, "the style is taken: background {back}, text {text}");
        assert!(browser.evaluate("document.querySelectorAll('main article').length").as_u64() > Some(100));
        assert_eq!(browser.evaluate("document.querySelectorAll('script, img, link, iframe, form').length"), 0);
    }
}
