use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::generate::{Need, Restrictions, S3Place, Trust, Trusted, permission_policy, placeholder_policy};
use crate::{Document, PolicyKind};

const VENDOR: &str = "arn:aws:iam::222222222222:role/cspi-kg17p";

fn document(kind: PolicyKind, statements: &Value) -> Document {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    Document::parse_as(kind, &text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn options() -> Options {
    Options {
        own_accounts: vec!["111111111111".parse().unwrap()],
        external_id: None,
        now: Some("2026-11-23T12:00:00Z".parse().unwrap()),
    }
}

fn rules(kind: PolicyKind, document: &Document) -> Vec<&'static str> {
    lint(document, kind, &options()).into_iter().map(|finding| finding.rule).collect()
}

fn party(condition: &Value) -> Value {
    json!({"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "sts:AssumeRole", "Condition": condition})
}

fn id(value: &str) -> Value {
    json!({"sts:ExternalId": value})
}

fn trust(actions: &Value, principal: &Value, condition: &Value) -> Value {
    json!({"Effect": "Allow", "Principal": principal, "Action": actions, "Condition": condition})
}

fn allow(actions: &Value, resources: &Value) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resources})
}

/// Bad policies: a rule that strikes, and what the mended text then says (a part of it).
fn bad() -> Vec<(PolicyKind, Value, &'static str, &'static str)> {
    [bad_trust(), bad_permissions()].concat()
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn bad_trust() -> Vec<(PolicyKind, Value, &'static str, &'static str)> {
    use PolicyKind::Trust;
    let deny = |condition: Value| json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole", "Condition": condition});
    let right = r#""StringEquals":{"sts:ExternalId":"c-7f3a"}"#;
    let tag = json!({"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "sts:TagSession"});
    let anywhere = json!({"Service": "rolesanywhere.amazonaws.com"});
    let anchor =
        json!({"ArnEquals": {"aws:SourceArn": "arn:aws:rolesanywhere:eu-central-1:111111111111:trust-anchor/a"}});
    let github = json!({"Federated": "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"});
    let token = "sts:AssumeRoleWithWebIdentity";
    let aud = json!({"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}});
    let other = "arn:aws:iam::333333333333:role/b";
    vec![
        // Every bad trust shape of the table of probes, in its order.
        (Trust, party(&json!({})), "external-id-missing", "REPLACE-WITH-THE-EXTERNAL-ID"),
        (
            Trust,
            json!([party(&json!({"StringEquals": id("c-7f3a")})), party(&json!({}))]),
            "open-second-statement",
            right,
        ),
        (Trust, party(&json!({"StringEqualsIfExists": id("c-7f3a")})), "external-id-optional", right),
        (Trust, party(&json!({"ForAllValues:StringEquals": id("c-7f3a")})), "external-id-optional", right),
        (Trust, party(&json!({"StringLike": id("*")})), "external-id-any", "REPLACE-WITH-THE-EXTERNAL-ID"),
        (Trust, party(&json!({"StringLike": id("acme-*")})), "external-id-pattern", "REPLACE-WITH-THE-EXTERNAL-ID"),
        (
            Trust,
            party(&json!({"StringNotEquals": id("other")})),
            "external-id-optional",
            "REPLACE-WITH-THE-EXTERNAL-ID",
        ),
        (
            Trust,
            party(&json!({"Null": {"sts:ExternalId": "false"}})),
            "external-id-any",
            "REPLACE-WITH-THE-EXTERNAL-ID",
        ),
        (
            Trust,
            json!([party(&json!({})), deny(json!({"Null": {"sts:ExternalId": "true"}}))]),
            "external-id-any",
            "REPLACE-WITH",
        ),
        // What users paste today.
        (
            Trust,
            json!([party(&json!({"StringEquals": id("c-7f3a")})), tag]),
            "tag-session-open",
            r#""Action":["sts:AssumeRole","sts:TagSession"]"#,
        ),
        (
            Trust,
            json!([party(&json!({"StringEquals": id("c-7f3a")})), {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]),
            "shadowed-by-deny",
            right,
        ),
        (
            Trust,
            trust(
                &json!("sts:AssumeRole"),
                &json!({"AWS": [VENDOR, other]}),
                &json!({"StringEquals": {"sts:ExternalId": ["c-7f3a", "c-9b2e"]}}),
            ),
            "crossed-pairs",
            right,
        ),
        (
            Trust,
            trust(&json!("sts:AssumeRole"), &json!({"AWS": "*"}), &json!({})),
            "wildcard-principal",
            "111111111111",
        ),
        (
            Trust,
            trust(&json!("sts:AssumeRole"), &json!({"AWS": "222222222222"}), &json!({"StringEquals": id("c-7f3a")})),
            "account-root",
            "",
        ),
        (
            Trust,
            json!([
                party(&json!({"StringEquals": id("c-7f3a")})),
                trust(
                    &json!("sts:AssumeRole"),
                    &json!({"AWS": "AROA0000000000000OLD"}),
                    &json!({"StringEquals": id("c-7f3a")})
                )
            ]),
            "deleted-principal",
            right,
        ),
        (
            Trust,
            trust(&json!("sts:AssumeRole"), &anywhere, &anchor),
            "roles-anywhere-incomplete",
            "sts:SetSourceIdentity",
        ),
        (
            Trust,
            trust(&json!(["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]), &anywhere, &json!({})),
            "service-for-anybody",
            "arn:aws:rolesanywhere:*:111111111111:trust-anchor/",
        ),
        (Trust, trust(&json!(token), &github, &aud), "web-identity-open", "token.actions.githubusercontent.com:sub"),
        (
            Trust,
            trust(&json!(token), &github, &json!({"StringLike": {"token.actions.githubusercontent.com:sub": "*"}})),
            "web-identity-open",
            "REPLACE-WITH-THE-SUBJECT",
        ),
        (
            Trust,
            trust(
                &json!("sts:AssumeRole"),
                &github,
                &json!({"StringEquals": {"token.actions.githubusercontent.com:sub": "repo:a/b:ref:refs/heads/main"}}),
            ),
            "wrong-assume-action",
            token,
        ),
        (Trust, party(&json!({"StringEquals": id("c-*")})), "literal-wildcard", "REPLACE-WITH-THE-EXTERNAL-ID"),
        (Trust, party(&json!({"StringEquals": {"aws:ExternalId": "c-7f3a"}})), "unknown-condition-key", right),
        (
            Trust,
            party(&json!({"StringEquals": id("c-7f3a"), "DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}})),
            "expired",
            "\"Deny\"",
        ),
        (
            Trust,
            party(
                &json!({"StringEquals": id("c-7f3a"), "DateGreaterThan": {"aws:CurrentTime": "2027-02-01"}, "DateLessThan": {"aws:CurrentTime": "2027-01-01"}}),
            ),
            "empty-window",
            "\"Deny\"",
        ),
        (
            Trust,
            party(
                &json!({"StringEquals": id("c-7f3a"), "IpAddress": {"aws:SourceIp": ["0.0.0.0/0", "198.51.100.0/24"]}}),
            ),
            "ip-everybody",
            "\"aws:SourceIp\":\"198.51.100.0/24\"",
        ),
        (
            Trust,
            trust(&json!("sts:*"), &json!({"AWS": "111111111111"}), &json!({})),
            "all-actions",
            "\"sts:AssumeRole\"",
        ),
    ]
}

fn bad_permissions() -> Vec<(PolicyKind, Value, &'static str, &'static str)> {
    use PolicyKind::{Identity, Resource};
    let s3 = "arn:aws:s3:::";
    vec![
        (Identity, allow(&json!("*"), &json!("*")), "all-actions", "s3:PutObject"),
        (Identity, allow(&json!("s3:*"), &json!(format!("{s3}b/*"))), "all-actions", "s3:AbortMultipartUpload"),
        (
            Identity,
            json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
            "not-action-allow",
            "s3:PutObject",
        ),
        (
            Identity,
            json!({"Effect": "Allow", "Action": "s3:GetObject", "NotResource": format!("{s3}b/*")}),
            "not-resource-allow",
            "replace-with-the-bucket/*",
        ),
        (
            Identity,
            allow(&json!(["s3:GetObject", "s3:ListAllMyBuckets"]), &json!("*")),
            "all-resources",
            "replace-with-the-bucket/*",
        ),
        (Identity, allow(&json!("sts:AssumeRole"), &json!("*")), "all-resources", "role/REPLACE-WITH-THE-ROLE"),
        (Identity, allow(&json!(["kms:Decrypt"]), &json!("*")), "all-resources", "key/REPLACE-WITH-THE-KEY"),
        (
            Identity,
            allow(&json!("s3:GetObject"), &json!(format!("{s3}data*"))),
            "bucket-wildcard",
            "arn:aws:s3:::data/*",
        ),
        (Identity, allow(&json!("iam:PassRole"), &json!("*")), "pass-role-any", "role/REPLACE-WITH-THE-ROLE"),
        (
            Identity,
            allow(&json!(["s3:GetObject", "s3:ListBucket"]), &json!(format!("{s3}b"))),
            "object-action-on-bucket",
            "\"arn:aws:s3:::b/*\"",
        ),
        (
            Identity,
            allow(&json!(["s3:GetObject", "s3:ListBucket"]), &json!(format!("{s3}b/x/*"))),
            "bucket-action-on-object",
            "\"s3:prefix\":\"x/*\"",
        ),
        (
            Identity,
            allow(&json!(["s4:GetObject", "s3:GetObject"]), &json!(format!("{s3}b/*"))),
            "unknown-service",
            "\"s3:GetObject\"",
        ),
        (
            Identity,
            allow(&json!(["s3:ListObjectsV2", "s3:HeadBucket"]), &json!(format!("{s3}b"))),
            "unknown-action",
            "\"Action\":\"s3:ListBucket\"",
        ),
        (
            Identity,
            allow(&json!(["s3:GetObject"]), &json!("arn:aws:sqs:eu-central-1:111111111111:q")),
            "wrong-resource",
            "",
        ),
        (
            Identity,
            allow(&json!(["s3:GetObject", "s3:ListAllMyBuckets"]), &json!(format!("{s3}b/*"))),
            "wrong-resource",
            "\"Resource\":\"*\"",
        ),
        (
            Identity,
            json!({"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": [format!("{s3}b"), format!("{s3}b/*")], "Condition": {"StringLike": {"s3:prefix": "home/*"}}}),
            "condition-key-never-there",
            "\"arn:aws:s3:::b/home/*\"",
        ),
        (
            Identity,
            json!({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": format!("{s3}b"), "Condition": {"StringEquals": {"s3:prefix": "home/*"}}}),
            "literal-wildcard",
            "StringLike",
        ),
        (
            Identity,
            json!({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": format!("{s3}b"), "Condition": {"StringLikeIfExists": {"s3:prefix": "home/*"}}}),
            "if-exists",
            "\"StringLike\"",
        ),
        (
            Identity,
            json!({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": format!("{s3}b"), "Condition": {"ForAllValues:StringLike": {"s3:prefix": "home/*"}}}),
            "for-all-values",
            "\"StringLike\"",
        ),
        (
            Identity,
            json!([allow(&json!("s3:GetObject"), &json!(format!("{s3}b/*"))), {"Effect": "Deny", "Action": "s3:Get*", "Resource": "*"}]),
            "shadowed-by-deny",
            "\"Deny\"",
        ),
        (
            Identity,
            json!([
                allow(&json!("s3:GetObject"), &json!(format!("{s3}b/*"))),
                allow(&json!("s3:GetObject"), &json!(format!("{s3}b/x")))
            ]),
            "redundant",
            "b/*",
        ),
        (
            Resource,
            json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("{s3}b/*")}),
            "wildcard-principal",
            "111111111111",
        ),
        (
            Resource,
            json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("{s3}b/*"), "Condition": {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}}),
            "if-exists",
            "\"StringEquals\"",
        ),
    ]
}

#[test]
fn every_bad_policy_is_told_and_mended() {
    for (kind, statements, rule, says) in bad() {
        let document = document(kind, &statements);
        let findings = lint(&document, kind, &options());
        let Some(finding) = findings.iter().find(|finding| finding.rule == rule) else {
            panic!("{rule} does not strike in {document}; {findings:?}");
        };
        match &finding.mended {
            Some(mended) => {
                assert!(mended.to_string().contains(says), "{rule}: {mended} does not say {says}");
                assert!(!rules(kind, mended).contains(&rule), "{rule} strikes again in {mended}");
            }
            None => assert!(says.is_empty(), "{rule}: {document} is not mended"),
        }
        // A statement is named by its number, and every finding reads as one line.
        assert!(finding.statement.is_none_or(|n| (1..=document.statements().len()).contains(&n)), "{finding}");
        assert!(!finding.to_string().contains('\n'), "{finding}");
    }
}

/// Policies that AWS shows as good, and the shapes of trust that let in nobody else.
fn good() -> Vec<(PolicyKind, Value)> {
    use PolicyKind::{Identity, Resource, Trust};
    let own_root = json!({"AWS": "arn:aws:iam::111111111111:root"});
    let deny = |condition: Value| json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole", "Condition": condition});
    let s3 = "arn:aws:s3:::amzn-s3-demo-bucket";
    let eks = "oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE";
    vec![
        // The confused deputy's cure, in each of its good shapes.
        (Trust, party(&json!({"StringEquals": id("12345")}))),
        (Trust, party(&json!({"ForAnyValue:StringEquals": id("12345")}))),
        (Trust, party(&json!({"StringEqualsIgnoreCase": id("12345")}))),
        (Trust, json!([party(&json!({})), deny(json!({"StringNotEquals": id("12345")}))])),
        (Trust, json!([party(&json!({})), deny(json!({"StringNotEqualsIfExists": id("12345")}))])),
        (Trust, party(&json!({"StringEquals": {"sts:ExternalId": ["new", "old"]}}))),
        (Trust, party(&json!({"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}))),
        // Roles of one's own account, of services and of identity providers.
        (Trust, trust(&json!("sts:AssumeRole"), &own_root, &json!({}))),
        (Trust, trust(&json!("sts:AssumeRole"), &own_root, &json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}))),
        (Trust, trust(&json!("sts:AssumeRole"), &json!({"Service": "ec2.amazonaws.com"}), &json!({}))),
        (
            Trust,
            trust(
                &json!(["sts:AssumeRole", "sts:TagSession"]),
                &json!({"Service": "pods.eks.amazonaws.com"}),
                &json!({}),
            ),
        ),
        (
            Trust,
            trust(
                &json!("sts:AssumeRole"),
                &json!({"Service": ["ecs-tasks.amazonaws.com", "lambda.amazonaws.com"]}),
                &json!({}),
            ),
        ),
        (
            Trust,
            trust(
                &json!("sts:AssumeRole"),
                &json!({"AWS": "*"}),
                &json!({"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}),
            ),
        ),
        (
            Trust,
            trust(
                &json!("sts:AssumeRoleWithWebIdentity"),
                &json!({"Federated": format!("arn:aws:iam::111111111111:oidc-provider/{eks}")}),
                &json!({"StringEquals": {format!("{eks}:sub"): "system:serviceaccount:default:my-service-account", format!("{eks}:aud"): "sts.amazonaws.com"}}),
            ),
        ),
        (
            Trust,
            trust(
                &json!("sts:AssumeRoleWithWebIdentity"),
                &json!({"Federated": "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"}),
                &json!({"StringLike": {"token.actions.githubusercontent.com:sub": "repo:octo-org/octo-repo:*"}, "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}}),
            ),
        ),
        (
            Trust,
            trust(
                &json!("sts:AssumeRoleWithSAML"),
                &json!({"Federated": "arn:aws:iam::111111111111:saml-provider/okta"}),
                &json!({"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}),
            ),
        ),
        (
            Trust,
            trust(
                &json!("sts:AssumeRoleWithWebIdentity"),
                &json!({"Federated": "cognito-identity.amazonaws.com"}),
                &json!({"StringEquals": {"cognito-identity.amazonaws.com:aud": "us-east-1:1"}, "ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "unauthenticated"}}),
            ),
        ),
        // S3 user guide and IAM user guide.
        (
            Identity,
            json!([
                allow(&json!(["s3:GetBucketLocation", "s3:ListAllMyBuckets"]), &json!("arn:aws:s3:::*")),
                allow(&json!(["s3:ListBucket"]), &json!([s3])),
                allow(&json!(["s3:PutObject", "s3:GetObject", "s3:DeleteObject"]), &json!(format!("{s3}/*"))),
            ]),
        ),
        (
            Identity,
            json!([
                allow(&json!("s3:ListAllMyBuckets"), &json!("*")),
                allow(&json!(["s3:ListBucket", "s3:GetBucketLocation"]), &json!(s3)),
                allow(
                    &json!(["s3:PutObject", "s3:PutObjectAcl", "s3:GetObject", "s3:GetObjectAcl", "s3:DeleteObject"]),
                    &json!(format!("{s3}/*"))
                ),
            ]),
        ),
        (
            Identity,
            json!([
                {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": s3, "Condition": {"StringLike": {"s3:prefix": ["", "home/", "home/${aws:username}/*"]}}},
                allow(&json!(["s3:GetObject", "s3:PutObject"]), &json!([format!("{s3}/home/${{aws:username}}"), format!("{s3}/home/${{aws:username}}/*")])),
            ]),
        ),
        (
            Identity,
            json!({"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": s3, "Condition": {"StringEquals": {"s3:prefix": ["", "home/"], "s3:delimiter": ["/"]}}}),
        ),
        (
            Identity,
            allow(
                &json!(["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"]),
                &json!([s3, format!("{s3}/*")]),
            ),
        ),
        (
            Identity,
            allow(
                &json!(["kms:Decrypt", "kms:GenerateDataKey"]),
                &json!("arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
            ),
        ),
        (Identity, allow(&json!("sts:AssumeRole"), &json!("arn:aws:iam::123456789012:role/UpdateApp"))),
        (
            Identity,
            allow(
                &json!(["dynamodb:GetItem", "dynamodb:Query"]),
                &json!("arn:aws:dynamodb:us-east-1:123456789012:table/my-table"),
            ),
        ),
        (
            Identity,
            json!([allow(&json!("dynamodb:ListTables"), &json!("*")), {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "arn:aws:dynamodb:us-east-1:123456789012:table/my-table", "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["${www.amazon.com:user_id}"]}}}]),
        ),
        (
            Identity,
            allow(
                &json!(["ec2:DescribeInstances", "cloudwatch:PutMetricData", "ecr:GetAuthorizationToken"]),
                &json!("*"),
            ),
        ),
        (
            Identity,
            json!({"Effect": "Deny", "NotAction": ["iam:*", "sts:GetSessionToken"], "Resource": "*", "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}),
        ),
        (
            Identity,
            json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": ["192.0.2.0/24", "203.0.113.0/24"]}, "Bool": {"aws:ViaAWSService": "false"}}}),
        ),
        (
            Identity,
            json!({"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::111111111111:role/etl", "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}}),
        ),
        (
            Resource,
            json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [s3, format!("{s3}/*")], "Condition": {"Bool": {"aws:SecureTransport": "false"}}}),
        ),
        (
            Resource,
            json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:user/ana"}, "Action": ["s3:GetObject", "s3:PutObject"], "Resource": format!("{s3}/*")}),
        ),
        (
            Resource,
            json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("{s3}/*"), "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}}),
        ),
        (
            Resource,
            json!({"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject", "Resource": format!("{s3}/logs/*"), "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::source"}, "StringEquals": {"aws:SourceAccount": "111111111111"}}}),
        ),
        // What only bounds what others allow says "everything" where it does not.
        (PolicyKind::ServiceControl, allow(&json!("*"), &json!("*"))),
        (PolicyKind::Boundary, allow(&json!("s3:*"), &json!("*"))),
        (PolicyKind::ResourceControl, json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"})),
        (PolicyKind::Endpoint, json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"})),
        // KMS developer guide: a key's default policy.
        (
            Resource,
            json!({"Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}),
        ),
    ]
}

#[test]
fn what_aws_shows_as_good_is_let_be() {
    for (kind, statements) in good() {
        let document = document(kind, &statements);
        let findings = lint(&document, kind, &options());
        assert!(findings.is_empty(), "{document}: {}", findings[0]);
    }
    // Not even when nothing is known of the accounts: then a stranger's role may be one's own, which is said, and no more.
    for (kind, statements) in good() {
        let document = document(kind, &statements);
        let findings = lint(&document, kind, &Options::default());
        let loud = findings.iter().find(|finding| finding.severity == Severity::Error);
        assert!(loud.is_none(), "{document}: {}", loud.unwrap());
    }
}

#[test]
fn what_is_generated_is_linted_clean() {
    let key = "arn:aws:kms:eu-central-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    for (prefix, owner, key) in
        [("", None, None), ("shop/2026-", Some("111111111111"), Some(key)), ("it's ${x} *?", None, Some(key))]
    {
        let place = S3Place {
            prefix: prefix.to_owned(),
            owner: owner.map(|owner| owner.parse().unwrap()),
            key: key.map(|key| key.parse().unwrap()),
            ..S3Place::new("orders")
        };
        let role = "arn:aws:iam::111111111111:role/orders".parse().unwrap();
        let cluster: crate::Arn = "arn:aws:kafka:eu-central-1:111111111111:cluster/shop/abc-1".parse().unwrap();
        let needs = [
            Need::WriteObjects { place: place.clone(), manifests: Some(".tidegate/".to_owned()) },
            Need::ReadObjects { place: place.clone() },
            Need::ListObjects { place: place.clone() },
            Need::DeleteObjects { place },
            Need::AssumeRole { role, tags: true, source_identity: true },
            Need::ConsumeKafka { cluster: cluster.clone(), topics: vec!["a*".into()], group: "g".into() },
            Need::ProduceKafka { cluster, topics: vec!["dead".into()], create: true },
        ];
        for document in
            needs.iter().map(|need| permission_policy(std::slice::from_ref(need))).chain([permission_policy(&needs)])
        {
            let document = document.unwrap();
            let found = lint(&document, PolicyKind::Identity, &options());
            // The joined policy lists what the single needs list too.
            let found: Vec<_> = found.iter().filter(|finding| finding.rule != "redundant").collect();
            assert!(found.is_empty(), "{document}: {}", found[0]);
        }
    }
    let anchor = "arn:aws:rolesanywhere:eu-central-1:111111111111:trust-anchor/a".parse().unwrap();
    let provider = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com".parse().unwrap();
    let one = |exists| Trusted::Party { principal: VENDOR.into(), external_id: "c-7f3a".into(), exists };
    let trusted = [
        one(true),
        one(false),
        Trusted::Own { principal: "arn:aws:iam::111111111111:role/jump".into() },
        Trusted::RolesAnywhere { trust_anchor: anchor, common_name: None },
        Trusted::Service { service: "ec2.amazonaws.com".into(), source_account: None },
        Trusted::Service {
            service: "scheduler.amazonaws.com".into(),
            source_account: Some("111111111111".parse().unwrap()),
        },
        Trusted::WebIdentity {
            provider,
            audience: "sts.amazonaws.com".into(),
            subject: "repo:a/b:ref:refs/heads/main".into(),
        },
    ];
    let strict = Restrictions {
        source_ips: vec!["203.0.113.0/24".into()],
        not_before: Some("2026-01-01".into()),
        not_after: Some("2027-12-31".into()),
        organisation: Some("o-a1b2c3d4e5".into()),
    };
    for only in [Restrictions::default(), strict] {
        for (tag_session, set_source_identity) in [(false, false), (true, true)] {
            for trusted in &trusted {
                let trust =
                    Trust { trusted: vec![trusted.clone()], tag_session, set_source_identity, only: only.clone() };
                let document = trust.policy().unwrap();
                let found = lint(&document, PolicyKind::Trust, &options());
                assert!(found.is_empty(), "{document}: {}", found[0]);
            }
        }
    }
    assert_eq!(lint(&placeholder_policy(), PolicyKind::Trust, &options()), []);
}

#[test]
fn without_dates_nothing_expires() {
    let document = document(
        PolicyKind::Trust,
        &party(&json!({"StringEquals": id("c-7f3a"), "DateLessThan": {"aws:CurrentTime": "2026-01-01"}})),
    );
    assert_eq!(lint(&document, PolicyKind::Trust, &Options { now: None, ..options() }), []);
}

#[test]
fn the_external_id_that_was_shown_is_written_into_the_mended_text() {
    let document = document(PolicyKind::Trust, &party(&json!({})));
    let known = Options { external_id: Some("c-7f3a".into()), ..options() };
    let mended = mend(&document, PolicyKind::Trust, &known);
    assert_eq!(lint(&mended, PolicyKind::Trust, &known), []);
    assert!(mended.to_string().contains(r#""StringEquals":{"sts:ExternalId":"c-7f3a"}"#), "{mended}");
}

#[test]
fn the_template_that_users_paste_is_mended_to_one_statement() {
    let tag = json!({"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "sts:TagSession"});
    let pasted = document(PolicyKind::Trust, &json!([party(&json!({"StringEquals": id("c844795b")})), tag]));
    let trusted = Trusted::Party { principal: VENDOR.into(), external_id: "c844795b".into(), exists: true };
    let ours = Trust { trusted: vec![trusted], tag_session: true, ..Trust::default() }.policy().unwrap();
    assert_eq!(mend(&pasted, PolicyKind::Trust, &options()), ours);
}

/// A random pick of parts, as statements of a trust or of an identity policy.
fn any_policy() -> impl Strategy<Value = (PolicyKind, Document)> {
    let of = |kind: PolicyKind| -> Vec<Value> {
        let bad = bad().into_iter().filter(|(of, ..)| *of == kind).map(|(_, statements, ..)| statements);
        let good = good().into_iter().filter(|(of, _)| *of == kind).map(|(_, statements)| statements);
        bad.chain(good).flat_map(|one| if let Value::Array(list) = one { list } else { vec![one] }).collect()
    };
    let kinds = prop_oneof![Just(PolicyKind::Trust), Just(PolicyKind::Identity), Just(PolicyKind::Resource)];
    kinds.prop_flat_map(move |kind| {
        proptest::sample::subsequence(of(kind), 1..=4).prop_shuffle().prop_map(move |mut statements| {
            for (index, statement) in statements.iter_mut().enumerate().filter(|(index, _)| index % 2 == 0) {
                statement["Sid"] = json!(format!("S{index}"));
            }
            (kind, document(kind, &json!(statements)))
        })
    })
}

/// Whether a session of the vendor's role, permitted everything at home, gets in with this external ID.
fn vendor_gets_in(trust: &Document, external_id: Option<&str>) -> bool {
    let all = document(PolicyKind::Identity, &allow(&json!("sts:*"), &json!("*")));
    let caller = crate::Caller::parse("arn:aws:sts::222222222222:assumed-role/cspi-kg17p/task-0").unwrap();
    let mut context = crate::Context::new();
    context.set("aws:CurrentTime", "2026-11-23T12:00:00Z");
    context.set("aws:SourceIp", "198.51.100.7");
    context.set("aws:PrincipalArn", VENDOR);
    if let Some(id) = external_id {
        context.set("sts:ExternalId", id);
    }
    let request = crate::Request {
        caller: &caller,
        action: "sts:AssumeRole",
        resource: "arn:aws:iam::111111111111:role/orders",
        resource_account: "111111111111".parse().unwrap(),
        context: &context,
    };
    let resource = Some(crate::ResourcePolicy::Trust(trust));
    crate::evaluate(&request, &crate::Policies { identity: &[&all], resource, ..Default::default() }).is_allowed()
}

#[test]
fn a_trust_policy_that_lets_in_by_the_wrong_external_id_is_never_called_good() {
    for (kind, statements) in good().into_iter().filter(|(kind, _)| *kind == PolicyKind::Trust) {
        let document = document(kind, &statements);
        for id in [None, Some("wrong"), Some("acme-8a1")] {
            assert!(!vendor_gets_in(&document, id), "{document} {id:?}");
        }
    }
}

#[test]
fn every_rule_has_a_name_of_its_own_and_is_in_the_documentation() {
    let documentation = include_str!("../../../../docs/policies.md");
    let mut names: Vec<&str> = super::rule::rules().map(|rule| rule.name).collect();
    for name in &names {
        assert!(documentation.contains(&format!("| `{name}` |")), "{name} is not in docs/policies.md");
    }
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

proptest! {
    // Each case lints and mends a dozen times over.
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn after_mending_no_third_party_comes_in_without_its_external_id((kind, document) in any_policy()) {
        prop_assume!(kind == PolicyKind::Trust);
        let mended = mend(&document, kind, &options());
        for id in [None, Some("wrong"), Some("acme-8a1"), Some("c-8a1")] {
            prop_assert!(!vendor_gets_in(&mended, id), "{mended} {id:?}");
        }
    }

    #[test]
    fn a_mended_text_is_free_of_what_it_was_mended_for((kind, document) in any_policy()) {
        for finding in lint(&document, kind, &options()) {
            let Some(mended) = finding.mended else { continue };
            prop_assert!(mended.check(kind).is_ok());
            prop_assert!(!rules(kind, &mended).contains(&finding.rule), "{} in {mended}", finding.rule);
        }
    }

    #[test]
    fn mending_everything_comes_to_an_end((kind, document) in any_policy()) {
        let mended = mend(&document, kind, &options());
        prop_assert!(mended.check(kind).is_ok());
        let left: Vec<_> = lint(&mended, kind, &options()).into_iter().filter(|left| left.mended.is_some()).collect();
        prop_assert!(left.is_empty(), "{} in {mended}", left[0]);
        prop_assert_eq!(mend(&mended, kind, &options()), mended);
    }
}
