//! What tower, tower-http and tower-resilience offer for the same purposes.
#![expect(clippy::expect_used, reason = "this configuration is not refused")]

use std::time::Duration;

use http::StatusCode;
use tower::ServiceBuilder;
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer as TowerTimeoutLayer;
use tower_http::timeout::{ResponseBodyDeadlineLayer, ResponseBodyTimeoutLayer, TimeoutLayer};
use tower_resilience_bulkhead::BulkheadLayer;
use tower_resilience_timelimiter::TimeLimiterLayer;

use super::Row;

const LIMIT: Duration = Duration::from_secs(90);
const TOTAL: Duration = Duration::from_secs(120);
const SEATS: usize = 64;

pub(super) fn rows() -> Vec<Row> {
    let head = TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, LIMIT);
    let read = ResponseBodyTimeoutLayer::new(LIMIT);
    let total = ResponseBodyDeadlineLayer::new(TOTAL);
    let shed = ServiceBuilder::new()
        .layer(LoadShedLayer::new())
        .layer(ConcurrencyLimitLayer::new(SEATS));
    let bulkhead = BulkheadLayer::builder().max_concurrent_calls(SEATS).build();
    let bulkhead = bulkhead.expect("a bulkhead");
    vec![
        Row::layer("tower Timeout", TowerTimeoutLayer::new(LIMIT)),
        Row::layer("tower-http TimeoutLayer", head),
        Row::layer("tower-http ResponseBodyTimeout", read.clone()),
        Row::layer("tower-http ResponseBodyDeadline", total.clone()),
        Row::layer(
            "tower-http, those three",
            ServiceBuilder::new().layer(total).layer(read.clone()).layer(head),
        ),
        Row::layer("tower ConcurrencyLimit", ConcurrencyLimitLayer::new(SEATS)),
        Row::layer("LoadShed + ConcurrencyLimit", shed.clone()),
        Row::layer(
            "LoadShed + ConcurrencyLimit + TimeoutLayer + ResponseBodyTimeout",
            shed.layer(read).layer(head),
        ),
        Row::layer("tower-resilience Bulkhead", bulkhead),
        Row::layer(
            "tower-resilience TimeLimiter",
            TimeLimiterLayer::builder().timeout_duration(LIMIT).build(),
        ),
    ]
}
