use super::bucket::probe;
use crate::examination::{Examination, Watch};
use crate::{Check, CheckResult, Trial};

/// How many objects are read: objects of several owners may stand side by side.
const SAMPLE: i32 = 3;

/// Listing and reading under the prefix.
pub(crate) async fn run(x: &mut Examination<'_>) {
    let Some(place) = &x.target.place else {
        for check in [Check::LIST, Check::READ] {
            x.skip(check, "no bucket is named");
        }
        return;
    };
    if !place.reads {
        for check in [Check::LIST, Check::READ] {
            x.skip(check, "nothing is listed or read there");
        }
        return;
    }
    if x.wants(Check::LIST) {
        let watch = Watch::start();
        let Some(probe) = probe(x, place) else { return };
        let tried = probe.list(&place.prefix, SAMPLE).await;
        x.facts.list = Some(Trial::of_s3(&tried.answer));
        x.facts.note_renewal(&tried);
        let result = match tried.answer {
            Ok(seen) => {
                let text = match seen.len() {
                    0 => format!("nothing is under {:?}, and it may be listed", place.prefix),
                    number => format!("at least {number} objects are under {:?}", place.prefix),
                };
                x.facts.sample = seen.into_iter().map(|seen| seen.key).collect();
                watch.passed(Check::LIST, text)
            }
            Err(error) => CheckResult::of_s3(&watch, Check::LIST, &error),
        };
        x.put(result.request(tried.request_id).host(probe.host()));
    }
    if x.wants(Check::READ) {
        let watch = Watch::start();
        let Some(probe) = probe(x, place) else { return };
        let mut failed = None;
        for key in x.facts.sample.clone() {
            let tried = probe.get(&key, false, false).await;
            // An empty object has no first byte.
            let is_empty =
                tried.answer.as_ref().err().and_then(|error| error.refusal()).is_some_and(|r| r.status == 416);
            let trial = if is_empty { Trial::Done } else { Trial::of_s3(&tried.answer) };
            if let (Err(error), false) = (tried.answer, is_empty) {
                failed.get_or_insert((key.clone(), error));
            }
            x.facts.reads.push((key, trial));
        }
        let result = match failed {
            Some((key, error)) => {
                if error.refusal().is_some_and(|refusal| refusal.status == 403) {
                    // Nothing is charged to us that we did not ask to be: one byte.
                    let tried = probe.get(&key, false, true).await;
                    x.facts.read_as_payer = Some(Trial::of_s3(&tried.answer));
                }
                CheckResult::of_s3(&watch, Check::READ, &error)
            }
            None if x.facts.sample.is_empty() => {
                let absent = format!("{}.tidegate-doctor/{:016x}", place.prefix, rand::random::<u64>());
                let tried = probe.get(&absent, false, false).await;
                let trial = Trial::of_s3(&tried.answer);
                let result = match &trial {
                    Trial::Refused { status: 404, .. } => watch
                        .passed(Check::READ, "there is nothing to read; a key that is not there is told to be absent"),
                    Trial::Refused { .. } => {
                        CheckResult::of_s3(&watch, Check::READ, &tried.answer.expect_err("it is a refusal"))
                    }
                    Trial::Done => watch.passed(Check::READ, "there is nothing to read"),
                    Trial::Lost { text } | Trial::NotTried { text } => watch.unproven(Check::READ, text.clone()),
                };
                x.facts.read_absent = Some(trial);
                result
            }
            None => watch.passed(Check::READ, format!("read of {}", x.facts.sample.join(", "))),
        };
        x.put(result.host(probe.host()));
    }
}
