use std::collections::HashMap;
use std::sync::Arc;

use data::{Offset, RecordFault, TopicPartition};
use kafka::ErrorCode;
use kafka::admin::Committed;
use kafka::cluster::Error;
use kafka::inspect::{GroupDescription, OpenTransaction};
use kafka::net;

/// What was learnt of Kafka. What was not tried is `None` or empty.
#[derive(Debug, Clone, Default)]
pub struct KafkaFacts {
    /// How the connector means to get in.
    pub way: KafkaWay,
    /// The bootstrap servers, each with how a connection to it went.
    pub doors: Vec<Door>,
    /// The brokers at the addresses that they advertise.
    pub brokers: Vec<Door>,
    /// The topics that are named, with what is wrong with each.
    pub topics: Vec<TopicFact>,
    /// The topics that were tried to be read, with why not.
    pub unreadable: Vec<(Arc<str>, ErrorCode)>,
    /// Transactions that nobody has ended for long, under `read_committed`.
    pub hanging: Vec<(TopicPartition, OpenTransaction)>,
    /// Why the group may not be used.
    pub group_error: Option<Error>,
    /// Who is in the group.
    pub group: Option<GroupDescription>,
    /// What the group has committed.
    pub committed: Option<HashMap<TopicPartition, Committed>>,
    /// Where the partitions begin and end, and what is committed, of those where that does not fit.
    pub misplaced: Vec<Misplaced>,
    /// Partitions without a committed offset, where `auto.offset.reset` is `none`.
    pub unplaced: Vec<TopicPartition>,
    /// What came of trying for the dead letters' topic.
    pub letters: LettersFacts,
    /// How the sample of records did.
    pub records: RecordsFacts,
}

/// How a connector means to get in.
#[derive(Debug, Clone, Default)]
pub struct KafkaWay {
    /// `bootstrap.servers`.
    pub servers: String,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Whether it has a certificate to show.
    pub certificate: bool,
    /// The SASL mechanism, if it logs in.
    pub mechanism: Option<&'static str>,
    /// Who it is to the brokers, as ACLs name it, if that can be told: `User:orders`.
    pub principal: Option<String>,
    /// Whether it is known by IAM (Amazon MSK).
    pub iam: bool,
}

/// A broker's address, and how a connection to it went.
#[derive(Debug, Clone)]
pub struct Door {
    /// `host:port`.
    pub address: Arc<str>,
    /// Its node id, where it was learnt from the cluster.
    pub node: Option<i32>,
    /// Why there was none.
    pub error: Option<net::Error>,
    /// The mechanisms that it offers, where its own word was asked for; empty if it takes no login.
    pub mechanisms: Option<Vec<String>>,
    /// Whether it speaks Kafka without TLS, where that was tried.
    pub plain: Option<bool>,
    /// Whether the password is good for the other of the SCRAM hashes, where that was tried.
    pub other_scram: Option<bool>,
}

/// A topic that is named, and what is wrong with it.
#[derive(Debug, Clone)]
pub struct TopicFact {
    /// Its name.
    pub name: Arc<str>,
    /// Kafka's code; `None` if it is there.
    pub code: Option<ErrorCode>,
    /// A topic that may be meant.
    pub close: Option<String>,
    /// Its partitions that nobody leads.
    pub leaderless: Vec<i32>,
}

/// A committed offset that its partition does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misplaced {
    /// Which partition.
    pub partition: TopicPartition,
    /// What is committed.
    pub committed: Offset,
    /// The first offset that is there.
    pub earliest: Offset,
    /// The offset behind the last record.
    pub latest: Offset,
    /// The leader epoch that was committed with it; -1 if none was.
    pub committed_epoch: i32,
    /// The leader epoch now; -1 if it is not known.
    pub epoch: i32,
}

impl Misplaced {
    /// Whether its partition is another than the one that was read: it has not come as far, or its epochs begin anew.
    pub fn is_of_another_log(&self) -> bool {
        self.committed > self.latest || (self.epoch >= 0 && self.committed_epoch > self.epoch)
    }
}

/// What came of trying for the dead letters' topic.
#[derive(Debug, Clone, Default)]
pub struct LettersFacts {
    /// Its name.
    pub topic: String,
    /// How many replicas it is to have if it is made.
    pub replicas: i16,
    /// Why no connection was had with the producer's settings.
    pub connection: Option<Error>,
    /// Why it could not be made, where it is not there.
    pub create: Option<Error>,
    /// Why it may not be written.
    pub write: Option<Error>,
    /// Why it may not be written idempotently.
    pub idempotence: Option<Error>,
    /// How many brokers there are.
    pub brokers: usize,
}

/// How a sample of records did.
#[derive(Debug, Clone, Default)]
pub struct RecordsFacts {
    /// How many were tried.
    pub tried: u64,
    /// How many of them do not convert, route or encode.
    pub bad: u64,
    /// The first of these.
    pub first: Option<BadRecord>,
    /// How many of the values begin as one with a schema's number in front does.
    pub with_schema_id: u64,
    /// The first such number.
    pub schema_id: Option<u32>,
    /// The first batch that cannot be read, as text.
    pub damaged: Option<String>,
}

/// A record that cannot be used.
#[derive(Debug, Clone)]
pub struct BadRecord {
    /// Where it is.
    pub partition: TopicPartition,
    /// At which offset.
    pub offset: Offset,
    /// Why not.
    pub fault: RecordFault,
    /// The schema's number in front of the part that does not convert, if there seems to be one.
    pub schema_id: Option<u32>,
}
