use std::sync::Mutex;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::api_error::ApiError;
use super::effect::Effect;
use super::error::AwsError;

/// Which requests a fault strikes, and what it does to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Name of the operation, as in `UploadPart`; `*` is any run of characters.
    #[serde(default = "any")]
    pub operation: String,
    /// Name of the bucket, likewise.
    #[serde(default = "any")]
    pub bucket: String,
    /// Key of the object, likewise.
    #[serde(default = "any")]
    pub key: String,
    /// How many matching requests to let pass first.
    #[serde(default)]
    pub skip: u64,
    /// With what probability it strikes each matching request after those.
    #[serde(default = "always")]
    pub probability: f64,
    /// How often it strikes before it is used up; `None`: for ever.
    #[serde(default)]
    pub count: Option<u64>,
    /// What it does.
    pub effect: Effect,
}

fn any() -> String {
    "*".to_owned()
}

fn always() -> f64 {
    1.0
}

impl FaultRule {
    /// Strikes every request.
    pub fn new(effect: Effect) -> Self {
        Self { operation: any(), bucket: any(), key: any(), skip: 0, probability: 1.0, count: None, effect }
    }

    /// Only these operations.
    #[must_use]
    pub fn operation(mut self, pattern: &str) -> Self {
        pattern.clone_into(&mut self.operation);
        self
    }

    /// Only these buckets.
    #[must_use]
    pub fn bucket(mut self, pattern: &str) -> Self {
        pattern.clone_into(&mut self.bucket);
        self
    }

    /// Only these keys.
    #[must_use]
    pub fn key(mut self, pattern: &str) -> Self {
        pattern.clone_into(&mut self.key);
        self
    }

    /// Lets the first `skip` matching requests pass.
    #[must_use]
    pub fn skip(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// Strikes with this probability.
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    /// Strikes that often, then no more.
    #[must_use]
    pub fn count(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }
}

/// The fault plane. Each rule has dice of its own, seeded by the seed and the rule's number: whether the n-th matching
/// request is struck does not depend on what else goes on.
#[derive(Debug)]
pub struct Faults {
    seed: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    added: u64,
    rules: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    number: u64,
    rule: FaultRule,
    dice: StdRng,
    seen: u64,
    struck: u64,
}

/// What befalls one request.
#[derive(Debug, Default)]
pub(super) struct Fate {
    pub(super) delay: Duration,
    pub(super) late: Duration,
    pub(super) end: Option<End>,
    pub(super) truncate: bool,
    pub(super) expire_session: bool,
    pub(super) skew_seconds: i64,
}

/// How it ends other than by its own answer.
#[derive(Debug)]
pub(super) enum End {
    Error { error: ApiError, applied: bool },
    ErrorInBody(ApiError),
    Reset { applied: bool },
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, state: Mutex::default() }
    }

    /// Adds a rule and gives its number. Refuses one whose error AWS does not have.
    pub fn add(&self, rule: FaultRule) -> Result<u64, AwsError> {
        if let Effect::Error { code, .. } | Effect::ErrorInBody { code } = &rule.effect
            && ApiError::known(code).is_none()
        {
            return Err(AwsError::ErrorCode { code: code.clone() });
        }
        let mut state = self.state.lock().expect("no thread panics while it holds this lock");
        state.added += 1;
        let number = state.added;
        // Any odd constant will do: it only keeps the rules' seeds apart.
        let dice = StdRng::seed_from_u64(self.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        state.rules.push(Armed { number, rule, dice, seen: 0, struck: 0 });
        Ok(number)
    }

    /// Removes a rule; `false` if there is none of that number.
    pub fn remove(&self, number: u64) -> bool {
        let mut state = self.state.lock().expect("no thread panics while it holds this lock");
        let before = state.rules.len();
        state.rules.retain(|armed| armed.number != number);
        state.rules.len() < before
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.state.lock().expect("no thread panics while it holds this lock").rules.clear();
    }

    /// The rules with their numbers, and how often each has struck.
    pub fn rules(&self) -> Vec<(u64, FaultRule, u64)> {
        let state = self.state.lock().expect("no thread panics while it holds this lock");
        state.rules.iter().map(|armed| (armed.number, armed.rule.clone(), armed.struck)).collect()
    }

    /// Decides what befalls a request. All rules that strike count; of several ends the first.
    pub(super) fn decide(&self, operation: &str, bucket: &str, key: &str) -> Fate {
        let mut fate = Fate::default();
        let mut state = self.state.lock().expect("no thread panics while it holds this lock");
        for armed in &mut state.rules {
            if armed.strikes(operation, bucket, key) {
                fate.add(operation, &armed.rule.effect);
            }
        }
        fate
    }
}

impl Armed {
    fn strikes(&mut self, operation: &str, bucket: &str, key: &str) -> bool {
        let Self { rule, dice, seen, struck, .. } = self;
        let matches = wild(&rule.operation, operation) && wild(&rule.bucket, bucket) && wild(&rule.key, key);
        if !matches || rule.count.is_some_and(|count| *struck >= count) {
            return false;
        }
        *seen += 1;
        let strikes = *seen > rule.skip && dice.random_bool(rule.probability.clamp(0.0, 1.0));
        *struck += u64::from(strikes);
        strikes
    }
}

impl Fate {
    fn add(&mut self, operation: &str, effect: &Effect) {
        let error = |code: &str| ApiError::of(code);
        let end = match effect {
            Effect::Delay { millis } => {
                self.delay += Duration::from_millis(*millis);
                None
            }
            Effect::LateAnswer { millis } => {
                self.late += Duration::from_millis(*millis);
                None
            }
            Effect::TruncateBody => {
                self.truncate = true;
                None
            }
            Effect::ExpireSession => {
                self.expire_session = true;
                None
            }
            Effect::ClockSkew { seconds } => {
                self.skew_seconds = self.skew_seconds.saturating_add(*seconds);
                None
            }
            Effect::Error { code, applied } => Some(End::Error { error: error(code), applied: *applied }),
            Effect::Reset { applied } => Some(End::Reset { applied: *applied }),
            Effect::ErrorInBody { code } => {
                matches!(operation, "CompleteMultipartUpload" | "CopyObject").then(|| End::ErrorInBody(error(code)))
            }
        };
        if self.end.is_none() {
            self.end = end;
        }
    }
}

/// Matches with `*` alone as a wildcard.
fn wild(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    let mut pieces = tail.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{End, FaultRule, Faults, wild};
    use crate::aws::Effect;

    #[test]
    fn a_star_is_any_run_of_characters() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*", "ab", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*Part*", "UploadPart", true),
            ("ab*b", "ab", false),
            ("a", "ab", false),
        ] {
            assert_eq!(wild(pattern, text), expected, "{pattern} on {text}");
        }
    }

    fn struck(seed: u64, rules: &[FaultRule], requests: usize) -> Vec<bool> {
        let faults = Faults::new(seed);
        for rule in rules {
            faults.add(rule.clone()).unwrap();
        }
        (0..requests).map(|_| faults.decide("PutObject", "b", "k").end.is_some()).collect()
    }

    #[test]
    fn one_seed_gives_one_fate_whatever_other_rules_there_are() {
        let rule = FaultRule::new(Effect::Reset { applied: true }).operation("Put*").probability(0.5);
        let other = FaultRule::new(Effect::Delay { millis: 1 }).probability(0.5);
        let first = struck(1, std::slice::from_ref(&rule), 64);
        assert_eq!(first, struck(1, &[rule.clone(), other], 64));
        assert_ne!(first, struck(2, &[rule], 64));
        assert!((16..48).contains(&first.iter().filter(|struck| **struck).count()));
    }

    #[test]
    fn a_rule_skips_and_is_used_up() {
        let rule = FaultRule::new(Effect::Error { code: "SlowDown".to_owned(), applied: false }).skip(2).count(1);
        assert_eq!(struck(0, &[rule], 5), [false, false, true, false, false]);
    }

    #[test]
    fn an_error_that_aws_does_not_have_is_refused() {
        let rule = FaultRule::new(Effect::Error { code: "Tired".to_owned(), applied: false });
        assert!(Faults::new(0).add(rule).is_err());
    }

    #[test]
    fn the_first_end_wins() {
        let faults = Faults::new(0);
        faults.add(FaultRule::new(Effect::ErrorInBody { code: "InternalError".to_owned() })).unwrap();
        faults.add(FaultRule::new(Effect::Reset { applied: false })).unwrap();
        assert!(matches!(faults.decide("PutObject", "b", "k").end, Some(End::Reset { .. })));
        assert!(matches!(faults.decide("CopyObject", "b", "k").end, Some(End::ErrorInBody(_))));
    }
}
