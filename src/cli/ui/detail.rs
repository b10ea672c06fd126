//! What is to be said of one key: its facts, why it was refused, how it was used, what was done to it. Never a secret.

use crate::{
    domain::{Time, time::parse_time},
    ops::{AuditList, KeyView, Logs, Result, UsageReport},
    output::{escape, relative, sparkline},
};
use unicode_width::UnicodeWidthStr;

/// So many events of each kind.
pub(super) const NEWEST: usize = 10;
/// So many characters for the days of a month.
const SPARK: usize = 31;

/// The columns before the value of a field.
pub(super) const LABEL: usize = 14;
/// The columns before a text.
const INDENT: usize = 2;

/// The detail of a key, line by line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Detail {
    pub(super) id: String,
    /// As they fit on the screen.
    pub(super) lines: Vec<DetailLine>,
    /// As they are, however long.
    whole: Vec<DetailLine>,
}

/// A line of it, safe to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum DetailLine {
    #[default]
    Blank,
    Heading(&'static str),
    Field(&'static str, String),
    Text(String),
}

/// What is known of a key, from several reads, of which each may be refused.
pub(super) struct Known {
    pub(super) key: KeyView,
    pub(super) denied: Result<Logs>,
    pub(super) usage: Result<UsageReport>,
    pub(super) audit: Result<AuditList>,
}

impl Detail {
    /// The lines about a key.
    pub(super) fn of(known: &Known, now: Time) -> Self {
        let mut lines = facts(&known.key, now);
        part(&mut lines, "Why requests were denied", &known.denied, |logs| denials(logs, now));
        part(&mut lines, "Use in the last 30 days", &known.usage, usage);
        part(&mut lines, "What was done to it", &known.audit, |audit| events(audit, now));
        Self::new(&known.key.id, lines)
    }

    pub(super) fn new(id: &str, whole: Vec<DetailLine>) -> Self {
        Self { id: id.to_owned(), lines: whole.clone(), whole }
    }

    /// Breaks what is longer than the screen is wide: the end of a list of scopes says as much as its beginning.
    pub(super) fn wrap(&mut self, width: usize) {
        self.lines.clear();
        for line in &self.whole {
            match line {
                DetailLine::Blank | DetailLine::Heading(_) => self.lines.push(line.clone()),
                DetailLine::Field(name, value) => {
                    for (at, part) in broken(value, width.saturating_sub(LABEL)).into_iter().enumerate() {
                        self.lines.push(DetailLine::Field(if at == 0 { name } else { "" }, part));
                    }
                }
                DetailLine::Text(text) => {
                    self.lines.extend(broken(text, width.saturating_sub(INDENT)).into_iter().map(DetailLine::Text));
                }
            }
        }
    }

    /// The line about a key that cannot be read.
    pub(super) fn failed(id: &str, why: &str) -> Self {
        Self::new(id, vec![DetailLine::Text(escape(why).into_owned())])
    }
}

/// A text in pieces that are at most so many columns wide, broken after spaces where there are any.
fn broken(text: &str, width: usize) -> Vec<String> {
    let (mut pieces, mut piece) = (Vec::new(), String::new());
    // Of the whole: a mark can make the character before it wider.
    let fits = |piece: &str, character: char| format!("{piece}{character}").width() <= width.max(1);
    for character in text.chars() {
        // What was carried over from the line before can be too long for a wide character, too.
        while !piece.is_empty() && !fits(&piece, character) {
            let rest = piece.rfind(' ').map_or_else(String::new, |space| piece.split_off(space + 1));
            pieces.push(std::mem::replace(&mut piece, rest));
        }
        piece.push(character);
    }
    pieces.push(piece);
    pieces
}

fn facts(key: &KeyView, now: Time) -> Vec<DetailLine> {
    let at = |time: Option<&str>| time.map_or_else(|| "never".to_owned(), |time| moment(time, now));
    let or_none = |text: Option<&String>| text.cloned().unwrap_or_else(|| "-".to_owned());
    let list = |all: &[String]| if all.is_empty() { "-".to_owned() } else { all.join(", ") };
    let by = |words: &[Option<&String>]| {
        let words: Vec<String> = words.iter().flatten().map(|word| format!(", {word}")).collect();
        words.concat()
    };
    let mut fields = vec![
        ("status", format!("{}, {}", key.status, key.environment)),
        ("expires", at(key.expires_at.as_deref())),
        (
            "last used",
            at(key.last_used_at.as_deref()) + &by(&[key.last_used_ip.as_ref(), key.last_user_agent.as_ref()]),
        ),
        ("uses", format!("{}, denied {} (last: {})", key.uses, key.denied, at(key.last_denied_at.as_deref()))),
        ("owner", or_none(key.owner.as_ref())),
        ("scopes", list(&key.scopes)),
        ("allowed from", if key.allow_ips.is_empty() { "anywhere".to_owned() } else { list(&key.allow_ips) }),
    ];
    let limit = key.rate_limit.as_ref().map(|rate| format!("{} in {} s", rate.limit, rate.window_seconds));
    fields.push(("rate limit", limit.unwrap_or_else(|| "none".to_owned())));
    if key.project.is_some() || !key.customers.is_empty() {
        fields.push(("project", format!("{} {}", or_none(key.project.as_ref()), key.customers.join(", "))));
    }
    if !key.labels.is_empty() {
        let labels: Vec<String> = key.labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
        fields.push(("labels", labels.join(", ")));
    }
    if let Some(description) = &key.description {
        fields.push(("description", description.clone()));
    }
    fields.push(("created", format!("{}, {}", moment(&key.created_at, now), key.created_by)));
    let due = key.rotation.due_at.as_deref().map(|due| format!(", due {}", moment(due, now))).unwrap_or_default();
    let late = if key.rotation.overdue { " (overdue)" } else { "" };
    let ends = key.rotation.ends_at.as_deref().map(|end| format!(", ends {} unless rotated", moment(end, now)));
    fields.push(("rotation", format!("{}{due}{late}{}", key.rotation.state, ends.unwrap_or_default())));
    for secret in &key.secrets {
        let until = secret.valid_until.as_deref().map(|until| format!(", {}", moment(until, now))).unwrap_or_default();
        fields.push(("secret", format!("…{} {}{until}, id {}", secret.hint, secret.state, secret.lookup)));
    }
    fields.into_iter().map(|(name, value)| DetailLine::Field(name, escape(&value).into_owned())).collect()
}

fn part<T>(
    lines: &mut Vec<DetailLine>,
    heading: &'static str,
    known: &Result<T>,
    tell: impl FnOnce(&T) -> Vec<String>,
) {
    lines.extend([DetailLine::Blank, DetailLine::Heading(heading)]);
    let told = match known {
        Ok(known) => tell(known),
        Err(error) => vec![format!("not known: {}", error.message)],
    };
    lines.extend(told.iter().map(|text| DetailLine::Text(escape(text).into_owned())));
}

fn denials(logs: &Logs, now: Time) -> Vec<String> {
    if logs.items.is_empty() {
        return vec!["no refusals are kept".to_owned()];
    }
    let one = |entry: &crate::ops::LogEntry| {
        let times = if entry.count > 1 { format!(" ×{}", entry.count) } else { String::new() };
        let place = entry.address.as_deref().map(|address| format!(" from {address}")).unwrap_or_default();
        let why = entry.detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default();
        format!("{}  {}{times}{place}{why}", ago(&entry.at, now), entry.code)
    };
    logs.items.iter().rev().map(one).collect()
}

fn usage(report: &UsageReport) -> Vec<String> {
    let days: Vec<u64> = report.items.iter().map(|day| day.uses + day.denied).collect();
    vec![format!("{} uses, {} denied  {}", report.uses, report.denied, sparkline(&days, SPARK))]
}

fn events(audit: &AuditList, now: Time) -> Vec<String> {
    let one = |recorded: &crate::domain::Recorded| {
        let event = &recorded.event;
        let reason = event.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let when = relative(recorded.at, now);
        format!("{when}  {} {} by {}{reason}", event.action, event.outcome, event.actor)
    };
    audit.items.iter().rev().map(one).collect()
}

/// A time, and how far away it is.
fn moment(time: &str, now: Time) -> String {
    format!("{} ({time})", ago(time, now))
}

pub(super) fn ago(time: &str, now: Time) -> String {
    parse_time(time).map_or_else(|_| time.to_owned(), |time| relative(time, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_lines_are_broken_after_spaces() {
        let whole = vec![
            DetailLine::Heading("h"),
            DetailLine::Field("scopes", "a:read, b:write, c:read".to_owned()),
            DetailLine::Text("0123456789".to_owned()),
        ];
        let mut detail = Detail::new("key", whole.clone());
        detail.wrap(LABEL + 9);
        let field = |name, text: &str| DetailLine::Field(name, text.to_owned());
        assert_eq!(detail.lines[1..4], [field("scopes", "a:read, "), field("", "b:write, "), field("", "c:read")]);
        detail.wrap(INDENT + 4);
        let texts: Vec<_> = detail.lines.iter().filter(|line| matches!(line, DetailLine::Text(_))).cloned().collect();
        assert_eq!(texts, ["0123", "4567", "89"].map(|text| DetailLine::Text(text.to_owned())));
        assert_eq!(
            broken("!a \u{1380}\u{1f250}", 2),
            ["!a", " ", "\u{1380}", "\u{1f250}"],
            "a wide one does not fit behind"
        );
        detail.wrap(200);
        assert_eq!(detail.lines, whole, "a wider screen puts it back");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_too_wide(text in "(\\PC| ){0,80}", width in 2usize..40) {
            let pieces = broken(&text, width);
            prop_assert_eq!(pieces.concat(), text);
            prop_assert!(pieces.iter().all(|piece| piece.width() <= width), "{:?}", pieces);
        }
    }
}
