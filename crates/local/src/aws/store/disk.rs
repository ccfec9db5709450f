use std::fmt::Write;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use super::body::Temporary;
use crate::aws::api_error::ApiError;
use crate::aws::error::AwsError;

/// File names end at 255 bytes on every file system in use; leave room for what is added.
const LONGEST_NAME: usize = 200;

/// The store's directory: `buckets/BUCKET/KEY` as readable as the key allows, `uploads/ID/PART`, and `tmp`.
#[derive(Debug, Clone)]
pub(in crate::aws) struct Disk {
    root: Arc<Path>,
    made: Arc<AtomicU64>,
}

impl Disk {
    /// Makes the directories, and removes what an earlier run has left half done.
    pub(super) fn open(root: PathBuf) -> Result<Self, AwsError> {
        let prepare = || {
            for sub in ["buckets", "uploads", "tmp"] {
                fs::create_dir_all(root.join(sub))?;
            }
            for left in fs::read_dir(root.join("tmp"))? {
                fs::remove_file(left?.path())?;
            }
            Ok(())
        };
        prepare().map_err(|source| AwsError::File { path: root.clone(), source })?;
        Ok(Self { root: root.into(), made: Arc::default() })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A path in `tmp` that nobody else has.
    pub(super) fn temporary_path(&self) -> PathBuf {
        self.root.join("tmp").join(self.made.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// Where an object may go, in order of preference: first the key as it is, then, where an object of that name is
    /// being replaced or another key needs a directory there, names that no key is encoded as.
    pub(super) fn object_paths(&self, bucket: &str, key: &str) -> impl Iterator<Item = PathBuf> + use<> {
        let dir = self.root.join("buckets").join(bucket);
        let segments: Vec<String> = key.split('/').map(encode_name).collect();
        let plain = segments.iter().map(String::len).max().unwrap_or_default() <= LONGEST_NAME && key.len() <= 512;
        let hash = hex::encode(&Sha256::digest(key)[..16]);
        let last = segments.last().filter(|_| plain).map_or("", String::as_str).to_owned();
        let natural = plain.then(|| dir.join(segments.join("/")));
        // `%-` begins no escape.
        natural.into_iter().chain((0..u64::MAX).map(move |n| dir.join(format!("{last}%-{hash}-{n}"))))
    }

    pub(super) fn part_paths(&self, upload: &str, number: u16) -> impl Iterator<Item = PathBuf> + use<> {
        let dir = self.root.join("uploads").join(encode_name(upload));
        (0..u64::MAX).map(move |n| dir.join(format!("{number}-{n}")))
    }

    /// Moves a file to the first of `paths` that is free.
    pub(super) async fn settle<I: Iterator<Item = PathBuf>>(
        self,
        temporary: Temporary,
        paths: impl FnOnce(&Self) -> I + Send + 'static,
    ) -> Result<Temporary, ApiError> {
        let settled = tokio::task::spawn_blocking(move || {
            for path in paths(&self) {
                let dir = path.parent().unwrap_or(&self.root);
                // The name is reserved first: a rename would replace what has it.
                let reserved = fs::create_dir_all(dir).and_then(|()| File::create_new(&path));
                let settled = match reserved {
                    Ok(_) => Temporary::new(path.clone()),
                    Err(error) if is_taken(&error) => continue,
                    Err(error) => return Err(error),
                };
                fs::rename(temporary.path(), &path)?;
                temporary.keep();
                File::open(dir)?.sync_all()?;
                return Ok(settled);
            }
            Err(io::ErrorKind::AlreadyExists.into())
        });
        Ok(settled.await.map_err(io::Error::other)??)
    }

    /// Joins files into a new one. (`io::copy` lets the kernel copy; the parts stay as they are, should it fail.)
    pub(super) async fn join(self, parts: Vec<PathBuf>) -> Result<Temporary, ApiError> {
        let joined = tokio::task::spawn_blocking(move || {
            let path = self.temporary_path();
            let mut whole = File::create_new(&path)?;
            let temporary = Temporary::new(path);
            for part in parts {
                io::copy(&mut File::open(part)?, &mut whole)?;
            }
            whole.sync_all()?;
            Ok::<_, io::Error>(temporary)
        });
        Ok(joined.await.map_err(io::Error::other)??)
    }
}

/// Removes files that nothing refers to any more, and the directory of an upload with its last part.
pub(super) fn remove_all(paths: &[PathBuf]) {
    for path in paths {
        if let Err(error) = fs::remove_file(path) {
            tracing::warn!(%error, path = %path.display(), "cannot remove a body");
        }
        let dir = path.parent();
        if let Some(dir) = dir.filter(|dir| dir.parent().is_some_and(|parent| parent.ends_with("uploads"))) {
            // It stays while there are other parts in it.
            drop(fs::remove_dir(dir));
        }
    }
}

/// Whether a path cannot be had because something is there: a file, or a file where a directory would have to be.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory)
}

/// A key's segment as a file name: what is plain in every shell stays, the rest is percent-encoded.
fn encode_name(segment: &str) -> String {
    match segment {
        "" => "%".to_owned(),
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => {
            let mut name = String::with_capacity(segment.len());
            for byte in segment.bytes() {
                match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'=' | b'+' | b'@' | b',' => {
                        name.push(char::from(byte));
                    }
                    _ => write!(name, "%{byte:02X}").expect("a string takes any text"),
                }
            }
            name
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Disk, encode_name};

    fn first(disk: &Disk, key: &str) -> String {
        let path = disk.object_paths("lake", key).next().unwrap();
        path.strip_prefix(disk.root().join("buckets/lake")).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn plain_keys_stay_readable_and_wild_ones_stay_inside() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::open(root.path().to_owned()).unwrap();
        assert_eq!(
            first(&disk, "topics/orders/dt=2026-01-01/0+7.jsonl.gz"),
            "topics/orders/dt=2026-01-01/0+7.jsonl.gz"
        );
        assert_eq!(first(&disk, "/a//../b/"), "%/a/%/%2E%2E/b/%");
        assert_eq!(first(&disk, "a\\b é"), "a%5Cb%20%C3%A9");
        assert!(first(&disk, &"x".repeat(1024)).len() < 255);
    }

    proptest! {
        #[test]
        fn no_two_names_are_encoded_alike_and_none_leaves_its_directory(a in "\\PC{0,8}", b in "\\PC{0,8}") {
            prop_assert_eq!(encode_name(&a) == encode_name(&b), a == b);
            let name = encode_name(&a);
            prop_assert!(!name.contains('/') && name != "." && name != ".." && !name.is_empty() && !name.contains("%-"));
        }
    }
}
