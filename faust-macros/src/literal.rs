//! What stands behind `=`: durations such as `10s`, numbers, names in Kafka.

use crate::closest::did_you_mean;
use proc_macro2::TokenStream;
use quote::quote;
use std::ops::RangeInclusive;
use std::time::Duration;
use syn::{Lit, LitInt, LitStr};

const DURATION: &str =
    "expected a duration with a unit, such as `100ms`, `10s`, `5min`, `1h` or `7d`";

/// `10s`: rustc lexes it as a number with a suffix.
pub(crate) fn duration(tokens: TokenStream) -> syn::Result<Duration> {
    match delay(tokens.clone())? {
        Duration::ZERO => Err(syn::Error::new_spanned(tokens, "a duration is longer than zero")),
        duration => Ok(duration),
    }
}

/// The same, or zero.
pub(crate) fn delay(tokens: TokenStream) -> syn::Result<Duration> {
    let literal: Lit =
        syn::parse2(tokens.clone()).map_err(|_| syn::Error::new_spanned(&tokens, DURATION))?;
    let error = |message: String| Err(syn::Error::new(literal.span(), message));
    let number = match &literal {
        Lit::Int(number) => number,
        Lit::Float(_) => {
            return error(
                "write a whole number of a smaller unit, such as `90s` for 1.5 minutes".into(),
            );
        }
        Lit::Str(text) => {
            let plain = text
                .value()
                .parse()
                .ok()
                .filter(|plain| duration(TokenStream::clone(plain)).is_ok());
            return error(match plain {
                Some(plain) => format!("a duration has no quotes: `{plain}`"),
                None => DURATION.into(),
            });
        }
        _ => return error(DURATION.into()),
    };
    let unit = match number.suffix() {
        "" => return error(DURATION.into()),
        suffix => suffix,
    };
    let Some(millis) = millis_of(unit) else {
        return error(format!("`{unit}` is not a unit of time{}: {DURATION}", alternative(unit)));
    };
    match number.base10_parse::<u64>().ok().and_then(|n| n.checked_mul(millis)) {
        Some(millis) => Ok(Duration::from_millis(millis)),
        None => error("this duration is too long".into()),
    }
}

const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

fn millis_of(unit: &str) -> Option<u64> {
    UNITS.iter().find(|(name, _)| *name == unit).map(|(_, millis)| *millis)
}

/// What people write for the units.
fn alternative(unit: &str) -> String {
    let meant = match unit {
        "m" | "mins" | "minute" | "minutes" => "min",
        "sec" | "secs" | "second" | "seconds" => "s",
        "hr" | "hrs" | "hour" | "hours" => "h",
        "day" | "days" => "d",
        "milli" | "millis" | "msec" => "ms",
        _ => return did_you_mean(unit, &UNITS.map(|(name, _)| name)),
    };
    format!("; did you mean `{meant}`?")
}

/// A duration as tokens.
pub(crate) fn duration_tokens(duration: Duration) -> TokenStream {
    let millis = duration.as_millis() as u64;
    quote!(::core::time::Duration::from_millis(#millis))
}

/// A whole number in a range.
pub(crate) fn number(tokens: TokenStream, range: RangeInclusive<u32>) -> syn::Result<u32> {
    let (low, high) = (range.start(), range.end());
    let expected = if *high == u32::MAX {
        format!("expected a whole number from {low} on")
    } else {
        format!("expected a whole number from {low} to {high}")
    };
    syn::parse2::<LitInt>(tokens.clone())
        .ok()
        .filter(|literal| literal.suffix().is_empty())
        .and_then(|literal| literal.base10_parse().ok())
        .filter(|number| range.contains(number))
        .ok_or_else(|| syn::Error::new_spanned(tokens, expected))
}

/// What Kafka admits as the name of a topic; tables and apps are parts of such names.
pub(crate) fn name_in_kafka(name: &LitStr) -> syn::Result<()> {
    let text = name.value();
    let fault = if text.is_empty() {
        "a name is not empty"
    } else if text.len() > 249 {
        "Kafka admits names of at most 249 characters"
    } else if text == "." || text == ".." {
        "Kafka does not admit `.` and `..` as names"
    } else if !text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')) {
        "Kafka admits letters, digits, `.`, `_` and `-` in names"
    } else {
        return Ok(());
    };
    Err(syn::Error::new(name.span(), fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Duration, String> {
        duration(text.parse().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_durations() {
        assert_eq!(check("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(check("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(check("5min"), Ok(Duration::from_secs(300)));
        assert_eq!(check("1h"), Ok(Duration::from_secs(3_600)));
        assert_eq!(check("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(check("1_000ms"), Ok(Duration::from_secs(1)));
    }

    #[test]
    fn asks_for_a_unit() {
        assert_eq!(check("10"), Err(DURATION.to_string()));
        assert_eq!(check("\"10s\""), Err("a duration has no quotes: `10s`".to_string()));
        assert_eq!(check("\"soon\""), Err(DURATION.to_string()));
        assert_eq!(check("ten"), Err(DURATION.to_string()));
        assert_eq!(check("10 s"), Err(DURATION.to_string()));
        assert!(check("10m").unwrap_err().contains("did you mean `min`?"));
        assert!(check("10sec").unwrap_err().contains("did you mean `s`?"));
        assert!(check("1.5h").unwrap_err().contains("whole number"));
        assert!(check("0s").unwrap_err().contains("longer than zero"));
        assert!(check("18446744073709551615d").unwrap_err().contains("too long"));
    }

    #[test]
    fn keeps_numbers_in_their_range() {
        let number = |text: &str| number(text.parse().unwrap(), 1..=100).map_err(|e| e.to_string());
        assert_eq!(number("8"), Ok(8));
        for wrong in ["0", "101", "-1", "8u32", "1.5", "\"8\"", "8 9"] {
            assert_eq!(number(wrong), Err("expected a whole number from 1 to 100".to_string()));
        }
    }

    #[test]
    fn knows_names_in_kafka() {
        let name =
            |text: &str| name_in_kafka(&LitStr::new(text, proc_macro2::Span::call_site())).is_ok();
        assert!(name("orders") && name("a.b_c-D9"));
        assert!(!name("") && !name("..") && !name("a b") && !name("ø") && !name(&"a".repeat(250)));
    }
}
