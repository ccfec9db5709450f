//! What a person does with objects, against the embedded AWS.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws::objects::{
    Algorithm, Bucket, BucketOptions, CopyOptions, Doomed, Encryption, Error, Fate, Key, ListOptions, Reading, Source,
    Traits, Transfer, Uploads, Verb, Verified,
};
use aws::s3::{S3Options, Sweep};
use fault::Diagnose as _;
use identity::{Fence, Place, Purpose};
use local::aws::{Effect, FaultRule};

use crate::embedded::World;
use crate::eventually;

const MIB: u64 = 1 << 20;
/// The least part that S3 takes.
const PART: u64 = 5 * MIB;
/// Four parts, the last one shorter.
const SIZE: u64 = 3 * PART + 2 * MIB + 7;

const ALL: [&str; 1] = ["s3:*"];

/// A customer's bucket, a role that may do everything in it, and a directory for files.
struct Desk {
    world: World,
    bucket: Bucket,
    dir: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        let world = World::new().await;
        world.role("all", &ALL).await;
        let bucket = world.bucket_as("all", None, options(&world));
        Self { world, bucket, dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file in which no two mebibytes are alike.
    fn file(&self, name: &str, size: u64) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes(size)).unwrap();
        path
    }

    fn uploads(&self) -> Uploads {
        Uploads::in_directory(self.path("state"))
    }

    async fn put(&self, name: &str, content: &[u8]) -> aws::objects::Stored {
        let content = std::io::Cursor::new(content.to_vec());
        self.bucket.put_reader(&key(name), content, Traits::default(), false, &Transfer::new()).await.unwrap()
    }

    async fn put_file(&self, name: &str, path: &Path, transfer: &Transfer) -> Result<aws::objects::Stored, Error> {
        self.bucket.put_file(&key(name), path, Traits::default(), false, transfer, Some(&self.uploads())).await
    }

    /// Gets the object `big`.
    async fn get(&self, path: &Path, transfer: &Transfer) -> Result<aws::objects::Fetched, Error> {
        self.bucket.get_file(&key("big"), &Reading::default(), path, transfer).await
    }

    async fn content(&self, name: &str) -> Vec<u8> {
        let mut out = std::io::Cursor::new(Vec::new());
        self.bucket.read(&key(name), &Reading::default(), &mut out, &Transfer::new()).await.unwrap();
        out.into_inner()
    }

    /// Keys that are there.
    async fn keys(&self) -> Vec<String> {
        let mut lister = self.bucket.list(ListOptions::default()).unwrap();
        let mut keys = Vec::new();
        while let Some(page) = lister.next().await.unwrap() {
            keys.extend(page.objects.into_iter().map(|entry| entry.key));
        }
        keys
    }

    /// Uploads that are open.
    async fn open_uploads(&self) -> u64 {
        let keep = std::collections::HashSet::new();
        let sweep = Sweep { prefix: "", is_ours: &|_| true, keep: &keep, older_than: Sweep::A_DAY };
        let swept = self.world.owner().sweep(&sweep).await.unwrap();
        swept.left + swept.aborted
    }

    /// Everything in the directory of files but `known`.
    fn left_over(&self, known: &[&str]) -> Vec<String> {
        let names =
            fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "state" && !known.contains(&name.as_str())).collect()
    }
}

fn options(world: &World) -> BucketOptions {
    BucketOptions { tries_for: Duration::from_secs(10), ..BucketOptions::new(world.options()) }
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn bytes(size: u64) -> Vec<u8> {
    (0..size).map(|n| (n ^ (n >> 8) ^ (n >> 16) ^ (n >> 20)) as u8).collect()
}

fn small_parts() -> Transfer {
    Transfer { part_size: Some(PART), parallel: 3, ..Transfer::new() }
}

#[tokio::test]
async fn a_small_object_goes_in_one_request_with_all_that_is_said_of_it() {
    let desk = Desk::new().await;
    let path = desk.file("a.csv", 1000);
    let traits = Traits {
        content_type: Some("text/csv".into()),
        cache_control: Some("no-store".into()),
        metadata: vec![("x-amz-meta-Run".into(), "7".into())],
        tags: vec![("team".into(), "a b&c=d".into())],
        encryption: Encryption::S3,
        storage_class: Some("STANDARD_IA".into()),
        ..Traits::default()
    };
    // `&` and `=` have no place in a tag; what S3 takes of it goes through a query.
    let refused = desk.bucket.put_file(&key("in/a.csv"), &path, traits.clone(), false, &Transfer::new(), None).await;
    assert_eq!(refused.unwrap_err().code(), "object.bad-input");
    let traits = Traits { tags: vec![("team".into(), "a b+c=d".into())], ..traits };
    let stored = desk.bucket.put_file(&key("in/a.csv"), &path, traits, false, &Transfer::new(), None).await.unwrap();
    assert_eq!((stored.size, stored.parts), (1000, 0));
    assert_eq!(desk.world.count("PutObject", "200"), 1);
    let head = desk.bucket.head(&key("in/a.csv"), &Reading::default()).await.unwrap();
    assert_eq!((head.size, &head.etag, head.tags), (1000, &stored.etag, Some(1)));
    assert_eq!(head.content_type.as_deref(), Some("text/csv"));
    assert_eq!(head.cache_control.as_deref(), Some("no-store"));
    assert_eq!(head.metadata, BTreeMap::from([("run".to_owned(), "7".to_owned())]));
    assert_eq!((head.storage_class.as_str(), head.encryption.as_deref()), ("STANDARD_IA", Some("AES256")));
    assert_eq!(stored.checksum, Some(format!("CRC64NVME {}", head.checksums["CRC64NVME"])));
    assert_eq!(desk.bucket.tags(&key("in/a.csv"), None).await.unwrap(), [("team".into(), "a b+c=d".into())]);
    assert_eq!(desk.content("in/a.csv").await, bytes(1000));
}

#[tokio::test]
async fn a_large_file_goes_in_parts_and_comes_back_in_ranges() {
    for checksum in [Some(Algorithm::Crc64Nvme), Some(Algorithm::Crc32c), None] {
        let mut desk = Desk::new().await;
        desk.bucket = desk.world.bucket_as("all", None, BucketOptions { checksum, ..options(&desk.world) });
        let path = desk.file("big", SIZE);
        let transfer = small_parts();
        let stored = desk.put_file("big", &path, &transfer).await.unwrap();
        assert_eq!((stored.size, stored.parts, stored.resumed), (SIZE, 4, 0));
        assert_eq!((transfer.meter.done(), transfer.meter.total()), (SIZE, Some(SIZE)));
        assert_eq!(desk.world.count("UploadPart", "200"), 4);
        let fetched = desk.bucket.get_file(&key("big"), &Reading::default(), &desk.path("back"), &small_parts()).await;
        assert_eq!(fetched.unwrap().verified, checksum.map(|algorithm| algorithm.to_string()));
        assert_eq!(desk.world.count("GetObject", "206"), 4);
        assert!(fs::read(desk.path("back")).unwrap() == bytes(SIZE));
        assert_eq!(desk.left_over(&["big", "back"]), [""; 0]);
        assert_eq!(fs::read_dir(desk.path("state")).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn bytes_are_signed_where_nothing_else_guards_them_on_their_way() {
    let mut desk = Desk::new().await;
    let s3 = S3Options { payload: aws::s3::Payload::Signed, ..desk.world.options() };
    desk.bucket = desk.world.bucket_as("all", None, BucketOptions { s3, ..options(&desk.world) });
    // The embedded AWS compares what arrives with the signed hash.
    for size in [3, SIZE] {
        let path = desk.file("f", size);
        desk.put_file("f", &path, &small_parts()).await.unwrap();
        assert!(desk.content("f").await == bytes(size));
    }
}

#[tokio::test]
async fn a_reader_needs_an_upload_only_if_it_has_more_than_one_part() {
    let desk = Desk::new().await;
    for (size, parts) in [(0, 0), (7, 0), (PART, 0), (PART + 1, 2), (SIZE, 4)] {
        let content = std::io::Cursor::new(bytes(size));
        let stored =
            desk.bucket.put_reader(&key("r"), content, Traits::default(), false, &small_parts()).await.unwrap();
        assert_eq!((stored.size, stored.parts), (size, parts));
        assert!(desk.content("r").await == bytes(size), "{size}");
    }
    assert_eq!(desk.open_uploads().await, 0);
}

#[tokio::test]
async fn a_reader_that_fails_leaves_nothing() {
    struct Failing(u64);
    impl std::io::Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let some = (buffer.len() as u64).min(self.0);
            self.0 -= some;
            if some == 0 { Err(std::io::Error::other("the tape is torn")) } else { Ok(some as usize) }
        }
    }
    let desk = Desk::new().await;
    for size in [10, 2 * PART + 10] {
        let put = desk.bucket.put_reader(&key("r"), Failing(size), Traits::default(), false, &small_parts()).await;
        let error = put.unwrap_err();
        assert!(fault::Chain(&error).to_string().ends_with("the tape is torn"), "{error}");
    }
    assert_eq!((desk.keys().await.len(), desk.open_uploads().await), (0, 0));
}

#[tokio::test]
async fn whatever_passes_is_tried_again_and_the_bytes_are_the_same() {
    let says = |code: &str, applied| Effect::Error { code: code.into(), applied };
    let troubles = [
        ("UploadPart", says("SlowDown", false)),
        ("UploadPart", says("InternalError", true)),
        ("UploadPart", Effect::Reset { applied: false }),
        ("UploadPart", Effect::Reset { applied: true }),
        ("UploadPart", Effect::ExpireSession),
        ("UploadPart", Effect::ClockSkew { seconds: 3600 }),
        ("CreateMultipartUpload", says("ServiceUnavailable", false)),
        ("CompleteMultipartUpload", Effect::ErrorInBody { code: "InternalError".into() }),
        ("CompleteMultipartUpload", Effect::Reset { applied: true }),
        ("HeadObject", Effect::ExpireSession),
        ("HeadObject", says("InternalError", false)),
        ("GetObject", Effect::TruncateBody),
        ("GetObject", Effect::Reset { applied: false }),
        ("GetObject", Effect::ExpireSession),
    ];
    for (operation, effect) in troubles {
        let desk = Desk::new().await;
        let path = desk.file("big", SIZE);
        let told = format!("{operation} {effect:?}");
        desk.world.fault(operation, effect);
        let stored =
            desk.put_file("big", &path, &small_parts()).await.unwrap_or_else(|error| panic!("{told}: {error}"));
        assert_eq!(stored.size, SIZE, "{told}");
        let back = desk.path("back");
        let got = desk.bucket.get_file(&key("big"), &Reading::default(), &back, &small_parts()).await;
        assert!(got.is_ok(), "{told}: {:?}", got.unwrap_err());
        assert!(fs::read(back).unwrap() == bytes(SIZE), "{told}");
        assert_eq!(desk.open_uploads().await, 0, "{told}");
    }
}

#[tokio::test]
async fn a_put_that_must_be_new_and_whose_answer_is_lost_is_known_for_our_own() {
    let desk = Desk::new().await;
    let put = async |content: &'static [u8]| {
        let content = std::io::Cursor::new(content);
        desk.bucket.put_reader(&key("k"), content, Traits::default(), true, &small_parts()).await
    };
    desk.world.fault("PutObject", Effect::Reset { applied: true });
    put(b"ours").await.unwrap();
    let error = put(b"ours").await.unwrap_err();
    assert_eq!(error.code(), "object.exists", "{error}");
    assert_eq!(desk.content("k").await, b"ours");
}

#[tokio::test]
async fn a_copy_that_must_be_new_and_whose_answer_is_lost_is_known_for_our_own() {
    let desk = Desk::new().await;
    desk.put("from", b"ours").await;
    let (from, to) = (key("from"), key("to"));
    let copy = async || {
        let source = Source { bucket: &desk.bucket, key: &from, reading: Reading::default() };
        let options = CopyOptions { only_new: true, ..CopyOptions::default() };
        desk.bucket.copy(&source, &to, &options, &Transfer::new()).await
    };
    desk.world.fault("CopyObject", Effect::Reset { applied: true });
    copy().await.unwrap();
    assert_eq!(copy().await.unwrap_err().code(), "object.exists");
    // Somebody else's is none of ours, however often was asked.
    desk.put("to", b"else").await;
    desk.world.fault("CopyObject", Effect::Reset { applied: false });
    assert_eq!(copy().await.unwrap_err().code(), "object.exists");
    assert_eq!(desk.content("to").await, b"else");
}

#[tokio::test]
async fn an_interrupt_does_not_say_that_nothing_was_written_once_s3_was_asked_for_the_object() {
    let desk = Desk::new().await;
    let path = desk.file("big", SIZE);
    for (operation, size) in [("PutObject", 5), ("CompleteMultipartUpload", SIZE)] {
        let late = FaultRule::new(Effect::LateAnswer { millis: 3_600_000 }).operation(operation);
        desk.world.aws.faults().add(late).unwrap();
        let transfer = small_parts();
        let interrupt = transfer.interrupt.clone();
        let name = format!("of-{size}");
        let content = std::io::Cursor::new(fs::read(&path).unwrap()).take(size);
        let name_of = key(&name);
        let put = desk.bucket.put_reader(&name_of, content, Traits::default(), false, &transfer);
        let stopping = async {
            while !desk.keys().await.contains(&name) {
                tokio::task::yield_now().await;
            }
            interrupt.set();
        };
        let both = async { tokio::join!(put, stopping) };
        let (put, ()) = tokio::time::timeout(Duration::from_secs(30), Box::pin(both)).await.unwrap();
        let error = put.unwrap_err();
        assert_eq!(error.code(), "object.stopped");
        assert!(error.to_string().contains("there whole, or not at all"), "{operation}: {error}");
    }
}

#[tokio::test]
async fn an_upload_that_must_be_new_and_whose_answer_is_lost_is_known_for_our_own() {
    let desk = Desk::new().await;
    let path = desk.file("big", SIZE);
    let (name, parts) = (key("big"), small_parts());
    let put = || desk.bucket.put_file(&name, &path, Traits::default(), true, &parts, None);
    desk.world.fault("CompleteMultipartUpload", Effect::Reset { applied: true });
    put().await.unwrap();
    assert_eq!(put().await.unwrap_err().code(), "object.exists");
    assert_eq!(desk.open_uploads().await, 0);
}

#[tokio::test]
async fn a_move_in_parts_asks_for_tags_that_s3_has_not_counted_and_is_none_without_an_answer() {
    let desk = Desk::new().await;
    let path = desk.file("from", 2 * PART);
    desk.put_file("from", &path, &Transfer::new()).await.unwrap();
    let in_parts = BucketOptions { copy_at_once: PART, ..options(&desk.world) };
    let no_tags = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:GetObjectTagging", "Resource": "*"}]}"#;
    let bucket = desk.world.bucket_as("all", Some(no_tags.to_owned()), in_parts);
    let from = key("from");
    let source = Source { bucket: &bucket, key: &from, reading: Reading::default() };
    let error = bucket.take_over(&source, &key("to"), &CopyOptions::default(), &small_parts()).await.unwrap_err();
    assert_eq!(error.code(), "s3.access-denied");
    assert_eq!(desk.keys().await, ["from"]);
}

#[tokio::test]
async fn what_does_not_pass_is_given_up_in_time_and_leaves_nothing() {
    let desk = Desk::new().await;
    let short = BucketOptions { tries_for: Duration::from_secs(1), ..options(&desk.world) };
    let bucket = desk.world.bucket_as("all", None, short);
    let path = desk.file("big", SIZE);
    let down = Effect::Error { code: "SlowDown".into(), applied: false };
    desk.world.aws.faults().add(FaultRule::new(down).operation("UploadPart").skip(1)).unwrap();
    let put =
        bucket.put_file(&key("big"), &path, Traits::default(), false, &small_parts(), Some(&desk.uploads())).await;
    let error = put.unwrap_err();
    assert_eq!((error.code(), error.retry()), ("object.gave-up", fault::Retry::Backoff));
    assert!(error.to_string().contains("SlowDown (503)"), "{error}");
    assert_eq!((desk.keys().await.len(), desk.open_uploads().await), (0, 0));
    assert_eq!(fs::read_dir(desk.path("state")).unwrap().count(), 0);
    // Nobody listens there.
    let nobody = S3Options { endpoint: Some("http://127.0.0.1:9".into()), ..desk.world.options() };
    let nobody = BucketOptions { tries_for: Duration::from_secs(1), ..BucketOptions::new(nobody) };
    let error = desk.world.bucket_as("all", None, nobody).head(&key("k"), &Reading::default()).await.unwrap_err();
    assert_eq!(error.code(), "object.unreachable", "{error}");
}

#[tokio::test]
async fn the_time_for_a_request_bounds_an_attempt_that_is_never_answered() {
    const FOR: Duration = Duration::from_secs(1);
    let desk = Desk::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Some(format!("http://{}", listener.local_addr().unwrap()));
    // Takes all that comes, and says nothing.
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move { tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok() });
        }
    });
    let s3 = S3Options { endpoint, ..desk.world.options() };
    let bucket = desk.world.bucket_as("all", None, BucketOptions { tries_for: FOR, ..BucketOptions::new(s3) });
    let (small, big) = (desk.file("small", 9), desk.file("big", SIZE));
    let begun = tokio::time::Instant::now();
    let put = async |path| {
        let put = bucket.put_file(&key("k"), path, Traits::default(), false, &small_parts(), None).await;
        put.unwrap_err()
    };
    let doomed = [Doomed { key: key("k"), version: None }];
    let (one, parts, head, delete) = tokio::join!(
        put(&small),
        put(&big),
        async { bucket.head(&key("k"), &Reading::default()).await.unwrap_err() },
        async { bucket.delete(&doomed).await.unwrap_err() },
    );
    for error in [one, parts, head, delete] {
        assert_eq!(error.code(), "object.unreachable", "{error}");
    }
    // Far less than the half minute that an answer may take otherwise.
    assert!(begun.elapsed() < FOR * 10, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_answer_without_an_end_is_read_no_further_and_a_long_object_is_whole() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let desk = Desk::new().await;
    for (status, longest) in [("200 OK", 16 * MIB), ("403 Forbidden", MIB)] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Some(format!("http://{}", listener.local_addr().unwrap()));
        let (told, mut sent) = tokio::sync::mpsc::channel(8);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let told = told.clone();
                tokio::spawn(async move {
                    assert!(stream.read(&mut [0; 16 << 10]).await.unwrap() > 0);
                    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/xml\r\n\r\n<A>");
                    let (block, mut sent) = (vec![b'x'; 64 << 10], 0);
                    let mut outcome = stream.write_all(head.as_bytes()).await;
                    while outcome.is_ok() {
                        outcome = stream.write_all(&block).await;
                        sent += block.len() as u64;
                    }
                    told.send(sent).await
                });
            }
        });
        let s3 = S3Options { endpoint, ..desk.world.options() };
        let once = BucketOptions { tries_for: Duration::ZERO, ..BucketOptions::new(s3) };
        let bucket = desk.world.bucket_as("all", None, once);
        let list = bucket.list(ListOptions::default()).unwrap().next().await;
        let content = std::io::Cursor::new(b"123".to_vec());
        let put = bucket.put_reader(&key("k"), content, Traits::default(), false, &Transfer::new()).await;
        let delete = bucket.delete(&[Doomed { key: key("k"), version: None }]).await;
        for (error, longest) in [(list.err(), longest), (put.err(), MIB), (delete.err(), longest)] {
            let error = error.expect("no answer is read");
            if status.starts_with("200") {
                let text = format!("longer than {} MiB", longest / MIB);
                assert!(fault::Chain(&error).to_string().contains(&text), "{}", fault::Chain(&error));
            }
            // What was read, and what lay in the sockets.
            assert!(sent.recv().await.unwrap() < longest + 64 * MIB);
        }
    }
    // The longest streams are objects.
    let long = bytes(SIZE);
    desk.put("long", &long).await;
    assert!(desk.content("long").await == long);
}

#[tokio::test]
async fn a_put_that_is_refused_half_way_is_taken_back() {
    let desk = Desk::new().await;
    let path = desk.file("big", SIZE);
    let denied = Effect::Error { code: "AccessDenied".into(), applied: false };
    desk.world.aws.faults().add(FaultRule::new(denied).operation("UploadPart").skip(2)).unwrap();
    let error = desk.put_file("big", &path, &small_parts()).await.unwrap_err();
    assert_eq!(error.code(), "s3.access-denied");
    assert!(error.hint().unwrap().contains("s3:PutObject on arn:aws:s3:::lake/big"), "{:?}", error.hint());
    assert_eq!((desk.keys().await.len(), desk.open_uploads().await), (0, 0));
}

#[tokio::test]
async fn an_interrupted_put_leaves_nothing_unless_it_is_to_be_resumed() {
    let desk = Desk::new().await;
    let path = desk.file("big", SIZE);
    for resume in [false, true] {
        let stuck = FaultRule::new(Effect::Delay { millis: 3_600_000 }).operation("UploadPart").skip(2);
        let stuck = desk.world.aws.faults().add(stuck).unwrap();
        let before = desk.world.count("UploadPart", "200");
        let transfer = Transfer { resume, ..small_parts() };
        let (interrupt, meter) = (transfer.interrupt.clone(), transfer.meter.clone());
        let stopping = async {
            eventually(|| desk.world.count("UploadPart", "200") == before + 2 && meter.done() == 2 * PART).await;
            interrupt.set();
        };
        let (put, ()) = tokio::join!(desk.put_file("big", &path, &transfer), stopping);
        assert_eq!(put.unwrap_err().code(), "object.stopped");
        desk.world.aws.faults().remove(stuck);
        assert_eq!((desk.keys().await.len(), desk.open_uploads().await), (0, u64::from(resume)));
    }
    // Two parts are there: two more go.
    let before = desk.world.count("UploadPart", "200");
    let resume = Transfer { resume: true, ..small_parts() };
    let stored = desk.put_file("big", &path, &resume).await.unwrap();
    assert_eq!((stored.parts, stored.resumed, resume.meter.done()), (4, 2, SIZE));
    assert_eq!(desk.world.count("UploadPart", "200") - before, 2);
    assert!(desk.content("big").await == bytes(SIZE));
    assert_eq!(desk.open_uploads().await, 0);
}

/// Leaves an upload of two parts behind, as a process does that is killed.
async fn broken_off(desk: &Desk, path: &Path) {
    let stuck = FaultRule::new(Effect::Delay { millis: 3_600_000 }).operation("UploadPart").skip(2);
    let stuck = desk.world.aws.faults().add(stuck).unwrap();
    // One after the other, so that it is the first two that are there.
    let transfer = Transfer { parallel: 1, ..small_parts() };
    tokio::select! {
        _ = desk.put_file("big", path, &transfer) => panic!("it was stuck"),
        () = eventually(|| transfer.meter.done() == 2 * PART) => {}
    }
    desk.world.aws.faults().remove(stuck);
    assert_eq!(desk.open_uploads().await, 1);
}

#[tokio::test]
async fn a_put_that_is_not_resumed_ends_the_upload_that_was_broken_off() {
    let desk = Desk::new().await;
    let path = desk.file("big", SIZE);
    broken_off(&desk, &path).await;
    let stored = desk.put_file("big", &path, &small_parts()).await.unwrap();
    assert_eq!((stored.resumed, desk.open_uploads().await), (0, 0));
}

#[tokio::test]
async fn only_the_same_file_asked_for_in_the_same_way_is_resumed() {
    let desk = Desk::new().await;
    let path = desk.file("big", SIZE);
    let resume = || Transfer { resume: true, ..small_parts() };
    // Another content, of the same size.
    broken_off(&desk, &path).await;
    let mut other = bytes(SIZE);
    other[0] ^= 1;
    fs::write(&path, &other).unwrap();
    let stored = desk.put_file("big", &path, &resume()).await.unwrap();
    assert_eq!((stored.resumed, desk.open_uploads().await), (0, 0));
    assert!(desk.content("big").await == other);
    // Another content under the same date: the parts' checksums tell.
    broken_off(&desk, &path).await;
    let date = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, bytes(SIZE)).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(date).unwrap();
    let stored = desk.put_file("big", &path, &resume()).await.unwrap();
    assert_eq!((stored.resumed, desk.open_uploads().await), (1, 0));
    assert!(desk.content("big").await == bytes(SIZE));
    // Other metadata: an upload keeps what it was begun with.
    broken_off(&desk, &path).await;
    let traits = Traits { metadata: vec![("run".into(), "8".into())], ..Traits::default() };
    let put = desk.bucket.put_file(&key("big"), &path, traits, false, &resume(), Some(&desk.uploads())).await.unwrap();
    assert_eq!((put.resumed, desk.open_uploads().await), (0, 0));
    assert_eq!(desk.bucket.head(&key("big"), &Reading::default()).await.unwrap().metadata["run"], "8");
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_put_becomes_no_object() {
    let desk = Desk::new().await;
    let path = desk.file("big", SIZE);
    desk.world.fault("UploadPart", Effect::Delay { millis: 300 });
    let changing = async {
        eventually(|| desk.world.count("CreateMultipartUpload", "200") == 1).await;
        fs::write(&path, bytes(SIZE - 1)).unwrap();
    };
    let transfer = small_parts();
    let (put, ()) = tokio::join!(desk.put_file("big", &path, &transfer), changing);
    let error = put.unwrap_err();
    assert_eq!(error.code(), "object.file-changed", "{error}");
    assert_eq!((desk.keys().await.len(), desk.open_uploads().await), (0, 0));
}

#[tokio::test]
async fn an_interrupted_get_leaves_nothing_unless_it_is_to_be_resumed() {
    let desk = Desk::new().await;
    let path = desk.file("big", SIZE);
    desk.put_file("big", &path, &small_parts()).await.unwrap();
    let back = desk.path("back");
    fs::write(&back, "what was there").unwrap();
    for resume in [false, true] {
        let stuck = FaultRule::new(Effect::Delay { millis: 3_600_000 }).operation("GetObject").skip(2);
        let stuck = desk.world.aws.faults().add(stuck).unwrap();
        let transfer = Transfer { resume, ..small_parts() };
        let stopping = async {
            eventually(|| transfer.meter.done() == 2 * PART).await;
            transfer.interrupt.set();
        };
        let (got, ()) = tokio::join!(desk.get(&back, &transfer), stopping);
        assert_eq!(got.unwrap_err().code(), "object.stopped");
        desk.world.aws.faults().remove(stuck);
        assert_eq!(desk.left_over(&["big", "back"]).len(), if resume { 2 } else { 0 });
        assert_eq!(fs::read(&back).unwrap(), b"what was there");
    }
    // After a power cut the notes may know more than the disk: one range is damaged.
    let part = desk.path("back.tidegate-part");
    let mut content = fs::read(&part).unwrap();
    content[0] ^= 1;
    fs::write(&part, content).unwrap();
    let resume = Transfer { resume: true, ..small_parts() };
    let got = desk.bucket.get_file(&key("big"), &Reading::default(), &back, &resume).await.unwrap();
    assert_eq!((got.resumed, got.verified.as_deref()), (PART, Some("CRC64NVME")));
    assert!(fs::read(&back).unwrap() == bytes(SIZE));
    assert_eq!(desk.left_over(&["big", "back"]), [""; 0]);
}

#[tokio::test]
async fn an_object_that_is_replaced_while_it_is_read_is_not_mixed_with_the_new_one() {
    let desk = Desk::new().await;
    let path = desk.file("big", SIZE);
    desk.put_file("big", &path, &small_parts()).await.unwrap();
    let slow = FaultRule::new(Effect::Delay { millis: 500 }).operation("GetObject").skip(1);
    desk.world.aws.faults().add(slow).unwrap();
    let back = desk.path("back");
    let transfer = Transfer { parallel: 1, ..small_parts() };
    let replacing = async {
        eventually(|| transfer.meter.done() >= PART).await;
        desk.put("big", b"another").await;
    };
    let (got, ()) = tokio::join!(desk.get(&back, &transfer), replacing);
    assert_eq!(got.unwrap_err().code(), "object.replaced");
    assert_eq!(desk.left_over(&["big"]), [""; 0]);
}

#[tokio::test]
async fn two_processes_do_not_put_or_get_the_same_at_once() {
    let desk = Desk::new().await;
    let path = desk.file("big", SIZE);
    let stuck = FaultRule::new(Effect::Delay { millis: 3_600_000 }).operation("UploadPart");
    desk.world.aws.faults().add(stuck).unwrap();
    let first = small_parts();
    let second = async {
        eventually(|| desk.world.count("CreateMultipartUpload", "200") == 1).await;
        let error = desk.put_file("big", &path, &small_parts()).await.unwrap_err();
        assert_eq!(error.code(), "object.busy");
        first.interrupt.set();
    };
    let (put, ()) = tokio::join!(desk.put_file("big", &path, &first), second);
    assert_eq!(put.unwrap_err().code(), "object.stopped");
}

#[tokio::test]
async fn a_listing_comes_page_by_page_and_in_folders() {
    let desk = Desk::new().await;
    let names = ["a b/1", "a/1", "a/2", "a/b/3", "c+d", "e\u{e9}", "f%20"];
    for name in names {
        desk.put(name, b"x").await;
    }
    let list = async |options: ListOptions| {
        let mut lister = desk.bucket.list(ListOptions { page: Some(2), ..options }).unwrap();
        let (mut keys, mut folders) = (Vec::new(), Vec::new());
        while let Some(page) = lister.next().await.unwrap() {
            keys.extend(page.objects.into_iter().map(|entry| entry.key));
            folders.extend(page.folders);
        }
        (keys, folders)
    };
    assert_eq!(list(ListOptions::default()).await.0, names);
    assert_eq!(desk.world.count("ListObjectsV2", "200"), 4);
    let below = ListOptions { prefix: "a/".into(), start_after: Some("a/1".into()), ..ListOptions::default() };
    assert_eq!(list(below).await.0, ["a/2", "a/b/3"]);
    let (keys, folders) = list(ListOptions { delimiter: Some("/".into()), ..ListOptions::default() }).await;
    assert_eq!(
        (keys, folders),
        (names[4..].iter().map(|n| (*n).to_owned()).collect(), vec!["a b/".into(), "a/".into()])
    );
}

#[tokio::test]
async fn what_becomes_of_each_delete_is_told() {
    let desk = Desk::new().await;
    for name in ["a", "b", "locked/c"] {
        desk.put(name, b"x").await;
    }
    let fence = Fence { places: vec![Place { bucket: "lake".into(), prefix: "locked/".into() }], ..Fence::default() };
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"},
        {"Effect":"Deny","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::lake/locked/*"}]}"#;
    let bucket = desk.world.bucket_as("all", Some(policy.into()), options(&desk.world));
    let doomed =
        |names: &[&str]| -> Vec<Doomed> { names.iter().map(|name| Doomed { key: key(name), version: None }).collect() };
    desk.world.fault("DeleteObjects", Effect::Error { code: "SlowDown".into(), applied: true });
    let fates = bucket.delete(&doomed(&["a", "nothing", "locked/c", "a"])).await.unwrap();
    assert!(
        matches!(&fates[..], [Fate::Gone { .. }, Fate::Gone { .. }, Fate::Refused { code, .. }, Fate::Gone { .. }] if code == "AccessDenied"),
        "{fates:?}"
    );
    assert_eq!(desk.keys().await, ["b", "locked/c"]);
    let many: Vec<Doomed> = (0..1001).map(|n| Doomed { key: key(&n.to_string()), version: None }).collect();
    assert_eq!(bucket.delete(&many).await.unwrap_err().code(), "object.bad-input");
    assert!(bucket.delete(&many[1..]).await.unwrap().iter().all(|fate| matches!(fate, Fate::Gone { .. })));
    // A key that XML cannot write.
    let odd = Doomed { key: Key::of_listing("a\u{1}b"), version: None };
    assert!(matches!(bucket.delete(&[odd]).await.unwrap()[..], [Fate::Gone { .. }]));
    let before = desk.world.aws.requests().of("DeleteObjects");
    let fenced = desk.world.bucket_as("all", None, BucketOptions { fence, ..options(&desk.world) });
    assert_eq!(fenced.delete(&doomed(&["locked/c", "b"])).await.unwrap_err().code(), "object.outside-fence");
    assert_eq!(desk.world.aws.requests().of("DeleteObjects"), before);
}

#[tokio::test]
async fn a_copy_is_looked_at_and_takes_over_what_it_is_told_to() {
    let desk = Desk::new().await;
    let traits = Traits {
        content_type: Some("text/csv".into()),
        metadata: vec![("run".into(), "7".into())],
        tags: vec![("team".into(), "x".into())],
        ..Traits::default()
    };
    let path = desk.file("from", 2 * PART + 5);
    let from = key("from here/\u{e9}+1");
    desk.bucket.put_file(&from, &path, traits, false, &Transfer::new(), None).await.unwrap();
    let in_parts = BucketOptions { copy_at_once: PART, ..options(&desk.world) };
    for bucket in [desk.bucket.clone(), desk.world.bucket_as("all", None, in_parts)] {
        let source = Source { bucket: &bucket, key: &from, reading: Reading::default() };
        let (stored, verified) =
            bucket.copy(&source, &key("to"), &CopyOptions::default(), &small_parts()).await.unwrap();
        assert_eq!(stored.size, 2 * PART + 5);
        assert_eq!(verified == Verified::Size, stored.parts > 0, "{verified:?}");
        let head = bucket.head(&key("to"), &Reading::default()).await.unwrap();
        assert_eq!((head.content_type.as_deref(), head.metadata["run"].as_str()), (Some("text/csv"), "7"));
        assert_eq!(bucket.tags(&key("to"), None).await.unwrap(), [("team".into(), "x".into())]);
        assert!(desk.content("to").await == bytes(2 * PART + 5));
        let other = Traits { metadata: vec![("run".into(), "8".into())], ..Traits::default() };
        let replace =
            CopyOptions { traits: other, replace_metadata: true, replace_tags: true, ..CopyOptions::default() };
        bucket.copy(&source, &key("to"), &replace, &small_parts()).await.unwrap();
        let head = bucket.head(&key("to"), &Reading::default()).await.unwrap();
        assert_eq!((head.metadata["run"].as_str(), head.tags.unwrap_or(0)), ("8", 0));
        let only_new = CopyOptions { only_new: true, ..CopyOptions::default() };
        let error = bucket.copy(&source, &key("to"), &only_new, &small_parts()).await.unwrap_err();
        assert_eq!(error.code(), "object.exists");
    }
    assert!(desk.world.count("UploadPartCopy", "200") >= 6);
    assert_eq!(desk.open_uploads().await, 0);
    let none = Source { bucket: &desk.bucket, key: &key("none"), reading: Reading::default() };
    let error = desk.bucket.copy(&none, &key("to"), &CopyOptions::default(), &Transfer::new()).await.unwrap_err();
    assert_eq!(error.code(), "object.missing");
}

#[tokio::test]
async fn a_move_deletes_only_what_it_has_copied() {
    let desk = Desk::new().await;
    let take = async |from: &str, to: &str| {
        let from = key(from);
        let source = Source { bucket: &desk.bucket, key: &from, reading: Reading::default() };
        desk.bucket.take_over(&source, &key(to), &CopyOptions::default(), &Transfer::new()).await
    };
    desk.put("a", b"one").await;
    let (_, verified) = take("a", "b").await.unwrap();
    assert_eq!((verified, desk.keys().await), (Verified::Checksum, vec!["b".to_owned()]));
    assert_eq!(take("b", "b").await.unwrap_err().code(), "object.bad-input");
    assert_eq!(desk.content("b").await, b"one");
    // The answer to the delete is lost.
    desk.world.fault("DeleteObject", Effect::Reset { applied: true });
    take("b", "c").await.unwrap();
    assert_eq!(desk.keys().await, ["c"]);
    // Somebody replaces the source between the copy and the delete.
    let looks = FaultRule::new(Effect::Delay { millis: 500 }).operation("HeadObject").key("d").count(1);
    desk.world.aws.faults().add(looks).unwrap();
    let replacing = async {
        eventually(|| desk.world.count("CopyObject", "200") == 3).await;
        desk.put("c", b"newer").await;
    };
    let (moved, ()) = tokio::join!(take("c", "d"), replacing);
    let error = moved.unwrap_err();
    assert_eq!(error.code(), "object.not-deleted");
    assert!(fault::Chain(&error).to_string().ends_with("was replaced meanwhile"), "{}", fault::Chain(&error));
    assert_eq!((desk.content("c").await, desk.content("d").await), (b"newer".to_vec(), b"one".to_vec()));
    // A copy that fails deletes nothing.
    desk.world.fault("CopyObject", Effect::Error { code: "AccessDenied".into(), applied: false });
    assert_eq!(take("d", "e").await.unwrap_err().code(), "s3.access-denied");
    assert_eq!(desk.keys().await, ["c", "d"]);
}

#[tokio::test]
async fn a_link_lasts_no_longer_than_the_session_that_signs_it() {
    let desk = Desk::new().await;
    desk.put("a b/\u{e9}", b"linked").await;
    let name = key("a b/\u{e9}");
    let now = desk.world.clock.now();
    let link = desk.bucket.presign(&name, &Verb::Get { version: None }, Duration::from_mins(5)).await.unwrap();
    assert_eq!((link.method.as_str(), link.is_cut, link.ends_at), ("GET", false, now + Duration::from_mins(5)));
    let url = link.url.clone();
    assert!(tokio::task::spawn_blocking(move || get(&url)).await.unwrap().ends_with("linked"));
    let link = desk.bucket.presign(&name, &Verb::Get { version: None }, Duration::from_hours(168)).await.unwrap();
    assert!(link.is_cut && link.ends_at <= now + Duration::from_hours(1), "{link:?}");
    assert!(link.url.contains("X-Amz-Expires=3"), "{}", link.url);
    let too_long = desk.bucket.presign(&name, &Verb::Get { version: None }, Duration::from_hours(169)).await;
    assert_eq!(too_long.unwrap_err().code(), "object.bad-input");
}

/// A GET by somebody who has nothing but the link.
fn get(url: &str) -> String {
    use std::io::{Read as _, Write as _};
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

#[tokio::test]
async fn the_buckets_region_is_found_and_asked_in_from_then_on() {
    let desk = Desk::new().await;
    let elsewhere = |bucket: &str, region: &str| {
        let s3 = S3Options { bucket: bucket.into(), region: region.into(), ..desk.world.options() };
        BucketOptions { s3, ..options(&desk.world) }
    };
    let bucket = desk.world.bucket_as("all", None, elsewhere("lake", "us-west-2"));
    bucket.put_reader(&key("k"), std::io::Cursor::new(b"x"), Traits::default(), false, &Transfer::new()).await.unwrap();
    assert_eq!(bucket.region(), "eu-central-1");
    assert_eq!(bucket.head(&key("k"), &Reading::default()).await.unwrap().size, 1);
    let bucket = desk.world.bucket_as("all", None, elsewhere("lake", "us-west-2"));
    assert_eq!(bucket.head(&key("k"), &Reading::default()).await.unwrap().size, 1);
    assert_eq!(bucket.region(), "eu-central-1");
    // Whoever may do nothing learns the region all the same.
    desk.world.role("none", &["sts:GetCallerIdentity"]).await;
    let bucket = desk.world.bucket_as("none", None, elsewhere("lake", "us-west-2"));
    let found = bucket.locate().await.unwrap();
    assert_eq!((found.region.as_str(), found.may_list), ("eu-central-1", false));
    let error = desk.world.bucket_as("all", None, elsewhere("nowhere", "eu-central-1")).locate().await.unwrap_err();
    assert_eq!(error.code(), "s3.no-such-bucket");
    let all = desk.bucket.all_buckets().await.unwrap();
    assert_eq!(all.iter().map(|bucket| bucket.name.as_str()).collect::<Vec<_>>(), ["lake"]);
}

#[tokio::test]
async fn the_fence_holds_for_every_verb_before_a_call_and_by_aws() {
    let desk = Desk::new().await;
    desk.put("out/k", b"x").await;
    desk.put("in/k", b"x").await;
    let fence = Fence { places: vec![Place { bucket: "lake".into(), prefix: "in/".into() }], ..Fence::default() };
    let policy = fence.policy("eu-central-1", None, Purpose::S3).unwrap();
    let fenced = desk.world.bucket_as("all", policy.clone(), BucketOptions { fence, ..options(&desk.world) });
    let before = desk.world.aws.requests().counts();
    let (out, reading, transfer) = (key("out/k"), Reading::default(), Transfer::new());
    let codes = [
        fenced.head(&out, &reading).await.map(drop),
        fenced.get_file(&out, &reading, &desk.path("x"), &transfer).await.map(drop),
        fenced.read(&out, &reading, &mut std::io::Cursor::new(Vec::new()), &transfer).await.map(drop),
        fenced.put_reader(&out, std::io::empty(), Traits::default(), false, &transfer).await.map(drop),
        fenced.delete(&[Doomed { key: out.clone(), version: None }]).await.map(drop),
        fenced.presign(&out, &Verb::Get { version: None }, Duration::from_mins(1)).await.map(drop),
        fenced.tags(&out, None).await.map(drop),
        fenced.set_tags(&out, None, &[]).await,
        fenced.delete_tags(&out, None).await,
        fenced.list(ListOptions::default()).map(drop),
        fenced.list(ListOptions { prefix: "i".into(), ..ListOptions::default() }).map(drop),
        {
            let source = Source { bucket: &fenced, key: &out, reading: reading.clone() };
            fenced.copy(&source, &key("in/c"), &CopyOptions::default(), &transfer).await.map(drop)
        },
        {
            let inside = key("in/k");
            let source = Source { bucket: &fenced, key: &inside, reading: reading.clone() };
            fenced.take_over(&source, &out, &CopyOptions::default(), &transfer).await.map(drop)
        },
    ];
    for (at, code) in codes.into_iter().enumerate() {
        assert_eq!(code.unwrap_err().code(), "object.outside-fence", "verb {at}");
    }
    assert_eq!(desk.world.aws.requests().counts(), before);
    // Inside, the session's policy lets every verb do its work.
    let inside = key("in/k");
    fenced.set_tags(&inside, None, &[("a".into(), "b".into())]).await.unwrap();
    let tagged = Traits { tags: vec![("c".into(), "d".into())], ..Traits::default() };
    fenced.put_reader(&key("in/t"), std::io::empty(), tagged, false, &transfer).await.unwrap();
    let source = Source { bucket: &fenced, key: &inside, reading: reading.clone() };
    fenced.take_over(&source, &key("in/moved"), &CopyOptions::default(), &transfer).await.unwrap();
    assert_eq!(fenced.tags(&key("in/moved"), None).await.unwrap(), [("a".into(), "b".into())]);
    fenced.delete_tags(&key("in/moved"), None).await.unwrap();
    fenced.delete(&[Doomed { key: key("in/moved"), version: None }]).await.unwrap();
    let mut lister = fenced.list(ListOptions { prefix: "in/".into(), ..ListOptions::default() }).unwrap();
    assert_eq!(lister.next().await.unwrap().unwrap().objects.len(), 1);
    assert_eq!(fenced.locate().await.unwrap().region, "eu-central-1");
    // Without our own check AWS keeps it.
    let unchecked = desk.world.bucket_as("all", policy, options(&desk.world));
    assert_eq!(unchecked.head(&out, &reading).await.unwrap_err().code(), "s3.access-denied");
}

/// A store that answers each request alike, and keeps its headers: for what the embedded AWS does not do.
struct Parrot {
    url: String,
    heard: std::sync::Arc<std::sync::Mutex<Vec<(String, http::HeaderMap)>>>,
}

impl Parrot {
    /// Answers with these headers and, to a GET, this body.
    async fn start(headers: &'static [(&'static str, &'static str)], body: &'static [u8]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = std::sync::Arc::<std::sync::Mutex<Vec<_>>>::default();
        let ears = std::sync::Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let ears = std::sync::Arc::clone(&ears);
                let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                    let ears = std::sync::Arc::clone(&ears);
                    async move {
                        use http_body_util::BodyExt as _;
                        let (parts, sent) = request.into_parts();
                        sent.collect().await.unwrap();
                        let said = format!("{} {}", parts.method, parts.uri);
                        ears.lock().unwrap().push((said, parts.headers));
                        let is_get = parts.method == hyper::Method::GET;
                        let mut answer = hyper::Response::builder().status(if is_get { 206 } else { 200 });
                        for (name, value) in headers {
                            answer = answer.header(*name, *value);
                        }
                        let content = if is_get { body } else { &[] };
                        answer.body(http_body_util::Full::new(bytes::Bytes::from_static(content)))
                    }
                });
                let stream = hyper_util::rt::TokioIo::new(stream);
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(stream, service));
            }
        });
        Self { url, heard }
    }

    fn heard(&self, method: &str) -> http::HeaderMap {
        let heard = self.heard.lock().unwrap();
        heard.iter().find(|(said, _)| said.starts_with(method)).expect("it was asked").1.clone()
    }
}

#[tokio::test]
async fn what_arrives_damaged_gets_no_name() {
    let desk = Desk::new().await;
    // The checksum of "123456789", before another text of the same length.
    let headers: &[_] = &[
        ("etag", "\"x\""),
        ("content-range", "bytes 0-8/9"),
        ("x-amz-checksum-crc32c", "4waSgw=="),
        ("x-amz-checksum-type", "FULL_OBJECT"),
        ("content-length", "9"),
    ];
    for (body, damaged) in [(&b"123456789"[..], false), (b"123456780", true)] {
        let parrot = Parrot::start(headers, body).await;
        let s3 = S3Options { endpoint: Some(parrot.url.clone()), ..desk.world.options() };
        let bucket = desk.world.bucket_as("all", None, BucketOptions { s3, ..options(&desk.world) });
        let got = bucket.get_file(&key("k"), &Reading::default(), &desk.path("k"), &Transfer::new()).await;
        assert_eq!(got.as_ref().err().map(fault::Diagnose::code), damaged.then_some("object.damaged"));
        assert_eq!(desk.path("k").exists(), !damaged);
        fs::remove_file(desk.path("k")).ok();
        assert_eq!(desk.left_over(&[]), [""; 0]);
        assert_eq!(parrot.heard("GET")["if-match"], "\"x\"");
    }
}

#[tokio::test]
async fn a_customers_key_goes_with_each_request_and_never_over_plain_http_to_another_machine() {
    let desk = Desk::new().await;
    let parrot = Parrot::start(&[("etag", "\"x\""), ("content-length", "0")], b"").await;
    let s3 = S3Options { endpoint: Some(parrot.url.clone()), ..desk.world.options() };
    let bucket = desk.world.bucket_as("all", None, BucketOptions { s3, ..options(&desk.world) });
    let customer = aws::objects::CustomerKey::new("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
    let traits = Traits { encryption: Encryption::Customer(customer.clone()), ..Traits::default() };
    bucket.put_reader(&key("k"), std::io::empty(), traits.clone(), false, &Transfer::new()).await.unwrap();
    let reading = Reading { customer: Some(customer), ..Reading::default() };
    bucket.head(&key("k"), &reading).await.unwrap();
    for method in ["PUT", "HEAD"] {
        let headers = parrot.heard(method);
        assert_eq!(headers["x-amz-server-side-encryption-customer-algorithm"], "AES256");
        // MD5 of 32 zero bytes, by md5sum.
        assert_eq!(headers["x-amz-server-side-encryption-customer-key-md5"], "cLyPS3KoaSFGi/joRB3OUQ==");
    }
    let far = S3Options { endpoint: Some("http://s3.example.com".into()), ..desk.world.options() };
    let far = desk.world.bucket_as("all", None, BucketOptions { s3: far, ..options(&desk.world) });
    let written = far.put_reader(&key("k"), std::io::empty(), traits, false, &Transfer::new()).await.map(drop);
    for refused in [written, far.head(&key("k"), &reading).await.map(drop)] {
        let error = refused.unwrap_err();
        assert_eq!(error.code(), "object.bad-input");
        assert!(error.to_string().contains("plain http"), "{error}");
    }
}
