//! What is to be done next, whatever has happened.

use std::sync::Arc;

use super::super::call::{Call, LEAVING, LEAVING_FOR_A_WHILE, Reconcile};
use super::super::commits::Asked;
use super::super::membership::Action;
use super::super::stays::Stage;
use super::{Busy, End, Member, Next, Rules, What};

impl Member {
    /// Starts what can be started: the one place that decides it.
    pub(super) fn go_on(&mut self) {
        if matches!(self.end, End::Done) {
            self.base.commits.sweep(&self.base.stays).into_iter().for_each(|it| self.base.act(Action::Settle(it)));
            return;
        }
        if let End::Wanted(_) = self.end {
            self.go_away();
            return;
        }
        if self.busy.is_none() && !self.base.calls.holds(self.base.now) {
            self.call();
        }
        let uncommitted = self.base.stays.at(Stage::Uncommitted);
        if !uncommitted.is_empty() && !self.locating && !self.base.places.holds(self.base.now) {
            self.locating = true;
            self.base.act(Action::Locate(uncommitted));
        }
        if !self.looks.under_way && !self.looks.pause.holds(self.base.now) && self.wants_look() {
            self.looks.under_way = true;
            self.looks.last += 1;
            let number = self.looks.last;
            let topics = self.topics_to_look_at();
            self.base.act(Action::Look { number, topics });
        }
    }

    pub(super) fn call(&mut self) {
        if self.base.forsaken.as_ref().is_some_and(|(_, until)| self.base.now >= *until) {
            self.base.forsaken = None;
        }
        if let Some((id, _)) = self.base.forsaken.clone() {
            let call = self.leaving_call(id, "the member was fenced");
            return self.send(call, What::Forsaken);
        }
        let next = match &mut self.rules {
            Rules::Classic(classic) => classic.next_call(&mut self.base),
            Rules::Consumer(consumer) => consumer.next_call(&mut self.base),
        };
        let may_commit = match &self.rules {
            Rules::Classic(classic) => classic.may_commit(),
            Rules::Consumer(consumer) => consumer.may_commit(),
        };
        match next {
            Some(Next::Call(call)) => {
                let said = if let Call::Reconcile(said) = &call { Some(said.clone()) } else { None };
                return self.send(call, What::Protocol(said));
            }
            Some(Next::Commit) => return self.send_commits(),
            None if !may_commit => return,
            None => {}
        }
        let unknown = self.base.stays.at(Stage::Unknown);
        if !unknown.is_empty() && !self.base.places.holds(self.base.now) {
            let (member, epoch) = (self.base.id.clone(), self.base.epoch);
            let partitions = unknown.iter().map(|(partition, _)| partition.clone()).collect();
            return self.send(Call::Places { member, epoch, partitions }, What::Places(unknown));
        }
        if self.base.has_commits() {
            self.send_commits();
        }
    }

    pub(super) fn send_commits(&mut self) {
        let batch = self.base.commits.next_batch();
        let entries = batch.iter().flat_map(Asked::open).cloned().collect();
        let (member, epoch) = (self.base.id.clone(), self.base.epoch);
        self.send(Call::Commit { member, epoch, entries }, What::Commit(batch));
    }

    pub(super) fn send(&mut self, call: Call, what: What) {
        self.busy = Some(Busy { sent: self.base.now, what });
        self.base.act(Action::Call(call));
    }

    pub(super) fn leaving_call(&self, member: Arc<str>, reason: &'static str) -> Call {
        match &self.rules {
            Rules::Classic(_) => Call::Leave { member, reason },
            Rules::Consumer(_) => {
                let epoch = if self.base.options.instance.is_some() { LEAVING_FOR_A_WHILE } else { LEAVING };
                Call::Reconcile(Reconcile { member, epoch, full: false, topics: None, owned: None })
            }
        }
    }

    pub(super) fn go_away(&mut self) {
        if self.busy.is_some() {
            return;
        }
        // A static member of the classic protocol goes without a word, so that its partitions wait for it.
        let silent = matches!(self.rules, Rules::Classic(_)) && self.base.options.instance.is_some();
        if silent || self.base.id.is_empty() {
            return self.finish();
        }
        let id = std::mem::replace(&mut self.base.id, "".into());
        let call = self.leaving_call(id, "the connector stops");
        self.send(call, What::Leave);
    }

    pub(super) fn finish(&mut self) {
        if let End::Wanted(error) = std::mem::replace(&mut self.end, End::Done) {
            self.base.act(Action::End(error));
        }
    }
}
