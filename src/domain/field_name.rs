//! The names of a key's fields: one path in JSON, CSV and HTTP, and short forms of it that are taken wherever a field is
//! named, in columns, in sorting and in `--field`.

/// Short forms and the paths they mean.
const SHORT: [(&str, &str); 18] = [
    ("env", "environment"),
    ("scope", "scopes"),
    ("customer", "customers"),
    ("label", "labels"),
    ("allow_ip", "allow_ips"),
    ("ip", "allow_ips"),
    ("created", "created_at"),
    ("expires", "expires_at"),
    ("expiry", "expires_at"),
    ("last_used", "last_used_at"),
    ("last_used_from", "last_used_ip"),
    ("last_denied", "last_denied_at"),
    ("due", "rotation.due_at"),
    ("due_at", "rotation.due_at"),
    ("rotation_due", "rotation.due_at"),
    ("rotate_every", "rotation.every_seconds"),
    ("overlap", "rotation.overlap_seconds"),
    ("overdue", "rotation.overdue"),
];

/// The path of the field that a word names; the word itself where it is no short form. Hyphens and blanks stand for
/// underscores, but not in the name of a label, which is what people chose.
#[must_use]
pub fn field_path(word: &str) -> String {
    if let Some(label) = word.strip_prefix("labels.").or_else(|| word.strip_prefix("label.")) {
        return format!("labels.{label}");
    }
    let plain = word.to_ascii_lowercase().replace(['-', ' '], "_");
    let path = SHORT.iter().find(|(short, _)| *short == plain).map(|(_, path)| (*path).to_owned());
    path.unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_one_path_by_all_its_names() {
        for (word, path) in [
            ("env", "environment"),
            ("environment", "environment"),
            ("Last-Used", "last_used_at"),
            ("last_used_at", "last_used_at"),
            ("rate limit", "rate_limit"),
            ("due", "rotation.due_at"),
            ("label.cost-centre", "labels.cost-centre"),
            ("labels.Team", "labels.Team"),
            ("nope", "nope"),
        ] {
            assert_eq!(field_path(word), path, "{word}");
        }
    }
}
