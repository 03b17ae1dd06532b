//! Reads what an AdminApi names: from the operator's own namespace, and only what opted in by its label.

use std::{collections::BTreeMap, fmt::Debug};

use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, Secret},
};
use kube::{Api, Resource, ResourceExt as _, core::ObjectMeta};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::connections::Unconnected;
use crate::operator::{context::Context, error::PassError, kubernetes::call_secret, watch::metadata};
use crate::{
    api::{ADMIN_API_LABEL, AdminApi, Authentication, CaRefKind, Reason},
    hydra,
};

/// Why there is no connection.
pub(in crate::operator) enum ConnectError {
    /// Something has to be changed first.
    Unconnected(Unconnected),
    /// Kubernetes did not answer.
    Kubernetes(PassError),
}

impl From<Unconnected> for ConnectError {
    fn from(unconnected: Unconnected) -> Self {
        Self::Unconnected(unconnected)
    }
}

/// What a connection reads.
#[derive(Default)]
pub(in crate::operator) struct ConnectionSecrets {
    pub(in crate::operator) authentication: Option<hydra::Authentication>,
    pub(in crate::operator) certificates: Option<Vec<u8>>,
    pub(in crate::operator) client_certificate: Option<Zeroizing<Vec<u8>>>,
}

/// The values of one object, overwritten when they are dropped.
type Values = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// Reads everything, and returns which versions of which objects it was read from.
///
/// # Errors
/// [`ConnectError`] names the object, and what it lacks.
pub(in crate::operator) async fn read(admin_api: &AdminApi, cx: &Context) -> Result<(ConnectionSecrets, Vec<String>), ConnectError> {
    let mut reader = Reader { admin_api, cx, versions: Vec::new() };
    let mut credentials = ConnectionSecrets::default();
    if let Some(authentication) = &admin_api.spec.auth {
        credentials.authentication = reader.authentication(authentication).await?;
    }
    if let Some(tls) = &admin_api.spec.tls {
        if let Some(ca) = &tls.ca_ref {
            let mut values = reader.values(ca.kind, &ca.name).await?;
            credentials.certificates = Some(reader.bytes(ca.kind, &ca.name, &mut values, &ca.key)?.to_vec());
        }
        if let Some(reference) = &tls.client_certificate_secret_ref {
            let mut values = reader.values(CaRefKind::Secret, &reference.name).await?;
            let mut pem = reader.bytes(CaRefKind::Secret, &reference.name, &mut values, "tls.crt")?;
            pem.push(b'\n');
            pem.extend_from_slice(&reader.bytes(CaRefKind::Secret, &reference.name, &mut values, "tls.key")?);
            credentials.client_certificate = Some(pem);
        }
    }
    Ok((credentials, reader.versions))
}

/// Whether an AdminApi reads this Secret or ConfigMap of the operator's namespace.
pub(in crate::operator) fn reads(admin_api: &AdminApi, kind: CaRefKind, name: &str) -> bool {
    let spec = &admin_api.spec;
    let tls = spec.tls.as_ref();
    let of_ca = tls.and_then(|tls| tls.ca_ref.as_ref()).is_some_and(|ca| ca.kind == kind && ca.name == name);
    let of_certificate = tls.and_then(|tls| tls.client_certificate_secret_ref.as_ref()).map(|reference| &reference.name);
    let secrets = spec.auth.as_ref().and_then(secret_name).into_iter().chain(of_certificate);
    of_ca || (kind == CaRefKind::Secret && secrets.into_iter().any(|secret| secret == name))
}

fn secret_name(authentication: &Authentication) -> Option<&String> {
    let Authentication { bearer_token, basic, header, client_credentials } = authentication;
    let key_refs = [bearer_token.as_ref().map(|token| &token.secret_ref.name), header.as_ref().map(|header| &header.secret_ref.name)];
    let refs = [basic.as_ref().map(|basic| &basic.secret_ref.name), client_credentials.as_ref().map(|client| &client.secret_ref.name)];
    key_refs.into_iter().chain(refs).flatten().next()
}

/// Reads for one AdminApi.
struct Reader<'cx> {
    admin_api: &'cx AdminApi,
    cx: &'cx Context,
    versions: Vec<String>,
}

impl Reader<'_> {
    async fn authentication(&mut self, asked: &Authentication) -> Result<Option<hydra::Authentication>, ConnectError> {
        let Authentication { bearer_token, basic, header, client_credentials } = asked;
        if let Some(token) = bearer_token {
            let (name, key) = (&token.secret_ref.name, token.secret_ref.key.as_deref().unwrap_or("token"));
            let mut values = self.values(CaRefKind::Secret, name).await?;
            return Ok(Some(hydra::Authentication::BearerToken(self.text(name, &mut values, key)?)));
        }
        if let Some(header) = header {
            let (name, key) = (&header.secret_ref.name, header.secret_ref.key.as_deref().unwrap_or("value"));
            let mut values = self.values(CaRefKind::Secret, name).await?;
            return Ok(Some(hydra::Authentication::Header { name: header.name.clone(), value: self.text(name, &mut values, key)? }));
        }
        if let Some(basic) = basic {
            let name = &basic.secret_ref.name;
            let mut values = self.values(CaRefKind::Secret, name).await?;
            let username = self.plain(name, &mut values, "username")?;
            return Ok(Some(hydra::Authentication::Basic { username, password: self.text(name, &mut values, "password")? }));
        }
        if let Some(client) = client_credentials {
            let name = &client.secret_ref.name;
            let mut values = self.values(CaRefKind::Secret, name).await?;
            return Ok(Some(hydra::Authentication::ClientCredentials(hydra::ClientCredentials {
                token_url: client.token_url.clone(),
                client_id: self.plain(name, &mut values, "client_id")?,
                client_secret: self.text(name, &mut values, "client_secret")?,
                scopes: client.scopes.clone(),
                audience: client.audience.clone(),
            })));
        }
        Ok(None)
    }

    /// The data of an object. Its label is looked at before its content is read.
    async fn values(&mut self, kind: CaRefKind, name: &str) -> Result<Values, ConnectError> {
        let (metadata, values) = match kind {
            CaRefKind::Secret => {
                let data = |secret: Secret| {
                    secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, Zeroizing::new(value.0))).collect()
                };
                self.labelled(kind, name, data).await?
            }
            CaRefKind::ConfigMap => {
                let data = |map: ConfigMap| {
                    map.data.unwrap_or_default().into_iter().map(|(key, value)| (key, Zeroizing::new(value.into_bytes()))).collect()
                };
                self.labelled(kind, name, data).await?
            }
        };
        self.versions.push(format!("{}/{}", metadata.uid.unwrap_or_default(), metadata.resource_version.unwrap_or_default()));
        Ok(values)
    }

    async fn labelled<K>(&self, kind: CaRefKind, name: &str, data: impl FnOnce(K) -> Values) -> Result<(ObjectMeta, Values), ConnectError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let api = Api::<K>::namespaced(self.cx.client.clone(), self.cx.client.default_namespace());
        let absent = || self.missing(format!("{kind:?} {name} does not exist in the operator's namespace"));
        let admin_api = self.admin_api.name_any();
        let metadata = call_secret("read the metadata of an object that an AdminApi names", api.get_metadata_opt(name))
            .await
            .map_err(ConnectError::Kubernetes)?;
        let mut metadata = metadata.ok_or_else(absent)?.metadata;
        metadata::overwrite_annotations(&mut metadata);
        let labels = metadata.labels.unwrap_or_default();
        if labels.get(ADMIN_API_LABEL) != Some(&admin_api) {
            let why = format!("{kind:?} {name} does not carry the label {ADMIN_API_LABEL}: {admin_api}, without which it is not read");
            return Err(self.missing(why).into());
        }
        let object = call_secret("read an object that an AdminApi names", api.get_opt(name)).await.map_err(ConnectError::Kubernetes)?;
        let mut object = object.ok_or_else(absent)?;
        metadata::keep_identity(object.meta_mut());
        Ok((object.meta().clone(), data(object)))
    }

    fn bytes(&self, kind: CaRefKind, name: &str, values: &mut Values, key: &str) -> Result<Zeroizing<Vec<u8>>, Unconnected> {
        values.remove(key).ok_or_else(|| self.missing(format!("{kind:?} {name} has no data key {key}")))
    }

    /// A value as text, without the line break that an editor leaves at its end.
    fn text(&self, name: &str, values: &mut Values, key: &str) -> Result<SecretString, Unconnected> {
        let bytes = self.bytes(CaRefKind::Secret, name, values, key)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| self.missing(format!("Secret {name}, data key {key}: it is not UTF-8 text")))?;
        Ok(SecretString::from(text.trim()))
    }

    fn plain(&self, name: &str, values: &mut Values, key: &str) -> Result<String, Unconnected> {
        use secrecy::ExposeSecret as _;
        self.text(name, values, key).map(|text| text.expose_secret().to_owned())
    }

    fn missing(&self, why: String) -> Unconnected {
        Unconnected { reason: Reason::CredentialsMissing, message: format!("AdminApi {}: {why}", self.admin_api.name_any()) }
    }
}
