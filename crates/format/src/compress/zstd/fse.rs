//! Finite state entropy, as far as it takes to read sequences: RFC 8878, section 4.1.

use super::bits::{Backward, Forward};

/// The largest table: literal and match lengths have up to nine bits.
const MAX_LOG: u32 = 9;

/// What a state stands for, and how the next one is found.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    symbol: u8,
    bits: u8,
    base: u16,
}

/// A decoding table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    log: u32,
    entries: [Entry; 1 << MAX_LOG],
}

impl Table {
    /// A table of one symbol that takes no bits.
    pub(super) fn of_one(symbol: u8) -> Self {
        let mut table = Self { log: 0, entries: [Entry::default(); 1 << MAX_LOG] };
        table.entries[0].symbol = symbol;
        table
    }

    /// The table of a distribution; -1 stands for "less than one".
    pub(super) fn of(counts: &[i16], log: u32) -> Self {
        let mut table = Self { log, entries: [Entry::default(); 1 << MAX_LOG] };
        let size = 1_usize << log;
        let mut next = [0_u16; 64];
        // Symbols of less than one get the last places, one each.
        let mut high = size;
        for (symbol, count) in counts.iter().enumerate() {
            if *count == -1 {
                high -= 1;
                table.entries[high].symbol = symbol as u8;
                next[symbol] = 1;
            }
        }
        let step = (size >> 1) + (size >> 3) + 3;
        let mut place = 0;
        for (symbol, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            next[symbol] = *count as u16;
            for _ in 0..*count {
                table.entries[place].symbol = symbol as u8;
                loop {
                    place = (place + step) & (size - 1);
                    if place < high {
                        break;
                    }
                }
            }
        }
        for entry in &mut table.entries[..size] {
            let state = &mut next[usize::from(entry.symbol)];
            entry.bits = (log - u32::from(state.ilog2() as u8)) as u8;
            entry.base = (usize::from(*state << entry.bits) - size) as u16;
            *state += 1;
        }
        table
    }

    /// Reads a table's description for symbols up to `last`; the table and how many bytes it took.
    pub(super) fn read(bytes: &[u8], last: usize, max_log: u32) -> Option<(Self, usize)> {
        let mut bits = Forward::new(bytes);
        let log = bits.peek(4) + 5;
        bits.pass(4);
        if log > max_log {
            return None;
        }
        let mut counts = [0_i16; 64];
        let mut symbol = 0;
        let mut left = 1_i32 << log;
        while left > 0 {
            if symbol > last {
                return None;
            }
            // Values up to what is left plus one; the smaller of them take a bit less.
            let width = ((left + 1) as u32).ilog2() + 1;
            let value = bits.peek(width);
            let half = (1 << (width - 1)) - 1;
            let short = (1 << width) - 1 - (left as u32 + 1);
            let value = if value & half < short {
                bits.pass(width - 1);
                value & half
            } else {
                bits.pass(width);
                if value > half { value - short } else { value }
            };
            let count = value as i16 - 1;
            left -= i32::from(count.abs());
            counts[symbol] = count;
            symbol += 1;
            if count == 0 {
                // How many more have none, three at a time.
                loop {
                    let more = bits.peek(2);
                    bits.pass(2);
                    symbol += more as usize;
                    if more < 3 {
                        break;
                    }
                }
            }
        }
        if left < 0 || symbol > last + 1 {
            return None;
        }
        Some((Self::of(&counts[..=last], log), bits.used()?))
    }
}

/// Where a decoder is in its table.
#[derive(Debug, Clone, Copy)]
pub(super) struct State(usize);

impl State {
    pub(super) fn new(table: &Table, bits: &mut Backward<'_>) -> Option<Self> {
        Some(Self(bits.read(table.log)? as usize))
    }

    pub(super) fn symbol(self, table: &Table) -> u8 {
        table.entries[self.0].symbol
    }

    pub(super) fn advance(&mut self, table: &Table, bits: &mut Backward<'_>) -> Option<()> {
        let entry = table.entries[self.0];
        self.0 = usize::from(entry.base) + bits.read(u32::from(entry.bits))? as usize;
        Some(())
    }
}
