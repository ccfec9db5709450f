//! Buckets, keys and objects.

use super::Case;
use crate::{Cause, Check, Diagnosis, Trial};

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

pub(super) static CAUSES: &[&Cause] = &[&NO_DECRYPT];

pub(super) fn explain(case: &mut Case<'_>) {
    let in_one_piece = matches!(case.facts.put, Some(Trial::Done));
    if let Some(trial) = case.facts.multipart.as_ref().filter(|_| in_one_piece)
        && trial.is_denied()
        && trial.message().contains("kms:Decrypt")
    {
        let because = "writing in one piece works, and AWS names kms:Decrypt for writing in parts";
        case.explain(Check::MULTIPART, Diagnosis::decided(&NO_DECRYPT, because));
    }
}
