use std::io::Write;

/// Appends milliseconds since 1970 as Java's `DateTimeFormatter.ISO_INSTANT` prints them: no fraction if it is zero, else
/// three digits; years beyond 9999 with a plus. `millis` is not negative: Kafka has no times before 1970.
pub(crate) fn push_instant(millis: u64, out: &mut Vec<u8>) {
    let (days, of_day) = (millis / 86_400_000, millis % 86_400_000);
    // Civil date from days, by counting in eras of 400 years that begin on the 1st of March.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    if year > 9999 {
        out.push(b'+');
        // Writing to a vector cannot fail.
        write!(out, "{year}").ok();
    } else {
        push_digits(year, 4, out);
    }
    out.push(b'-');
    push_digits(month, 2, out);
    out.push(b'-');
    push_digits(day, 2, out);
    out.push(b'T');
    let seconds = of_day / 1000;
    push_digits(seconds / 3600, 2, out);
    out.push(b':');
    push_digits(seconds / 60 % 60, 2, out);
    out.push(b':');
    push_digits(seconds % 60, 2, out);
    if !of_day.is_multiple_of(1000) {
        out.push(b'.');
        push_digits(of_day % 1000, 3, out);
    }
    out.push(b'Z');
}

fn push_digits(mut number: u64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 4];
    for digit in digits[..width].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits[..width]);
}

#[cfg(test)]
mod tests {
    use super::push_instant;

    #[track_caller]
    fn prints(millis: u64, text: &str) {
        let mut out = Vec::new();
        push_instant(millis, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }

    #[test]
    fn instants_print_as_java_prints_them() {
        prints(0, "1970-01-01T00:00:00Z");
        prints(1000, "1970-01-01T00:00:01Z");
        prints(1_554_210_895_123, "2019-04-02T13:14:55.123Z");
        prints(1_554_210_895_120, "2019-04-02T13:14:55.120Z");
        prints(1_709_164_800_000, "2024-02-29T00:00:00Z");
        prints(253_402_300_799_999, "9999-12-31T23:59:59.999Z");
        prints(253_402_300_800_000, "+10000-01-01T00:00:00Z");
        prints(i64::MAX as u64, "+292278994-08-17T07:12:55.807Z");
    }
}
