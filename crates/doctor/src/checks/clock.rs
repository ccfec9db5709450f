use std::time::Duration;

use crate::Check;
use crate::examination::{Examination, Watch};

/// From here on it is worth to say: nothing is refused yet.
pub(crate) const ODD: Duration = Duration::from_mins(1);

/// From here on it is a fault: STS refuses from five minutes on, and a clock that is this far off drifts.
pub(crate) const WRONG: Duration = Duration::from_mins(4);

/// Beyond this STS refuses a signature (`Signature expired`).
pub(crate) const STS_REFUSES: Duration = Duration::from_mins(5);

/// Beyond this S3 refuses one (`RequestTimeTooSkewed`, `MaxAllowedSkewMilliseconds` 900000).
pub(crate) const S3_REFUSES: Duration = Duration::from_mins(15);

/// This machine's clock beside the hour of whoever answered.
pub(crate) fn run(x: &mut Examination<'_>) {
    if x.target.connection.is_none() {
        x.skip(Check::CLOCK, "there is no connection to go by");
        return;
    }
    if !x.wants(Check::CLOCK) {
        return;
    }
    let watch = Watch::start();
    let all = [&x.facts.sts, &x.facts.s3, &x.facts.kms];
    let told = all.into_iter().flatten().find_map(|reached| {
        // A page of somebody who stands in between tells his hour, which is as good as any, but not AWS's.
        let own = reached.answer().filter(|answer| answer.is_service())?;
        Some((reached, own.ahead_millis()?))
    });
    let Some((reached, ahead)) = told.map(|(reached, ahead)| (reached.host.clone(), ahead)) else {
        let text = if all.iter().any(|reached| reached.is_some()) {
            "nobody of AWS's told the hour"
        } else {
            x.skip(Check::CLOCK, "nobody is asked who tells the hour");
            return;
        };
        x.put(watch.unproven(Check::CLOCK, text));
        return;
    };
    x.facts.clock_offset_ms = Some(ahead);
    let off = Duration::from_millis(ahead.unsigned_abs());
    let which = if ahead >= 0 { "behind" } else { "ahead of" };
    let text = format!("this machine's clock is {:.1} s {which} that of {reached}", off.as_secs_f64());
    let result = if off > WRONG {
        // As every connector does after the first refusal: the rest of the examination is not about the clock.
        let here = x.around.clock.now();
        x.around.clients.clock().learn(if ahead >= 0 { here + off } else { here - off });
        watch.failed(Check::CLOCK, format!("{text}; Tidegate goes by AWS's hour from here on, other programs do not"))
    } else if off > ODD {
        watch.warning(Check::CLOCK, text)
    } else {
        watch.passed(Check::CLOCK, text)
    };
    x.put(result);
}
