//! Objects: who owns them, who pays for them, and what locks them.

use iam::{Draft, DraftStatement, PolicyKind};

use super::denial::Denial;
use super::grant::own_policy;
use super::refused::{Refused, account};
use super::shell::word;
use super::{Case, policy};
use crate::{Cause, Check, Diagnosis, Paste, Remedy, Trial};

static HIDDEN: Cause = Cause {
    row: "F43",
    code: "object.absent-or-forbidden",
    title: "without s3:ListBucket S3 hides behind 403 that an object is not there",
    symptom: "403 Forbidden where the key does not exist",
    why: "whoever may not list is not to learn which names there are",
    apart: "a key that nobody has is answered 404 to whom may list, and 403 to whom may not",
    cure: "allow s3:ListBucket on the bucket, for the prefix",
    texts: &[
        "an error occurred (403) when calling the headobject operation: forbidden",
        "headobject operation: forbidden",
        "403 forbidden",
    ],
};

static THIRD_OWNER: Cause = Cause {
    row: "F50",
    code: "object.of-a-third-account",
    title: "some objects belong to the accounts that wrote them, and not to the bucket's owner",
    symptom: "listing works, and some objects are refused with 403",
    why: "with ACLs an object is its writer's, and neither the bucket's policy nor its owner's roles reach it",
    apart: "the objects that are refused have another owner than those that are read",
    cure: "switch the bucket's ACLs off (Bucket owner enforced): then all objects are its owner's",
    texts: &["bucket owner enforced", "bucketownerenforced", "object ownership"],
};

static REQUESTER_PAYS: Cause = Cause {
    row: "F51",
    code: "bucket.requester-pays",
    title: "the bucket lets its readers pay, and takes no request that does not say so",
    symptom: "403 on all reads of one bucket",
    why: "a bucket with Requester Pays takes requests of other accounts only with x-amz-request-payer",
    apart: "the same request with x-amz-request-payer goes through",
    cure: "have the bucket's owner switch Requester Pays off",
    texts: &["x-amz-request-payer", "requester pays", "requestpayer"],
};

static LOCKED: Cause = Cause {
    row: "F56",
    code: "object.locked",
    title: "the bucket locks objects, so that they can be neither deleted nor replaced",
    symptom: "deleting a version is refused, or writing without a checksum is",
    why: "the bucket keeps each version for a time, or for ever, against whoever it may be; and it takes no write without a checksum",
    apart: "writing works and deleting that same version does not; s3:GetBucketObjectLockConfiguration shows the rule",
    cure: "wait for the end of the retention, or use a bucket without one",
    texts: &["object lock", "content-md5 or x-amz-checksum", "object protected by object lock", "write-once-read-many"],
};

static ACL: Cause = Cause {
    row: "F57",
    code: "object.acl-refused",
    title: "a canned ACL is asked for, and s3:PutObjectAcl is missing or the bucket has no ACLs",
    symptom: "AccessDenied or AccessControlListNotSupported on PutObject",
    why: "a write with an ACL needs s3:PutObjectAcl too, and buckets have had no ACLs since 2023 unless they are switched on",
    apart: "the same object goes through without the ACL",
    cure: "ask for no ACL: where ACLs are off, the bucket's owner owns every object anyway",
    texts: &["accesscontrollistnotsupported", "the bucket does not allow acls", "s3:putobjectacl"],
};

pub(super) static CAUSES: &[&Cause] = &[&HIDDEN, &THIRD_OWNER, &REQUESTER_PAYS, &LOCKED, &ACL];

pub(super) fn explain(case: &mut Case<'_>) {
    let target = case.target;
    if target.place.is_none() {
        return;
    }
    let facts = case.facts;
    let absent = facts.read_absent.as_ref().filter(|trial| trial.is_denied() && case.is_unwell(Check::READ));
    if let Some(trial) = absent.filter(|trial| !names_reading(trial)) {
        let listing = facts.list.as_ref();
        let because = "a key that nobody has is answered with 403, as one that is there and forbidden would be";
        let told = Denial::read(trial.message()).action.as_deref() == Some("s3:ListBucket");
        let diagnosis = if told || listing.is_some_and(Trial::is_denied) {
            Diagnosis::decided(&HIDDEN, because)
        } else {
            Diagnosis::likely(&HIDDEN, because)
        };
        case.explain(Check::READ, diagnosis.cure(list_too(case)));
    }
    if case.is_unwell(Check::CLEAN) {
        let locked = |trial: &Trial| trial.message().to_lowercase().contains("object lock");
        if let Some((key, trial)) = facts.left.iter().find(|(_, trial)| trial.is_denied()) {
            let because = format!("{key} could be written, and its version cannot be deleted");
            let diagnosis = if locked(trial) {
                Diagnosis::decided(&LOCKED, because)
            } else {
                Diagnosis::possible(&LOCKED, LOCKED.apart)
            };
            case.explain(Check::CLEAN, diagnosis.cure(Remedy::to(LOCKED.cure)));
        }
    }
    if case.is_unwell(Check::PUT)
        && let Some(Err(trial)) = &facts.lock
        && trial.is_denied()
    {
        let apart = "the bucket keeps versions; s3:GetBucketObjectLockConfiguration, which is refused, shows whether it locks them";
        let diagnosis = Diagnosis::possible(&LOCKED, apart);
        case.explain(Check::PUT, diagnosis.cure(see_lock(case)).cure(Remedy::to(LOCKED.cure)));
    }
    for (check, trial) in [(Check::PUT, &facts.put), (Check::MULTIPART, &facts.multipart)] {
        let Some(trial) = trial.as_ref().filter(|_| case.is_unwell(check)) else { continue };
        let text = trial.message().to_lowercase();
        if trial.code() == Some("AccessControlListNotSupported") {
            let diagnosis = Diagnosis::decided(&ACL, "S3 says that the bucket has no ACLs").cure(no_acl());
            case.explain(check, diagnosis);
        } else if trial.code() == Some("InvalidRequest") && text.contains("object lock") {
            let because = format!("S3 says: {}", trial.message());
            let setting = Paste::Setting("tidegate.s3.checksums=true".to_owned());
            let remedy = Remedy::paste("let each part carry its checksum", setting);
            case.explain(check, Diagnosis::decided(&LOCKED, because).cure(remedy));
        }
    }
}

fn list_too(case: &Case<'_>) -> Remedy {
    let trial = Trial::Done;
    let Some(place) = &case.target.place else { return Remedy::to(HIDDEN.cure) };
    let refused = Refused {
        check: Check::LIST,
        trial: &trial,
        action: "s3:ListBucket",
        resource: super::refused::bucket_arn(place),
        denial: Denial::default(),
    };
    own_policy(case, &refused)
}

/// What lets us see whether the bucket locks, so that we may know before we write.
fn see_lock(case: &Case<'_>) -> Remedy {
    let action = "to have it tried, allow the role this too";
    let Some(place) = &case.target.place else { return Remedy::to(action) };
    let statement =
        DraftStatement::allow(["s3:GetBucketObjectLockConfiguration"]).on([super::refused::bucket_arn(place)]);
    match Draft::new().with(statement.called("SeeLock")).build(PolicyKind::Identity) {
        Ok(policy) => Remedy::paste(action, Paste::PermissionPolicy(format!("{policy:#}"))),
        Err(error) => Remedy::to(format!("{action}: s3:GetBucketObjectLockConfiguration ({error})")),
    }
}

fn no_acl() -> Remedy {
    Remedy::to("take the ACL out of the configuration: the bucket's owner owns every object without it")
}

/// Explains a refusal if it is about the object itself, or about who pays.
pub(super) fn explain_refused(case: &Case<'_>, refused: &Refused<'_>) -> Option<Vec<Diagnosis>> {
    let facts = case.facts;
    let paid = match refused.action {
        "s3:ListBucket" => facts.list_as_payer.as_ref(),
        "s3:GetObject" => facts.read_as_payer.as_ref(),
        _ => None,
    };
    if paid.is_some_and(Trial::is_done) {
        let because = "the same request went through with x-amz-request-payer";
        return Some(vec![Diagnosis::decided(&REQUESTER_PAYS, because).cure(owner_pays(case))]);
    }
    let variants = if refused.check == Check::PUT { &facts.put_variants } else { &facts.multipart_variants };
    let is_write = refused.check == Check::PUT || refused.check == Check::MULTIPART;
    if is_write && variants.iter().any(|(what, trial)| *what == "no-acl" && trial.is_done()) {
        let diagnosis = Diagnosis::decided(&ACL, "the same object went through without the ACL").cure(no_acl());
        return Some(vec![diagnosis]);
    }
    if refused.check == Check::READ && facts.read_absent.is_none() && !refused.denial.is_of_kms() {
        return third_owner(case, refused);
    }
    // What is absent and what is forbidden look alike: that is told already, and nothing more can be.
    let hidden = facts.read_absent.as_ref().is_some_and(|trial| !names_reading(trial));
    (refused.check == Check::READ && hidden).then(Vec::new)
}

/// Whether AWS says that it is reading which is not allowed.
fn names_reading(trial: &Trial) -> bool {
    Denial::read(trial.message()).action.as_deref() == Some("s3:GetObject")
}

fn owner_pays(case: &Case<'_>) -> Remedy {
    let bucket = word(case.target.place.as_ref().map(|place| place.bucket.as_str()).unwrap_or_default());
    let command = format!(
        "aws s3api put-bucket-request-payment --bucket {bucket} --request-payment-configuration Payer=BucketOwner"
    );
    Remedy::paste("have the bucket's owner switch Requester Pays off", Paste::Command(command))
}

/// Some objects are read and others are not.
fn third_owner(case: &Case<'_>, refused: &Refused<'_>) -> Option<Vec<Diagnosis>> {
    let facts = case.facts;
    let owner = |key: &String| facts.owners.iter().find(|(of, _)| of == key).map(|(_, owner)| owner);
    let (read, unread): (Vec<_>, Vec<_>) = facts
        .reads
        .iter()
        .filter(|(_, trial)| trial.is_done() || trial.is_denied())
        .partition(|(_, trial)| trial.is_done());
    let key = unread.first().map(|(key, _)| key)?;
    if read.is_empty() || refused.denial.by.is_some() {
        return None;
    }
    let theirs =
        owner(key).is_some_and(|theirs| read.iter().all(|(key, _)| owner(key).is_some_and(|ours| ours != theirs)));
    let bucket = word(case.target.place.as_ref().map(|place| place.bucket.as_str()).unwrap_or_default());
    let remedy = Remedy::paste(
        "have the bucket's owner switch ACLs off: then all objects are his, also those that are there",
        Paste::Command(format!(
            "aws s3api put-bucket-ownership-controls --bucket {bucket} --ownership-controls 'Rules=[{{ObjectOwnership=BucketOwnerEnforced}}]'"
        )),
    );
    if theirs {
        let because = format!("{key} is refused and has another owner than the objects that are read");
        return Some(vec![Diagnosis::decided(&THIRD_OWNER, because).cure(remedy)]);
    }
    let whose = account(case).map_or_else(String::new, |account| format!(" (we are of {account})"));
    let because = format!("{key} is refused, and others of the same prefix are read{whose}");
    Some(vec![
        Diagnosis::likely(&THIRD_OWNER, because).cure(remedy),
        Diagnosis::possible(&policy::MISSING, policy::MISSING.apart).cure(own_policy(case, refused)),
    ])
}
