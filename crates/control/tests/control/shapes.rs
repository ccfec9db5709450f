//! Every shape of a trust policy, and what a proof makes of it.

use control::{ProbeKind, State, Verdict};
use serde_json::{Value, json};

use crate::world::{World, allow, bounded, good};

const NONE: &[ProbeKind] = &[];
const ABSENT: &[ProbeKind] = &[ProbeKind::Absent];
const WRONG: &[ProbeKind] = &[ProbeKind::Wrong, ProbeKind::Near];
const NEAR: &[ProbeKind] = &[ProbeKind::Near];
const ALL: &[ProbeKind] = &ProbeKind::FORBIDDEN;

type Trust = fn(&str, &str) -> Value;

/// Name of the role; its statements from principal and right external ID; the verdict; what gets in that must not; words
/// that the reason must hold.
const SHAPES: [(&str, Trust, Verdict, &[ProbeKind], &str); 21] = [
    ("string-equals", good, Verdict::Proven, NONE, "refuses it with none and with wrong ones"),
    (
        "for-any-value",
        |who, right| allow(who, json!({"ForAnyValue:StringEquals": {"sts:ExternalId": right}})),
        Verdict::Proven,
        NONE,
        "",
    ),
    ("no-condition", |who, _| allow(who, Value::Null), Verdict::Open, ALL, "no condition on sts:ExternalId"),
    (
        "another-condition",
        |who, _| allow(who, json!({"StringLike": {"sts:RoleSessionName": "tidegate-*"}})),
        Verdict::Open,
        ALL,
        "no condition on sts:ExternalId",
    ),
    (
        "open-second-statement",
        |who, right| json!([good(who, right), allow(who, Value::Null)]),
        Verdict::Open,
        ALL,
        "a statement of its trust policy",
    ),
    (
        "open-second-statement-for-the-account",
        |who, right| json!([good(who, right), allow("222222222222", Value::Null)]),
        Verdict::Open,
        ALL,
        "",
    ),
    (
        "if-exists",
        |who, right| allow(who, json!({"StringEqualsIfExists": {"sts:ExternalId": right}})),
        Verdict::Open,
        ABSENT,
        "StringEqualsIfExists",
    ),
    (
        "for-all-values",
        |who, right| allow(who, json!({"ForAllValues:StringEquals": {"sts:ExternalId": right}})),
        Verdict::Open,
        ABSENT,
        "ForAllValues",
    ),
    (
        "like-anything",
        |who, _| allow(who, json!({"StringLike": {"sts:ExternalId": "*"}})),
        Verdict::Open,
        WRONG,
        "any external ID will do",
    ),
    (
        "like-the-beginning",
        |who, right| allow(who, json!({"StringLike": {"sts:ExternalId": format!("{}*", &right[..9])}})),
        Verdict::Open,
        NEAR,
        "has a wildcard",
    ),
    (
        "like-the-end",
        |who, right| allow(who, json!({"StringLike": {"sts:ExternalId": format!("*{}", &right[24..])}})),
        Verdict::Open,
        NEAR,
        "has a wildcard",
    ),
    (
        "not-another",
        |who, _| allow(who, json!({"StringNotEquals": {"sts:ExternalId": "another-customer"}})),
        Verdict::Open,
        ALL,
        "only excludes some",
    ),
    ("present", |who, _| allow(who, json!({"Null": {"sts:ExternalId": "false"}})), Verdict::Open, WRONG, "Null: false"),
    (
        "deny-absent",
        |who, _| json!([allow(who, Value::Null), deny(who, &json!({"Null": {"sts:ExternalId": "true"}}))]),
        Verdict::Open,
        WRONG,
        "",
    ),
    (
        "deny-others",
        |who, right| {
            json!([allow(who, Value::Null), deny(who, &json!({"StringNotEquals": {"sts:ExternalId": right}}))])
        },
        Verdict::Proven,
        NONE,
        "",
    ),
    (
        "deny-others-if-exists",
        |who, right| {
            json!([allow(who, Value::Null), deny(who, &json!({"StringNotEqualsIfExists": {"sts:ExternalId": right}}))])
        },
        Verdict::Proven,
        NONE,
        "",
    ),
    // It lets in the right ID in upper case too, which is nobody else's: ours are of lower case.
    (
        "ignore-case",
        |who, right| allow(who, json!({"StringEqualsIgnoreCase": {"sts:ExternalId": right.to_uppercase()}})),
        Verdict::Proven,
        NONE,
        "",
    ),
    ("another-id", |who, _| good(who, "another-customer"), Verdict::Denied, NONE, "one answer for four causes"),
    ("pasted-blank", |who, right| good(who, &format!("{right} ")), Verdict::Denied, NONE, "blanks pasted with it"),
    (
        "placeholder",
        |_, _| json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}),
        Verdict::Denied,
        NONE,
        "still the placeholder",
    ),
    // It refuses the right one, and is open all the same.
    (
        "only-without",
        |who, _| allow(who, json!({"Null": {"sts:ExternalId": "true"}})),
        Verdict::Open,
        ABSENT,
        "though not with the right one",
    ),
];

fn deny(principal: &str, condition: &Value) -> Value {
    json!({"Effect": "Deny", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", "Condition": condition})
}

#[tokio::test]
async fn every_shape_of_a_trust_policy_gets_the_right_verdict() {
    bounded(async {
        let world = World::new().await;
        for (name, trust, verdict, holes, words) in SHAPES {
            let integration = world.with_role(name, trust).await;
            let (integration, proof) = world.verify(&integration).await;
            let found: Vec<_> = integration.holes().collect();
            assert_eq!((proof.verdict, &found[..]), (verdict, holes), "{name}: {proof:#?}");
            assert!(proof.reason.contains(words), "{name}: {}", proof.reason);
            let state = match verdict {
                Verdict::Proven => State::Proven,
                Verdict::Open => State::Refused,
                Verdict::Denied | Verdict::Inconclusive => State::Unproven,
            };
            assert_eq!(integration.state, state, "{name}");
            let usable = world.integrations.connection(&integration.id).await;
            assert_eq!(usable.is_ok(), verdict == Verdict::Proven, "{name}");
            // What is told to be pasted is what mends it.
            world.trust_as_told(&integration).await;
            let (mended, proof) = world.verify(&integration).await;
            assert_eq!(mended.state, State::Proven, "{name}: {}", proof.reason);
        }
    })
    .await;
}

#[tokio::test]
async fn a_proof_keeps_what_was_asked_as_whom_and_what_came_back() {
    bounded(async {
        let world = World::new().await;
        let integration = world.with_role("orders", good).await;
        let (integration, proof) = world.verify(&integration).await;
        assert_eq!(proof.caller.as_deref(), Some(world.user.arn.as_str()));
        assert_eq!(proof.external_id, integration.external_ids[0].value.as_str());
        let kinds: Vec<_> = proof.probes.iter().map(|probe| probe.kind).collect();
        assert_eq!(kinds, [ProbeKind::Right, ProbeKind::Absent, ProbeKind::Wrong, ProbeKind::Near]);
        for probe in &proof.probes {
            assert_eq!((probe.attempts, probe.request_ids.len()), (1, 1), "{probe:?}");
        }
        // As it was written down, so it is read.
        let read = world.integrations.get(&integration.id).await.unwrap();
        assert_eq!(read.last_proof, Some(proof));
        let role = world.integrations.connection(&integration.id).await.unwrap();
        assert_eq!(role.external_id.as_deref(), Some(integration.external_ids[0].value.as_str()));
        assert_eq!(role.session_name, format!("tidegate-{}", integration.id));
    })
    .await;
}

#[tokio::test]
async fn a_role_that_is_not_there_and_a_right_that_we_lack_are_both_denied() {
    bounded(async {
        let world = World::new().await;
        let (_, proof) = world.verify(&world.integration("nowhere").await).await;
        assert_eq!(proof.verdict, Verdict::Denied);
        assert!(proof.reason.contains("there is no role arn:aws:iam::111111111111:role/nowhere"), "{}", proof.reason);

        let vendor = world.aws.account(crate::world::VENDOR.parse().unwrap());
        let poor = vendor.user("poor").create().await.unwrap();
        let new = control::NewIntegration {
            display_name: "poor".into(),
            environment: "test".into(),
            principal: poor.arn.as_str().into(),
            role: Some("arn:aws:iam::111111111111:role/poor".into()),
        };
        let integration = world.integrations.create(new).await.unwrap();
        let trust = integration.trust_policy(world.integrations.now()).to_string();
        world.customer().role("poor", &trust).create().await.unwrap();
        let prover = world.prover_as(&poor).with_patience(crate::world::AT_ONCE);
        let (_, proof) = world.integrations.verify(&integration.id, &prover).await.unwrap();
        assert_eq!(proof.verdict, Verdict::Denied);
        assert!(proof.reason.contains("do not allow sts:AssumeRole"), "{}", proof.reason);
    })
    .await;
}

#[tokio::test]
async fn another_callers_proof_is_none() {
    bounded(async {
        let world = World::new().await;
        let integration = world.with_role("orders", good).await;
        let vendor = world.aws.account(crate::world::VENDOR.parse().unwrap());
        let other = vendor.user("other").create().await.unwrap();
        let prover = world.prover_as(&other).with_patience(crate::world::AT_ONCE);
        let (integration, proof) = world.integrations.verify(&integration.id, &prover).await.unwrap();
        assert_eq!((proof.verdict, integration.state), (Verdict::Inconclusive, State::Unproven));
        assert!(proof.reason.contains("acts as arn:aws:iam::222222222222:user/other here"), "{}", proof.reason);
        assert!(proof.probes.is_empty(), "nothing is tried");
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_hands_on_tags_and_a_source_identity_is_let_in_by_the_policy_as_told() {
    bounded(async {
        let world = World::new().await;
        let vendor = world.aws.account(crate::world::VENDOR.parse().unwrap());
        let all = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"];
        let may = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": all, "Resource": "*"}});
        let user = vendor.user("node").policy(&may.to_string()).create().await.unwrap();
        let trust = json!({"Version": "2012-10-17", "Statement":
            {"Effect": "Allow", "Principal": {"AWS": user.arn.as_str()}, "Action": all}});
        let pod = vendor.role("pod", &trust.to_string()).path("/eks/").policy(&may.to_string());
        let pod = pod.create().await.unwrap();
        let hop = identity::AssumeRole {
            tags: vec![("namespace".into(), "tidegate".into())],
            transitive_tag_keys: vec!["namespace".into()],
            source_identity: Some("node-1".into()),
            ..identity::AssumeRole::new(pod.as_str(), "i-0abc")
        };
        let prover = world.prover_through(&user, vec![hop]).with_patience(crate::world::AT_ONCE);
        let new = control::NewIntegration {
            display_name: "orders".into(),
            environment: "test".into(),
            principal: pod.as_str().into(),
            role: Some("arn:aws:iam::111111111111:role/orders".into()),
        };
        let made = world.integrations.create(new).await.unwrap();
        let short = json!({"Version": "2012-10-17", "Statement":
            crate::world::good(pod.as_str(), made.external_ids[0].value.as_str())});
        world.customer().role("orders", &short.to_string()).create().await.unwrap();
        let (_, proof) = world.integrations.verify(&made.id, &prover).await.unwrap();
        assert_eq!(proof.verdict, Verdict::Denied);
        assert!(proof.reason.contains("hands on session tags"), "{}", proof.reason);
        world.trust_as_told(&made).await;
        let (good, proof) = world.integrations.verify(&made.id, &prover).await.unwrap();
        assert_eq!(good.state, State::Proven, "{}", proof.reason);
        assert_eq!(proof.caller.as_deref(), Some("arn:aws:sts::222222222222:assumed-role/pod/i-0abc"));
    })
    .await;
}
