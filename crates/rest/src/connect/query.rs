use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The parameters of a query, in their order; one may come several times.
pub(super) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return text.into();
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned().into()
}

impl<'a> Query<'a> {
    pub(super) fn of(query: Option<&'a str>) -> Self {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(k, v)| (decode(k), decode(v))).collect(),
        )
    }

    /// All values of a parameter.
    pub(super) fn all<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    /// The first value of a parameter.
    pub(super) fn first<'b>(&'b self, name: &'b str) -> Option<&'b str> {
        self.all(name).next()
    }

    /// A parameter that is true or false: Java's `Boolean.valueOf`. An empty one is not there.
    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        match self.first(name) {
            None | Some("") => default,
            Some(text) => text.eq_ignore_ascii_case("true"),
        }
    }
}
