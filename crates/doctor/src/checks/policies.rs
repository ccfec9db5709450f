use iam::Document;
use iam::lint::{Options, Severity};

use crate::Check;
use crate::examination::{Examination, Watch};

/// Policies that were given to be looked at: what a good reviewer would say of them.
pub(crate) fn run(x: &mut Examination<'_>) {
    let given = [
        ("trust policy", iam::PolicyKind::Trust, x.target.trust_policy.as_deref()),
        ("permission policy", iam::PolicyKind::Identity, x.target.permission_policy.as_deref()),
    ];
    let given: Vec<_> = given.into_iter().filter_map(|(what, kind, text)| Some((what, kind, text?))).collect();
    if given.is_empty() {
        x.skip(Check::POLICIES, "no policy was given (--trust-policy, --permission-policy)");
        return;
    }
    if !x.wants(Check::POLICIES) {
        return;
    }
    let watch = Watch::start();
    let options = Options { now: jiff::Timestamp::try_from(x.around.clock.now()).ok(), ..Options::default() };
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for (what, kind, text) in given {
        let document = match Document::parse_as(kind, text) {
            Ok(document) => document,
            Err(error) => {
                errors.push(format!("{what}: {}", fault::Chain(&error)));
                continue;
            }
        };
        for finding in iam::lint::lint(&document, kind, &options) {
            let told = format!("{what}: {finding}");
            match finding.severity {
                Severity::Error => errors.push(told),
                Severity::Warning => warnings.push(told),
                Severity::Note => {}
            }
        }
    }
    x.put(match (errors.is_empty(), warnings.is_empty()) {
        (false, _) => watch.failed(Check::POLICIES, [errors, warnings].concat().join("; ")),
        (true, false) => watch.warning(Check::POLICIES, warnings.join("; ")),
        (true, true) => watch.passed(Check::POLICIES, "nothing was found"),
    });
}
