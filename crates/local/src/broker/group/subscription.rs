use bytes::{Buf as _, Bytes};

/// The topics that a member's subscription names (the consumer's own format, which a group's coordinator otherwise only
/// hands on); `None` if it is not in that format.
pub(super) fn topics(subscription: &Bytes) -> Option<Vec<String>> {
    let mut bytes = subscription.clone();
    // All versions begin alike: version, then the topics.
    let version = bytes.try_get_i16().ok()?;
    let count = usize::try_from(bytes.try_get_i32().ok()?).ok()?;
    if version < 0 || count > bytes.len() {
        return None;
    }
    (0..count)
        .map(|_| {
            let length = usize::try_from(bytes.try_get_i16().ok()?).ok()?;
            let name = (length <= bytes.len()).then(|| bytes.split_to(length))?;
            String::from_utf8(name.into()).ok()
        })
        .collect()
}
