//! The sink against the embedded AWS: signatures are verified, the role may do what its policy says and no more, sessions
//! end, and answers that are told to get lost do.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use aws::objects::{Bucket, BucketOptions};
use aws::s3::{ExistingObject, S3Options, S3Sink, Sweep, Swept};
use aws::{Backoff, Clients};
use bytes::Bytes;
use fault::Diagnose as _;
use identity::{AccessKeyId, AssumeRole, Base, Connection, KeyRule, StaticKeys, StsEndpoint};
use local::aws::{Aws, AwsOptions, Effect, FaultRule, NewUser};
use transit::{Finished, ObjectName, Sink as _};
use world::{Clock, Environment};

use crate::{MARKER, MIB, NAME, eventually, hello, name, object, uploaded};

const EXTERNAL_ID: &str = "c-7f3";

/// What the documentation asks a customer to allow, and what a test takes away from it.
const ALLOWED: [&str; 7] = [
    "s3:PutObject",
    "s3:GetObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucket",
];

/// A vendor with a user, and a customer with a bucket and roles that trust the vendor under an external ID.
pub(crate) struct World {
    pub(crate) aws: Aws,
    pub(crate) clock: Clock,
    vendor: NewUser,
    customer: NewUser,
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = Clock::manual(Clock::system().now());
        let aws = Aws::start(AwsOptions { clock: clock.clone(), ..AwsOptions::default() }).await.unwrap();
        let all = policy(&["*"]);
        let vendor = aws.account("222222222222".parse().unwrap()).user("app").policy(&all).create().await.unwrap();
        let account = aws.account("111111111111".parse().unwrap());
        let customer = account.user("admin").policy(&all).create().await.unwrap();
        account.bucket("lake").region("eu-central-1").create().await.unwrap();
        let world = Self { aws, clock, vendor, customer };
        world.role("orders", &ALLOWED).await;
        world
    }

    pub(crate) async fn role(&self, name: &str, actions: &[&str]) {
        let trust = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"{}"}},
            "Action":"sts:AssumeRole","Condition":{{"StringEquals":{{"sts:ExternalId":"{EXTERNAL_ID}"}}}}}}}}"#,
            self.vendor.arn
        );
        let account = self.aws.account("111111111111".parse().unwrap());
        account.role(name, &trust).policy(&policy(actions)).create().await.unwrap();
    }

    pub(crate) fn options(&self) -> S3Options {
        S3Options {
            endpoint: Some(self.aws.endpoint()),
            backoff: Backoff { base: Duration::from_millis(1), cap: Duration::from_millis(5) },
            gone_after: Duration::from_millis(50),
            ..S3Options::new("lake", "eu-central-1")
        }
    }

    /// A process of its own: nothing is shared with the sinks before it, sessions least of all.
    fn sink_as(&self, role: &str, options: S3Options) -> S3Sink {
        let role_arn = format!("arn:aws:iam::111111111111:role/{role}");
        let external_id = Some(EXTERNAL_ID.to_owned());
        let hop = AssumeRole { external_id, ..AssumeRole::new(role_arn, "tidegate") };
        self.open(&self.vendor, vec![hop], options)
    }

    fn sink(&self) -> S3Sink {
        self.sink_as("orders", self.options())
    }

    /// The bucket's owner, who may do everything.
    pub(crate) fn owner(&self) -> S3Sink {
        self.open(&self.customer, Vec::new(), self.options())
    }

    fn open(&self, user: &NewUser, hops: Vec<AssumeRole>, options: S3Options) -> S3Sink {
        self.clients().s3(&self.connection(user, hops), options).unwrap()
    }

    fn clients(&self) -> Clients {
        Clients::new(self.clock.clone(), Environment::of::<String, String>([]))
    }

    fn connection(&self, user: &NewUser, hops: Vec<AssumeRole>) -> Connection {
        let access_key_id = AccessKeyId::new(user.access_key_id.as_str());
        let keys = StaticKeys { access_key_id, secret: user.secret_access_key.clone(), token: None };
        let sts = StsEndpoint::new("eu-central-1").at(self.aws.endpoint());
        Connection { base: Base::Keys(keys), hops, sts }
    }

    /// A bucket as a role sees it, whose sessions may do no more than `policy` says.
    pub(crate) fn bucket_as(&self, role: &str, policy: Option<String>, options: BucketOptions) -> Bucket {
        let role_arn = format!("arn:aws:iam::111111111111:role/{role}");
        let external_id = Some(EXTERNAL_ID.to_owned());
        let hop = AssumeRole { external_id, policy, ..AssumeRole::new(role_arn, "tidegate") };
        self.clients().bucket(&self.connection(&self.vendor, vec![hop]), options).unwrap()
    }

    pub(crate) fn fault(&self, operation: &str, effect: Effect) {
        self.aws.faults().add(FaultRule::new(effect).operation(operation).count(1)).unwrap();
    }

    pub(crate) fn count(&self, operation: &str, outcome: &str) -> u64 {
        self.aws.requests().counts().get(&(operation.to_owned(), outcome.to_owned())).copied().unwrap_or_default()
    }

    async fn read(&self, name: &str) -> Bytes {
        self.owner().get(&name.into()).await.unwrap()
    }
}

fn policy(actions: &[&str]) -> String {
    let actions = actions.join("\",\"");
    format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":["{actions}"],"Resource":"*"}}}}"#)
}

fn error(code: &str, applied: bool) -> Effect {
    Effect::Error { code: code.to_owned(), applied }
}

#[tokio::test]
async fn an_assumed_role_with_the_documented_rights_writes_and_recovers() {
    let world = World::new().await;
    let (first, name) = (world.sink(), name());
    let upload = first.begin(&name, MARKER).await.unwrap();
    let pieces: Vec<Bytes> = (0..6u8).map(|i| Bytes::from(vec![i; MIB])).collect();
    let (last, front) = tokio::join!(
        first.part(&name, &upload, 2, vec![Bytes::from_static(b"the "), Bytes::from_static(b"end")]),
        first.part(&name, &upload, 1, pieces.clone()),
    );
    last.unwrap();
    front.unwrap();
    drop(first);
    // The next owner has the intent alone: it asks for the parts, and once the upload is over, for the object.
    let next = world.sink();
    assert_eq!(next.finish(&object(&upload)).await.unwrap(), Finished::Visible);
    assert_eq!((world.count("ListParts", "200"), world.count("CompleteMultipartUpload", "200")), (1, 1));
    assert_eq!(world.sink().finish(&object(&upload)).await.unwrap(), Finished::Visible);
    assert_eq!((world.count("ListParts", "NoSuchUpload"), world.count("CompleteMultipartUpload", "200")), (1, 1));
    assert_eq!(world.read(NAME).await, [&pieces.concat()[..], b"the end"].concat());
    assert_eq!(world.aws.tally().objects, 1);
}

#[tokio::test]
async fn the_wrong_external_id_takes_on_no_role() {
    let world = World::new().await;
    let hop = AssumeRole {
        external_id: Some("c-7f4".to_owned()),
        ..AssumeRole::new("arn:aws:iam::111111111111:role/orders", "tidegate")
    };
    let sink = world.open(&world.vendor, vec![hop], world.options());
    let fault = sink.begin(&name(), MARKER).await.unwrap_err();
    assert_eq!(fault.code(), "identity.access-denied");
    assert_eq!(world.aws.requests().of("CreateMultipartUpload"), 0);
}

#[tokio::test]
async fn an_upload_outlives_the_sessions_that_end_under_its_hands() {
    let world = World::new().await;
    let sink = world.sink();
    let upload = sink.begin(&name(), MARKER).await.unwrap();
    let mut parts = Vec::new();
    for number in 1..=3 {
        // Each part meets a session that AWS has just ended; an hour later its own time would have been over.
        world.fault("UploadPart", Effect::ExpireSession);
        let body = if number < 3 { vec![number as u8; 5 * MIB] } else { b"end".to_vec() };
        parts.push(sink.part(&name(), &upload, number, vec![body.into()]).await.unwrap());
        world.clock.advance(Duration::from_hours(1));
    }
    world.fault("CompleteMultipartUpload", Effect::ExpireSession);
    // HEAD has no body to say in that a session is over.
    world.fault("HeadObject", Effect::ExpireSession);
    assert_eq!(sink.publish(&object(&upload), &parts).await.unwrap(), Finished::Visible);
    assert_eq!(world.read(NAME).await.len(), 10 * MIB + 3);
    assert_eq!(world.count("UploadPart", "ExpiredToken"), 3);
    assert_eq!(world.count("HeadObject", "ExpiredToken"), 1);
    assert!(world.aws.requests().of("AssumeRole") >= 6, "{:?}", world.aws.requests().counts());
    assert_eq!(world.aws.tally().objects, 1);
}

#[tokio::test]
async fn sessions_that_end_one_after_the_other_are_not_taken_for_a_missing_object() {
    let world = World::new().await;
    let (object, parts) = uploaded(&world.sink()).await;
    assert_eq!(world.sink().publish(&object, &parts).await.unwrap(), Finished::Visible);
    let ends = FaultRule::new(Effect::ExpireSession).operation("HeadObject").count(2);
    world.aws.faults().add(ends).unwrap();
    assert_eq!(world.sink().finish(&object).await.unwrap(), Finished::Visible);
    assert_eq!(world.count("HeadObject", "ExpiredToken"), 2);
}

#[tokio::test]
async fn completion_that_is_done_and_not_answered_is_found_done() {
    let world = World::new().await;
    let sink = world.sink();
    let (object, parts) = uploaded(&sink).await;
    world.fault("CompleteMultipartUpload", Effect::LateAnswer { millis: 3_600_000 });
    let publishing = tokio::spawn({
        let (sink, object) = (sink.clone(), object.clone());
        async move { sink.publish(&object, &parts).await.unwrap() }
    });
    eventually(|| world.aws.tally().objects == 1).await;
    assert!(!publishing.is_finished());
    // The client waits for five minutes, the answer for an hour. (Paused only for the jump: nothing else waits.)
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(6)).await;
    tokio::time::resume();
    assert_eq!(publishing.await.unwrap(), Finished::Visible);
    assert_eq!(world.count("CompleteMultipartUpload", "NoSuchUpload"), 1);
    assert_eq!((world.aws.tally().objects, world.read(NAME).await), (1, hello().bytes));
}

#[tokio::test]
async fn a_part_whose_answer_is_late_is_sent_again_and_replaces_itself() {
    let world = World::new().await;
    let patience = S3Options { answer_within: Duration::from_millis(200), ..world.options() };
    let sink = world.sink_as("orders", patience);
    world.fault("UploadPart", Effect::LateAnswer { millis: 3_600_000 });
    let (object, parts) = uploaded(&sink).await;
    assert_eq!(sink.publish(&object, &parts).await.unwrap(), Finished::Visible);
    assert_eq!(world.read(NAME).await, hello().bytes);
    assert!(sink.counters().requests().iter().any(|request| request.code == "silent"));
}

#[tokio::test]
async fn every_object_arrives_once_and_whole_at_a_store_that_fails_every_third_time() {
    let world = World::new().await;
    let sink = world.sink();
    // Of the calls that make an object each may fail before or after it was done.
    let calls = ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "ListParts", "HeadObject"];
    let effects = [
        error("SlowDown", false),
        error("ServiceUnavailable", true),
        error("InternalError", true),
        Effect::Reset { applied: false },
        Effect::Reset { applied: true },
        Effect::TruncateBody,
        Effect::ErrorInBody { code: "InternalError".to_owned() },
    ];
    for call in calls {
        for effect in effects.clone() {
            let rule = FaultRule::new(effect).operation(call).probability(0.05);
            world.aws.faults().add(rule).unwrap();
        }
    }
    let before = sink.concurrency_limit();
    let objects = (0..40).map(|number| {
        let sink = sink.clone();
        tokio::spawn(async move {
            let name: ObjectName = format!("shop/orders-0-{number}").into();
            let upload = sink.begin(&name, MARKER).await.unwrap();
            let body = vec![Bytes::from(format!("object {number}"))];
            let part = sink.part(&name, &upload, 1, body).await.unwrap();
            let object = transit::IntentObject { name, ..object(&upload) };
            // Half are published by their owner, half finished by the next.
            let finished =
                if number % 2 == 0 { sink.publish(&object, &[part]).await } else { sink.finish(&object).await };
            assert_eq!(finished.unwrap(), Finished::Visible);
        })
    });
    for object in objects.collect::<Vec<_>>() {
        object.await.unwrap();
    }
    assert!(sink.concurrency_limit() < before, "SlowDown asks for fewer requests at once");
    world.aws.faults().clear();
    assert_eq!(world.aws.tally().objects, 40, "none was visible twice");
    let listed = world.owner().list("shop/").await.unwrap();
    let names: HashMap<_, _> = listed.iter().map(|object| (object.name.to_string(), object.size)).collect();
    for number in 0..40 {
        let name = format!("shop/orders-0-{number}");
        assert_eq!(names.get(&name), Some(&(format!("object {number}").len() as u64)), "{name}");
        assert_eq!(world.read(&name).await, format!("object {number}"));
    }
}

#[tokio::test]
async fn two_owners_who_complete_at_once_make_one_object() {
    let world = World::new().await;
    let (old, new) = (world.sink(), world.sink());
    for round in 1..=8 {
        let (object, parts) = uploaded(&old).await;
        let (published, finished) = tokio::join!(old.publish(&object, &parts), new.finish(&object));
        assert_eq!((published.unwrap(), finished.unwrap()), (Finished::Visible, Finished::Visible));
        assert_eq!(world.aws.tally().objects, round);
    }
}

#[tokio::test]
async fn what_somebody_else_aborted_is_gone_with_or_without_the_right_to_list() {
    let world = World::new().await;
    let unlisted: Vec<_> = ALLOWED.into_iter().filter(|action| *action != "s3:ListBucket").collect();
    world.role("unlisted", &unlisted).await;
    for role in ["orders", "unlisted"] {
        let sink = world.sink_as(role, world.options());
        let (object, parts) = uploaded(&sink).await;
        world.owner().abort(&name(), &object.upload).await;
        assert_eq!(sink.publish(&object, &parts).await.unwrap(), Finished::Gone, "{role}");
        assert_eq!(world.sink_as(role, world.options()).finish(&object).await.unwrap(), Finished::Gone, "{role}");
    }
    assert_eq!(world.aws.tally().objects, 0);
}

#[tokio::test]
async fn without_the_right_to_read_what_is_over_is_not_guessed_about() {
    let world = World::new().await;
    let blind: Vec<_> =
        ALLOWED.into_iter().filter(|action| !["s3:GetObject", "s3:ListBucket"].contains(action)).collect();
    world.role("blind", &blind).await;
    let sink = || world.sink_as("blind", world.options());
    let (object, parts) = uploaded(&sink()).await;
    assert_eq!(sink().publish(&object, &parts).await.unwrap(), Finished::Visible);
    assert_eq!(sink().finish(&object).await.unwrap_err().code(), "s3.object-unseen");
}

#[tokio::test]
async fn only_objects_of_others_stop_a_connector_that_must_not_overwrite() {
    let world = World::new().await;
    let strict = || world.sink_as("orders", S3Options { existing: ExistingObject::Fail, ..world.options() });
    let sink = strict();
    let (object, parts) = uploaded(&sink).await;
    // Done, and told to be in the way of itself: S3 holds the condition against what the first attempt has made.
    world.fault("CompleteMultipartUpload", Effect::Reset { applied: true });
    assert_eq!(sink.publish(&object, &parts).await.unwrap(), Finished::Visible);
    let (second, parts) = uploaded(&sink).await;
    world.owner().put(&name(), vec![Bytes::from_static(b"theirs")], None).await.unwrap();
    let fault = sink.publish(&second, &parts).await.unwrap_err();
    assert_eq!(fault.code(), "s3.object-exists");
    assert_eq!(strict().finish(&second).await.unwrap_err().code(), "s3.object-exists");
    assert_eq!(world.read(NAME).await, "theirs");
}

#[tokio::test]
async fn a_sweep_ends_the_uploads_of_earlier_sessions_and_nobody_elses() {
    let world = World::new().await;
    world.role("other", &ALLOWED).await;
    let dead = world.sink();
    let begin = |sink: S3Sink, name: &'static str| async move { sink.begin(&name.into(), MARKER).await.unwrap() };
    begin(dead.clone(), "shop/orders-0-1").await;
    let wanted = begin(dead.clone(), "shop/orders-0-2").await;
    begin(dead.clone(), "shop/orders-0-\n +%2B").await;
    begin(dead.clone(), "shop/report").await;
    begin(dead, "warehouse/orders-0-1").await;
    begin(world.sink_as("other", world.options()), "shop/orders-0-3").await;
    begin(world.owner(), "shop/orders-0-4").await;
    world.clock.advance(Duration::from_hours(25));
    let young = world.sink();
    begin(young, "shop/orders-0-5").await;

    let keep = HashSet::from([wanted]);
    let is_ours = |name: &str| name.starts_with("shop/orders-");
    let sweep = Sweep { prefix: "shop/", is_ours: &is_ours, keep: &keep, older_than: Sweep::A_DAY };
    assert_eq!(world.sink().sweep(&sweep).await.unwrap(), Swept { aborted: 2, left: 4 });
    assert_eq!(world.sink().sweep(&sweep).await.unwrap(), Swept { aborted: 0, left: 4 });
    assert_eq!(world.count("AbortMultipartUpload", "204"), 2);
}

#[tokio::test]
async fn a_role_with_the_generated_policies_does_what_the_sink_does_and_nothing_beside_it() {
    use iam::generate::{Need, S3Place, Trust, Trusted, permission_policy};

    let world = World::new().await;
    let owner = Some("111111111111".parse().unwrap());
    let place = S3Place { prefix: "shop/orders-".to_owned(), owner, ..S3Place::new("lake") };
    let permission =
        permission_policy(&[Need::WriteObjects { place, manifests: Some("shop/.tidegate/".to_owned()) }]).unwrap();
    let vendor = world.vendor.arn.to_string();
    let trusted = Trusted::Party { principal: vendor, external_id: EXTERNAL_ID.to_owned(), exists: true };
    let trust = Trust { trusted: vec![trusted], ..Trust::default() }.policy().unwrap();
    let account = world.aws.account("111111111111".parse().unwrap());
    account.role("least", &trust.to_string()).policy(&permission.to_string()).create().await.unwrap();
    let sink = || world.sink_as("least", world.options());

    // Written, published, and found published by the next owner.
    let (first, parts) = uploaded(&sink()).await;
    assert_eq!(sink().finish(&first).await.unwrap(), Finished::Visible);
    assert_eq!(sink().publish(&first, &parts).await.unwrap(), Finished::Visible);
    let strict = world.sink_as("least", S3Options { existing: ExistingObject::Fail, ..world.options() });
    assert_eq!(uploaded_and_published(&strict).await, Err("s3.object-exists".to_owned()));
    // Aborted by somebody else, and found gone.
    world.owner().delete_manifest(&name()).await;
    let (gone, _) = uploaded(&sink()).await;
    world.owner().abort(&name(), &gone.upload).await;
    assert_eq!(sink().finish(&gone).await.unwrap(), Finished::Gone);
    // Manifests are written, read and taken away.
    let manifest: ObjectName = "shop/.tidegate/m-1".into();
    sink().put_manifest(&manifest, Bytes::from_static(b"{}")).await.unwrap();
    assert_eq!(sink().get_manifest(&manifest).await.unwrap().as_deref(), Some(&b"{}"[..]));
    sink().delete_manifest(&manifest).await;
    assert_eq!(sink().get_manifest(&manifest).await.unwrap(), None, "though it may list under prefixes alone");
    assert_eq!(world.owner().list("").await.unwrap(), []);
    // Orphans are swept.
    sink().begin(&name(), MARKER).await.unwrap();
    world.clock.advance(Duration::from_hours(25));
    let sweep = Sweep {
        prefix: "shop/orders-",
        is_ours: &|name: &str| name.starts_with("shop/orders-"),
        keep: &HashSet::new(),
        older_than: Sweep::A_DAY,
    };
    let swept = sink().sweep(&sweep).await.unwrap();
    assert_eq!((swept.aborted, world.count("AbortMultipartUpload", "AccessDenied")), (2, 0));

    for other in ["shop/report", "warehouse/orders-0-1", "shop/.tidegate"] {
        assert_eq!(sink().begin(&other.into(), MARKER).await.unwrap_err().code(), "s3.access-denied", "{other}");
    }
    assert!(sink().list("shop/orders-").await.is_ok());
    assert!(sink().list("shop/").await.is_err());
    let theirs: ObjectName = "shop/orders-1".into();
    world.owner().put(&theirs, vec![Bytes::from_static(b"x")], None).await.unwrap();
    sink().delete_manifest(&theirs).await;
    assert_eq!(world.count("DeleteObject", "AccessDenied"), 1);
}

async fn uploaded_and_published(sink: &S3Sink) -> Result<Finished, String> {
    let upload = sink.begin(&name(), "cut-other").await.unwrap();
    let part = sink.part(&name(), &upload, 1, vec![Bytes::from_static(b"other")]).await.unwrap();
    let object = transit::IntentObject { marker: "cut-other".into(), ..object(&upload) };
    sink.publish(&object, &[part]).await.map_err(|fault| fault.code().to_owned())
}

/// A connection as a user writes it, over the vendor's keys to the role `orders`.
fn fenced(world: &World, more: &str) -> Connection {
    let text = format!(
        "[connections.lake]\nkind = \"keys\"\nregion = \"eu-central-1\"\naccess_key_id = \"{}\"\n\
         secret_access_key = {{ env = \"SECRET\" }}\nbucket = \"lake\"\nprefix = \"topics/\"\n{more}\n\
         endpoints = {{ sts = \"{}\" }}\n[[connections.lake.roles]]\n\
         arn = \"arn:aws:iam::111111111111:role/orders\"\nexternal_id = \"{EXTERNAL_ID}\"\n",
        world.vendor.access_key_id,
        world.aws.endpoint(),
    );
    let environment = Environment::of([("SECRET", world.vendor.secret_access_key.expose())]);
    let connections = identity::Connections::read("test", &text, &environment, KeyRule::default()).unwrap();
    connections.get("lake").unwrap().bind("orders", identity::Purpose::S3)
}

#[tokio::test]
async fn a_session_cannot_leave_the_fence_though_its_role_may() {
    let body = || Bytes::from_static(b"hello");
    let world = World::new().await;
    let clients = Clients::new(world.clock.clone(), Environment::of::<String, String>([]));
    let sink = clients.s3(&fenced(&world, ""), world.options()).unwrap();
    let inside: ObjectName = "topics/orders-0-0".into();
    sink.put_manifest(&inside, body()).await.unwrap();
    assert_eq!(sink.get_manifest(&inside).await.unwrap(), Some(body()));
    sink.delete_manifest(&inside).await;
    let outside: ObjectName = "elsewhere/orders-0-0".into();
    let fault = sink.put_manifest(&outside, body()).await.unwrap_err();
    assert_eq!(fault.code(), "s3.access-denied", "{fault}");
    assert!(sink.begin(&outside, MARKER).await.is_err());
    // The fence leaves what a sweep needs, and shows no names outside.
    let sweep = Sweep { prefix: "topics/orders-", is_ours: &|_| true, keep: &HashSet::new(), older_than: Sweep::A_DAY };
    sink.sweep(&sweep).await.unwrap();
    assert_eq!(world.count("ListMultipartUploads", "AccessDenied"), 0);
    sink.list("topics/").await.unwrap();
    assert_eq!(sink.list("").await.unwrap_err().code(), "s3.access-denied");

    let open = clients.s3(&fenced(&world, "fence = \"off\""), world.options()).unwrap();
    open.put_manifest(&outside, body()).await.unwrap();
}

#[tokio::test]
async fn a_bucket_of_another_owner_gets_nothing() {
    let world = World::new().await;
    let name: ObjectName = "orders-0-0".into();
    let body = || Bytes::from_static(b"hello");
    let owned = S3Options { owner: Some("111111111111".parse().unwrap()), ..world.options() };
    world.sink_as("orders", owned).put_manifest(&name, body()).await.unwrap();
    let sniped = S3Options { owner: Some("333333333333".parse().unwrap()), ..world.options() };
    let sink = world.sink_as("orders", sniped);
    assert_eq!(sink.put_manifest(&name, body()).await.unwrap_err().code(), "s3.access-denied");
    assert!(sink.begin(&name, MARKER).await.is_err());
    assert!(sink.get_manifest(&name).await.is_err());
}

#[tokio::test]
async fn the_way_of_a_connection_is_walked_stop_by_stop() {
    let world = World::new().await;
    let clients = Clients::new(world.clock.clone(), Environment::of::<String, String>([]));
    let stops = clients.walk(&fenced(&world, "")).await;
    let arns: Vec<_> = stops.iter().map(|stop| stop.as_ref().unwrap().arn.clone().unwrap()).collect();
    assert_eq!(
        arns,
        [world.vendor.arn.to_string(), "arn:aws:sts::111111111111:assumed-role/orders/tidegate-lake".to_owned()]
    );
    assert!(stops[1].as_ref().unwrap().expires_at.is_some());
    let mut wrong = fenced(&world, "");
    wrong.hops[0].external_id = Some("another".into());
    let stops = clients.walk(&wrong).await;
    assert!(stops[0].is_ok());
    assert_eq!(stops[1].as_ref().unwrap_err().code(), "identity.access-denied");
}

#[tokio::test]
async fn a_profile_leads_to_a_role_whose_session_lives_as_long_as_it_says() {
    let world = World::new().await;
    let dir = tempfile::tempdir().unwrap();
    let (config, credentials) = (dir.path().join("config"), dir.path().join("credentials"));
    std::fs::write(
        &config,
        format!(
            "[profile orders]\nrole_arn = arn:aws:iam::111111111111:role/orders\nsource_profile = vendor\n\
             external_id = {EXTERNAL_ID}\nduration_seconds = 900\n"
        ),
    )
    .unwrap();
    let secret = world.vendor.secret_access_key.expose();
    let id = &world.vendor.access_key_id;
    let process = format!(
        "[vendor]\ncredential_process = echo '{{\"Version\":1,\"AccessKeyId\":\"{id}\",\"SecretAccessKey\":\"{secret}\"}}'\n"
    );
    std::fs::write(&credentials, process).unwrap();
    let profile = identity::Profile {
        config_file: Some(config),
        credentials_file: Some(credentials),
        ..identity::Profile::named("orders")
    };
    let sts = StsEndpoint::new("eu-central-1").at(world.aws.endpoint());
    let clients = Clients::new(world.clock.clone(), Environment::of::<String, String>([]));
    let connection = Connection { base: Base::Profile(profile), hops: Vec::new(), sts };
    let identity = clients.sessions().open(&connection).unwrap();
    let signer = identity.signer().await.unwrap();
    let left = signer.expires_at().unwrap().duration_since(world.clock.now()).unwrap();
    assert!(left <= Duration::from_mins(15), "{left:?}");
}

#[tokio::test]
async fn the_longest_session_of_a_role_is_found_out_at_sts() {
    let world = World::new().await;
    let mut connection = fenced(&world, "");
    connection.hops[0].duration = identity::Lifetime::Longest;
    let clients = Clients::new(world.clock.clone(), Environment::of::<String, String>([]));
    let signer = clients.sessions().open(&connection).unwrap().signer().await.unwrap();
    let left = signer.expires_at().unwrap().duration_since(world.clock.now()).unwrap();
    // The role's maximum is IAM's default of an hour.
    assert!(left > Duration::from_mins(59) && left <= Duration::from_hours(1), "{left:?}");
    assert!(world.count("AssumeRole", "ValidationError") >= 1, "AWS's own words were met on the way");
}

#[tokio::test]
async fn nobody_sends_requests_without_a_signature() {
    let world = World::new().await;
    let clients = Clients::new(world.clock.clone(), Environment::of::<String, String>([]));
    let sts = StsEndpoint::new("eu-central-1").at(world.aws.endpoint());
    let sink = clients.s3(&Connection { base: Base::Anonymous, hops: Vec::new(), sts }, world.options()).unwrap();
    let fault = sink.begin(&"orders-0-0".into(), MARKER).await.unwrap_err();
    assert_eq!(fault.code(), "s3.access-denied");
    assert!(fault.to_string().contains("nobody (unsigned)"), "{fault}");
}
