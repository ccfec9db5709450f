use std::fmt::Write as _;

use aws::objects::{Bucket, Error, Key, Verb};
use serde_json::{Map, Value, json};

use crate::args::{Exit, Output};
use crate::object::address::{Address, Naming, bad};
use crate::object::args::{AtArguments, PresignArguments, ReadArguments, TagPutArguments};
use crate::object::opening::{Opening, reading};
use crate::object::print;

fn open(opening: &Opening<'_>, address: Option<&str>, at: &AtArguments) -> Result<(Bucket, Key), Error> {
    let address = address.map(Address::parse).transpose()?;
    let naming = Naming { spec: &opening.spec, address, at };
    let (name, key) = (naming.bucket()?, naming.key(None)?);
    Ok((opening.bucket(&name)?, key))
}

/// `tidegate object head`.
pub(crate) async fn head(opening: &Opening<'_>, arguments: &ReadArguments) -> Result<Exit, Error> {
    let (bucket, key) = open(opening, arguments.address.as_deref(), &arguments.at)?;
    let head = bucket.head(&key, &reading(&arguments.version)?).await?;
    if opening.output == Output::Json {
        print::json(&json!({
            "bucket": bucket.name(),
            "key": key.as_str(),
            "region": bucket.region(),
            "size": head.size,
            "modified": print::instant(head.modified),
            "etag": head.etag,
            "version_id": head.version,
            "content_type": head.content_type,
            "content_encoding": head.content_encoding,
            "cache_control": head.cache_control,
            "content_disposition": head.content_disposition,
            "content_language": head.content_language,
            "metadata": head.metadata,
            "storage_class": head.storage_class,
            "encryption": head.encryption,
            "kms_key": head.kms_key,
            "tags": head.tags,
            "parts": head.parts,
            "checksums": head.checksums,
        }));
        return Ok(Exit::Done);
    }
    let mut out = format!("s3://{}/{}\n", bucket.name(), print::name(key.as_str()));
    let mut line = |what: &str, value: Option<String>| {
        if let Some(value) = value {
            writeln!(out, "  {what:13} {}", print::name(&value)).expect("writing to a String does not fail");
        }
    };
    line("region", Some(bucket.region()));
    line("size", Some(head.size.to_string()));
    line("modified", print::instant(head.modified));
    line("etag", Some(head.etag));
    line("version", head.version);
    line("type", head.content_type);
    line("encoding", head.content_encoding);
    line("cache", head.cache_control);
    line("disposition", head.content_disposition);
    line("language", head.content_language);
    line("class", Some(head.storage_class));
    line("encryption", head.encryption);
    line("kms key", head.kms_key);
    line("tags", head.tags.map(|tags| tags.to_string()));
    line("parts", head.parts.map(|parts| parts.to_string()));
    for (algorithm, value) in head.checksums {
        line("checksum", Some(format!("{algorithm} {value}")));
    }
    for (name, value) in head.metadata {
        line("metadata", Some(format!("{name}={value}")));
    }
    print::out(&out);
    Ok(Exit::Done)
}

/// `tidegate object tag get`.
pub(crate) async fn tags(opening: &Opening<'_>, arguments: &ReadArguments) -> Result<Exit, Error> {
    refuse_customer_key(arguments)?;
    let (bucket, key) = open(opening, arguments.address.as_deref(), &arguments.at)?;
    let tags = bucket.tags(&key, arguments.version.version_id.as_deref()).await?;
    match opening.output {
        Output::Json => {
            let tags: Map<String, Value> = tags.into_iter().map(|(key, value)| (key, value.into())).collect();
            print::json(&json!({ "bucket": bucket.name(), "key": key.as_str(), "tags": tags }));
        }
        Output::Text => {
            let lines: Vec<_> = tags.iter().map(|(key, value)| print::name(&format!("{key}={value}")) + "\n").collect();
            print::out(&lines.concat());
        }
    }
    Ok(Exit::Done)
}

/// `tidegate object tag put`.
pub(crate) async fn set_tags(opening: &Opening<'_>, arguments: &TagPutArguments) -> Result<Exit, Error> {
    refuse_customer_key(&arguments.object)?;
    let (bucket, key) = open(opening, arguments.object.address.as_deref(), &arguments.object.at)?;
    bucket.set_tags(&key, arguments.object.version.version_id.as_deref(), &arguments.tags).await?;
    done(opening, "tagged", &bucket, &key);
    Ok(Exit::Done)
}

/// `tidegate object tag delete`.
pub(crate) async fn delete_tags(opening: &Opening<'_>, arguments: &ReadArguments) -> Result<Exit, Error> {
    refuse_customer_key(arguments)?;
    let (bucket, key) = open(opening, arguments.address.as_deref(), &arguments.at)?;
    bucket.delete_tags(&key, arguments.version.version_id.as_deref()).await?;
    done(opening, "tags deleted of", &bucket, &key);
    Ok(Exit::Done)
}

fn refuse_customer_key(arguments: &ReadArguments) -> Result<(), Error> {
    match arguments.version.customer_key {
        None => Ok(()),
        Some(_) => Err(bad("tags are not encrypted with the object".into(), "leave --customer-key out")),
    }
}

fn done(opening: &Opening<'_>, what: &str, bucket: &Bucket, key: &Key) {
    match opening.output {
        Output::Json => print::json(&json!({ "bucket": bucket.name(), "key": key.as_str() })),
        Output::Text => {
            print::out(&format!("{what} s3://{}/{}\n", bucket.name(), print::name(key.as_str())));
        }
    }
}

/// `tidegate object presign`.
pub(crate) async fn presign(opening: &Opening<'_>, arguments: &PresignArguments) -> Result<Exit, Error> {
    let (bucket, key) = open(opening, arguments.address.as_deref(), &arguments.at)?;
    let verb = if arguments.put {
        Verb::Put { content_type: arguments.content_type.clone() }
    } else {
        Verb::Get { version: arguments.version_id.clone() }
    };
    let mut link = bucket.presign(&key, &verb, arguments.expires_in).await?;
    // A link that is signed for the wrong region leads nowhere, and whoever gets it cannot see why.
    let region = bucket.region();
    match bucket.locate().await {
        Ok(found) if found.region != region => link = bucket.presign(&key, &verb, arguments.expires_in).await?,
        Ok(_) => {}
        Err(error) => tracing::debug!(error = %fault::Chain(&error), "the bucket's region was not confirmed"),
    }
    let left = link.ends_at.duration_since(opening.now()).unwrap_or_default().as_secs_f64().ceil();
    match opening.output {
        Output::Json => print::json(&json!({
            "url": link.url,
            "method": link.method,
            "headers": link.headers.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            "ends_at": print::instant(Some(link.ends_at)),
            "ends_with_session": link.is_cut,
        })),
        Output::Text => {
            print::out(&format!("{}\n", link.url));
            let mut note = String::new();
            for (name, value) in &link.headers {
                writeln!(note, "whoever uses it must send {name}: {value}").expect("writing to a String does not fail");
            }
            let why = if link.is_cut { ", because the session that signed it ends then" } else { "" };
            writeln!(note, "it ends in {left} s{why}").expect("writing to a String does not fail");
            opening.screen.print(note.as_bytes());
        }
    }
    Ok(Exit::Done)
}
