use aws::s3::{ProbeError, S3Options, S3Probe, Tried};
use identity::Connection;
use transit::WriteMode;

use super::ours;
use crate::examination::{Examination, Watch};
use crate::{Check, CheckResult, Place, Trial};

/// What tries `place`, as who we are at the end of the way; `None` if there is nobody.
pub(crate) fn probe(x: &Examination<'_>, place: &Place) -> Option<S3Probe> {
    probe_as(x, place, x.target.connection.as_ref()?)
}

fn probe_as(x: &Examination<'_>, place: &Place, connection: &Connection) -> Option<S3Probe> {
    x.around.clients.s3_probe(connection, options(place)).ok()
}

/// How S3 is asked for `place`.
pub(crate) fn options(place: &Place) -> S3Options {
    S3Options {
        endpoint: place.endpoint.clone(),
        path_style: place.path_style,
        fips: place.fips,
        dual_stack: place.dual_stack,
        owner: place.owner,
        checksums: !place.no_checksums,
        ..S3Options::new(&place.bucket, &place.region)
    }
}

/// The same as the role itself where its session is cut down to a fence: for looking at the bucket, never for more. The
/// fence leaves out what only an examination asks for.
fn uncut(x: &Examination<'_>, place: &Place) -> Option<S3Probe> {
    let mut connection = x.target.connection.clone()?;
    connection.cut_down()?.take()?;
    probe_as(x, place, &connection)
}

/// What can be said of the bucket and of names in it without asking anybody.
pub(crate) fn run_offline(x: &mut Examination<'_>) {
    let target = x.target;
    let Some(place) = &target.place else {
        for check in [Check::BUCKET_NAME, Check::KEY_REGION, Check::NAMES_REPEAT] {
            x.skip(check, "no bucket is named");
        }
        return;
    };
    (x.facts.touches, x.facts.deletes) = (touches(x, place), Some(deletes(x, place)));
    if x.wants(Check::BUCKET_NAME) {
        let watch = Watch::start();
        x.put(match name_fault(&place.bucket) {
            None => watch.passed(Check::BUCKET_NAME, format!("{} can be a bucket's name", place.bucket)),
            Some(fault) => {
                watch.failed(Check::BUCKET_NAME, format!("{:?} is no name of a bucket: {fault}", place.bucket))
            }
        });
    }
    key_region(x, place);
    names(x);
}

/// The parts of buckets that the target can touch: what it says itself, and what its connection is fenced to.
fn touches(x: &Examination<'_>, place: &Place) -> Vec<String> {
    let mut all = vec![format!("s3://{}/{}", place.bucket, place.prefix)];
    if let Some(plan) = x.target.connector.as_ref().filter(|plan| plan.write_mode() == WriteMode::ExactlyOnce) {
        all.push(format!("s3://{}/{}", place.bucket, plan.manifest_prefix()));
    }
    let fence = x.target.spec.as_ref().map(|spec| &spec.fence).filter(|fence| fence.is_up());
    all.extend(fence.into_iter().flat_map(|fence| &fence.places).map(ToString::to_string));
    all.sort_unstable();
    all.dedup();
    all
}

/// Nothing of Tidegate's deletes what somebody else has written.
fn deletes(x: &Examination<'_>, place: &Place) -> String {
    match &x.target.connector {
        _ if place.deletes => format!("objects under {:?}", place.prefix),
        Some(plan) if plan.write_mode() == WriteMode::ExactlyOnce => {
            format!("manifests of its own under {:?}, and nothing else", plan.manifest_prefix())
        }
        _ => "nothing".to_owned(),
    }
}

/// What keeps a text from being a bucket's name (S3 user guide, "General purpose bucket naming rules").
pub(crate) fn name_fault(name: &str) -> Option<&'static str> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if name.starts_with("arn:") {
        Some("it is an ARN")
    } else if name.contains("://") {
        Some("it is a URL")
    } else if name.contains('/') {
        Some("there is a slash in it; what stands behind one is a prefix")
    } else if name.chars().any(char::is_whitespace) {
        Some("there is a blank in it")
    } else if !(3..=63).contains(&name.len()) {
        Some("it is not of 3 to 63 characters")
    } else if !name.bytes().all(legal) {
        Some("there are other characters in it than lower-case letters, digits, dots and dashes")
    } else if !ends(name.bytes().next()) || !ends(name.bytes().last()) {
        Some("it does not begin and end with a letter or a digit")
    } else {
        None
    }
}

fn key_region(x: &mut Examination<'_>, place: &Place) {
    let keys = keys(x, place);
    if keys.is_empty() {
        x.skip(Check::KEY_REGION, "no KMS key is named");
        return;
    }
    if !x.wants(Check::KEY_REGION) {
        return;
    }
    let watch = Watch::start();
    let elsewhere = keys.iter().find(|key| key.region() != place.region);
    x.put(match elsewhere {
        None => watch.passed(Check::KEY_REGION, format!("it is of {}", place.region)),
        Some(key) => {
            watch.failed(Check::KEY_REGION, format!("{key} is of {}, and the bucket of {}", key.region(), place.region))
        }
    });
}

/// The KMS keys that are named, by their ARNs.
fn keys(x: &Examination<'_>, place: &Place) -> Vec<iam::Arn> {
    let fenced = x.target.spec.iter().flat_map(|spec| &spec.fence.kms_keys);
    place.kms_key.iter().chain(fenced).filter_map(|key| key.parse().ok()).collect()
}

fn names(x: &mut Examination<'_>) {
    let target = x.target;
    let Some(plan) = &target.connector else {
        x.skip(Check::NAMES_REPEAT, "nothing here makes names");
        return;
    };
    if !x.wants(Check::NAMES_REPEAT) {
        return;
    }
    let watch = Watch::start();
    x.put(if plan.write_mode() == WriteMode::ExactlyOnce {
        watch.passed(Check::NAMES_REPEAT, "exactly once: what is written again after a crash is what was meant before it")
    } else if plan.naming().is_repeatable() {
        watch.passed(Check::NAMES_REPEAT, "names come from topic, partition and offset")
    } else {
        let text = "at least once, and names hold the time of writing or other partitions' records: what is written again after a crash stands beside what was written before";
        watch.warning(Check::NAMES_REPEAT, text)
    });
}

/// The bucket: there, ours, and where it is said to be.
pub(crate) async fn run(x: &mut Examination<'_>) {
    let target = x.target;
    let Some(place) = &target.place else {
        for check in [Check::BUCKET, Check::OWNER] {
            x.skip(check, "no bucket is named");
        }
        return;
    };
    if x.wants(Check::BUCKET) {
        let watch = Watch::start();
        let Some(probe) = probe(x, place) else { return };
        let tried = probe.head_bucket(None).await;
        x.facts.bucket = Some(Trial::of_s3(&tried.answer));
        x.facts.note_renewal(&tried);
        let bucket = &place.bucket;
        let result = match &tried.answer {
            Ok(region) => {
                x.facts.bucket_region.clone_from(region);
                match region {
                    Some(region) if *region != place.region => watch.failed(
                        Check::BUCKET,
                        format!("bucket {bucket} is in {region}, and {} is configured", place.region),
                    ),
                    Some(region) => watch.passed(Check::BUCKET, format!("bucket {bucket} is in {region}")),
                    None => watch.passed(Check::BUCKET, format!("bucket {bucket} is there; the store names no region")),
                }
            }
            Err(error) => {
                x.facts.bucket_region = error.refusal().and_then(|refusal| refusal.told_region.clone());
                denied_or_failed(&watch, error)
            }
        };
        x.put(result.request(tried.request_id).host(probe.host()));
    }
    match place.owner {
        None => x.skip(Check::OWNER, "no account is named that must own it"),
        Some(_) if x.wants(Check::OWNER) => owner(x, place).await,
        Some(_) => {}
    }
}

/// Whose the bucket is, by two requests that differ in nothing but the account that is expected. Where the session may not
/// look at the bucket, the role itself may; and where that may not either, nothing is said: each request that follows
/// names the account.
async fn owner(x: &mut Examination<'_>, place: &Place) {
    let Some(owner) = place.owner else { return };
    let watch = Watch::start();
    let Some(probe) = probe(x, place) else { return };
    let mut tried = probe.head_bucket(Some(owner)).await;
    let mut seen = x.facts.bucket.as_ref().is_some_and(Trial::is_done);
    if Trial::of_s3(&tried.answer).is_denied()
        && !seen
        && let Some(role) = uncut(x, place)
    {
        tried = role.head_bucket(Some(owner)).await;
        seen = tried.answer.is_ok() || role.head_bucket(None).await.answer.is_ok();
    }
    let trial = Trial::of_s3(&tried.answer);
    let result = match &tried.answer {
        Ok(_) => watch.passed(Check::OWNER, format!("bucket {} belongs to {owner}", place.bucket)),
        Err(_) if trial.is_denied() && !seen => {
            x.skip(Check::OWNER, "to look at the bucket is not allowed; every other request names the account too");
            return;
        }
        Err(error) => CheckResult::of_s3(&watch, Check::OWNER, error),
    };
    x.facts.owner = Some(trial);
    x.put(result.request(tried.request_id).host(probe.host()));
}

/// Whether the bucket is another account's than the one that every request names: then all of them are refused.
pub(crate) fn is_foreign(x: &Examination<'_>) -> bool {
    x.facts.owner.as_ref().is_some_and(Trial::is_denied)
}

/// `HeadBucket` needs `s3:ListBucket`, which a role that only writes has no use for. Of a bucket that is there S3 names the
/// region all the same ("HeadBucket", S3 API reference); a 403 without it is as well one of a proxy, of keys that are not
/// taken, or of a store of another maker.
fn denied_or_failed(watch: &Watch, error: &ProbeError) -> CheckResult {
    let refusal = error.refusal().filter(|refusal| refusal.actual_region.is_none());
    let denied = Trial::of_s3::<()>(&Err(error.clone())).is_denied();
    match refusal.filter(|_| denied).map(|refusal| refusal.told_region.as_deref()) {
        Some(Some(region)) => watch.passed(
            Check::BUCKET,
            format!("the bucket is there, in {region}; to look at it (s3:ListBucket) is not allowed"),
        ),
        Some(None) => watch
            .unproven(Check::BUCKET, "the answer is 403 and names no region, as S3's does of a bucket that is there")
            .code(error.refusal().map(|refusal| refusal.code.clone())),
        None => CheckResult::of_s3(watch, Check::BUCKET, error),
    }
}

/// After a look at the bucket that showed nothing: whether something in it could be reached.
pub(crate) fn settle(x: &mut Examination<'_>) {
    if !x.may_settle() {
        return;
    }
    let facts = &x.facts;
    let done = [&facts.list, &facts.put, &facts.multipart, &facts.delete, &facts.delete_version];
    let done = done.into_iter().flatten().chain(facts.reads.iter().map(|(_, trial)| trial)).any(Trial::is_done);
    // Who is told that there is no such key or upload is told so of a bucket that is there.
    let told = |trial: &Option<Trial>, code| trial.as_ref().and_then(Trial::code) == Some(code);
    if done || told(&facts.read_absent, "NoSuchKey") || told(&facts.abort, "NoSuchUpload") {
        let text = "the bucket is there, as what was done in it shows; to look at it (s3:ListBucket) is not allowed";
        let took = x.result(Check::BUCKET).map(|result| result.took).unwrap_or_default();
        let host = x.result(Check::BUCKET).and_then(|result| result.host.clone());
        let mut result = CheckResult::new(Check::BUCKET, crate::Status::Passed, took, text);
        result.host = host;
        x.put_again(result);
    }
}

/// After a refusal: what the bucket itself says and what the role may do, where that may be read. As our session, then as the
/// role without its fence.
pub(crate) async fn look_for_reasons(x: &mut Examination<'_>) {
    let target = x.target;
    let Some(place) = target.place.as_ref().filter(|_| x.facts.was_denied()) else { return };
    if let Some(ours) = probe(x, place) {
        let mut tried = ours.bucket_policy().await;
        if Trial::of_s3(&tried.answer).is_denied()
            && let Some(role) = uncut(x, place)
        {
            tried = role.bucket_policy().await;
        }
        x.facts.bucket_policy = Some(told(tried));
    }
    let whom = x.facts.hop_arns.last().or(x.facts.base_arn.as_ref()).cloned();
    if let (Some(mut connection), Some(whom)) = (target.connection.clone(), whom) {
        if let Some(policy) = connection.cut_down() {
            *policy = None;
        }
        let last = connection.hops.len();
        x.facts.role_grants = ours::grants(x, &connection, last, &whom).await;
    }
}

/// Whether the bucket keeps versions, as the session or the role itself may see it; `None` if neither may. A store of another
/// maker that knows none says so.
pub(crate) async fn keeps_versions(x: &Examination<'_>, place: &Place, probe: &S3Probe) -> Option<bool> {
    let mut tried = probe.keeps_versions().await;
    if Trial::of_s3(&tried.answer).is_denied()
        && let Some(role) = uncut(x, place)
    {
        tried = role.keeps_versions().await;
    }
    match tried.answer {
        Ok(keeps) => Some(keeps),
        Err(error) => error.refusal().is_some_and(|refusal| refusal.code == "NotImplemented").then_some(false),
    }
}

/// How new objects are locked, asked before any is written: a locked one cannot be taken away again.
pub(crate) async fn lock(x: &mut Examination<'_>, place: &Place, probe: &S3Probe) {
    let mut tried = probe.object_lock().await;
    if Trial::of_s3(&tried.answer).is_denied()
        && let Some(role) = uncut(x, place)
    {
        tried = role.object_lock().await;
    }
    let none = Trial::of_s3(&tried.answer).code() == Some("ObjectLockConfigurationNotFoundError");
    x.facts.lock = Some(if none { Ok(None) } else { told(tried) });
}

fn told<T>(tried: Tried<T>) -> Result<T, Trial> {
    let trial = Trial::of_s3(&tried.answer);
    tried.answer.map_err(|_| trial)
}

#[cfg(test)]
mod tests {
    use super::name_fault;

    #[test]
    fn a_bucket_s_name_is_told_from_what_people_type_in_its_place() {
        for name in ["lake", "orders-2.eu", "abc", "lake-acct-ab12-s3alias"] {
            assert_eq!(name_fault(name), None, "{name}");
        }
        for (name, why) in [
            ("arn:aws:s3:::lake", "ARN"),
            ("s3://lake", "URL"),
            ("https://lake.s3.amazonaws.com/", "URL"),
            ("lake/", "slash"),
            ("lake/topics", "slash"),
            (" lake", "blank"),
            ("la", "3 to 63"),
            ("Lake", "lower-case"),
            ("-lake", "begin and end"),
        ] {
            assert!(name_fault(name).is_some_and(|fault| fault.contains(why)), "{name}");
        }
    }
}
