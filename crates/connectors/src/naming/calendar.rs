use std::fmt::{self, Write};

use crate::naming::Zone;
use crate::naming::zone::Stretch;

/// A calendar unit that a name can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// `yyyy`: the year of the era, at least four digits, with `+` before more than four (Java's `yyyy`).
    Year,
    /// `MM`: 01 to 12.
    Month,
    /// `dd`: 01 to 31.
    Day,
    /// `HH`: 00 to 23.
    Hour,
}

impl Unit {
    /// The unit that a template calls so.
    pub fn of(pattern: &str) -> Option<Self> {
        Some(match pattern {
            "yyyy" => Self::Year,
            "MM" => Self::Month,
            "dd" => Self::Day,
            "HH" => Self::Hour,
            _ => return None,
        })
    }
}

/// What clocks and calendars of a zone show, down to the hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CalendarTime {
    year: i64,
    month: u8,
    day: u8,
    hour: u8,
}

impl CalendarTime {
    /// What they show at an instant (milliseconds since 1970).
    pub fn at(zone: &Zone, millis: i64) -> Self {
        Self::with_offset(zone.offset_seconds(millis), millis)
    }

    fn with_offset(offset_seconds: i64, millis: i64) -> Self {
        // Hours first: the farthest instants with an offset in milliseconds do not fit i64.
        let seconds = millis.div_euclid(1000) + offset_seconds;
        let hours = seconds.div_euclid(3600);
        let (year, month, day) = civil(hours.div_euclid(24));
        Self { year, month, day, hour: hours.rem_euclid(24) as u8 }
    }

    /// Appends one unit as a name shows it.
    pub fn write(&self, unit: Unit, out: &mut String) -> fmt::Result {
        match unit {
            Unit::Year => {
                let of_era = if self.year > 0 { self.year } else { 1 - self.year };
                if of_era > 9999 { write!(out, "+{of_era}") } else { write!(out, "{of_era:04}") }
            }
            Unit::Month => write!(out, "{:02}", self.month),
            Unit::Day => write!(out, "{:02}", self.day),
            Unit::Hour => write!(out, "{:02}", self.hour),
        }
    }

    /// Appends the date as `yyyy-MM-dd` (ISO 8601).
    pub fn write_date(&self, out: &mut String) -> fmt::Result {
        let sign = if self.year < 0 { "-" } else { "" };
        write!(out, "{sign}{:04}-{:02}-{:02}", self.year.abs(), self.month, self.day)
    }
}

/// Year, month and day of a day counted from 1970-01-01 in the proleptic Gregorian calendar. Not `jiff`'s, which ends
/// with the year 9999. The era method of H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn civil(days: i64) -> (i64, u8, u8) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Years begin in March here, so that the leap day is the last.
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month as u8, day as u8)
}

/// The units that a template shows: two instants of which they are equal go to the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Units(u8);

impl Units {
    pub(super) fn add(&mut self, unit: Unit) {
        self.0 |= 1 << unit as u8;
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn has(self, unit: Unit) -> bool {
        self.0 & 1 << unit as u8 != 0
    }

    /// The time with what is not shown left out.
    fn shown(self, time: CalendarTime) -> CalendarTime {
        CalendarTime {
            year: if self.has(Unit::Year) { time.year } else { 0 },
            month: if self.has(Unit::Month) { time.month } else { 0 },
            day: if self.has(Unit::Day) { time.day } else { 0 },
            hour: if self.has(Unit::Hour) { time.hour } else { 0 },
        }
    }
}

/// The instants around one that certainly show the same, so that the next record is compared by two integers: the hour
/// on the zone's clocks, cut where the clocks change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket {
    from: i64,
    to: i64,
    /// What its instants show, as far as the template shows it.
    pub(super) shown: CalendarTime,
}

impl Bucket {
    /// All of time: for names that show none.
    pub(super) fn always() -> Self {
        Self { from: i64::MIN, to: i64::MAX, shown: CalendarTime::default() }
    }

    /// The bucket of an instant in `stretch`.
    pub(super) fn within(stretch: &Stretch, units: Units, millis: i64) -> Self {
        let Stretch { from, to, offset_seconds } = *stretch;
        let shown = units.shown(CalendarTime::with_offset(offset_seconds, millis));
        let seconds = millis.div_euclid(1000) + offset_seconds;
        let hour = seconds.div_euclid(3600) * 3600 - offset_seconds;
        let instant = |seconds: i64| seconds.saturating_mul(1000);
        Self { from: instant(hour).max(from), to: instant(hour + 3600).min(to), shown }
    }

    pub(super) fn holds(&self, millis: i64) -> bool {
        self.from <= millis && millis < self.to
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn year(zone: &str, millis: i64) -> String {
        let mut out = String::new();
        CalendarTime::at(&Zone::parse(zone).unwrap(), millis).write(Unit::Year, &mut out).unwrap();
        out
    }

    /// Printed by `DateTimeFormatter.ofPattern("yyyy")` of JDK 17.
    #[test]
    fn years_are_those_of_java_at_both_ends_of_time() {
        assert_eq!(year("Europe/Berlin", 0), "1970");
        assert_eq!(year("Europe/Berlin", -62_167_219_200_001), "0001");
        assert_eq!(year("Europe/Berlin", 253_402_300_800_000), "+10000");
        assert_eq!(year("Europe/Berlin", 1_700_000_000_000_000), "+55840");
        assert_eq!(year("Europe/Berlin", i64::MAX), "+292278994");
        assert_eq!(year("Europe/Berlin", i64::MIN), "+292275056");
    }

    #[test]
    fn an_hour_that_the_clocks_show_twice_is_one_name() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let (summer, winter) = (1_698_537_600_000, 1_698_541_200_000);
        assert_eq!(CalendarTime::at(&berlin, summer), CalendarTime::at(&berlin, winter));
    }

    /// Newfoundland changed its clocks a minute after midnight: on 2010-03-14 at 00:01 it became 01:01.
    #[test]
    fn a_bucket_ends_where_the_clocks_change_within_an_hour() {
        let zone = Zone::parse("America/St_Johns").unwrap();
        let change = 1_268_537_460_000;
        let bucket = |millis| Bucket::within(&zone.stretch(millis), units(true), millis);
        assert_eq!((bucket(change - 1).from, bucket(change - 1).to), (change - 60_000, change));
        assert_eq!((bucket(change).from, bucket(change).to), (change, change + 59 * 60_000));
    }

    fn units(hour: bool) -> Units {
        let mut units = Units::default();
        for unit in [Unit::Year, Unit::Month, Unit::Day].into_iter().chain(hour.then_some(Unit::Hour)) {
            units.add(unit);
        }
        units
    }

    proptest! {
        #[test]
        fn the_calendar_agrees_with_jiff(millis in -62_000_000_000_000i64..253_000_000_000_000) {
            let zone = jiff::tz::TimeZoneDatabase::bundled().get("America/New_York").unwrap();
            let expected = jiff::Timestamp::from_millisecond(millis).unwrap().to_zoned(zone);
            let found = CalendarTime::at(&Zone::parse("America/New_York").unwrap(), millis);
            prop_assert_eq!(found.year, i64::from(expected.year()));
            prop_assert_eq!((found.month, found.day), (expected.month() as u8, expected.day() as u8));
            prop_assert_eq!(found.hour, expected.hour() as u8);
        }

        #[test]
        fn all_instants_of_a_bucket_show_the_same(
            zone in prop::sample::select(vec!["Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "+05:45", "Z", "Africa/Casablanca"]),
            millis in prop_oneof![1_600_000_000_000i64..1_800_000_000_000, any::<i64>()],
            share in 0.0f64..1.0,
            hour in any::<bool>(),
        ) {
            let zone = Zone::parse(zone).unwrap();
            let bucket = Bucket::within(&zone.stretch(millis), units(hour), millis);
            prop_assert!(bucket.holds(millis) || millis == i64::MAX);
            let other = bucket.from.saturating_add(((bucket.to.saturating_sub(bucket.from)) as f64 * share) as i64);
            if bucket.holds(other) {
                prop_assert_eq!(Bucket::within(&zone.stretch(other), units(hour), other).shown, bucket.shown);
            }
        }
    }
}
