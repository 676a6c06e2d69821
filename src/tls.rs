//! Certificates and keys, for both sides of the proxy.

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock, OnceLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls_platform_verifier::Verifier;

/// The cryptography of every TLS connection. It is handed to rustls each time: a default for the process could be set
/// by anybody.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// What trusts whom the system trusts. It is looked up when it is first needed: where nobody needs it, there may be
/// none.
///
/// # Errors
/// As the system trusts nobody.
pub fn system() -> Result<Arc<Verifier>, rustls::Error> {
    static SYSTEM: OnceLock<Arc<Verifier>> = OnceLock::new();
    if let Some(verifier) = SYSTEM.get() {
        return Ok(Arc::clone(verifier));
    }
    let verifier = Arc::new(Verifier::new(provider())?);
    Ok(Arc::clone(SYSTEM.get_or_init(|| verifier)))
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
