//! A member that stands still past its session, as a process does that is stopped, or swapped out with its machine.

use std::sync::mpsc;

use data::{Offset, TopicPartition};
use kafka::group::GroupProtocol;
use transit::{Assignment, CommitOutcome};

use crate::group::{Follower, member, protocols};
use crate::support::{Kafka, fresh, kafka, topic};

/// A member in a runtime of its own, whose only thread is stopped and goes on when it is told to.
struct Sleeper {
    /// What it holds when it falls asleep.
    asleep: mpsc::Receiver<Assignment>,
    wake: mpsc::Sender<()>,
    /// What became of the commit that it had in hand, and of one after its awakening.
    outcomes: mpsc::Receiver<[CommitOutcome; 2]>,
    thread: std::thread::JoinHandle<()>,
}

fn sleeper(kafka: &'static Kafka, name: &'static str, group: &str, topic: &str, protocol: &GroupProtocol) -> Sleeper {
    let (tell_asleep, asleep) = mpsc::channel();
    let (wake, woken) = mpsc::channel();
    let (tell_outcomes, outcomes) = mpsc::channel();
    let options = member(group, topic, protocol);
    let zero = TopicPartition::new(topic, 0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let thread = std::thread::spawn(move || {
        runtime.block_on(async move {
            let cluster = kafka.connect().await;
            let follower = Follower::start(&cluster, options);
            follower.holds(name, |seen| seen.held.len() == 1).await;
            let assignment = follower.assignment(&zero);
            let in_hand = follower.commit_as(&zero, assignment, 5, "stale");
            let frozen = async {
                tell_asleep.send(assignment).expect("the test listens");
                // The whole runtime stands still here, heartbeats and all.
                woken.recv().expect("the test wakes us");
            };
            let (first, ()) = tokio::join!(in_hand, frozen);
            let second = follower.commit_as(&zero, assignment, 6, "staler").await;
            tell_outcomes.send([first, second]).expect("the test listens");
            // Until the test has looked at what is committed.
            woken.recv().ok();
            follower.leave().await;
        });
    });
    Sleeper { asleep, wake, outcomes, thread }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_stood_still_past_its_session_overwrites_nothing_when_it_wakes_up() {
    let Some(kafka) = kafka("a_member_that_stood_still_past_its_session_overwrites_nothing_when_it_wakes_up") else {
        return;
    };
    let cluster = kafka.connect().await;
    let topic = topic(&cluster, 1).await;
    let zero = TopicPartition::new(&*topic, 0);
    for (name, protocol) in protocols() {
        let group = fresh(name);
        let sleeper = sleeper(kafka, name, &group, &topic, &protocol);
        tokio::task::block_in_place(|| sleeper.asleep.recv()).expect("it falls asleep");
        let heir = Follower::start(&cluster, member(&group, &topic, &protocol));
        heir.holds(name, |seen| seen.held.len() == 1).await;
        assert_eq!(heir.commit(&zero, 9, "the heir's").await, CommitOutcome::Done, "{name}");
        sleeper.wake.send(()).expect("it waits for this");
        let outcomes = tokio::task::block_in_place(|| sleeper.outcomes.recv()).expect("outcomes");
        assert_eq!(outcomes, [CommitOutcome::Fenced, CommitOutcome::Fenced], "{name}");
        // Whoever comes next finds what the heir committed.
        heir.leave().await;
        sleeper.wake.send(()).expect("it waits for this");
        tokio::task::block_in_place(|| sleeper.thread.join()).expect("it ends");
        let next = Follower::start(&cluster, member(&group, &topic, &protocol));
        next.holds(name, |seen| seen.held.len() == 1).await;
        let held = next.held()[&zero].clone();
        assert_eq!((held.position, &*held.metadata), (Offset(9), "the heir's"), "{name}");
        next.leave().await;
    }
}
