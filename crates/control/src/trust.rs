use iam::generate::{Trust, Trusted};
use iam::{Arn, Document};

use crate::ExternalId;

/// The trust policy that lets in `principal` with any of `external_ids`, and nobody else: one statement a pair, so that
/// taking one away again is deleting a statement. What a session brings along if ours was made by EKS Pod Identity (tags)
/// or IAM Roles Anywhere (a source identity) is allowed under the same condition: a statement of its own would be one that
/// is easily left open.
///
/// # Panics
/// If there is no external ID, or `principal` is no role's or user's: an [`crate::Integration`] has both.
pub fn trust_policy<'a>(principal: &Arn, external_ids: impl IntoIterator<Item = &'a ExternalId>) -> Document {
    let trusted = external_ids.into_iter().map(|external_id| Trusted::Party {
        principal: principal.as_str().to_owned(),
        external_id: external_id.as_str().to_owned(),
        exists: true,
    });
    let trust = Trust { trusted: trusted.collect(), tag_session: true, set_source_identity: true, ..Trust::default() };
    trust.policy().expect("an integration has a principal and an external ID, both checked when it was made")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_rotation_has_one_statement_for_each_external_id() {
        let principal = "arn:aws:iam::222222222222:role/tidegate".parse().unwrap();
        let ids = [ExternalId::random(), ExternalId::random()];
        let policy: Value = serde_json::from_str(&trust_policy(&principal, &ids).to_string()).unwrap();
        let statements = policy["Statement"].as_array().unwrap();
        assert_eq!(statements.len(), 2);
        for (statement, id) in statements.iter().zip(&ids) {
            assert_eq!(statement["Condition"]["StringEquals"]["sts:ExternalId"], id.as_str());
            assert_eq!(statement["Principal"]["AWS"], principal.as_str());
        }
    }
}
