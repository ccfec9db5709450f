//! Managed policies that AWS itself keeps: the few that one attaches without thinking.

use std::sync::{Arc, LazyLock};

use iam::Document;

/// ARN's last part and document, as AWS publishes them.
const POLICIES: [(&str, &str); 3] = [
    ("AdministratorAccess", r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#),
    (
        "AmazonS3FullAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","s3-object-lambda:*"],"Resource":"*"}]}"#,
    ),
    (
        "AmazonS3ReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*","s3:Describe*","s3-object-lambda:Get*","s3-object-lambda:List*"],"Resource":"*"}]}"#,
    ),
];

static DOCUMENTS: LazyLock<Vec<(&str, Arc<Document>)>> = LazyLock::new(|| {
    let read = |text: &str| Arc::new(Document::parse(text).expect("these policies are constants"));
    POLICIES.iter().map(|(name, text)| (*name, read(text))).collect()
});

/// The document of one of AWS's own policies, `arn:aws:iam::aws:policy/..`.
pub(super) fn document(arn: &str) -> Option<Arc<Document>> {
    let (partition, name) = arn.strip_prefix("arn:")?.split_once(":iam::aws:policy/")?;
    iam::Partition::ALL.into_iter().find(|known| known.name() == partition)?;
    DOCUMENTS.iter().find(|(known, _)| *known == name).map(|(_, document)| document.clone())
}

#[cfg(test)]
mod tests {
    use super::document;

    #[test]
    fn aws_policies_are_known_by_their_arn() {
        assert!(document("arn:aws:iam::aws:policy/AdministratorAccess").is_some());
        assert!(document("arn:aws:iam::aws:policy/Nothing").is_none());
        assert!(document("arn:aws:iam::111111111111:policy/AdministratorAccess").is_none());
    }
}
