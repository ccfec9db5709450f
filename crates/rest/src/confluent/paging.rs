use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::problem::Problem;
use super::target::Target;

/// The sizes of pages: what is given if nothing is asked for, and the most that can be asked for (Confluent's API).
const USUAL: usize = 10;
const MOST: usize = 100;

/// Where in a list something stands: lists are in the order in which their things were made.
pub(super) type Place = (Timestamp, String);

/// A list's kind and things.
pub(super) struct List<'a> {
    /// `pim/v1`.
    pub(super) api_version: &'a str,
    /// `IntegrationList`.
    pub(super) kind: &'a str,
}

impl List<'_> {
    /// The page that was asked for, of `items` in any order.
    pub(super) fn page<T>(
        &self,
        target: &Target,
        mut items: Vec<T>,
        place: impl Fn(&T) -> Place,
        show: impl Fn(&T) -> Value,
    ) -> Result<Value, Problem> {
        let size = size(target, USUAL, MOST)?;
        let after = target.query("page_token").map(read).transpose()?;
        items.sort_by_cached_key(&place);
        let total = items.len();
        let begin = after.map_or(0, |after| items.partition_point(|item| place(item) <= after));
        let rest = items.get(begin..).unwrap_or_default();
        let shown = &rest[..size.min(rest.len())];
        let mut metadata = json!({ "first": target.link(None), "total_size": total });
        // Not even null on the last page: Terraform's provider would take that for a link.
        if rest.len() > size
            && let Some(last) = shown.last()
        {
            metadata["next"] = json!(target.link(Some(&token(place(last)))));
        }
        let data: Vec<Value> = shown.iter().map(show).collect();
        Ok(json!({ "api_version": self.api_version, "kind": self.kind, "metadata": metadata, "data": data }))
    }
}

/// How many things a page shall have.
pub(super) fn size(target: &Target, usual: usize, most: usize) -> Result<usize, Problem> {
    match target.query("page_size") {
        None => Ok(usual),
        Some(text) => text
            .parse()
            .ok()
            .filter(|size| (1..=most).contains(size))
            .ok_or_else(|| Problem::parameter("page_size", &format!("must be a number from 1 to {most}"))),
    }
}

/// Nobody is to make or to read one: what it holds is ours to change.
fn token((at, id): Place) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{id}", at.as_nanosecond()))
}

fn read(token: &str) -> Result<(Timestamp, String), Problem> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (at, id) = text.split_once('.')?;
        Some((Timestamp::from_nanosecond(at.parse().ok()?).ok()?, id.to_owned()))
    };
    read().ok_or_else(|| Problem::parameter("page_token", "is none that was given out here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: List<'_> = List { api_version: "org/v2", kind: "EnvironmentList" };

    fn page(query: &str, items: &[(i64, &str)]) -> Result<Value, Problem> {
        let items: Vec<_> =
            items.iter().map(|(at, id)| (Timestamp::from_second(*at).unwrap(), (*id).to_owned())).collect();
        let target = Target::new("http://h:1/api".to_owned(), "/org/v2/environments", Some(query));
        LIST.page(&target, items, |(at, id)| (*at, id.clone()), |(_, id)| json!(id))
    }

    fn next(page: &Value) -> Option<&str> {
        page["metadata"].get("next")?.as_str()?.split_once("page_token=").map(|(_, token)| token)
    }

    #[test]
    fn pages_follow_one_another_whatever_is_deleted_meanwhile() {
        let items = [(3, "c"), (1, "a"), (2, "b"), (2, "a2"), (9, "z")];
        let first = page("page_size=2", &items).unwrap();
        assert_eq!(first["data"], json!(["a", "a2"]));
        assert_eq!(first["metadata"]["total_size"], 5);
        assert_eq!(first["metadata"]["first"], "http://h:1/api/org/v2/environments?page_size=2");
        let token = next(&first).unwrap();
        let second =
            page(&format!("page_size=2&page_token={token}"), &[(3, "c"), (1, "a"), (2, "b"), (9, "z")]).unwrap();
        assert_eq!(second["data"], json!(["b", "c"]));
        let third = page(&format!("page_size=2&page_token={}", next(&second).unwrap()), &items).unwrap();
        assert_eq!(third["data"], json!(["z"]));
        assert_eq!(third["metadata"].get("next"), None, "absent, not null");
    }

    #[test]
    fn other_parameters_stay_in_the_links() {
        let first = page("environment=env-a&page_size=1&provider=aws", &[(1, "a"), (2, "b")]).unwrap();
        let next = first["metadata"]["next"].as_str().unwrap();
        assert!(
            next.starts_with(
                "http://h:1/api/org/v2/environments?environment=env-a&page_size=1&provider=aws&page_token="
            )
        );
    }

    #[test]
    fn sizes_and_tokens_that_cannot_be_are_refused() {
        for query in [
            "page_size=0",
            "page_size=-1",
            "page_size=101",
            "page_size=x",
            "page_size=99999999999999999999",
            "page_token=x",
            "page_token=%00",
            "page_token=e30",
        ] {
            let problem = page(query, &[]).unwrap_err();
            assert_eq!((problem.status.as_u16(), problem.code), (400, "invalid_filter"), "{query}");
        }
        assert_eq!(page("page_token=&page_size=", &[(1, "a")]).unwrap()["data"], json!(["a"]), "empty ones are none");
    }
}
