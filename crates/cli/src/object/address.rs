use aws::objects::{BucketName, Error, Key};
use identity::ConnectionSpec;

use crate::object::args::AtArguments;

/// `s3://BUCKET/KEY` as it was typed; either may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Address {
    pub(crate) bucket: Option<String>,
    /// A key, or the beginning of keys.
    pub(crate) rest: String,
}

const SCHEME: &str = "s3://";

impl Address {
    pub(crate) fn is_one(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// # Errors
    /// It does not begin with `s3://`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let Some(rest) = text.strip_prefix(SCHEME) else {
            let hint = "write it as s3://BUCKET/KEY, or give the key alone with --key";
            return Err(bad(format!("{text:?} is not an address of S3"), hint));
        };
        let (bucket, rest) = rest.split_once('/').unwrap_or((rest, ""));
        Ok(Self { bucket: Some(bucket.to_owned()).filter(|bucket| !bucket.is_empty()), rest: rest.to_owned() })
    }
}

/// What names a bucket and a key, in the one order of docs/objects.md.
pub(crate) struct Naming<'a> {
    pub(crate) spec: &'a ConnectionSpec,
    pub(crate) address: Option<Address>,
    pub(crate) at: &'a AtArguments,
}

impl Naming<'_> {
    /// The bucket: of the address, of `--bucket`, of the connection.
    pub(crate) fn bucket(&self) -> Result<BucketName, Error> {
        bucket_of(self.spec, self.address.as_ref(), self.at.bucket.as_deref())
    }

    /// The key: of the address, of `--key`, or of prefix, folder and file name. `source` is the name of the file that is
    /// put, for where only a folder is named.
    pub(crate) fn key(&self, source: Option<&str>) -> Result<Key, Error> {
        let at = self.at;
        let named = at.key.is_some() || at.folder.is_some() || at.file_name.is_some();
        if let Some(address) = &self.address
            && !address.rest.is_empty()
        {
            if named || at.prefix.is_some() {
                let hint = "leave one of them out: an address names its key whole";
                return Err(bad("the key is named twice, in the address and by an option".into(), hint));
            }
            return match source {
                Some(source) if address.rest.ends_with('/') => Key::new(format!("{}{source}", address.rest)),
                _ => Key::new(address.rest.as_str()),
            };
        }
        if let Some(key) = &at.key {
            return Key::new(key.as_str());
        }
        let folder = at.folder.as_deref().unwrap_or_default().trim_matches('/');
        let name = match (&at.file_name, source) {
            (Some(name), _) => name.as_str(),
            // A folder, a prefix, or the bucket itself is where the file goes.
            (None, Some(source)) if at.folder.is_some() || at.prefix.is_some() || self.address.is_some() => source,
            (None, _) => return Key::new(""),
        };
        if name.is_empty() {
            return Key::new("");
        }
        let slash = if folder.is_empty() { "" } else { "/" };
        Key::new(format!("{}{folder}{slash}{name}", prefix_of(self.spec, at.prefix.as_deref())))
    }

    /// The beginning of keys that are dealt with all together: of the address, of `--prefix` and `--folder`, of the
    /// connection. An address names a folder, with or without its slash, as with `aws s3 rm --recursive`: whoever means
    /// `logs` does not mean `logs-of-last-year`.
    pub(crate) fn below(&self) -> Result<String, Error> {
        Ok(match &self.address {
            Some(address) if !address.rest.is_empty() => {
                if self.at.prefix.is_some() || self.at.folder.is_some() {
                    let hint = "leave one of them out: an address names its prefix whole";
                    return Err(bad("the prefix is named twice, in the address and by an option".into(), hint));
                }
                let slash = if address.rest.ends_with('/') { "" } else { "/" };
                format!("{}{slash}", address.rest)
            }
            _ => {
                let prefix = prefix_of(self.spec, self.at.prefix.as_deref());
                match self
                    .at
                    .folder
                    .as_deref()
                    .map(|folder| folder.trim_matches('/'))
                    .filter(|folder| !folder.is_empty())
                {
                    Some(folder) => format!("{prefix}{folder}/"),
                    None => prefix.to_owned(),
                }
            }
        })
    }
}

/// The bucket: of the address, of an option, of the connection, if its fence is in one bucket.
pub(crate) fn bucket_of(
    spec: &ConnectionSpec,
    address: Option<&Address>,
    option: Option<&str>,
) -> Result<BucketName, Error> {
    let of_address = address.and_then(|address| address.bucket.as_deref());
    if let (Some(address), Some(option)) = (of_address, option)
        && BucketName::new(option)?.as_str() != address
    {
        return Err(bad(format!("the address names bucket {address} and --bucket {option}"), "leave one of them out"));
    }
    if let Some(name) = of_address.or(option) {
        return BucketName::new(name);
    }
    let mut places = spec.fence.places.iter().map(|place| place.bucket.as_str());
    match places.next() {
        Some(first) if places.all(|other| other == first) => BucketName::new(first),
        Some(_) => {
            let places: Vec<_> = spec.fence.places.iter().map(ToString::to_string).collect();
            let hint = format!("give --bucket or s3://BUCKET/..; inside the fence are {}", places.join(", "));
            Err(bad(format!("no bucket is named, and connection {} has several", spec.name), &hint))
        }
        None => {
            let hint = "give --bucket or s3://BUCKET/.., or give the connection a bucket";
            Err(bad(format!("no bucket is named, and connection {} has none", spec.name), hint))
        }
    }
}

/// The prefix: of the option, of the connection if its fence is one place, or nothing.
pub(crate) fn prefix_of<'a>(spec: &'a ConnectionSpec, option: Option<&'a str>) -> &'a str {
    match (option, &spec.fence.places[..]) {
        (Some(prefix), _) => prefix,
        (None, [place]) => &place.prefix,
        (None, _) => "",
    }
}

pub(crate) fn bad(text: String, hint: &str) -> Error {
    Error::BadInput { text, hint: Some(hint.to_owned()) }
}
