//! The four ways in which AWS writes a time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::MAX)
}

/// `2026-08-30T12:36:00Z`, as STS writes it.
pub(super) fn iso_seconds(time: SystemTime) -> String {
    timestamp(time).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2026-08-30T12:36:00.000Z`, as S3 writes it.
pub(super) fn iso_millis(time: SystemTime) -> String {
    timestamp(time).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// `20260830T123600Z`, as signatures have it.
pub(super) fn compact(time: SystemTime) -> String {
    timestamp(time).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Reads `20260830T123600Z`.
pub(super) fn parse_compact(text: &str) -> Option<SystemTime> {
    if text.len() != 16 {
        return None;
    }
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().into())
}

/// `Sun, 30 Aug 2026 12:36:00 GMT`, as HTTP has it.
pub(super) fn http(time: SystemTime) -> String {
    // The library panics outside of the years 1970 to 9999.
    httpdate::fmt_http_date(time.clamp(UNIX_EPOCH, UNIX_EPOCH + Duration::from_secs(253_402_300_799)))
}

/// Whole seconds since 1970, as policies compare them.
pub(super) fn epoch_seconds(time: SystemTime) -> i64 {
    timestamp(time).as_second()
}
