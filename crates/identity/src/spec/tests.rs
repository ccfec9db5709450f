#[cfg(feature = "static-keys")]
use std::io::Write as _;
use std::time::Duration;

use world::Environment;

use super::*;
use crate::roles_anywhere::RolesAnywhere;
use crate::{Keeping, KeyRule, Within};

fn nothing() -> Environment {
    Environment::of::<String, String>([])
}

fn read(text: &str) -> Result<Connections, ConnectionFaults> {
    Connections::read("c.toml", text, &nothing(), KeyRule::default())
}

fn one(text: &str) -> Arc<ConnectionSpec> {
    let connections = read(text).unwrap_or_else(|faults| panic!("{faults}"));
    Arc::clone(connections.iter().next().unwrap())
}

fn faults(text: &str) -> Vec<String> {
    read(text).unwrap_err().faults.iter().map(ToString::to_string).collect()
}

const ORDERS: &str = r#"
[connections.orders]
kind = "instance-role"
region = "eu-central-1"
bucket = "lake"
prefix = "topics/"
bucket_owner = "role"

[[connections.orders.roles]]
arn = "arn:aws:iam::222222222222:role/jump"

[[connections.orders.roles]]
arn = "arn:aws:iam::111111111111:role/team/orders"
external_id = "c-7f3"
session_name = "tidegate-{{connector}}"
duration = "auto"
tags = { team = "data", connector = "{{connector}}" }
transitive_tags = ["team"]
source_identity = "tidegate"
"#;

#[test]
fn a_connection_is_read_and_bound_to_a_connector() {
    let spec = one(ORDERS);
    assert_eq!(spec.bucket_owner.unwrap().to_string(), "111111111111");
    let connection = spec.bind("orders to s3", Purpose::S3);
    assert_eq!(connection.base, Base::Instance);
    let [jump, orders] = connection.hops.as_slice() else { panic!("{connection}") };
    assert_eq!((jump.session_name.as_str(), &jump.policy), ("tidegate-orders", &None));
    assert_eq!(orders.session_name, "tidegate-orders-to-s3");
    assert_eq!(orders.external_id.as_deref(), Some("c-7f3"));
    assert_eq!(orders.duration, Lifetime::Longest);
    assert_eq!(orders.tags[0], ("connector".to_owned(), "orders to s3".to_owned()));
    assert_eq!(orders.source_identity.as_deref(), Some("tidegate"));
    assert!(orders.policy.as_ref().unwrap().contains("arn:aws:s3:::lake/topics/*"));
    assert_eq!(connection.flaws(), []);
    let kafka = spec.bind("orders", Purpose::Kafka);
    assert!(kafka.hops[1].policy.as_ref().unwrap().contains("kafka-cluster:*"));
}

#[test]
fn connectors_share_a_session_unless_its_name_tells_them_apart() {
    let spec = one(&ORDERS
        .replace("session_name = \"tidegate-{{connector}}\"\n", "")
        .replace("connector = \"{{connector}}\"", ""));
    assert_eq!(spec.bind("a", Purpose::S3), spec.bind("b", Purpose::S3));
    let named = one(ORDERS);
    assert_ne!(named.bind("a", Purpose::S3), named.bind("b", Purpose::S3));
}

#[test]
fn toml_and_json_come_to_the_same() {
    let json = r#"{"connections": {"orders": {"kind": "instance-role", "region": "eu-central-1", "bucket": "lake",
        "prefix": "topics/", "bucket_owner": "role", "roles": [
        {"arn": "arn:aws:iam::222222222222:role/jump"},
        {"arn": "arn:aws:iam::111111111111:role/team/orders", "external_id": "c-7f3",
         "session_name": "tidegate-{{connector}}", "duration": "auto",
         "tags": {"team": "data", "connector": "{{connector}}"}, "transitive_tags": "team",
         "source_identity": "tidegate"}]}}}"#;
    assert_eq!(one(json), one(ORDERS));
    let twice = r#"{"connections": {"a": {"kind": "container"}, "a": {"kind": "keys"}}}"#;
    assert!(faults(twice)[0].contains("key \"a\" stands twice"), "{:?}", faults(twice));
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_key() {
    let text = r#"
        colour = "red"
        [connections.a]
        kind = "instance"
        region = "europe"
        [connections.b]
        kind = "container"
        region = "eu-central-1"
        buket = "lake"
        token_file = "/x"
        bucket_owner = "mine"
        [connections.b.endpoints]
        sts = "https://user:secret@host"
        s4 = "x"
        [[connections.b.roles]]
        arn = "arn:aws:iam::111111111111:role/orders "
        duration = 60
        sesion_name = "x"
        tags = { team = 1 }
        [connections."a b"]
        region = "eu-central-1"
    "#;
    let found = faults(text);
    let all = found.join("\n");
    for expected in [
        "colour: is not known here (write [connections.colour]",
        "connections.a.kind: is \"instance\", which is none that is known (allowed: instance-role, container,",
        "connections.a.region: \"europe\" is not formed as a region is",
        "connections.b.buket: is not known here (did you mean bucket?)",
        "connections.b.token_file: is not known here (it belongs to kind web-identity, and this one is container)",
        "connections.b.bucket_owner: \"mine\" is not twelve digits",
        "connections.b.endpoints.sts: must not hold a user or a password",
        "connections.b.endpoints.s4: is not known here",
        "connections.b.roles[0].sesion_name: is not known here (did you mean session_name?)",
        "connections.b.roles[0].tags.team: must be a text, and is a number",
        "connections.b.roles[0].arn: \"arn:aws:iam::111111111111:role/orders \" must not hold blanks",
        "connections.b.roles[0].duration: \"60\" must be 900 to 43200 seconds",
        "connections.a b: is a name that cannot be",
        "connections.a b.kind: is missing: who we are to AWS is never guessed",
    ] {
        assert!(all.contains(expected), "{expected}\nnot in\n{all}");
    }
    assert!(!all.contains("secret"), "{all}");
}

#[cfg(feature = "static-keys")]
#[test]
fn secrets_come_from_a_file_or_the_environment_and_are_never_shown() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "hunter2hunter2").unwrap();
    let text = format!(
        "[connections.a]\nkind = \"keys\"\nregion = \"eu-central-1\"\naccess_key_id = {{ env = \"ID\" }}\n\
         secret_access_key = {{ file = {:?} }}\n",
        file.path()
    );
    let environment = Environment::of([("ID", "AKIA1")]);
    let read = |keys| Connections::read("c.toml", &text, &environment, keys);
    let connections = read(KeyRule::default()).unwrap();
    let spec = connections.get("a").unwrap();
    assert!(matches!(&spec.base, Base::Keys(keys) if keys.secret.expose() == "hunter2hunter2"));
    assert!(!format!("{spec:?}").contains("hunter2"));
    assert!(spec.warnings()[0].text.contains("use a role if you can"));
    let refused = read(KeyRule::Refused).unwrap_err().to_string();
    assert!(refused.contains("switched off here"), "{refused}");
    let missing = Connections::read("c.toml", &text, &nothing(), KeyRule::default()).unwrap_err().to_string();
    assert!(missing.contains("environment variable ID is not set"), "{missing}");
    let odd = "[connections.a]\nkind=\"keys\"\nregion=\"eu-central-1\"\naccess_key_id=\"ASIA1\"\nsecret_access_key=[\"hunter2\"]\n";
    let told = faults(odd).join("\n");
    assert!(told.contains("secret_access_key: must be a text") && !told.contains("hunter2"), "{told}");
    let broken = faults("[connections.a]\nsecret_access_key = \"hunter2\n").join("\n");
    assert!(!broken.contains("hunter2") && broken.contains("at line 2"), "{broken}");
}

#[test]
fn kinds_that_take_a_role_on_by_themselves_are_cut_down_by_themselves() {
    let web = one("[connections.a]\nkind = \"web-identity\"\nregion = \"eu-central-1\"\nbucket = \"lake\"\n\
         role_arn = \"arn:aws:iam::111111111111:role/orders\"\ntoken_file = \"/token\"\nduration = \"2h\"\n");
    let connection = web.bind("orders", Purpose::S3);
    let Base::WebIdentity(web) = &connection.base else { panic!("{connection}") };
    assert_eq!(web.duration, Lifetime::Exactly(Duration::from_hours(2)));
    assert_eq!(web.session_name, "tidegate-a");
    assert!(web.policy.as_ref().unwrap().contains("arn:aws:s3:::lake/*"));
    let bare = one("[connections.a]\nkind = \"web-identity\"\nregion = \"eu-central-1\"\n");
    assert_eq!(bare.bind("x", Purpose::S3).base, Base::AmbientWebIdentity);
    let half = "[connections.a]\nkind=\"web-identity\"\nregion=\"eu-central-1\"\nrole_arn=\"arn:aws:iam::111111111111:role/o\"\n";
    assert_eq!(faults(half), ["connections.a.token_file: is missing"]);
}

#[test]
fn a_certificate_has_one_region() {
    let text = |anchor: &str| {
        format!(
            "[connections.a]\nkind = \"roles-anywhere\"\ncertificate = \"/c.pem\"\nprivate_key = \"/k.pem\"\n\
             trust_anchor_arn = \"arn:aws:rolesanywhere:{anchor}:111111111111:trust-anchor/1\"\n\
             profile_arn = \"arn:aws:rolesanywhere:eu-central-1:111111111111:profile/1\"\n\
             role_arn = \"arn:aws:iam::111111111111:role/orders\"\nsession_name = \"{{{{connector}}}}\"\n"
        )
    };
    let spec = one(&text("eu-central-1"));
    assert_eq!(spec.region, "eu-central-1");
    let Base::RolesAnywhere(RolesAnywhere { session_name, region, .. }) = spec.bind("orders", Purpose::S3).base else {
        panic!("another kind");
    };
    assert_eq!((session_name.as_deref(), region.as_str()), (Some("orders"), "eu-central-1"));
    let apart = faults(&text("eu-west-1"));
    assert!(
        apart[0].contains("profile_arn") && apart[0].contains("must be in eu-west-1, where the trust anchor is"),
        "{apart:?}"
    );
}

#[test]
fn a_fence_is_dropped_only_by_a_spoken_setting() {
    let fence = |text: &str| one(&format!("{ORDERS}\n").replace("bucket_owner = \"role\"", text)).fence.clone();
    assert_eq!(fence("").keeping, Keeping::SessionPolicy);
    assert_eq!(fence("fence = \"check\"").keeping, Keeping::Check);
    assert_eq!(fence("fence = \"off\"").holds("other", ""), Within::Yes);
    let own = ORDERS.replace(
        "source_identity = \"tidegate\"",
        "policy = '{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}}'",
    );
    assert!(faults(&own)[0].contains("roles[1].policy: stands beside a fence"), "{:?}", faults(&own));
    let checked = one(&own.replace("prefix =", "fence = \"check\"\nprefix ="));
    assert!(checked.bind("x", Purpose::S3).hops[1].policy.as_ref().unwrap().contains("s3:*"));
    let bare = one("[connections.a]\nkind = \"container\"\nregion = \"eu-central-1\"\nbucket = \"lake\"\n");
    assert!(bare.warnings()[0].text.contains("takes no session policy; add a role"));
}

#[test]
fn an_unknown_kind_hides_no_misspelt_key() {
    let all = faults("[connections.a]\nkind = \"keyz\"\nregoin = \"eu-central-1\"\naccess_key_id = \"A\"\n");
    assert!(all.iter().any(|fault| fault.contains("regoin") && fault.contains("did you mean region?")), "{all:?}");
    assert!(!all.iter().any(|fault| fault.contains("access_key_id")), "{all:?}");
}

#[test]
fn informaticas_boxes_become_a_kind() {
    let export = r#"{"name": "S3 lake", "type": "TOOLKIT_CCI", "connParams": {"Use EC2 Role to Assume Role": true,
        "IAM Role ARN": "arn:aws:iam::111111111111:role/orders", "External Id": "c-7f3", "Region Name": "EU (Frankfurt)",
        "Folder Path": "lake/topics", "Runtime Environment": "agent", "Colour": "red",
        "Endpoint DNS Name for S3": "b.vpce", "DNS Name of VPC Endpoint for STS": "s.vpce", "kmsVpcEndpointDnsName": "k"}}"#;
    let imported = import(export, None, None).unwrap();
    assert_eq!(imported.source, ImportSource::Informatica);
    let spec = one(&imported.toml);
    assert_eq!((spec.name.as_str(), spec.kind, spec.region.as_str()), ("S3-lake", "instance-role", "eu-central-1"));
    assert_eq!(spec.fence.places[0].to_string(), "s3://lake/topics/");
    assert!(
        imported.toml.contains(r#"endpoints = { s3 = "https://b.vpce", sts = "https://s.vpce", kms = "https://k" }"#),
        "{}",
        imported.toml
    );
    let connection = spec.bind("x", Purpose::S3);
    assert_eq!(connection.hops[0].external_id.as_deref(), Some("c-7f3"));
    assert!(imported.warnings.iter().any(|warning| warning.starts_with("Colour:")), "{:?}", imported.warnings);
    assert!(imported.warnings.iter().any(|warning| warning.contains("Secure Agent")), "{:?}", imported.warnings);
}

#[cfg(feature = "static-keys")]
#[test]
fn an_import_takes_no_secret_along() {
    let keys = r#"{"accessKey": "AKIASECRETID", "secretKey": "hunter2hunter2", "regionName": "us-east-1",
        "folderPath": "lake", "iamRoleArn": "arn:aws:iam::111111111111:role/orders"}"#;
    let imported = import(keys, None, Some("lake")).unwrap();
    let all = format!("{imported:?}");
    assert!(!all.contains("hunter2") && !all.contains("AKIASECRETID"), "{all}");
    let environment = Environment::of([("LAKE_ACCESS_KEY_ID", "AKIA1"), ("LAKE_SECRET_ACCESS_KEY", "s")]);
    let read = Connections::read("c", &imported.toml, &environment, KeyRule::default()).unwrap();
    assert_eq!(read.get("lake").unwrap().bind("x", Purpose::S3).hops.len(), 1);
    // A choice of nothing is no profile, however it is written; keys that a profile takes the place of are named.
    let none = r#"{"Other Authentication Type": "NONE", "Federated SSO IdP": "none", "Access Key": "AKIASECRETID",
        "Secret Key": "hunter2hunter2", "Folder Path": "x", "Region Name": "us-east-1"}"#;
    assert!(import(none, None, None).unwrap().toml.contains("kind = \"keys\""));
    let profile = none.replace("NONE", "Credential Profile File");
    let warnings = import(&profile, None, None).unwrap().warnings;
    assert!(warnings.iter().any(|warning| warning.starts_with("Access Key, Secret Key: left out")), "{warnings:?}");
    let single_sign_on = r#"{"Federated SSO IdP": "ADFS 3.0", "Folder Path": "x"}"#;
    assert!(import(single_sign_on, None, None).unwrap_err().contains("ADFS"));
}

#[test]
fn boomis_roles_anywhere_is_ours() {
    let xml = r#"<bns:Component xmlns:bns="b" name="S3"><bns:object><GenericConnectionConfig>
        <field id="authenticationType" type="string" value="AWS IAM Roles Anywhere"/>
        <field id="profileArn" value="arn:aws:rolesanywhere:eu-west-1:111111111111:profile/1"/>
        <field id="roleArn" value="arn:aws:iam::111111111111:role/orders"/>
        <field id="trustAnchorArn" value="arn:aws:rolesanywhere:eu-west-1:111111111111:trust-anchor/1"/>
        <field id="region" value="us-east-1"/><field id="customRegion" value="eu-west-1"/>
        <field id="sessionName" value="boomi"/><field id="duration" value="900"/>
        <field id="publicCertificate" value="PEM"/><field id="privateKey" value="hunter2"/>
        </GenericConnectionConfig></bns:object></bns:Component>"#;
    let imported = import(xml, None, None).unwrap();
    assert_eq!(imported.source, ImportSource::Boomi);
    assert!(!format!("{imported:?}").contains("hunter2"));
    let spec = one(&imported.toml);
    assert_eq!((spec.name.as_str(), spec.kind, spec.region.as_str()), ("S3", "roles-anywhere", "eu-west-1"));
    let Base::RolesAnywhere(anywhere) = &spec.base else { panic!("another kind") };
    assert_eq!((anywhere.session_name.as_deref(), anywhere.duration), (Some("boomi"), Some(Duration::from_mins(15))));
    assert!(imported.warnings.iter().any(|warning| warning.starts_with("bucket:")), "{:?}", imported.warnings);
}

#[cfg(feature = "static-keys")]
#[test]
fn a_secret_that_every_user_can_read_is_warned_of_and_nothing_else_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    let warned = |secret: &str, mode: u32| {
        let text = format!(
            "[connections.a]\nkind = \"keys\"\nregion = \"eu-central-1\"\naccess_key_id = \"AKIA1\"\n\
             secret_access_key = {secret}\n"
        );
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let environment = Environment::of([("SECRET", "hunter2")]);
        let connections = Connections::load(&path, &environment, KeyRule::default()).unwrap();
        let warnings = connections.get("a").unwrap().warnings().to_vec();
        warnings.iter().filter(|warning| warning.text.contains("every user")).map(|w| w.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(warned("\"hunter2\"", 0o644), ["connections.a.secret_access_key"]);
    assert_eq!(warned("\"hunter2\"", 0o640), [""; 0]);
    assert_eq!(warned("{ env = \"SECRET\" }", 0o644), [""; 0]);
}
