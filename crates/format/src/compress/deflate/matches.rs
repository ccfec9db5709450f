use super::symbols::{self, DISTANCES, LENGTHS, MIN_MATCH, WINDOW};

/// Entries of the hash table, of two bytes each. A table that fits the first-level cache (14) is no faster and loses 1 % on prose.
const HASH_BITS: u32 = 15;
/// Bits of eight bytes that a match may differ in.
const SPARE: u32 = 64 - 8 * MIN_MATCH as u32;
/// Matches are not looked for so close to the end that eight bytes cannot be read.
const END_GAP: usize = 8;
/// After so many literals (as a power of two) without a match, one position more is passed at each step.
const PATIENCE: u32 = 6;
/// The distance symbol of a token without a distance.
pub(super) const NO_DISTANCE: usize = DISTANCES;

/// A literal or a match, in a form that is written without asking which: a place in a table of literals and lengths, a
/// distance symbol (or [`NO_DISTANCE`]) and its extra bits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Token(u32);

impl Token {
    #[inline]
    fn literal(byte: u8) -> Self {
        Self(u32::from(byte) | (NO_DISTANCE as u32) << 9)
    }

    #[inline]
    fn matched(place: usize, symbol: usize, extra: u32) -> Self {
        Self(place as u32 | (symbol as u32) << 9 | extra << 14)
    }

    /// The place among literals and lengths: see [`place_of_length`].
    #[inline]
    pub(super) fn place(self) -> usize {
        (self.0 & 511) as usize
    }

    /// The distance symbol; below 32.
    #[inline]
    pub(super) fn distance_symbol(self) -> usize {
        (self.0 >> 9 & 31) as usize
    }

    /// The distance's extra bits.
    #[inline]
    pub(super) fn distance_extra(self) -> u64 {
        u64::from(self.0 >> 14)
    }
}

/// Where a match's length stands behind the 256 literals. Lengths begin at 3.
#[inline]
pub(super) const fn place_of_length(len: usize) -> usize {
    253 + len
}

/// What a tile consists of.
#[derive(Debug)]
pub(super) struct Tokens {
    /// One after the other; as long as the longest tile so far, [`Tokens::len`] of them in use.
    buffer: Vec<Token>,
    len: usize,
    /// How often each place comes.
    pub(super) places: Box<[u32; 512]>,
    /// How often each distance symbol comes.
    pub(super) distances: Box<[u32; 32]>,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self { buffer: Vec::new(), len: 0, places: Box::new([0; 512]), distances: Box::new([0; 32]) }
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Token> {
        self.buffer[..self.len].iter()
    }
}

/// Finds what comes again: one earlier place for each hash of six bytes, the last one.
#[derive(Debug)]
pub(super) struct Matcher {
    /// Positions modulo 2^16. An entry may be wrong in every way: what it points to is compared.
    table: Box<[u16; 1 << HASH_BITS]>,
}

impl Matcher {
    pub(super) fn new() -> Self {
        let table = vec![0; 1 << HASH_BITS].into_boxed_slice();
        Self { table: table.try_into().unwrap_or_else(|_| unreachable!("made of that length")) }
    }

    /// Takes `raw` apart into `tokens`.
    pub(super) fn find(&mut self, raw: &[u8], tokens: &mut Tokens) {
        // Emptied, though nothing could go wrong: the same input always gives the same output.
        self.table.fill(0);
        let table = &mut *self.table;
        if tokens.buffer.len() < raw.len() {
            tokens.buffer.resize(raw.len(), Token::default());
        }
        tokens.places.fill(0);
        tokens.distances.fill(0);
        let Tokens { buffer, len: count, places, distances } = tokens;
        let buffer = &mut buffer[..raw.len()];
        let mut made = 0;
        let limit = raw.len().saturating_sub(END_GAP);
        let mut at = 0;
        let mut run_start = 0;
        while at < limit {
            let word = read(raw, at);
            let slot = &mut table[hash(word)];
            let distance = usize::from((at as u16).wrapping_sub(*slot));
            *slot = at as u16;
            // Zero would be 65,536, out of reach; so is what lies before the start.
            let reach = distance.wrapping_sub(1) < WINDOW && distance <= at;
            let differs = if reach { word ^ read(raw, at - distance) } else { 1 };
            if differs << SPARE != 0 {
                let byte = word as u8;
                buffer[made] = Token::literal(byte);
                places[usize::from(byte)] += 1;
                made += 1;
                at += 1;
                // The longer nothing is found, the more is passed unseen.
                let mut unseen = (at - run_start) >> PATIENCE;
                while unseen > 0 && at < limit {
                    let byte = raw[at];
                    buffer[made] = Token::literal(byte);
                    places[usize::from(byte)] += 1;
                    made += 1;
                    at += 1;
                    unseen -= 1;
                }
                continue;
            }
            let len = if differs == 0 {
                8 + common(raw, at - distance + 8, at + 8, LENGTHS - 8)
            } else {
                differs.trailing_zeros() as usize / 8
            };
            let place = place_of_length(len);
            let symbol = symbols::of_distance(distance);
            buffer[made] = Token::matched(place, symbol, distance as u32 - symbols::distance_base(symbol));
            made += 1;
            places[place & 511] += 1;
            distances[symbol & 31] += 1;
            at += len;
            run_start = at;
            // Two places inside the match may begin what comes next time.
            if at < limit {
                for inside in [at - len + 1, at - 2] {
                    table[hash(read(raw, inside))] = inside as u16;
                }
            }
        }
        for byte in &raw[at..] {
            buffer[made] = Token::literal(*byte);
            places[usize::from(*byte)] += 1;
            made += 1;
        }
        *count = made;
    }
}

/// How many bytes from `one` and from `other` on are equal, `limit` at most.
#[inline]
fn common(raw: &[u8], one: usize, other: usize, limit: usize) -> usize {
    let mut len = 0;
    while len < limit {
        let Some(chunk) = raw.get(other + len..).and_then(|rest| rest.first_chunk::<16>()) else {
            while len < limit && raw.get(other + len).is_some_and(|byte| *byte == raw[one + len]) {
                len += 1;
            }
            return len;
        };
        let earlier = raw[one + len..].first_chunk::<16>().map_or(0, |bytes| u128::from_le_bytes(*bytes));
        let differs = u128::from_le_bytes(*chunk) ^ earlier;
        if differs != 0 {
            return limit.min(len + differs.trailing_zeros() as usize / 8);
        }
        len += 16;
    }
    limit
}

/// Eight bytes.
#[inline]
fn read(raw: &[u8], at: usize) -> u64 {
    match raw[at..].first_chunk::<8>() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => unreachable!("positions end eight bytes before the end"),
    }
}

/// Of as many bytes as the shortest match has.
#[inline]
fn hash(word: u64) -> usize {
    ((word << SPARE).wrapping_mul(0x9E37_79B1_85EB_CA87) >> (64 - HASH_BITS)) as usize
}
