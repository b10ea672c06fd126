//! What `src/` says to people of commands: read from the text of the program, so that a new hint is found without being told of.

use crate::house;
use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use std::path::Path;

/// A text that sends somebody on, as it stands in the program, with `{…}` for what is filled in.
pub(super) struct Advice {
    /// The file, below `src/`, and the line.
    pub(super) file: String,
    pub(super) line: usize,
    /// The text; of a call whose text is worded elsewhere, the expression.
    pub(super) text: String,
    pub(super) kind: Kind,
}

/// How advice is found.
#[derive(PartialEq, Eq, Clone, Copy)]
pub(super) enum Kind {
    /// A text in a call of `hint`.
    Hint,
    /// Another text that names a command.
    Command,
    /// A call of `hint` with a text that is worded elsewhere.
    Elsewhere,
    /// A call of `suggest`, which words "did you mean".
    Similar,
}

/// Everything that `src/` advises.
pub(super) fn advice(commands: &[String]) -> Vec<Advice> {
    let root = house::src();
    let mut files = house::sources(&root);
    // Recipes are run by a test of their own.
    files.retain(|file| !house::is_test(file) && !file.ends_with("testing.rs") && !file.ends_with("cli/recipes.rs"));
    files.sort();
    files.iter().flat_map(|file| of_file(&root, file, commands)).collect()
}

fn of_file(root: &Path, path: &Path, commands: &[String]) -> Vec<Advice> {
    let file = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
    let mut reader = Reader { file, commands, found: Vec::new() };
    reader.read(house::code_of(path).tokens);
    reader.found
}

struct Reader<'a> {
    file: String,
    commands: &'a [String],
    found: Vec<Advice>,
}

impl Reader<'_> {
    fn read(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is_mark = |at: Option<usize>, mark: char| {
            let token = at.and_then(|at| tokens.get(at));
            matches!(token, Some(TokenTree::Punct(found)) if found.as_char() == mark)
        };
        for (at, token) in tokens.iter().enumerate() {
            match token {
                // Help and the document of the API are proven by tests of their own.
                TokenTree::Group(group)
                    if (is_mark(at.checked_sub(1), '#') || is_mark(at.checked_sub(1), '!')) && is_described(group) => {}
                TokenTree::Group(group) => {
                    let name = at.checked_sub(1).and_then(|at| tokens.get(at)).map(ToString::to_string);
                    let is_call = group.delimiter() == Delimiter::Parenthesis && is_mark(at.checked_sub(2), '.');
                    match name.as_deref() {
                        Some("hint") if is_call => self.hint(group),
                        Some("suggest") if is_call => {
                            self.add(group.span_open(), argument(group), Kind::Similar);
                            self.read(group.stream());
                        }
                        _ => self.read(group.stream()),
                    }
                }
                TokenTree::Literal(_) => {
                    // Examples of help have lines; each is run by a test of its own.
                    if let Some(text) = text(token).filter(|text| !text.contains('\n') && self.names_a_command(text)) {
                        self.add(token.span(), text, Kind::Command);
                    }
                }
                _ => {}
            }
        }
    }

    fn hint(&mut self, group: &Group) {
        let mut texts = Vec::new();
        collect(group.stream(), &mut texts);
        // A call without an argument is a getter of that name.
        if texts.is_empty() && !group.stream().is_empty() {
            self.add(group.span_open(), argument(group), Kind::Elsewhere);
        }
        for (span, text) in texts {
            self.add(span, text, Kind::Hint);
        }
    }

    fn add(&mut self, span: Span, text: String, kind: Kind) {
        self.found.push(Advice { file: self.file.clone(), line: span.start().line, text, kind });
    }

    fn names_a_command(&self, text: &str) -> bool {
        let mut words = text.split("keyward ").skip(1);
        words.any(|rest| {
            self.commands.iter().any(|command| rest.split([' ', '`', ';', ',', ')']).next() == Some(command))
        })
    }
}

fn is_described(attribute: &Group) -> bool {
    let first = attribute.stream().into_iter().next().map(|token| token.to_string());
    matches!(first.as_deref(), Some("doc" | "cfg_attr"))
}

/// The argument of a call, as it stands in the program.
fn argument(call: &Group) -> String {
    let text = call.span().source_text().unwrap_or_else(|| call.to_string());
    let inside = text.trim_start_matches('(').strip_suffix(')').unwrap_or(&text);
    inside.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text(token: &TokenTree) -> Option<String> {
    match syn::parse2(token.clone().into()) {
        Ok(syn::Lit::Str(text)) => Some(text.value()),
        _ => None,
    }
}

/// The texts in tokens, at any depth.
fn collect(tokens: TokenStream, texts: &mut Vec<(Span, String)>) {
    for token in tokens {
        match &token {
            TokenTree::Group(group) => collect(group.stream(), texts),
            TokenTree::Literal(_) => texts.extend(text(&token).map(|text| (token.span(), text))),
            _ => {}
        }
    }
}

impl Advice {
    /// Whether a line that was printed is, or holds, this text.
    pub(super) fn is_said_by(&self, line: &str) -> bool {
        let mut rest = line;
        self.parts().iter().all(|part| match rest.find(part.as_str()) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    }

    /// What stands between the values that are filled in.
    fn parts(&self) -> Vec<String> {
        // Between the program and its command stands what was said of the place, and a key's id in the place of KEY.
        let text = self.text.trim_start_matches("hint: ").replace("{{", "\u{1}").replace("}}", "\u{2}");
        let text = text.replace("keyward ", "keyward{} ").replace(" KEY", " {}");
        let parts = text.split('{').enumerate().map(|(at, part)| {
            let part = if at == 0 { part } else { part.split_once('}').map_or("", |(_, after)| after) };
            part.replace('\u{1}', "{").replace('\u{2}', "}")
        });
        parts.filter(|part| !part.trim().is_empty()).collect()
    }
}
