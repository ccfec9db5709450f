use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};

use futures_util::FutureExt as _;
use runtime::{Connector, Process};
use tokio::sync::watch;

use super::face::{self, Face};
use super::{Inner, Wanted};
use crate::plane::{Explanation, Target};

/// What a keeper is told.
#[derive(Debug, Clone)]
pub(super) struct Order {
    /// Counts the orders of this connector.
    pub(super) number: u64,
    pub(super) wanted: Wanted,
    /// How often it was asked to be started anew: a run of an earlier count does not fit.
    pub(super) restarts: u64,
    /// Nothing of it shall be left.
    pub(super) is_gone: bool,
}

/// Brings one connector to what is wanted of it.
pub(super) struct Keeper {
    supervisor: Weak<Inner>,
    process: Process,
    orders: watch::Receiver<Order>,
    settled: watch::Sender<u64>,
    face: Arc<Face>,
    run: Option<Run>,
}

/// What runs, and what order it came from.
struct Run {
    connector: Arc<Connector>,
    revision: u64,
    restarts: u64,
}

impl Run {
    fn fits(&self, order: &Order) -> bool {
        !order.is_gone
            && order.wanted.target == Target::Running
            && order.wanted.config_revision == self.revision
            && order.restarts == self.restarts
    }
}

impl Keeper {
    pub(super) fn new(
        supervisor: Weak<Inner>,
        process: Process,
        orders: watch::Receiver<Order>,
        settled: watch::Sender<u64>,
        face: Arc<Face>,
    ) -> Self {
        Self { supervisor, process, orders, settled, face, run: None }
    }

    /// Works until the connector is forgotten, or nobody is left who could give an order.
    pub(super) async fn keep(mut self) {
        loop {
            let order = self.orders.borrow_and_update().clone();
            if let Err(panic) = AssertUnwindSafe(self.bring_about(&order)).catch_unwind().await {
                // Not the end of the others, and not of this one: the next order may be another one.
                self.run = None;
                self.face.ended();
                self.face.troubled(self.panicked(&*panic));
            }
            // Whoever waits for it is told by the end of the keeper.
            if order.is_gone && self.supervisor.upgrade().is_none_or(|all| all.remove(&order.wanted.id, order.number)) {
                return;
            }
            self.settled.send_replace(order.number);
            if self.orders.changed().await.is_err() {
                return;
            }
        }
    }

    async fn bring_about(&mut self, order: &Order) {
        if let Some(run) = self.run.take_if(|run| !run.fits(order)) {
            run.connector.end().await;
            self.face.ended();
            // It took its time: what is wanted by now may be something else.
            if self.orders.has_changed().unwrap_or(false) {
                return;
            }
        }
        if order.is_gone || order.wanted.target != Target::Running {
            self.face.resting();
        } else if self.run.is_none() {
            match &order.wanted.plan {
                Ok(plan) => {
                    let connector = Arc::new(Connector::start(&self.process, Arc::clone(plan), HashMap::new()));
                    self.face.begun(Arc::clone(&connector));
                    let Order { restarts, wanted: Wanted { config_revision, .. }, .. } = *order;
                    self.run = Some(Run { connector, revision: config_revision, restarts });
                }
                Err(text) => self.face.troubled(self.unplanned(text)),
            }
        }
    }

    fn unplanned(&self, text: &str) -> Explanation {
        let hint = "give it another configuration, or mend what this one refers to and restart it";
        self.explanation("config.refused", text.to_owned(), hint)
    }

    fn panicked(&self, panic: &(dyn Any + Send)) -> Explanation {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word");
        tracing::error!(connector = &*self.orders.borrow().wanted.name, "what keeps the connector panicked: {text}");
        let hint = "restart the connector; if it comes back, report it with the log's lines before this one";
        self.explanation("connector.panicked", format!("what keeps the connector panicked: {text}"), hint)
    }

    fn explanation(&self, code: &'static str, text: String, hint: &str) -> Explanation {
        Explanation {
            code,
            text,
            hint: Some(hint.to_owned()),
            causes: Vec::new(),
            since: face::timestamp(self.process.clock().now()),
            attempts: 1,
            retry_in: None,
        }
    }
}
