use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws::objects::{Algorithm, Error, Key, Stored, Uploads};
use serde_json::{Value, json};

use crate::args::{Exit, Output};
use crate::object::address::{Address, Naming, bad};
use crate::object::args::{CatArguments, GetArguments, PutArguments, Sum};
use crate::object::opening::{Opening, reading, traits, transfer};
use crate::object::print;
use crate::object::progress::watch;

/// What stands for standard input and output.
const STREAM: &str = "-";

/// `tidegate object put`.
pub(crate) async fn put(opening: &Opening<'_>, arguments: &PutArguments) -> Result<Exit, Error> {
    let (address, file) = sort(&arguments.places)?;
    let Some(file) = file else {
        return Err(bad("no file is named".into(), "name a file, or - for standard input"));
    };
    let naming = Naming { spec: &opening.spec, address, at: &arguments.at };
    let source = Some(file).filter(|file| *file != STREAM).and_then(|file| Path::new(file).file_name());
    let source = match source.map(|name| name.to_str().ok_or(name)) {
        Some(Err(name)) => {
            let text = format!("the file's name {} is not UTF-8", name.display());
            return Err(bad(text, "name the key whole: --key"));
        }
        Some(Ok(name)) => Some(name),
        None => None,
    };
    let (name, key) = (naming.bucket()?, naming.key(source)?);
    let checksum = match arguments.checksum {
        Sum::Crc64nvme => Some(Algorithm::Crc64Nvme),
        Sum::Crc32c => Some(Algorithm::Crc32c),
        Sum::None => None,
    };
    let bucket = opening.bucket_with(&name, checksum)?;
    let traits = traits(&arguments.traits, opening.encryption(&arguments.encryption)?);
    let transfer = transfer(&arguments.transfer);
    let only_new = arguments.no_overwrite;
    let what = format!("put s3://{name}/{}", print::name(key.as_str()));
    let stored = if file == STREAM {
        if transfer.resume {
            return Err(bad("standard input cannot be resumed".into(), "leave --resume out, or put a file"));
        }
        let put = bucket.put_reader(&key, std::io::stdin(), traits, only_new, &transfer);
        watch(opening, &what, &transfer, Box::pin(put)).await?
    } else {
        let uploads = state_directory(opening, arguments.state_dir.as_deref());
        if transfer.resume && uploads.is_none() {
            let hint = "give --state-dir, or set HOME or XDG_STATE_HOME";
            return Err(bad("there is no directory for notes of uploads".into(), hint));
        }
        let put = bucket.put_file(&key, Path::new(file), traits, only_new, &transfer, uploads.as_ref());
        watch(opening, &what, &transfer, Box::pin(put)).await?
    };
    match opening.output {
        Output::Json => print::json(&stored_json(name.as_str(), &key, &stored)),
        Output::Text => {
            print::out(&format!("put s3://{name}/{}  {}\n", print::name(key.as_str()), stored_text(&stored)));
        }
    }
    Ok(Exit::Done)
}

/// `tidegate object get`.
pub(crate) async fn get(opening: &Opening<'_>, arguments: &GetArguments) -> Result<Exit, Error> {
    let (address, file) = sort(&arguments.places)?;
    let naming = Naming { spec: &opening.spec, address, at: &arguments.at };
    let (name, key) = (naming.bucket()?, naming.key(None)?);
    let bucket = opening.bucket(&name)?;
    let (reading, transfer) = (reading(&arguments.version)?, transfer(&arguments.transfer));
    if file == Some(STREAM) {
        if transfer.resume {
            return Err(bad("standard output cannot be resumed".into(), "leave --resume out, or get into a file"));
        }
        return stream(&bucket, &key, &reading).await;
    }
    let path = destination(file, &key)?;
    let what = format!("get s3://{name}/{}", print::name(key.as_str()));
    let fetched = watch(opening, &what, &transfer, Box::pin(bucket.get_file(&key, &reading, &path, &transfer))).await?;
    let verified = fetched.verified.as_deref();
    match opening.output {
        Output::Json => print::json(&json!({
            "bucket": name.as_str(),
            "key": key.as_str(),
            "file": path.to_string_lossy(),
            "size": fetched.head.size,
            "etag": fetched.head.etag,
            "version_id": fetched.head.version,
            "verified": verified.unwrap_or("size"),
            "resumed_bytes": fetched.resumed,
        })),
        Output::Text => {
            let resumed = Some(fetched.resumed).filter(|bytes| *bytes > 0);
            let resumed = resumed.map(|bytes| format!(", {} of them there already", print::bytes(bytes)));
            print::out(&format!(
                "got s3://{name}/{} into {}  {}{}, {} compared\n",
                print::name(key.as_str()),
                print::name(&path.to_string_lossy()),
                print::bytes(fetched.head.size),
                resumed.unwrap_or_default(),
                verified.unwrap_or("size"),
            ));
        }
    }
    Ok(Exit::Done)
}

/// `tidegate object cat`.
pub(crate) async fn cat(opening: &Opening<'_>, arguments: &CatArguments) -> Result<Exit, Error> {
    let address = arguments.address.as_deref().map(Address::parse).transpose()?;
    let naming = Naming { spec: &opening.spec, address, at: &arguments.at };
    let (name, key) = (naming.bucket()?, naming.key(None)?);
    stream(&opening.bucket(&name)?, &key, &reading(&arguments.version)?).await
}

async fn stream(bucket: &aws::objects::Bucket, key: &Key, reading: &aws::objects::Reading) -> Result<Exit, Error> {
    let transfer = aws::objects::Transfer::new();
    // As a file: it hands large blocks to a thread that may block, whatever stdout is.
    let stdout = std::io::stdout().as_fd().try_clone_to_owned();
    let stdout = stdout.map_err(|source| Error::Stream { doing: "write the output", source: Arc::new(source) })?;
    let mut out = tokio::fs::File::from_std(std::fs::File::from(stdout));
    match bucket.read(key, reading, &mut out, &transfer).await {
        Ok(_) => Ok(Exit::Done),
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if error.io().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) => Ok(Exit::Done),
        Err(error) => Err(error),
    }
}

/// Tells addresses from files, in whatever order they stand.
fn sort(places: &[String]) -> Result<(Option<Address>, Option<&str>), Error> {
    let mut addresses = places.iter().filter(|place| Address::is_one(place));
    let mut files = places.iter().filter(|place| !Address::is_one(place));
    let found = (addresses.next(), files.next());
    if addresses.next().is_some() {
        return Err(bad("two addresses are named".into(), "to copy within S3: tidegate object copy"));
    }
    if files.next().is_some() {
        let hint = "write the object as s3://BUCKET/KEY, or name it with --key";
        return Err(bad("two files are named, and no object".into(), hint));
    }
    Ok((found.0.map(|address| Address::parse(address)).transpose()?, found.1.map(String::as_str)))
}

/// The file that an object goes into: the one that is named, or one of the key's last name, in the directory that is.
fn destination(file: Option<&str>, key: &Key) -> Result<PathBuf, Error> {
    let directory = match file {
        None => Path::new(""),
        Some(file) if file.ends_with('/') || Path::new(file).is_dir() => Path::new(file),
        Some(file) => return Ok(PathBuf::from(file)),
    };
    match key.file_name() {
        // Written into a directory, it would be the directory above.
        "" | "." | ".." => {
            Err(bad(format!("key {key} has no last name that a file could have"), "name the file to write to"))
        }
        name if Path::new(name).is_dir() && file.is_none() => {
            Err(bad(format!("{name} is a directory here"), "name the file to write to"))
        }
        name => Ok(directory.join(name)),
    }
}

fn state_directory(opening: &Opening<'_>, option: Option<&Path>) -> Option<Uploads> {
    if let Some(directory) = option {
        return Some(Uploads::in_directory(directory));
    }
    let home = || opening.environment.get("HOME").map(|home| Path::new(&home).join(".local/state"));
    let state = opening.environment.get("XDG_STATE_HOME").map(PathBuf::from).or_else(home)?;
    Some(Uploads::in_directory(state.join("tidegate/uploads")))
}

pub(crate) fn stored_json(bucket: &str, key: &Key, stored: &Stored) -> Value {
    json!({
        "bucket": bucket,
        "key": key.as_str(),
        "size": stored.size,
        "etag": stored.etag,
        "version_id": stored.version,
        "checksum": stored.checksum,
        "parts": stored.parts,
        "resumed_parts": stored.resumed,
    })
}

pub(crate) fn stored_text(stored: &Stored) -> String {
    let mut text = vec![print::bytes(stored.size)];
    if stored.parts > 0 {
        text.push(format!("{} parts", stored.parts));
    }
    if stored.resumed > 0 {
        text.push(format!("{} of them there already", stored.resumed));
    }
    text.extend(stored.checksum.clone());
    text.extend(stored.version.as_ref().map(|version| format!("version {version}")));
    print::name(&text.join(", "))
}
