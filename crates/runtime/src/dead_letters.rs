use std::sync::Arc;

use connectors::{ClientProperties, ConnectorPlan, DeadLetterQueue};
use fault::{Blame, Code, Diagnose, Fault, Retry};
use kafka::admin::NewTopic;
use kafka::config::{Problems, Properties};
use kafka::produce::{Producer, ProducerConfig, Record};
use kafka::{Cluster, ErrorCode};
use transit::{DeadLetter, DeadLetters, Header};

use crate::consumer;
use crate::msk::Tokens;
use crate::process::Process;

/// Reports unusable records as Connect's `errors.*` say: to the log, to a topic, to both, or to nobody.
#[derive(Debug)]
pub(crate) struct ConnectDeadLetters {
    connector: Arc<str>,
    log: bool,
    log_records: bool,
    queue: Option<Queue>,
}

#[derive(Debug)]
struct Queue {
    topic: Arc<str>,
    context_headers: bool,
    producer: Producer,
}

impl ConnectDeadLetters {
    /// Makes the topic if there is one to make, and a producer for it.
    pub(crate) async fn open(process: &Process, plan: &ConnectorPlan) -> Result<Self, Fault> {
        let errors = plan.errors();
        let queue = match &errors.dead_letters {
            None => None,
            Some(queue) => Some(open_queue(process, plan, queue).await?),
        };
        Ok(Self { connector: plan.name().into(), log: errors.log, log_records: errors.log_records, queue })
    }
}

async fn open_queue(process: &Process, plan: &ConnectorPlan, queue: &DeadLetterQueue) -> Result<Queue, Fault> {
    let (admin, _) = consumer::client(plan.admin(), process.tokens(plan, plan.admin())?)?;
    let admin = Cluster::connect(admin).await?;
    let topic: Arc<str> = queue.topic.as_str().into();
    let known = admin.all_topics().await?;
    if !known.topics.contains_key(&topic) {
        // One partition, as Connect makes it.
        let new = NewTopic {
            name: Arc::clone(&topic),
            partitions: 1,
            replication_factor: queue.replication_factor,
            configs: std::collections::BTreeMap::new(),
        };
        match admin.create_topic(&new).await {
            Ok(()) => tracing::info!(connector = plan.name(), topic = &*topic, "created the dead letters' topic"),
            // Another worker was faster.
            Err(error) if error.kafka_code().is_some_and(|code| code == ErrorCode::TOPIC_ALREADY_EXISTS) => {}
            Err(source) => return Err(Fault::new(NoQueue { topic: queue.topic.clone(), source })),
        }
    }
    let (client, config) = producer(plan.producer(), process.tokens(plan, plan.producer())?)?;
    let producer = Producer::new(Cluster::connect(client).await?, config);
    Ok(Queue { topic, context_headers: queue.context_headers, producer })
}

/// The settings of a producer.
pub(crate) fn producer(
    properties: &ClientProperties,
    tokens: Tokens,
) -> Result<(kafka::ClientConfig, ProducerConfig), Problems> {
    let mut properties = Properties::new(properties.as_map());
    let client = kafka::ClientConfig::read(&mut properties, tokens);
    let config = ProducerConfig::read(&mut properties);
    properties.finish()?;
    Ok((client, config))
}

impl DeadLetters for ConnectDeadLetters {
    async fn send(&self, letters: Vec<DeadLetter>) -> Result<(), Fault> {
        if self.log {
            for letter in &letters {
                self.write_log(letter);
            }
        }
        let Some(queue) = &self.queue else { return Ok(()) };
        let mut deliveries = Vec::with_capacity(letters.len());
        for letter in &letters {
            let context = if queue.context_headers { self.context(letter) } else { Vec::new() };
            let own = letter.headers.iter().map(|(key, value)| (key.as_bytes(), value.as_deref()));
            let about = context.iter().map(|(key, value)| (key.as_bytes(), Some(value.as_bytes())));
            let headers: Vec<Header<'_>> = own.chain(about).map(|(key, value)| Header { key, value }).collect();
            let record = Record {
                topic: &queue.topic,
                partition: None,
                key: letter.key.as_deref(),
                value: letter.value.as_deref(),
                headers: &headers,
                timestamp: (letter.timestamp >= 0).then_some(letter.timestamp),
            };
            deliveries.push(queue.producer.send(&record).await?);
        }
        for delivery in deliveries {
            delivery.acked().await?;
        }
        Ok(())
    }
}

impl ConnectDeadLetters {
    fn write_log(&self, letter: &DeadLetter) {
        let fault = &letter.fault;
        // The text of Connect's LogReporter: people have alerts on it.
        let text = format!(
            "Error encountered in task {}-0. Executing stage '{}' with class '{}'",
            self.connector,
            fault.stage.name(),
            fault.class
        );
        if self.log_records {
            tracing::error!(
                topic = &*letter.partition.topic,
                partition = letter.partition.partition,
                offset = letter.offset.0,
                timestamp = letter.timestamp,
                error = %fault,
                "{text}"
            );
        } else {
            // The exception with its cause, as Connect logs it whatever errors.log.include.messages says.
            tracing::error!(error = %fault, "{text}");
        }
    }

    /// The ten headers of Connect's DeadLetterQueueReporter.
    fn context(&self, letter: &DeadLetter) -> Vec<(&'static str, String)> {
        let fault = &letter.fault;
        vec![
            ("__connect.errors.topic", letter.partition.topic.to_string()),
            ("__connect.errors.partition", letter.partition.partition.to_string()),
            ("__connect.errors.offset", letter.offset.to_string()),
            ("__connect.errors.connector.name", self.connector.to_string()),
            ("__connect.errors.task.id", "0".to_owned()),
            ("__connect.errors.stage", fault.stage.name().to_owned()),
            ("__connect.errors.class.name", fault.class.to_owned()),
            ("__connect.errors.exception.class.name", fault.exception.to_owned()),
            ("__connect.errors.exception.message", fault.message.clone()),
            // Where Connect has a Java stack trace: its first line, and the cause's, which are what is read there.
            ("__connect.errors.exception.stacktrace", stacktrace(fault)),
        ]
    }
}

fn stacktrace(fault: &data::RecordFault) -> String {
    match &fault.cause {
        Some(cause) => format!("{}: {}\nCaused by: {cause}\n", fault.exception, fault.message),
        None => format!("{}: {}\n", fault.exception, fault.message),
    }
}

/// The topic of dead letters is missing and cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("could not create the dead letters' topic {topic}")]
struct NoQueue {
    topic: String,
    source: kafka::cluster::Error,
}

impl Diagnose for NoQueue {
    fn code(&self) -> Code {
        self.source.code()
    }
    fn blame(&self) -> Blame {
        self.source.blame()
    }
    fn retry(&self) -> Retry {
        self.source.retry()
    }
    fn hint(&self) -> Option<std::borrow::Cow<'static, str>> {
        match self.source.kafka_code() {
            // The classic trap: Connect's default of 3 replicas on a cluster of one broker.
            Some(code) if code.to_string() == "INVALID_REPLICATION_FACTOR" => Some(
                "set errors.deadletterqueue.topic.replication.factor to at most the number of brokers, or create the topic"
                    .into(),
            ),
            _ => self.source.hint(),
        }
    }
}
