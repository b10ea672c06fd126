//! What a CSV reader would swallow in silence: a quote that is never closed, text behind a closing quote, columns that
//! something else than a comma separates.

/// A quote that is not used as CSV uses them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misquoted {
    /// The line of the quote, from 1.
    pub(super) line: u64,
    /// Where its record begins.
    pub(super) record: usize,
    /// What is wrong with it.
    pub(super) why: String,
}

/// Where a reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Start,
    Plain,
    Quoted(u64),
    Closed(u64),
}

/// The first quote that is never closed, or has text behind it: a reader would take what follows for a part of its field.
pub(super) fn misquoted(text: &str) -> Option<Misquoted> {
    let (mut within, mut line, mut record) = (Within::Start, 1, 0);
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        if at == record && byte == b'#' {
            let rest = &text[at..];
            let length = rest.find('\n').map_or(rest.len(), |end| end + 1);
            bytes.by_ref().take(length - 1).for_each(drop);
            (line, record) = (line + 1, at + length);
            continue;
        }
        within = match (within, byte) {
            (Within::Quoted(opened), b'"') => match bytes.peek() {
                Some((_, b'"')) => {
                    bytes.next();
                    Within::Quoted(opened)
                }
                _ => Within::Closed(opened),
            },
            (Within::Quoted(opened), _) => Within::Quoted(opened),
            (_, b',') => Within::Start,
            (_, b'\n') => {
                record = at + 1;
                Within::Start
            }
            (Within::Start, b'"') => Within::Quoted(line),
            (Within::Closed(opened), b'\r' | b' ' | b'\t') => Within::Closed(opened),
            (Within::Closed(line), _) => {
                let why =
                    "text follows the quote that closes a field: a quote within a field is written twice".to_owned();
                return Some(Misquoted { line, record, why });
            }
            _ => Within::Plain,
        };
        line += u64::from(byte == b'\n');
    }
    match within {
        Within::Quoted(line) => {
            let why = "a quote opens here and is never closed: it would swallow all the lines behind it".to_owned();
            Some(Misquoted { line, record, why })
        }
        _ => None,
    }
}

/// What separates the columns of a header, where it is no comma.
pub(super) fn other_separator(header: &str) -> Option<&'static str> {
    let wanted = |separator: char| header.split(separator).any(|column| column.trim().trim_matches('"') == "name");
    let found = [(';', "`;`"), ('\t', "a tab"), ('|', "`|`")].into_iter().find(|(separator, _)| wanted(*separator));
    found.filter(|_| !wanted(',')).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_that_swallows_lines_is_found_where_it_opens() {
        let found = |text: &str| misquoted(text).map(|found| (found.line, text[found.record..].chars().next()));
        for fine in ["", "a,b\n1,2\n", "a\n\"x, \"\"y\"\"\nz\"\r\n\"\"\n", "# it's \"\na,5\" pipe\n", "a\n\"x\" ,b\n"] {
            assert_eq!(found(fine), None, "{fine}");
        }
        assert_eq!(found("a,b\nx,\"open\ny,1\nz,2\n"), Some((2, Some('x'))));
        assert_eq!(found("a,b\nx,\"1\n2\",\"open\ny,1\n"), Some((3, Some('x'))));
        assert_eq!(found("a,b\nx,\"open\ny,\"closed\" there\n"), Some((2, Some('x'))));
        assert_eq!(found("# \"\n#\na\n\""), Some((4, Some('"'))));
    }

    #[test]
    fn the_separator_that_was_used_is_named() {
        assert_eq!(other_separator("name;env"), Some("`;`"));
        assert_eq!(other_separator("env\t\"name\""), Some("a tab"));
        assert_eq!(
            (other_separator("name,env"), other_separator("name"), other_separator("owner;env")),
            (None, None, None)
        );
    }
}
