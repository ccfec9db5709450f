use crate::matching::Matching;
use crate::{Condition, Document, Policies, Request, Statement};

/// How one statement stands to a request: which of its parts match, so that it can be said why it does not.
#[derive(Debug, Clone)]
pub struct Standing<'a> {
    /// Which statement, from 0.
    pub index: usize,
    /// The statement.
    pub statement: &'a Statement,
    /// Whether it names the caller; one without principals names everybody.
    pub names_caller: bool,
    /// Whether it speaks of the action.
    pub covers_action: bool,
    /// Whether it speaks of the resource.
    pub covers_resource: bool,
    /// The conditions that do not hold.
    pub unmet: Vec<&'a Condition>,
}

impl Standing<'_> {
    /// Whether the statement speaks of the request: only then does it allow or deny.
    pub fn matches(&self) -> bool {
        self.names_caller && self.covers_action && self.covers_resource && self.unmet.is_empty()
    }

    /// Whether nothing but conditions is in the way.
    pub fn misses_by_conditions(&self) -> bool {
        self.names_caller && self.covers_action && self.covers_resource && !self.unmet.is_empty()
    }
}

/// How each statement of `document` stands to `request`. A decision is [`crate::evaluate`]'s: this says why.
pub fn standings<'a>(request: &Request<'_>, document: &'a Document) -> Vec<Standing<'a>> {
    let matching = Matching::new(request, &Policies::default());
    let stand = |(index, statement): (usize, &'a Statement)| Standing {
        index,
        statement,
        names_caller: matching.names_caller(statement),
        covers_action: statement.actions().covers(request.action),
        covers_resource: matching.covers_resource(statement),
        unmet: statement.conditions().iter().filter(|condition| !condition.holds(request.context)).collect(),
    };
    document.statements().iter().enumerate().map(stand).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Caller, Context, PolicyKind};

    #[test]
    fn a_statement_says_which_of_its_parts_do_not_match() {
        let trust = Document::parse_as(
            PolicyKind::Trust,
            r#"{"Version":"2012-10-17","Statement":[
                {"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::222222222222:user/vendor"},
                 "Condition":{"StringEquals":{"sts:ExternalId":"right"},"Bool":{"aws:MultiFactorAuthPresent":"true"}}},
                {"Effect":"Allow","Action":"sts:TagSession","Principal":{"AWS":"222222222222"}},
                {"Effect":"Deny","Action":"sts:*","Principal":{"AWS":"arn:aws:iam::222222222222:role/other"}},
                {"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"222222222222"}}]}"#,
        )
        .unwrap();
        let caller = Caller::parse("arn:aws:iam::222222222222:user/vendor").unwrap();
        let mut context = Context::new();
        context.set("sts:ExternalId", "wrong");
        let request = Request {
            caller: &caller,
            action: "sts:AssumeRole",
            resource: "arn:aws:iam::111111111111:role/orders",
            resource_account: "111111111111".parse().unwrap(),
            context: &context,
        };
        let told: Vec<_> = standings(&request, &trust)
            .iter()
            .map(|s| {
                let unmet: Vec<_> = s.unmet.iter().map(|condition| condition.key().to_owned()).collect();
                (
                    s.names_caller,
                    s.covers_action,
                    s.covers_resource,
                    unmet.join(" "),
                    s.matches(),
                    s.misses_by_conditions(),
                )
            })
            .collect();
        let plain = String::new();
        let both = "sts:ExternalId aws:MultiFactorAuthPresent".to_owned();
        assert_eq!(
            told,
            [
                (true, true, true, both, false, true),
                (true, false, true, plain.clone(), false, false),
                (false, true, true, plain.clone(), false, false),
                (true, true, true, plain, true, false),
            ]
        );
    }
}
