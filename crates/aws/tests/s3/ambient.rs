//! Every way to a session without a key reaches the embedded S3.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use aws::Clients;
use aws::s3::S3Options;
use fault::Diagnose as _;
use identity::roles_anywhere::RolesAnywhere;
use identity::{AssumeRole, Base, Connection};
use local::aws::{Algorithm, Aws, AwsOptions};
use serde_json::{Value, json};
use transit::Sink as _;
use world::{Clock, Environment};

use crate::fake::Fake;
use crate::{MARKER, connection, name};

const ACCOUNT: &str = "111111111111";
const REGION: &str = "eu-central-1";

/// Keys and certificates for tests; see `dev/roles-anywhere-vectors`.
fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../identity/testdata/roles_anywhere.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// An AWS in the year of the vectors, with a role that trusts everything which is no key.
struct Place {
    aws: Aws,
    clock: Clock,
    role: iam::Arn,
}

impl Place {
    async fn new() -> Self {
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_secs(vectors()["now"].as_u64().unwrap()));
        let aws = Aws::start(AwsOptions { clock: clock.clone(), ..AwsOptions::default() }).await.unwrap();
        let account = aws.account(ACCOUNT.parse().unwrap());
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
                "Principal": {"Service": ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "rolesanywhere.amazonaws.com"]}},
            {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
                "Principal": {"Federated": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.tidegate.test")}}]});
        let all = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
        let role = account.role("worker", &trust.to_string()).policy(&all.to_string()).create().await.unwrap();
        account.bucket("lake").region(REGION).create().await.unwrap();
        Self { aws, clock, role }
    }

    fn clients(&self, variables: &[(&str, &str)]) -> Clients {
        let mut all = vec![
            ("AWS_CONFIG_FILE", "/nonexistent/config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials"),
        ];
        all.extend(variables);
        Clients::new(self.clock.clone(), Environment::of(all))
    }

    async fn connection(&self, base: Base, hops: Vec<AssumeRole>) -> Connection {
        let mut connection = Connection { base, hops, ..connection(&Fake::start().await) };
        connection.sts.endpoint = Some(self.aws.endpoint());
        connection
    }

    /// Begins an upload over `base`: who it was done as.
    async fn begun(&self, clients: &Clients, base: Base, hops: Vec<AssumeRole>) -> Result<String, fault::Fault> {
        let connection = self.connection(base, hops).await;
        let options = S3Options { endpoint: Some(self.aws.endpoint()), ..S3Options::new("lake", REGION) };
        let sink = clients.s3(&connection, options)?;
        sink.begin(&name(), MARKER).await?;
        let signer = sink.identity().signer().await?;
        Ok(signer.principal().unwrap_or_default().to_owned())
    }

    /// A base by certificate: the pair is in `dir`, as `worker.pem` and `worker.key`.
    fn by_certificate(&self, dir: &Path) -> RolesAnywhere {
        let account = self.aws.account(ACCOUNT.parse().unwrap());
        let vectors = vectors();
        let anchor = account.trust_anchor(text(&vectors["authorities"]["root"])).region(REGION);
        let anchor = anchor.revocations(text(&vectors["crl"])).create().unwrap();
        let profile = account.anywhere_profile(&[&self.role]).region(REGION).create().unwrap();
        RolesAnywhere {
            trust_anchor_arn: anchor.to_string(),
            profile_arn: profile.to_string(),
            role_arn: self.role.to_string(),
            certificate: dir.join("worker.pem"),
            private_key: Some(dir.join("worker.key")),
            intermediates: None,
            passphrase: None,
            region: REGION.into(),
            endpoint: Some(self.aws.endpoint()),
            session_name: None,
            duration: None,
            fips: false,
            dual_stack: false,
        }
    }
}

fn put(dir: &Path, leaf: &str, chain: &[&str]) {
    let vectors = vectors();
    let leaf = &vectors["leaves"][leaf];
    let chain: String = chain.iter().map(|name| text(&vectors["authorities"][*name])).collect();
    std::fs::write(dir.join("worker.pem"), format!("{}{chain}", text(&leaf["certificate"]))).unwrap();
    std::fs::write(dir.join("worker.key"), text(&leaf["private_key"])).unwrap();
}

#[tokio::test]
async fn a_certificate_reaches_s3_with_every_kind_of_key() {
    let place = Place::new().await;
    let dir = tempfile::tempdir().unwrap();
    let base = Base::RolesAnywhere(place.by_certificate(dir.path()));
    for (leaf, chain) in [("rsa", &[][..]), ("p256", &["root"]), ("p384", &[]), ("chained", &["middle", "root"])] {
        put(dir.path(), leaf, chain);
        let who = place.begun(&place.clients(&[]), base.clone(), Vec::new()).await.unwrap();
        assert!(who.starts_with("arn:aws:sts::111111111111:assumed-role/worker/"), "{leaf}: {who}");
    }
    assert_eq!(place.aws.requests().of("CreateSession"), 4);
}

#[tokio::test]
async fn a_role_is_taken_on_over_a_certificate() {
    let place = Place::new().await;
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "p256", &[]);
    let trust = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow",
        "Principal": {"AWS": place.role.as_str()}, "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
        "Condition": {"StringEquals": {"sts:ExternalId": "c-7f3", "sts:SourceIdentity": "tidegate-worker"}}}});
    let all = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}});
    let account = place.aws.account(ACCOUNT.parse().unwrap());
    account.role("orders", &trust.to_string()).policy(&all.to_string()).create().await.unwrap();
    let hop = AssumeRole::new("arn:aws:iam::111111111111:role/orders", "tidegate");
    let hop = AssumeRole { external_id: Some("c-7f3".into()), ..hop };
    let base = Base::RolesAnywhere(place.by_certificate(dir.path()));
    let who = place.begun(&place.clients(&[]), base, vec![hop]).await.unwrap();
    assert_eq!(who, "arn:aws:sts::111111111111:assumed-role/orders/tidegate");
}

#[tokio::test]
async fn a_rotated_certificate_is_taken_at_the_next_exchange() {
    let place = Place::new().await;
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "rsa", &[]);
    let (clients, base) = (place.clients(&[]), Base::RolesAnywhere(place.by_certificate(dir.path())));
    let connection = place.connection(base, Vec::new()).await;
    let identity = clients.sessions().open(&connection).unwrap();
    let first = identity.signer().await.unwrap();
    put(dir.path(), "p384", &[]);
    place.clock.advance(Duration::from_mins(61));
    let second = identity.signer().await.unwrap();
    assert_ne!(first.principal(), second.principal(), "the session is called by the certificate's serial number");
    let expiries = clients.certificates().expiries();
    assert_eq!(expiries.len(), 1);
    assert_eq!(expiries[0].serial, text(&vectors()["leaves"]["p384"]["facts"]["serial"]));
}

#[tokio::test]
async fn a_refused_certificate_says_what_to_do() {
    let place = Place::new().await;
    let dir = tempfile::tempdir().unwrap();
    let base = place.by_certificate(dir.path());
    for (leaf, code, hint) in [
        ("chained", "identity.access-denied", "give the intermediates"),
        ("revoked", "identity.access-denied", "have a new certificate issued"),
        ("expired", "certificate.unfit", "have a certificate issued"),
    ] {
        put(dir.path(), leaf, &[]);
        let clients = place.clients(&[]);
        let fault = place.begun(&clients, Base::RolesAnywhere(base.clone()), Vec::new()).await.unwrap_err();
        assert_eq!(fault.code(), code, "{leaf}: {}", fault::Chain(fault.as_error()));
        assert!(fault.hint().unwrap_or_default().contains(hint), "{leaf}: {:?}", fault.hint());
    }
    let asked = place.aws.requests().of("CreateSession");
    assert_eq!(asked, 2, "an expired one is not even shown");
    let named = RolesAnywhere { session_name: Some("worker-1".into()), ..base.clone() };
    put(dir.path(), "p256", &[]);
    let fault = place.begun(&place.clients(&[]), Base::RolesAnywhere(named), Vec::new()).await.unwrap_err();
    assert!(fault.hint().unwrap().contains("leave the session name out"), "{:?}", fault.hint());
    let elsewhere = RolesAnywhere { region: "eu-west-1".into(), ..base };
    let connection = place.connection(Base::RolesAnywhere(elsewhere), Vec::new()).await;
    let error = place.clients(&[]).sessions().open(&connection).unwrap_err();
    assert_eq!(error.code(), "identity.flawed-request");
}

#[tokio::test]
async fn an_outage_of_roles_anywhere_is_waited_out_and_not_blamed_on_the_certificate() {
    use local::aws::{Effect, FaultRule};

    let place = Place::new().await;
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "rsa", &[]);
    let clients = place.clients(&[]);
    let connection = place.connection(Base::RolesAnywhere(place.by_certificate(dir.path())), Vec::new()).await;
    let identity = clients.sessions().open(&connection).unwrap();
    for effect in
        [Effect::Error { code: "ServiceUnavailable".into(), applied: false }, Effect::Reset { applied: false }]
    {
        place.aws.faults().add(FaultRule::new(effect).operation("CreateSession").count(1)).unwrap();
        let error = identity.signer().await.unwrap_err();
        assert_eq!(error.retry(), fault::Retry::Backoff, "{error}");
    }
    tokio::time::timeout(Duration::from_mins(1), async {
        // The cache lets nobody ask again at once after a failure.
        while identity.signer().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_instance_reaches_s3() {
    let place = Place::new().await;
    place.aws.instance().attach(&place.role);
    let endpoint = place.aws.endpoint();
    let clients = place.clients(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint)]);
    place.begun(&clients, Base::Instance, Vec::new()).await.unwrap();
    place.begun(&clients, Base::DefaultChain, Vec::new()).await.unwrap();
    place.aws.instance().detach();
    let clients = place.clients(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint)]);
    place.begun(&clients, Base::Instance, Vec::new()).await.unwrap_err();
}

#[tokio::test]
async fn a_container_reaches_s3_with_its_token_and_not_without() {
    let place = Place::new().await;
    let container = place.aws.task(&place.role);
    let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.full_uri.as_str());
    let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", container.token.expose());
    place.begun(&place.clients(&[uri, token]), Base::Container, Vec::new()).await.unwrap();
    place.begun(&place.clients(&[uri, token]), Base::DefaultChain, Vec::new()).await.unwrap();
    let fault = place.begun(&place.clients(&[uri]), Base::Container, Vec::new()).await.unwrap_err();
    assert_eq!(fault.blame(), fault::Blame::Operator, "{}", fault::Chain(fault.as_error()));
}

#[tokio::test]
async fn a_service_account_reaches_s3_with_the_token_as_it_is_now() {
    let place = Place::new().await;
    let issuer = place.aws.issuer("https://oidc.tidegate.test").unwrap();
    place.aws.account(ACCOUNT.parse().unwrap()).oidc_provider(&issuer, &["sts.amazonaws.com"]).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let write = |life| {
        let token = issuer.token(Algorithm::Es256, "system:serviceaccount:a:b", "sts.amazonaws.com", life, &json!({}));
        std::fs::write(&file, token.expose()).unwrap();
    };
    write(Duration::from_mins(5));
    let role = place.role.to_string();
    let variables = [("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()), ("AWS_ROLE_ARN", &role)];
    place.begun(&place.clients(&variables), Base::DefaultChain, Vec::new()).await.unwrap();
    place.clock.advance(Duration::from_mins(6));
    place.begun(&place.clients(&variables), Base::DefaultChain, Vec::new()).await.unwrap_err();
    write(Duration::from_mins(5));
    place.begun(&place.clients(&variables), Base::DefaultChain, Vec::new()).await.unwrap();
}

/// What is logged at the finest level is read by more people than may have a session.
#[tokio::test]
async fn no_log_line_shows_a_key() {
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_env_filter("trace").with_ansi(false);
    // While there is but one subscriber, a place that another test's thread comes by first is silent for ever.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    // For this thread, which all tasks of this test run on.
    let _guard = tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish());
    let place = Place::new().await;
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "rsa", &[]);
    place.aws.instance().attach(&place.role);
    let container = place.aws.task(&place.role);
    let endpoint = place.aws.endpoint();
    let clients = place.clients(&[
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container.full_uri),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", container.token.expose()),
    ]);
    for base in [Base::RolesAnywhere(place.by_certificate(dir.path())), Base::Instance, Base::Container] {
        let connection = place.connection(base.clone(), Vec::new()).await;
        let signer = clients.sessions().open(&connection).unwrap().signer().await.unwrap();
        place.begun(&clients, base.clone(), Vec::new()).await.unwrap();
        let said = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(said.contains("transmitting request"), "the SDK says nothing, so that nothing is tried: {said}");
        for secret in [signer.secret(), signer.token().unwrap(), &container.token] {
            let at = said.lines().find(|line| line.contains(secret.expose()));
            assert_eq!(at, None, "{base}");
        }
    }
}
