use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    AppName, BehaviorVersion, Config, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_smithy_async::rt::sleep::TokioSleep;
use identity::Identity;

use crate::Clients;
use crate::bridge::{CacheBridge, ClockBridge};
use crate::s3::options::S3Options;

/// How long a connection may take to be made, the name's lookup and TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// A client of the SDK for `region`, with all that we do ourselves switched off. Opens no connection.
pub(crate) fn build(clients: &Clients, identity: &Identity, region: &str, options: &S3Options) -> Client {
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .app_name(AppName::new("tidegate").expect("a valid application name"))
        .http_client(clients.http().clone())
        .region(Region::new(region.to_owned()))
        .force_path_style(options.path_style || options.endpoint.is_some())
        .use_fips(options.fips)
        .use_dual_stack(options.dual_stack)
        .identity_cache(IdentityCache::no_cache())
        .time_source(ClockBridge(clients.clock().clone()))
        .disable_clock_skew_correction(true)
        .sleep_impl(TokioSleep::new())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    config.set_endpoint_url(options.endpoint.clone());
    config = if identity.is_anonymous() {
        config.allow_no_auth()
    } else {
        config.credentials_provider(CacheBridge(identity.clone()))
    };
    Client::from_conf(config.build())
}
