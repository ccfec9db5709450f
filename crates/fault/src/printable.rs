use std::borrow::Cow;

/// A text from a file or from far away, without what would end the line, steer the terminal, or show letters in another
/// order than they have.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_steering) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| if is_steering(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// Whether a character does something to the text around it: controls, marks of direction (UAX #9), and those of no width.
fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_would_steer_a_terminal_is_shown_and_nothing_else() {
        assert_eq!(printable("caf\u{e9} 1 \u{4e2d}"), "caf\u{e9} 1 \u{4e2d}");
        assert_eq!(printable("a\u{1b}[2J\nb"), "a\\u{1b}[2J\\nb");
        assert_eq!(printable("txt.\u{202e}exe"), "txt.\\u{202e}exe");
    }
}
