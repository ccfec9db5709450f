use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::ResponseHeader;
use kafka_protocol::protocol::Encodable;

use super::bounded_buf::Malformed;

/// An answer as it goes onto the wire: header and body, with the records between them as they are stored, not copied.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    done: Segments,
    tail: BytesMut,
}

/// Record bytes below this are copied among the rest: a slice of its own costs more than that.
const SHARE_FROM: usize = 4096;

impl Reply {
    /// Begins with the header.
    pub(crate) fn new(correlation_id: i32, header_version: i16) -> Result<Self, Malformed> {
        let mut reply = Self::default();
        reply.put(&ResponseHeader::default().with_correlation_id(correlation_id), header_version)?;
        Ok(reply)
    }

    /// Appends a message.
    pub(crate) fn put(&mut self, message: &impl Encodable, version: i16) -> Result<(), Malformed> {
        message
            .encode(&mut self.tail, version)
            .map_err(|error| Malformed(format!("the answer has no form in version {version}: {error:#}")))
    }

    /// Where plain bytes are appended.
    pub(crate) fn tail(&mut self) -> &mut BytesMut {
        &mut self.tail
    }

    /// Appends bytes by reference.
    pub(crate) fn share(&mut self, bytes: Bytes) {
        if bytes.len() < SHARE_FROM {
            self.tail.put_slice(&bytes);
        } else {
            self.done.push(self.tail.split().freeze());
            self.done.push(bytes);
        }
    }

    /// The whole, with its length in front.
    pub(crate) fn finish(mut self) -> Segments {
        self.done.push(self.tail.freeze());
        let length = (self.done.left as u32).to_be_bytes();
        self.done.left += length.len();
        self.done.parts.push_front(Bytes::copy_from_slice(&length));
        self.done
    }
}

/// Byte strings behind one another, to be written in few system calls.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    /// None is empty.
    parts: VecDeque<Bytes>,
    left: usize,
}

impl Segments {
    fn push(&mut self, part: Bytes) {
        if !part.is_empty() {
            self.left += part.len();
            self.parts.push_back(part);
        }
    }
}

impl Buf for Segments {
    fn remaining(&self) -> usize {
        self.left
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&[], |first| first)
    }

    fn advance(&mut self, mut count: usize) {
        self.left -= count;
        while let Some(first) = self.parts.front_mut() {
            if first.len() > count {
                first.advance(count);
                return;
            }
            count -= first.len();
            self.parts.pop_front();
        }
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slot, part) in into.iter_mut().zip(&self.parts) {
            *slot = IoSlice::new(part);
            count += 1;
        }
        count
    }
}
