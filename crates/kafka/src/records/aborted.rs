use std::collections::HashSet;

/// An aborted transaction, as a Fetch response under `read_committed` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// The producer whose transaction it was.
    pub producer_id: i64,
    /// The first offset of the transaction; its end is where the producer's next abort marker is.
    pub first_offset: i64,
}

/// Which transactional batches are of aborted transactions, batch after batch in the order of their offsets.
///
/// The algorithm of the Java consumer (`CompletedFetch`): a transaction of the response's list counts as open from its
/// first offset on, until the abort marker of its producer.
#[derive(Debug, Default, Clone)]
pub(super) struct AbortedFilter {
    /// Those that have not begun yet, the earliest last.
    ahead: Vec<AbortedTransaction>,
    open: HashSet<i64>,
}

impl AbortedFilter {
    pub(super) fn new(mut transactions: Vec<AbortedTransaction>) -> Self {
        transactions.sort_unstable_by_key(|transaction| std::cmp::Reverse(transaction.first_offset));
        Self { ahead: transactions, open: HashSet::new() }
    }

    /// Whether there is nothing to leave out any more.
    pub(super) fn is_empty(&self) -> bool {
        self.ahead.is_empty() && self.open.is_empty()
    }

    /// Opens the transactions that begin at or before `last`, the last offset of the batch at hand.
    pub(super) fn reach(&mut self, last: i64) {
        while let Some(next) = self.ahead.pop_if(|next| next.first_offset <= last) {
            self.open.insert(next.producer_id);
        }
    }

    /// Whether a transactional batch of this producer is of an aborted transaction.
    pub(super) fn is_aborted(&self, producer_id: i64) -> bool {
        // Nearly always there is none; then nothing is hashed.
        !self.open.is_empty() && self.open.contains(&producer_id)
    }

    /// The producer's abort marker was read.
    pub(super) fn close(&mut self, producer_id: i64) {
        self.open.remove(&producer_id);
    }
}
