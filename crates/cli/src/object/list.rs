use std::fmt::Write as _;

use aws::objects::{Entry, Error, ListOptions, Lister, Page};
use serde_json::{Value, json};

use crate::args::{Exit, Output};
use crate::object::address::{Address, bucket_of, prefix_of};
use crate::object::args::ListArguments;
use crate::object::opening::Opening;
use crate::object::print;

/// `tidegate object list`.
pub(crate) async fn list(opening: &Opening<'_>, arguments: &ListArguments) -> Result<Exit, Error> {
    let address = arguments.address.as_deref().map(Address::parse).transpose()?;
    let name = bucket_of(&opening.spec, address.as_ref(), arguments.bucket.as_deref())?;
    let prefix = match address.map(|address| address.rest).filter(|rest| !rest.is_empty()) {
        Some(_) if arguments.prefix.is_some() => {
            let hint = "leave one of them out";
            return Err(super::address::bad("the prefix is named twice, in the address and by --prefix".into(), hint));
        }
        Some(prefix) => prefix,
        None => prefix_of(&opening.spec, arguments.prefix.as_deref()).to_owned(),
    };
    let options = ListOptions {
        prefix,
        start_after: arguments.start_after.clone(),
        delimiter: arguments.delimiter.clone(),
        page: arguments.limit.map(|limit| limit.clamp(1, 1000) as u16),
    };
    let lister = opening.bucket(&name)?.list(options)?;
    match opening.output {
        Output::Text => text(lister, arguments.limit).await,
        Output::Json => document(lister, arguments.limit).await,
    }?;
    Ok(Exit::Done)
}

/// One line an entry, as pages come.
async fn text(mut lister: Lister, limit: Option<u64>) -> Result<(), Error> {
    let mut left = limit.unwrap_or(u64::MAX);
    while left > 0
        && let Some(mut page) = lister.next().await?
    {
        cut(&mut page, &mut left);
        let mut out = String::new();
        for folder in &page.folders {
            writeln!(out, "{:>20} {:>14}  {}", "", "folder", print::name(folder))
                .expect("writing to a String does not fail");
        }
        for Entry { key, size, modified, .. } in &page.objects {
            let modified = print::instant(*modified).unwrap_or_default();
            writeln!(out, "{modified:>20} {size:>14}  {}", print::name(key))
                .expect("writing to a String does not fail");
        }
        if !print::out(&out) {
            return Ok(());
        }
    }
    Ok(())
}

/// One document, written as pages come: a bucket's keys need not fit into memory.
async fn document(mut lister: Lister, limit: Option<u64>) -> Result<(), Error> {
    let mut left = limit.unwrap_or(u64::MAX);
    // Folders lie between objects in the order of names; told apart, they are few.
    let mut folders = Vec::new();
    let mut between = "\n";
    // Asked before the first byte is written: an error is then all that there is.
    let mut next = lister.next().await?;
    if !print::out("{\n  \"objects\": [") {
        return Ok(());
    }
    while left > 0
        && let Some(mut page) = next
    {
        cut(&mut page, &mut left);
        folders.append(&mut page.folders);
        let mut out = String::new();
        for entry in &page.objects {
            write!(out, "{between}    {}", show(entry)).expect("writing to a String does not fail");
            between = ",\n";
        }
        if !print::out(&out) {
            return Ok(());
        }
        next = lister.next().await?;
    }
    let end = if between == "\n" { "]" } else { "\n  ]" };
    print::out(&format!("{end},\n  \"folders\": {}\n}}\n", json!(folders)));
    Ok(())
}

fn show(entry: &Entry) -> Value {
    json!({
        "key": entry.key,
        "size": entry.size,
        "modified": print::instant(entry.modified),
        "etag": entry.etag,
        "storage_class": entry.storage_class,
    })
}

/// Takes what is within the limit: folders and objects in the order of their names.
fn cut(page: &mut Page, left: &mut u64) {
    let count = (page.objects.len() + page.folders.len()) as u64;
    if count <= *left {
        *left -= count;
        return;
    }
    let mut names: Vec<&str> =
        page.objects.iter().map(|entry| entry.key.as_str()).chain(page.folders.iter().map(String::as_str)).collect();
    names.sort_unstable();
    let first_out = names[usize::try_from(*left).unwrap_or(usize::MAX)].to_owned();
    page.objects.retain(|entry| entry.key < first_out);
    page.folders.retain(|folder| *folder < first_out);
    *left = 0;
}
