use std::collections::{BTreeMap, HashSet};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;

use super::body::Body;
use super::disk::Disk;
use super::index::{BucketConfig, BucketFacts, Index};
use super::record::{Object, Part, Upload};
use crate::aws::error::AwsError;

/// The journal's name in the store's directory: one change a line, as JSON.
const FILE: &str = "journal.jsonl";

/// One change of the index.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub(super) enum Event {
    BucketCreated {
        bucket: String,
        facts: BucketFacts,
    },
    BucketDeleted {
        bucket: String,
    },
    ObjectPut {
        bucket: String,
        object: Object,
    },
    /// For good: the version that is named, or the one without a version.
    ObjectDeleted {
        bucket: String,
        key: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    ObjectTagged {
        bucket: String,
        key: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        tags: BTreeMap<String, String>,
    },
    BucketConfigured {
        bucket: String,
        config: BucketConfig,
    },
    UploadBegun {
        bucket: String,
        id: String,
        upload: Upload,
    },
    PartPut {
        bucket: String,
        id: String,
        number: u16,
        part: Part,
    },
    /// Aborted, or completed to an object.
    UploadEnded {
        bucket: String,
        id: String,
        object: Option<Object>,
    },
}

/// The open journal.
#[derive(Debug)]
pub(super) struct Journal {
    file: tokio::fs::File,
    root: PathBuf,
    /// How much of it is whole.
    length: u64,
    /// Whether a line was begun and not ended: the write failed, or its client went away in the middle. It is cut off
    /// before the next.
    torn: bool,
}

impl Journal {
    /// Writes a change down; when this returns it is on the disk.
    pub(super) async fn append(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(&with_paths(event.clone(), |path| relative(&self.root, path)))?;
        line.push(b'\n');
        if self.torn {
            self.file.set_len(self.length).await?;
        }
        self.torn = true;
        self.write(&line).await?;
        self.torn = false;
        self.length += line.len() as u64;
        Ok(())
    }

    async fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line).await?;
        self.file.flush().await?;
        self.file.sync_data().await
    }
}

/// Reads the journal, writes it anew without what is over, and removes parts that nothing refers to.
pub(super) fn recover(disk: Disk) -> Result<(Index, Journal, Disk), AwsError> {
    let root = disk.root().to_owned();
    let path = root.join(FILE);
    let mut index = Index::default();
    read(&path, &root, &mut index)?;
    let failed = |source| AwsError::File { path: path.clone(), source };
    let (file, length) = compact(&path, &root, &index).map_err(failed)?;
    let known: HashSet<PathBuf> = index.bodies().filter_map(Body::file).collect();
    remove_orphan_parts(&root.join("uploads"), &known)
        .map_err(|source| AwsError::File { path: root.join("uploads"), source })?;
    Ok((index, Journal { file: tokio::fs::File::from_std(file), root, length, torn: false }, disk))
}

fn read(path: &Path, root: &Path, index: &mut Index) -> Result<(), AwsError> {
    let failed = |source| AwsError::File { path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(failed(source)),
    };
    let mut reader = BufReader::new(file);
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        // A line without an end was being written when the process died: nobody was told that it had happened.
        if reader.read_line(&mut line).map_err(failed)? == 0 || !line.ends_with('\n') {
            break;
        }
        let event: Event = serde_json::from_str(&line)
            .map_err(|error| AwsError::State { path: path.to_owned(), reason: format!("line {number}: {error}") })?;
        index.apply(with_paths(event, |path| root.join(path)));
    }
    Ok(())
}

fn compact(path: &Path, root: &Path, index: &Index) -> io::Result<(std::fs::File, u64)> {
    let fresh = path.with_extension("new");
    let mut writer = BufWriter::new(std::fs::File::create(&fresh)?);
    for event in index.as_events() {
        serde_json::to_writer(&mut writer, &with_paths(event, |path| relative(root, path)))?;
        writer.write_all(b"\n")?;
    }
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    std::fs::File::open(root)?.sync_all()?;
    let file = std::fs::OpenOptions::new().append(true).open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

/// Parts whose line did not make it into the journal, or whose upload has ended. (Objects' files are left alone: the
/// directory is one that people look into, and may put things into.)
fn remove_orphan_parts(uploads: &Path, known: &HashSet<PathBuf>) -> io::Result<()> {
    for upload in std::fs::read_dir(uploads)? {
        let upload = upload?.path();
        let mut empty = true;
        for part in std::fs::read_dir(&upload)? {
            let part = part?.path();
            if known.contains(&part) {
                empty = false;
            } else {
                std::fs::remove_file(part)?;
            }
        }
        if empty {
            std::fs::remove_dir(upload)?;
        }
    }
    Ok(())
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

fn with_paths(mut event: Event, map: impl Fn(&Path) -> PathBuf) -> Event {
    let change = |body: &mut Body| {
        if let Body::File(path) = body {
            *path = map(path);
        }
    };
    match &mut event {
        Event::ObjectPut { object, .. } | Event::UploadEnded { object: Some(object), .. } => change(&mut object.body),
        Event::PartPut { part, .. } => change(&mut part.body),
        Event::UploadBegun { upload, .. } => upload.parts.values_mut().for_each(|part| change(&mut part.body)),
        Event::BucketCreated { .. }
        | Event::BucketDeleted { .. }
        | Event::BucketConfigured { .. }
        | Event::ObjectDeleted { .. }
        | Event::ObjectTagged { .. }
        | Event::UploadEnded { object: None, .. } => {}
    }
    event
}
