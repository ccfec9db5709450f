use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::objects::bucket::Bucket;
use crate::objects::error::Error;
use crate::objects::piece::Watched;
use crate::objects::put::Target;

/// A directory of notes, one an upload of a file in parts: what a later process needs to go on with it, or to end it. S3
/// itself knows which parts are there.
#[derive(Debug, Clone)]
pub struct Uploads(PathBuf);

/// Notes of another form are not read.
const FORM: u64 = 1;

impl Uploads {
    /// Notes in `directory`, which is made when it is needed.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// The note of this file's upload to this key, held against other processes.
    pub(super) async fn open(
        &self,
        bucket: &Bucket,
        target: &Target,
        file: &Arc<Watched>,
        part: u64,
    ) -> Result<Note, Error> {
        let wanted = json!({
            "form": FORM,
            "store": bucket.options().s3.endpoint.as_deref().unwrap_or("aws"),
            "bucket": bucket.name(),
            "key": target.key.as_str(),
            "file": fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone()).to_string_lossy(),
            "size": file.size,
            "modified": [file.modified.0, file.modified.1],
            "part_size": part,
            "checksum": bucket.options().checksum.map(|checksum| checksum.to_string()),
            // An upload keeps what it was begun with. The debug form hides a customer's key and shows its MD5.
            "traits": hex::encode(Sha256::digest(format!("{:?}", target.traits))),
        });
        let name =
            ["store", "bucket", "key", "file"].map(|field| wanted[field].as_str().unwrap_or_default()).join("\n");
        let name = format!("{}.upload", &hex::encode(Sha256::digest(name))[..32]);
        let directory = self.0.clone();
        let path = directory.join(name);
        let opened = {
            let path = path.clone();
            tokio::task::spawn_blocking(move || {
                fs::create_dir_all(&directory)?;
                lock(&path)
            })
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        };
        let mut held = match opened {
            Ok(Some(held)) => held,
            Ok(None) => return Err(Error::Busy { path }),
            Err(error) => return Err(Error::file("write", path, error)),
        };
        let mut text = String::new();
        let earlier = match held.read_to_string(&mut text) {
            Ok(_) => serde_json::from_str(&text).ok(),
            // What cannot be read was torn when its process was killed.
            Err(_) => None,
        };
        Ok(Note { file: held, path, wanted, earlier })
    }
}

/// How often a file is opened that another process puts in place or takes away at that very moment.
const OPENINGS: u32 = 8;

/// Opens a file for one process alone; `None` if another has it. A symbolic link is not followed: whoever may write into the
/// directory could lead us to any file of ours.
pub(super) fn lock(path: &Path) -> std::io::Result<Option<File>> {
    let follow_no_link = OFlags::NOFOLLOW.bits() as i32;
    for _ in 0..OPENINGS {
        let mut options = OpenOptions::new();
        let file =
            options.read(true).write(true).create(true).truncate(false).custom_flags(follow_no_link).open(path)?;
        match file.try_lock() {
            // Whoever had it may have given it another name between the two calls: then it is a finished file that is
            // held here, and not the one of this name.
            Ok(()) if has_name(&file, path)? => return Ok(Some(file)),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether an open file is the one that is called `path` now.
fn has_name(file: &File, path: &Path) -> std::io::Result<bool> {
    let held = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (held.dev(), held.ino())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// One note, held until it is dropped.
pub(super) struct Note {
    file: File,
    path: PathBuf,
    wanted: Value,
    earlier: Option<Value>,
}

impl Note {
    /// The upload that an earlier process began.
    pub(super) fn upload(&self) -> Option<&str> {
        self.earlier.as_ref()?.get("upload")?.as_str()
    }

    /// Whether that upload is of the same file, and was begun in the same way.
    pub(super) fn fits(&self) -> bool {
        let mut earlier = self.earlier.clone().unwrap_or_default();
        if let Some(earlier) = earlier.as_object_mut() {
            earlier.remove("upload");
        }
        earlier == self.wanted
    }

    /// Notes the upload that has begun.
    pub(super) fn write(&self, upload: &str) -> Result<(), Error> {
        let mut note = self.wanted.clone();
        note["upload"] = upload.into();
        let mut file = &self.file;
        // Small enough to be written on the async threads, and once an upload.
        let written = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(format!("{note:#}\n").as_bytes()))
            .and_then(|()| file.sync_data());
        written.map_err(|error| Error::file("write", &self.path, error))
    }

    /// The upload is over.
    pub(super) fn remove(self) {
        fs::remove_file(&self.path).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_got_another_name_meanwhile_is_not_taken_for_the_one_of_this_name() {
        let directory = tempfile::tempdir().unwrap();
        let (part, finished) = (directory.path().join("a.tidegate-part"), directory.path().join("a"));
        let opened = File::create(&part).unwrap();
        assert!(has_name(&opened, &part).unwrap());
        fs::rename(&part, &finished).unwrap();
        assert!(!has_name(&opened, &part).unwrap());
        File::create(&part).unwrap();
        assert!(!has_name(&opened, &part).unwrap());
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (link, precious) = (directory.path().join("a.tidegate-part"), directory.path().join("precious"));
        fs::write(&precious, "kept").unwrap();
        std::os::unix::fs::symlink(&precious, &link).unwrap();
        assert!(lock(&link).is_err());
        assert_eq!(fs::read_to_string(&precious).unwrap(), "kept");
    }
}
