use std::fmt::Write as _;

use aws::objects::{BucketName, Error, KnownBucket};
use serde_json::json;

use crate::args::{Exit, Output};
use crate::object::address::bucket_of;
use crate::object::args::LocateArguments;
use crate::object::opening::Opening;
use crate::object::print;

/// `tidegate bucket list`: behind a fence, the buckets of the fence; otherwise all of the account.
pub(crate) async fn list(opening: &Opening<'_>) -> Result<Exit, Error> {
    let fence = &opening.spec.fence;
    let buckets = if fence.is_up() {
        let mut names: Vec<&str> = fence.places.iter().map(|place| place.bucket.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let mut buckets = Vec::new();
        for name in names {
            let bucket = opening.bucket(&BucketName::new(name)?)?;
            let region = Some(bucket.locate().await?.region);
            buckets.push(KnownBucket { name: name.to_owned(), region, created: None });
        }
        buckets
    } else {
        // Any name will do: it is the account that is asked.
        opening.bucket(&BucketName::new("none")?)?.all_buckets().await?
    };
    match opening.output {
        Output::Json => {
            let buckets: Vec<_> = buckets
                .iter()
                .map(|bucket| json!({ "name": bucket.name, "region": bucket.region, "created": print::instant(bucket.created) }))
                .collect();
            print::json(&json!({ "buckets": buckets, "of_fence": fence.is_up() }));
        }
        Output::Text => {
            let width = buckets.iter().map(|bucket| bucket.name.len()).max().unwrap_or(0);
            let mut out = String::new();
            for KnownBucket { name, region, created } in &buckets {
                let (region, created) =
                    (region.as_deref().unwrap_or("-"), print::instant(*created).unwrap_or_default());
                writeln!(out, "{}", format!("{name:width$}  {region:14}  {created}").trim_end())
                    .expect("writing to a String does not fail");
            }
            print::out(&out);
        }
    }
    Ok(Exit::Done)
}

/// `tidegate bucket locate`.
pub(crate) async fn locate(opening: &Opening<'_>, arguments: &LocateArguments) -> Result<Exit, Error> {
    let name = bucket_of(&opening.spec, None, arguments.bucket.as_deref())?;
    let found = opening.bucket(&name)?.locate().await?;
    match opening.output {
        Output::Json => {
            print::json(&json!({ "bucket": name.as_str(), "region": found.region, "may_list": found.may_list }));
        }
        Output::Text => {
            print::out(&format!("{}\n", found.region));
            if !found.may_list {
                opening.screen.print(format!("this connection may not list bucket {name}\n").as_bytes());
            }
        }
    }
    Ok(Exit::Done)
}
