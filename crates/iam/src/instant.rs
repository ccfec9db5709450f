/// An instant as policies write it: a day, a day with its hour (ISO 8601), or seconds since 1970.
pub(crate) fn instant(text: &str) -> Option<jiff::Timestamp> {
    if let Ok(seconds) = text.parse::<i64>()
        && text.len() > 4
    {
        return jiff::Timestamp::from_second(seconds).ok();
    }
    if text.contains('T') {
        return text.parse().ok();
    }
    let day: jiff::civil::Date = text.parse().ok()?;
    Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::instant;

    #[test]
    fn instants_are_read_as_policies_write_them() {
        let new_year: jiff::Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        for text in ["2027-01-01", "2027-01-01T00:00:00Z", "2027-01-01T01:00:00+01:00", "1798761600"] {
            assert_eq!(instant(text), Some(new_year), "{text}");
        }
        for text in ["", "2027", "soon", "2027-13-01", "2027-01-01T00:00:00"] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
