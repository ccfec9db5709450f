//! What members of a classic consumer group tell each other through JoinGroup and SyncGroup.
//!
//! The broker passes these bytes on unread. They are written as the Java client writes them (versions 0 to 3 of
//! ConsumerProtocolSubscription and ConsumerProtocolAssignment, Kafka 4.1), and read from anyone: a length is never
//! believed, for another member of the group may be broken. (Hence not the codec crate's decoders, which allocate
//! whatever length they read.)

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut, TryGetError};
use data::TopicPartition;

/// The highest version that we write and understand. Later ones only append fields, and are read as this one.
const VERSION: i16 = 3;

/// What a member wants and has, as it stands in its JoinGroup request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// The topics it wants.
    pub(crate) topics: BTreeSet<Arc<str>>,
    /// What it has and would like to keep. Empty from a member that gives everything up before it joins.
    pub(crate) owned: BTreeSet<TopicPartition>,
    /// The generation in which it got them; -1 if it does not say.
    pub(crate) generation: i32,
    /// Where it stands (`client.rack`).
    pub(crate) rack: Option<Arc<str>>,
    /// The assignor's own note.
    pub(crate) user_data: Option<Bytes>,
}

/// Why bytes of another member cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    #[error("it ends too early")]
    Short,
    #[error("version {0} is not one")]
    Version(i16),
    #[error("length {0} is not one")]
    Length(i32),
    #[error("a name is not UTF-8")]
    Utf8,
}

impl From<TryGetError> for WireError {
    fn from(_: TryGetError) -> Self {
        Self::Short
    }
}

impl Subscription {
    /// The bytes, in version 3.
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i16(VERSION);
        out.put_i32(self.topics.len() as i32);
        for topic in &self.topics {
            put_string(&mut out, topic);
        }
        put_bytes(&mut out, self.user_data.as_deref());
        put_partitions(&mut out, &self.owned);
        out.put_i32(self.generation);
        match &self.rack {
            Some(rack) => put_string(&mut out, rack),
            None => out.put_i16(-1),
        }
        out.freeze()
    }

    /// Reads any version.
    pub(crate) fn decode(mut bytes: Bytes) -> Result<Self, WireError> {
        let version = version(&mut bytes)?;
        let topics = array(&mut bytes, string)?.into_iter().collect();
        let user_data = nullable_bytes(&mut bytes)?;
        let owned = if version >= 1 { partitions(&mut bytes)? } else { BTreeSet::new() };
        let generation = if version >= 2 { bytes.try_get_i32()? } else { -1 };
        let rack = if version >= 3 { nullable_string(&mut bytes)? } else { None };
        Ok(Self { topics, owned, generation, rack, user_data })
    }
}

/// The bytes of an assignment.
pub(crate) fn encode_assignment(assigned: &BTreeSet<TopicPartition>) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(VERSION);
    put_partitions(&mut out, assigned);
    put_bytes(&mut out, None);
    out.freeze()
}

/// Reads an assignment. No bytes at all mean that nothing is assigned, as for a member that the leader did not know of.
pub(crate) fn decode_assignment(mut bytes: Bytes) -> Result<BTreeSet<TopicPartition>, WireError> {
    if bytes.is_empty() {
        return Ok(BTreeSet::new());
    }
    version(&mut bytes)?;
    partitions(&mut bytes)
}

/// The note of `cooperative-sticky`: the generation, for members whose subscription has no field for it.
pub(crate) fn encode_generation(generation: i32) -> Bytes {
    Bytes::copy_from_slice(&generation.to_be_bytes())
}

/// Reads the note of `cooperative-sticky`.
pub(crate) fn decode_generation(mut bytes: Bytes) -> Result<i32, WireError> {
    Ok(bytes.try_get_i32()?)
}

/// The note of `sticky`: what the member had, and since which generation.
pub(crate) fn encode_previous(previous: &BTreeSet<TopicPartition>, generation: i32) -> Bytes {
    let mut out = BytesMut::new();
    put_partitions(&mut out, previous);
    out.put_i32(generation);
    out.freeze()
}

/// Reads the note of `sticky`; its first version had no generation.
pub(crate) fn decode_previous(mut bytes: Bytes) -> Result<(BTreeSet<TopicPartition>, i32), WireError> {
    let previous = partitions(&mut bytes)?;
    let generation = if bytes.is_empty() { -1 } else { bytes.try_get_i32()? };
    Ok((previous, generation))
}

fn put_string(out: &mut BytesMut, text: &str) {
    // Topic names and racks are far below the 32,767 bytes that fit.
    out.put_i16(text.len() as i16);
    out.put_slice(text.as_bytes());
}

fn put_bytes(out: &mut BytesMut, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            out.put_i32(bytes.len() as i32);
            out.put_slice(bytes);
        }
        None => out.put_i32(-1),
    }
}

fn put_partitions(out: &mut BytesMut, partitions: &BTreeSet<TopicPartition>) {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    out.put_i32(topics.len() as i32);
    for (topic, numbers) in topics {
        put_string(out, topic);
        out.put_i32(numbers.len() as i32);
        for number in numbers {
            out.put_i32(number);
        }
    }
}

fn version(bytes: &mut Bytes) -> Result<i16, WireError> {
    match bytes.try_get_i16()? {
        version @ 0.. => Ok(version.min(VERSION)),
        version => Err(WireError::Version(version)),
    }
}

fn array<T>(bytes: &mut Bytes, item: impl Fn(&mut Bytes) -> Result<T, WireError>) -> Result<Vec<T>, WireError> {
    let length = bytes.try_get_i32()?;
    // Null is written for empty by some.
    let length = if length == -1 { 0 } else { usize::try_from(length).map_err(|_| WireError::Length(length))? };
    // An item has at least two bytes, so a lie about the length ends here and not in the allocator.
    if length > bytes.len() {
        return Err(WireError::Short);
    }
    (0..length).map(|_| item(bytes)).collect()
}

fn string(bytes: &mut Bytes) -> Result<Arc<str>, WireError> {
    nullable_string(bytes)?.ok_or(WireError::Length(-1))
}

fn nullable_string(bytes: &mut Bytes) -> Result<Option<Arc<str>>, WireError> {
    let length = bytes.try_get_i16()?;
    if length == -1 {
        return Ok(None);
    }
    let text = take(bytes, i32::from(length))?;
    Ok(Some(std::str::from_utf8(&text).map_err(|_| WireError::Utf8)?.into()))
}

fn nullable_bytes(bytes: &mut Bytes) -> Result<Option<Bytes>, WireError> {
    let length = bytes.try_get_i32()?;
    if length == -1 { Ok(None) } else { take(bytes, length).map(Some) }
}

fn take(bytes: &mut Bytes, length: i32) -> Result<Bytes, WireError> {
    let length = usize::try_from(length).map_err(|_| WireError::Length(length))?;
    if length > bytes.len() {
        return Err(WireError::Short);
    }
    Ok(bytes.split_to(length))
}

fn partitions(bytes: &mut Bytes) -> Result<BTreeSet<TopicPartition>, WireError> {
    let topics = array(bytes, |bytes| Ok((string(bytes)?, array(bytes, |bytes| Ok(bytes.try_get_i32()?))?)))?;
    let each = |(topic, numbers): (Arc<str>, Vec<i32>)| {
        numbers.into_iter().map(move |number| TopicPartition { topic: topic.clone(), partition: number })
    };
    Ok(topics.into_iter().flat_map(each).collect())
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::consumer_protocol_assignment::ConsumerProtocolAssignment;
    use kafka_protocol::messages::consumer_protocol_subscription::ConsumerProtocolSubscription;
    use kafka_protocol::protocol::{Decodable, Encodable};
    use proptest::prelude::*;

    use super::*;

    fn some(topic: &str, numbers: &[i32]) -> BTreeSet<TopicPartition> {
        numbers.iter().map(|number| TopicPartition::new(topic, *number)).collect()
    }

    fn subscription() -> Subscription {
        Subscription {
            topics: ["orders".into(), "returns".into()].into(),
            owned: &some("orders", &[0, 7]) | &some("returns", &[3]),
            generation: 12,
            rack: Some("b".into()),
            user_data: Some(encode_generation(12)),
        }
    }

    #[test]
    fn a_subscription_is_what_the_published_schema_says() {
        let mut bytes = subscription().encode();
        assert_eq!(bytes.get_i16(), 3);
        let read = ConsumerProtocolSubscription::decode(&mut bytes, 3).unwrap();
        assert!(bytes.is_empty());
        assert_eq!(read.topics.iter().map(|topic| &**topic).collect::<Vec<_>>(), ["orders", "returns"]);
        assert_eq!(read.owned_partitions[0].partitions, [0, 7]);
        assert_eq!(&**read.owned_partitions[1].topic, "returns");
        assert_eq!((read.generation_id, read.rack_id.as_deref()), (12, Some("b")));
        assert_eq!(read.user_data.as_deref(), Some(&[0, 0, 0, 12][..]));
    }

    #[test]
    fn every_version_of_a_subscription_is_read() {
        for version in 0..=3 {
            let mut message = ConsumerProtocolSubscription::default().with_topics(vec!["orders".to_string().into()]);
            if version >= 1 {
                let owned = kafka_protocol::messages::consumer_protocol_subscription::TopicPartition::default()
                    .with_topic(kafka_protocol::messages::TopicName("orders".to_string().into()))
                    .with_partitions(vec![4]);
                message = message.with_owned_partitions(vec![owned]);
            }
            if version >= 2 {
                message = message.with_generation_id(9);
            }
            let mut bytes = BytesMut::new();
            bytes.put_i16(version);
            message.encode(&mut bytes, version).unwrap();
            let read = Subscription::decode(bytes.freeze()).unwrap();
            assert_eq!(read.topics, ["orders".into()].into());
            assert_eq!(read.owned, if version >= 1 { some("orders", &[4]) } else { BTreeSet::new() });
            assert_eq!(read.generation, if version >= 2 { 9 } else { -1 });
        }
    }

    #[test]
    fn a_later_version_is_read_as_the_latest_known_one() {
        let mut bytes = BytesMut::from(&subscription().encode()[..]);
        bytes[..2].copy_from_slice(&7_i16.to_be_bytes());
        bytes.put_slice(b"whatever comes then");
        assert_eq!(Subscription::decode(bytes.freeze()).unwrap(), subscription());
    }

    #[test]
    fn an_assignment_is_what_the_published_schema_says() {
        let assigned = &some("orders", &[1, 2]) | &some("returns", &[0]);
        let mut bytes = encode_assignment(&assigned);
        assert_eq!(decode_assignment(bytes.clone()).unwrap(), assigned);
        assert_eq!(bytes.get_i16(), 3);
        let read = ConsumerProtocolAssignment::decode(&mut bytes, 3).unwrap();
        assert_eq!(read.assigned_partitions[0].partitions, [1, 2]);
        assert_eq!(read.user_data, None);
    }

    #[test]
    fn no_bytes_assign_nothing() {
        assert_eq!(decode_assignment(Bytes::new()), Ok(BTreeSet::new()));
    }

    #[test]
    fn the_note_of_sticky_comes_back() {
        let previous = some("orders", &[3, 5]);
        assert_eq!(decode_previous(encode_previous(&previous, 4)), Ok((previous, 4)));
    }

    #[test]
    fn a_length_that_lies_is_refused_before_anything_is_allocated() {
        let read = |bytes: &[&[u8]]| {
            let bytes = Bytes::from(bytes.concat());
            (Subscription::decode(bytes.clone()).unwrap_err(), decode_assignment(bytes).unwrap_err())
        };
        let (version, most): (&[u8], &[u8]) = (&[0, 3], &i32::MAX.to_be_bytes());
        // How many topics there are, for both.
        assert_eq!(read(&[version, most]), (WireError::Short, WireError::Short));
        assert_eq!(read(&[version, &[0x80, 0, 0, 0]]).1, WireError::Length(i32::MIN));
        // One topic "t", then how many partitions it has in the assignment, and the rest of it where one names topics.
        assert_eq!(read(&[version, &[0, 0, 0, 1], &[0, 1, b't'], most]), (WireError::Short, WireError::Short));
        // How long the name of the topic is.
        assert_eq!(read(&[version, &[0, 0, 0, 1], &[0x7f, 0xff]]), (WireError::Short, WireError::Short));
        assert_eq!(decode_previous(Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff])), Err(WireError::Short));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            // Whether it can be read does not matter here.
            Subscription::decode(bytes.clone()).ok();
            decode_assignment(bytes.clone()).ok();
            decode_previous(bytes.clone()).ok();
            decode_generation(bytes).ok();
        }

        #[test]
        fn a_cut_subscription_is_refused(length in 0..60_usize) {
            let bytes = subscription().encode();
            prop_assume!(length < bytes.len());
            prop_assert!(Subscription::decode(bytes.slice(..length)).is_err());
        }
    }
}
