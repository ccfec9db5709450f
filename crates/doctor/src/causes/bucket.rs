//! Which bucket it is, and whose.

use super::Case;
use super::shell::word;
use crate::{Cause, Check, Diagnosis, Paste, Remedy, Trial};

static NO_NAME: Cause = Cause {
    row: "F61",
    code: "bucket.not-a-name",
    title: "what is written down as the bucket is an ARN, a URL, or has a slash or a blank in it",
    symptom: "NoSuchBucket, or an empty result",
    why: "a bucket is known by its name alone; what stands behind a slash is a prefix",
    apart: "it shows in the name itself",
    cure: "write the name alone, and the rest as the prefix",
    texts: &[
        "invalidbucketname",
        "invalid bucket name",
        "illegal bucket name",
        "is no name of a bucket",
        "nosuchbucket",
    ],
};

static NO_BUCKET: Cause = Cause {
    row: "F62",
    code: "bucket.does-not-exist",
    title: "there is no bucket of this name, and none is made",
    symptom: "NoSuchBucket; with a tool that makes what is missing, data in a brand new bucket",
    why: "the name was mistyped, or nobody has made the bucket; Tidegate makes none, for then a slip of the pen would be a place for data",
    apart: "S3 answers 404, to whomever asks",
    cure: "correct the name, or make the bucket",
    texts: &["nosuchbucket", "the specified bucket does not exist"],
};

static STRANGER: Cause = Cause {
    row: "F63",
    code: "bucket.of-another-account",
    title: "the bucket belongs to another account than the one that is expected",
    symptom: "AccessDenied on everything; without an expected account, data in a stranger's bucket",
    why: "names of buckets are the same for all accounts, and one that was deleted can be made anew by anybody",
    apart: "the same request without an expected account goes through",
    cure: "correct the bucket's name, or the account that is expected",
    texts: &["expectedbucketowner", "x-amz-expected-bucket-owner"],
};

static OTHER_PLACE: Cause = Cause {
    row: "F64",
    code: "bucket.outside-the-fence",
    title: "the bucket, or the names of objects, lie outside of what the connection is for",
    symptom: "AccessDenied after a job was moved from one environment to another",
    why: "a bucket or a prefix of the old environment has stayed behind in some setting",
    apart: "every place that is touched is listed before anything runs (`touches` of the report)",
    cure: "write the bucket and the prefix of the new environment",
    texts: &["is outside the fence of connection", "which is outside", "outside the fence"],
};

pub(super) static CAUSES: &[&Cause] = &[&NO_NAME, &NO_BUCKET, &STRANGER, &OTHER_PLACE];

pub(super) fn explain(case: &mut Case<'_>) {
    names(case);
    let target = case.target;
    let outside = target.faults.iter().find(|fault| fault.text.contains("outside the fence of connection"));
    if let Some(fault) = outside {
        let mut diagnosis = Diagnosis::decided(&OTHER_PLACE, fault.text.clone());
        if let Some(hint) = &fault.hint {
            diagnosis = diagnosis.cure(Remedy::to(hint.clone()));
        }
        case.explain(Check::INPUT, diagnosis);
    }
    let Some(place) = &target.place else { return };
    let facts = case.facts;
    if let Some(Trial::Refused { status: 404, .. }) = &facts.bucket {
        let because = format!("S3 answers that there is no bucket {}", place.bucket);
        let (bucket, region) = (word(&place.bucket), word(&place.region));
        let command = if region == "us-east-1" {
            format!("aws s3api create-bucket --bucket {bucket}")
        } else {
            format!(
                "aws s3api create-bucket --bucket {bucket} --region {region} --create-bucket-configuration LocationConstraint={region}"
            )
        };
        let diagnosis = Diagnosis::decided(&NO_BUCKET, because)
            .cure(Remedy::to(format!("correct the bucket's name, if {} is not what was meant", place.bucket)))
            .cure(Remedy::paste("or make the bucket", Paste::Command(command)));
        case.explain(Check::BUCKET, diagnosis);
    }
    if let Some(owner) = place.owner
        && case.is_unwell(Check::OWNER)
        && facts.owner.as_ref().is_some_and(Trial::is_denied)
    {
        let because = format!("without an expected account S3 answers, and with {owner} it refuses");
        let diagnosis = Diagnosis::decided(&STRANGER, because)
            .cure(Remedy::to(format!("correct the bucket's name: {} is somebody else's", place.bucket)))
            .cure(Remedy::paste(
                "or, if the bucket is right, name its account",
                Paste::Setting("bucket_owner = \"ACCOUNT\"".to_owned()),
            ));
        case.explain(Check::OWNER, diagnosis);
    }
}

/// What was written down in place of a bucket's name.
fn names(case: &mut Case<'_>) {
    let target = case.target;
    let told = |text: &str| text.contains("is no name of a bucket") || text.contains("Illegal bucket name");
    if let Some(fault) = target.faults.iter().find(|fault| told(&fault.text)) {
        let quoted = fault.text.split('"').nth(1).filter(|_| fault.text.starts_with('"'));
        let written = fault.value.as_deref().or(quoted).unwrap_or_default();
        let diagnosis = Diagnosis::decided(&NO_NAME, format!("{} is {written:?}", fault.key)).cure(meant(written));
        case.explain(Check::INPUT, diagnosis);
    }
    if case.is_unwell(Check::BUCKET_NAME)
        && let Some(place) = &target.place
    {
        let because = case.result(Check::BUCKET_NAME).map(|result| result.reason.clone()).unwrap_or_default();
        case.explain(Check::BUCKET_NAME, Diagnosis::decided(&NO_NAME, because).cure(meant(&place.bucket)));
    }
}

/// The bucket and the prefix that were probably meant.
fn meant(written: &str) -> Remedy {
    let text = written.trim();
    let text = text.strip_prefix("s3://").or_else(|| text.strip_prefix("s3a://")).unwrap_or(text);
    let text = text.rsplit_once(":::").map_or(text, |(_, name)| name);
    let (host, rest) = text.strip_prefix("https://").map_or((text, None), |url| (url, Some(())));
    let text = match rest {
        // https://BUCKET.s3.REGION.amazonaws.com/PREFIX
        Some(()) => {
            let (host, path) = host.split_once('/').unwrap_or((host, ""));
            let bucket = host.split(".s3").next().unwrap_or_default();
            format!("{bucket}/{path}")
        }
        None => text.to_owned(),
    };
    let (bucket, prefix) = text.split_once('/').unwrap_or((&text, ""));
    let bucket = bucket.trim().to_lowercase();
    if crate::checks::bucket::name_fault(&bucket).is_some() {
        return Remedy::to(NO_NAME.cure);
    }
    let prefix = prefix.trim().trim_end_matches('*');
    let setting = if prefix.is_empty() {
        format!("bucket = \"{bucket}\"")
    } else {
        format!("bucket = \"{bucket}\"\nprefix = \"{prefix}\"")
    };
    Remedy::paste("write this", Paste::Setting(setting))
}

/// Nothing at all is allowed: it may be somebody else's bucket, and then nobody here can say so.
pub(super) fn may_be_foreign(case: &Case<'_>) -> Option<Diagnosis> {
    let place = case.target.place.as_ref()?;
    let apart = format!("ask whose bucket {} is; `bucket_owner` lets every request say whose it must be", place.bucket);
    Some(Diagnosis::possible(&STRANGER, apart).cure(Remedy::to(STRANGER.cure)))
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn the_name_is_found_in_what_was_written() {
        for (written, setting) in [
            ("s3://lake/topics/", "bucket = \"lake\"\nprefix = \"topics/\""),
            ("arn:aws:s3:::lake", "bucket = \"lake\""),
            ("arn:aws:s3:::lake/topics/*", "bucket = \"lake\"\nprefix = \"topics/\""),
            ("https://lake.s3.eu-west-1.amazonaws.com/topics/", "bucket = \"lake\"\nprefix = \"topics/\""),
            ("lake/", "bucket = \"lake\""),
            (" Lake\n", "bucket = \"lake\""),
        ] {
            assert_eq!(meant(written).paste.unwrap().text(), setting, "{written}");
        }
        assert!(meant("a b").paste.is_none());
    }
}
