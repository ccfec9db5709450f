//! One example a rule of AWS's pages on how policies are evaluated.

use serde_json::json;

use crate::line::{
    FEDERATED, KEY, OBJECT, ORDERS, OTHER, OWN, ROLE, SESSION, STRANGER, USER, allow, answer, ask, check, deny,
    on_condition, policy, to, trusting,
};

const GET: &str = "s3:GetObject";

#[test]
fn the_contracts_own_example_is_answered_as_it_says() {
    let line = r#"{"id":"1","identityPolicies":[{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::b/*"}]}],"request":{"action":"s3:GetObject","resource":"arn:aws:s3:::b/k","resourceAccount":"111111111111","principal":"arn:aws:iam::111111111111:user/ana","context":{}}}"#;
    let answer = serde_json::to_string(&iam::answer(line.as_bytes())).unwrap();
    assert_eq!(answer, r#"{"id":"1","decision":"Allow","reason":"identity-based policy 1, statement 1"}"#);
}

#[test]
fn within_one_account_either_policy_may_allow_and_any_may_deny() {
    let get = || ask(USER, GET, OBJECT);
    let user = json!({"AWS": USER});
    check(vec![
        ("nothing allows", get(), "ImplicitDeny"),
        ("the identity policy alone allows", get().identity(&allow(GET)), "Allow"),
        ("any of several identity policies allows", get().identity(&allow("s3:Put*")).identity(&allow(GET)), "Allow"),
        ("the bucket's policy alone allows", get().with("resourcePolicy", &to(&user, allow(GET))), "Allow"),
        (
            "naming the account hands the decision to identity policies",
            get().with("resourcePolicy", &to(&json!({"AWS": OWN}), allow(GET))),
            "ImplicitDeny",
        ),
        (
            "everybody is also everybody of the account",
            get().with("resourcePolicy", &to(&json!("*"), allow(GET))),
            "Allow",
        ),
        ("a deny wins in one policy", get().identity(&json!([allow(GET), deny(GET)])), "ExplicitDeny"),
        ("a deny wins in whatever order", get().identity(&json!([deny(GET), allow(GET)])), "ExplicitDeny"),
        (
            "a deny of the bucket wins over the identity policy",
            get().identity(&allow(GET)).with("resourcePolicy", &to(&json!({"AWS": OWN}), deny(GET))),
            "ExplicitDeny",
        ),
        ("a deny is one also where nothing allows", get().identity(&deny(GET)), "ExplicitDeny"),
        ("a deny of something else is none", get().identity(&json!([allow(GET), deny("s3:Put*")])), "Allow"),
        (
            "a user's name has a case",
            ask(&USER.replace("ana", "Ana"), GET, OBJECT).with("resourcePolicy", &to(&user, allow(GET))),
            "ImplicitDeny",
        ),
    ]);
}

#[test]
fn across_accounts_both_must_allow() {
    let get = || ask(STRANGER, GET, OBJECT);
    let granted = |principal| to(&json!({"AWS": principal}), allow(GET));
    check(vec![
        ("identity alone", get().identity(&allow(GET)), "ImplicitDeny"),
        ("the bucket alone", get().with("resourcePolicy", &granted(STRANGER)), "ImplicitDeny"),
        ("the bucket alone, to everybody", get().with("resourcePolicy", &granted("*")), "ImplicitDeny"),
        ("both", get().identity(&allow(GET)).with("resourcePolicy", &granted(STRANGER)), "Allow"),
        ("both, by account", get().identity(&allow(GET)).with("resourcePolicy", &granted(OTHER)), "Allow"),
        ("both, another account", get().identity(&allow(GET)).with("resourcePolicy", &granted(OWN)), "ImplicitDeny"),
        (
            "the boundary limits, however closely the bucket names the caller",
            get()
                .identity(&allow(GET))
                .with("resourcePolicy", &granted(STRANGER))
                .with("permissionBoundary", &allow("ec2:*")),
            "ImplicitDeny",
        ),
        (
            "a deny on either side",
            get().identity(&json!([allow(GET), deny("s3:*")])).with("resourcePolicy", &granted(STRANGER)),
            "ExplicitDeny",
        ),
        (
            "S3's ARNs do not say whose a bucket is",
            ask(USER, GET, OBJECT).owned_by(OTHER).identity(&allow(GET)),
            "ImplicitDeny",
        ),
    ]);
}

#[test]
fn how_far_a_grant_of_the_resource_reaches_depends_on_whom_it_names() {
    let narrow = || allow("ec2:*");
    let federated = json!({"AWS": FEDERATED});
    let by = |caller, principal| {
        ask(caller, GET, OBJECT).with("resourcePolicy", &to(&json!({"AWS": principal}), allow(GET)))
    };
    let boundary = "permissionBoundary";
    let session = "sessionPolicy";
    check(vec![
        ("a user, against the boundary", by(USER, USER).with(boundary, &narrow()), "Allow"),
        ("a role, against the boundary", by(SESSION, ROLE).with(boundary, &narrow()), "ImplicitDeny"),
        ("a role, against the session policy", by(SESSION, ROLE).with(session, &narrow()), "ImplicitDeny"),
        (
            "a role needs no identity policy",
            by(SESSION, ROLE).with(boundary, &allow("*")).with(session, &allow("*")),
            "Allow",
        ),
        ("a role's session, against the boundary", by(SESSION, SESSION).with(boundary, &narrow()), "Allow"),
        ("a role's session, against the session policy", by(SESSION, SESSION).with(session, &narrow()), "Allow"),
        ("another session of the role", by(SESSION, &SESSION.replace("one", "two")), "ImplicitDeny"),
        (
            "a federated session, against both",
            by(FEDERATED, FEDERATED).with(boundary, &narrow()).with(session, &narrow()),
            "Allow",
        ),
        (
            "the user who made the federated session, against the session policy",
            by(FEDERATED, USER).with(session, &narrow()),
            "ImplicitDeny",
        ),
        (
            "the user who made the federated session, against the boundary",
            by(FEDERATED, USER).with(session, &allow("*")).with(boundary, &narrow()),
            "ImplicitDeny",
        ),
        ("the user who made the federated session", by(FEDERATED, USER).with(session, &allow(GET)), "Allow"),
        (
            "everybody on a condition of aws:PrincipalArn, against the boundary",
            ask(SESSION, GET, OBJECT)
                .with(
                    "resourcePolicy",
                    &on_condition(to(&json!("*"), allow(GET)), &json!({"ArnEquals": {"aws:PrincipalArn": ROLE}})),
                )
                .key("aws:PrincipalArn", ROLE)
                .with(boundary, &narrow()),
            "Allow",
        ),
        (
            "the closest of several grants counts",
            ask(SESSION, GET, OBJECT)
                .with(
                    "resourcePolicy",
                    &json!([OWN, ROLE, SESSION, ROLE, OWN].map(|who| to(&json!({"AWS": who}), allow(GET)))),
                )
                .with(boundary, &narrow()),
            "Allow",
        ),
        ("an explicit deny of the boundary stands", by(USER, USER).with(boundary, &deny("s3:*")), "ExplicitDeny"),
        (
            "an explicit deny of the session policy stands",
            by(SESSION, SESSION).with(session, &deny("s3:*")),
            "ExplicitDeny",
        ),
        (
            "a federated session may be denied",
            ask(FEDERATED, GET, OBJECT)
                .with(session, &allow(GET))
                .identity(&allow(GET))
                .with("resourcePolicy", &to(&federated, deny(GET))),
            "ExplicitDeny",
        ),
    ]);
}

#[test]
fn boundaries_and_session_policies_narrow_what_identity_policies_allow() {
    let get = |caller| ask(caller, GET, OBJECT).identity(&allow("s3:*"));
    check(vec![
        ("the boundary allows too", get(USER).with("permissionBoundary", &allow(GET)), "Allow"),
        ("the boundary does not", get(USER).with("permissionBoundary", &allow("s3:Put*")), "ImplicitDeny"),
        (
            "the boundary alone grants nothing",
            ask(USER, GET, OBJECT).with("permissionBoundary", &allow("*")),
            "ImplicitDeny",
        ),
        ("the session policy allows too", get(SESSION).with("sessionPolicy", &allow(GET)), "Allow"),
        ("the session policy does not", get(SESSION).with("sessionPolicy", &allow("s3:Put*")), "ImplicitDeny"),
        (
            "the session policy alone grants nothing",
            ask(SESSION, GET, OBJECT).with("sessionPolicy", &allow("*")),
            "ImplicitDeny",
        ),
        ("a role's session needs no session policy", get(SESSION), "Allow"),
        ("a federated session does", get(FEDERATED), "ImplicitDeny"),
        ("a federated session with one", get(FEDERATED).with("sessionPolicy", &allow(GET)), "Allow"),
        (
            "all three",
            get(SESSION).with("sessionPolicy", &allow(GET)).with("permissionBoundary", &allow("s3:Get*")),
            "Allow",
        ),
    ]);
}

#[test]
fn control_and_endpoint_policies_must_allow_and_grant_nothing() {
    let get = || ask(USER, GET, OBJECT).identity(&allow(GET));
    let rcp = |action| to(&json!("*"), deny(action));
    let through = |statement| get().with("endpointPolicy", &statement);
    check(vec![
        ("no organisation", get(), "Allow"),
        ("each level allows", get().level("scps", &[allow("*")]).level("scps", &[allow("s3:*")]), "Allow"),
        ("one level does not", get().level("scps", &[allow("*")]).level("scps", &[allow("ec2:*")]), "ImplicitDeny"),
        ("one level is empty", get().level("scps", &[allow("*")]).level("scps", &[]), "ImplicitDeny"),
        ("within a level one policy is enough", get().level("scps", &[allow("ec2:*"), allow("s3:*")]), "Allow"),
        ("a level denies", get().level("scps", &[allow("*"), deny(GET)]), "ExplicitDeny"),
        ("they grant nothing", ask(USER, GET, OBJECT).level("scps", &[allow("*")]), "ImplicitDeny"),
        (
            "they bind what the resource's policy grants",
            ask(USER, GET, OBJECT)
                .with("resourcePolicy", &to(&json!({"AWS": USER}), allow(GET)))
                .level("scps", &[allow("ec2:*")]),
            "ImplicitDeny",
        ),
        (
            "they do not bind services",
            ask("logs.amazonaws.com", "s3:PutObject", OBJECT)
                .with("resourcePolicy", &to(&json!({"Service": "logs.amazonaws.com"}), allow("s3:PutObject")))
                .level("scps", &[deny("*")]),
            "Allow",
        ),
        ("AWS's own RCP is understood", get().level("rcps", &[]), "Allow"),
        ("AWS's own RCP may be there", get().level("rcps", &[to(&json!("*"), allow("*"))]), "Allow"),
        ("an RCP denies", get().level("rcps", &[]).level("rcps", &[rcp("s3:*")]), "ExplicitDeny"),
        ("an RCP denies something else", get().level("rcps", &[rcp("sqs:*")]), "Allow"),
        (
            "an RCP binds the anonymous",
            ask("anonymous", GET, OBJECT)
                .with("resourcePolicy", &to(&json!("*"), allow(GET)))
                .level("rcps", &[rcp(GET)]),
            "ExplicitDeny",
        ),
        (
            "a role that a service made for itself obeys none",
            ask("arn:aws:sts::111111111111:assumed-role/AWSServiceRoleForX/x", GET, OBJECT)
                .key(
                    "aws:PrincipalArn",
                    "arn:aws:iam::111111111111:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX",
                )
                .identity(&allow(GET))
                .level("scps", &[deny("*")])
                .level("rcps", &[rcp("s3:*")]),
            "Allow",
        ),
        (
            "RCPs do not touch the retiring of grants",
            ask(USER, "kms:RetireGrant", KEY)
                .with("resourcePolicy", &to(&json!({"AWS": USER}), allow("kms:*")))
                .level("rcps", &[rcp("kms:*")]),
            "Allow",
        ),
        ("the endpoint allows", through(to(&json!("*"), allow("s3:*"))), "Allow"),
        ("the endpoint does not", through(to(&json!("*"), allow("s3:Put*"))), "ImplicitDeny"),
        ("the endpoint allows somebody else", through(to(&json!({"AWS": STRANGER}), allow("*"))), "ImplicitDeny"),
        (
            "the endpoint denies",
            through(json!([to(&json!("*"), allow("*")), to(&json!("*"), deny(GET))])),
            "ExplicitDeny",
        ),
        (
            "the endpoint grants nothing",
            ask(USER, GET, OBJECT).with("endpointPolicy", &to(&json!("*"), allow("*"))),
            "ImplicitDeny",
        ),
    ]);
}

#[test]
fn a_role_and_a_key_must_themselves_name_the_caller() {
    let assume = |caller| ask(caller, "sts:AssumeRole", ORDERS);
    let decrypt = |caller| ask(caller, "kms:Decrypt", KEY);
    let trust = |principal| trusting(&json!({"AWS": principal}), "sts:AssumeRole");
    let key = |principal| to(&json!({"AWS": principal}), allow("kms:*"));
    check(vec![
        ("identity alone, and no trust policy known", assume(USER).identity(&allow("*")), "ImplicitDeny"),
        ("the trust policy names the user", assume(USER).with("trustPolicy", &trust(USER)), "Allow"),
        ("the trust policy names the account", assume(USER).with("trustPolicy", &trust(OWN)), "ImplicitDeny"),
        (
            "the trust policy names the account, identity allows",
            assume(USER).identity(&allow("sts:*")).with("trustPolicy", &trust(OWN)),
            "Allow",
        ),
        (
            "the trust policy names somebody else",
            assume(USER).identity(&allow("*")).with("trustPolicy", &trust(STRANGER)),
            "ImplicitDeny",
        ),
        ("across accounts it takes both", assume(STRANGER).with("trustPolicy", &trust(STRANGER)), "ImplicitDeny"),
        (
            "across accounts with both",
            assume(STRANGER).identity(&allow("*")).with("trustPolicy", &trust(OTHER)),
            "Allow",
        ),
        (
            "a role does not trust itself",
            ask(SESSION, "sts:AssumeRole", ROLE).identity(&allow("*")).with("trustPolicy", &trust(USER)),
            "ImplicitDeny",
        ),
        (
            "an unsigned call assumes nothing",
            assume("anonymous").with("trustPolicy", &trusting(&json!({"AWS": "*"}), "sts:AssumeRole")),
            "ImplicitDeny",
        ),
        (
            "tags need their own permission",
            ask(USER, "sts:TagSession", ORDERS).with("trustPolicy", &trust(USER)),
            "ImplicitDeny",
        ),
        (
            "a source identity across accounts needs it on both sides",
            ask(STRANGER, "sts:SetSourceIdentity", ORDERS)
                .identity(&allow("sts:AssumeRole"))
                .with("trustPolicy", &trusting(&json!({"AWS": STRANGER}), "sts:SetSourceIdentity")),
            "ImplicitDeny",
        ),
        ("identity alone on a key", decrypt(USER).identity(&allow("kms:*")), "ImplicitDeny"),
        (
            "identity alone on a key whose policy names others",
            decrypt(USER).identity(&allow("*")).with("resourcePolicy", &key(STRANGER)),
            "ImplicitDeny",
        ),
        (
            "the key names the account, identity allows",
            decrypt(USER).identity(&allow("kms:*")).with("resourcePolicy", &key(OWN)),
            "Allow",
        ),
        ("the key names the account alone", decrypt(USER).with("resourcePolicy", &key(OWN)), "ImplicitDeny"),
        ("the key names the user", decrypt(USER).with("resourcePolicy", &key(USER)), "Allow"),
        ("what is no key is not so strict", ask(USER, "kms:ListKeys", "*").identity(&allow("kms:*")), "Allow"),
        (
            "an alias is no key",
            ask(USER, "kms:DeleteAlias", &KEY.replace("key/1", "alias/a")).identity(&allow("kms:*")),
            "Allow",
        ),
    ]);
}

#[test]
fn services_providers_and_the_anonymous_live_by_the_resources_word() {
    let provider = "arn:aws:iam::111111111111:oidc-provider/token.example.com";
    let web = || ask(provider, "sts:AssumeRoleWithWebIdentity", ORDERS);
    let federated = json!({"Federated": provider});
    let condition = json!({"StringEquals": {"token.example.com:aud": "sts.amazonaws.com"}});
    let trust = on_condition(trusting(&federated, "sts:AssumeRoleWithWebIdentity"), &condition);
    let service = |name: &str| trusting(&json!({"Service": ["ecs.amazonaws.com", name]}), "sts:AssumeRole");
    let ec2 = || ask("ec2.amazonaws.com", "sts:AssumeRole", ORDERS);
    let public = to(&json!("*"), allow(GET));
    check(vec![
        (
            "a token of the right audience",
            web().with("trustPolicy", &trust).key("token.example.com:aud", "sts.amazonaws.com"),
            "Allow",
        ),
        (
            "a token of another audience",
            web().with("trustPolicy", &trust).key("token.example.com:aud", "x"),
            "ImplicitDeny",
        ),
        (
            "a token of a provider elsewhere",
            web().owned_by(OTHER).with("trustPolicy", &trusting(&federated, "sts:*")),
            "ImplicitDeny",
        ),
        (
            "a token signs no other call",
            ask(provider, "sts:AssumeRole", ORDERS).with("trustPolicy", &trusting(&federated, "sts:*")),
            "ImplicitDeny",
        ),
        (
            "a token reads no object",
            ask(provider, GET, OBJECT).with("resourcePolicy", &to(&json!("*"), allow(GET))),
            "ImplicitDeny",
        ),
        ("a token without one", web().with("trustPolicy", &trust), "ImplicitDeny"),
        (
            "a provider that AWS knows by its domain",
            ask("accounts.google.com", "sts:AssumeRoleWithWebIdentity", ORDERS).with(
                "trustPolicy",
                &trusting(&json!({"Federated": "accounts.google.com"}), "sts:AssumeRoleWithWebIdentity"),
            ),
            "Allow",
        ),
        ("a service that is named", ec2().with("trustPolicy", &service("ec2.amazonaws.com")), "Allow"),
        ("a service that is not", ec2().with("trustPolicy", &service("lambda.amazonaws.com")), "ImplicitDeny"),
        (
            "a service is of no account",
            ec2().with("trustPolicy", &trusting(&json!({"AWS": OWN}), "sts:AssumeRole")),
            "ImplicitDeny",
        ),
        ("the anonymous, where everybody may", ask("anonymous", GET, OBJECT).with("resourcePolicy", &public), "Allow"),
        ("the anonymous, without a policy", ask("anonymous", GET, OBJECT), "ImplicitDeny"),
        (
            "the anonymous, where everybody of an account may",
            ask("anonymous", GET, OBJECT).with("resourcePolicy", &to(&json!({"AWS": OWN}), allow(GET))),
            "ImplicitDeny",
        ),
    ]);
}

#[test]
fn not_principal_spares_whom_it_names_unless_they_have_a_boundary() {
    let get = || ask(USER, GET, OBJECT).identity(&allow(GET));
    let except = |principals| json!({"Effect": "Deny", "NotPrincipal": principals, "Action": "s3:*", "Resource": "*"});
    let root = format!("arn:aws:iam::{OWN}:root");
    let spared = except(json!({"AWS": [USER, root]}));
    check(vec![
        ("the named", get().with("resourcePolicy", &spared), "Allow"),
        (
            "another of the same account",
            ask(&USER.replace("ana", "eve"), GET, OBJECT).identity(&allow(GET)).with("resourcePolicy", &spared),
            "ExplicitDeny",
        ),
        ("a service", ask("logs.amazonaws.com", GET, OBJECT).with("resourcePolicy", &spared), "ExplicitDeny"),
        (
            "the named, with a boundary",
            get().with("permissionBoundary", &allow("*")).with("resourcePolicy", &spared),
            "ExplicitDeny",
        ),
        (
            "a session, named with its role and account",
            ask(SESSION, GET, OBJECT)
                .identity(&allow(GET))
                .with("resourcePolicy", &except(json!({"AWS": [SESSION, ROLE, OWN]}))),
            "Allow",
        ),
    ]);
}

#[test]
fn some_calls_no_policy_can_forbid_or_allow() {
    let who = |caller| ask(caller, "sts:GetCallerIdentity", "*");
    let root = "arn:aws:iam::111111111111:root";
    let managed = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    check(vec![
        ("GetCallerIdentity needs no policy", who(USER), "Allow"),
        (
            "GetCallerIdentity cannot be denied",
            who(SESSION).identity(&deny("*")).with("sessionPolicy", &deny("*")).level("scps", &[deny("*")]),
            "Allow",
        ),
        ("GetCallerIdentity needs somebody", who("anonymous"), "ImplicitDeny"),
        ("an invalid document spoils even that", who(USER).identity(&json!({"Effect": "Allow"})), "Invalid"),
        ("GetSessionToken needs no permission", ask(USER, "sts:GetSessionToken", "*"), "Allow"),
        ("the root may do everything in its account", ask(root, GET, OBJECT), "Allow"),
        ("the root obeys its organisation", ask(root, GET, OBJECT).level("scps", &[deny("s3:*")]), "ExplicitDeny"),
        (
            "the root assumes no role",
            ask(root, "sts:AssumeRole", ORDERS).with("trustPolicy", &trusting(&json!({"AWS": OWN}), "sts:AssumeRole")),
            "ImplicitDeny",
        ),
        ("AWS's policies are read by everybody", ask(USER, "iam:GetPolicy", managed).identity(&allow("*")), "Allow"),
        (
            "AWS's policies are changed by nobody",
            ask(USER, "iam:DeletePolicy", managed).identity(&allow("*")),
            "ImplicitDeny",
        ),
        (
            "AWS's aliases are changed by nobody",
            ask(USER, "kms:UpdateAlias", &KEY.replace("key/1", "alias/aws/s3")).identity(&allow("*")),
            "ImplicitDeny",
        ),
    ]);
}

#[test]
fn a_statement_speaks_of_the_actions_and_resources_that_it_names() {
    let list = || {
        let mut line = ask(USER, "s3:ListAllMyBuckets", "*");
        line.0["request"]["wildcardOnlyAction"] = json!(true);
        line
    };
    let on = |resource: &str| json!({"Effect": "Allow", "Action": "s3:*", "Resource": resource});
    let except = |resource: &str| json!({"Effect": "Allow", "Action": "s3:*", "NotResource": resource});
    let get = |key: &str| ask(USER, GET, &format!("arn:aws:s3:::b/{key}"));
    check(vec![
        ("actions ignore case", ask(USER, "S3:getobject", OBJECT).identity(&allow("s3:GetObject")), "Allow"),
        (
            "NotAction is all others",
            get("k").identity(&json!({"Effect": "Allow", "NotAction": "s3:Put*", "Resource": "*"})),
            "Allow",
        ),
        (
            "NotAction is not the named",
            get("k").identity(&json!({"Effect": "Allow", "NotAction": "s3:Get*", "Resource": "*"})),
            "ImplicitDeny",
        ),
        ("an object is not its bucket", get("k").identity(&on("arn:aws:s3:::b")), "ImplicitDeny"),
        ("a star reaches over slashes", get("1///test///object.jpg").identity(&on("arn:aws:s3:::b/*/test/*")), "Allow"),
        ("a star may be empty", get("/test/object.jpg").identity(&on("arn:aws:s3:::b/*/test/*")), "Allow"),
        (
            "AWS's example of what does not match",
            get("1/2/test.jpg").identity(&on("arn:aws:s3:::b/*/test/*")),
            "ImplicitDeny",
        ),
        ("a question mark is one character", get("a").identity(&on("arn:aws:s3:::b/?")), "Allow"),
        ("a question mark is not none", get("").identity(&on("arn:aws:s3:::b/?")), "ImplicitDeny"),
        ("resources have a case", get("K").identity(&on("arn:aws:s3:::b/k")), "ImplicitDeny"),
        ("colons of a key belong to it", get("a:b:c").identity(&on("arn:aws:s3:::b/a*c")), "Allow"),
        ("a star at the end stands for all that follows", get("k").identity(&on("arn:aws:s3:*")), "Allow"),
        ("what a short ARN leaves off may be anything", get("k").identity(&on("arn:aws:s3")), "Allow"),
        ("a star in the request is a character", get("*").identity(&on("arn:aws:s3:::b/k")), "ImplicitDeny"),
        ("a question mark in the request is one too", get("?").identity(&on("arn:aws:s3:::b/${?}")), "Allow"),
        ("an escaped star matches it alone", get("*").identity(&on("arn:aws:s3:::b/${*}")), "Allow"),
        ("an escaped star matches nothing else", get("k").identity(&on("arn:aws:s3:::b/${*}")), "ImplicitDeny"),
        ("NotResource is all others", get("k").identity(&except("arn:aws:s3:::c/*")), "Allow"),
        ("NotResource is not the named", get("k").identity(&except("arn:aws:s3:::b/*")), "ImplicitDeny"),
        ("an action without resources is on a star", list().identity(&on("*")), "Allow"),
        ("an action without resources is on no ARN", list().identity(&on("arn:aws:s3:::*")), "ImplicitDeny"),
        (
            "a deny on an ARN does not reach it",
            list().identity(&json!([allow("*"), {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::*"}])),
            "Allow",
        ),
        ("NotResource with an ARN covers it", list().identity(&except("arn:aws:s3:::b")), "Allow"),
        ("NotResource with a star covers nothing", list().identity(&except("*")), "ImplicitDeny"),
    ]);
}

#[test]
fn variables_take_their_value_from_the_request_in_version_2012_alone() {
    let home =
        |value: &str| json!({"Effect": "Allow", "Action": "s3:*", "Resource": format!("arn:aws:s3:::b/{value}/*")});
    let get = |name: &str| ask(USER, GET, &format!("arn:aws:s3:::b/{name}/x"));
    let mut old = get("ana").key("aws:username", "ana");
    old.0["identityPolicies"] = json!([{"Version": "2008-10-17", "Statement": home("${aws:username}")}]);
    let mut literal = get("${aws:username}").key("aws:username", "ana");
    literal.0["identityPolicies"] = json!([{"Statement": home("${aws:username}")}]);
    let is =
        |operator: &str| on_condition(allow(GET), &json!({operator: {"aws:PrincipalTag/a": "${aws:PrincipalTag/b}"}}));
    check(vec![
        ("its value", get("ana").key("aws:username", "ana").identity(&home("${aws:username}")), "Allow"),
        ("its name ignores case", get("ana").key("AWS:UserName", "ana").identity(&home("${aws:USERNAME}")), "Allow"),
        ("another value", get("eve").key("aws:username", "ana").identity(&home("${aws:username}")), "ImplicitDeny"),
        ("no value", get("ana").identity(&home("${aws:username}")), "ImplicitDeny"),
        ("no value, but a default", get("guest").identity(&home("${aws:username, 'guest'}")), "Allow"),
        (
            "a value goes before the default",
            get("guest").key("aws:username", "ana").identity(&home("${aws:username, 'guest'}")),
            "ImplicitDeny",
        ),
        (
            "several values are no value",
            get("ana").key("aws:username", json!(["ana"])).identity(&home("${aws:username}")),
            "ImplicitDeny",
        ),
        (
            "a star in a value is a character",
            get("eve").key("aws:username", "*").identity(&home("${aws:username}")),
            "ImplicitDeny",
        ),
        ("version 2008 has none", old, "ImplicitDeny"),
        ("without a version they are text", literal, "Allow"),
        (
            "in a condition",
            ask(USER, GET, OBJECT)
                .key("aws:PrincipalTag/a", "x")
                .key("aws:PrincipalTag/b", "x")
                .identity(&is("StringEquals")),
            "Allow",
        ),
        (
            "without a value a condition fails",
            ask(USER, GET, OBJECT).key("aws:PrincipalTag/a", "x").identity(&is("StringEquals")),
            "ImplicitDeny",
        ),
        (
            "without a value a negated one holds",
            ask(USER, GET, OBJECT).key("aws:PrincipalTag/a", "x").identity(&is("StringNotEquals")),
            "Allow",
        ),
    ]);
}

#[test]
fn conditions_combine_as_aws_says() {
    let when = |condition| ask(USER, GET, OBJECT).identity(&on_condition(allow(GET), &condition));
    check(vec![
        (
            "operators and keys are all needed",
            when(json!({"StringEquals": {"k:a": "1", "k:b": "2"}, "Bool": {"k:c": "true"}}))
                .key("k:a", "1")
                .key("k:b", "2")
                .key("k:c", "false"),
            "ImplicitDeny",
        ),
        ("of values one is enough", when(json!({"StringEquals": {"k:a": ["1", "2"]}})).key("K:A", "2"), "Allow"),
        (
            "of negated values none may match",
            when(json!({"StringNotEquals": {"k:a": ["1", "2"]}})).key("k:a", "2"),
            "ImplicitDeny",
        ),
        ("a missing key satisfies a negated operator", when(json!({"StringNotEquals": {"k:a": "1"}})), "Allow"),
        ("a missing key fails the others", when(json!({"StringLike": {"k:a": "*"}})), "ImplicitDeny"),
        ("IfExists forgives it", when(json!({"StringLikeIfExists": {"k:a": "x"}})), "Allow"),
        (
            "IfExists forgives no value",
            when(json!({"StringLikeIfExists": {"k:a": "x"}})).key("k:a", "y"),
            "ImplicitDeny",
        ),
        (
            "a key with several values matches no plain operator",
            when(json!({"StringEquals": {"k:a": "1"}})).key("k:a", json!(["1"])),
            "ImplicitDeny",
        ),
        (
            "not even a negated one",
            when(json!({"StringNotEquals": {"k:a": "1"}})).key("k:a", json!(["2"])),
            "ImplicitDeny",
        ),
        (
            "ForAllValues wants all",
            when(json!({"ForAllValues:StringEquals": {"k:a": ["1", "2"]}})).key("k:a", json!(["1", "3"])),
            "ImplicitDeny",
        ),
        ("ForAllValues holds where there is none", when(json!({"ForAllValues:StringEquals": {"k:a": "1"}})), "Allow"),
        (
            "ForAllValues holds on an empty list",
            when(json!({"ForAllValues:StringEquals": {"k:a": "1"}})).key("k:a", json!([])),
            "Allow",
        ),
        (
            "Null tells an empty list from a full one",
            when(json!({"Null": {"k:a": "false"}})).key("k:a", json!([])),
            "ImplicitDeny",
        ),
        (
            "ForAnyValue wants one",
            when(json!({"ForAnyValue:StringEquals": {"k:a": "1"}})).key("k:a", json!(["3", "1"])),
            "Allow",
        ),
        (
            "ForAnyValue fails where there is none",
            when(json!({"ForAnyValue:StringNotEquals": {"k:a": "1"}})),
            "ImplicitDeny",
        ),
        (
            "set operators take a single value",
            when(json!({"ForAnyValue:StringLike": {"k:a": "x*"}})).key("k:a", "xy"),
            "Allow",
        ),
        ("Null on a missing key", when(json!({"Null": {"k:a": true}})), "Allow"),
        (
            "numbers and booleans need no quotes",
            when(json!({"NumericLessThan": {"k:a": 10}, "Bool": {"k:b": true}})).key("k:a", "9.5").key("k:b", "TRUE"),
            "Allow",
        ),
    ]);
}

#[test]
fn a_bad_line_is_answered_by_its_id_if_it_can_be_read() {
    for (line, id, reason) in [
        ("", "null", "EOF"),
        ("nonsense", "null", "expected"),
        ("[]", "null", "invalid type"),
        ("{}", "null", "no request"),
        (r#"{"id":"7"}"#, "\"7\"", "no request"),
        (r#"{"id":7,"request":{}}"#, "7", "missing field `action`"),
        (r#"{"id":"7","request":{"#, "\"7\"", "EOF"),
        (r#"{"id":"7","identityPolicies":{},"request":{}}"#, "\"7\"", "identity-based policies: invalid type"),
        (r#"{"id":"7","id":"8"}"#, "\"7\"", "duplicate field `id`"),
        (r#"{"id":"7"} x"#, "\"7\"", "trailing characters"),
    ] {
        let answer = serde_json::to_string(&iam::answer(line.as_bytes())).unwrap();
        let start = format!("{{\"id\":{id},\"decision\":\"Invalid\",\"reason\":");
        assert!(answer.starts_with(&start) && answer.contains(reason), "{line}: {answer}");
    }
    let complete = ask(USER, GET, OBJECT).identity(&allow(GET));
    // Each name is compared with all others: a line of this sort must not take minutes.
    let many_keys: serde_json::Value = (0..100_000).map(|key| (format!("k:{key}"), json!("v"))).collect();
    let condition =
        json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": many_keys}});
    let (decision, told) = ask(USER, GET, OBJECT).identity(&condition).answer();
    assert!(decision == "Invalid" && told.contains("more than 4096 condition keys"), "{told}");
    let mut listed = complete.clone();
    listed.0["request"] = json!([GET, OBJECT, "111111111111", USER, {}, false]);
    let (decision, told) = listed.answer();
    assert!(decision == "Invalid" && told.contains("sequence, expected an object"), "{told}");
    for (field, value, reason) in [
        ("action", json!("GetObject"), "service:Name"),
        ("action", json!(1), "invalid type"),
        ("resourceAccount", json!("1"), "twelve digits"),
        ("resourceAccount", json!(null), "whose the resource is"),
        ("principal", json!("ana"), "arn \"ana\""),
        ("principal", json!("arn:aws:iam::111111111111:group/g"), "names nobody"),
        ("context", json!([]), "invalid type"),
        ("context", json!({"a:b": {}}), "invalid type"),
        ("context", json!({"a:b": null}), "invalid type"),
        ("context", json!({"a:b": "1", "A:B": "2"}), "duplicate key"),
        ("context", many_keys.clone(), "more than 4096 condition keys"),
        ("wildcardOnlyAction", json!("yes"), "invalid type"),
    ] {
        let mut line = complete.clone();
        line.0["request"][field] = value;
        let (decision, told) = line.answer();
        assert!(decision == "Invalid" && told.contains(reason), "{field}: {told}");
    }
}

#[test]
fn what_a_line_leaves_out_or_adds_does_not_matter() {
    let mut line = ask(USER, GET, OBJECT).identity(&allow(GET)).0;
    for field in
        ["resourcePolicy", "trustPolicy", "permissionBoundary", "sessionPolicy", "scps", "rcps", "endpointPolicy"]
    {
        line[field] = json!(null);
    }
    line["comment"] = json!({"Statement": []});
    line["request"]["region"] = json!("eu-west-1");
    line["request"].as_object_mut().unwrap().remove("context");
    assert_eq!(answer(&line.to_string()).0, "Allow");
    line["trustPolicy"] = policy(&trusting(&json!({"AWS": "*"}), "sts:AssumeRole"));
    line["resourcePolicy"] = policy(&to(&json!("*"), allow("*")));
    assert_eq!(
        answer(&line.to_string()),
        ("Invalid".to_owned(), "both resourcePolicy and trustPolicy are given".to_owned())
    );
}

#[test]
fn the_reason_names_the_policy_and_the_statement() {
    let get = || ask(USER, GET, OBJECT);
    let named = |mut statement: serde_json::Value, sid: &str| {
        statement["Sid"] = json!(sid);
        statement
    };
    for (line, expected) in [
        (
            get().identity(&allow("s3:Put*")).identity(&json!([deny("s3:Put*"), named(allow(GET), "Read")])),
            "identity-based policy 2, statement 2 (Read)",
        ),
        (get(), "no identity-based policy allows s3:GetObject"),
        (
            get().identity(&allow("*")).level("scps", &[allow("*")]).level("scps", &[allow("*"), deny("*")]),
            "service control policy 3, statement 1",
        ),
        (
            get().identity(&allow("*")).with("permissionBoundary", &allow("ec2:*")),
            "no permissions boundary policy allows s3:GetObject",
        ),
        (
            ask(STRANGER, "sts:AssumeRole", ORDERS).with("trustPolicy", &trusting(&json!({"AWS": USER}), "sts:*")),
            "no role trust policy allows sts:AssumeRole",
        ),
        (
            get().identity(&json!({"Effect": "Allow", "Action": "x", "Resource": "*"})),
            "identity-based policy: statement 1: action \"x\" is not \"*\" and not of the form service:Name",
        ),
    ] {
        assert_eq!(line.answer().1, expected, "{}", line.0);
    }
}
