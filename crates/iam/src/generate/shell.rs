/// A word of a POSIX shell that stands for `text` and nothing else.
pub(super) fn quote(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_./:@=,+-".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    // Between single quotes everything is itself, except a single quote (POSIX, Shell Command Language, 2.2.2).
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn a_word_stands_for_itself() {
        for (text, word) in [
            ("create-role", "create-role"),
            ("", "''"),
            ("{\"a\": \"${b} `c` $(d) \\ !\"}", "'{\"a\": \"${b} `c` $(d) \\ !\"}'"),
            ("it's", r"'it'\''s'"),
            ("\u{fc}", "'\u{fc}'"),
            ("~", "'~'"),
        ] {
            assert_eq!(quote(text), word);
        }
    }
}
