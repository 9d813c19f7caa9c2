//! The validity of certificates, for `doorward doctor` and the metrics.

use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::certificates::certificates;

/// From when to when a certificate is valid, in seconds since the Unix epoch (RFC 5280 section 4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before_s: u64,
    /// The last second.
    pub not_after_s: u64,
}

impl Validity {
    /// Reads the validity of a certificate in DER; `None` if it is not one.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let validity = certificate.tbs_certificate().validity();
        Some(Self {
            not_before_s: validity.not_before.to_unix_duration().as_secs(),
            not_after_s: validity.not_after.to_unix_duration().as_secs(),
        })
    }

    /// Reads the validity of each certificate in PEM; `None` if it has no certificate, or one cannot be read.
    pub fn of_each(pem: &[u8]) -> Option<Vec<Self>> {
        certificates(pem).ok()?.iter().map(Self::of).collect()
    }

    /// Returns when all certificates of a chain in PEM are valid: it ends with the certificate that expires first. `None`
    /// if the text holds no certificate, or one that cannot be read.
    pub fn of_chain(pem: &[u8]) -> Option<Self> {
        Self::of_each(pem)?.into_iter().reduce(|chain, next| Self {
            not_before_s: chain.not_before_s.max(next.not_before_s),
            not_after_s: chain.not_after_s.min(next.not_after_s),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two certificates of `openssl req -x509`: for 30 days, and for 15,000 days, whose end after 2049 is a GeneralizedTime.
    const CHAIN: &str = "\
-----BEGIN CERTIFICATE-----
MIIBLDCB36ADAgECAhRJ6p85pOlPU2c+idTC4fkwMqPoPjAFBgMrZXAwDDEKMAgG
A1UEAwwBYTAeFw0yNjExMjYyMDAxMjJaFw0yNjEyMjYyMDAxMjJaMAwxCjAIBgNV
BAMMAWEwKjAFBgMrZXADIQBDcWHBLagia53e7mu/TL5ZTIr1/zrSAZGYo6RBNdmg
WaNTMFEwHQYDVR0OBBYEFLX6RxLZyZ6kKg6mKTxTC23vDODZMB8GA1UdIwQYMBaA
FLX6RxLZyZ6kKg6mKTxTC23vDODZMA8GA1UdEwEB/wQFMAMBAf8wBQYDK2VwA0EA
Xb9xHF9Dd3+lNpkZcPYXJrCoSb3Tsf2p9GkXPFQpj2vWM3L76vWqTYmqeurU+huZ
MMKD/+Tc8SqfYq1xzJErAQ==
-----END CERTIFICATE-----
-----BEGIN CERTIFICATE-----
MIIBLjCB4aADAgECAhQ1qAftApSQK8CQU1Pc8/mkA7R3dzAFBgMrZXAwDDEKMAgG
A1UEAwwBYjAgFw0yNjExMjYyMDAxMjJaGA8yMDY3MTIyMTIwMDEyMlowDDEKMAgG
A1UEAwwBYjAqMAUGAytlcAMhAJLMr8gO/Q24SAUP4ACkMS4H/IcBZjtURu811SOw
k9DUo1MwUTAdBgNVHQ4EFgQUFvq/GCdkpMm5jiNm8VKVAGEJSPcwHwYDVR0jBBgw
FoAUFvq/GCdkpMm5jiNm8VKVAGEJSPcwDwYDVR0TAQH/BAUwAwEB/zAFBgMrZXAD
QQCycsusPWPGIshu9vkSgzMwVCLG/WCu08nkwa0S81apBe5s9AFA+L5MndQ59RSL
Xdaxh7khj3+aDMCA7IPxyHYM
-----END CERTIFICATE-----
";
    const BOTH_BEGIN_S: u64 = 1_795_723_282;

    #[test]
    fn a_chain_is_valid_while_all_its_certificates_are() {
        let days =
            |days: u64| Validity { not_before_s: BOTH_BEGIN_S, not_after_s: BOTH_BEGIN_S + days * 24 * 3600 };
        let second = CHAIN.rfind("-----BEGIN").unwrap();
        assert_eq!(Validity::of_chain(CHAIN.as_bytes()), Some(days(30)));
        assert_eq!(Validity::of_chain(&CHAIN.as_bytes()[second..]), Some(days(15_000)));
    }

    #[test]
    fn other_texts_have_no_validity() {
        for text in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert_eq!(Validity::of_chain(text.as_bytes()), None, "{text}");
        }
        let half = format!("{CHAIN}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        assert_eq!(Validity::of_chain(half.as_bytes()), None);
    }
}
