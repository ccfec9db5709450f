use aws::s3::{ProbeError, S3Options, S3Probe};

use crate::examination::{Examination, Watch};
use crate::{Check, CheckResult, Place, Trial};

/// What tries `place`, as who we are at the end of the way; `None` if there is nobody.
pub(crate) fn probe(x: &Examination<'_>, place: &Place) -> Option<S3Probe> {
    x.around.clients.s3_probe(x.target.connection.as_ref()?, options(place)).ok()
}

/// How S3 is asked for `place`.
pub(crate) fn options(place: &Place) -> S3Options {
    S3Options {
        endpoint: place.endpoint.clone(),
        path_style: place.path_style,
        fips: place.fips,
        dual_stack: place.dual_stack,
        owner: place.owner,
        ..S3Options::new(&place.bucket, &place.region)
    }
}

/// The bucket: there, ours, and where it is said to be.
pub(crate) async fn run(x: &mut Examination<'_>) {
    let Some(place) = &x.target.place else {
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
                let region = error.refusal().and_then(|refusal| refusal.actual_region.clone());
                x.facts.bucket_region = region;
                denied_or_failed(&watch, error)
            }
        };
        x.put(result.request(tried.request_id).host(probe.host()));
    }
    match place.owner {
        None => x.skip(Check::OWNER, "no account is named that must own it"),
        Some(owner) if x.wants(Check::OWNER) => {
            let watch = Watch::start();
            let Some(probe) = probe(x, place) else { return };
            let tried = probe.head_bucket(Some(owner)).await;
            x.facts.owner = Some(Trial::of_s3(&tried.answer));
            let result = match &tried.answer {
                Ok(_) => watch.passed(Check::OWNER, format!("bucket {} belongs to {owner}", place.bucket)),
                Err(error) => CheckResult::of_s3(&watch, Check::OWNER, error),
            };
            x.put(result.request(tried.request_id).host(probe.host()));
        }
        Some(_) => {}
    }
}

/// `HeadBucket` needs `s3:ListBucket`, which a role that only writes has no use for: that it is denied says that the bucket is
/// there, and nothing else.
fn denied_or_failed(watch: &Watch, error: &ProbeError) -> CheckResult {
    let wrong_region = error.refusal().is_some_and(|refusal| refusal.actual_region.is_some());
    if Trial::of_s3::<()>(&Err(error.clone())).is_denied() && !wrong_region {
        return watch.passed(Check::BUCKET, "the bucket is there; to look at it (s3:ListBucket) is not allowed");
    }
    CheckResult::of_s3(watch, Check::BUCKET, error)
}
