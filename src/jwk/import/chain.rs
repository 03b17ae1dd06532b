//! The certificate chain of a key (RFC 7517 section 4.7): the certificate of the key, then each one that certifies the one before.

use der::{
    Decode as _, Encode as _, Reader as _, SliceReader,
    asn1::{AnyRef, BitStringRef},
};
use pkcs8::SubjectPublicKeyInfoRef;
use x509_cert::Certificate;

use super::{ImportError, public};
use crate::jwk::{Jwk, Thumbprint};

/// The longest chain that is taken over.
const LONGEST_CHAIN: usize = 10;
/// The most certificates that are looked at: each link of a chain may cost the check of a signature for each of them.
const MOST_CERTIFICATES: usize = 64;

/// Signatures of RSA keys under 2048 bits are not checked here; their keys have fewer bytes than this.
const SHORTEST_RSA: usize = 256;

/// Certificates that were read, in the order in which they stood.
pub(super) struct Certificates(Vec<(Vec<u8>, Certificate)>);

/// The chain of one key.
pub(super) struct Chain {
    /// The certificates in DER, that of the key first. It is never empty.
    pub(super) certificates: Vec<Vec<u8>>,
    /// How many others there were.
    pub(super) left_out: usize,
}

impl Certificates {
    /// Reads certificates in DER. What stands behind one is cut off, as OpenSSL writes it in a TRUSTED CERTIFICATE.
    ///
    /// # Errors
    /// The place of the first that is none.
    pub(super) fn parse(ders: Vec<Vec<u8>>) -> Result<Self, usize> {
        let parse = |(index, der): (usize, Vec<u8>)| {
            let own = SliceReader::new(&der).and_then(|mut reader| reader.tlv_bytes().map(<[u8]>::to_vec)).map_err(|_| index)?;
            let certificate = Certificate::from_der(&own).map_err(|_| index)?;
            Ok((own, certificate))
        };
        ders.into_iter().enumerate().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// The key of the first certificate if by its name it certifies none of the others, else of the only one that certifies none.
    ///
    /// # Errors
    /// [`ImportError::SeveralKeys`] if several may be meant.
    pub(super) fn key(&self) -> Result<Jwk, ImportError> {
        let certifies_another = |issuer: usize| (0..self.0.len()).any(|other| other != issuer && self.is_issuer(issuer, other));
        let leaves: Vec<usize> = (0..self.0.len()).filter(|index| !certifies_another(*index)).collect();
        let leaf = match leaves[..] {
            [] | [0, ..] => 0,
            [only] => only,
            [_, _, ..] => return Err(ImportError::SeveralKeys { count: leaves.len(), kids: "no kids".to_owned() }),
        };
        self.0.get(leaf).ok_or(ImportError::NoKey).and_then(|(_, certificate)| public_key(certificate))
    }

    /// The chain of the key with this thumbprint. Whether anybody trusts it, or it is expired, is not asked.
    pub(super) fn of(&self, key: &Thumbprint) -> Result<Chain, ImportError> {
        if self.0.len() > MOST_CERTIFICATES {
            return Err(ImportError::ManyCertificates { count: self.0.len(), limit: MOST_CERTIFICATES });
        }
        let keys: Vec<_> = self.0.iter().map(|(_, certificate)| public_key(certificate)).collect();
        let own = keys.iter().position(|own| own.as_ref().is_ok_and(|own| own.thumbprint().as_ref() == Ok(key)));
        let Some(leaf) = own else {
            // The first may be the key's own, in a form that is not read.
            return Err(keys.into_iter().next().and_then(Result::err).unwrap_or(ImportError::CertificateMismatch));
        };
        let mut chain = vec![leaf];
        let mut last = leaf;
        let is_in = |chain: &[usize], next: usize| chain.iter().any(|index| self.0[*index].0 == self.0[next].0);
        while let Some(next) = (0..self.0.len()).find(|next| !is_in(&chain, *next) && self.certifies(*next, last)) {
            chain.push(next);
            last = next;
            if chain.len() > LONGEST_CHAIN {
                return Err(ImportError::LongChain { limit: LONGEST_CHAIN });
            }
        }
        let certificates: Vec<_> = chain.iter().map(|index| self.0[*index].0.clone()).collect();
        let left_out = self.0.iter().filter(|(der, _)| !certificates.contains(der)).count();
        Ok(Chain { certificates, left_out })
    }

    /// Whether one certificate certifies another: by its name, and by the signature if that can be checked here.
    fn certifies(&self, issuer: usize, certified: usize) -> bool {
        self.is_issuer(issuer, certified) && signature_fits(&self.0[issuer].1, &self.0[certified].0).unwrap_or(true)
    }

    fn is_issuer(&self, issuer: usize, certified: usize) -> bool {
        self.0[issuer].1.tbs_certificate().subject() == self.0[certified].1.tbs_certificate().issuer()
    }
}

/// Whether the key of `issuer` made the signature of `certificate`; `None` if that cannot be checked here, as with SHA-1.
fn signature_fits(issuer: &Certificate, certificate: &[u8]) -> Option<bool> {
    let signed = Signed::parse(certificate)?;
    let info = issuer.tbs_certificate().subject_public_key_info();
    let key_algorithm = info.algorithm.to_der().ok()?;
    let (key_algorithm, algorithm) = (contents(&key_algorithm)?, contents(signed.algorithm)?);
    let known = webpki::ALL_VERIFICATION_ALGS.iter().filter(|known| known.signature_alg_id().as_ref() == algorithm);
    let mut fitting = known.filter(|known| known.public_key_alg_id().as_ref() == key_algorithm).peekable();
    fitting.peek()?;
    let key = info.subject_public_key.raw_bytes();
    if info.algorithm.oid == public::RSA && key.len() < SHORTEST_RSA {
        return None;
    }
    Some(fitting.any(|known| known.verify_signature(key, signed.message, signed.signature).is_ok()))
}

/// The three parts of a certificate (RFC 5280 section 4.1), as they stand there.
struct Signed<'der> {
    message: &'der [u8],
    algorithm: &'der [u8],
    signature: &'der [u8],
}

impl<'der> Signed<'der> {
    fn parse(certificate: &'der [u8]) -> Option<Self> {
        let mut reader = SliceReader::new(contents(certificate)?).ok()?;
        let message = reader.tlv_bytes().ok()?;
        let algorithm = reader.tlv_bytes().ok()?;
        let signature = BitStringRef::decode(&mut reader).ok()?.as_bytes()?;
        Some(Self { message, algorithm, signature })
    }
}

/// What is inside of a DER value.
fn contents(der: &[u8]) -> Option<&[u8]> {
    AnyRef::from_der(der).ok().map(|any| any.value())
}

fn public_key(certificate: &Certificate) -> Result<Jwk, ImportError> {
    let damaged = |_| ImportError::MalformedSection { label: "CERTIFICATE" };
    let info = certificate.tbs_certificate().subject_public_key_info().to_der().map_err(damaged)?;
    public::key(&SubjectPublicKeyInfoRef::try_from(&info[..]).map_err(|_| ImportError::MalformedSection { label: "CERTIFICATE" })?)
}
