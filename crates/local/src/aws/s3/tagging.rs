use std::collections::BTreeMap;

use iam::Context;

use super::NAMESPACE;
use super::call::Call;
use super::object::look_up;
use super::upload::document;
use super::versions::tell;
use crate::aws::api_error::ApiError;
use crate::aws::reply::Reply;
use crate::aws::uri::Query;
use crate::aws::xml::{Element, Xml};

/// The most tags of an object.
const MAX_TAGS: usize = 10;

/// Reads `x-amz-tagging`, which is written like a query.
pub(super) fn of_header(text: &str) -> Result<BTreeMap<String, String>, ApiError> {
    let invalid = |_| {
        ApiError::of("InvalidArgument").saying("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
    };
    let Query(pairs) = Query::parse(text).map_err(invalid)?;
    check(pairs)
}

fn check(pairs: Vec<(String, String)>) -> Result<BTreeMap<String, String>, ApiError> {
    if pairs.len() > MAX_TAGS {
        return Err(ApiError::of("BadRequest").saying("Object tags cannot be greater than 10"));
    }
    let mut tags = BTreeMap::new();
    for (key, value) in pairs {
        let fits =
            |text: &str| text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c));
        let key_fits = (1..=128).contains(&key.chars().count()) && fits(&key) && !key.starts_with("aws:");
        if !key_fits {
            return Err(ApiError::of("InvalidTag").saying("The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 || !fits(&value) {
            return Err(ApiError::of("InvalidTag").saying("The TagValue you have provided is invalid"));
        }
        if tags.insert(key, value).is_some() {
            return Err(ApiError::of("InvalidTag").saying("Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(tags)
}

/// Condition keys of a request that sets tags.
pub(super) fn request_keys(context: &mut Context, tags: &BTreeMap<String, String>) {
    if !tags.is_empty() {
        context.set_many("s3:RequestObjectTagKeys", tags.keys().cloned());
    }
    for (key, value) in tags {
        context.set(&format!("s3:RequestObjectTag/{key}"), &**value);
    }
}

/// Condition keys of a request about an object that has tags.
pub(super) fn existing_keys(context: &mut Context, tags: &BTreeMap<String, String>) {
    for (key, value) in tags {
        context.set(&format!("s3:ExistingObjectTag/{key}"), &**value);
    }
}

pub(super) fn get(call: &Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let object = look_up(call, &bucket, "GetObject", "Tagging", |_| ())?;
    let mut xml = Xml::document();
    xml.within(&format!("Tagging xmlns=\"{NAMESPACE}\""), |xml| {
        xml.within("TagSet", |xml| {
            for (key, value) in &object.traits.tags {
                xml.within("Tag", |xml| {
                    xml.field("Key", key).field("Value", value);
                });
            }
        });
    });
    let mut reply = Reply::xml(xml.finish());
    tell(&mut reply, &bucket, object.version.as_deref());
    Ok(reply)
}

pub(super) async fn put(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let root = Element::parse(&document(call).await?, "Tagging")?;
    let malformed = || ApiError::of("MalformedXML");
    let set = root.all("TagSet").next().ok_or_else(malformed)?;
    let pair = |tag: &Element| {
        let text = |name| tag.children.iter().find(|child| child.name == name).map(|child| child.text.clone());
        Some((text("Key")?, text("Value")?))
    };
    let tags = check(set.all("Tag").map(pair).collect::<Option<_>>().ok_or_else(malformed)?)?;
    let object = look_up(call, &bucket, "PutObject", "Tagging", |context| request_keys(context, &tags))?;
    call.shared.store.tag_object(&call.target.bucket, &object, tags).await?;
    let mut reply = Reply::ok();
    tell(&mut reply, &bucket, object.version.as_deref());
    Ok(reply)
}

pub(super) async fn delete(call: &mut Call<'_>) -> Result<Reply, ApiError> {
    let bucket = call.bucket()?;
    let object = look_up(call, &bucket, "DeleteObject", "Tagging", |_| ())?;
    call.shared.store.tag_object(&call.target.bucket, &object, BTreeMap::new()).await?;
    let mut reply = Reply::no_content();
    tell(&mut reply, &bucket, object.version.as_deref());
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::of_header;

    #[test]
    fn tags_in_a_header_are_held_to_their_limits() {
        assert_eq!(of_header("a=1&b=x%20y").unwrap().len(), 2);
        let many: Vec<String> = (0..11).map(|n| format!("k{n}=v")).collect();
        for (text, code) in [
            ("a=1&a=2", "InvalidTag"),
            ("=1", "InvalidTag"),
            ("aws:a=1", "InvalidTag"),
            ("a=%7B", "InvalidTag"),
            (&many.join("&"), "BadRequest"),
        ] {
            assert_eq!(of_header(text).unwrap_err().code(), code, "{text}");
        }
    }
}
