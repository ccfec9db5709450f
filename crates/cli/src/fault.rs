use local::aws::{FaultRule, Remote};

use crate::args::{Exit, FaultAction, PlaneCommand};
use crate::place::explain;
use crate::screen::Screen;
use crate::stdout::print;

/// `tidegate local fault|revoke|propagation`: does something to an embedded AWS that is up.
pub(crate) async fn fault(command: &PlaneCommand, screen: &Screen) -> Exit {
    let done = match command {
        PlaneCommand::Fault { action, at } => act(&Remote::new(&at.endpoint), action).await,
        PlaneCommand::Revoke { role, at } => {
            Remote::new(&at.endpoint).revoke_sessions(role).await.map(|()| String::new())
        }
        PlaneCommand::Propagation { seconds, at } => {
            Remote::new(&at.endpoint).set_propagation(*seconds).await.map(|()| String::new())
        }
    };
    match done {
        Ok(text) => print(&text, Exit::Done, screen),
        Err(error) => {
            screen.print(format!("error: {}\n", explain(&error)).as_bytes());
            Exit::Failed
        }
    }
}

async fn act(remote: &Remote, action: &FaultAction) -> Result<String, local::aws::AwsError> {
    match action {
        FaultAction::Add { effect, operation, bucket, key, skip, count, probability } => {
            let mut rule = FaultRule::new(effect.clone()).operation(operation).bucket(bucket).key(key);
            rule = rule.skip(*skip).probability(*probability);
            rule.count = *count;
            Ok(format!("{}\n", remote.add_fault(&rule).await?))
        }
        FaultAction::List => {
            let line = |(number, rule, struck): (u64, FaultRule, u64)| {
                let FaultRule { operation, bucket, key, effect, .. } = &rule;
                let of = rule.count.map_or_else(String::new, |count| format!(" of {count}"));
                format!("{number}\t{effect}\t{operation} {bucket} {key}\tstruck {struck}{of}\n")
            };
            Ok(remote.faults().await?.into_iter().map(line).collect())
        }
        FaultAction::Clear { number } => remote.clear_faults(*number).await.map(|()| String::new()),
    }
}
