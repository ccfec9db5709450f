use aws::s3::{ProbeError, S3Probe};
use transit::WriteMode;

use super::bucket::{is_foreign, probe};
use crate::examination::{Examination, Watch};
use crate::{Check, CheckResult, Depth, Place, Trial};

/// How many objects are read: objects of several owners may stand side by side.
const SAMPLE: i32 = 3;

/// Listing and reading under the prefix.
pub(crate) async fn run(x: &mut Examination<'_>) {
    let target = x.target;
    let Some(place) = &target.place else {
        for check in [Check::LIST, Check::READ] {
            x.skip(check, "no bucket is named");
        }
        return;
    };
    if is_foreign(x) {
        for check in [Check::LIST, Check::READ] {
            x.stand_back(check, Check::OWNER);
        }
        return;
    }
    if place.reads {
        list(x, place).await;
        read(x, place).await;
        return;
    }
    x.skip(Check::LIST, "nothing is listed there");
    let recovers = target.connector.as_ref().is_some_and(|plan| plan.write_mode() == WriteMode::ExactlyOnce);
    if !recovers {
        x.skip(Check::READ, "nothing is read there");
    } else if x.wants(Check::READ) {
        // After a crash it is asked whether an object is there; the answer must tell "no" from "you may not know".
        let watch = Watch::start();
        let Some(probe) = probe(x, place) else { return };
        if let Some(result) = absent(x, place, &probe, &watch, true).await {
            x.put(result.host(probe.host()));
        }
    }
}

async fn list(x: &mut Examination<'_>, place: &Place) {
    if !x.wants(Check::LIST) {
        return;
    }
    let watch = Watch::start();
    let Some(probe) = probe(x, place) else { return };
    let tried = probe.list(&place.prefix, SAMPLE, false).await;
    x.facts.list = Some(Trial::of_s3(&tried.answer));
    x.facts.note_renewal(&tried);
    let result = match tried.answer {
        Ok(seen) => {
            let text = match seen.len() {
                0 => format!("nothing is under {:?}, and it may be listed", place.prefix),
                number => format!("at least {number} objects are under {:?}", place.prefix),
            };
            let owners = seen.iter().filter_map(|seen| Some((seen.key.clone(), seen.owner.clone()?)));
            x.facts.owners = owners.collect();
            x.facts.sample = seen.into_iter().map(|seen| seen.key).collect();
            watch.passed(Check::LIST, text)
        }
        Err(error) => {
            if may_pay(x, &error) {
                let tried = probe.list(&place.prefix, 1, true).await;
                x.facts.list_as_payer = Some(Trial::of_s3(&tried.answer));
            }
            CheckResult::of_s3(&watch, Check::LIST, &error)
        }
    };
    x.put(result.request(tried.request_id).host(probe.host()));
}

/// Whether a refused request is made once more as who pays for it (one name, one byte). Only where whoever asked has agreed
/// to requests that do something: reading alone spends nothing of theirs.
fn may_pay(x: &Examination<'_>, error: &ProbeError) -> bool {
    x.depth == Depth::Write && error.refusal().is_some_and(|refusal| refusal.status == 403)
}

async fn read(x: &mut Examination<'_>, place: &Place) {
    if matches!(x.facts.list, Some(Trial::Lost { .. } | Trial::NotTried { .. })) {
        x.stand_back(Check::READ, Check::LIST);
        return;
    }
    if !x.wants(Check::READ) {
        return;
    }
    let watch = Watch::start();
    let Some(probe) = probe(x, place) else { return };
    let mut failed = None;
    for key in x.facts.sample.clone() {
        let tried = probe.get(&key, false, false).await;
        // An empty object has no first byte.
        let is_empty = tried.answer.as_ref().err().and_then(|error| error.refusal()).is_some_and(|r| r.status == 416);
        let trial = if is_empty { Trial::Done } else { Trial::of_s3(&tried.answer) };
        if let (Err(error), false) = (tried.answer, is_empty) {
            failed.get_or_insert((key.clone(), error));
        }
        x.facts.reads.push((key, trial));
    }
    let result = match failed {
        Some((key, error)) => {
            if may_pay(x, &error) {
                let tried = probe.get(&key, false, true).await;
                x.facts.read_as_payer = Some(Trial::of_s3(&tried.answer));
            }
            CheckResult::of_s3(&watch, Check::READ, &error)
        }
        None if x.facts.sample.is_empty() => match absent(x, place, &probe, &watch, false).await {
            Some(result) => result,
            None => return,
        },
        None => watch.passed(Check::READ, format!("read of {}", x.facts.sample.join(", "))),
    };
    x.put(result.host(probe.host()));
}

/// Reads a key that nobody has: S3 tells that it is absent only to whom may list. `None` where that is no answer, and none
/// is needed.
async fn absent(
    x: &mut Examination<'_>,
    place: &Place,
    probe: &S3Probe,
    watch: &Watch,
    recovers: bool,
) -> Option<CheckResult> {
    let absent = format!("{}.tidegate-doctor/{:016x}", place.prefix, rand::random::<u64>());
    let tried = probe.get(&absent, false, false).await;
    let trial = Trial::of_s3(&tried.answer);
    let listed = x.facts.list.as_ref().is_some_and(Trial::is_done);
    // Of a role that may list under a prefix alone S3 may ask for more before it says that a key is absent. Then it names
    // s3:ListBucket, which it comes to only where s3:GetObject is allowed.
    let may_read = trial.message().contains("perform: s3:ListBucket");
    // After a crash a writer lists the one name instead.
    let may_find = trial.is_denied() && recovers && probe.list(&absent, 1, false).await.answer.is_ok();
    let result = match (&trial, &tried.answer) {
        (Trial::Refused { status: 404, .. }, _) => {
            Some(watch.passed(Check::READ, "there is nothing to read; a key that is not there is told to be absent"))
        }
        (Trial::Refused { .. }, _) if trial.is_denied() && may_find => {
            Some(watch.passed(Check::READ, "whether a key is there can be told by listing it"))
        }
        (Trial::Refused { .. }, _) if trial.is_denied() && listed && may_read => {
            Some(watch.passed(Check::READ, "there is nothing to read, and s3:GetObject is allowed"))
        }
        (Trial::Refused { .. }, Err(_)) if trial.is_denied() && listed && trial.message() == "Access Denied" => {
            x.skip(
                Check::READ,
                "there is nothing to read, and S3 does not tell here what is absent from what is forbidden",
            );
            None
        }
        (Trial::Refused { .. }, Err(error)) if trial.is_denied() && !listed => {
            let text = format!("{error}; nothing shows whether a key that is there could be read");
            let result = if recovers { watch.warning(Check::READ, text) } else { watch.unproven(Check::READ, text) };
            Some(result.code(trial.code().map(str::to_owned)))
        }
        (Trial::Refused { .. }, Err(error)) => Some(CheckResult::of_s3(watch, Check::READ, error)),
        (Trial::Lost { text } | Trial::NotTried { text }, _) => Some(watch.unproven(Check::READ, text.clone())),
        (Trial::Done | Trial::Refused { .. }, _) => Some(watch.passed(Check::READ, "there is nothing to read")),
    };
    x.facts.read_absent = Some(trial);
    result.map(|result| result.request(tried.request_id))
}
