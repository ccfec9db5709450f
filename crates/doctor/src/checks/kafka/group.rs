use ::kafka::inspect::{GroupDescription, GroupMember};

use super::{Kafka, failed, some};
use crate::Check;
use crate::examination::{Examination, Watch};

/// Whether the group may be used, and who else does.
pub(super) async fn run(x: &mut Examination<'_>, kafka: &Kafka) {
    usable(x, kafka).await;
    free(x, kafka).await;
}

async fn usable(x: &mut Examination<'_>, kafka: &Kafka) {
    if !x.wants(Check::GROUP) {
        return;
    }
    let Some(cluster) = &kafka.cluster else { return };
    let watch = Watch::start();
    let group = &kafka.clients.group.group;
    let tried = match cluster.try_membership(group).await {
        Ok(()) => cluster.committed(group).await,
        Err(error) => Err(error),
    };
    let result = match tried {
        Ok(committed) => {
            let text = format!("group {group} may be joined, and has {} committed offsets", committed.len());
            x.facts.kafka.committed = Some(committed);
            watch.passed(Check::GROUP, text).identity(x.facts.kafka.way.principal.clone())
        }
        Err(error) => {
            let result = failed(x, &watch, Check::GROUP, &error);
            x.facts.kafka.group_error = Some(error);
            result
        }
    };
    x.put(result);
}

async fn free(x: &mut Examination<'_>, kafka: &Kafka) {
    if !x.wants(Check::GROUP_FREE) {
        return;
    }
    let Some(cluster) = &kafka.cluster else { return };
    let watch = Watch::start();
    let group = &kafka.clients.group.group;
    let described = match cluster.describe_group(group).await {
        Ok(described) => described,
        Err(error) => return x.put(failed(x, &watch, Check::GROUP_FREE, &error)),
    };
    let Some(described) = described else {
        return x.put(watch.passed(Check::GROUP_FREE, format!("group {group} does not exist yet")));
    };
    let own = &kafka.clients.consumer.client_id;
    let result = if is_of_another_kind(&described) {
        let kind = &described.protocol_type;
        watch.failed(Check::GROUP_FREE, format!("group {group} is one of {kind}, and consumers may not join it"))
    } else if described.members.is_empty() {
        watch.passed(Check::GROUP_FREE, format!("nobody is in group {group}"))
    } else if others(&described, own).next().is_none() {
        let at = some(described.members.iter().map(|member| member.host.trim_start_matches('/').to_owned()));
        watch.passed(Check::GROUP_FREE, format!("only this connector itself is in group {group} (at {at})"))
    } else {
        let one = |member: &GroupMember| {
            let topics = if member.topics.is_empty() {
                String::new()
            } else {
                format!(", reading {}", some(member.topics.iter().map(ToString::to_string)))
            };
            format!("{} at {}{topics}", member.client_id, member.host.trim_start_matches('/'))
        };
        let text = format!("in group {group} there is {}", some(others(&described, own).map(one)));
        watch.failed(Check::GROUP_FREE, text)
    };
    x.facts.kafka.group = Some(described);
    x.put(result);
}

/// Whether it is a group of something else than consumers, such as the workers of a Connect cluster.
pub(crate) fn is_of_another_kind(group: &GroupDescription) -> bool {
    !group.members.is_empty() && !group.protocol_type.is_empty() && &*group.protocol_type != "consumer"
}

/// The members that are not this connector as Tidegate runs it.
pub(crate) fn others<'a>(group: &'a GroupDescription, own: &'a str) -> impl Iterator<Item = &'a GroupMember> {
    group.members.iter().filter(move |member| &*member.client_id != own)
}
