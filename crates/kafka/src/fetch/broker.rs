use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use data::TopicPartition;
use kafka_protocol::messages::{FetchRequest, FetchResponse};
use tokio::time::Instant;
use transit::Budget;

use super::fetcher::LEAST_REQUEST;
use super::partitions::{Partitions, ResponsePermits, Wanted};
use super::session::{Session, TOPIC_IDS};
use crate::ErrorCode;
use crate::cluster::{Cluster, Error, Purpose};
use crate::net;

/// How long a broker may wait for new records while a partition that is left out of the request may catch up any moment:
/// its next request cannot leave before this one is answered.
const WAIT_WHILE_OTHERS_ARE_BEHIND: Duration = Duration::from_millis(10);
/// The first version that knows `last_fetched_epoch`.
const LAST_EPOCH: i16 = 12;
/// Fetching stops here, though fetched records have their own share: what was made of records must find room to leave.
/// Above the level at which tasks begin to make room by cutting early, or neither would ever go on.
const WHOLE_SHARE: f64 = 0.9;

/// Fetches from broker `node`, one request at a time, whatever it leads of ours; for ever.
///
/// One request at a time, because the next offsets are known only from the answer. The answer is handed over whole and at
/// once, so the next request is under way while the records of this one are worked on.
pub(super) async fn run(node: i32, partitions: Arc<Partitions>, cluster: Cluster, budget: Budget, share: Budget) {
    let mut broker = Broker { node, partitions, cluster, session: Session::default(), size: LEAST_REQUEST };
    let mut backoff = broker.cluster.retry_backoff();
    loop {
        broker.partitions.until_askable(node).await;
        let size = broker.size;
        let permits =
            ResponsePermits { share: share.take(size, 1.0).await, whole: budget.take(size, WHOLE_SHARE).await };
        match broker.fetch(permits).await {
            Ok(()) => backoff.reset(),
            Err(error) if !error.is_retriable() => {
                broker.partitions.fail(error.into());
                return;
            }
            Err(error) => {
                let pause = backoff.next_pause();
                tracing::warn!(broker = node, ?pause, error = %fault::Chain(&error), "fetch failed, trying again");
                broker.session.lost();
                broker.partitions.lost_broker(node, Instant::now() + pause);
            }
        }
    }
}

struct Broker {
    node: i32,
    partitions: Arc<Partitions>,
    cluster: Cluster,
    session: Session,
    /// What the next request asks for, in bytes.
    size: usize,
}

impl Broker {
    async fn fetch(&mut self, mut permits: ResponsePermits) -> Result<(), Error> {
        // Not before the waiting for room: meanwhile partitions may have come and gone.
        let Wanted { mut asks, others_are_behind } = self.partitions.wanted(self.node);
        if asks.is_empty() {
            return Ok(());
        }
        let connection = self.cluster.node(self.node, Purpose::Fetch).await?;
        let options = &self.partitions.options;
        let wait =
            if others_are_behind { WAIT_WHILE_OTHERS_ARE_BEHIND.min(options.max_wait) } else { options.max_wait };
        // A topic without an id (of a cluster that was upgraded and not finalised) can only be asked for by name.
        let by_name = asks.iter().any(|(_, ask)| ask.topic_id.is_nil());
        let call = net::Options {
            max_version: by_name.then_some(TOPIC_IDS - 1),
            timeout: Some(wait + self.cluster.config().request_timeout),
        };
        let version = connection.version::<FetchRequest>(call.max_version)?;
        if version < LAST_EPOCH {
            for (_, ask) in &mut asks {
                ask.last_epoch = -1;
            }
        }
        let request = self
            .session
            .request(&asks, version)
            .with_isolation_level(options.isolation.number())
            .with_max_wait_ms(wait.as_millis() as i32)
            .with_min_bytes(options.min_bytes.min(self.size) as i32)
            .with_max_bytes(self.size as i32);
        let raw = connection.call_raw(&request, call).await?;
        let bytes = raw.body.len();
        permits.resize(bytes);
        // Twice what came, so that a request reserves no more than it may need, and soon reaches what there is.
        self.size = (bytes * 2).clamp(LEAST_REQUEST, self.partitions.max_bytes);
        let response = connection.decode::<FetchRequest>(raw)?;
        self.take_in(response, asks, permits);
        Ok(())
    }

    fn take_in(
        &mut self,
        response: FetchResponse,
        asks: Vec<(TopicPartition, super::session::Ask)>,
        permits: ResponsePermits,
    ) {
        if let Err(code) = self.session.answered(&response) {
            let expected =
                [ErrorCode::FETCH_SESSION_ID_NOT_FOUND, ErrorCode::INVALID_FETCH_SESSION_EPOCH].contains(&code);
            if expected {
                tracing::debug!(broker = self.node, %code, "beginning a new fetch session");
            } else {
                tracing::warn!(broker = self.node, %code, "beginning a new fetch session");
            }
            return;
        }
        let asks: HashMap<_, _> = asks.into_iter().collect();
        let permits = Arc::new(permits);
        for topic in response.responses {
            let Some(name) = self.session.topic(&topic.topic, topic.topic_id) else { continue };
            for data in topic.partitions {
                let partition = TopicPartition::new(name.clone(), data.partition_index);
                if let Some(ask) = asks.get(&partition) {
                    self.partitions.answered(&partition, ask, data, &permits);
                }
            }
        }
    }
}
