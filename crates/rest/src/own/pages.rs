//! The pages of docs/errors, so that the `type` of a problem leads somewhere, at any version, without a network.

use super::ask::{Ask, Reply};
use super::trouble::Trouble;

include!(concat!(env!("OUT_DIR"), "/error_pages.rs"));

pub(super) fn show(ask: &Ask) -> Result<Reply, Trouble> {
    let code = ask.part("code");
    let found = PAGES.binary_search_by_key(&code, |(known, _)| known);
    let (_, page) = found.map(|at| PAGES[at]).map_err(|_| Trouble::not_found("error code", code))?;
    Ok(Reply::text("text/markdown; charset=utf-8", page.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_by_their_code() {
        assert!(PAGES.is_sorted_by_key(|(code, _)| *code));
        assert!(PAGES.binary_search_by_key(&"config.refused", |(code, _)| *code).is_ok());
        assert!(PAGES.iter().all(|(_, page)| page.starts_with("# ")));
    }
}
