//! A policy in plain English, a sentence a statement. The same policy always gives the same sentences.

use crate::operator::{Order, Set, Test};
use crate::{Condition, Document, Effect, Operator, Principal, Statement};

/// What a policy says, a sentence a statement: who may do what to what, and when.
pub fn explain(document: &Document) -> Vec<String> {
    document.statements().iter().map(sentence).collect()
}

fn sentence(statement: &Statement) -> String {
    let may = match statement.effect() {
        Effect::Allow => "may",
        Effect::Deny => "must not",
    };
    let mut out = format!("{} {may} {}", subject(statement), actions(statement));
    if let Some(on) = resources(statement) {
        out.push_str(" on ");
        out.push_str(&on);
    }
    let conditions: Vec<String> = statement.conditions().iter().map(condition).collect();
    if !conditions.is_empty() {
        out.push_str(" if ");
        out.push_str(&conditions.join(", and "));
    }
    out.push('.');
    out
}

fn subject(statement: &Statement) -> String {
    let Some(principals) = statement.principals() else {
        return "Whoever has this policy".to_owned();
    };
    let names = list(principals.list().iter().map(principal), "or");
    if principals.is_except() { format!("Everybody except {names}") } else { capital(&names) }
}

fn principal(principal: &Principal) -> String {
    let of = |arn: &crate::Arn| arn.account().map(|account| format!(" of account {account}")).unwrap_or_default();
    match principal {
        Principal::Anyone => "everybody in the world".to_owned(),
        Principal::Account(account) => format!("whomever account {account} permits"),
        Principal::User(arn) => format!("user {}{}", path(arn.resource(), "user/"), of(arn)),
        Principal::Role(arn) => format!("role {}{}", path(arn.resource(), "role/"), of(arn)),
        Principal::Session(arn) => format!("session {}{}", path(arn.resource(), "assumed-role/"), of(arn)),
        Principal::FederatedUser(arn) => {
            format!("federated user {}{}", path(arn.resource(), "federated-user/"), of(arn))
        }
        Principal::UniqueId(id) => format!("the user or role with the unique ID {id}"),
        Principal::Service(name) => format!("the service {name}"),
        Principal::Federated(name) => format!("whoever identity provider {name} vouches for"),
        Principal::CanonicalUser(id) => format!("the S3 account with the canonical ID {id}"),
    }
}

fn path<'a>(resource: &'a str, prefix: &str) -> &'a str {
    resource.strip_prefix(prefix).unwrap_or(resource)
}

fn actions(statement: &Statement) -> String {
    let actions = statement.actions();
    let names = list(actions.patterns().map(|name| action(name, statement.resources().is_none())), "and");
    if actions.is_except() { format!("do everything except {names}") } else { names }
}

/// What the actions do that policies of data movers are made of; any other is called by its name.
fn action(name: &str, in_trust: bool) -> String {
    const WORDS: [(&str, &str); 24] = [
        ("s3:GetObject", "read objects"),
        ("s3:PutObject", "write objects"),
        ("s3:DeleteObject", "delete objects"),
        ("s3:AbortMultipartUpload", "abort uploads"),
        ("s3:ListMultipartUploadParts", "list the parts of uploads"),
        ("s3:ListBucket", "list objects"),
        ("s3:ListBucketMultipartUploads", "list unfinished uploads"),
        ("s3:ListAllMyBuckets", "list the account's buckets"),
        ("s3:GetBucketLocation", "ask for the region"),
        ("s3:PutObjectTagging", "tag objects"),
        ("s3:GetObjectTagging", "read the tags of objects"),
        ("s3:PutObjectAcl", "change who owns and sees objects"),
        ("s3:*", "do everything of S3"),
        ("kms:GenerateDataKey", "encrypt"),
        ("kms:Decrypt", "decrypt"),
        ("kms:*", "do everything of KMS"),
        ("sts:AssumeRole", "take on roles"),
        ("sts:TagSession", "tag their sessions"),
        ("sts:SetSourceIdentity", "name a source identity"),
        ("sts:AssumeRoleWithWebIdentity", "take on roles by a token"),
        ("sts:AssumeRoleWithSAML", "take on roles by a SAML assertion"),
        ("sts:*", "do everything of STS"),
        ("iam:PassRole", "hand roles to services"),
        ("*", "do everything"),
    ];
    let Some((_, words)) = WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) else {
        return format!("use {name}");
    };
    let words = if in_trust { words.replace("take on roles", "take on this role") } else { (*words).to_owned() };
    if name == "*" { words } else { format!("{words} ({name})") }
}

fn resources(statement: &Statement) -> Option<String> {
    let resources = statement.resources()?;
    let names = list(resources.patterns().map(resource), if resources.is_except() { "or" } else { "and" });
    Some(if resources.is_except() { format!("everything except {names}") } else { names })
}

fn resource(text: &str) -> String {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [_, _, service, region, account, name] = parts[..] else { return "anything".to_owned() };
    let wild = |text: &str| text.contains(['*', '?', '$']);
    match (service, name.split_once('/')) {
        ("s3", None) if region.is_empty() && !wild(name) => format!("bucket {name}"),
        ("s3", Some((bucket, key))) if region.is_empty() && !wild(bucket) => {
            let prefix = key.strip_suffix('*').filter(|prefix| !wild(prefix));
            match prefix {
                Some("") => format!("every object of bucket {bucket}"),
                Some(prefix) => format!("the objects of bucket {bucket} whose names begin with {prefix:?}"),
                None if wild(key) => format!("the objects of bucket {bucket} whose names match {key:?}"),
                None => format!("object {key:?} of bucket {bucket}"),
            }
        }
        ("iam", Some(("role", role))) if !wild(role) => format!("role {role} of account {account}"),
        ("kms", Some(("key", key))) if !wild(key) => format!("KMS key {key} of account {account} in {region}"),
        _ => text.to_owned(),
    }
}

fn condition(condition: &Condition) -> String {
    let Operator { set, test, negated, if_exists } = condition.operator();
    let key = key(condition.key());
    let dated = matches!(test, Test::Date(_));
    let values = list(
        condition.values().map(|value| {
            if dated || matches!(test, Test::Numeric(_) | Test::Bool) { value.to_owned() } else { format!("{value:?}") }
        }),
        if negated { "nor" } else { "or" },
    );
    if test == Test::Null {
        let missing = condition.values().any(|value| value.eq_ignore_ascii_case("true"));
        let given = condition.values().any(|value| value.eq_ignore_ascii_case("false"));
        return match (missing, given) {
            (true, false) => format!("{key} is not given"),
            (false, true) => format!("{key} is given, whatever it is"),
            _ => format!("{key} is given or not"),
        };
    }
    let not = if negated { "not " } else { "" };
    let says = match test {
        Test::StringEquals | Test::ArnEquals
            if condition.values().any(|value| test == Test::ArnEquals && value.contains('*')) =>
        {
            format!("matches {values}")
        }
        Test::StringEquals
        | Test::ArnEquals
        | Test::Bool
        | Test::Binary
        | Test::Numeric(Order::Equals)
        | Test::Date(Order::Equals) => {
            format!("is {not}{values}")
        }
        Test::StringEqualsIgnoreCase => format!("is {not}{values} (in any case)"),
        Test::StringLike | Test::ArnLike if negated => format!("does not match {values}"),
        Test::StringLike | Test::ArnLike => format!("matches {values}"),
        Test::IpAddress => format!("is {not}in {values}"),
        Test::Numeric(order) => format!("is {} {values}", of_number(order, negated)),
        Test::Date(order) => format!("is {} {values}", of_date(order)),
        Test::Null => String::new(),
    };
    let who = match set {
        Set::Single => key.clone(),
        Set::All => format!("each value of {key}"),
        Set::Any => format!("at least one value of {key}"),
    };
    // What a missing key does is what surprises people.
    let missing = if if_exists {
        " (or it is not given)"
    } else if set == Set::All {
        " (or there is none)"
    } else if negated && set == Set::Single {
        " (also if it is not given)"
    } else {
        ""
    };
    format!("{who} {says}{missing}")
}

fn of_number(order: Order, negated: bool) -> &'static str {
    match order {
        Order::Equals if negated => "not",
        Order::Equals => "",
        Order::LessThan => "less than",
        Order::LessThanEquals => "at most",
        Order::GreaterThan => "more than",
        Order::GreaterThanEquals => "at least",
    }
}

fn of_date(order: Order) -> &'static str {
    match order {
        Order::Equals => "at",
        Order::LessThan => "before",
        Order::LessThanEquals => "not after",
        Order::GreaterThan => "after",
        Order::GreaterThanEquals => "not before",
    }
}

fn key(key: &str) -> String {
    const WORDS: [(&str, &str); 19] = [
        ("sts:ExternalId", "the external ID"),
        ("sts:RoleSessionName", "the session's name"),
        ("sts:SourceIdentity", "the source identity"),
        ("aws:SourceIp", "the caller's address"),
        ("aws:CurrentTime", "the time"),
        ("aws:PrincipalOrgID", "the caller's organisation"),
        ("aws:PrincipalArn", "the caller's own ARN"),
        ("aws:PrincipalAccount", "the caller's account"),
        ("aws:SourceArn", "what the service acts for"),
        ("aws:SourceAccount", "the account that the service acts for"),
        ("aws:SecureTransport", "the request's being encrypted"),
        ("aws:MultiFactorAuthPresent", "the caller's having used MFA"),
        ("aws:SourceVpce", "the VPC endpoint"),
        ("aws:SourceVpc", "the VPC"),
        ("aws:RequestedRegion", "the region"),
        ("s3:prefix", "the listed prefix"),
        ("s3:ResourceAccount", "the account that owns the bucket"),
        ("kms:ViaService", "the service that asks for the caller"),
        ("iam:PassedToService", "the service that gets the role"),
    ];
    let words = WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, words)| *words);
    words.map_or_else(|| key.to_owned(), |words| format!("{words} ({key})"))
}

fn list(items: impl IntoIterator<Item = String>, and: &str) -> String {
    let items: Vec<String> = items.into_iter().collect();
    match &items[..] {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {and} {last}", first.join(", ")),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::explain;
    use crate::Document;

    #[test]
    fn statements_read_as_sentences() {
        for (statement, sentence) in [
            (
                r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:role/app/tidegate"},"Action":["sts:AssumeRole","sts:TagSession"],
                    "Condition":{"StringEquals":{"sts:ExternalId":"c-7f3a"},"IpAddress":{"aws:SourceIp":"203.0.113.0/24"},"DateLessThan":{"aws:CurrentTime":"2027-01-01"}}}"#,
                "Role app/tidegate of account 222222222222 may take on this role (sts:AssumeRole) and tag their sessions (sts:TagSession) \
                 if the external ID (sts:ExternalId) is \"c-7f3a\", and the caller's address (aws:SourceIp) is in \"203.0.113.0/24\", \
                 and the time (aws:CurrentTime) is before 2027-01-01.",
            ),
            (
                r#"{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Condition":{"StringNotEquals":{"sts:ExternalId":["a1","b2"]}}}"#,
                "Everybody in the world must not take on this role (sts:AssumeRole) if the external ID (sts:ExternalId) is not \"a1\" nor \"b2\" \
                 (also if it is not given).",
            ),
            (
                r#"{"Effect":"Allow","Action":["s3:PutObject","s3:GetObjectTorrent"],"Resource":["arn:aws:s3:::b","arn:aws:s3:::b/x/*","arn:aws:s3:::b/*","arn:aws:s3:::b/k"]}"#,
                "Whoever has this policy may write objects (s3:PutObject) and use s3:GetObjectTorrent on bucket b, the objects of bucket b \
                 whose names begin with \"x/\", every object of bucket b and object \"k\" of bucket b.",
            ),
            (
                r#"{"Effect":"Allow","NotAction":"iam:*","NotResource":"arn:aws:kms:eu-west-1:111111111111:key/k","Condition":{"Null":{"aws:SourceVpce":"false"},
                    "ForAllValues:StringLike":{"aws:TagKeys":"team-*"},"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}}"#,
                "Whoever has this policy may do everything except use iam:* on everything except KMS key k of account 111111111111 in eu-west-1 \
                 if the VPC endpoint (aws:SourceVpce) is given, whatever it is, and each value of aws:TagKeys matches \"team-*\" (or there is none), \
                 and the caller's having used MFA (aws:MultiFactorAuthPresent) is true (or it is not given).",
            ),
        ] {
            let document = Document::parse(&format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)).unwrap();
            assert_eq!(explain(&document), [sentence]);
        }
    }
}
