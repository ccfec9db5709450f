use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{FetchRequest, TopicName};
use kafka_protocol::protocol::Encodable as _;
use tokio::time::Instant;
use uuid::Uuid;

use super::super::bounded_buf::Malformed;
use super::super::cluster::Cluster;
use super::super::log::{OutOfRange, Slice};
use super::super::reply::Segments;
use super::super::topic::Partition;
use super::super::waiters::Wait;
use super::dispatch::Call;

/// Versions from this one on have compact lengths and tagged fields.
const FLEXIBLE: i16 = 12;
/// Versions from this one on name topics by id.
const IDS: i16 = 13;
/// Versions from this one on have sessions.
const SESSIONS: i16 = 7;

const READ_COMMITTED: i8 = 1;

/// A partition that is asked for.
#[derive(Debug, Clone)]
struct Wanted {
    /// `None` if there is none.
    partition: Option<Arc<Partition>>,
    /// The error if there is none.
    missing: ResponseError,
    fetch: FetchPartition,
}

/// What is answered for a partition.
#[derive(Debug)]
struct Found {
    error: Option<ResponseError>,
    high_watermark: i64,
    start_offset: i64,
    slice: Slice,
}

/// Reads from logs; waits until there is enough to read or the client's patience ends.
pub(super) async fn fetch(call: &Call<'_>) -> Result<Segments, Malformed> {
    let mut request: FetchRequest = call.request()?;
    if request.session_id != 0 {
        // We keep no sessions, as Kafka does when its cache of them is full: every answer says session 0, and the
        // client goes on naming all its partitions.
        return encode(call, ResponseError::FetchSessionIdNotFound.code(), &request, &[], Vec::new());
    }
    let topics = std::mem::take(&mut request.topics);
    let wanted: Arc<[Wanted]> = topics.iter().flat_map(|topic| wanted(call, topic)).collect();
    let max_bytes = usize::try_from(request.max_bytes).unwrap_or_default().min(call.cluster.options.max_fetch);
    let min_bytes = usize::try_from(request.min_bytes).unwrap_or_default().min(max_bytes);
    let deadline = Instant::now() + Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or_default());

    let mut found = read(call.cluster, &wanted, max_bytes).await;
    if !is_enough(&found, min_bytes) && deadline > Instant::now() {
        found = wait(call.cluster, &wanted, max_bytes, min_bytes, deadline).await;
    }
    let total = found.iter().map(|found| found.slice.len()).sum();
    let room = call.cluster.answer_room(total).await;
    let found = call.cluster.blocking(move |_| found.into_iter().map(load).collect::<Vec<_>>()).await;
    let reply = encode(call, 0, &request, &topics, found);
    drop(room);
    reply
}

fn wanted(call: &Call<'_>, topic: &FetchTopic) -> Vec<Wanted> {
    let known = call.topic(&topic.topic, topic.topic_id);
    let partitions = known.as_ref().map(|topic| topic.partitions());
    let missing = match &known {
        None if call.version >= IDS => ResponseError::UnknownTopicId,
        None | Some(_) => ResponseError::UnknownTopicOrPartition,
    };
    let wanted = |fetch: &FetchPartition| {
        let index = usize::try_from(fetch.partition).ok();
        let partition = index.and_then(|index| partitions.as_ref()?.get(index)).cloned();
        Wanted { partition, missing, fetch: fetch.clone() }
    };
    topic.partitions.iter().map(wanted).collect()
}

/// Whether to answer now: there is enough, or something is wrong, or nothing was asked for.
fn is_enough(found: &[Found], min_bytes: usize) -> bool {
    let bytes: usize = found.iter().map(|found| found.slice.len()).sum();
    bytes >= min_bytes || found.is_empty() || found.iter().any(|found| found.error.is_some())
}

async fn read(cluster: &Arc<Cluster>, wanted: &Arc<[Wanted]>, max_bytes: usize) -> Vec<Found> {
    let wanted = Arc::clone(wanted);
    cluster.blocking(move |_| find(&wanted, max_bytes)).await
}

/// What there is to read now. The first partition that has anything gives at least one batch, however large, so that
/// every client gets on.
fn find(wanted: &[Wanted], max_bytes: usize) -> Vec<Found> {
    let mut left = max_bytes;
    let mut is_first = true;
    let mut find = |wanted: &Wanted| {
        let Some(partition) = &wanted.partition else { return Found::error(wanted.missing) };
        let fetch = &wanted.fetch;
        // Ours is 0 and never grows.
        if fetch.current_leader_epoch > 0 {
            return Found::error(ResponseError::UnknownLeaderEpoch);
        }
        let log = partition.log();
        let most = usize::try_from(fetch.partition_max_bytes).unwrap_or_default().min(left);
        match log.read(fetch.fetch_offset, most, is_first) {
            Ok(Ok(slice)) => {
                left = left.saturating_sub(slice.len());
                is_first &= slice.len() == 0;
                Found { error: None, high_watermark: log.end_offset(), start_offset: log.start_offset(), slice }
            }
            Ok(Err(OutOfRange)) => Found::error(ResponseError::OffsetOutOfRange),
            Err(error) => Found::failed(&error),
        }
    };
    wanted.iter().map(&mut find).collect()
}

/// Waits until the partitions have grown enough, then reads again.
async fn wait(
    cluster: &Arc<Cluster>,
    wanted: &Arc<[Wanted]>,
    max_bytes: usize,
    min_bytes: usize,
    deadline: Instant,
) -> Vec<Found> {
    loop {
        let entered = Entered::new(wanted, Wait::new(min_bytes as i64));
        // Once more after entering, so that nothing that comes in between is missed.
        let found = read(cluster, wanted, max_bytes).await;
        if is_enough(&found, min_bytes) {
            return found;
        }
        let there: usize = found.iter().map(|found| found.slice.len()).sum();
        entered.wait.grown(there as i64);
        drop(found);
        let in_time = tokio::time::timeout_at(deadline, entered.wait.enough()).await.is_ok();
        drop(entered);
        let found = read(cluster, wanted, max_bytes).await;
        if !in_time || is_enough(&found, min_bytes) {
            return found;
        }
    }
}

/// A fetch that waits at its partitions, until it is dropped.
struct Entered<'a> {
    wanted: &'a [Wanted],
    wait: Arc<Wait>,
}

impl<'a> Entered<'a> {
    fn new(wanted: &'a [Wanted], wait: Arc<Wait>) -> Self {
        for partition in wanted.iter().filter_map(|wanted| wanted.partition.as_ref()) {
            partition.waiters.enter(&wait);
        }
        Self { wanted, wait }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        for partition in self.wanted.iter().filter_map(|wanted| wanted.partition.as_ref()) {
            partition.waiters.leave(&self.wait);
        }
    }
}

impl Found {
    fn error(error: ResponseError) -> Self {
        Self { error: Some(error), high_watermark: -1, start_offset: -1, slice: Slice::EMPTY }
    }

    fn failed(error: &io::Error) -> Self {
        tracing::error!(%error, "a log could not be read");
        Self::error(ResponseError::KafkaStorageError)
    }
}

fn load(found: Found) -> (Found, Bytes) {
    let Found { slice, .. } = found;
    match slice.load() {
        Ok(bytes) => (Found { slice: Slice::EMPTY, ..found }, bytes),
        // Retention or a deletion came in between; the client asks again and is told.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            (Found::error(ResponseError::UnknownTopicOrPartition), Bytes::new())
        }
        Err(error) => (Found::failed(&error), Bytes::new()),
    }
}

/// The response, with the records handed on by reference: the codec would copy each into its buffer.
fn encode(
    call: &Call<'_>,
    error_code: i16,
    request: &FetchRequest,
    topics: &[FetchTopic],
    found: Vec<(Found, Bytes)>,
) -> Result<Segments, Malformed> {
    let version = call.version;
    let mut reply = call.reply()?;
    // Throttle time.
    reply.tail().put_i32(0);
    if version >= SESSIONS {
        reply.tail().put_i16(error_code);
        // Session.
        reply.tail().put_i32(0);
    }
    let mut found = found.into_iter();
    put_count(reply.tail(), topics.len(), version);
    for topic in topics {
        put_topic(reply.tail(), &topic.topic, topic.topic_id, version);
        put_count(reply.tail(), topic.partitions.len(), version);
        for fetch in &topic.partitions {
            let Some((found, records)) = found.next() else { break };
            let partition = PartitionData::default()
                .with_partition_index(fetch.partition)
                .with_error_code(found.error.map_or(0, |error| error.code()))
                .with_high_watermark(found.high_watermark)
                .with_last_stable_offset(found.high_watermark)
                .with_log_start_offset(found.start_offset)
                .with_aborted_transactions((request.isolation_level == READ_COMMITTED).then(Vec::new))
                .with_records(Some(Bytes::new()));
            // The records are the last field: the codec writes them empty, which is taken back, and ours put in place.
            partition.encode(reply.tail(), version).map_err(|error| Malformed(format!("{error:#}")))?;
            let ending = if version >= FLEXIBLE { 2 } else { 4 };
            let end = reply.tail().len() - ending;
            reply.tail().truncate(end);
            put_count(reply.tail(), records.len(), version);
            reply.share(records);
            put_tags(reply.tail(), version);
        }
        put_tags(reply.tail(), version);
    }
    put_tags(reply.tail(), version);
    Ok(reply.finish())
}

fn put_topic(buf: &mut BytesMut, name: &TopicName, id: Uuid, version: i16) {
    if version >= IDS {
        buf.put_slice(id.as_bytes());
    } else if version >= FLEXIBLE {
        put_count(buf, name.len(), version);
        buf.put_slice(name.as_bytes());
    } else {
        buf.put_i16(name.len() as i16);
        buf.put_slice(name.as_bytes());
    }
}

/// A length: as a varint one above it, or plain in 32 bits.
fn put_count(buf: &mut BytesMut, count: usize, version: i16) {
    if version < FLEXIBLE {
        buf.put_i32(count as i32);
        return;
    }
    let mut rest = count as u32 + 1;
    while rest >= 0x80 {
        buf.put_u8(rest as u8 | 0x80);
        rest >>= 7;
    }
    buf.put_u8(rest as u8);
}

/// No tagged fields.
fn put_tags(buf: &mut BytesMut, version: i16) {
    if version >= FLEXIBLE {
        buf.put_u8(0);
    }
}
