//! A listener's certificates: chosen by the name that a client asks for, replaced when their files change.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::{CertificatePair, NamedFile};
use crate::diagnostic;
use crate::tls;

/// What is negotiated, in the order that is preferred.
const PROTOCOLS: [&[u8]; 2] = [HTTP2, b"http/1.1"];
/// How ALPN calls HTTP/2.
pub const HTTP2: &[u8] = b"h2";

/// The certificates of a listener.
#[derive(Debug)]
pub struct Certificates {
    pairs: Vec<CertificatePair>,
    current: ArcSwap<Loaded>,
    /// What is wrong with the files; the certificates before stay in use then.
    error: Mutex<Option<String>>,
}

#[derive(Debug)]
struct Loaded {
    /// The bytes of all files, so that a change can be told.
    files: Vec<Vec<u8>>,
    /// In the order of the configuration.
    keys: Vec<Arc<CertifiedKey>>,
    at: jiff::Timestamp,
}

impl Certificates {
    /// Reads pairs of files.
    ///
    /// # Errors
    /// What is wrong with them, for a person.
    pub fn load(pairs: &[CertificatePair]) -> Result<Arc<Self>, String> {
        let loaded = read(pairs).and_then(|files| parse(pairs, files))?;
        Ok(Arc::new(Self { pairs: pairs.to_vec(), current: ArcSwap::from_pointee(loaded), error: Mutex::default() }))
    }

    /// Reads the files again; whether the certificates have been replaced.
    ///
    /// # Errors
    /// What is wrong with the files, for a person, the first time that it is; the certificates stay as they are.
    pub fn refresh(&self) -> Result<bool, String> {
        let next = read(&self.pairs).and_then(|files| {
            let is_changed = files != self.current.load().files;
            if is_changed { parse(&self.pairs, files).map(Some) } else { Ok(None) }
        });
        let mut error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        match next {
            Ok(next) => {
                *error = None;
                let is_replaced = next.is_some();
                if let Some(loaded) = next {
                    self.current.store(Arc::new(loaded));
                }
                Ok(is_replaced)
            }
            Err(reason) if error.as_ref() == Some(&reason) => Ok(false),
            Err(reason) => {
                *error = Some(reason.clone());
                Err(reason)
            }
        }
    }

    /// What is wrong with the files, where the certificates in use are older than they.
    pub fn error(&self) -> Option<String> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When those in use were read.
    pub fn loaded_at(&self) -> jiff::Timestamp {
        self.current.load().at
    }

    /// Their files.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.pairs.iter().flat_map(|pair| [&pair.certificate, &pair.key]).map(NamedFile::path)
    }

    /// What a TLS server does with them.
    ///
    /// # Errors
    /// As the provider has no cipher suites in common with the versions of TLS.
    pub fn server(self: &Arc<Self>) -> Result<Arc<ServerConfig>, String> {
        let builder = ServerConfig::builder_with_provider(tls::provider()).with_safe_default_protocol_versions();
        let builder = builder.map_err(|e| format!("cannot set up TLS: {e}"))?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::clone(self) as Arc<_>);
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let loaded = self.current.load();
        let first = loaded.keys.first();
        let named = if loaded.keys.len() > 1 { hello.server_name() } else { None };
        let is_for = |key: &&Arc<CertifiedKey>| named.is_some_and(|name| names(key, name));
        loaded.keys.iter().find(is_for).or(first).cloned()
    }
}

/// Whether a certificate is for a host.
fn names(key: &CertifiedKey, host: &str) -> bool {
    let certificate = key.cert.first().and_then(|der| ParsedCertificate::try_from(der).ok());
    let name = ServerName::try_from(host).ok();
    certificate.zip(name).is_some_and(|(certificate, name)| verify_server_name(&certificate, &name).is_ok())
}

/// The files of all pairs, a certificate's before its key's.
fn read(pairs: &[CertificatePair]) -> Result<Vec<Vec<u8>>, String> {
    let files = pairs.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
    diagnostic::all(files.map(tls::read))
}

fn parse(pairs: &[CertificatePair], files: Vec<Vec<u8>>) -> Result<Loaded, String> {
    let key = |(pair, files): (&CertificatePair, &[Vec<u8>])| {
        let [certificate, key] = files else { return Err("a certificate lacks its key".to_owned()) };
        tls::identity((&pair.certificate, certificate), (&pair.key, key)).map(Arc::new)
    };
    let keys = diagnostic::all(pairs.iter().zip(files.chunks(2)).map(key))?;
    Ok(Loaded { files, keys, at: jiff::Timestamp::now() })
}
