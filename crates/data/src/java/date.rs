use std::fmt::Write;

/// Appends milliseconds since 1970 as Java's `Date.toString` in UTC, where Connect's workers mostly live:
/// `Tue Nov 14 22:13:20 UTC 2023`.
pub(crate) fn push_date(millis: i64, out: &mut String) {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let days = millis.div_euclid(86_400_000);
    let seconds = millis.rem_euclid(86_400_000) / 1000;
    let weekday = DAYS[days.rem_euclid(7) as usize];
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let month = MONTHS[month as usize - 1];
    // Years before 1 count backwards, and Java does not say so.
    let year = if year > 0 { year } else { 1 - year };
    // Writing to a string cannot fail.
    write!(out, "{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}").ok();
}

/// Year, month and day of a count of days since 1970, by the calendar of [`days_from_civil`].
fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from the 1st of March of year 0, so that a leap day comes last.
    let (years, day_of_year) = if days >= CUTOVER {
        let days = days + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        (era * 400 + year_of_era, day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100))
    } else {
        let days = days + 719_470;
        let (cycle, day_of_cycle) = (days.div_euclid(1461), days.rem_euclid(1461));
        let year_of_cycle = (day_of_cycle - day_of_cycle / 1460) / 365;
        (cycle * 4 + year_of_cycle, day_of_cycle - 365 * year_of_cycle)
    };
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (years + i64::from(month <= 2), month, day)
}

/// The 15th of October 1582.
const CUTOVER: i64 = -141_427;

/// Days since 1970 of a date; Gregorian from the 15th of October 1582, Julian before, as in Java's `GregorianCalendar`.
/// Months and days outside their range run over into the next ones; year 0 is the one before year 1.
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let months = month - 1;
    let (year, month) = (year + months.div_euclid(12), months.rem_euclid(12) + 1);
    // Counted from the 1st of March, so that a leap day comes last.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let julian = year * 365 + year.div_euclid(4) + (153 * month + 2) / 5 + day - 1;
    let gregorian = julian - year.div_euclid(100) + year.div_euclid(400) - 719_468;
    if gregorian >= CUTOVER { gregorian } else { julian - 719_470 }
}

#[cfg(test)]
mod tests {
    use super::{civil, days_from_civil, push_date};

    #[test]
    fn dates_print_as_java_prints_them() {
        for (millis, text) in [
            (1_700_000_000_000, "Tue Nov 14 22:13:20 UTC 2023"),
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
        ] {
            let mut out = String::new();
            push_date(millis, &mut out);
            assert_eq!(out, text);
        }
    }

    #[test]
    fn days_and_dates_go_back_and_forth() {
        for days in (-1_000_000..1_000_000).step_by(97) {
            let (year, month, day) = civil(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(days_from_civil(2023, 2, 31), days_from_civil(2023, 3, 3));
        // Recorded from Java.
        assert_eq!(days_from_civil(1582, 10, 10), -141_422);
        assert_eq!(days_from_civil(1500, 2, 29), -171_596);
        assert_eq!(days_from_civil(1, 1, 1), -719_164);
        assert_eq!(days_from_civil(0, 0, 0), -719_562);
    }
}
