//! Encryption at rest: KMS keys, and what a bucket asks of those who write.

use iam::{Arn, DraftStatement, Operator, PolicyKind};

use super::Case;
use super::denial::By;
use super::grant::{own_policy, statement_text};
use super::policy::{MISSING, missing};
use super::refused::{Refused, account, principal};
use super::shell::word;
use crate::{Cause, Check, Diagnosis, Facts, Paste, Place, Remedy, Trial};

static NO_DECRYPT: Cause = Cause {
    row: "F45",
    code: "kms.decrypt-missing",
    title: "kms:Decrypt is missing on the key, which uploads in parts need",
    symptom: "small files work and large ones fail with AccessDenied on UploadPart",
    why: "S3 decrypts the upload's data key for each part; kms:GenerateDataKey alone is enough for one piece",
    apart: "writing in one piece works, writing in parts does not",
    cure: "allow kms:Decrypt beside kms:GenerateDataKey on the key",
    texts: &["kms:decrypt", "uploadpart operation: access denied"],
};

static KEY_POLICY: Cause = Cause {
    row: "F46",
    code: "kms.key-policy-refuses",
    title: "the key's policy does not let our role use it",
    symptom: "AccessDenied that names kms:GenerateDataKey or kms:Decrypt, though the role may do both",
    why: "a KMS key lets in only whom its own policy names, and across accounts the role's policy must allow it too",
    apart: "what is written with SSE-S3 goes through; within an account AWS says that no resource-based policy allows it",
    cure: "let the key's policy name the role",
    texts: &[
        "kms:generatedatakey",
        "kms:decrypt",
        "the ciphertext refers to a customer master key that does not exist",
    ],
};

static AWS_MANAGED: Cause = Cause {
    row: "F47",
    code: "kms.aws-managed-key",
    title: "the key is AWS's own aws/s3, which no other account can use",
    symptom: "KMS.NotFoundException: Invalid keyId aws/s3, or AccessDenied that names kms:Decrypt",
    why: "each account has a key alias/aws/s3 of its own, and nobody can change its policy to let in another account",
    apart: "look at the bucket's default encryption: it names no key, or alias/aws/s3",
    cure: "give the bucket a key of one's own, or SSE-S3, as its default",
    texts: &["invalid keyid aws/s3", "invalid keyid 'aws/s3'", "aws/s3"],
};

static DEMANDED: Cause = Cause {
    row: "F48",
    code: "bucket.encryption-demanded",
    title: "the bucket's policy demands that each write names an encryption",
    symptom: "AccessDenied on PutObject, though the role may write",
    why: "a Deny on s3:x-amz-server-side-encryption refuses what does not name it, also where the bucket would encrypt by itself",
    apart: "the same object goes through if an encryption is asked for",
    cure: "ask for the encryption that the policy demands",
    texts: &["s3:x-amz-server-side-encryption", "x-amz-server-side-encryption"],
};

static KEY_ELSEWHERE: Cause = Cause {
    row: "F49",
    code: "kms.key-not-usable-here",
    title: "the KMS key cannot serve this bucket: it is of another region, or disabled, or gone",
    symptom: "a KMS error on each write",
    why: "S3 asks KMS in the bucket's region, and a key lives in one region",
    apart: "the region stands in the key's ARN",
    cure: "name a key of the bucket's region that is enabled",
    texts: &["kms.notfoundexception", "kms.disabledexception", "kms.kmsinvalidstateexception", "invalid arn"],
};

pub(super) static CAUSES: &[&Cause] = &[&NO_DECRYPT, &KEY_POLICY, &AWS_MANAGED, &DEMANDED, &KEY_ELSEWHERE];

pub(super) fn explain(case: &mut Case<'_>) {
    let target = case.target;
    let Some(place) = &target.place else { return };
    if case.is_unwell(Check::KEY_REGION) {
        let because = case.result(Check::KEY_REGION).map(|result| result.reason.clone()).unwrap_or_default();
        let remedy = Remedy::to(format!("name a key of {}, or leave the key to the bucket", place.region));
        case.explain(Check::KEY_REGION, Diagnosis::decided(&KEY_ELSEWHERE, because).cure(remedy));
    }
    let facts = case.facts;
    for (check, trial) in [(Check::PUT, &facts.put), (Check::MULTIPART, &facts.multipart)] {
        if let Some(trial) = trial.as_ref().filter(|_| case.is_unwell(check)) {
            of_key(case, place, check, trial);
        }
    }
    let reads = facts.reads.iter().find(|(_, trial)| !trial.is_done()).map(|(_, trial)| trial);
    if let Some(trial) = reads.filter(|_| case.is_unwell(Check::READ)) {
        of_key(case, place, Check::READ, trial);
    }
}

/// What KMS itself says of a key, through S3.
fn of_key(case: &mut Case<'_>, place: &Place, check: &'static Check, trial: &Trial) {
    let Trial::Refused { code, message, .. } = trial else { return };
    if !code.starts_with("KMS.") {
        return;
    }
    let told = format!("S3 passes on KMS's answer: {code}: {message}");
    if message.contains("aws/s3") {
        let diagnosis = Diagnosis::decided(&AWS_MANAGED, told).cure(own_key(place)).cure(sse_s3(case));
        case.explain(check, diagnosis);
    } else {
        let remedy = Remedy::to(format!("name a key of {} that is enabled and not to be deleted", region(case, place)));
        case.explain(check, Diagnosis::decided(&KEY_ELSEWHERE, told).cure(remedy));
    }
}

fn region<'a>(case: &Case<'a>, place: &'a Place) -> &'a str {
    case.facts.bucket_region.as_deref().unwrap_or(&place.region)
}

/// Explains a refusal if it is about encryption.
pub(super) fn explain_refused(case: &Case<'_>, refused: &Refused<'_>) -> Option<Vec<Diagnosis>> {
    let facts = case.facts;
    let is_part = matches!(refused.trial, Trial::Refused { operation: "UploadPart", .. });
    let by_kms = facts.put_encryption.as_ref().is_some_and(|(kind, _)| kind.starts_with("aws:kms"));
    let denial = &refused.denial;
    if is_part && (by_kms || denial.is_of_kms()) {
        let decrypt = denial.action.as_deref() == Some("kms:Decrypt");
        let because = if decrypt {
            "AWS names kms:Decrypt for a part; to begin an upload needs kms:GenerateDataKey alone"
        } else {
            "writing in one piece works, and a part asks for nothing more than kms:Decrypt"
        };
        return Some(vec![key_remedies(case, refused, Diagnosis::decided(&NO_DECRYPT, because))]);
    }
    if denial.is_of_kms() {
        return Some(of_kms(case, refused));
    }
    demanded(case, refused).map(|diagnosis| vec![diagnosis])
}

/// The request was stopped at the key.
fn of_kms(case: &Case<'_>, refused: &Refused<'_>) -> Vec<Diagnosis> {
    let denial = &refused.denial;
    let action = denial.action.as_deref().unwrap_or("kms:Decrypt");
    let (ours, keys) = (account(case), key(case, refused).and_then(|key| key.account()));
    match denial.by {
        Some(By::Missing(PolicyKind::Resource) | By::Explicit(PolicyKind::Resource)) => {
            let because = format!("AWS says that the key's own policy does not allow {action}");
            vec![key_remedies(case, refused, Diagnosis::decided(&KEY_POLICY, because))]
        }
        Some(by) => missing(case, refused, by),
        None if keys.is_some() && keys == ours => {
            let apart = "look at the key's policy: it must name the role or its account";
            vec![
                key_remedies(case, refused, Diagnosis::possible(&KEY_POLICY, apart)),
                Diagnosis::possible(&MISSING, MISSING.apart).cure(own_policy(case, refused)),
            ]
        }
        None => {
            let whose = keys.map_or_else(String::new, |account| format!(" of account {account}"));
            let because = format!("{action} was refused on a key{whose}, which is not ours");
            vec![
                key_remedies(case, refused, Diagnosis::likely(&KEY_POLICY, because)),
                Diagnosis::possible(&MISSING, MISSING.apart).cure(own_policy(case, refused)),
                Diagnosis::possible(&AWS_MANAGED, AWS_MANAGED.apart).cure(Remedy::to(AWS_MANAGED.cure)),
            ]
        }
    }
}

/// Writing is refused as it is asked for, and goes through with an encryption named.
fn demanded(case: &Case<'_>, refused: &Refused<'_>) -> Option<Diagnosis> {
    let (what, _) =
        passed(case.facts, refused.check)?.iter().find(|(what, trial)| what.starts_with("sse-") && trial.is_done())?;
    let kind = if *what == "sse-s3" { "AES256" } else { "aws:kms" };
    let because = format!("the same object went through with the encryption {kind} named");
    Some(Diagnosis::decided(&DEMANDED, because).cure(ask_for(case, kind)))
}

fn passed<'a>(facts: &'a Facts, check: &Check) -> Option<&'a [(&'static str, Trial)]> {
    if check == Check::PUT {
        Some(&facts.put_variants)
    } else if check == Check::MULTIPART {
        Some(&facts.multipart_variants)
    } else {
        None
    }
}

/// The bucket's policy, which could be read, asks for an encryption in the statement that refuses.
pub(super) fn demanded_by(case: &Case<'_>, statement: &str, kind: Option<&str>) -> Diagnosis {
    let because = format!("{statement} of the bucket's policy refuses what does not name its encryption");
    let diagnosis = Diagnosis::decided(&DEMANDED, because);
    match kind {
        Some(kind) => diagnosis.cure(ask_for(case, kind)),
        None => diagnosis.cure(Remedy::to("ask for the encryption that the statement demands")),
    }
}

pub(super) fn may_be_demanded(case: &Case<'_>) -> Diagnosis {
    Diagnosis::possible(&DEMANDED, "look into the bucket's policy for s3:x-amz-server-side-encryption")
        .cure(ask_for(case, "aws:kms"))
}

fn ask_for(case: &Case<'_>, kind: &str) -> Remedy {
    match &case.target.connector {
        Some(_) => {
            Remedy::paste("let the connector ask for it", Paste::Setting(format!("aws.s3.sse.algorithm={kind}")))
        }
        None => Remedy::paste(
            "let each connector that writes there ask for it",
            Paste::Setting(format!("aws.s3.sse.algorithm={kind}")),
        ),
    }
}

fn sse_s3(case: &Case<'_>) -> Remedy {
    let Remedy { paste, .. } = ask_for(case, "AES256");
    Remedy { action: "or write with S3's own keys, if the bucket's owner agrees".to_owned(), paste }
}

fn own_key(place: &Place) -> Remedy {
    let bucket = word(&place.bucket);
    let rule = r#"{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"aws:kms","KMSMasterKeyID":"KEY_ARN"},"BucketKeyEnabled":true}]}"#;
    Remedy::paste(
        "let the bucket's owner make a key of his own the bucket's default (put its ARN in place of KEY_ARN)",
        Paste::Command(format!(
            "aws s3api put-bucket-encryption --bucket {bucket} --server-side-encryption-configuration '{rule}'"
        )),
    )
}

/// The key that a refusal is about, as far as it is known.
pub(super) fn key(case: &Case<'_>, refused: &Refused<'_>) -> Option<Arn> {
    let facts = case.facts;
    let told = refused.denial.resource.as_deref().filter(|_| refused.denial.is_of_kms());
    let written = facts.put_encryption.as_ref().and_then(|(_, key)| key.as_deref());
    let named = case.target.place.as_ref().and_then(|place| place.kms_key.as_deref());
    let fenced = case.target.spec.iter().flat_map(|spec| &spec.fence.kms_keys).map(String::as_str);
    let all = told.into_iter().chain(written).chain(named).chain(fenced);
    all.filter_map(|key| key.parse::<Arn>().ok()).find(|arn| arn.service() == "kms")
}

/// What mends a refusal by a key: a statement for its policy, and one for the role's.
fn key_remedies(case: &Case<'_>, refused: &Refused<'_>, diagnosis: Diagnosis) -> Diagnosis {
    match refused.denial.by {
        Some(by) if by.kind() == PolicyKind::Resource => diagnosis.cure(key_statement(case, refused)),
        Some(_) => diagnosis.cure(own_policy(case, refused)),
        None => diagnosis.cure(key_statement(case, refused)).cure(own_policy(case, refused)),
    }
}

fn key_statement(case: &Case<'_>, refused: &Refused<'_>) -> Remedy {
    let Some(principal) = principal(case) else { return Remedy::to(KEY_POLICY.cure) };
    let which = key(case, refused).map_or_else(|| "the key".to_owned(), |key| format!("key {key}"));
    let action = format!("add this statement to the policy of {which}");
    let statement = DraftStatement::allow(["kms:Decrypt", "kms:GenerateDataKey"])
        .called("TidegateThroughS3")
        .by("AWS", principal.as_str())
        .on(["*"]);
    let region = key(case, refused).map(|key| key.region().to_owned());
    let statement = match region {
        Some(region) => {
            let domain = identity::domain_of(iam::Partition::of_region(&region));
            statement.only_if(Operator::STRING_EQUALS, "kms:ViaService", [format!("s3.{region}.{domain}")])
        }
        None => statement,
    };
    match statement_text(&statement) {
        Ok(text) => Remedy::paste(action, Paste::ResourceStatement(text)),
        Err(error) => Remedy::to(format!("let the key's policy name {principal} ({error})")),
    }
}
