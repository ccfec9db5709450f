use data::{Offset, RecordFault, RecordView, TopicPartition};
use fault::Fault;

/// What happens to a record that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// Whether the task goes on behind it (`errors.tolerance=all`).
    pub tolerate: bool,
    /// Whether it is handed to [`DeadLetters`]: as in Connect, also when it is not tolerated.
    pub report: bool,
}

/// A record that could not be used, as it came, and why. Owned: these are rare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it was read.
    pub partition: TopicPartition,
    /// Its place there.
    pub offset: Offset,
    /// Its timestamp in milliseconds, -1 for none.
    pub timestamp: i64,
    /// Its key's bytes.
    pub key: Option<Vec<u8>>,
    /// Its value's bytes.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// What is wrong with it.
    pub fault: RecordFault,
}

impl DeadLetter {
    /// Copies `record`.
    pub fn new(partition: &TopicPartition, record: &RecordView<'_>, fault: RecordFault) -> Self {
        let header = |header: data::Header<'_>| {
            (String::from_utf8_lossy(header.key).into_owned(), header.value.map(<[u8]>::to_vec))
        };
        Self {
            partition: partition.clone(),
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.iter().map(header).collect(),
            fault,
        }
    }

    /// Bytes of memory held.
    pub fn size(&self) -> usize {
        let bytes = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers: usize = self.headers.iter().map(|(key, value)| key.len() + bytes(value) + 48).sum();
        size_of::<Self>() + bytes(&self.key) + bytes(&self.value) + headers + self.fault.message.len()
    }
}

/// Where dead letters go: a log, a topic, both, or nowhere.
pub trait DeadLetters: Send + Sync + 'static {
    /// Makes them durable there. The offsets behind them are committed only after this has returned.
    fn send(&self, letters: Vec<DeadLetter>) -> impl Future<Output = Result<(), Fault>> + Send;
}
