//! The actions of S3, STS and KMS by what they act on, and the condition keys that only some of them have. From AWS's service
//! authorization reference, as machine-readable copies of it had it in November 2026.

/// S3 actions on a bucket's ARN.
pub(super) const S3_BUCKET: &str = "\
    CreateBucket CreateBucketMetadataTableConfiguration DeleteBucket DeleteBucketMetadataTableConfiguration \
    DeleteBucketPolicy DeleteBucketWebsite GetAccelerateConfiguration GetAnalyticsConfiguration GetBucketAbac \
    GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging GetBucketMetadataTableConfiguration \
    GetBucketNotification GetBucketObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy \
    GetBucketPolicyStatus GetBucketPublicAccessBlock GetBucketRequestPayment GetBucketTagging GetBucketVersioning \
    GetBucketWebsite GetEncryptionConfiguration GetIntelligentTieringConfiguration GetInventoryConfiguration \
    GetLifecycleConfiguration GetMetricsConfiguration GetReplicationConfiguration ListBucket \
    ListBucketMultipartUploads ListBucketVersions ListTagsForResource PauseReplication PutAccelerateConfiguration \
    PutAnalyticsConfiguration PutBucketAbac PutBucketAcl PutBucketCORS PutBucketLogging PutBucketNotification \
    PutBucketObjectLockConfiguration PutBucketOwnershipControls PutBucketPolicy PutBucketPublicAccessBlock \
    PutBucketRequestPayment PutBucketTagging PutBucketVersioning PutBucketWebsite PutEncryptionConfiguration \
    PutIntelligentTieringConfiguration PutInventoryConfiguration PutLifecycleConfiguration PutMetricsConfiguration \
    PutReplicationConfiguration TagResource UntagResource UpdateBucketMetadataInventoryTableConfiguration \
    UpdateBucketMetadataJournalTableConfiguration";

/// S3 actions on an object's ARN.
pub(super) const S3_OBJECT: &str = "\
    AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectTagging DeleteObjectVersion \
    DeleteObjectVersionTagging GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold GetObjectRetention \
    GetObjectTagging GetObjectTorrent GetObjectVersion GetObjectVersionAcl GetObjectVersionAttributes \
    GetObjectVersionForReplication GetObjectVersionTagging GetObjectVersionTorrent InitiateReplication \
    ListMultipartUploadParts ObjectOwnerOverrideToBucketOwner PutObject PutObjectAcl PutObjectLegalHold \
    PutObjectRetention PutObjectTagging PutObjectVersionAcl PutObjectVersionTagging ReplicateDelete ReplicateObject \
    ReplicateTags RestoreObject UpdateObjectEncryption";

/// S3 actions on access points, jobs and the like.
pub(super) const S3_OTHER: &str = "\
    AssociateAccessGrantsIdentityCenter CreateAccessGrant CreateAccessGrantsInstance CreateAccessGrantsLocation \
    CreateAccessPoint CreateAccessPointForObjectLambda CreateMultiRegionAccessPoint DeleteAccessGrant \
    DeleteAccessGrantsInstance DeleteAccessGrantsInstanceResourcePolicy DeleteAccessGrantsLocation DeleteAccessPoint \
    DeleteAccessPointForObjectLambda DeleteAccessPointPolicy DeleteAccessPointPolicyForObjectLambda DeleteJobTagging \
    DeleteMultiRegionAccessPoint DeleteStorageLensConfiguration DeleteStorageLensConfigurationTagging \
    DeleteStorageLensGroup DescribeJob DescribeMultiRegionAccessPointOperation DissociateAccessGrantsIdentityCenter \
    GetAccessGrant GetAccessGrantsInstance GetAccessGrantsInstanceForPrefix GetAccessGrantsInstanceResourcePolicy \
    GetAccessGrantsLocation GetAccessPointConfigurationForObjectLambda GetAccessPointForObjectLambda \
    GetAccessPointPolicy GetAccessPointPolicyForObjectLambda GetAccessPointPolicyStatus \
    GetAccessPointPolicyStatusForObjectLambda GetDataAccess GetJobTagging GetMultiRegionAccessPoint \
    GetMultiRegionAccessPointPolicy GetMultiRegionAccessPointPolicyStatus GetMultiRegionAccessPointRoutes \
    GetStorageLensConfiguration GetStorageLensConfigurationTagging GetStorageLensDashboard GetStorageLensGroup \
    ListAccessGrants ListAccessGrantsLocations ListCallerAccessGrants PutAccessGrantsInstanceResourcePolicy \
    PutAccessPointConfigurationForObjectLambda PutAccessPointPolicy PutAccessPointPolicyForObjectLambda \
    PutJobTagging PutMultiRegionAccessPointPolicy PutStorageLensConfigurationTagging \
    SubmitMultiRegionAccessPointRoutes UpdateAccessGrantsLocation UpdateJobPriority UpdateJobStatus \
    UpdateStorageLensGroup";

/// S3 actions that take no resource.
pub(super) const S3_ACCOUNT: &str = "\
    CreateJob CreateStorageLensGroup GetAccessPoint GetAccountPublicAccessBlock ListAccessGrantsInstances \
    ListAccessPoints ListAccessPointsForObjectLambda ListAllMyBuckets ListJobs ListMultiRegionAccessPoints \
    ListStorageLensConfigurations ListStorageLensGroups PutAccessPointPublicAccessBlock PutAccountPublicAccessBlock \
    PutStorageLensConfiguration";

/// STS actions on a role; they are what trust policies speak of.
pub(super) const STS_ROLE: &str = "\
    AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity SetContext SetSourceIdentity TagSession";

/// The other STS actions.
pub(super) const STS_OTHER: &str = "\
    AssumeRoot DecodeAuthorizationMessage GetAccessKeyInfo GetCallerIdentity GetDelegatedAccessToken \
    GetFederationToken GetServiceBearerToken GetSessionToken GetWebIdentityToken TagGetWebIdentityToken";

/// KMS actions on a key.
pub(super) const KMS_KEY: &str = "\
    CancelKeyDeletion CreateAlias CreateGrant Decrypt DeleteAlias DeleteImportedKeyMaterial DeriveSharedSecret \
    DescribeKey DisableKey DisableKeyRotation EnableKey EnableKeyRotation Encrypt GenerateDataKey \
    GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GenerateMac GetKeyPolicy \
    GetKeyRotationStatus GetParametersForImport GetPublicKey ImportKeyMaterial ListGrants ListKeyPolicies \
    ListKeyRotations ListResourceTags PutKeyPolicy ReEncryptFrom ReEncryptTo ReplicateKey RetireGrant RevokeGrant \
    RotateKeyOnDemand ScheduleKeyDeletion Sign SynchronizeMultiRegionKey TagResource UntagResource UpdateAlias \
    UpdateKeyDescription UpdatePrimaryRegion Verify VerifyMac";

/// KMS actions that take no key.
pub(super) const KMS_OTHER: &str = "\
    ConnectCustomKeyStore CreateCustomKeyStore CreateKey DeleteCustomKeyStore DescribeCustomKeyStores \
    DisconnectCustomKeyStore GenerateRandom ListAliases ListKeys ListRetirableGrants UpdateCustomKeyStore";

/// Condition keys that only some actions of their service have, and these actions. The keys of one AssumeRole call are there
/// for all that the call needs (`sts:TagSession`, `sts:SetSourceIdentity`). Keys that AWS fills in beyond its reference
/// (`s3:x-amz-*` on copies, `s3:versionid`) are left out.
pub(super) const NARROW_KEYS: &[(&str, &str)] = &[
    ("s3:AccessGrantScope", "CreateAccessGrant DeleteAccessGrant GetAccessGrant"),
    (
        "s3:AccessGrantsLocationScope",
        "CreateAccessGrantsLocation DeleteAccessGrantsLocation GetAccessGrantsLocation UpdateAccessGrantsLocation",
    ),
    ("s3:ExistingJobOperation", "DeleteJobTagging PutJobTagging UpdateJobPriority UpdateJobStatus"),
    ("s3:ExistingJobPriority", "DeleteJobTagging PutJobTagging UpdateJobPriority UpdateJobStatus"),
    ("s3:InventoryAccessibleOptionalFields", "PutInventoryConfiguration"),
    ("s3:ObjectCreationOperation", "PutObject"),
    ("s3:RequestJobOperation", "CreateJob"),
    ("s3:RequestJobPriority", "CreateJob UpdateJobPriority"),
    ("s3:RequestObjectTagKeys", "BypassGovernanceRetention PutObject PutObjectTagging PutObjectVersionTagging"),
    ("s3:delimiter", "ListBucket ListBucketVersions"),
    ("s3:destinationRegion", "PauseReplication"),
    ("s3:if-none-match", "PutObject"),
    ("s3:isReplicationPauseRequest", "PutReplicationConfiguration"),
    ("s3:max-keys", "ListBucket ListBucketVersions"),
    ("s3:prefix", "ListBucket ListBucketVersions"),
    ("sts:AWSServiceName", "GetServiceBearerToken"),
    ("sts:ExternalId", "AssumeRole SetSourceIdentity TagSession"),
    ("sts:IdentityTokenAudience", "GetWebIdentityToken"),
    ("sts:RequestContextProviders", "SetContext"),
    ("sts:RoleSessionName", "AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity SetSourceIdentity TagSession"),
    ("sts:SigningAlgorithm", "GetWebIdentityToken"),
    ("sts:SourceIdentity", "AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity SetSourceIdentity TagSession"),
    ("sts:TaskPolicyArn", "AssumeRoot"),
    ("sts:TransitiveTagKeys", "AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity SetSourceIdentity TagSession"),
];

/// Every condition key of the three services, in lower case; a key that ends in `/` or `:` goes on with a name.
pub(super) const KEYS: &str = "\
    kms:bypasspolicylockoutsafetycheck kms:calleraccount kms:customermasterkeyspec kms:customermasterkeyusage \
    kms:datakeypairspec kms:encryptionalgorithm kms:encryptioncontext: kms:encryptioncontextkeys kms:expirationmodel \
    kms:grantconstrainttype kms:granteeprincipal kms:grantisforawsresource kms:grantoperations \
    kms:keyagreementalgorithm kms:keyorigin kms:keyspec kms:keyusage kms:macalgorithm kms:messagetype \
    kms:multiregion kms:multiregionkeytype kms:primaryregion kms:recipientattestation: kms:reencryptonsamekey \
    kms:replicaregion kms:requestalias kms:resourcealiases kms:retiringprincipal kms:rotationperiodindays \
    kms:schedulekeydeletionpendingwindowindays kms:signingalgorithm kms:validto kms:viaservice kms:wrappingalgorithm \
    kms:wrappingkeyspec s3:accessgrantscope s3:accessgrantsinstancearn s3:accessgrantslocationscope \
    s3:accesspointnetworkorigin s3:accesspointtag/ s3:authtype s3:buckettag/ s3:dataaccesspointaccount \
    s3:dataaccesspointarn s3:delimiter s3:destinationregion s3:existingjoboperation s3:existingjobpriority \
    s3:existingobjecttag/ s3:if-match s3:if-none-match s3:inventoryaccessibleoptionalfields \
    s3:isreplicationpauserequest s3:jobsuspendedcause s3:locationconstraint s3:max-keys s3:object-lock-legal-hold \
    s3:object-lock-mode s3:object-lock-remaining-retention-days s3:object-lock-retain-until-date \
    s3:objectcreationoperation s3:prefix s3:requestjoboperation s3:requestjobpriority s3:requestobjecttag/ \
    s3:requestobjecttagkeys s3:resourceaccount s3:signatureage s3:signatureversion s3:tlsversion s3:versionid \
    s3:x-amz-acl s3:x-amz-bucket-namespace s3:x-amz-content-sha256 s3:x-amz-copy-source s3:x-amz-grant-full-control \
    s3:x-amz-grant-read s3:x-amz-grant-read-acp s3:x-amz-grant-write s3:x-amz-grant-write-acp \
    s3:x-amz-metadata-directive s3:x-amz-object-ownership s3:x-amz-server-side-encryption \
    s3:x-amz-server-side-encryption-aws-kms-key-id s3:x-amz-server-side-encryption-customer-algorithm \
    s3:x-amz-storage-class s3:x-amz-website-redirect-location sts:awsservicename sts:durationseconds sts:externalid \
    sts:identitytokenaudience sts:requestcontext/ sts:requestcontextproviders sts:rolesessionname \
    sts:signingalgorithm sts:sourceidentity sts:taskpolicyarn sts:transitivetagkeys";

/// The global condition keys, in lower case, in the same way.
pub(super) const GLOBAL_KEYS: &str = "\
    aws:assumedroot aws:calledvia aws:calledviaawsmcp aws:calledviafirst aws:calledvialast aws:chatbotsourcearn \
    aws:currenttime aws:ec2instancesourceprivateipv4 aws:ec2instancesourcevpc aws:epochtime aws:federatedprovider \
    aws:ismcpserviceaction aws:multifactorauthage aws:multifactorauthpresent aws:principalaccount aws:principalarn \
    aws:principalisawsservice aws:principalorgid aws:principalorgpaths aws:principalservicename \
    aws:principalservicenameslist aws:principaltag/ aws:principaltype aws:referer aws:requestedregion \
    aws:requesttag/ aws:resourceaccount aws:resourceorgid aws:resourceorgpaths aws:resourcetag/ aws:securetransport \
    aws:signinsessionarn aws:sourceaccount aws:sourcearn aws:sourceidentity aws:sourceip aws:sourceorgid \
    aws:sourceorgpaths aws:sourcevpc aws:sourcevpcarn aws:sourcevpce aws:tagkeys aws:tokenissuetime aws:useragent \
    aws:userid aws:username aws:viaawsmcpservice aws:viaawsservice aws:vpceaccount aws:vpceorgid aws:vpceorgpaths \
    aws:vpcsourceip";
