use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::api;
use super::bounded_buf::Malformed;
use super::cluster::Cluster;
use super::reply::Segments;

/// A connection on which nothing happens for so long is closed: Kafka's `connections.max.idle.ms`. A client that takes
/// no byte of an answer for as long is given up too.
const IDLE_MAX: Duration = Duration::from_mins(10);

/// A request whose rest does not come is given up.
const REQUEST_MAX: Duration = Duration::from_mins(1);

/// Why a connection ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("a request of {0} bytes is refused")]
    Size(i32),
    #[error("nothing came for too long")]
    Idle,
}

/// Answers the requests of one connection, one after the other as Kafka does, until the client closes it.
pub(crate) async fn serve(stream: TcpStream, cluster: Arc<Cluster>) -> Result<(), ConnectionError> {
    stream.set_nodelay(true)?;
    let ends = Ends { local: stream.local_addr()?, peer: stream.peer_addr()? };
    let mut stream = BufReader::with_capacity(16 << 10, stream);
    while let Some(size) = next_size(&mut stream).await? {
        let most = cluster.options.max_request;
        let length = usize::try_from(size).ok().filter(|size| *size <= most).ok_or(ConnectionError::Size(size))?;
        let room = cluster.request_room(length).await;
        let request = read(&mut stream, length).await?;
        let reply = api::answer(&cluster, ends, request).await?;
        if let Some(reply) = reply {
            write(&mut stream, reply).await?;
        }
        drop(room);
    }
    Ok(())
}

/// The addresses at the two ends of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) local: SocketAddr,
    pub(crate) peer: SocketAddr,
}

/// The size of the next request; `None` if there is none any more.
async fn next_size(stream: &mut BufReader<TcpStream>) -> Result<Option<i32>, ConnectionError> {
    match timeout(IDLE_MAX, stream.read_i32()).await.map_err(|_| ConnectionError::Idle)? {
        Ok(size) => Ok(Some(size)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn read(stream: &mut BufReader<TcpStream>, length: usize) -> Result<Bytes, ConnectionError> {
    let mut request = BytesMut::with_capacity(length);
    let whole = async {
        let mut rest = stream.take(length as u64);
        while request.len() < length {
            if rest.read_buf(&mut request).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
        Ok(())
    };
    timeout(REQUEST_MAX, whole).await.map_err(|_| ConnectionError::Idle)??;
    Ok(request.freeze())
}

async fn write(stream: &mut BufReader<TcpStream>, mut reply: Segments) -> Result<(), ConnectionError> {
    while reply.has_remaining() {
        timeout(IDLE_MAX, stream.write_buf(&mut reply)).await.map_err(|_| ConnectionError::Idle)??;
    }
    Ok(())
}
