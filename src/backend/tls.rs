//! TLS to endpoints: whom we trust, who we are, and what went wrong.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use rustls::client::ClientConfig;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::{ClientTls, Protocol};
use crate::failure::{Failure, Kind, Side};
use crate::tls;

/// HTTP/2 as ALPN has it.
const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// How a backend's endpoints are spoken to over TLS.
#[derive(Debug)]
pub(super) struct Tls {
    settings: ClientTls,
    protocol: Protocol,
    current: ArcSwap<Material>,
}

/// What was read from files.
#[derive(Debug)]
struct Material {
    client: tls::Client,
    requests: OnceLock<Arc<ClientConfig>>,
    sockets: OnceLock<Arc<ClientConfig>>,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Requests.
    Requests,
    /// One request of HTTP/1.1, that may become a socket.
    Socket,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with them, for a person.
    pub(super) fn try_new(settings: ClientTls, protocol: Protocol) -> Result<Self, String> {
        let current = ArcSwap::from_pointee(Material::read(&settings)?);
        Ok(Self { settings, protocol, current })
    }

    /// Reads the files again; whether they have changed. New connections use what they say.
    ///
    /// # Errors
    /// What is wrong with them, for a person; what was read before stays.
    pub(super) fn refresh(&self) -> Result<bool, String> {
        let new = Material::read(&self.settings)?;
        let is_changed = !new.client.is_like(&self.current.load().client);
        if is_changed {
            self.current.store(Arc::new(new));
        }
        Ok(is_changed)
    }

    /// Whether there are files to read.
    pub(super) fn has_files(&self) -> bool {
        self.settings.ca.is_some() || self.settings.identity.is_some()
    }

    /// Speaks TLS to an endpoint, which has to prove that it is `host`, or who the configuration says.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        host: &str,
        purpose: Purpose,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        let host = self.settings.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(host.to_owned()).map_err(|e| {
            failure("the backend's name is none that a certificate can have").because(format!("{host}: {e}"))
        })?;
        let config = self.config(purpose)?;
        TlsConnector::from(config).connect(name, stream).await.map_err(|e| io_failure(&e))
    }

    fn config(&self, purpose: Purpose) -> Result<Arc<ClientConfig>, Failure> {
        let material = self.current.load();
        let (made, protocols): (_, &[&[u8]]) = match (purpose, self.protocol) {
            (Purpose::Socket, _) => (&material.sockets, &[HTTP_1_1]),
            (Purpose::Requests, Protocol::H1) => (&material.requests, &[HTTP_1_1]),
            (Purpose::Requests, Protocol::H2) => (&material.requests, &[H2]),
            (Purpose::Requests, Protocol::Auto) => (&material.requests, &[H2, HTTP_1_1]),
        };
        if let Some(config) = made.get() {
            return Ok(Arc::clone(config));
        }
        let config = material.client.config(protocols).map_err(|e| unusable(&e))?;
        Ok(Arc::clone(made.get_or_init(|| Arc::new(config))))
    }
}

/// Whether HTTP/2 was agreed upon.
pub(super) fn is_http2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(H2)
}

impl Material {
    fn read(settings: &ClientTls) -> Result<Self, String> {
        Ok(Self { client: tls::Client::read(settings)?, requests: OnceLock::new(), sockets: OnceLock::new() })
    }
}

fn unusable(error: &rustls::Error) -> Failure {
    failure("the system trusts no certificates").because(format!("{error}; set `tls.ca`"))
}

fn failure(detail: &str) -> Failure {
    Failure::new(Side::Backend, Kind::BackendTls, detail)
}

fn io_failure(error: &std::io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(error) => failure_of(error),
        None => failure("the backend closed the connection during the TLS handshake").because(error.to_string()),
    }
}

/// What it means that TLS failed.
pub(super) fn failure_of(error: &rustls::Error) -> Failure {
    let detail = match error {
        rustls::Error::InvalidCertificate(error) => certificate(error),
        rustls::Error::NoCertificatesPresented => "the backend has no certificate",
        rustls::Error::InvalidMessage(_) => "the backend does not speak TLS",
        rustls::Error::NoApplicationProtocol => "the backend does not speak the protocol that is configured for it",
        rustls::Error::AlertReceived(alert) => refused(*alert),
        rustls::Error::PeerIncompatible(_) => "the backend speaks no version of TLS, or no cipher, that is accepted",
        _ => "no TLS connection to the backend can be made",
    };
    failure(detail).because(error.to_string())
}

fn certificate(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the backend's certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the backend's certificate is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the backend's certificate is for another name"
        }
        // A signature that is wrong is that of another authority of the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the backend's certificate was issued by an authority that is not trusted"
        }
        CertificateError::Revoked => "the backend's certificate has been revoked",
        _ => "the backend's certificate is not valid",
    }
}

fn refused(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::CertificateRequired => "the backend asks for a client certificate, and none is configured",
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => "the backend does not accept the client certificate",
        AlertDescription::NoApplicationProtocol => "the backend does not speak the protocol that is configured for it",
        AlertDescription::UnrecognisedName => "the backend does not know the name that it is asked for",
        _ => "the backend broke off the TLS handshake",
    }
}
