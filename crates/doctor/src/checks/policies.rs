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
    let now = jiff::Timestamp::try_from(x.around.clock.now()).ok();
    let hop = x.target.connection.as_ref().and_then(|connection| connection.hops.last());
    // Who sends an external ID is a third party to the role's owner; who sends none may be of the same house.
    let party = hop.filter(|hop| hop.external_id.is_some());
    let owner = party.and_then(|hop| hop.role_arn.parse::<iam::Arn>().ok()?.account());
    let external_id = party.and_then(|hop| hop.external_id.clone());
    let options = Options { now, own_accounts: owner.into_iter().collect(), external_id };
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
            x.facts.findings.push((kind, finding));
        }
    }
    x.put(match (errors.is_empty(), warnings.is_empty()) {
        (false, _) => watch.failed(Check::POLICIES, [errors, warnings].concat().join("; ")),
        (true, false) => watch.warning(Check::POLICIES, warnings.join("; ")),
        (true, true) => watch.passed(Check::POLICIES, "nothing was found"),
    });
}
