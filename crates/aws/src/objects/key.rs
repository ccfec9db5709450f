use std::fmt;

use crate::objects::error::Error;

/// The longest key, in bytes of UTF-8 ("Object key naming guidelines", S3 user guide).
const MAX_KEY: usize = 1024;

/// The name of an object, as S3 takes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// Takes `text` if S3 can keep an object under it.
    ///
    /// Control characters are refused though S3 takes them: a listing cannot show them, many tools cannot write them, and
    /// whoever has one in a name has a slip in a script.
    ///
    /// # Errors
    /// It is empty, longer than 1024 bytes, or has control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        let bad = |rule: &'static str, hint: &'static str| {
            let shown: String = text.chars().take(80).flat_map(char::escape_default).collect();
            Err(Error::BadName { what: "key", shown, rule: rule.into(), hint: Some(hint.into()) })
        };
        if text.is_empty() {
            return bad("names no object", "give --key, --file-name, or a key behind s3://bucket/");
        }
        if text.len() > MAX_KEY {
            return bad("has more than 1024 bytes", "shorten it: S3 takes 1024 bytes of UTF-8");
        }
        if text.chars().any(char::is_control) {
            return bad("has control characters", "look for a line end or a tab in what made the name");
        }
        Ok(Self(text))
    }

    /// Takes a key that S3 itself has named, whatever is in it.
    pub fn of_listing(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The key itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows the last slash.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a bucket: what was typed, put right where it is plain what was meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BucketName(String);

impl BucketName {
    /// Takes `lake`, `s3://lake`, `lake/` and `arn:aws:s3:::lake` for the bucket lake.
    ///
    /// # Errors
    /// It is not a name that a bucket can have, an ARN of something else, or an URL whose bucket is not plain.
    pub fn new(text: &str) -> Result<Self, Error> {
        let bad = |rule: String, hint: &str| {
            let shown = text.chars().take(80).flat_map(char::escape_default).collect();
            Err(Error::BadName { what: "bucket", shown, rule, hint: Some(hint.to_owned()) })
        };
        let plain = text.trim();
        let plain = plain.strip_prefix("s3://").unwrap_or(plain).trim_end_matches('/');
        if plain.starts_with("http://") || plain.starts_with("https://") {
            return bad("is an URL".into(), "give the bucket's name alone; an endpoint belongs to the connection");
        }
        let name = match plain.strip_prefix("arn:") {
            None => plain,
            Some(arn) => match arn.splitn(5, ':').collect::<Vec<_>>()[..] {
                [_, "s3", "", "", name] => name,
                _ => {
                    return bad(
                        "is the ARN of something else than a bucket".into(),
                        "give the bucket's name; access points are not supported",
                    );
                }
            },
        };
        if name.contains('/') {
            return bad(
                "names a key too".into(),
                "give the bucket's name alone, and the rest as --prefix or --key, or all of it as s3://bucket/key",
            );
        }
        // "General purpose bucket naming rules", S3 user guide. Old buckets of us-east-1 may have capitals, underscores and
        // 255 characters; SigV4 clients still reach them.
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !(3..=255).contains(&name.len()) || !name.chars().all(fits) {
            let rule = "is not 3 to 63 letters, digits, dots and hyphens".to_owned();
            return bad(rule, "correct the bucket's name");
        }
        Ok(Self(name.to_owned()))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use fault::Diagnose as _;

    use super::*;

    #[test]
    fn a_key_that_s3_cannot_keep_is_refused_with_what_is_wrong() {
        for (text, rule) in [
            ("", "names no object"),
            ("a\nb", "control characters"),
            ("a\u{7f}", "control characters"),
            (&"\u{fc}".repeat(513), "more than 1024 bytes"),
        ] {
            let error = Key::new(text).unwrap_err();
            assert!(error.to_string().contains(rule), "{error}");
            assert!(error.hint().is_some() && !error.to_string().contains('\n'), "{error}");
        }
        assert_eq!(Key::new("\u{fc}".repeat(512)).unwrap().as_str().len(), 1024);
        assert_eq!(Key::new("a/b/c.csv").unwrap().file_name(), "c.csv");
    }

    #[test]
    fn a_bucket_may_be_written_as_its_arn_or_url() {
        for text in ["lake", " lake ", "s3://lake", "s3://lake/", "lake/", "arn:aws:s3:::lake", "arn:aws-cn:s3:::lake"]
        {
            assert_eq!(BucketName::new(text).unwrap().as_str(), "lake", "{text}");
        }
        for text in
            ["", "ab", "lake/in", "arn:aws:s3:eu-west-1:111111111111:accesspoint/ap", "https://lake.s3.amazonaws.com"]
        {
            let error = BucketName::new(text).unwrap_err();
            assert!(error.hint().is_some(), "{error}");
        }
    }
}
