use aws::s3::{Put, PutShape, S3Probe, Tried};
use bytes::Bytes;
use iam::generate::Need;

use super::bucket::{is_foreign, keeps_versions, lock, probe};
use crate::examination::{Examination, Watch};
use crate::{Check, CheckResult, Depth, Place, Trial};

/// What a probe's object says to whoever finds it.
const BODY: &[u8] = b"Written by tidegate doctor to see whether it may write here. It can be deleted.\n";

const ALL: [&Check; 8] = [
    Check::DELETE,
    Check::PUT,
    Check::MULTIPART,
    Check::READ_BACK,
    Check::TAGGED,
    Check::SCOPE,
    Check::LIST_SCOPE,
    Check::CLEAN,
];

/// What may be undone, found out before anything is done: the examination leaves nothing behind.
struct Undo {
    /// An object of one piece, and its version, can be deleted again.
    object: bool,
    /// An upload in parts can be aborted.
    upload: bool,
    /// Whether the bucket locks every new object, so that none can be deleted.
    lock: Lock,
}

enum Lock {
    /// It locks none.
    No,
    /// It locks all.
    Yes,
    /// It keeps versions, so that it may; and it has not been asked, or has not told: why.
    Unknown(String),
}

/// What was written, and is to be gone in the end.
#[derive(Default)]
struct Left {
    /// Objects: their keys and versions.
    objects: Vec<(String, Option<String>)>,
    /// Keys of writes that S3 did not answer, or not at once: an object may be there all the same.
    unconfirmed: Vec<String>,
    /// Keys whose deletion S3 did not answer at once, so that a mark of it may be there.
    marks: Vec<String>,
    /// Keys of uploads in parts whose beginning or end S3 did not confirm.
    uploads: Vec<String>,
}

impl Left {
    /// Keeps in mind what a write may have left.
    fn note(&mut self, key: &str, tried: &Tried<Put>) {
        match &tried.answer {
            Ok(put) => {
                self.objects.push((key.to_owned(), put.version.clone()));
                // An attempt whose answer was lost has made a version of its own.
                if put.version.is_some() && tried.attempts > 1 {
                    self.unconfirmed.push(key.to_owned());
                }
            }
            Err(error) if tried.attempts == 1 && error.refusal().is_some() => {}
            Err(_) => self.unconfirmed.push(key.to_owned()),
        }
    }

    /// Begins an upload in parts and aborts it.
    async fn multipart(&mut self, probe: &S3Probe, key: &str, shape: &PutShape) -> Tried<()> {
        let (tried, is_gone) = probe.multipart(key, shape).await;
        if !is_gone {
            self.uploads.push(key.to_owned());
        }
        tried
    }
}

/// Writing under the prefix, and beside it. Every name is one that nobody has, so that nothing is overwritten.
pub(crate) async fn run(x: &mut Examination<'_>) {
    if x.depth < Depth::Write {
        return;
    }
    let Some(place) = x.target.place.clone() else {
        for check in ALL {
            x.skip(check, "no bucket is named");
        }
        return;
    };
    if !place.writes {
        for check in ALL {
            x.skip(check, "nothing is written there");
        }
        return;
    }
    if is_foreign(x) {
        for check in ALL {
            x.stand_back(check, Check::OWNER);
        }
        return;
    }
    let Some(probe) = probe(x, &place) else { return };
    let name = format!("{}.tidegate-doctor/{:016x}", place.prefix, rand::random::<u64>());
    let mut left = Left::default();
    let mut undo = deletable(x, &place, &probe, &name, &mut left).await;
    if undo.object && matches!(undo.lock, Lock::Unknown(_)) {
        lock(x, &place, &probe).await;
        undo.lock = match &x.facts.lock {
            Some(Ok(Some(_))) => Lock::Yes,
            Some(Err(trial)) => no_answer(trial).map_or(Lock::No, Lock::Unknown),
            Some(Ok(None)) | None => Lock::No,
        };
    }
    multipart(x, &place, &probe, &name, &undo, &mut left).await;
    put(x, &place, &probe, &name, &undo, &mut left).await;
    read_back(x, &place, &probe, &name).await;
    tagged(x, &place, &probe, &name).await;
    manifests(x, &place, &probe, &undo, &mut left).await;
    scope(x, &place, &probe, &undo, &mut left).await;
    list_scope(x, &place, &probe).await;
    clean(x, &probe, left).await;
}

fn shape(place: &Place) -> PutShape {
    PutShape {
        server_side_encryption: place.server_side_encryption.clone(),
        kms_key: place.kms_key.clone(),
        acl: place.acl.clone(),
        tagging: None,
    }
}

/// Deletes and aborts what is not there: S3 decides first whether it may be done, and then finds nothing.
///
/// But a bucket that keeps versions adds a mark for a deletion, also of a key that nobody has. The version that no key has
/// comes first, which leaves nothing anywhere; and the rest only where a mark could be taken away, or none can come.
async fn deletable(x: &mut Examination<'_>, place: &Place, probe: &S3Probe, name: &str, left: &mut Left) -> Undo {
    let mut undo = Undo { object: false, upload: false, lock: Lock::No };
    if !x.wants(Check::DELETE) {
        return undo;
    }
    let watch = Watch::start();
    let delete_version = Trial::of_s3(&probe.delete(name, Some("null")).await.answer);
    let abort = Trial::of_s3(&probe.abort_absent(name).await.answer);
    undo.upload = abort.is_done() || abort.code() == Some("NoSuchUpload");
    x.facts.abort = Some(abort);
    let is_safe = delete_version.is_done() || keeps_versions(x, place, probe).await == Some(false);
    x.facts.delete_version = Some(delete_version.clone());
    if !is_safe {
        let text = "not tried: in a bucket that keeps versions it leaves a mark, which s3:DeleteObjectVersion alone takes away";
        if place.deletes {
            let hint = "allow s3:GetBucketVersioning on the bucket, or s3:DeleteObjectVersion under the prefix, to have it tried";
            x.put(watch.unproven(Check::DELETE, text).hints([hint.to_owned()]).host(probe.host()));
        } else {
            x.skip(Check::DELETE, text);
        }
        return undo;
    }
    let deleted = probe.delete(name, None).await;
    let delete = Trial::of_s3(&deleted.answer);
    if let Ok(Some(mark)) = &deleted.answer {
        // One without an id comes of a bucket that keeps versions no more; such a bucket never locked.
        if mark != "null" {
            undo.lock = Lock::Unknown("it was not asked".to_owned());
        }
        left.objects.push((name.to_owned(), Some(mark.clone())));
    }
    let is_sure = deleted.attempts == 1 && !matches!(delete, Trial::Lost { .. });
    if !(is_sure || matches!(deleted.answer, Ok(None))) {
        left.marks.push(name.to_owned());
    }
    undo.object = delete.is_done() && delete_version.is_done();
    let result = match &deleted.answer {
        Ok(_) => Some(watch.passed(Check::DELETE, "objects may be deleted")),
        Err(_) if delete.is_denied() && !place.deletes => None,
        Err(error) => Some(CheckResult::of_s3(&watch, Check::DELETE, error)),
    };
    match result {
        Some(result) => x.put(result.request(deleted.request_id).host(probe.host())),
        None => x.skip(Check::DELETE, "objects may not be deleted, and nothing here asks for it"),
    }
    x.facts.delete = Some(delete);
    undo
}

async fn multipart(x: &mut Examination<'_>, place: &Place, probe: &S3Probe, name: &str, undo: &Undo, left: &mut Left) {
    if !x.wants(Check::MULTIPART) {
        return;
    }
    let watch = Watch::start();
    if !undo.upload {
        let text = "s3:AbortMultipartUpload is not allowed, so that what is begun here could not be taken away again";
        x.put(
            watch
                .warning(Check::MULTIPART, text)
                .code(x.facts.abort.as_ref().and_then(|abort| abort.code().map(str::to_owned))),
        );
        return;
    }
    let tried = left.multipart(probe, &format!("{name}-parts"), &shape(place)).await;
    x.facts.multipart = Some(Trial::of_s3(&tried.answer));
    x.facts.note_renewal(&tried);
    let result = match &tried.answer {
        Ok(()) => watch.passed(Check::MULTIPART, "began an upload in parts, uploaded one, aborted it"),
        Err(error) => CheckResult::of_s3(&watch, Check::MULTIPART, error),
    };
    if tried.answer.as_ref().is_err_and(is_refused) {
        // What would have been let in tells what the refusal was about.
        for (what, shape) in variants(place) {
            let tried = left.multipart(probe, &format!("{name}-{what}"), &shape).await;
            x.facts.multipart_variants.push((what, Trial::of_s3(&tried.answer)));
        }
    }
    x.put(result.request(tried.request_id).host(probe.host()));
}

async fn put(x: &mut Examination<'_>, place: &Place, probe: &S3Probe, name: &str, undo: &Undo, left: &mut Left) {
    if !undo.object {
        if x.wants(Check::PUT) {
            x.skip(Check::PUT, "an object could not be taken away again; uploads in parts need the same permission");
        }
        return;
    }
    if matches!(undo.lock, Lock::Yes) {
        if x.wants(Check::PUT) {
            x.skip(Check::PUT, "the bucket locks every new object; uploads in parts need the same permission");
        }
        return;
    }
    if !x.wants(Check::PUT) {
        return;
    }
    let watch = Watch::start();
    if let Lock::Unknown(why) = &undo.lock {
        let text = format!(
            "the bucket keeps versions, and whether it locks them is not known, so that none was written: {why}"
        );
        x.put(watch.unproven(Check::PUT, text));
        return;
    }
    let body = || Bytes::from_static(BODY);
    let tried = probe.put(name, body(), &shape(place)).await;
    x.facts.put = Some(Trial::of_s3(&tried.answer));
    x.facts.note_renewal(&tried);
    left.note(name, &tried);
    let result = match &tried.answer {
        Ok(put) => {
            x.facts.written = Some(name.to_owned());
            let kind = put.server_side_encryption.clone();
            let told = kind.as_deref().map_or_else(String::new, |kind| format!(", encrypted with {kind}"));
            x.facts.put_encryption = kind.map(|kind| (kind, put.kms_key.clone()));
            watch.passed(Check::PUT, format!("wrote {name}{told}"))
        }
        Err(error) => {
            if is_refused(error) {
                for (what, variant) in variants(place) {
                    let key = format!("{name}-{what}");
                    let tried = probe.put(&key, body(), &variant).await;
                    left.note(&key, &tried);
                    x.facts.put_variants.push((what, Trial::of_s3(&tried.answer)));
                }
            }
            CheckResult::of_s3(&watch, Check::PUT, error)
        }
    };
    x.put(result.request(tried.request_id).host(probe.host()));
}

/// What kept S3 from an answer. A store of another maker that knows no locks says so.
fn no_answer(trial: &Trial) -> Option<String> {
    match trial {
        Trial::Lost { text } | Trial::NotTried { text } => Some(text.clone()),
        Trial::Refused { status: 404 | 405 | 501, .. } | Trial::Done => None,
        Trial::Refused { .. } if trial.is_denied() => {
            Some("s3:GetBucketObjectLockConfiguration is not allowed".to_owned())
        }
        Trial::Refused { code, .. } => Some(code.clone()),
    }
}

fn is_refused(error: &aws::s3::ProbeError) -> bool {
    error.refusal().is_some_and(|refusal| refusal.status == 403 || refusal.status == 400)
}

/// Other ways to write the same, by name, without that which is asked for anyway.
fn variants(place: &Place) -> Vec<(&'static str, PutShape)> {
    let asked = shape(place);
    let sse = |kind: &str, key: Option<String>| PutShape {
        server_side_encryption: Some(kind.to_owned()),
        kms_key: key,
        ..shape(place)
    };
    let all = [
        ("no-acl", PutShape { acl: None, ..shape(place) }),
        ("sse-s3", sse("AES256", None)),
        ("sse-kms", sse("aws:kms", place.kms_key.clone())),
    ];
    let differs =
        |shape: &PutShape| (&shape.acl, &shape.server_side_encryption) != (&asked.acl, &asked.server_side_encryption);
    all.into_iter().filter(|(_, shape)| differs(shape)).collect()
}

async fn read_back(x: &mut Examination<'_>, place: &Place, probe: &S3Probe, name: &str) {
    if !x.facts.put.as_ref().is_some_and(Trial::is_done) {
        x.skip(Check::READ_BACK, "nothing was written");
        return;
    }
    if !x.wants(Check::READ_BACK) {
        return;
    }
    let watch = Watch::start();
    let tried = probe.get(name, true, false).await;
    x.facts.read_back = Some(Trial::of_s3(&tried.answer));
    let result = match &tried.answer {
        Ok(body) if body == BODY => watch.passed(Check::READ_BACK, "it is what was written"),
        Ok(body) => watch.failed(Check::READ_BACK, format!("{} bytes came back that were not written", body.len())),
        // A target that only writes has no need for it, but for the answer to one question after a crash; that is asked
        // by itself.
        Err(_) if !place.reads && Trial::of_s3(&tried.answer).is_denied() => {
            x.skip(Check::READ_BACK, "reading is not allowed, and nothing here asks for it");
            return;
        }
        Err(error) => CheckResult::of_s3(&watch, Check::READ_BACK, error),
    };
    x.put(result.request(tried.request_id).host(probe.host()));
}

async fn tagged(x: &mut Examination<'_>, place: &Place, probe: &S3Probe, name: &str) {
    if !place.tags {
        x.skip(Check::TAGGED, "no tags are set");
        return;
    }
    if !x.wants(Check::TAGGED) {
        return;
    }
    let watch = Watch::start();
    let tried = probe.tag(name).await;
    x.facts.tag = Some(Trial::of_s3(&tried.answer));
    let result = match &tried.answer {
        Ok(()) => watch.passed(Check::TAGGED, "set a tag"),
        Err(error) => CheckResult::of_s3(&watch, Check::TAGGED, error),
    };
    x.put(result.request(tried.request_id).host(probe.host()));
}

/// Where manifests lie, if that is not beside the data: begun and aborted, like everything that may be refused.
async fn manifests(x: &mut Examination<'_>, place: &Place, probe: &S3Probe, undo: &Undo, left: &mut Left) {
    let Some(connector) = &x.target.connector else { return };
    let prefix = connector.needs(None, None).into_iter().find_map(|need| match need {
        Need::WriteObjects { manifests, .. } => manifests,
        _ => None,
    });
    let Some(prefix) = prefix.filter(|prefix| undo.upload && !prefix.starts_with(&place.prefix)) else { return };
    let name = format!("{prefix}.tidegate-doctor/{:016x}", rand::random::<u64>());
    let tried = left.multipart(probe, &name, &shape(place)).await;
    x.facts.manifests = Some((prefix, Trial::of_s3(&tried.answer)));
}

/// What the target is to stay in: the fence of its connection, which all that go by it share; or the folder of its prefix.
fn scope_of(x: &Examination<'_>, place: &Place) -> String {
    let fence = x.target.spec.as_ref().map(|spec| &spec.fence).filter(|fence| fence.is_up());
    let around = fence.into_iter().flat_map(|fence| &fence.places);
    let mut around = around.filter(|around| around.bucket == place.bucket && place.prefix.starts_with(&around.prefix));
    around.next().map_or_else(|| folder(&place.prefix).to_owned(), |around| around.prefix.clone())
}

/// The folder that names with this beginning are in, where they are in one.
fn folder(prefix: &str) -> &str {
    prefix.rfind('/').map_or(prefix, |slash| &prefix[..=slash])
}

/// A place beside the prefix: in its folder's parent, under a name that nobody has.
fn beside(prefix: &str) -> String {
    let parent = prefix.trim_end_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent);
    let slash = if parent.is_empty() { "" } else { "/" };
    format!("{parent}{slash}.tidegate-doctor-outside/{:016x}", rand::random::<u64>())
}

async fn scope(x: &mut Examination<'_>, place: &Place, probe: &S3Probe, undo: &Undo, left: &mut Left) {
    let scope = scope_of(x, place);
    if scope.is_empty() {
        x.skip(Check::SCOPE, "the whole bucket is in scope");
        return;
    }
    if !x.wants(Check::SCOPE) {
        return;
    }
    let watch = Watch::start();
    let key = beside(&scope);
    let abort = Trial::of_s3(&probe.abort_absent(&key).await.answer);
    if !undo.upload || !(abort.is_done() || abort.code() == Some("NoSuchUpload")) {
        // Where not even an abort is allowed, a write is most likely not either; and it could not be undone.
        x.skip(Check::SCOPE, "it could not be taken away again");
        return;
    }
    let tried = left.multipart(probe, &key, &shape(place)).await;
    let trial = Trial::of_s3(&tried.answer);
    let result = match (&tried.answer, &trial) {
        (Ok(()), _) => {
            let text = format!("{key} may be written, which is beside {scope:?}: the role may do more than it needs");
            watch.warning(Check::SCOPE, text).hints([narrower(x)])
        }
        (Err(_), trial) if trial.is_denied() => watch.passed(Check::SCOPE, format!("writing {key} was refused")),
        (Err(error), _) => CheckResult::of_s3(&watch, Check::SCOPE, error),
    };
    x.facts.put_outside = Some(trial);
    x.put(result.request(tried.request_id).host(probe.host()));
}

/// What makes a role no wider than it must be.
fn narrower(x: &Examination<'_>) -> String {
    match &x.target.connector {
        Some(_) => "replace the role's policy by the least that the connector needs: tidegate policy generate --connector FILE \
                    --permission"
            .to_owned(),
        None => "allow the role no more than the prefix".to_owned(),
    }
}

async fn list_scope(x: &mut Examination<'_>, place: &Place, probe: &S3Probe) {
    let scope = scope_of(x, place);
    if scope.is_empty() || !place.reads {
        x.skip(Check::LIST_SCOPE, "the whole bucket is in scope, or nothing is listed");
        return;
    }
    if !x.wants(Check::LIST_SCOPE) {
        return;
    }
    let watch = Watch::start();
    let tried = probe.list(&beside(&scope), 1, false).await;
    let trial = Trial::of_s3(&tried.answer);
    let result = match (&tried.answer, &trial) {
        (Ok(_), _) => {
            let text = "what is beside the prefix may be listed: the role may do more than it needs";
            watch.warning(Check::LIST_SCOPE, text).hints([narrower(x)])
        }
        (Err(_), trial) if trial.is_denied() => {
            watch.passed(Check::LIST_SCOPE, "listing beside the prefix was refused")
        }
        (Err(error), _) => CheckResult::of_s3(&watch, Check::LIST_SCOPE, error),
    };
    x.facts.list_outside = Some(trial);
    x.put(result.request(tried.request_id).host(probe.host()));
}

/// Takes away what was written. It was found out before that it may be.
async fn clean(x: &mut Examination<'_>, probe: &S3Probe, left: Left) {
    if !x.wants(Check::CLEAN) {
        return;
    }
    let watch = Watch::start();
    let mut remain = Vec::new();
    for (key, version) in left.objects {
        let deleted = match &version {
            // Without its version it would only be hidden, and kept.
            Some(version) => probe.delete(&key, Some(version)).await,
            None => probe.delete(&key, None).await,
        };
        let trial = Trial::of_s3(&deleted.answer);
        if let Err(error) = deleted.answer {
            remain.push(format!("{key} ({error})"));
            x.facts.left.push((key, trial));
        }
    }
    for key in left.unconfirmed {
        // As of a bucket without versions: in one with versions this adds no mark of a deletion.
        let deleted = probe.delete(&key, Some("null")).await;
        let how = if deleted.answer.is_ok() { "deleted, unless the bucket keeps versions" } else { "not deleted" };
        remain.push(format!("{key} (S3 did not say whether it was written; {how})"));
    }
    let marks = left.marks.into_iter();
    remain.extend(marks.map(|key| format!("if the bucket keeps versions, a mark that {key} was deleted")));
    let uploads = left.uploads.into_iter();
    remain.extend(uploads.map(|key| format!("an upload in parts of {key} (S3 did not confirm that it was aborted)")));
    x.put(match remain.as_slice() {
        [] => watch.passed(Check::CLEAN, "nothing is left"),
        remain => {
            watch.warning(Check::CLEAN, format!("may be left behind, to be deleted by hand: {}", remain.join(", ")))
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{beside, folder};

    #[test]
    fn beside_a_prefix_is_outside_of_it() {
        for prefix in ["topics/", "a/b/", "orders-", "a/orders-"] {
            let key = beside(prefix);
            assert!(!key.starts_with(prefix), "{key} under {prefix}");
        }
        assert!(beside("a/b/").starts_with("a/.tidegate-doctor-outside/"));
        assert_eq!([folder("a/b/orders-"), folder("a/"), folder("orders-"), folder("")], ["a/b/", "a/", "orders-", ""]);
    }
}
