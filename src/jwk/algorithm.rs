//! The algorithms that a key may be for, and what each of them says about the key (RFC 7518 sections 3.1, 4.1 and 5.1, RFC 8037 section 3.1,
//! RFC 9864 section 2.2).

use super::Jwk;

/// What a key is for (RFC 7517 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To sign, or to check signatures.
    Signature,
    /// To encrypt or wrap, or to agree on a key for that.
    Encryption,
}

impl Purpose {
    /// The value of the member `use`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "sig",
            Self::Encryption => "enc",
        }
    }

    /// The purpose that a `use` names; `None` if it is neither `sig` nor `enc`.
    pub(crate) fn named(key_use: &str) -> Option<Self> {
        [Self::Signature, Self::Encryption].into_iter().find(|purpose| purpose.as_str() == key_use)
    }
}

/// The kind of key that an algorithm works with.
#[derive(Clone, Copy)]
enum Kind {
    Rsa,
    Ec,
    On(&'static str),
    Octets,
}

/// Algorithms of one kind.
struct Family {
    names: &'static [&'static str],
    purpose: Purpose,
    kind: Kind,
    /// What the key must be, for a message.
    needs: &'static str,
}

/// An algorithm of the registry "JSON Web Signature and Encryption Algorithms" that a key of a supported kind can be for.
pub(crate) struct Algorithm {
    /// Its registered name.
    pub(crate) name: &'static str,
    family: &'static Family,
}

static FAMILIES: [Family; 12] = {
    use Kind::{Ec, Octets, On, Rsa};
    use Purpose::{Encryption, Signature};
    const fn family(names: &'static [&'static str], purpose: Purpose, kind: Kind, needs: &'static str) -> Family {
        Family { names, purpose, kind, needs }
    }
    [
        family(&["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"], Signature, Rsa, "RS* and PS* need an RSA key"),
        family(
            &["RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512"],
            Encryption,
            Rsa,
            "RSA1_5 and RSA-OAEP* need an RSA key",
        ),
        family(&["ES256"], Signature, On("P-256"), "ES256 needs an EC key on P-256"),
        family(&["ES384"], Signature, On("P-384"), "ES384 needs an EC key on P-384"),
        family(&["ES512"], Signature, On("P-521"), "ES512 needs an EC key on P-521"),
        family(&["ES256K"], Signature, On("secp256k1"), "ES256K needs an EC key on secp256k1"),
        family(&["EdDSA", "Ed25519"], Signature, On("Ed25519"), "EdDSA and Ed25519 need an OKP key on Ed25519"),
        family(&["Ed448"], Signature, On("Ed448"), "Ed448 needs an OKP key on Ed448"),
        family(&["ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"], Encryption, Ec, "ECDH-ES needs an EC key"),
        family(&["HS256", "HS384", "HS512"], Signature, Octets, "HS* needs an oct key"),
        family(
            &["A128KW", "A192KW", "A256KW", "A128GCMKW", "A192GCMKW", "A256GCMKW", "dir"],
            Encryption,
            Octets,
            "this alg needs an oct key",
        ),
        family(
            &[
                "PBES2-HS256+A128KW",
                "PBES2-HS384+A192KW",
                "PBES2-HS512+A256KW",
                "A128CBC-HS256",
                "A192CBC-HS384",
                "A256CBC-HS512",
                "A128GCM",
                "A192GCM",
                "A256GCM",
            ],
            Encryption,
            Octets,
            "this alg needs an oct key",
        ),
    ]
};

impl Algorithm {
    /// The algorithm of this name, if it is registered and known here.
    pub(crate) fn named(name: &str) -> Option<Self> {
        FAMILIES.iter().find_map(|family| family.names.iter().find(|known| **known == name).map(|name| Self { name, family }))
    }

    /// What a key for it is for.
    pub(crate) fn purpose(&self) -> Purpose {
        self.family.purpose
    }

    /// Whether the key is of the kind that it works with.
    ///
    /// # Errors
    /// What the key must be.
    pub(crate) fn fits(&self, key: &Jwk) -> Result<(), &'static str> {
        let kty = key.kty().unwrap_or_default();
        let fits = match self.family.kind {
            Kind::Rsa => kty == "RSA",
            Kind::Ec => kty == "EC",
            Kind::On(curve) => kty != "oct" && key.text("crv") == Some(curve),
            Kind::Octets => kty == "oct",
        };
        if fits { Ok(()) } else { Err(self.family.needs) }
    }
}
