use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::objects::error::Error;

/// How the bytes of one object are moved.
#[derive(Debug, Clone, Default)]
pub struct Transfer {
    /// The size of a part; `None` chooses one with which 10,000 parts reach.
    pub part_size: Option<u64>,
    /// How many parts or ranges are under way at once, at least one.
    pub parallel: usize,
    /// Counts bytes as they go.
    pub meter: Meter,
    /// Ends it early, and cleanly.
    pub interrupt: Interrupt,
    /// Whether to go on where an earlier process ended, and to keep what is there if this one ends early.
    pub resume: bool,
}

/// Above this an object goes up in parts and comes down in ranges: 16 MiB, as two parts of the usual size. Below it a
/// second request costs more than it brings.
pub(super) const THRESHOLD: u64 = 16 << 20;

/// The usual size of a part: 8 MiB. S3 asks for 5 MiB, and 10,000 parts reach 78 GiB.
const PART: u64 = 8 << 20;

/// The bounds of a part and their number ("Amazon S3 multipart upload limits").
pub(super) const MIN_PART: u64 = 5 << 20;
pub(super) const MAX_PART: u64 = 5 << 30;
pub(super) const MAX_PARTS: u64 = 10_000;

/// The parts of an upload of unknown length: from this one on they are eight times as large, so that the usual size reaches
/// 351 GiB and not 78, and whoever sends less holds no more memory for it.
const GROWS_AFTER: u64 = MAX_PARTS / 2;
const GROWTH: u64 = 8;

/// More requests than this at once bring nothing but sockets; the bucket's limiter has the same bound.
const MAX_PARALLEL: usize = 64;

impl Transfer {
    /// Eight at once, parts as they fit.
    pub fn new() -> Self {
        Self { parallel: 8, ..Self::default() }
    }

    /// How many at once.
    pub(super) fn lanes(&self) -> usize {
        self.parallel.clamp(1, MAX_PARALLEL)
    }

    /// The size of a part of an upload of `size` bytes.
    pub(super) fn part_of(&self, size: u64) -> Result<u64, Error> {
        let needed = size.div_ceil(MAX_PARTS);
        // Whole mebibytes, so that pieces of a file lie on its pages.
        let fitting = needed.next_multiple_of(1 << 20).max(PART);
        let part = self.part_size.unwrap_or(fitting);
        let text = if !(MIN_PART..=MAX_PART).contains(&part) && self.part_size.is_some() {
            format!("a part of {part} bytes is none that S3 takes")
        } else if part < needed {
            format!("{size} bytes are more than 10,000 parts of {part} bytes")
        } else if part > MAX_PART {
            format!("{size} bytes are more than S3 keeps in one object")
        } else {
            return Ok(part);
        };
        let hint = format!("give --part-size from 5MiB to 5GiB, at least {needed} bytes here, or leave it out");
        Err(Error::BadInput { text, hint: Some(hint) })
    }

    /// The size of part `number` (from 1) of an upload whose length nobody knows; `None` behind the last one.
    pub(super) fn part_of_unknown(&self, number: u64) -> Option<u64> {
        let part = self.part_size.unwrap_or(PART);
        match number {
            0..=GROWS_AFTER => Some(part),
            number if number <= MAX_PARTS => Some(part.saturating_mul(GROWTH).min(MAX_PART)),
            _ => None,
        }
    }
}

/// Counts bytes as they go. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    done: AtomicU64,
    total: AtomicU64,
}

impl Meter {
    /// Bytes that have arrived.
    pub fn done(&self) -> u64 {
        self.0.done.load(Ordering::Relaxed)
    }

    /// Bytes in all; nothing where that is not known.
    pub fn total(&self) -> Option<u64> {
        Some(self.0.total.load(Ordering::Relaxed)).filter(|total| *total > 0)
    }

    pub(super) fn expect(&self, total: u64) {
        self.0.total.store(total, Ordering::Relaxed);
    }

    pub(super) fn add(&self, bytes: u64) {
        self.0.done.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Asks a transfer to end early. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Sender<bool>);

impl Default for Interrupt {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Interrupt {
    /// Ends all transfers that have it.
    pub fn set(&self) {
        self.0.send_replace(true);
    }

    /// Waits until it is set. Cancel safe.
    pub(super) async fn wait(&self) {
        // The sender is held here: it cannot go away meanwhile.
        self.0.subscribe().wait_for(|set| *set).await.map(drop).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_parts_always_reach() {
        let transfer = Transfer::new();
        for (size, part) in [(1, PART), (THRESHOLD + 1, PART), (PART * MAX_PARTS, PART), (1 << 40, 105 << 20)] {
            assert_eq!(transfer.part_of(size).unwrap(), part, "{size}");
            assert!(size.div_ceil(part) <= MAX_PARTS);
        }
        assert!(transfer.part_of(MAX_PART * MAX_PARTS).is_ok());
        assert!(transfer.part_of(MAX_PART * MAX_PARTS + 1).is_err());
        let small = Transfer { part_size: Some(MIN_PART), ..Transfer::new() };
        assert_eq!(small.part_of(MIN_PART * MAX_PARTS).unwrap(), MIN_PART);
        assert!(small.part_of(MIN_PART * MAX_PARTS + 1).unwrap_err().to_string().contains("10,000 parts"));
        assert!(Transfer { part_size: Some(MIN_PART - 1), ..Transfer::new() }.part_of(1).is_err());
    }

    #[test]
    fn parts_of_unknown_length_grow_and_end() {
        let transfer = Transfer::new();
        let all: u64 = (1..=MAX_PARTS).map(|number| transfer.part_of_unknown(number).unwrap()).sum();
        assert_eq!(all >> 30, 351);
        assert_eq!((transfer.part_of_unknown(1), transfer.part_of_unknown(MAX_PARTS + 1)), (Some(PART), None));
    }

    #[tokio::test]
    async fn an_interrupt_is_seen_whenever_it_came() {
        let interrupt = Interrupt::default();
        let early = tokio::spawn({
            let interrupt = interrupt.clone();
            async move { interrupt.wait().await }
        });
        interrupt.set();
        early.await.unwrap();
        interrupt.wait().await;
    }
}
