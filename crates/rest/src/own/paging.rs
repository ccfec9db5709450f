//! Pages of lists. A cursor names the last item that was shown, so that nothing is shown twice or passed over while others
//! come and go.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use super::ask::Reply;
use super::trouble::Trouble;

/// How many items a page has if nothing else is asked for, and at most.
pub(super) const PAGE: usize = 100;
/// More than an installation has connectors.
pub(super) const MOST: usize = 1000;

/// Which page is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paging {
    /// How many items.
    pub(super) size: usize,
    /// After which one.
    pub(super) after: Option<String>,
}

impl Paging {
    pub(super) fn read(size: Option<&str>, cursor: Option<&str>) -> Result<Self, Trouble> {
        let size = size.map_or(Ok(PAGE), |text| {
            let size = text.parse().ok().filter(|size| (1..=MOST).contains(size));
            size.ok_or_else(|| {
                Trouble::flaw("page_size", Some(text), format!("must be a whole number from 1 to {MOST}"))
            })
        })?;
        let after = cursor.map(|text| {
            let decoded = BASE64_URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            decoded.ok_or_else(|| Trouble::flaw("cursor", Some(text), "must be next of an earlier page"))
        });
        Ok(Self { size, after: after.transpose()? })
    }

    /// A page of what is all there, in the order of `key`.
    pub(super) fn cut<T>(self, mut all: Vec<T>, key: impl Fn(&T) -> String, show: impl Fn(&T) -> Value) -> Reply {
        all.sort_by_cached_key(&key);
        let start = self.after.map_or(0, |after| all.partition_point(|item| key(item) <= after));
        let rest = &all[start..];
        let shown = &rest[..rest.len().min(self.size)];
        let next = (rest.len() > shown.len()).then(|| shown.last().map(|last| encode(&key(last)))).flatten();
        Reply::page(&shown.iter().map(show).collect::<Vec<_>>(), next.as_deref())
    }

    /// A page that the control plane has cut, with a cursor of its own.
    pub(super) fn of<T>(page: &control::Page<T>, show: impl Fn(&T) -> Value) -> Reply {
        let items: Vec<_> = page.items.iter().map(show).collect();
        Reply::page(&items, page.next.as_deref().map(encode).as_deref())
    }
}

fn encode(key: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(key)
}

/// Puts the oldest first: times of one width, then the id.
pub(super) fn by_age(created_at: jiff::Timestamp, id: &str) -> String {
    format!("{:020}{id}", created_at.as_microsecond())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::ask::Content;
    use super::*;

    fn page(paging: Paging, all: &[&str]) -> (Vec<String>, Option<String>) {
        let reply = paging.cut(all.to_vec(), |name| (*name).to_owned(), |name| json!(name));
        let Content::Json(body) = reply.body else { panic!("a page is JSON") };
        let items = body["items"].as_array().expect("a list");
        let items = items.iter().map(|item| item.as_str().expect("a text").to_owned()).collect();
        (items, body["next"].as_str().map(ToOwned::to_owned))
    }

    #[test]
    fn pages_show_everything_once_while_items_come_and_go() {
        let (first, next) = page(Paging::read(Some("2"), None).unwrap(), &["a", "c", "e", "g"]);
        assert_eq!(first, ["a", "c"]);
        let next = next.expect("there is more");
        // c, which the cursor names, is gone, and b and d have come.
        let (second, next) = page(Paging::read(Some("2"), Some(&next)).unwrap(), &["g", "e", "d", "b", "a"]);
        assert_eq!(second, ["d", "e"]);
        let (last, next) = page(Paging::read(Some("2"), next.as_deref()).unwrap(), &["a", "g"]);
        assert_eq!((last, next), (vec!["g".to_owned()], None));
    }

    #[test]
    fn pages_have_a_size_and_cursors_are_ours() {
        for wrong in ["0", "1001", "-1", "many", ""] {
            assert!(Paging::read(Some(wrong), None).is_err(), "{wrong}");
        }
        for wrong in ["%", "a b", "\u{e9}"] {
            assert!(Paging::read(None, Some(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(Paging::read(None, None).unwrap().size, PAGE);
    }
}
