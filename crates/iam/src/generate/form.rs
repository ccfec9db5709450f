use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::Document;
use crate::generate::{GenerateError, hcl, shell, yaml};

/// How a policy is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// The document itself.
    Json,
    /// Terraform's language (HCL).
    Terraform,
    /// A CloudFormation template in YAML.
    CloudFormation,
    /// Commands of the AWS CLI for a POSIX shell.
    AwsCli,
}

/// What a policy is made into.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A managed policy of its own, to be attached to something.
    Policy {
        /// Its name.
        name: &'a str,
        /// What it allows.
        permission: &'a Document,
    },
    /// A policy inside a role that exists.
    RolePolicy {
        /// The role's name.
        role: &'a str,
        /// The policy's name.
        name: &'a str,
        /// What it allows.
        permission: &'a Document,
    },
    /// A new role.
    Role {
        /// Its name.
        role: &'a str,
        /// Whom it lets in.
        trust: &'a Document,
        /// What it may do, as a policy inside it of this name.
        permission: Option<(&'a str, &'a Document)>,
    },
    /// The trust policy of a role that exists. Terraform imports the role; CloudFormation cannot, and gets a new one.
    RoleTrust {
        /// The role's name.
        role: &'a str,
        /// Whom it lets in.
        trust: &'a Document,
    },
}

impl<'a> Subject<'a> {
    /// The documents in it, in the order in which they are written.
    fn documents(self) -> Vec<&'a Document> {
        match self {
            Self::Policy { permission, .. } | Self::RolePolicy { permission, .. } => vec![permission],
            Self::Role { trust, permission, .. } => {
                [Some(trust), permission.map(|(_, permission)| permission)].into_iter().flatten().collect()
            }
            Self::RoleTrust { trust, .. } => vec![trust],
        }
    }
}

/// Writes `subject` in `form`; ends with a line feed.
pub fn render(subject: Subject<'_>, form: Form) -> Result<String, GenerateError> {
    match subject {
        Subject::Policy { name, .. } => check_name(name)?,
        Subject::RolePolicy { role, name, .. } | Subject::Role { role, permission: Some((name, _)), .. } => {
            check_name(role)?;
            check_name(name)?;
        }
        Subject::Role { role, permission: None, .. } | Subject::RoleTrust { role, .. } => check_name(role)?,
    }
    match form {
        Form::Json => Ok(subject.documents().into_iter().fold(String::new(), |mut out, document| {
            // Two documents make no third: they are told apart by an empty line, and pasted one by one.
            out.push_str(if out.is_empty() { "" } else { "\n" });
            writeln!(out, "{document:#}").ok();
            out
        })),
        Form::Terraform => Ok(terraform(subject)),
        Form::CloudFormation => cloud_formation(subject),
        Form::AwsCli => Ok(aws_cli(subject)),
    }
}

/// `[\w+=,.@-]`, at most 64 for roles and 128 for policies (IAM API reference).
fn check_name(name: &str) -> Result<(), GenerateError> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if (1..=64).contains(&name.len()) && name.bytes().all(legal) {
        return Ok(());
    }
    let rule = "is not 1 to 64 letters, digits and _+=,.@-";
    Err(GenerateError::Value { what: "name", value: name.chars().take(200).collect(), rule })
}

fn terraform(subject: Subject<'_>) -> String {
    let mut out = String::new();
    match subject {
        Subject::Policy { name, permission } => {
            let arguments = [("name", hcl::text(name)), ("policy", hcl::document(permission))];
            hcl::block(&mut out, "aws_iam_policy", &hcl::label(name), &arguments);
        }
        Subject::RolePolicy { role, name, permission } => {
            let arguments =
                [("name", hcl::text(name)), ("role", hcl::text(role)), ("policy", hcl::document(permission))];
            hcl::block(&mut out, "aws_iam_role_policy", &hcl::label(name), &arguments);
        }
        Subject::Role { role, trust, permission } => {
            let label = hcl::label(role);
            let arguments = [("name", hcl::text(role)), ("assume_role_policy", hcl::document(trust))];
            hcl::block(&mut out, "aws_iam_role", &label, &arguments);
            if let Some((name, permission)) = permission {
                out.push('\n');
                let of_role = format!("aws_iam_role.{label}.id");
                let arguments = [("name", hcl::text(name)), ("role", of_role), ("policy", hcl::document(permission))];
                hcl::block(&mut out, "aws_iam_role_policy", &hcl::label(name), &arguments);
            }
        }
        Subject::RoleTrust { role, trust } => {
            let label = hcl::label(role);
            writeln!(out, "import {{\n  to = aws_iam_role.{label}\n  id = {}\n}}\n", hcl::text(role)).ok();
            let arguments = [("name", hcl::text(role)), ("assume_role_policy", hcl::document(trust))];
            hcl::block(&mut out, "aws_iam_role", &label, &arguments);
        }
    }
    out
}

fn cloud_formation(subject: Subject<'_>) -> Result<String, GenerateError> {
    let (id, resource) = match subject {
        Subject::Policy { name, permission } => {
            let properties = json!({"ManagedPolicyName": name, "PolicyDocument": permission});
            (logical_id(name), json!({"Type": "AWS::IAM::ManagedPolicy", "Properties": properties}))
        }
        Subject::RolePolicy { role, name, permission } => {
            let properties = json!({"RoleName": role, "PolicyName": name, "PolicyDocument": permission});
            (logical_id(name), json!({"Type": "AWS::IAM::RolePolicy", "Properties": properties}))
        }
        Subject::Role { role, trust, permission } => {
            let mut properties = json!({"RoleName": role, "AssumeRolePolicyDocument": trust});
            if let Some((name, permission)) = permission {
                properties["Policies"] = json!([{"PolicyName": name, "PolicyDocument": permission}]);
            }
            (logical_id(role), json!({"Type": "AWS::IAM::Role", "Properties": properties}))
        }
        Subject::RoleTrust { role, trust } => {
            let properties = json!({"RoleName": role, "AssumeRolePolicyDocument": trust});
            (logical_id(role), json!({"Type": "AWS::IAM::Role", "Properties": properties}))
        }
    };
    for document in subject.documents() {
        let text = document.to_string();
        // CloudFormation looks for these in every text, and has no way to say them literally.
        if text.contains("{{resolve:") {
            let rule = "holds {{resolve:, which CloudFormation would replace";
            return Err(GenerateError::Value { what: "policy", value: text.chars().take(80).collect(), rule });
        }
    }
    let template = json!({"AWSTemplateFormatVersion": "2010-09-09", "Resources": {id: resource}});
    Ok(yaml::print(&template))
}

/// Logical IDs are letters and digits.
fn logical_id(name: &str) -> String {
    let mut id = String::new();
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let (first, rest) = word.split_at(1);
        id.push_str(&first.to_ascii_uppercase());
        id.push_str(rest);
    }
    if id.is_empty() { "Policy".to_owned() } else { id }
}

fn aws_cli(subject: Subject<'_>) -> String {
    let command = |words: &[&str]| {
        let mut line = "aws iam".to_owned();
        for word in words {
            line.push(' ');
            line.push_str(&shell::quote(word));
        }
        line + "\n"
    };
    match subject {
        Subject::Policy { name, permission } => {
            let document = permission.to_string();
            command(&["create-policy", "--policy-name", name, "--policy-document", &document])
        }
        Subject::RolePolicy { role, name, permission } => {
            let document = permission.to_string();
            command(&["put-role-policy", "--role-name", role, "--policy-name", name, "--policy-document", &document])
        }
        Subject::Role { role, trust, permission } => {
            let trust = trust.to_string();
            let mut out = command(&["create-role", "--role-name", role, "--assume-role-policy-document", &trust]);
            if let Some((name, permission)) = permission {
                out.push_str(&aws_cli(Subject::RolePolicy { role, name, permission }));
            }
            out
        }
        Subject::RoleTrust { role, trust } => {
            let trust = trust.to_string();
            command(&["update-assume-role-policy", "--role-name", role, "--policy-document", &trust])
        }
    }
}

/// A document as a value whose members keep their order.
pub(super) fn value(document: &Document) -> Value {
    serde_json::to_value(document).expect("a document is JSON")
}
