use std::time::{Duration, SystemTime};

/// How long before its end a certificate is spoken of: time to have a new one issued, time to hurry, and the last day.
const AHEAD: [Duration; 3] = [Duration::from_hours(24), Duration::from_hours(7 * 24), Duration::from_hours(30 * 24)];

/// When a certificate ends, for a metric and the live status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateExpiry {
    /// What it is for: `certificate /etc/worker.pem as role arn:aws:iam::111111111111:role/orders`.
    pub target: String,
    /// Its subject.
    pub subject: String,
    /// Its serial number, in decimal.
    pub serial: String,
    /// Its last second.
    pub not_after: SystemTime,
}

impl CertificateExpiry {
    /// What is left of its life at `now`; zero once it is over.
    pub fn left(&self, now: SystemTime) -> Duration {
        self.not_after.duration_since(now).unwrap_or_default()
    }
}

/// A certificate has come within 30, 7 or 1 days of its end, or is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryNotice {
    /// Which.
    pub expiry: CertificateExpiry,
    /// Within how long of its end it now is; zero if it is over.
    pub within: Duration,
}

/// Within which of the spans before its end a life that has `left` is; `None` while it is far off.
pub(super) fn within(left: Duration) -> Option<Duration> {
    if left.is_zero() {
        return Some(Duration::ZERO);
    }
    AHEAD.into_iter().find(|ahead| left <= *ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_spoken_of_30_7_and_1_days_ahead() {
        let day = Duration::from_hours(24);
        for (left, expected) in [
            (day * 31, None),
            (day * 30, Some(30)),
            (day * 8, Some(30)),
            (day * 7, Some(7)),
            (day + Duration::from_secs(1), Some(7)),
            (day, Some(1)),
            (Duration::from_secs(1), Some(1)),
            (Duration::ZERO, Some(0)),
        ] {
            assert_eq!(within(left), expected.map(|days| day * days), "{left:?}");
        }
    }
}
