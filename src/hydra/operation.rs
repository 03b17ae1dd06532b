//! The operations, and which of them may be repeated.

use strum::IntoStaticStr;

/// An operation of the admin API, by the name of its interface document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Operation {
    /// `POST /keys/{set}`
    CreateJsonWebKeySet,
    /// `GET /keys/{set}`
    GetJsonWebKeySet,
    /// `PUT /keys/{set}`
    SetJsonWebKeySet,
    /// `DELETE /keys/{set}`
    DeleteJsonWebKeySet,
    /// `GET /keys/{set}/{kid}`
    GetJsonWebKey,
    /// `PUT /keys/{set}/{kid}`
    SetJsonWebKey,
    /// `DELETE /keys/{set}/{kid}`
    DeleteJsonWebKey,
    /// `GET /health/ready`
    GetReadiness,
    /// `GET /version`
    GetVersion,
}

impl Operation {
    /// The operation's name, as logs and metrics write it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether the operation changes nothing. Only these are repeated by the client itself.
    pub fn is_read(self) -> bool {
        matches!(self, Self::GetJsonWebKeySet | Self::GetJsonWebKey | Self::GetReadiness | Self::GetVersion)
    }

    /// Whether the operation asks how the server is, and nothing else.
    pub(super) fn is_probe(self) -> bool {
        matches!(self, Self::GetReadiness | Self::GetVersion)
    }

    /// Whether the server makes a key for it, which takes it seconds.
    pub fn generates_key(self) -> bool {
        self == Self::CreateJsonWebKeySet
    }

    /// Whether a caller may send the same request again without knowing what became of the first: a read; a DELETE, which answers 204 for
    /// what is gone; a POST that names its kid, which answers 409 for what is there. A PUT may not: it moves the key to the front, so that it
    /// signs, and drops trust grants that refer to it.
    pub fn is_safe_to_repeat(self) -> bool {
        !matches!(self, Self::SetJsonWebKeySet | Self::SetJsonWebKey)
    }

    pub(super) fn method(self) -> http::Method {
        match self {
            Self::CreateJsonWebKeySet => http::Method::POST,
            Self::SetJsonWebKeySet | Self::SetJsonWebKey => http::Method::PUT,
            Self::DeleteJsonWebKeySet | Self::DeleteJsonWebKey => http::Method::DELETE,
            Self::GetJsonWebKeySet | Self::GetJsonWebKey | Self::GetReadiness | Self::GetVersion => http::Method::GET,
        }
    }
}

/// One call: what it does and to what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'id> {
    pub(super) operation: Operation,
    pub(super) set: Option<&'id str>,
    pub(super) kid: Option<&'id str>,
}
