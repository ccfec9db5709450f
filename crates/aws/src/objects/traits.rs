use std::collections::HashMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::objects::encryption::Encryption;
use crate::objects::error::Error;

/// What an object has besides its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traits {
    /// `None` for `application/octet-stream`: bytes of no particular type. Nothing is guessed from a name.
    pub content_type: Option<String>,
    /// `gzip`, for those who unpack what they get.
    pub content_encoding: Option<String>,
    /// How long caches may keep it.
    pub cache_control: Option<String>,
    /// What a browser is to do with it: `attachment; filename="report.csv"`.
    pub content_disposition: Option<String>,
    /// Its language.
    pub content_language: Option<String>,
    /// User metadata; `x-amz-meta-` before a name is taken off.
    pub metadata: Vec<(String, String)>,
    /// At most ten.
    pub tags: Vec<(String, String)>,
    /// How it is encrypted.
    pub encryption: Encryption,
    /// `STANDARD_IA` and the like; `None` for `STANDARD`.
    pub storage_class: Option<String>,
}

/// Bytes of no particular type.
const CONTENT_TYPE: &str = "application/octet-stream";

/// All user metadata together, names and values ("Working with object metadata", S3 user guide).
const MAX_METADATA: usize = 2048;

/// "Categorizing your objects using tags", S3 user guide.
const MAX_TAGS: usize = 10;

impl Traits {
    /// Finds what S3 would refuse after the bytes have gone.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let bad = |text: String, hint: &str| Err(Error::BadInput { text, hint: Some(hint.to_owned()) });
        for (what, value) in [
            ("content type", &self.content_type),
            ("content encoding", &self.content_encoding),
            ("cache control", &self.cache_control),
            ("content disposition", &self.content_disposition),
            ("content language", &self.content_language),
        ] {
            if value.as_ref().is_some_and(|value| value.is_empty() || !value.chars().all(is_header)) {
                return bad(
                    format!("{what} is empty or not printable ASCII"),
                    "write it as in text/csv; charset=utf-8",
                );
            }
        }
        let kms_key = self.encryption.kms_key();
        for (what, value, hint) in [
            ("storage class", &self.storage_class, "write it as in STANDARD_IA"),
            ("KMS key", &kms_key, "give its ARN, its id, or alias/NAME"),
        ] {
            if value.as_ref().is_some_and(|value| value.is_empty() || !value.chars().all(|c| c.is_ascii_graphic())) {
                return bad(format!("{what} is empty, or has blanks or what is not printable ASCII"), hint);
            }
        }
        let mut names: Vec<String> = Vec::new();
        for (name, value) in &self.metadata {
            let plain = plain(name);
            if plain.is_empty() || !plain.chars().all(|c| c.is_ascii_alphanumeric() || "-_.!#$%&'*+^`|~".contains(c)) {
                return bad(format!("metadata name {name:?} is not one"), "use letters, digits, - and _");
            }
            if !value.chars().all(is_header) || value.trim() != value {
                let text = format!("value of metadata {name} is not printable ASCII, or has blanks at an end");
                return bad(text, "encode it, as percent-encoding does");
            }
            if names.contains(&plain) {
                return bad(
                    format!("metadata {name} is given twice"),
                    "give each name once; case does not tell them apart",
                );
            }
            names.push(plain);
        }
        let size: usize = self.metadata.iter().map(|(name, value)| plain(name).len() + value.len()).sum();
        if size > MAX_METADATA {
            let text = format!("metadata has {size} bytes, names and values, and S3 takes {MAX_METADATA}");
            return bad(text, "shorten it, or put it into an object of its own");
        }
        check_tags(&self.tags)
    }

    pub(super) fn content_type(&self) -> String {
        self.content_type.clone().unwrap_or_else(|| CONTENT_TYPE.to_owned())
    }

    pub(super) fn metadata(&self) -> Option<HashMap<String, String>> {
        let metadata: HashMap<_, _> = self.metadata.iter().map(|(name, value)| (plain(name), value.clone())).collect();
        Some(metadata).filter(|metadata| !metadata.is_empty())
    }

    /// `x-amz-tagging`, which is written like a query.
    pub(super) fn tagging(&self) -> Option<String> {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs: Vec<_> = self.tags.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
        Some(pairs.join("&")).filter(|tagging| !tagging.is_empty())
    }
}

/// Finds what S3 would refuse in a set of tags.
pub(super) fn check_tags(tags: &[(String, String)]) -> Result<(), Error> {
    let bad = |text: String| {
        let hint = "S3 takes 10 tags, keys of 128 and values of 256 letters, digits, blanks and _ . : / = + - @";
        Err(Error::BadInput { text, hint: Some(hint.to_owned()) })
    };
    if tags.len() > MAX_TAGS {
        return bad(format!("{} tags are more than an object can have", tags.len()));
    }
    let fits = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c));
    for (at, (key, value)) in tags.iter().enumerate() {
        if key.is_empty() || key.chars().count() > 128 || !fits(key) || key.starts_with("aws:") {
            return bad(format!("tag key {key:?} is not one that S3 takes"));
        }
        if value.chars().count() > 256 || !fits(value) {
            return bad(format!("value of tag {key} is not one that S3 takes"));
        }
        if tags[..at].iter().any(|(other, _)| other == key) {
            return bad(format!("tag {key} is given twice"));
        }
    }
    Ok(())
}

fn plain(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    name.strip_prefix("x-amz-meta-").map(str::to_owned).unwrap_or(name)
}

fn is_header(c: char) -> bool {
    c == ' ' || c.is_ascii_graphic()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_prefix_of_metadata_may_be_written_or_not() {
        let traits = Traits { metadata: pairs(&[("x-amz-meta-Run", "7"), ("team", "a b")]), ..Traits::default() };
        traits.check().unwrap();
        let metadata = traits.metadata().unwrap();
        assert_eq!((metadata["run"].as_str(), metadata["team"].as_str()), ("7", "a b"));
    }

    #[test]
    fn what_s3_would_refuse_is_refused_before_a_byte_goes() {
        let metadata = |all: &[(&str, &str)]| Traits { metadata: pairs(all), ..Traits::default() }.check();
        for (all, why) in [
            (&[("a b", "1")][..], "not one"),
            (&[("a", "\u{fc}")], "not printable ASCII"),
            (&[("a", "1"), ("x-amz-meta-A", "2")], "twice"),
            (&[("a", &"x".repeat(2048))], "2049 bytes"),
        ] {
            let error = metadata(all).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let tags = |all: &[(&str, &str)]| check_tags(&pairs(all));
        let many: Vec<_> = (0..11).map(|n| (format!("k{n}"), String::new())).collect();
        assert!(check_tags(&many).unwrap_err().to_string().contains("11 tags"));
        assert!(tags(&[("a", "1"), ("a", "2")]).unwrap_err().to_string().contains("twice"));
        assert!(tags(&[("aws:a", "1")]).is_err());
        assert!(tags(&[("a", "{}")]).is_err());
        tags(&[("team:x/y", "a b@c \u{fc}")]).unwrap();
        assert_eq!(
            Traits { tags: pairs(&[("a b", "c&d")]), ..Traits::default() }.tagging().as_deref(),
            Some("a%20b=c%26d")
        );
    }
}
