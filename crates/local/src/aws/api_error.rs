use std::borrow::Cow;
use std::io;

use http::StatusCode;

use super::error::AwsError;
use super::xml::Xml;

/// A refusal, as a client sees it.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    code: &'static str,
    status: StatusCode,
    message: Cow<'static, str>,
    /// Further elements of S3's answer (`<BucketName>`, `<Region>`).
    fields: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
    /// Why a policy refused it, for those who may know.
    details: Option<Box<str>>,
}

/// Code, status and text of what S3 and STS answer, from their API references and observed answers. Operations put a
/// more telling text where AWS does.
const ERRORS: &[(&str, u16, &str)] = &[
    ("AccessControlListNotSupported", 400, "The bucket does not allow ACLs"),
    ("AccessDenied", 403, "Access Denied"),
    ("AccessDeniedException", 400, "You are not authorized to perform this operation."),
    ("AlreadyExistsException", 400, "The resource already exists."),
    ("AuthorizationHeaderMalformed", 400, "The authorization header is malformed"),
    ("AuthorizationQueryParametersError", 400, "Query-string authentication is malformed"),
    ("BadDigest", 400, "The Content-MD5 you specified did not match what we received."),
    ("BadRequest", 400, "The request is not valid."),
    (
        "BucketAlreadyExists",
        409,
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.",
    ),
    (
        "BucketAlreadyOwnedByYou",
        409,
        "Your previous request to create the named bucket succeeded and you already own it.",
    ),
    ("BucketNotEmpty", 409, "The bucket you tried to delete is not empty"),
    (
        "ConditionalRequestConflict",
        409,
        "The conditional request cannot succeed due to a conflicting operation against this resource.",
    ),
    ("DeleteConflict", 409, "Cannot delete entity, must remove what belongs to it first."),
    ("EntityAlreadyExists", 409, "The entity already exists."),
    ("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size"),
    ("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size"),
    ("ExpiredToken", 400, "The provided token has expired."),
    ("ExpiredTokenException", 400, "The security token included in the request is expired"),
    (
        "IllegalLocationConstraintException",
        400,
        "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.",
    ),
    ("IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header"),
    ("IncompleteSignature", 400, "The request signature does not conform to AWS standards."),
    ("IncompleteSignatureException", 400, "The request signature does not conform to AWS standards."),
    ("InternalError", 500, "We encountered an internal error. Please try again."),
    ("InternalFailure", 500, "The request processing has failed because of an unknown error, exception or failure."),
    ("InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."),
    ("InvalidAction", 400, "The action or operation requested is invalid."),
    ("InvalidArgument", 400, "Invalid Argument"),
    ("InvalidArnException", 400, "An ARN is not valid."),
    ("InvalidAuthorizationMessageException", 400, "Message is not valid"),
    ("InvalidBucketName", 400, "The specified bucket is not valid."),
    ("InvalidClientTokenId", 403, "The security token included in the request is invalid."),
    ("InvalidDigest", 400, "The Content-MD5 you specified was invalid."),
    (
        "InvalidEncryptionAlgorithmError",
        400,
        "The Encryption request you specified is not valid. Supported value: AES256.",
    ),
    ("InvalidIdentityToken", 400, "The ID Token provided is not valid."),
    ("InvalidInput", 400, "The request is not valid."),
    ("InvalidParameterValue", 400, "An invalid or out-of-range value was supplied for the input parameter."),
    (
        "InvalidPart",
        400,
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
    ),
    ("InvalidPartOrder", 400, "The list of parts was not in ascending order. Parts must be ordered by part number."),
    ("InvalidRange", 416, "The requested range is not satisfiable"),
    ("InvalidRequest", 400, "Invalid Request"),
    (
        "InvalidSignatureException",
        400,
        "The request signature we calculated does not match the signature you provided.",
    ),
    ("InvalidStorageClass", 400, "The storage class you specified is not valid"),
    ("InvalidTag", 400, "The tag provided was not a valid tag."),
    ("InvalidToken", 400, "The provided token is malformed or otherwise invalid."),
    ("InvalidURI", 400, "Couldn't parse the specified URI."),
    ("KMS.DisabledException", 400, "The key is disabled."),
    ("KMS.NotFoundException", 400, "The key does not exist."),
    ("KeyTooLongError", 400, "Your key is too long"),
    ("LimitExceeded", 409, "The request would exceed a quota."),
    ("MalformedPolicy", 400, "Policies must be valid JSON and the first byte must be '{'"),
    ("MalformedPolicyDocument", 400, "The policy document is malformed."),
    ("MalformedPolicyDocumentException", 400, "The policy document is malformed."),
    ("MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema"),
    ("MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size"),
    ("MethodNotAllowed", 405, "The specified method is not allowed against this resource."),
    ("MissingAction", 400, "The request is missing an action or a required parameter."),
    ("MissingAuthenticationToken", 403, "Request is missing Authentication Token"),
    ("MissingAuthenticationTokenException", 400, "Missing Authentication Token"),
    ("MissingContentLength", 411, "You must provide the Content-Length HTTP header."),
    ("NoSuchBucket", 404, "The specified bucket does not exist"),
    ("NoSuchBucketPolicy", 404, "The bucket policy does not exist"),
    ("NoSuchEntity", 404, "The entity cannot be found."),
    ("NoSuchKey", 404, "The specified key does not exist."),
    (
        "NoSuchUpload",
        404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    ),
    ("NoSuchVersion", 404, "The specified version does not exist."),
    ("NotFoundException", 400, "The key does not exist."),
    ("NotImplemented", 501, "A header you provided implies functionality that is not implemented"),
    ("NotModified", 304, "Not Modified"),
    ("ObjectLockConfigurationNotFoundError", 404, "Object Lock configuration does not exist for this bucket"),
    (
        "OperationAborted",
        409,
        "A conflicting conditional operation is currently in progress against this resource. Please try again.",
    ),
    ("PackedPolicyTooLarge", 400, "Packed size of session policy and session tags exceeds the allotted space."),
    (
        "PermanentRedirect",
        301,
        "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.",
    ),
    ("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold"),
    ("RegionDisabledException", 403, "STS is not activated in the requested region for the account."),
    ("RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large."),
    (
        "RequestTimeout",
        400,
        "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed.",
    ),
    ("SerializationException", 400, "The request is not the JSON that the service speaks."),
    ("ServiceUnavailable", 503, "Service is unable to handle request."),
    (
        "SignatureDoesNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    ),
    ("SlowDown", 503, "Please reduce your request rate."),
    ("Throttling", 400, "Rate exceeded"),
    ("ThrottlingException", 400, "Rate exceeded"),
    ("TooManyParts", 400, "Your multipart upload has too many parts."),
    ("UnmodifiableEntity", 400, "The entity cannot be changed."),
    ("UnrecognizedClientException", 400, "The security token included in the request is invalid."),
    ("ValidationError", 400, "The input fails to satisfy the constraints specified by an AWS service."),
    ("ValidationException", 400, "The input fails to satisfy the constraints specified by an AWS service."),
    ("XAmzContentChecksumMismatch", 400, "The provided 'x-amz-checksum' header does not match what was computed."),
    ("XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed."),
];

impl ApiError {
    /// The refusal with AWS's usual status and text for `code`.
    pub(super) fn of(code: &str) -> Self {
        Self::known(code).unwrap_or_else(|| Self::known("InternalError").expect("the table has it"))
    }

    /// The same for a code that comes from outside; `None` if AWS has none like it.
    pub(super) fn known(code: &str) -> Option<Self> {
        let &(code, status, message) = ERRORS.iter().find(|(known, ..)| *known == code)?;
        let status = StatusCode::from_u16(status).expect("the table has proper statuses");
        Some(Self {
            code,
            status,
            message: Cow::Borrowed(message),
            fields: Vec::new(),
            headers: Vec::new(),
            details: None,
        })
    }

    pub(super) fn saying(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    pub(super) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(super) fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds why a policy refused it.
    pub(super) fn because(mut self, details: impl Into<Box<str>>) -> Self {
        self.details = Some(details.into());
        self
    }

    pub(super) fn details(&self) -> Option<&str> {
        self.details.as_deref()
    }

    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    pub(super) fn http_status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// The shape in which S3 answers.
    pub(super) fn to_s3_xml(&self, resource: &str, request_id: &str, host_id: &str) -> String {
        let mut xml = Xml::document();
        self.write_s3(&mut xml, resource, request_id, host_id);
        xml.finish()
    }

    fn write_s3(&self, xml: &mut Xml, resource: &str, request_id: &str, host_id: &str) {
        xml.within("Error", |xml| {
            xml.field("Code", self.code).field("Message", &self.message);
            for (name, value) in &self.fields {
                xml.field(name, value);
            }
            xml.field("Resource", resource).field("RequestId", request_id).field("HostId", host_id);
        });
    }

    /// The shape in which services answer that speak JSON: KMS.
    pub(super) fn to_json(&self) -> String {
        serde_json::json!({"__type": self.code, "message": self.message}).to_string()
    }

    /// The shape in which services answer that speak forms and XML: STS and IAM.
    pub(super) fn to_query_xml(&self, namespace: &str, request_id: &str) -> String {
        let mut xml = Xml::document();
        xml.within(&format!("ErrorResponse xmlns=\"{namespace}\""), |xml| {
            xml.within("Error", |xml| {
                xml.field("Type", if self.status.is_server_error() { "Receiver" } else { "Sender" });
                xml.field("Code", self.code).field("Message", &self.message);
            });
            xml.field("RequestId", request_id);
        });
        xml.finish()
    }
}

/// What the accounts refuse, in IAM's words.
impl From<AwsError> for ApiError {
    fn from(error: AwsError) -> Self {
        match error {
            AwsError::Policy { source, .. } => Self::of("MalformedPolicyDocument").saying(source.to_string()),
            AwsError::Principal { principal, .. } => Self::of("MalformedPolicyDocument")
                .saying(format!("Invalid principal in policy: \"AWS\":\"{principal}\"")),
            AwsError::Name { what } => {
                Self::of("ValidationError").saying(format!("The specified value for the name of {what} is invalid."))
            }
            AwsError::Exists { what } => Self::of("EntityAlreadyExists").saying(format!("{what} already exists.")),
            AwsError::Missing { what } => Self::of("NoSuchEntity").saying(format!("The {what} cannot be found.")),
            other @ (AwsError::Listen { .. }
            | AwsError::File { .. }
            | AwsError::InUse { .. }
            | AwsError::State { .. }
            | AwsError::Remote { .. }
            | AwsError::SessionLength { .. }
            | AwsError::Unmade { .. }
            | AwsError::ErrorCode { .. }) => {
                tracing::error!(error = %fault::Chain(&other), "embedded aws cannot keep its accounts");
                Self::of("InternalFailure")
            }
        }
    }
}

/// What goes wrong on the server's own side: the disk, mostly.
impl From<io::Error> for ApiError {
    fn from(error: io::Error) -> Self {
        tracing::error!(%error, "embedded aws cannot use its storage");
        Self::of("InternalError")
    }
}

#[cfg(test)]
mod tests {
    use super::{ApiError, ERRORS};

    #[test]
    fn the_table_is_sorted_and_names_each_code_once() {
        assert!(ERRORS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn a_code_that_the_table_lacks_is_not_made_up() {
        assert!(ApiError::known("Nonsense").is_none());
    }
}
