//! Points in time as policies write them: the six forms of W3C's note on ISO 8601, or seconds since 1970.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// Nanoseconds since 1970; `None` if it is no date. Four digits are a year, as in W3C's note. A time without a zone is
/// in UTC, as everything in AWS.
pub(crate) fn read(text: &str) -> Option<i128> {
    let is_year = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    if !is_year && let Some(seconds) = epoch(text) {
        return Some(i128::from(seconds) * 1_000_000_000);
    }
    let (day, time) = match text.split_once('T') {
        None => (text, None),
        Some((day, time)) => (day, Some(time)),
    };
    let mut parts = day.split('-');
    let year = i16::try_from(digits(parts.next()?, 4)?).ok()?;
    let month = parts.next().map_or(Some(1), |part| digits(part, 2))?;
    let day_given = parts.next();
    let day = day_given.map_or(Some(1), |part| digits(part, 2))?;
    if parts.next().is_some() || (time.is_some() && day_given.is_none()) {
        return None;
    }
    let (clock, offset) = time.map_or(Some(("00:00", Offset::UTC)), zone)?;
    let (hour, minute, second, nanosecond) = read_clock(clock)?;
    let narrow = |number: u32| i8::try_from(number).ok();
    let local =
        DateTime::new(year, narrow(month)?, narrow(day)?, narrow(hour)?, narrow(minute)?, narrow(second)?, nanosecond)
            .ok()?;
    Some(local.to_zoned(TimeZone::fixed(offset)).ok()?.timestamp().as_nanosecond())
}

/// The same as an instant.
pub(crate) fn instant(text: &str) -> Option<jiff::Timestamp> {
    read(text).and_then(|nanoseconds| jiff::Timestamp::from_nanosecond(nanoseconds).ok())
}

fn epoch(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// Exactly `count` digits.
fn digits(text: &str, count: usize) -> Option<u32> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// Splits `hh:mm:ssZ` and `hh:mm+hh:mm` into the clock and its offset.
fn zone(time: &str) -> Option<(&str, Offset)> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Some((clock, Offset::UTC));
    }
    let Some(at) = time.find(['+', '-']) else { return Some((time, Offset::UTC)) };
    let (clock, offset) = time.split_at(at);
    let (hours, minutes) = offset[1..].split_once(':')?;
    let seconds = i32::try_from(digits(hours, 2)? * 3600 + digits(minutes, 2)? * 60).ok()?;
    let seconds = if offset.starts_with('-') { -seconds } else { seconds };
    Some((clock, Offset::from_seconds(seconds).ok()?))
}

/// Hour, minute, second and nanosecond of `hh:mm`, `hh:mm:ss` or `hh:mm:ss.s`.
fn read_clock(clock: &str) -> Option<(u32, u32, u32, i32)> {
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 2)?;
    let minute = digits(parts.next()?, 2)?;
    let (second, fraction) = match parts.next() {
        None => (0, None),
        Some(part) => match part.split_once('.') {
            None => (digits(part, 2)?, None),
            Some((second, fraction)) => (digits(second, 2)?, Some(fraction)),
        },
    };
    if parts.next().is_some() {
        return None;
    }
    let nanosecond = match fraction {
        None => 0,
        Some(text) if (1..=9).contains(&text.len()) => {
            digits(text, text.len())? as i32 * 10i32.pow(9 - text.len() as u32)
        }
        Some(_) => return None,
    };
    Some((hour, minute, second, nanosecond))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn every_form_of_the_note_is_read() {
        let noon = read("1767268800");
        for text in [
            "2026-01-01T12:00Z",
            "2026-01-01T12:00:00Z",
            "2026-01-01T12:00:00.000Z",
            "2026-01-01T13:00:00+01:00",
            "2026-01-01T06:30-05:30",
            "2026-01-01T12:00:00",
        ] {
            assert_eq!(read(text), noon, "{text}");
        }
        let midnight = read("1767225600");
        for text in ["2026", "2026-01", "2026-01-01"] {
            assert_eq!(read(text), midnight, "{text}");
        }
        assert_eq!(read("2026-01-01T12:00:00.5Z").unwrap() - noon.unwrap(), 500_000_000);
        assert_eq!(read("-1"), Some(-1_000_000_000));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2026-1-1",
            "2026-13-01",
            "2026-02-30",
            "2026-01T00:00Z",
            "2026-01-01T",
            "2026-01-01T25:00Z",
            "2026-01-01T12Z",
            "2026-01-01 12:00Z",
            "2026-01-01T12:00:00.Z",
            "2026-01-01T12:00:00+0100",
            "1.5",
            "+5",
            "99999999999999999999",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
