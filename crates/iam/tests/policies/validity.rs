//! Which documents AWS refuses to save, each as a line that everything else would allow.

use serde_json::{Value, json};

use crate::line::{OBJECT, ORDERS, OWN, USER, allow, answer, ask, deny, policy, to, trusting};

/// The line that is spoilt by one document: it is allowed by another.
fn decided(field: &str, document: &str) -> (String, String) {
    let mut line = match field {
        "trustPolicy" => ask(USER, "sts:AssumeRole", ORDERS),
        _ => ask(USER, "s3:GetObject", OBJECT),
    }
    .identity(&allow("*"))
    .0;
    let placeholder = "\"HERE\"";
    let here = json!("HERE");
    match field {
        "identityPolicies" => line[field].as_array_mut().unwrap().push(here),
        "scps" => line[field] = json!([[policy(&allow("*")), here]]),
        "rcps" => line[field] = json!([[], [here]]),
        _ => line[field] = here,
    }
    answer(&line.to_string().replace(placeholder, document))
}

fn refused(table: &[(&str, &str, Value)]) {
    for (rule, field, document) in table {
        let (decision, reason) = decided(field, &document.to_string());
        assert_eq!(decision, "Invalid", "{rule}: {reason}\n{field} {document}");
    }
}

fn accepted(table: &[(&str, &str, Value)]) {
    for (rule, field, document) in table {
        let (decision, reason) = decided(field, &document.to_string());
        assert_ne!(decision, "Invalid", "{rule}: {reason}\n{field} {document}");
    }
}

const IDENTITY: &str = "identityPolicies";

#[test]
fn what_is_not_of_the_grammar_is_refused() {
    let one = |statement: Value| policy(&statement);
    let when =
        |condition: Value| one(json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}));
    refused(&[
        ("no object", IDENTITY, json!([])),
        ("no object", IDENTITY, json!("{}")),
        ("no statement", IDENTITY, json!({"Version": "2012-10-17"})),
        ("no statement in the list", IDENTITY, json!({"Version": "2012-10-17", "Statement": []})),
        ("an unknown version", IDENTITY, json!({"Version": "2012-10-18", "Statement": allow("*")})),
        ("an unknown element", IDENTITY, json!({"Version": "2012-10-17", "Statement": allow("*"), "Comment": "x"})),
        (
            "an unknown element in a statement",
            IDENTITY,
            one(json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Actions": "*"})),
        ),
        ("no effect", IDENTITY, one(json!({"Action": "*", "Resource": "*"}))),
        ("an effect has a case", IDENTITY, one(json!({"Effect": "allow", "Action": "*", "Resource": "*"}))),
        (
            "an element that is null",
            IDENTITY,
            one(json!({"Sid": null, "Effect": "Allow", "Action": "*", "Resource": "*"})),
        ),
        ("no action", IDENTITY, one(json!({"Effect": "Allow", "Resource": "*"}))),
        ("no action in the list", IDENTITY, one(json!({"Effect": "Allow", "Action": [], "Resource": "*"}))),
        (
            "Action and NotAction",
            IDENTITY,
            one(json!({"Effect": "Allow", "Action": "*", "NotAction": "s3:*", "Resource": "*"})),
        ),
        (
            "an action without its service",
            IDENTITY,
            one(json!({"Effect": "Allow", "Action": "GetObject", "Resource": "*"})),
        ),
        (
            "an action with two colons",
            IDENTITY,
            one(json!({"Effect": "Allow", "Action": "s3:Get:Object", "Resource": "*"})),
        ),
        (
            "a wildcard in an action's service",
            IDENTITY,
            one(json!({"Effect": "Allow", "Action": "s*:GetObject", "Resource": "*"})),
        ),
        ("an action that is no text", IDENTITY, one(json!({"Effect": "Allow", "Action": 1, "Resource": "*"}))),
        ("no resource", IDENTITY, one(json!({"Effect": "Allow", "Action": "*"}))),
        (
            "Resource and NotResource",
            IDENTITY,
            one(json!({"Effect": "Allow", "Action": "*", "Resource": "*", "NotResource": "*"})),
        ),
        ("a resource that is no ARN", IDENTITY, one(json!({"Effect": "Allow", "Action": "*", "Resource": "b/*"}))),
        (
            "a resource of no partition",
            IDENTITY,
            one(json!({"Effect": "Allow", "Action": "*", "Resource": "arn:amazon:s3:::b"})),
        ),
        (
            "a wildcard in a resource's service",
            IDENTITY,
            one(json!({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:*:::b"})),
        ),
        (
            "a variable before the fifth colon",
            IDENTITY,
            one(json!({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3::${aws:PrincipalAccount}:b"})),
        ),
        (
            "a variable without an end",
            IDENTITY,
            one(json!({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::${aws:username"})),
        ),
        ("an unknown operator", IDENTITY, when(json!({"StringEqual": {"a:b": "c"}}))),
        ("an operator has a case", IDENTITY, when(json!({"stringequals": {"a:b": "c"}}))),
        ("Null takes no IfExists", IDENTITY, when(json!({"NullIfExists": {"a:b": "true"}}))),
        ("an unknown set operator", IDENTITY, when(json!({"ForSomeValues:StringEquals": {"a:b": "c"}}))),
        ("a condition on nothing", IDENTITY, when(json!({"StringEquals": "c"}))),
        ("a value that is an object", IDENTITY, when(json!({"StringEquals": {"a:b": {}}}))),
        ("no number", IDENTITY, when(json!({"NumericEquals": {"a:b": "ten"}}))),
        ("no date", IDENTITY, when(json!({"DateLessThan": {"a:b": "2026-13-01"}}))),
        ("no boolean", IDENTITY, when(json!({"Bool": {"a:b": "yes"}}))),
        ("no address", IDENTITY, when(json!({"IpAddress": {"a:b": "10.0.0.0/33"}}))),
        ("no address of four numbers", IDENTITY, when(json!({"IpAddress": {"a:b": "10.0.0/8"}}))),
        ("no base64", IDENTITY, when(json!({"BinaryEquals": {"a:b": "%"}}))),
        ("a key twice, in another case", IDENTITY, when(json!({"StringEquals": {"a:b": "c", "A:B": "d"}}))),
        (
            "two statements of one Sid",
            IDENTITY,
            policy(
                &json!([{"Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*"}, {"Sid": "A", "Effect": "Deny", "Action": "sqs:*", "Resource": "*"}]),
            ),
        ),
        (
            "a Sid with more than letters and digits",
            IDENTITY,
            one(json!({"Sid": "a-b", "Effect": "Allow", "Action": "*", "Resource": "*"})),
        ),
    ]);
    for text in [
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}}"#,
        r#"{"Version":"2012-10-17","Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a:b":"true"},"Bool":{"a:c":"true"}}}}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a:b":"true","a:b":"false"}}}}"#,
    ] {
        assert_eq!(decided(IDENTITY, text).0, "Invalid", "an element stands twice: {text}");
    }
}

#[test]
fn what_a_kind_may_not_hold_is_refused_in_it() {
    let principal = |who: Value| to(&who, allow("*"));
    let except = |effect: &str| json!({"Effect": effect, "NotPrincipal": {"AWS": OWN}, "Action": "sts:*"});
    let mut with_resource = trusting(&json!({"AWS": USER}), "sts:AssumeRole");
    with_resource["Resource"] = json!("*");
    let mut rows = Vec::new();
    for field in [IDENTITY, "permissionBoundary", "sessionPolicy", "scps"] {
        rows.push(("a principal where none may stand", field, policy(&principal(json!("*")))));
    }
    for field in [IDENTITY, "permissionBoundary", "sessionPolicy"] {
        rows.push((
            "an Id where none may stand",
            field,
            json!({"Version": "2012-10-17", "Id": "x", "Statement": allow("*")}),
        ));
    }
    for who in [
        json!("ana"),
        json!({"aws": "*"}),
        json!({"AWS": []}),
        json!({}),
        json!({"AWS": "1111"}),
        json!({"AWS": "arn:aws:iam::111111111111:user/*"}),
        json!({"AWS": "arn:aws:iam::111111111111:group/g"}),
        json!({"AWS": "arn:aws:sts::111111111111:assumed-role/app/*"}),
        json!({"Service": "*"}),
        json!({"CanonicalUser": "x"}),
    ] {
        rows.push(("a principal that is none", "resourcePolicy", policy(&principal(who))));
    }
    rows.extend([
        ("a resource's policy names principals", "resourcePolicy", policy(&allow("*"))),
        ("a resource's policy names resources", "resourcePolicy", policy(&trusting(&json!("*"), "s3:*"))),
        ("NotPrincipal with Allow", "resourcePolicy", policy(&json!({"Effect": "Allow", "NotPrincipal": {"AWS": OWN}, "Action": "*", "Resource": "*"}))),
        ("Principal and NotPrincipal", "resourcePolicy", policy(&json!({"Effect": "Deny", "Principal": "*", "NotPrincipal": {"AWS": OWN}, "Action": "sqs:*", "Resource": "*"}))),
        ("a trust policy names principals", "trustPolicy", policy(&json!({"Effect": "Allow", "Action": "sts:AssumeRole"}))),
        ("a trust policy names no resource", "trustPolicy", policy(&with_resource)),
        ("a trust policy is of sts alone", "trustPolicy", policy(&trusting(&json!({"AWS": USER}), "s3:GetObject"))),
        ("a trust policy has no NotPrincipal", "trustPolicy", policy(&except("Deny"))),
        ("an SCP is of version 2012", "scps", json!({"Statement": allow("*")})),
        ("an RCP is of version 2012", "rcps", json!({"Version": "2008-10-17", "Statement": principal(json!("*"))})),
        ("an RCP only denies", "rcps", policy(&to(&json!("*"), allow("s3:*")))),
        ("an RCP names everybody", "rcps", policy(&to(&json!({"AWS": USER}), deny("s3:*")))),
        ("an RCP names a principal", "rcps", policy(&deny("s3:*"))),
        ("an RCP is of services that have such", "rcps", policy(&to(&json!("*"), json!({"Effect": "Deny", "Action": ["s3:*", "ec2:*"], "Resource": "*"})))),
        ("an RCP names the service", "rcps", policy(&to(&json!("*"), deny("*")))),
        ("a bucket's policy has no short ARN", "resourcePolicy", policy(&to(&json!("*"), json!({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:sqs"})))),
        ("an RCP has no NotAction", "rcps", policy(&json!({"Effect": "Deny", "Principal": "*", "NotAction": "s3:*", "Resource": "*"}))),
        ("an endpoint's policy names principals", "endpointPolicy", policy(&allow("*"))),
        ("a trust policy writes everybody with a kind", "trustPolicy", policy(&trusting(&json!("*"), "sts:AssumeRole"))),
        ("an endpoint's policy names resources", "endpointPolicy", policy(&trusting(&json!("*"), "s3:*"))),
    ]);
    refused(&rows);
}

#[test]
fn what_aws_saves_is_not_refused() {
    let one = |statement: Value| policy(&statement);
    let when =
        |condition: Value| one(json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}));
    let resource = |text: &str| one(json!({"Effect": "Allow", "Action": "*", "Resource": text}));
    accepted(&[
        ("one statement without brackets, no version", IDENTITY, json!({"Statement": allow("*")})),
        ("version 2008", IDENTITY, json!({"Version": "2008-10-17", "Statement": [allow("*")]})),
        ("an action that is none", IDENTITY, one(allow("s3:Get Object, PutObject"))),
        ("an action of an unknown service", IDENTITY, one(allow("no-such-service:Do*"))),
        ("an empty action name", IDENTITY, one(allow("s3:"))),
        ("an empty Sid", IDENTITY, one(json!({"Sid": "", "Effect": "Allow", "Action": "*", "Resource": "*"}))),
        ("any partition", IDENTITY, resource("arn:*:s3:::b")),
        ("China", IDENTITY, resource("arn:aws-cn:s3:::b")),
        ("all of a service", IDENTITY, resource("arn:aws:s3:*")),
        ("a short ARN", IDENTITY, resource("arn:aws:sqs:eu-west-1")),
        ("a key without a service", IDENTITY, when(json!({"StringEquals": {"username": "x"}}))),
        ("a date in few digits", IDENTITY, when(json!({"DateLessThan": {"a:b": "2016-12-13t2:00:00.593194+23"}}))),
        ("a key that nobody knows", IDENTITY, when(json!({"StringEquals": {"no:such/key with spaces": "x"}}))),
        ("an empty condition", IDENTITY, when(json!({}))),
        ("a condition on no key", IDENTITY, when(json!({"StringEquals": {}}))),
        ("a year alone", IDENTITY, when(json!({"DateLessThan": {"a:b": "2030"}}))),
        ("bits behind the prefix", IDENTITY, when(json!({"IpAddress": {"a:b": "10.1.2.3/8"}}))),
        (
            "numbers and booleans without quotes",
            IDENTITY,
            when(json!({"NumericLessThan": {"a:b": 10}, "Bool": {"a:b": [true, "false"]}})),
        ),
        (
            "a Sid with spaces in a bucket's policy",
            "resourcePolicy",
            json!({"Version": "2012-10-17", "Id": "x y", "Statement": [{"Sid": "a b", "Effect": "Deny", "Principal": {"AWS": ["111111111111", "*"], "Service": "ec2.amazonaws.com"}, "Action": "sqs:*", "Resource": "*"}]}),
        ),
        (
            "a canonical user",
            "resourcePolicy",
            one(to(
                &json!({"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}),
                allow("s3:*"),
            )),
        ),
        ("who was deleted", "trustPolicy", one(trusting(&json!({"AWS": "AROAEXAMPLEEXAMPLE123"}), "sts:AssumeRole"))),
        (
            "a trust policy with an Id and a provider",
            "trustPolicy",
            json!({"Version": "2012-10-17", "Id": "x", "Statement": trusting(&json!({"Federated": "cognito-identity.amazonaws.com"}), "sts:*")}),
        ),
        (
            "an SCP with all of the language",
            "scps",
            one(
                json!({"Sid": "a-b", "Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::c", "Condition": {"Bool": {"a:b": "true"}}}),
            ),
        ),
        (
            "an RCP with NotResource",
            "rcps",
            one(
                json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": ["s3:*", "sqs:*"], "NotResource": "arn:aws:s3:::b/*"}),
            ),
        ),
        (
            "an endpoint's policy with NotPrincipal",
            "endpointPolicy",
            one(json!({"Effect": "Deny", "NotPrincipal": {"AWS": OWN}, "Action": "sqs:*", "Resource": "*"})),
        ),
    ]);
}

#[test]
fn an_invalid_document_wins_over_every_other_answer() {
    let bad = policy(&json!({"Effect": "Allow"}));
    for (rule, mut line) in [
        ("over a deny", ask(USER, "s3:GetObject", OBJECT).identity(&deny("*")).0),
        ("over an allow", ask(USER, "s3:GetObject", OBJECT).identity(&allow("*")).0),
        ("over a session policy that has no session", ask("anonymous", "s3:GetObject", OBJECT).0),
    ] {
        line["sessionPolicy"] = bad.clone();
        assert_eq!(answer(&line.to_string()).0, "Invalid", "{rule}");
    }
}

#[test]
fn everybody_is_written_as_the_kind_of_policy_wants_it() {
    let written = |kind: iam::PolicyKind, document: Value| {
        iam::Document::parse_as(kind, &document.to_string()).unwrap().to_string()
    };
    let everybody = json!({"AWS": "*"});
    let trust = written(iam::PolicyKind::Trust, policy(&trusting(&everybody, "sts:AssumeRole")));
    assert!(trust.contains(r#""Principal":{"AWS":"*"}"#), "{trust}");
    for kind in [iam::PolicyKind::Resource, iam::PolicyKind::ResourceControl] {
        let other = written(kind, policy(&to(&everybody, deny("s3:*"))));
        assert!(other.contains(r#""Principal":"*""#), "{other}");
    }
    let placeholder = iam::generate::placeholder_policy().to_string();
    assert!(iam::Document::parse_as(iam::PolicyKind::Trust, &placeholder).is_ok(), "{placeholder}");
}
