//! Frames on a socket: four bytes of length, then the message.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

/// What came in place of a frame.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The far side ended the stream between two frames or in one.
    Ended,
    /// The system's error.
    Io(io::Error),
    /// A length above the limit.
    TooLarge(u32),
}

/// Reads one frame, without its length.
pub(crate) async fn read_frame<S: AsyncRead + Unpin>(
    stream: &mut BufReader<S>,
    limit: u32,
) -> Result<Bytes, ReadError> {
    let mut length = [0; 4];
    read_all(stream.read_exact(&mut length).await)?;
    let length = u32::from_be_bytes(length);
    // A negative length is above any limit too.
    if length > limit {
        return Err(ReadError::TooLarge(length));
    }
    let mut frame = BytesMut::with_capacity(length as usize);
    let mut rest = stream.take(u64::from(length));
    while frame.len() < length as usize {
        if read_all(rest.read_buf(&mut frame).await)? == 0 {
            return Err(ReadError::Ended);
        }
    }
    Ok(frame.freeze())
}

fn read_all<T>(result: io::Result<T>) -> Result<T, ReadError> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ReadError::Ended,
        _ => ReadError::Io(error),
    })
}

/// Writes frames as they come until the sender is gone or the stream fails.
pub(crate) async fn write_frames<S: AsyncWrite + Unpin>(
    mut stream: S,
    mut frames: mpsc::Receiver<Bytes>,
) -> io::Result<()> {
    let mut ready = Vec::new();
    while frames.recv_many(&mut ready, 32).await > 0 {
        for frame in ready.drain(..) {
            stream.write_all(&frame).await?;
        }
        stream.flush().await?;
    }
    Ok(())
}
