//! What Tidegate does by itself, and other products do not: nothing here fails at run time. The causes are known by their
//! texts, by what is written down, and by what the report says of the target.

use super::Case;
use crate::{Cause, Check, Diagnosis, Paste, Remedy};

static TEST_ASKS_MORE: Cause = Cause {
    row: "F58",
    code: "test.asks-for-more-than-the-work",
    title: "the test asks for more than the work: it lists all buckets",
    symptom: "a connection's test fails, and the job works",
    why: "s3:ListAllMyBuckets shows every bucket of the account, so that a narrow role rightly lacks it",
    apart: "the refusal names s3:ListAllMyBuckets or ListBuckets",
    cure: "test the bucket and the prefix; tidegate doctor asks for nothing that the work does not ask for",
    texts: &["s3:listallmybuckets", "calling the listbuckets operation", "listallmybuckets"],
};

static TEST_ASKS_LESS: Cause = Cause {
    row: "F59",
    code: "test.asks-for-less-than-the-work",
    title: "the test never touches what the work touches",
    symptom: "a connection's test goes through, and the job fails",
    why: "to be somebody is not to be allowed something: who we are says nothing of a bucket, a prefix or an operation",
    apart: "the report says what was not tested",
    cure: "examine as deep as the work goes: --depth read for a source, --depth write for a target",
    texts: &["connection test succeeded", "connection successful", "test connection"],
};

static DELETED: Cause = Cause {
    row: "F65",
    code: "conduct.source-deleted",
    title: "the files were deleted by a job that takes away what it has read",
    symptom: "source files vanish",
    why: "some connectors delete what they have read, by default or by a setting that is easily overlooked",
    apart: "the report says what the target deletes (`deletes`)",
    cure: "let the job keep its sources, or let the role delete nothing",
    texts: &["the specified key does not exist", "nosuchkey"],
};

static NAMES: Cause = Cause {
    row: "F66",
    code: "conduct.names-do-not-repeat",
    title: "names of objects differ from one attempt to the next",
    symptom: "duplicates, or objects of random names",
    why: "where a name is made up for each write, what is written again after a failure stands beside what was written before",
    apart: "the same records are in two objects, whose names differ in a time or a random part",
    cure: "let names come from topic, partition and offset, or write exactly once",
    texts: &["duplicate object", "duplicate file"],
};

pub(super) static CAUSES: &[&Cause] = &[&TEST_ASKS_MORE, &TEST_ASKS_LESS, &DELETED, &NAMES];

pub(super) fn explain(case: &mut Case<'_>) {
    if case.is_unwell(Check::NAMES_REPEAT) {
        let because = case.result(Check::NAMES_REPEAT).map(|result| result.reason.clone()).unwrap_or_default();
        let diagnosis = Diagnosis::decided(&NAMES, because)
            .cure(Remedy::paste("write exactly once", Paste::Setting("tidegate.write.mode=exactly-once".to_owned())))
            .cure(Remedy::paste(
                "or take times from the records",
                Paste::Setting("file.name.timestamp.source=event".to_owned()),
            ));
        case.explain(Check::NAMES_REPEAT, diagnosis);
    }
}
