//! Words of commands to paste. Names come from configurations, brokers and certificates: none may end its word and begin a
//! command of its own.

/// `text` as one word of a POSIX shell, whatever is in it (Shell Command Language, 2.2.2).
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::word;

    #[test]
    fn a_shell_takes_every_text_for_one_word() {
        assert_eq!([word("orders"), word("b-1.x:9092,b-2.x:9092")], ["orders", "b-1.x:9092,b-2.x:9092"]);
        for text in ["", "a b", "$(id)", "`id`", "it's", "';id;'", "a\nid", "\"", "\\", "!x", "*", "~", "#", "a&b|c>d"]
        {
            let output = Command::new("sh").args(["-c", &format!("printf %s {}", word(text))]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
        }
    }
}
