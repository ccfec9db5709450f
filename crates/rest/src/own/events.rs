//! Changes of connectors' status as server-sent events.
//!
//! Each client has a task that looks at what its caller may read, and a short queue. A client that does not take what is
//! in it is cut off and told to come again: it then gets the whole state anew, so nothing is missed that matters.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use control::{Caller, ClusterId, ConnectorView};
use futures_util::stream;
use http::{HeaderValue, header};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, MissedTickBehavior};

use super::State;
use super::ask::{Ask, Reply};
use super::trouble::Trouble;
use crate::server::Closing;

/// How many clients are told at once.
pub(super) const CLIENTS: usize = 64;

/// How often is looked. A change of status is for people.
const EVERY: Duration = Duration::from_secs(1);

/// How often something is sent at least: what is between drops connections that are silent for half a minute or more.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How many changes wait for a client: all of an installation with 200 connectors.
const QUEUE: usize = 256;

/// How long one connection is kept: whoever has lost their rights or their key is not told longer than this.
const LONGEST: Duration = Duration::from_mins(10);

pub(super) async fn stream(ask: Ask) -> Result<Reply, Trouble> {
    let cluster = ask.cluster().await?;
    // Refused before the stream begins, in the words of every other route.
    let first = ask.plane().connectors(&ask.caller, &cluster).await?;
    let Ok(turn) = ask.state.streams.clone().try_acquire_owned() else {
        return Err(Trouble::Full { what: "events", limit: CLIENTS });
    };
    let (sender, receiver) = mpsc::channel(QUEUE);
    let why = Arc::new(OnceLock::new());
    let (state, caller) = (ask.state.clone(), ask.caller);
    let watch = Watch { state, caller, cluster, known: BTreeMap::new(), sender, why: why.clone() };
    tokio::spawn(watch.run(first, turn, ask.closing));
    // What waits in the queue, then why there is no more: the queue of a client that is cut off has no room for that.
    let events = stream::unfold(Some((receiver, why)), |left| async move {
        let (mut receiver, why) = left?;
        match receiver.recv().await {
            Some(event) => Some((Ok::<_, Infallible>(event), Some((receiver, why)))),
            None => Some((Ok(event("end", &json!({ "why": why.get().unwrap_or(&TOO_SLOW) })).into()), None)),
        }
    });
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would collect events into buffers.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(Reply::stream(response))
}

struct Watch {
    state: Arc<State>,
    caller: Caller,
    cluster: ClusterId,
    /// What the client was told last, by name.
    known: BTreeMap<String, Value>,
    sender: mpsc::Sender<Bytes>,
    /// Why the stream has ended.
    why: Arc<OnceLock<&'static str>>,
}

const TOO_SLOW: &str = "events were not taken as fast as they came; come again";

/// Why a stream ends.
enum End {
    /// The client is gone, or does not take what is sent: its queue is full.
    Left,
    /// It is told to come again.
    Again(&'static str),
}

fn event(name: &str, data: &Value) -> String {
    // JSON has no line ends.
    format!("event: {name}\ndata: {data}\n\n")
}

impl Watch {
    async fn run(mut self, first: Vec<ConnectorView>, turn: OwnedSemaphorePermit, closing: Option<Closing>) {
        let closed = async {
            match closing {
                Some(mut closing) => closing.wait().await,
                None => std::future::pending().await,
            }
        };
        let end = tokio::select! {
            end = self.watch(first) => end.err(),
            () = closed => Some(End::Again("the server closes; come again")),
        };
        if let Some(End::Again(why)) = end {
            self.why.set(why).ok();
        }
        drop(turn);
    }

    async fn watch(&mut self, first: Vec<ConnectorView>) -> Result<Infallible, End> {
        self.sender.try_send(Bytes::from_static(b"retry: 2000\n\n")).map_err(|_| End::Left)?;
        self.tell(first)?;
        let begun = Instant::now();
        let mut told = begun;
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.sender.closed() => return Err(End::Left),
            }
            if begun.elapsed() >= LONGEST {
                return Err(End::Again("this connection has lasted long enough; come again"));
            }
            let plane = &self.state.plane;
            let Ok(now) = plane.connectors(&self.caller, &self.cluster).await else {
                return Err(End::Again("the connectors cannot be read any more"));
            };
            if self.tell(now)? > 0 {
                told = Instant::now();
            } else if told.elapsed() >= HEARTBEAT {
                self.sender.try_send(Bytes::from_static(b": alive\n\n")).map_err(|_| End::Left)?;
                told = Instant::now();
            }
        }
    }

    /// Sends what has changed; how much that is.
    fn tell(&mut self, now: Vec<ConnectorView>) -> Result<usize, End> {
        let (changed, gone) = changes(&mut self.known, now);
        for one in &changed {
            self.send("connector", one)?;
        }
        for name in &gone {
            self.send("deleted", &json!({ "name": name }))?;
        }
        Ok(changed.len() + gone.len())
    }

    fn send(&self, name: &str, data: &Value) -> Result<(), End> {
        self.sender.try_send(event(name, data).into()).map_err(|_| End::Left)
    }
}

/// What is new since `known`, which is brought up to date: what to tell of connectors, and the names of those that are gone.
fn changes(known: &mut BTreeMap<String, Value>, now: Vec<ConnectorView>) -> (Vec<Value>, Vec<String>) {
    let mut next = BTreeMap::new();
    let mut changed = Vec::new();
    for view in now {
        let told = json!({
            "id": view.id,
            "name": view.name,
            "target": view.target,
            "revision": view.revision,
            "status": view.status,
        });
        if known.get(&view.name) != Some(&told) {
            changed.push(told.clone());
        }
        next.insert(view.name, told);
    }
    let gone = known.keys().filter(|name| !next.contains_key(*name)).cloned().collect();
    *known = next;
    (changed, gone)
}
