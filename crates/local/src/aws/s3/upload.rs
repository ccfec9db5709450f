use std::ops::Range;

use bytes::Bytes;
use http_body_util::BodyExt;
use md5::{Digest, Md5};
use rand::RngExt;

use super::call::Call;
use super::checksum::{Algorithm, Digested, Digests};
use crate::aws::api_error::ApiError;
use crate::aws::store::{Object, Pending};

/// The largest body of one request: 5 GiB.
const MAX_BODY: u64 = 5 << 30;

/// A body that has been received and verified.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) body: Pending,
    pub(super) size: u64,
    pub(super) lines: u64,
    pub(super) etag: String,
    pub(super) checksum: Option<(Algorithm, String)>,
}

/// Takes a call's body into the store, hashing it in passing. It is not visible, and is gone again when dropped.
pub(super) async fn receive(call: &mut Call<'_>, wanted: Option<Algorithm>) -> Result<Received, ApiError> {
    let announced = call.payload.remaining();
    if announced > MAX_BODY {
        return Err(ApiError::of("EntityTooLarge")
            .field("ProposedSize", announced.to_string())
            .field("MaxSizeAllowed", MAX_BODY.to_string()));
    }
    let mut digests = Digests::of_call(call, wanted)?;
    let mut writer = call.shared.store.receive().await?;
    while let Some(data) = call.payload.next().await? {
        digests.update(&data);
        writer.write(data).await?;
    }
    let Digested { md5, checksum } = digests.finish(call.payload.trailers())?;
    let (size, lines) = (writer.size(), writer.lines());
    let body = writer.finish().await?;
    Ok(Received { body, size, lines, etag: etag(md5), checksum })
}

/// The largest document that a client sends: a thousand keys of a thousand bytes, escaped.
const MAX_DOCUMENT: u64 = 8 << 20;

/// Reads a call's body where it is a document, with the checksums that came with it.
pub(super) async fn document(call: &mut Call<'_>) -> Result<Bytes, ApiError> {
    let digests = Digests::of_call(call, None)?;
    read_document(call, digests).await
}

/// The same for a call whose checksum header is of the object that it makes, not of its own body.
pub(super) async fn document_about_object(call: &mut Call<'_>) -> Result<Bytes, ApiError> {
    let digests = Digests::of_call(call, None)?.md5_only();
    read_document(call, digests).await
}

async fn read_document(call: &mut Call<'_>, mut digests: Digests) -> Result<Bytes, ApiError> {
    let body = call.payload.read_to_end(MAX_DOCUMENT).await?;
    digests.update(&body);
    digests.finish(call.payload.trailers())?;
    Ok(body)
}

/// A copy of (a piece of) an object's body.
pub(super) struct CopiedBody {
    pub(super) body: Pending,
    pub(super) size: u64,
    pub(super) lines: u64,
    pub(super) etag: String,
    pub(super) checksum: Option<(Algorithm, String)>,
}

/// Copies a piece of an object within the store. It is read and hashed anew, as its ETag is of these bytes.
pub(super) async fn copy_body(call: &Call<'_>, object: &Object, range: Range<u64>) -> Result<CopiedBody, ApiError> {
    if !call.shared.store.keeps_bodies() {
        return Err(ApiError::of("NotImplemented").saying("this embedded AWS keeps no bodies"));
    }
    let mut source = object.body.read(range).await?;
    let mut digests = Digests::of_copy(object.checksum.as_ref().map(|checksum| checksum.algorithm));
    let mut writer = call.shared.store.receive().await?;
    while let Some(frame) = source.frame().await {
        if let Ok(data) = frame?.into_data() {
            digests.update(&data);
            writer.write(data).await?;
        }
    }
    let Digested { md5, checksum } = digests.finish(&[])?;
    let (size, lines) = (writer.size(), writer.lines());
    Ok(CopiedBody { body: writer.finish().await?, size, lines, etag: etag(md5), checksum })
}

/// The ETag of a body: its MD5, or anything that differs where nobody can compare it with one.
fn etag(md5: Option<[u8; 16]>) -> String {
    format!("\"{}\"", hex::encode(md5.unwrap_or_else(|| rand::rng().random())))
}

/// The ETag of an object in parts: the MD5 of its parts' MD5s, and their number.
pub(super) fn etag_of_parts<'a>(etags: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = etags.len();
    let mut md5 = Md5::new();
    for etag in etags {
        md5.update(hex::decode(etag.trim_matches('"')).unwrap_or_default());
    }
    format!("\"{}-{count}\"", hex::encode(md5.finalize()))
}

#[cfg(test)]
mod tests {
    use super::{etag, etag_of_parts};

    #[test]
    fn the_etag_of_parts_is_the_md5_of_their_md5s() {
        // Computed with Python's hashlib for the two bodies b"a" and b"b".
        let parts = ["\"0cc175b9c0f1b6a831c399e269772661\"", "\"92eb5ffee6ae2fec3ad71c777531578f\""];
        assert_eq!(etag_of_parts(parts.into_iter()), "\"96e024ba2074fe77e8e965ba43a704be-2\"");
        assert_ne!(etag(None), etag(None));
    }
}
