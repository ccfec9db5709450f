use crate::Offset;

/// The records of one record batch: their bytes in one buffer, and where in it each one's parts are.
///
/// A thread uses one arena again and again, so reading a record allocates nothing. Filled by [`Arena::push`] from ranges
/// of [`Arena::bytes`]; read by [`Arena::records`].
#[derive(Debug, Default)]
pub struct Arena {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    headers: Vec<HeaderEntry>,
}

/// A range of the arena's bytes; `None` in Kafka's sense is `start == NULL`.
#[derive(Debug, Clone, Copy)]
struct Range {
    start: u32,
    end: u32,
}

const NULL: Range = Range { start: u32::MAX, end: u32::MAX };

impl Range {
    fn of(range: Option<(usize, usize)>) -> Self {
        range.map_or(NULL, |(start, end)| Self { start: start as u32, end: end as u32 })
    }

    fn slice(self, bytes: &[u8]) -> Option<&[u8]> {
        if self.start == u32::MAX { None } else { Some(&bytes[self.start as usize..self.end as usize]) }
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: i64,
    timestamp: i64,
    key: Range,
    value: Range,
    headers: Range,
}

#[derive(Debug, Clone, Copy)]
struct HeaderEntry {
    key: Range,
    value: Range,
}

impl Arena {
    /// An empty arena.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the records, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.headers.clear();
    }

    /// Gives memory above `keep` bytes back. For after an unusually large batch.
    pub fn shrink(&mut self, keep: usize) {
        if self.bytes.capacity() > keep {
            self.clear();
            self.bytes.shrink_to(keep);
        }
    }

    /// The buffer that ranges point into. A decoder appends to it; at most `u32::MAX` bytes.
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The buffer that ranges point into.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds a record. Ranges are `(start, end)` in [`Arena::bytes`], `None` for null; `timestamp` is -1 if there is none.
    /// Its headers are those given to [`Arena::push_header`] since `headers_from`, a result of [`Arena::header_count`].
    pub fn push(
        &mut self,
        offset: Offset,
        timestamp: i64,
        key: Option<(usize, usize)>,
        value: Option<(usize, usize)>,
        headers_from: usize,
    ) {
        let headers = Range { start: headers_from as u32, end: self.headers.len() as u32 };
        let (key, value) = (Range::of(key), Range::of(value));
        self.entries.push(Entry { offset: offset.0, timestamp, key, value, headers });
    }

    /// Adds a header of the record that the next [`Arena::push`] adds.
    pub fn push_header(&mut self, key: (usize, usize), value: Option<(usize, usize)>) {
        self.headers.push(HeaderEntry { key: Range::of(Some(key)), value: Range::of(value) });
    }

    /// How many headers there are so far, of all records.
    pub fn header_count(&self) -> usize {
        self.headers.len()
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The records, in the order of their offsets.
    pub fn records(&self) -> impl ExactSizeIterator<Item = RecordView<'_>> {
        self.entries.iter().map(|entry| RecordView {
            offset: Offset(entry.offset),
            timestamp: entry.timestamp,
            key: entry.key.slice(&self.bytes),
            value: entry.value.slice(&self.bytes),
            headers: Headers {
                bytes: &self.bytes,
                entries: &self.headers[entry.headers.start as usize..entry.headers.end as usize],
            },
        })
    }
}

/// One record, borrowed from its arena.
#[derive(Debug, Clone, Copy)]
pub struct RecordView<'a> {
    /// Its place in the partition.
    pub offset: Offset,
    /// Milliseconds since 1970, or -1 if it has none.
    pub timestamp: i64,
    /// The key's bytes, `None` for a null key.
    pub key: Option<&'a [u8]>,
    /// The value's bytes, `None` for a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in the producer's order, duplicates kept.
    pub headers: Headers<'a>,
}

/// The headers of one record.
#[derive(Debug, Clone, Copy, Default)]
pub struct Headers<'a> {
    bytes: &'a [u8],
    entries: &'a [HeaderEntry],
}

/// One header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its key, which Kafka's format says is UTF-8 (not checked here).
    pub key: &'a [u8],
    /// Its value's bytes, `None` for null.
    pub value: Option<&'a [u8]>,
}

impl<'a> Headers<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Each header in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Header<'a>> + use<'a> {
        let bytes = self.bytes;
        self.entries.iter().map(move |entry| Header {
            key: entry.key.slice(bytes).unwrap_or_default(),
            value: entry.value.slice(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was_put_in() {
        let mut arena = Arena::new();
        arena.bytes_mut().extend_from_slice(b"kvabc1");
        let from = arena.header_count();
        arena.push_header((2, 5), Some((5, 6)));
        arena.push_header((2, 3), None);
        arena.push(Offset(7), 1000, Some((0, 1)), Some((1, 2)), from);
        arena.push(Offset(9), -1, None, Some((2, 2)), arena.header_count());
        let records: Vec<_> = arena.records().collect();
        assert_eq!((records[0].key, records[0].value), (Some(&b"k"[..]), Some(&b"v"[..])));
        let headers: Vec<_> = records[0].headers.iter().collect();
        assert_eq!(headers[0], Header { key: b"abc", value: Some(b"1") });
        assert_eq!(headers[1], Header { key: b"a", value: None });
        assert_eq!((records[1].key, records[1].value), (None, Some(&b""[..])));
        assert!(records[1].headers.is_empty());
    }
}
