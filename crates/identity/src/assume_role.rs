use std::fmt;

use iam::Arn;

use crate::Lifetime;
use crate::lifetime::{CHAINED, LONGEST, SHORTEST};

/// A role to take on, and how. The fields are those of `sts:AssumeRole`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct AssumeRole {
    /// `arn:aws:iam::111111111111:role/orders`.
    pub role_arn: String,
    /// How the session is called in the account's logs.
    pub session_name: String,
    /// The secret-like value that the role's trust policy asks for; it keeps another tenant's role from being used.
    pub external_id: Option<String>,
    /// How long the session shall live.
    pub duration: Lifetime,
    /// A policy that the session is cut down to.
    pub policy: Option<String>,
    /// Session tags: key and value.
    pub tags: Vec<(String, String)>,
    /// Keys of the tags that later hops inherit.
    pub transitive_tag_keys: Vec<String>,
    /// Who is really behind it, for the account's logs; later hops cannot change it.
    pub source_identity: Option<String>,
}

/// The longest inline session policy, in characters (STS API reference, `Policy`).
pub(crate) const POLICY_CHARS: usize = 2048;

/// The most session tags (STS API reference, `Tags`).
const TAGS: usize = 50;

/// One thing about a request that AWS would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Which part of the request: `session_name`.
    pub field: &'static str,
    /// What it is now.
    pub value: String,
    /// What it must be.
    pub rule: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\" {}", self.field, self.value, self.rule)
    }
}

impl AssumeRole {
    /// Takes `role_arn` on as `session_name`, for AWS's default of an hour.
    pub fn new(role_arn: impl Into<String>, session_name: impl Into<String>) -> Self {
        Self { role_arn: role_arn.into(), session_name: session_name.into(), ..Self::default() }
    }

    /// All that AWS would refuse about it, by the constraints of the STS API reference. `chained` if the caller is
    /// itself a role's session.
    pub fn flaws(&self, chained: bool) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut flaw = |field, value: &str, rule: String| flaws.push(Flaw { field, value: value.to_owned(), rule });

        if let Some(rule) = role_arn_rule(&self.role_arn) {
            flaw("role ARN", &self.role_arn, rule);
        }
        if !is_word(&self.session_name, 2..=64, "+=,.@-") {
            flaw("session name", &self.session_name, "must be 2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -".into());
        }
        if let Some(id) = &self.external_id
            && !is_word(id, 2..=1224, "+=,.@:/-")
        {
            flaw("external ID", id, "must be 2 to 1224 characters of A-Z a-z 0-9 _ + = , . @ : / -".into());
        }
        if let Some(name) = &self.source_identity
            && (!is_word(name, 2..=64, "+=,.@-") || name.starts_with("aws:"))
        {
            flaw("source identity", name, "must be 2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -".into());
        }
        if let Some(duration) = self.duration.asked() {
            let seconds = duration.as_secs().to_string();
            if !(SHORTEST..=LONGEST).contains(&duration) {
                flaw("session duration", &seconds, "must be 900 to 43200 seconds".into());
            } else if chained && duration > CHAINED {
                let rule = "must be at most 3600 seconds, because the role is taken on by another role (AWS calls it role chaining)";
                flaw("session duration", &seconds, rule.into());
            }
        }
        if let Some((length, rule)) = self.policy.as_deref().and_then(policy_rule) {
            flaw("session policy of", &length, rule);
        }
        if self.tags.len() > TAGS {
            flaw("session tags", &self.tags.len().to_string(), format!("must be at most {TAGS}"));
        }
        for (key, value) in &self.tags {
            if key.is_empty() || key.chars().count() > 128 || key.starts_with("aws:") {
                flaw("session tag key", key, "must have 1 to 128 characters and not begin with aws:".into());
            }
            if value.chars().count() > 256 {
                flaw("session tag value", value, "must have at most 256 characters".into());
            }
        }
        for key in &self.transitive_tag_keys {
            if !self.tags.iter().any(|(tag, _)| tag == key) {
                flaw("transitive tag key", key, "must be the key of a session tag".into());
            }
        }
        flaws
    }
}

/// What is wrong with `policy` as a session policy (its value as shown, and the rule), or `None`.
pub(crate) fn policy_rule(policy: &str) -> Option<(String, String)> {
    let length = policy.chars().count();
    let shown = format!("{length} characters");
    (!(1..=POLICY_CHARS).contains(&length)).then(|| (shown, format!("must have 1 to {POLICY_CHARS}")))
}

/// What is wrong with `arn` as a role's, or `None`.
pub(crate) fn role_arn_rule(arn: &str) -> Option<String> {
    if arn.chars().any(char::is_whitespace) {
        return Some("must not hold blanks or line breaks".into());
    }
    match arn.parse::<Arn>() {
        Ok(arn) if arn.role_name().is_some() && arn.account().is_some() => None,
        Ok(_) => Some("must be a role's: arn:aws:iam::ACCOUNT:role/NAME".into()),
        Err(error) => Some(format!("must have the form arn:aws:iam::ACCOUNT:role/NAME, but {error}")),
    }
}

pub(crate) fn is_word(text: &str, length: std::ops::RangeInclusive<usize>, also: &str) -> bool {
    length.contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || also.contains(c))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn role() -> AssumeRole {
        AssumeRole::new("arn:aws:iam::111111111111:role/team/orders", "tidegate")
    }

    #[test]
    fn a_plain_role_has_no_flaw() {
        assert_eq!(role().flaws(true), []);
        let gov = AssumeRole { role_arn: "arn:aws-us-gov:iam::111111111111:role/x".into(), ..role() };
        assert_eq!(gov.flaws(false), []);
    }

    #[test]
    fn every_flaw_is_named_at_once() {
        let bad = AssumeRole {
            role_arn: "arn:aws:iam::1111:role/orders".into(),
            session_name: "my session".into(),
            external_id: Some("x".into()),
            duration: Lifetime::Exactly(Duration::from_mins(5)),
            source_identity: Some("a b".into()),
            policy: Some(String::new()),
            tags: vec![("aws:x".into(), String::new())],
            transitive_tag_keys: vec!["team".into()],
        };
        let fields: Vec<_> = bad.flaws(false).into_iter().map(|flaw| flaw.field).collect();
        assert_eq!(
            fields,
            [
                "role ARN",
                "session name",
                "external ID",
                "source identity",
                "session duration",
                "session policy of",
                "session tag key",
                "transitive tag key"
            ]
        );
    }

    #[test]
    fn two_hours_are_refused_only_where_a_role_takes_a_role() {
        let role = AssumeRole { duration: Lifetime::Exactly(Duration::from_hours(2)), ..role() };
        assert_eq!(role.flaws(false), []);
        let flaws = role.flaws(true);
        assert_eq!(flaws.len(), 1);
        assert!(flaws[0].to_string().contains("\"7200\" must be at most 3600 seconds"), "{}", flaws[0]);
    }

    #[test]
    fn an_arn_that_is_not_a_roles_is_told_from_one_that_is_none() {
        let rule = |arn: &str| role_arn_rule(arn).unwrap();
        assert_eq!(rule("arn:aws:iam::111111111111:user/x"), "must be a role's: arn:aws:iam::ACCOUNT:role/NAME");
        assert_eq!(rule("arn:aws:s3:::bucket"), "must be a role's: arn:aws:iam::ACCOUNT:role/NAME");
        assert!(rule("orders").starts_with("must have the form arn:aws:iam::ACCOUNT:role/NAME, but "));
    }

    #[test]
    fn a_pasted_line_break_is_named_as_such() {
        let role = AssumeRole { role_arn: "arn:aws:iam::111111111111:role/orders\n".into(), ..role() };
        assert_eq!(role.flaws(false)[0].rule, "must not hold blanks or line breaks");
    }
}
