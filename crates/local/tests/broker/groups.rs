use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError::{
    FencedInstanceId, IllegalGeneration, InconsistentGroupProtocol, InvalidGroupId, InvalidSessionTimeout,
    MemberIdRequired, RebalanceInProgress, UnknownMemberId,
};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    DescribeGroupsRequest, GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use tokio::time::{Instant, sleep};

use super::wire::{PATIENCE, Subject, Wire, subject, subscription, text, unique};

/// A member of a group, with a connection of its own.
pub(crate) struct Member {
    pub(crate) wire: Wire,
    pub(crate) group: GroupId,
    pub(crate) id: StrBytes,
    pub(crate) generation: i32,
    instance: Option<StrBytes>,
    pub(crate) protocols: Vec<(&'static str, Bytes)>,
    session: Duration,
    rebalance: Duration,
}

impl Member {
    pub(crate) async fn new(subject: &Subject, group: &str) -> Self {
        Self {
            wire: Wire::connect(subject.addr).await,
            group: GroupId(text(group)),
            id: StrBytes::new(),
            generation: -1,
            instance: None,
            protocols: vec![("range", subscription(&["orders"], b"range"))],
            session: Duration::from_secs(10),
            rebalance: Duration::from_secs(10),
        }
    }

    fn with_instance(mut self, instance: &str) -> Self {
        self.instance = Some(text(instance));
        self
    }

    fn join_request(&self) -> JoinGroupRequest {
        let protocol = |(name, metadata): &(&'static str, Bytes)| {
            JoinGroupRequestProtocol::default()
                .with_name(StrBytes::from_static_str(name))
                .with_metadata(metadata.clone())
        };
        JoinGroupRequest::default()
            .with_group_id(self.group.clone())
            .with_member_id(self.id.clone())
            .with_group_instance_id(self.instance.clone())
            .with_session_timeout_ms(self.session.as_millis() as i32)
            .with_rebalance_timeout_ms(self.rebalance.as_millis() as i32)
            .with_protocol_type(StrBytes::from_static_str("consumer"))
            .with_protocols(self.protocols.iter().map(protocol).collect())
    }

    async fn begin_join(&mut self) {
        let request = self.join_request();
        self.wire.send(7, &request).await;
    }

    async fn end_join(&mut self) -> JoinGroupResponse {
        let response = self.wire.receive::<JoinGroupRequest>(7).await;
        if response.error_code == 0 || response.error_code == MemberIdRequired.code() {
            self.id = response.member_id.clone();
        }
        if response.error_code == 0 {
            self.generation = response.generation_id;
        }
        response
    }

    /// Joins, with the id that it is given first if it needs one.
    pub(crate) async fn join(&mut self) -> JoinGroupResponse {
        self.begin_join().await;
        let response = self.end_join().await;
        if response.error_code != MemberIdRequired.code() {
            return response;
        }
        self.begin_join().await;
        self.end_join().await
    }

    /// Gets an id, so that the next join is a whole one.
    async fn get_id(&mut self) {
        self.begin_join().await;
        assert_eq!(self.end_join().await.error_code, MemberIdRequired.code());
    }

    fn sync_request(&self, assignments: &[(&StrBytes, &'static [u8])]) -> SyncGroupRequest {
        let assignment = |(id, bytes): &(&StrBytes, &'static [u8])| {
            SyncGroupRequestAssignment::default()
                .with_member_id((*id).clone())
                .with_assignment(Bytes::from_static(bytes))
        };
        SyncGroupRequest::default()
            .with_group_id(self.group.clone())
            .with_generation_id(self.generation)
            .with_member_id(self.id.clone())
            .with_group_instance_id(self.instance.clone())
            .with_protocol_type(Some(StrBytes::from_static_str("consumer")))
            .with_protocol_name(Some(StrBytes::from_static_str("range")))
            .with_assignments(assignments.iter().map(assignment).collect())
    }

    pub(crate) async fn sync(&mut self, assignments: &[(&StrBytes, &'static [u8])]) -> SyncGroupResponse {
        let request = self.sync_request(assignments);
        self.wire.call(5, &request).await
    }

    pub(crate) async fn heartbeat(&mut self) -> i16 {
        let request = HeartbeatRequest::default()
            .with_group_id(self.group.clone())
            .with_generation_id(self.generation)
            .with_member_id(self.id.clone())
            .with_group_instance_id(self.instance.clone());
        self.wire.call(4, &request).await.error_code
    }

    pub(crate) async fn leave(&mut self) -> i16 {
        let member =
            MemberIdentity::default().with_member_id(self.id.clone()).with_group_instance_id(self.instance.clone());
        let request = LeaveGroupRequest::default().with_group_id(self.group.clone()).with_members(vec![member]);
        self.wire.call(4, &request).await.members[0].error_code
    }

    async fn state(&mut self) -> String {
        let request = DescribeGroupsRequest::default().with_groups(vec![self.group.clone()]);
        self.wire.call(5, &request).await.groups[0].group_state.to_string()
    }

    /// Waits until a heartbeat is answered so.
    async fn hears(&mut self, code: i16) {
        let until = Instant::now() + PATIENCE;
        loop {
            let heard = self.heartbeat().await;
            if heard == code {
                return;
            }
            assert!(Instant::now() < until, "heard {heard}, not {code}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The first member of a new group, stable in its first generation.
pub(crate) async fn stable_member(subject: &Subject, group: &str) -> Member {
    let mut member = Member::new(subject, group).await;
    member.settle().await;
    member
}

impl Member {
    /// Joins a new group and gets all of it.
    pub(crate) async fn settle(&mut self) {
        let joined = self.join().await;
        assert_eq!((joined.error_code, joined.generation_id, joined.members.len()), (0, 1, 1));
        assert_eq!(joined.leader, self.id);
        let id = self.id.clone();
        assert_eq!(self.sync(&[(&id, b"all")]).await.assignment, Bytes::from_static(b"all"));
    }
}

#[tokio::test]
async fn a_member_is_given_its_id_before_it_may_join() {
    let subject = subject().await;
    let mut member = Member::new(&subject, &unique("id")).await;
    member.begin_join().await;
    let first = member.end_join().await;
    assert_eq!(first.error_code, MemberIdRequired.code());
    assert!(first.member_id.starts_with("tester-"), "{}", first.member_id);
    member.begin_join().await;
    let joined = member.end_join().await;
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    assert_eq!(joined.member_id, first.member_id);
    assert_eq!(joined.protocol_name.as_deref(), Some("range"));
    assert_eq!(joined.members[0].metadata, subscription(&["orders"], b"range"));
}

#[tokio::test]
async fn two_members_get_what_the_leader_assigns() {
    let subject = subject().await;
    let group = unique("two");
    let mut first = stable_member(&subject, &group).await;
    let mut second = Member::new(&subject, &group).await;
    second.get_id().await;
    second.begin_join().await;
    first.hears(RebalanceInProgress.code()).await;
    first.begin_join().await;
    let (led, followed) = (first.end_join().await, second.end_join().await);
    assert_eq!((led.generation_id, followed.generation_id), (2, 2));
    assert_eq!((led.members.len(), followed.members.len()), (2, 0));
    assert_eq!(led.leader, first.id);
    // The follower asks first, and waits.
    second.wire.send(5, &second.sync_request(&[])).await;
    assert_eq!(first.state().await, "CompletingRebalance");
    let ids = (first.id.clone(), second.id.clone());
    assert_eq!(first.sync(&[(&ids.0, b"mine"), (&ids.1, b"yours")]).await.assignment, Bytes::from_static(b"mine"));
    let synced = second.wire.receive::<SyncGroupRequest>(5).await;
    assert_eq!((synced.error_code, synced.assignment), (0, Bytes::from_static(b"yours")));
    assert_eq!((first.heartbeat().await, second.heartbeat().await), (0, 0));
    assert_eq!(first.state().await, "Stable");
    // One leaves: the other is called to join again, and is alone.
    assert_eq!(second.leave().await, 0);
    assert_eq!(first.heartbeat().await, RebalanceInProgress.code());
    first.begin_join().await;
    let alone = first.end_join().await;
    assert_eq!((alone.generation_id, alone.members.len()), (3, 1));
}

#[tokio::test]
async fn strangers_and_old_generations_are_refused() {
    let subject = subject().await;
    let mut member = stable_member(&subject, &unique("strangers")).await;
    let id = std::mem::replace(&mut member.id, text("nobody"));
    assert_eq!(member.heartbeat().await, UnknownMemberId.code());
    assert_eq!(member.sync(&[]).await.error_code, UnknownMemberId.code());
    assert_eq!(member.leave().await, UnknownMemberId.code());
    member.begin_join().await;
    assert_eq!(member.end_join().await.error_code, UnknownMemberId.code());
    member.id = id;
    member.generation = 0;
    assert_eq!(member.heartbeat().await, IllegalGeneration.code());
    assert_eq!(member.sync(&[]).await.error_code, IllegalGeneration.code());
    member.generation = 1;
    assert_eq!(member.heartbeat().await, 0);

    let mut other = Member::new(&subject, &member.group).await;
    other.protocols = vec![("sticky", subscription(&[], b""))];
    other.begin_join().await;
    assert_eq!(other.end_join().await.error_code, InconsistentGroupProtocol.code());
    other.protocols = vec![("range", subscription(&[], b""))];
    other.session = Duration::from_hours(1);
    other.begin_join().await;
    assert_eq!(other.end_join().await.error_code, InvalidSessionTimeout.code());
    let mut nameless = Member::new(&subject, "").await;
    nameless.begin_join().await;
    assert_eq!(nameless.end_join().await.error_code, InvalidGroupId.code());
}

#[tokio::test]
async fn a_lost_answer_is_given_again_without_a_rebalance() {
    let subject = subject().await;
    let mut member = stable_member(&subject, &unique("again")).await;
    let mut second = Member::new(&subject, &member.group).await;
    second.get_id().await;
    second.begin_join().await;
    member.hears(RebalanceInProgress.code()).await;
    member.begin_join().await;
    let (led, followed) = (member.end_join().await, second.end_join().await);
    assert_eq!((led.generation_id, followed.generation_id), (2, 2));
    let ids = (member.id.clone(), second.id.clone());
    member.sync(&[(&ids.0, b"a"), (&ids.1, b"b")]).await;
    second.begin_join().await;
    assert_eq!(second.end_join().await.generation_id, 2, "a second that joins again unchanged is told where it is");
    assert_eq!(second.sync(&[]).await.assignment, Bytes::from_static(b"b"));
    // With another subscription it is a rebalance, and a leader that joins again always is one.
    member.begin_join().await;
    second.hears(RebalanceInProgress.code()).await;
    second.begin_join().await;
    assert_eq!((member.end_join().await.generation_id, second.end_join().await.generation_id), (3, 3));
}

#[tokio::test]
async fn a_silent_member_is_dropped_and_its_id_refused() {
    let subject = subject().await;
    let group = unique("silent");
    let mut silent = Member::new(&subject, &group).await;
    // The least that Kafka allows.
    silent.session = Duration::from_secs(6);
    silent.join().await;
    let id = silent.id.clone();
    silent.sync(&[(&id, b"all")]).await;
    let mut other = Member::new(&subject, &group).await;
    other.get_id().await;
    let begun = Instant::now();
    other.begin_join().await;
    let joined = other.end_join().await;
    assert_eq!((joined.error_code, joined.members.len()), (0, 1));
    assert_eq!(joined.leader, other.id);
    assert!(begun.elapsed() > Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(silent.heartbeat().await, UnknownMemberId.code());
}

#[tokio::test]
async fn a_rebalance_does_not_wait_longer_than_asked_for_members_that_do_not_join() {
    let subject = subject().await;
    let group = unique("slow");
    let mut slow = Member::new(&subject, &group).await;
    slow.rebalance = Duration::from_millis(500);
    slow.join().await;
    let id = slow.id.clone();
    slow.sync(&[(&id, b"all")]).await;
    let mut other = Member::new(&subject, &group).await;
    other.rebalance = Duration::from_millis(500);
    other.get_id().await;
    other.begin_join().await;
    // It heartbeats, so that its session lives, but does not join.
    slow.hears(RebalanceInProgress.code()).await;
    let joined = other.end_join().await;
    assert_eq!((joined.error_code, joined.generation_id, joined.members.len()), (0, 2, 1));
    assert_eq!(slow.heartbeat().await, UnknownMemberId.code());
}

#[tokio::test]
async fn members_that_do_not_fetch_their_assignment_are_dropped() {
    let subject = subject().await;
    let mut leader = Member::new(&subject, &unique("unsynced")).await;
    leader.rebalance = Duration::from_millis(500);
    leader.join().await;
    leader.hears(UnknownMemberId.code()).await;
}

#[tokio::test]
async fn a_static_member_keeps_its_place_when_it_comes_back() {
    let subject = subject().await;
    let group = unique("static");
    let mut member = Member::new(&subject, &group).await.with_instance("one");
    let joined = member.join().await;
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    assert!(joined.member_id.starts_with("one-"));
    let id = member.id.clone();
    member.sync(&[(&id, b"mine")]).await;

    let mut again = Member::new(&subject, &group).await.with_instance("one");
    let request = again.join_request();
    let back = again.wire.call(9, &request).await;
    assert_eq!((back.error_code, back.generation_id, back.skip_assignment), (0, 1, true));
    assert_ne!(back.member_id, id);
    again.id = back.member_id.clone();
    again.generation = 1;
    assert_eq!(again.sync(&[]).await.assignment, Bytes::from_static(b"mine"));
    // Its former self is fenced, in whatever it does.
    assert_eq!(member.heartbeat().await, FencedInstanceId.code());
    assert_eq!(member.sync(&[]).await.error_code, FencedInstanceId.code());
    assert_eq!(member.leave().await, FencedInstanceId.code());
    member.begin_join().await;
    assert_eq!(member.end_join().await.error_code, FencedInstanceId.code());
    assert_eq!(again.heartbeat().await, 0);
    // An administrator takes it out by its instance alone.
    again.id = StrBytes::new();
    assert_eq!(again.leave().await, 0);
    assert_eq!(again.state().await, "Empty");
}

#[tokio::test]
async fn the_protocol_that_all_know_is_chosen() {
    let subject = subject().await;
    let group = unique("vote");
    let mut first = Member::new(&subject, &group).await;
    first.protocols = vec![("cooperative-sticky", subscription(&[], b"c")), ("range", subscription(&[], b"r"))];
    assert_eq!(first.join().await.protocol_name.as_deref(), Some("cooperative-sticky"));
    let mut second = Member::new(&subject, &group).await;
    second.get_id().await;
    second.begin_join().await;
    first.hears(RebalanceInProgress.code()).await;
    first.begin_join().await;
    let led = first.end_join().await;
    assert_eq!(led.protocol_name.as_deref(), Some("range"));
    let metadata: Vec<_> = led.members.iter().map(|member| member.metadata.clone()).collect();
    assert!(metadata.contains(&subscription(&[], b"r")), "{metadata:?}");
    assert!(metadata.contains(&subscription(&["orders"], b"range")), "{metadata:?}");
    assert_eq!(second.end_join().await.protocol_name.as_deref(), Some("range"));
}
