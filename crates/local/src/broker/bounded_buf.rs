use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::protocol::Decodable;
use kafka_protocol::protocol::buf::{ByteBuf, NotEnoughBytesError};

/// A request that its schema does not describe. It ends the connection it came on, as in Kafka.
#[derive(Debug, thiserror::Error)]
#[error("the request cannot be read: {0}")]
pub(crate) struct Malformed(pub(crate) String);

/// Decodes a message whose lengths may lie.
///
/// The codec allocates room for as many elements as an array says it has, before it reads any: twelve bytes could ask
/// for 400 GB and end the process. An element takes at least one byte, so a count above the bytes that remain is
/// refused before the codec sees it.
pub(crate) fn decode<T: Decodable>(body: &Bytes, version: i16) -> Result<T, Malformed> {
    decode_front(body, version).map(|(message, _)| message)
}

/// [`decode`], and what lies behind the message.
pub(crate) fn decode_front<T: Decodable>(body: &Bytes, version: i16) -> Result<(T, Bytes), Malformed> {
    let decode = |count| {
        let mut buf = BoundedBuf { bytes: body.clone(), in_varint: false, count };
        match T::decode(&mut buf, version) {
            Ok(message) => Ok((message, buf.bytes)),
            Err(error) => Err(Malformed(format!("{error:#}"))),
        }
    };
    // Counts are varints in flexible versions, which are known for what they are as they pass; in older ones they are
    // plain 32-bit numbers, as are timeouts. So the first pass puts every such number that is too large to be a count at
    // just above what can be there: a timeout does not mind, a count fails.
    decode(Count::Cut)?;
    decode(Count::AsIs)
}

#[derive(Clone, Copy, PartialEq)]
enum Count {
    Cut,
    AsIs,
}

struct BoundedBuf {
    bytes: Bytes,
    in_varint: bool,
    count: Count,
}

/// Varints are also tags of fields that we do not know, which are small numbers: this much above what remains is let
/// pass.
const TAG_ALLOWANCE: u64 = 1024;

impl BoundedBuf {
    /// The varint at the front.
    fn varint(&self) -> u64 {
        let mut value = 0;
        for (i, byte) in self.bytes.iter().take(5).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }
}

impl Buf for BoundedBuf {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }

    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        if !self.in_varint && self.varint() > self.bytes.len() as u64 + TAG_ALLOWANCE {
            return Err(TryGetError { requested: self.varint() as usize, available: self.bytes.len() });
        }
        let byte = self.bytes.try_get_u8()?;
        self.in_varint = byte & 0x80 != 0;
        Ok(byte)
    }

    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        let number = self.bytes.try_get_i32()?;
        let most = i32::try_from(self.bytes.len()).unwrap_or(i32::MAX - 1);
        Ok(if self.count == Count::Cut && number > most { most + 1 } else { number })
    }
}

impl ByteBuf for BoundedBuf {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.bytes.slice(range)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        self.bytes.split_to(size)
    }

    fn try_get_bytes(&mut self, size: usize) -> Result<Bytes, NotEnoughBytesError> {
        if size > self.bytes.len() { Err(NotEnoughBytesError) } else { Ok(self.bytes.split_to(size)) }
    }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, Bytes, BytesMut};
    use kafka_protocol::messages::{MetadataRequest, OffsetCommitRequest, TopicName};
    use kafka_protocol::protocol::{Encodable, StrBytes};

    use super::decode;

    #[test]
    fn a_count_above_what_remains_is_refused_before_it_is_allocated() {
        // Plain count, 2^31 - 1 topics.
        let lying = Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff]);
        decode::<MetadataRequest>(&lying, 1).expect_err("no topics follow");
        // Varint count, 2^32 - 2 topics.
        let lying = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0x00]);
        decode::<MetadataRequest>(&lying, 9).expect_err("no topics follow");
    }

    #[test]
    fn large_numbers_that_are_not_counts_pass_unchanged() {
        let mut request = OffsetCommitRequest::default();
        request.generation_id_or_member_epoch = i32::MAX;
        request.member_id = StrBytes::from_static_str("m");
        for version in [2, 8, 9] {
            let mut buf = BytesMut::new();
            request.encode(&mut buf, version).expect("encodes");
            assert_eq!(decode::<OffsetCommitRequest>(&buf.freeze(), version).expect("decodes"), request);
        }
    }

    #[test]
    fn truncated_requests_are_refused_at_every_length() {
        let topic = kafka_protocol::messages::metadata_request::MetadataRequestTopic::default()
            .with_name(Some(TopicName(StrBytes::from_static_str("orders"))));
        let request = MetadataRequest::default().with_topics(Some(vec![topic]));
        for version in [4, 12] {
            let mut buf = BytesMut::new();
            request.encode(&mut buf, version).expect("encodes");
            let whole = buf.freeze();
            for length in 0..whole.len() {
                decode::<MetadataRequest>(&whole.slice(..length), version).expect_err("a byte is missing");
            }
            decode::<MetadataRequest>(&whole, version).expect("all is there");
        }
        let mut noise = BytesMut::new();
        noise.put_bytes(0xff, 64);
        decode::<MetadataRequest>(&noise.freeze(), 12).expect_err("noise");
    }
}
