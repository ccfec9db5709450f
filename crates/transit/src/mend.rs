//! Mends a torn cut: some of its objects are visible and stay, the others' uploads were aborted by somebody else. The
//! span is read again, every record takes the same way as it did, and only the objects that are missing are written.
//!
//! That doubles and loses nothing if each record reaches the object that it reached before. Three things make sure of
//! it, and where one of them fails nothing is written and a person decides:
//!
//! - The [`Recipe`] of the cut is ours: the same configuration sends the same records, in the same order, to the same
//!   objects. A connector whose names show the time of day has no recipe.
//! - As many records make objects as did then. Kafka never adds a record to a span, so as many are the same ones.
//! - The objects have the names that they had.

use std::collections::HashSet;
use std::sync::Arc;

use data::{Offset, TopicPartition};
use fault::{Blame, Code, Diagnose, Retry};

use crate::intent::Recipe;
use crate::{Finished, IntentObject, ObjectName};

/// A torn cut of one partition, on its way to be whole.
#[derive(Debug)]
pub(crate) struct Mend {
    pub(crate) from: Offset,
    pub(crate) to: Offset,
    recipe: Recipe,
    standing: Vec<IntentObject>,
    standing_names: HashSet<ObjectName>,
    missing: HashSet<ObjectName>,
}

impl Mend {
    /// What there is to do, or why it cannot be done. `ours` is the recipe by which this task makes objects.
    pub(crate) fn plan(
        (from, to): (Offset, Offset),
        objects: Vec<IntentObject>,
        finished: &[Finished],
        recipe: Option<Recipe>,
        ours: Option<&Arc<str>>,
    ) -> Result<Self, String> {
        let Some(recipe) = recipe else {
            return Err("which record is in which object depended on more than the records".to_owned());
        };
        if ours != Some(&recipe.name) {
            return Err("the configuration, or the version of tidegate, is another one now".to_owned());
        }
        let count = objects.len();
        let (standing, missing): (Vec<_>, Vec<_>) =
            objects.into_iter().zip(finished).partition(|(_, finished)| **finished == Finished::Visible);
        let standing: Vec<IntentObject> = standing.into_iter().map(|(object, _)| object).collect();
        let standing_names: HashSet<ObjectName> = standing.iter().map(|object| Arc::clone(&object.name)).collect();
        let missing: HashSet<ObjectName> = missing.into_iter().map(|(object, _)| object.name).collect();
        if standing_names.union(&missing).count() != count {
            return Err("two of the objects have one name".to_owned());
        }
        Ok(Self { from, to, recipe, standing, standing_names, missing })
    }

    /// Whether the object of this name is visible, so that what is written for it now is thrown away.
    pub(crate) fn stands(&self, name: &ObjectName) -> bool {
        self.standing_names.contains(name)
    }

    /// The objects that are visible.
    pub(crate) fn into_standing(self) -> Vec<IntentObject> {
        self.standing
    }

    /// Whether the span, read again, made the same objects of the same records; if not, what differs.
    pub(crate) fn check<'a>(
        &self,
        names: impl ExactSizeIterator<Item = &'a ObjectName>,
        records: u64,
    ) -> Result<(), String> {
        if records != self.recipe.records {
            return Err(format!("{records} of the {} records are left in the topic", self.recipe.records));
        }
        let expected = self.standing_names.len() + self.missing.len();
        let count = names.len();
        let made: HashSet<&ObjectName> = names.collect();
        let known = |name: &ObjectName| self.standing_names.contains(name) || self.missing.contains(name);
        if count != expected || made.len() != expected || !made.iter().all(|name| known(name)) {
            return Err("read again, its records make objects of other names".to_owned());
        }
        Ok(())
    }

    /// The error of giving it up.
    pub(crate) fn torn(&self, partition: &TopicPartition, why: String) -> TornCut {
        TornCut {
            partition: partition.clone(),
            from: self.from,
            to: self.to,
            visible: self.standing.len(),
            of: self.standing.len() + self.missing.len(),
            why,
        }
    }
}

/// Some objects of a cut are visible, others can never become so, and they cannot be written again safely.
#[derive(Debug, thiserror::Error)]
#[error(
    "offsets [{from}, {to}) of {partition} were prepared as {of} objects, of which {visible} are visible and the \
     others' uploads were aborted by somebody else; they are not written again, because {why}"
)]
pub struct TornCut {
    /// Whose records.
    pub partition: TopicPartition,
    /// The first offset.
    pub from: Offset,
    /// The offset after the last.
    pub to: Offset,
    /// How many objects are visible.
    pub visible: usize,
    /// How many there were.
    pub of: usize,
    /// Why the missing ones are not written again.
    pub why: String,
}

impl Diagnose for TornCut {
    fn code(&self) -> Code {
        "transit.torn-cut"
    }
    fn blame(&self) -> Blame {
        Blame::Operator
    }
    fn retry(&self) -> Retry {
        Retry::Never
    }
    fn hint(&self) -> Option<std::borrow::Cow<'static, str>> {
        Some(
            "if the configuration was changed, start once with the one before; otherwise, to write the records again \
             (those of the visible objects come twice), reset the group to the first offset with \
             kafka-consumer-groups --reset-offsets --to-offset"
                .into(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str) -> IntentObject {
        IntentObject { name: name.into(), upload: "u".into(), marker: "m".into(), shared: false }
    }

    fn plan(names: &[&str], ours: Option<&str>) -> Result<Mend, String> {
        let finished: Vec<Finished> =
            (0..names.len()).map(|at| if at == 0 { Finished::Visible } else { Finished::Gone }).collect();
        let recipe = Recipe { name: "r".into(), records: 7 };
        let objects = names.iter().map(|name| object(name)).collect();
        Mend::plan((Offset(3), Offset(10)), objects, &finished, Some(recipe), ours.map(Arc::from).as_ref())
    }

    #[test]
    fn a_cut_is_mended_by_its_own_recipe_alone() {
        assert!(plan(&["a", "b"], Some("r")).is_ok());
        assert!(plan(&["a", "b"], Some("s")).unwrap_err().contains("configuration"));
        assert!(plan(&["a", "b"], None).is_err());
        assert!(plan(&["a", "a"], Some("r")).unwrap_err().contains("one name"));
        let objects = vec![object("a"), object("b")];
        let finished = [Finished::Visible, Finished::Gone];
        assert!(Mend::plan((Offset(3), Offset(10)), objects, &finished, None, Some(&"r".into())).is_err());
    }

    #[test]
    fn the_same_records_under_the_same_names_are_asked_for() {
        let mend = plan(&["a", "b"], Some("r")).unwrap();
        let check = |names: &[&str], records| {
            let names: Vec<ObjectName> = names.iter().map(|name| (*name).into()).collect();
            mend.check(names.iter(), records)
        };
        assert!(check(&["b", "a"], 7).is_ok(), "in any order");
        assert_eq!(check(&["a", "b"], 6).unwrap_err(), "6 of the 7 records are left in the topic");
        for names in [&["a"][..], &["a", "c"], &["a", "a"], &["a", "b", "c"], &["a", "b", "b"]] {
            assert!(check(names, 7).is_err(), "{names:?}");
        }
        assert!(mend.stands(&"a".into()) && !mend.stands(&"b".into()));
    }
}
