use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What may stand in a query as it is (RFC 3986's unreserved characters).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a request is about, for reading parameters and for links back to it.
#[derive(Debug)]
pub(super) struct Target {
    /// The address of this surface as the client wrote it: `http://HOST/api`.
    root: String,
    path: String,
    query: Vec<(String, String)>,
}

impl Target {
    /// `path` as it is below `root`.
    pub(super) fn new(root: String, path: &str, query: Option<&str>) -> Self {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        };
        Self { root, path: path.to_owned(), query: pairs.map(pair).collect() }
    }

    /// The address of this surface.
    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// The path below it.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// A parameter's value; an empty one counts as none.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.all(name).find(|value| !value.is_empty())
    }

    /// All values of a parameter.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The address of this list's page that begins at `token`, or of the first one.
    pub(super) fn link(&self, token: Option<&str>) -> String {
        let others = self.query.iter().filter(|(name, _)| name != "page_token");
        let pairs = others.map(|(name, value)| (name.as_str(), value.as_str())).chain(token.map(|t| ("page_token", t)));
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let mark = if pairs.is_empty() { "" } else { "?" };
        format!("{}{}{mark}{}", self.root, self.path, pairs.join("&"))
    }
}

fn encoded(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, QUERY).into()
}

/// As HTML forms are written: a plus is a space. Bytes that are no UTF-8 become the sign for that.
fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_in_any_number_and_spelling() {
        let target =
            Target::new("http://h".into(), "/p", Some("expand=info%2Cstatus&expand=id&q=a+b%26&empty=&x&&e=%ff"));
        assert_eq!(target.all("expand").collect::<Vec<_>>(), ["info,status", "id"]);
        assert_eq!(target.query("q"), Some("a b&"));
        assert_eq!((target.query("empty"), target.query("x"), target.query("no")), (None, None, None));
        assert_eq!(target.query("e"), Some("\u{fffd}"));
        assert_eq!(Target::new(String::new(), "/p", Some("q=a+b%26&page_token=t")).link(None), "/p?q=a%20b%26");
        assert_eq!(Target::new(String::new(), "/p", None).link(Some("n")), "/p?page_token=n");
    }
}
