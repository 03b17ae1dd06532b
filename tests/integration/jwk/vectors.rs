//! The keys and thumbprints that the RFCs publish.

use jwk_operator::jwk::InvalidJwk;

use super::{rfc_key, rfc_keys};

#[test]
fn every_published_key_is_valid_but_x25519() {
    for (name, key) in rfc_keys() {
        let expected = if name == "rfc8037-a6" { Err(InvalidJwk::UnsupportedCurve("X25519")) } else { Ok(()) };
        assert_eq!(key.validate(), expected, "{name}");
    }
}

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    for (name, thumbprint) in [
        // RFC 7638 section 3.1 uses the RSA key of RFC 7517 appendix A.1.
        ("rfc7517-a1-rsa", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        ("rfc7517-a2-rsa", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        // RFC 8037 appendix A.3
        ("rfc8037-a1", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        ("rfc8037-a2", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    ] {
        assert_eq!(rfc_key(name).thumbprint().map(|found| found.to_string()).as_deref(), Ok(thumbprint), "{name}");
    }
}

#[test]
fn the_public_half_of_a_published_private_key_is_the_published_public_key() {
    for (private, public) in [("rfc7517-a2-ec", "rfc7517-a1-ec"), ("rfc7517-a2-rsa", "rfc7517-a1-rsa"), ("rfc8037-a1", "rfc8037-a2")] {
        assert!(rfc_key(private).is_private(), "{private}");
        assert!(!rfc_key(public).is_private(), "{public}");
        assert_eq!(rfc_key(private).public_half().as_ref().map(|half| half.as_jwk()), Some(&rfc_key(public)), "{private}");
    }
}

#[test]
fn a_certificate_chain_is_published_and_a_symmetric_key_is_not() {
    let key = rfc_key("rfc7517-b");
    assert_eq!(key.public_half().as_ref().map(|half| half.as_jwk()), Some(&key));
    assert_eq!(rfc_key("rfc7515-a1").public_half(), None);
}
