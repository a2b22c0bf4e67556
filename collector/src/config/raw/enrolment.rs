//! `[enrolment]` and `[quotas]` as written, and what makes them valid.

use super::{Wrong, wrong};
use crate::registry::Limits;
use crate::registry::place::HomeLimits;
use crate::registry::window::Cost;
use phonehome_proto::limits;
use phonehome_proto::manifest::EnrolmentMode;
use serde::Deserialize;
use std::fmt::Display;
use toml::Spanned;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEnrolment {
    mode: Option<Spanned<String>>,
    homes_per_address: Option<Spanned<i64>>,
    homes_per_ipv4_24: Option<Spanned<i64>>,
    homes_per_ipv6_48: Option<Spanned<i64>>,
    homes_per_network: Option<Spanned<i64>>,
    attempts_per_hour: Option<Spanned<i64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawQuotas {
    batches_per_day: Option<Spanned<i64>>,
    bytes_per_day: Option<Spanned<i64>>,
}

/// One request always fits a home's day.
const BATCHES_PER_DAY_MIN: u64 = limits::REQUEST_BATCHES_MAX as u64;
const BYTES_PER_DAY_MIN: u64 = limits::REQUEST_BYTES_MAX as u64;

impl RawEnrolment {
    pub(super) fn mode(&self) -> Result<EnrolmentMode, Wrong> {
        let Some(word) = &self.mode else {
            return Ok(EnrolmentMode::default());
        };
        EnrolmentMode::ALL
            .into_iter()
            .find(|mode| mode.as_str() == word.as_ref())
            .ok_or_else(|| {
                let sentence = "'enrolment.mode' is \"invite\", \"approval\" or \"open\"";
                wrong(word, sentence)
            })
    }

    pub(super) fn limits(&self, quotas: &RawQuotas) -> Result<Limits, Wrong> {
        let known = Limits::default();
        let homes =
            |value, key: &str, default| count(value, &format!("enrolment.{key}"), default, 1);
        Ok(Limits {
            homes: HomeLimits {
                per_address: homes(
                    self.homes_per_address.as_ref(),
                    "homes_per_address",
                    known.homes.per_address,
                )?,
                per_ipv4_24: homes(
                    self.homes_per_ipv4_24.as_ref(),
                    "homes_per_ipv4_24",
                    known.homes.per_ipv4_24,
                )?,
                per_ipv6_48: homes(
                    self.homes_per_ipv6_48.as_ref(),
                    "homes_per_ipv6_48",
                    known.homes.per_ipv6_48,
                )?,
                per_network: homes(
                    self.homes_per_network.as_ref(),
                    "homes_per_network",
                    known.homes.per_network,
                )?,
            },
            attempts_per_hour: homes(
                self.attempts_per_hour.as_ref(),
                "attempts_per_hour",
                known.attempts_per_hour,
            )?,
            home_day: Cost {
                items: count(
                    quotas.batches_per_day.as_ref(),
                    "quotas.batches_per_day",
                    known.home_day.items,
                    BATCHES_PER_DAY_MIN,
                )?,
                bytes: count(
                    quotas.bytes_per_day.as_ref(),
                    "quotas.bytes_per_day",
                    known.home_day.bytes,
                    BYTES_PER_DAY_MIN,
                )?,
            },
        })
    }
}

/// A whole number from `least` on, or the default where there is none.
fn count<T: TryFrom<i64> + PartialOrd + Display>(
    value: Option<&Spanned<i64>>,
    key: &str,
    default: T,
    least: T,
) -> Result<T, Wrong> {
    let Some(value) = value else {
        return Ok(default);
    };
    let count = T::try_from(*value.as_ref()).ok();
    count.filter(|count| *count >= least).ok_or_else(|| {
        wrong(
            value,
            &format!("'{key}' is a whole number, at least {least}"),
        )
    })
}
