use super::super::Scenario;
use super::{ROLE, USUAL, asked, assumed, bounded, caller, connection, outcome, play, usual_with, variables};

#[tokio::test]
async fn the_usual_stage_works_from_end_to_end() {
    bounded(async {
        let stage = play(USUAL).await;
        let session = assumed(&stage).await;
        assert_eq!(session.get("/lake/topics/a").await.text(), "one");
        assert_eq!(outcome(&session.put("/lake/topics/c", "three").await), "ok");
        let connection = connection(&stage);
        assert_eq!((connection["kind"].as_str(), connection["region"].as_str()), (Some("keys"), Some("us-east-1")));
        assert_eq!(connection["endpoints"]["sts"].as_str(), Some(&*stage.aws().endpoint()));
        assert_eq!(connection["roles"][0]["external_id"].as_str(), Some("c-7f3"));
        assert_ne!(stage.environment().get("AWS_EC2_METADATA_SERVICE_ENDPOINT"), Some(stage.aws().endpoint()));
        assert!(stage.connector().is_none());
        let upload = session.post("/lake/large?uploads", "").await;
        assert_eq!(upload.status, 200);
        let contents = stage.bucket("lake").unwrap();
        assert_eq!(
            (contents.keys.as_slice(), contents.versions, contents.uploads),
            (&["topics/a", "topics/b", "topics/c"].map(str::to_owned)[..], 3, 1)
        );
        assert_eq!(stage.bucket("none"), None);
        // What is shown of a stage holds no key.
        let secret = connection["secret_access_key"].as_str().unwrap();
        assert!(stage.connections().contains(secret) && !format!("{stage:?}").contains(secret));
    })
    .await;
}

#[tokio::test]
async fn one_stage_knows_nothing_of_another_and_leaves_no_files() {
    bounded(async {
        let text =
            usual_with("[machine.files]\n'token' = 'for ${endpoint}'\n[machine.environment]\nTOKEN = '${dir}/token'");
        let (first, second) = (play(&text).await, play(&text).await);
        let path = first.environment().get("TOKEN").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("for {}", first.aws().endpoint()));
        assert_ne!(second.environment().get("TOKEN").unwrap(), path);
        // The key of one is nobody's at the other.
        let stranger = crate::aws::tests::client::Client { address: second.aws().address(), ..caller(&first) };
        assert!(asked(&stranger, "GET", "/lake").await.starts_with("403 InvalidAccessKeyId"));
        drop(first);
        assert!(!std::path::Path::new(&path).exists());
    })
    .await;
}

#[tokio::test]
async fn a_scenario_that_takes_one_thing_away_is_refused_as_aws_refuses_it() {
    bounded(async {
        let trusts = |statement: &str| {
            format!("[accounts.111111111111.roles.orders.trust]\nStatement = {{ Effect = 'Allow', Principal = {{ AWS = '222222222222' }}, {statement} }}")
        };
        let user = "arn:aws:iam::222222222222:user/vendor";
        let denied = format!("403 AccessDenied: User: {user} is not authorized to perform: sts:AssumeRole on resource: {ROLE}");
        for (row, more, form, expected) in [
            // A stale external ID.
            ("F01", trusts("Action = 'sts:AssumeRole', Condition = { StringEquals = { 'sts:ExternalId' = 'old' } }"), vec![], &*denied),
            ("F02", trusts("Action = 'sts:AssumeRole'"), vec![], "ok"),
            ("F05", "[accounts.111111111111.roles.orders]\ntrusted_ids = { 'arn:aws:iam::222222222222:user/vendor' = 'AIDAOLD' }\n[accounts.111111111111.roles.orders.trust]\nStatement = { Effect = 'Allow', Principal = { AWS = 'arn:aws:iam::222222222222:user/vendor' }, Action = 'sts:AssumeRole' }".to_owned(), vec![], &denied),
            ("F07", trusts("Action = 'sts:AssumeRole'"), vec![("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "data")],
                "403 AccessDenied: User: arn:aws:iam::222222222222:user/vendor is not authorized to perform: sts:TagSession on resource: arn:aws:iam::111111111111:role/orders"),
            ("F10", String::new(), vec![("DurationSeconds", "7200")],
                "400 ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role."),
            ("F12", "[caller]\nroot = '222222222222'".to_owned(), vec![], "403 AccessDenied: Roles may not be assumed by root accounts."),
            ("F13", "[accounts.222222222222.users.vendor.policies.all]\nStatement = { Effect = 'Allow', Action = 's3:*', Resource = '*' }".to_owned(), vec![], &denied),
            ("F14", trusts("Action = 'sts:AssumeRole', Condition = { Bool = { 'aws:MultiFactorAuthPresent' = 'true' } }"), vec![], &denied),
            ("F16", trusts("Action = 'sts:AssumeRole', Condition = { DateLessThan = { 'aws:CurrentTime' = '2020-01-01T00:00:00Z' } }"), vec![], &denied),
            ("F17", "[accounts.111111111111.roles.orders]\ntrust = '{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"222222222222\"},\"Action\":\"sts:AssumeRole\"},{\"Effect\":\"Deny\",\"Principal\":{\"AWS\":\"*\"},\"Action\":\"sts:AssumeRole\"}]}'".to_owned(), vec![], &denied),
            ("F72", "[accounts.222222222222.roles.base]\ntrust = { Statement = { Effect = 'Allow', Principal = { Service = 'ec2.amazonaws.com' }, Action = 'sts:AssumeRole' } }\n[caller]\nrole = '222222222222/base'\nended = true".to_owned(), vec![],
                "403 ExpiredToken: The security token included in the request is expired"),
        ] {
            let stage = play(&usual_with(&more)).await;
            let form: Vec<(&str, &str)> = [vec![("ExternalId", "c-7f3")], form].concat();
            assert_eq!(outcome(&caller(&stage).assume(ROLE, &form).await), expected, "{row}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_role_that_takes_on_a_role_is_held_to_an_hour() {
    bounded(async {
        let text = usual_with(
            r#"
            [accounts.222222222222.roles.base]
            trust = { Statement = { Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" } }
            policies.all = { Statement = { Effect = "Allow", Action = "*", Resource = "*" } }
            [accounts.111111111111.roles.orders]
            max_session_seconds = 43200
            [caller]
            role = "222222222222/base"
            session_name = "i-1"
            "#,
        );
        let stage = play(&text).await;
        let base = caller(&stage);
        let identity = base.sts(&[("Action", "GetCallerIdentity")]).await;
        assert_eq!(identity.element("Arn"), "arn:aws:sts::222222222222:assumed-role/base/i-1");
        let long = [("ExternalId", "c-7f3"), ("DurationSeconds", "7200")];
        let told = outcome(&base.assume(ROLE, &long).await);
        assert!(told.contains("exceeds the 1 hour session limit for roles assumed by role chaining"), "{told}");
        assumed(&stage).await;
    })
    .await;
}

#[tokio::test]
async fn keys_may_be_damaged_and_stand_in_the_environment() {
    bounded(async {
        // F25: a session's keys without its token. F24: a user's session, which IAM does not take.
        let text = usual_with(
            "[caller]\nuser = '222222222222/vendor'\nsession = true\n[connections.lake]\naccess_key_id = '${caller.access_key_id}'\nsecret_access_key = '${caller.secret_access_key}'\n[machine.environment]\nAWS_SESSION_TOKEN = '${caller.session_token}'",
        );
        let stage = play(&text).await;
        let mut client = caller(&stage);
        assert!(client.key_id.starts_with("ASIA") && client.token.is_none());
        let told = outcome(&client.sts(&[("Action", "GetCallerIdentity")]).await);
        assert!(told.starts_with("403 InvalidClientTokenId"), "{told}");
        client.token = stage.environment().get("AWS_SESSION_TOKEN");
        assert_eq!(outcome(&client.sts(&[("Action", "GetCallerIdentity")]).await), "ok");
        assert!(outcome(&client.iam("ListRoles", &[]).await).starts_with("403 InvalidClientTokenId"));
        // A kind of one's own gets no keys.
        let stage = play(&usual_with("[connections.lake]\nkind = 'default-chain'")).await;
        assert!(connection(&stage).get("access_key_id").is_none());
    })
    .await;
}

#[tokio::test]
async fn the_machine_s_clock_is_off_and_faults_strike() {
    bounded(async {
        let stage = play(&usual_with("[machine]\nclock = '-901s'")).await;
        let told = outcome(&caller(&stage).assume(ROLE, &[("ExternalId", "c-7f3")]).await);
        assert!(told.starts_with("403 SignatureDoesNotMatch: Signature expired"), "{told}");
        let text =
            usual_with("[[faults]]\neffect = 'error=SlowDown'\noperation = 'GetObject'\nkey = 'topics/*'\ncount = 1");
        let stage = play(&text).await;
        let session = assumed(&stage).await;
        assert!(asked(&session, "GET", "/lake/topics/a").await.starts_with("503 SlowDown"));
        assert_eq!(asked(&session, "GET", "/lake/topics/a").await, "ok");
    })
    .await;
}

#[tokio::test]
async fn a_connector_is_filled_in_and_needs_no_connection() {
    bounded(async {
        let text = USUAL.split("[connections.lake]").next().unwrap();
        let text = format!(
            "{text}\n[connector]\n'store.url' = '${{endpoint.s3}}'\n'aws.access.key.id' = '${{caller.access_key_id}}'"
        );
        let scenario = Scenario::parse("x", &text).unwrap();
        assert_eq!(scenario.target(), None);
        let stage = scenario.play(&variables()).await.unwrap();
        let connector: serde_json::Value = serde_json::from_str(stage.connector().unwrap()).unwrap();
        assert_eq!(connector["store.url"].as_str(), Some(&*stage.aws().endpoint()));
        assert!(connector["aws.access.key.id"].as_str().unwrap().starts_with("AKIA"));
    })
    .await;
}

#[tokio::test]
async fn what_is_damaged_or_too_large_is_refused_in_aws_s_words() {
    bounded(async {
        // F27: a blank inside a key.
        let text = usual_with("[connections.lake]\naccess_key_id = 'AKIA 1234'\nsecret_access_key = 's'");
        let told = outcome(&caller(&play(&text).await).sts(&[("Action", "GetCallerIdentity")]).await);
        assert!(told.contains("not a valid key=value pair"), "{told}");
        // F19: tags that do not fit.
        let stage = play(&usual_with("[accounts.111111111111.roles.orders.trust]\nStatement = { Effect = 'Allow', Principal = { AWS = '222222222222' }, Action = ['sts:AssumeRole', 'sts:TagSession'] }")).await;
        let tags: Vec<(String, String)> = (1..=20)
            .flat_map(|n| [(format!("Tags.member.{n}.Key"), format!("k{n}")), (format!("Tags.member.{n}.Value"), "v".repeat(256))])
            .collect();
        let tags: Vec<(&str, &str)> = tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let told = outcome(&caller(&stage).assume(ROLE, &tags).await);
        assert!(told.starts_with("400 PackedPolicyTooLarge: Packed size of session tags consumes"), "{told}");
    })
    .await;
}
