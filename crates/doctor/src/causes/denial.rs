//! AWS's refusals, read: what was asked for, and which kind of policy said no.

use iam::PolicyKind;

/// What the text of a refusal says. Within an account, and mostly within an organisation, AWS names the policy's kind;
/// across them it says "Access Denied" and no more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Denial {
    /// `s3:PutObject`; the action that was missing, which may be another than that of the request: `kms:Decrypt`.
    pub(super) action: Option<String>,
    /// On what: an ARN.
    pub(super) resource: Option<String>,
    /// What decided.
    pub(super) by: Option<By>,
}

/// What decided a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// A statement of such a policy denies.
    Explicit(PolicyKind),
    /// No such policy allows.
    Missing(PolicyKind),
}

impl By {
    pub(super) fn kind(self) -> PolicyKind {
        match self {
            Self::Explicit(kind) | Self::Missing(kind) => kind,
        }
    }
}

impl Denial {
    /// Reads the text. What is not in it stays `None`: AWS changes its texts.
    pub(super) fn read(text: &str) -> Self {
        let action = after(text, "not authorized to perform: ").map(|rest| word(rest).to_owned());
        let resource = after(text, "on resource: ").map(|rest| word(rest).trim_matches('"').to_owned());
        let explicit = after(text, "with an explicit deny in ").and_then(kind).map(By::Explicit);
        let missing = || after(text, "because no ").and_then(kind).map(By::Missing);
        Self {
            action: action.filter(|action| action.contains(':')),
            resource: resource.filter(|resource| resource.starts_with("arn:")),
            by: explicit.or_else(missing),
        }
    }

    /// Whether it is about a KMS key.
    pub(super) fn is_of_kms(&self) -> bool {
        self.action.as_deref().is_some_and(|action| action.starts_with("kms:"))
    }
}

fn after<'a>(text: &'a str, what: &str) -> Option<&'a str> {
    text.split_once(what).map(|(_, rest)| rest)
}

fn word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default().trim_end_matches(['.', ','])
}

/// The kind of policy that a text begins with, behind an article.
fn kind(text: &str) -> Option<PolicyKind> {
    const KINDS: [PolicyKind; 8] = [
        PolicyKind::Identity,
        PolicyKind::Resource,
        PolicyKind::Session,
        PolicyKind::Boundary,
        PolicyKind::Endpoint,
        PolicyKind::ServiceControl,
        PolicyKind::ResourceControl,
        PolicyKind::Trust,
    ];
    let text = text.trim_start_matches("an ").trim_start_matches("a ");
    KINDS.into_iter().find(|kind| text.starts_with(kind.name()))
}

#[cfg(test)]
mod tests {
    use iam::PolicyKind;

    use super::{By, Denial};

    #[test]
    fn the_action_the_resource_and_the_kind_of_policy_are_read() {
        let who = "User: arn:aws:sts::111111111111:assumed-role/orders/s is not authorized to perform: ";
        for (text, action, resource, by) in [
            (
                "s3:ListBucket on resource: \"arn:aws:s3:::lake\" because no identity-based policy allows the s3:ListBucket action",
                Some("s3:ListBucket"),
                Some("arn:aws:s3:::lake"),
                Some(By::Missing(PolicyKind::Identity)),
            ),
            (
                "s3:PutObject on resource: \"arn:aws:s3:::lake/k\" with an explicit deny in a service control policy: arn:aws:organizations::1:policy/p",
                Some("s3:PutObject"),
                Some("arn:aws:s3:::lake/k"),
                Some(By::Explicit(PolicyKind::ServiceControl)),
            ),
            (
                "kms:Decrypt on resource: arn:aws:kms:eu-west-1:111111111111:key/k1 because no permissions boundary allows the kms:Decrypt action",
                Some("kms:Decrypt"),
                Some("arn:aws:kms:eu-west-1:111111111111:key/k1"),
                Some(By::Missing(PolicyKind::Boundary)),
            ),
            (
                "s3:GetObject on resource: \"arn:aws:s3:::lake/k\" with an explicit deny in an identity-based policy",
                Some("s3:GetObject"),
                Some("arn:aws:s3:::lake/k"),
                Some(By::Explicit(PolicyKind::Identity)),
            ),
        ] {
            let read = Denial::read(&format!("{who}{text}"));
            assert_eq!((read.action.as_deref(), read.resource.as_deref(), read.by), (action, resource, by), "{text}");
        }
        assert_eq!(Denial::read("Access Denied"), Denial::default());
        assert_eq!(Denial::read(""), Denial::default());
    }
}
