//! Which requests the access log has.

use std::num::NonZeroU32;

use super::scalar::Parsed;
use crate::values::AccessLogRule;

/// The greatest N of `1/N`.
const MAX_SAMPLING: u32 = 1_000_000;

/// Parses `off`, `refused` or `1/N`.
pub(crate) fn access_log(text: &str) -> Parsed<AccessLogRule> {
    let one_in = text.strip_prefix("1/").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let one_in =
        one_in.and_then(|digits| digits.parse().ok()).filter(|n: &NonZeroU32| n.get() <= MAX_SAMPLING);
    match (text, one_in) {
        ("off", _) => Ok(AccessLogRule::Off),
        ("refused", _) => Ok(AccessLogRule::Refused),
        (_, Some(one_in)) => Ok(AccessLogRule::Sampled { one_in }),
        _ => Err(format!("is neither off nor refused nor 1/N with N from 1 to {MAX_SAMPLING}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_a_word_or_a_fraction() {
        let sampled = |n: u32| Ok(AccessLogRule::Sampled { one_in: n.try_into().unwrap() });
        assert_eq!(access_log("off"), Ok(AccessLogRule::Off));
        assert_eq!(access_log("refused"), Ok(AccessLogRule::Refused));
        assert_eq!((access_log("1/1"), access_log("1/1000000")), (sampled(1), sampled(1_000_000)));
        for wrong in ["", "on", "1", "1/0", "1/1000001", "2/3", "1/+5", "1/ 5", "0.01"] {
            assert!(access_log(wrong).is_err(), "{wrong}");
        }
    }
}
