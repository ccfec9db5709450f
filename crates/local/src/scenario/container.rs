use iam::AccountId;

use super::base::Base;
use super::caller::entity;
use super::fault::ScenarioFault;
use super::reader::Reader;
use crate::aws::{Aws, PodIdentity};

/// The container that the program runs in.
#[derive(Debug)]
pub(super) struct ContainerScript {
    role: Option<(AccountId, String)>,
    /// A pod of EKS; a task of ECS without it.
    pod: Option<PodIdentity>,
    wrong_token: bool,
}

pub(super) fn read(scenario: &mut Reader<'_>) -> Option<ContainerScript> {
    let mut container = scenario.child("container")?;
    container.only(&["cluster", "namespace", "pod", "role", "service", "service_account", "token"]);
    container.required("role");
    let role = entity(&mut container, "role");
    let is_pod = container.word("service", &[("ecs", false), ("eks", true)]).unwrap_or(false);
    let of_pod = ["cluster", "namespace", "service_account", "pod"];
    for key in of_pod {
        if !is_pod && container.has(key) {
            container.fault(key, "is for service = \"eks\"");
        }
    }
    let [cluster, namespace, service_account, pod] =
        of_pod.map(|key| container.text(key).unwrap_or("tidegate").to_owned());
    let pod = is_pod.then_some(PodIdentity { cluster, namespace, service_account, pod });
    let wrong_token = container.word("token", &[("good", false), ("wrong", true)]).unwrap_or(false);
    Some(ContainerScript { role, pod, wrong_token })
}

impl ContainerScript {
    /// Gives the container its role; `None` if there is none of that name.
    pub(super) fn play(&self, aws: &Aws, faults: &mut Vec<ScenarioFault>) -> Option<Base> {
        let (account, name) = self.role.as_ref()?;
        let Some(role) = aws.role_arn(*account, name) else {
            faults.push(ScenarioFault::new("container.role", format!("is no role: {account}/{name}")));
            return None;
        };
        let container = match &self.pod {
            Some(pod) => aws.pod(&role, pod),
            None => aws.task(&role),
        };
        let token = if self.wrong_token { "none-of-ours".to_owned() } else { container.token.expose().to_owned() };
        let mut base = Base::of("container");
        base.environment.push(("AWS_CONTAINER_CREDENTIALS_FULL_URI".to_owned(), container.full_uri));
        base.environment.push(("AWS_CONTAINER_AUTHORIZATION_TOKEN".to_owned(), token));
        Some(base)
    }
}
