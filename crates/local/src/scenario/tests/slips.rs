use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::Scenario;
use super::{ROLE, USUAL, bounded, caller, outcome, play, slips, usual_with, variables};

#[test]
fn every_slip_is_told_at_once_with_its_key_and_what_was_meant() {
    let text = r#"
        titel = "x"
        row = "7"
        [acounts]
        [accounts.1111.users.ana]
        [accounts.111111111111.roles.orders]
        turst = {}
        policies.all = { Statement = { Effect = "Allow", Action = "s3:*" } }
        [accounts.111111111111.users.bob]
        access_keys = [{ id = 1 }]
        [buckets.lake]
        region = 5
        policy = { Statement = { Effect = "Allow", Principal = "*", Action = "s3:*", Resource = "arn:aws:s3:::lake2/x" } }
        versioning = "enabeld"
        encryption = { kind = "AES256", key = "k" }
        objects = { a = 1, b = { text = "", size = 1 } }
        [caller]
        user = "vendor"
        ended = true
        [machine]
        clock = "soon"
        files = { "../x" = "" }
        [[faults]]
        effect = "error=Tired"
        [[faults]]
        operation = "PutObject"
        [connections]
        a = {}
        b = {}
    "#;
    let told = slips(text);
    for expected in [
        "titel: is not known here",
        "(did you mean title?)",
        "title: is missing",
        "row: must be a row of the catalogue of failures, as in F07",
        "acounts: is not known here",
        "(did you mean accounts?)",
        "accounts.1111: account \"1111\" is not twelve digits",
        "accounts.111111111111.roles.orders.turst: is not known here",
        "accounts.111111111111.roles.orders.trust: is missing",
        "accounts.111111111111.roles.orders.policies.all: is no identity-based policy: ",
        "accounts.111111111111.users.bob: invalid type: integer `1`, expected a string",
        "buckets.lake.account: is missing",
        "buckets.lake.region: must be a text, and is a number",
        "buckets.lake.policy: would not be saved: Policy has invalid resource",
        "buckets.lake.versioning: is \"enabeld\", which is none that is known (allowed: enabled, suspended) (did you mean enabled?)",
        "buckets.lake.encryption.key: is for aws:kms alone",
        "buckets.lake.objects.a: must be a text, or a table, and is a number",
        "buckets.lake.objects.b.size: is for an object without a text",
        "caller.ended: is for a role",
        "caller.user: must be an account and a name, as in 222222222222/vendor, and is \"vendor\"",
        "machine.clock: must be an offset, as in \"-901s\" or \"+20m\", and is \"soon\"",
        "machine.files: \"../x\" is no name of a file",
        "faults[0].effect: aws has no error Tired",
        "faults[1].effect: is missing",
        "target: is missing: there are several connections",
    ] {
        assert!(told.iter().any(|fault| fault.contains(expected)), "{expected}\nis not in\n{}", told.join("\n"));
    }
}

#[test]
fn a_text_that_is_no_scenario_is_told_with_its_line() {
    for (text, expected) in [
        ("title = 1\ntitle = 2", "is no TOML: duplicate key at line 2"),
        ("{\"title\": ", "is no scenario in JSON: EOF while parsing a value at line 1 column 10"),
        ("title = \"x\"", "connections: is missing, and connector too: there is nothing to examine"),
    ] {
        assert_eq!(slips(text), [expected]);
    }
}

#[test]
fn the_headline_is_read_and_what_is_expected_is_kept_as_it_is() {
    let scenario = Scenario::parse("x", &usual_with("row = 'F01'\nabout = 'a'\nexpect = { cause = ['b'] }")).unwrap();
    assert_eq!((scenario.row(), scenario.about(), scenario.target()), (Some("F01"), Some("a"), Some("lake")));
    assert_eq!(scenario.title(), "A role over a user's key");
    assert_eq!(scenario.expect().unwrap()["cause"][0].as_str(), Some("b"));
}

#[tokio::test]
async fn what_only_play_can_see_is_told_at_once_too() {
    bounded(async {
        let refused = |text: String, variables: BTreeMap<String, String>| async move {
            let error = Scenario::parse("test.toml", &text).unwrap().play(&variables).await.unwrap_err();
            fault::Chain(&error).to_string()
        };
        let told = refused(USUAL.to_owned(), BTreeMap::new()).await;
        assert!(told.contains("Condition.StringEquals.sts:ExternalId: names no variable that there is: ${external_id}"), "{told}");
        assert!(told.contains("connections.lake.roles[0].external_id: names no variable"), "{told}");

        let mut odd = variables();
        odd.insert("endpoint".to_owned(), "x".to_owned());
        let told = refused(USUAL.to_owned(), odd).await;
        assert!(told.contains("${endpoint}: is no name for a variable"), "{told}");

        // A user has no session token.
        let text = usual_with("[connections.lake]\nsession_token = '${caller.session_token}'");
        let told = refused(text, variables()).await;
        assert!(told.contains("connections.lake.session_token: names no variable"), "{told}");

        let text = usual_with(
            r#"
            [accounts.111111111111.roles.other.trust]
            Statement = { Effect = "Allow", Principal = { AWS = "arn:aws:iam::222222222222:role/nobody" }, Action = "sts:AssumeRole" }
            [accounts.222222222222.users.bob]
            attached_policies = ["arn:aws:iam::222222222222:policy/none"]
            "#,
        );
        let told = refused(text, variables()).await;
        for expected in ["accounts.111111111111: the trust policy of role other names", "accounts.222222222222: there is no policy"] {
            assert!(told.contains(expected), "{told}");
        }

        let text = usual_with(
            "[buckets.lake]\nencryption = { kind = 'aws:kms', key = 'alias/none' }\n[caller]\nuser = '222222222222/bob'",
        );
        let told = refused(text, variables()).await;
        for expected in ["buckets.lake: there is no key alias/none in us-east-1", "caller: there is no user bob"] {
            assert!(told.contains(expected), "{told}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_example_of_the_documentation_fails_and_is_mended_as_it_says() {
    bounded(async {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/doctor-scenarios.md");
        let page = std::fs::read_to_string(path).unwrap();
        let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let tags = [("ExternalId", "c-7f3"), ("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "data")];
        let told = outcome(&caller(&play(example).await).assume(ROLE, &tags).await);
        assert!(told.contains("is not authorized to perform: sts:TagSession"), "{told}");
        let action = r#"Action = "sts:AssumeRole", Condition"#;
        assert!(example.contains(action));
        let mended = example.replace(action, r#"Action = ["sts:AssumeRole", "sts:TagSession"], Condition"#);
        assert_eq!(outcome(&caller(&play(&mended).await).assume(ROLE, &tags).await), "ok");
    })
    .await;
}

proptest! {
    #[test]
    fn a_scenario_with_a_piece_cut_out_or_another_put_in_is_read_or_refused(
        at in 0..USUAL.len(), length in 0usize..40, with in "[\\[\\]{}=\"'.a-z0-9$\\n]{0,6}",
    ) {
        let end = (at + length).min(USUAL.len());
        let changed = format!("{}{with}{}", &USUAL[..at], &USUAL[end..]);
        if let Err(refused) = Scenario::parse("x", &changed) {
            prop_assert!(!refused.faults.is_empty());
            prop_assert!(!refused.to_string().contains('\n'));
        }
    }
}
