//! The region that a bucket is in.

use super::super::Case;
use crate::{Cause, Check, Diagnosis, Paste, Place, Remedy, Trial};

static OTHER_REGION: Cause = Cause {
    row: "F35",
    code: "bucket.other-region",
    title: "the bucket is in another region",
    symptom: "AuthorizationHeaderMalformed, PermanentRedirect, or a plain 301 or 400",
    why: "a request is signed for one region, and a bucket lives in exactly one",
    apart: "S3 names the bucket's region in x-amz-bucket-region, also when it refuses",
    cure: "set the region that S3 names",
    texts: &[
        "authorizationheadermalformed",
        "permanentredirect",
        "is wrong; expecting",
        "must be addressed using the specified endpoint",
    ],
};

static STRANGERS: Cause = Cause {
    row: "F36",
    code: "bucket.of-somebody-else",
    title: "the bucket of this name is somebody else's",
    symptom: "the region is said to be wrong, and it is the one of our own bucket",
    why: "names of buckets are unique in the world: somebody had it first, in another region",
    apart: "asked for with its owner's account (x-amz-expected-bucket-owner), it is refused",
    cure: "correct the bucket's name, or choose another one",
    texts: &["authorizationheadermalformed", "is wrong; expecting", "bucketalreadyexists"],
};

static LOCATION: Cause = Cause {
    row: "F38",
    code: "region.get-bucket-location",
    title: "the question where a bucket is, is refused itself",
    symptom: "GetBucketLocation fails with AuthorizationHeaderMalformed",
    why: "it is signed for us-east-1 and sent elsewhere; it needs a permission of its own besides",
    apart: "HeadBucket names the region, also when it refuses",
    cure: "read x-amz-bucket-region of HeadBucket, as this examination does",
    texts: &["getbucketlocation"],
};

pub(super) static CAUSES: &[&Cause] = &[&OTHER_REGION, &STRANGERS, &LOCATION];

/// A bucket that S3 says is in another region: ours, or a stranger's of the same name.
pub(super) fn elsewhere(case: &mut Case<'_>, place: &Place) {
    let other = case.facts.bucket_region.clone().filter(|region| *region != place.region);
    let Some(region) = other.filter(|_| case.is_unwell(Check::BUCKET)) else { return };
    let because = format!("S3 says that bucket {} is in {region}", place.bucket);
    // A connector's own key goes before its connection's.
    let setting = match &case.target.connector {
        Some(_) => format!("aws.s3.region={region}"),
        None => format!("region = \"{region}\""),
    };
    let set = Remedy::paste("set the bucket's region", Paste::Setting(setting));
    let rename = Remedy::to(format!("look whether {} is the bucket's name, to the letter", place.bucket));
    match &case.facts.list_there {
        Some((Trial::Done, Some(Trial::Refused { status: 403, .. }))) => {
            let owner = place.owner.map_or_else(String::new, |owner| owner.to_string());
            let strange =
                format!("{because}; it may be listed, but not as a bucket of {owner}, which is named as its owner");
            case.explain(Check::BUCKET, Diagnosis::decided(&STRANGERS, strange).cure(rename));
        }
        Some((Trial::Done, _)) => {
            let ours = format!("{because}, and it may be listed there");
            case.explain(Check::BUCKET, Diagnosis::decided(&OTHER_REGION, ours).cure(set));
        }
        // What is not allowed in a bucket of ours is refused as it is in a stranger's.
        Some((Trial::Refused { status: 403, .. }, _)) => {
            let apart =
                format!("{because}: whether it is ours, which may not be listed there, shows once the region is set");
            case.explain(Check::BUCKET, Diagnosis::possible(&OTHER_REGION, apart).cure(set));
            let apart = format!(
                "whether {} in {region} belongs to whom you think: its owner can see it in the console",
                place.bucket
            );
            case.explain(Check::BUCKET, Diagnosis::possible(&STRANGERS, apart).cure(rename));
        }
        _ => case.explain(Check::BUCKET, Diagnosis::decided(&OTHER_REGION, because).cure(set)),
    }
}
