use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::args::Output;

#[derive(Debug, Args)]
pub(crate) struct ObjectArguments {
    #[command(subcommand)]
    pub(crate) verb: ObjectVerb,
    #[command(flatten)]
    pub(crate) on: OnArguments,
}

#[derive(Debug, Args)]
pub(crate) struct BucketArguments {
    #[command(subcommand)]
    pub(crate) verb: BucketVerb,
    #[command(flatten)]
    pub(crate) on: OnArguments,
}

/// On which connection, and how.
#[derive(Debug, Args)]
pub(crate) struct OnArguments {
    /// The file of connections, TOML or JSON.
    #[arg(long, global = true, value_name = "FILE", env = "TIDEGATE_CONNECTIONS")]
    pub(crate) connections: Option<PathBuf>,
    /// The connection, by its name in that file.
    #[arg(long, global = true, value_name = "NAME", env = "TIDEGATE_CONNECTION")]
    pub(crate) connection: Option<String>,
    /// Refuse AWS keys that never end, wherever they come from.
    #[arg(long, global = true, env = "TIDEGATE_NO_STATIC_KEYS")]
    pub(crate) no_static_keys: bool,
    /// The region to ask in first. Not set: the connection's. Where S3 names another one, that is asked.
    #[arg(long, global = true, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// How long one request may go on without success, its attempts included: 30s, 5m, 1h. A body that moves on is no failure. 0
    /// tries once, for as long as an answer may take.
    #[arg(long, global = true, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub(crate) retry_for: Duration,
    /// How the result looks on stdout.
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ObjectVerb {
    /// Read an object into a file, whole or not at all.
    Get(GetArguments),
    /// Write a file or standard input (-) as an object.
    Put(PutArguments),
    /// Write an object to standard output.
    Cat(CatArguments),
    /// List objects whose keys begin with a prefix, those in folders below it too.
    #[command(visible_alias = "ls")]
    List(ListArguments),
    /// Show what an object is, without its bytes.
    Head(ReadArguments),
    /// Delete objects: some, those of a list, or all below a prefix.
    #[command(visible_alias = "rm")]
    Delete(DeleteArguments),
    /// Copy an object within S3.
    #[command(visible_alias = "cp")]
    Copy(CopyArguments),
    /// Move an object within S3: copy it, look at the copy, and only then delete it.
    #[command(visible_alias = "mv")]
    Move(CopyArguments),
    /// Make a link that lets its holder read or write one object for a time.
    Presign(PresignArguments),
    /// Show, set or delete the tags of an object.
    Tag {
        #[command(subcommand)]
        verb: TagVerb,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TagVerb {
    /// Show them.
    Get(ReadArguments),
    /// Put these in place of all that there are.
    Put(TagPutArguments),
    /// Take all of them off.
    Delete(ReadArguments),
}

#[derive(Debug, Subcommand)]
pub(crate) enum BucketVerb {
    /// List the buckets that the connection reaches.
    List,
    /// Find out which region a bucket is in.
    Locate(LocateArguments),
}

/// Which object.
#[derive(Debug, Args)]
pub(crate) struct AtArguments {
    /// The bucket. Not set: the connection's, if its fence is one bucket.
    #[arg(long, value_name = "BUCKET")]
    pub(crate) bucket: Option<String>,
    /// The whole key.
    #[arg(long, value_name = "KEY", visible_alias = "file-key", conflicts_with_all = ["folder", "file_name", "prefix"])]
    pub(crate) key: Option<String>,
    /// What keys begin with, before --folder and --file-name. Not set: the connection's prefix, if its fence is one place.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) prefix: Option<String>,
    /// The folder behind the prefix.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<String>,
    /// The name in the folder.
    #[arg(long, value_name = "NAME")]
    pub(crate) file_name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct VersionArguments {
    /// The version. Not set: the newest.
    #[arg(long, value_name = "ID")]
    pub(crate) version_id: Option<String>,
    /// A file with the customer's key (SSE-C) that it was encrypted with: 32 bytes in base64.
    #[arg(long, value_name = "FILE")]
    pub(crate) customer_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TransferArguments {
    /// The size of parts and ranges, as 64MiB. Not set: one that fits.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) part_size: Option<u64>,
    /// How many parts or ranges are under way at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) parallel: u16,
    /// Go on where an earlier one was broken off, and keep what is there if this one is.
    #[arg(long)]
    pub(crate) resume: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GetArguments {
    /// The object as s3://BUCKET/KEY, and the file or directory to write to, or - for standard output. Not set: a file of
    /// the key's last name, here.
    #[arg(value_name = "ADDRESS|FILE", num_args = 0..=2)]
    pub(crate) places: Vec<String>,
    #[command(flatten)]
    pub(crate) at: AtArguments,
    #[command(flatten)]
    pub(crate) version: VersionArguments,
    #[command(flatten)]
    pub(crate) transfer: TransferArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CatArguments {
    /// The object, as s3://BUCKET/KEY.
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
    #[command(flatten)]
    pub(crate) at: AtArguments,
    #[command(flatten)]
    pub(crate) version: VersionArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PutArguments {
    /// The file, or - for standard input, and the object as s3://BUCKET/KEY; s3://BUCKET/FOLDER/ takes the file's name.
    #[arg(value_name = "FILE|ADDRESS", required = true, num_args = 1..=2)]
    pub(crate) places: Vec<String>,
    #[command(flatten)]
    pub(crate) at: AtArguments,
    #[command(flatten)]
    pub(crate) traits: TraitArguments,
    #[command(flatten)]
    pub(crate) encryption: EncryptionArguments,
    #[command(flatten)]
    pub(crate) transfer: TransferArguments,
    /// Refuse to replace an object that is there.
    #[arg(long)]
    pub(crate) no_overwrite: bool,
    /// The checksum that goes with it; none for stores that know none.
    #[arg(long, value_enum, default_value_t = Sum::Crc64nvme)]
    pub(crate) checksum: Sum,
    /// Where notes of uploads are kept, for --resume. Not set: tidegate/uploads under XDG_STATE_HOME (~/.local/state).
    #[arg(long, value_name = "DIR", env = "TIDEGATE_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sum {
    Crc64nvme,
    Crc32c,
    None,
}

/// What an object has besides its bytes.
#[derive(Debug, Args)]
pub(crate) struct TraitArguments {
    /// Not set: application/octet-stream, of a copy the source's. Nothing is guessed from a name.
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,
    #[arg(long, value_name = "ENCODING")]
    pub(crate) content_encoding: Option<String>,
    #[arg(long, value_name = "TEXT")]
    pub(crate) cache_control: Option<String>,
    #[arg(long, value_name = "TEXT")]
    pub(crate) content_disposition: Option<String>,
    #[arg(long, value_name = "LANGUAGE")]
    pub(crate) content_language: Option<String>,
    /// User metadata, name=value. May be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) metadata: Vec<(String, String)>,
    /// A tag, key=value. May be given up to ten times.
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) tags: Vec<(String, String)>,
    /// As in STANDARD_IA. Not set: STANDARD.
    #[arg(long, value_name = "CLASS")]
    pub(crate) storage_class: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EncryptionArguments {
    /// How S3 encrypts it. Not set: as the bucket says.
    #[arg(long, value_enum)]
    pub(crate) sse: Option<Sse>,
    /// The key of KMS, with --sse sse-kms. Not set: the connection's kms_key, if it is one; else AWS's own for S3.
    #[arg(long, value_name = "KEY")]
    pub(crate) kms_key: Option<String>,
    /// A file with the customer's key, with --sse sse-c: 32 bytes in base64.
    #[arg(long, value_name = "FILE")]
    pub(crate) customer_key: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sse {
    #[value(name = "sse-s3", alias = "AES256")]
    S3,
    #[value(name = "sse-kms", alias = "aws:kms")]
    Kms,
    #[value(name = "sse-kms-dsse", alias = "aws:kms:dsse")]
    KmsDsse,
    #[value(name = "sse-c")]
    Customer,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// What to list, as s3://BUCKET/PREFIX.
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
    /// The bucket. Not set: the connection's, if its fence is one bucket.
    #[arg(long, value_name = "BUCKET")]
    pub(crate) bucket: Option<String>,
    /// What keys begin with. Not set: the connection's prefix, if its fence is one place.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) prefix: Option<String>,
    /// Only keys behind this one, in the order of their bytes.
    #[arg(long, value_name = "KEY")]
    pub(crate) start_after: Option<String>,
    /// Show keys that are alike up to this text as one folder: / lists one level.
    #[arg(long, value_name = "TEXT")]
    pub(crate) delimiter: Option<String>,
    /// The most that are shown.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct ReadArguments {
    /// The object, as s3://BUCKET/KEY.
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
    #[command(flatten)]
    pub(crate) at: AtArguments,
    #[command(flatten)]
    pub(crate) version: VersionArguments,
}

#[derive(Debug, Args)]
pub(crate) struct TagPutArguments {
    #[command(flatten)]
    pub(crate) object: ReadArguments,
    /// A tag, key=value. May be given up to ten times.
    #[arg(long = "tag", required = true, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) tags: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    /// Objects, as s3://BUCKET/KEY; with --recursive one s3://BUCKET/FOLDER. All in one bucket.
    #[arg(value_name = "ADDRESS")]
    pub(crate) addresses: Vec<String>,
    #[command(flatten)]
    pub(crate) at: AtArguments,
    /// A file of whole keys, one a line, or - for standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["recursive", "key", "file_name", "folder", "prefix", "version_id"])]
    pub(crate) from_file: Option<PathBuf>,
    /// All objects below the folder of the address, or whose keys begin with --prefix.
    #[arg(long, conflicts_with_all = ["key", "file_name", "version_id"])]
    pub(crate) recursive: bool,
    /// The version, which is gone for good then.
    #[arg(long, value_name = "ID")]
    pub(crate) version_id: Option<String>,
    /// Do not ask before a prefix is deleted.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print what would be deleted.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CopyArguments {
    /// From where and to where, as s3://BUCKET/KEY; a target that ends with / takes the source's last name.
    #[arg(value_name = "ADDRESS", num_args = 0..=2)]
    pub(crate) addresses: Vec<String>,
    #[command(flatten)]
    pub(crate) at: AtArguments,
    /// The bucket to copy to. Not set: the one to copy from.
    #[arg(long, value_name = "BUCKET")]
    pub(crate) to_bucket: Option<String>,
    /// The whole key to copy to.
    #[arg(long, value_name = "KEY")]
    pub(crate) to_key: Option<String>,
    /// The version to copy. Not set: the newest.
    #[arg(long, value_name = "ID")]
    pub(crate) version_id: Option<String>,
    /// A file with the customer's key (SSE-C) that the source was encrypted with.
    #[arg(long, value_name = "FILE")]
    pub(crate) source_customer_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) traits: TraitArguments,
    #[command(flatten)]
    pub(crate) encryption: EncryptionArguments,
    /// Refuse to replace an object that is there.
    #[arg(long)]
    pub(crate) no_overwrite: bool,
    /// How many parts are under way at once, above 5 GiB.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) parallel: u16,
}

#[derive(Debug, Args)]
pub(crate) struct PresignArguments {
    /// The object, as s3://BUCKET/KEY.
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
    #[command(flatten)]
    pub(crate) at: AtArguments,
    /// How long it lasts, 1s to 7d; no longer than the session that signs it.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = duration)]
    pub(crate) expires_in: Duration,
    /// A link to write with, not to read.
    #[arg(long)]
    pub(crate) put: bool,
    /// The content type that must be sent along, with --put.
    #[arg(long, value_name = "TYPE", requires = "put")]
    pub(crate) content_type: Option<String>,
    /// The version to read.
    #[arg(long, value_name = "ID", conflicts_with = "put")]
    pub(crate) version_id: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LocateArguments {
    /// The bucket. Not set: the connection's, if its fence is one bucket.
    #[arg(value_name = "BUCKET")]
    pub(crate) bucket: Option<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not written as name=value")),
    }
}

/// `30s`, `5m`, `1h`, `7d`; a plain number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(format!("{text} is not a duration, as 30s, 5m, 1h and 7d are")),
    };
    let seconds = number.parse().ok().and_then(|number: u64| number.checked_mul(factor));
    seconds.map(Duration::from_secs).ok_or_else(|| format!("{text} is not a duration, as 30s, 5m, 1h and 7d are"))
}

/// `64MiB`, `1GB`, `5242880`: binary units with `i`, decimal ones without.
fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err(format!("{text} is not a size, as 64MiB is")),
    };
    let bytes = number.parse().ok().and_then(|number: u64| number.checked_mul(factor)).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| format!("{text} is not a size, as 64MiB is"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_with_their_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(duration("7d"), Ok(Duration::from_hours(168)));
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("5242880"), Ok(5 << 20));
        for wrong in ["", "m", "5 parsecs", "-1", "99999999999999999999d"] {
            assert!(duration(wrong).is_err() && size(wrong).is_err(), "{wrong}");
        }
    }
}
