use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::protocol::buf::ByteBuf;

/// A claimed length may exceed what is left by this much. The codec allocates an array's claimed length before it reads
/// the first element; elements are below 400 bytes, so a lie costs 26 MB for a moment and not the process. Not zero,
/// because the same encoding also carries tags, whose numbers say nothing about lengths.
const SLACK: usize = 64 << 10;

/// A response body that refuses array lengths no body of its size can hold.
///
/// The codec (`kafka-protocol` 0.18, `types.rs`) calls `Vec::with_capacity` with whatever length it reads, so a peer
/// that is broken, or no Kafka broker at all, could end the process by a failed allocation. In the flexible encoding
/// (all that Kafka 2.8 and later speak, apart from the SASL handshake) a length is the only thing sent as a varint,
/// which makes it possible to check it here, on its way to the codec.
#[derive(Debug)]
pub(crate) struct Guarded {
    bytes: Bytes,
    varint: u64,
    shift: u32,
    plain_lengths: bool,
}

impl Guarded {
    /// Guards a body in the flexible encoding.
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes, varint: 0, shift: 0, plain_lengths: false }
    }

    /// Guards a body in the old encoding whose only 32-bit fields are lengths.
    pub(crate) fn with_plain_lengths(bytes: Bytes) -> Self {
        Self { plain_lengths: true, ..Self::new(bytes) }
    }

    fn check(&self, claimed: u64) -> Result<(), TryGetError> {
        let (claimed, available) = (usize::try_from(claimed).unwrap_or(usize::MAX), self.bytes.len());
        if claimed > available.saturating_add(SLACK) {
            return Err(TryGetError { requested: claimed, available });
        }
        Ok(())
    }
}

impl Buf for Guarded {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }

    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        let byte = self.bytes.try_get_u8()?;
        self.varint |= u64::from(byte & 0x7f) << self.shift;
        // The codec reads five bytes at most, whatever the fifth says. (Booleans come this way too; they are small.)
        if byte < 0x80 || self.shift == 28 {
            let value = std::mem::take(&mut self.varint);
            self.shift = 0;
            self.check(value)?;
        } else {
            self.shift += 7;
        }
        Ok(byte)
    }

    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        let value = self.bytes.try_get_i32()?;
        if self.plain_lengths {
            self.check(u64::try_from(value).unwrap_or(0))?;
        }
        Ok(value)
    }
}

impl ByteBuf for Guarded {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.bytes.slice(range)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        self.bytes.split_to(size)
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{
        ConsumerGroupHeartbeatResponse, CreateTopicsResponse, FindCoordinatorResponse, JoinGroupResponse,
        ListOffsetsResponse, MetadataResponse, OffsetCommitResponse, OffsetFetchResponse, ProduceResponse,
        SaslHandshakeResponse,
    };
    use kafka_protocol::protocol::{Decodable, Encodable, Message};

    use super::*;

    #[test]
    fn a_lying_array_length_is_an_error_and_no_allocation() {
        // throttle_time_ms, then a compact array that claims 2^32 - 2 brokers of some 100 bytes each.
        let body = Bytes::from_static(&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert!(MetadataResponse::decode(&mut Guarded::new(body), 12).is_err());
    }

    #[test]
    fn a_lying_array_length_in_the_old_encoding_is_an_error() {
        let body = Bytes::from_static(&[0, 0, 0x7f, 0xff, 0xff, 0xff]);
        assert!(SaslHandshakeResponse::decode(&mut Guarded::with_plain_lengths(body), 1).is_err());
    }

    #[test]
    fn an_honest_body_decodes_as_without_a_guard() {
        let mut response = MetadataResponse::default();
        response.throttle_time_ms = i32::MAX;
        response.cluster_id = Some("x".repeat(300).into());
        let mut bytes = bytes::BytesMut::new();
        response.encode(&mut bytes, 12).unwrap();
        assert_eq!(MetadataResponse::decode(&mut Guarded::new(bytes.freeze()), 12).unwrap(), response);
    }

    /// Decodes `body` and forgets the result: whether it decodes does not matter, that it returns does.
    fn survives<M: Decodable + Message>(body: &Bytes) {
        // The flexible versions, by and large; in older ones the codec is on its own.
        for version in M::VERSIONS.max.saturating_sub(1)..=M::VERSIONS.max {
            M::decode(&mut Guarded::new(body.clone()), version).ok();
        }
    }

    #[test]
    fn random_bytes_never_end_the_process() {
        use rand::{RngExt, SeedableRng};
        let mut random = rand::rngs::StdRng::seed_from_u64(7);
        for _ in 0..10_000 {
            let mut body = vec![0; random.random_range(0..200)];
            random.fill(&mut body[..]);
            // Lengths are found sooner in what is mostly zeros.
            let keep: u8 = random.random();
            for byte in &mut body {
                *byte &= if random.random::<u8>() < keep { 0xff } else { 0 };
            }
            let body = Bytes::from(body);
            survives::<MetadataResponse>(&body);
            survives::<FindCoordinatorResponse>(&body);
            survives::<ListOffsetsResponse>(&body);
            survives::<OffsetFetchResponse>(&body);
            survives::<OffsetCommitResponse>(&body);
            survives::<JoinGroupResponse>(&body);
            survives::<ConsumerGroupHeartbeatResponse>(&body);
            survives::<ProduceResponse>(&body);
            survives::<CreateTopicsResponse>(&body);
            SaslHandshakeResponse::decode(&mut Guarded::with_plain_lengths(body), 1).ok();
        }
    }
}
