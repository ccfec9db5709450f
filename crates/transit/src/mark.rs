//! The mark that an object carries: by whom it was made, and which of two marks is the later one.

use std::sync::Arc;

/// The mark of object `number` of a run: `shop k3jq-12-1763880000000`. `nonce` (without a `-`) is that run's alone, so no
/// two objects are marked alike, even of one name and one process.
pub(crate) fn mark(connector: &str, nonce: &str, number: u64, begun_millis: i64) -> Arc<str> {
    format!("{connector} {nonce}-{number}-{begun_millis}").into()
}

/// Whether the object with the mark `found` was begun after the one with the mark `ours`, as far as the marks tell: within
/// a run by number, else by the clocks of the two machines. A mark that cannot be read is not later.
///
/// An object that a later one has replaced was visible; one under whose name an earlier one still stands never was.
pub fn is_later(found: &str, ours: &str) -> bool {
    let (Some(found), Some(ours)) = (read(found), read(ours)) else { return false };
    if found.run == ours.run { found.number > ours.number } else { found.begun_millis > ours.begun_millis }
}

struct Mark<'a> {
    /// The connector and the nonce.
    run: &'a str,
    number: u64,
    begun_millis: i64,
}

fn read(mark: &str) -> Option<Mark<'_>> {
    let (rest, begun_millis) = mark.rsplit_once('-')?;
    let (run, number) = rest.rsplit_once('-')?;
    Some(Mark { run, number: number.parse().ok()?, begun_millis: begun_millis.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_a_run_the_number_tells_and_else_the_time() {
        let ours = mark("my-shop", "k3jq", 12, 1_000);
        assert!(is_later(&mark("my-shop", "k3jq", 13, 900), &ours), "a clock that was set back");
        assert!(!is_later(&mark("my-shop", "k3jq", 9, 1_100), &ours));
        assert!(is_later(&mark("my-shop", "9xyz", 1, 1_001), &ours));
        assert!(!is_later(&mark("my-shop", "9xyz", 99, 999), &ours));
        assert!(!is_later(&ours, &ours));
    }

    #[test]
    fn what_is_no_mark_of_ours_is_not_later() {
        let ours = mark("shop", "k3jq", 12, 1_000);
        for found in ["", "2026", "shop k3jq-13", "shop k3jq-13-later", "backup-of-2026-11-x"] {
            assert!(!is_later(found, &ours), "{found}");
        }
    }
}
