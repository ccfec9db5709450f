//! Where the first session comes from.

use std::io::Write as _;

use aws::Clients;
use fault::Blame;
use identity::{Base, Connection, KeyRule, Profile, WebIdentity};
use transit::Sink as _;
use world::Environment;

use crate::fake::{Fake, Trouble};
use crate::{MARKER, connection, name, options};

/// Nothing is configured, and nobody's home directory is looked at.
fn bare(more: &[(&str, &str)]) -> Environment {
    let mut variables = vec![
        ("AWS_CONFIG_FILE", "/nonexistent/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    variables.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    variables.extend(more);
    Environment::of(variables)
}

/// Who an upload is begun as, over `base` alone.
async fn begun_as(fake: &Fake, base: Base, environment: Environment) -> Result<String, fault::Fault> {
    let clients = Clients::new(fake.clock.clone(), environment);
    let sink = clients.s3(&Connection { base, hops: Vec::new(), ..connection(fake) }, options(fake))?;
    sink.begin(&name(), MARKER).await?;
    Ok(sink.identity().signer().await?.access_key_id().to_string())
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[tokio::test]
async fn keys_in_the_environment_come_first() {
    let fake = Fake::start().await;
    let keys = [("AWS_ACCESS_KEY_ID", "AKIAENV"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_PROFILE", "other")];
    assert_eq!(begun_as(&fake, Base::DefaultChain, bare(&keys)).await.unwrap(), "AKIAENV");
}

#[tokio::test]
async fn a_profile_comes_before_the_instance_and_can_be_named() {
    let fake = Fake::start().await;
    let credentials = file(
        "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = s\n\
         [orders]\naws_access_key_id = AKIAORDERS\naws_secret_access_key = s\n",
    );
    let path = credentials.path().to_str().unwrap();
    let environment = |more: &[(&str, &str)]| {
        let mut all = vec![("AWS_SHARED_CREDENTIALS_FILE", path)];
        all.extend(more);
        bare(&all)
    };
    assert_eq!(begun_as(&fake, Base::DefaultChain, environment(&[])).await.unwrap(), "AKIADEFAULT");
    let named = environment(&[("AWS_PROFILE", "orders")]);
    assert_eq!(begun_as(&fake, Base::DefaultChain, named).await.unwrap(), "AKIAORDERS");
    let profile = Base::Profile(Profile::named("orders"));
    assert_eq!(begun_as(&fake, profile, environment(&[])).await.unwrap(), "AKIAORDERS");
    let missing = Base::Profile(Profile::named("ordres"));
    let fault = begun_as(&fake, missing, environment(&[])).await.unwrap_err();
    assert_eq!((fault.code(), fault.hint().as_deref()), ("identity.base-failed", Some("did you mean orders?")));
    assert!(fault::Chain(fault.as_error()).to_string().contains("ordres"), "{}", fault::Chain(fault.as_error()));
}

#[tokio::test]
async fn a_web_identity_is_exchanged_with_the_token_as_it_is_now() {
    let fake = Fake::start().await;
    let token = file("header.claims.signature\n");
    let path = token.path().to_str().unwrap();
    let role = "arn:aws:iam::111111111111:role/orders";
    let variables = [("AWS_WEB_IDENTITY_TOKEN_FILE", path), ("AWS_ROLE_ARN", role)];
    assert_eq!(begun_as(&fake, Base::DefaultChain, bare(&variables)).await.unwrap(), "ASIAWEB1");

    let web = |file: &str| Base::WebIdentity(WebIdentity::new(role, file, "tidegate"));
    assert_eq!(begun_as(&fake, web(path), bare(&[])).await.unwrap(), "ASIAWEB2");
    let rotten = file("rotten.token");
    let fault = begun_as(&fake, web(rotten.path().to_str().unwrap()), bare(&[])).await.unwrap_err();
    assert_eq!(fault.code(), "identity.request-refused");
    let text = fault::Chain(fault.as_error()).to_string();
    assert!(text.contains("InvalidIdentityToken (400)") && !text.contains("rotten.token"), "{text}");
    let fault = begun_as(&fake, web("/nonexistent/token"), bare(&[])).await.unwrap_err();
    assert_eq!((fault.code(), fault.blame()), ("identity.base-failed", Blame::Operator));
    let hint = fault.hint().unwrap().into_owned();
    assert!(hint.contains("write its token there"), "nothing else is to be used in its place: {hint}");
}

#[tokio::test]
async fn an_instances_role_is_asked_for_by_the_second_version_of_the_protocol() {
    let fake = Fake::start().await;
    let url = fake.url();
    let imds = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str()), ("AWS_EC2_METADATA_DISABLED", "false")];
    assert_eq!(begun_as(&fake, Base::Instance, bare(&imds)).await.unwrap(), "ASIAEC21");
    assert_eq!(begun_as(&fake, Base::DefaultChain, bare(&imds)).await.unwrap(), "ASIAEC22");
    assert_eq!(fake.count("IMDS token"), 2);
}

#[tokio::test]
async fn a_chain_that_finds_nothing_says_where_it_looked() {
    let fake = Fake::start().await;
    let fault = begun_as(&fake, Base::DefaultChain, bare(&[])).await.unwrap_err();
    assert_eq!((fault.code(), fault.blame()), ("identity.no-credentials", Blame::Operator));
    let text = fault::Chain(fault.as_error()).to_string();
    for looked_at in ["environment (", "profile (", "web identity (", "container (", "instance ("] {
        assert!(text.contains(looked_at), "{looked_at} in {text}");
    }
    assert_eq!(fake.count("CreateMultipartUpload"), 0);
}

#[tokio::test]
async fn keys_that_never_end_are_refused_at_the_beginning_of_a_profiles_roles_too() {
    let role = "role_arn = arn:aws:iam::111111111111:role/orders\nexternal_id = c-7f3\n";
    let config = file(&format!(
        "[profile by-keys]\n{role}source_profile = vendor\n\
         [profile by-process]\n{role}source_profile = tool\n\
         [profile by-environment]\n{role}credential_source = Environment\n\
         [profile tool]\ncredential_process = echo \
         '{{\"Version\":1,\"AccessKeyId\":\"AKIATOOL\",\"SecretAccessKey\":\"s\"}}'\n"
    ));
    let credentials = file("[vendor]\naws_access_key_id = AKIAVENDOR\naws_secret_access_key = s\n");
    let variables = [
        ("AWS_CONFIG_FILE", config.path().to_str().unwrap()),
        ("AWS_SHARED_CREDENTIALS_FILE", credentials.path().to_str().unwrap()),
        ("AWS_ACCESS_KEY_ID", "AKIAENV"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ];
    for name in ["by-keys", "by-process", "by-environment"] {
        let fake = Fake::start().await;
        let clients = Clients::with_keys(fake.clock.clone(), bare(&variables), KeyRule::Refused);
        let base = Base::Profile(Profile::named(name));
        let identity = clients.sessions().open(&Connection { base, hops: Vec::new(), ..connection(&fake) }).unwrap();
        let answer = identity.signer().await;
        let code = answer.as_ref().map_err(fault::Diagnose::code).err();
        assert_eq!(code, Some("identity.static-keys"), "{name}: {answer:?}");
        assert_eq!(fake.count("AssumeRole"), 0, "{name}: the keys have signed something");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_shown_nowhere() {
    let fake = Fake::start().await;
    let token = file("header.claims.signature");
    let web = WebIdentity::new("arn:aws:iam::111111111111:role/orders", token.path(), "tidegate");
    // Within the date, within the token.
    for by in [280, 330] {
        fake.change(|state| state.requests.clear());
        fake.trouble("AssumeRoleWithWebIdentity", [Trouble::CutShort(by)]);
        let clients = Clients::new(fake.clock.clone(), bare(&[]));
        let connection = Connection { base: Base::WebIdentity(web.clone()), hops: Vec::new(), ..connection(&fake) };
        let error = clients.sessions().open(&connection).unwrap().signer().await.unwrap_err();
        let shown = format!("{error:?} {}", fault::Chain(&error));
        assert_eq!(fake.count("AssumeRoleWithWebIdentity"), 1);
        assert!(!shown.contains("SecretAccessKey") && !shown.contains("claims.signature"), "{by}: {shown}");
    }
}

#[tokio::test]
async fn a_file_without_an_end_is_not_read_to_it() {
    let fake = Fake::start().await;
    let large = file(&"x".repeat((1 << 20) + 1));
    let path = large.path().to_str().unwrap();
    let refused = async |base, more: &[(&str, &str)]| {
        let fault = begun_as(&fake, base, bare(more)).await.unwrap_err();
        let text = fault::Chain(fault.as_error()).to_string();
        assert!(fault.code() == "identity.base-failed" && text.contains("larger than 1 MiB"), "{text}");
    };
    refused(Base::WebIdentity(WebIdentity::new("arn:aws:iam::111111111111:role/orders", path, "tidegate")), &[]).await;
    refused(Base::Profile(Profile { credentials_file: Some(path.into()), ..Profile::named("orders") }), &[]).await;
    let url = fake.url();
    let token = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*url), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path)];
    refused(Base::Container, &token).await;
    assert_eq!(fake.count("AssumeRoleWithWebIdentity"), 0);
}

#[tokio::test]
async fn a_profile_that_holds_a_region_alone_does_not_hide_the_instance() {
    let fake = Fake::start().await;
    let (config, url) = (file("[default]\nregion = eu-central-1\n"), fake.url());
    let imds = [
        ("AWS_CONFIG_FILE", config.path().to_str().unwrap()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str()),
        ("AWS_EC2_METADATA_DISABLED", "false"),
    ];
    assert_eq!(begun_as(&fake, Base::DefaultChain, bare(&imds)).await.unwrap(), "ASIAEC21");
    // By its own name it is asked for something that it has not.
    let profile = Base::Profile(Profile::named("default"));
    let fault = begun_as(&fake, profile, bare(&imds)).await.unwrap_err();
    assert_eq!(fault.code(), "identity.base-failed");
}
