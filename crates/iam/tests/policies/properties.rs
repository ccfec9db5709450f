//! What holds for every request: random policies of every kind over a small world, so that statements often match.

use iam::{Document, PolicyKind};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::line::{FEDERATED, KEY, Line, OBJECT, ORDERS, OTHER, OWN, ROLE, SESSION, STRANGER, USER, ask, policy};

const FIELDS: [(&str, PolicyKind); 5] = [
    ("resourcePolicy", PolicyKind::Resource),
    ("trustPolicy", PolicyKind::Trust),
    ("permissionBoundary", PolicyKind::Boundary),
    ("sessionPolicy", PolicyKind::Session),
    ("endpointPolicy", PolicyKind::Endpoint),
];

fn one_or_many(of: impl Strategy<Value = &'static str>) -> impl Strategy<Value = Value> {
    vec(of, 1..3).prop_map(|list| if list.len() == 1 { json!(list[0]) } else { json!(list) })
}

fn condition() -> impl Strategy<Value = Value> {
    let operator = select(vec![
        "StringEquals",
        "StringNotLike",
        "StringEqualsIfExists",
        "ForAllValues:StringLike",
        "ForAnyValue:StringNotEquals",
    ]);
    let value = select(vec!["a", "b*", "${aws:username, 'a'}", "${k:y}", "*"]);
    prop_oneof![
        3 => Just(json!({})),
        2 => (operator, select(vec!["k:x", "k:y"]), one_or_many(value))
            .prop_map(|(operator, key, values)| json!({operator: {key: values}})),
        1 => any::<bool>().prop_map(|absent| json!({"Null": {"k:x": absent}})),
    ]
}

fn principal() -> impl Strategy<Value = Value> {
    let root = format!("arn:aws:iam::{OWN}:root");
    let aws = vec!["*".to_owned(), OWN.to_owned(), OTHER.to_owned(), root]
        .into_iter()
        .chain([USER, STRANGER, ROLE, SESSION, FEDERATED].map(ToOwned::to_owned))
        .collect::<Vec<_>>();
    prop_oneof![
        Just(json!("*")),
        select(aws).prop_map(|name| json!({"AWS": name})),
        Just(json!({"Service": "ec2.amazonaws.com"})),
    ]
}

/// A statement that is valid in a policy of `kind`.
fn statement(kind: PolicyKind, effect: impl Strategy<Value = &'static str>) -> impl Strategy<Value = Value> {
    let (trust, rcp) = (kind == PolicyKind::Trust, kind == PolicyKind::ResourceControl);
    let action = if trust {
        vec!["sts:*", "sts:AssumeRole"]
    } else {
        vec!["s3:*", "s3:?etObject", "kms:*", "sts:Assume*", "S3:getobject"]
    };
    let resource = select(vec!["*", "arn:aws:s3:::b/*", "arn:aws:s3:::b", "arn:aws:s3:::b/${k:x}"]);
    let names = matches!(kind, PolicyKind::Trust | PolicyKind::Resource | PolicyKind::Endpoint);
    let parts = (
        effect,
        any::<bool>(),
        any::<bool>(),
        one_or_many(select(action)),
        one_or_many(resource),
        condition(),
        principal(),
        0..6,
    );
    parts.prop_map(move |(effect, not_action, not_resource, action, resource, condition, principal, rare)| {
        let mut statement = json!({
            "Effect": effect,
            (if not_action && rare == 0 && !rcp { "NotAction" } else { "Action" }): action,
            "Condition": condition,
        });
        if !trust {
            statement[if not_resource && rare < 2 { "NotResource" } else { "Resource" }] = resource;
        }
        if names {
            let except = effect == "Deny" && rare == 0 && !trust;
            let principal = if trust && principal == "*" { json!({"AWS": "*"}) } else { principal };
            statement[if except { "NotPrincipal" } else { "Principal" }] = principal;
        } else if rcp {
            statement["Principal"] = json!("*");
        }
        statement
    })
}

fn effect() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just("Allow"), 1 => Just("Deny")]
}

fn statements(kind: PolicyKind) -> impl Strategy<Value = Value> {
    let mut effects = effect().boxed();
    if kind == PolicyKind::ResourceControl {
        effects = Just("Deny").boxed();
    }
    vec(statement(kind, effects), 1..4).prop_map(|list| json!(list))
}

/// A whole line with any mixture of policies.
fn line() -> impl Strategy<Value = Line> {
    let caller = select(vec![USER, USER, STRANGER, SESSION, SESSION, FEDERATED, "ec2.amazonaws.com", "anonymous"]);
    let asked = select(vec![
        ("s3:GetObject", OBJECT),
        ("s3:ListBucket", "arn:aws:s3:::b"),
        ("kms:Decrypt", KEY),
        ("sts:AssumeRole", ORDERS),
    ]);
    let documents = (
        vec(statements(PolicyKind::Identity), 0..3),
        FIELDS.map(|(_, kind)| proptest::option::weighted(0.3, statements(kind)).boxed()),
        vec(statements(PolicyKind::ServiceControl), 0..2),
        vec(statements(PolicyKind::ResourceControl), 0..2),
    );
    let keys = (
        proptest::option::of(select(vec![json!("a"), json!("bc"), json!(["a", "b"]), json!([]), json!("")])),
        any::<bool>(),
    );
    (caller, asked, documents, keys).prop_map(|(caller, (action, resource), (identity, single, scps, rcps), (x, y))| {
        let mut line = ask(caller, action, resource);
        for statements in &identity {
            line = line.identity(statements);
        }
        for ((field, kind), statements) in FIELDS.iter().zip(single) {
            let trust = action == "sts:AssumeRole";
            let fits = match kind {
                PolicyKind::Trust => trust,
                PolicyKind::Resource => !trust,
                _ => true,
            };
            if let Some(statements) = statements.filter(|_| fits) {
                line = line.with(field, &statements);
            }
        }
        for statements in &scps {
            line = line.level("scps", std::slice::from_ref(statements));
        }
        for statements in &rcps {
            line = line.level("rcps", std::slice::from_ref(statements));
        }
        if let Some(x) = x {
            line = line.key("k:x", x);
        }
        if y { line.key("k:y", "a") } else { line }
    })
}

/// Every document of a line, to change.
fn documents(line: &mut Value) -> Vec<(PolicyKind, &mut Value)> {
    let mut all = Vec::new();
    for (field, value) in line.as_object_mut().unwrap() {
        match &**field {
            "identityPolicies" => {
                all.extend(value.as_array_mut().unwrap().iter_mut().map(|document| (PolicyKind::Identity, document)));
            }
            "scps" | "rcps" => {
                let kind = if field == "scps" { PolicyKind::ServiceControl } else { PolicyKind::ResourceControl };
                let levels = value.as_array_mut().unwrap().iter_mut();
                all.extend(levels.flat_map(|level| level.as_array_mut().unwrap()).map(|document| (kind, document)));
            }
            field => {
                let kind = FIELDS.iter().find(|(name, _)| *name == field);
                all.extend(kind.map(|(_, kind)| (*kind, value)));
            }
        }
    }
    all
}

fn decide(line: &Line) -> String {
    let (decision, reason) = line.answer();
    assert_ne!(decision, "Invalid", "{reason}: {}", line.0);
    decision
}

fn statements_of(document: &mut Value) -> &mut Vec<Value> {
    document["Statement"].as_array_mut().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn adding_a_deny_never_allows(mut line in line(), at in any::<Index>(), denial in select(FIELDS.to_vec()).prop_flat_map(|(_, kind)| (Just(kind), statement(kind, Just("Deny"))))) {
        let before = decide(&line);
        let (kind, denial) = denial;
        for (_, document) in documents(&mut line.0).into_iter().filter(|(of, _)| *of == kind) {
            let list = statements_of(document);
            list.insert(at.index(list.len() + 1), denial.clone());
        }
        let after = decide(&line);
        prop_assert!(after != "Allow" || before == "Allow");
        prop_assert!(before != "ExplicitDeny" || after == "ExplicitDeny");
    }

    #[test]
    fn adding_an_allow_never_denies(mut line in line(), grant in select(FIELDS.to_vec()).prop_flat_map(|(_, kind)| (Just(kind), statement(kind, Just("Allow"))))) {
        let before = decide(&line);
        let (kind, grant) = grant;
        for (_, document) in documents(&mut line.0).into_iter().filter(|(of, _)| *of == kind) {
            statements_of(document).push(grant.clone());
        }
        let after = decide(&line);
        prop_assert!(before != "Allow" || after == "Allow");
    }

    #[test]
    fn what_only_limits_never_widens(
        line in line(),
        (field, limit) in select(vec![("permissionBoundary", PolicyKind::Boundary), ("sessionPolicy", PolicyKind::Session), ("endpointPolicy", PolicyKind::Endpoint)])
            .prop_flat_map(|(field, kind)| (Just(field), statements(kind))),
    ) {
        let mut without = line.clone();
        without.0[field] = json!(null);
        let with = line.with(field, &limit);
        // A federated user session alone has what its session policy gives it.
        let gives = field == "sessionPolicy" && with.0["request"]["principal"] == FEDERATED;
        prop_assert!(gives || decide(&with) != "Allow" || decide(&without) == "Allow", "{}", with.0);
    }

    #[test]
    fn a_level_of_control_policies_never_widens(line in line(), scp in statements(PolicyKind::ServiceControl), rcp in statements(PolicyKind::ResourceControl)) {
        let before = decide(&line);
        for after in [line.clone().level("scps", &[scp]), line.level("rcps", &[rcp])] {
            prop_assert!(decide(&after) != "Allow" || before == "Allow");
        }
    }

    #[test]
    fn the_order_of_statements_and_policies_does_not_matter(mut line in line()) {
        let before = decide(&line);
        for (_, document) in documents(&mut line.0) {
            statements_of(document).reverse();
        }
        for field in ["identityPolicies", "scps", "rcps"] {
            if let Some(list) = line.0[field].as_array_mut() {
                list.reverse();
            }
        }
        prop_assert_eq!(decide(&line), before);
    }

    #[test]
    fn what_is_printed_reads_back_the_same_and_decides_the_same(mut line in line()) {
        let before = decide(&line);
        for (kind, document) in documents(&mut line.0) {
            let read = Document::parse_as(kind, &document.to_string()).unwrap();
            let printed = read.to_string();
            let again = Document::parse_as(kind, &printed).unwrap();
            prop_assert_eq!(&again, &read);
            prop_assert_eq!(again.to_string(), printed.clone());
            prop_assert_eq!(&format!("{read:#}").parse::<Document>().unwrap(), &read);
            *document = serde_json::from_str(&printed).unwrap();
        }
        prop_assert_eq!(decide(&line), before);
    }

    #[test]
    fn the_anonymous_get_nothing_from_what_names_anybody(list in vec(statement(PolicyKind::Resource, Just("Allow")), 1..4)) {
        let named: Vec<Value> = list.into_iter().filter(|s| s["Principal"] != "*" && s["Principal"]["AWS"] != "*").collect();
        prop_assume!(!named.is_empty());
        let mut line = ask("anonymous", "s3:GetObject", OBJECT);
        line.0["resourcePolicy"] = policy(&json!(named));
        prop_assert_eq!(decide(&line), "ImplicitDeny");
    }
}
