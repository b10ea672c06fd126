//! The tour of the README, `docs/tour.svg`: it is typed, and what is printed is drawn. Where that is another picture than the one that
//! is kept, the test fails; `KEYWARD_BLESS=1 cargo test --test it tour::` draws it anew.

use crate::{examples::shell, support::Home};
use std::{fmt::Write as _, fs, num::NonZeroU16, path::Path};
use vt100::{Cell, Color, Parser};

const COLUMNS: u16 = 114;
const LINES: u16 = 60;

/// What is typed; what stands behind `#` is done besides, and not shown.
const TYPED: [&str; 8] = [
    "keyward create billing-sync --env production --scope invoices:read # > key.txt; cat key.txt",
    "keyward list --columns name,env,status,expires,last_used,scopes",
    "keyward verify - --env production --scope invoices:write < key.txt",
    "keyward rotate billing-sync --overlap 1h --deliver file:billing.key",
    "keyward verify - --env production --scope invoices:read < billing.key",
    "keyward revoke billing-sync --reason leaked --yes",
    "keyward verify - --env production --scope invoices:read < billing.key",
    "keyward audit verify",
];

/// The width and height of a character, and the edge around all of them.
const CELL: (f32, f32) = (8.4, 18.0);
const EDGE: f32 = 16.0;
/// The colours of a terminal: the eight, and then the bright ones.
const COLORS: [&str; 16] = [
    "#45475a", "#f38ba8", "#a6e3a1", "#f9e2af", "#89b4fa", "#cba6f7", "#94e2d5", "#bac2de", "#6c7086", "#f38ba8",
    "#a6e3a1", "#f9e2af", "#89b4fa", "#cba6f7", "#94e2d5", "#ffffff",
];

/// What is random, or the moment's, replaced by something of the same width.
fn settled(text: &str, home: &Home) -> String {
    let text = text.replace(&home.path().display().to_string(), "~");
    let random = |text: String, mark: &str, same: &str| -> String {
        let mut parts = text.split(mark);
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let taken = part.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
            let fill: String = same.chars().cycle().take(taken).collect();
            let _ = write!(out, "{mark}{fill}{}", &part[taken..]);
        }
        out
    };
    let text = random(text, "kw_prod_", "EXAMPLE");
    let text = random(random(text, "key_", "0123456789abcdef"), "vault_", "0123456789abcdef");
    // Of a moment, its date and time.
    let mut out = String::new();
    for word in text.split_inclusive([' ', '\n']) {
        let moment = word.len() >= 20 && word.as_bytes()[4] == b'-' && word.as_bytes()[10] == b'T';
        out.push_str(&if moment { format!("2027-01-01T12:00:00Z{}", &word[20..]) } else { word.to_owned() });
    }
    out.replace("in 89d", "in 90d")
}

/// Types all of it; answers with the screen at the end.
fn played() -> Parser {
    let home = Home::new();
    let size = |lines| NonZeroU16::new(lines).unwrap();
    let mut screen = Parser::new(size(LINES), size(COLUMNS), 0);
    for line in TYPED {
        let (typed, besides) = line.split_once(" # ").unwrap_or((line, ""));
        let mut command = shell(&home, &format!("exec 2>&1; {typed} {besides}"));
        command.env("CLICOLOR_FORCE", "1").env("COLUMNS", COLUMNS.to_string()).env("KEYWARD_TIME", "relative");
        let printed = String::from_utf8(command.output().unwrap().stdout).unwrap();
        // Of what it printed, the key alone.
        let kept = home.path().join("key.txt");
        if let Ok(text) = fs::read_to_string(&kept) {
            let key = text.lines().find(|line| line.starts_with("kw_prod_")).unwrap_or(&text).to_owned();
            fs::write(&kept, key).unwrap();
        }
        let shown = settled(&printed, &home).replace('\n', "\r\n");
        screen.process(format!("\x1b[32m$\x1b[0m \x1b[1m{typed}\x1b[0m\r\n{shown}\r\n").as_bytes());
    }
    screen
}

fn color(cell: &Cell) -> &'static str {
    match cell.fgcolor() {
        Color::Idx(at) => COLORS[usize::from(at % 16)],
        _ => "#cdd6f4",
    }
}

fn escaped(text: &str) -> String {
    // A renderer may make one blank of many.
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace(' ', "\u{a0}")
}

/// Draws a screen: a line of text for each of its own, in pieces of one colour and weight.
fn drawn(screen: &vt100::Screen) -> String {
    let row = |at: u16| (0..COLUMNS).filter_map(move |column| screen.cell(at, column));
    let blank = |at: &u16| row(*at).all(|cell| cell.contents().trim().is_empty());
    let last = (0..LINES).rev().find(|at| !blank(at)).unwrap_or_default();
    let (width, height) = (f32::from(COLUMNS) * CELL.0 + 2.0 * EDGE, f32::from(last + 1) * CELL.1 + 2.0 * EDGE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" \
         aria-label=\"A key is made, asked about, rotated and revoked at a terminal\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1e1e2e\"/>\n\
         <g font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"14\">\n"
    );
    for at in 0..=last {
        let mut pieces: Vec<(&str, bool, String)> = Vec::new();
        for cell in row(at) {
            let (color, bold) = (color(cell), cell.bold());
            let text = if cell.has_contents() { cell.contents() } else { " " };
            match pieces.last_mut() {
                Some((last, weight, shown)) if *last == color && *weight == bold => shown.push_str(text),
                _ => pieces.push((color, bold, text.to_owned())),
            }
        }
        let y = EDGE + f32::from(at + 1) * CELL.1 - 4.0;
        let _ = write!(svg, "<text x=\"{EDGE:.0}\" y=\"{y:.0}\">");
        let end = pieces.iter().rposition(|(_, _, text)| !text.trim().is_empty()).map_or(0, |at| at + 1);
        for (at, (color, bold, text)) in pieces.iter().take(end).enumerate() {
            let text = if at + 1 == end { text.trim_end() } else { text };
            let weight = if *bold { " font-weight=\"bold\"" } else { "" };
            let _ = write!(svg, "<tspan fill=\"{color}\"{weight}>{}</tspan>", escaped(text));
        }
        svg.push_str("</text>\n");
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

#[test]
fn the_tour_shows_what_is_printed() {
    let played = played();
    let svg = drawn(played.screen());
    for shown in ["INSUFFICIENT_SCOPE", "VALID", "REVOKED", "intact"] {
        assert!(svg.contains(shown), "{shown}: {svg}");
    }
    assert!(svg.contains("kw_prod_EXAMPLE"), "no secret that ever was one");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tour.svg");
    if std::env::var_os("KEYWARD_BLESS").is_some() {
        fs::write(&kept, &svg).unwrap();
    }
    let was = fs::read_to_string(&kept).unwrap_or_default();
    assert!(was == svg, "docs/tour.svg is of another time: KEYWARD_BLESS=1 cargo test --test it tour::");
}
