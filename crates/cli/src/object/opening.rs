use std::path::Path;
use std::sync::Arc;

use aws::Clients;
use aws::objects::{Algorithm, Bucket, BucketName, BucketOptions, CustomerKey, Encryption, Error, Traits, Transfer};
use aws::s3::S3Options;
use fault::{Chain, Diagnose as _, Retry};
use iam::Partition;
use identity::{ConnectionSpec, KeyRule, Purpose};
use world::{Clock, Environment};

use crate::args::{Exit, Output};
use crate::connection::{find, load_file};
use crate::object::args::{EncryptionArguments, OnArguments, Sse, TraitArguments, TransferArguments, VersionArguments};
use crate::object::print::name;
use crate::screen::Screen;

/// The largest file that is read for a key.
const MAX_KEY_FILE: u64 = 4096;

/// The connection that a verb goes by.
pub(crate) struct Opening<'a> {
    pub(crate) spec: Arc<ConnectionSpec>,
    pub(crate) output: Output,
    pub(crate) screen: &'a Screen,
    pub(crate) environment: &'a Environment,
    clients: Clients,
    arguments: &'a OnArguments,
}

/// What stands for {{connector}} in session names.
const CONNECTOR: &str = "object";

impl<'a> Opening<'a> {
    pub(crate) fn new(
        arguments: &'a OnArguments,
        environment: &'a Environment,
        screen: &'a Screen,
    ) -> Result<Self, Exit> {
        let usage = |text: &str| {
            screen.print(format!("error: {text}\n").as_bytes());
            Err(Exit::Usage)
        };
        let Some(path) = &arguments.connections else {
            return usage(
                "no file of connections is named\n  hint: give --connections FILE, or set TIDEGATE_CONNECTIONS",
            );
        };
        let keys = if arguments.no_static_keys { KeyRule::Refused } else { KeyRule::default() };
        let connections = load_file(path, keys, environment, screen).ok_or(Exit::Refused)?;
        let Some(name) = &arguments.connection else {
            let names: Vec<_> = connections.names().collect();
            return usage(&format!(
                "no connection is named; there are: {}\n  hint: give --connection NAME, or set TIDEGATE_CONNECTION",
                names.join(", ")
            ));
        };
        let spec = find(&connections, name, screen).ok_or(Exit::Refused)?;
        if let Some(region) = &arguments.region {
            let (home, there) = (Partition::of_region(&spec.region), Partition::of_region(region));
            if !identity::is_region(region) || home != there {
                screen.print(
                    format!(
                        "error: {region:?} is no region of partition {}, which connection {name} is in\n  \
                         hint: write it as AWS does, as in {}\n",
                        home.name(),
                        spec.region
                    )
                    .as_bytes(),
                );
                return Err(Exit::Refused);
            }
        }
        let clients = Clients::with_keys(Clock::system(), environment.clone(), keys);
        Ok(Self { spec, output: arguments.output, screen, environment, clients, arguments })
    }

    /// The bucket of this name.
    pub(crate) fn bucket(&self, name: &BucketName) -> Result<Bucket, Error> {
        self.bucket_with(name, Some(Algorithm::Crc64Nvme))
    }

    /// The same, whose objects are written with this checksum.
    pub(crate) fn bucket_with(&self, name: &BucketName, checksum: Option<Algorithm>) -> Result<Bucket, Error> {
        let spec = &self.spec;
        let region = self.arguments.region.as_ref().unwrap_or(&spec.region);
        let s3 = S3Options {
            endpoint: spec.endpoints.s3.clone(),
            fips: spec.fips,
            dual_stack: spec.dual_stack,
            owner: spec.bucket_owner,
            ..S3Options::new(name.as_str(), region.as_str())
        };
        let options = BucketOptions {
            fence: spec.fence.clone(),
            tries_for: self.arguments.retry_for,
            checksum,
            ..BucketOptions::new(s3)
        };
        let opened = self.clients.bucket(&spec.bind(CONNECTOR, Purpose::S3), options);
        opened.map_err(|source| Error::Session { bucket: name.to_string(), source })
    }

    /// AWS's hour, for what is told in seconds.
    pub(crate) fn now(&self) -> std::time::SystemTime {
        self.clients.clock().now()
    }

    pub(crate) fn encryption(&self, arguments: &EncryptionArguments) -> Result<Encryption, Error> {
        let bad = |text: &str, hint: &str| Err(super::address::bad(text.to_owned(), hint));
        if arguments.kms_key.is_some() && !matches!(arguments.sse, Some(Sse::Kms | Sse::KmsDsse)) {
            return bad("--kms-key counts only with --sse sse-kms", "add --sse sse-kms, or leave the key out");
        }
        if arguments.customer_key.is_some() && arguments.sse != Some(Sse::Customer) {
            return bad("--customer-key counts only with --sse sse-c", "add --sse sse-c, or leave the key out");
        }
        let kms = |dual| {
            let of_connection = match &self.spec.fence.kms_keys[..] {
                [key] => Some(key.clone()),
                _ => None,
            };
            Ok(Encryption::Kms { key: arguments.kms_key.clone().or(of_connection), dual })
        };
        match arguments.sse {
            None => Ok(Encryption::Bucket),
            Some(Sse::S3) => Ok(Encryption::S3),
            Some(Sse::Kms) => kms(false),
            Some(Sse::KmsDsse) => kms(true),
            Some(Sse::Customer) => match &arguments.customer_key {
                Some(path) => customer_key(path).map(Encryption::Customer),
                None => bad("--sse sse-c needs a key", "give --customer-key FILE, with 32 bytes in base64"),
            },
        }
    }

    /// Prints an error with what to do about it, and chooses the exit code.
    pub(crate) fn explain(&self, error: &Error) -> Exit {
        let exit = exit_of(error);
        match self.output {
            Output::Text => {
                let hint = error.hint().map(|hint| format!("\n  hint: {}", name(&hint))).unwrap_or_default();
                // S3's own text may be in it, and keys.
                self.screen.print(format!("error: {}{hint}\n", name(&Chain(error).to_string())).as_bytes());
            }
            Output::Json => super::print::error(error),
        }
        exit
    }
}

fn exit_of(error: &Error) -> Exit {
    match error {
        error if error.is_input() => Exit::Refused,
        Error::File { doing: "read", .. } | Error::FileChanged { .. } | Error::Busy { .. } => Exit::Refused,
        error if error.retry() != Retry::Never => Exit::NoProgress,
        _ => Exit::Failed,
    }
}

pub(crate) fn traits(arguments: &TraitArguments, encryption: Encryption) -> Traits {
    Traits {
        content_type: arguments.content_type.clone(),
        content_encoding: arguments.content_encoding.clone(),
        cache_control: arguments.cache_control.clone(),
        content_disposition: arguments.content_disposition.clone(),
        content_language: arguments.content_language.clone(),
        metadata: arguments.metadata.clone(),
        tags: arguments.tags.clone(),
        encryption,
        storage_class: arguments.storage_class.clone(),
    }
}

pub(crate) fn transfer(arguments: &TransferArguments) -> Transfer {
    Transfer {
        part_size: arguments.part_size,
        parallel: usize::from(arguments.parallel),
        resume: arguments.resume,
        ..Transfer::new()
    }
}

pub(crate) fn reading(arguments: &VersionArguments) -> Result<aws::objects::Reading, Error> {
    let customer = arguments.customer_key.as_deref().map(customer_key).transpose()?;
    Ok(aws::objects::Reading { version: arguments.version_id.clone(), customer })
}

/// A customer's key out of a file: on a command line everybody on the machine could read it.
pub(crate) fn customer_key(path: &Path) -> Result<CustomerKey, Error> {
    use std::io::Read as _;
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_KEY_FILE).read_to_string(&mut text));
    match read {
        Ok(_) => CustomerKey::new(&text),
        Err(error) => Err(Error::File { doing: "read", path: path.to_owned(), source: Arc::new(error) }),
    }
}
