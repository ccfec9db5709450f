//! What policies decide, and which texts are none.

mod damage;
mod documented;
mod line;
mod properties;
mod rules;
mod validity;

use iam::{Caller, Context, Decision, Document, Policies, PolicyError, PolicyKind, Request, ResourcePolicy, evaluate};
use serde_json::json;

const VENDOR: &str = "222222222222";
const CUSTOMER: &str = "111111111111";
const ROLE: &str = "arn:aws:iam::111111111111:role/orders";

fn document(kind: PolicyKind, statement: &serde_json::Value) -> Document {
    let text = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    Document::parse_as(kind, &text).unwrap()
}

fn assume_role_allowed(caller: &str, identity: bool, trust: &Document, external_id: Option<&str>) -> bool {
    let caller = Caller::parse(caller).unwrap();
    let allow = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"});
    let allow = document(PolicyKind::Identity, &allow);
    let mut context = Context::new();
    if let Some(id) = external_id {
        context.set("sts:ExternalId", id);
    }
    let request = Request {
        caller: &caller,
        action: "sts:AssumeRole",
        resource: ROLE,
        resource_account: CUSTOMER.parse().unwrap(),
        context: &context,
    };
    let identity: &[&Document] = if identity { &[&allow] } else { &[] };
    let policies = Policies { identity, resource: Some(ResourcePolicy::Trust(trust)), ..Policies::default() };
    evaluate(&request, &policies).is_allowed()
}

#[test]
fn a_role_is_assumed_only_where_trust_and_identity_say_what_aws_wants() {
    let user = |account: &str| format!("arn:aws:iam::{account}:user/ana");
    let session = |account: &str| format!("arn:aws:sts::{account}:assumed-role/app/one");
    let role = |account: &str| format!("arn:aws:iam::{account}:role/path/app");
    let root = |account: &str| format!("arn:aws:iam::{account}:root");
    // (caller, whom the trust policy names, whether the caller's own policy allows it, allowed)
    for (caller, trusted, identity, expected) in [
        (user(CUSTOMER), user(CUSTOMER), false, true),
        (session(CUSTOMER), role(CUSTOMER), false, true),
        (session(CUSTOMER), session(CUSTOMER), false, true),
        (user(CUSTOMER), root(CUSTOMER), false, false),
        (user(CUSTOMER), root(CUSTOMER), true, true),
        (user(CUSTOMER), CUSTOMER.to_owned(), true, true),
        (user(CUSTOMER), role(CUSTOMER), true, false),
        (user(CUSTOMER), "*".to_owned(), false, true),
        (user(VENDOR), user(VENDOR), false, false),
        (session(VENDOR), role(VENDOR), false, false),
        (user(VENDOR), "*".to_owned(), false, false),
        (user(VENDOR), user(VENDOR), true, true),
        (session(VENDOR), role(VENDOR), true, true),
        (session(VENDOR), session(VENDOR), true, true),
        (user(VENDOR), VENDOR.to_owned(), true, true),
        (user(VENDOR), "*".to_owned(), true, true),
        (user(VENDOR), CUSTOMER.to_owned(), true, false),
        (session(VENDOR), user(VENDOR), true, false),
    ] {
        let statement = json!({"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"});
        let trust = document(PolicyKind::Trust, &statement);
        let actual = assume_role_allowed(&caller, identity, &trust, None);
        assert_eq!(actual, expected, "{caller} trusted as {trusted}, identity {identity}");
    }
}

#[test]
fn an_external_id_lets_in_whom_its_condition_lets_in() {
    let allow = |condition: serde_json::Value| json!({"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "sts:AssumeRole", "Condition": condition});
    let deny = |condition: serde_json::Value| json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole", "Condition": condition});
    let id = |value: &str| json!({"sts:ExternalId": value});
    let right = || id("acme-7f3");
    // (statements, then the verdict on: absent, a random wrong one, a wrong one of the right shape)
    for (statements, expected) in [
        (json!(allow(json!({"StringEquals": right()}))), [false, false, false]),
        (json!(allow(json!({"ForAnyValue:StringEquals": right()}))), [false, false, false]),
        (json!([allow(json!({"StringEquals": right()})), allow(json!({}))]), [true, true, true]),
        (json!(allow(json!({"StringEqualsIfExists": right()}))), [true, false, false]),
        (json!(allow(json!({"ForAllValues:StringEquals": right()}))), [true, false, false]),
        (json!(allow(json!({"StringLike": id("*")}))), [false, true, true]),
        (json!(allow(json!({"StringLike": id("acme-*")}))), [false, false, true]),
        (json!(allow(json!({"StringNotEquals": id("other")}))), [true, true, true]),
        (json!(allow(json!({"Null": {"STS:EXTERNALID": false}}))), [false, true, true]),
        (json!([allow(json!({})), deny(json!({"Null": {"sts:ExternalId": "true"}}))]), [false, true, true]),
        (json!([allow(json!({})), deny(json!({"StringNotEquals": right()}))]), [false, false, false]),
        (json!([allow(json!({})), deny(json!({"StringNotEqualsIfExists": right()}))]), [false, false, false]),
        (json!(allow(json!({"StringEqualsIgnoreCase": id("ACME-7F3")}))), [false, false, false]),
    ] {
        let trust = document(PolicyKind::Trust, &statements);
        let caller = format!("arn:aws:iam::{VENDOR}:user/app");
        assert!(assume_role_allowed(&caller, true, &trust, Some("acme-7f3")), "the right one: {statements}");
        let verdicts = [None, Some("q9"), Some("acme-8a1")].map(|id| assume_role_allowed(&caller, true, &trust, id));
        assert_eq!(verdicts, expected, "{statements}");
    }
}

#[test]
fn a_unique_id_outlives_no_recreated_role() {
    let statement =
        json!({"Effect": "Allow", "Principal": {"AWS": "AROA0000000000000OLD"}, "Action": "sts:AssumeRole"});
    let trust = document(PolicyKind::Trust, &statement);
    let session = Caller::parse("arn:aws:sts::111111111111:assumed-role/app/one").unwrap();
    let context = Context::new();
    let decide = |caller: &Caller| {
        let resource_account = CUSTOMER.parse().unwrap();
        let request = Request { caller, action: "sts:AssumeRole", resource: ROLE, resource_account, context: &context };
        let policies = Policies { resource: Some(ResourcePolicy::Trust(&trust)), ..Policies::default() };
        evaluate(&request, &policies).is_allowed()
    };
    assert!(decide(&session.clone().with_unique_id("AROA0000000000000OLD")));
    assert!(!decide(&session.with_unique_id("AROA0000000000000NEW")));
}

fn s3(identity: &[&Document], session: Option<&Document>, action: &str, resource: &str, owner: &str) -> String {
    let caller = Caller::parse("arn:aws:sts::111111111111:assumed-role/orders/task-0").unwrap();
    let mut context = Context::new();
    context.set("aws:PrincipalTag/team", "shop");
    let request =
        Request { caller: &caller, action, resource, resource_account: owner.parse().unwrap(), context: &context };
    match evaluate(&request, &Policies { identity, session, ..Policies::default() }) {
        Decision::Allowed(_) => "allowed".to_owned(),
        Decision::ExplicitlyDenied(place) => format!("denied by {} {}", place.kind.name(), place.statement + 1),
        Decision::ImplicitlyDenied(kind) => format!("no {}", kind.name()),
    }
}

#[test]
fn a_session_policy_narrows_and_a_deny_wins() {
    let identity = document(
        PolicyKind::Identity,
        &json!([
            {"Effect": "Allow", "Action": ["s3:Put*", "s3:GetObject"], "Resource": "arn:aws:s3:::lake/*"},
            {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::lake/secret/*"},
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::lake",
             "Condition": {"StringLike": {"s3:prefix": "a/*"}}},
        ]),
    );
    let session = document(
        PolicyKind::Session,
        &json!({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::lake/${aws:PrincipalTag/team}/*"}),
    );
    for (session, action, resource, owner, expected) in [
        (None, "s3:PutObject", "arn:aws:s3:::lake/a", CUSTOMER, "allowed"),
        (None, "S3:putobject", "arn:aws:s3:::lake/a", CUSTOMER, "allowed"),
        (None, "s3:DeleteObject", "arn:aws:s3:::lake/a", CUSTOMER, "no identity-based"),
        (None, "s3:PutObject", "arn:aws:s3:::lake", CUSTOMER, "no identity-based"),
        (None, "s3:PutObject", "arn:aws:s3:::LAKE/a", CUSTOMER, "no identity-based"),
        (None, "s3:ListBucket", "arn:aws:s3:::lake", CUSTOMER, "no identity-based"),
        (None, "s3:PutObject", "arn:aws:s3:::lake/secret/a", CUSTOMER, "denied by identity-based 2"),
        (None, "s3:PutObject", "arn:aws:s3:::lake/a", VENDOR, "no resource-based"),
        (Some(&session), "s3:PutObject", "arn:aws:s3:::lake/shop/a", CUSTOMER, "allowed"),
        (Some(&session), "s3:PutObject", "arn:aws:s3:::lake/a", CUSTOMER, "no session"),
        (Some(&session), "s3:DeleteObject", "arn:aws:s3:::lake/shop/a", CUSTOMER, "no identity-based"),
    ] {
        let actual = s3(&[&identity], session, action, resource, owner);
        assert_eq!(actual, expected, "{action} on {resource}, session policy {}", session.is_some());
    }
}

#[test]
fn what_is_no_policy_is_refused_at_its_place() {
    let grammar = |text: &str| match Document::parse(text).unwrap_err() {
        PolicyError::Grammar { line, column, reason } => (line, column, reason),
        other => panic!("{other}"),
    };
    let (line, _, reason) = grammar("{\n \"Version\": \"2012-10-17\",\n \"Statment\": []}");
    assert!(line == 3 && reason.contains("unknown field `Statment`"), "{line}: {reason}");
    let (line, _, reason) = grammar(
        "{\"Statement\": {\n\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\",\n\
         \"Condition\": {\"StringEqual\": {}}}}",
    );
    assert!(line == 3 && reason.contains("operator \"StringEqual\" is unknown"), "{line}: {reason}");
    for (text, reason) in [
        ("", "EOF"),
        ("{}", "missing field `Statement`"),
        ("null", "null, expected an object"),
        // The fields in their order, without their names.
        (r#"["2012-10-17","i",[]]"#, "sequence, expected an object"),
        (r#"{"Statement":[["s","Allow"]]}"#, "sequence, expected an object"),
        (r#"{"Statement":["s"]}"#, "string \"s\", expected an object"),
        (r#"{"Version":"2012","Statement":[]}"#, "unknown variant `2012`"),
        (r#"{"Statement":[],"Statement":[]}"#, "duplicate field"),
        (r#"{"Statement":{"Effect":"allow","Action":"*"}}"#, "unknown variant `allow`"),
        (r#"{"Statement":{"Effect":"Allow","Action":1}}"#, "expected a string"),
        (r#"{"Statement":{"Effect":"Allow","Action":"*","Principal":"ana"}}"#, "without a kind"),
        (r#"{"Statement":{"Effect":"Allow","Action":"*","Principal":{"Aws":"*"}}}"#, "kind \"Aws\" are unknown"),
        (r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a:b":{}}}}}"#, "a string"),
    ] {
        let (_, _, actual) = grammar(text);
        assert!(actual.contains(reason), "{text}: {actual}");
    }
}

#[test]
fn a_statement_that_no_policy_may_hold_is_refused_by_number() {
    let refuse = |kind, statement: &str| {
        Document::parse_as(kind, &format!("{{\"Version\":\"2012-10-17\",\"Statement\":{statement}}}"))
            .expect_err(statement)
            .to_string()
    };
    let (identity, trust) = (PolicyKind::Identity, PolicyKind::Trust);
    for (kind, statement, reason) in [
        (identity, "[]", "no statement"),
        (identity, r#"{"Effect":"Allow","Resource":"*"}"#, "neither Action nor NotAction"),
        (identity, r#"{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}"#, "both Action and NotAction"),
        (identity, r#"{"Effect":"Allow","Action":"*"}"#, "names no resource"),
        (identity, r#"{"Effect":"Allow","Action":[],"Resource":"*"}"#, "is empty"),
        (identity, r#"{"Effect":"Allow","Action":"GetObject","Resource":"*"}"#, "service:Name"),
        (identity, r#"{"Effect":"Allow","Action":"s*:Get","Resource":"*"}"#, "service:Name"),
        (identity, r#"{"Effect":"Allow","Action":"*","Resource":"lake/*"}"#, "ARN of six parts"),
        (identity, r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username"}"#, "without an end"),
        (identity, r#"{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}"#, "names a principal"),
        (identity, r#"{"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"}"#, "statement 1 (a b): its Sid"),
        (trust, r#"{"Effect":"Allow","Action":"sts:AssumeRole"}"#, "names no principal"),
        (trust, r#"{"Effect":"Allow","Action":"*","Principal":{"AWS":"*"}}"#, "only speak of sts"),
        (
            trust,
            r#"{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"},"Resource":"*"}"#,
            "names a resource",
        ),
        (
            trust,
            r#"{"Effect":"Allow","Action":"sts:AssumeRole","NotPrincipal":{"AWS":"111111111111"}}"#,
            "NotPrincipal",
        ),
        (
            trust,
            r#"{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::111111111111:role/*"}}"#,
            "wildcard",
        ),
        (
            trust,
            r#"{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::111111111111:group/g"}}"#,
            "neither",
        ),
    ] {
        let actual = refuse(kind, statement);
        assert!(actual.contains(reason), "{statement}: {actual}");
    }
    let twice = r#"{"Sid":"A","Effect":"Allow","Action":"*","Resource":"*"}"#;
    assert!(refuse(identity, &format!("[{twice},{twice}]")).contains("two statements"));
}

#[test]
fn a_variable_in_a_document_of_2008_is_plain_text() {
    let text = |version: &str| {
        format!(
            r#"{{{version}"Statement":{{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${{aws:PrincipalTag/team}}"}}}}"#
        )
    };
    let old = Document::parse_as(PolicyKind::Identity, &text("")).unwrap();
    let new = Document::parse_as(PolicyKind::Identity, &text(r#""Version":"2012-10-17","#)).unwrap();
    for (document, bucket, expected) in
        [(&old, "shop", "no identity-based"), (&old, "${aws:PrincipalTag/team}", "allowed"), (&new, "shop", "allowed")]
    {
        let resource = format!("arn:aws:s3:::{bucket}");
        assert_eq!(s3(&[document], None, "s3:ListBucket", &resource, CUSTOMER), expected, "{bucket}");
    }
}
