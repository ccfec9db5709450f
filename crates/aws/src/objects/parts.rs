use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::objects::checksum::Sum;
use crate::objects::error::Error;
use crate::objects::piece::{Piece, Watched};
use crate::objects::put::stream;
use crate::objects::transfer::Transfer;
use crate::s3::body::Content;

/// A part that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) etag: String,
    pub(super) size: u64,
    pub(super) checksum: Option<Sum>,
}

/// Where parts come from, in order.
pub(super) enum Parts {
    File {
        file: Arc<Watched>,
        part: u64,
    },
    Reader {
        ask: mpsc::Sender<u64>,
        given: mpsc::Receiver<io::Result<Vec<u8>>>,
        asked: bool,
        ready: BTreeMap<u64, Piece>,
        transfer: Transfer,
    },
}

impl Parts {
    /// Those of a reader, read by a thread of its own: nothing can stop a read from a terminal, and the process must be able
    /// to end in spite of it. It reads only what is asked for, so that memory is bounded by who asks.
    pub(super) fn of_reader(mut reader: impl io::Read + Send + 'static, transfer: &Transfer) -> Self {
        let (ask, mut sizes) = mpsc::channel(1);
        let (give, given) = mpsc::channel(1);
        std::thread::spawn(move || {
            while let Some(size) = sizes.blocking_recv() {
                // Pages are touched only as they fill.
                let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(usize::MAX >> 1));
                let read = reader.by_ref().take(size).read_to_end(&mut bytes).map(|_| bytes);
                if give.blocking_send(read).is_err() {
                    return;
                }
            }
        });
        Self::Reader { ask, given, asked: false, ready: BTreeMap::new(), transfer: transfer.clone() }
    }

    /// Puts the first two back that were read ahead.
    pub(super) fn push_back(&mut self, first: Piece, second: Piece) {
        if let Self::Reader { ready, .. } = self {
            ready.insert(1, first);
            ready.insert(2, second);
        }
    }

    /// Part `number`; `None` behind the last one. Cancel safe, if it is asked for the same one again.
    pub(super) async fn next(&mut self, number: u64) -> Result<Option<Piece>, Error> {
        match self {
            Self::File { file, part } => {
                let offset = (number - 1) * *part;
                if offset >= file.size {
                    return Ok(None);
                }
                let length = (file.size - offset).min(*part);
                Ok(Some(Piece::File { file: Arc::clone(file), offset, length }))
            }
            Self::Reader { ask, given, asked, ready, transfer } => {
                if let Some(piece) = ready.remove(&number) {
                    return Ok(Some(piece));
                }
                if !*asked {
                    // Behind the last part one more byte is asked for, to learn whether there is one.
                    let size = transfer.part_of_unknown(number).unwrap_or(1);
                    *asked = ask.try_send(size).is_ok();
                }
                let bytes =
                    given.recv().await.unwrap_or_else(|| Err(io::Error::other("the thread that reads has ended")));
                *asked = false;
                let bytes = bytes.map_err(|source| stream("read the input", source))?;
                if bytes.is_empty() {
                    return Ok(None);
                }
                if transfer.part_of_unknown(number).is_none() {
                    let text = "the input is longer than 10,000 parts".to_owned();
                    return Err(Error::BadInput { text, hint: Some("give a larger --part-size".into()) });
                }
                Ok(Some(Piece::Memory(Content::new(vec![Bytes::from(bytes)]))))
            }
        }
    }
}
