use std::time::SystemTime;

/// What is edited at once and takes effect later, as everything in IAM does: who reads it back sees the edit, who is
/// judged by it may still meet the old one.
#[derive(Debug, Clone)]
pub(super) struct Propagating<T> {
    /// Oldest first, each with the time from which it holds. The last is what was written last.
    edits: Vec<(SystemTime, T)>,
}

impl<T> Propagating<T> {
    /// A first value. Before `from` there is none.
    pub(super) fn new(value: T, from: SystemTime) -> Self {
        Self { edits: vec![(from, value)] }
    }

    /// A value that has always held.
    pub(super) fn settled(value: T) -> Self {
        Self::new(value, SystemTime::UNIX_EPOCH)
    }

    /// Replaces it, from `from` on.
    pub(super) fn edit(&mut self, value: T, now: SystemTime, from: SystemTime) {
        let holding = self.edits.iter().rposition(|(since, _)| *since <= now).unwrap_or_default();
        self.edits.drain(..holding);
        self.edits.push((from, value));
    }

    /// What holds at a time; `None` if the first has not taken effect.
    pub(super) fn at(&self, now: SystemTime) -> Option<&T> {
        self.edits.iter().rev().find(|(from, _)| *from <= now).map(|(_, value)| value)
    }

    /// What was written last.
    pub(super) fn latest(&self) -> &T {
        &self.edits.last().expect("there is always a first value").1
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::Propagating;

    #[test]
    fn an_edit_is_read_back_at_once_and_takes_effect_later() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut value = Propagating::new("first", at(10));
        assert_eq!((value.at(at(9)), value.at(at(10)), *value.latest()), (None, Some(&"first"), "first"));
        value.edit("second", at(20), at(30));
        value.edit("third", at(25), at(35));
        assert_eq!(*value.latest(), "third");
        for (now, expected) in [(25, "first"), (30, "second"), (34, "second"), (35, "third")] {
            assert_eq!(value.at(at(now)), Some(&expected), "at {now}");
        }
        value.edit("fourth", at(40), at(40));
        assert_eq!(value.edits.len(), 2, "what no time can ask for any more is dropped");
        assert_eq!(value.at(at(40)), Some(&"fourth"));
    }

    #[test]
    fn an_edit_without_delay_overtakes_one_that_is_on_its_way() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut value = Propagating::settled(0);
        value.edit(1, at(10), at(60));
        value.edit(2, at(20), at(20));
        assert_eq!((value.at(at(20)), value.at(at(60))), (Some(&2), Some(&2)));
    }
}
