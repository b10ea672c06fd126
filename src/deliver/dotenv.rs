//! One assignment in a dotenv file: found, read and replaced, every other byte kept.
//!
//! The dialects differ in details; where they would disagree about the assignment asked for, it is refused rather than
//! guessed. A value in quotes may span lines; what follows a closing quote may only be blanks and a comment.

use std::ops::Range;
use zeroize::Zeroizing;

/// One assignment: where its name and its value are.
struct Assignment {
    name: Range<usize>,
    /// The value, quotes included.
    value: Range<usize>,
    /// The quotes around it.
    quote: Option<u8>,
    /// Whether every dialect reads it the same way.
    clear: bool,
    /// Whether a quote opens that nothing closes.
    unclosed: bool,
}

/// Replaces the value of a name, or appends a line.
pub(super) fn set(bytes: &[u8], name: &str, value: &str) -> Result<Vec<u8>, String> {
    let found = find(bytes, name)?;
    let mut new = Vec::with_capacity(bytes.len() + name.len() + value.len() + 8);
    if let Some(found) = found {
        new.extend_from_slice(&bytes[..found.value.start]);
        new.extend(found.quote);
        new.extend_from_slice(value.as_bytes());
        new.extend(found.quote);
        new.extend_from_slice(&bytes[found.value.end..]);
        return Ok(new);
    }
    let end: &[u8] = match bytes.iter().position(|&byte| byte == b'\n') {
        Some(at) if at > 0 && bytes[at - 1] == b'\r' => b"\r\n",
        _ => b"\n",
    };
    new.extend_from_slice(bytes);
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        new.extend_from_slice(end);
    }
    new.extend_from_slice(name.as_bytes());
    new.push(b'=');
    new.extend_from_slice(value.as_bytes());
    new.extend_from_slice(end);
    Ok(new)
}

/// The value of a name.
pub(super) fn get(bytes: &[u8], name: &str) -> Result<Option<Zeroizing<String>>, String> {
    Ok(find(bytes, name)?.map(|found| {
        let inner = usize::from(found.quote.is_some());
        let value = &bytes[found.value.start + inner..found.value.end - inner];
        Zeroizing::new(String::from_utf8_lossy(value).into_owned())
    }))
}

/// Refuses a file that an edit of its bytes would destroy, or whose lines are none to other programs.
fn is_lines_of_text(bytes: &[u8]) -> Result<(), String> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.contains(&0) {
        return Err("it is UTF-16, or no text at all: save it as UTF-8".to_owned());
    }
    if bytes.contains(&b'\r') && !bytes.contains(&b'\n') {
        return Err("its lines end with a carriage return alone: save it with line feeds".to_owned());
    }
    Ok(())
}

/// The one assignment of a name.
fn find(bytes: &[u8], name: &str) -> Result<Option<Assignment>, String> {
    is_lines_of_text(bytes)?;
    let mut found: Option<Assignment> = None;
    let mut at = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    while at < bytes.len() {
        let end = line_end(bytes, at);
        let Some(assignment) = assignment(bytes, at, end) else {
            if colon_form(&bytes[at..end], name) {
                return Err(format!("it writes {name} with a colon, which not every program understands"));
            }
            at = next_line(bytes, end);
            continue;
        };
        let after = assignment.value.end.max(end);
        if &bytes[assignment.name.clone()] == name.as_bytes() {
            if found.is_some() {
                return Err(format!("it sets {name} more than once"));
            }
            if !assignment.clear {
                return Err(format!("programs do not agree on where the value of {name} ends"));
            }
            found = Some(assignment);
        } else if assignment.unclosed {
            let other = String::from_utf8_lossy(&bytes[assignment.name.clone()]).into_owned();
            return Err(format!("the quote of {other} is never closed: what follows it may be a part of it"));
        } else if inner_lines(bytes, end, after).any(|line| self::assigns(bytes, line, name)) {
            return Err(format!("{name} is set inside the quotes of another value"));
        }
        at = next_line(bytes, line_end(bytes, after));
    }
    Ok(found)
}

/// The end of the line, before its line break.
fn line_end(bytes: &[u8], from: usize) -> usize {
    let end = bytes[from..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |length| from + length);
    if end > from && end < bytes.len() && bytes[end - 1] == b'\r' { end - 1 } else { end }
}

fn next_line(bytes: &[u8], end: usize) -> usize {
    bytes[end..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |length| end + length + 1)
}

/// The lines that begin after `end` and not after `after`: those inside a value that spans lines.
fn inner_lines(bytes: &[u8], end: usize, after: usize) -> impl Iterator<Item = usize> {
    let mut at = next_line(bytes, end);
    std::iter::from_fn(move || {
        let line = at;
        (line < after).then(|| {
            at = next_line(bytes, line_end(bytes, line));
            line
        })
    })
}

fn assigns(bytes: &[u8], line: usize, name: &str) -> bool {
    head(bytes, line, line_end(bytes, line)).is_some_and(|(found, _)| &bytes[found] == name.as_bytes())
}

fn blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn skip_blanks(bytes: &[u8], mut at: usize, end: usize) -> usize {
    while at < end && blank(bytes[at]) {
        at += 1;
    }
    at
}

/// The name of an assignment and where what follows the `=` begins: `[export ]NAME =`.
fn head(bytes: &[u8], start: usize, end: usize) -> Option<(Range<usize>, usize)> {
    let mut at = skip_blanks(bytes, start, end);
    if bytes[at..end].starts_with(b"export") && bytes.get(at + 6).is_some_and(|&byte| blank(byte)) {
        at = skip_blanks(bytes, at + 6, end);
    }
    let name = at;
    while at < end && (bytes[at].is_ascii_alphanumeric() || b"_.-".contains(&bytes[at])) {
        at += 1;
    }
    let name = name..at;
    at = skip_blanks(bytes, at, end);
    (!name.is_empty() && bytes[at..end].first() == Some(&b'=')).then_some((name, at + 1))
}

fn colon_form(line: &[u8], name: &str) -> bool {
    let start = skip_blanks(line, 0, line.len());
    let rest = line[start..].strip_prefix(name.as_bytes());
    rest.is_some_and(|rest| rest.first() == Some(&b':') && rest.get(1).is_none_or(|&byte| blank(byte)))
}

/// Reads the assignment on the line from `start` to `end`, if there is one; its value may reach beyond the line.
fn assignment(bytes: &[u8], start: usize, end: usize) -> Option<Assignment> {
    let (name, equals) = head(bytes, start, end)?;
    let from = skip_blanks(bytes, equals, end);
    let quote = bytes[from..end].first().copied().filter(|byte| b"\"'`".contains(byte));
    if let Some(quote) = quote {
        let close = closing(bytes, from + 1, quote);
        if let Some(close) = close
            && only_comment_follows(bytes, close + 1)
        {
            return Some(Assignment { name, value: from..close + 1, quote: Some(quote), clear: true, unclosed: false });
        }
        return Some(Assignment { name, value: from..end, quote: None, clear: false, unclosed: close.is_none() });
    }
    // A comment begins at a `#` after a blank; a `#` inside a word belongs to the value.
    let mut stop = (from..end).find(|&at| bytes[at] == b'#' && (at == from || blank(bytes[at - 1]))).unwrap_or(end);
    while stop > from && blank(bytes[stop - 1]) {
        stop -= 1;
    }
    if stop == from {
        // Right after the `=`: the blanks before a comment stay between the value and the comment.
        return Some(Assignment {
            name,
            value: equals..equals,
            quote: None,
            clear: from == end || from > equals,
            unclosed: false,
        });
    }
    let plain = !bytes[from..stop].iter().any(|byte| b"\"'`".contains(byte)) && bytes[stop - 1] != b'\\';
    Some(Assignment { name, value: from..stop, quote: None, clear: plain, unclosed: false })
}

/// The closing quote; in double quotes a backslash protects the next character.
fn closing(bytes: &[u8], from: usize, quote: u8) -> Option<usize> {
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote == b'"' => at += 1,
            byte if byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

fn only_comment_follows(bytes: &[u8], at: usize) -> bool {
    let end = line_end(bytes, at.min(bytes.len()));
    let rest = skip_blanks(bytes, at, end);
    rest == end || (bytes[rest] == b'#' && rest > at)
}

#[cfg(test)]
#[path = "dotenv_tests.rs"]
mod tests;
