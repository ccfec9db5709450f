use std::fmt;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A time zone by the rules of Java's `ZoneId.of`, which is what users' configurations were written for: region names
/// in their exact case, `Z`, offsets (`+2`, `+02:00`, `-0330`), and offsets behind `UTC`, `GMT` or `UT`. Short names such
/// as `PST` are refused, as there.
#[derive(Debug, Clone)]
pub struct Zone {
    id: String,
    rules: Rules,
}

#[derive(Debug, Clone)]
enum Rules {
    Fixed(i32),
    Region(TimeZone),
}

/// A stretch of time in which a zone's clocks are not changed: `from <= t < to`, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: i64,
    pub(super) to: i64,
    /// How far the clocks are ahead of UTC.
    pub(super) offset_seconds: i64,
}

impl Stretch {
    pub(super) fn holds(&self, at: i64) -> bool {
        self.from <= at && at < self.to
    }
}

/// Why a text names no time zone. The texts are Java's (JDK 17).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// Not the shape of an offset.
    #[error("Invalid ID for ZoneOffset, invalid format: {0}")]
    OffsetFormat(String),
    /// An offset with something else where digits should be.
    #[error("Invalid ID for ZoneOffset, non numeric characters found: {0}")]
    OffsetDigits(String),
    /// An offset with something else where a colon should be.
    #[error("Invalid ID for ZoneOffset, colon not found when expected: {0}")]
    OffsetColon(String),
    /// More than 18 hours.
    #[error("Zone offset hours not in valid range: value {0} is not in the range -18 to 18")]
    OffsetHours(i32),
    /// More than 59 minutes.
    #[error("Zone offset minutes not in valid range: value {0} is not in the range -59 to 59")]
    OffsetMinutes(i32),
    /// More than 59 seconds.
    #[error("Zone offset seconds not in valid range: value {0} is not in the range -59 to 59")]
    OffsetSeconds(i32),
    /// More than 18 hours with minutes and seconds.
    #[error("Zone offset not in valid range: -18:00 to +18:00")]
    OffsetRange,
    /// A bad offset behind `UTC`, `GMT` or `UT`.
    #[error("Invalid ID for offset-based ZoneId: {0}")]
    PrefixedOffset(String),
    /// Not the shape of a region's name.
    #[error("Invalid ID for region-based ZoneId, invalid format: {0}")]
    RegionFormat(String),
    /// No such region.
    #[error("Unknown time-zone ID: {0}")]
    Unknown(String),
}

impl Zone {
    /// UTC.
    pub fn utc() -> Self {
        Self { id: "Z".to_owned(), rules: Rules::Fixed(0) }
    }

    /// The zone in which this process runs (`TZ`, else the machine's).
    pub fn local() -> Self {
        let zone = TimeZone::system();
        Self { id: zone.iana_name().unwrap_or("local").to_owned(), rules: Rules::Region(zone) }
    }

    /// Reads a zone's ID.
    pub fn parse(id: &str) -> Result<Self, ZoneError> {
        let rules = if id.len() <= 1 || id.starts_with(['+', '-']) {
            Rules::Fixed(offset(id)?)
        } else if let Some(rest) = ["UTC", "GMT", "UT"].iter().find_map(|prefix| id.strip_prefix(prefix)) {
            prefixed(id, rest)?
        } else {
            region(id)?
        };
        Ok(Self { id: id.to_owned(), rules })
    }

    /// Seconds that its clocks are ahead of UTC at an instant (milliseconds since 1970).
    pub(super) fn offset_seconds(&self, at: i64) -> i64 {
        match &self.rules {
            Rules::Fixed(seconds) => i64::from(*seconds),
            Rules::Region(zone) => i64::from(zone.to_offset(shifted(at).0).seconds()),
        }
    }

    /// The stretch of time around an instant in which the offset does not change.
    pub(super) fn stretch(&self, at: i64) -> Stretch {
        let (from, to) = self.constant_around(at);
        Stretch { from, to, offset_seconds: self.offset_seconds(at) }
    }

    /// Where that begins, and ends (exclusive).
    fn constant_around(&self, at: i64) -> (i64, i64) {
        match &self.rules {
            Rules::Fixed(_) => (i64::MIN, i64::MAX),
            Rules::Region(zone) => {
                let (instant, moved) = shifted(at);
                let after = zone
                    .following(instant)
                    .next()
                    .map_or(i64::MAX, |next| ceil_millis(next.timestamp()).saturating_add(moved));
                let just_after = instant.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(instant);
                let before = zone
                    .preceding(just_after)
                    .next()
                    .map_or(i64::MIN, |last| ceil_millis(last.timestamp()).saturating_add(moved));
                (before, after)
            }
        }
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Zone {}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

/// 400 Gregorian years: they are a whole number of weeks, so that rules such as "last Sunday of March" repeat.
const CYCLE_MILLIS: i64 = 146_097 * 86_400_000;

/// From here on every zone follows its last recurring rule: the time zone database lists single changes until 2037.
const YEAR_2100: i64 = 4_102_444_800_000;

/// The instant, moved into the years that `jiff` knows if it lies outside, and by how much it was moved. Producers that
/// write microseconds where milliseconds belong end up in the year 55,000; Java names files for that year, so we do too.
fn shifted(at: i64) -> (Timestamp, i64) {
    let first = Timestamp::MIN.as_millisecond() + 1;
    let within = if at >= YEAR_2100 + CYCLE_MILLIS {
        YEAR_2100 + (at - YEAR_2100).rem_euclid(CYCLE_MILLIS)
    } else {
        // Local mean time holds for ever before the first change.
        at.max(first)
    };
    let instant = Timestamp::from_millisecond(within).expect("between jiff's first instant and the year 2500");
    (instant, at.saturating_sub(within))
}

fn ceil_millis(instant: Timestamp) -> i64 {
    let millis = instant.as_millisecond();
    if instant.subsec_nanosecond() % 1_000_000 > 0 { millis + 1 } else { millis }
}

fn prefixed(id: &str, rest: &str) -> Result<Rules, ZoneError> {
    match rest.chars().next() {
        None => Ok(Rules::Fixed(0)),
        Some('+' | '-') => match offset(rest) {
            Ok(seconds) => Ok(Rules::Fixed(seconds)),
            Err(_) => Err(ZoneError::PrefixedOffset(id.to_owned())),
        },
        Some(_) => region(id),
    }
}

fn region(id: &str) -> Result<Rules, ZoneError> {
    // Java: [A-Za-z][A-Za-z0-9~/._+-]+
    let shaped = id.len() >= 2
        && id.starts_with(|c: char| c.is_ascii_alphabetic())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "~/._+-".contains(c));
    if !shaped {
        return Err(ZoneError::RegionFormat(id.to_owned()));
    }
    // The database finds names in any case; Java does not. EST, HST, MST and ROC are kept out of Java's database.
    let excluded = ["EST", "HST", "MST", "ROC", "Factory"].contains(&id);
    let known = TimeZoneDatabase::bundled().get(id).ok().filter(|zone| zone.iana_name() == Some(id) && !excluded);
    known.map(Rules::Region).ok_or_else(|| ZoneError::Unknown(id.to_owned()))
}

/// `Z`, `+h`, `+hh`, `+hh:mm`, `+hhmm`, `+hh:mm:ss`, `+hhmmss` in seconds.
fn offset(id: &str) -> Result<i32, ZoneError> {
    if id == "Z" {
        return Ok(0);
    }
    // Java counts UTF-16 units; an offset that holds anything but ASCII is wrong in either count.
    let text = id.as_bytes();
    let digits = |at: usize, colon: bool| -> Result<i32, ZoneError> {
        if colon && text[at - 1] != b':' {
            return Err(ZoneError::OffsetColon(id.to_owned()));
        }
        match (text[at], text[at + 1]) {
            (tens @ b'0'..=b'9', ones @ b'0'..=b'9') => Ok(i32::from(tens - b'0') * 10 + i32::from(ones - b'0')),
            _ => Err(ZoneError::OffsetDigits(id.to_owned())),
        }
    };
    let (hours, minutes, seconds) = match text.len() {
        2 => match text[1] {
            one @ b'0'..=b'9' => (i32::from(one - b'0'), 0, 0),
            // Java inserts a zero first and prints what it made.
            _ => return Err(ZoneError::OffsetDigits(format!("{}0{}", &id[..1], &id[1..]))),
        },
        3 => (digits(1, false)?, 0, 0),
        5 => (digits(1, false)?, digits(3, false)?, 0),
        6 => (digits(1, false)?, digits(4, true)?, 0),
        7 => (digits(1, false)?, digits(3, false)?, digits(5, false)?),
        9 => (digits(1, false)?, digits(4, true)?, digits(7, true)?),
        _ => return Err(ZoneError::OffsetFormat(id.to_owned())),
    };
    let sign = if text[0] == b'-' { -1 } else { 1 };
    if hours > 18 {
        return Err(ZoneError::OffsetHours(sign * hours));
    }
    if minutes > 59 {
        return Err(ZoneError::OffsetMinutes(sign * minutes));
    }
    if seconds > 59 {
        return Err(ZoneError::OffsetSeconds(sign * seconds));
    }
    if hours == 18 && (minutes > 0 || seconds > 0) {
        return Err(ZoneError::OffsetRange);
    }
    Ok(sign * (hours * 3600 + minutes * 60 + seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line was printed by `ZoneId.of` and `getRules().getOffset(Instant.EPOCH)` of JDK 17.
    #[test]
    fn ids_are_read_as_java_reads_them() {
        let cases: &[(&str, Result<i64, &str>)] = &[
            ("Z", Ok(0)),
            ("z", Err("Invalid ID for ZoneOffset, invalid format: z")),
            ("+2", Ok(7200)),
            ("+02", Ok(7200)),
            ("+0200", Ok(7200)),
            ("+02:00", Ok(7200)),
            ("+02:00:30", Ok(7230)),
            ("+020030", Ok(7230)),
            ("-18:00", Ok(-64800)),
            ("+19", Err("Zone offset hours not in valid range: value 19 is not in the range -18 to 18")),
            ("+02:60", Err("Zone offset minutes not in valid range: value 60 is not in the range -59 to 59")),
            ("+2:00", Err("Invalid ID for ZoneOffset, non numeric characters found: +2:00")),
            ("UTC", Ok(0)),
            ("UTC+1", Ok(3600)),
            ("UTC+01:30", Ok(5400)),
            ("UTC1", Err("Unknown time-zone ID: UTC1")),
            ("GMT0", Ok(0)),
            ("GMT-0", Ok(0)),
            ("UT", Ok(0)),
            ("UT+3", Ok(10800)),
            ("UTC+25", Err("Invalid ID for offset-based ZoneId: UTC+25")),
            ("EST", Err("Unknown time-zone ID: EST")),
            ("MST", Err("Unknown time-zone ID: MST")),
            ("HST", Err("Unknown time-zone ID: HST")),
            ("PST", Err("Unknown time-zone ID: PST")),
            ("EST5EDT", Ok(-18000)),
            ("CET", Ok(3600)),
            ("Etc/GMT+5", Ok(-18000)),
            ("europe/berlin", Err("Unknown time-zone ID: europe/berlin")),
            ("Europe/Berlin", Ok(3600)),
            ("ROC", Err("Unknown time-zone ID: ROC")),
            ("", Err("Invalid ID for ZoneOffset, invalid format: ")),
            ("A", Err("Invalid ID for ZoneOffset, invalid format: A")),
            ("bogus", Err("Unknown time-zone ID: bogus")),
            ("a b", Err("Invalid ID for region-based ZoneId, invalid format: a b")),
            ("Asia/Kathmandu", Ok(19800)),
            ("+", Err("Invalid ID for ZoneOffset, invalid format: +")),
            ("+abc", Err("Invalid ID for ZoneOffset, invalid format: +abc")),
            ("UTC+", Err("Invalid ID for offset-based ZoneId: UTC+")),
            ("GMT+x", Err("Invalid ID for offset-based ZoneId: GMT+x")),
            ("Factory", Err("Unknown time-zone ID: Factory")),
            ("+18:00:01", Err("Zone offset not in valid range: -18:00 to +18:00")),
            ("+-1", Err("Invalid ID for ZoneOffset, non numeric characters found: +-1")),
            ("UTCfoo", Err("Unknown time-zone ID: UTCfoo")),
            ("Zulu", Ok(0)),
            ("NZ", Ok(43200)),
            ("+02:0a", Err("Invalid ID for ZoneOffset, non numeric characters found: +02:0a")),
            ("+02-30", Err("Invalid ID for ZoneOffset, colon not found when expected: +02-30")),
            ("1", Err("Invalid ID for ZoneOffset, invalid format: 1")),
            ("UTC+18:30", Err("Invalid ID for offset-based ZoneId: UTC+18:30")),
        ];
        for (id, expected) in cases {
            let found = Zone::parse(id).map(|zone| zone.offset_seconds(0)).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{id}");
        }
    }

    #[test]
    fn an_offset_holds_until_the_clocks_change() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let (spring, autumn) = (1_679_792_400_000, 1_698_541_200_000);
        assert_eq!(berlin.constant_around(spring), (spring, autumn));
        assert_eq!(berlin.constant_around(autumn - 1), (spring, autumn));
        assert_eq!(berlin.constant_around(spring - 1).1, spring);
        assert_eq!(berlin.constant_around(autumn).0, autumn);
    }

    /// Offsets printed by JDK 17 for the same instants.
    #[test]
    fn instants_far_away_have_the_offset_of_the_same_day_in_our_time() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        assert_eq!(berlin.offset_seconds(1_700_000_000_000_000), 3600);
        assert_eq!(berlin.offset_seconds(i64::MAX), 7200);
        assert_eq!(berlin.offset_seconds(i64::MIN), 53 * 60 + 28);
        // 25 March 2803: summer by the rule of our days, not by that of 2003, 800 years before.
        let new_york = Zone::parse("America/New_York").unwrap();
        assert_eq!(new_york.offset_seconds(26_294_155_200_000), -4 * 3600);
        for at in [i64::MIN, i64::MIN / 2, -62_167_219_200_001, 253_402_300_800_000, i64::MAX / 2, i64::MAX - 1] {
            let (from, to) = berlin.constant_around(at);
            assert!((from..to).contains(&at), "{at}: {from}..{to}");
        }
    }
}
