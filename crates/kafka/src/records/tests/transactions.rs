use proptest::collection::vec;
use proptest::prelude::*;

use super::encode::Batch;
use super::*;

/// What producer `0..3` does next.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Writes this many records in its transaction.
    Write(i64, usize),
    /// Writes outside of any transaction.
    Plain(usize),
    Commit(i64),
    Abort(i64),
    /// Compaction removes the last batch's records but not the batch.
    Empty,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_i64, 1..4_usize).prop_map(|(producer, count)| Step::Write(producer, count)),
        1 => (1..3_usize).prop_map(Step::Plain),
        2 => (0..3_i64).prop_map(Step::Commit),
        2 => (0..3_i64).prop_map(Step::Abort),
        1 => Just(Step::Empty),
    ]
}

#[derive(Debug)]
struct Transaction {
    producer_id: i64,
    first: i64,
    /// The offset of the marker.
    end: i64,
    aborted: bool,
}

/// A log, what became of its transactions, and the offsets of records outside of any.
#[derive(Debug, Default)]
struct Log {
    batches: Vec<Batch>,
    ended: Vec<Transaction>,
    /// Offset and producer of every record that is there, -1 for none.
    records: Vec<(i64, i64)>,
    next: i64,
}

fn play(steps: &[Step]) -> Log {
    let mut log = Log::default();
    let mut open: [Option<i64>; 3] = [None; 3];
    // Nobody reads beyond the first open transaction, so all are ended in the end.
    let endings = [Step::Abort(0), Step::Commit(1), Step::Abort(2)];
    for &step in steps.iter().chain(&endings) {
        let first = log.next;
        let mut write = |producer: i64, count: usize| {
            let values = vec![&b"v"[..]; count];
            let transactional = producer >= 0;
            log.batches.push(Batch { producer_id: producer, transactional, ..Batch::of(first, &values) });
            log.records.extend((first..).take(count).map(|offset| (offset, producer)));
            log.next += count as i64;
        };
        match step {
            Step::Plain(count) => write(-1, count),
            Step::Write(producer, count) => {
                write(producer, count);
                open[producer as usize].get_or_insert(first);
            }
            Step::Commit(producer) | Step::Abort(producer) => {
                let aborted = matches!(step, Step::Abort(_));
                if let Some(begin) = open[producer as usize].take() {
                    log.batches.push(Batch::marker(first, producer, !aborted));
                    log.ended.push(Transaction { producer_id: producer, first: begin, end: first, aborted });
                    log.next += 1;
                }
            }
            Step::Empty => {
                if let Some(last) = log.batches.last_mut().filter(|last| !last.control) {
                    last.records.clear();
                    log.records.retain(|(offset, _)| *offset < last.base_offset);
                }
            }
        }
    }
    log
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn committed_records_and_only_those_come_out_from_any_offset_on(
        steps in vec(step(), 0..40),
        at in any::<prop::sample::Index>(),
        size in 1..400_usize,
    ) {
        let log = play(&steps);
        let from = at.index(log.next as usize + 1) as i64;
        let bytes: Vec<u8> = log
            .batches
            .iter()
            .filter(|batch| batch.base_offset + i64::from(batch.last_offset_delta) >= from)
            .flat_map(Batch::encode)
            .collect();
        // As a broker answers: the aborted transactions that reach into what it sends, in no particular order.
        let aborted: Vec<_> = log
            .ended
            .iter()
            .rev()
            .filter(|transaction| transaction.aborted && transaction.end >= from)
            .map(|transaction| AbortedTransaction {
                producer_id: transaction.producer_id,
                first_offset: transaction.first,
            })
            .collect();
        let is_aborted = |(offset, producer): (i64, i64)| {
            log.ended.iter().any(|transaction| {
                transaction.aborted
                    && transaction.producer_id == producer
                    && (transaction.first..transaction.end).contains(&offset)
            })
        };
        let wanted: Vec<_> =
            log.records.iter().filter(|record| record.0 >= from && !is_aborted(**record)).map(|record| record.0).collect();
        let (pieces, next) = drain_in_pieces(committed(bytes.clone(), from, aborted.clone()), size);
        let pieces: Vec<_> = pieces.into_iter().flat_map(Result::unwrap).map(|record| record.offset).collect();
        prop_assert_eq!((&pieces, next), (&wanted, log.next.max(from)));
        prop_assert_eq!(offsets(committed(bytes.clone(), from, aborted)), (wanted, log.next.max(from)));
        let all: Vec<_> = log.records.iter().map(|record| record.0).filter(|offset| *offset >= from).collect();
        prop_assert_eq!(offsets(response(bytes, from)), (all, log.next.max(from)));
    }
}

#[test]
fn a_response_of_markers_only_moves_the_offset() {
    let bytes = [Batch::marker(4, 1, true).encode(), Batch::marker(5, 2, false).encode()].concat();
    assert_eq!(offsets(committed(bytes, 4, Vec::new())), (vec![], 6));
}

#[test]
fn an_abort_marker_without_its_key_is_poison_when_it_matters() {
    let mut marker = Batch::marker(4, 1, false);
    marker.records[0].key = Some(vec![0]);
    assert_eq!(reason(committed(marker.encode(), 4, Vec::new())), "its control record has no readable key");
    assert_eq!(offsets(response(marker.encode(), 4)), (vec![], 5));
}

#[test]
fn an_idempotent_batch_of_a_producer_with_an_aborted_transaction_comes_out() {
    let batch = Batch { producer_id: 1, ..Batch::of(3, &[b"v"]) };
    let aborted = vec![AbortedTransaction { producer_id: 1, first_offset: 0 }];
    assert_eq!(offsets(committed(batch.encode(), 3, aborted)), (vec![3], 4));
}
