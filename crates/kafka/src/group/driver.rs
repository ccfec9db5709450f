//! Carries out what the member wants: one task, which owns the one connection to the coordinator.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use data::{Offset, TopicPartition};
use fault::{Chain, Diagnose, Retry};
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt, OptionFuture};
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use transit::{Assignment, Commit, CommitOutcome};

use super::call::{Answer, Call, Silence};
use super::commits::Ticket;
use super::error::GroupError;
use super::mailbox::Mailbox;
use super::member::Member;
use super::membership::{Action, Announcement, Look, Shape, Topics};
use super::options::{GroupOptions, OffsetReset};
use super::requests::{self, Unanswered};
use super::stays::{Numbered, Restart};
use crate::admin::Place;
use crate::cluster::{self, Cluster, CoordinatorKey};
use crate::net::{self, Connection};

/// What others ask of the member.
#[derive(Debug)]
pub(crate) enum Command {
    /// Commit all of this or none.
    Commit { entries: Vec<Commit>, reply: oneshot::Sender<CommitOutcome> },
    /// The log of a partition was cut back or made anew: begin it again under another assignment.
    Rewound { partition: TopicPartition, assignment: Assignment, restart: Restart },
    /// Leave the group and end; the sender is dropped when that is done.
    Leave { done: oneshot::Sender<()> },
}

/// Work beside the calls to the coordinator.
enum Beside {
    Yielded(u64),
    Located(Vec<(Numbered, Option<Offset>)>),
    Looked(u64, Option<Topics>),
}

/// Runs a member until it has left or failed, or nobody can ask anything of it any more.
pub(crate) async fn run(
    cluster: Cluster,
    options: Arc<GroupOptions>,
    mut commands: mpsc::Receiver<Command>,
    mailbox: Arc<Mailbox>,
) {
    let mut driver = Driver {
        member: Member::new(options.clone(), cluster.config().metadata_max_age, rand::random(), Instant::now()),
        link: Arc::new(Link::new(cluster.clone(), &options)),
        cluster,
        options,
        mailbox,
        call: None,
        beside: FuturesUnordered::new(),
        replies: HashMap::new(),
        tickets: 0,
        leaving: Vec::new(),
    };
    driver.member.tick(Instant::now());
    loop {
        if driver.carry_out() {
            return;
        }
        let wake = driver.member.wake_at();
        let sleep = OptionFuture::from(wake.map(tokio::time::sleep_until));
        let answer = OptionFuture::from(driver.call.as_mut());
        tokio::select! {
            Some(answer) = answer => {
                driver.call = None;
                driver.hear(answer);
            }
            Some(done) = driver.beside.next() => driver.finish(done),
            command = commands.recv() => match command {
                Some(command) => driver.obey(command),
                None => return,
            },
            Some(()) = sleep => driver.member.tick(Instant::now()),
        }
    }
}

struct Driver {
    member: Member,
    cluster: Cluster,
    options: Arc<GroupOptions>,
    mailbox: Arc<Mailbox>,
    link: Arc<Link>,
    call: Option<BoxFuture<'static, Result<Answer, Failure>>>,
    beside: FuturesUnordered<BoxFuture<'static, Beside>>,
    replies: HashMap<Ticket, oneshot::Sender<CommitOutcome>>,
    tickets: u64,
    leaving: Vec<oneshot::Sender<()>>,
}

impl Driver {
    /// Does what the member wants. True when the member has ended.
    fn carry_out(&mut self) -> bool {
        let mut ended = false;
        while let Some(action) = self.member.next_action() {
            match action {
                Action::Call(call) => {
                    tracing::trace!(group = %self.options.group, ?call, "call");
                    let (link, options) = (self.link.clone(), self.options.clone());
                    self.call = Some(async move { link.send(&options, &call).await }.boxed());
                }
                Action::Abandon => {
                    self.call = None;
                    self.link.close();
                }
                Action::Seek => self.link.seek(),
                Action::Announce(announcement) => self.announce(announcement),
                Action::Settle(settled) => {
                    if let Some(reply) = self.replies.remove(&settled.ticket) {
                        // Who asked may have gone.
                        reply.send(settled.outcome).ok();
                    }
                }
                Action::Locate(partitions) => self.locate(partitions),
                Action::Look { number, topics } => self.look(number, topics),
                Action::End(error) => {
                    if let Some(error) = &error {
                        tracing::error!(group = %self.options.group, error = %Chain(error), "the membership has failed");
                    }
                    self.mailbox.end(error.map_or(Ok(()), Err));
                    ended = true;
                }
            }
        }
        ended
    }

    fn announce(&mut self, announcement: Announcement) {
        let number = if let Announcement::Revoked { number, .. } = announcement { number } else { 0 };
        if let Some(done) = self.mailbox.post(announcement) {
            // Ended either way: the value was dropped.
            self.beside.push(done.map(move |_| Beside::Yielded(number)).boxed());
        }
    }

    fn locate(&mut self, partitions: Vec<Numbered>) {
        let (cluster, isolation) = (self.cluster.clone(), self.options.isolation);
        let place = match self.options.offset_reset {
            OffsetReset::Earliest | OffsetReset::None => Place::Earliest,
            OffsetReset::Latest => Place::Latest,
        };
        let work = async move {
            let asked: Vec<TopicPartition> = partitions.iter().map(|(partition, _)| partition.clone()).collect();
            let found = cluster.list_offsets(&asked, place, isolation).await.unwrap_or_else(|error| {
                tracing::warn!(error = %Chain(&error), "cannot ask where partitions begin");
                HashMap::new()
            });
            let offset = |partition: &TopicPartition| found.get(partition).copied().flatten();
            let found = partitions.into_iter().map(|numbered| {
                let offset = offset(&numbered.0);
                (numbered, offset)
            });
            Beside::Located(found.collect())
        };
        self.beside.push(work.boxed());
    }

    fn look(&mut self, number: u64, topics: Look) {
        let cluster = self.cluster.clone();
        let work = async move {
            let all = topics == Look::All;
            let metadata = match &topics {
                Look::All => cluster.all_topics().await,
                Look::Named(names) => cluster.topics(names.iter().cloned()).await,
            };
            let topics = match metadata {
                Ok(metadata) => Some(shapes(&metadata, &topics, all)),
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "cannot ask what topics there are");
                    None
                }
            };
            Beside::Looked(number, topics)
        };
        self.beside.push(work.boxed());
    }

    fn hear(&mut self, answer: Result<Answer, Failure>) {
        let now = Instant::now();
        match answer {
            Ok(answer) => {
                tracing::trace!(group = %self.options.group, ?answer, "answer");
                self.member.answered(now, answer);
            }
            Err(Failure::Silence(silence)) => self.member.unanswered(now, silence),
            Err(Failure::Hopeless(source)) => {
                self.member.failed(now, GroupError::Cluster { group: self.options.group.clone(), source });
            }
        }
    }

    fn finish(&mut self, done: Beside) {
        let now = Instant::now();
        match done {
            Beside::Yielded(number) => self.member.yielded(now, number),
            Beside::Located(found) => self.member.located(now, found),
            Beside::Looked(number, topics) => self.member.looked(now, number, topics),
        }
    }

    fn obey(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Commit { entries, reply } => {
                self.tickets += 1;
                let ticket = Ticket(self.tickets);
                self.replies.insert(ticket, reply);
                self.member.commit(now, ticket, entries);
            }
            Command::Rewound { partition, assignment, restart } => {
                self.member.rewound(now, partition, assignment, restart);
            }
            Command::Leave { done } => {
                self.leaving.push(done);
                self.member.leave(now);
            }
        }
    }
}

/// The topics that exist and may be subscribed to.
fn shapes(metadata: &cluster::Metadata, asked: &Look, all: bool) -> Topics {
    let wanted = |name: &Arc<str>| match asked {
        Look::All => true,
        Look::Named(names) => names.contains(name),
    };
    let exists = |topic: &cluster::Topic| topic.error.is_none() && !(all && topic.internal);
    let topics = metadata.topics.values().filter(|topic| wanted(&topic.name) && exists(topic));
    let shape = |topic: &cluster::Topic| Shape { id: topic.id, partitions: topic.partitions.len() as i32 };
    topics.map(|topic| (topic.name.clone(), shape(topic))).collect()
}

/// Why a call has no answer.
enum Failure {
    Silence(Silence),
    /// And never will have.
    Hopeless(cluster::Error),
}

/// The connection to the coordinator, found and made when it is needed.
///
/// Not one of the cluster's pool: a JoinGroup of another group there would keep our heartbeats waiting for minutes.
struct Link {
    cluster: Cluster,
    key: CoordinatorKey,
    open: Mutex<Option<Open>>,
}

#[derive(Clone)]
struct Open {
    node: i32,
    connection: Arc<Connection>,
}

impl Link {
    fn new(cluster: Cluster, options: &GroupOptions) -> Self {
        Self { cluster, key: CoordinatorKey::Group(options.group.clone()), open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().expect("no code panics while it holds this lock")
    }

    /// Closes the connection.
    fn close(&self) {
        self.open().take();
    }

    /// Closes the connection, and asks anew who coordinates before the next.
    fn seek(&self) {
        if let Some(open) = self.open().take() {
            self.cluster.forget_coordinator(&self.key, open.node);
        }
    }

    async fn send(&self, options: &GroupOptions, call: &Call) -> Result<Answer, Failure> {
        let open = match self.connect().await {
            Ok(open) => open,
            Err(error) if error.retry() == Retry::Never => return Err(Failure::Hopeless(error)),
            Err(error) => {
                tracing::warn!(group = %options.group, error = %Chain(&error), "cannot reach the group's coordinator");
                return Err(Failure::Silence(Silence::Unsent));
            }
        };
        match requests::send(&open.connection, options, self.cluster.config().request_timeout, call).await {
            Ok(answer) => Ok(answer),
            Err(Unanswered::NotNow(code)) => {
                if code.is_stale_coordinator() {
                    self.seek();
                }
                Err(Failure::Silence(Silence::Unsent))
            }
            Err(Unanswered::Net(error)) if error.retry() == Retry::Never => Err(Failure::Hopeless(error.into())),
            Err(Unanswered::Net(error)) => {
                tracing::warn!(group = %options.group, call = call.name(), error = %Chain(&error), "no answer");
                // The broker may be gone; another one coordinates then.
                self.seek();
                Err(Failure::Silence(match error {
                    net::Error::TimedOut { .. } => Silence::Expired,
                    _ => Silence::Broken,
                }))
            }
        }
    }

    async fn connect(&self) -> Result<Open, cluster::Error> {
        if let Some(open) = self.open().clone().filter(|open| open.connection.ended().is_none()) {
            return Ok(open);
        }
        self.close();
        let node = self.cluster.coordinator(&self.key).await?;
        let known = |metadata: &cluster::Metadata| metadata.brokers.get(&node).map(|broker| broker.address.clone());
        let address = match known(&self.cluster.metadata()) {
            Some(address) => address,
            None => known(&*self.cluster.refresh().await?)
                .ok_or_else(|| cluster::Error::Unknown { what: format!("broker {node}").into() })?,
        };
        let patience = self.cluster.config().connection_setup_timeout;
        let connection = Connection::open(self.cluster.config(), address, patience).await.inspect_err(|_| {
            self.cluster.forget_coordinator(&self.key, node);
        })?;
        let open = Open { node, connection: Arc::new(connection) };
        *self.open() = Some(open.clone());
        Ok(open)
    }
}
