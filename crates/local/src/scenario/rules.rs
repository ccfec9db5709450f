use super::reader::Reader;
use super::variable;
use crate::aws::{Effect, FaultRule};

/// The rules of the fault plane, as `tidegate local fault add` takes them.
pub(super) fn read(scenario: &mut Reader<'_>) -> Vec<FaultRule> {
    let mut rules = Vec::new();
    scenario.list("faults", |rule| {
        rule.only(&["bucket", "count", "effect", "key", "operation", "skip"]);
        let Some(text) = rule.required("effect") else { return };
        let effect = match text.parse::<Effect>() {
            Ok(effect) => effect,
            Err(_) if variable::stands_in(text) => return,
            Err(error) => {
                rule.fault("effect", error);
                return;
            }
        };
        let mut read = FaultRule::new(effect);
        for (key, slot) in [("operation", &mut read.operation), ("bucket", &mut read.bucket), ("key", &mut read.key)] {
            if let Some(pattern) = rule.text(key) {
                pattern.clone_into(slot);
            }
        }
        read.skip = rule.number("skip").unwrap_or(0);
        read.count = rule.number("count");
        rules.push(read);
    });
    rules
}
