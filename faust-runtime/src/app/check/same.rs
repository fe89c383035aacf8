//! Comparisons at compile time, where `==` is not.

use crate::define::{Place, TopicDef};
use std::time::Duration;

/// From the end: names that begin alike are frequent, and every step costs.
pub(super) const fn same(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    while let ([rest_a @ .., x], [rest_b @ .., y]) = (a, b) {
        if *x != *y {
            return false;
        }
        (a, b) = (rest_a, rest_b);
    }
    true
}

pub(super) const fn same_place(a: Place, b: Place) -> bool {
    a.line == b.line && same(a.file, b.file)
}

/// Whether two declarations of a topic say the same.
pub(in crate::app) const fn same_topic(a: &TopicDef, b: &TopicDef) -> bool {
    same_number(a.partitions, b.partitions)
        && same_number(widen(a.replicas), widen(b.replicas))
        && same_span(a.retention, b.retention)
        && a.compacted == b.compacted
        && a.external == b.external
        && a.keyed == b.keyed
        && same_config(a.config, b.config)
}

const fn same_number(a: Option<u32>, b: Option<u32>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b,
        (None, None) => true,
        _ => false,
    }
}

const fn widen(number: Option<u16>) -> Option<u32> {
    match number {
        Some(number) => Some(number as u32),
        None => None,
    }
}

const fn same_span(a: Option<Duration>, b: Option<Duration>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.as_nanos() == b.as_nanos(),
        (None, None) => true,
        _ => false,
    }
}

type Config = &'static [(&'static str, &'static str)];

const fn same_config(mut a: Config, mut b: Config) -> bool {
    while let ([x, rest_a @ ..], [y, rest_b @ ..]) = (a, b) {
        if !same(x.0, y.0) || !same(x.1, y.1) {
            return false;
        }
        (a, b) = (rest_a, rest_b);
    }
    a.is_empty() && b.is_empty()
}
