use aws::objects::{BucketName, CopyOptions, Error, Key, Reading, Source, Transfer, Verified};

use crate::args::{Exit, Output};
use crate::object::address::{Address, Naming, bad};
use crate::object::args::CopyArguments;
use crate::object::opening::{Opening, customer_key, traits};
use crate::object::print;
use crate::object::progress::watch;
use crate::object::transfer::{stored_json, stored_text};

/// `tidegate object copy|move`.
pub(crate) async fn copy(opening: &Opening<'_>, arguments: &CopyArguments, is_move: bool) -> Result<Exit, Error> {
    let mut addresses = arguments.addresses.iter().map(|text| Address::parse(text));
    let mut from = addresses.next().transpose()?;
    let mut to = addresses.next().transpose()?;
    let at = &arguments.at;
    if to.is_none() && from.is_some() && (at.key.is_some() || at.folder.is_some() || at.file_name.is_some()) {
        // One address beside --key or --file-name is where it goes.
        to = from.take();
    }
    let naming = Naming { spec: &opening.spec, address: from, at: &arguments.at };
    let (from_name, from_key) = (naming.bucket()?, naming.key(None)?);
    let (to_name, to_key) = target(arguments, to, &from_name, &from_key)?;
    let encryption = opening.encryption(&arguments.encryption)?;
    let given = &arguments.traits;
    let replaces = given.content_type.is_some()
        || given.content_encoding.is_some()
        || given.cache_control.is_some()
        || given.content_disposition.is_some()
        || given.content_language.is_some()
        || !given.metadata.is_empty();
    let options = CopyOptions {
        replace_metadata: replaces,
        replace_tags: !given.tags.is_empty(),
        traits: traits(given, encryption),
        only_new: arguments.no_overwrite,
    };
    let (from, to) = (opening.bucket(&from_name)?, opening.bucket(&to_name)?);
    let customer = arguments.source_customer_key.as_deref().map(customer_key).transpose()?;
    let reading = Reading { version: arguments.version_id.clone(), customer };
    let source = Source { bucket: &from, key: &from_key, reading };
    let transfer = Transfer { parallel: usize::from(arguments.parallel), ..Transfer::new() };
    let verb = if is_move { "move" } else { "copy" };
    let what = format!("{verb} s3://{from_name}/{}", print::name(from_key.as_str()));
    let (stored, verified) = if is_move {
        watch(opening, &what, &transfer, Box::pin(to.take_over(&source, &to_key, &options, &transfer))).await?
    } else {
        watch(opening, &what, &transfer, Box::pin(to.copy(&source, &to_key, &options, &transfer))).await?
    };
    let compared = match verified {
        Verified::Checksum => "checksum",
        Verified::Etag => "etag",
        Verified::Size => "size",
    };
    match opening.output {
        Output::Json => {
            let mut value = stored_json(to_name.as_str(), &to_key, &stored);
            value["from"] = format!("s3://{from_name}/{from_key}").into();
            value["verified"] = compared.into();
            print::json(&value);
        }
        Output::Text => {
            let done = if is_move { "moved" } else { "copied" };
            print::out(&format!(
                "{done} s3://{from_name}/{} to s3://{to_name}/{}  {}, {compared} compared\n",
                print::name(from_key.as_str()),
                print::name(to_key.as_str()),
                stored_text(&stored),
            ));
        }
    }
    Ok(Exit::Done)
}

/// Where it goes: the second address, or `--to-bucket` and `--to-key`.
fn target(
    arguments: &CopyArguments,
    to: Option<Address>,
    from_name: &BucketName,
    from_key: &Key,
) -> Result<(BucketName, Key), Error> {
    let name = match (to.as_ref().and_then(|to| to.bucket.as_deref()), arguments.to_bucket.as_deref()) {
        (Some(_), Some(_)) => return Err(bad("the target's bucket is named twice".into(), "leave --to-bucket out")),
        (Some(name), None) | (None, Some(name)) => BucketName::new(name)?,
        (None, None) => from_name.clone(),
    };
    let key = match (to, arguments.to_key.as_deref()) {
        (Some(to), Some(_)) if !to.rest.is_empty() => {
            return Err(bad("the target's key is named twice".into(), "leave --to-key out"));
        }
        (_, Some(key)) => key.to_owned(),
        (Some(to), None) => to.rest,
        (None, None) if arguments.to_bucket.is_some() => from_key.to_string(),
        (None, None) => return Err(bad("no target is named".into(), "give a second address, or --to-key")),
    };
    let key = if key.is_empty() || key.ends_with('/') { format!("{key}{}", from_key.file_name()) } else { key };
    Ok((name, Key::new(key)?))
}
