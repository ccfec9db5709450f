/// Reads a Java properties file (`java.util.Properties.load`): comments, continued lines, escapes, blanks, `=` or `:`.
///
/// Pairs in the order of the file; a key may come several times, of which Java keeps the last.
pub(crate) fn read_properties(text: &str) -> Result<Vec<(String, String)>, PropertiesError> {
    let mut pairs = Vec::new();
    for (number, line) in logical_lines(text) {
        let (key, value) = split(&line);
        let read = |text: &str| unescape(text).ok_or(PropertiesError { line: number });
        pairs.push((read(key)?, read(value)?));
    }
    Ok(pairs)
}

/// A `\u` escape without four hexadecimal digits: the one thing that Java refuses too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} has a \\u escape without four hexadecimal digits")]
pub struct PropertiesError {
    /// The line, from 1.
    pub line: usize,
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

/// Lines with their continuations joined and their leading blanks cut off, without comments and empty ones; the number
/// is that of the first physical line.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    // "\r\n" is one end of line; a lone "\r" is one too.
    let normal = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = Vec::new();
    let mut physical = normal.split('\n').enumerate();
    while let Some((number, first)) = physical.next() {
        let mut line = first.trim_start_matches(is_blank).to_owned();
        // Only what begins a logical line can be a comment; a line of nothing but a backslash begins none.
        if line.is_empty() || line == "\\" || line.starts_with(['#', '!']) {
            continue;
        }
        while is_continued(&line) {
            line.pop();
            match physical.next() {
                Some((_, next)) => line.push_str(next.trim_start_matches(is_blank)),
                None => break,
            }
        }
        lines.push((number + 1, line));
    }
    lines
}

/// Whether a line ends in an odd number of backslashes.
fn is_continued(line: &str) -> bool {
    (line.len() - line.trim_end_matches('\\').len()) % 2 == 1
}

/// Key and value, both still escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (is_blank(c) || c == '=' || c == ':');
        escaped = c == '\\' && !escaped;
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_blank))
}

fn unescape(text: &str) -> Option<String> {
    // UTF-16, since a character beyond U+FFFF is written as two escapes.
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut buffer = [0; 2];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = if c == '\\' {
            match chars.next() {
                Some('u') => {
                    let rest = chars.as_str();
                    let digits = rest.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
                    units.push(u16::from_str_radix(digits, 16).ok()?);
                    chars = rest[4..].chars();
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\x0c',
                Some(other) => other,
                None => break,
            }
        } else {
            c
        };
        units.extend_from_slice(c.encode_utf16(&mut buffer));
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        read_properties(text).unwrap()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// Every case was put through `java.util.Properties.load` of JDK 17.
    #[test]
    fn files_are_read_as_java_reads_them() {
        let text = "# comment\n! other\n\n  a = 1 \nb:2\nc 3\nd\ne=\nf = = x\n";
        let expected = [("a", "1 "), ("b", "2"), ("c", "3"), ("d", ""), ("e", ""), ("f", "= x")];
        assert_eq!(read(text), pairs(&expected));
        assert_eq!(read("k = one,\\\n    two,\\\r\n\tthree\nl=1"), pairs(&[("k", "one,two,three"), ("l", "1")]));
        assert_eq!(read("a\\ b\\:c\\=d = x\\ty\\\\"), pairs(&[("a b:c=d", "x\ty\\")]));
        assert_eq!(read("u = \\u00e9\\uD83D\\uDE80\\q"), pairs(&[("u", "\u{e9}\u{1F680}q")]));
        assert_eq!(read("a=1\\\n# not a comment\n"), pairs(&[("a", "1# not a comment")]));
        assert_eq!(read("a=1\\\\\nb=2"), pairs(&[("a", "1\\"), ("b", "2")]));
        assert_eq!(read("a=1\rb=2\\"), pairs(&[("a", "1"), ("b", "2")]));
        assert_eq!(read("a=1\na=2"), pairs(&[("a", "1"), ("a", "2")]));
        assert_eq!(read("=v\n:w"), pairs(&[("", "v"), ("", "w")]));
        assert_eq!(read("\\\n# a comment\n\\\nb=1"), pairs(&[("b", "1")]));
    }

    #[test]
    fn a_broken_escape_names_its_line() {
        assert_eq!(read_properties("a=1\n\nb=\\u12x4"), Err(PropertiesError { line: 3 }));
        assert_eq!(read_properties("b=\\u12"), Err(PropertiesError { line: 1 }));
    }
}
