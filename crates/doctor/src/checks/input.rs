use crate::examination::{Examination, Watch};
use crate::{Check, InputFault};

/// What is written down: by the readers of connections and connectors, which find every fault at once.
pub(crate) fn run(x: &mut Examination<'_>) {
    if !x.wants(Check::INPUT) {
        return;
    }
    let watch = Watch::start();
    let target = x.target;
    let told = |faults: &[InputFault]| faults.iter().map(InputFault::to_string).collect::<Vec<_>>().join("; ");
    let result = if target.faults.is_empty() {
        // What works, but probably not as meant: told here, and made a warning only by a cause that is known.
        let noted =
            if target.warnings.is_empty() { String::new() } else { format!("; noted: {}", told(&target.warnings)) };
        watch.passed(Check::INPUT, format!("{} {} can be read{noted}", target.kind.name(), target.name))
    } else {
        watch.failed(Check::INPUT, told(&target.faults))
    };
    x.put(result);
}

impl std::fmt::Display for InputFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.key.as_str() {
            "" => f.write_str(&self.text),
            key => write!(f, "{key}: {}", self.text),
        }
    }
}
