use super::{Page, Refusal};

/// As many as a client may have at once: Confluent's API has the same limit.
const LARGEST: usize = 500;

impl<T> Page<T> {
    /// The page of `all` after the one whose last item is called `after`. A list that changes meanwhile loses nothing that
    /// stays in it: what is named is looked for, not counted.
    pub(crate) fn cut(
        all: Vec<T>,
        after: Option<&str>,
        size: usize,
        name: impl Fn(&T) -> String,
    ) -> Result<Self, Refusal> {
        let total = all.len();
        let size = size.clamp(1, LARGEST);
        let start = match after {
            None => 0,
            Some(after) => {
                let found = all.iter().position(|item| name(item) == after);
                1 + found.ok_or_else(|| Refusal::Flawed {
                    field: "page_token".to_owned(),
                    value: after.chars().take(80).collect(),
                    rule: "is none that was given out, or what it names is gone: begin again without it".to_owned(),
                })?
            }
        };
        let items: Vec<T> = all.into_iter().skip(start).take(size).collect();
        let next = items.last().filter(|_| start + items.len() < total).map(&name);
        Ok(Self { items, next, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let page = |after: Option<&str>| Page::cut((1..=5).collect(), after, 2, |n: &i32| format!("n{n}")).unwrap();
        let first = page(None);
        assert_eq!((first.items, first.next.as_deref(), first.total), (vec![1, 2], Some("n2"), 5));
        assert_eq!(page(Some("n2")).items, [3, 4]);
        let last = page(Some("n4"));
        assert_eq!((last.items, last.next), (vec![5], None));
        assert!(Page::cut(vec![1], Some("n9"), 2, |n: &i32| format!("n{n}")).is_err());
        assert_eq!(Page::cut(vec![1, 2], None, 0, |n: &i32| format!("n{n}")).unwrap().items, [1]);
    }
}
