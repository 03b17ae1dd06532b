//! A public key in a spec, with the private members declared so that the API server can refuse them.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::IgnoredAny};

use super::KeyUse;

/// What a kid may be (RFC 7517 section 4.5 leaves it open): what a URL path can carry, and a reader can see.
pub(super) const KID: &str = r"!self.matches('[/%?#\\p{Cc}\\x{61C}\\x{200E}\\x{200F}\\x{2028}-\\x{202E}\\x{2066}-\\x{2069}\\x{FEFF}]|^[.]*$|^[\\s\\p{Z}]|[\\s\\p{Z}]$')";
/// The rule in words: a pattern would be shown as it is.
pub(super) const KID_MESSAGE: &str = "a kid must not hold the characters / % ? #, control characters or white space at its ends, or consist of dots: a URL path cannot carry it";

/// The public key of somebody else as a JWK (RFC 7517).
///
/// The private members are in the schema because the API server drops unknown members before it evaluates rules: undeclared, a private key
/// would be accepted silently. The rule is on the whole object, since a rule on a member would repeat its value in the message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.d) && !has(self.p) && !has(self.q) && !has(self.dp) && !has(self.dq) && !has(self.qi) && !has(self.oth) && !has(self.k)")
        .message("this is a private key: remove d, p, q, dp, dq, qi, oth and k, and treat the key as exposed"),
    validation = Rule::new("self.kty != 'oct'").message("kty must not be oct: a symmetric key has no public half").field_path(".kty")
)]
pub struct PublicKey {
    /// The key type (RFC 7518 section 6.1).
    pub kty: PublicKeyType,
    /// The key ID. It must be unique in the set.
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = Rule::new(KID).message(KID_MESSAGE))]
    pub kid: String,
    /// The algorithm the key is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub alg: Option<String>,
    /// What the key is for.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub key_use: Option<KeyUse>,
    /// The curve of an EC or OKP key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub crv: Option<String>,
    /// The x coordinate of an EC key, the public key of an OKP key; base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub x: Option<String>,
    /// The y coordinate of an EC key; base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub y: Option<String>,
    /// The modulus of an RSA key; base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2800))]
    pub n: Option<String>,
    /// The exponent of an RSA key; base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub e: Option<String>,
    /// The certificate chain of the key (RFC 7517 section 4.7); base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), inner(length(max = 8192)))]
    pub x5c: Option<Vec<String>>,
    /// The address of the chain (RFC 7517 section 4.6); https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub x5u: Option<String>,
    /// The SHA-1 digest of the certificate (RFC 7517 section 4.8); base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub x5t: Option<String>,
    /// The SHA-256 digest of the certificate (RFC 7517 section 4.9); base64url.
    #[serde(default, rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub x5t_s256: Option<String>,
    /// A private member. The API server rejects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub d: Option<RefusedMember>,
    /// A private member. The API server rejects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<RefusedMember>,
    /// A private member. The API server rejects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<RefusedMember>,
    /// A private member. The API server rejects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dp: Option<RefusedMember>,
    /// A private member. The API server rejects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dq: Option<RefusedMember>,
    /// A private member. The API server rejects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qi: Option<RefusedMember>,
    /// A private member. The API server rejects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<AnyMembers>>")]
    pub oth: Option<RefusedMember>,
    /// A private member. The API server rejects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<RefusedMember>,
}

impl PublicKey {
    /// Whether a private member was written, as an object stored before the rule existed could have.
    pub fn holds_private_members(&self) -> bool {
        [&self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qi, &self.oth, &self.k].iter().any(|member| member.is_some())
    }
}

/// The key types of the schema. `oct` is one of them so that a rule can refuse it with an explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "each name is the registered name of RFC 7518 section 6.1 and RFC 8037")]
pub enum PublicKeyType {
    EC,
    RSA,
    OKP,
    #[serde(rename = "oct")]
    Oct,
}

/// That a refused member was there. Its value is dropped while it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedMember;

impl<'de> Deserialize<'de> for RefusedMember {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl Serialize for RefusedMember {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("")
    }
}

impl JsonSchema for RefusedMember {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RefusedMember".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

/// The shape of an element of `oth`.
struct AnyMembers;

impl JsonSchema for AnyMembers {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AnyMembers".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
    }
}
