//! Certificates and keys, for both sides of the proxy.

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock, OnceLock};

use rustls::RootCertStore;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ClientConfig, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_platform_verifier::Verifier;
use xxhash_rust::xxh3::Xxh3;

use crate::config::ClientTls;

/// The cryptography of every TLS connection. It is handed to rustls each time: a default for the process could be set
/// by anybody.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// Whom we trust and who we are, where we are the client, as files say.
#[derive(Debug)]
pub struct Client {
    /// A hash of the files.
    fingerprint: u64,
    /// Of `ca`; the system's where there is none.
    verifier: Option<Arc<dyn ServerCertVerifier>>,
    identity: Option<Arc<SingleCertAndKey>>,
}

impl Client {
    /// Reads the files.
    ///
    /// # Errors
    /// A text that names the file.
    pub fn read(settings: &ClientTls) -> Result<Self, String> {
        let mut hash = Xxh3::new();
        let mut read = |path: &Path| {
            let bytes = read(path)?;
            hash.update(&bytes);
            Ok::<_, String>(bytes)
        };
        let verifier = match &settings.ca {
            Some(path) => Some(trusting(path, &read(path)?)?),
            None => None,
        };
        let identity = match &settings.identity {
            Some((certificate, key)) => {
                let (certificates, private) = (read(certificate)?, read(key)?);
                let identity = identity((certificate, &certificates), (key, &private))?;
                Some(Arc::new(SingleCertAndKey::from(identity)))
            }
            None => None,
        };
        Ok(Self { fingerprint: hash.digest(), verifier, identity })
    }

    /// Whether the other one's files say the same.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }

    /// How to connect, for one of these protocols.
    ///
    /// # Errors
    /// As the system trusts nobody, where no file says whom to trust.
    pub fn config(&self, protocols: &[&[u8]]) -> Result<ClientConfig, rustls::Error> {
        let verifier = match &self.verifier {
            Some(verifier) => Arc::clone(verifier),
            None => system()?,
        };
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let mut config = match &self.identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::clone(identity) as Arc<_>),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(config)
    }
}

/// What trusts the certificates of a PEM file, and nobody else.
fn trusting(path: &Path, bytes: &[u8]) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, bytes)? {
        roots.add(certificate).map_err(|e| format!("cannot trust a certificate of {}: {e}", path.display()))?;
    }
    let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    let verifier = built.map_err(|e| format!("cannot trust the certificates of {}: {e}", path.display()))?;
    Ok(verifier)
}

/// What trusts whom the system trusts. It is looked up when it is first needed: where nobody needs it, there may be
/// none.
fn system() -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    static SYSTEM: OnceLock<Arc<Verifier>> = OnceLock::new();
    if let Some(verifier) = SYSTEM.get() {
        return Ok(Arc::clone(verifier) as Arc<_>);
    }
    let verifier = Arc::new(Verifier::new(provider())?);
    Ok(Arc::clone(SYSTEM.get_or_init(|| verifier)) as Arc<_>)
}

/// A file's bytes.
///
/// # Errors
/// A text that names the file.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

/// The certificates in a PEM file's bytes, in order; at least one.
///
/// # Errors
/// A text that names the file.
pub fn certificates(path: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|e| malformed(path, "certificates", &e))?;
    if certificates.is_empty() {
        return Err(malformed(path, "certificates", &pem::Error::NoItemsFound));
    }
    Ok(certificates)
}

/// A certificate with those that lead from it to a root, and its private key, from the bytes of two PEM files.
///
/// # Errors
/// A text that names the file that is wrong; or both, where the key is another certificate's.
pub fn identity(certificate: (&Path, &[u8]), key: (&Path, &[u8])) -> Result<CertifiedKey, String> {
    let chain = certificates(certificate.0, certificate.1)?;
    let private = PrivateKeyDer::from_pem_slice(key.1).map_err(|e| malformed(key.0, "a private key", &e))?;
    CertifiedKey::from_der(chain, private, &provider()).map_err(|e| match e {
        rustls::Error::InconsistentKeys(_) => {
            format!("the key in {} is not that of the certificate in {}", key.0.display(), certificate.0.display())
        }
        e => format!("cannot use {} with {}: {e}", certificate.0.display(), key.0.display()),
    })
}

fn malformed(path: &Path, what: &str, error: &pem::Error) -> String {
    let found = match error {
        pem::Error::NoItemsFound => "none",
        _ => "malformed PEM",
    };
    format!("expected {what} in PEM in {}, found {found}", path.display())
}
