//! Scenarios of the embedded AWS that are built in: the files of `scenarios/`, of which most show one row of the catalogue.
//! They are played by `local::scenario`; here they are texts.

/// A scenario that is built in.
#[derive(Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its file's name without the ending: `F07-tag-session`, `healthy-role-of-another-account`.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

/// All of them, by name.
pub static ALL: &[BuiltIn] = include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));

/// Those that `name` may stand for: the one of that name, or all of that row (`F07`, `f7`).
pub fn named(name: &str) -> Vec<&'static BuiltIn> {
    if let Some(exact) = ALL.iter().find(|scenario| scenario.name.eq_ignore_ascii_case(name)) {
        return vec![exact];
    }
    let Some(row) = row_number(name) else { return Vec::new() };
    let of_row =
        |scenario: &&BuiltIn| scenario.name.split_once('-').is_some_and(|(before, _)| row_number(before) == Some(row));
    ALL.iter().filter(of_row).collect()
}

fn row_number(text: &str) -> Option<u8> {
    text.strip_prefix(['F', 'f'])?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{ALL, named};

    #[test]
    fn a_scenario_is_found_by_its_name_and_by_its_row() {
        for scenario in ALL {
            assert_eq!(named(scenario.name), [scenario]);
        }
        assert!(named("F07").iter().any(|scenario| scenario.name == "F07-tag-session"));
        assert_eq!(named("f7"), named("F07"));
        assert!(named("F0").is_empty() && named("").is_empty() && named("tag-session").is_empty());
    }
}
