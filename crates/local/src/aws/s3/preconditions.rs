use std::ops::Range;
use std::time::SystemTime;

use super::Target;
use super::call::Call;
use crate::aws::api_error::ApiError;
use crate::aws::store::{Condition, Object};

/// Reads the condition of a write that begins now.
pub(super) fn of_write(call: &Call<'_>) -> Result<Condition, ApiError> {
    let was_there = || {
        let Target { bucket, key, .. } = call.target;
        call.shared.store.read(|index| index.bucket(bucket).is_some_and(|bucket| bucket.objects.contains_key(key)))
    };
    let unserved = |header: &'static str| ApiError::of("NotImplemented").field("Header", header);
    match (call.header("if-none-match"), call.header("if-match")) {
        (Some(_), Some(_)) => Err(unserved("If-Match")),
        (Some("*"), None) => Ok(Condition::Absent { was_there: was_there() }),
        // As S3 does: an ETag that must not be there makes no sense for a write.
        (Some(_), None) => Err(unserved("If-None-Match")),
        (None, Some(etag)) => Ok(Condition::Etag { wanted: etag.to_owned(), was_there: was_there() }),
        (None, None) => Ok(Condition::None),
    }
}

/// Judges the conditions of a read; `prefix` is `x-amz-copy-source-` for the source of a copy.
pub(super) fn judge_read(call: &Call<'_>, prefix: &str, object: &Object) -> Result<(), ApiError> {
    let header = |name: &str| call.header(&format!("{prefix}{name}"));
    let date = |name: &str| header(name).and_then(|value| httpdate::parse_http_date(value).ok());
    let lists = |list: &str| {
        list.split(',')
            .map(str::trim)
            .any(|etag| etag == "*" || etag.trim_matches('"') == object.etag.trim_matches('"'))
    };
    // HTTP dates have whole seconds.
    let modified: SystemTime =
        jiff::Timestamp::from_second(object.modified.as_second()).unwrap_or(object.modified).into();
    let failed = |name: &str| ApiError::of("PreconditionFailed").field("Condition", name);
    // In a copy there is no such thing as "not modified".
    let unchanged = |name: &str| if prefix.is_empty() { ApiError::of("NotModified") } else { failed(name) };
    // An ETag decides alone where both it and a date are given.
    match (header("if-match"), date("if-unmodified-since")) {
        (Some(list), _) if !lists(list) => return Err(failed("If-Match")),
        (None, Some(since)) if modified > since => return Err(failed("If-Unmodified-Since")),
        _ => {}
    }
    match (header("if-none-match"), date("if-modified-since")) {
        (Some(list), _) if lists(list) => Err(unchanged("If-None-Match")),
        (None, Some(since)) if modified <= since => Err(unchanged("If-Modified-Since")),
        _ => Ok(()),
    }
}

/// Reads `bytes=from-to`. `None`: the whole object, as also for what is no range of bytes, or several.
pub(super) fn range(header: Option<&str>, size: u64) -> Result<Option<Range<u64>>, ApiError> {
    let Some(spec) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else { return Ok(None) };
    let Some((from, to)) = spec.split_once('-').filter(|_| !spec.contains(',')) else { return Ok(None) };
    let (from, to) = (from.trim(), to.trim());
    let unsatisfiable = || {
        ApiError::of("InvalidRange")
            .field("RangeRequested", header.unwrap_or_default())
            .field("ActualObjectSize", size.to_string())
            .header("content-range", format!("bytes */{size}"))
    };
    let range = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => from..to.saturating_add(1).min(size),
        (Ok(from), Err(_)) if to.is_empty() => from..size,
        (Err(_), Ok(last)) if from.is_empty() => {
            if last == 0 {
                return Err(unsatisfiable());
            }
            size.saturating_sub(last)..size
        }
        _ => return Ok(None),
    };
    if range.start >= size { Err(unsatisfiable()) } else { Ok(Some(range)) }
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn a_range_is_cut_to_the_object_or_refused() {
        for (header, expected) in [
            ("bytes=0-3", Some(Some(0..4))),
            ("bytes=4-", Some(Some(4..10))),
            ("bytes=-3", Some(Some(7..10))),
            ("bytes=-30", Some(Some(0..10))),
            ("bytes=8-99", Some(Some(8..10))),
            ("bytes=10-", None),
            ("bytes=-0", None),
            ("bytes=5-4", Some(None)),
            ("bytes=0-1,3-4", Some(None)),
            ("rows=0-1", Some(None)),
        ] {
            assert_eq!(range(Some(header), 10).ok(), expected, "{header}");
        }
        assert!(range(Some("bytes=0-"), 0).is_err());
        assert_eq!(range(None, 10).ok(), Some(None));
    }
}
