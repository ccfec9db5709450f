use iam::{Arn, Document, PolicyKind};
use serde_json::{Value, json};

use crate::ExternalId;

/// The trust policy that lets in `principal` with any of `external_ids`, and nobody else: one statement a pair, so that
/// taking one away again is deleting a statement. What a session brings along if ours was made by EKS Pod Identity (tags)
/// or IAM Roles Anywhere (a source identity) is allowed under the same condition: a statement of its own would be one that
/// is easily left open.
///
/// # Panics
/// Never: what is put in are ARNs and external IDs, which need no escaping that JSON does not do.
pub fn trust_policy<'a>(principal: &Arn, external_ids: impl IntoIterator<Item = &'a ExternalId>) -> Document {
    let statements = external_ids.into_iter().map(|external_id| {
        // IAM takes letters and digits only. The head of the external ID tells two statements apart.
        let head: String = external_id.as_str().chars().take(8).collect();
        json!({
            "Sid": format!("Tidegate{head}"),
            "Effect": "Allow",
            "Principal": { "AWS": principal.as_str() },
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
            "Condition": { "StringEquals": { "sts:ExternalId": external_id.as_str() } }
        })
    });
    document(&statements.collect::<Vec<_>>())
}

/// The trust policy of a role that is made before its integration: it lets in nobody. (IAM makes no role without one.)
///
/// # Panics
/// Never: it is a constant.
pub fn placeholder_policy() -> Document {
    let nobody = json!({
        "Sid": "PlaceholderLetsInNobody",
        "Effect": "Deny",
        "Principal": { "AWS": "*" },
        "Action": "sts:AssumeRole"
    });
    document(&[nobody])
}

fn document(statements: &[Value]) -> Document {
    let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    Document::parse_as(PolicyKind::Trust, &text).expect("a trust policy of ours is one that IAM saves")
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn the_placeholder_denies() {
        let policy = placeholder_policy();
        assert!(policy.statements().iter().all(|statement| statement.effect() == iam::Effect::Deny));
    }
}
