//! A line of the contract, put together piece by piece.

use serde_json::{Value, json};

pub(crate) const OWN: &str = "111111111111";
pub(crate) const OTHER: &str = "222222222222";
pub(crate) const USER: &str = "arn:aws:iam::111111111111:user/ana";
pub(crate) const STRANGER: &str = "arn:aws:iam::222222222222:user/bob";
pub(crate) const ROLE: &str = "arn:aws:iam::111111111111:role/path/app";
pub(crate) const SESSION: &str = "arn:aws:sts::111111111111:assumed-role/app/one";
pub(crate) const FEDERATED: &str = "arn:aws:sts::111111111111:federated-user/ana";
pub(crate) const OBJECT: &str = "arn:aws:s3:::b/k";
pub(crate) const KEY: &str = "arn:aws:kms:eu-west-1:111111111111:key/1";
pub(crate) const ORDERS: &str = "arn:aws:iam::111111111111:role/orders";

#[derive(Debug, Clone)]
pub(crate) struct Line(pub(crate) Value);

/// `action` on `resource`, which belongs to [`OWN`], by `principal`; with no policy and no key.
pub(crate) fn ask(principal: &str, action: &str, resource: &str) -> Line {
    let request =
        json!({"action": action, "resource": resource, "resourceAccount": OWN, "principal": principal, "context": {}});
    Line(json!({"id": "1", "identityPolicies": [], "request": request}))
}

/// A document of one statement or several.
pub(crate) fn policy(statements: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

pub(crate) fn allow(action: &str) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": "*"})
}

pub(crate) fn deny(action: &str) -> Value {
    json!({"Effect": "Deny", "Action": action, "Resource": "*"})
}

/// A statement of a resource's policy, for those whom `principal` names.
pub(crate) fn to(principal: &Value, mut statement: Value) -> Value {
    statement["Principal"] = principal.clone();
    statement
}

/// A statement of a trust policy.
pub(crate) fn trusting(principal: &Value, action: &str) -> Value {
    json!({"Effect": "Allow", "Principal": principal, "Action": action})
}

pub(crate) fn on_condition(mut statement: Value, condition: &Value) -> Value {
    statement["Condition"] = condition.clone();
    statement
}

impl Line {
    pub(crate) fn identity(mut self, statements: &Value) -> Self {
        self.0["identityPolicies"].as_array_mut().unwrap().push(policy(statements));
        self
    }

    /// Any field that holds one document.
    pub(crate) fn with(mut self, field: &str, statements: &Value) -> Self {
        self.0[field] = policy(statements);
        self
    }

    /// One level of control policies, `scps` or `rcps`, with a policy for each of `statements`.
    pub(crate) fn level(mut self, field: &str, statements: &[Value]) -> Self {
        let level: Vec<Value> = statements.iter().map(policy).collect();
        match self.0[field].as_array_mut() {
            Some(levels) => levels.push(json!(level)),
            None => self.0[field] = json!([level]),
        }
        self
    }

    pub(crate) fn key(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0["request"]["context"][key] = value.into();
        self
    }

    pub(crate) fn owned_by(mut self, account: &str) -> Self {
        self.0["request"]["resourceAccount"] = json!(account);
        self
    }

    pub(crate) fn answer(&self) -> (String, String) {
        answer(&self.0.to_string())
    }
}

/// The decision's name and the reason.
pub(crate) fn answer(line: &str) -> (String, String) {
    let answer = serde_json::to_value(iam::answer(line.as_bytes())).unwrap();
    let text = |field: &str| answer[field].as_str().unwrap().to_owned();
    (text("decision"), text("reason"))
}

/// Checks a table of rules, each with an example and the name of its verdict.
pub(crate) fn check(table: Vec<(&str, Line, &str)>) {
    for (rule, line, expected) in table {
        let (decision, reason) = line.answer();
        assert_eq!(decision, expected, "{rule}\n{}\n{reason}", line.0);
    }
}
