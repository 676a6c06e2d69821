//! Certificates and keys, for both sides of the proxy.

use std::fs;
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

use crate::config::{ClientTls, NamedFile};
use crate::diagnostic;

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
    /// What is wrong with each of them, for a person.
    pub fn read(settings: &ClientTls) -> Result<Self, String> {
        let ca = settings.ca.as_ref().map(|file| {
            let bytes = read(file)?;
            Ok((trusting(file, &bytes)?, bytes))
        });
        let own = settings.identity.as_ref().map(|(certificate, key)| {
            let bytes = diagnostic::both(read(certificate), read(key))?;
            let identity = identity((certificate, &bytes.0), (key, &bytes.1))?;
            Ok((Arc::new(SingleCertAndKey::from(identity)), bytes))
        });
        let (ca, own) = diagnostic::both(ca.transpose(), own.transpose())?;
        let mut hash = Xxh3::new();
        let files = ca.iter().map(|(_, bytes)| bytes).chain(own.iter().flat_map(|(_, (a, b))| [a, b]));
        files.for_each(|bytes| hash.update(bytes));
        let fingerprint = hash.digest();
        Ok(Self { fingerprint, verifier: ca.map(|(verifier, _)| verifier), identity: own.map(|(own, _)| own) })
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
fn trusting(file: &NamedFile, bytes: &[u8]) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let path = file.path().display();
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file, bytes)? {
        roots.add(certificate).map_err(|e| file.error(format!("cannot trust a certificate of {path}: {e}")))?;
    }
    let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    let verifier = built.map_err(|e| file.error(format!("cannot trust the certificates of {path}: {e}")))?;
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
/// A text for a person.
pub fn read(file: &NamedFile) -> Result<Vec<u8>, String> {
    let path = file.path();
    fs::read(path).map_err(|e| file.error(format!("cannot read {}: {e}", path.display())))
}

/// The certificates in a PEM file's bytes, in order; at least one.
fn certificates(file: &NamedFile, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|e| malformed(file, "certificates", &e))?;
    if certificates.is_empty() {
        return Err(malformed(file, "certificates", &pem::Error::NoItemsFound));
    }
    Ok(certificates)
}

/// A certificate with those that lead from it to a root, and its private key, from the bytes of two PEM files.
///
/// # Errors
/// What is wrong with each of them, or with both together, for a person.
pub fn identity(certificate: (&NamedFile, &[u8]), key: (&NamedFile, &[u8])) -> Result<CertifiedKey, String> {
    let private = PrivateKeyDer::from_pem_slice(key.1).map_err(|e| malformed(key.0, "a private key", &e));
    let (chain, private) = diagnostic::both(certificates(certificate.0, certificate.1), private)?;
    let (certificate, key) = (certificate.0, key.0);
    let paths = (certificate.path().display(), key.path().display());
    CertifiedKey::from_der(chain, private, &provider()).map_err(|e| match e {
        rustls::Error::InconsistentKeys(_) => {
            key.error(format!("the key in {} is not that of the certificate in {}", paths.1, paths.0))
        }
        e => certificate.error(format!("cannot use {} with {}: {e}", paths.0, paths.1)),
    })
}

fn malformed(file: &NamedFile, what: &str, error: &pem::Error) -> String {
    let found = match error {
        pem::Error::NoItemsFound => "none",
        _ => "malformed PEM",
    };
    file.error(format!("expected {what} in PEM in {}, found {found}", file.path().display()))
}
