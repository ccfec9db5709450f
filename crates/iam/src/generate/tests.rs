use proptest::prelude::*;

use super::*;
use crate::{Caller, Context, Document, Policies, PolicyKind, Request, ResourcePolicy, evaluate};

const ROLE: &str = "arn:aws:iam::111111111111:role/orders";
const VENDOR: &str = "arn:aws:iam::222222222222:role/app/tidegate";
const KEY: &str = "arn:aws:kms:eu-central-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn allows(policy: &Document, action: &str, resource: &str, keys: &[(&str, &str)]) -> bool {
    let caller = Caller::parse("arn:aws:sts::111111111111:assumed-role/orders/task-0").unwrap();
    let mut context = Context::new();
    context.set("s3:ResourceAccount", "111111111111");
    context.set("aws:PrincipalArn", ROLE);
    for (key, value) in keys {
        context.set(key, *value);
    }
    let resource_account = "111111111111".parse().unwrap();
    let request = Request { caller: &caller, action, resource, resource_account, context: &context };
    // A key leaves it to the account's own policies, as keys do that the console makes.
    let key_policy = Document::parse(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"kms:*",
            "Resource":"*"}}"#,
    )
    .unwrap();
    let resource = resource.starts_with("arn:aws:kms:").then_some(ResourcePolicy::Other(&key_policy));
    evaluate(&request, &Policies { identity: &[policy], resource, ..Policies::default() }).is_allowed()
}

fn place(prefix: &str) -> S3Place {
    S3Place { prefix: prefix.to_owned(), ..S3Place::new("orders") }
}

fn sink(place: S3Place, manifests: &str) -> Document {
    permission_policy(&[Need::WriteObjects { place, manifests: Some(manifests.to_owned()) }]).unwrap()
}

#[test]
fn the_sink_may_do_what_it_does_and_nothing_beside_it() {
    let place = S3Place { key: Some(KEY.parse().unwrap()), ..place("shop/2026-") };
    let policy = sink(place, "shop/.tidegate/");
    let bucket = "arn:aws:s3:::orders";
    let object = "arn:aws:s3:::orders/shop/2026-01/t-0-1.gz";
    let manifest = "arn:aws:s3:::orders/shop/.tidegate/m-1";
    let other = "arn:aws:s3:::orders/other/t";
    let via = |service| [("kms:ViaService", service)];
    let lists = |prefix| [("s3:prefix", prefix)];
    // One line a call that crates/aws makes of S3, then its neighbours.
    for (action, resource, keys, expected) in [
        ("s3:PutObject", object, &[][..], true),
        ("s3:AbortMultipartUpload", object, &[], true),
        ("s3:ListMultipartUploadParts", object, &[], true),
        ("s3:GetObject", object, &[], true),
        ("s3:PutObject", manifest, &[], true),
        ("s3:GetObject", manifest, &[], true),
        ("s3:DeleteObject", manifest, &[], true),
        ("s3:ListBucket", bucket, &lists("shop/2026-01/t-0-1.gz"), true),
        ("s3:ListBucketMultipartUploads", bucket, &[], true),
        ("kms:GenerateDataKey", KEY, &via("s3.eu-central-1.amazonaws.com"), true),
        ("kms:Decrypt", KEY, &via("s3.eu-central-1.amazonaws.com"), true),
        ("s3:DeleteObject", object, &[], false),
        ("s3:PutObjectAcl", object, &[], false),
        ("s3:PutObject", other, &[], false),
        ("s3:GetObject", other, &[], false),
        ("s3:AbortMultipartUpload", other, &[], false),
        ("s3:AbortMultipartUpload", manifest, &[], false),
        ("s3:PutObject", "arn:aws:s3:::orders-2/shop/2026-01/t", &[], false),
        ("s3:ListBucket", bucket, &[], false),
        ("s3:ListBucket", bucket, &lists("other/"), false),
        ("s3:ListBucket", "arn:aws:s3:::orders-2", &lists("shop/2026-01"), false),
        ("s3:DeleteBucket", bucket, &[], false),
        ("kms:Decrypt", KEY, &[], false),
        ("kms:Decrypt", KEY, &via("dynamodb.eu-central-1.amazonaws.com"), false),
        ("kms:Encrypt", KEY, &via("s3.eu-central-1.amazonaws.com"), false),
        (
            "kms:Decrypt",
            "arn:aws:kms:eu-central-1:111111111111:key/other",
            &via("s3.eu-central-1.amazonaws.com"),
            false,
        ),
    ] {
        assert_eq!(allows(&policy, action, resource, keys), expected, "{action} on {resource} {keys:?}");
    }
}

#[test]
fn a_bucket_that_somebody_else_made_under_the_name_is_refused() {
    let place = S3Place { owner: Some("111111111111".parse().unwrap()), ..place("") };
    let policy = sink(place, ".tidegate/");
    let object = "arn:aws:s3:::orders/x";
    assert!(allows(&policy, "s3:PutObject", object, &[]));
    assert!(!allows(&policy, "s3:PutObject", object, &[("s3:ResourceAccount", "999999999999")]));
}

#[test]
fn readers_and_testers_get_less() {
    let read = permission_policy(&[Need::ReadObjects { place: place("a/") }]).unwrap();
    assert!(allows(&read, "s3:GetObject", "arn:aws:s3:::orders/a/x", &[]));
    assert!(!allows(&read, "s3:PutObject", "arn:aws:s3:::orders/a/x", &[]));
    let test = permission_policy(&[Need::ListObjects { place: place("a/") }]).unwrap();
    assert!(allows(&test, "s3:ListBucket", "arn:aws:s3:::orders", &[("s3:prefix", "a/")]));
    assert!(!allows(&test, "s3:GetObject", "arn:aws:s3:::orders/a/x", &[]));
}

#[test]
fn needs_are_joined_and_nothing_is_said_twice() {
    let policy = permission_policy(&[
        Need::WriteObjects { place: place("a/"), manifests: Some("a/.tidegate/".to_owned()) },
        Need::ReadObjects { place: place("b/") },
        Need::ReadObjects { place: place("b/") },
        Need::AssumeRole { role: ROLE.parse().unwrap(), tags: true, source_identity: false },
    ])
    .unwrap();
    let text = policy.to_string();
    assert_eq!(text.matches("s3:ListBucket\"").count(), 1, "{text}");
    assert_eq!(text.matches("\"ReadObjects\"").count(), 1, "{text}");
    assert!(text.contains(r#""s3:prefix":["a/*","b/*"]"#), "{text}");
    assert!(
        text.contains(
            r#""Action":["sts:AssumeRole","sts:TagSession"],"Resource":"arn:aws:iam::111111111111:role/orders""#
        ),
        "{text}"
    );
}

#[test]
fn msk_is_allowed_by_topic_and_group() {
    let cluster: crate::Arn = "arn:aws:kafka:eu-central-1:111111111111:cluster/shop/abc-1".parse().unwrap();
    let policy = permission_policy(&[
        Need::ConsumeKafka { cluster: cluster.clone(), topics: vec!["orders".into()], group: "connect-orders".into() },
        Need::ProduceKafka { cluster, topics: vec!["dead".into()], create: false },
    ])
    .unwrap();
    let on = |kind: &str| format!("arn:aws:kafka:eu-central-1:111111111111:{kind}");
    assert!(allows(&policy, "kafka-cluster:Connect", &on("cluster/shop/abc-1"), &[]));
    assert!(allows(&policy, "kafka-cluster:ReadData", &on("topic/shop/abc-1/orders"), &[]));
    assert!(allows(&policy, "kafka-cluster:AlterGroup", &on("group/shop/abc-1/connect-orders"), &[]));
    assert!(allows(&policy, "kafka-cluster:WriteData", &on("topic/shop/abc-1/dead"), &[]));
    assert!(!allows(&policy, "kafka-cluster:WriteData", &on("topic/shop/abc-1/orders"), &[]));
    assert!(!allows(&policy, "kafka-cluster:ReadData", &on("topic/shop/abc-1/orders-2"), &[]));
}

/// Whether the trust policy lets in a session of `caller`'s role, which its own account permits everything.
fn lets_in(trust: &Document, caller: &str, action: &str, keys: &[(&str, &str)]) -> bool {
    let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}"#;
    let all = Document::parse_as(PolicyKind::Identity, all).unwrap();
    let caller = Caller::parse(caller).unwrap();
    let mut context = Context::new();
    for (key, value) in keys {
        context.set(key, *value);
    }
    let resource_account = "111111111111".parse().unwrap();
    let request = Request { caller: &caller, action, resource: ROLE, resource_account, context: &context };
    let policies = Policies { identity: &[&all], resource: Some(ResourcePolicy::Trust(trust)), ..Policies::default() };
    evaluate(&request, &policies).is_allowed()
}

const SESSION: &str = "arn:aws:sts::222222222222:assumed-role/tidegate/task-0";

fn party(principal: &str, external_id: &str) -> Trusted {
    Trusted::Party { principal: principal.to_owned(), external_id: external_id.to_owned(), exists: true }
}

#[test]
fn each_party_comes_in_by_its_own_external_id_alone() {
    let other = "arn:aws:iam::333333333333:role/other";
    let trust = Trust {
        trusted: vec![party(VENDOR, "c-7f3a"), party(other, "c-9b2e")],
        tag_session: true,
        set_source_identity: true,
        ..Trust::default()
    };
    let trust = trust.policy().unwrap();
    assert_eq!(trust.statements().len(), 2);
    let their = "arn:aws:sts::333333333333:assumed-role/other/x";
    for action in ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"] {
        for (caller, id, expected) in [
            (SESSION, Some("c-7f3a"), true),
            (their, Some("c-9b2e"), true),
            (SESSION, Some("c-9b2e"), false),
            (their, Some("c-7f3a"), false),
            (SESSION, None, false),
            (SESSION, Some("C-7F3A"), false),
            ("arn:aws:sts::222222222222:assumed-role/another/task-0", Some("c-7f3a"), false),
        ] {
            let keys: Vec<_> = id.iter().map(|id| ("sts:ExternalId", *id)).collect();
            assert_eq!(lets_in(&trust, caller, action, &keys), expected, "{action} {caller} {id:?}");
        }
    }
}

#[test]
fn a_party_that_is_not_there_yet_is_named_by_a_condition() {
    let not_yet = Trusted::Party { principal: VENDOR.to_owned(), external_id: "c-7f3a".into(), exists: false };
    let trust = Trust { trusted: vec![not_yet], ..Trust::default() }.policy().unwrap();
    let id = ("sts:ExternalId", "c-7f3a");
    assert!(lets_in(&trust, SESSION, "sts:AssumeRole", &[id, ("aws:PrincipalArn", VENDOR)]));
    assert!(!lets_in(
        &trust,
        SESSION,
        "sts:AssumeRole",
        &[id, ("aws:PrincipalArn", "arn:aws:iam::222222222222:role/b")]
    ));
    assert!(!lets_in(&trust, SESSION, "sts:AssumeRole", &[("aws:PrincipalArn", VENDOR)]));
    assert!(!lets_in(&trust, SESSION, "sts:TagSession", &[id, ("aws:PrincipalArn", VENDOR)]));
}

#[test]
fn the_stricter_form_asks_for_place_time_and_organisation_too() {
    let only = Restrictions {
        source_ips: vec!["203.0.113.0/24".into()],
        not_before: Some("2026-12-01".into()),
        not_after: Some("2027-01-31T12:00:00Z".into()),
        organisation: Some("o-a1b2c3d4e5".into()),
    };
    let trust = Trust { trusted: vec![party(VENDOR, "c-7f3a")], only, ..Trust::default() }.policy().unwrap();
    let good = [
        ("sts:ExternalId", "c-7f3a"),
        ("aws:SourceIp", "203.0.113.9"),
        ("aws:CurrentTime", "2027-01-01T00:00:00Z"),
        ("aws:PrincipalOrgID", "o-a1b2c3d4e5"),
    ];
    assert!(lets_in(&trust, SESSION, "sts:AssumeRole", &good));
    for (key, wrong) in [
        ("sts:ExternalId", "c-7f3b"),
        ("aws:SourceIp", "203.0.114.9"),
        ("aws:CurrentTime", "2027-02-01T00:00:00Z"),
        ("aws:CurrentTime", "2026-11-30T23:59:59Z"),
        ("aws:PrincipalOrgID", "o-zzzzzzzzzz"),
    ] {
        let keys: Vec<_> = good.iter().map(|&(k, v)| if k == key { (k, wrong) } else { (k, v) }).collect();
        assert!(!lets_in(&trust, SESSION, "sts:AssumeRole", &keys), "{key} {wrong}");
        let without: Vec<_> = good.iter().copied().filter(|(k, _)| *k != key).collect();
        assert!(!lets_in(&trust, SESSION, "sts:AssumeRole", &without), "{key} missing");
    }
}

#[test]
fn roles_anywhere_comes_by_one_trust_anchor_and_one_certificate() {
    let anchor = "arn:aws:rolesanywhere:eu-central-1:111111111111:trust-anchor/a1";
    let trusted =
        Trusted::RolesAnywhere { trust_anchor: anchor.parse().unwrap(), common_name: Some("etl-${1}".into()) };
    let trust = Trust { trusted: vec![trusted], ..Trust::default() }.policy().unwrap();
    let service = "rolesanywhere.amazonaws.com";
    let name = ("aws:PrincipalTag/x509Subject/CN", "etl-${1}");
    for action in ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"] {
        assert!(lets_in(&trust, service, action, &[("aws:SourceArn", anchor), name]), "{action}");
        assert!(!lets_in(&trust, service, action, &[("aws:SourceArn", &format!("{anchor}2")), name]), "{action}");
        assert!(!lets_in(&trust, service, action, &[("aws:SourceArn", anchor)]), "{action}");
    }
}

#[test]
fn a_placeholder_lets_in_nobody() {
    assert!(!lets_in(&placeholder_policy(), SESSION, "sts:AssumeRole", &[("sts:ExternalId", "c-7f3a")]));
    assert!(!lets_in(&placeholder_policy(), "arn:aws:iam::111111111111:root", "sts:AssumeRole", &[]));
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let trust = |trusted| Trust { trusted: vec![trusted], ..Trust::default() }.policy().unwrap_err().to_string();
    for (error, says) in [
        (trust(party("*", "c-7f3a")), "principal \"*\" is everybody"),
        (trust(party("arn:aws:iam::222222222222:role/*", "c-7f3a")), "is neither account"),
        (trust(party(VENDOR, "*")), "external ID \"*\" is none"),
        (trust(party(VENDOR, "")), "external ID \"\" is none"),
        (permission_policy(&[]).unwrap_err().to_string(), "no need"),
        (
            permission_policy(&[Need::ListObjects { place: S3Place::new("a/b") }]).unwrap_err().to_string(),
            "bucket \"a/b\" is not 3 to 63",
        ),
        (
            permission_policy(&[Need::ListObjects { place: S3Place::new("abc*") }]).unwrap_err().to_string(),
            "bucket \"abc*\"",
        ),
    ] {
        assert!(error.contains(says), "{error}");
    }
    let only = Restrictions { source_ips: vec!["0.0.0.0/0".into()], ..Restrictions::default() };
    let error = Trust { trusted: vec![party(VENDOR, "c-7f3a")], only, ..Trust::default() }.policy().unwrap_err();
    assert!(error.to_string().contains("is every address"), "{error}");
}

fn rendered(form: Form) -> String {
    let trust = Trust { trusted: vec![party(VENDOR, "c-7f3a")], ..Trust::default() }.policy().unwrap();
    let permission = permission_policy(&[Need::ListObjects { place: place("it's ${x} \"\u{fc}\"/") }]).unwrap();
    let subject = Subject::Role { role: "orders", trust: &trust, permission: Some(("list-orders", &permission)) };
    render(subject, form).unwrap()
}

#[test]
fn a_role_is_written_for_terraform() {
    let expected = r#"resource "aws_iam_role" "orders" {
  name = "orders"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          AWS = "arn:aws:iam::222222222222:role/app/tidegate"
        }
        Action = "sts:AssumeRole"
        Condition = {
          StringEquals = {
            "sts:ExternalId" = "c-7f3a"
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "list-orders" {
  name = "list-orders"
  role = aws_iam_role.orders.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "FindObjects"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = "arn:aws:s3:::orders"
        Condition = {
          StringLike = {
            "s3:prefix" = "it's $${\u0024}{x} \"ü\"/*"
          }
        }
      },
    ]
  })
}
"#;
    assert_eq!(rendered(Form::Terraform), expected);
}

#[test]
fn a_role_is_written_for_cloud_formation() {
    let expected = r#"AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Orders:
    Type: "AWS::IAM::Role"
    Properties:
      RoleName: "orders"
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: "Allow"
            Principal:
              AWS: "arn:aws:iam::222222222222:role/app/tidegate"
            Action: "sts:AssumeRole"
            Condition:
              StringEquals:
                "sts:ExternalId": "c-7f3a"
      Policies:
        - PolicyName: "list-orders"
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Sid: "FindObjects"
                Effect: "Allow"
                Action: "s3:ListBucket"
                Resource: "arn:aws:s3:::orders"
                Condition:
                  StringLike:
                    "s3:prefix": "it's ${$}{x} \"ü\"/*"
"#;
    assert_eq!(rendered(Form::CloudFormation), expected);
}

#[test]
fn a_role_is_written_as_commands() {
    let expected = r#"aws iam create-role --role-name orders --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:role/app/tidegate"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"c-7f3a"}}}]}'
aws iam put-role-policy --role-name orders --policy-name list-orders --policy-document '{"Version":"2012-10-17","Statement":[{"Sid":"FindObjects","Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::orders","Condition":{"StringLike":{"s3:prefix":"it'\''s ${$}{x} \"ü\"/*"}}}]}'
"#;
    assert_eq!(rendered(Form::AwsCli), expected);
}

#[test]
fn a_size_counts_no_white_space() {
    let document =
        Document::parse("{\"Statement\": {\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\"}}").unwrap();
    assert_eq!(document.size(), r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#.len());
}

/// Undoes `shell::quote` as a shell does.
fn unquote(word: &str) -> String {
    let (mut out, mut quoted, mut escaped) = (String::new(), false, false);
    for c in word.chars() {
        match c {
            _ if escaped => {
                out.push(c);
                escaped = false;
            }
            '\'' => quoted = !quoted,
            '\\' if !quoted => escaped = true,
            c => out.push(c),
        }
    }
    out
}

proptest! {
    #[test]
    fn a_prefix_of_any_text_allows_itself_and_nothing_beside_it(prefix in "[a-c*?${}'\" /é]{0,12}", other in "[a-c*?${}/é]{0,12}") {
        let policy = sink(place(&prefix), &format!("{prefix}.tidegate/"));
        let put = |name: &str| allows(&policy, "s3:PutObject", &format!("arn:aws:s3:::orders/{name}"), &[]);
        let list = |name: &str| allows(&policy, "s3:ListBucket", "arn:aws:s3:::orders", &[("s3:prefix", name)]);
        let own = format!("{prefix}{other}");
        prop_assert!(put(&own) && list(&own));
        prop_assert_eq!(put(&other), other.starts_with(&prefix));
        prop_assert_eq!(list(&other), other.starts_with(&prefix));
    }

    #[test]
    fn a_word_of_the_shell_is_read_back(text in "\\PC{0,40}") {
        prop_assert_eq!(unquote(&super::shell::quote(&text)), text);
    }

    #[test]
    fn what_is_generated_is_read_back_the_same(prefix in "\\PC{0,20}") {
        let policy = sink(place(&prefix), ".tidegate/");
        let again = Document::parse_as(PolicyKind::Identity, &policy.to_string()).unwrap();
        prop_assert_eq!(again, policy);
    }
}
