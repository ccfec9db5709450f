//! Points in time as policies write them: the six forms of W3C's note on ISO 8601, or seconds since 1970.
//!
//! IAM is laxer than the note and saves what it reads, so this is laxer too: a single digit will do where the note asks for
//! two, the zone may be missing (it is UTC then), and hours may stand without minutes.

/// Nanoseconds since 1970; `None` if it is no date. Four digits alone are a year, as in the note.
pub(crate) fn read(text: &str) -> Option<i128> {
    let (day, time) = match text.split_once(['T', 't']) {
        None => (text, None),
        Some((day, time)) => (day, Some(time)),
    };
    if time.is_none() && !text.contains('-') && text.len() != 4 {
        let seconds = digits(text, 1..=19).filter(|&seconds| i64::try_from(seconds).is_ok())?;
        return Some(i128::from(seconds) * NANOSECONDS);
    }
    let days = read_day(day)?;
    let nanoseconds = time.filter(|time| !time.is_empty()).map_or(Some(0), read_time)?;
    Some(days * 86_400 * NANOSECONDS + nanoseconds)
}

/// The same as an instant; `None` also where it is beyond the year 9999.
pub(crate) fn instant(text: &str) -> Option<jiff::Timestamp> {
    read(text).and_then(|nanoseconds| jiff::Timestamp::from_nanosecond(nanoseconds).ok())
}

const NANOSECONDS: i128 = 1_000_000_000;

/// Days from the first of March of year 0 to 1970.
const TO_1970: i128 = 719_468;

fn digits(text: &str, count: std::ops::RangeInclusive<usize>) -> Option<u64> {
    (count.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// Days since 1970 of `YYYY`, `YYYY-MM` or `YYYY-MM-DD` in the Gregorian calendar; the year may be negative.
fn read_day(text: &str) -> Option<i128> {
    let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let mut parts = rest.split('-');
    let year = sign * i128::from(digits(parts.next()?, 1..=9)?);
    let month = parts.next().map_or(Some(1), |part| digits(part, 1..=2))?;
    let day = parts.next().map_or(Some(1), |part| digits(part, 1..=2))?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + u64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if parts.next().is_some() || !(1..=length).contains(&day) {
        return None;
    }
    // Years are counted from March, so that a leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = i128::from((153 * month + 2) / 5 + day - 1);
    Some(year * 365 + leap_days + day_of_year - TO_1970)
}

/// Nanoseconds into the day, in UTC, of `hh`, `hh:mm`, `hh:mm:ss` or `hh:mm:ss.s`; from the minutes on with a zone.
fn read_time(text: &str) -> Option<i128> {
    let zone = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(zone);
    let mut parts = clock.split(':');
    let below = |part: &str, most: u64| digits(part, 1..=2).filter(|&number| number < most);
    let hour = below(parts.next()?, 24)?;
    let minute = parts.next().map(|part| below(part, 60));
    let (second, fraction) = match parts.next().map(|part| part.split_once('.').unwrap_or((part, "0"))) {
        None => (0, "0"),
        Some((second, fraction)) => (below(second, 60)?, fraction),
    };
    if parts.next().is_some() || (minute.is_none() && !zone.is_empty()) {
        return None;
    }
    let fraction = i128::from(digits(fraction, 1..=9)? * 10u64.pow(9 - fraction.len() as u32));
    let minute = minute.unwrap_or(Some(0))?;
    Some(i128::from(hour * 3600 + minute * 60 + second) * NANOSECONDS + fraction - read_zone(zone)?)
}

/// Nanoseconds to take off for `Z`, `+hh`, `+hh:mm` or nothing.
fn read_zone(text: &str) -> Option<i128> {
    if matches!(text, "" | "Z" | "z") {
        return Some(0);
    }
    let (hours, minutes) = text[1..].split_once(':').unwrap_or((&text[1..], "00"));
    let hours = digits(hours, 2..=2).filter(|&hours| hours < 24)?;
    let minutes = digits(minutes, 2..=2).filter(|&minutes| minutes < 60)?;
    let nanoseconds = i128::from(hours * 3600 + minutes * 60) * NANOSECONDS;
    Some(if text.starts_with('-') { -nanoseconds } else { nanoseconds })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            "2026-1-1t12",
            "2026-01-01T14:00:00+02",
        ] {
            assert_eq!(read(text), noon, "{text}");
        }
        let midnight = read("1767225600");
        for text in ["2026", "2026-01", "2026-01-01", "2026-01-01T"] {
            assert_eq!(read(text), midnight, "{text}");
        }
        assert_eq!(read("2026-01-01T12:00:00.5Z").unwrap() - noon.unwrap(), 500_000_000);
        assert_eq!(read("1969-12-31T23:59:59Z"), Some(-1_000_000_000));
        assert_eq!(read("0"), Some(0));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "T",
            "tomorrow",
            "2026-13-01",
            "2026-02-29",
            "2026-00-01",
            "2026-01-01-01",
            "2026-01-01T25:00Z",
            "2026-01-01T12Z",
            "2026-01-01 12:00Z",
            "2026-01-01T12:00:00.Z",
            "2026-01-01T12:00:00.1234567890Z",
            "2026-01-01T12:00:00+1",
            "2026-01-01T12:00:00+0100",
            "2026-01-01T12:00:00Zx",
            "1.5",
            "+5",
            "9223372036854775808",
            "99999999999999999999",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_calendar_agrees_with_another(seconds in -62_135_596_800i64..253_402_300_799) {
            let time = jiff::Timestamp::from_second(seconds).unwrap();
            prop_assert_eq!(read(&time.to_string()), Some(time.as_nanosecond()));
        }
    }
}
