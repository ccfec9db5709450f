use crate::define::{Complaint, Value};

/// The rules for bucket names and their order are those of the AWS SDK for Java 1 (`BucketNameUtils`), which upstream
/// asks.
pub(super) fn bucket_name(value: Option<&Value>) -> Result<(), Complaint> {
    match value {
        Some(Value::Text(name)) => match fault(name) {
            Some(rule) => Err(Complaint::Whole(format!("Illegal bucket name: Bucket name {rule}"))),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn fault(name: &str) -> Option<String> {
    let say = |rule: &str| Some(rule.to_owned());
    // Java counts UTF-16 units.
    if !(3..=63).contains(&name.encode_utf16().count()) {
        return say("should be between 3 and 63 characters long");
    }
    let parts: Vec<_> = name.split('.').collect();
    if parts.len() == 4 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())) {
        return say("must not be formatted as an IP Address");
    }
    let mut before = None;
    for c in name.chars() {
        match (c, before) {
            ('A'..='Z', _) => return say("should not contain uppercase characters"),
            (' ' | '\t' | '\r' | '\n', _) => return say("should not contain white space"),
            ('.', None) => return say("should not begin with a period"),
            ('.', Some('.')) => return say("should not contain two adjacent periods"),
            ('.', Some('-')) | ('-', Some('.')) => return say("should not contain dashes next to periods"),
            ('-', None) => return say("should not begin with a '-'"),
            ('.' | '-' | '0'..='9' | 'a'..='z', _) => {}
            (other, _) => return Some(format!("should not contain '{other}'")),
        }
        before = Some(c);
    }
    match before {
        Some('.' | '-') => say("should not end with '-' or '.'"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_are_refused_in_the_sdks_words() {
        let long = "b".repeat(64);
        let cases = [
            ("", "should be between 3 and 63 characters long"),
            (&long, "should be between 3 and 63 characters long"),
            ("192.168.5.4", "must not be formatted as an IP Address"),
            ("UPPER", "should not contain uppercase characters"),
            ("a b", "should not contain white space"),
            (".ab", "should not begin with a period"),
            ("a..b", "should not contain two adjacent periods"),
            ("a-.b", "should not contain dashes next to periods"),
            ("a.-b", "should not contain dashes next to periods"),
            ("-ab", "should not begin with a '-'"),
            ("abc-", "should not end with '-' or '.'"),
            ("abc.", "should not end with '-' or '.'"),
            ("b\u{fc}cket", "should not contain '\u{fc}'"),
            ("a_b", "should not contain '_'"),
        ];
        for (name, rule) in cases {
            assert_eq!(fault(name).as_deref(), Some(rule), "{name}");
        }
        for name in ["abc", "my.bucket-1", "1.2.3", "b".repeat(63).as_str()] {
            assert_eq!(fault(name), None, "{name}");
        }
    }
}
