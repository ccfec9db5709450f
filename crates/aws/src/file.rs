//! Small files that somebody else writes: tokens, profiles.

use std::io;
use std::path::Path;

use tokio::io::AsyncReadExt as _;

/// The largest that is read: real ones have a few KiB, and a path like `/dev/zero` has no end.
const LARGEST: u64 = 1 << 20;

/// The text of a file.
pub(crate) async fn read(path: impl AsRef<Path>) -> io::Result<String> {
    let mut text = String::new();
    let file = tokio::fs::File::open(path).await?;
    if file.take(LARGEST + 1).read_to_string(&mut text).await? as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(text)
}
