//! The choices a user makes about output: format, time style, colour.
//!
//! Plain types with `FromStr`, so that neither clap nor the environment is needed to make one.

use std::fmt;
use std::str::FromStr;

/// How a reply is rendered on stdout (`-o`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Aligned columns for people.
    #[default]
    Table,
    /// The table with its less important columns.
    Wide,
    /// One indented JSON document.
    Json,
    /// One compact JSON object a line.
    Jsonl,
    /// RFC 4180 with a header line.
    Csv,
    /// A table that issue trackers and wikis render.
    Markdown,
    /// The naming value alone, one a line.
    Name,
    /// Findings for code hosts; only of commands that find something.
    Sarif,
}

impl Format {
    /// Every format that all commands take, in the order of the help text.
    pub const ALL: [Self; 7] =
        [Self::Table, Self::Wide, Self::Json, Self::Jsonl, Self::Csv, Self::Markdown, Self::Name];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Wide => "wide",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Markdown => "markdown",
            Self::Name => "name",
            Self::Sarif => "sarif",
        }
    }

    /// Whether errors, too, are JSON objects.
    pub fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Jsonl)
    }

    /// Whether the format is meant for eyes, so that `-q` may replace it.
    pub(super) fn is_human(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

/// How times are shown (`--time`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeStyle {
    /// "in 3d", "2h ago".
    Relative,
    /// RFC 3339 with the machine's offset.
    Local,
    /// RFC 3339 in UTC, whole seconds.
    Utc,
}

impl TimeStyle {
    /// Every style, in the order of the help text.
    pub const ALL: [Self; 3] = [Self::Relative, Self::Local, Self::Utc];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relative => "relative",
            Self::Local => "local",
            Self::Utc => "utc",
        }
    }
}

/// When to colour (`--color`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorChoice {
    /// Judge each stream: a terminal gets colour unless a variable forbids it.
    #[default]
    Auto,
    /// Colour, terminal or not.
    Always,
    /// No colour at all.
    Never,
}

impl ColorChoice {
    /// Every choice, in the order of the help text.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// The colour choice together with the two variables that qualify `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ColorPolicy {
    choice: ColorChoice,
    no_color: bool,
    force: bool,
}

impl ColorPolicy {
    /// Takes the values of `NO_COLOR` (set and not empty forbids) and `CLICOLOR_FORCE` (set,
    /// not empty and not `0` forces).
    pub fn new(choice: ColorChoice, no_color: Option<&str>, clicolor_force: Option<&str>) -> Self {
        Self {
            choice,
            no_color: no_color.is_some_and(|value| !value.is_empty()),
            force: clicolor_force.is_some_and(|value| !value.is_empty() && value != "0"),
        }
    }

    /// Whether one stream is coloured. An explicit choice beats variables, and of the
    /// variables the one that forbids wins.
    pub fn applies(self, terminal: bool) -> bool {
        match self.choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => !self.no_color && (self.force || terminal),
        }
    }
}

/// Gives the word types their `FromStr` and `Display`, with an error that lists the words.
macro_rules! words {
    ($type:ty) => {
        impl FromStr for $type {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Self::ALL.into_iter().find(|choice| choice.as_str() == word).ok_or_else(|| {
                    let words = Self::ALL.map(Self::as_str).join(", ");
                    format!("expected one of: {words}")
                })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words!(Format);
words!(TimeStyle);
words!(ColorChoice);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_and_a_wrong_one_lists_them() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        for style in TimeStyle::ALL {
            assert_eq!(style.to_string().parse(), Ok(style));
        }
        for choice in ColorChoice::ALL {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        let error = "yaml".parse::<Format>().unwrap_err();
        assert_eq!(error, "expected one of: table, wide, json, jsonl, csv, markdown, name");
    }

    #[test]
    fn colour_is_judged_per_stream_and_variables_qualify_only_auto() {
        use ColorChoice::{Always, Auto, Never};
        let applies = |choice, no, force, terminal| ColorPolicy::new(choice, no, force).applies(terminal);
        assert!(applies(Auto, None, None, true));
        assert!(!applies(Auto, None, None, false));
        assert!(!applies(Auto, Some("1"), None, true));
        assert!(applies(Auto, Some(""), None, true), "empty means unset");
        assert!(applies(Auto, None, Some("1"), false));
        assert!(!applies(Auto, None, Some("0"), false));
        assert!(!applies(Auto, Some("1"), Some("1"), true));
        assert!(applies(Always, Some("1"), None, false));
        assert!(!applies(Never, None, Some("1"), true));
    }
}
