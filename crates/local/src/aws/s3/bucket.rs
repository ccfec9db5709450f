use iam::Context;

use super::NAMESPACE;
use super::call::Call;
use super::upload::document;
use crate::aws::api_error::ApiError;
use crate::aws::reply::Reply;
use crate::aws::time;
use crate::aws::xml::{Element, Xml};

/// The most buckets on a page of ListBuckets.
const MAX_BUCKETS: usize = 10_000;

/// The region whose buckets name no region.
const FIRST_REGION: &str = "us-east-1";

pub(super) fn list_buckets(call: &Call<'_>) -> Result<Reply, ApiError> {
    let owner = call.verified.requester.account;
    call.may_in_account("s3:ListAllMyBuckets", &call.arn("*"), |_| ())?;
    let max = match call.query.get("max-buckets").map(str::parse) {
        None => MAX_BUCKETS,
        Some(Ok(max)) if (1..=MAX_BUCKETS).contains(&max) => max,
        Some(_) => {
            let text = format!("Argument max-buckets must be an integer between 1 and {MAX_BUCKETS}");
            return Err(ApiError::of("InvalidArgument").saying(text));
        }
    };
    // A token is the name that the page before ended with.
    let after = call.query.get("continuation-token").unwrap_or_default();
    let mut next = None;
    let prefix = call.query.get("prefix").unwrap_or_default();
    let region = call.query.get("bucket-region");
    let mut xml = Xml::document();
    call.shared.store.read(|index| {
        let own = index.buckets.iter().filter(|(name, bucket)| {
            bucket.facts.owner == owner
                && name.as_str() > after
                && name.starts_with(prefix)
                && region.is_none_or(|region| region == bucket.facts.region)
        });
        xml.within(&format!("ListAllMyBucketsResult xmlns=\"{NAMESPACE}\""), |xml| {
            xml.within("Owner", |xml| {
                xml.field("ID", owner);
            });
            xml.within("Buckets", |xml| {
                let mut last = "";
                for (count, (name, bucket)) in own.enumerate() {
                    if count == max {
                        next = Some(last.to_owned());
                        break;
                    }
                    last = name;
                    xml.within("Bucket", |xml| {
                        xml.field("Name", name);
                        xml.field("CreationDate", time::iso_millis(bucket.facts.created.into()));
                        xml.field("BucketRegion", &bucket.facts.region);
                    });
                }
            });
            xml.maybe("ContinuationToken", next);
            xml.maybe("Prefix", call.query.get("prefix"));
        });
    });
    Ok(Reply::xml(xml.finish()))
}

pub(super) async fn create(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let owner = call.verified.requester.account;
    let name = &call.target.bucket;
    let body = document(call).await?;
    let asked = if body.is_empty() {
        None
    } else {
        let document = Element::parse(&body, "CreateBucketConfiguration")?;
        if let Some(other) = document.children.iter().find(|child| child.name != "LocationConstraint") {
            return Err(ApiError::of("NotImplemented")
                .saying(format!("the embedded AWS does not know {} of a bucket yet", other.name)));
        }
        document.child_text("LocationConstraint").map(str::to_owned)
    };
    for header in ["x-amz-bucket-object-lock-enabled", "x-amz-object-ownership"] {
        if call.header(header).is_some_and(|value| !matches!(value, "false" | "BucketOwnerEnforced")) {
            return Err(ApiError::of("NotImplemented").field("Header", header));
        }
    }
    if call.header("x-amz-acl").is_some_and(|acl| acl != "private") {
        return Err(ApiError::of("AccessControlListNotSupported"));
    }
    let signed = &call.verified.claim.region;
    let region = asked.as_deref().unwrap_or(FIRST_REGION);
    // `EU` is the old name of Ireland.
    let region = if region == "EU" { "eu-west-1" } else { region };
    if region != signed && (asked.is_some() || signed != FIRST_REGION) {
        let what = asked.as_deref().unwrap_or("unspecified");
        return Err(ApiError::of("IllegalLocationConstraintException").saying(format!(
            "The {what} location constraint is incompatible for the region specific endpoint this request was sent to."
        )));
    }
    let keys = |context: &mut Context| context.set("s3:LocationConstraint", region);
    call.may_in_account("s3:CreateBucket", &call.bucket_arn(), keys)?;
    match call.shared.store.create_bucket(name, owner, region, call.facts.now).await {
        // The first region has never minded.
        Err(error) if error.code() == "BucketAlreadyOwnedByYou" && region == FIRST_REGION => {}
        made => made?,
    }
    Ok(Reply::ok().with("location", format!("/{name}")))
}

pub(super) async fn delete(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    call.may("s3:DeleteBucket", &call.bucket_arn(), &bucket)?;
    call.shared.store.delete_bucket(&call.target.bucket).await?;
    Ok(Reply::no_content())
}

/// Tells a bucket's region to everybody, whatever the answer: clients find it out by this.
pub(super) fn head(call: &Call<'_>) -> Result<Reply, ApiError> {
    let region = call.bucket_named(&call.target.bucket)?.region;
    let bucket = call.bucket()?;
    call.may("s3:ListBucket", &call.bucket_arn(), &bucket)
        .map_err(|error| error.header("x-amz-bucket-region", &region))?;
    Ok(Reply::ok()
        .with("x-amz-bucket-region", &region)
        .with("x-amz-access-point-alias", if call.access_point.is_some() { "true" } else { "false" }))
}

pub(super) fn location(call: &Call<'_>) -> Result<Reply, ApiError> {
    // Any region may be asked: a client that knew the right one would not have to.
    let bucket = call.bucket_named(&call.target.bucket)?;
    call.check_owner("x-amz-expected-bucket-owner", bucket.owner)?;
    call.may("s3:GetBucketLocation", &call.bucket_arn(), &bucket)?;
    let mut xml = Xml::document();
    let named = if bucket.region == FIRST_REGION { "" } else { &bucket.region };
    xml.within(&format!("LocationConstraint xmlns=\"{NAMESPACE}\""), |xml| {
        xml.text(named);
    });
    Ok(Reply::xml(xml.finish()))
}
