//! Buckets, keys and objects.

use super::Case;
use crate::{Cause, Check, Diagnosis, Paste, Remedy, Trial};

static OTHER_REGION: Cause = Cause {
    row: "F35",
    code: "bucket.other-region",
    title: "the bucket is in another region",
    symptom: "AuthorizationHeaderMalformed, PermanentRedirect, or a plain 301 or 400",
    why: "a request is signed for one region, and a bucket lives in exactly one",
    apart: "S3 names the bucket's region in x-amz-bucket-region, also when it refuses",
    cure: "set the region that S3 names",
    texts: &["authorizationheadermalformed", "permanentredirect"],
};

static NO_DECRYPT: Cause = Cause {
    row: "F45",
    code: "kms.decrypt-missing",
    title: "kms:Decrypt is missing on the key, which uploads in parts need",
    symptom: "small files work and large ones fail with AccessDenied on UploadPart",
    why: "S3 decrypts the upload's data key for each part; kms:GenerateDataKey alone is enough for one piece",
    apart: "writing in one piece works, writing in parts does not",
    cure: "allow kms:Decrypt beside kms:GenerateDataKey on the key",
    texts: &[],
};

pub(super) static CAUSES: &[&Cause] = &[&OTHER_REGION, &NO_DECRYPT];

pub(super) fn explain(case: &mut Case<'_>) {
    let Some(place) = &case.target.place else { return };
    let other = case.facts.bucket_region.as_deref().filter(|region| *region != place.region);
    if let Some(region) = other.filter(|_| case.is_unwell(Check::BUCKET)) {
        let because = format!("S3 says that bucket {} is in {region}", place.bucket);
        let remedy = Remedy::paste("set the bucket's region", Paste::Setting(format!("region = \"{region}\"")));
        case.explain(Check::BUCKET, Diagnosis::decided(&OTHER_REGION, because).cure(remedy));
    }
    let in_one_piece = matches!(case.facts.put, Some(Trial::Done));
    if let Some(trial) = case.facts.multipart.as_ref().filter(|_| in_one_piece)
        && trial.is_denied()
        && trial.message().contains("kms:Decrypt")
    {
        let because = "writing in one piece works, and AWS names kms:Decrypt for writing in parts";
        case.explain(Check::MULTIPART, Diagnosis::decided(&NO_DECRYPT, because));
    }
}
